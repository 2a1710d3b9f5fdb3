//! How far an open incident has come, told from objects alone: what was intended, what the Deployment carries, and
//! which revision is the newest now.

use super::facts::{Name, Snapshot, WorkloadFacts};
use super::memory::{Intent, OpenIncident, RevisionRef};
use super::rollout::{self, Rollout};
use super::words::ActionKind;

/// Where a workload stands between a first failure and the end of its incident.
#[derive(Clone, Copy, Debug)]
pub enum Stage<'a> {
    /// No open incident, or one on the newest revision on which nothing was done yet.
    Judging(Option<&'a OpenIncident>),
    /// Our pause holds the rollout while evidence gathers.
    Suspended(&'a OpenIncident),
    /// The baseline's template is back; whether it helped is being watched.
    Recovering(&'a OpenIncident, &'a Intent),
    /// A freeze was begun and is not in force yet.
    Freezing(&'a OpenIncident, &'a Intent),
    /// The freeze is in force.
    Frozen(&'a OpenIncident, &'a Intent),
    /// The freeze is in force, and the owner of the template put that of the baseline back.
    Reverted(&'a OpenIncident, &'a Intent),
    /// A person had the freeze ended, which is in no record yet.
    Resumed(&'a OpenIncident),
    /// Another writer put the failing template back after our action.
    Retaken(&'a OpenIncident),
    /// A template arrived that is neither the failing one nor the baseline.
    Superseded(&'a OpenIncident),
}

/// The stage of the oldest open incident; a newer one is looked at when that is closed.
pub fn stage<'a>(s: &'a Snapshot, rollout: Option<&Rollout>) -> Stage<'a> {
    let Some(incident) = s.memory.open.first() else { return Stage::Judging(None) };
    let newest = if rollout::is_unrolled(s) { None } else { rollout.map(|r| &r.newest.hash) };
    let held = is_held(s, incident);
    match &incident.intent {
        None => judged(incident, newest),
        Some(intent) => match intent.kind {
            ActionKind::RollBack => rolled_back(s, (incident, intent), newest, held),
            ActionKind::Freeze => frozen(s, incident, intent, newest, held),
            ActionKind::Pause | ActionKind::Resume => suspended(s, incident, newest, held),
        },
    }
}

/// The action was carried out: it says so itself, or the Deployment carries the incident's name and the kind of the
/// action in a later generation than the one judged, which only our own write can have brought about. The name alone
/// may be that of a pause before.
pub fn acted(s: &Snapshot, incident: &OpenIncident) -> bool {
    let w = &s.workload;
    let intended = incident.intent.as_ref().map(|i| i.kind);
    let marked = w.incident_mark.as_ref() == Some(&incident.name) && intended.is_some() && w.action_mark == intended;
    incident.acted.is_some() || (marked && has_moved_on(s, incident))
}

/// Our own pause is in force.
pub fn is_held(s: &Snapshot, incident: &OpenIncident) -> bool {
    s.workload.paused && s.workload.paused_for.as_ref() == Some(&incident.name)
}

/// A pause is in force, and not for an incident of ours.
pub fn is_paused_by_another(w: &WorkloadFacts, is_ours: impl Fn(&Name) -> bool) -> bool {
    w.paused && !w.paused_for.as_ref().is_some_and(is_ours)
}

/// The Deployment is seen as it is after the write that was intended. A watch may show it as it was before.
fn has_moved_on(s: &Snapshot, incident: &OpenIncident) -> bool {
    incident.intent.as_ref().is_some_and(|i| s.workload.generation > i.generation)
}

fn judged<'a>(incident: &'a OpenIncident, newest: Option<&Name>) -> Stage<'a> {
    match newest {
        Some(hash) if hash != &incident.failing.hash => Stage::Superseded(incident),
        _ => Stage::Judging(Some(incident)),
    }
}

fn rolled_back<'a>(
    s: &Snapshot,
    (incident, intent): (&'a OpenIncident, &'a Intent),
    newest: Option<&Name>,
    held: bool,
) -> Stage<'a> {
    if !acted(s, incident) {
        // A pause before it stands until then.
        return suspended(s, incident, newest, held);
    }
    match newest {
        Some(hash) if hash == &intent.target.hash => Stage::Recovering(incident, intent),
        Some(hash) if hash == &intent.failing.hash && has_moved_on(s, incident) => Stage::Retaken(incident),
        Some(hash) if hash == &intent.failing.hash => Stage::Recovering(incident, intent),
        // The status never catches up with a template whose ReplicaSet is refused.
        None if rollout::is_refused(s) => Stage::Superseded(incident),
        // The status may lag behind a template that was just written; then there is nothing to conclude yet.
        None if s.workload.observed_generation < s.workload.generation => Stage::Recovering(incident, intent),
        _ => Stage::Superseded(incident),
    }
}

fn frozen<'a>(
    s: &Snapshot,
    incident: &'a OpenIncident,
    intent: &'a Intent,
    newest: Option<&Name>,
    held: bool,
) -> Stage<'a> {
    let restarted = |revision| restarted(s, incident, revision);
    let newest = newest.or_else(|| restarted(&intent.failing).or_else(|| restarted(&intent.target)));
    let known = newest.is_some_and(|hash| hash == &intent.target.hash || hash == &intent.failing.hash);
    // Where the freeze left the template to its owner, or the owner's was seen in it since, only the owner can have
    // exchanged it for the baseline's.
    let put_back = newest.is_some_and(|hash| hash == &intent.target.hash);
    let reverted = put_back && (!intent.puts_back || incident.returned);
    match (held, acted(s, incident)) {
        (true, _) if reverted => Stage::Reverted(incident, intent),
        (true, _) if known => Stage::Frozen(incident, intent),
        (true, _) => Stage::Superseded(incident),
        (false, false) => judged(incident, newest),
        (false, true) if !known => Stage::Superseded(incident),
        (false, true) if reverted => Stage::Recovering(incident, intent),
        // The person's word outlives our own write, of which nothing else may be known.
        (false, true) if s.workload.resume_asked.as_ref() == Some(&incident.name) => Stage::Resumed(incident),
        // Once the freeze was in force, only somebody else can have ended it: with the baseline's template it has
        // become a roll-back, with the failing one it was retaken.
        (false, true) if was_in_force(incident, intent) && has_moved_on(s, incident) => {
            if put_back {
                Stage::Recovering(incident, intent)
            } else {
                Stage::Retaken(incident)
            }
        }
        (false, true) => Stage::Freezing(incident, intent),
    }
}

/// Under our own pause somebody asked for a restart of what the incident is about: it is judged as what it is.
pub fn is_restart(s: &Snapshot, incident: &OpenIncident) -> bool {
    restarted(s, incident, &incident.failing).is_some()
}

/// A template that our own pause keeps from getting a ReplicaSet, and that is materially the one of this revision: somebody
/// asked for a restart and shipped nothing new.
fn restarted<'a>(s: &Snapshot, incident: &OpenIncident, revision: &'a RevisionRef) -> Option<&'a Name> {
    let known = s.revisions.iter().find(|r| r.uid == revision.uid).filter(|_| is_held(s, incident))?;
    (known.template.material == s.workload.template_material).then_some(&revision.hash)
}

/// The freeze was in force since it was last intended. One that the controller undid is begun again.
fn was_in_force(incident: &OpenIncident, intent: &Intent) -> bool {
    incident.acted.is_some_and(|at| intent.attempt == 1 || intent.made() <= at)
}

fn suspended<'a>(s: &Snapshot, incident: &'a OpenIncident, newest: Option<&Name>, held: bool) -> Stage<'a> {
    let newest = newest.or_else(|| restarted(s, incident, &incident.failing));
    let same = newest.is_some_and(|hash| hash == &incident.failing.hash);
    match (held, same) {
        (true, true) => Stage::Suspended(incident),
        (true, false) => Stage::Superseded(incident),
        (false, _) if acted(s, incident) && !same => Stage::Superseded(incident),
        (false, _) => judged(incident, newest),
    }
}
