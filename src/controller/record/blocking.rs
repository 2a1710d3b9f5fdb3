//! That the API server does not take an action. An incident says so from the first time until it is done, decided
//! otherwise, or over: neither each new try nor a look without one says anything else in between.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{conditions, first, fit_status, tell};
use crate::api::condition;
use crate::api::incident::{Incident, IncidentStatus};
use crate::engine::decision::Progress;
use crate::engine::words::ActionKind;

/// The condition that says so, and its reason.
const MITIGATED: &str = "Mitigated";
pub const BLOCKED: &str = "ActionBlocked";

/// The status of an incident whose action failed, and whether that is news.
pub fn blocked(incident: &Incident, (kind, error): (ActionKind, &str), now: Timestamp) -> (IncidentStatus, bool) {
    let mut status = incident.status.clone().unwrap_or_default();
    if status.conditions.is_empty() {
        first(&mut status, incident);
        status.progress = Some(Progress::Acting);
    }
    if kind != ActionKind::Resume {
        conditions::set(&mut status, incident, now);
    }
    let news = block(&mut status, incident, (kind, error), now);
    (status, news)
}

/// Adds that the action was not taken, and returns whether that is news. What the incident did to the workload is in force
/// until a pause ends.
pub fn block(
    status: &mut IncidentStatus,
    incident: &Incident,
    (kind, error): (ActionKind, &str),
    now: Timestamp,
) -> bool {
    let told = status.timeline.len();
    if !is_told(incident, kind, error) {
        tell(status, now, BLOCKED, error.to_owned());
    }
    let news = status.timeline.len() > told;
    if kind != ActionKind::Resume {
        // Nobody was told what the status would say if the action were under way.
        let before = incident.status.as_ref().and_then(|before| condition::find(&before.conditions, MITIGATED));
        if let Some((slot, before)) = mitigated(&mut status.conditions).zip(before) {
            slot.clone_from(before);
        }
        let wanted = conditions::wanted(MITIGATED, Some(false), BLOCKED, error);
        condition::set(&mut status.conditions, wanted, incident.metadata.generation, now);
    }
    fit_status(status, incident);
    news
}

/// Told once, however often it is tried, until the answer is another one.
fn is_told(incident: &Incident, kind: ActionKind, error: &str) -> bool {
    let Some(status) = &incident.status else { return false };
    match kind {
        ActionKind::Resume => status.timeline.last().is_some_and(|entry| entry.what == BLOCKED),
        // The condition may hold but the head of a long answer.
        ActionKind::RollBack | ActionKind::Freeze | ActionKind::Pause => {
            answer(status).is_some_and(|told| error.starts_with(told))
        }
    }
}

/// The API server did not take the action when it was last tried.
pub fn is_blocked(incident: &Incident) -> bool {
    incident.status.as_ref().is_some_and(|status| answer(status).is_some())
}

/// What it answered then.
pub fn answer(status: &IncidentStatus) -> Option<&str> {
    let told = condition::find(&status.conditions, MITIGATED).filter(|condition| condition.reason == BLOCKED);
    told.map(|condition| &*condition.message)
}

/// The action, or a part of it, was taken after all.
pub fn is_over(status: &mut IncidentStatus) {
    if let Some(condition) = mitigated(&mut status.conditions).filter(|condition| condition.reason == BLOCKED) {
        conditions::ACTING.clone_into(&mut condition.reason);
    }
}

fn mitigated(conditions: &mut [Condition]) -> Option<&mut Condition> {
    conditions.iter_mut().find(|condition| condition.type_ == MITIGATED)
}
