//! The earliest sign of a failure, wherever it showed, and how long it took until there was enough of it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

use super::facts::{ConditionFacts, PodFacts, RevisionFacts, Snapshot};
use super::finding::Finding;
use super::makers;
use super::moment::{after, seconds_between};
use super::text::redact;
use super::words::Class;

/// Where a sign was seen.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, Display, IntoStaticStr,
)]
pub enum SignalKind {
    /// The status of an object.
    Status,
    Event,
    Log,
    /// Something outside of Kubernetes, such as an alert or a check.
    Alert,
}

/// One sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    pub kind: SignalKind,
    pub at: Timestamp,
    pub source: String,
    pub text: String,
}

/// The earliest of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirstSignal {
    pub kind: SignalKind,
    /// When it showed.
    pub at: Timestamp,
    /// The object that showed it, and the part of it.
    #[schemars(length(max = 256))]
    pub source: String,
    /// What it said.
    #[schemars(length(max = 512))]
    pub text: String,
    /// From the sign until there was sufficient evidence, in seconds; in a diagnosis until that was made.
    #[schemars(range(min = 0))]
    pub detected_after_seconds: i64,
}

/// The earliest sign. Of signs of the same moment the first counts, so the more telling ones come first.
pub fn earliest(signals: impl IntoIterator<Item = Signal>, detected: Timestamp) -> Option<FirstSignal> {
    let first = signals.into_iter().min_by_key(|signal| signal.at)?;
    Some(FirstSignal {
        kind: first.kind,
        at: first.at,
        source: cut(&first.source, 256),
        text: cut(&first.text, 512),
        detected_after_seconds: seconds_between(first.at, detected).max(0),
    })
}

/// What findings say about when it began.
pub fn of_findings(findings: &[Finding]) -> impl Iterator<Item = Signal> {
    findings.iter().filter(|f| f.newest).map(|finding| {
        let evidence = finding.evidence.first();
        Signal {
            kind: SignalKind::Status,
            at: finding.onset,
            source: evidence.map_or_else(|| format!("revision {}", finding.revision), |e| e.source.clone()),
            text: evidence.map_or_else(|| format!("{} ({})", finding.class, finding.cause), |e| e.text.clone()),
        }
    })
}

/// All signs of the failure of a revision that is rolled out since `since`, the more telling kinds first.
pub fn of_all<'a>(
    s: &'a Snapshot,
    (failing, since): (&'a RevisionFacts, Timestamp),
    findings: &'a [Finding],
) -> impl Iterator<Item = Signal> + 'a {
    // Timestamps of objects are cut to seconds.
    let from = after(since, -1);
    let heard = of_events(s, failing, findings).into_iter().chain(of_logs(s, failing, findings));
    let heard = heard.filter(move |signal| signal.at >= from);
    of_findings(findings).chain(of_conditions(s, failing, from)).chain(heard)
}

/// What events said of the pods that fail, of their revision and of their nodes, where it is about a failure such as
/// theirs.
fn of_events(s: &Snapshot, failing: &RevisionFacts, findings: &[Finding]) -> Vec<Signal> {
    let said = |object: &str, source: &str, class: Class| {
        let fitting = s.events.about(object).iter().filter(|event| is_sign_of(class, &event.reason));
        let signal = |event: &super::facts::EventFacts| Signal {
            kind: SignalKind::Event,
            at: event.first,
            source: format!("{source} events[{}]", event.reason),
            text: redact(&event.message).into_owned(),
        };
        fitting.map(signal).collect::<Vec<_>>()
    };
    let mut signals = Vec::new();
    for finding in findings.iter().filter(|f| f.newest) {
        signals.extend(said(&failing.uid, &called(s, failing), finding.class));
        for pod in pods(s, failing, finding) {
            signals.extend(said(&pod.uid, &format!("pod/{}", pod.name), finding.class));
            // What a node went through before the pod came is not the pod's.
            let node = pod.node.as_deref().map(|node| said(node, &format!("node/{node}"), finding.class));
            signals.extend(node.into_iter().flatten().filter(|signal| signal.at >= pod.created));
        }
    }
    signals
}

/// What the logs of failing pods name as a cause, where the lines were stamped.
fn of_logs(s: &Snapshot, failing: &RevisionFacts, findings: &[Finding]) -> Vec<Signal> {
    let is_failing = |uid: &str| {
        findings.iter().filter(|f| f.newest).any(|finding| pods(s, failing, finding).any(|pod| &*pod.uid == uid))
    };
    let mut signals = Vec::new();
    for log in s.logs.iter().filter(|log| is_failing(&log.uid)) {
        let telling = log.reading.seen.iter().filter(|seen| seen.tells(log.ended));
        signals.extend(telling.filter_map(|seen| {
            Some(Signal {
                kind: SignalKind::Log,
                at: seen.first.at?,
                source: format!("pod/{} log[{}]", log.pod, log.container),
                text: seen.text.to_string(),
            })
        }));
    }
    signals
}

/// The pods of the revision that a finding names.
fn pods<'a>(s: &'a Snapshot, failing: &'a RevisionFacts, finding: &'a Finding) -> impl Iterator<Item = &'a PodFacts> {
    let named = |pod: &&PodFacts| pod.revision == failing.uid && finding.pods.contains(&pod.name);
    s.pods.iter().map(AsRef::as_ref).filter(named)
}

/// An event of this reason may be the beginning of a failure of this class. A pod that waited a moment for a node before
/// it crashed did not begin to crash then.
fn is_sign_of(class: Class, reason: &str) -> bool {
    match class {
        Class::ImagePullBackOff => matches!(reason, "Failed" | "BackOff" | "FailedToRetrieveImagePullSecret"),
        Class::CrashLoopBackOff | Class::RolloutStalled | Class::ContainerStart => {
            matches!(reason, "Unhealthy" | "Killing" | "FailedPostStartHook")
        }
        Class::OOMKilled => matches!(reason, "Unhealthy" | "Killing" | "SystemOOM" | "OOMKilling"),
        Class::Unready | Class::HealthCheck | Class::InitStuck => matches!(reason, "Unhealthy" | "Killing"),
        Class::Pending => reason == "FailedScheduling",
        Class::ContainerConfig | Class::PodSetup => matches!(
            reason,
            "FailedMount"
                | "FailedAttachVolume"
                | "FailedMapVolume"
                | "FailedMountOnFilesystemMismatch"
                | "FailedCreatePodSandBox"
                | "NetworkNotReady"
                | "FailedPrepareDynamicResources"
        ),
        Class::CreateRefused => matches!(reason, "FailedCreate" | "ReplicaSetCreateError"),
        Class::Evicted | Class::NodeLost => matches!(
            reason,
            "Evicted" | "Preempted" | "TaintManagerEviction" | "NodeNotReady" | "EvictionThresholdMet" | "Rebooted"
        ),
    }
}

/// What stands for a revision: what made its pods, or what keeps its template.
fn called(s: &Snapshot, failing: &RevisionFacts) -> String {
    let workload = &s.workload;
    match &*workload.kind {
        "Deployment" => format!("replicaset/{}", failing.name),
        _ if failing.name == workload.name => makers::called(workload),
        _ => format!("controllerrevision/{}", failing.name),
    }
}

/// What conditions of the workload and of the revision say, if they turned bad since then.
fn of_conditions(s: &Snapshot, failing: &RevisionFacts, from: Timestamp) -> Vec<Signal> {
    let in_status = |of: String, kind: &str| (SignalKind::Status, format!("{of} conditions[{kind}]"));
    let workload = || makers::called(&s.workload);
    let refused = |condition: &ConditionFacts| {
        let is_event = &*s.workload.kind != "Deployment";
        let kind = if is_event { SignalKind::Event } else { SignalKind::Status };
        (kind, makers::told_refusal(&s.workload, condition))
    };
    let bad = |c: &Option<ConditionFacts>, when: bool| c.clone().filter(|c| c.status == when);
    // `Recreate` takes the old pods away first, whatever becomes of the new ones.
    let unavailable = bad(&s.workload.available, false).filter(|_| !s.workload.recreate);
    let conditions = [
        unavailable.map(|condition| (in_status(workload(), "Available"), condition)),
        bad(&s.workload.replica_failure, true).map(|condition| (refused(&condition), condition)),
        bad(&failing.replica_failure, true)
            .map(|condition| (in_status(called(s, failing), "ReplicaFailure"), condition)),
    ];
    let turned = conditions.into_iter().flatten().filter(|(_, condition)| condition.since >= from);
    let signal = |((kind, source), condition): ((SignalKind, String), ConditionFacts)| Signal {
        kind,
        at: condition.since,
        source,
        text: format!("{}: {}", condition.reason, condition.message),
    };
    turned.map(signal).collect()
}

fn cut(text: &str, max: usize) -> String {
    let end = (0..=max.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(kind: SignalKind, second: i64, text: &str) -> Signal {
        let at = Timestamp::from_second(second).unwrap();
        Signal { kind, at, source: "pod/web".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn the_earliest_sign_counts_whatever_its_kind() {
        let signals = [
            signal(SignalKind::Status, 30, "crash"),
            signal(SignalKind::Event, 10, "probe"),
            signal(SignalKind::Log, 10, "line"),
        ];
        let first = earliest(signals, Timestamp::from_second(70).unwrap()).unwrap();
        assert_eq!((first.kind, &*first.text, first.detected_after_seconds), (SignalKind::Event, "probe", 60));
        assert_eq!(earliest([], Timestamp::UNIX_EPOCH), None);
    }

    #[test]
    fn a_sign_from_a_clock_that_runs_ahead_was_detected_at_once() {
        let first = earliest([signal(SignalKind::Event, 90, "x")], Timestamp::from_second(70).unwrap()).unwrap();
        assert_eq!(first.detected_after_seconds, 0);
    }

    #[test]
    fn the_words_are_bounded() {
        let long = Signal { source: "ü".repeat(999), ..signal(SignalKind::Log, 1, &"ü".repeat(999)) };
        let first = earliest([long], Timestamp::from_second(1).unwrap()).unwrap();
        assert!(first.source.len() <= 256 && first.text.len() <= 512);
    }
}
