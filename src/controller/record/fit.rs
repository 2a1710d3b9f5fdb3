//! Keeps an incident within its bound. What tells least goes first; the leading finding says that something is missing.
//!
//! Each part of an incident has a bound of its own, which one failure hardly ever reaches in all of them at once. So all
//! of it is measured once, and again only while something has to go.

use serde::Serialize;

use super::room::{GAP, cost, cut, size, within};
use crate::api::incident::{Incident, IncidentStatus, LogExcerpt, Opened};
use crate::engine::blast_radius::BlastRadius;
use crate::engine::change::told::WhatChanged;
use crate::engine::decision::Verdict;
use crate::engine::finding::{Evidence, Finding};
use crate::engine::{attribute, logs};

/// Bytes of a whole incident, as JSON and without the notes of people.
const MAX_INCIDENT: usize = 64 << 10;
/// Of those, for names, labels and what the API server keeps of who wrote which field.
const METADATA: usize = 4 << 10;
/// What an incident is opened with, which never changes.
pub(super) const MAX_OPENED: usize = 28 << 10;
/// Bytes that the status has in any case, whatever people wrote into the spec.
const LEAST_STATUS: usize = 30 << 10;
/// Bytes of the mark.
const MARK: usize = 160;
const MARK_SOURCE: &str = "incident";
const MARK_TEXT: &str = "left out: the rest of what was seen, for want of room";

const MAX_LOG: usize = 1024;
const MAX_WHY: usize = 512;
const MAX_BECAUSE: usize = 256;
const MAX_TEXT: usize = 128;

/// Leaves room for what the status will say.
pub(super) fn opened(of: &mut Opened) {
    let cuts: [fn(&mut Opened); 7] = [
        |of| of.events.clear(),
        |of| of.changes.clear(),
        |of| of.nodes.clear(),
        |of| of.findings.iter_mut().skip(1).for_each(brief),
        |of| of.logs.iter_mut().for_each(shorten),
        |of| leave_findings(&mut of.findings),
        |of| {
            of.findings.iter_mut().for_each(brief);
            of.why = cut(&of.why, MAX_WHY);
            of.verdict.iter_mut().for_each(brief_verdict);
        },
    ];
    if fit(of, MAX_OPENED, &cuts) {
        mark(&mut of.findings);
    }
}

/// Makes the status as small as it must be for the whole incident to stay within its bound.
pub fn fit_status(of: &mut IncidentStatus, incident: &Incident) {
    let cuts: [fn(&mut IncidentStatus); 7] = [
        |of| of.blast_radius.iter_mut().for_each(|blast| leave_around(blast, 4)),
        |of| of.what_changed.iter_mut().for_each(|what| leave_changes(what, 8)),
        |of| of.findings.iter_mut().skip(1).for_each(brief),
        |of| of.logs.iter_mut().for_each(shorten),
        |of| {
            of.blast_radius.iter_mut().for_each(|blast| leave_around(blast, 1));
            of.what_changed.iter_mut().for_each(|what| leave_changes(what, 2));
        },
        |of| {
            of.findings.truncate(MOST_TELLING);
            of.logs.clear();
        },
        bare,
    ];
    // What was left out before stays so.
    let before = incident.status.as_ref().and_then(|status| status.findings.first());
    if before.is_some_and(is_marked) {
        mark(&mut of.findings);
    }
    // To measure the spec is worth it only where the status is a long one.
    if size(of) <= LEAST_STATUS {
        return;
    }
    let room = MAX_INCIDENT.saturating_sub(METADATA).saturating_sub(size(&incident.spec)).max(LEAST_STATUS);
    if fit(of, room, &cuts) {
        mark(&mut of.findings);
    }
}

/// Makes one cut after the other until there is room; tells whether any was needed.
fn fit<T: Serialize>(of: &mut T, room: usize, cuts: &[fn(&mut T)]) -> bool {
    if size(of) <= room {
        return false;
    }
    for cut in cuts {
        cut(of);
        if size(of) <= room.saturating_sub(MARK) {
            break;
        }
    }
    true
}

fn is_marked(finding: &Finding) -> bool {
    finding.evidence.iter().any(|evidence| evidence.source == MARK_SOURCE)
}

fn mark(findings: &mut [Finding]) {
    let Some(lead) = findings.first_mut() else { return };
    lead.evidence.retain(|evidence| evidence.source != MARK_SOURCE);
    lead.evidence.truncate(MAX_EVIDENCE - 1);
    lead.evidence.push(Evidence { source: MARK_SOURCE.to_owned(), text: MARK_TEXT.to_owned() });
}

/// Pieces of evidence that a finding may have.
const MAX_EVIDENCE: usize = 5;
/// Findings that are kept when there is no room for more.
const MOST_TELLING: usize = 4;

/// The first, and those that tell of crashes before: they are remembered from here until the ledger has them.
fn leave_findings(findings: &mut Vec<Finding>) {
    let mut seen = 0;
    findings.retain(|finding| {
        seen += 1;
        seen <= MOST_TELLING || (!finding.newest && attribute::is_crash(finding))
    });
}

/// What failed and the clearest sign of it.
fn brief(finding: &mut Finding) {
    finding.rejected.clear();
    finding.next_steps.clear();
    finding.pods.truncate(1);
    finding.evidence.truncate(1);
    for evidence in &mut finding.evidence {
        evidence.source = cut(&evidence.source, MAX_BECAUSE);
        evidence.text = cut(&evidence.text, MAX_BECAUSE);
    }
}

fn brief_verdict(verdict: &mut Verdict) {
    verdict.because = cut(&verdict.because, MAX_BECAUSE);
    verdict.rejected.truncate(2);
    for rejected in &mut verdict.rejected {
        rejected.because = cut(&rejected.because, MAX_TEXT);
    }
}

/// The log from its error on, or that error and the last lines. After a restart a kept log stands for the log itself, so
/// it must go on to say what it said.
fn shorten(log: &mut LogExcerpt) {
    if cost(&log.text) <= MAX_LOG {
        return;
    }
    let error = logs::read(log.text.as_bytes()).error(log.ended).unwrap_or(1);
    let before = usize::try_from(error).unwrap_or(1).saturating_sub(1);
    let at = log.text.split_inclusive('\n').take(before).map(str::len).sum();
    let rest = log.text.get(at..).unwrap_or_default();
    if cost(rest) <= MAX_LOG {
        log.text = rest.to_owned();
        return;
    }
    let mut lines = rest.lines();
    let error = cut(lines.next().unwrap_or_default(), MAX_LOG / 3);
    let first = within(lines.clone(), (MAX_LOG / 3).saturating_sub(cost(&error)));
    let mut last = within(lines.rev(), MAX_LOG - MAX_LOG / 3 - 2 * GAP.len());
    last.reverse();
    log.text = [&[&*error], &*first, &[GAP], &*last].concat().join("\n");
}

/// Who suffers elsewhere, as the first few of each.
fn leave_around(blast: &mut BlastRadius, kept: usize) {
    blast.hosts.truncate(kept);
    blast.budgets.truncate(kept);
    blast.also_failing.truncate(kept);
    blast.also_failing.iter_mut().for_each(|kin| kin.shares.truncate(1));
    blast.dependents.truncate(kept);
    blast.not_looked_at.truncate(kept);
}

/// The first changes, which are those that can cause the failure.
fn leave_changes(what: &mut WhatChanged, kept: usize) {
    let more = what.changes.len().saturating_sub(kept);
    what.changes.truncate(kept);
    what.omitted = what.omitted.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
    what.not_looked_at.truncate(kept);
}

/// What decisions are made from and the story, with one finding.
fn bare(of: &mut IncidentStatus) {
    of.findings.truncate(1);
    of.findings.iter_mut().for_each(brief);
    of.why = of.why.as_deref().map(|why| cut(why, MAX_WHY));
    of.verdict.iter_mut().for_each(brief_verdict);
    of.refusal.iter_mut().for_each(|refusal| refusal.because = cut(&refusal.because, MAX_BECAUSE));
    if let Some(signal) = &mut of.first_signal {
        signal.source = cut(&signal.source, MAX_TEXT);
        signal.text = cut(&signal.text, MAX_BECAUSE);
    }
    for condition in &mut of.conditions {
        condition.message = cut(&condition.message, MAX_TEXT);
    }
    if let Some(blast) = &mut of.blast_radius {
        leave_around(blast, 0);
        blast.services.truncate(2);
        blast.because = cut(&blast.because, MAX_BECAUSE);
    }
    of.what_changed.iter_mut().for_each(|what| leave_changes(what, 0));
}

#[cfg(test)]
mod tests;
