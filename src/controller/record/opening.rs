//! The object that opens an incident.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::core::ObjectMeta;

use super::{bounded, findings, fit, intent, logs, sights};
use crate::api::incident::{Incident, IncidentSpec, Opened, WorkloadRef};
use crate::api::keys;
use crate::engine::blast_radius;
use crate::engine::decision::{Decision, Progress};
use crate::engine::facts::{Snapshot, WorkloadFacts};
use crate::engine::memory::RevisionRef;
use crate::engine::words::Severity;

/// The identity of an incident, from the decision that records it.
pub struct Record<'a> {
    pub name: &'a str,
    pub failing: &'a RevisionRef,
    pub episode: u32,
    pub severity: Severity,
    pub progress: Progress,
}

/// The object that opens an incident: evidence and intent are in it before anything is done.
pub fn open(s: &Snapshot, decision: &Decision, record: &Record, now: Timestamp) -> Incident {
    let w = &s.workload;
    let mut spec = IncidentSpec {
        workload: reference(w),
        opened: Opened {
            at: now,
            policy: s.policy.reference.to_string(),
            severity: record.severity,
            failing: record.failing.clone(),
            episode: record.episode,
            why: bounded(&decision.why, 1024),
            verdict: decision.verdict.clone(),
            findings: findings(decision),
            logs: logs::opening(s, decision),
            replicas: Some(blast_radius::replicas(s, &decision.findings)),
            changes: sights::changes(s, record.failing),
            nodes: sights::nodes(s, record.failing, &decision.findings),
            events: sights::events(s, record.failing, &decision.findings),
            intent: intent(decision).cloned(),
            impact: s.policy.impact.clone(),
        },
        approval: None,
        acknowledged: None,
        notes: Vec::new(),
    };
    fit::opened(&mut spec.opened);
    let labels = BTreeMap::from([
        (keys::WORKLOAD.to_owned(), label(&w.name)),
        (keys::WORKLOAD_UID.to_owned(), label(&w.uid)),
        (keys::FAILING.to_owned(), label(&record.failing.hash)),
    ]);
    let metadata = ObjectMeta {
        name: Some(record.name.to_owned()),
        namespace: Some(w.namespace.to_string()),
        labels: Some(labels),
        ..ObjectMeta::default()
    };
    Incident { metadata, spec, status: None }
}

fn reference(w: &WorkloadFacts) -> WorkloadRef {
    WorkloadRef { kind: "Deployment".to_owned(), name: w.name.to_string(), uid: w.uid.to_string() }
}

/// Label values are at most 63 bytes; a longer name is cut, and found again by the spec.
fn label(value: &str) -> String {
    crate::cluster::text::head(value, 63).trim_end_matches(['-', '.', '_']).to_owned()
}
