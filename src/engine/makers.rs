//! What a Job, StatefulSet or DaemonSet says of itself, where no pod is there to show it.

use jiff::Timestamp;

use super::facts::{ConditionFacts, Snapshot, WorkloadFacts};
use super::finding::{Detail, Finding, Subject, Symptom};
use super::text;
use super::words::{Cause, Class, Sureness};

/// Most bytes of a source of evidence.
const MAX_SOURCE: usize = 256;

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

/// Evidence of a workload as a whole names what was read. Only a Deployment repeats a refusal in a condition; of others it
/// was read in an event.
pub fn name_sources(s: &Snapshot, findings: &mut [Finding]) {
    let workload = &s.workload;
    if &*workload.kind == "Deployment" {
        return;
    }
    for evidence in findings.iter_mut().flat_map(|finding| &mut finding.evidence) {
        let place =
            evidence.source.strip_prefix("deployment").filter(|place| place.is_empty() || place.starts_with(' '));
        let Some(place) = place else { continue };
        let source = match (place, &workload.replica_failure) {
            (" conditions[ReplicaFailure]", Some(refused)) => told_refusal(workload, refused),
            _ => format!("{}{place}", called(workload)),
        };
        evidence.source = text::head(&source, MAX_SOURCE).into();
    }
}

/// `statefulset/db`.
pub fn called(workload: &WorkloadFacts) -> String {
    format!("{}/{}", workload.kind.to_ascii_lowercase(), workload.name)
}

/// Where it was read that pods are refused.
pub fn told_refusal(workload: &WorkloadFacts, refused: &ConditionFacts) -> String {
    match &*workload.kind {
        "Deployment" => format!("{} conditions[ReplicaFailure]", called(workload)),
        _ => format!("{} events[{}]", called(workload), refused.reason),
    }
}
