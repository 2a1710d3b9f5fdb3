use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

use super::{Condition, Moment, controller, lenient, meta};
use crate::cluster::digest::Leaf;

/// A Pod.
#[derive(Clone, Debug, Default, Deserialize, Resource)]
#[resource(inherit = "Pod")]
#[serde(default)]
pub struct SlimPod {
    #[serde(deserialize_with = "meta::read::<meta::NamesOnly, _>")]
    pub metadata: ObjectMeta,
    #[serde(deserialize_with = "lenient::or_default")]
    pub spec: PodSpec,
    #[serde(deserialize_with = "lenient::or_default")]
    pub status: PodStatus,
}

impl SlimPod {
    /// UID of the controlling ReplicaSet; `None` for pods of anything else.
    pub fn revision(&self) -> Option<&str> {
        controller(&self.metadata, "ReplicaSet").map(|owner| owner.uid.as_str())
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    pub node_name: Option<String>,
    pub restart_policy: Option<String>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub init_containers: Vec<Container>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub containers: Vec<Container>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    pub name: String,
    /// Only for init containers, where `Always` makes a sidecar.
    pub restart_policy: Option<String>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub resources: Resources,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Resources {
    #[serde(deserialize_with = "lenient::or_default")]
    pub limits: Limits,
}

/// Amounts as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Limits {
    pub memory: Leaf,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    pub phase: Option<String>,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub start_time: Moment,
    #[serde(deserialize_with = "lenient::or_default")]
    pub conditions: Vec<Condition>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub init_container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    pub name: String,
    pub ready: Option<bool>,
    pub started: Option<bool>,
    pub restart_count: Option<i32>,
    pub state: Option<State>,
    pub last_state: Option<State>,
}

/// At most one of the three is set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct State {
    pub waiting: Option<Waiting>,
    pub running: Option<Running>,
    pub terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Waiting {
    pub reason: Option<String>,
    pub message: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Running {
    pub started_at: Moment,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub started_at: Moment,
    pub finished_at: Moment,
}
