//! `WorkloadHealth`: what Backstay remembers of one Deployment, and the overview for people.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::decision::Refusal;
use crate::engine::memory::{ActionRecord, CurrentRevision, LedgerEntry, RevisionRef};
use crate::engine::words::State;

/// The health of one Deployment as Backstay sees it, with the ledger of revisions that were seen healthy. It has the
/// Deployment's name and is deleted with it.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, Serialize, Deserialize)]
#[kube(
    group = "backstay.dev",
    version = "v1alpha1",
    kind = "WorkloadHealth",
    plural = "workloadhealths",
    singular = "workloadhealth",
    shortname = "wlh",
    category = "backstay",
    namespaced,
    status = "WorkloadHealthStatus",
    derive = "PartialEq",
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Baseline", type_ = "string", json_path = ".status.baseline.name"),
    printcolumn(name = "Incident", type_ = "string", json_path = ".status.incident"),
    printcolumn(name = "Refusal", type_ = "string", json_path = ".status.refusal.reason"),
    printcolumn(name = "Policy", type_ = "string", json_path = ".status.policy"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Why", type_ = "string", priority = 1, json_path = ".status.why")
)]
#[derive(PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadHealthSpec {
    /// UID of the Deployment; a namesake that came later starts with an empty ledger.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("the memory of one workload never becomes another's"))]
    pub workload_uid: String,
}

/// What Backstay sees of the workload and remembers of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadHealthStatus {
    pub state: State,
    /// The latest decision in a sentence.
    #[schemars(length(max = 1024))]
    pub why: String,
    /// The policy that governs the workload, as `KIND/NAME`.
    #[schemars(length(max = 300))]
    pub policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// The open incident, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub incident: Option<String>,
    /// The revision that Backstay would go back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<RevisionRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<CurrentRevision>,
    /// What was seen of its revisions, those that are gone included as long as they matter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub ledger: Vec<LedgerEntry>,
    /// What Backstay did to it, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub actions: Vec<ActionRecord>,
    /// `Healthy`, and `Frozen` while Backstay holds the workload, by a freeze or by a pause on suspicion that lasts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "super::condition::schema")]
    pub conditions: Vec<Condition>,
}
