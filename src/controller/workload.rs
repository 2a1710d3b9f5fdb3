//! One look at one workload: gather → decide → apply → record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::act::{self, Outcome, Work};
use super::context::{Context, deployment_reference, incident_reference};
use super::fleet::Report;
use super::health::{self, Due};
use super::record;
use super::tracker::Said;
use super::{storm, write};
use crate::api::Incident;
use crate::cluster::apply::{self, Error};
use crate::cluster::events::About;
use crate::cluster::gather::{self, Seen};
use crate::cluster::policies;
use crate::cluster::store::WorkloadKey;
use crate::config::Mode;
use crate::engine::decide::decide;
use crate::engine::decision::{self, Decision, IncidentStep, Progress};
use crate::engine::facts::{Name, Snapshot};
use crate::engine::memory::Memory;
use crate::engine::moment::earliest;
use crate::engine::policy::Policy;
use crate::engine::words::{ActionKind, Class, Fault, State};
use crate::metrics::IncidentOutcome;

/// How soon to look again; `None` when only a change can matter.
pub type Again = Option<Duration>;

/// Looks at a workload and does what follows.
pub async fn look(ctx: &Context, key: &WorkloadKey) -> Result<Again, Error> {
    let began = Instant::now();
    let now = Timestamp::now();
    ctx.metrics.reconciled();
    let Some(s) = gather(ctx, key, now) else { return Ok(None) };
    if !ctx.tracker.is_caught_up(key, &s.workload) {
        // The watch will bring our own write; judging an older sight would mean judging it twice.
        return Ok(None);
    }
    let (s, decision) = judge(ctx, key, s, now).await?;
    ctx.metrics.decided(decision.state, began.elapsed());
    ctx.tracker.saw(key, Seen::of(&decision));
    say(ctx, key, &s, &decision);
    let work = Work { key, s: &s, decision: &decision, now, began };
    let followed = follow(ctx, &work).await;
    let (outcome, due) = match followed {
        // Nothing can be written any more where everything is being deleted, and nothing needs to be.
        Err(error) if error.is_terminating() => return Ok(None),
        followed => followed?,
    };
    let next = earliest(decision.next_check, due);
    Ok(match outcome {
        // Nothing tells when a lost race is over, so it is not waited for longer than this.
        Outcome::Overtaken => Some(Duration::from_secs(5)),
        _ => next.map(|at| until(at, Timestamp::now())),
    })
}

/// Does and records what was decided. Also returns when the workload's memory is due to be written.
async fn follow(ctx: &Context, work: &Work<'_>) -> Result<(Outcome, Option<Timestamp>), Error> {
    let (outcome, incident) = act::act(ctx, work).await?;
    record_incident(ctx, work, &outcome, incident).await?;
    let due = record_health(ctx, work, &outcome).await?;
    Ok((outcome, due))
}

/// A look that only counts: how the workload does, for the storm brake, before anyone acts.
pub fn survey(ctx: &Context, key: &WorkloadKey) {
    let now = Timestamp::now();
    if let Some(s) = gather(ctx, key, now) {
        ctx.fleet.report(key, Report::of(&s, &decide(&s, now)));
    }
}

/// The snapshot, or `None` when there is nothing to judge.
pub fn gather(ctx: &Context, key: &WorkloadKey, now: Timestamp) -> Option<Snapshot> {
    let Some((workload, revisions, pods, nodes)) = ctx.stores.workload(key) else {
        ctx.fleet.forget(key);
        ctx.tracker.forget(key);
        return None;
    };
    let memory = gather::memory(&ctx.own, &workload, &ctx.tracker.seen(key));
    let Some(policy) = policy_for(ctx, key, &memory) else {
        ctx.fleet.forget(key);
        return None;
    };
    let fleet = ctx.fleet.facts(key, now);
    let data_age_seconds = ctx.data_age_seconds();
    Some(Snapshot { workload, revisions, pods, nodes, policy, memory, fleet, data_age_seconds })
}

/// The policy that governs it. Without one an open incident is still followed to its end, by looking on.
fn policy_for(ctx: &Context, key: &WorkloadKey, memory: &Memory) -> Option<Arc<Policy>> {
    let labels = ctx.stores.labels(key).unwrap_or_default();
    if let Some(choice) = ctx.policies.choose(&key.namespace, &labels) {
        return Some(choice.policy);
    }
    let open = !memory.open.is_empty();
    open.then(|| Arc::new(policies::compile("none".to_owned(), None, &Default::default(), Mode::Observe)))
}

/// Decides, and once more if the decision itself brought the storm brake on or off.
async fn judge(ctx: &Context, key: &WorkloadKey, s: Snapshot, now: Timestamp) -> Result<(Snapshot, Decision), Error> {
    let decision = decide(&s, now);
    ctx.fleet.report(key, Report::of(&s, &decision));
    storm::watch(ctx, (s.nodes.total, s.nodes.not_ready), now).await?;
    let fleet = ctx.fleet.facts(key, now);
    if fleet.storm == s.fleet.storm {
        return Ok((s, decision));
    }
    let s = Snapshot { fleet, ..s };
    let decision = decide(&s, now);
    Ok((s, decision))
}

/// Brings the incident's status up to date and publishes what changed.
async fn record_incident(
    ctx: &Context,
    work: &Work<'_>,
    outcome: &Outcome,
    incident: Option<Incident>,
) -> Result<(), Error> {
    // A workload that moved on, or that is still held because its resume was not carried out, is judged again first.
    if matches!(outcome, Outcome::Overtaken) {
        return Ok(());
    }
    match &work.decision.incident {
        IncidentStep::None => Ok(()),
        IncidentStep::Close { name, outcome, because } => close(ctx, work, name, *outcome, because).await,
        IncidentStep::Record { progress, .. } => {
            let Some(incident) = incident else { return Ok(()) };
            update(ctx, work, *progress, outcome, &incident).await
        }
    }
}

async fn update(
    ctx: &Context,
    work: &Work<'_>,
    progress: Progress,
    outcome: &Outcome,
    incident: &Incident,
) -> Result<(), Error> {
    let unrecorded = act::unrecorded(work, incident);
    let acted = match outcome {
        Outcome::Acted(action) => Some(action),
        Outcome::Nothing | Outcome::Overtaken => unrecorded.as_ref(),
    };
    // What was just carried out is being watched from now on.
    let progress = match (acted.map(|a| a.kind), progress) {
        (Some(ActionKind::RollBack | ActionKind::Freeze), Progress::Acting) => Progress::Recovering,
        (_, progress) => progress,
    };
    let status = record::update(incident, work.decision, progress, acted, work.now);
    let before = incident.status.as_ref();
    if !record::differs(before, &status) {
        return Ok(());
    }
    let entered = before.is_none_or(|b| b.progress != Some(progress));
    let other_refusal =
        before.and_then(|b| b.refusal.as_ref()).map(|r| r.reason) != status.refusal.as_ref().map(|r| r.reason);
    let written = write::incident_status(&ctx.client, &ctx.own, incident, &status).await?;
    // What another process did is told in the words it was decided with.
    let why = if unrecorded.is_some() { &incident.spec.opened.why } else { &work.decision.why };
    let acted = acted.map(|a| (a.kind, why.as_str()));
    tell(ctx, work, &written, acted, (progress, entered || other_refusal)).await;
    Ok(())
}

/// Publishes the step of the story that was just taken; nothing that was told before.
async fn tell(
    ctx: &Context,
    work: &Work<'_>,
    incident: &Incident,
    acted: Option<(ActionKind, &str)>,
    (progress, news): (Progress, bool),
) {
    let deployment = deployment_reference(&work.s.workload);
    let related = incident_reference(incident);
    let about = About { regarding: &deployment, related: Some(&related) };
    let failing = &*incident.spec.opened.failing.name;
    let baseline = work.decision.baseline.as_ref().map_or("", |b| &*b.name);
    let why = &work.decision.why;
    match (acted, progress) {
        (Some(acted), _) => tell_action(ctx, about, incident, acted).await,
        (_, Progress::Held) if news => {
            if let Some(refusal) = &work.decision.refusal {
                ctx.events.held(about, refusal.reason.into(), &refusal.because).await;
            }
        }
        (_, Progress::Ineffective) if news => {
            came_to(ctx, incident, IncidentOutcome::Ineffective);
            ctx.events.ineffective(about, baseline, why).await;
        }
        (_, Progress::Retaken) if news => {
            came_to(ctx, incident, IncidentOutcome::Retaken);
            let writer = apply::last_writer(&ctx.client, work.target()).await;
            ctx.events.retaken(about, failing, writer.as_deref().unwrap_or("another writer")).await;
        }
        _ => {}
    }
}

async fn tell_action(ctx: &Context, about: About<'_>, incident: &Incident, (kind, why): (ActionKind, &str)) {
    let failing = &*incident.spec.opened.failing.name;
    let baseline = incident.intent().map_or("", |i| &*i.target.name);
    match kind {
        ActionKind::RollBack => ctx.events.rolled_back(about, failing, baseline, why).await,
        ActionKind::Freeze => ctx.events.frozen(about, failing, baseline, why).await,
        ActionKind::Pause => ctx.events.paused(about, failing, why).await,
        ActionKind::Resume => {}
    }
}

async fn close(
    ctx: &Context,
    work: &Work<'_>,
    name: &Name,
    outcome: decision::Outcome,
    because: &str,
) -> Result<(), Error> {
    let Some(incident) = ctx.own.incidents.get(&work.s.workload.namespace, name) else { return Ok(()) };
    let unrecorded = act::unrecorded(work, &incident);
    let status = record::close(&incident, (outcome, because), unrecorded.as_ref(), work.now);
    let written = write::incident_status(&ctx.client, &ctx.own, &incident, &status).await?;
    let deployment = deployment_reference(&work.s.workload);
    let related = incident_reference(&written);
    let about = About { regarding: &deployment, related: Some(&related) };
    let newest = work.decision.newest.as_ref().map_or("", |r| &*r.name);
    if let Some(action) = &unrecorded {
        tell_action(ctx, about, &incident, (action.kind, &incident.spec.opened.why)).await;
    }
    match (outcome, &work.decision.action) {
        (_, Some(decision::Action::Resume { because, .. })) => ctx.events.resumed(about, because).await,
        (decision::Outcome::Superseded, _) => ctx.events.superseded(about, newest).await,
        (decision::Outcome::Recovered | decision::Outcome::Cleared, _) => {
            ctx.events.recovered(about, newest, because).await;
        }
        (decision::Outcome::Abandoned, _) => {}
    }
    came_to(ctx, &written, outcome.into());
    // What follows, such as the verdict on a new template, is decided with this incident out of the way.
    let _ = ctx.wake.send(work.key.clone());
    Ok(())
}

/// Counts what an incident came to.
fn came_to(ctx: &Context, incident: &Incident, outcome: IncidentOutcome) {
    let action = incident.status.as_ref().and_then(|s| s.actions.last()).map(|a| a.kind);
    if let Some(lead) = incident.spec.opened.findings.first() {
        ctx.metrics.incident_came_to(lead.class, action, outcome);
    }
}

/// Writes what must be remembered, if it is time to.
async fn record_health(ctx: &Context, work: &Work<'_>, outcome: &Outcome) -> Result<Option<Timestamp>, Error> {
    if matches!(outcome, Outcome::Overtaken) {
        return Ok(None);
    }
    let before = gather::health_of(&ctx.own, &work.s.workload);
    let status_before = before.as_ref().and_then(|h| h.status.as_ref());
    let wanted = health::wanted(work.s, work.decision, status_before, work.now);
    let since = ctx.tracker.differs(work.key, true, work.now);
    match health::due(status_before, &wanted, since, work.now) {
        Due::No => {
            ctx.tracker.differs(work.key, false, work.now);
            Ok(None)
        }
        Due::At(at) => Ok(Some(at)),
        Due::Now => {
            let object = match before {
                Some(object) => (*object).clone(),
                None => write::create_health(&ctx.client, &ctx.own, &health::object(&work.s.workload)).await?,
            };
            if object.spec.workload_uid != *work.s.workload.uid {
                // The namesake's memory goes when its Deployment is collected; until then there is no room for ours.
                return Ok(Some(crate::engine::moment::after(work.now, 5)));
            }
            write::health_status(&ctx.client, &ctx.own, &object, &wanted).await?;
            ctx.tracker.differs(work.key, false, work.now);
            Ok(None)
        }
    }
}

/// One line per change of mind.
fn say(ctx: &Context, key: &WorkloadKey, s: &Snapshot, decision: &Decision) {
    let findings: Vec<(Class, Fault)> =
        decision.findings.iter().filter(|f| f.sufficient).map(|f| (f.class, f.fault)).collect();
    if let Some(gone) = ctx.tracker.replace_findings(key, &findings) {
        ctx.metrics.replace_findings(gone, findings);
    }
    let said = Said {
        state: decision.state,
        refusal: decision.refusal.as_ref().map(|r| r.reason),
        action: decision.action.is_some(),
        newest: decision.newest.as_ref().map(|r| r.hash.clone()),
    };
    if !ctx.tracker.is_news(key, said) {
        return;
    }
    if let Some(refusal) = &decision.refusal {
        ctx.metrics.refused(refusal.reason);
    }
    let refusal = decision.refusal.as_ref().map(|r| r.reason.to_string());
    let state: &str = decision.state.into();
    let revision = decision.newest.as_ref().map(|r| &*r.hash);
    let (namespace, workload, why) = (&*key.namespace, &*key.name, &*decision.why);
    let generation = s.workload.generation;
    match decision.state {
        State::Failing | State::Held => {
            tracing::warn!(namespace, workload, generation, revision, state, refusal, why, "decided");
        }
        _ => tracing::info!(namespace, workload, generation, revision, state, refusal, why, "decided"),
    }
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    let wait = at.duration_since(now);
    // Never at once: an answer that is due in the past would make the loop spin.
    Duration::try_from(wait).unwrap_or_default().max(Duration::from_millis(100))
}
