//! A template whose ReplicaSet the API server refuses. Nothing of it runs, so there is nothing to go back from, and what was
//! rolled out before runs on; but nobody is told unless an incident says what refuses it.

use super::decide::{self, Draft, Look};
use super::decision::Verdict;
use super::facts::{Name, Snapshot};
use super::finding::Finding;
use super::guard;
use super::judge;
use super::knowledge;
use super::memory::{OpenIncident, RevisionRef};
use super::rollout;
use super::words::{Class, Confidence, Severity};

/// What is said of such a template, as soon as there is enough evidence.
pub fn refused(look: &mut Look, incident: Option<&OpenIncident>) -> Option<Draft> {
    let s = look.s;
    if !rollout::is_refused(s) {
        return None;
    }
    let finding = look.weighed.findings.iter_mut().find(|f| f.is_evident() && is_of_workload(f))?;
    // An incident of a revision keeps what was said of that one; the next look opens one of this template.
    if let Some(other) = incident.filter(|incident| !is_about(incident)) {
        return Some(decide::superseded(look, other));
    }
    let verdict = verdict(finding);
    finding.fault = verdict.fault;
    finding.confidence = verdict.confidence;
    let refusal = guard::check_workload(s, look.now).unwrap_or_else(|| guard::is_of_others(&verdict));
    let rule = s.policy.rules.iter().find(|rule| rule.name == finding.rule);
    let severity = rule.map_or(Severity::Warning, |rule| rule.severity);
    let counted = judge::counts(finding, look.now);
    let draft = judge::refuse(look, reference(s), incident, severity, refusal, &counted);
    Some(Draft { verdict: Some(verdict), ..draft })
}

fn is_of_workload(finding: &Finding) -> bool {
    finding.class == Class::CreateRefused && finding.revision.is_empty()
}

/// The template and whoever refuses it do not agree. Which of them changed last no object tells: the controller never made
/// a ReplicaSet that could be compared.
fn verdict(finding: &Finding) -> Verdict {
    let because = "the API server refuses the ReplicaSet of the present template, so that nothing of it runs";
    let fault = knowledge::about(finding.class, finding.cause).fault;
    Verdict { fault, confidence: Confidence::Possible, because: because.to_owned(), rejected: Vec::new() }
}

/// What stands for the ReplicaSet that there is not: the workload, and the digest of its template.
fn reference(s: &Snapshot) -> RevisionRef {
    let w = &s.workload;
    RevisionRef { name: w.name.clone(), uid: Name::from(""), hash: format!("{:016x}", w.template_digest).into() }
}

/// The incident is about a template that had no ReplicaSet.
pub fn is_about(incident: &OpenIncident) -> bool {
    incident.failing.uid.is_empty()
}
