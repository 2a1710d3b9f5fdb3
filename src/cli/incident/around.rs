//! What an incident tells of what lies around: what changed, who suffers, and the first sign.

use jiff::Timestamp;

use super::super::page::{Page, Tone, one_line};
use super::super::times;
use crate::api::Incident;
use crate::engine::blast_radius::{BlastRadius, Effect};
use crate::engine::change::Change;
use crate::engine::change::author::Author;
use crate::engine::first_signal::FirstSignal;

/// Changes that are shown; the rest are counted.
const SHOWN_CHANGES: usize = 8;

/// When and where it first showed, and how long it took until that was enough.
pub fn first_signal(first: &FirstSignal) -> String {
    let after = times::span(first.detected_after_seconds);
    one_line(&format!("first sign: {}: {}; sufficient evidence {after} later", first.source, first.text))
}

pub fn what_changed(page: &mut Page, incident: &Incident, now: Timestamp) {
    let Some(what) = incident.status.as_ref().and_then(|s| s.what_changed.as_ref()) else { return };
    page.heading("WHAT CHANGED");
    if let Some(with) = &what.compared_with {
        let restart = if what.restart_only { "; it was restarted, nothing else differs" } else { "" };
        page.para(2, &one_line(&format!("compared with {with}{restart}")));
    }
    if let Some(author) = author(&what.author, now) {
        page.para(2, &author);
    }
    if what.changes.is_empty() {
        page.para(2, "Nothing was seen to change.");
    }
    let mut before = true;
    for change in what.changes.iter().take(SHOWN_CHANGES) {
        // Those that can cause the failure come first.
        if before && !change.relevant {
            page.para(2, "Of a kind that hardly causes this:");
        }
        before = change.relevant;
        page.item(2, &one_line(&said(change, now)));
    }
    let more = what.changes.len().saturating_sub(SHOWN_CHANGES).saturating_add(what.omitted as usize);
    if more > 0 {
        page.para(2, &format!("and {more} more; -o yaml has those that were kept"));
    }
    gaps(page, &what.not_looked_at);
}

fn said(change: &Change, now: Timestamp) -> String {
    let at = change.at.map(|at| format!(", {}", times::relative(at, now))).unwrap_or_default();
    let by = change.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    format!("{}: {}{at}{by}", change.subject, change.text)
}

fn author(author: &Author, now: Timestamp) -> Option<String> {
    let by = author.manager.as_ref().map(|manager| format!("shipped by {manager}"));
    let at = author.at.map(|at| times::both(at, now));
    let cause = author.cause.as_ref().map(|cause| format!("cause: {cause}"));
    let parts: Vec<String> = by.into_iter().chain(at).chain(author.through.iter().cloned()).chain(cause).collect();
    (!parts.is_empty()).then(|| one_line(&parts.join(", ")))
}

pub fn blast_radius(page: &mut Page, incident: &Incident) {
    let Some(blast) = incident.status.as_ref().and_then(|s| s.blast_radius.as_ref()) else { return };
    page.heading("BLAST RADIUS");
    let tone = match blast.effect {
        Effect::Outage => Tone::Bad,
        Effect::Degraded => Tone::Warn,
        Effect::Unharmed => Tone::Good,
    };
    let effect = page.toned(&blast.effect.to_string(), tone);
    page.para(2, &format!("{effect}, {}: {}", blast.severity, one_line(&blast.because)));
    details(page, blast);
    gaps(page, &blast.not_looked_at);
}

fn details(page: &mut Page, blast: &BlastRadius) {
    for service in &blast.services {
        let what = format!("Service {}: {} of {} endpoints ready", service.name, service.ready, service.expected);
        page.item(2, &one_line(&what));
    }
    if !blast.hosts.is_empty() {
        page.item(2, &one_line(&format!("hosts: {}", blast.hosts.join(", "))));
    }
    for kin in &blast.also_failing {
        page.item(2, &one_line(&format!("{} fails too and shares {}", kin.workload, kin.shares.join(", "))));
    }
    for dependent in &blast.dependents {
        let what = format!("{} calls Service {} ({})", dependent.workload, dependent.service, dependent.through);
        page.item(2, &one_line(&what));
    }
}

fn gaps(page: &mut Page, gaps: &[String]) {
    if !gaps.is_empty() {
        page.para(2, &one_line(&format!("Not looked at: {}", gaps.join("; "))));
    }
}
