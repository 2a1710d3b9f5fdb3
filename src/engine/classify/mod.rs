//! What is failing, read from statuses: one file per path of diagnosis. Events say more about what a status shows
//! (`hint`), and what is shown beside it is made in `notes`.
//!
//! | what shows | where |
//! |---|---|
//! | a run ended | `crash`, `ended` → `ending` → `oom`, `start`, `probe` |
//! | an image cannot be pulled | `image` |
//! | no node | `pending` → `scheduling` |
//! | no sandbox, volume or network | `setup` |
//! | no configuration | `config` |
//! | not ready | `unready` → `probe` |
//! | an init container hangs | `init` |
//! | no pod | `create_refused` → `refusal`, `quota` |
//! | taken away, evicted, a node lost | `removed` |
//! | nothing fails and nothing moves | `stalled` |
//! | it failed after its rollout | `late` |
//! | nobody says why | `unknown` |
//!
//! A pod shows one failure of one container, the first in start order that fails, because what comes later waits for
//! what comes first. Beside it a pod that runs may show that it is not ready, or that its readiness comes and goes.

mod amounts;
mod config;
mod crash;
mod create_refused;
mod ended;
mod ending;
pub mod evidence;
mod hint;
mod image;
mod init;
pub mod intake;
mod late;
mod look;
mod notes;
mod oom;
mod pending;
mod probe;
mod quota;
mod refusal;
mod removed;
mod room;
mod scheduling;
mod setup;
mod stalled;
mod start;
mod text;
mod unknown;
mod unready;

use jiff::Timestamp;

use super::facts::{ContainerFacts, ContainerState, Name, PodFacts, Snapshot};
use super::finding::{Subject, Symptom};
use super::listen;
use super::words::{Cause, ContainerKind, Sureness};
use look::{Look, Scene};

pub use create_refused::cause_of_refusal;
pub use evidence::evidence;
pub use notes::notes;
pub(super) use removed::too_few_devices;
pub(super) use scheduling::{Taints, may_mean_taint, stands_for_condition, told_taints as taints};
#[cfg(test)]
pub(super) use text::reading;
pub(super) use text::{Reading, Table};
pub use unready::FLAPPING_SECONDS;

/// The resources that a refusal says a quota leaves too little of.
pub(super) fn quota_resources(message: &str) -> impl Iterator<Item = &str> {
    refusal::quota(message).into_iter().flat_map(|quota| quota.shortages).map(|shortage| shortage.resource)
}

/// Every failure that the statuses of a workload's objects show, of all its revisions, with the causes that logs name
/// where statuses do not. `HealthCheck` has no status and comes from elsewhere.
pub fn classify<'a>(s: &'a Snapshot, now: Timestamp) -> Vec<Symptom<'a>> {
    let scene = Scene::new(s, now);
    let mut symptoms = Vec::new();
    for pod in &s.pods {
        if !pod.deleting && !runs_well(&scene, pod) {
            // Pods of one revision tend to fail together.
            if symptoms.is_empty() {
                symptoms.reserve(s.pods.len());
            }
            of_pod(&scene.look(pod), &mut symptoms);
        }
    }
    share_causes(&mut symptoms);
    create_refused::symptoms(&scene, &mut symptoms);
    stalled::symptoms(&scene, &mut symptoms);
    listen::refine(s, &mut symptoms);
    symptoms
}

/// Events get lost. Where pods of one revision fail alike and the events of some tell why, and all of these the same, it
/// is taken to be so for the others.
fn share_causes(symptoms: &mut [Symptom<'_>]) {
    let mut told: Vec<Symptom<'_>> = Vec::new();
    for symptom in symptoms.iter().filter(|x| x.told.is_some() && x.cause != Cause::Unknown) {
        if !told.iter().any(|known| alike(known, symptom) && known.cause == symptom.cause) {
            told.push(*symptom);
        }
    }
    for symptom in symptoms.iter_mut().filter(|symptom| symptom.cause == Cause::Unknown) {
        let mut causes = told.iter().filter(|told| alike(told, symptom)).map(|told| told.cause);
        if let (Some(cause), None) = (causes.next(), causes.next()) {
            symptom.cause = cause;
        }
    }
}

/// The same failure of the same container of one revision.
fn alike(a: &Symptom<'_>, b: &Symptom<'_>) -> bool {
    (a.class, a.sureness) == (b.class, b.sureness) && place(a) == place(b)
}

/// The revision and the container of a failing pod.
fn place<'a>(symptom: &Symptom<'a>) -> (Option<&'a Name>, Option<&'a Name>) {
    let revision = match symptom.subject {
        Subject::Pod(pod) => Some(&pod.revision),
        Subject::Revision(_) | Subject::Workload => None,
    };
    (revision, symptom.container.map(|container| &container.name))
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

/// The failing container that is first in start order. What never counts against a revision does not hide what may, and of
/// app containers, none of which waits for another, neither one that was injected hides one of the template's, nor one
/// that ran and ended one that could not start: the first may have missed the second.
fn first_failing_container<'a>(look: &Look<'_, 'a>) -> Option<Symptom<'a>> {
    let (mut excluded, mut injected, mut ended) = (None, None, None);
    for container in &look.pod.containers {
        let not_started = image::symptom(look, container)
            .or_else(|| config::symptom(look, container))
            .or_else(|| start::symptom(look, container));
        let has_run = not_started.is_none();
        let Some(symptom) = not_started.or_else(|| crash::symptom(look, container)) else { continue };
        let is_app = container.kind == ContainerKind::App;
        match symptom {
            symptom if symptom.sureness == Sureness::Excluded => excluded = excluded.or(Some(symptom)),
            symptom if is_app && look.is_injected(container) => injected = injected.or(Some(symptom)),
            symptom if is_app && has_run => ended = ended.or(Some(symptom)),
            symptom => return Some(symptom),
        }
    }
    ended.or(injected).or(excluded)
}

/// The container has failed before and runs again.
fn runs(symptom: &Symptom<'_>) -> bool {
    symptom.container.is_some_and(|c| matches!(c.state, ContainerState::Running { .. }))
}

#[cfg(test)]
mod tests;
