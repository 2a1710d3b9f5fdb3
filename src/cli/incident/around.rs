//! What an incident tells of what lies around: what changed, who suffers, and the first sign.

use jiff::Timestamp;

use super::super::page::{Page, Tone, one_line};
use super::super::times;
use crate::engine::blast_radius::{BlastRadius, Budget, Dependent, Effect, Kin, ServiceImpact};
use crate::engine::change::Change;
use crate::engine::change::author::Author;
use crate::engine::change::told::WhatChanged;
use crate::engine::first_signal::FirstSignal;

/// When and where it first showed, and how long it took until that was enough.
pub fn first_signal(first: &FirstSignal) -> String {
    let after = times::span(first.detected_after_seconds);
    one_line(&format!("first sign: {}: {}; sufficient evidence {after} later", first.source, first.text))
}

/// What changed; so many changes of it, and where there are more.
pub fn what_changed(page: &mut Page, what: &WhatChanged, (shown, all): (usize, &str), now: Timestamp) {
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
    for change in what.changes.iter().take(shown) {
        // Those that can cause the failure come first.
        if before && !change.relevant {
            page.para(2, "Of a kind that hardly causes this:");
        }
        before = change.relevant;
        page.item(2, &one_line(&said(change, now)));
    }
    let more = what.changes.len().saturating_sub(shown).saturating_add(what.omitted as usize);
    if more > 0 {
        page.para(2, &format!("and {more} more; {all} has those that were kept"));
    }
    gaps(page, &what.not_looked_at);
}

pub fn said(change: &Change, now: Timestamp) -> String {
    let at = change.at.map(|at| format!(", {}", times::relative(at, now))).unwrap_or_default();
    let by = change.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    format!("{}: {}{at}{by}", change.subject, change.text)
}

pub fn author(author: &Author, now: Timestamp) -> Option<String> {
    let by = author.manager.as_ref().map(|manager| format!("shipped by {manager}"));
    let at = author.at.map(|at| times::both(at, now));
    let cause = author.cause.as_ref().map(|cause| format!("cause: {cause}"));
    let parts: Vec<String> = by.into_iter().chain(at).chain(author.through.iter().cloned()).chain(cause).collect();
    (!parts.is_empty()).then(|| one_line(&parts.join(", ")))
}

/// Who suffers, in so many lines.
pub fn blast_radius(page: &mut Page, blast: &BlastRadius, shown: usize) {
    page.heading("BLAST RADIUS");
    let tone = match blast.effect {
        Effect::Outage => Tone::Bad,
        Effect::Degraded => Tone::Warn,
        Effect::Unharmed => Tone::Good,
    };
    let effect = page.toned(&blast.effect.to_string(), tone);
    page.para(2, &format!("{effect}, {}: {}", blast.severity, one_line(&blast.because)));
    let lines = details(blast);
    lines.iter().take(shown).for_each(|line| page.item(2, &one_line(line)));
    if let Some(more) = lines.len().checked_sub(shown).filter(|more| *more > 0) {
        page.para(2, &format!("and {more} more"));
    }
    gaps(page, &blast.not_looked_at);
}

/// Everything that is known of it, a line each, the most telling first.
pub fn details(blast: &BlastRadius) -> Vec<String> {
    let service = |of: &ServiceImpact| match of.ready {
        Some(ready) => format!("Service {}: {ready} of {} endpoints ready", of.name, of.expected),
        None => format!("Service {}: its endpoints could not be counted", of.name),
    };
    let mut lines: Vec<String> = blast.services.iter().map(service).collect();
    if !blast.hosts.is_empty() {
        lines.push(format!("hosts: {}", blast.hosts.join(", ")));
    }
    let kin = |kin: &Kin| format!("{} fails too and shares {}", kin.workload, kin.shares.join(", "));
    lines.extend(blast.also_failing.iter().map(kin));
    let calls = |of: &Dependent| format!("{} calls Service {} ({})", of.workload, of.service, of.through);
    lines.extend(blast.dependents.iter().map(calls));
    lines.extend(blast.autoscaler.as_ref().map(|of| {
        let bound = if of.at_max { ", its maximum" } else { "" };
        format!("HorizontalPodAutoscaler {} wants {} of {} replicas{bound}", of.name, of.desired, of.max)
    }));
    let budget = |of: &Budget| {
        let Budget { name, healthy, needed, disruptions_allowed: allowed } = of;
        format!("PodDisruptionBudget {name}: {healthy} of {needed} needed pods healthy, {allowed} may be evicted")
    };
    lines.extend(blast.budgets.iter().map(budget));
    lines
}

fn gaps(page: &mut Page, gaps: &[String]) {
    if !gaps.is_empty() {
        page.para(2, &one_line(&format!("Not looked at: {}", gaps.join("; "))));
    }
}
