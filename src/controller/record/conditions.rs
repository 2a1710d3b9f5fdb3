//! The conditions of an incident, by which `kubectl wait` and people tell where it stands.

use jiff::Timestamp;

use super::done_word;
use crate::api::condition::{self, Wanted};
use crate::api::incident::IncidentStatus;
use crate::engine::decision::{Outcome, Progress};
use crate::engine::words::Fault;

/// Sets all five from what the status says otherwise.
pub fn set(status: &mut IncidentStatus, generation: Option<i64>, now: Timestamp) {
    let wanted = [detected(status), attributed(status), mitigated(status), recovered(status), succeeded(status)];
    for one in wanted {
        condition::set(&mut status.conditions, one, generation, now);
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

fn mitigated(status: &IncidentStatus) -> Wanted {
    match (status.actions.last(), &status.refusal) {
        (Some(a), _) => wanted("Mitigated", Some(true), done_word(a.kind), format!("{} → {}", a.from, a.to)),
        (None, Some(r)) => wanted("Mitigated", Some(false), r.reason.to_string(), r.because.clone()),
        (None, None) if status.outcome.is_some() => {
            wanted("Mitigated", Some(false), "NotNeeded", "it went away by itself")
        }
        (None, None) => wanted("Mitigated", None, "Acting", "an action is under way"),
    }
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
