//! Pods that have a node and no sandbox: volumes, network or devices are missing. Such failures never reach a
//! container's waiting reason; only the pod's events name them.

use super::look::Look;
use super::text::reading;
use crate::engine::facts::{ContainerFacts, ContainerState};
use crate::engine::finding::{Detail, Symptom};
use crate::engine::words::{Cause, Class, Sureness};

/// Attaching a volume may take this long where all is well.
const GRACE_SECONDS: i64 = 120;

pub(super) fn symptom<'a>(look: &Look<'_, 'a>) -> Option<Symptom<'a>> {
    let never_ran = look.pod.containers.iter().all(never_ran);
    if look.pod.node.is_none() || look.pod.sandbox_ready != Some(false) || !never_ran {
        return None;
    }
    let said = reading(Class::PodSetup, Cause::Unknown, Sureness::Timed);
    let onset = look.since_node(look.pod_start()).min(look.scene.now);
    let detail = Detail::Plain("PodReadyToStartContainers is False: volumes, sandbox or network are not there");
    Some(Symptom { grace_seconds: GRACE_SECONDS, ..look.on_pod(said, onset, detail) })
}

fn never_ran(container: &ContainerFacts) -> bool {
    let waits = matches!(container.state, ContainerState::Waiting { .. } | ContainerState::Unknown);
    waits && container.restarts == 0 && container.last.is_none()
}
