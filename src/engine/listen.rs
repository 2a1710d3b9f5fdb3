//! Whose logs to read, and what those that were read add to what statuses show.
//!
//! What a log says is a hypothesis about a failure that a status shows: it names the cause where the status leaves it
//! open. It never makes a failure and counts no exits, so that what is done never waits for it.

use std::sync::Arc;

use jiff::Timestamp;

use super::baseline;
use super::classify;
use super::evidence::{self, judged_pods};
use super::facts::{ContainerFacts, ContainerState, LogFacts, Name, PodFacts, RevisionFacts, Snapshot};
use super::finding::{Detail, Evidence, Finding, Subject, Symptom};
use super::logs::{self, Seen, rank};
use super::moment::after;
use super::observe;
use super::patterns::Patterns;
use super::policy::LogAccess;
use super::rollout;
use super::words::{Cause, Class, Sureness};

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
/// What pods of the baseline said so long before a failure still speaks about it. Seconds.
const CONTROL_WINDOW_SECONDS: i64 = 600;

/// A log that a finding needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// UID of the pod.
    pub uid: Name,
    pub pod: Name,
    pub container: Name,
    /// Of the run that ended last, not of the one that goes on.
    pub ended: bool,
    /// Exits of the container so far.
    pub exits: u32,
}

/// What a log says that was read as it was wanted.
pub fn heard(wanted: &Wanted, log: &[u8]) -> LogFacts {
    let reading = logs::read(log);
    let told = reading.lead(wanted.ended).or(reading.seen.first()).map(|seen| seen.last.line);
    let error = reading.fatal.as_ref().map(|quote| quote.line).into_iter().chain(told).min();
    LogFacts {
        uid: wanted.uid.clone(),
        pod: wanted.pod.clone(),
        container: wanted.container.clone(),
        ended: wanted.ended,
        exits: wanted.exits,
        excerpt: logs::excerpt(log, error),
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
    for finding in findings.iter().filter(|f| needs_logs(f)).chain(&soon) {
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
        Class::OOMKilled => finding.cause == Cause::Suspected,
        _ => takes_time(finding) && finding.sufficient,
    }
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
    is_there.then(|| (asked(pod, container, ended), read.is_some()))
}

fn asked(pod: &PodFacts, container: &ContainerFacts, ended: bool) -> Wanted {
    Wanted {
        uid: pod.uid.clone(),
        pod: pod.name.clone(),
        container: container.name.clone(),
        ended,
        exits: observe::exits(container),
    }
}

/// The run that ended last left a log, unlike what never started and what the kubelet lost.
fn left_a_log(container: &ContainerFacts) -> bool {
    let ending = match &container.state {
        ContainerState::Terminated(ending) => Some(ending),
        _ => container.last.as_ref(),
    };
    ending.is_some_and(|ending| ending.started.is_some() && !observe::is_made_up(ending))
}

fn log_of<'a>(s: &'a Snapshot, pod: &PodFacts, container: &str) -> Option<&'a LogFacts> {
    s.logs.iter().map(AsRef::as_ref).find(|log| log.uid == pod.uid && *log.container == *container)
}

/// Logs of pods of the baseline that run, where what the failing ones report may be what both suffer from.
fn of_control(s: &Snapshot, findings: &[Finding], now: Timestamp) -> Vec<Wanted> {
    let shared = findings.iter().filter(|f| f.newest && f.class == Class::CrashLoopBackOff && may_be_shared(f.cause));
    let Some(container) = shared.filter_map(|f| f.container.as_ref()).next() else { return Vec::new() };
    let rollout = rollout::current(s, now);
    let ledger = baseline::update(s, rollout.as_ref(), now);
    let control = rollout.and_then(|rollout| baseline::control(s, &rollout, &ledger.entries));
    let pods = control.into_iter().flat_map(|control| judged_pods(s, &control.uid)).filter(|pod| pod.ready);
    let asked = pods.take(MAX_PODS).filter_map(|pod| {
        let container = pod.containers.iter().find(|c| c.name == *container)?;
        log_of(s, pod, &container.name).is_none().then(|| asked(pod, container, false))
    });
    asked.collect()
}

/// What a program meets in a service that others use too, as opposed to what is in itself.
fn may_be_shared(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::StorageFull
            | Cause::PoolExhausted
            | Cause::TooManyConnections
            | Cause::DatabaseDeadlock
            | Cause::DatabaseLockTimeout
            | Cause::SchemaMismatch
            | Cause::DatabaseAuth
            | Cause::DatabaseUnavailable
            | Cause::DependencyUnreachable
            | Cause::DnsFailure
            | Cause::TlsFailure
            | Cause::UpstreamTimeout
            | Cause::KubernetesForbidden
    )
}

/// Crashes whose status leaves the cause open get the one that the logs of their revision name. All pods of a revision
/// run the same program, so the logs of a few speak for all.
pub fn refine(s: &Snapshot, symptoms: &mut [Symptom]) {
    if s.logs.is_empty() {
        return;
    }
    let mut known: Vec<(&str, &str, bool, Option<Cause>)> = Vec::new();
    for symptom in symptoms.iter_mut().filter(|symptom| is_open(symptom)) {
        let (Subject::Pod(pod), Some(container)) = (symptom.subject, symptom.container) else { continue };
        if matches!(symptom.detail, Detail::Ended(ended) if NOT_EXECUTED.contains(&ended.exit_code))
            && logs_of(s, &pod.revision, &container.name).any(is_of_the_runtime)
        {
            (symptom.class, symptom.cause) = (Class::ContainerStart, Cause::WrongArchitecture);
            continue;
        }
        // What others ended did not end on its last words.
        let by_itself = symptom.cause != Cause::Unknown;
        let found = known.iter().find(|k| *k.0 == *pod.revision && *k.1 == *container.name && k.2 == by_itself);
        let cause = match found {
            Some((.., cause)) => *cause,
            None => {
                let cause = told(s, &pod.revision, &container.name, by_itself);
                known.push((&pod.revision, &container.name, by_itself, cause));
                cause
            }
        };
        symptom.cause = cause.unwrap_or(symptom.cause);
    }
}

/// How the runtime's first process ends when the kernel does not execute the program in its place; runc has changed it.
const NOT_EXECUTED: [i32; 2] = [1, 255];

/// That process could say so only where the program's log should be, and there is nothing else in it: the program was built
/// for another processor, or its interpreter is not there (runc's init, `exec /PROGRAM: ERROR`).
fn is_of_the_runtime(log: &LogFacts) -> bool {
    let errors = [": exec format error", ": no such file or directory"];
    let alone = log.ended && log.reading.lines == 1 && log.excerpt.starts_with("exec /");
    alone && errors.iter().any(|error| log.excerpt.ends_with(error))
}

fn is_open(symptom: &Symptom) -> bool {
    let open = [Cause::ApplicationError, Cause::NativeCrash, Cause::CommandExits, Cause::Unknown];
    symptom.class == Class::CrashLoopBackOff && symptom.sureness != Sureness::Excluded && open.contains(&symptom.cause)
}

/// Logs of the pods of a revision.
fn logs_of<'a>(s: &'a Snapshot, revision: &'a str, container: &'a str) -> impl Iterator<Item = &'a LogFacts> {
    let theirs = move |log: &&LogFacts| {
        *log.container == *container && s.pods.iter().any(|pod| pod.uid == log.uid && *pod.revision == *revision)
    };
    s.logs.iter().map(AsRef::as_ref).filter(theirs)
}

/// The cause that most of the logs name; of several the most telling. What programs try again counts when it repeats,
/// be it in the log of another pod.
fn told(s: &Snapshot, revision: &str, container: &str, by_itself: bool) -> Option<Cause> {
    let logs = || logs_of(s, revision, container).filter(|log| log.ended);
    let mut votes: Vec<(Cause, usize)> = Vec::new();
    for seen in logs().filter_map(|log| log.reading.lead(by_itself)) {
        match votes.iter_mut().find(|(cause, _)| *cause == seen.cause) {
            Some((_, votes)) => *votes = votes.saturating_add(1),
            None => votes.push((seen.cause, 1)),
        }
    }
    let most = votes.into_iter().max_by_key(|(cause, votes)| (*votes, std::cmp::Reverse(rank(*cause))));
    let once = || {
        let firsts = || logs().filter_map(|log| log.reading.seen.first()).map(|seen| seen.cause);
        let twice = firsts().filter(|cause| firsts().filter(|other| other == cause).nth(1).is_some());
        twice.min_by_key(|cause| rank(*cause))
    };
    most.map(|(cause, _)| cause).or_else(once)
}

/// One of the patterns finds something in what is kept of these logs.
pub fn says(s: &Snapshot, revision: &str, container: &str, patterns: &Patterns) -> bool {
    logs_of(s, revision, container).any(|log| patterns.find_in(&log.excerpt))
}

/// How many lines were read of the longest of these logs; `None` if none was.
pub fn lines_read(s: &Snapshot, revision: &str, container: &str) -> Option<u32> {
    logs_of(s, revision, container).map(|log| log.reading.lines).max()
}

/// The line of a log that tells most about a finding of this cause. A class of failure has causes of its own, such as
/// what a probe was answered; what the log tells beside them is shown all the same.
pub fn evidence(s: &Snapshot, revision: &str, container: &str, cause: Cause) -> Option<Evidence> {
    if cause == Cause::WrongArchitecture {
        let log = logs_of(s, revision, container).find(|log| is_of_the_runtime(log))?;
        return Some(at_line(log, 1, log.excerpt.to_string()));
    }
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
/// report the same.
pub fn kept<'a>(logs: &'a [Arc<LogFacts>], findings: &[Finding]) -> (Vec<&'a LogFacts>, Vec<&'a LogFacts>) {
    let newest = || findings.iter().filter(|f| f.newest);
    let fails =
        |log: &LogFacts| newest().any(|f| f.pods.contains(&log.pod) && f.container.as_ref() == Some(&log.container));
    let alike = |log: &LogFacts| newest().any(|f| may_be_shared(f.cause) && named(log, f.cause).is_some());
    let all = || logs.iter().map(AsRef::as_ref);
    let failing = all().filter(|log| fails(log)).take(KEPT_FAILING).collect();
    let healthy = all().filter(|log| !log.ended && !fails(log) && alike(log)).take(KEPT_HEALTHY).collect();
    (failing, healthy)
}

fn telling(log: &LogFacts, cause: Cause) -> Option<&Seen> {
    named(log, cause).or_else(|| log.reading.lead(log.ended))
}

fn named(log: &LogFacts, cause: Cause) -> Option<&Seen> {
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

/// Compares the logs of both revisions; `None` where the finding does not rest on logs, or none of the healthy revision
/// was read.
pub fn control<'a>(
    s: &'a Snapshot,
    control: &'a RevisionFacts,
    newest: &'a str,
    f: &'a Finding,
) -> Option<Control<'a>> {
    let container = f.container.as_deref().filter(|_| may_be_shared(f.cause))?;
    let failing: Vec<&Seen> = logs_of(s, newest, container).filter_map(|log| named(log, f.cause)).collect();
    if failing.is_empty() {
        return None;
    }
    let since = after(f.onset, -CONTROL_WINDOW_SECONDS);
    let alike = |seen: &&Seen| {
        let recent = seen.last.at.is_none_or(|at| at >= since);
        recent && failing.iter().any(|f| f.phrases.iter().any(|phrase| seen.phrases.contains(phrase)))
    };
    let logs = || logs_of(s, &control.uid, container);
    let same = || logs().filter_map(|log| Some((&log.pod, named(log, f.cause)?))).filter(|(_, seen)| alike(seen));
    let line = same().min_by_key(|(pod, _)| *pod).map(|(_, seen)| &*seen.text);
    let same = same().count();
    Some(Control { read: logs().count(), same, line }).filter(|control| control.read > 0)
}
