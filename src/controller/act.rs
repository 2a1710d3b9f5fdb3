//! From a decision to writes, in the order that survives a crash between any two: the incident with evidence and
//! intent, then the one conditional write to the workload, then the incident's status and the Event.

use std::time::Instant;

use jiff::Timestamp;

use super::context::Context;
use super::record::{self, Record};
use super::{blocked, write};
use crate::api::Incident;
use crate::cluster::apply::{self, Applied, Baseline, CALL_TIMEOUT, Error, Fresh, Target};
use crate::cluster::store::WorkloadKey;
use crate::engine::decision::{Action, Decision, IncidentStep};
use crate::engine::facts::Snapshot;
use crate::engine::freeze::{self, Step};
use crate::engine::memory::{ActionRecord, Intent};
use crate::engine::words::ActionKind;
use crate::metrics::ActionResult;
use crate::telemetry::traces::Look;

/// What became of a decision's action.
#[derive(Debug)]
pub enum Outcome {
    /// There was none, or it waits for the controller.
    Nothing,
    /// It was carried out, or a step of it that counts by itself.
    Acted(ActionRecord),
    /// The API server refused it. It is tried again, ever more slowly.
    Denied(ActionKind, Error),
    /// The workload moved on; it is judged again when that is seen.
    Overtaken,
}

/// One look at a workload on its way to being written.
pub struct Work<'a> {
    pub key: &'a WorkloadKey,
    pub s: &'a Snapshot,
    pub decision: &'a Decision,
    pub now: Timestamp,
    /// When the look began.
    pub began: Instant,
    pub trace: &'a Look,
}

impl<'a> Work<'a> {
    pub fn target(&self) -> Target<'a> {
        let w = &self.s.workload;
        Target { namespace: &w.namespace, name: &w.name, uid: &w.uid }
    }

    /// The incident the decision is about, if it records one.
    pub fn record(&self) -> Option<Record<'a>> {
        match &self.decision.incident {
            IncidentStep::Record { name, failing, episode, severity, progress } => {
                Some(Record { name, failing, episode: *episode, severity: *severity, progress: *progress })
            }
            IncidentStep::Close { .. } | IncidentStep::None => None,
        }
    }
}

/// Makes sure the incident exists, and carries the action out.
pub async fn act(ctx: &Context, work: &Work<'_>) -> Result<(Outcome, Option<Incident>), Error> {
    match &work.decision.action {
        None => Ok((Outcome::Nothing, ensure(ctx, work).await?)),
        Some(action) if !leads(ctx, action.kind()) => Ok((Outcome::Overtaken, None)),
        Some(Action::Resume { incident, overrules, .. }) => {
            let outcome = match resume(ctx, work, (incident, *overrules)).await {
                Ok(outcome) => outcome,
                Err(error) => {
                    let incident = ctx.own.incidents.get(&work.s.workload.namespace, incident);
                    blocked::outcome(ctx, work, ActionKind::Resume, incident.as_deref(), error).await?
                }
            };
            // One that goes on tells of it.
            let goes_on = work.record().and_then(|r| ctx.own.incidents.get(&work.s.workload.namespace, r.name));
            Ok((outcome, goes_on.map(|incident| (*incident).clone())))
        }
        Some(Action::RollBack(permit) | Action::Freeze(permit) | Action::Pause(permit)) => {
            intended(ctx, work, permit.intent()).await
        }
    }
}

async fn resume(ctx: &Context, work: &Work<'_>, incident: (&str, bool)) -> Result<Outcome, Error> {
    let fresh = work.trace.call("live read", apply::read(&ctx.client, work.target(), None)).await?;
    if !leads(ctx, ActionKind::Resume) {
        return Ok(Outcome::Overtaken);
    }
    let resumed = apply::resume(&ctx.client, work.target(), incident, work.s.workload.generation, fresh);
    let applied = work.trace.call("write", resumed).await?;
    Ok(settle(ctx, work, ActionKind::Resume, &applied, None))
}

async fn intended(ctx: &Context, work: &Work<'_>, intent: &Intent) -> Result<(Outcome, Option<Incident>), Error> {
    let Some(record) = work.record() else { return Ok((Outcome::Nothing, None)) };
    let held = work.s.workload.paused && work.s.workload.paused_for.as_deref() == Some(record.name);
    let step = match intent.kind {
        ActionKind::Freeze => Some(freeze::step(work.s, intent, held)),
        _ => None,
    };
    let needs_template = intent.kind == ActionKind::RollBack || step == Some(Step::PutBack);
    let baseline = needs_template.then(|| Baseline::of(work.s, &intent.target));
    // The live read does not depend on the incident, so the two go side by side; the write waits for both.
    let reading = work.trace.call("live read", apply::read(&ctx.client, work.target(), baseline));
    let (incident, fresh) = tokio::join!(ensure(ctx, work), reading);
    let incident = incident?;
    // Both may have changed while this look waited for answers. A freeze under way is completed, storm or not.
    let brake = ctx.fleet.brake().filter(|_| work.decision.verdict.is_some());
    if let Some(storm) = &brake {
        tracing::info!(storm = &**storm, "not acting: a storm began meanwhile");
    }
    if brake.is_some() || !leads(ctx, intent.kind) {
        return Ok((Outcome::Overtaken, incident));
    }
    if intent.is_void(Timestamp::now()) {
        tracing::info!("not acting: the API server took so long to answer that the intent is void");
        ctx.metrics.acted(intent.kind, ActionResult::Stale);
        return Ok((Outcome::Overtaken, incident));
    }
    let applied = match fresh {
        Ok(fresh) => work.trace.call("write", carry_out(ctx, work, intent, record.name, (step, fresh))).await,
        Err(error) => Err(error),
    };
    let applied = match applied {
        Ok(applied) => applied,
        Err(error) => {
            let outcome = blocked::outcome(ctx, work, intent.kind, incident.as_ref(), error).await?;
            return Ok((outcome, incident));
        }
    };
    let done = match step {
        // The first half of a freeze of a completed rollout is a roll-back, and counts as one on this template.
        Some(Step::PutBack) => Some(ActionKind::RollBack),
        Some(Step::PauseAndScale | Step::Scale) | None => Some(intent.kind),
        Some(Step::Wait | Step::Done) => None,
    };
    let outcome = settle(ctx, work, intent.kind, &applied, done.map(|kind| (kind, intent)));
    Ok((outcome, incident))
}

/// The lease outlasts one more call.
fn leads(ctx: &Context, kind: ActionKind) -> bool {
    let leads = ctx.standing.allows(CALL_TIMEOUT);
    if !leads {
        tracing::warn!("not acting: the lease would run out before the call does");
        ctx.metrics.acted(kind, ActionResult::NotLeading);
    }
    leads
}

async fn carry_out(
    ctx: &Context,
    work: &Work<'_>,
    intent: &Intent,
    incident: &str,
    (step, fresh): (Option<Step>, Fresh),
) -> Result<Applied, Error> {
    let target = work.target();
    match (intent.kind, step) {
        (ActionKind::Freeze, Some(step)) => {
            let (stop, leads) = (freeze::to_stop(work.s, intent), || leads(ctx, intent.kind));
            apply::freeze(&ctx.client, target, intent, incident, (step, &stop, fresh), leads).await
        }
        (ActionKind::Pause, _) => apply::pause(&ctx.client, target, intent, incident, fresh).await,
        _ => apply::roll_back(&ctx.client, target, intent, incident, fresh).await,
    }
}

/// Remembers what was written. An action that is intended counts when its incident tells of it; the end of a pause is told
/// in no such way, and counts here.
fn settle(
    ctx: &Context,
    work: &Work<'_>,
    kind: ActionKind,
    applied: &Applied,
    done: Option<(ActionKind, &Intent)>,
) -> Outcome {
    match applied {
        Applied::Done { generation } | Applied::Already { generation } => {
            ctx.tracker.wrote(work.key, *generation);
            if kind == ActionKind::Resume {
                ctx.metrics.acted(kind, ActionResult::Accepted);
            }
            // Later steps of a freeze are decided without a verdict.
            if matches!(applied, Applied::Done { .. }) && work.decision.verdict.is_some() {
                ctx.metrics.action_took(work.began.elapsed());
            }
            let Some((kind, intent)) = done else { return Outcome::Nothing };
            Outcome::Acted(ActionRecord {
                at: Timestamp::now(),
                kind,
                from: intent.failing.hash.clone(),
                to: intent.target.hash.clone(),
                incident: work.record().map_or_else(|| "".into(), |r| r.name.into()),
            })
        }
        Applied::Overtaken(because) => {
            tracing::info!(because, "not acting: the workload has moved on");
            ctx.metrics.acted(kind, ActionResult::Stale);
            Outcome::Overtaken
        }
        Applied::LeftOff => Outcome::Overtaken,
    }
}

/// The incident, created with evidence and intent if it does not exist, or with its new intent if that changed.
async fn ensure(ctx: &Context, work: &Work<'_>) -> Result<Option<Incident>, Error> {
    let Some(record) = work.record() else { return Ok(None) };
    let namespace = &work.s.workload.namespace;
    let wanted = record::intent(work.decision);
    let existing = match ctx.own.incidents.get(namespace, record.name) {
        Some(incident) => (*incident).clone(),
        None => {
            let incident = record::open(work.s, work.decision, &record, work.now);
            work.trace.call("record", write::create_incident(ctx, &incident)).await?
        }
    };
    let intended = wanted.is_none_or(|wanted| existing.intent() == Some(wanted));
    if intended || record::stands(&existing, work.decision) {
        return Ok(Some(existing));
    }
    let status = record::update(&existing, work.decision, record.progress, &[], work.now);
    let written = write::incident_status(ctx, &existing, &status);
    work.trace.call("record", written).await.map(Some)
}
