//! What a scenario's snapshot shows, and what holds for every decision whatever the scenario.

use std::collections::BTreeSet;

use backstay::engine::blast_radius::{self, BlastRadius, Scene};
use backstay::engine::change::told::{self, WhatChanged};
use backstay::engine::decide::decide;
use backstay::engine::decision::{Action, Decision, IncidentStep, Progress};
use backstay::engine::facts::Snapshot;
use backstay::engine::first_signal::{self, FirstSignal};
use backstay::engine::knowledge;
use backstay::engine::memory::LedgerEntry;
use backstay::engine::policy::Mode;
use backstay::engine::words::{Class, Sureness};
use backstay::engine::{rollout, surroundings};
use jiff::Timestamp;
use serde::Serialize;

/// Every step but the last in short, and the last decision whole.
#[derive(Default, Serialize)]
pub struct Report {
    /// The classes and refusals of all steps.
    #[serde(skip)]
    pub words: BTreeSet<&'static str>,
    /// The classes of findings that name a container.
    #[serde(skip)]
    pub of_containers: BTreeSet<Class>,
    steps: Vec<StepReport>,
    decision: Option<Decision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what_changed: Option<WhatChanged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blast_radius: Option<BlastRadius>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_signal: Option<FirstSignal>,
}

#[derive(Serialize)]
struct StepReport {
    at: Timestamp,
    says: String,
    why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_check: Option<Timestamp>,
}

impl Report {
    pub fn add(&mut self, at: Timestamp, says: String, decision: Decision, applied: Option<&'static str>) {
        let findings = decision.findings.iter();
        self.words.extend(findings.flat_map(|f| [<&'static str>::from(f.class), <&'static str>::from(f.cause)]));
        let of_containers = decision.findings.iter().filter(|finding| finding.container.is_some());
        self.of_containers.extend(of_containers.map(|finding| finding.class));
        self.words.extend(decision.refusal.iter().map(|refusal| <&'static str>::from(refusal.reason)));
        self.steps.push(StepReport { at, says, why: decision.why.clone(), applied, next_check: decision.next_check });
        self.decision = Some(decision);
        // That a revision is known and nothing else tells a reader nothing.
        let dated = |entry: &LedgerEntry| entry.healthy_since.is_some() || entry.failed_at.is_some();
        let tells = |entry: &LedgerEntry| dated(entry) || entry.broken_at.is_some() || entry.migration.is_some();
        self.decision.iter_mut().for_each(|decision| decision.ledger.retain(tells));
    }

    /// The findings of the last decision, as a scenario's `finds` names them.
    pub fn found(&self) -> Vec<String> {
        let findings = self.decision.iter().flat_map(|decision| &decision.findings);
        findings.map(|finding| format!("{}/{}", finding.class, finding.cause)).collect()
    }

    /// What the incident would tell, as far as no other objects are looked at.
    pub fn tell(&mut self, s: &Snapshot, decision: &Decision, now: Timestamp) {
        let findings = &decision.findings;
        let lead = findings.iter().find(|f| f.is_evident());
        let baseline = surroundings::compared(s, decision, now).and_then(|(_, baseline)| baseline);
        let baseline = baseline.as_ref().map(|b| &*b.uid);
        let Some(rollout) = rollout::current(s, now) else { return };
        let subject = told::Subject { failing: rollout.newest, since: rollout.since, baseline };
        self.what_changed = Some(told::tell(s, &subject, lead, (Vec::new(), Vec::new()), now));
        self.blast_radius = Some(blast_radius::assess(s, blast_radius::replicas(s, findings), Scene::default()));
        let signals = first_signal::of_all(s, (rollout.newest, rollout.since), findings);
        self.first_signal = first_signal::earliest(signals, now);
    }
}

/// The decision in a few words: `RollBack to v1`, `Freeze on v1`, `Pause`, `Resume`, `Close Recovered`,
/// `Refuse Cooldown`, `Retaken`, or just the state.
pub fn summary(decision: &Decision) -> String {
    let action = match &decision.action {
        Some(Action::RollBack(permit)) => Some(format!("RollBack to {}", permit.intent().target.hash)),
        Some(Action::Freeze(permit)) => Some(format!("Freeze on {}", permit.intent().target.hash)),
        Some(Action::Pause(_)) => Some("Pause".to_owned()),
        Some(Action::Resume { .. }) => Some("Resume".to_owned()),
        None => None,
    };
    let incident = match &decision.incident {
        IncidentStep::Close { outcome, .. } => Some(format!("Close {outcome}")),
        IncidentStep::Record { progress: Progress::Held, .. } | IncidentStep::None => None,
        IncidentStep::Record { progress, .. } => Some(format!("{progress:?}")),
    };
    let refusal = decision.refusal.as_ref().map(|r| format!("Refuse {}", r.reason));
    match (action, incident) {
        (Some(action), _) => action,
        (None, Some(incident)) if incident.starts_with("Close") || refusal.is_none() || incident == "Retaken" => {
            incident
        }
        _ => refusal.unwrap_or_else(|| decision.state.to_string()),
    }
}

/// The same facts in any order give the same decision, the next look is to come, nothing is written to a workload that is
/// only observed or that was opted out, and a finding is counted as thresholds of rules on it may say, and of a container
/// where rules on it may name one.
pub fn holds_for_every_decision(s: &Snapshot, decision: &Decision, now: Timestamp, context: &str) {
    let mut turned = s.clone();
    turned.pods.reverse();
    turned.revisions.reverse();
    turned.nodes.own.reverse();
    assert_eq!(&decide(&turned, now), decision, "{context}: order matters");
    assert!(decision.next_check.is_none_or(|next| next > now), "{context}: {:?}", decision.next_check);
    let untouchable = s.policy.mode == Mode::Observe || s.workload.opted_out;
    assert!(decision.action.is_none() || !untouchable, "{context}: acts on what it must not touch");
    for finding in &decision.findings {
        let counted = matches!(finding.sureness, Sureness::Counted | Sureness::Repeated | Sureness::Flapping);
        let may_show = knowledge::may_show(finding.class, finding.cause, finding.sureness);
        assert!(may_show || !counted, "{context}: policies refuse a threshold that this has: {finding:?}");
        let may_name_one = knowledge::may_be_of_a_container(finding.class, finding.cause);
        assert!(may_name_one || finding.container.is_none(), "{context}: policies refuse its container: {finding:?}");
    }
}
