//! Symptoms, which the classifiers see in single objects, and findings, which they add up to.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::{ConditionFacts, ContainerFacts, EventFacts, Name, PodFacts, RevisionFacts, Termination};
use super::pace::Pace;
use super::words::{Cause, Class, Confidence, ContainerKind, Fault, Rollback, Sureness};

/// One failure seen in one object. Borrowed and free of allocations: a workload may have thousands of pods, and text
/// is made only for the few that are shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Symptom<'a> {
    pub class: Class,
    pub cause: Cause,
    pub sureness: Sureness,
    pub subject: Subject<'a>,
    pub container: Option<&'a ContainerFacts>,
    /// The earliest moment the failure is known to have existed.
    pub onset: Timestamp,
    /// The latest moment at which it can have begun: before `onset` where nobody saw its beginning.
    pub began: Timestamp,
    /// Exits, attempts or losses of readiness, as `sureness` counts them; 1 otherwise.
    pub occurrences: u32,
    /// How long it must last before it counts, in seconds, where the class or cause says so (`Timed`).
    pub grace_seconds: i64,
    /// How `occurrences` grow with time alone, where they do.
    pub pace: Option<Pace>,
    pub detail: Detail<'a>,
    /// The event that says more than the status.
    pub told: Option<Told<'a>>,
    /// What the status alone says, where a log says more.
    pub by_status: Option<(Class, Cause)>,
}

impl<'a> Symptom<'a> {
    /// Seen once, and known since `onset`.
    pub fn new(
        (class, cause, sureness): (Class, Cause, Sureness),
        subject: Subject<'a>,
        onset: Timestamp,
        detail: Detail<'a>,
    ) -> Self {
        Self {
            class,
            cause,
            sureness,
            subject,
            container: None,
            onset,
            began: onset,
            occurrences: 1,
            grace_seconds: 0,
            pace: None,
            detail,
            told: None,
            by_status: None,
        }
    }
}

/// An event and the object that it is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told<'a> {
    pub by: Teller<'a>,
    pub event: &'a EventFacts,
}

/// The object that an event is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Teller<'a> {
    Subject(Subject<'a>),
    /// A node, by name.
    Node(&'a str),
    /// A volume claim, by name.
    Claim(&'a str),
}

/// The object that shows the symptom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Subject<'a> {
    Pod(&'a PodFacts),
    Revision(&'a RevisionFacts),
    Workload,
}

/// What the evidence text is made from, should it be shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Detail<'a> {
    /// A container waits; the reason and the most telling message seen.
    Waiting {
        reason: &'a str,
        message: &'a str,
    },
    /// A container's run ended.
    Ended(&'a Termination),
    /// A container's run ended for want of memory; its limit in bytes, where its template has one.
    OutOfMemory {
        ended: &'a Termination,
        limit: Option<u64>,
    },
    Condition {
        kind: &'static str,
        condition: &'a ConditionFacts,
    },
    /// `status.reason` and `status.message` of a pod.
    PodReason {
        reason: &'a str,
        message: &'a str,
    },
    /// A container runs and is not ready, for this many seconds, with this grace.
    NotReady {
        seconds: i64,
        grace: i64,
        was_ready: bool,
    },
    Flapping {
        losses: u32,
        /// The first of them.
        first: Timestamp,
    },
    /// Anything that needs no more words than these.
    Plain(&'static str),
}

/// A classified failure of one revision with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub class: Class,
    pub cause: Cause,
    /// What the status alone says, where a log says more.
    #[serde(skip)]
    pub by_status: Option<(Class, Cause)>,
    /// What its log names beside this cause.
    #[serde(skip)]
    pub named: Option<Cause>,
    /// The container that fails; absent where the pod, the revision or the workload as a whole does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 63))]
    pub container: Option<Name>,
    /// What part that container plays in its pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_kind: Option<ContainerKind>,
    /// `pod-template-hash` of the revision it was seen on; empty for the workload as a whole.
    #[schemars(with = "String", length(max = 63))]
    pub revision: Name,
    /// The revision is the newest one.
    pub newest: bool,
    /// Up to ten of the pods that show it.
    #[schemars(with = "Vec<String>", length(max = 10), inner(length(max = 253)))]
    pub pods: Vec<Name>,
    /// How many pods show it.
    #[schemars(range(min = 0))]
    pub failing_pods: u32,
    /// How many pods the revision has that could show it.
    #[schemars(range(min = 0))]
    pub total_pods: u32,
    pub sureness: Sureness,
    /// How often it was seen, in the pod that shows it most: exits, failed attempts or losses of readiness, as
    /// `sureness` says.
    #[schemars(range(min = 0))]
    pub occurrences: u32,
    /// How often it must be seen in a pod before that pod counts.
    #[schemars(range(min = 0))]
    pub needed: u32,
    /// How many pods count: those that show it often and long enough.
    #[schemars(range(min = 0))]
    pub counted_pods: u32,
    /// How many pods must count.
    #[schemars(range(min = 0))]
    pub needed_pods: u32,
    /// The evidence suffices by the rule that governs it.
    pub sufficient: bool,
    /// The rule that governs it; empty where none does.
    #[schemars(length(max = 63))]
    pub rule: String,
    /// The earliest sign of it.
    pub onset: Timestamp,
    /// The latest moment at which it can have begun: before `onset` where nobody saw its beginning. It may speak for what
    /// others suffered at the time, never against a revision.
    #[serde(skip)]
    pub began: Timestamp,
    /// When it had begun on as many pods as must count: the failure that is acted on began then, however long one of them may
    /// have shown it before.
    #[serde(skip)]
    pub spread: Spread,
    /// So many of the pods are not merely slow to start: they had been ready before, or show it for longer than a start takes,
    /// or in a way that no start does.
    #[serde(skip)]
    pub more_than_slow: u32,
    pub fault: Fault,
    pub confidence: Confidence,
    pub rollback: Rollback,
    /// What was read, and where: the clearest of it.
    #[schemars(length(max = 5))]
    pub evidence: Vec<Evidence>,
    /// Who is not at fault, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub rejected: Vec<Rejected>,
    /// Commands with which a person looks further.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(max = 256)))]
    pub next_steps: Vec<String>,
}

/// When the last of as many pods as must count began to show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// As `Finding::onset`.
    pub onset: Timestamp,
    /// As `Finding::began`.
    pub began: Timestamp,
    /// When it had lasted long enough, counted from when it began.
    pub sufficed: Timestamp,
}

impl Finding {
    /// The newest revision shows it, and the evidence suffices.
    pub fn is_evident(&self) -> bool {
        self.newest && self.sufficient
    }
}

/// Pieces of evidence as a person reads them: what several sources say alike is said once, after all of them.
pub fn told_once(evidence: &[Evidence]) -> Vec<(String, &str)> {
    let mut told: Vec<(String, &str)> = Vec::new();
    for Evidence { source, text } in evidence {
        match told.iter_mut().find(|(_, said)| said == text) {
            Some((sources, _)) => {
                sources.push_str(", ");
                sources.push_str(source);
            }
            None => told.push((source.clone(), text)),
        }
    }
    told
}

/// Where something was read and what it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The object and the part of it, such as `pod/web-6d-x containerStatuses[web].lastState`.
    #[schemars(length(max = 256))]
    pub source: String,
    /// What stood there; what looks like a secret is taken out.
    #[schemars(length(max = 1024))]
    pub text: String,
}

/// A hypothesis about whose fault it is that the evidence speaks against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    pub fault: Fault,
    /// What speaks against it.
    #[schemars(length(max = 256))]
    pub because: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_sources_say_alike_is_told_once() {
        let of = |source: &str, text: &str| Evidence { source: source.to_owned(), text: text.to_owned() };
        let told = [of("pod/a", "low on memory"), of("pod/b", "gone"), of("pod/c", "low on memory")];
        assert_eq!(told_once(&told), [("pod/a, pod/c".to_owned(), "low on memory"), ("pod/b".to_owned(), "gone")]);
        assert_eq!(told_once(&[]), []);
    }
}
