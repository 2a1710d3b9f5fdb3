//! The status of policies: whether they are in force, what they govern, and what another policy governs instead.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, Patch};
use kube::{Api, Resource, ResourceExt};

use super::context::Context;
use super::write;
use crate::api::condition::{self, Wanted};
use crate::api::{ClusterIncidentPolicy, IncidentPolicy, PolicyStatus};
use crate::cluster::apply::{Error, call};
use crate::cluster::policies::{self, Choice};
use crate::cluster::readable::Unreadable;
use crate::cluster::shelf::Key;

/// Overridden workloads that are listed.
const MAX_OVERRIDDEN: usize = 16;

/// What was told of unreadable policies already, by kind, so that it is told once.
pub type Told = BTreeMap<(String, Key), Arc<Unreadable>>;

/// Workloads by the policy that governs them, and those that another policy took.
#[derive(Default)]
struct Count {
    governed: u32,
    overridden: Vec<String>,
}

/// Brings the status of every policy up to date. One that cannot be written keeps no other from being written; the
/// first error is returned.
pub async fn write_all(ctx: &Context, told: &mut Told) -> Result<(), Error> {
    let counts = count(ctx);
    let now = Timestamp::now();
    let mut outcome = Ok(());
    for policy in ctx.own.policies.all() {
        let key = format!("{}//IncidentPolicy/{}", policy.namespace().unwrap_or_default(), policy.name_any());
        let fault = policies::fault(&[&policy.spec.selector], &policy.spec.terms);
        let before = policy.status.clone().unwrap_or_default();
        let status = status(&before, counts.get(&key), fault, policy.metadata.generation, now);
        outcome = outcome.and(write_status(ctx, policy.as_ref(), &before, &status).await);
    }
    for policy in ctx.own.cluster_policies.all() {
        let key = format!("//ClusterIncidentPolicy/{}", policy.name_any());
        let fault = policies::fault(&[&policy.spec.selector, &policy.spec.namespace_selector], &policy.spec.terms);
        let before = policy.status.clone().unwrap_or_default();
        let status = status(&before, counts.get(&key), fault, policy.metadata.generation, now);
        outcome = outcome.and(write_status(ctx, policy.as_ref(), &before, &status).await);
    }
    let namespaced = tell_unreadable::<IncidentPolicy>(ctx, told, ctx.own.policies.unreadable(), now).await;
    let cluster = tell_unreadable::<ClusterIncidentPolicy>(ctx, told, ctx.own.cluster_policies.unreadable(), now).await;
    outcome.and(namespaced).and(cluster)
}

fn count(ctx: &Context) -> BTreeMap<String, Count> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for key in ctx.stores.keys() {
        let labels = ctx.stores.labels(&key).unwrap_or_default();
        let Some(Choice { policy, overridden, .. }) = ctx.policies.choose(&key.namespace, &labels) else { continue };
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

async fn write_status<K>(ctx: &Context, object: &K, before: &PolicyStatus, status: &PolicyStatus) -> Result<(), Error>
where
    K: Resource<DynamicType = ()>,
{
    if before == status {
        return Ok(());
    }
    let patch = write::replacement(object.uid().as_deref(), status);
    patch_status(&api::<K>(ctx, object.meta().namespace.as_deref()), &object.name_any(), patch).await
}

/// Objects that cannot be read as policies still get a condition that says so. What is fixed and broken again is told
/// again.
async fn tell_unreadable<K>(
    ctx: &Context,
    told: &mut Told,
    unreadable: Vec<(Key, Arc<Unreadable>)>,
    now: Timestamp,
) -> Result<(), Error>
where
    K: Resource<DynamicType = ()>,
{
    let kind = K::kind(&());
    told.retain(|(of, key), _| *of != kind || unreadable.iter().any(|(known, _)| known == key));
    let mut outcome = Ok(());
    for (key, object) in unreadable {
        let place = (kind.clone().into_owned(), key);
        if told.get(&place).is_some_and(|known| known.fault() == object.fault()) {
            continue;
        }
        let written = tell::<K>(ctx, &object, now).await;
        if written.is_ok() {
            told.insert(place, object);
        }
        outcome = outcome.and(written);
    }
    outcome
}

async fn tell<K>(ctx: &Context, object: &Unreadable, now: Timestamp) -> Result<(), Error>
where
    K: Resource<DynamicType = ()>,
{
    let metadata = &object.metadata;
    let name = metadata.name.as_deref().unwrap_or_default();
    // What was told before a restart is not told again. Policies are never read but by watching: there is no right to.
    let mut conditions = object.conditions.clone();
    let message = format!("the policy cannot be read and governs nothing: {}", object.because);
    let wanted = Wanted { kind: "Ready", status: Some(false), reason: "Unreadable".to_owned(), message };
    condition::set(&mut conditions, wanted, metadata.generation, now);
    if conditions == object.conditions {
        return Ok(());
    }
    let status = PolicyStatus { observed_generation: metadata.generation, conditions, ..PolicyStatus::default() };
    let api = api::<K>(ctx, metadata.namespace.as_deref());
    patch_status(&api, name, write::replacement(metadata.uid.as_deref(), &status)).await
}

fn api<K>(ctx: &Context, namespace: Option<&str>) -> Api<DynamicObject>
where
    K: Resource<DynamicType = ()>,
{
    let kind = ApiResource::erase::<K>(&());
    match namespace {
        Some(namespace) => Api::namespaced_with(ctx.client.clone(), namespace, &kind),
        None => Api::all_with(ctx.client.clone(), &kind),
    }
}

async fn patch_status(api: &Api<DynamicObject>, name: &str, patch: json_patch::Patch) -> Result<(), Error> {
    let patch = Patch::Json::<()>(patch);
    match call("writing the status of", "policy", name, api.patch_status(name, &write::manager(), &patch)).await {
        Err(Error::Call { source, .. }) if write::is_missing(&source) => Ok(()),
        other => other.map(drop),
    }
}
