//! Quotas that a rollout gives back by itself. Old pods count against them until they have ended, so that a rollout which fits
//! when it is done may be refused a pod on its way. So may a baseline that a freeze brings back to full strength.

use super::amounts::Amount;
use super::look::Scene;
use super::{pending, refusal};
use crate::engine::change;
use crate::engine::facts::{ConditionFacts, PodFacts, RevisionFacts, Snapshot};
use crate::engine::lifecycle;
use crate::engine::moment::seconds_between;
use crate::engine::words::ActionKind;

/// An old pod has this long to end, counted from the last step of the rollout.
const ENDING_SECONDS: i64 = 90;
/// Pods that still end are waited for no longer than this after the last step: one may be stuck.
const LONGEST_ENDING_SECONDS: i64 = 600;

/// How long the rollout may take from its first refusal until the quota has room again; `None` where it gives nothing back,
/// or not enough. A ReplicaSet goes on backing off from its first refusal on, also past pods that it could create, and so
/// may wait once more for as long as until then.
pub(super) fn given_back_within(
    scene: &Scene<'_>,
    wanted: &RevisionFacts,
    condition: &ConditionFacts,
    said: &str,
) -> Option<i64> {
    let displaces = is_rolled_out(scene, wanted) || is_frozen_on(scene.s, wanted);
    if !displaces || !gives_back(scene, wanted) || will_never_fit(scene, wanted, said) {
        return None;
    }
    let made = own(scene, wanted).map(|pod| seconds_between(condition.since, pod.created)).max().unwrap_or(0).max(0);
    let ends_at_the_latest = made.saturating_add(LONGEST_ENDING_SECONDS);
    let tried_again = made.saturating_add(ENDING_SECONDS).saturating_mul(2);
    let ending = scene.s.pods.iter().any(|pod| pod.deleting && !pod.finished);
    Some(if ending { ends_at_the_latest } else { tried_again.min(ends_at_the_latest) })
}

fn is_rolled_out(scene: &Scene<'_>, revision: &RevisionFacts) -> bool {
    scene.rolling && scene.newest.is_some_and(|newest| newest.uid == revision.uid)
}

/// Our freeze is in force, and takes the pods of all other revisions away for those of this one.
fn is_frozen_on(s: &Snapshot, revision: &RevisionFacts) -> bool {
    let held = s.memory.open.iter().filter(|incident| lifecycle::is_held(s, incident));
    let mut intents = held.filter_map(|incident| incident.intent.as_ref());
    intents.any(|i| i.kind == ActionKind::Freeze && i.target.uid == revision.uid)
}

fn own<'a>(scene: &Scene<'a>, revision: &'a RevisionFacts) -> impl Iterator<Item = &'a PodFacts> {
    scene.s.pods.iter().map(AsRef::as_ref).filter(|pod| pod.revision == revision.uid && !pod.finished)
}

/// Old pods have gone or are going, or will go as soon as a new one is ready. Where no pod is left at all, none gives anything
/// back.
fn gives_back(scene: &Scene<'_>, wanted: &RevisionFacts) -> bool {
    let older = |pod: &&PodFacts| pod.revision != wanted.uid && !pod.deleting;
    let there = || scene.s.pods.iter().map(AsRef::as_ref).filter(|pod| !pod.finished);
    let was_there = scene.s.revisions.iter().any(|revision| revision.uid != wanted.uid);
    let starts = own(scene, wanted).any(|pod| !pod.ready || pod.deleting);
    let gone = there().filter(older).count() < replicas(scene);
    was_there && there().next().is_some() && (starts || gone)
}

fn replicas(scene: &Scene<'_>) -> usize {
    usize::try_from(scene.s.workload.replicas).unwrap_or(0).max(1)
}

/// All replicas of the wanted revision ask for more than others of the namespace leave, even if all that the workload can
/// have had itself is given back.
fn will_never_fit(scene: &Scene<'_>, wanted: &RevisionFacts, said: &str) -> bool {
    let limits = refusal::limits(said).into_iter().flat_map(|quota| quota.shortages);
    limits.into_iter().any(|of| {
        let all = of.requested.times(replicas(scene));
        let others = own_share(scene, wanted, of.resource, of.requested).map(|own| of.used.less(own));
        of.limited < all || others.is_some_and(|others| of.limited < others.plus(all))
    })
}

/// The most that the workload's own pods can have had when the pod was refused; `None` for what templates do not tell of.
fn own_share(scene: &Scene<'_>, wanted: &RevisionFacts, resource: &str, requested: Amount) -> Option<Amount> {
    let (w, s) = (&scene.s.workload, scene.s);
    let new = asks(wanted, resource)?;
    // What webhooks and defaults add to one they add to all.
    let added = requested.less(new);
    let older = s.revisions.iter().filter(|revision| revision.uid != wanted.uid);
    let old = older.filter_map(|revision| asks(revision, resource)).max()?.plus(added);
    let surge = usize::try_from(w.max_surge).unwrap_or(0);
    let seen = s.pods.iter().filter(|pod| pod.revision != wanted.uid).count();
    let had = replicas(scene).saturating_add(surge).max(seen);
    Some(old.times(had).plus(requested.times(own(scene, wanted).count())))
}

/// What a pod of the revision asks for of what a quota calls so.
fn asks(revision: &RevisionFacts, resource: &str) -> Option<Amount> {
    let (cpu, memory) = pending::asks(revision);
    Some(match resource {
        "cpu" | "requests.cpu" => Amount::of_thousandths(cpu),
        "memory" | "requests.memory" => Amount::of_units(memory),
        "limits.cpu" => Amount::of_thousandths(change::asked(revision, |c| c.cpu_limit.unwrap_or(0))),
        "limits.memory" => Amount::of_units(change::asked(revision, |c| c.memory_limit.unwrap_or(0))),
        "pods" | "count/pods" => Amount::of_units(1),
        _ => return None,
    })
}
