//! A symptom as a person reads it: where it was seen and what was said there.

use std::fmt::{self, Write};

use crate::engine::facts::{ContainerFacts, Termination, WorkloadFacts};
use crate::engine::finding::{Detail, Evidence, Subject, Symptom};
use crate::engine::makers;
use crate::engine::text::redact;
use crate::engine::words::ContainerKind;

/// Most bytes of a text. Messages come from containers and registries.
pub(super) const MAX_TEXT: usize = 512;
/// Most bytes of a source.
pub(super) const MAX_SOURCE: usize = 256;

/// The evidence for one symptom: a source such as `pod/web-6d-x containerStatuses[web].lastState` and a text such as
/// `OOMKilled, exit 137, limit 64Mi`, at most 256 and 512 bytes of one line each, without what looks like a secret.
pub fn evidence(workload: &WorkloadFacts, symptom: &Symptom<'_>) -> Evidence {
    let text = bounded(MAX_TEXT, &Text(symptom));
    Evidence { source: bounded(MAX_SOURCE, &Source { workload, symptom }), text: redact(&text).into_owned() }
}

struct Source<'s, 'a> {
    workload: &'s WorkloadFacts,
    symptom: &'s Symptom<'a>,
}

impl fmt::Display for Source<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Source { workload, symptom } = self;
        match symptom.subject {
            Subject::Pod(pod) => write!(f, "pod/{}", pod.name)?,
            Subject::Revision(revision) => write!(f, "replicaset/{}", revision.name)?,
            Subject::Workload if &*workload.kind == "Deployment" => f.write_str("deployment")?,
            Subject::Workload => match symptom.detail {
                Detail::Condition { kind: "ReplicaFailure", condition } => {
                    return f.write_str(&makers::told_refusal(workload, condition));
                }
                _ => f.write_str(&makers::called(workload))?,
            },
        }
        match (symptom.detail, symptom.container) {
            (Detail::Condition { kind, .. }, _) => write!(f, " conditions[{kind}]"),
            (Detail::Flapping { .. }, _) => f.write_str(" conditions[Ready]"),
            (Detail::PodReason { .. }, _) => f.write_str(" status"),
            (detail, Some(container)) => {
                write!(f, " {}[{}]{}", list(container), container.name, field(detail, container))
            }
            (Detail::NotReady { .. }, None) => f.write_str(" conditions[Ready]"),
            (_, None) => Ok(()),
        }
    }
}

/// Sidecars have their status among the init containers.
fn list(container: &ContainerFacts) -> &'static str {
    match container.kind {
        ContainerKind::App => "containerStatuses",
        ContainerKind::Init | ContainerKind::Sidecar => "initContainerStatuses",
    }
}

fn field(detail: Detail<'_>, container: &ContainerFacts) -> &'static str {
    match detail {
        Detail::Ended(ended) | Detail::OutOfMemory { ended, .. } => {
            let is_last = container.last.as_deref().is_some_and(|last| std::ptr::eq(last, ended));
            if is_last { ".lastState" } else { ".state" }
        }
        Detail::NotReady { .. } => ".ready",
        _ => ".state",
    }
}

struct Text<'s, 'a>(&'s Symptom<'a>);

impl fmt::Display for Text<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.detail {
            Detail::Waiting { reason, message } | Detail::PodReason { reason, message } => said(f, reason, message),
            Detail::Condition { condition, .. } => said(f, &condition.reason, &condition.message),
            Detail::Ended(ended) => end(f, ended, None),
            Detail::OutOfMemory { ended, limit } => end(f, ended, limit),
            Detail::NotReady { seconds, grace, was_ready } => {
                let before = if was_ready { "was ready before" } else { "was never ready" };
                write!(f, "not ready for {seconds} s, allowed {grace} s, {before}")
            }
            Detail::Flapping { losses, .. } => write!(f, "readiness was lost {losses} times within 5 minutes"),
            Detail::Plain(text) => f.write_str(text),
        }
    }
}

fn said(f: &mut fmt::Formatter<'_>, reason: &str, message: &str) -> fmt::Result {
    match (reason.is_empty(), message.is_empty()) {
        (_, true) => f.write_str(reason),
        (true, false) => f.write_str(message),
        (false, false) => write!(f, "{reason}: {message}"),
    }
}

/// A run whose start the runtime does not know has no length.
fn end(f: &mut fmt::Formatter<'_>, ended: &Termination, limit: Option<u64>) -> fmt::Result {
    write!(f, "{}, exit {}", ended.reason, ended.exit_code)?;
    if let Some(bytes) = limit {
        write!(f, ", limit {}", Bytes(bytes))?;
    }
    if let (Some(started), Some(finished)) = (ended.started, ended.finished) {
        let seconds = finished.duration_since(started).as_secs();
        if seconds >= 0 {
            write!(f, ", ran {seconds} s")?;
        }
    }
    let message = ended.message.trim();
    if message.is_empty() { Ok(()) } else { write!(f, ": {message}") }
}

/// Bytes as Kubernetes writes them, in the largest unit that divides them.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_u64 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki")];
        match units.into_iter().find(|(unit, _)| self.0 > 0 && self.0.is_multiple_of(*unit)) {
            Some((unit, name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Most texts are no longer. Bytes.
const USUAL: usize = 256;

/// At most `limit` bytes on one line; control characters become spaces, and a cut shows as an ellipsis.
pub(super) fn bounded(limit: usize, text: &impl fmt::Display) -> String {
    let mut line = Line { text: String::with_capacity(limit.min(USUAL)), limit, full: false };
    // The writer stops the formatter once it is full.
    let _ = write!(line, "{text}");
    line.text
}

struct Line {
    text: String,
    limit: usize,
    full: bool,
}

impl Write for Line {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = self.limit.saturating_sub('…'.len_utf8()).saturating_sub(self.text.len());
        if !self.full && part.len() <= room && part.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            self.text.push_str(part);
            return Ok(());
        }
        for c in part.chars() {
            let c = if c.is_control() { ' ' } else { c };
            if self.full {
                return Err(fmt::Error);
            }
            if self.text.len() + c.len_utf8() > self.limit.saturating_sub('…'.len_utf8()) {
                self.text.push('…');
                self.full = true;
                return Err(fmt::Error);
            }
            self.text.push(c);
        }
        Ok(())
    }
}
