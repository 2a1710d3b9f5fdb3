//! The ledger of revisions that were seen healthy, and the one to go back to.

use jiff::Timestamp;

use super::facts::{PodFacts, RevisionFacts, Snapshot};
use super::memory::{LedgerEntry, OpenIncident};
use super::moment::{after, earliest, seconds_between};
use super::policy::UnprovenBaseline;
use super::rollout::Rollout;

/// Entries of revisions that no longer exist are kept up to this many, so that a bad template is known again.
const MAX_ENTRIES: usize = 24;

/// The ledger after this look, and when the next entry may become due.
pub struct Ledger {
    pub entries: Vec<LedgerEntry>,
    pub next_look: Option<Timestamp>,
}

/// Why there is nothing to go back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No revision, or none that was ever seen healthy and was not judged bad later.
    NoneHealthy,
    /// The last healthy revision has materially the same template as the failing one.
    EqualsCurrent,
}

/// Records every revision whose pods have been ready for `stableSeconds` without an exit.
pub fn update(s: &Snapshot, rollout: Option<&Rollout>, now: Timestamp) -> Ledger {
    let mut entries = s.memory.ledger.clone();
    let mut next_look = None;
    for revision in &s.revisions {
        let newest = rollout.is_some_and(|r| r.newest.uid == revision.uid);
        if newest && !rollout.is_some_and(|r| r.complete) {
            continue;
        }
        if entries.iter().any(|e| e.uid == revision.uid && e.healthy_since.is_some()) {
            continue;
        }
        match health(s, revision, now) {
            Health::Stable { since, ready_seconds } => {
                remember(&mut entries, revision, since, ready_seconds);
            }
            Health::Settling { until } => next_look = earliest(next_look, Some(until)),
            Health::NotReady => {}
        }
    }
    Ledger { entries: bounded(entries, s), next_look }
}

/// The revision to go back to: the one most recently seen healthy that differs from the newest and was never judged
/// to be at fault.
pub fn last_healthy<'a>(
    s: &'a Snapshot,
    rollout: &Rollout,
    ledger: &[LedgerEntry],
) -> Result<&'a RevisionFacts, Missing> {
    let candidates: Vec<(&RevisionFacts, Option<Timestamp>)> = s
        .revisions
        .iter()
        .filter(|r| r.uid != rollout.newest.uid && !r.deleting && !judged_bad(ledger, &s.memory.open, r))
        .map(|r| (r.as_ref(), ledger.iter().find(|e| e.uid == r.uid).and_then(|e| e.healthy_since)))
        .collect();
    let differs = |r: &RevisionFacts| r.template.material != rollout.newest.template.material;
    let best = candidates
        .iter()
        .filter_map(|(r, healthy)| healthy.map(|at| (*r, at)))
        .filter(|(r, _)| differs(r))
        .max_by_key(|(r, at)| (*at, r.number));
    if let Some((revision, _)) = best {
        return Ok(revision);
    }
    if candidates.iter().any(|(r, healthy)| healthy.is_some() && !differs(r)) {
        return Err(Missing::EqualsCurrent);
    }
    if s.policy.guards.unproven_baseline == UnprovenBaseline::RollBack {
        let unproven = candidates.iter().map(|(r, _)| *r).filter(|r| differs(r)).max_by_key(|r| r.number);
        return unproven.ok_or(Missing::NoneHealthy);
    }
    Err(Missing::NoneHealthy)
}

/// The revision to compare the newest one with: the last healthy one, whether or not its template differs.
pub fn control<'a>(s: &'a Snapshot, rollout: &Rollout, ledger: &[LedgerEntry]) -> Option<&'a RevisionFacts> {
    let healthy = |r: &RevisionFacts| ledger.iter().find(|e| e.uid == r.uid).and_then(|e| e.healthy_since);
    s.revisions
        .iter()
        .map(AsRef::as_ref)
        .filter(|r| r.uid != rollout.newest.uid && !judged_bad(ledger, &s.memory.open, r))
        .filter_map(|r| healthy(r).map(|at| (r, at)))
        .max_by_key(|(r, at)| (*at, r.number))
        .map(|(r, _)| r)
}

/// The revision was found to be at fault before, now or by an open incident.
pub fn judged_bad(ledger: &[LedgerEntry], open: &[OpenIncident], revision: &RevisionFacts) -> bool {
    ledger.iter().any(|e| (e.uid == revision.uid || e.hash == revision.hash) && e.failed_at.is_some())
        || open.iter().any(|i| i.failing.hash == revision.hash && i.intent.is_some())
}

/// How far a revision is from being proven.
pub enum Health {
    Stable { since: Timestamp, ready_seconds: Option<i64> },
    Settling { until: Timestamp },
    NotReady,
}

/// Whether every pod of the revision has been ready for `stableSeconds` without an exit.
pub fn health(s: &Snapshot, revision: &RevisionFacts, now: Timestamp) -> Health {
    let stable = s.policy.rollout.stable_seconds;
    let mut since: Option<Timestamp> = None;
    let mut ready_seconds = None;
    for pod in s.pods.iter().filter(|p| p.revision == revision.uid && !p.deleting && !p.finished) {
        let Some(ready) = pod.ready_since.filter(|_| pod.ready) else { return Health::NotReady };
        let settled = last_exit(pod).map_or(ready, |exit| exit.max(ready));
        since = Some(since.map_or(settled, |s| s.max(settled)));
        if last_exit(pod).is_none() {
            let took = pod.started.map(|started| seconds_between(started, ready).max(0));
            ready_seconds = ready_seconds.max(took);
        }
    }
    match since {
        None => Health::NotReady,
        Some(since) if after(since, stable) <= now => Health::Stable { since, ready_seconds },
        Some(since) => Health::Settling { until: after(since, stable) },
    }
}

/// When a container of the pod last ended, whether or not it runs again.
pub fn last_exit(pod: &PodFacts) -> Option<Timestamp> {
    pod.containers
        .iter()
        .filter(|c| c.kind != super::words::ContainerKind::Init)
        .filter_map(|c| c.last.as_ref().and_then(|t| t.finished))
        .max()
}

/// Writes what a look showed into the revision's entry, which is made if there is none.
fn remember(entries: &mut Vec<LedgerEntry>, revision: &RevisionFacts, healthy: Timestamp, ready_seconds: Option<i64>) {
    let mut entry = match entries.iter().position(|e| e.uid == revision.uid) {
        Some(at) => entries.swap_remove(at),
        None => LedgerEntry::new(revision.uid.clone(), revision.hash.clone()),
    };
    entry.healthy_since = Some(healthy);
    entry.ready_seconds = ready_seconds;
    entries.push(entry);
    entries.sort_by(|a, b| a.uid.cmp(&b.uid));
}

/// Entries of existing revisions stay; of the others the most recent ones that say something bad.
fn bounded(mut entries: Vec<LedgerEntry>, s: &Snapshot) -> Vec<LedgerEntry> {
    entries.retain(|e| e.failed_at.is_some() || s.revisions.iter().any(|r| r.uid == e.uid));
    if entries.len() > MAX_ENTRIES {
        entries.sort_by_key(|e| e.failed_at.or(e.healthy_since));
        entries.drain(..entries.len() - MAX_ENTRIES);
    }
    entries
}
