//! The object that opens an incident.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::core::ObjectMeta;

use super::{bounded, findings, intent, logs, sights};
use crate::api::incident::{Incident, IncidentSpec, Opened, WorkloadRef};
use crate::api::keys;
use crate::engine::blast_radius;
use crate::engine::decision::{Decision, Progress};
use crate::engine::facts::{Snapshot, WorkloadFacts};
use crate::engine::memory::RevisionRef;
use crate::engine::words::Severity;

/// Bytes that an incident is opened with; all of it has room for twice as much.
const MAX_OPENED: usize = 32 << 10;

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
    fit(&mut spec.opened);
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

/// Leaves room for what the status will say. Findings and logs tell most, so the rest goes first.
fn fit(opened: &mut Opened) {
    let parts: [fn(&mut Opened); 3] = [|of| of.events.clear(), |of| of.changes.clear(), |of| of.nodes.clear()];
    for leave_out in parts {
        if serde_json::to_vec(opened).map_or(0, |bytes| bytes.len()) <= MAX_OPENED {
            return;
        }
        leave_out(opened);
    }
}

fn reference(w: &WorkloadFacts) -> WorkloadRef {
    WorkloadRef { kind: "Deployment".to_owned(), name: w.name.to_string(), uid: w.uid.to_string() }
}

/// Label values are at most 63 bytes; a longer name is cut, and found again by the spec.
fn label(value: &str) -> String {
    crate::cluster::text::head(value, 63).trim_end_matches(['-', '.', '_']).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_too_long_goes_before_the_findings_and_the_logs() {
        let opened = |log: usize| -> Opened {
            let log = json!({"pod": "web", "uid": "p", "container": "web", "text": "x".repeat(log)});
            serde_json::from_value(json!({
                "at": "2026-03-01T10:00:00Z", "policy": "", "severity": "Info", "episode": 1, "why": "",
                "failing": {"name": "web-6d", "uid": "r-2", "hash": "6d"}, "logs": [log.clone(), log],
                "nodes": [{"name": "n1", "ready": true}],
                "changes": [{"kind": "Template", "subject": "container web", "text": "image web: 1 → 2"}],
                "events": [{"source": "pod/web", "text": "x".repeat(256), "at": "2026-03-01T10:00:00Z", "count": 1}],
            }))
            .unwrap()
        };
        let kept = |mut opened: Opened| {
            fit(&mut opened);
            (opened.events.len(), opened.changes.len(), opened.nodes.len(), opened.logs.len())
        };
        let rest = serde_json::to_vec(&opened(0)).unwrap().len();
        let over = |by: usize| opened((MAX_OPENED - rest + by) / 2);
        assert_eq!(kept(opened(3072)), (1, 1, 1, 2));
        assert_eq!(kept(over(0)), (1, 1, 1, 2));
        assert_eq!(kept(over(100)), (0, 1, 1, 2), "the events alone do");
        assert_eq!(kept(over(8000)), (0, 0, 0, 2));
    }
}
