//! The last look before a write: the Deployment and the baseline as they are now, not as a watch showed them.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, Client, ResourceExt};
use serde::Deserialize;
use serde_json::Value;

use super::{Error, Target, call};
use crate::api::keys;
use crate::cluster::digest::Walked;
use crate::cluster::patch::{self, Live};
use crate::cluster::slim::Template;
use crate::engine::facts::Snapshot;
use crate::engine::memory::RevisionRef;

/// The ReplicaSet whose template is to be put back, as it was judged.
#[derive(Clone, Copy, Debug)]
pub struct Baseline<'a> {
    name: &'a str,
    uid: &'a str,
    /// Of its template; `None` where the watch does not show the ReplicaSet.
    digest: Option<u64>,
}

impl<'a> Baseline<'a> {
    pub fn of(s: &'a Snapshot, revision: &'a RevisionRef) -> Self {
        let seen = s.revisions.iter().find(|r| r.uid == revision.uid);
        Self { name: &revision.name, uid: &revision.uid, digest: seen.map(|r| r.template.digest) }
    }

    /// Its template, unless it is a namesake or somebody changed it.
    fn template(&self, set: &DynamicObject) -> Result<Option<Value>, Error> {
        let none = || Error::NoTemplate { name: self.name.to_owned() };
        let template = set.data.pointer("/spec/template").ok_or_else(none)?;
        let read = Walked::<Template>::deserialize(template).ok();
        let same = self.digest.is_none_or(|judged| read.is_some_and(|read| read.digest.0 == judged));
        Ok((same && set.uid().as_deref() == Some(self.uid)).then(|| template.clone()))
    }
}

/// What was read of a workload just before it is written.
#[derive(Debug)]
pub struct Fresh {
    pub live: Live,
    /// Somebody asked to be left alone, or it is no longer what was judged, which no digest shows.
    pub hands_off: Option<String>,
    pub scaled_to_zero: bool,
    pub incident_mark: Option<String>,
    pub paused_for: Option<String>,
    /// The Deployment's template as it is.
    pub current: Value,
    /// The baseline's template, where the action needs it.
    pub template: Option<Value>,
}

impl Fresh {
    fn gone(because: String) -> Self {
        Self {
            live: Live { uid: String::new(), generation: 0, annotations: None, paused: false },
            hands_off: Some(because),
            scaled_to_zero: false,
            incident_mark: None,
            paused_for: None,
            current: Value::Null,
            template: None,
        }
    }
}

/// Reads the Deployment, and the baseline's template with it, as they are now.
pub async fn read(client: &Client, target: Target<'_>, baseline: Option<Baseline<'_>>) -> Result<Fresh, Error> {
    // Read as plain JSON: a typed template would silently lose the fields that this build does not know.
    let kind = ApiResource::erase::<Deployment>(&());
    let deployments: Api<DynamicObject> = Api::namespaced_with(client.clone(), target.namespace, &kind);
    let kind = ApiResource::erase::<ReplicaSet>(&());
    let sets: Api<DynamicObject> = Api::namespaced_with(client.clone(), target.namespace, &kind);
    let deployment = call("reading", "Deployment", target.name, deployments.get_opt(target.name));
    let template = async {
        match baseline {
            Some(Baseline { name, .. }) => call("reading", "ReplicaSet", name, sets.get_opt(name)).await,
            None => Ok(None),
        }
    };
    let (deployment, set) = tokio::try_join!(deployment, template)?;
    // What is gone is nothing that failed: the workload is judged again when the watch has told.
    let Some(deployment) = deployment else { return Ok(Fresh::gone("the Deployment is gone".to_owned())) };
    let template = match (set, baseline) {
        (Some(set), Some(baseline)) => match baseline.template(&set)? {
            Some(template) => Some(patch::without_hash(template)),
            None => return Ok(Fresh::gone(format!("ReplicaSet {} is not the one that was judged", baseline.name))),
        },
        (None, Some(baseline)) => return Ok(Fresh::gone(format!("ReplicaSet {} is gone", baseline.name))),
        (_, None) => None,
    };
    Ok(fresh(&deployment, target, template))
}

fn fresh(deployment: &DynamicObject, target: Target<'_>, template: Option<Value>) -> Fresh {
    let annotation = |key: &str| deployment.annotations().get(key).cloned();
    let spec = |pointer: &str| deployment.data.pointer(pointer);
    let hands_off = if deployment.uid().as_deref() != Some(target.uid) {
        Some("the Deployment was replaced by a namesake".to_owned())
    } else if deployment.metadata.deletion_timestamp.is_some() {
        Some("the Deployment is being deleted".to_owned())
    } else {
        let ignored = annotation(keys::IGNORE).as_deref() == Some("true");
        ignored.then(|| format!("the Deployment carries {}", keys::IGNORE))
    };
    Fresh {
        live: Live {
            uid: deployment.uid().unwrap_or_default(),
            generation: deployment.metadata.generation.unwrap_or_default(),
            annotations: deployment.metadata.annotations.as_ref().map(|a| a.keys().cloned().collect()),
            paused: spec("/spec/paused").and_then(Value::as_bool).unwrap_or_default(),
        },
        hands_off,
        scaled_to_zero: spec("/spec/replicas").and_then(Value::as_i64) == Some(0),
        incident_mark: annotation(keys::INCIDENT),
        paused_for: annotation(keys::PAUSED_FOR),
        current: spec("/spec/template").cloned().unwrap_or_default(),
        template,
    }
}
