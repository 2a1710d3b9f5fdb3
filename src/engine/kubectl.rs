//! What `kubectl get pods` shows as STATUS, which is in no field of a pod: kubectl makes it up (`printPod` in
//! pkg/printers/internalversion/printers.go). People compare it with what they are told.

use super::facts::{ContainerFacts, ContainerState, PodFacts, Termination};
use super::words::ContainerKind;

/// The word. Where the facts do not hold the phase, it follows from the containers, as the kubelet makes it.
pub fn status(pod: &PodFacts) -> String {
    let word = initialising(pod).unwrap_or_else(|| running(pod));
    match &pod.reason {
        _ if !pod.deleting || pod.finished => word,
        Some(reason) if &**reason == "NodeLost" => "Unknown".to_owned(),
        _ => "Terminating".to_owned(),
    }
}

/// What the init container that is not done yet shows.
fn initialising(pod: &PodFacts) -> Option<String> {
    let inits = || pod.containers.iter().filter(|c| c.kind != ContainerKind::App);
    // The app containers were started, so all of these were done once.
    let past = pod.containers.iter().any(|c| c.kind == ContainerKind::App && c.has_run());
    let unscheduled = pod.node.is_none() && inits().all(|c| c.state == ContainerState::Unknown);
    if past || unscheduled {
        return None;
    }
    for (done, container) in inits().enumerate() {
        match &container.state {
            ContainerState::Terminated(end) if end.exit_code == 0 => {}
            _ if container.kind == ContainerKind::Sidecar && container.started => {}
            ContainerState::Terminated(end) => return Some(format!("Init:{}", ended(end))),
            ContainerState::Waiting { reason, .. } if !reason.is_empty() && &**reason != "PodInitializing" => {
                return Some(format!("Init:{reason}"));
            }
            _ => return Some(format!("Init:{done}/{}", inits().count())),
        }
    }
    None
}

/// What the first of the app containers shows that does not simply run.
fn running(pod: &PodFacts) -> String {
    let mut word = pod.reason.as_ref().map_or_else(|| phase(pod), ToString::to_string);
    let mut serves = false;
    for container in pod.containers.iter().rev().filter(|c| c.kind == ContainerKind::App) {
        match &container.state {
            ContainerState::Waiting { reason, .. } if !reason.is_empty() => word = reason.to_string(),
            ContainerState::Terminated(end) => word = ended(end),
            ContainerState::Running { .. } if container.ready => serves = true,
            _ => {}
        }
    }
    match (word == "Completed" && serves, pod.ready) {
        (true, true) => "Running".to_owned(),
        (true, false) => "NotReady".to_owned(),
        (false, _) => word,
    }
}

fn phase(pod: &PodFacts) -> String {
    let apps = || pod.containers.iter().filter(|c| c.kind == ContainerKind::App);
    let gated = pod.unscheduled.as_ref().is_some_and(|condition| &*condition.reason == "SchedulingGated");
    let has_run = |c: &ContainerFacts| c.has_run();
    match (gated, pod.finished) {
        (true, _) => "SchedulingGated",
        (false, true) => "Failed",
        (false, false) if apps().next().is_some() && apps().all(has_run) => "Running",
        (false, false) => "Pending",
    }
    .to_owned()
}

fn ended(end: &Termination) -> String {
    match (end.reason.is_empty(), end.signal) {
        (false, _) => end.reason.to_string(),
        (true, 0) => format!("ExitCode:{}", end.exit_code),
        (true, signal) => format!("Signal:{signal}"),
    }
}
