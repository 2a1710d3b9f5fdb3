//! Failures whose cause nobody tells: what was looked at, what is missing, and where a person looks next. Nothing
//! follows from them but what follows from the class.

use crate::engine::facts::Snapshot;
use crate::engine::finding::{Detail, Subject, Symptom};
use crate::engine::knowledge;
use crate::engine::listen;
use crate::engine::policy::LogAccess;
use crate::engine::words::{Cause, Class};

/// Where the note comes from: not from any object.
const SOURCE: &str = "cause unknown";

pub(super) fn note(s: &Snapshot, symptom: &Symptom<'_>) -> Option<(String, String)> {
    if symptom.cause != Cause::Unknown {
        return None;
    }
    let mut text = format!("looked at {}; missing: {}", looked_at(symptom), missing(s, symptom));
    if let Some(step) = knowledge::next_steps(s, symptom.class, Some(symptom)).first() {
        text.push_str("; next: ");
        text.push_str(step);
    }
    Some((SOURCE.to_owned(), text))
}

fn looked_at(symptom: &Symptom<'_>) -> &'static str {
    match symptom.detail {
        Detail::Waiting { .. } => "why the container waits",
        Detail::Ended(_) | Detail::OutOfMemory { .. } => "how the container's run ended",
        Detail::Condition { .. } => "the condition's reason and text",
        Detail::PodReason { .. } => "the pod's reason and text",
        Detail::NotReady { .. } | Detail::Flapping { .. } => "the container's state and its probes",
        Detail::Plain(_) => "the states of the pod's containers and its conditions",
    }
}

/// What would tell. Events expire, and some are never sent, so that there are none means little.
fn missing(s: &Snapshot, symptom: &Symptom<'_>) -> String {
    let about = match symptom.subject {
        Subject::Pod(pod) => &pod.uid,
        Subject::Revision(revision) => &revision.uid,
        Subject::Workload => &s.workload.uid,
    };
    let events = match (s.events.read, s.events.about(about).len()) {
        (false, _) => "its events, which were not read".to_owned(),
        (true, 0) => "its events, of which none is left: they expire after an hour".to_owned(),
        (true, n) => format!("an event that tells, among the {n} that are left"),
    };
    let ran = matches!(symptom.detail, Detail::Ended(_) | Detail::NotReady { .. } | Detail::Flapping { .. });
    let logs = ran || matches!(symptom.class, Class::CrashLoopBackOff | Class::Unready | Class::InitStuck);
    if logs { format!("{events}; {}", missing_of_log(s, symptom)) } else { events }
}

/// Logs of a few pods speak for all of a revision, since these run the same program.
fn missing_of_log(s: &Snapshot, symptom: &Symptom<'_>) -> String {
    let pods = match (symptom.subject, symptom.container) {
        (Subject::Pod(pod), Some(container)) => Some((&*pod.revision, &*container.name)),
        _ => None,
    };
    let read = pods.and_then(|(revision, container)| listen::lines_read(s, revision, container));
    match (read, s.policy.logs) {
        (Some(0), _) => "a line in its log, which is empty".to_owned(),
        (Some(n), _) => format!("a line of its log that tells, among the {n} that were read"),
        (None, LogAccess::Ignore) => "its log, which the policy keeps from being read".to_owned(),
        (None, LogAccess::Read) => "its log, which was not read".to_owned(),
    }
}
