//! The storm's parent incident: opened when too much fails at once, closed when that passes.

mod parent;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::time::Instant;

use super::context::{Context, incident_reference};
use super::write;
use crate::api::incident::{Incident, IncidentStatus};
use crate::api::keys;
use crate::cluster::apply::Error;
use crate::cluster::chain::chain;
use crate::cluster::events::About;
use crate::engine::facts::Name;
use crate::engine::storm::{Weather, overridden_by};
use crate::engine::words::RefusalReason;

/// Workloads listed in the parent incident.
const MAX_AFFECTED: usize = 100;

/// The writing of the parent incident. Looks run side by side; one of them writes, the others need not wait.
#[derive(Debug, Default)]
pub struct Pen {
    /// After a write that failed, the next try waits until then.
    rest: Option<Instant>,
}

/// How long after a failure the parent incident is tried again.
const REST: Duration = Duration::from_secs(5);

/// Engages the brake when a storm begins, keeps its record, and releases the brake when it has passed. A record that
/// cannot be written is tried again later and keeps nobody from being judged.
pub async fn watch(ctx: &Context, nodes: (u32, u32), now: Timestamp) {
    let weather = ctx.fleet.weather(nodes, now);
    // The brake engages before anything is written: a record that fails must not let an action through.
    if weather.storm && ctx.fleet.engage(|| Name::from(format!("storm-{}", now.as_second()))) {
        ctx.metrics.set_storm_active(true);
        wake_failing(ctx);
    }
    let Some(name) = ctx.fleet.storm() else { return };
    heed(ctx, &name);
    let Ok(mut pen) = ctx.storm_pen.try_lock() else { return };
    let over = ctx.fleet.storm().as_ref() != Some(&name);
    if over || pen.rest.is_some_and(|until| Instant::now() < until) {
        return;
    }
    let written = match (weather.storm, recorded(ctx, &name)) {
        (true, None) => record(ctx, &name, &weather, now).await,
        (true, Some((incident, before))) => follow(ctx, &incident, before, now).await,
        (false, _) => end(ctx, &name, now).await,
    };
    if let Err(error) = &written {
        tracing::warn!(incident = &*name, error = %chain(error), "the storm's incident was not written and is tried again");
    }
    pen.rest = written.is_err().then(|| Instant::now() + REST);
}

/// Where the record goes: into the installation's own namespace, unless single namespaces are watched and this is none
/// of them. There the record could be neither written nor seen again.
pub fn home(own: String, watched: &[String]) -> String {
    match watched.first() {
        Some(first) if !watched.contains(&own) => first.clone(),
        _ => own,
    }
}

/// A person may let single workloads be acted on although the storm has not passed, and take that back.
fn heed(ctx: &Context, name: &str) {
    let incident = known(ctx, name);
    let by = incident.as_ref().and_then(|i| overridden_by(i.spec.approval.as_ref(), name));
    if ctx.fleet.set_overridden(by.is_some()) {
        tracing::warn!(incident = name, by, "a person's word on the storm changed");
        ctx.metrics.set_storm_active(by.is_none());
        wake_failing(ctx);
    }
}

/// Takes over the storm that another process, or this one before a restart, had recorded.
pub fn adopt(ctx: &Context) {
    let storms = ctx.own.incidents.all().into_iter().filter(|i| is_storm(i) && i.is_open());
    let open = storms.max_by_key(|incident| incident.spec.opened.at);
    ctx.fleet.set_storm(open.map(|incident| Name::from(incident.name_any())));
}

pub fn is_storm(incident: &Incident) -> bool {
    incident.labels().contains_key(keys::STORM)
}

/// An open storm that is not the one in force: another process recorded it and ended before it could close it.
pub fn is_left_over(ctx: &Context, incident: &Incident) -> bool {
    is_storm(incident) && ctx.fleet.storm().as_deref() != Some(&*incident.name_any())
}

/// Writes the parent incident, or what is missing of it.
async fn record(ctx: &Context, name: &str, weather: &Weather, now: Timestamp) -> Result<(), Error> {
    let why = format!(
        "{} of {} watched workloads began to fail at once, {} of {} nodes are not ready; nothing is done automatically",
        weather.newly_failing, weather.watched, weather.nodes_not_ready, weather.nodes
    );
    let incident = match known(ctx, name) {
        Some(incident) => (*incident).clone(),
        None => {
            tracing::warn!(incident = name, why, "a storm began");
            write::create_incident(ctx, &parent::open(&ctx.namespace, name, &why, now)).await?
        }
    };
    let status = parent::status(&incident, &why, affected_now(ctx), now);
    let written = write::incident_status(ctx, &incident, &status).await?;
    let reference = incident_reference(&written);
    let about = About { regarding: &reference, related: None };
    ctx.events.held(about, RefusalReason::Storm.into(), &why).await;
    Ok(())
}

/// Adds workloads that joined since, and what a person said.
async fn follow(ctx: &Context, incident: &Incident, before: IncidentStatus, now: Timestamp) -> Result<(), Error> {
    let said = parent::word(incident, &before, now);
    let mut affected = before.affected.clone();
    affected.extend(affected_now(ctx).into_iter().filter(|a| !before.affected.contains(a)));
    affected.truncate(MAX_AFFECTED);
    // Many workloads join within moments; waiting until their number has grown by a quarter bounds the writes.
    let grown = affected.len() > before.affected.len() + before.affected.len() / 4;
    if !grown && said.is_none() {
        return Ok(());
    }
    let mut status = IncidentStatus { affected, ..before };
    if let Some(said) = said {
        status.why = Some(said.text.clone());
        status.timeline.push(said);
    }
    parent::conditions(&mut status, incident, now);
    write::incident_status(ctx, incident, &status).await?;
    Ok(())
}

/// The brake holds until the record says that the storm is over.
async fn end(ctx: &Context, name: &str, now: Timestamp) -> Result<(), Error> {
    if let Some(incident) = known(ctx, name) {
        close(ctx, &incident, now).await?;
    }
    ctx.fleet.set_storm(None);
    ctx.metrics.set_storm_active(false);
    tracing::info!(incident = name, "the storm has passed");
    wake_failing(ctx);
    Ok(())
}

/// Records that the storm is over.
pub async fn close(ctx: &Context, incident: &Incident, now: Timestamp) -> Result<(), Error> {
    let status = parent::closed(incident, now);
    write::incident_status(ctx, incident, &status).await?;
    Ok(())
}

/// The parent incident with what was written about the storm, unless that is missing.
fn recorded(ctx: &Context, name: &str) -> Option<(Arc<Incident>, IncidentStatus)> {
    known(ctx, name).and_then(|incident| incident.status.clone().map(|status| (incident, status)))
}

/// The parent incident, as last seen or written.
fn known(ctx: &Context, name: &str) -> Option<Arc<Incident>> {
    ctx.own.incidents.get(&ctx.namespace, name)
}

/// What fails is looked at again: the brake may have let go, or hold.
pub fn wake_failing(ctx: &Context) {
    for key in ctx.fleet.failing() {
        ctx.wake.send(key);
    }
}

fn affected_now(ctx: &Context) -> Vec<String> {
    ctx.fleet.failing().iter().map(ToString::to_string).take(MAX_AFFECTED).collect()
}
