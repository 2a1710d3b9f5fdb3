//! `IncidentPolicy` and `ClusterIncidentPolicy`: which workloads Backstay watches and what it may do to them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{rules, selector};
use crate::engine::policy::{Guards, Impact, LogAccess, Mode, Rollout, Rule};
use crate::engine::words::Sureness;

/// Watches the Deployments of its namespace that match the selector, and brings a bad rollout of theirs back to the
/// last revision that was seen healthy. Everything but the selector has a default.
#[derive(CustomResource, KubeSchema, Clone, Debug, Serialize, Deserialize)]
#[kube(
    group = "backstay.dev",
    version = "v1alpha1",
    kind = "IncidentPolicy",
    plural = "incidentpolicies",
    shortname = "incpol",
    category = "backstay",
    namespaced,
    status = "PolicyStatus",
    derive = "PartialEq",
    validation = Rule::new(rules::UNIQUE).message(rules::UNIQUE_MESSAGE),
    validation = Rule::new(rules::RESERVED).message(rules::RESERVED_MESSAGE),
    validation = Rule::new(rules::PATTERNS).message(rules::PATTERNS_MESSAGE),
    validation = Rule::new(rules::strangers()).message(rules::STRANGERS_MESSAGE),
    validation = Rule::new(rules::containers()).message(rules::CONTAINERS_MESSAGE),
    validation = Rule::new(rules::threshold("exits", Sureness::Counted)).message(rules::EXITS_MESSAGE),
    validation = Rule::new(rules::threshold("attempts", Sureness::Repeated)).message(rules::ATTEMPTS_MESSAGE),
    validation = Rule::new(rules::threshold("flaps", Sureness::Flapping)).message(rules::FLAPS_MESSAGE),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Workloads", type_ = "integer", json_path = ".status.workloads"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[derive(PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IncidentPolicySpec {
    /// Which Deployments of this namespace; an empty selector is refused.
    #[schemars(schema_with = "super::selector::schema")]
    #[x_kube(validation = Rule::new(selector::ANY_RULE).message(selector::ANY_MESSAGE))]
    #[x_kube(validation = Rule::new(selector::VALUES_RULE).message(selector::VALUES_MESSAGE))]
    #[x_kube(validation = Rule::new(selector::keys_rule()).message(selector::KEYS_MESSAGE))]
    pub selector: LabelSelector,
    #[serde(flatten)]
    pub terms: Terms,
}

/// The same for all namespaces that match the namespace selector. An IncidentPolicy that selects the same Deployment
/// wins over it.
#[derive(CustomResource, KubeSchema, Clone, Debug, Serialize, Deserialize)]
#[kube(
    group = "backstay.dev",
    version = "v1alpha1",
    kind = "ClusterIncidentPolicy",
    plural = "clusterincidentpolicies",
    shortname = "cincpol",
    category = "backstay",
    status = "PolicyStatus",
    derive = "PartialEq",
    validation = Rule::new(rules::UNIQUE).message(rules::UNIQUE_MESSAGE),
    validation = Rule::new(rules::RESERVED).message(rules::RESERVED_MESSAGE),
    validation = Rule::new(rules::PATTERNS).message(rules::PATTERNS_MESSAGE),
    validation = Rule::new(rules::strangers()).message(rules::STRANGERS_MESSAGE),
    validation = Rule::new(rules::containers()).message(rules::CONTAINERS_MESSAGE),
    validation = Rule::new(rules::threshold("exits", Sureness::Counted)).message(rules::EXITS_MESSAGE),
    validation = Rule::new(rules::threshold("attempts", Sureness::Repeated)).message(rules::ATTEMPTS_MESSAGE),
    validation = Rule::new(rules::threshold("flaps", Sureness::Flapping)).message(rules::FLAPS_MESSAGE),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Workloads", type_ = "integer", json_path = ".status.workloads"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[derive(PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ClusterIncidentPolicySpec {
    /// Which namespaces, by their labels; an empty selector is refused. Every namespace carries
    /// `kubernetes.io/metadata.name`.
    #[schemars(schema_with = "super::selector::schema")]
    #[x_kube(validation = Rule::new(selector::ANY_RULE).message(selector::ANY_MESSAGE))]
    #[x_kube(validation = Rule::new(selector::VALUES_RULE).message(selector::VALUES_MESSAGE))]
    #[x_kube(validation = Rule::new(selector::keys_rule()).message(selector::KEYS_MESSAGE))]
    pub namespace_selector: LabelSelector,
    /// Which Deployments of those namespaces; an empty selector is refused.
    #[schemars(schema_with = "super::selector::schema")]
    #[x_kube(validation = Rule::new(selector::ANY_RULE).message(selector::ANY_MESSAGE))]
    #[x_kube(validation = Rule::new(selector::VALUES_RULE).message(selector::VALUES_MESSAGE))]
    #[x_kube(validation = Rule::new(selector::keys_rule()).message(selector::KEYS_MESSAGE))]
    pub selector: LabelSelector,
    #[serde(flatten)]
    pub terms: Terms,
}

/// What both kinds of policy say apart from whom they select.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Terms {
    /// Among policies of one kind that select the same Deployment the higher priority wins, then the older policy.
    /// Default 0.
    #[schemars(range(min = -1000, max = 1000))]
    pub priority: i32,
    /// `Enforce` acts where every guard agrees. `Observe` decides and records what it would have done, and writes
    /// nothing to workloads. Default Enforce.
    pub mode: Mode,
    /// How long a rollout counts as one.
    pub rollout: Rollout,
    /// Asked in order; the first that matches a failure governs it. The built-in table follows after the last.
    #[schemars(length(max = 32))]
    pub rules: Vec<Rule>,
    /// What must agree before anything is done.
    pub guards: Guards,
    /// `Read` reads the last lines of containers that fail, and of healthy ones to compare them with, as evidence; they
    /// are in the incident, without what looks like a secret. `Ignore` reads none. Default Read.
    pub logs: LogAccess,
    /// What the workload means to the business; copied into incidents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impact: Option<Impact>,
}

/// What became of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyStatus {
    /// The generation that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many Deployments this policy governs.
    #[schemars(range(min = 0))]
    pub workloads: u32,
    /// Selected Deployments that another policy governs, as `NAMESPACE/NAME: POLICY`, the first few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 600)))]
    pub overridden: Vec<String>,
    /// `Ready`: the policy is valid and in force.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "super::condition::schema")]
    pub conditions: Vec<Condition>,
}
