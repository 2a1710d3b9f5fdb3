//! Writing Backstay's own objects.

use std::fmt::Debug;

use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::context::Context;
use super::own_streams;
use crate::api::incident::IncidentStatus;
use crate::api::{Incident, STATUS_MANAGER, WorkloadHealth, WorkloadHealthStatus};
use crate::cluster::apply::{Error, call};
use crate::cluster::own::Own;
use crate::cluster::shelf::Change;

/// Creates the incident. That it exists already is fine: its name says that it is the same one, and the one that
/// exists is the one that counts.
pub async fn create_incident(ctx: &Context, incident: &Incident) -> Result<Incident, Error> {
    let namespace = incident.namespace().unwrap_or_default();
    let api: Api<Incident> = Api::namespaced(ctx.client.clone(), &namespace);
    let name = incident.name_any();
    let params = PostParams { field_manager: Some(STATUS_MANAGER.to_owned()), ..PostParams::default() };
    let created = match call("creating", "Incident", &name, api.create(&params, incident)).await {
        Err(Error::Call { source, .. }) if is_conflict(&source) => {
            call("reading", "Incident", &name, api.get(&name)).await?
        }
        other => other?,
    };
    keep(ctx, &created);
    Ok(created)
}

/// Keeps an incident as the API server gave it back, and heeds what a person said in it: the watch brings nothing that
/// is newer, and tells nobody. Our own incident is no news before anybody has changed it.
fn keep(ctx: &Context, incident: &Incident) {
    let change = ctx.own.incidents.put(incident.clone());
    let is_ours = |change: &Change<Incident>| change.before.is_none() && incident.metadata.generation == Some(1);
    if let Some(change) = change.filter(|change| !is_ours(change)) {
        own_streams::incident_changed(ctx, &change);
    }
}

/// Replaces an incident's status, whatever it was: only the leader writes it. One that somebody deleted is forgotten,
/// so that the next look opens it anew.
pub async fn incident_status(ctx: &Context, incident: &Incident, status: &IncidentStatus) -> Result<Incident, Error> {
    let namespace = incident.namespace().unwrap_or_default();
    let api: Api<Incident> = Api::namespaced(ctx.client.clone(), &namespace);
    let name = incident.name_any();
    let patch = Patch::Json::<()>(replacement(incident.uid().as_deref(), status));
    let params = manager();
    let written = call("writing the status of", "Incident", &name, api.patch_status(&name, &params, &patch)).await;
    match &written {
        Ok(incident) => keep(ctx, incident),
        Err(error) if error.is_missing() => ctx.own.incidents.forget(&namespace, &name),
        Err(_) => {}
    }
    written
}

/// Deletes an incident that was kept long enough; only the very one that was seen.
pub async fn delete_incident(client: &Client, own: &Own, incident: &Incident) -> Result<(), Error> {
    let namespace = incident.namespace().unwrap_or_default();
    let api: Api<Incident> = Api::namespaced(client.clone(), &namespace);
    delete(&api, "Incident", incident).await?;
    own.incidents.forget(&namespace, &incident.name_any());
    Ok(())
}

/// Deletes a memory that nobody owns; only the very one that was seen.
pub async fn delete_health(client: &Client, own: &Own, health: &WorkloadHealth) -> Result<(), Error> {
    let namespace = health.namespace().unwrap_or_default();
    let api: Api<WorkloadHealth> = Api::namespaced(client.clone(), &namespace);
    delete(&api, "WorkloadHealth", health).await?;
    own.health.forget(&namespace, &health.name_any());
    Ok(())
}

/// That it is gone already is fine.
async fn delete<K>(api: &Api<K>, kind: &'static str, object: &K) -> Result<(), Error>
where
    K: ResourceExt + Clone + DeserializeOwned + Debug,
{
    let (name, uid) = (object.name_any(), object.uid());
    let params =
        DeleteParams { preconditions: Some(Preconditions { uid, resource_version: None }), ..DeleteParams::default() };
    match call("deleting", kind, &name, api.delete(&name, &params)).await {
        Err(Error::Call { source, .. }) if is_missing(&source) => Ok(()),
        other => other.map(drop),
    }
}

/// Creates the memory of a workload.
pub async fn create_health(client: &Client, own: &Own, health: &WorkloadHealth) -> Result<WorkloadHealth, Error> {
    let namespace = health.namespace().unwrap_or_default();
    let api: Api<WorkloadHealth> = Api::namespaced(client.clone(), &namespace);
    let name = health.name_any();
    let params = PostParams { field_manager: Some(STATUS_MANAGER.to_owned()), ..PostParams::default() };
    let created = match call("creating", "WorkloadHealth", &name, api.create(&params, health)).await {
        Err(Error::Call { source, .. }) if is_conflict(&source) => {
            call("reading", "WorkloadHealth", &name, api.get(&name)).await?
        }
        other => other?,
    };
    own.health.put(created.clone());
    Ok(created)
}

/// Replaces the status of a workload's memory.
pub async fn health_status(
    client: &Client,
    own: &Own,
    health: &WorkloadHealth,
    status: &WorkloadHealthStatus,
) -> Result<(), Error> {
    let namespace = health.namespace().unwrap_or_default();
    let api: Api<WorkloadHealth> = Api::namespaced(client.clone(), &namespace);
    let name = health.name_any();
    let patch = Patch::Json::<()>(replacement(health.uid().as_deref(), status));
    let params = manager();
    match call("writing the status of", "WorkloadHealth", &name, api.patch_status(&name, &params, &patch)).await {
        Ok(written) => {
            own.health.put(written);
        }
        Err(error) => {
            // One that somebody deleted is created anew.
            if error.is_missing() {
                own.health.forget(&namespace, &name);
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Replaces `/status` of exactly this object. `add` replaces what is there and creates what is not.
pub fn replacement(uid: Option<&str>, status: &impl Serialize) -> json_patch::Patch {
    let ops = json!([
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "add", "path": "/status", "value": status},
    ]);
    serde_json::from_value(ops).unwrap_or_default()
}

pub fn manager() -> PatchParams {
    PatchParams { field_manager: Some(STATUS_MANAGER.to_owned()), ..PatchParams::default() }
}

pub fn is_missing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}
