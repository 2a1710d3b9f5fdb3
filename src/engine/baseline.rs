//! The ledger of revisions that were seen healthy, and the one to go back to.

use jiff::Timestamp;

use super::broken::is_broken;
use super::classify::FLAPPING_SECONDS;
use super::facts::{Name, PodFacts, RevisionFacts, Snapshot};
use super::finding::Finding;
use super::guard;
use super::memory::LedgerEntry;
use super::moment::{after, earliest, seconds_between};
use super::observe::LONG_RUN_SECONDS;
use super::policy::UnprovenBaseline;
use super::rollout::Rollout;
use super::words::{ContainerKind, Sureness};

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
    note_trouble(&mut entries, rollout, findings);
    let mut next_look = None;
    for revision in &s.revisions {
        let known = entry_of(&entries, revision);
        let newest = rollout.filter(|r| r.newest.uid == revision.uid);
        let due = match newest {
            Some(rollout) => rollout.complete && !is_proven(known, rollout) && !fails(findings),
            None => {
                known.is_none_or(|e| is_broken(e) || is_unknown(e))
                    && !judged_bad(s, &entries, revision)
                    && carries(s, revision)
            }
        };
        if !due {
            continue;
        }
        // Pods may have been ready before their revision was judged, or taken up again: then they have to outlive that.
        let judged = known.and_then(|e| e.failed_at.max(e.broken_at)).map(|at| after(at, 1));
        let begun = judged.max(newest.map(|r| r.since));
        match health(s, revision, now) {
            Health::Stable { since, ready_seconds } => {
                let since = begun.map_or(since, |at| at.max(since));
                let until = after(since, s.policy.rollout.stable_seconds);
                if until <= now && newest.is_some_and(|r| was_proven(known, r)) {
                    // That it does well again does not put off when its rollout ended.
                    amend(&mut entries, revision, |entry| entry.broken_at = None);
                } else if until <= now {
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

/// A revision that shows a sure failure while it is the newest has to prove itself as such: once another takes over, its failing
/// pods are the first to go, and those that are left all do well.
fn note_trouble(entries: &mut Vec<LedgerEntry>, rollout: Option<&Rollout>, findings: &[Finding]) {
    let Some(Rollout { newest, .. }) = rollout else { return };
    let sure = |f: &Finding| f.sufficient || !matches!(f.sureness, Sureness::Timed | Sureness::Excluded);
    let troubled = findings.iter().any(|f| f.newest && sure(f));
    // Without another one that is known to be healthy, one that does well but for a pod is all there is to go back to.
    let another = entries.iter().any(|e| e.uid != newest.uid && is_healthy(e));
    let known = entry_of(entries, newest);
    if troubled && another && known.is_none_or(is_unknown) {
        amend(entries, newest, |entry| entry.troubled = true);
    }
}

/// What the ledger holds of the revision.
pub fn entry_of<'a>(ledger: &'a [LedgerEntry], revision: &RevisionFacts) -> Option<&'a LedgerEntry> {
    ledger.iter().find(|e| e.uid == revision.uid)
}

/// When the revision was seen healthy.
pub fn proven(ledger: &[LedgerEntry], revision: &RevisionFacts) -> Option<Timestamp> {
    entry_of(ledger, revision)?.healthy_since
}

/// Neither judged nor seen healthy.
pub fn is_undated(entry: &LedgerEntry) -> bool {
    entry.healthy_since.is_none() && entry.failed_at.is_none()
}

/// It migrated a schema, which says nothing about how it does. An entry that says nothing at all is of a troubled one.
fn is_unknown(entry: &LedgerEntry) -> bool {
    is_undated(entry) && !entry.troubled && entry.broken_at.is_none() && entry.migration.is_some()
}

/// The revision was seen healthy in this very rollout. One that is taken up again has to prove itself again.
fn is_proven(known: Option<&LedgerEntry>, rollout: &Rollout) -> bool {
    was_proven(known, rollout) && !known.is_some_and(is_broken)
}

/// The same, whether or not it was seen to fail later, as long as it was not found at fault.
fn was_proven(known: Option<&LedgerEntry>, rollout: &Rollout) -> bool {
    // Times of objects are cut to seconds.
    let in_this = |at: Timestamp| at >= after(rollout.since, -1);
    known.is_some_and(|e| is_healthy(e) && e.healthy_since.is_some_and(in_this))
}

fn fails(findings: &[Finding]) -> bool {
    findings.iter().any(|f| f.is_evident())
}

/// As many of the revision's pods run as a rolling update leaves of the revision before, and as make up half of what is
/// wanted.
fn carries(s: &Snapshot, revision: &RevisionFacts) -> bool {
    let w = &s.workload;
    let left = w.replicas.saturating_sub(w.max_unavailable);
    revision.ready > 0 && revision.ready >= left && revision.ready.saturating_mul(2) >= w.replicas
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
        let unproven = candidates(s, rollout, ledger).filter(|r| differs(r)).max_by_key(|r| r.order());
        return unproven.ok_or(Missing::NoneHealthy);
    }
    Err(Missing::NoneHealthy)
}

/// The revision to compare the newest one with: the last healthy one, whether or not its template differs. Revisions
/// are told apart by number, since one that is taken up again gets a new number and may keep the time of its proof.
pub fn control<'a>(s: &'a Snapshot, rollout: &Rollout, ledger: &[LedgerEntry]) -> Option<&'a RevisionFacts> {
    candidates(s, rollout, ledger)
        .filter_map(|r| proven(ledger, r).map(|at| (r, at)))
        .max_by_key(|(r, at)| (r.number, *at, r.order()))
        .map(|(r, _)| r)
}

fn candidates<'a>(
    s: &'a Snapshot,
    rollout: &Rollout,
    ledger: &[LedgerEntry],
) -> impl Iterator<Item = &'a RevisionFacts> {
    let revisions = s.revisions.iter().map(AsRef::as_ref);
    revisions.filter(|r| r.uid != rollout.newest.uid && !r.deleting && !judged_bad(s, ledger, r))
}

/// The revision's template was found to be at fault, by an open incident or before, and was not seen healthy since. It may
/// have had other ReplicaSets, which are gone: what was seen of it last counts.
pub fn judged_bad(s: &Snapshot, ledger: &[LedgerEntry], revision: &RevisionFacts) -> bool {
    let judged = ledger.iter().any(|e| e.failed_at.is_some()) || s.memory.open.iter().any(|i| i.intent.is_some());
    if !judged {
        return false;
    }
    let same = || ledger.iter().filter(|e| e.uid == revision.uid || is_of_template(s, &e.hash, revision));
    let (failed, healthy) = (same().filter_map(|e| e.failed_at).max(), same().filter_map(|e| e.healthy_since).max());
    failed.is_some_and(|failed| healthy.is_none_or(|healthy| healthy <= failed))
        || s.memory.open.iter().any(|i| i.intent.is_some() && is_of_template(s, &i.failing.hash, revision))
}

/// The hash is that of this revision, or of another one whose template is materially the same, such as one that was
/// restarted.
pub fn is_of_template(s: &Snapshot, hash: &Name, revision: &RevisionFacts) -> bool {
    let same = |r: &RevisionFacts| r.hash == *hash && r.template.material == revision.template.material;
    *hash == revision.hash || s.revisions.iter().any(|r| same(r))
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

/// Whether every pod of the revision has been ready for `stableSeconds` without an exit. On old data that shows when the
/// watches are alive again.
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
        Some(since) if after(since, stable) > now => Health::Settling { until: after(since, stable) },
        Some(since) => match guard::asks_again(s, now) {
            Some(until) => Health::Settling { until },
            None => Health::Stable { since, ready_seconds },
        },
    }
}

/// When a revision that does well is believed to.
pub enum Settles {
    At(Timestamp),
    NotReady,
    NoPods,
}

/// Until when a revision that does well has to go on doing so before it is believed: for longer than it did in between its
/// last failures, twice over.
pub fn settles(s: &Snapshot, revision: &RevisionFacts) -> Settles {
    let mut settled = Settles::NoPods;
    for pod in s.pods.iter().filter(|p| p.revision == revision.uid && !p.deleting && !p.finished) {
        let Some(ready) = pod.ready_since.filter(|_| pod.ready) else { return Settles::NotReady };
        let ends = pod.containers.iter().filter(|c| c.kind != ContainerKind::Init).filter_map(|c| c.last.as_deref());
        let runs = ends.filter_map(|end| Some(seconds_between(end.started?, end.finished?)));
        let run = runs.max().unwrap_or_default().clamp(0, LONG_RUN_SECONDS);
        let readiness = if pod.history.losses.is_empty() { 0 } else { FLAPPING_SECONDS };
        let since = last_exit(pod).map_or(ready, |exit| exit.max(ready));
        let wanted = run.saturating_mul(2).max(readiness).max(s.policy.rollout.stable_seconds);
        let own = after(since, wanted);
        settled = match settled {
            Settles::At(other) => Settles::At(other.max(own)),
            Settles::NoPods | Settles::NotReady => Settles::At(own),
        };
    }
    settled
}

/// When a container of the pod last ended, whether or not it runs again.
pub fn last_exit(pod: &PodFacts) -> Option<Timestamp> {
    pod.containers
        .iter()
        .filter(|c| c.kind != ContainerKind::Init)
        .filter_map(|c| c.last.as_ref().and_then(|t| t.finished))
        .max()
}

/// Writes what a look showed into the revision's entry.
fn remember(entries: &mut Vec<LedgerEntry>, revision: &RevisionFacts, healthy: Timestamp, ready_seconds: Option<i64>) {
    amend(entries, revision, |entry| {
        entry.healthy_since = Some(healthy);
        entry.troubled = false;
        entry.ready_seconds = entry.ready_seconds.or(ready_seconds);
    });
}

/// Changes the revision's entry, which is made if there is none. Entries are sorted by UID.
pub fn amend(entries: &mut Vec<LedgerEntry>, revision: &RevisionFacts, change: impl FnOnce(&mut LedgerEntry)) {
    let mut entry = match entries.iter().position(|e| e.uid == revision.uid) {
        Some(at) => entries.swap_remove(at),
        None => LedgerEntry::new(revision.uid.clone(), revision.hash.clone()),
    };
    change(&mut entry);
    entries.push(entry);
    entries.sort_by(|a, b| a.uid.cmp(&b.uid));
}

/// Entries of existing revisions stay, healthy ones before all; of the others the most recent ones that say something bad.
fn bounded(mut entries: Vec<LedgerEntry>, s: &Snapshot) -> Vec<LedgerEntry> {
    let exists = |e: &LedgerEntry| s.revisions.iter().any(|r| r.uid == e.uid);
    let migrated = |e: &LedgerEntry| e.migration.as_ref().map(|migration| migration.at);
    // What was migrated before all that could be gone back to was proven troubles nobody.
    let oldest = entries.iter().filter(|e| exists(e)).filter_map(|e| e.healthy_since).min();
    entries.retain(|e| e.failed_at.is_some() || exists(e) || (oldest.is_some() && migrated(e) >= oldest));
    if entries.len() > MAX_ENTRIES {
        let told = |e: &LedgerEntry| e.failed_at.max(e.healthy_since).max(migrated(e));
        entries.sort_by_key(|e| (exists(e), exists(e) && is_healthy(e), told(e)));
        entries.drain(..entries.len() - MAX_ENTRIES);
        entries.sort_by(|a, b| a.uid.cmp(&b.uid));
    }
    entries
}
