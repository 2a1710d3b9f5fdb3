//! What lies around a workload and no status tells: how its templates differ, what became of the objects that they
//! name, and whether a database schema was migrated. Read live when a rollout begins or a suspicion arises, so that
//! it is there when the guards ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::baseline;
use super::change::author::Author;
use super::change::migration::{JobFacts, Migrator};
use super::change::references::{Need, ReferenceFacts, Sight};
use super::change::template::Difference;
use super::decision::Decision;
use super::facts::{Name, RevisionFacts, Snapshot};
use super::guard;
use super::memory::RevisionRef;
use super::rollout;

/// All of it, for one pair of revisions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Surroundings {
    pub read_at: Timestamp,
    /// UID of the newest ReplicaSet at that time.
    pub newest: Name,
    /// UID of the baseline's ReplicaSet, if there was one.
    pub baseline: Option<Name>,
    #[serde(skip)]
    pub difference: Difference,
    pub author: Author,
    pub references: Vec<ReferenceFacts>,
    pub migrators: Vec<Migrator>,
    pub jobs: Vec<JobFacts>,
    /// Labels of the newest revision's pods.
    #[serde(skip)]
    pub labels: BTreeMap<String, String>,
    /// What the API server answered when asked whether it would take a pod of the baseline, if it would not.
    pub baseline_refused: Option<String>,
    /// It was asked that, and answered.
    pub baseline_tried: bool,
    /// What could not be looked at, and why.
    pub gaps: Vec<String>,
}

/// Which revisions are worth comparing: the newest, and the last healthy one whether or not its template differs; else
/// the one that would be gone back to.
pub fn compared(s: &Snapshot, decision: &Decision, now: Timestamp) -> Option<(RevisionRef, Option<RevisionRef>)> {
    let newest = decision.newest.clone()?;
    let rollout = rollout::current(s, now)?;
    let control = baseline::control(s, &rollout, &decision.ledger).map(guard::reference);
    let other = control.or_else(|| decision.baseline.clone()).filter(|b| b.uid != newest.uid);
    Some((newest, other))
}

/// The same of what is no Deployment: the newest, and the last healthy one or else the one before it. That says what was
/// changed, and not that it was well before.
pub fn compared_of_others(s: &Snapshot, now: Timestamp) -> Option<(RevisionRef, Option<RevisionRef>)> {
    let rollout = rollout::of_others(s, now)?;
    let ledger = baseline::update(s, Some(&rollout), &[], now).entries;
    let older = s.revisions.iter().map(AsRef::as_ref).filter(|revision| revision.uid != rollout.newest.uid);
    let before = older.max_by_key(|revision| revision.order());
    let other = baseline::control(s, &rollout, &ledger).or(before);
    Some((guard::reference(rollout.newest), other.map(guard::reference)))
}

/// What is around, where no more than `healthy` is known to have been well: that another revision names an object too says
/// nothing then.
pub fn believed(around: &Arc<Surroundings>, healthy: Option<&RevisionFacts>) -> Arc<Surroundings> {
    if around.baseline.as_ref() == healthy.map(|revision| &revision.uid) {
        return around.clone();
    }
    let mut around = Surroundings::clone(around);
    around.references.iter_mut().for_each(|reference| reference.baseline = None);
    Arc::new(around)
}

/// The surroundings of this very revision, if they are known.
pub fn of_newest<'a>(s: &'a Snapshot, newest: &RevisionFacts) -> Option<&'a Surroundings> {
    s.surroundings.as_deref().filter(|around| around.newest == newest.uid)
}

/// Why pods of the baseline would not run: an object that they cannot start without is gone, or the API server says
/// that it would not take them.
pub fn would_not_run(s: &Snapshot, baseline: &RevisionFacts) -> Option<String> {
    let around = s.surroundings.as_deref().filter(|around| around.baseline.as_ref() == Some(&baseline.uid))?;
    let gone = around.references.iter().find(|r| r.baseline == Some(Need::Required) && r.sight == Sight::Missing);
    let gone = gone.map(|r| format!("{}, which the baseline {} needs, does not exist", r.reference, baseline.hash));
    gone.or_else(|| {
        let refused = around.baseline_refused.as_ref()?;
        Some(format!("the API server would refuse pods of the baseline {}: {refused}", baseline.hash))
    })
}
