//! The steps of a freeze. Which is next is told from the objects, so a freeze that was cut off goes on where it was.

use serde::Serialize;

use super::facts::{RevisionFacts, Snapshot};
use super::memory::Intent;

/// The next write of a freeze.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Step {
    /// The rollout had completed: the baseline's template goes back first, so that the controller starts its pods.
    PutBack,
    /// The baseline has pods: pause, then scale the failing revision to zero.
    PauseAndScale,
    /// Paused already: scale the failing revision to zero.
    Scale,
    /// The controller has to give the baseline a replica first.
    Wait,
    /// The freeze is in force.
    Done,
}

/// What a freeze does next.
pub fn step(s: &Snapshot, intent: &Intent, held: bool) -> Step {
    let find = |uid: &str| s.revisions.iter().find(|r| &*r.uid == uid).map(AsRef::as_ref);
    let failing_runs = find(&intent.failing.uid).is_some_and(|r: &RevisionFacts| r.desired > 0);
    let baseline_runs = find(&intent.target.uid).is_some_and(|r: &RevisionFacts| r.replicas > 0 && r.desired > 0);
    match (held, baseline_runs) {
        (true, _) if failing_runs => Step::Scale,
        (true, _) => Step::Done,
        (false, true) => Step::PauseAndScale,
        (false, false) => {
            let put_back = find(&intent.target.uid).is_some_and(|r| r.template.digest == s.workload.template_digest);
            if put_back { Step::Wait } else { Step::PutBack }
        }
    }
}
