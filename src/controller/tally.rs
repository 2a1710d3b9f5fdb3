//! What incidents add to the counters: each action and each outcome once. An incident's record tells what counts; where
//! its answer was lost nobody knows whether it tells, so what was counted is remembered while the incident is open.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::context::Context;
use super::record;
use crate::api::Incident;
use crate::engine::memory::ActionRecord;
use crate::engine::words::ActionKind;
use crate::metrics::{ActionResult, IncidentOutcome};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    /// The how manyth of its kind: a freeze that was undone is done once more.
    Action(ActionKind, usize),
    Outcome(IncidentOutcome),
}

/// What was counted, by the UID of the incident.
#[derive(Debug, Default)]
pub struct Tally(Mutex<HashMap<String, Vec<Counted>>>);

impl Tally {
    fn is_new(&self, incident: &Incident, what: Counted) -> bool {
        let uid = incident.metadata.uid.clone().unwrap_or_default();
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = tally.entry(uid).or_default();
        let new = !counted.contains(&what);
        if new {
            counted.push(what);
        }
        new
    }

    /// Forgets what is over or gone: nothing of it is written any more.
    pub fn keep_open(&self, incidents: &[Arc<Incident>]) {
        let open = incidents.iter().filter(|i| i.is_open());
        let open: HashSet<&str> = open.filter_map(|i| i.metadata.uid.as_deref()).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| open.contains(uid.as_str()));
    }
}

/// Counts what an incident came to.
pub fn came_to(ctx: &Context, incident: &Incident, outcome: IncidentOutcome) {
    if !ctx.tally.is_new(incident, Counted::Outcome(outcome)) {
        return;
    }
    let action = incident.status.as_ref().and_then(|s| s.actions.last()).map(|a| a.kind);
    if let Some(lead) = incident.spec.opened.findings.first() {
        ctx.metrics.incident_came_to(lead.class, action, outcome);
    }
}

/// Counts the actions that an incident did not tell of before. Half a freeze is none yet.
pub fn accepted(ctx: &Context, before: &Incident, done: &[ActionRecord]) {
    let told = before.status.as_ref().map(|status| status.actions.as_slice()).unwrap_or_default();
    for action in done.iter().filter(|action| is_whole(before, action) && !record::tells_of(before, action)) {
        let earlier = told.iter().filter(|told| told.kind == action.kind).count();
        if ctx.tally.is_new(before, Counted::Action(action.kind, earlier)) {
            ctx.metrics.acted(action.kind, ActionResult::Accepted);
        }
    }
}

/// It is all that was intended: a freeze of a completed rollout begins with a roll-back.
pub fn is_whole(incident: &Incident, action: &ActionRecord) -> bool {
    incident.intent().is_none_or(|intent| intent.kind != ActionKind::Freeze || action.kind == intent.kind)
}
