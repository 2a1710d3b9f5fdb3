use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use crate::cluster::slim::{Condition, lenient, meta};

/// What makes pods and is no Deployment: a StatefulSet, DaemonSet, Job or ReplicationController, as far as they are
/// alike.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Maker {
    #[serde(skip)]
    pub kind: String,
    #[serde(deserialize_with = "meta::read::<meta::NamesOnly, _>")]
    pub metadata: ObjectMeta,
    #[serde(deserialize_with = "lenient::or_default")]
    pub spec: MakerSpec,
    #[serde(deserialize_with = "lenient::or_default")]
    pub status: MakerStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MakerSpec {
    pub replicas: Option<i32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MakerStatus {
    pub ready_replicas: Option<i32>,
    /// A DaemonSet's.
    pub desired_number_scheduled: Option<i32>,
    pub number_ready: Option<i32>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub conditions: Vec<Condition>,
}

impl Maker {
    /// How many pods there should be, where it says so.
    pub fn wanted(&self) -> Option<i32> {
        match self.kind.as_str() {
            "DaemonSet" => self.status.desired_number_scheduled,
            "StatefulSet" | "ReplicationController" => Some(self.spec.replicas.unwrap_or(1)),
            _ => None,
        }
    }

    pub fn ready(&self) -> i32 {
        self.status.ready_replicas.or(self.status.number_ready).unwrap_or_default()
    }

    /// A Job that has done its work.
    pub fn is_complete(&self) -> bool {
        self.holds("Complete") || self.holds("SuccessCriteriaMet")
    }

    /// A Job that has given up.
    pub fn has_failed(&self) -> bool {
        self.holds("Failed")
    }

    fn holds(&self, kind: &str) -> bool {
        let of_kind = |c: &&Condition| c.kind.as_deref() == Some(kind);
        self.kind == "Job"
            && self.status.conditions.iter().find(of_kind).is_some_and(|c| c.status.as_deref() == Some("True"))
    }
}
