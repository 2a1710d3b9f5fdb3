//! The conditions of an incident, by which `kubectl wait` and people tell where it stands.

use jiff::Timestamp;

use super::blocking::{self, BLOCKED};
use super::timeline::done_word;
use crate::api::condition::{self, Wanted};
use crate::api::incident::{Incident, IncidentStatus};
use crate::engine::decision::{Outcome, Progress};
use crate::engine::memory::ActionRecord;
use crate::engine::tried::changes_template;
use crate::engine::words::{ActionKind, Fault};

/// Reason of `Mitigated` while an action is under way.
pub const ACTING: &str = "Acting";

/// Sets all five from what the status says otherwise.
pub fn set(status: &mut IncidentStatus, incident: &Incident, now: Timestamp) {
    let mitigated = mitigated(status, incident);
    let wanted = [detected(status), attributed(status), mitigated, recovered(status), succeeded(status)];
    for one in wanted {
        condition::set(&mut status.conditions, one, incident.metadata.generation, now);
    }
}

pub fn wanted(
    kind: &'static str,
    status: Option<bool>,
    reason: impl Into<String>,
    message: impl Into<String>,
) -> Wanted {
    Wanted { kind, status, reason: reason.into(), message: message.into() }
}

fn detected(status: &IncidentStatus) -> Wanted {
    let class = status.class.clone().unwrap_or_default();
    let reason = class.split('/').next().filter(|c| !c.is_empty()).unwrap_or("Detected").to_owned();
    wanted("Detected", Some(true), reason, class)
}

fn attributed(status: &IncidentStatus) -> Wanted {
    match &status.verdict {
        Some(v) => wanted("Attributed", Some(v.fault != Fault::Unknown), v.fault.to_string(), v.because.clone()),
        None => wanted("Attributed", None, "NotYet", "there is no verdict yet"),
    }
}

/// `True` while a roll-back or freeze is in force, and only then: whoever waits for it relies on the baseline.
fn mitigated(status: &IncidentStatus, incident: &Incident) -> Wanted {
    let why = status.why.clone().unwrap_or_default();
    let not = |reason: String, because: String| wanted("Mitigated", Some(false), reason, because);
    let paused = || status.actions.last().filter(|a| a.kind == ActionKind::Pause);
    // A freeze that may not be ended is in force all the same.
    let stands = status.progress == Some(Progress::Held) && in_force(status, incident).is_some();
    match (status.outcome, status.progress, &status.refusal) {
        (Some(Outcome::Cleared), ..) => not("NotNeeded".to_owned(), "it went away by itself".to_owned()),
        (Some(outcome @ (Outcome::Superseded | Outcome::Abandoned)), ..) => not(outcome.to_string(), why),
        (None, Some(progress @ (Progress::Ineffective | Progress::Retaken)), _) => not(format!("{progress:?}"), why),
        (None, _, Some(r)) if !stands => not(r.reason.to_string(), r.because.clone()),
        (outcome, ..) => match (in_force(status, incident), outcome, blocking::answer(status), paused()) {
            (Some(a), ..) => wanted("Mitigated", Some(true), done_word(a.kind), format!("{} → {}", a.from, a.to)),
            (None, Some(outcome), ..) => wanted("Mitigated", Some(true), outcome.to_string(), why),
            (None, None, Some(answer), _) => not(BLOCKED.to_owned(), answer.to_owned()),
            (None, None, None, Some(pause)) => not(done_word(pause.kind).to_owned(), why),
            (None, None, None, None) => wanted("Mitigated", None, ACTING, "an action is under way"),
        },
    }
}

/// What was intended last and carried out since: of a freeze that is begun once more, the time before does not count.
fn in_force<'a>(status: &'a IncidentStatus, incident: &Incident) -> Option<&'a ActionRecord> {
    let intent = status.intent.as_ref().or(incident.spec.opened.intent.as_ref())?;
    let again = (intent.attempt > 1).then(|| intent.made());
    let done = |a: &&ActionRecord| a.kind == intent.kind && again.is_none_or(|made| made <= a.at);
    status.actions.iter().rev().find(done).filter(|a| changes_template(a.kind))
}

fn recovered(status: &IncidentStatus) -> Wanted {
    let why = status.why.clone().unwrap_or_default();
    match (status.outcome, status.progress) {
        (Some(Outcome::Recovered | Outcome::Cleared), _) => wanted("Recovered", Some(true), "Stable", why),
        (Some(outcome), _) => wanted("Recovered", None, outcome.to_string(), why),
        (None, Some(Progress::Frozen)) => wanted("Recovered", Some(true), "Frozen", why),
        (None, Some(progress)) => wanted("Recovered", Some(false), format!("{progress:?}"), why),
        (None, None) => wanted("Recovered", None, "NotYet", why),
    }
}

fn succeeded(status: &IncidentStatus) -> Wanted {
    let why = status.why.clone().unwrap_or_default();
    match (status.outcome, status.progress) {
        (Some(Outcome::Recovered | Outcome::Cleared | Outcome::Superseded), _) => {
            wanted("Succeeded", Some(true), status.outcome.map(|o| o.to_string()).unwrap_or_default(), why)
        }
        (Some(Outcome::Abandoned), _) => wanted("Succeeded", Some(false), "Abandoned", why),
        (None, Some(p @ (Progress::Ineffective | Progress::Retaken))) => {
            wanted("Succeeded", Some(false), format!("{p:?}"), why)
        }
        (None, _) => wanted("Succeeded", None, "Open", why),
    }
}
