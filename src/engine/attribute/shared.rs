//! Failures of what a program shares with others: a service that it calls, the cluster's DNS, a disk. A new image alone
//! brings these about at times, and they come by themselves at others; pods of the healthy revision know.

use super::{Case, control_is_ready, is_about_running, knowledge, touches, verdict, words};
use crate::engine::decision::Verdict;
use crate::engine::knowledge::aspects;
use crate::engine::listen;
use crate::engine::words::{Aspect, Cause, Class, Confidence, Fault};

/// A resolver that does not answer for now, as opposed to one that knows no such name.
const NO_ANSWER: &[&str] = &[
    "eai_again",
    "temporary failure in name resolution",
    "try again",
    "resource temporarily unavailable",
    "server misbehaving",
    "servfail",
    "[errno -3]",
    "i/o timeout",
    "timed out",
    ":53: read: connection refused",
    ":53: connect: connection refused",
    "no servers could be reached",
];
/// A certificate whose time is over, or has not come.
const OUT_OF_TIME: &[&str] = &[
    "certificate has expired",
    "certificate expired",
    "certificate_expired",
    "cert_has_expired",
    "certificateexpired",
    "certificatenotyetvalid",
    "certificate: expired",
    "not yet valid",
    "notafter: ",
];
/// What every pod of a node or a cluster calls: the API server, and where a cloud tells a machine who it is.
const OF_THE_CLUSTER: &[&str] = &[
    "169.254.169.254",
    "metadata.google.internal",
    "metadata server unavailable",
    "https://kubernetes.default",
    "/api?timeout=",
    "in-cluster config",
    "reflector.go",
];
/// Somebody else migrates, or died of it.
const LOCKED: &[&str] = &[
    "waiting for changelog lock",
    "could not acquire change log lock",
    "can't acquire lock",
    "try lock failed",
    "migration table is already locked",
    "another migration process is currently running",
];

/// Others may suffer from the same, and nothing that leads to it changed.
pub(super) fn is(case: &Case) -> bool {
    cause(case).is_some() && (case.control.is_none() || !leads_elsewhere(case))
}

/// The revision is not found at fault before pods of the healthy one, which run at the same time, were heard and do
/// not report the same; and never where the words say that it is none of its business.
pub(super) fn unproven(case: &Case) -> Option<Verdict> {
    if !is(case) {
        return None;
    }
    let cause = cause(case)?;
    if let Some((fault, what)) = by_its_own_words(case) {
        return Some(verdict(fault, Confidence::Likely, what.to_owned()));
    }
    let Some(control) = case.control else { return Some(without_control(cause)) };
    let heard = listen::control(case.s, control, &case.rollout.newest.uid, case.finding);
    let ready = control_is_ready(case);
    // Connections that are open are not asked for a password again.
    let asks_again = cause != Cause::DatabaseAuth;
    if ready > 0 && asks_again && heard.is_some_and(|heard| heard.same == 0) {
        return None;
    }
    let compared = match ready {
        n if n > 0 && !asks_again => {
            format!("the {n} ready pods of the healthy revision {} may hold connections from before", control.hash)
        }
        0 => format!("no pod of the healthy revision {} runs to compare with", control.hash),
        n => format!("no log of the {n} ready pods of the healthy revision {} was read to compare with", control.hash),
    };
    let about = knowledge::about(Class::CrashLoopBackOff, cause);
    let because =
        format!("{} What changed ({}) names no other place of it, and {compared}", about.meaning, words(&case.changed));
    Some(verdict(of_others(about.fault), Confidence::Possible, because))
}

/// Nothing is known of how the workload did before.
fn without_control(cause: Cause) -> Verdict {
    let about = knowledge::about(Class::CrashLoopBackOff, cause);
    let because = format!("{} There is no healthy revision to compare with", about.meaning);
    verdict(of_others(about.fault), Confidence::Possible, because)
}

/// Whose fault it is where it is not the revision's.
pub(super) fn of_others(fault: Fault) -> Fault {
    match fault {
        Fault::Unknown | Fault::Revision => Fault::Dependency,
        known => known,
    }
}

/// What others may suffer from: the cause, or what the log names behind a probe that fails.
fn cause(case: &Case) -> Option<Cause> {
    let is_shared = |cause: &Cause| match cause {
        Cause::StorageFull => true,
        Cause::MigrationFailed => program_says(case, LOCKED),
        Cause::KubernetesForbidden => program_says(case, &["provide credentials"]),
        cause => listen::is_of_a_service(*cause),
    };
    let named = case.finding.named.filter(|_| is_about_running(case.finding));
    Some(case.finding.cause).into_iter().chain(named).find(is_shared)
}

/// The change names another place, other credentials, or more room.
fn leads_elsewhere(case: &Case) -> bool {
    let of_its_own: &[Aspect] = match cause(case) {
        // Any variable may say where to write and how much, and how much is asked of a service at once.
        Some(Cause::StorageFull) => &[Aspect::Environment, Aspect::Resources, Aspect::Scheduling],
        Some(cause) if listen::is_of_use(cause) => &[Aspect::Environment],
        Some(Cause::KubernetesForbidden) => &[Aspect::ServiceAccount],
        _ => &[],
    };
    touches::changed(case, of_its_own) || touches::places(case, aspects::ADDRESSES)
}

/// What a kubelet tells of a probe is not the program's own.
fn program_says(case: &Case, phrases: &[&str]) -> bool {
    case.says_of(|evidence| !evidence.source.contains(" events["), phrases)
}

/// Who is at fault where the message leaves no doubt.
fn by_its_own_words(case: &Case) -> Option<(Fault, &'static str)> {
    Some(match cause(case)? {
        Cause::DnsFailure if program_says(case, NO_ANSWER) => {
            (Fault::Platform, "the resolver does not answer for now, which no change of the revision brings about")
        }
        // A policy of the network may go by labels.
        Cause::DependencyUnreachable | Cause::UpstreamTimeout
            if program_says(case, OF_THE_CLUSTER)
                && !program_says(case, touches::LOCAL)
                && !touches::changed(case, &[Aspect::Metadata, Aspect::ServiceAccount]) =>
        {
            (Fault::Platform, "what every pod calls is out of reach, which no change of the revision brings about")
        }
        Cause::KubernetesForbidden => {
            (Fault::Platform, "the API server does not accept the token that it gave the pod")
        }
        Cause::TlsFailure if program_says(case, OUT_OF_TIME) => {
            (Fault::Dependency, "a certificate is out of its time, for every revision alike")
        }
        Cause::TooManyConnections => {
            (Fault::Dependency, "the database has no connection left, and nothing that changed asks for more of them")
        }
        Cause::MigrationFailed => (Fault::Dependency, "another migration holds the lock, or died with it"),
        Cause::DatabaseUnavailable => (Fault::Dependency, "the database says itself that it does not serve"),
        _ => return None,
    })
}
