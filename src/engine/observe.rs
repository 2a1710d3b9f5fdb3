//! What successive sights of one pod add up to, and how often its containers have exited.
//!
//! Everything here may only ever delay a verdict: a lost history, a clock that jumps back or a pod first seen late
//! yield less evidence, never more.

use jiff::Timestamp;

use super::classify::FLAPPING_SECONDS;
use super::facts::{ContainerFacts, ContainerState, ExitSeries, History, PodFacts, Termination, WaitingSpell};
use super::message::Message;
use super::moment::{after, seconds_between};
use super::words::ContainerKind;

/// How many losses of readiness are remembered per pod.
pub const MAX_LOSSES: usize = 8;
/// A status shows no more than the last two ends of a container.
const SHOWN_ENDS: u32 = 2;
/// A run of this length ends a series: the kubelet forgets its back-off after it, so what came before says nothing
/// about the present (twice the longest back-off, pkg/kubelet/kubelet.go).
pub const LONG_RUN_SECONDS: i64 = 600;

/// Folds what an earlier sight of a pod knew into the present one. `previous` counts only if it is of the same pod.
pub fn observe(previous: Option<&PodFacts>, mut next: PodFacts, now: Timestamp) -> PodFacts {
    next.history = match previous.filter(|previous| previous.uid == next.uid) {
        Some(previous) => continued(previous, &next, now),
        None => begun(&next, now),
    };
    next
}

/// Exits of one container so far: restarts, plus the end of a run that shows and has not been followed by a restart.
///
/// The kubelet moves such an end from `state` to `lastState` when it waits with a reason of its own, and raises
/// `restartCount` only with the next run (`convertToAPIContainerStatuses` in pkg/kubelet/kubelet_pods.go). In
/// `ContainerCreating` the next run exists already, so the end in `lastState` is counted. An init container that
/// has done its work did not fail.
pub fn exits(container: &ContainerFacts) -> u32 {
    let uncounted = match &container.state {
        ContainerState::Terminated(ending) => container.kind != ContainerKind::Init || ending.exit_code != 0,
        ContainerState::Waiting { reason, .. } => {
            container.last.is_some() && !matches!(&**reason, "ContainerCreating" | "PodInitializing")
        }
        ContainerState::Running { .. } | ContainerState::Unknown => false,
    };
    container.restarts.saturating_add(u32::from(uncounted))
}

/// Exits of one container that count towards a rollout that began at `rollout_start`: those that were not made up. A pod
/// made for the rollout counts in full; an older one only above what it showed when it was first seen. With what is known of them.
pub fn exits_since(pod: &PodFacts, container: &ContainerFacts, rollout_start: Timestamp) -> (u32, Tally) {
    let baseline = if pod.created >= rollout_start { 0 } else { pod.history.exits_at_first_sight };
    let tally = tally(pod, container);
    (own_exits(container, &tally).saturating_sub(baseline), tally)
}

fn own_exits(container: &ContainerFacts, tally: &Tally) -> u32 {
    exits(container).saturating_sub(tally.made_up)
}

/// What is known of how a container's runs ended so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many exits were looked at.
    pub counted: u32,
    /// Ends among them that were made up.
    pub made_up: u32,
    /// Ends among them that nobody saw.
    pub unseen: u32,
}

/// How many ends were made up, and how many nobody saw. A status shows the last two and `restartCount` counts them all, so
/// each is looked at while it shows.
pub fn tally(pod: &PodFacts, container: &ContainerFacts) -> Tally {
    tallied(pod.history.series.iter().find(|series| series.container == container.name), container)
}

fn tallied(known: Option<&ExitSeries>, container: &ContainerFacts) -> Tally {
    let before =
        known.map_or_else(Tally::default, |s| Tally { counted: s.counted, made_up: s.made_up, unseen: s.unseen });
    let exits = exits(container);
    let fresh = exits.saturating_sub(before.counted);
    if fresh == 0 {
        return before;
    }
    let shown = usize::try_from(fresh).unwrap_or(usize::MAX);
    let (mut seen, mut made_up) = (0_u32, 0_u32);
    for ending in shown_ends(container).take(shown) {
        seen = seen.saturating_add(1);
        made_up = made_up.saturating_add(u32::from(is_made_up(ending)));
    }
    Tally {
        counted: before.counted.max(exits),
        made_up: before.made_up.saturating_add(made_up),
        unseen: before.unseen.saturating_add(fresh.saturating_sub(seen)),
    }
}

/// The ends that count as exits and that the status shows, the newest first.
fn shown_ends(container: &ContainerFacts) -> impl Iterator<Item = &Termination> {
    let counts = |ending: &&Termination| container.kind != ContainerKind::Init || ending.exit_code != 0;
    ended_now(container).filter(counts).into_iter().chain(container.last.as_deref())
}

fn ended_now(container: &ContainerFacts) -> Option<&Termination> {
    match &container.state {
        ContainerState::Terminated(ending) => Some(ending),
        _ => None,
    }
}

/// When the series of exits began that a container is in, given when it was known to have begun. A status holds the
/// last two ends of a container, and forgets the first with the third.
pub fn series_since(before: Option<Timestamp>, container: &ContainerFacts) -> Option<Timestamp> {
    let mut ends =
        ended_now(container).into_iter().chain(container.last.as_deref()).filter(|ending| failed(container, ending));
    let newest = ends.next()?;
    if is_long_run(newest) {
        return newest.finished.or(before);
    }
    ends.next().and_then(|ending| ending.finished).into_iter().chain(newest.finished).chain(before).min()
}

/// The run was so long that it and what came before are two matters.
pub fn is_long_run(ending: &Termination) -> bool {
    matches!((ending.started, ending.finished), (Some(started), Some(finished))
        if finished.duration_since(started).as_secs() >= LONG_RUN_SECONDS)
}

/// The latest moment at which a container can have begun to end, given when that was seen to begin. Nobody saw the first of
/// many ends that came before the pod was first seen; but between two runs the kubelet waits, 10 s and then twice as long
/// each time up to 5 minutes (pkg/kubelet/kubelet.go), and not before the first restart.
pub fn began_by(pod: &PodFacts, container: &ContainerFacts, seen: Timestamp) -> Timestamp {
    let series = pod.history.series.iter().find(|series| series.container == container.name);
    let seen = series.and_then(|series| series.since).map_or(seen, |since| since.min(seen));
    let finished = container.ending().filter(|ending| !is_long_run(ending)).and_then(|ending| ending.finished);
    match finished {
        Some(finished) if pod.history.exits_at_first_sight > SHOWN_ENDS => {
            let waited = after(finished, -waited_seconds(container.restarts.saturating_sub(1)));
            waited.max(pod.started.unwrap_or(pod.created)).min(seen)
        }
        _ => seen,
    }
}

/// How long so many waits between runs take together.
fn waited_seconds(waits: u32) -> i64 {
    const GROWING: u32 = 5;
    let grown = 10 * ((1_i64 << waits.min(GROWING)) - 1);
    grown.saturating_add(300_i64.saturating_mul(i64::from(waits.saturating_sub(GROWING))))
}

/// Endings that the kubelet or the runtime made up, because they lost the container: `ContainerStatusUnknown`
/// (pkg/kubelet/kubelet_pods.go), 255 with `Unknown` after a restart of containerd, -1 from CRI-O.
pub fn is_made_up(ending: &Termination) -> bool {
    match &*ending.reason {
        "ContainerStatusUnknown" | "RestartingAllContainers" => true,
        "Unknown" => ending.exit_code == 255,
        _ => ending.exit_code == -1,
    }
}

fn failed(container: &ContainerFacts, ending: &Termination) -> bool {
    let has_done_its_work = container.kind == ContainerKind::Init && ending.exit_code == 0;
    !has_done_its_work && !is_made_up(ending)
}

fn begun(pod: &PodFacts, now: Timestamp) -> History {
    let own = |container: &ContainerFacts| own_exits(container, &tallied(None, container));
    History {
        first_seen: Some(now),
        exits_at_first_sight: pod.containers.iter().map(own).fold(0, u32::saturating_add),
        waiting: spell(None, pod, now),
        series: series(&[], pod),
        ..History::default()
    }
}

fn continued(previous: &PodFacts, next: &PodFacts, now: Timestamp) -> History {
    let before = &previous.history;
    History {
        first_seen: before.first_seen.or(Some(now)),
        exits_at_first_sight: before.exits_at_first_sight,
        last_started: if newly_started(previous, next) {
            before.last_started.max(Some(now))
        } else {
            before.last_started
        },
        losses: losses(previous, next, now),
        waiting: spell(before.waiting.as_deref(), next, now),
        series: series(&before.series, next),
    }
}

/// The series that the pod's containers are in; a pod whose containers never exited has none and costs nothing.
fn series(before: &[ExitSeries], pod: &PodFacts) -> Box<[ExitSeries]> {
    let of = |container: &ContainerFacts| {
        let known = before.iter().find(|series| series.container == container.name);
        (known.is_some() || exits(container) > 0).then(|| {
            let Tally { counted, made_up, unseen } = tallied(known, container);
            let before = known.and_then(|series| series.since);
            let since = series_since(before, container).or(before);
            ExitSeries { container: container.name.clone(), since, counted, made_up, unseen }
        })
    };
    pod.containers.iter().filter_map(of).collect()
}

fn newly_started(previous: &PodFacts, next: &PodFacts) -> bool {
    previous.containers.iter().zip(&next.containers).any(|(was, is)| !was.started && is.started)
}

fn losses(previous: &PodFacts, next: &PodFacts, now: Timestamp) -> Vec<Timestamp> {
    let mut losses = previous.history.losses.clone();
    let lost = previous.ready && !next.ready && !next.deleting && !next.finished;
    if lost && losses.last().is_none_or(|last| *last < now) {
        if losses.last().is_some_and(|last| seconds_between(*last, now) > FLAPPING_SECONDS) {
            losses.clear();
        }
        // The first tells since when it has come and gone.
        if losses.len() >= MAX_LOSSES {
            losses.remove(1);
        }
        losses.push(now);
    }
    losses
}

/// Reasons that follow each other while one and the same thing keeps failing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Image,
    Config,
    Create,
    Run,
    Hook,
}

fn family(reason: &str) -> Option<Family> {
    Some(match reason {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => Family::Image,
        "InvalidImageName" | "ErrImageNeverPull" => Family::Image,
        "CreateContainerConfigError" => Family::Config,
        "CreateContainerError" => Family::Create,
        "RunContainerError" => Family::Run,
        "PreCreateHookError" | "PreStartHookError" | "PostStartHookError" => Family::Hook,
        _ => return None,
    })
}

/// The spell of failed attempts that the first waiting container is in.
fn spell(before: Option<&WaitingSpell>, pod: &PodFacts, now: Timestamp) -> Option<Box<WaitingSpell>> {
    let (container, kin, reason, message) = pod.containers.iter().find_map(|c| match &c.state {
        ContainerState::Waiting { reason, message } => Some((c, family(reason)?, reason, message)),
        _ => None,
    })?;
    let continued = before.filter(|b| b.container == container.name && family(&b.reason) == Some(kin));
    Some(Box::new(match continued {
        None => WaitingSpell {
            container: container.name.clone(),
            reason: reason.clone(),
            since: now,
            attempts: 1,
            message: if telling(message) { message.clone() } else { Message::default() },
        },
        Some(before) => WaitingSpell {
            container: container.name.clone(),
            reason: reason.clone(),
            since: before.since,
            attempts: before.attempts.saturating_add(u32::from(retried(&before.reason, reason))),
            message: if telling(message) { message.clone() } else { before.message.clone() },
        },
    }))
}

/// The kubelet leaves `ImagePullBackOff` only for the outcome of another pull.
fn retried(before: &str, now: &str) -> bool {
    before == "ImagePullBackOff" && now != "ImagePullBackOff"
}

/// A message that says more than that the kubelet waits. Before Kubernetes 1.36 a back-off drops the pull's error.
pub(crate) fn telling(message: &str) -> bool {
    match message.strip_prefix("Back-off pulling image ") {
        Some(rest) => rest.contains("\": "),
        None => !message.is_empty(),
    }
}

#[cfg(test)]
mod tests;
