//! What is failing, read from statuses: one file per class of failure.
//!
//! A pod shows one failure of one container, the first in start order that fails, because what comes later waits for
//! what comes first. Beside it a pod that runs may show that it is not ready, or that its readiness comes and goes.

mod config;
mod crash;
mod create_refused;
mod ended;
mod ending;
pub mod evidence;
mod image;
mod init;
mod look;
mod oom;
mod pending;
mod removed;
mod scheduling;
mod setup;
mod stalled;
mod start;
mod text;
mod unready;

use jiff::Timestamp;

use super::facts::{ContainerFacts, ContainerState, PodFacts, Snapshot};
use super::finding::Symptom;
use super::words::{ContainerKind, Sureness};
use look::{Look, Scene};

pub use evidence::evidence;
#[cfg(test)]
pub(super) use text::reading;
pub(super) use text::{Reading, Table};
pub use unready::FLAPPING_SECONDS;

/// Every failure that the statuses of a workload's objects show, of all its revisions. `HealthCheck` has no status
/// and comes from elsewhere.
pub fn classify<'a>(s: &'a Snapshot, now: Timestamp) -> Vec<Symptom<'a>> {
    let scene = Scene::new(s, now);
    let mut symptoms = Vec::new();
    for pod in &s.pods {
        if !pod.deleting && !runs_well(&scene, pod) {
            of_pod(&scene.look(pod), &mut symptoms);
        }
    }
    create_refused::symptoms(&scene, &mut symptoms);
    stalled::symptoms(&scene, &mut symptoms);
    symptoms
}

/// Nothing about the pod needs a second look. Most pods are dismissed here.
fn runs_well(scene: &Scene<'_>, pod: &PodFacts) -> bool {
    let well = |c: &ContainerFacts| c.ready && (c.last.is_none() || crash::healed(scene, pod, c));
    pod.ready
        && !pod.finished
        && pod.disruption.is_none()
        && pod.history.losses.is_empty()
        && pod.containers.iter().all(|c| c.kind == ContainerKind::Init || well(c))
}

fn of_pod<'a>(look: &Look<'_, 'a>, symptoms: &mut Vec<Symptom<'a>>) {
    if let Some(symptom) = removed::symptom(look) {
        symptoms.push(symptom);
        return;
    }
    if look.pod.finished {
        symptoms.extend(ended::symptom(look).filter(|_| look.pod.may_end));
        return;
    }
    if let Some(symptom) = pending::symptom(look).or_else(|| setup::symptom(look)) {
        symptoms.push(symptom);
        return;
    }
    let failing = first_failing_container(look);
    symptoms.extend(failing);
    let stands = failing.is_none_or(|symptom| runs(&symptom) || symptom.sureness == Sureness::Excluded);
    if stands {
        symptoms.extend(init::symptom(look).or_else(|| unready::symptom(look)));
        symptoms.extend(unready::flapping(look));
    }
}

/// The failing container that is first in start order. What never counts against a revision does not hide what may.
fn first_failing_container<'a>(look: &Look<'_, 'a>) -> Option<Symptom<'a>> {
    let mut excluded = None;
    for container in &look.pod.containers {
        let symptom = image::symptom(look, container)
            .or_else(|| config::symptom(look, container))
            .or_else(|| start::symptom(look, container))
            .or_else(|| crash::symptom(look, container));
        match symptom {
            Some(symptom) if symptom.sureness == Sureness::Excluded => excluded = excluded.or(Some(symptom)),
            Some(symptom) => return Some(symptom),
            None => {}
        }
    }
    excluded
}

/// The container has failed before and runs again.
fn runs(symptom: &Symptom<'_>) -> bool {
    symptom.container.is_some_and(|c| matches!(c.state, ContainerState::Running { .. }))
}

#[cfg(test)]
mod tests;
