//! What an incident should say after a decision. Pure: the caller writes it if it differs from what is there.

mod blocking;
mod conditions;
mod fit;
mod logs;
mod opening;
mod room;
mod sights;
mod timeline;

use jiff::Timestamp;

pub use self::blocking::{block, blocked};
pub use self::fit::fit_status;
pub use self::logs::hear;
pub use self::opening::{Record, open};
pub use self::timeline::tell;
use self::timeline::{done_word, entered, tell_end, tell_of_template};
use crate::api::incident::{Incident, IncidentStatus};
use crate::engine::decision::{Action, Decision, Outcome, Progress};
use crate::engine::finding::Finding;
use crate::engine::first_signal;
use crate::engine::memory::{ActionRecord, Intent};

/// Findings kept in an incident.
const MAX_FINDINGS: usize = 8;
/// Actions kept.
const MAX_ACTIONS: usize = 16;

/// The status of an open incident after a decision, given what was done.
pub fn update(
    incident: &Incident,
    decision: &Decision,
    progress: Progress,
    done: &[ActionRecord],
    now: Timestamp,
) -> IncidentStatus {
    let before = incident.status.clone().unwrap_or_default();
    let mut status = before.clone();
    let opening = before.conditions.is_empty();
    status.progress = Some(progress);
    status.observed_generation = incident.metadata.generation;
    if opening {
        first(&mut status, incident);
    }
    add_actions(&mut status, incident, done);
    if !done.is_empty() {
        blocking::is_over(&mut status);
    }
    assess(&mut status, incident, decision);
    tell_of_template(&mut status, decision, now);
    if before.progress != Some(progress)
        && let Some((what, text)) = entered(progress, decision)
    {
        tell(&mut status, now, what, text);
    }
    conditions::set(&mut status, incident, now);
    fit_status(&mut status, incident);
    status
}

/// The status of an incident that is over, given how and why it ended, and actions that it did not tell of yet.
pub fn close(
    incident: &Incident,
    (outcome, because): (Outcome, &str),
    done: &[ActionRecord],
    now: Timestamp,
) -> IncidentStatus {
    let mut status = incident.status.clone().unwrap_or_default();
    if status.conditions.is_empty() {
        first(&mut status, incident);
    }
    add_actions(&mut status, incident, done);
    status.observed_generation = incident.metadata.generation;
    status.progress = None;
    status.outcome = Some(outcome);
    status.closed_at = Some(now);
    status.refusal = None;
    status.why = Some(bounded(because, 1024));
    tell_end(&mut status, now, outcome.into(), because.to_owned());
    conditions::set(&mut status, incident, now);
    fit_status(&mut status, incident);
    status
}

/// Two statuses differ in something a person or a guard would want to know. Counts that grow with every restart do
/// not: they would make the record feed on itself.
pub fn differs(before: Option<&IncidentStatus>, after: &IncidentStatus) -> bool {
    let Some(before) = before else { return true };
    let shape = |s: &IncidentStatus| {
        let findings: Vec<_> = s
            .findings
            .iter()
            .map(|f| (f.class, f.cause, f.container.clone(), f.revision.clone(), f.sufficient))
            .collect();
        let conditions: Vec<_> =
            s.conditions.iter().map(|c| (c.type_.clone(), c.status.clone(), c.reason.clone())).collect();
        (
            (s.progress, s.outcome, s.closed_at, s.class.clone(), s.observed_generation),
            (findings, conditions, s.verdict.as_ref().map(|v| (v.fault, v.confidence))),
            (s.refusal.as_ref().map(|r| r.reason), s.baseline.clone(), s.intent.clone()),
            (s.actions.len(), s.timeline.len(), s.template_returned_at.is_some()),
            (s.logs.len(), s.affected.clone(), s.severity, s.blast_radius.as_ref().map(|blast| blast.effect)),
        )
    };
    shape(before) != shape(after)
}

/// What the decision is about to do, if anything.
pub fn intent(decision: &Decision) -> Option<&Intent> {
    match decision.action.as_ref()? {
        Action::RollBack(permit) | Action::Freeze(permit) | Action::Pause(permit) => Some(permit.intent()),
        Action::Resume { .. } => None,
    }
}

/// The decision is the next step of what the incident intends already, such as the second half of a freeze. Its intent
/// stays as it was: when it was made, and at which generation, tells what has become of it.
fn goes_on(incident: &Incident, decision: &Decision) -> bool {
    let under_way = |wanted: &Intent| incident.intent().is_some_and(|before| wanted.goes_on_with(before));
    decision.verdict.is_none() && intent(decision).is_some_and(under_way)
}

/// The intent of the incident stays as it is: this is its next step, or it is tried once more as it stands.
pub fn stands(incident: &Incident, decision: &Decision) -> bool {
    let again = || intent(decision).zip(incident.intent()).is_some_and(|(wanted, before)| wanted.repeats(before));
    goes_on(incident, decision) || (blocking::is_blocked(incident) && again())
}

/// What was known when the incident was opened goes into the status first, so that it tells the whole story.
fn first(status: &mut IncidentStatus, incident: &Incident) {
    let opened = &incident.spec.opened;
    status.severity = Some(opened.severity);
    status.findings.clone_from(&opened.findings);
    status.verdict.clone_from(&opened.verdict);
    status.first_signal = first_signal::earliest(first_signal::of_findings(&opened.findings), opened.at);
    if let Some(lead) = lead(&opened.findings) {
        status.class = Some(format!("{}/{}", lead.class, lead.cause));
        if let Some(evidence) = lead.evidence.first() {
            tell(status, lead.onset, "FirstSignal", format!("{}: {}", evidence.source, evidence.text));
        }
    }
    tell(status, opened.at, "Detected", opened.why.clone());
}

/// Takes over what the decision saw; a decision that sees nothing any more does not wipe out what was seen.
fn assess(status: &mut IncidentStatus, incident: &Incident, decision: &Decision) {
    status.why = Some(bounded(&decision.why, 1024));
    status.refusal.clone_from(&decision.refusal);
    if let Some(verdict) = &decision.verdict {
        status.verdict = Some(verdict.clone());
        status.findings = findings(decision);
        if let Some(lead) = lead(&status.findings) {
            status.class = Some(format!("{}/{}", lead.class, lead.cause));
        }
    }
    if decision.baseline.is_some() {
        status.baseline.clone_from(&decision.baseline);
    }
    if let Some(intent) = intent(decision).filter(|_| !stands(incident, decision)) {
        status.intent = Some(intent.clone());
        status.template_returned_at = None;
    }
}

fn findings(decision: &Decision) -> Vec<Finding> {
    decision.findings.iter().take(MAX_FINDINGS).cloned().collect()
}

fn lead(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|f| f.newest)
}

/// The incident tells of the action. What was undone and is done once more is to be told again.
pub fn tells_of(incident: &Incident, action: &ActionRecord) -> bool {
    let again = incident.intent().filter(|i| i.attempt > 1).map(Intent::made);
    let told = |a: &ActionRecord| same_action(a, action) && again.is_none_or(|made| made <= a.at);
    incident.status.as_ref().is_some_and(|status| status.actions.iter().any(told))
}

fn add_actions(status: &mut IncidentStatus, incident: &Incident, done: &[ActionRecord]) {
    for action in done.iter().filter(|action| !tells_of(incident, action)) {
        if status.actions.len() < MAX_ACTIONS {
            status.actions.push(action.clone());
        }
        tell(status, action.at, done_word(action.kind), format!("{} → {}", action.from, action.to));
    }
}

fn same_action(a: &ActionRecord, b: &ActionRecord) -> bool {
    a.kind == b.kind && a.incident == b.incident && a.from == b.from
}

fn bounded(text: &str, max: usize) -> String {
    crate::cluster::text::head(text, max).to_owned()
}

#[cfg(test)]
mod tests;
