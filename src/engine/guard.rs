//! The guards: everything that must agree before a workload is touched, asked in order. Each no has a reason that is
//! part of the API, a sentence, and where possible the time at which to ask again.
//!
//! A `Permit` can be made here only, so an action that skipped the guards does not compile.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::baseline::Missing;
use super::baseline_guard;
use super::decision::{Refusal, Verdict};
use super::facts::{Name, RevisionFacts, Snapshot};
use super::finding::Finding;
use super::freeze::{self, Step};
use super::hazard;
use super::judge::plural;
use super::lifecycle;
use super::memory::{ApprovalVerdict, INTENT_SECONDS, Intent, OpenIncident, RevisionRef};
use super::moment::after;
use super::policy::{ApprovalNeed, GitOpsPolicy, Mode, RuleAction};
use super::rollout::{self, Rollout};
use super::tried::{self, changes_template};
use super::words::{ActionKind, Fault, RefusalReason};

/// Data older than this is not acted on. Watches prove to be alive more often than this.
pub const MAX_DATA_AGE_SECONDS: i64 = 60;
/// How soon old data is looked at again: no watch tells that the watches are alive. Seconds.
const OLD_DATA_SECONDS: i64 = 5;

const PAUSED: &str = "the Deployment is paused, and not by Backstay";
const OPTED_OUT: &str = "the Deployment carries backstay.dev/ignore: \"true\"";

/// Proof that every guard agreed to exactly this intent.
#[derive(Debug, PartialEq, Serialize)]
pub struct Permit {
    intent: Intent,
}

impl Permit {
    pub fn intent(&self) -> &Intent {
        &self.intent
    }
}

/// What the guards are asked about.
pub struct Case<'a> {
    pub s: &'a Snapshot,
    pub rollout: &'a Rollout<'a>,
    pub verdict: &'a Verdict,
    pub findings: &'a [Finding],
    /// When the failure began.
    pub onset: Timestamp,
    pub rule: &'a str,
    pub wanted: RuleAction,
    pub target: Result<&'a RevisionFacts, Missing>,
    /// The open incident on the failing revision, if there is one.
    pub incident: Option<&'a OpenIncident>,
}

type Guard = fn(&Case, Timestamp) -> Option<Refusal>;

/// The guards of a roll-back or freeze, in the order of their reasons.
const GUARDS: [Guard; 20] = [
    deleting,
    paused,
    scaled_to_zero,
    stale_status,
    opted_out,
    owned_by_other,
    data_too_old,
    no_rollout_in_window,
    fault_not_revision,
    storm,
    baseline_guard::is_missing,
    baseline_guard::would_not_run,
    hazard::refuses,
    git_ops_managed,
    tried::refuses,
    rule_says_hold,
    cooldown,
    too_many_rollbacks,
    awaiting_approval,
    observe_only,
];

/// A pause is undone by itself, so it needs neither approval nor budget.
const PAUSE_GUARDS: [Guard; 15] = [
    deleting,
    paused,
    scaled_to_zero,
    stale_status,
    opted_out,
    owned_by_other,
    data_too_old,
    no_rollout_in_window,
    fault_not_revision,
    storm,
    baseline_guard::is_missing,
    git_ops_managed,
    tried::refuses,
    rule_says_hold,
    observe_only,
];

/// Asks every guard; the first no is the answer.
pub fn check(case: &Case, now: Timestamp) -> Result<Permit, Refusal> {
    permit(case, &GUARDS, kind(case), now)
}

/// The same for the pause that holds a rollout while evidence gathers.
pub fn check_pause(case: &Case, now: Timestamp) -> Result<Permit, Refusal> {
    permit(case, &PAUSE_GUARDS, ActionKind::Pause, now).map_err(|refusal| match refusal.reason {
        RefusalReason::ObserveOnly => {
            no(refusal.reason, &format!("{}; it would have paused the rollout", case.s.policy.why_it_observes()))
        }
        _ => refusal,
    })
}

/// A freeze takes more than one write. What was permitted and begun may be completed, as long as the workload still
/// is the one it was begun on.
pub fn check_continue(s: &Snapshot, intent: &Intent, now: Timestamp) -> Result<Permit, Refusal> {
    let w = &s.workload;
    if let Some(refusal) = is_deleting(s).or_else(|| is_opted_out(s)) {
        return Err(refusal);
    }
    if lifecycle::is_paused_by_another(w, |name| s.memory.open.iter().any(|i| i.name == *name)) {
        return Err(no(RefusalReason::Paused, PAUSED));
    }
    if let Some(refusal) = too_old(s, now) {
        return Err(refusal);
    }
    if s.policy.mode == Mode::Observe {
        return Err(no(
            RefusalReason::ObserveOnly,
            &format!("{}; what was begun is left as it is", s.policy.why_it_observes()),
        ));
    }
    let intent = Intent { generation: w.generation, deadline: after(now, INTENT_SECONDS), ..intent.clone() };
    Ok(Permit { intent })
}

/// The guards that ask about the workload alone, in their order; where its template has no ReplicaSet there is no revision to
/// ask about.
pub fn check_workload(s: &Snapshot, now: Timestamp) -> Option<Refusal> {
    let w = &s.workload;
    let paused = || lifecycle::is_paused_by_another(w, |name| s.memory.open.iter().any(|i| i.name == *name));
    is_deleting(s)
        .or_else(|| paused().then(|| no(RefusalReason::Paused, PAUSED)))
        .or_else(|| is_at_zero(s))
        .or_else(|| is_opted_out(s))
        .or_else(|| is_owned(s))
        .or_else(|| too_old(s, now))
        .or_else(|| storms(s))
}

/// Why not even our own pause may be ended: whoever asked for no writes meant all of them.
pub fn forbids_resume(s: &Snapshot) -> Option<(RefusalReason, &'static str)> {
    match (s.workload.opted_out, s.policy.mode) {
        (true, _) => Some((RefusalReason::OptedOut, OPTED_OUT)),
        (false, Mode::Observe) => Some((RefusalReason::ObserveOnly, s.policy.why_it_observes())),
        (false, Mode::Enforce) => None,
    }
}

/// When old data may be fresh again: until then time alone neither proves nor ends anything.
pub fn asks_again(s: &Snapshot, now: Timestamp) -> Option<Timestamp> {
    too_old(s, now).and_then(|refusal| refusal.next_look)
}

/// What an approval must name to count for this decision.
pub fn decision_key(kind: ActionKind, failing: &str, target: &str) -> String {
    format!("{kind}/{failing}/{target}")
}

fn permit(case: &Case, guards: &[Guard], kind: ActionKind, now: Timestamp) -> Result<Permit, Refusal> {
    if let Some(refusal) = guards.iter().find_map(|guard| guard(case, now)) {
        return Err(refusal);
    }
    // The guard on the baseline has already refused a missing one.
    let Ok(target) = case.target else { return Err(no(RefusalReason::NoBaseline, "there is no baseline")) };
    let freezes = kind == ActionKind::Freeze;
    let mut intent = Intent {
        kind,
        target: reference(target),
        failing: reference(case.rollout.newest),
        generation: case.s.workload.generation,
        deadline: after(now, INTENT_SECONDS),
        attempt: tried::begun_before(case).filter(|_| freezes).map_or(1, |i| freeze::next_attempt(case.s, i)),
        puts_back: false,
    };
    let held = case.incident.is_some_and(|i| lifecycle::is_held(case.s, i));
    intent.puts_back = freezes && freeze::step(case.s, &intent, held) == Step::PutBack;
    Ok(Permit { intent })
}

/// A ReplicaSet as it is written into incidents.
pub fn reference(revision: &RevisionFacts) -> RevisionRef {
    RevisionRef { name: revision.name.clone(), uid: revision.uid.clone(), hash: revision.hash.clone() }
}

/// A roll-back becomes a freeze where somebody else owns the template, or where it may not fit the schema.
pub fn kind(case: &Case) -> ActionKind {
    let owned = case.s.workload.gitops.is_some();
    match case.wanted {
        RuleAction::Freeze => ActionKind::Freeze,
        _ if owned && case.s.policy.guards.git_ops == GitOpsPolicy::Freeze => ActionKind::Freeze,
        _ if hazard::matters(case).is_some() => ActionKind::Freeze,
        _ => ActionKind::RollBack,
    }
}

fn deleting(case: &Case, _: Timestamp) -> Option<Refusal> {
    is_deleting(case.s)
}

fn is_deleting(s: &Snapshot) -> Option<Refusal> {
    s.workload.deleting.then(|| no(RefusalReason::Deleting, "the Deployment is being deleted"))
}

fn paused(case: &Case, _: Timestamp) -> Option<Refusal> {
    let by_another =
        lifecycle::is_paused_by_another(&case.s.workload, |name| case.incident.is_some_and(|i| i.name == *name));
    by_another.then(|| no(RefusalReason::Paused, PAUSED))
}

fn scaled_to_zero(case: &Case, _: Timestamp) -> Option<Refusal> {
    is_at_zero(case.s)
}

fn is_at_zero(s: &Snapshot) -> Option<Refusal> {
    (s.workload.replicas <= 0)
        .then(|| no(RefusalReason::ScaledToZero, "the Deployment is scaled to zero, which proves nothing"))
}

fn stale_status(case: &Case, _: Timestamp) -> Option<Refusal> {
    let w = &case.s.workload;
    let behind = w.observed_generation < w.generation
        || (rollout::is_unrolled(case.s) && !case.incident.is_some_and(|i| lifecycle::is_restart(case.s, i)));
    behind.then(|| {
        let because = if w.observed_generation < w.generation {
            format!("generation {} is not observed yet, status is of {}", w.generation, w.observed_generation)
        } else {
            "the present template has no ReplicaSet yet".to_owned()
        };
        no(RefusalReason::StaleStatus, &because)
    })
}

fn opted_out(case: &Case, _: Timestamp) -> Option<Refusal> {
    is_opted_out(case.s)
}

fn is_opted_out(s: &Snapshot) -> Option<Refusal> {
    s.workload.opted_out.then(|| no(RefusalReason::OptedOut, OPTED_OUT))
}

fn owned_by_other(case: &Case, _: Timestamp) -> Option<Refusal> {
    is_owned(case.s)
}

fn is_owned(s: &Snapshot) -> Option<Refusal> {
    let owner = s.workload.owned_by.as_ref()?;
    Some(no(RefusalReason::OwnedByOther, &format!("{owner} controls the Deployment's rollouts")))
}

fn data_too_old(case: &Case, now: Timestamp) -> Option<Refusal> {
    too_old(case.s, now)
}

/// What is known may be wrong by now, so nothing follows from it.
pub fn too_old(s: &Snapshot, now: Timestamp) -> Option<Refusal> {
    let age = s.data_age_seconds;
    (age > MAX_DATA_AGE_SECONDS).then(|| Refusal {
        reason: RefusalReason::DataTooOld,
        because: format!("no sign of life from the API server's watches for {age} s"),
        next_look: Some(after(now, OLD_DATA_SECONDS)),
    })
}

fn no_rollout_in_window(case: &Case, _: Timestamp) -> Option<Refusal> {
    (!rollout::covers(case.rollout, case.s, case.onset)).then(|| {
        let because = format!(
            "the failure began at {}, outside the rollout of {} and the {} s after it",
            case.onset, case.rollout.since, case.s.policy.rollout.watch_seconds
        );
        no(RefusalReason::NoRolloutInWindow, &because)
    })
}

fn fault_not_revision(case: &Case, _: Timestamp) -> Option<Refusal> {
    let v = case.verdict;
    // That nothing material changed is all that is known then, and the guard on the baseline, which never lets it
    // pass, has the better word for it.
    let unchanged = v.fault == Fault::Unknown && case.target == Err(Missing::EqualsCurrent);
    (!v.blames_the_revision() && !unchanged).then(|| is_of_others(v))
}

/// The revision is not at fault, as far as is known.
pub fn is_of_others(v: &Verdict) -> Refusal {
    no(RefusalReason::FaultNotRevision, &format!("fault {}, {}: {}", v.fault, v.confidence, v.because))
}

fn storm(case: &Case, _: Timestamp) -> Option<Refusal> {
    storms(case.s)
}

fn storms(s: &Snapshot) -> Option<Refusal> {
    let parent = s.fleet.storm.as_ref()?;
    let because = format!(
        "{} of {} watched workloads began to fail at once, or too many nodes are not ready; see incident {parent}",
        s.fleet.newly_failing, s.fleet.watched
    );
    Some(no(RefusalReason::Storm, &because))
}

fn git_ops_managed(case: &Case, _: Timestamp) -> Option<Refusal> {
    let owner = case.s.workload.gitops?;
    (case.s.policy.guards.git_ops == GitOpsPolicy::Hold)
        .then(|| no(RefusalReason::GitOpsManaged, &format!("{owner} owns the template; revert the commit there")))
}

fn rule_says_hold(case: &Case, _: Timestamp) -> Option<Refusal> {
    (case.wanted == RuleAction::Hold)
        .then(|| no(RefusalReason::RuleSaysHold, &format!("rule {} says to hold", case.rule)))
}

fn cooldown(case: &Case, now: Timestamp) -> Option<Refusal> {
    let last = case.s.memory.actions.iter().filter(|a| changes_template(a.kind)).map(|a| a.at).max()?;
    let over = after(last, case.s.policy.guards.cooldown_seconds);
    (now < over).then(|| Refusal {
        reason: RefusalReason::Cooldown,
        because: format!("the last action was at {last}; the next may follow at {over}"),
        next_look: Some(over),
    })
}

fn too_many_rollbacks(case: &Case, now: Timestamp) -> Option<Refusal> {
    let g = &case.s.policy.guards;
    let ends = |at: &Timestamp| after(*at, g.window_seconds);
    // A freeze takes a roll-back with it where the rollout was complete; that is one action, not two.
    let mut recent: BTreeMap<&Name, Timestamp> = BTreeMap::new();
    for action in case.s.memory.actions.iter().filter(|a| changes_template(a.kind) && ends(&a.at) > now) {
        let at = recent.entry(&action.incident).or_insert(action.at);
        *at = action.at.max(*at);
    }
    let count = u32::try_from(recent.len()).unwrap_or(u32::MAX);
    (count >= g.max_rollbacks).then(|| Refusal {
        reason: RefusalReason::TooManyRollbacks,
        because: format!("{} within {} s; a person should look first", plural(count, "action"), g.window_seconds),
        next_look: recent.values().min().map(ends),
    })
}

fn awaiting_approval(case: &Case, _: Timestamp) -> Option<Refusal> {
    let kind = kind(case);
    let needed = match case.s.policy.guards.approval {
        ApprovalNeed::Never => false,
        ApprovalNeed::ForRollBack => kind == ActionKind::RollBack,
        ApprovalNeed::Always => true,
    };
    if !needed {
        return None;
    }
    let target = case.target.ok()?;
    let key = decision_key(kind, &case.rollout.newest.hash, &target.hash);
    let approval = case.incident.and_then(|i| i.approval.as_ref());
    match approval {
        Some(a) if a.verdict == ApprovalVerdict::Deny => {
            Some(no(RefusalReason::AwaitingApproval, &format!("{} denied {key}", a.by)))
        }
        Some(a) if a.decision.as_ref().is_none_or(|d| d == &key) => None,
        Some(_) => {
            Some(no(RefusalReason::AwaitingApproval, &format!("the approval was for another decision than {key}")))
        }
        None => Some(no(RefusalReason::AwaitingApproval, &format!("the policy asks a person to approve {key}"))),
    }
}

fn observe_only(case: &Case, _: Timestamp) -> Option<Refusal> {
    let target = case.target.ok()?;
    (case.s.policy.mode == Mode::Observe).then(|| {
        let would = match kind(case) {
            ActionKind::Freeze => "frozen on",
            _ => "rolled back to",
        };
        no(
            RefusalReason::ObserveOnly,
            &format!("{}; it would have {would} {}", case.s.policy.why_it_observes(), target.name),
        )
    })
}

pub fn no(reason: RefusalReason, because: &str) -> Refusal {
    Refusal { reason, because: because.to_owned(), next_look: None }
}
