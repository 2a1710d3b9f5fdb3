//! `Incident`: the record of one failure of one revision, from the first sign to the end.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::blast_radius::{BlastRadius, Replicas};
use crate::engine::change::Change;
use crate::engine::change::told::WhatChanged;
use crate::engine::decision::{Outcome, Progress, Refusal, Verdict};
use crate::engine::finding::Finding;
use crate::engine::first_signal::FirstSignal;
use crate::engine::memory::{ActionRecord, Approval, Intent, RevisionRef};
use crate::engine::policy::Impact;
use crate::engine::words::Severity;

/// The record of one failure: what Backstay saw, whose fault it was, what it did or why not, and how it ended.
#[derive(CustomResource, KubeSchema, Clone, Debug, Serialize, Deserialize)]
#[kube(
    group = "backstay.dev",
    version = "v1alpha1",
    kind = "Incident",
    plural = "incidents",
    shortname = "inc",
    category = "backstay",
    namespaced,
    status = "IncidentStatus",
    derive = "PartialEq",
    printcolumn(name = "Workload", type_ = "string", json_path = ".spec.workload.name"),
    printcolumn(name = "Severity", type_ = "string", json_path = ".status.severity"),
    printcolumn(name = "Failure", type_ = "string", json_path = ".status.class"),
    printcolumn(name = "Fault", type_ = "string", json_path = ".status.verdict.fault"),
    printcolumn(name = "Progress", type_ = "string", json_path = ".status.progress"),
    printcolumn(name = "Outcome", type_ = "string", json_path = ".status.outcome"),
    printcolumn(name = "Refusal", type_ = "string", json_path = ".status.refusal.reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "From", type_ = "string", priority = 1, json_path = ".spec.opened.failing.name"),
    printcolumn(name = "To", type_ = "string", priority = 1, json_path = ".status.baseline.name"),
    printcolumn(name = "Why", type_ = "string", priority = 1, json_path = ".status.why")
)]
#[derive(PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IncidentSpec {
    /// The Deployment it is about.
    #[x_kube(validation = Rule::new("self == oldSelf").message("the workload of an incident never changes"))]
    pub workload: WorkloadRef,
    /// What Backstay saw and meant to do when it opened the incident. Written with the object itself, before anything
    /// was done, and never changed.
    #[x_kube(validation = Rule::new("self == oldSelf").message("what was seen when the incident was opened never changes"))]
    pub opened: Opened,
    /// A person's word on the action that the incident waits with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// Somebody looks after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
    /// What people want to remember.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 1024)))]
    pub notes: Vec<String>,
}

/// A Deployment, by everything it can be recognised by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadRef {
    /// `Deployment`, or `Storm` for the parent incident of a storm.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Its name, in the incident's namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its UID, by which a namesake that came later is told apart.
    #[schemars(length(max = 64))]
    pub uid: String,
}

/// What was known when the incident was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Opened {
    /// When it was opened.
    pub at: Timestamp,
    /// The policy that governed the workload, as `KIND/NAME`.
    #[schemars(length(max = 300))]
    pub policy: String,
    /// How urgent the rule that governs the failure calls it.
    pub severity: Severity,
    pub failing: RevisionRef,
    /// Counts the incidents on this template.
    #[schemars(range(min = 1))]
    pub episode: u32,
    /// What was decided, in a sentence.
    #[schemars(length(max = 1024))]
    pub why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The evidence, taken before anything was changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub findings: Vec<Finding>,
    /// What failing containers logged last, taken before anything was changed; and healthy ones, where they logged the
    /// same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub logs: Vec<LogExcerpt>,
    /// The replicas, as they were before anything was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
    /// How the failing template differs from the one that it is compared with, as far as that was known by then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub changes: Vec<Change>,
    /// The nodes of failing pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub nodes: Vec<NodeSight>,
    /// The newest events about failing pods, their revision and their nodes; the newest comes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub events: Vec<EventSight>,
    /// What was about to be done; absent when something was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// What the workload means to the business, as the policy said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Impact>,
}

/// What the conditions of a node said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeSight {
    /// Name of the node.
    #[schemars(length(max = 253))]
    pub name: String,
    /// It was ready.
    pub ready: bool,
    /// Since when it is ready, or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// No new pods go there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unschedulable: bool,
    /// Conditions that are bad news and were true, such as `MemoryPressure`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(max = 63)))]
    pub pressure: Vec<String>,
}

/// What an event said. What looks like a secret is taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventSight {
    /// The object and the reason, such as `pod/web-6d-x events[Unhealthy]`.
    #[schemars(length(max = 256))]
    pub source: String,
    /// What it said.
    #[schemars(length(max = 256))]
    pub text: String,
    /// When it happened last.
    pub at: Timestamp,
    /// How often it happened.
    #[schemars(range(min = 1))]
    pub count: u32,
}

/// The end of a container's log. What looks like a secret is taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogExcerpt {
    /// Name of the pod.
    #[schemars(length(max = 253))]
    pub pod: String,
    /// UID of the pod.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// Name of the container.
    #[schemars(length(max = 63))]
    pub container: String,
    /// The run that wrote it was over.
    #[serde(default)]
    pub ended: bool,
    /// How often the container had exited.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub exits: u32,
    /// The last error that it reports and its last lines, at most 3 KiB.
    #[schemars(length(max = 3072))]
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Acknowledgement {
    /// Who looks after it.
    #[schemars(length(min = 1, max = 253))]
    pub by: String,
}

/// What Backstay saw and did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct IncidentStatus {
    /// The generation that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How far it has come; absent once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// How it ended; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// How urgent it is: by the blast radius, once that is known, and never less than the rule of a policy says. Until
    /// then, what the rule says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Class and cause of the leading finding, as `CLASS/CAUSE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub class: Option<String>,
    /// The earliest sign of it, wherever it showed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_signal: Option<FirstSignal>,
    /// What changed since the workload last did well; what can cause the failure comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what_changed: Option<WhatChanged>,
    /// Who suffered when the incident was written, or later when it got worse while nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blast_radius: Option<BlastRadius>,
    /// The latest decision in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub why: Option<String>,
    /// The evidence as it was seen last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub findings: Vec<Finding>,
    /// What containers logged, where it was read after the incident had been opened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub logs: Vec<LogExcerpt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<RevisionRef>,
    /// What is about to be done, where it was decided after the incident had been opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// When the owner's failing template was seen in the Deployment again, after a freeze had put that of the baseline in.
    /// From then on the baseline's template is the owner's own doing, and ends the freeze.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_returned_at: Option<Timestamp>,
    /// What was done, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub actions: Vec<ActionRecord>,
    /// What happened, oldest first; nothing in it is ever changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub timeline: Vec<TimelineEntry>,
    /// Workloads of a storm, as `NAMESPACE/NAME`, the first hundred.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 320)))]
    pub affected: Vec<String>,
    /// `Detected`, `Attributed`, `Mitigated`, `Recovered`, `Succeeded`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "super::condition::schema")]
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    /// When it happened.
    pub at: Timestamp,
    /// A word that can be searched for, such as `RolledBack`.
    #[schemars(length(max = 63))]
    pub what: String,
    /// What happened, in a sentence.
    #[schemars(length(max = 512))]
    pub text: String,
}

impl Incident {
    /// It is not over yet.
    pub fn is_open(&self) -> bool {
        self.status.as_ref().is_none_or(|s| s.outcome.is_none())
    }

    /// The logs that are kept with it, those that were read first before others.
    pub fn logs(&self) -> impl Iterator<Item = &LogExcerpt> {
        self.spec.opened.logs.iter().chain(self.status.iter().flat_map(|status| &status.logs))
    }

    /// What is or was about to be done: the latest word, else the one it was opened with.
    pub fn intent(&self) -> Option<&Intent> {
        self.status.as_ref().and_then(|s| s.intent.as_ref()).or(self.spec.opened.intent.as_ref())
    }
}
