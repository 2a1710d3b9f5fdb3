//! Whose logs to read, and what those that were read add to what statuses show.
//!
//! What a log says is a hypothesis about a failure that a status shows: it names the cause where the status leaves it
//! open. It never makes a failure and counts no exits, so what is done waits half a second for it at most.

mod beside;
mod refine;

use std::sync::Arc;

use jiff::Timestamp;

use super::baseline;
use super::classify;
use super::evidence::{self, judged_pods};
use super::facts::{ContainerFacts, ContainerState, LogFacts, Name, PodFacts, RevisionFacts, Snapshot, Termination};
use super::finding::{Evidence, Finding};
use super::hazard;
use super::logs::{self, Seen};
use super::moment::after;
use super::observe;
use super::patterns::Patterns;
use super::policy::{LogAccess, Policy};
use super::rollout;
use super::words::{Cause, Class, ContainerKind, Sureness};

pub use beside::named;
pub use refine::{class_of, refine};

/// Pods of one revision whose logs are read for one finding.
const MAX_PODS: usize = 3;
/// Logs of one workload that are asked for at once.
const MAX_WANTED: usize = 6;
/// The log of a later run is read where those before said nothing, up to this exit, and in any case after so many times
/// as many exits: what made a program end first need not be what does now.
const MAX_EXITS: u32 = 3;
const AGAIN: u32 = 4;
/// Logs that are kept with an incident: of failing pods, and of healthy ones.
const KEPT_FAILING: usize = 2;
const KEPT_HEALTHY: usize = 2;
/// The log of what takes its time is read so long before that was too long, to be there when the evidence suffices.
const AHEAD_SECONDS: i64 = 5;
/// What pods of the baseline said or went through so long before a failure still speaks about it. Seconds.
pub const CONTROL_WINDOW_SECONDS: i64 = 600;

/// A log that a finding needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// UID of the pod.
    pub uid: Name,
    pub pod: Name,
    pub container: Name,
    /// Of the run that ended last, not of the one that goes on.
    pub ended: bool,
    /// When that run was, where its status tells.
    pub run: Option<Run>,
    /// Exits of the container so far.
    pub exits: u32,
    /// The policy whose rules have patterns to look for in it.
    pub rules: Option<Arc<Policy>>,
}

/// One run of a container, in whole seconds as statuses have them: the times are cut, not rounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    pub started: Timestamp,
    pub finished: Timestamp,
}

impl Run {
    fn of(ending: &Termination) -> Option<Self> {
        Some(Self { started: ending.started?, finished: ending.finished? })
    }

    /// The log is that of a run before this one. Its lines have the stamps of the same node's clock.
    pub fn is_after(&self, log: &[u8]) -> bool {
        logs::times(log).is_some_and(|(_, last)| last < self.started)
    }

    /// The log is that of a run which began when this one was over.
    pub fn is_before(&self, log: &[u8]) -> bool {
        logs::times(log).is_some_and(|(first, _)| first >= after(self.finished, 1))
    }
}

/// What a log says that was read as it was wanted.
pub fn heard(wanted: &Wanted, log: &[u8]) -> LogFacts {
    let reading = logs::read(log);
    let error = reading.error(wanted.ended);
    LogFacts {
        uid: wanted.uid.clone(),
        pod: wanted.pod.clone(),
        container: wanted.container.clone(),
        ended: wanted.ended,
        exits: wanted.exits,
        excerpt: logs::excerpt(log, error),
        matched: logs::matched(log, wanted.rules.iter().flat_map(|policy| &policy.rules).map(|r| &r.matches.logs)),
        reading,
    }
}

/// Which logs to read for these findings, besides those that were: of the failing pods, and of pods of the baseline
/// where it matters whether these report the same. None where the policy does not want it.
pub fn wanted(s: &Snapshot, findings: &[Finding], now: Timestamp) -> Vec<Wanted> {
    if s.policy.logs == LogAccess::Ignore {
        return Vec::new();
    }
    let mut wanted: Vec<Wanted> = Vec::new();
    let waits = findings.iter().any(|f| takes_time(f) && !f.sufficient);
    let soon = if waits { sufficient_soon(s, now) } else { Vec::new() };
    for finding in findings.iter().filter(|f| needs_logs(f) || is_asked_for(s, f)).chain(&soon) {
        let pods = || finding.pods.iter().filter_map(|name| s.pods.iter().find(|pod| pod.name == *name));
        let known = pods().filter(|pod| finding.container.as_ref().is_some_and(|c| log_of(s, pod, c).is_some()));
        let room = MAX_PODS.saturating_sub(known.count());
        let (again, new): (Vec<_>, Vec<_>) =
            pods().filter_map(|pod| of_failing(s, finding, pod)).partition(|(_, again)| *again);
        let these = again.into_iter().chain(new.into_iter().take(room)).map(|(log, _)| log);
        these.for_each(|log| wanted.extend(Some(log).filter(|log| !wanted.contains(log))));
    }
    wanted.extend(of_control(s, findings, now));
    wanted.truncate(MAX_WANTED);
    wanted
}

/// When to look again only to have the log of what takes its time before that was too long, given when one looks again
/// anyway.
pub fn look_ahead(s: &Snapshot, findings: &[Finding], next: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let waits = s.policy.logs == LogAccess::Read && findings.iter().any(|f| takes_time(f) && !f.sufficient);
    next.filter(|_| waits).map(|at| after(at, -AHEAD_SECONDS)).filter(|at| *at > now)
}

/// A program ran, and failed in a way that it may tell about, or it runs and took too long.
fn needs_logs(finding: &Finding) -> bool {
    match finding.class {
        Class::CrashLoopBackOff => finding.sureness != Sureness::Excluded,
        // A shell ran and found no command, or something else ended with its code.
        Class::ContainerStart => finding.sureness == Sureness::Counted,
        Class::OOMKilled => finding.cause == Cause::Suspected,
        _ => takes_time(finding) && finding.sufficient,
    }
}

/// A rule of the policy that could govern the finding looks for something in the log of its container.
fn is_asked_for(s: &Snapshot, finding: &Finding) -> bool {
    let ran = matches!(finding.class, Class::OOMKilled | Class::ContainerStart);
    let container = finding.container.as_deref();
    let rules = s.policy.rules.iter().filter(|rule| rule.matches.is_of(finding.class, finding.cause, container));
    ran && finding.sureness != Sureness::Excluded
        // What comes behind a rule that takes the finding in any case is never asked.
        && rules.take_while(|rule| !rule.matches.logs.is_empty()).next().is_some()
}

/// A program may have run in failures of the class, and left a log.
pub fn may_have_a_log(class: Class) -> bool {
    let ran = [Class::CrashLoopBackOff, Class::OOMKilled, Class::ContainerStart, Class::InitStuck, Class::Unready];
    ran.contains(&class)
}

/// A program runs and may only need more time. It is left alone until that was almost too long.
fn takes_time(finding: &Finding) -> bool {
    matches!(finding.class, Class::Unready | Class::InitStuck) && finding.sureness != Sureness::Excluded
}

/// What takes its time and has taken too long, or will soon have if nothing changes.
fn sufficient_soon(s: &Snapshot, now: Timestamp) -> Vec<Finding> {
    let soon = after(now, AHEAD_SECONDS);
    let mut findings =
        evidence::weigh(s, &classify::classify(s, soon), rollout::current(s, soon).as_ref(), soon).findings;
    findings.retain(|f| f.sufficient && takes_time(f));
    findings
}

/// The log of a failing pod, and whether one of an earlier run was read.
fn of_failing(s: &Snapshot, finding: &Finding, pod: &PodFacts) -> Option<(Wanted, bool)> {
    let container = pod.containers.iter().find(|c| finding.container.as_ref() == Some(&c.name))?;
    let exits = observe::exits(container);
    let read = log_of(s, pod, &container.name);
    let ended = !takes_time(finding);
    let enough = |log: &LogFacts| {
        let later = exits >= log.exits.max(1).saturating_mul(AGAIN);
        let tells = exits > MAX_EXITS || log.reading.lead(log.ended).is_some();
        // Of a run that went on when its log was read the last words are not known.
        if log.ended { log.exits >= exits || (tells && !later) } else { !ended }
    };
    if read.is_some_and(enough) {
        return None;
    }
    let is_there =
        if ended { left_a_log(container) } else { matches!(container.state, ContainerState::Running { .. }) };
    is_there.then(|| (asked(s, pod, container, ended), read.is_some()))
}

fn asked(s: &Snapshot, pod: &PodFacts, container: &ContainerFacts, ended: bool) -> Wanted {
    let has_patterns = s.policy.rules.iter().any(|rule| !rule.matches.logs.is_empty());
    Wanted {
        uid: pod.uid.clone(),
        pod: pod.name.clone(),
        container: container.name.clone(),
        ended,
        run: container.ending().filter(|_| ended).and_then(Run::of),
        exits: observe::exits(container),
        rules: has_patterns.then(|| s.policy.clone()),
    }
}

/// The run that ended last left a log, unlike what never started and what the kubelet lost.
fn left_a_log(container: &ContainerFacts) -> bool {
    container.ending().is_some_and(|ending| ending.started.is_some() && !observe::is_made_up(ending))
}

fn log_of<'a>(s: &'a Snapshot, pod: &PodFacts, container: &str) -> Option<&'a LogFacts> {
    s.logs.iter().map(AsRef::as_ref).find(|log| log.uid == pod.uid && *log.container == *container)
}

/// Logs of pods of the baseline that run, where what the failing ones report may be what both suffer from, or where a
/// migration may have taken away what the baseline needs.
fn of_control(s: &Snapshot, findings: &[Finding], now: Timestamp) -> Vec<Wanted> {
    let shared = |f: &&Finding| f.newest && f.container.is_some() && shared(f).is_some();
    let shared = findings.iter().find(shared);
    if shared.is_none() && !findings.iter().any(|f| f.newest && needs_logs(f)) {
        return Vec::new();
    }
    let Some(rollout) = rollout::current(s, now) else { return Vec::new() };
    let ledger = baseline::update(s, Some(&rollout), findings, now);
    let Some(control) = baseline::control(s, &rollout, &ledger.entries) else { return Vec::new() };
    if shared.is_none() && hazard::of(s, &rollout, control, findings).is_none() {
        return Vec::new();
    }
    let speaks = |c: &&ContainerFacts| shared.map_or(c.kind == ContainerKind::App, |finding| is_comparable(finding, c));
    let pods = judged_pods(s, &control.uid).filter(|pod| pod.ready).take(MAX_PODS);
    let containers = pods.flat_map(|pod| pod.containers.iter().filter(speaks).map(move |container| (pod, container)));
    let unread = containers.filter(|(pod, container)| log_of(s, pod, &container.name).is_none());
    unread.map(|(pod, container)| asked(s, pod, container, false)).collect()
}

/// The container of a healthy pod whose log is compared with that of the failing one. What an init container waits for
/// is what the program calls later.
fn is_comparable(finding: &Finding, container: &ContainerFacts) -> bool {
    match finding.container_kind {
        Some(ContainerKind::Init) => container.kind == ContainerKind::App,
        _ => finding.container.as_ref() == Some(&container.name),
    }
}

/// What the finding's log names that pods of the baseline may meet too.
fn shared(finding: &Finding) -> Option<Cause> {
    let own = Some(finding.cause).filter(|_| finding.class == Class::CrashLoopBackOff);
    own.filter(|cause| may_be_shared(*cause)).or(finding.named)
}

/// What a program meets in what others use too, as opposed to what is in itself.
fn may_be_shared(cause: Cause) -> bool {
    is_of_a_service(cause) || matches!(cause, Cause::StorageFull | Cause::SchemaMismatch | Cause::KubernetesForbidden)
}

/// What goes wrong between a program and a service that it calls.
pub fn is_of_a_service(cause: Cause) -> bool {
    is_of_use(cause)
        || matches!(
            cause,
            Cause::DatabaseAuth
                | Cause::DatabaseUnavailable
                | Cause::DependencyUnreachable
                | Cause::DnsFailure
                | Cause::TlsFailure
        )
}

/// How a service is used brings it about, and not only where it is.
pub fn is_of_use(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::PoolExhausted
            | Cause::TooManyConnections
            | Cause::DatabaseDeadlock
            | Cause::DatabaseLockTimeout
            | Cause::UpstreamTimeout
    )
}

/// Logs of the pods of a revision.
fn logs_of<'a>(s: &'a Snapshot, revision: &'a str, container: &'a str) -> impl Iterator<Item = &'a LogFacts> {
    let theirs = move |log: &&LogFacts| {
        *log.container == *container && s.pods.iter().any(|pod| pod.uid == log.uid && *pod.revision == *revision)
    };
    s.logs.iter().map(AsRef::as_ref).filter(theirs)
}

/// One of the patterns found something in these logs when they were read, or finds it in what is kept of them.
pub fn says(s: &Snapshot, revision: &str, container: &str, patterns: &Patterns) -> bool {
    let found = |log: &LogFacts| log.matched.iter().any(|found| patterns.texts().iter().any(|text| **text == **found));
    logs_of(s, revision, container).any(|log| found(log) || patterns.find_in(&log.excerpt))
}

/// How many lines were read of the longest of these logs; `None` if none was.
pub fn lines_read(s: &Snapshot, revision: &str, container: &str) -> Option<u32> {
    logs_of(s, revision, container).map(|log| log.reading.lines).max()
}

/// The line of a log that tells most about a finding of this cause. A class of failure has causes of its own, such as
/// what a probe was answered; what the log tells beside them is shown all the same.
pub fn evidence(s: &Snapshot, revision: &str, container: &str, cause: Cause) -> Option<Evidence> {
    let seen = logs_of(s, revision, container).filter_map(|log| Some((log, telling(log, cause)?)));
    // Of several the one that says it most often, then the first by name.
    let seen = seen.max_by_key(|(log, seen)| (seen.times, std::cmp::Reverse(&log.pod)));
    if let Some((log, seen)) = seen {
        let text = if seen.times > 1 {
            format!("{} times, at last: {}", seen.times, seen.text)
        } else {
            seen.text.to_string()
        };
        return Some(at_line(log, seen.last.line, text));
    }
    let told = |log: &'_ LogFacts| log.reading.root.clone().map(|quote| (quote.line, quote.text));
    let (log, (line, text)) = logs_of(s, revision, container)
        .filter_map(|log| Some((log, told(log)?)))
        .min_by(|a, b| a.0.pod.cmp(&b.0.pod))?;
    Some(at_line(log, line, text.into()))
}

fn at_line(log: &LogFacts, line: u32, text: String) -> Evidence {
    Evidence { source: format!("pod/{} log[{}] line {line}", log.pod, log.container), text }
}

/// The logs to keep with an incident about these findings: of the newest revision's failing pods, and of healthy ones that
/// report the same, or miss what a migration took away.
pub fn kept<'a>(logs: &'a [Arc<LogFacts>], findings: &[Finding]) -> (Vec<&'a LogFacts>, Vec<&'a LogFacts>) {
    let newest = || findings.iter().filter(|f| f.newest);
    let fails =
        |log: &LogFacts| newest().any(|f| f.pods.contains(&log.pod) && f.container.as_ref() == Some(&log.container));
    let shared: Vec<Cause> = newest().filter_map(shared).collect();
    let same = |log: &LogFacts| shared.iter().any(|cause| of_cause(log, *cause).is_some());
    let alike = |log: &LogFacts| same(log) || of_cause(log, Cause::SchemaMismatch).is_some();
    let all = || logs.iter().map(AsRef::as_ref);
    let failing = all().filter(|log| fails(log)).take(KEPT_FAILING).collect();
    let healthy = all().filter(|log| !log.ended && !fails(log) && alike(log)).take(KEPT_HEALTHY).collect();
    (failing, healthy)
}

fn telling(log: &LogFacts, cause: Cause) -> Option<&Seen> {
    of_cause(log, cause).or_else(|| log.reading.lead(log.ended))
}

fn of_cause(log: &LogFacts, cause: Cause) -> Option<&Seen> {
    log.reading.seen.iter().find(|seen| seen.cause == cause)
}

/// What pods of the healthy revision that run report of what makes the newest one fail.
#[derive(Debug)]
pub struct Control<'a> {
    /// How many of their logs were read.
    pub read: usize,
    /// How many report the same, and one of them.
    pub same: usize,
    pub line: Option<&'a str>,
}

/// What running pods of a revision tell since then of what the schema does not have; `None` where none does. A line that
/// bears no time counts: excerpts that incidents keep have lost theirs.
pub fn missed<'a>(s: &'a Snapshot, revision: &str, since: Timestamp) -> Option<Control<'a>> {
    let pods = || s.pods.iter().filter(|pod| *pod.revision == *revision);
    let logs = || s.logs.iter().filter(|log| !log.ended && pods().any(|pod| pod.uid == log.uid));
    let named = || logs().filter_map(|log| Some((&log.pod, of_cause(log, Cause::SchemaMismatch)?)));
    let told = || named().filter(|(_, seen)| seen.first.at.is_none_or(|at| at >= since));
    let line = told().min_by_key(|(pod, _)| *pod).map(|(_, seen)| &*seen.text)?;
    Some(Control { read: logs().count(), same: told().count(), line: Some(line) })
}

/// Compares the logs of both revisions; `None` where the finding does not rest on logs, or none of the healthy revision
/// was read.
pub fn control<'a>(
    s: &'a Snapshot,
    control: &'a RevisionFacts,
    newest: &'a str,
    f: &'a Finding,
) -> Option<Control<'a>> {
    let container = f.container.as_deref()?;
    let cause = shared(f)?;
    let failing: Vec<&Seen> = logs_of(s, newest, container).filter_map(|log| of_cause(log, cause)).collect();
    if failing.is_empty() {
        return None;
    }
    let since = after(f.began, -CONTROL_WINDOW_SECONDS);
    let alike = |seen: &&Seen| {
        let recent = seen.last.at.is_none_or(|at| at >= since);
        recent && failing.iter().any(|f| f.phrases.iter().any(|phrase| seen.phrases.contains(phrase)))
    };
    let pods = || s.pods.iter().filter(|pod| pod.revision == control.uid);
    let of_one =
        |pod: &'a PodFacts| pod.containers.iter().filter(|c| is_comparable(f, c)).map(move |c| (pod, &*c.name));
    let logs = || pods().flat_map(|pod| of_one(pod)).filter_map(|(pod, container)| log_of(s, pod, container));
    let same = || logs().filter_map(|log| Some((&log.pod, of_cause(log, cause)?))).filter(|(_, seen)| alike(seen));
    let line = same().min_by_key(|(pod, _)| *pod).map(|(_, seen)| &*seen.text);
    let same = same().count();
    Some(Control { read: logs().count(), same, line }).filter(|control| control.read > 0)
}
