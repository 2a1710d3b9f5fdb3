//! Bringing an incident's record up to date after a look, and telling it: what was written is published once.

use super::act::{Outcome, Work};
use super::context::{Context, deployment_reference, incident_reference};
use super::tally::{self, came_to};
use super::{blocked, record, scene, write};
use crate::api::Incident;
use crate::cluster::apply::{self, Error};
use crate::cluster::events::About;
use crate::engine::decision::{self, IncidentStep, Progress};
use crate::engine::facts::Name;
use crate::engine::freeze;
use crate::engine::lifecycle;
use crate::engine::memory::ActionRecord;
use crate::engine::words::ActionKind;
use crate::metrics::IncidentOutcome;

/// Brings the incident's status up to date and publishes what changed.
pub async fn record_incident(
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

/// Actions that the objects show were carried out and that the incident does not tell of, in their order: the process
/// that wrote them ended, or lost the answer, before it could.
fn unrecorded(work: &Work<'_>, incident: &Incident) -> Vec<ActionRecord> {
    let (Some(intent), Some(name)) = (incident.intent(), incident.metadata.name.as_deref()) else { return Vec::new() };
    let action = |kind| ActionRecord {
        at: work.now,
        kind,
        from: intent.failing.hash.clone(),
        to: intent.target.hash.clone(),
        incident: name.into(),
    };
    let put_back = freeze::is_put_back(work.s, intent, name).then(|| action(ActionKind::RollBack));
    let put_back = put_back.filter(|action| !record::tells_of(incident, action));
    let whole = is_done_untold(work, incident, (intent.kind, name)).then(|| action(intent.kind));
    put_back.into_iter().chain(whole).collect()
}

/// What was intended is in force, and neither the incident tells of it nor is it about to be done once more.
fn is_done_untold(work: &Work<'_>, incident: &Incident, (kind, name): (ActionKind, &str)) -> bool {
    let told = incident.status.as_ref().is_some_and(|s| s.actions.iter().any(|a| a.kind == kind));
    if told || record::intent(work.decision).is_some() {
        return false;
    }
    let w = &work.s.workload;
    match kind {
        ActionKind::RollBack => {
            work.s.memory.open.iter().any(|open| &*open.name == name && lifecycle::acted(work.s, open))
        }
        ActionKind::Freeze | ActionKind::Pause => w.paused && w.paused_for.as_deref() == Some(name),
        ActionKind::Resume => false,
    }
}

async fn update(
    ctx: &Context,
    work: &Work<'_>,
    progress: Progress,
    outcome: &Outcome,
    incident: &Incident,
) -> Result<(), Error> {
    let mut done = unrecorded(work, incident);
    // What another process did is told in the words it was decided with.
    let why = if done.is_empty() { &work.decision.why } else { &incident.spec.opened.why };
    if let Outcome::Acted(action) = outcome {
        done.push(action.clone());
    }
    let acted = done.last();
    // What was just carried out is being watched from now on.
    let progress = match (acted.map(|a| a.kind), progress) {
        (Some(ActionKind::RollBack | ActionKind::Freeze), Progress::Acting) => Progress::Recovering,
        (_, progress) => progress,
    };
    let mut status = record::update(incident, work.decision, progress, &done, work.now);
    if let Some(told) = scene::tell(ctx, work, incident, progress).await {
        told.add_to(&mut status);
    }
    let denial = blocked::add(&mut status, work, incident, outcome);
    // To look around takes its time, and only the leader writes records.
    if !ctx.standing.is_leader() {
        return Ok(());
    }
    record::hear(&mut status, incident, work.decision, &ctx.listener.all(work.key));
    record::fit_status(&mut status, incident);
    let before = incident.status.as_ref();
    if !record::differs(before, &status) {
        return Ok(());
    }
    let entered = before.is_none_or(|b| b.progress != Some(progress));
    let other_refusal =
        before.and_then(|b| b.refusal.as_ref()).map(|r| r.reason) != status.refusal.as_ref().map(|r| r.reason);
    let written = work.trace.call("record", write::incident_status(ctx, incident, &status)).await;
    if !is_told(&written) {
        return written.map(drop);
    }
    tally::accepted(ctx, incident, &done);
    if let Some(denial) = denial {
        blocked::tell(ctx, work, incident, denial).await;
    }
    let incident = Incident { status: Some(status), ..incident.clone() };
    // Half a freeze is no news yet: the whole is told a moment later.
    let acted = acted.filter(|a| tally::is_whole(&incident, a)).map(|a| (a.kind, why.as_str()));
    tell(ctx, work, &incident, acted, (progress, entered || other_refusal)).await;
    if let Some(decision::Action::Resume { because, .. }) = &work.decision.action {
        let (deployment, related) = (deployment_reference(&work.s.workload), incident_reference(&incident));
        ctx.events.resumed(About { regarding: &deployment, related: Some(&related) }, because).await;
    }
    written.map(drop)
}

/// Whether the incident tells of it now. Without an answer it may, and then nothing would bring the Event later; an
/// Event told twice is one Event.
pub fn is_told(written: &Result<Incident, Error>) -> bool {
    written.as_ref().err().is_none_or(Error::may_have_landed)
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
    let baseline = work.decision.baseline.as_ref().map_or("", |b| &*b.name);
    let why = &work.decision.why;
    // An action may be found only together with what has become of it since.
    if let Some(acted) = acted {
        tell_action(ctx, about, incident, acted).await;
    }
    match progress {
        Progress::Held if news => {
            if let Some(refusal) = &work.decision.refusal {
                ctx.events.held(about, refusal.reason.into(), &held(incident, &refusal.because)).await;
            }
        }
        Progress::Ineffective if news => {
            came_to(ctx, incident, IncidentOutcome::Ineffective);
            ctx.events.ineffective(about, baseline, why).await;
        }
        Progress::Retaken if news => {
            came_to(ctx, incident, IncidentOutcome::Retaken);
            let writer = apply::last_writer(&ctx.client, work.target()).await;
            let because = work.decision.refusal.as_ref().map_or(&**why, |refusal| &*refusal.because);
            ctx.events.retaken(about, because, writer.as_deref()).await;
        }
        _ => {}
    }
}

/// Why it is held, with what fails and whose fault that is.
fn held(incident: &Incident, because: &str) -> String {
    let status = incident.status.as_ref();
    let fault = status.and_then(|status| status.verdict.as_ref()).map(|verdict| verdict.fault);
    match (status.and_then(|status| status.class.as_deref()), fault) {
        (Some(class), Some(fault)) => format!("{because}; {class}, fault {fault}"),
        (Some(class), None) => format!("{because}; {class}"),
        (None, _) => because.to_owned(),
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
    let unrecorded = unrecorded(work, &incident);
    let mut status = record::close(&incident, (outcome, because), &unrecorded, work.now);
    // An incident that never got to tell its story tells it now.
    if let Some(told) = scene::tell(ctx, work, &incident, decision::Progress::Recovering).await {
        told.add_to(&mut status);
        record::fit_status(&mut status, &incident);
    }
    if !ctx.standing.is_leader() {
        return Ok(());
    }
    let written = work.trace.call("record", write::incident_status(ctx, &incident, &status)).await;
    if !is_told(&written) {
        return written.map(drop);
    }
    let deployment = deployment_reference(&work.s.workload);
    let related = incident_reference(&incident);
    let about = About { regarding: &deployment, related: Some(&related) };
    let newest = work.decision.newest.as_ref().map_or("", |r| &*r.name);
    if let Some(action) = unrecorded.last() {
        tell_action(ctx, about, &incident, (action.kind, &incident.spec.opened.why)).await;
    }
    match (outcome, &work.decision.action) {
        (_, Some(decision::Action::Resume { because, .. })) => ctx.events.resumed(about, because).await,
        (decision::Outcome::Superseded, _) => ctx.events.superseded(about, newest, because).await,
        (decision::Outcome::Recovered | decision::Outcome::Cleared, _) => {
            ctx.events.recovered(about, newest, because).await;
        }
        (decision::Outcome::Abandoned, _) => {}
    }
    tally::accepted(ctx, &incident, &unrecorded);
    came_to(ctx, &Incident { status: Some(status), ..(*incident).clone() }, outcome.into());
    written?;
    // What follows, such as the verdict on a new template, is decided with this incident out of the way.
    ctx.wake.send(work.key.clone());
    Ok(())
}
