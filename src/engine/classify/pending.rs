//! Pods that no node was found for.

use super::hint;
use super::look::{Look, Scene};
use super::scheduling;
use super::text::{Reading, contains, reading};
use crate::engine::change;
use crate::engine::facts::{ConditionFacts, ContainerState, EventFacts, PodFacts, RevisionFacts};
use crate::engine::finding::{Detail, Symptom, Told};
use crate::engine::message::Message;
use crate::engine::moment::seconds_between;
use crate::engine::words::{Cause, Class, Sureness};

/// No node will ever be large enough, unless a new kind of node comes.
const TOO_LARGE_GRACE_SECONDS: i64 = 30;
/// An autoscaler may bring a node within minutes.
const CAPACITY_GRACE_SECONDS: i64 = 300;
/// A node that is asked for again and again and never joins is waited for no longer than this in all.
const LONGEST_GRACE_SECONDS: i64 = 900;
const GRACE_SECONDS: i64 = 120;

pub(super) fn symptom<'a>(look: &Look<'_, 'a>) -> Option<Symptom<'a>> {
    match &look.pod.unscheduled {
        Some(condition) => Some(unscheduled(look, condition)),
        // A scheduler that does not exist leaves neither event nor condition.
        None if look.pod.node.is_none() && !has_run(look.pod) => Some(unheard(look)),
        None => None,
    }
}

/// A container has a state, so there is a node, whether or not the pod says which.
fn has_run(pod: &PodFacts) -> bool {
    pod.containers.iter().any(|container| container.state != ContainerState::Unknown)
}

fn unscheduled<'a>(look: &Look<'_, 'a>, condition: &'a ConditionFacts) -> Symptom<'a> {
    let (said, told) = match &*condition.reason {
        "SchedulingGated" => (said(Cause::SchedulingGated), None),
        "SchedulerError" => (said(not_done(&condition.message)), None),
        _ => match read(&condition.message) {
            Some(said) => (said, None),
            None => by_event(look).map_or((said(Cause::Unknown), None), |(said, told)| (said, Some(told))),
        },
    };
    let onset = condition.since.min(look.scene.now);
    let grown = look.event(|event| brings_a_node(event) && hint::since(event, onset));
    let grace_seconds = match (said.cause, grown) {
        // A node is on its way, larger or of another kind than those that are there, and is given the time from when it was
        // asked for.
        (cause, Some(told)) if a_node_may_cure(cause) => {
            let asked = seconds_between(onset, told.event.last).max(0);
            asked.saturating_add(CAPACITY_GRACE_SECONDS).min(LONGEST_GRACE_SECONDS)
        }
        (Cause::InsufficientResources, _) if look.revision.is_some_and(|r| fits_no_node(look.scene, r)) => {
            TOO_LARGE_GRACE_SECONDS
        }
        (Cause::InsufficientResources, _) => CAPACITY_GRACE_SECONDS,
        _ => GRACE_SECONDS,
    };
    let of_claim = claim(look).filter(|_| matches!(said.cause, Cause::VolumeUnbound | Cause::VolumeTopology));
    let told = told.or(grown).or(of_claim).or_else(|| look.event(|event| hint::is(event, "NotTriggerScaleUp")));
    let detail = Detail::Condition { kind: "PodScheduled", condition };
    hint::with(Symptom { grace_seconds, ..look.on_pod(said, onset, detail) }, told)
}

/// The cluster autoscaler has asked for a node, or Karpenter has set one apart for the pod.
fn brings_a_node(event: &EventFacts) -> bool {
    matches!(&*event.reason, "TriggeredScaleUp" | "Nominated")
}

/// A gate and a claim that is not bound wait for something else than a node.
const fn a_node_may_cure(cause: Cause) -> bool {
    !matches!(cause, Cause::SchedulingGated | Cause::VolumeUnbound)
}

/// What says of nodes that may come, and not of those that are there.
pub(super) fn is_of_autoscaler(event: &EventFacts) -> bool {
    brings_a_node(event) || hint::is(event, "NotTriggerScaleUp")
}

/// Why a volume claim is not bound: what failed, rather than what it waits for.
fn claim<'a>(look: &Look<'_, 'a>) -> Option<Told<'a>> {
    let waits = |event: &EventFacts| matches!(&*event.reason, "ExternalProvisioning" | "WaitForFirstConsumer");
    look.event_of_claim(|event| !waits(event)).or_else(|| look.event_of_claim(waits))
}

fn unheard<'a>(look: &Look<'_, 'a>) -> Symptom<'a> {
    let heard = by_event(look);
    let said = heard.map_or(said(Cause::NoScheduler), |(said, _)| said);
    let detail = Detail::Plain("the pod has no node, and its status does not say why");
    let symptom = look.on_pod(said, look.pod.created.min(look.scene.now), detail);
    hint::with(Symptom { grace_seconds: GRACE_SECONDS, ..symptom }, heard.map(|(_, told)| told))
}

fn read(message: &Message) -> Option<Reading> {
    message.says(&scheduling::REASONS, scheduling::read)
}

/// What failed after a node was found. Only of volumes is it known what they wait for: their binding, for which the plugin
/// VolumeBinding has ten minutes.
fn not_done(message: &Message) -> Cause {
    if contains(message, "binding volumes: ") { Cause::VolumeUnbound } else { Cause::Unknown }
}

/// The scheduler's own event says what a condition lacks.
fn by_event<'a>(look: &Look<'_, 'a>) -> Option<(Reading, Told<'a>)> {
    let told = look.event(|event| hint::is(event, "FailedScheduling") && read(&event.message).is_some())?;
    Some((read(&told.event.message)?, told))
}

const fn said(cause: Cause) -> Reading {
    reading(Class::Pending, cause, Sureness::Timed)
}

/// What a pod of this revision asks for is more than the largest node has.
fn fits_no_node(scene: &Scene<'_>, revision: &RevisionFacts) -> bool {
    let nodes = &scene.s.nodes;
    let (cpu, memory) = asks(revision);
    (nodes.largest_cpu > 0 && cpu > nodes.largest_cpu) || (nodes.largest_memory > 0 && memory > nodes.largest_memory)
}

/// What a pod of this revision asks for: thousandths of a core, and bytes.
pub(super) fn asks(revision: &RevisionFacts) -> (u64, u64) {
    let cpu = change::asked(revision, |c| c.cpu_request.unwrap_or(0));
    // The API server takes a limit for the request where only the limit is set.
    let memory = change::asked(revision, |c| c.memory_request.or(c.memory_limit).unwrap_or(0));
    (cpu, memory)
}
