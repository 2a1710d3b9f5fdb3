use std::num::NonZeroU64;

use jiff::Timestamp;

use super::quantity::units;
use super::revision::init_kind;
use super::{Interner, condition_facts, count, find, identity, is_true, message};
use crate::cluster::slim::{Container, ContainerStatus, SlimPod, State, Terminated};
use crate::engine::classify::intake;
use crate::engine::facts::{ContainerFacts, ContainerState, History, PodFacts, Termination};
use crate::engine::message::Message;
use crate::engine::words::ContainerKind;

/// The facts of a pod, with an empty history; `None` if it has no UID, name or time of creation. A pod without a
/// controlling ReplicaSet has an empty `revision`.
pub fn pod_facts(pod: &SlimPod, names: &mut Interner) -> Option<PodFacts> {
    let (meta, status) = (&pod.metadata, &pod.status);
    let identity = identity(meta)?;
    let created = identity.created;
    let ready = find(&status.conditions, "Ready");
    let scheduled = find(&status.conditions, "PodScheduled");
    let disruption = find(&status.conditions, "DisruptionTarget").filter(|condition| is_true(condition));
    Some(PodFacts {
        uid: identity.uid,
        name: identity.name,
        revision: names.name(pod.revision().unwrap_or_default()),
        node: pod.spec.node_name.as_deref().filter(|node| !node.is_empty()).map(|node| names.named(node)),
        created,
        started: status.start_time.0,
        deleting: meta.deletion_timestamp.is_some(),
        finished: matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")),
        may_end: matches!(pod.spec.restart_policy.as_deref(), Some("Never" | "OnFailure")),
        reason: names.optional(status.reason.as_deref()),
        message: message(status.message.as_deref()),
        ready: ready.is_some_and(is_true),
        ready_since: ready.and_then(|condition| condition.last_transition_time.0),
        ready_reason: names.optional(ready.and_then(|condition| condition.reason.as_deref())),
        unscheduled: scheduled
            .filter(|condition| condition.status.as_deref() == Some("False"))
            .map(|condition| condition_facts(condition, created, names, intake::of_scheduler)),
        sandbox_ready: find(&status.conditions, "PodReadyToStartContainers").map(is_true),
        disruption: disruption.map(|condition| names.word(condition.reason.as_deref().unwrap_or_default())),
        containers: containers(pod, names),
        history: History::default(),
    })
}

/// One per container of the spec, since a status may not be there yet.
fn containers(pod: &SlimPod, names: &mut Interner) -> Box<[ContainerFacts]> {
    let (spec, status) = (&pod.spec, &pod.status);
    // A run without a start time began at the latest when the pod did.
    let began = status.start_time.0.or(pod.metadata.creation_timestamp.as_ref().map(|time| time.0));
    let began = began.unwrap_or(Timestamp::UNIX_EPOCH);
    let init = spec
        .init_containers
        .iter()
        .map(|container| (init_kind(container.restart_policy.as_deref()), container, &status.init_container_statuses));
    let apps = spec.containers.iter().map(|container| (ContainerKind::App, container, &status.container_statuses));
    init.chain(apps)
        .map(|(kind, container, statuses)| {
            let status = statuses.iter().find(|status| status.name == container.name);
            container_facts(container, kind, status, began, names)
        })
        .collect()
}

fn container_facts(
    container: &Container,
    kind: ContainerKind,
    status: Option<&ContainerStatus>,
    began: Timestamp,
    names: &mut Interner,
) -> ContainerFacts {
    let last = status.and_then(|status| status.last_state.as_ref()).and_then(|state| state.terminated.as_ref());
    ContainerFacts {
        name: names.named(&container.name),
        kind,
        ready: status.is_some_and(|status| status.ready == Some(true)),
        started: status.is_some_and(|status| status.started == Some(true)),
        restarts: status.map_or(0, |status| count(status.restart_count).unsigned_abs()),
        memory_limit: units(&container.resources.limits.memory).and_then(NonZeroU64::new),
        state: status
            .and_then(|status| status.state.as_ref())
            .map_or(ContainerState::Unknown, |state| container_state(state, began, names)),
        last: last.map(|last| Box::new(termination(last, names))),
    }
}

fn container_state(state: &State, began: Timestamp, names: &mut Interner) -> ContainerState {
    if let Some(terminated) = &state.terminated {
        ContainerState::Terminated(Box::new(termination(terminated, names)))
    } else if let Some(running) = &state.running {
        ContainerState::Running { since: running.started_at.0.unwrap_or(began) }
    } else if let Some(waiting) = &state.waiting {
        let reason = names.word(waiting.reason.as_deref().unwrap_or_default());
        let message = intake::of_waiting(&reason, waiting.message.as_deref().unwrap_or_default());
        ContainerState::Waiting { reason, message }
    } else {
        ContainerState::Unknown
    }
}

fn termination(terminated: &Terminated, names: &mut Interner) -> Termination {
    let ending = Termination {
        exit_code: terminated.exit_code.unwrap_or_default(),
        signal: terminated.signal.unwrap_or_default(),
        reason: names.word(terminated.reason.as_deref().unwrap_or_default()),
        message: Message::default(),
        started: terminated.started_at.0,
        finished: terminated.finished_at.0,
    };
    let text = terminated.message.as_deref().unwrap_or_default();
    Termination { message: intake::of_ending(&ending, text), ..ending }
}
