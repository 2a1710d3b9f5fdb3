use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;

use crate::cluster::facts::unavailable;
use crate::cluster::slim::{Condition, Strategy, lenient, meta};

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
    #[serde(deserialize_with = "lenient::or_default")]
    pub update_strategy: Strategy,
    /// A Job's.
    pub parallelism: Option<i32>,
    pub completions: Option<i32>,
    pub suspend: Option<bool>,
    pub template: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MakerStatus {
    pub replicas: Option<i32>,
    pub ready_replicas: Option<i32>,
    /// A StatefulSet's: the name of its newest revision.
    pub update_revision: Option<String>,
    /// A DaemonSet's.
    pub desired_number_scheduled: Option<i32>,
    pub current_number_scheduled: Option<i32>,
    pub number_ready: Option<i32>,
    /// A Job's.
    pub active: Option<i32>,
    pub succeeded: Option<i32>,
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

    /// How many pods there should be at the moment, also of a Job.
    pub fn due(&self) -> i32 {
        match self.kind.as_str() {
            "Job" => self.due_of_job(),
            _ => self.wanted().unwrap_or_default(),
        }
    }

    fn due_of_job(&self) -> i32 {
        let Self { spec, status, .. } = self;
        let (at_once, succeeded) = (spec.parallelism.unwrap_or(1), status.succeeded.unwrap_or_default());
        if spec.suspend == Some(true) || self.is_complete() || self.gave_up().is_some() {
            return 0;
        }
        match spec.completions {
            Some(all) => all.saturating_sub(succeeded).min(at_once),
            // Its pods agree among themselves when the work is done, and the first that ends well says that it is.
            None if succeeded > 0 => 0,
            None => at_once,
        }
    }

    /// It keeps revisions, and not as many of its pods are ready as there should be.
    pub fn lacks_ready_pods(&self) -> bool {
        matches!(&*self.kind, "StatefulSet" | "DaemonSet") && self.wanted().is_some_and(|wanted| self.ready() < wanted)
    }

    /// How many pods it says there are.
    pub fn told(&self) -> i32 {
        let status = &self.status;
        status.replicas.or(status.current_number_scheduled).or(status.active).unwrap_or_default()
    }

    /// How many pods a rolling update may take away at a time.
    pub fn max_unavailable(&self) -> i32 {
        match (self.wanted(), self.spec.update_strategy.rolling_update.as_ref()) {
            (Some(wanted), update) => unavailable(update, wanted),
            (None, _) => 0,
        }
    }

    /// A Job that has done its work.
    pub fn is_complete(&self) -> bool {
        self.holds("Complete") || self.holds("SuccessCriteriaMet")
    }

    /// The condition of a Job that has given up.
    pub fn gave_up(&self) -> Option<&Condition> {
        self.holding("Failed")
    }

    fn holds(&self, kind: &str) -> bool {
        self.holding(kind).is_some()
    }

    fn holding(&self, kind: &str) -> Option<&Condition> {
        let of_kind = |c: &&Condition| c.kind.as_deref() == Some(kind);
        let found = self.status.conditions.iter().find(of_kind).filter(|c| c.status.as_deref() == Some("True"));
        found.filter(|_| self.kind == "Job")
    }
}
