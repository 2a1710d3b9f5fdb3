//! The words of a scenario file.

use std::collections::BTreeMap;

use backstay::api::policy::Terms;
use backstay::engine::memory::ApprovalVerdict;
use backstay::engine::policy::Mode;
use backstay::engine::words::ActionKind;
use serde::Deserialize;
use serde_json::Value;

use super::around::{JobLine, ObjectLine};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What the scenario shows, in a sentence or two.
    pub about: String,
    /// `spec.replicas` of the Deployment.
    #[serde(default = "four")]
    pub replicas: i32,
    /// Merged into the Deployment.
    #[serde(default)]
    pub deployment: Value,
    #[serde(default)]
    pub policy: Terms,
    pub revisions: BTreeMap<String, Revision>,
    /// The revision that runs when the scenario begins, complete and ready; empty when there is none yet.
    #[serde(default = "v1")]
    pub runs: String,
    #[serde(default)]
    pub memory: MemoryLines,
    /// What is wrong at the end, as `CLASS/CAUSE`, whatever follows from it. Not for snapshots to say: a person does.
    pub finds: Option<Vec<String>>,
    /// Show what the incident would tell of what changed and who suffers.
    #[serde(default)]
    pub tells: bool,
    pub steps: Vec<Step>,
}

fn four() -> i32 {
    4
}

fn v1() -> String {
    "v1".to_owned()
}

/// A pod template, as changes to one that every scenario shares, and what is remembered of its revision. Times are
/// before the first step, such as `1h`.
#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Revision {
    /// The tag of the image.
    pub tag: Option<String>,
    /// Merged into the container `web`.
    pub container: Value,
    /// Merged into the template's `spec`.
    pub spec: Value,
    /// Merged into the template's `metadata`.
    pub metadata: Value,
    /// More containers, init containers and sidecars, as Kubernetes writes them.
    pub containers: Vec<Value>,
    pub init: Vec<Value>,
    /// The ReplicaSet exists from the beginning, this old.
    pub age: Option<String>,
    /// The ledger says that it has been healthy for this long.
    pub healthy: Option<String>,
    /// The ledger says that it was judged to be at fault this long ago.
    pub failed: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct MemoryLines {
    pub actions: Vec<ActionLine>,
    /// The newest revision is not remembered, as by an operator that has just been installed.
    pub forgetful: bool,
    /// Revisions that had another ReplicaSet before, which was judged to be at fault so long before the first step and is
    /// gone by now.
    pub pruned: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionLine {
    /// How long before the first step.
    pub ago: String,
    pub kind: ActionKind,
    pub from: String,
    pub to: String,
}

/// What happens, then one decision.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// Time since the step before, such as `12s`.
    pub after: Option<String>,
    /// A person or a tool puts this revision's template into the Deployment.
    pub ship: Option<String>,
    /// The Deployment controller has not looked at the Deployment yet.
    pub unobserved: bool,
    /// The pods of a revision, in place of those it had.
    pub pods: BTreeMap<String, Vec<PodLine>>,
    /// `spec.replicas` of ReplicaSets, where that is not the number of their pods.
    pub desired: BTreeMap<String, i32>,
    /// What the pods of a revision log from now on.
    pub logs: BTreeMap<String, String>,
    /// The message with which the API server refuses pods of a revision; empty ends it.
    pub refused: BTreeMap<String, String>,
    /// Events that come.
    pub events: Vec<EventLine>,
    /// Merged into nodes, which are `node-1` to `node-3`.
    pub nodes: BTreeMap<String, Value>,
    /// Merged into the Deployment after its status was computed.
    pub deployment: Value,
    pub fleet: Option<FleetLine>,
    /// What became of objects that templates name, such as `ConfigMap web-flags`; the others are there unchanged.
    pub objects: BTreeMap<String, ObjectLine>,
    /// Jobs that ran in the namespace.
    pub jobs: Vec<JobLine>,
    /// Why the API server would not take a pod of the baseline.
    pub baseline_refused: Option<String>,
    /// The API server was asked whether it would take a pod of the baseline, and would.
    pub baseline_accepted: bool,
    /// Seconds since the watches proved to be alive.
    pub data_age: i64,
    /// What a person says in the newest open incident: `approve`, `deny`, or the key of a decision that is approved.
    pub says: Option<String>,
    /// A person asks to resume the newest open incident.
    pub resume: bool,
    /// What must follow; `report.rs` says in which words.
    pub expect: Option<String>,
    /// Carry the action out.
    pub apply: bool,
    /// The operator dies before it records the action, or the end of the incident.
    pub forget: bool,
    /// The operator does not run: nothing is seen or decided.
    pub down: bool,
    /// The operator has just been started again: what it had seen of the pods is lost.
    pub restarted: bool,
    /// The watch still shows the Deployment as it was at the step before.
    pub stale: bool,
    /// Somebody changes the policy's mode.
    pub mode: Option<Mode>,
    /// A template that is shipped between the decision and the action.
    pub meanwhile: Option<String>,
}

/// An event, as a kubelet or a controller sends it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventLine {
    /// What it is about: a revision for all its pods of the moment, `pod/UID`, `replicaset/REVISION`, `claim/NAME`
    /// or `node/NAME`.
    pub of: String,
    pub reason: String,
    pub message: String,
    /// The container that it is about.
    pub container: Option<String>,
    /// How often it has happened.
    #[serde(default = "once")]
    pub count: i32,
    /// How long before the step it happened last.
    #[serde(default = "just_now")]
    pub ago: String,
}

fn once() -> i32 {
    1
}

fn just_now() -> String {
    "0s".to_owned()
}

/// The rest of the fleet. Workloads that fail and failed at the step before have not begun anew.
#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct FleetLine {
    /// How many workloads are watched, this one included; 20 unless it says more.
    pub watched: usize,
    /// How many others fail that are of other namespaces.
    pub failing: usize,
    /// How many others of the namespace fail.
    pub neighbours: usize,
    /// The others fail to pull from this registry, which they cannot reach.
    pub pulling_from: Option<String>,
    /// Nodes on which pods of another workload hang, as `NODE CAUSE`, since the first step that says so.
    pub hanging_on: Vec<String>,
    /// A person's word on the storm lets workloads be judged one by one.
    pub overridden: bool,
}

/// Some pods of a revision that are alike. As a string, `are` alone.
#[derive(Clone, Deserialize, Default)]
#[serde(from = "Short", default)]
pub struct PodLine {
    /// How many, a word for their state, and how many exits it has behind it: `2 crashed 3`. `pods.rs` has the words.
    pub are: String,
    pub node: Option<String>,
    /// They are other pods than those of the step before.
    pub fresh: bool,
    /// The container that the word is about.
    pub container: Option<String>,
    pub code: Option<i32>,
    pub reason: Option<String>,
    pub message: Option<String>,
    /// How long the last run took, in seconds.
    pub ran: Option<i64>,
    /// Merged into the pod.
    pub pod: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Short {
    Are(String),
    Long(Long),
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Long {
    are: String,
    node: Option<String>,
    fresh: bool,
    container: Option<String>,
    code: Option<i32>,
    reason: Option<String>,
    message: Option<String>,
    ran: Option<i64>,
    pod: Value,
}

impl From<Short> for PodLine {
    fn from(short: Short) -> Self {
        let long = match short {
            Short::Are(are) => Long { are, ..Long::default() },
            Short::Long(long) => long,
        };
        let Long { are, node, fresh, container, code, reason, message, ran, pod } = long;
        Self { are, node, fresh, container, code, reason, message, ran, pod }
    }
}

/// Seconds of `90s`, `15m` or `2h`.
pub fn seconds(text: &str) -> i64 {
    let (number, unit) = text.split_at(text.len() - 1);
    let number: i64 = number.parse().unwrap_or_else(|_| panic!("no span of time: {text}"));
    match unit {
        "s" => number,
        "m" => number * 60,
        "h" => number * 3600,
        _ => panic!("no span of time: {text}"),
    }
}

/// The verdict in `says`, and the decision it names.
pub fn verdict(says: &str) -> (ApprovalVerdict, Option<String>) {
    match says {
        "approve" => (ApprovalVerdict::Approve, None),
        "deny" => (ApprovalVerdict::Deny, None),
        key => (ApprovalVerdict::Approve, Some(key.to_owned())),
    }
}
