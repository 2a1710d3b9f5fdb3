//! One look at one workload: gather → decide → apply → record.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::ResourceExt;

use super::act::{self, Outcome, Work};
use super::context::Context;
use super::fleet::Report;
use super::health::{self, Due};
use super::tracker::Said;
use super::{inquiry, sight, storm, story, write};
use crate::cluster::apply::Error;
use crate::cluster::gather::{self, Seen};
use crate::cluster::store::WorkloadKey;
use crate::engine::decide::decide;
use crate::engine::decision::{Action, Decision, IncidentStep};
use crate::engine::evidence::judged_pods;
use crate::engine::facts::{Name, Snapshot};
use crate::engine::listen;
use crate::engine::moment::{after, earliest};
use crate::engine::words::State;
use crate::telemetry::traces::{Ending, Look, Subject};

/// How long the record of an action may wait for logs that are being read, and an action that nothing was read for.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How soon to look again; `None` when only a change can matter.
pub type Again = Option<Duration>;

/// Looks at a workload and does what follows.
pub async fn look(ctx: &Context, key: &WorkloadKey) -> Result<Again, Error> {
    let began = Instant::now();
    let now = Timestamp::now();
    let trace = ctx.traces.look();
    ctx.metrics.reconciled();
    let Some(s) = trace.step("gather", || sight::gather(ctx, key, now)) else { return Ok(None) };
    if let Some(left) = ctx.tracker.awaits(key, (&s.workload.uid, s.workload.generation)) {
        // The watch will bring our own write; judging an older sight would mean judging it twice.
        return Ok(Some(left));
    }
    let (s, decision) = judge(ctx, key, s, now, &trace).await;
    ctx.metrics.decided(decision.state, began.elapsed());
    ctx.tracker.saw(key, Seen::of(&decision));
    let sufficient = decision.findings.iter().filter(|f| f.sufficient);
    ctx.tracker.found(key, sufficient.map(|f| (f.class, f.fault)).collect());
    say(ctx, key, &s, &decision);
    if s.fleet.storm.is_none() {
        ctx.listener.ask(key, listen::wanted(&s, &decision.findings, now));
    }
    let work = Work { key, s: &s, decision: &decision, now, began, trace: &trace };
    let followed = follow(ctx, &work).await;
    send(ctx, &s, &decision, trace);
    let (outcome, due) = match followed {
        // Nothing can be written any more where everything is being deleted, and nothing needs to be.
        Err(error) if error.is_terminating() => return Ok(None),
        followed => followed?,
    };
    let next = earliest(decision.next_check, listen::look_ahead(&s, &decision.findings, decision.next_check, now));
    let next = earliest(next, due);
    Ok(match outcome {
        // Nothing tells when a lost race is over, so it is not waited for longer than this.
        Outcome::Overtaken => Some(Duration::from_secs(5)),
        // It is told by now, and waited for like any other call that fails.
        Outcome::Denied(_, error) => return Err(error),
        _ => next.map(|at| until(at, Timestamp::now())),
    })
}

/// Does and records what was decided. Also returns when the workload's memory is due to be written.
async fn follow(ctx: &Context, work: &Work<'_>) -> Result<(Outcome, Option<Timestamp>), Error> {
    let (outcome, incident) = act::act(ctx, work).await?;
    if matches!(outcome, Outcome::Acted(_)) {
        // It is done. What was still being read is put down with it.
        ctx.listener.quiet(work.key, LAST_WORDS).await;
    }
    // Calls may have taken their time. What is not told by then is told by whoever leads, from the objects.
    if !ctx.standing.is_leader() {
        return Ok((Outcome::Overtaken, None));
    }
    story::record_incident(ctx, work, &outcome, incident).await?;
    if !ctx.standing.is_leader() {
        return Ok((Outcome::Overtaken, None));
    }
    let due = record_health(ctx, work, &outcome).await?;
    Ok((outcome, due))
}

/// Adds the look to the trace of the incident it was about, and ends the trace with the incident.
fn send(ctx: &Context, s: &Snapshot, decision: &Decision, trace: Look) {
    let (IncidentStep::Record { name, .. } | IncidentStep::Close { name, .. }) = &decision.incident else { return };
    let Some(incident) = ctx.own.incidents.get(&s.workload.namespace, name) else { return };
    let uid = incident.metadata.uid.as_deref().unwrap_or_default();
    let subject = Subject { uid, namespace: &s.workload.namespace, workload: &s.workload.name, incident: name };
    let mut decided = vec![("backstay.state", decision.state.to_string()), ("backstay.why", decision.why.clone())];
    decided.extend(decision.refusal.as_ref().map(|r| ("backstay.refusal", r.reason.to_string())));
    decided.extend(decision.action.as_ref().map(|a| ("backstay.action", a.kind().to_string())));
    trace.send(&subject, decided);
    let status = incident.status.as_ref();
    if let Some((ended, outcome)) = status.and_then(|status| status.closed_at.zip(status.outcome)) {
        let first = status.and_then(|status| status.first_signal.as_ref()).map(|first| first.at);
        let began = first.unwrap_or(incident.spec.opened.at);
        let class = status.and_then(|status| status.class.as_deref()).unwrap_or_default();
        ctx.traces.ended(&subject, Ending { began, ended, class, outcome: outcome.into() });
    }
}

/// Decides, and once more if the decision itself brought the storm brake on or off, or if it must not stand before what
/// lies around the workload is known, or before anybody has listened.
async fn judge(ctx: &Context, key: &WorkloadKey, s: Snapshot, now: Timestamp, trace: &Look) -> (Snapshot, Decision) {
    let decision = trace.step("decide", || decide(&s, now));
    ctx.fleet.report(key, Report::of(&s, &decision));
    storm::watch(ctx, (s.nodes.total, s.nodes.not_ready), now).await;
    let fleet = ctx.fleet.facts(key, now);
    let (s, decision) = if fleet.storm == s.fleet.storm {
        (s, decision)
    } else {
        let s = Snapshot { fleet, ..s };
        let decision = trace.step("decide", || decide(&s, now));
        (s, decision)
    };
    ctx.inquiries.follow(key, &s, &decision, now);
    let (s, decision) =
        if is_unheard(ctx, key, &s, &decision) { hear(ctx, key, (s, decision), trace).await } else { (s, decision) };
    if !inquiry::is_worth_waiting(&s, &decision) {
        return (s, decision);
    }
    let surroundings = ctx.inquiries.wait(key).await.or_else(|| s.surroundings.clone());
    let s = Snapshot { surroundings, ..s };
    let decision = trace.step("decide", || decide(&s, now));
    (s, decision)
}

/// Waits for the logs that the findings need: of failing pods, and then of the healthy ones that these are compared with.
async fn hear(
    ctx: &Context,
    key: &WorkloadKey,
    (mut s, mut decision): (Snapshot, Decision),
    trace: &Look,
) -> (Snapshot, Decision) {
    for _ in 0..2 {
        ctx.listener.ask(key, listen::wanted(&s, &decision.findings, Timestamp::now()));
        ctx.listener.quiet(key, LAST_WORDS / 2).await;
        let now = Timestamp::now();
        let Some(again) = sight::gather(ctx, key, now) else { break };
        decision = trace.step("decide", || decide(&again, now));
        s = again;
    }
    (s, decision)
}

/// An action of which no log is known yet though one may be: the failure sufficed when this process first saw it, as after a
/// restart, or the program ends sooner than the log of its first exit is read. Usually that was read long before the last
/// exit that was needed.
fn is_unheard(ctx: &Context, key: &WorkloadKey, s: &Snapshot, decision: &Decision) -> bool {
    let Some(Action::RollBack(permit) | Action::Freeze(permit)) = &decision.action else { return false };
    let failing = &permit.intent().failing.uid;
    let is_failing = |uid: &Name| judged_pods(s, failing).any(|pod| pod.uid == *uid);
    decision.verdict.is_some() && s.fleet.storm.is_none() && ctx.listener.may_hear(key, is_failing)
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
            let again = after(work.now, 5);
            let object = match before {
                Some(object) => (*object).clone(),
                None => {
                    let object = health::object(&work.s.workload);
                    let created = write::create_health(&ctx.client, &ctx.own, &object);
                    let created = work.trace.call("record", created).await?;
                    if created.spec.workload_uid != *work.s.workload.uid {
                        // The namesake's memory goes with its Deployment, unless that was deleted without what it owned.
                        if created.owner_references().is_empty() {
                            let deleted = write::delete_health(&ctx.client, &ctx.own, &created);
                            work.trace.call("record", deleted).await?;
                        }
                        return Ok(Some(again));
                    }
                    // What this look did not know is read first, since the whole status would be written over.
                    if created.status.is_some() {
                        return Ok(Some(again));
                    }
                    created
                }
            };
            let written = write::health_status(&ctx.client, &ctx.own, &object, &wanted);
            work.trace.call("record", written).await?;
            ctx.tracker.differs(work.key, false, work.now);
            Ok(None)
        }
    }
}

/// One line per change of mind.
fn say(ctx: &Context, key: &WorkloadKey, s: &Snapshot, decision: &Decision) {
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
