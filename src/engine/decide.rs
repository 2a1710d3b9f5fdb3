//! The decision, read top down: classify, weigh, attribute, ask the guards, say what follows.

use jiff::Timestamp;

use super::attribute;
use super::baseline::{self, Health, Ledger};
use super::broken;
use super::classify;
use super::decision::{Action, Decision, IncidentStep, Outcome, Progress, Refusal, Verdict};
use super::evidence::{self, Weighed};
use super::facts::Snapshot;
use super::guard;
use super::hazard;
use super::hold;
use super::judge;
use super::lifecycle::{self, Stage};
use super::memory::{CurrentRevision, OpenIncident, RevisionRef};
use super::moment::{after, earliest};
use super::recovery;
use super::rollout::{self, Rollout};
use super::unrolled;
use super::words::{Class, RefusalReason, Severity, State};

/// How long until something is looked at again that no watch of the workload's own objects tells of. Seconds.
const LOOK_AGAIN_SECONDS: i64 = 300;

/// Why our own pause ends at a person's word.
pub const ASKED: &str = "a person asked to resume";

/// Everything that one look at a workload yields before it is decided what follows.
pub struct Look<'a> {
    pub s: &'a Snapshot,
    pub now: Timestamp,
    pub rollout: Option<Rollout<'a>>,
    pub ledger: Ledger,
    pub weighed: Weighed,
}

/// What follows, before it is put together with what was seen.
#[derive(Debug, Default)]
pub struct Draft {
    pub state: State,
    pub why: String,
    pub action: Option<Action>,
    pub refusal: Option<Refusal>,
    pub verdict: Option<Verdict>,
    pub incident: IncidentStep,
    pub template_returned: bool,
    pub baseline: Option<RevisionRef>,
    pub next_check: Option<Timestamp>,
}

/// Decides what to do about a workload. Pure and total: the same snapshot and moment give the same decision.
pub fn decide(s: &Snapshot, now: Timestamp) -> Decision {
    let rollout = rollout::current(s, now);
    let symptoms = classify::classify(s, now);
    let weighed = evidence::weigh(s, &symptoms, rollout.as_ref(), now);
    let ledger = baseline::update(s, rollout.as_ref(), &weighed.findings, now);
    let mut look = Look { s, now, rollout, ledger, weighed };
    let draft = match lifecycle::stage(s, look.rollout.as_ref()) {
        Stage::Judging(incident) => judge::judge(&mut look, incident),
        Stage::Suspended(incident) => judge::suspended(&mut look, incident),
        Stage::Recovering(incident, intent) => recovery::recovering(&look, incident, intent),
        Stage::Freezing(incident, intent) => hold::freezing(&look, incident, intent),
        Stage::Frozen(incident, intent) => hold::frozen(&look, incident, intent),
        Stage::Reverted(incident, intent) => hold::reverted(incident, intent),
        Stage::Resumed(incident) => close(incident, State::Progressing, Outcome::Superseded, ASKED.to_owned()),
        Stage::Retaken(incident) => retaken(&look, incident, taken_back(incident)),
        Stage::Superseded(incident) => superseded(&look, incident),
    };
    let draft = hold::where_allowed(s, draft, now);
    conclude(look, draft)
}

fn conclude(mut look: Look, draft: Draft) -> Decision {
    let ledger = std::mem::take(&mut look.ledger.entries);
    let ledger = hazard::remember(ledger, look.s, look.rollout.as_ref(), look.now);
    let ledger = broken::remember(ledger, &look, &draft);
    let Look { s, now, rollout, ledger: Ledger { next_look, .. }, weighed } = look;
    let refused = draft.refusal.as_ref().and_then(|r| r.next_look);
    let elsewhere = lies_elsewhere(&weighed, draft.refusal.as_ref()).then(|| after(now, LOOK_AGAIN_SECONDS));
    let next = [next_look, weighed.next_look, refused, elsewhere].into_iter().fold(draft.next_check, earliest);
    let failing_since = weighed.findings.iter().filter(|f| f.is_evident()).map(|f| f.spread.began).min();
    let evident_since = weighed.evident_since;
    let current = match (&rollout, rollout::is_unrolled(s)) {
        (Some(r), false) => Some(CurrentRevision { hash: r.newest.hash.clone(), since: r.since }),
        _ => s.memory.current.clone(),
    };
    let baseline = draft.baseline.or_else(|| {
        let r = rollout.as_ref()?;
        baseline::last_healthy(s, r, &ledger).ok().map(guard::reference)
    });
    let ledger = attribute::remember_crashes(ledger, &weighed.findings, now);
    Decision {
        state: draft.state,
        why: draft.why,
        newest: rollout.as_ref().map(|r| guard::reference(r.newest)),
        baseline,
        findings: weighed.findings,
        verdict: draft.verdict,
        action: draft.action,
        refusal: draft.refusal,
        incident: draft.incident,
        template_returned: draft.template_returned,
        ledger,
        current,
        failing_since,
        evident_since,
        // Times are cut to seconds on the way through objects: looking a moment later spares a look in vain.
        next_check: next.map(|at| at.max(after(now, 1))),
    }
}

/// What was decided rests on what is not the workload's own, such as a node, a neighbour or an object that the baseline
/// needs: no watch wakes the workload when that changes. Where nothing fails nothing rests on it.
fn lies_elsewhere(weighed: &Weighed, refusal: Option<&Refusal>) -> bool {
    let reasons = [RefusalReason::FaultNotRevision, RefusalReason::BaselineWouldNotRun];
    refusal.is_some_and(|r| reasons.contains(&r.reason)) || weighed.findings.iter().any(|f| f.class == Class::NodeLost)
}

/// Another writer put the failing template back. Fighting over it would make things worse; a person is told.
pub fn retaken(look: &Look, incident: &OpenIncident, because: String) -> Draft {
    if let Some(r) = look.rollout.filter(|r| r.complete)
        && let Health::Stable { .. } = baseline::health(look.s, r.newest, look.now)
    {
        let because = format!("{} works by now", incident.failing.name);
        return close(incident, State::Healthy, Outcome::Superseded, because);
    }
    Draft {
        state: State::Held,
        why: format!("{because}; it is not fought over"),
        refusal: Some(Refusal { reason: RefusalReason::AlreadyTried, because, next_look: None }),
        incident: record(incident, Severity::Critical, Progress::Retaken),
        ..Draft::default()
    }
}

fn taken_back(incident: &OpenIncident) -> String {
    format!("another writer put the template of {} back after Backstay had acted", incident.failing.name)
}

/// Somebody shipped another template: it starts clean, and what Backstay held still is let go.
pub fn superseded(look: &Look, incident: &OpenIncident) -> Draft {
    let w = &look.s.workload;
    if w.paused && w.paused_for.as_ref() == Some(&incident.name) {
        let because = put_back(look, incident).unwrap_or_else(|| "a new template arrived".to_owned());
        return resume(incident, &because, Outcome::Superseded);
    }
    let taken = match (unrolled::is_about(incident), rollout::is_refused(look.s)) {
        (true, _) => "the Deployment's template has a ReplicaSet now",
        (false, true) => "a new template arrived, whose ReplicaSet the API server refuses",
        (false, false) => "a new template took over",
    };
    let because = put_back(look, incident).unwrap_or_else(|| taken.to_owned());
    close(incident, State::Progressing, Outcome::Superseded, because)
}

/// The template is not new: it is one from before the failing one.
fn put_back(look: &Look, incident: &OpenIncident) -> Option<String> {
    let newest = look.rollout.map(|r| r.newest).filter(|_| !rollout::is_unrolled(look.s))?;
    let failing = look.s.revisions.iter().find(|r| r.uid == incident.failing.uid)?;
    (newest.created < failing.created).then(|| template_put_back(&newest.name))
}

/// Whoever owns the template went back to one that was there before.
pub fn template_put_back(revision: &str) -> String {
    format!("the template of {revision} was put back")
}

/// Undoes our own pause and closes the incident.
pub fn resume(incident: &OpenIncident, because: &str, outcome: Outcome) -> Draft {
    let mut draft = close(incident, State::Progressing, outcome, because.to_owned());
    draft.action = Some(lets_go(incident, because));
    draft
}

/// The action that ends our own pause.
pub fn lets_go(incident: &OpenIncident, because: &str) -> Action {
    Action::Resume { incident: incident.name.clone(), because: because.to_owned(), overrules: false }
}

/// Scaled to zero before the incident was over. That no pod fails any more mends nothing, so it stays open.
pub fn nothing_runs(incident: &OpenIncident) -> Draft {
    let because = "scaled to zero: nothing runs that could show whether the failure is mended";
    Draft {
        state: State::Held,
        why: because.to_owned(),
        refusal: Some(guard::no(RefusalReason::ScaledToZero, because)),
        incident: record(incident, Severity::Warning, Progress::Held),
        ..Draft::default()
    }
}

pub fn close(incident: &OpenIncident, state: State, outcome: Outcome, because: String) -> Draft {
    Draft {
        state,
        why: because.clone(),
        incident: IncidentStep::Close { name: incident.name.clone(), outcome, because },
        ..Draft::default()
    }
}

pub fn record(incident: &OpenIncident, severity: Severity, progress: Progress) -> IncidentStep {
    IncidentStep::Record {
        name: incident.name.clone(),
        failing: incident.failing.clone(),
        episode: incident.episode,
        severity,
        progress,
    }
}
