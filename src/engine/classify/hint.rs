//! What events tell beyond a status.
//!
//! They are hints: any of them may be missing, late or merged with others, or be about a run that is long over. So
//! nothing is seen in an event alone; an event says more about what a status shows, and only about the object, the
//! container and the time that it speaks of.

use jiff::Timestamp;

use super::look::{Look, Scene};
use crate::engine::facts::{ContainerFacts, EventFacts, Name, RevisionFacts, Termination, claim_key};
use crate::engine::finding::{Subject, Symptom, Teller, Told};

/// The clocks of a node and of the API server differ, and times are cut to seconds.
const CLOSE_SECONDS: i64 = 5;

impl<'a> Look<'_, 'a> {
    /// The newest event about this pod that `fits`.
    pub(super) fn event(&self, fits: impl Fn(&EventFacts) -> bool) -> Option<Told<'a>> {
        let event = self.events.iter().rev().find(|event| fits(event))?;
        Some(Told { by: Teller::Subject(Subject::Pod(self.pod)), event })
    }

    /// The newest event about one container that `fits`. One that names no container may be about any.
    pub(super) fn event_of(&self, container: &ContainerFacts, fits: impl Fn(&EventFacts) -> bool) -> Option<Told<'a>> {
        let of_it = |event: &EventFacts| event.container.as_ref().is_none_or(|name| *name == container.name);
        self.event(|event| of_it(event) && fits(event))
    }

    /// The newest event with this reason about the pod's node.
    pub(super) fn event_of_node(&self, reason: &str, fits: impl Fn(&EventFacts) -> bool) -> Option<Told<'a>> {
        let node: &str = self.pod.node.as_deref()?;
        let mut events = self.scene.s.events.about(node).iter().rev();
        let event = events.find(|event| is(event, reason) && fits(event))?;
        Some(Told { by: Teller::Node(node), event })
    }

    /// The newest event about a volume claim of the pod's template that `fits`.
    pub(super) fn event_of_claim(&self, fits: impl Fn(&EventFacts) -> bool) -> Option<Told<'a>> {
        let s = self.scene.s;
        let told = |claim: &'a Name| {
            let events = s.events.about(&claim_key(&s.workload.namespace, claim));
            Some(Told { by: Teller::Claim(claim), event: events.iter().rev().find(|event| fits(event))? })
        };
        self.revision?.template.claims.iter().filter_map(told).max_by_key(|told| told.event.last)
    }
}

impl<'a> Scene<'a> {
    /// The newest refusal to create a pod of this revision, or the revision itself where there is none.
    pub(super) fn refusal(&self, revision: Option<&'a RevisionFacts>) -> Option<Told<'a>> {
        let (uid, reason, subject) = match revision {
            Some(revision) => (&revision.uid, "FailedCreate", Subject::Revision(revision)),
            None => (&self.s.workload.uid, "ReplicaSetCreateError", Subject::Workload),
        };
        let event = self.s.events.about(uid).iter().rev().find(|event| is(event, reason))?;
        Some(Told { by: Teller::Subject(subject), event })
    }
}

/// The event has this reason.
pub(super) fn is(event: &EventFacts, reason: &str) -> bool {
    &*event.reason == reason
}

/// The event happened at this moment or later.
pub(super) fn since(event: &EventFacts, at: Timestamp) -> bool {
    event.last.duration_since(at).as_secs() >= -CLOSE_SECONDS
}

/// The event happened while this run of a container lasted. Of an event that was merged with others only the first and
/// the last time are known, and any time between them will do.
pub(super) fn during(event: &EventFacts, run: &Termination) -> bool {
    let Some(finished) = run.finished else { return false };
    let began_in_time = event.first.duration_since(finished).as_secs() <= CLOSE_SECONDS;
    began_in_time && run.started.is_none_or(|started| since(event, started))
}

/// The event, or one of those merged into it, may have happened at this moment.
pub(super) fn at(event: &EventFacts, moment: Timestamp) -> bool {
    event.first.duration_since(moment).as_secs() <= CLOSE_SECONDS && since(event, moment)
}

/// The symptom with the event that says more about it.
pub(super) fn with<'a>(symptom: Symptom<'a>, told: Option<Told<'a>>) -> Symptom<'a> {
    Symptom { told: told.or(symptom.told), ..symptom }
}
