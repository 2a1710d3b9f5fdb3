//! Whether there is a baseline to go back to, and whether it would run.

use jiff::Timestamp;

use super::baseline::Missing;
use super::broken;
use super::decision::Refusal;
use super::evidence::judged_pods;
use super::guard::{Case, no};
use super::surroundings;
use super::words::RefusalReason;

/// There is nothing to go back to.
pub fn is_missing(case: &Case, _: Timestamp) -> Option<Refusal> {
    match case.target {
        Ok(_) => None,
        Err(Missing::EqualsCurrent) => Some(no(
            RefusalReason::BaselineEqualsCurrent,
            "the last healthy revision has materially the same template, so going back to it would change nothing",
        )),
        Err(Missing::NoneHealthy) if case.s.workload.revision_history_limit == 0 => Some(no(
            RefusalReason::NoBaseline,
            "no other revision was seen healthy, and revisionHistoryLimit is 0, so none is kept",
        )),
        Err(Missing::NoneHealthy) => Some(no(RefusalReason::NoBaseline, "no other revision was ever seen healthy")),
    }
}

/// Going back would swap one failure for another.
pub fn would_not_run(case: &Case, _: Timestamp) -> Option<Refusal> {
    let target = case.target.ok()?;
    if target.replica_failure.as_ref().is_some_and(|f| f.status) && target.replicas < target.desired {
        let because = format!("the API server refuses pods of the baseline {} too", target.hash);
        return Some(no(RefusalReason::BaselineWouldNotRun, &because));
    }
    if let Some(because) = surroundings::would_not_run(case.s, target) {
        return Some(no(RefusalReason::BaselineWouldNotRun, &because));
    }
    let pods = || judged_pods(case.s, &target.uid);
    if pods().next().is_some() && pods().all(|p| !p.ready) {
        let because = format!("none of the {} pods of the baseline {} is ready", pods().count(), target.hash);
        return Some(no(RefusalReason::BaselineWouldNotRun, &because));
    }
    broken::since(case.s, target).map(|since| {
        let because = format!(
            "the baseline {} was failing itself when it was seen last, since {since}, and was not seen healthy again",
            target.hash
        );
        no(RefusalReason::BaselineWouldNotRun, &because)
    })
}
