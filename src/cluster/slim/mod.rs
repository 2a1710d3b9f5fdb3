//! What is read of Kubernetes objects: only the fields that become facts.
//!
//! The types are kube resources, so that they can be listed and watched like the full ones, but unknown fields are
//! skipped while they are read and never allocated. Every way into the engine goes through them: the live watch,
//! offline diagnosis and the tests.

mod event;
pub mod lenient;
pub mod meta;
mod pod;
mod template;
#[cfg(test)]
mod tests;
mod variable;
mod volume;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Resource;
use serde::Deserialize;

pub use self::event::SlimEvent;
pub use self::lenient::Moment;
pub use self::pod::{Container, ContainerStatus, PodSpec, PodStatus, SlimPod, State, Terminated, Waiting};
pub use self::template::{ContainerSpec, Probe, ResourceList, Template};
use super::digest::{Leaf, Walked};

/// The label by which a Deployment tells the pods of its ReplicaSets apart.
pub const TEMPLATE_HASH: &str = "pod-template-hash";
/// The annotation in which the Deployment controller numbers revisions.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// The annotation that `kubectl rollout restart` sets in a pod template.
pub const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// A Deployment.
#[derive(Clone, Debug, Default, Deserialize, Resource)]
#[resource(inherit = "Deployment")]
#[serde(default)]
pub struct SlimDeployment {
    #[serde(deserialize_with = "meta::read::<meta::Workload, _>")]
    pub metadata: ObjectMeta,
    #[serde(deserialize_with = "lenient::or_default")]
    pub spec: DeploymentSpec,
    #[serde(deserialize_with = "lenient::or_default")]
    pub status: DeploymentStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentSpec {
    pub replicas: Option<i32>,
    pub paused: Option<bool>,
    pub progress_deadline_seconds: Option<i32>,
    pub revision_history_limit: Option<i32>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub strategy: Strategy,
    pub template: Walked<Template>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Strategy {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub rolling_update: Option<RollingUpdate>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RollingUpdate {
    pub max_surge: Option<IntOrString>,
    pub max_unavailable: Option<IntOrString>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentStatus {
    pub observed_generation: Option<i64>,
    pub replicas: Option<i32>,
    pub updated_replicas: Option<i32>,
    pub ready_replicas: Option<i32>,
    pub available_replicas: Option<i32>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub conditions: Vec<Condition>,
}

/// A condition of any kind of object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub status: Option<String>,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub last_update_time: Moment,
    pub last_transition_time: Moment,
}

/// A ReplicaSet.
#[derive(Clone, Debug, Default, Deserialize, Resource)]
#[resource(inherit = "ReplicaSet")]
#[serde(default)]
pub struct SlimReplicaSet {
    #[serde(deserialize_with = "meta::read::<meta::Revision, _>")]
    pub metadata: ObjectMeta,
    #[serde(deserialize_with = "lenient::or_default")]
    pub spec: ReplicaSetSpec,
    #[serde(deserialize_with = "lenient::or_default")]
    pub status: ReplicaSetStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaSetSpec {
    pub replicas: Option<i32>,
    pub template: Walked<Template>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaSetStatus {
    pub replicas: Option<i32>,
    pub ready_replicas: Option<i32>,
    pub available_replicas: Option<i32>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub conditions: Vec<Condition>,
}

/// A Node.
#[derive(Clone, Debug, Default, Deserialize, Resource)]
#[resource(inherit = "Node")]
#[serde(default)]
pub struct SlimNode {
    #[serde(deserialize_with = "meta::read::<meta::Node, _>")]
    pub metadata: ObjectMeta,
    #[serde(deserialize_with = "lenient::or_default")]
    pub spec: NodeSpec,
    #[serde(deserialize_with = "lenient::or_default")]
    pub status: NodeStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSpec {
    pub unschedulable: Option<bool>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub taints: Vec<Taint>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Taint {
    pub key: String,
    pub value: Option<String>,
    pub effect: String,
    /// Set by the node lifecycle controller, and by nobody else.
    pub time_added: Moment,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeStatus {
    #[serde(deserialize_with = "lenient::or_default")]
    pub allocatable: Allocatable,
    #[serde(deserialize_with = "lenient::or_default")]
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Allocatable {
    pub cpu: Leaf,
    pub memory: Leaf,
}

/// The owner that manages the object, if it is of `kind` in the group `apps`.
pub fn controller<'a>(meta: &'a ObjectMeta, kind: &str) -> Option<&'a OwnerReference> {
    any_controller(meta).filter(|owner| owner.kind == kind && owner.api_version.starts_with("apps/"))
}

/// The owner that manages the object; there is at most one.
pub fn any_controller(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}
