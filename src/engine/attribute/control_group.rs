//! What pods of another revision say: those of the healthy one that run, or did until now, next to the failing ones.

use jiff::Timestamp;

use super::{
    Case, control_is_ready, is_about_running, is_crash, is_good_part_of, judged_pods, may_be_shared, shows, verdict,
};
use crate::engine::baseline;
use crate::engine::decision::Verdict;
use crate::engine::finding::Finding;
use crate::engine::knowledge;
use crate::engine::listen::{self, CONTROL_WINDOW_SECONDS};
use crate::engine::moment::{after, seconds_between};
use crate::engine::text;
use crate::engine::words::{Cause, Class, Confidence, Fault, Sureness};

/// A status shows the last two ends of a container, and with no more than these the first was not much before them.
const FEW_EXITS: u32 = 3;
/// Most bytes of a line of a log in a verdict.
const MAX_LINE: usize = 300;

/// Pods of the baseline fail at the same time: what they share with the new ones is at fault. A few of many do not
/// speak for the rest, since some pod of a large workload always has a bad day; nor do those that had failed for long
/// before, while the others serve.
pub(super) fn fails_too(case: &Case) -> Option<Verdict> {
    let control = case.control?;
    let alike = case
        .findings
        .iter()
        .find(|f| !f.newest && f.revision == control.hash && f.sureness != Sureness::Excluded && speaks(case, f))?;
    let fault = match case.finding.class {
        Class::ImagePullBackOff | Class::Pending | Class::PodSetup | Class::ContainerStart => Fault::Platform,
        Class::CreateRefused => Fault::Namespace,
        _ => Fault::Dependency,
    };
    let because = format!(
        "{} of {} pods of the healthy revision {} fail too ({}, {})",
        failing(case, alike),
        alike.total_pods,
        control.hash,
        alike.class,
        alike.cause
    );
    Some(verdict(fault, Confidence::Likely, because))
}

fn speaks(case: &Case, of_control: &Finding) -> bool {
    let pods = failing(case, of_control);
    let most = pods.saturating_mul(2) > of_control.total_pods;
    let at_once = of_control.began >= after(case.finding.began, -CONTROL_WINDOW_SECONDS);
    explains(case.finding, of_control) && is_good_part_of(pods, of_control) && (most || at_once)
}

/// What may be at fault for both. An old pod that crashes or lost its readiness is no longer well, whatever the new ones show.
/// One that never came to run says nothing of a program that does, but only of pods that fail in the same way; of a cause that is
/// as a rule the revision's own, for that cause alone.
fn explains(finding: &Finding, of_control: &Finding) -> bool {
    let its_own = knowledge::about(finding.class, finding.cause).fault == Fault::Revision;
    let alike = finding.cause == of_control.cause || of_control.cause == Cause::Unknown;
    is_about_running(of_control)
        || finding.class == Class::RolloutStalled
        || (finding.class == of_control.class && (alike || !its_own))
}

/// So many pods of the baseline fail. One that was just made is not ready yet either, which is no failure, unless it is told
/// for the same reason that it will not be.
fn failing(case: &Case, of_control: &Finding) -> u32 {
    let same = (case.finding.class, case.finding.cause) == (of_control.class, of_control.cause);
    let told = !matches!(of_control.cause, Cause::Unknown | Cause::NoScheduler) && !is_about_running(of_control);
    if same && told { of_control.failing_pods } else { of_control.more_than_slow }
}

/// Pods of the baseline crashed at about the same time and are gone by now.
pub(super) fn failed_before(case: &Case) -> Option<Verdict> {
    let control = case.control?;
    if control_is_ready(case) > 0 || !is_about_running(case.finding) {
        return None;
    }
    let at = baseline::entry_of(&case.s.memory.ledger, control)?.crashed_at?;
    // What is remembered may be half of the window behind.
    (at >= after(case.finding.began, -CONTROL_WINDOW_SECONDS)).then(|| {
        let because = format!("pods of the healthy revision {} crashed too, last seen at {at}", control.hash);
        verdict(Fault::Dependency, Confidence::Likely, because)
    })
}

/// When a pod of the failing revision last ended: a wait for the next start may be long, and shows nothing of what has
/// become of others in the meantime. `None` where the failure goes on, or is the program's or its limit's own.
pub(super) fn last_end(case: &Case) -> Option<Timestamp> {
    let finding = case.finding;
    let counts = finding.sureness == Sureness::Counted && may_be_shared(finding) && finding.class != Class::OOMKilled;
    let container = finding.container.as_ref().filter(|_| counts)?;
    let pods = judged_pods(case.s, &case.rollout.newest.uid).filter(|pod| shows(finding, pod));
    let containers = pods.flat_map(|pod| &pod.containers).filter(|c| c.name == *container);
    containers.filter_map(|c| c.ending()).filter_map(|end| end.finished).max()
}

/// No pod of the healthy revision was ready when the failing one last ended, although they were there: they are back,
/// and the failing one may be too as soon as it has tried again.
pub(super) fn was_not_ready(case: &Case) -> Option<Verdict> {
    if control_is_ready(case) > 0 {
        return None;
    }
    let control = case.control?;
    let ready = || judged_pods(case.s, &control.uid).filter(|pod| pod.ready);
    let at = ready().next().and_then(|_| last_end(case))?;
    let there = judged_pods(case.s, &control.uid).filter(|pod| pod.created <= at);
    let mut was_ready = there.map(|pod| pod.ready_since.is_none_or(|since| pod.ready == (since <= at)));
    (ready().any(|pod| pod.created <= at) && !was_ready.any(|was| was)).then(|| {
        let hash = &control.hash;
        let because = format!(
            "no pod of the healthy revision {hash} was ready either when {} last ended, at {at}",
            case.finding.revision
        );
        verdict(Fault::Dependency, Confidence::Possible, because)
    })
}

/// Nobody saw an older revision healthy, but its pods had run for as long as makes one so, and now end in the same way. With
/// a few exits a status still shows when they began.
pub(super) fn unproven_fails_too(case: &Case) -> Option<Verdict> {
    let (f, stable) = (case.finding, case.s.policy.rollout.stable_seconds);
    let alike = |o: &&Finding| !o.newest && (o.class, o.cause, &o.container) == (f.class, f.cause, &f.container);
    let alike = case.findings.iter().find(|o| alike(o) && is_crash(o) && o.occurrences <= FEW_EXITS)?;
    let pods = case.s.pods.iter().filter(|pod| alike.pods.contains(&pod.name));
    let ran_well = pods.filter_map(|pod| pod.started).all(|at| seconds_between(at, alike.onset) >= stable);
    (case.control.is_none() && ran_well).then(|| {
        let because = format!(
            "{} of {} pods of the older revision {} had run well and end alike since {}",
            alike.failing_pods, alike.total_pods, alike.revision, alike.onset
        );
        verdict(Fault::Dependency, Confidence::Possible, because)
    })
}

/// Pods of the baseline run and report in their logs what makes the new ones fail.
pub(super) fn reports_the_same(case: &Case) -> Option<Verdict> {
    let heard = listen::control(case.s, case.control?, &case.rollout.newest.uid, case.finding)?;
    let line = text::head(heard.line?, MAX_LINE);
    let because =
        format!("{} of {} logs of pods of the healthy revision report the same: {line}", heard.same, heard.read);
    Some(verdict(Fault::Dependency, Confidence::Likely, because))
}
