//! Pods that no node was found for.

use super::look::{Look, Scene};
use super::scheduling;
use super::text::{Reading, reading};
use crate::engine::facts::{ConditionFacts, ContainerState, ContainerTemplate, PodFacts, RevisionFacts};
use crate::engine::finding::{Detail, Symptom};
use crate::engine::words::{Cause, Class, ContainerKind, Sureness};

/// No node will ever be large enough, unless a new kind of node comes.
const TOO_LARGE_GRACE_SECONDS: i64 = 30;
/// An autoscaler may bring a node within minutes.
const CAPACITY_GRACE_SECONDS: i64 = 300;
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
    let said = match &*condition.reason {
        "SchedulingGated" => said(Cause::SchedulingGated),
        "SchedulerError" => said(Cause::Unknown),
        _ => {
            let told = condition.message.says(&scheduling::REASONS, scheduling::read);
            told.unwrap_or(said(Cause::Unknown))
        }
    };
    let grace_seconds = match said.cause {
        Cause::InsufficientResources if look.revision.is_some_and(|r| fits_no_node(look.scene, r)) => {
            TOO_LARGE_GRACE_SECONDS
        }
        Cause::InsufficientResources => CAPACITY_GRACE_SECONDS,
        _ => GRACE_SECONDS,
    };
    let detail = Detail::Condition { kind: "PodScheduled", condition };
    Symptom { grace_seconds, ..look.on_pod(said, condition.since.min(look.scene.now), detail) }
}

fn unheard<'a>(look: &Look<'_, 'a>) -> Symptom<'a> {
    let detail = Detail::Plain("the pod has no node, and no scheduler has said why");
    let symptom = look.on_pod(said(Cause::NoScheduler), look.pod.created.min(look.scene.now), detail);
    Symptom { grace_seconds: GRACE_SECONDS, ..symptom }
}

const fn said(cause: Cause) -> Reading {
    reading(Class::Pending, cause, Sureness::Timed)
}

/// What a pod of this revision asks for is more than the largest node has.
fn fits_no_node(scene: &Scene<'_>, revision: &RevisionFacts) -> bool {
    let nodes = &scene.s.nodes;
    let cpu = asked(&revision.template.containers, |c| c.cpu_request.unwrap_or(0));
    // The API server takes a limit for the request where only the limit is set.
    let memory = asked(&revision.template.containers, |c| c.memory_request.or(c.memory_limit).unwrap_or(0));
    (nodes.largest_cpu > 0 && cpu > nodes.largest_cpu) || (nodes.largest_memory > 0 && memory > nodes.largest_memory)
}

/// A pod's request: its app containers and sidecars together, or its largest init container if that is more.
fn asked(containers: &[ContainerTemplate], of: impl Fn(&ContainerTemplate) -> u64) -> u64 {
    let (mut together, mut init) = (0_u64, 0_u64);
    for container in containers {
        match container.kind {
            ContainerKind::Init => init = init.max(of(container)),
            ContainerKind::App | ContainerKind::Sidecar => together = together.saturating_add(of(container)),
        }
    }
    together.max(init)
}
