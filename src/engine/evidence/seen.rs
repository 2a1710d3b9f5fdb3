//! One symptom by the threshold of the rule that governs it: whether it has been seen often and long enough, and when time
//! alone will change that.

use jiff::Timestamp;

use crate::engine::classify::FLAPPING_SECONDS;
use crate::engine::facts::{ContainerState, Snapshot};
use crate::engine::finding::{Detail, Spread, Subject, Symptom};
use crate::engine::moment::{after, earliest};
use crate::engine::policy::Threshold;
use crate::engine::words::Sureness;

/// A symptom, and what is asked of it more than once.
pub(super) struct Seen<'a> {
    pub symptom: &'a Symptom<'a>,
    /// Since when it counts.
    onset: Timestamp,
    /// When it will have lasted long enough.
    due: Timestamp,
    /// It shows often enough and has shown long enough.
    pub reached: bool,
}

impl<'a> Seen<'a> {
    /// Not weighed yet.
    pub(super) fn new(symptom: &'a Symptom<'a>) -> Self {
        let onset = onset(symptom);
        Self { symptom, onset, due: onset, reached: false }
    }

    pub(super) fn weigh(&mut self, threshold: &Threshold, now: Timestamp) {
        let symptom = self.symptom;
        self.due = lasting(symptom, self.onset, threshold);
        self.reached = symptom.sureness != Sureness::Excluded
            && symptom.occurrences >= needed(symptom.sureness, threshold)
            && self.due <= now;
    }

    /// By which symptoms are told apart in time.
    pub(super) fn moments(&self) -> (Timestamp, Timestamp) {
        (self.onset, self.symptom.began)
    }

    pub(super) fn spread(&self, threshold: &Threshold) -> Spread {
        let began = self.symptom.began;
        let sufficed = lasting(self.symptom, began, threshold);
        Spread { onset: self.onset, began: began.min(self.onset), sufficed }
    }

    /// It may be no more than a start that takes its time.
    fn is_slow(&self) -> bool {
        let was_ready = matches!(self.symptom.detail, Detail::NotReady { was_ready: true, .. });
        self.symptom.sureness == Sureness::Timed && !was_ready && !self.reached
    }

    /// When time alone will make the symptom count.
    fn becomes_due(&self, threshold: &Threshold) -> Option<Timestamp> {
        let needed = needed(self.symptom.sureness, threshold);
        if self.symptom.occurrences < needed {
            return Some(after(self.symptom.onset, self.symptom.pace?.seconds_until(needed)));
        }
        Some(self.due)
    }

    /// When time alone will make the symptom go away, should nothing else happen.
    fn passes(&self, s: &Snapshot) -> Option<Timestamp> {
        if let Detail::Flapping { first, .. } = self.symptom.detail {
            return Some(after(first, FLAPPING_SECONDS.saturating_add(1)));
        }
        let (Subject::Pod(pod), Some(container)) = (self.symptom.subject, self.symptom.container) else { return None };
        match container.state {
            ContainerState::Running { since } if pod.ready && container.ready => {
                Some(after(pod.ready_since.unwrap_or(since).max(since), s.policy.rollout.stable_seconds))
            }
            _ => None,
        }
    }
}

/// What the symptoms of one finding add up to.
pub(super) struct Sum {
    pub any_reached: bool,
    /// In the one that shows it most.
    pub occurrences: u32,
    pub onset: Timestamp,
    pub began: Timestamp,
    pub more_than_slow: u32,
    /// When time alone may change any of it.
    pub next_look: Option<Timestamp>,
}

impl Sum {
    pub(super) fn of(symptoms: &[Seen], threshold: &Threshold, s: &Snapshot, now: Timestamp) -> Self {
        let none = Self {
            any_reached: false,
            occurrences: 0,
            onset: Timestamp::MAX,
            began: Timestamp::MAX,
            more_than_slow: 0,
            next_look: None,
        };
        symptoms.iter().fold(none, |sum, seen| {
            let counts = seen.symptom.sureness != Sureness::Excluded;
            let [due, past] = if counts { [seen.becomes_due(threshold), seen.passes(s)] } else { [None, None] };
            let changes = earliest(due.filter(|at| *at > now), past.filter(|at| *at > now));
            let began = seen.symptom.began.min(seen.onset);
            Self {
                any_reached: sum.any_reached || seen.reached,
                occurrences: sum.occurrences.max(seen.symptom.occurrences),
                onset: sum.onset.min(seen.onset),
                began: sum.began.min(began),
                more_than_slow: sum.more_than_slow.saturating_add(u32::from(!seen.is_slow())),
                next_look: earliest(sum.next_look, changes),
            }
        })
    }
}

/// How often it must have been seen.
pub(super) fn needed(sureness: Sureness, threshold: &Threshold) -> u32 {
    match sureness {
        Sureness::Definitive | Sureness::Timed | Sureness::Excluded => 1,
        Sureness::Repeated => threshold.attempts.unwrap_or(2),
        Sureness::Counted => threshold.exits.unwrap_or(2),
        Sureness::Flapping => threshold.flaps.unwrap_or(3),
    }
}

/// A pod cannot have failed before it was created, whatever the clock of its node says.
fn onset(symptom: &Symptom) -> Timestamp {
    match symptom.subject {
        Subject::Pod(pod) => symptom.onset.max(pod.created),
        Subject::Revision(_) | Subject::Workload => symptom.onset,
    }
}

/// When it would have lasted long enough, had it begun at this moment.
fn lasting(symptom: &Symptom, since: Timestamp, threshold: &Threshold) -> Timestamp {
    let grace = if symptom.sureness == Sureness::Timed { symptom.grace_seconds } else { 0 };
    after(since, threshold.for_seconds.unwrap_or(grace))
}
