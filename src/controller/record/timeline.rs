//! The story of an incident as it is told: one entry for each thing that happened. Nothing in it is ever changed, so it is
//! bounded beforehand, in entries and in bytes, and there is room for the end.

use jiff::Timestamp;

use super::room::{cost, cut};
use crate::api::incident::{IncidentStatus, TimelineEntry};
use crate::engine::decision::{Action, Decision, Progress};
use crate::engine::words::ActionKind;

/// Timeline entries kept; later ones are dropped, since nothing in a timeline is ever changed.
pub const MAX_TIMELINE: usize = 64;
/// Of those, kept free for how it ends.
const ROOM_FOR_THE_END: usize = 8;
/// How often the same is told; what comes and goes would fill the timeline.
const MAX_REPEATED: usize = 5;

/// Bytes of a whole timeline.
const MAX_TIMELINE_SIZE: usize = 13 << 10;
/// Bytes of the text of an entry, and those that each of them has in any case.
pub const MAX_ENTRY: usize = 512;
const SHORT_ENTRY: usize = 48;
/// Bytes of an entry beside its word and its text, and those of a word.
const ENTRY: usize = 64;
const WORD: usize = 20;

/// Adds an entry, unless the same was told too often or there is no room but for the end.
pub fn tell(status: &mut IncidentStatus, at: Timestamp, what: &str, text: String) {
    let told = status.timeline.iter().filter(|entry| entry.what == what).count();
    if told < MAX_REPEATED {
        push(status, MAX_TIMELINE - ROOM_FOR_THE_END, at, (what, text));
    }
}

/// Tells how it ends.
pub fn tell_end(status: &mut IncidentStatus, at: Timestamp, what: &str, text: String) {
    push(status, MAX_TIMELINE, at, (what, text));
}

/// That the owner's template is back under the freeze is remembered, since it tells a later revert from what Backstay
/// itself put there.
pub fn tell_of_template(status: &mut IncidentStatus, decision: &Decision, now: Timestamp) {
    if decision.template_returned && status.template_returned_at.is_none() {
        status.template_returned_at = Some(now);
        let failing = decision.newest.as_ref().map_or("", |r| &*r.name);
        tell(
            status,
            now,
            "TemplateReturned",
            format!("the template of {failing} is in the Deployment again, and starts nothing"),
        );
    }
    if let Some(Action::Resume { because, .. }) = &decision.action {
        tell(status, now, done_word(ActionKind::Resume), because.clone());
    }
}

/// What is told when an incident gets there, if anything.
pub fn entered(progress: Progress, decision: &Decision) -> Option<(&'static str, String)> {
    let refusal = || decision.refusal.as_ref().map(|r| r.because.clone());
    match progress {
        Progress::Held => decision.refusal.as_ref().map(|r| (r.reason.into(), r.because.clone())),
        Progress::Ineffective => Some(("Ineffective", decision.why.clone())),
        Progress::Retaken => Some(("Retaken", refusal().unwrap_or_else(|| decision.why.clone()))),
        Progress::Frozen => Some(("Frozen", decision.why.clone())),
        Progress::Suspected | Progress::Acting | Progress::Recovering => None,
    }
}

/// The word for an action that was done.
pub fn done_word(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::RollBack => "RolledBack",
        ActionKind::Freeze => "FreezeBegun",
        ActionKind::Pause => "Paused",
        ActionKind::Resume => "Resumed",
    }
}

fn push(status: &mut IncidentStatus, max: usize, at: Timestamp, (what, text): (&str, String)) {
    if status.timeline.len() < max {
        add(&mut status.timeline, TimelineEntry { at, what: what.to_owned(), text });
    }
}

/// Adds an entry, as long as there is room beside those that may come. What was told is never changed, so that later
/// ones must fit as well.
fn add(timeline: &mut Vec<TimelineEntry>, entry: TimelineEntry) {
    let used: usize = timeline.iter().map(|entry| ENTRY + entry.what.len() + cost(&entry.text)).sum();
    let to_come = MAX_TIMELINE.saturating_sub(timeline.len() + 1) * (ENTRY + WORD + SHORT_ENTRY);
    let room = MAX_TIMELINE_SIZE.saturating_sub(used + to_come + ENTRY + entry.what.len());
    timeline.push(TimelineEntry { text: cut(&entry.text, room.clamp(SHORT_ENTRY, MAX_ENTRY)), ..entry });
}
