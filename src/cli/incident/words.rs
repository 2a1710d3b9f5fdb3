//! What an incident says, in the few words that lists and headlines have room for.

use jiff::Timestamp;

use crate::api::{Incident, keys};
use crate::engine::decision::{Progress, Refusal, Verdict};
use crate::engine::finding::Finding;
use crate::engine::guard::decision_key;
use crate::engine::memory::RevisionRef;
use crate::engine::storm;
use crate::engine::words::{ActionKind, RefusalReason, Severity};

/// The parent incident of a storm, which is about many workloads.
pub fn is_storm(incident: &Incident) -> bool {
    incident.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(keys::STORM))
}

/// Which workload, as lists show it.
pub fn workload(incident: &Incident) -> String {
    if is_storm(incident) {
        let affected = incident.status.as_ref().map_or(0, |s| s.affected.len());
        return format!("storm ({affected} workloads)");
    }
    let workload = &incident.spec.workload;
    format!("{}/{}", workload.kind.to_lowercase(), workload.name)
}

/// Class and cause of what leads.
pub fn failure(incident: &Incident) -> String {
    if is_storm(incident) {
        return "Storm".to_owned();
    }
    let known = incident.status.as_ref().and_then(|s| s.class.clone());
    known.or_else(|| lead(incident).map(|f| format!("{}/{}", f.class, f.cause))).unwrap_or_else(|| "-".to_owned())
}

/// How urgent it is.
pub fn severity(incident: &Incident) -> Severity {
    incident.status.as_ref().and_then(|status| status.severity).unwrap_or(incident.spec.opened.severity)
}

/// How far it has come, or how it ended.
pub fn stage(incident: &Incident) -> String {
    let status = incident.status.as_ref();
    match (status.and_then(|s| s.outcome), status.and_then(|s| s.progress)) {
        (Some(outcome), _) => outcome.to_string(),
        (None, Some(progress)) => format!("{progress:?}"),
        (None, None) => "Opening".to_owned(),
    }
}

pub fn refusal(incident: &Incident) -> Option<&Refusal> {
    incident.status.as_ref().and_then(|s| s.refusal.as_ref()).filter(|_| incident.is_open())
}

/// The latest verdict, else the one it was opened with.
pub fn verdict(incident: &Incident) -> Option<&Verdict> {
    incident.status.as_ref().and_then(|s| s.verdict.as_ref()).or(incident.spec.opened.verdict.as_ref())
}

/// The latest findings, else those it was opened with.
pub fn findings(incident: &Incident) -> &[Finding] {
    match &incident.status {
        Some(status) if !status.findings.is_empty() => &status.findings,
        _ => &incident.spec.opened.findings,
    }
}

/// The finding that the incident is about.
pub fn lead(incident: &Incident) -> Option<&Finding> {
    let findings = findings(incident);
    findings.iter().find(|f| f.newest).or(findings.first())
}

pub fn baseline(incident: &Incident) -> Option<&RevisionRef> {
    let status = incident.status.as_ref();
    status.and_then(|s| s.baseline.as_ref()).or(incident.intent().map(|i| &i.target))
}

pub fn progress(incident: &Incident) -> Option<Progress> {
    incident.status.as_ref().and_then(|s| s.progress).filter(|_| incident.is_open())
}

/// The key of the decision that waits for a person's word, if one does.
///
/// The refusal names it; it is recognised by making the keys that there can be and looking for them.
pub fn awaited(incident: &Incident) -> Option<String> {
    let refusal = refusal(incident).filter(|r| r.reason == RefusalReason::AwaitingApproval)?;
    let target = baseline(incident)?;
    let failing = &incident.spec.opened.failing;
    let keys = [ActionKind::RollBack, ActionKind::Freeze].map(|kind| decision_key(kind, &failing.hash, &target.hash));
    keys.into_iter().find(|key| refusal.because.contains(key.as_str()))
}

/// The key of a storm that has not passed; a person may have a word on it at any time.
pub fn open_storm(incident: &Incident) -> Option<String> {
    let open = is_storm(incident) && incident.is_open();
    open.then(|| storm::key(&incident.metadata.name.clone().unwrap_or_default()))
}

/// Open ones first, then the newest, then by name.
pub fn sort(incidents: &mut [Incident]) {
    incidents.sort_by_cached_key(|incident| {
        let newest = std::cmp::Reverse(incident.spec.opened.at);
        (!incident.is_open(), newest, incident.metadata.namespace.clone(), incident.metadata.name.clone())
    });
}

/// When it began: the first sign, else when it was opened.
pub fn began(incident: &Incident) -> Timestamp {
    incident.status.as_ref().and_then(|s| s.first_signal.as_ref()).map_or(incident.spec.opened.at, |first| first.at)
}
