//! What a `WorkloadHealth` should say after a decision, and when that is worth a write.
//!
//! A state that passes by itself within a minute is in the incident and nowhere else; what lasts, and what must be
//! remembered, is written.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, OwnerReference};
use kube::core::ObjectMeta;

use crate::api::condition::{self, Wanted};
use crate::api::{WorkloadHealth, WorkloadHealthSpec, WorkloadHealthStatus};
use crate::engine::baseline::is_healthy;
use crate::engine::broken::is_broken;
use crate::engine::decision::{Decision, IncidentStep};
use crate::engine::facts::{Name, Snapshot, WorkloadFacts};
use crate::engine::judge::SCALED_TO_ZERO;
use crate::engine::memory::{ActionRecord, LedgerEntry, Migration, OpenIncident, RevisionRef};
use crate::engine::moment::after;
use crate::engine::words::{ActionKind, State};

/// A state that has lasted this long is written even if it may still pass. Seconds.
const PASSING_SECONDS: i64 = 60;
/// A crash of the baseline's pods is written again only when it is so much later than the one that is written: it
/// still speaks about a failure for twice as long. Seconds.
const CRASH_SECONDS: i64 = 300;
/// Actions kept.
const MAX_ACTIONS: usize = 32;

/// Whether to write now.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    /// It says what it should, or there is nothing to remember yet.
    No,
    Now,
    /// It differs in something that may pass by itself.
    At(Timestamp),
}

/// The status that the decision calls for.
pub fn wanted(
    s: &Snapshot,
    decision: &Decision,
    before: Option<&WorkloadHealthStatus>,
    now: Timestamp,
) -> WorkloadHealthStatus {
    let mut status = WorkloadHealthStatus {
        state: decision.state,
        why: crate::cluster::text::head(&said(s, decision), 1024).to_owned(),
        policy: s.policy.reference.to_string(),
        refusal: decision.refusal.clone(),
        incident: incident(decision).map(str::to_owned),
        baseline: last_healthy(s, &decision.ledger),
        current: decision.current.clone(),
        ledger: decision.ledger.clone(),
        actions: actions(s),
        conditions: before.map(|b| b.conditions.clone()).unwrap_or_default(),
    };
    set_conditions(&mut status.conditions, s, decision, now);
    status
}

/// Compares what is remembered with what should be.
pub fn due(
    before: Option<&WorkloadHealthStatus>,
    after_: &WorkloadHealthStatus,
    differs_since: Option<Timestamp>,
    now: Timestamp,
) -> Due {
    let blank = WorkloadHealthStatus::default();
    let seen = before.unwrap_or(&blank);
    let nothing_yet = before.is_none() && after_.ledger.is_empty() && passes(after_.state);
    // Of a workload that is let go people are no longer alarmed; and where no policy governs it, it is looked at no more.
    let let_go = says_frozen(seen) && !says_frozen(after_);
    if crashed(seen, after_) || let_go {
        return Due::Now;
    }
    if nothing_yet || same(seen, after_) {
        return Due::No;
    }
    if !passes(after_.state)
        && (seen.state != after_.state
            || seen.refusal.as_ref().map(|r| r.reason) != after_.refusal.as_ref().map(|r| r.reason)
            || seen.incident != after_.incident
            || says_frozen(seen) != says_frozen(after_)
            || says_zero(seen) != says_zero(after_))
    {
        return Due::Now;
    }
    if proves_more(seen, after_) || seen.policy != after_.policy {
        return Due::Now;
    }
    let until = after(differs_since.unwrap_or(now), PASSING_SECONDS);
    if until <= now { Due::Now } else { Due::At(until) }
}

/// The object, owned by its Deployment and deleted with it.
pub fn object(w: &WorkloadFacts) -> WorkloadHealth {
    let owner = OwnerReference {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        name: w.name.to_string(),
        uid: w.uid.to_string(),
        controller: None,
        block_owner_deletion: None,
    };
    let metadata = ObjectMeta {
        name: Some(w.name.to_string()),
        namespace: Some(w.namespace.to_string()),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    };
    WorkloadHealth { metadata, spec: WorkloadHealthSpec { workload_uid: w.uid.to_string() }, status: None }
}

/// The state usually passes within a minute: a rollout goes on, evidence gathers, an action takes hold.
fn passes(state: State) -> bool {
    match state {
        State::Progressing | State::Suspect | State::Failing | State::Stabilising | State::Unknown => true,
        State::Healthy | State::Held | State::Stabilised => false,
    }
}

/// What people and guards read is the same; a recovery that left everything as it was is no difference.
fn same(a: &WorkloadHealthStatus, b: &WorkloadHealthStatus) -> bool {
    let state = |s: State| if s == State::Stabilised { State::Healthy } else { s };
    let refusal = |s: &WorkloadHealthStatus| s.refusal.as_ref().map(|r| (r.reason, r.because.clone()));
    // Of healthy workloads there are but two things to say.
    let other_word = a.state == State::Healthy && b.state == State::Healthy && a.why != b.why;
    state(a.state) == state(b.state)
        && !other_word
        && a.policy == b.policy
        && refusal(a) == refusal(b)
        && a.incident == b.incident
        && a.baseline == b.baseline
        && says_frozen(a) == says_frozen(b)
        && says_zero(a) == says_zero(b)
        && !proves_more(a, b)
        && noted(a).eq(noted(b))
}

/// What keeps revisions from being gone back to: that one was seen to fail, and that a schema was migrated with one.
fn noted(status: &WorkloadHealthStatus) -> impl Iterator<Item = (&Name, bool, bool, Option<&Migration>)> {
    let notes = status.ledger.iter().map(|e| (&e.uid, is_broken(e), e.troubled, e.migration.as_ref()));
    notes.filter(|(_, broken, _, migration)| *broken || migration.is_some())
}

fn says_frozen(status: &WorkloadHealthStatus) -> bool {
    condition::is_true(&status.conditions, "Frozen")
}

/// Nothing is asked for, so nothing fails, and nothing is proven.
fn says_zero(status: &WorkloadHealthStatus) -> bool {
    status.why == SCALED_TO_ZERO
}

/// A revision is healthy that was not known to be, or its first pods were timed. That a known one has proven itself once
/// more, after a roll-back to it, shows in its pods, and goes along with the next write; so does what was judged bad,
/// which is in its incident as well.
fn proves_more(seen: &WorkloadHealthStatus, after_: &WorkloadHealthStatus) -> bool {
    after_.ledger.iter().filter(|e| is_healthy(e)).any(|e| {
        let known = seen.ledger.iter().find(|known| known.uid == e.uid);
        let proof = LedgerEntry { healthy_since: known.and_then(|known| known.healthy_since), ..e.clone() };
        // A proof from before a failure is none.
        !is_healthy(&proof) || known.and_then(|known| known.ready_seconds) != e.ready_seconds
    })
}

/// Pods of a healthy revision that is no longer the newest crash. They are removed first, and when they are gone nothing
/// else tells a dependency that fails both revisions from a bad rollout; so this is written while it shows. Crashes of
/// the newest revision show in its pods, and in its incident.
fn crashed(seen: &WorkloadHealthStatus, after_: &WorkloadHealthStatus) -> bool {
    let newest = after_.current.as_ref().map(|c| &c.hash);
    let older = after_.ledger.iter().filter(|e| is_healthy(e) && Some(&e.hash) != newest);
    older.filter_map(|e| Some((&e.uid, e.crashed_at?))).any(|(uid, at)| {
        let known = seen.ledger.iter().find(|e| &e.uid == uid).and_then(|e| e.crashed_at);
        known.is_none_or(|known| after(known, CRASH_SECONDS) <= at)
    })
}

/// The sentence, without the counts of a healthy workload, which change with every scaling.
fn said(s: &Snapshot, decision: &Decision) -> String {
    match decision.state {
        State::Healthy if s.workload.replicas <= 0 => SCALED_TO_ZERO.to_owned(),
        State::Healthy => "every replica is available".to_owned(),
        _ => decision.why.clone(),
    }
}

fn incident(decision: &Decision) -> Option<&str> {
    match &decision.incident {
        IncidentStep::Record { name, .. } => Some(name),
        IncidentStep::Close { .. } | IncidentStep::None => None,
    }
}

/// The last healthy revision: the newest itself, once it is proven.
fn last_healthy(s: &Snapshot, ledger: &[LedgerEntry]) -> Option<RevisionRef> {
    let best = ledger.iter().filter(|e| is_healthy(e)).max_by_key(|e| e.healthy_since)?;
    s.revisions.iter().find(|r| r.uid == best.uid).map(|r| crate::engine::guard::reference(r))
}

fn actions(s: &Snapshot) -> Vec<ActionRecord> {
    let skip = s.memory.actions.len().saturating_sub(MAX_ACTIONS);
    s.memory.actions.iter().skip(skip).cloned().collect()
}

/// Backstay holds the workload, by a freeze or on suspicion, and whether or not the incident is still there. This is
/// what `backstay frozen` lists.
fn is_held(w: &WorkloadFacts) -> bool {
    w.paused && w.paused_for.is_some()
}

/// Why it is held: the baseline runs in its place, or the rollout merely stopped where it was.
fn held_by(s: &Snapshot) -> &'static str {
    let freezes = |i: &OpenIncident| i.intent.as_ref().is_some_and(|intent| intent.kind == ActionKind::Freeze);
    let held = |i: &OpenIncident| s.workload.paused_for.as_ref() == Some(&i.name);
    if s.memory.open.iter().any(|i| held(i) && freezes(i)) { "Frozen" } else { "Paused" }
}

fn set_conditions(conditions: &mut Vec<Condition>, s: &Snapshot, decision: &Decision, now: Timestamp) {
    let healthy = match decision.state {
        State::Healthy | State::Stabilised => Some(true),
        State::Failing | State::Held | State::Stabilising => Some(false),
        State::Progressing | State::Suspect | State::Unknown => None,
    };
    let state = decision.state.to_string();
    condition::set(
        conditions,
        Wanted { kind: "Healthy", status: healthy, reason: state, message: said(s, decision) },
        None,
        now,
    );
    let frozen = is_held(&s.workload);
    let (reason, message) = if frozen { (held_by(s), decision.why.clone()) } else { ("NotFrozen", String::new()) };
    let wanted = Wanted { kind: "Frozen", status: Some(frozen), reason: reason.to_owned(), message };
    condition::set(conditions, wanted, None, now);
}

#[cfg(test)]
mod tests;
