//! Revisions that were failing when they were seen last. Not every one of them was found at fault: the evidence may have
//! come too late for that, or a roll-back to it did not help. To go back there would swap one failure for another.

use jiff::Timestamp;

use super::attribute;
use super::baseline;
use super::decide::{Draft, Look};
use super::decision::{IncidentStep, Progress, Verdict};
use super::evidence::judged_pods;
use super::facts::{RevisionFacts, Snapshot};
use super::finding::Finding;
use super::knowledge;
use super::memory::{LedgerEntry, RevisionRef};
use super::policy::UnprovenBaseline;
use super::rollout::{self, Rollout};
use super::words::{ActionKind, Fault, RefusalReason, Sureness};

/// It was seen to fail, and not to do well since.
pub fn is_broken(entry: &LedgerEntry) -> bool {
    entry.broken_at.is_some_and(|broken| entry.healthy_since.is_none_or(|healthy| healthy <= broken))
}

/// Since when the revision is known to be broken, or another one whose template is materially the same; `None` also where
/// a good part of its pods is ready now.
pub fn since(s: &Snapshot, revision: &RevisionFacts) -> Option<Timestamp> {
    let ledger = &s.memory.ledger;
    if !ledger.iter().any(is_broken) {
        return None;
    }
    let same = || ledger.iter().filter(|e| e.uid == revision.uid || baseline::is_of_template(s, &e.hash, revision));
    let (broken, healthy) = (same().filter_map(|e| e.broken_at).max(), same().filter_map(|e| e.healthy_since).max());
    broken.filter(|broken| healthy.is_none_or(|healthy| healthy <= *broken) && !does_well(s, revision))
}

/// At least half of its pods are ready now.
fn does_well(s: &Snapshot, revision: &RevisionFacts) -> bool {
    let pods = || judged_pods(s, &revision.uid);
    let ready = pods().filter(|pod| pod.ready).count();
    ready > 0 && ready.saturating_mul(2) >= pods().count()
}

/// Notes in the ledger what this look showed of the newest revision, or of the one that was gone back to.
pub fn remember(mut ledger: Vec<LedgerEntry>, look: &Look, draft: &Draft) -> Vec<LedgerEntry> {
    let seen = newest(look, draft).or_else(|| baseline_of(look, draft, &ledger));
    let Some((revision, fails)) = seen else { return ledger };
    let known = baseline::entry_of(&ledger, revision);
    // What was found at fault is not gone back to anyway.
    let condemned = known.is_some_and(|e| e.failed_at.is_some() && !baseline::is_healthy(e));
    if fails && !condemned && !known.is_some_and(is_broken) && could_be_gone_back_to(look.s, revision, &ledger) {
        baseline::amend(&mut ledger, revision, |entry| entry.broken_at = Some(look.now));
    } else if !fails && known.is_some_and(is_broken) {
        baseline::amend(&mut ledger, revision, |entry| entry.broken_at = None);
    }
    ledger
}

/// It was seen healthy, or another one with materially the same template; or the policy does not ask for that.
fn could_be_gone_back_to(s: &Snapshot, revision: &RevisionFacts, ledger: &[LedgerEntry]) -> bool {
    let same = |e: &&LedgerEntry| e.uid == revision.uid || baseline::is_of_template(s, &e.hash, revision);
    s.policy.guards.unproven_baseline == UnprovenBaseline::RollBack
        || ledger.iter().filter(|e| e.healthy_since.is_some()).any(|e| same(&e))
}

/// The newest revision, if it was judged, and whether it fails by itself.
fn newest<'a>(look: &Look<'a>, draft: &Draft) -> Option<(&'a RevisionFacts, bool)> {
    let newest = look.rollout.filter(|_| !rollout::is_unrolled(look.s))?.newest;
    let verdict = draft.verdict.as_ref()?;
    let mut evident = look.weighed.findings.iter().filter(|f| f.is_evident()).peekable();
    evident.peek()?;
    let quiet = draft.refusal.as_ref().is_some_and(|refusal| says_nothing(refusal.reason));
    (!quiet).then(|| (newest, evident.any(|f| is_its_own(verdict, f))))
}

/// The refusal leaves it open whether the revision is bad.
fn says_nothing(reason: RefusalReason) -> bool {
    matches!(
        reason,
        RefusalReason::Deleting
            | RefusalReason::ScaledToZero
            | RefusalReason::StaleStatus
            | RefusalReason::DataTooOld
            | RefusalReason::Storm
    )
}

/// Nobody else is known to be at fault. What ran well once did so with the same template, so that what others as a rule bring
/// about they did.
fn is_its_own(verdict: &Verdict, finding: &Finding) -> bool {
    let own = |fault: Fault| matches!(fault, Fault::Revision | Fault::Unknown);
    own(verdict.fault) && own(knowledge::about(finding.class, finding.cause).fault)
}

/// The revision that was gone back to, if that did not help, and whether it fails by itself. Where there is not enough
/// evidence but that it takes too long, that is said once, and only where hardly any of its pods is ready.
fn baseline_of<'a>(look: &Look<'a>, draft: &Draft, ledger: &[LedgerEntry]) -> Option<(&'a RevisionFacts, bool)> {
    let IncidentStep::Record { name, progress: Progress::Ineffective, .. } = &draft.incident else { return None };
    let RevisionRef { uid, .. } = draft.baseline.as_ref()?;
    let target = look.s.revisions.iter().map(AsRef::as_ref).find(|r| r.uid == *uid)?;
    let mut findings = look.weighed.findings.iter().filter(|f| f.revision == target.hash);
    let sure = findings.clone().find(|f| f.sufficient);
    let incident = look.s.memory.open.iter().find(|i| i.name == *name)?;
    let rolled_back = incident.intent.as_ref().is_some_and(|intent| intent.kind == ActionKind::RollBack);
    let says_so = rolled_back && !incident.is_ineffective() && !does_well(look.s, target);
    if sure.is_none() && !says_so {
        return None;
    }
    match sure.or_else(|| findings.next()) {
        Some(finding) if finding.sureness == Sureness::Excluded => None,
        Some(finding) => Some((target, is_its_own(&verdict(look, target, finding, ledger)?, finding))),
        None => Some((target, true)),
    }
}

/// Whose fault it is that a revision fails that was gone back to.
fn verdict(look: &Look, target: &RevisionFacts, finding: &Finding, ledger: &[LedgerEntry]) -> Option<Verdict> {
    let rollout = Rollout { newest: target, ..look.rollout? };
    let control = baseline::control(look.s, &rollout, ledger);
    Some(attribute::attribute(look.s, &rollout, (finding, &look.weighed.findings), control))
}
