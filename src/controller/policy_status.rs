//! The status of policies: whether they are in force, what they govern, and what another policy governs instead.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, Patch};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

use super::context::Context;
use super::write;
use crate::api::condition::{self, Wanted};
use crate::api::{ClusterIncidentPolicy, IncidentPolicy, PolicyStatus};
use crate::cluster::apply::{Error, call};
use crate::cluster::policies::{self, Choice};
use crate::cluster::shelf::Key;

/// Overridden workloads that are listed.
const MAX_OVERRIDDEN: usize = 16;

/// What was told of unreadable policies already, so that it is told once.
pub type Told = BTreeSet<(Key, String)>;

/// Workloads by the policy that governs them, and those that another policy took.
#[derive(Default)]
struct Count {
    governed: u32,
    overridden: Vec<String>,
}

/// Brings the status of every policy up to date.
pub async fn write_all(ctx: &Context, told: &mut Told) -> Result<(), Error> {
    let counts = count(ctx);
    let now = Timestamp::now();
    for policy in ctx.own.policies.all() {
        let key = format!("{}//IncidentPolicy/{}", policy.namespace().unwrap_or_default(), policy.name_any());
        let fault = policies::fault(&[&policy.spec.selector]);
        let before = policy.status.clone().unwrap_or_default();
        let status = status(&before, counts.get(&key), fault, policy.metadata.generation, now);
        write_status(ctx, policy.as_ref(), policy.namespace().as_deref(), &before, &status).await?;
    }
    for policy in ctx.own.cluster_policies.all() {
        let key = format!("//ClusterIncidentPolicy/{}", policy.name_any());
        let fault = policies::fault(&[&policy.spec.selector, &policy.spec.namespace_selector]);
        let before = policy.status.clone().unwrap_or_default();
        let status = status(&before, counts.get(&key), fault, policy.metadata.generation, now);
        write_status(ctx, policy.as_ref(), None, &before, &status).await?;
    }
    for (key, error) in ctx.own.policies.unreadable() {
        tell_unreadable::<IncidentPolicy>(ctx, told, (key, error), now).await?;
    }
    for (key, error) in ctx.own.cluster_policies.unreadable() {
        tell_unreadable::<ClusterIncidentPolicy>(ctx, told, (key, error), now).await?;
    }
    Ok(())
}

fn count(ctx: &Context) -> BTreeMap<String, Count> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for key in ctx.stores.keys() {
        let labels = ctx.stores.labels(&key).unwrap_or_default();
        let Some(Choice { policy, overridden }) = ctx.policies.choose(&key.namespace, &labels) else { continue };
        counts.entry(scoped(&key.namespace, &policy.reference)).or_default().governed += 1;
        for loser in overridden {
            let losers = &mut counts.entry(scoped(&key.namespace, &loser)).or_default().overridden;
            if losers.len() < MAX_OVERRIDDEN {
                losers.push(format!("{key}: {}", policy.reference));
            }
        }
    }
    counts
}

/// A policy's reference, made unique over namespaces.
fn scoped(namespace: &str, reference: &str) -> String {
    match reference.starts_with("Cluster") {
        true => format!("//{reference}"),
        false => format!("{namespace}//{reference}"),
    }
}

fn status(
    before: &PolicyStatus,
    count: Option<&Count>,
    fault: Option<String>,
    generation: Option<i64>,
    now: Timestamp,
) -> PolicyStatus {
    let (ready, reason, message) = match fault {
        None => (true, "InForce", "the policy is in force".to_owned()),
        Some(because) => (false, "Invalid", because),
    };
    let mut status = PolicyStatus {
        observed_generation: generation,
        workloads: count.map_or(0, |c| c.governed),
        overridden: count.map(|c| c.overridden.clone()).unwrap_or_default(),
        conditions: before.conditions.clone(),
    };
    let wanted = Wanted { kind: "Ready", status: Some(ready), reason: reason.to_owned(), message };
    condition::set(&mut status.conditions, wanted, generation, now);
    status
}

async fn write_status<K>(
    ctx: &Context,
    object: &K,
    namespace: Option<&str>,
    before: &PolicyStatus,
    status: &PolicyStatus,
) -> Result<(), Error>
where
    K: Resource<DynamicType = ()>,
{
    if before == status {
        return Ok(());
    }
    let patch = write::replacement(object.uid().as_deref(), status);
    patch_status::<K>(ctx, namespace, &object.name_any(), patch).await
}

/// An object that cannot be read as a policy still gets a condition that says so.
async fn tell_unreadable<K>(
    ctx: &Context,
    told: &mut Told,
    (key, error): (Key, String),
    now: Timestamp,
) -> Result<(), Error>
where
    K: Resource<DynamicType = ()>,
{
    if !told.insert((key.clone(), error.clone())) {
        return Ok(());
    }
    let mut conditions = Vec::new();
    let message = format!("the policy cannot be read and governs nothing: {error}");
    let wanted = Wanted { kind: "Ready", status: Some(false), reason: "Unreadable".to_owned(), message };
    condition::set(&mut conditions, wanted, None, now);
    let status = json!({"workloads": 0, "conditions": conditions});
    let patch = serde_json::from_value(json!([{"op": "add", "path": "/status", "value": status}])).unwrap_or_default();
    let namespace = Some(key.0.as_str()).filter(|n| !n.is_empty());
    patch_status::<K>(ctx, namespace, &key.1, patch).await
}

async fn patch_status<K>(
    ctx: &Context,
    namespace: Option<&str>,
    name: &str,
    patch: json_patch::Patch,
) -> Result<(), Error>
where
    K: Resource<DynamicType = ()>,
{
    let kind = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(ctx.client.clone(), namespace, &kind),
        None => Api::all_with(ctx.client.clone(), &kind),
    };
    let patch = Patch::Json::<()>(patch);
    match call("writing the status of", "policy", name, api.patch_status(name, &write::manager(), &patch)).await {
        Err(Error::Call { source, .. }) if write::is_missing(&source) => Ok(()),
        other => other.map(|_| ()),
    }
}
