//! Pods that have ended with an error and are not restarted, as those of Jobs and bare pods.

use super::look::Look;
use super::{crash, ending};
use crate::engine::facts::{ContainerFacts, ContainerState, Termination};
use crate::engine::finding::Symptom;
use crate::engine::words::Sureness;

/// The first container in start order that ended badly. Nothing follows it, so one sight is proof.
pub(super) fn symptom<'a>(look: &Look<'_, 'a>) -> Option<Symptom<'a>> {
    let (container, ended) = look.pod.containers.iter().find_map(failed)?;
    let mut said = ending::read(look, container, ended)?;
    if said.sureness != Sureness::Excluded {
        said.sureness = Sureness::Definitive;
    }
    let detail = crash::detail(look, container, said, ended);
    let onset = ended.finished.unwrap_or_else(|| look.pod_start()).min(look.scene.now);
    Some(look.on_container(container, said, onset, detail))
}

fn failed(container: &ContainerFacts) -> Option<(&ContainerFacts, &Termination)> {
    match &container.state {
        ContainerState::Terminated(ended) if ended.exit_code != 0 => Some((container, ended)),
        _ => None,
    }
}
