//! What a Job, StatefulSet or DaemonSet says of itself, where no pod is there to show it.

use jiff::Timestamp;

use super::facts::{ConditionFacts, Snapshot, WorkloadFacts};
use super::finding::{Detail, Subject, Symptom};
use super::words::{Cause, Class, Sureness};

/// A Job that has given up. Its pods may be gone by then, and pods that are left and show why have the word.
pub fn gave_up<'a>(s: &'a Snapshot, symptoms: &[Symptom<'_>], now: Timestamp) -> Option<Symptom<'a>> {
    let condition = s.workload.gave_up.as_ref().filter(|condition| condition.status)?;
    if symptoms.iter().any(|symptom| symptom.sureness == Sureness::Definitive) {
        return None;
    }
    // Reasons of `batch/v1` (`JobReasonDeadlineExceeded` and others); all but this one are of pods that failed.
    let (class, cause) = match &*condition.reason {
        "DeadlineExceeded" => (Class::RolloutStalled, Cause::DeadlineExceeded),
        _ => (Class::CrashLoopBackOff, Cause::Unknown),
    };
    let onset = condition.since.min(now);
    let detail = Detail::Condition { kind: "Failed", condition };
    Some(Symptom::new((class, cause, Sureness::Definitive), Subject::Workload, onset, detail))
}

/// `statefulset/db`.
pub fn called(workload: &WorkloadFacts) -> String {
    format!("{}/{}", workload.kind.to_ascii_lowercase(), workload.name)
}

/// Where it was read that pods are refused: only a Deployment repeats it in a condition, of others an event told it.
pub fn told_refusal(workload: &WorkloadFacts, refused: &ConditionFacts) -> String {
    match &*workload.kind {
        "Deployment" => format!("{} conditions[ReplicaFailure]", called(workload)),
        _ => format!("{} events[{}]", called(workload), refused.reason),
    }
}
