//! The steps of a freeze. Which is next is told from the objects, so a freeze that was cut off goes on where it was.
//!
//! The owner of the template may take it back at any moment. What follows from that is bounded: a freeze is begun
//! `MAX_ATTEMPTS` times at most, and then a person is told.

use serde::Serialize;

use super::facts::{RevisionFacts, Snapshot};
use super::guard::reference;
use super::memory::{Intent, RevisionRef};
use super::words::ActionKind;

/// How often one freeze is begun. Once is enough unless the owner takes the template back within the moment that the
/// controller needs to scale the baseline up.
pub const MAX_ATTEMPTS: u32 = 2;

/// The next write of a freeze.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Step {
    /// Nothing of the baseline runs: its template goes back first, so that the controller starts its pods.
    PutBack,
    /// The baseline has pods: pause, then scale all other revisions to zero.
    PauseAndScale,
    /// Paused already: scale all other revisions to zero.
    Scale,
    /// The controller has to give the baseline a replica first.
    Wait,
    /// The freeze is in force.
    Done,
}

/// What a freeze does next.
///
/// While a Deployment is paused its controller scales only the one active ReplicaSet, or the newest where none is, and
/// scales the others to zero where the newest is complete (`scale` in pkg/controller/deployment/sync.go). So a pause
/// without the baseline running would bring the failing revision to full strength for good.
pub fn step(s: &Snapshot, intent: &Intent, held: bool) -> Step {
    let find = |uid: &str| s.revisions.iter().find(|r| &*r.uid == uid).map(AsRef::as_ref);
    let wanted = |r: &RevisionFacts| r.desired > 0;
    let others_run = others(s, intent).any(|r| r.desired > 0);
    let baseline = find(&intent.target.uid);
    match (held, baseline.filter(|r| wanted(r))) {
        (true, Some(_)) if others_run => Step::Scale,
        // The controller took the baseline's pods away before it saw the pause, or somebody scaled to zero and back.
        (true, None) if others_run => Step::PutBack,
        (true, _) => Step::Done,
        (false, Some(baseline)) => with_baseline(s, baseline),
        (false, None) if baseline.is_some_and(|r| is_template_of(s, r)) => Step::Wait,
        (false, None) => Step::PutBack,
    }
}

/// The revisions that are to run nothing under the freeze: the failing one, and whatever an earlier rollout left
/// behind. Between several active ReplicaSets the controller would divide the replicas, and bring all of them up.
pub fn to_stop(s: &Snapshot, intent: &Intent) -> Vec<RevisionRef> {
    let left_behind = others(s, intent).filter(|r| r.uid != intent.failing.uid && r.desired > 0);
    std::iter::once(intent.failing.clone()).chain(left_behind.map(reference)).collect()
}

fn others<'a>(s: &'a Snapshot, intent: &Intent) -> impl Iterator<Item = &'a RevisionFacts> {
    s.revisions.iter().map(AsRef::as_ref).filter(move |r| r.uid != intent.target.uid && !r.deleting)
}

/// A first pod proves that the API server takes the baseline's pods. Where the owner has taken the template back
/// already, there is no time to wait for it: the controller is about to scale the baseline down again.
fn with_baseline(s: &Snapshot, baseline: &RevisionFacts) -> Step {
    let refused = baseline.replica_failure.as_ref().is_some_and(|f| f.status);
    let taken_back = !is_template_of(s, baseline);
    if baseline.replicas > 0 || (taken_back && !refused) { Step::PauseAndScale } else { Step::Wait }
}

/// The objects show the first half of the freeze that the incident `name` intends, and not yet the second: the
/// baseline's template went back, which is marked with the incident.
pub fn is_put_back(s: &Snapshot, intent: &Intent, name: &str) -> bool {
    let w = &s.workload;
    let marked = w.incident_mark.as_deref() == Some(name) && w.action_mark == Some(ActionKind::Freeze);
    let marked = marked && w.generation > intent.generation;
    let baseline = s.revisions.iter().find(|r| r.uid == intent.target.uid);
    intent.puts_back && marked && !w.paused && baseline.is_some_and(|r| is_template_of(s, r))
}

fn is_template_of(s: &Snapshot, revision: &RevisionFacts) -> bool {
    revision.template.digest == s.workload.template_digest
}

/// Which attempt it is to put the template back now, given what was last intended. An intent is recorded before it is
/// carried out, and may not have been: a single write since then that left the failing template in place was not ours.
pub fn next_attempt(s: &Snapshot, before: &Intent) -> u32 {
    let may_be_done = s.workload.generation > before.generation.saturating_add(1);
    before.attempt.saturating_add(u32::from(may_be_done))
}
