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

/// An operator for single namespaces need not have this right.
const NODE_EVENTS: &str = "events of its node (no right to read events in namespace default)";

pub(super) fn note(s: &Snapshot, symptom: &Symptom<'_>) -> Option<(String, String)> {
    if symptom.cause != Cause::Unknown {
        return None;
    }
    let mut text = format!("looked at {}; missing: {}", all_looked_at(s, symptom), missing(s, symptom));
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

/// The status, the events that are left and the log, as far as there are any.
fn all_looked_at(s: &Snapshot, symptom: &Symptom<'_>) -> String {
    let mut all = looked_at(symptom).to_owned();
    match events(s, symptom) {
        0 => {}
        1 => all.push_str(", 1 event"),
        n => all.push_str(&format!(", {n} events")),
    }
    if lines_read(s, symptom).is_some_and(|lines| lines > 0) {
        all.push_str(", its log");
    }
    all
}

fn events(s: &Snapshot, symptom: &Symptom<'_>) -> usize {
    let about = match symptom.subject {
        Subject::Pod(pod) => &pod.uid,
        Subject::Revision(revision) => &revision.uid,
        Subject::Workload => &s.workload.uid,
    };
    s.events.about(about).len()
}

/// What would tell. Events expire, and some are never sent, so that there are none means little.
fn missing(s: &Snapshot, symptom: &Symptom<'_>) -> String {
    let events = match (s.events.read, events(s, symptom)) {
        (false, _) => "its events, which were not read (that takes the right to read events)".to_owned(),
        (true, 0) => "its events, of which none that tells is left: they expire after an hour".to_owned(),
        (true, 1) => "an event that tells; the one that is left does not".to_owned(),
        (true, n) => format!("an event that tells, among the {n} that are left"),
    };
    let has_node = matches!(symptom.subject, Subject::Pod(pod) if pod.node.is_some());
    let of_nodes = s.events.of_nodes || !s.events.read || !has_node;
    let events = if of_nodes { events } else { format!("{events}; {NODE_EVENTS}") };
    let ran = matches!(symptom.detail, Detail::Ended(_) | Detail::NotReady { .. } | Detail::Flapping { .. });
    let logs = ran || matches!(symptom.class, Class::CrashLoopBackOff | Class::Unready | Class::InitStuck);
    if logs { format!("{events}; {}", missing_of_log(s, symptom)) } else { events }
}

/// Logs of a few pods speak for all of a revision, since these run the same program.
fn lines_read(s: &Snapshot, symptom: &Symptom<'_>) -> Option<u32> {
    let pods = match (symptom.subject, symptom.container) {
        (Subject::Pod(pod), Some(container)) => Some((&*pod.revision, &*container.name)),
        _ => None,
    };
    pods.and_then(|(revision, container)| listen::lines_read(s, revision, container))
}

fn missing_of_log(s: &Snapshot, symptom: &Symptom<'_>) -> String {
    match (lines_read(s, symptom), s.policy.logs) {
        (Some(0), _) => "a line in its log, which is empty".to_owned(),
        (Some(n), _) => format!("a line of its log that tells, among the {n} that were read"),
        (None, LogAccess::Ignore) => "its log, which the policy keeps from being read".to_owned(),
        // Whether the right or an answer was missing, or nobody could be asked, is not known here.
        (None, LogAccess::Read) => {
            "its log, which was not read (that takes the right to get pods/log and a node that answers)".to_owned()
        }
    }
}
