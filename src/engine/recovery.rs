//! Whether going back helped: the baseline is waited for until it is at full strength for long enough, or a person is told.

use jiff::Timestamp;

use super::baseline::{self, Health, Settles};
use super::decide::{Draft, Look, close, record};
use super::decision::{Outcome, Progress};
use super::facts::{RevisionFacts, Snapshot};
use super::finding::Finding;
use super::guard;
use super::lifecycle;
use super::memory::{Intent, OpenIncident};
use super::moment::after;
use super::words::{Severity, State};

/// A roll-back after which the baseline has got no further for this long did not help. Seconds; the Deployment's own
/// progress deadline counts where it is longer.
const RECOVERY_SECONDS: i64 = 600;
/// However it gets on, it is at full strength after so many times that, or it did not help: pods that are made anew for
/// ever, or that come and go, are no progress.
const MOST_STEPS: i64 = 6;

/// Is the baseline back at full strength, and for long enough?
pub fn recovering(look: &Look, incident: &OpenIncident, intent: &Intent) -> Draft {
    let s = look.s;
    let acted = incident.acted.or_else(|| look.rollout.map(|r| r.since)).unwrap_or(look.now);
    if s.workload.replicas <= 0 {
        // Nobody asks for pods, so none can show whether it helped.
        return Draft { next_check: None, ..watching(incident, intent, look.now) };
    }
    match strength(look, intent) {
        Health::Stable { since, .. } => {
            let until = after(since.max(acted), s.policy.rollout.stable_seconds);
            match doubt(look, incident, intent, acted).filter(|until| *until > look.now) {
                Some(until) => in_between(look, incident, intent, until),
                None if until <= look.now => {
                    let because = format!("{} has run at full strength since {since}", intent.target.name);
                    close(incident, State::Stabilised, Outcome::Recovered, because)
                }
                None => watching(incident, intent, until),
            }
        }
        Health::Settling { until } => match doubt(look, incident, intent, acted) {
            Some(later) => in_between(look, incident, intent, until.max(later)),
            None => watching(incident, intent, until),
        },
        Health::NotReady => not_there(look, incident, intent, acted),
    }
}

/// The baseline is not at full strength: it is on its way there, or it does not get there.
fn not_there(look: &Look, incident: &OpenIncident, intent: &Intent, acted: Timestamp) -> Draft {
    let failing = failing(look, intent);
    let told = incident.is_ineffective();
    // Under a person's pause the controller does not go on, so nothing can show whether going back helped.
    if failing.is_none() && !told && lifecycle::is_paused_by_another(&look.s.workload, |name| *name == incident.name) {
        let why = format!("went back to {}; the Deployment is paused, and not by Backstay", intent.target.name);
        return Draft { why, next_check: None, ..watching(incident, intent, look.now) };
    }
    if let Some(again) = guard::asks_again(look.s, look.now).filter(|_| !told) {
        return watching(incident, intent, again);
    }
    let limit = runs_out(look, intent, acted);
    if failing.is_some() || limit <= look.now || told {
        return ineffective(incident, intent, failing);
    }
    watching(incident, intent, limit)
}

/// What the baseline fails with. A watch that lags still shows the failing revision as the newest.
pub fn failing<'a>(look: &'a Look, intent: &Intent) -> Option<&'a Finding> {
    look.weighed.findings.iter().find(|f| f.revision == intent.target.hash && f.sufficient)
}

/// A person was told that going back did not help, and the baseline fails, or pods of it have ended since it was gone back to:
/// until when it has to do well before that is over.
pub fn doubt(look: &Look, incident: &OpenIncident, intent: &Intent, acted: Timestamp) -> Option<Timestamp> {
    let target = target(look, intent).filter(|_| incident.is_ineffective())?;
    let ended = |exit: Timestamp| exit > acted;
    let has_ended =
        || look.s.pods.iter().any(|p| p.revision == target.uid && baseline::last_exit(p).is_some_and(ended));
    match baseline::settles(look.s, target) {
        Settles::At(until) if failing(look, intent).is_some() || has_ended() => Some(until),
        _ => None,
    }
}

/// It runs at present, as it does between its ends, and a person was told.
fn in_between(look: &Look, incident: &OpenIncident, intent: &Intent, until: Timestamp) -> Draft {
    Draft { next_check: Some(until), ..did_not_help(incident, intent, &what_fails(look, intent)) }
}

/// Why it is in doubt.
pub fn what_fails(look: &Look, intent: &Intent) -> String {
    let again = "its pods have ended, and have not run for long enough since then";
    failing(look, intent).map_or_else(|| again.to_owned(), told)
}

/// Until when a baseline that is not at full strength is waited for: a rollout may go in waves that take minutes each,
/// and counts anew with each pod that is made or becomes ready.
fn runs_out(look: &Look, intent: &Intent, acted: Timestamp) -> Timestamp {
    let s = look.s;
    // Where a freeze comes before it, its owner may have put the template back much later.
    let begun = look.rollout.map_or(acted, |r| r.since.max(acted));
    let last = after(begun, patience(s).saturating_mul(MOST_STEPS));
    let there = || s.pods.iter().filter(|p| !p.finished);
    let pods = there().filter(|p| p.revision == intent.target.uid && !p.deleting);
    let steps = pods.map(|p| p.ready_since.filter(|_| p.ready).map_or(p.created, |ready| ready.max(p.created)));
    let refused = target(look, intent).and_then(|r| r.replica_failure.as_ref()).filter(|f| f.status).map(|f| f.since);
    // Scaled up from zero, it has no pods at first, and nobody knows since when.
    if refused.is_none() && there().next().is_none() {
        return last;
    }
    let step = steps.chain(refused).chain(resumed(look)).max().map_or(begun, |at| at.max(begun));
    after(step, patience(s)).min(last)
}

/// When the controller went on after a pause, as far as its condition tells (pkg/controller/deployment/progress.go): it says
/// that it was resumed, and then how it gets on.
fn resumed(look: &Look) -> Option<Timestamp> {
    let condition = look.s.workload.progressing.as_ref()?;
    match &*condition.reason {
        "DeploymentPaused" | "DeploymentResumed" => Some(look.now),
        _ => Some(condition.since).filter(|_| condition.status),
    }
}

/// How long the baseline may take for the next step on its way to full strength. Seconds.
pub fn patience(s: &Snapshot) -> i64 {
    s.workload.progress_deadline_seconds.map_or(0, i64::from).max(RECOVERY_SECONDS)
}

/// The baseline's health, counted only when it is all there is.
fn strength(look: &Look, intent: &Intent) -> Health {
    let w = &look.s.workload;
    match target(look, intent) {
        Some(r) if r.available >= w.replicas && w.observed_generation >= w.generation && w.replicas > 0 => {
            baseline::health(look.s, r, look.now)
        }
        _ => Health::NotReady,
    }
}

/// The baseline, as long as it exists.
pub fn target<'a>(look: &Look<'a>, intent: &Intent) -> Option<&'a RevisionFacts> {
    look.s.revisions.iter().map(AsRef::as_ref).find(|r| r.uid == intent.target.uid)
}

pub fn watching(incident: &OpenIncident, intent: &Intent, next: Timestamp) -> Draft {
    Draft {
        state: State::Stabilising,
        why: format!("went back to {}; waiting until it has run at full strength long enough", intent.target.name),
        incident: record(incident, Severity::Critical, Progress::Recovering),
        baseline: Some(intent.target.clone()),
        next_check: Some(next),
        ..Draft::default()
    }
}

fn ineffective(incident: &OpenIncident, intent: &Intent, failing: Option<&Finding>) -> Draft {
    let what = failing.map_or_else(|| "it did not reach full strength in time".to_owned(), told);
    did_not_help(incident, intent, &what)
}

fn told(failing: &Finding) -> String {
    format!("{} of {} of its pods show {} ({})", failing.failing_pods, failing.total_pods, failing.class, failing.cause)
}

fn did_not_help(incident: &OpenIncident, intent: &Intent, what: &str) -> Draft {
    given_up(incident, intent, &format!("going back to {} did not help: {what}", intent.target.name))
}

pub fn given_up(incident: &OpenIncident, intent: &Intent, because: &str) -> Draft {
    Draft {
        state: State::Held,
        why: format!("{because}; Backstay never goes on to older revisions, a person is needed"),
        incident: record(incident, Severity::Critical, Progress::Ineffective),
        baseline: Some(intent.target.clone()),
        ..Draft::default()
    }
}
