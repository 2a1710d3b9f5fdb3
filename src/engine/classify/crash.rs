//! Containers whose runs end. `CrashLoopBackOff` is a back-off and no cause: the cause is how the last run ended.

use jiff::Timestamp;

use super::look::{Look, Scene, waiting};
use super::text::{Reading, reading};
use super::{ending, hint, oom, probe};
use crate::engine::facts::{ContainerFacts, ContainerState, EventFacts, PodFacts, Termination};
use crate::engine::finding::{Detail, Symptom, Told};
use crate::engine::observe;
use crate::engine::words::{Cause, Class, ContainerKind, Sureness};

pub(super) fn symptom<'a>(look: &Look<'_, 'a>, container: &'a ContainerFacts) -> Option<Symptom<'a>> {
    if let Some((reason @ "PostStartHookError", message)) = waiting(container) {
        let said = reading(Class::CrashLoopBackOff, Cause::PostStartHook, Sureness::Counted);
        let detail = Detail::Waiting { reason, message };
        let symptom = look.on_container(container, said, look.failing_since(container), detail);
        let symptom = Symptom { occurrences: exits(look, container).max(1), ..symptom };
        return Some(hint::with(symptom, hook_failed(look, container, |_| true)));
    }
    let last = last_ending(look, container)?;
    let said = ending::read(look, container, last)?;
    let onset = onset(look, container, last);
    let symptom = look.on_container(container, said, onset, detail(look, container, said, last));
    let symptom = Symptom { began: observe::began_by(look.pod, container, onset), ..symptom };
    let told = match said.cause {
        Cause::LivenessKilled | Cause::StartupProbeKilled => probe::told(look, container, last),
        Cause::NodeOutOfMemory => oom::told(look, last),
        Cause::NodeRestart => restarted(look, last),
        Cause::PostStartHook => hook_killed(look, container, last),
        _ => None,
    };
    Some(hint::with(Symptom { occurrences: counted(look, container, last), ..symptom }, told))
}

fn hook_failed<'a>(
    look: &Look<'_, 'a>,
    container: &ContainerFacts,
    fits: impl Fn(&EventFacts) -> bool,
) -> Option<Told<'a>> {
    look.event_of(container, |event| hint::is(event, "FailedPostStartHook") && fits(event))
}

/// The kubelet ended this run because its postStart hook failed. A program that ended by itself takes its hook with it.
pub(super) fn hook_killed<'a>(look: &Look<'_, 'a>, container: &ContainerFacts, run: &Termination) -> Option<Told<'a>> {
    let by_signal = matches!(run.exit_code, 137 | 143);
    hook_failed(look, container, |event| by_signal && hint::during(event, run))
}

/// What tells that the node, and not the container, restarted.
fn restarted<'a>(look: &Look<'_, 'a>, last: &Termination) -> Option<Told<'a>> {
    let of_node = |reason| look.event_of_node(reason, |event| hint::during(event, last));
    let sandbox = || look.event(|event| hint::is(event, "SandboxChanged") && hint::during(event, last));
    of_node("Rebooted").or_else(|| of_node("NodeNotReady")).or_else(sandbox)
}

/// A run that ended for want of memory is shown with the limit.
pub(super) fn detail<'a>(
    look: &Look<'_, 'a>,
    container: &ContainerFacts,
    said: Reading,
    ended: &'a Termination,
) -> Detail<'a> {
    match said.class {
        Class::OOMKilled => Detail::OutOfMemory { ended, limit: look.memory_limit(container) },
        _ => Detail::Ended(ended),
    }
}

/// Exits of this container that count towards the rollout, without those that were made up.
pub(super) fn exits(look: &Look<'_, '_>, container: &ContainerFacts) -> u32 {
    let (exits, tally) = observe::exits_since(look.pod, container, look.scene.rollout_start);
    exits.saturating_sub(u32::from(lost_unseen(look, tally)))
}

/// One of the exits that nobody saw, as before a restart of the operator, may be one that was made up: the node came back
/// while the pod was on it, or its sandbox was made anew.
fn lost_unseen(look: &Look<'_, '_>, tally: observe::Tally) -> bool {
    let came_back = || {
        let start = look.pod_start();
        look.since_node(start) > start
    };
    let renewed = || look.event(|event| hint::is(event, "SandboxChanged")).is_some();
    tally.unseen > 0 && tally.made_up == 0 && (came_back() || renewed())
}

fn counted(look: &Look<'_, '_>, container: &ContainerFacts, last: &Termination) -> u32 {
    if observe::is_made_up(last) {
        return observe::tally(look.pod, container).made_up;
    }
    let exits = exits(look, container);
    if observe::is_long_run(last) { exits.min(1) } else { exits }
}

/// How the container's last run ended, unless it has done its work or has healed since.
fn last_ending<'a>(look: &Look<'_, 'a>, container: &'a ContainerFacts) -> Option<&'a Termination> {
    match &container.state {
        ContainerState::Terminated(t) if t.exit_code == 0 && has_work(look, container) => None,
        ContainerState::Terminated(t) => Some(t),
        // The pod's own restart rules took the container away (pkg/kubelet/kubelet_pods.go, Kubernetes 1.36).
        ContainerState::Waiting { reason, .. } if &**reason == "RestartingAllContainers" => None,
        ContainerState::Waiting { .. } | ContainerState::Unknown => container.last.as_deref(),
        ContainerState::Running { .. } if healed(look.scene, look.pod, container) => None,
        ContainerState::Running { .. } => container.last.as_deref(),
    }
}

/// The container is there to do its work and end.
fn has_work(look: &Look<'_, '_>, container: &ContainerFacts) -> bool {
    container.kind == ContainerKind::Init || look.pod.may_end
}

/// The container has run and been ready for as long as makes a revision healthy.
pub(super) fn healed(scene: &Scene<'_>, pod: &PodFacts, container: &ContainerFacts) -> bool {
    let ContainerState::Running { since } = container.state else { return false };
    let ready_since = pod.ready_since.filter(|_| pod.ready).unwrap_or(since);
    container.ready && since.max(ready_since) <= scene.stable_since
}

/// When the series of ends began that the last one belongs to.
fn onset(look: &Look<'_, '_>, container: &ContainerFacts, last: &Termination) -> Timestamp {
    let known = look.exits_since(container).or(last.finished);
    known.unwrap_or_else(|| look.pod_start()).min(look.scene.now)
}
