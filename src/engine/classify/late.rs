//! Failures of a revision whose rollout was complete before: the Deployment controller calls it available and looks no
//! more. What changed at that moment is as likely the cause as what changed with the rollout.

use jiff::Timestamp;

use super::look::Scene;
use crate::engine::facts::Snapshot;
use crate::engine::finding::{Subject, Symptom};
use crate::engine::moment::seconds_between;

/// A failure this soon after belongs to the rollout as much as one before it.
const SOON_SECONDS: i64 = 60;

pub(super) fn note(s: &Snapshot, symptom: &Symptom<'_>, now: Timestamp) -> Option<(String, String)> {
    let scene = Scene::new(s, now);
    let newest = scene.newest?;
    // The condition may still be that of the rollout before.
    let completed = s.workload.completed.filter(|completed| *completed >= scene.rollout_start)?;
    let of_newest = match symptom.subject {
        Subject::Pod(pod) => pod.revision == newest.uid,
        Subject::Revision(revision) => revision.uid == newest.uid,
        Subject::Workload => true,
    };
    let after = seconds_between(completed, symptom.onset);
    (of_newest && after > SOON_SECONDS).then(|| {
        let source = "deployment conditions[Progressing]".to_owned();
        (source, format!("the rollout was complete at {completed}; this began {} later", span(after)))
    })
}

/// Seconds as people say them.
fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
