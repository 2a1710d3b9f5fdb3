//! Containers that run and are not ready. A status shows that a readiness probe fails, not what it was answered; that
//! is for the pod's events to tell (`probe`).

use jiff::{SignedDuration, Timestamp};

use super::hint;
use super::look::Look;
use super::probe;
use super::text::reading;
use crate::engine::facts::{ContainerFacts, ContainerState, ContainerTemplate, PodFacts, ProbeFacts, ProbeKind};
use crate::engine::finding::{Detail, Symptom};
use crate::engine::words::{Cause, Class, ContainerKind, Sureness};

/// Losses of readiness older than this are forgotten.
pub const FLAPPING_SECONDS: i64 = 300;
/// A start that nothing declares is given at least this long.
const UNDECLARED_START_SECONDS: i64 = 60;
/// ... and so many times what the last healthy revision took.
const UNDECLARED_START_FACTOR: i64 = 3;
/// Times in a status are whole seconds and written one after the other: within this they belong to one event, such as
/// a pod's first status, or a crash, its restart and the loss of readiness that came with it.
const CLOSE_SECONDS: i64 = 5;
/// A busy kubelet reports a container's end many seconds after the loss of readiness that came with it. Until then a crash
/// looks like a program that runs and does not answer.
const LEAST_LOSS_SECONDS: i64 = 15;

/// How long a container has been unready, what it is allowed, and whether the pod was ready before.
struct Wait {
    onset: Timestamp,
    grace: i64,
    was_ready: bool,
}

pub(super) fn symptom<'a>(look: &Look<'_, 'a>) -> Option<Symptom<'a>> {
    if look.pod.ready {
        return None;
    }
    let unready = look.pod.containers.iter().filter(|c| c.kind != ContainerKind::Init && !c.ready);
    let mut running = unready.filter_map(|c| match c.state {
        ContainerState::Running { since } => Some((c, since)),
        _ => None,
    });
    // What was injected does not hide the template's own.
    let own = running.clone().find(|(container, _)| !look.is_injected(container));
    let Some((container, since)) = own.or_else(|| running.next()) else { return gate(look) };
    let template = look.template(container);
    if starting(container, template) {
        return None;
    }
    let wait = if was_ready(look, since) {
        after_loss(look, template, since)
    } else {
        after_start(look, container, template, since)
    };
    let wait = Wait { onset: look.since_node(wait.onset), ..wait };
    let kind = template.and_then(|template| template.readiness).map(|probe| probe.kind);
    let answered = probe::unready(look, container, wait.onset, kind);
    let told = answered.map(|(_, told)| told);
    let cause = answered.map(|(cause, _)| cause).filter(|cause| *cause != Cause::Unknown).unwrap_or(by_probe(kind));
    let said = reading(Class::Unready, cause, Sureness::Timed);
    let seconds = look.scene.elapsed(wait.onset);
    let detail = Detail::NotReady { seconds, grace: wait.grace, was_ready: wait.was_ready };
    let onset = wait.onset.min(look.scene.now);
    let symptom = Symptom { grace_seconds: wait.grace, ..look.on_container(container, said, onset, detail) };
    Some(hint::with(symptom, told))
}

/// Readiness that comes and goes; it shows even while the pod is ready.
pub(super) fn flapping<'a>(look: &Look<'_, 'a>) -> Option<Symptom<'a>> {
    let now = look.scene.now;
    let of_the_pod = |at: &&Timestamp| **at <= now && look.since_node(**at) == **at;
    let recent = |at: &&Timestamp| look.scene.elapsed(**at) <= FLAPPING_SECONDS;
    let losses = look.pod.history.losses.iter().filter(of_the_pod);
    let recent = losses.clone().filter(recent);
    let count = u32::try_from(recent.clone().count()).unwrap_or(u32::MAX);
    let first = *recent.min()?;
    if count < 2 {
        return None;
    }
    let said = reading(Class::Unready, Cause::Flapping, Sureness::Flapping);
    // It began with the series, however many of its losses are older than what counts.
    let onset = losses.min().copied().unwrap_or(first);
    let symptom = look.on_pod(said, onset, Detail::Flapping { losses: count, first });
    Some(Symptom { occurrences: count, container: only_app(look.pod), ..symptom })
}

/// All containers are ready and the pod is not: something outside has to say so and does not.
fn gate<'a>(look: &Look<'_, 'a>) -> Option<Symptom<'a>> {
    if look.pod.ready_reason.as_deref() != Some("ReadinessGatesNotReady") {
        return None;
    }
    let onset = look.since_node(look.pod.ready_since.unwrap_or_else(|| look.pod_start())).min(look.scene.now);
    let grace = undeclared_start(look);
    let seconds = look.scene.elapsed(onset);
    let detail = Detail::NotReady { seconds, grace, was_ready: !look.pod.history.losses.is_empty() };
    let said = reading(Class::Unready, Cause::ReadinessGate, Sureness::Timed);
    Some(Symptom { grace_seconds: grace, ..look.on_pod(said, onset, detail) })
}

/// The startup probe has not passed yet, so readiness is not even asked for.
fn starting(container: &ContainerFacts, template: Option<&ContainerTemplate>) -> bool {
    !container.started && template.is_some_and(|template| template.startup.is_some())
}

/// The pod was ready in this run of the container.
fn was_ready(look: &Look<'_, '_>, since: Timestamp) -> bool {
    let clearly_after = |at: Timestamp, before: Timestamp| at.duration_since(before).as_secs() > CLOSE_SECONDS;
    let seen = look.pod.history.losses.last().is_some_and(|loss| clearly_after(*loss, since));
    let told = look
        .pod
        .ready_since
        .is_some_and(|unready| clearly_after(unready, since) && clearly_after(unready, look.pod_start()));
    seen || told
}

fn after_loss(look: &Look<'_, '_>, template: Option<&ContainerTemplate>, since: Timestamp) -> Wait {
    let onset = look.pod.ready_since.or(look.pod.history.losses.last().copied()).unwrap_or(since);
    let grace = template
        .and_then(|t| t.readiness)
        .map_or(UNDECLARED_START_SECONDS, |probe| verdict_seconds(&probe).max(LEAST_LOSS_SECONDS));
    Wait { onset, grace, was_ready: true }
}

fn after_start(
    look: &Look<'_, '_>,
    container: &ContainerFacts,
    template: Option<&ContainerTemplate>,
    since: Timestamp,
) -> Wait {
    let readiness = template.and_then(|t| t.readiness);
    let declared = readiness.map_or(0, |p| {
        seconds(p.initial_delay_seconds).saturating_add(verdict_seconds(&p)).saturating_add(seconds(p.period_seconds))
    });
    match template.and_then(|t| t.startup) {
        Some(startup) if container.started => {
            Wait { onset: startup_over(look, &startup, since), grace: declared, was_ready: false }
        }
        _ => Wait { onset: since, grace: declared.max(undeclared_start(look)), was_ready: false },
    }
}

/// The latest moment at which the startup probe can have passed. A status says only that it has.
fn startup_over(look: &Look<'_, '_>, startup: &ProbeFacts, since: Timestamp) -> Timestamp {
    let budget = seconds(startup.initial_delay_seconds).saturating_add(verdict_seconds(startup));
    let at_the_latest = since.checked_add(SignedDuration::from_secs(budget)).unwrap_or(since);
    match look.pod.history.last_started {
        Some(seen) if seen >= since => seen.min(at_the_latest),
        _ => at_the_latest,
    }
}

/// A slow start looks just like one that fails, so the healthy revision is the measure.
fn undeclared_start(look: &Look<'_, '_>) -> i64 {
    let known = look.scene.known_ready_seconds().unwrap_or(0);
    UNDECLARED_START_SECONDS.max(known.saturating_mul(UNDECLARED_START_FACTOR))
}

/// How long a probe takes to call a container unready.
fn verdict_seconds(probe: &ProbeFacts) -> i64 {
    let failures = seconds(probe.failure_threshold).saturating_mul(seconds(probe.period_seconds));
    failures.saturating_add(seconds(probe.timeout_seconds))
}

fn seconds(value: i32) -> i64 {
    i64::from(value.max(0))
}

/// What the kind of probe alone says.
fn by_probe(kind: Option<ProbeKind>) -> Cause {
    match kind {
        Some(ProbeKind::Exec) => Cause::ReadinessExec,
        Some(ProbeKind::Grpc) => Cause::ReadinessGrpc,
        Some(ProbeKind::Http | ProbeKind::Tcp) | None => Cause::Unknown,
    }
}

/// The container whose readiness it must be, where there is but one.
fn only_app(pod: &PodFacts) -> Option<&ContainerFacts> {
    let mut asked = pod.containers.iter().filter(|c| c.kind != ContainerKind::Init);
    asked.next().filter(|_| asked.next().is_none())
}
