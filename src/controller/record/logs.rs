//! The logs that an incident keeps.

use std::sync::Arc;

use crate::api::incident::{Incident, IncidentStatus, LogExcerpt};
use crate::engine::decision::Decision;
use crate::engine::facts::{LogFacts, Snapshot};
use crate::engine::listen;

/// Logs kept.
const MAX_LOGS: usize = 4;

/// What failing containers logged last, and healthy ones that log the same.
pub fn opening(s: &Snapshot, decision: &Decision) -> Vec<LogExcerpt> {
    let (failing, healthy) = listen::kept(&s.logs, &decision.findings);
    failing.into_iter().chain(healthy).map(excerpt).collect()
}

/// Adds logs that were read too late to be in the incident from the beginning. Once some of failing pods are kept, and
/// some of healthy ones, no more are added: they would say the same.
pub fn hear(status: &mut IncidentStatus, incident: &Incident, decision: &Decision, logs: &[Arc<LogFacts>]) {
    let (failing, healthy) = listen::kept(logs, &decision.findings);
    for some in [failing, healthy] {
        let is_kept = |log: &&LogFacts| incident.logs().any(|kept| kept.uid == *log.uid);
        if !some.iter().any(is_kept) && status.logs.len() + some.len() <= MAX_LOGS {
            status.logs.extend(some.into_iter().map(excerpt));
        }
    }
}

fn excerpt(log: &LogFacts) -> LogExcerpt {
    LogExcerpt {
        pod: log.pod.to_string(),
        uid: log.uid.to_string(),
        container: log.container.to_string(),
        ended: log.ended,
        exits: log.exits,
        text: log.excerpt.to_string(),
    }
}
