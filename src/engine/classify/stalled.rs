//! Rollouts that do not move although no pod says why.

use super::look::Scene;
use super::pending;
use super::scheduling;
use super::text::contains;
use crate::engine::change;
use crate::engine::facts::{ConditionFacts, Name, PodFacts, RevisionFacts, WorkloadFacts};
use crate::engine::finding::{Detail, Subject, Symptom};
use crate::engine::message::Message;
use crate::engine::words::{Aspect, Cause, Class, Sureness};

const DEADLOCK_GRACE_SECONDS: i64 = 120;
/// How the attach controller, and the drivers of AWS, Azure, Google and OpenStack, say that another node has the volume. Other
/// errors of an attachment are no matter of who goes first.
pub(super) const IN_USE: &[&str] =
    &["multi-attach error", "already in use", "already being used", "already attached to", "attached to a different"];

pub(super) fn symptoms<'a>(scene: &Scene<'a>, symptoms: &mut Vec<Symptom<'a>>) {
    if let Some(symptom) = deadlock(scene, symptoms) {
        symptoms.push(symptom);
    }
    if symptoms.iter().all(|symptom| symptom.sureness == Sureness::Excluded) {
        symptoms.extend(deadline(&scene.s.workload, scene));
    }
}

/// The Deployment controller has given up waiting. It keeps the condition of an earlier generation until it has seen
/// the present one.
fn deadline<'a>(workload: &'a WorkloadFacts, scene: &Scene<'a>) -> Option<Symptom<'a>> {
    let condition: &ConditionFacts = workload.progressing.as_ref()?;
    let expired = !condition.status && &*condition.reason == "ProgressDeadlineExceeded";
    let current = workload.observed_generation >= workload.generation && !workload.paused;
    (expired && current).then(|| {
        let detail = Detail::Condition { kind: "Progressing", condition };
        let onset = condition.since.min(scene.now);
        let shown = (Class::RolloutStalled, Cause::DeadlineExceeded, Sureness::Definitive);
        Symptom::new(shown, Subject::Workload, onset, detail)
    })
}

/// Pods of the older revision ask for the same in this, such as ports, and so hold what those of the newest wait for.
fn alike(scene: &Scene<'_>, older: &Name, newest: &RevisionFacts, aspect: Aspect) -> bool {
    let older = scene.s.revisions.iter().find(|revision| revision.uid == *older);
    older.is_none_or(|older| !change::changed_aspects(older, newest).contains(&aspect))
}

/// A new pod needs the place of an old one, and no old pod may go before the new one is ready.
fn deadlock<'a>(scene: &Scene<'a>, symptoms: &[Symptom<'a>]) -> Option<Symptom<'a>> {
    let workload = &scene.s.workload;
    let newest = scene.newest?;
    if workload.recreate || workload.max_unavailable > 0 {
        return None;
    }
    let waiting = symptoms.iter().filter(|symptom| {
        let of_newest = match symptom.subject {
            Subject::Pod(pod) => pod.revision == newest.uid,
            Subject::Revision(revision) => revision.uid == newest.uid,
            Subject::Workload => false,
        };
        let mut old = scene.s.pods.iter().filter(|pod| pod.revision != newest.uid && pod.node.is_some());
        let waits = |old: &PodFacts| waits_for_a_place(scene, symptom, newest, old);
        of_newest && symptom.sureness != Sureness::Excluded && old.any(|old| waits(old))
    });
    let waits = waiting.min_by_key(|symptom| (symptom.onset, symptom.grace_seconds))?;
    let detail =
        Detail::Plain("a new pod needs the place of an old one, and with maxUnavailable 0 no old pod may go first");
    let shown = (Class::RolloutStalled, Cause::StrategyDeadlock, Sureness::Timed);
    let symptom = Symptom::new(shown, Subject::Workload, waits.onset, detail);
    // Room may come by itself, be it a node or a quota.
    Some(Symptom { grace_seconds: waits.grace_seconds.max(DEADLOCK_GRACE_SECONDS), ..symptom })
}

/// What the new pod lacks is what the old one would leave.
fn waits_for_a_place(scene: &Scene<'_>, symptom: &Symptom<'_>, newest: &RevisionFacts, old: &PodFacts) -> bool {
    let fits = || {
        let of_old = scene.s.revisions.iter().find(|revision| revision.uid == old.revision);
        of_old.map(|revision| pending::asks(revision)).is_some_and(|(cpu, memory)| {
            let (new_cpu, new_memory) = pending::asks(newest);
            new_cpu <= cpu && new_memory <= memory
        })
    };
    let told = symptom.told.map(|told| &told.event.message);
    let condition = match symptom.detail {
        Detail::Condition { condition, .. } => Some(&condition.message),
        _ => None,
    };
    let texts = || told.into_iter().chain(condition);
    let says = |phrase: &str| texts().any(|message| contains(message, phrase));
    // Of anything else nobody knows how much the old pod would leave.
    let is_known =
        |message: &Message| scheduling::insufficient(message).all(|(what, _)| matches!(what, "cpu" | "memory"));
    match symptom.class {
        Class::Pending => match symptom.cause {
            // Not the neighbourhood of pods that are not there, nor a node that has the volume.
            Cause::PodAffinity => says("anti-affinity"),
            Cause::VolumeTopology => says("readwriteoncepod"),
            Cause::HostPort => alike(scene, &old.revision, newest, Aspect::Ports),
            // A place is of no use where no node says which place it is.
            Cause::TopologySpread => {
                !says("missing required label") && alike(scene, &old.revision, newest, Aspect::Scheduling)
            }
            Cause::InsufficientResources => fits() && texts().all(is_known),
            Cause::TooManyPods => fits(),
            _ => false,
        },
        // The volume is attached where the old pod runs.
        Class::PodSetup => symptom.cause == Cause::VolumeAttach && IN_USE.iter().any(|phrase| says(phrase)),
        Class::CreateRefused => symptom.cause == Cause::QuotaExceeded && fits(),
        _ => false,
    }
}
