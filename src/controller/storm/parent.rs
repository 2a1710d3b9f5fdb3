//! What the parent incident of a storm says. Pure: the caller writes it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::ObjectMeta;

use crate::api::incident::{Incident, IncidentSpec, IncidentStatus, Opened, TimelineEntry, WorkloadRef};
use crate::api::{condition, keys};
use crate::engine::decision::{Outcome, Progress};
use crate::engine::memory::RevisionRef;
use crate::engine::storm::overridden_by;
use crate::engine::words::Severity;

/// The brake engaged, or engaged again.
const STORM: &str = "Storm";
/// A person let go of it.
const OVERRIDDEN: &str = "Overridden";
/// Entries of the timeline, so that the end still fits in.
const MAX_WORDS: usize = 60;
/// The object that opens the storm's record, in `namespace`.
pub fn open(namespace: &str, name: &str, why: &str, now: Timestamp) -> Incident {
    let nothing = RevisionRef { name: "".into(), uid: "".into(), hash: "".into() };
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        labels: Some(BTreeMap::from([(keys::STORM.to_owned(), "true".to_owned())])),
        ..ObjectMeta::default()
    };
    let opened = Opened {
        at: now,
        policy: String::new(),
        severity: Severity::Critical,
        failing: nothing,
        episode: 1,
        why: why.to_owned(),
        verdict: None,
        findings: Vec::new(),
        logs: Vec::new(),
        replicas: None,
        changes: Vec::new(),
        nodes: Vec::new(),
        events: Vec::new(),
        intent: None,
        impact: None,
    };
    let workload = WorkloadRef { kind: "Storm".to_owned(), name: "many".to_owned(), uid: String::new() };
    let spec = IncidentSpec { workload, opened, approval: None, acknowledged: None, notes: Vec::new() };
    Incident { metadata, spec, status: None }
}

/// The status of a storm that has just begun, given the workloads that fail.
pub fn status(incident: &Incident, why: &str, affected: Vec<String>, now: Timestamp) -> IncidentStatus {
    let mut status = IncidentStatus {
        progress: Some(Progress::Held),
        severity: Some(incident.spec.opened.severity),
        why: Some(why.to_owned()),
        affected,
        timeline: vec![entry(now, STORM, why)],
        ..IncidentStatus::default()
    };
    conditions(&mut status, incident, now);
    status
}

/// A person's word that the record does not tell of yet. The timeline is bounded; who goes back and forth for longer than
/// that is heeded all the same.
pub fn word(incident: &Incident, before: &IncidentStatus, now: Timestamp) -> Option<TimelineEntry> {
    let by = overridden_by(incident.spec.approval.as_ref(), &incident.name_any());
    let told = before.timeline.iter().rev().find(|e| e.what == OVERRIDDEN || e.what == STORM);
    let overridden = told.is_some_and(|e| e.what == OVERRIDDEN);
    if by.is_some() == overridden || before.timeline.len() >= MAX_WORDS {
        return None;
    }
    Some(match by {
        Some(by) => {
            entry(now, OVERRIDDEN, &format!("{by} lets workloads be judged one by one although it has not passed"))
        }
        None => entry(now, STORM, "the word was taken back; nothing is done automatically until it has passed"),
    })
}

/// The status once the storm has passed.
pub fn closed(incident: &Incident, now: Timestamp) -> IncidentStatus {
    let mut status = incident.status.clone().unwrap_or_default();
    status.outcome = Some(Outcome::Cleared);
    status.closed_at = Some(now);
    status.progress = None;
    status.timeline.push(entry(now, "Cleared", "the storm has passed; workloads are judged one by one again"));
    conditions(&mut status, incident, now);
    status
}

/// Sets the conditions from what the status says otherwise.
pub fn conditions(status: &mut IncidentStatus, incident: &Incident, now: Timestamp) {
    let over = status.outcome.is_some();
    let why = status.why.clone().unwrap_or_default();
    let wanted = [
        ("Detected", Some(true), "Storm"),
        ("Attributed", None, "NotYet"),
        ("Mitigated", Some(false), "Storm"),
        ("Recovered", Some(over), if over { "Cleared" } else { "Storm" }),
        ("Succeeded", over.then_some(true), if over { "Cleared" } else { "Open" }),
    ];
    for (kind, value, reason) in wanted {
        let wanted = condition::Wanted { kind, status: value, reason: reason.to_owned(), message: why.clone() };
        condition::set(&mut status.conditions, wanted, incident.metadata.generation, now);
    }
}

fn entry(at: Timestamp, what: &str, text: &str) -> TimelineEntry {
    TimelineEntry { at, what: what.to_owned(), text: text.to_owned() }
}
