//! What a log names beside the cause that a class of failure has of its own, such as what a probe was answered.

use super::refine::most_named;
use super::{logs_of, may_be_shared};
use crate::engine::facts::Snapshot;
use crate::engine::words::{Cause, Class};

/// What lies behind a failure of which the status says only how it shows: a service that the program of a revision
/// calls, or a migration that it waits for. What is tried again must repeat within one log.
pub fn named(s: &Snapshot, failure: (Class, Cause), revision: &str, container: &str) -> Option<Cause> {
    let (class, cause) = failure;
    let shows = matches!(class, Class::Unready | Class::InitStuck)
        || matches!(cause, Cause::LivenessKilled | Cause::StartupProbeKilled);
    if s.logs.is_empty() || !shows {
        return None;
    }
    // Nobody ended on these words: the program runs, or was killed from outside.
    let seen = logs_of(s, revision, container).filter_map(|log| log.reading.lead(false));
    most_named(seen).filter(|cause| may_be_shared(*cause) || *cause == Cause::MigrationFailed)
}
