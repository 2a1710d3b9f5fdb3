//! The ledger of revisions that were seen healthy, and the one to go back to.

use jiff::Timestamp;

use super::facts::{PodFacts, RevisionFacts, Snapshot};
use super::finding::Finding;
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

/// Records revisions whose pods have been ready for `stableSeconds` without an exit: the newest once its rollout is
/// complete and nothing speaks against it any more, and an older one that still carries the workload, as it does when a
/// bad rollout is met half-way.
pub fn update(s: &Snapshot, rollout: Option<&Rollout>, findings: &[Finding], now: Timestamp) -> Ledger {
    let mut entries = s.memory.ledger.clone();
    let mut next_look = None;
    for revision in &s.revisions {
        let known = entries.iter().find(|e| e.uid == revision.uid);
        let newest = rollout.filter(|r| r.newest.uid == revision.uid);
        let due = match newest {
            Some(rollout) => rollout.complete && !is_proven(known, rollout) && !fails(findings),
            None => known.is_none() && !judged_bad(&entries, &s.memory.open, revision) && carries(s, revision),
        };
        if !due {
            continue;
        }
        // Pods may have been ready before their revision was judged, or taken up again: then they have to outlive that.
        let judged = known.and_then(|e| e.failed_at).map(|at| after(at, 1));
        let begun = judged.max(newest.map(|r| r.since));
        match health(s, revision, now) {
            Health::Stable { since, ready_seconds } => {
                let since = begun.map_or(since, |at| at.max(since));
                let until = after(since, s.policy.rollout.stable_seconds);
                if until <= now {
                    remember(&mut entries, revision, since, ready_seconds);
                } else {
                    next_look = earliest(next_look, Some(until));
                }
            }
            Health::Settling { until } => next_look = earliest(next_look, Some(until)),
            Health::NotReady => {}
        }
    }
    Ledger { entries: bounded(entries, s), next_look }
}

/// The revision was seen healthy in this very rollout. One that is taken up again has to prove itself again.
fn is_proven(known: Option<&LedgerEntry>, rollout: &Rollout) -> bool {
    // Times of objects are cut to seconds.
    let in_this = |at: Timestamp| at >= after(rollout.since, -1);
    known.is_some_and(|e| is_healthy(e) && e.healthy_since.is_some_and(in_this))
}

fn fails(findings: &[Finding]) -> bool {
    findings.iter().any(|f| f.is_evident())
}

/// As many of the revision's pods run as a rolling update leaves of the revision before.
fn carries(s: &Snapshot, revision: &RevisionFacts) -> bool {
    let w = &s.workload;
    revision.ready > 0 && revision.ready >= w.replicas.saturating_sub(w.max_unavailable)
}

/// The revision to go back to: of those that were seen healthy and not found at fault since, the one that was the
/// newest last. If its template is materially that of the newest there is nothing to go back to.
pub fn last_healthy<'a>(
    s: &'a Snapshot,
    rollout: &Rollout,
    ledger: &[LedgerEntry],
) -> Result<&'a RevisionFacts, Missing> {
    let differs = |r: &RevisionFacts| r.template.material != rollout.newest.template.material;
    if let Some(healthy) = control(s, rollout, ledger) {
        return if differs(healthy) { Ok(healthy) } else { Err(Missing::EqualsCurrent) };
    }
    if s.policy.guards.unproven_baseline == UnprovenBaseline::RollBack {
        let unproven = candidates(s, rollout, ledger).filter(|r| differs(r)).max_by_key(|r| (r.number, r.created));
        return unproven.ok_or(Missing::NoneHealthy);
    }
    Err(Missing::NoneHealthy)
}

/// The revision to compare the newest one with: the last healthy one, whether or not its template differs. Revisions
/// are told apart by number, since one that is taken up again gets a new number and may keep the time of its proof.
pub fn control<'a>(s: &'a Snapshot, rollout: &Rollout, ledger: &[LedgerEntry]) -> Option<&'a RevisionFacts> {
    let healthy = |r: &RevisionFacts| ledger.iter().find(|e| e.uid == r.uid).and_then(|e| e.healthy_since);
    candidates(s, rollout, ledger)
        .filter_map(|r| healthy(r).map(|at| (r, at)))
        .max_by_key(|(r, at)| (r.number, *at, r.created))
        .map(|(r, _)| r)
}

fn candidates<'a>(
    s: &'a Snapshot,
    rollout: &Rollout,
    ledger: &[LedgerEntry],
) -> impl Iterator<Item = &'a RevisionFacts> {
    let revisions = s.revisions.iter().map(AsRef::as_ref);
    revisions.filter(|r| r.uid != rollout.newest.uid && !r.deleting && !judged_bad(ledger, &s.memory.open, r))
}

/// The revision's template was found to be at fault, by an open incident or before, and was not seen healthy since. It may
/// have had other ReplicaSets, which are gone: what was seen of it last counts.
pub fn judged_bad(ledger: &[LedgerEntry], open: &[OpenIncident], revision: &RevisionFacts) -> bool {
    let same = || ledger.iter().filter(|e| e.uid == revision.uid || e.hash == revision.hash);
    let (failed, healthy) = (same().filter_map(|e| e.failed_at).max(), same().filter_map(|e| e.healthy_since).max());
    failed.is_some_and(|failed| healthy.is_none_or(|healthy| healthy <= failed))
        || open.iter().any(|i| i.failing.hash == revision.hash && i.intent.is_some())
}

/// It was seen healthy, and not found at fault since then. What was shipped again and works now has proven itself.
pub fn is_healthy(entry: &LedgerEntry) -> bool {
    entry.healthy_since.is_some_and(|healthy| entry.failed_at.is_none_or(|failed| failed < healthy))
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
    entry.ready_seconds = entry.ready_seconds.or(ready_seconds);
    entries.push(entry);
    entries.sort_by(|a, b| a.uid.cmp(&b.uid));
}

/// Entries of existing revisions stay, healthy ones before all; of the others the most recent ones that say something bad.
fn bounded(mut entries: Vec<LedgerEntry>, s: &Snapshot) -> Vec<LedgerEntry> {
    let exists = |e: &LedgerEntry| s.revisions.iter().any(|r| r.uid == e.uid);
    entries.retain(|e| e.failed_at.is_some() || exists(e));
    if entries.len() > MAX_ENTRIES {
        entries.sort_by_key(|e| (exists(e), exists(e) && is_healthy(e), e.failed_at.max(e.healthy_since)));
        entries.drain(..entries.len() - MAX_ENTRIES);
        entries.sort_by(|a, b| a.uid.cmp(&b.uid));
    }
    entries
}
