//! What is done now and then beside the looks: gauges, the status of policies, the end of storms, and clearing away
//! incidents that were kept long enough. None of it asks the API server for anything; it reads what is watched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::task::JoinSet;

use super::context::Context;
use super::tally::came_to;
use super::{policy_status, record, storm, story, write};
use crate::api::{Incident, WorkloadHealth, condition};
use crate::cluster::apply::Error;
use crate::cluster::chain::chain;
use crate::cluster::store::WorkloadKey;
use crate::config::IncidentArgs;
use crate::engine::decision::Outcome;
use crate::engine::guard::MAX_DATA_AGE_SECONDS;
use crate::engine::moment::after;
use crate::metrics::WatchedResource;
use crate::server::Health;

const GAUGES: Duration = Duration::from_secs(5);
const RETENTION: Duration = Duration::from_secs(300);
/// Policies are looked at when one changes, and this often for the workloads they govern.
const POLICIES: Duration = Duration::from_secs(30);
/// The loops above may be late, never this late.
const MAX_SILENCE: Duration = Duration::from_secs(60);
const SECONDS_PER_DAY: i64 = 86_400;

/// Starts all chores; they end when the set is dropped.
pub fn spawn(ctx: Arc<Context>, kept: IncidentArgs, health: &Health) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let heart = health.heart("chores", MAX_SILENCE);
    let gauging = ctx.clone();
    tasks.spawn(async move {
        let mut tick = tokio::time::interval(GAUGES);
        let mut errors = BTreeMap::new();
        loop {
            tick.tick().await;
            heart.beat();
            gauges(&gauging, &mut errors);
            if gauging.leads() && gauging.fleet.storm().is_some() {
                let nodes = gauging.stores.nodes();
                storm::watch(&gauging, (nodes.total, nodes.not_ready), Timestamp::now()).await;
            }
        }
    });
    let policing = ctx.clone();
    tasks.spawn(async move {
        let mut told = policy_status::Told::new();
        loop {
            let _ = tokio::time::timeout(POLICIES, policing.policies_changed.notified()).await;
            if policing.leads() {
                warn(policy_status::write_all(&policing, &mut told).await, "writing the status of policies");
            }
        }
    });
    tasks.spawn(async move {
        let mut tick = tokio::time::interval(RETENTION);
        loop {
            tick.tick().await;
            if ctx.leads() {
                warn(clear_away(&ctx, &kept, Timestamp::now()).await, "clearing away incidents");
            }
        }
    });
    tasks
}

fn warn(result: Result<(), Error>, doing: &'static str) {
    if let Err(error) = result {
        tracing::warn!(error = %chain(&error), doing, "a chore failed and is tried again");
    }
}

pub(super) fn gauges(ctx: &Context, errors: &mut BTreeMap<WatchedResource, u64>) {
    let m = &ctx.metrics;
    let counts = ctx.stores.counts();
    m.set_store_objects(WatchedResource::Deployment, counts.workloads);
    m.set_store_objects(WatchedResource::ReplicaSet, counts.revisions);
    m.set_store_objects(WatchedResource::Pod, counts.pods);
    m.set_store_objects(WatchedResource::Node, counts.nodes);
    m.set_store_objects(WatchedResource::Event, ctx.hints.len());
    let incidents = ctx.own.incidents.all();
    m.set_store_objects(WatchedResource::Incident, incidents.len());
    ctx.tally.keep_open(&incidents);
    m.set_incidents_open(incidents.iter().filter(|i| i.is_open()).count());
    let frozen = ctx.own.health.all();
    let is_frozen = |conditions: &[_]| condition::is_true(conditions, "Frozen");
    m.set_frozen_workloads(
        frozen.iter().filter(|h| h.status.as_ref().is_some_and(|s| is_frozen(&s.conditions))).count(),
    );
    // What only looks tell is known to the leader alone. A replica that led must not go on reporting what it saw then.
    let leads = ctx.leads();
    ctx.tracker.keep_only(|key| ctx.stores.generation(key).is_some());
    m.set_storm_active(leads && ctx.fleet.brake().is_some());
    m.set_objects_in_backoff(if leads { ctx.tracker.in_backoff() } else { 0 });
    m.set_findings(&if leads { ctx.tracker.findings() } else { BTreeMap::new() });
    for age in ctx.watches.ages() {
        let Some(resource) = WatchedResource::of_plural(&age.resource) else { continue };
        m.watch_seen_ago(resource, Duration::from_secs(age.seconds));
        // Errors of a watch that does not count for a while are not new when it counts again.
        let known = errors.entry(resource).or_default();
        (*known..age.errors).for_each(|_| m.watch_failed(resource));
        *known = age.errors.max(*known);
    }
}

/// Closes incidents whose workload is gone, and deletes those that ended long ago or are too many, and the memory that a
/// workload left behind. One that cannot be written keeps no other; the first error is returned.
pub(super) async fn clear_away(ctx: &Context, kept: &IncidentArgs, now: Timestamp) -> Result<(), Error> {
    let mut outcome = Ok(());
    let oldest = after(now, -i64::from(kept.incident_retention_days).saturating_mul(SECONDS_PER_DAY));
    let mut ended: BTreeMap<String, Vec<(Timestamp, Arc<Incident>)>> = BTreeMap::new();
    for incident in ctx.own.incidents.all() {
        match incident.status.as_ref().and_then(|s| s.closed_at) {
            Some(at) if at < oldest => {
                outcome = outcome.and(write::delete_incident(&ctx.client, &ctx.own, &incident).await);
            }
            Some(at) => ended.entry(incident.spec.workload.uid.clone()).or_default().push((at, incident)),
            None if is_abandoned(ctx, &incident) => {
                let status = record::close(&incident, (Outcome::Abandoned, "the workload is gone"), &[], now);
                let written = write::incident_status(ctx, &incident, &status).await;
                if story::is_told(&written) {
                    came_to(ctx, &incident, Outcome::Abandoned.into());
                }
                outcome = outcome.and(written.map(drop));
            }
            None if storm::is_left_over(ctx, &incident) => {
                outcome = outcome.and(storm::close(ctx, &incident, now).await);
            }
            None => {}
        }
    }
    let max = usize::try_from(kept.incidents_per_workload).unwrap_or(usize::MAX);
    for mut incidents in ended.into_values() {
        incidents.sort_by_key(|(at, _)| *at);
        let surplus = incidents.len().saturating_sub(max);
        for (_, incident) in incidents.into_iter().take(surplus) {
            outcome = outcome.and(write::delete_incident(&ctx.client, &ctx.own, &incident).await);
        }
    }
    for health in ctx.own.health.all() {
        if is_left_behind(ctx, &health) {
            outcome = outcome.and(write::delete_health(&ctx.client, &ctx.own, &health).await);
        }
    }
    outcome
}

fn is_abandoned(ctx: &Context, incident: &Incident) -> bool {
    let namespace = incident.namespace().unwrap_or_default();
    let workload = &incident.spec.workload;
    !storm::is_storm(incident) && is_gone(ctx, &WorkloadKey::new(&namespace, &workload.name), &workload.uid)
}

/// It went without its memory, as with `--cascade=orphan`: else that says for ever that the workload is held.
fn is_left_behind(ctx: &Context, health: &WorkloadHealth) -> bool {
    let key = WorkloadKey::new(&health.namespace().unwrap_or_default(), &health.name_any());
    health.owner_references().is_empty() && is_gone(ctx, &key, &health.spec.workload_uid)
}

fn is_gone(ctx: &Context, key: &WorkloadKey, uid: &str) -> bool {
    // Where Deployments were never listed, or may not be any more, one that is not seen is not gone.
    ctx.data_age_seconds(&key.namespace, false) <= MAX_DATA_AGE_SECONDS
        && ctx.stores.workload(key).is_none_or(|(w, ..)| *w.uid != *uid)
}
