//! Pods that a StatefulSet, DaemonSet or Job cannot create. Other than a ReplicaSet these have no condition for it: only
//! their events tell.

use jiff::Timestamp;

use crate::cluster::intake::Maker;
use crate::engine::classify::cause_of_refusal;
use crate::engine::facts::{ConditionFacts, EventFacts, PodFacts};
use crate::engine::moment::seconds_between;

/// Controllers try again after at most 1000 s (`DefaultTypedControllerRateLimiter` in client-go); what is older is over.
const LONGEST_BACKOFF_SECONDS: i64 = 1200;

/// The newest refusal, as long as pods are missing and none was created after it.
pub fn refused(maker: &Maker, pods: &[PodFacts], about: &[EventFacts], now: Timestamp) -> Option<ConditionFacts> {
    (missing(maker, pods) > 0).then_some(())?;
    let event = about.iter().rev().find(|event| &*event.reason == "FailedCreate")?;
    let created = pods.iter().map(|pod| pod.created).max();
    // Every refusal names another pod, so that each may have an event of its own. One for another cause is past.
    let cause = cause_of_refusal(&event.message);
    let is_alike = |past: &EventFacts| past.reason == event.reason && cause_of_refusal(&past.message) == cause;
    let of_now = |past: &&EventFacts| is_alike(past) && created.is_none_or(|created| created <= past.last);
    let first = about.iter().filter(of_now).map(|past| past.first).min().unwrap_or(event.first);
    let is_over = created.is_some_and(|created| created > event.last);
    if is_over || seconds_between(event.last, now) > LONGEST_BACKOFF_SECONDS {
        return None;
    }
    Some(ConditionFacts {
        status: true,
        reason: event.reason.clone(),
        message: event.message.clone(),
        // A refusal from before that pod was overcome.
        since: created.map_or(first, |created| created.max(first)),
    })
}

/// How many pods there should be and are not.
pub fn missing(maker: &Maker, pods: &[PodFacts]) -> i32 {
    let there = pods.iter().filter(|pod| !pod.finished).count();
    let there = i32::try_from(there).unwrap_or(i32::MAX).max(maker.told());
    maker.due().saturating_sub(there)
}
