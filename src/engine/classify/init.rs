//! Init containers that run and run: they wait in a loop for something that never comes, without a crash or an event.

use super::look::Look;
use super::text::reading;
use crate::engine::facts::ContainerState;
use crate::engine::finding::{Detail, Symptom};
use crate::engine::words::{Cause, Class, ContainerKind, Sureness};

/// Migrations and downloads may take minutes.
const GRACE_SECONDS: i64 = 300;
const GRACE_FACTOR: i64 = 3;
/// What the API server fills in where nobody says how long a rollout may go without progress.
const DEFAULT_DEADLINE: i32 = 600;

/// A sidecar is an init container too, but one that is meant to run on.
pub(super) fn symptom<'a>(look: &Look<'_, 'a>) -> Option<Symptom<'a>> {
    let (container, since) = look.pod.containers.iter().find_map(|c| match (&c.kind, &c.state) {
        (ContainerKind::Init, ContainerState::Running { since }) => Some((c, *since)),
        _ => None,
    })?;
    let known = look.scene.known_ready_seconds().unwrap_or(0);
    let grace_seconds = GRACE_SECONDS.max(known.saturating_mul(GRACE_FACTOR)).max(declared_seconds(look));
    let said = reading(Class::InitStuck, Cause::InitHanging, Sureness::Timed);
    let onset = look.since_node(since).min(look.scene.now);
    let detail = Detail::Plain("the init container runs and does not end, so nothing after it starts");
    Some(Symptom { grace_seconds, ..look.on_container(container, said, onset, detail) })
}

/// How long a rollout may go without progress by what somebody said of it.
fn declared_seconds(look: &Look<'_, '_>) -> i64 {
    let deadline = look.scene.s.workload.progress_deadline_seconds;
    deadline.filter(|seconds| *seconds != DEFAULT_DEADLINE).map_or(0, i64::from)
}
