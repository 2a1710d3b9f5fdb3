//! Which revision is the newest, since when, and whether the rollout to it is still the likely reason for a failure.

use jiff::Timestamp;

use super::baseline;
use super::evidence::judged_pods;
use super::facts::{RevisionFacts, Snapshot};
use super::moment::{after, earliest};
use super::words::ActionKind;

/// The rollout a workload is in, or was in last.
#[derive(Clone, Copy, Debug)]
pub struct Rollout<'a> {
    pub newest: &'a RevisionFacts,
    /// When the newest revision became the newest.
    pub since: Timestamp,
    /// Every replica is of the newest revision and available.
    pub complete: bool,
    /// When it completed, if it did.
    pub completed: Option<Timestamp>,
}

/// The revision that the Deployment's template belongs to.
///
/// Equal templates decide, since the controller adopts the oldest ReplicaSet with an equal template
/// (`FindNewReplicaSet` in pkg/controller/deployment/util/deployment_util.go); the revision annotation is the second
/// witness, for templates that an upgrade of the API server filled with new defaults.
pub fn newest(s: &Snapshot) -> Option<&RevisionFacts> {
    oldest(s, |r| r.template.digest == s.workload.template_digest)
        .or_else(|| oldest(s, |r| Some(r.number) == s.workload.revision))
}

fn oldest(s: &Snapshot, is: impl Fn(&RevisionFacts) -> bool) -> Option<&RevisionFacts> {
    s.revisions.iter().map(AsRef::as_ref).filter(|r| is(r)).min_by_key(|r| (r.created, &r.uid))
}

/// The template is one that no ReplicaSet has yet: somebody shipped something new and the controller, a pause or the API
/// server has not let it start. Once the controller has observed an unpaused Deployment there is a ReplicaSet, and the
/// revision annotation names it, unless it could not be created: a change of `spec.replicas` is observed even then
/// (`isScalingEvent` in pkg/controller/deployment/sync.go).
pub fn is_unrolled(s: &Snapshot) -> bool {
    let w = &s.workload;
    let observed = w.observed_generation >= w.generation && !w.paused && !could_not_create(s);
    let known =
        |r: &RevisionFacts| r.template.digest == w.template_digest || (observed && Some(r.number) == w.revision);
    !s.revisions.iter().any(|r| known(r))
}

/// The template has no ReplicaSet since the API server refuses it. Then the controller gives up before it raises
/// `observedGeneration` (`getNewReplicaSet` in pkg/controller/deployment/sync.go), so nothing else will ever tell.
pub fn is_refused(s: &Snapshot) -> bool {
    could_not_create(s) && is_unrolled(s)
}

fn could_not_create(s: &Snapshot) -> bool {
    s.workload.progressing.as_ref().is_some_and(|c| !c.status && &*c.reason == "ReplicaSetCreateError")
}

/// The rollout to the newest revision, or `None` when there is no revision at all.
pub fn current(s: &Snapshot, now: Timestamp) -> Option<Rollout<'_>> {
    let newest = newest(s)?;
    let w = &s.workload;
    let complete = w.observed_generation >= w.generation
        && w.replicas > 0
        && w.updated_replicas == w.replicas
        && w.total_replicas == w.replicas
        && w.available_replicas == w.replicas;
    let since = since(s, newest, now);
    Some(Rollout { newest, since, complete, completed: completed(s, newest, since) })
}

/// The same of what is no Deployment and has no condition that tells of it. Where there are pods of one revision alone, it had
/// been rolled out when one of those that are ready without an exit had been so for long enough.
pub fn of_others(s: &Snapshot, now: Timestamp) -> Option<Rollout<'_>> {
    let newest = s.revisions.iter().max_by_key(|revision| revision.order())?;
    let alone = s.pods.iter().all(|pod| pod.revision == newest.uid);
    let unbroken =
        judged_pods(s, &newest.uid).filter(|pod| pod.ready && pod.containers.iter().all(|c| c.last.is_none()));
    let proven = unbroken.filter_map(|pod| pod.ready_since).min().filter(|_| alone);
    let proven = proven.map(|ready| after(ready, s.policy.rollout.stable_seconds)).filter(|proven| *proven <= now);
    Some(Rollout { newest, since: newest.created, complete: false, completed: proven })
}

/// A failure that began at `onset` may belong to the rollout: it is under way, or it ended less than `watchSeconds`
/// before the failure began.
pub fn covers(rollout: &Rollout, s: &Snapshot, onset: Timestamp) -> bool {
    // Timestamps of objects are cut to seconds, so an onset may seem to lie just before the rollout it belongs to.
    if onset < after(rollout.since, -1) {
        return false;
    }
    match rollout.completed {
        Some(end) => onset <= after(end, s.policy.rollout.watch_seconds),
        None => true,
    }
}

/// When the rollout completed: by the Deployment's condition, or when its pods were seen healthy, whichever is
/// earlier. There is no condition without a progress deadline, and pausing and resuming renews it.
fn completed(s: &Snapshot, newest: &RevisionFacts, since: Timestamp) -> Option<Timestamp> {
    // Times of objects are cut to seconds, and may seem to lie just before a rollout that was quick. What was seen of an
    // earlier rollout to the same revision says nothing about this one.
    let of_this = |at: &Timestamp| *at >= after(since, -1);
    let healthy = baseline::proven(&s.memory.ledger, newest).filter(of_this);
    let told = s.workload.completed.filter(of_this).filter(|at| healthy.is_some() || !ran_nothing(s, newest, *at));
    earliest(told, healthy).map(|at| at.max(since))
}

/// The rollout completed at zero replicas, which proves nothing: it was seen from its beginning, all pods that there are came
/// after its end, and none before them was seen healthy.
fn ran_nothing(s: &Snapshot, newest: &RevisionFacts, completed: Timestamp) -> bool {
    let seen = s.memory.current.as_ref().is_some_and(|c| c.hash == newest.hash && c.since <= completed);
    seen && s.pods.iter().filter(|pod| pod.revision == newest.uid).all(|pod| pod.created > completed)
}

/// When the newest revision became the newest: as remembered; else when our own action made it so, unless something else
/// was the newest after that; else its creation, or for a re-adopted ReplicaSet the creation of the youngest one, which
/// it must have displaced.
fn since(s: &Snapshot, newest: &RevisionFacts, now: Timestamp) -> Timestamp {
    if let Some(current) = s.memory.current.as_ref().filter(|c| c.hash == newest.hash) {
        return current.since;
    }
    let youngest = s.revisions.iter().map(|r| r.created).max().unwrap_or(newest.created);
    let other = s.memory.current.as_ref().map_or(youngest, |current| current.since);
    let ours = s.memory.actions.iter().rev().find(|a| a.to == newest.hash && a.kind == ActionKind::RollBack);
    if let Some(ours) = ours.filter(|ours| ours.at >= after(other, -1)) {
        return ours.at;
    }
    let readopted_after_memory = s.memory.current.is_some() && newest.created < youngest;
    match readopted_after_memory {
        true if was_frozen_on(s, newest) => now,
        true => taken_up_again(s, newest, other).min(now),
        false => youngest.max(newest.created),
    }
}

/// Its pods were made for a freeze, while another revision was the newest.
fn was_frozen_on(s: &Snapshot, newest: &RevisionFacts) -> bool {
    let done = s.memory.actions.iter().any(|a| a.kind == ActionKind::Freeze && a.to == newest.hash);
    let begun = s.memory.open.iter().filter_map(|i| i.intent.as_ref());
    done || begun.into_iter().any(|i| i.kind == ActionKind::Freeze && i.target.uid == newest.uid)
}

/// When a revision from before `other` became the newest again: no later than the first pods were made for it. Pods from before
/// that tell nothing.
fn taken_up_again(s: &Snapshot, newest: &RevisionFacts, other: Timestamp) -> Timestamp {
    let made = judged_pods(s, &newest.uid).map(|pod| pod.created).filter(|created| *created > other);
    made.min().unwrap_or(Timestamp::MAX)
}
