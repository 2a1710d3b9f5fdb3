//! The earliest sign of a failure, wherever it showed, and how long it took until there was enough of it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

use super::facts::{ConditionFacts, Snapshot};
use super::finding::Finding;
use super::moment::{after, seconds_between};
use super::rollout;

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
    /// From the sign until there was sufficient evidence, in seconds.
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

/// What conditions of the Deployment and of its newest revision say, if they turned bad during this rollout.
pub fn of_conditions(s: &Snapshot, now: Timestamp) -> Vec<Signal> {
    let Some(rollout) = rollout::current(s, now) else { return Vec::new() };
    let workload = format!("deployment/{}", s.workload.name);
    let revision = format!("replicaset/{}", rollout.newest.name);
    let bad = |c: &Option<ConditionFacts>, when: bool| c.clone().filter(|c| c.status == when);
    // `Recreate` takes the old pods away first, whatever becomes of the new ones.
    let unavailable = bad(&s.workload.available, false).filter(|_| !s.workload.recreate);
    let conditions = [
        (&workload, "Available", unavailable),
        (&workload, "ReplicaFailure", bad(&s.workload.replica_failure, true)),
        (&revision, "ReplicaFailure", bad(&rollout.newest.replica_failure, true)),
    ];
    let turned = conditions.into_iter().filter_map(|(source, kind, condition)| Some((source, kind, condition?)));
    // Timestamps of objects are cut to seconds.
    let turned = turned.filter(|(_, _, condition)| condition.since >= after(rollout.since, -1));
    turned
        .map(|(source, kind, condition)| Signal {
            kind: SignalKind::Status,
            at: condition.since,
            source: format!("{source} conditions[{kind}]"),
            text: format!("{}: {}", condition.reason, condition.message),
        })
        .collect()
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
