//! The diagnosis for people: one screen that can be pasted into a chat, the cause first.

use jiff::Timestamp;

use super::super::incident::around as told;
use super::super::page::{Page, Screen, Tone, lines, one_line};
use super::super::times;
use super::around::Story;
use super::{Answer, Diagnosed, is_failing};
use crate::cluster::text;
use crate::engine::blast_radius::BlastRadius;
use crate::engine::change::told::WhatChanged;
use crate::engine::finding::{Finding, told_once};
use crate::engine::first_signal::FirstSignal;
use crate::engine::words::{ActionKind, Cause, ContainerKind, State, Sureness};
use crate::engine::{knowledge, kubectl, makers};

/// Workloads in trouble that are told in brief; the rest are rows of the table above them.
const SHOWN_BRIEFLY: usize = 5;
/// Rows of that table.
const SHOWN_ROWS: usize = 20;
/// Changes, and lines of who suffers.
const SHOWN_CHANGES: usize = 4;
const SHOWN_SUFFERING: usize = 4;
/// Further findings of one workload.
const SHOWN_ALSO: usize = 4;

/// The screen.
pub fn render(answer: &Answer, screen: Screen, program: &str) -> String {
    let mut page = Page::new(screen);
    let troubled = troubled(&answer.workloads);
    match troubled.as_slice() {
        [] => calm(&mut page, answer),
        [one] => in_full(&mut page, one, answer.now),
        several => in_brief(&mut page, several, answer.now, program),
    }
    if !troubled.is_empty() {
        others(&mut page, &answer.workloads, troubled.len());
    }
    if !answer.gaps.is_empty() {
        page.heading("NOT SEEN");
        answer.gaps.iter().for_each(|gap| page.item(2, &one_line(gap)));
    }
    page.finish()
}

/// What a person should look at, the worst first.
pub fn troubled(workloads: &[Diagnosed]) -> Vec<&Diagnosed> {
    ranked(workloads).into_iter().filter_map(|at| workloads.get(at)).collect()
}

/// The places of the same.
pub fn ranked(workloads: &[Diagnosed]) -> Vec<usize> {
    let in_trouble = |found: &Diagnosed| !found.diagnosis.findings.is_empty() || is_failing(found.diagnosis.state);
    let mut places: Vec<(usize, &Diagnosed)> =
        workloads.iter().enumerate().filter(|(_, found)| in_trouble(found)).collect();
    places.sort_by_key(|(_, found)| {
        let sufficient = found.diagnosis.findings.first().is_some_and(|finding| finding.sufficient);
        let bare = found.diagnosis.findings.is_empty();
        (!is_failing(found.diagnosis.state), found.diagnosis.state != State::Suspect, !sufficient, bare)
    });
    places.into_iter().map(|(at, _)| at).collect()
}

fn calm(page: &mut Page, answer: &Answer) {
    let workloads = &answer.workloads;
    if workloads.is_empty() {
        page.para(0, "There is no workload to look at.");
        return;
    }
    let tone = if answer.unread == 0 { Tone::Good } else { Tone::Warn };
    let word = page.toned(nothing_fails(answer), tone);
    page.para(0, &format!("{word}: {}.", counted(workloads.iter())));
    let moving = workloads.iter().filter(|found| !matches!(found.diagnosis.state, State::Healthy | State::Stabilised));
    for found in moving.take(SHOWN_ROWS) {
        page.item(2, &one_line(&format!("{}: {}", place(found), said(found))));
    }
}

/// What can be said where nothing is known to fail.
pub fn nothing_fails(answer: &Answer) -> &'static str {
    if answer.unread == 0 { "Nothing is failing" } else { "Nothing that could be read is failing" }
}

fn others(page: &mut Page, workloads: &[Diagnosed], troubled: usize) {
    let rest = || workloads.iter().filter(|f| f.diagnosis.findings.is_empty() && !is_failing(f.diagnosis.state));
    if workloads.len() > troubled && rest().next().is_some() {
        page.para(0, "");
        page.para(0, &format!("Beside that: {}.", counted(rest())));
    }
}

/// `3 are Healthy, 1 is Progressing`.
fn counted<'a>(workloads: impl Iterator<Item = &'a Diagnosed> + Clone) -> String {
    let states = [State::Healthy, State::Stabilised, State::Progressing, State::Suspect, State::Unknown];
    let count = |state: State| workloads.clone().filter(|found| found.diagnosis.state == state).count();
    let counts = states.into_iter().map(|state| (state, count(state))).filter(|(_, n)| *n > 0);
    let told = |(state, n): (State, usize)| format!("{n} {} {state}", if n == 1 { "is" } else { "are" });
    counts.map(told).collect::<Vec<_>>().join(", ")
}

/// Why a workload without findings is as it is.
fn said(found: &Diagnosed) -> String {
    let diagnosis = &found.diagnosis;
    match diagnosis.state {
        state if found.case.is_deployment => format!("{state}, {}", diagnosis.follows.why),
        state => {
            let workload = &found.case.snapshot.workload;
            format!("{state}, {} of {} pods ready", workload.ready_replicas, workload.replicas)
        }
    }
}

fn in_full(page: &mut Page, found: &Diagnosed, now: Timestamp) {
    let diagnosis = &found.diagnosis;
    let Some((first, also)) = diagnosis.findings.split_first() else {
        page.heading(&one_line(&format!("{} is {}", place(found), diagnosis.state)));
        page.para(2, &one_line(&diagnosis.follows.why));
        return;
    };
    page.heading(&named(first));
    page.para(2, knowledge::about(first.class, first.cause).meaning);
    let state = page.toned(&diagnosis.state.to_string(), tone(diagnosis.state));
    page.para(2, &format!("{} is {state}: {}", one_line(&place(found)), one_line(&seen(first, now))));
    if let Some(word) = status_word(found, first) {
        page.para(2, &format!("kubectl get pods shows {}", one_line(&word)));
    }
    let known = first.evidence.first().map(|evidence| evidence.source.as_str());
    let sign = found.story.as_ref().and_then(|story| story.first_signal.as_ref());
    // What the evidence says below need not be said twice.
    if let Some(sign) = sign.filter(|sign| Some(sign.source.as_str()) != known) {
        page.para(2, &first_sign(sign, now));
    }
    page.heading("EVIDENCE");
    for (sources, text) in told_once(&first.evidence) {
        page.para(2, &one_line(&sources));
        page.para(4, &lines(text));
    }
    fault(page, found, first);
    if let Some(story) = &found.story {
        let what = WhatChanged { not_looked_at: Vec::new(), ..story.what_changed.clone() };
        told::what_changed(page, &what, (SHOWN_CHANGES, "-o json"), now);
        let blast = BlastRadius { not_looked_at: Vec::new(), ..story.blast_radius.clone() };
        told::blast_radius(page, &blast, SHOWN_SUFFERING);
    }
    follows(page, found);
    page.heading("NEXT");
    first.next_steps.iter().for_each(|step| page.verbatim(2, &command(step)));
    if !also.is_empty() {
        page.heading("ALSO");
        for other in also.iter().take(SHOWN_ALSO) {
            page.item(2, &one_line(&format!("{}: {}{}", named(other), seen(other, now), first_words(other))));
        }
        more(page, also.len(), SHOWN_ALSO, "findings");
    }
    let unseen = found.story.as_ref().map(Story::unseen).unwrap_or_default();
    if !unseen.is_empty() {
        page.para(0, "");
        page.para(0, &one_line(&format!("Not looked at: {}", unseen.join("; "))));
    }
}

/// What kubectl shows of the first pod that the finding names.
pub fn status_word(found: &Diagnosed, finding: &Finding) -> Option<String> {
    let named = finding.pods.first()?;
    found.case.snapshot.pods.iter().find(|pod| pod.name == *named).map(|pod| kubectl::status(pod))
}

/// What showed first and when.
pub fn first_sign(first: &FirstSignal, now: Timestamp) -> String {
    one_line(&format!("first sign: {}, {}: {}", times::relative(first.at, now), first.source, first.text))
}

fn fault(page: &mut Page, found: &Diagnosed, first: &Finding) {
    page.heading("WHOSE FAULT");
    let because = found.diagnosis.verdict.as_ref().map(|verdict| verdict.because.as_str()).unwrap_or_default();
    page.para(2, &one_line(&format!("{}, {}: {because}", first.fault, first.confidence)));
    for rejected in &first.rejected {
        page.item(2, &one_line(&format!("not {}: {}", rejected.fault, rejected.because)));
    }
}

fn follows(page: &mut Page, found: &Diagnosed) {
    let follows = &found.diagnosis.follows;
    if !found.case.is_deployment {
        return;
    }
    page.heading("WHAT BACKSTAY WOULD DO");
    let baseline = follows.baseline.as_deref().unwrap_or("the baseline");
    let what = match (follows.action, &follows.refusal) {
        (Some(ActionKind::RollBack), _) => format!("Roll back to {baseline}."),
        (Some(ActionKind::Freeze), _) => format!("Freeze on {baseline}."),
        (Some(ActionKind::Pause), _) => "Pause the rollout while evidence gathers.".to_owned(),
        (Some(ActionKind::Resume), _) => "Resume what it paused.".to_owned(),
        (None, Some(refusal)) => format!("Nothing, the guard {} refuses: {}.", refusal.reason, refusal.because),
        (None, None) => format!("Nothing: {}.", follows.why),
    };
    let policy = &found.case.snapshot.policy.reference;
    let by =
        if found.case.selected { format!("By {policy}.") } else { "By the defaults: no policy selects it.".to_owned() };
    page.para(2, &one_line(&format!("{what} {by}")));
}

fn in_brief(page: &mut Page, troubled: &[&Diagnosed], now: Timestamp, program: &str) {
    let head = ["WORKLOAD", "STATE", "WHAT FAILS", "FAULT", "PODS"].map(str::to_owned).to_vec();
    let rows = troubled.iter().take(SHOWN_ROWS).map(|found| row(found));
    page.columns(0, &std::iter::once(head).chain(rows).collect::<Vec<_>>());
    more(page, troubled.len(), SHOWN_ROWS, "workloads");
    for found in troubled.iter().take(SHOWN_BRIEFLY) {
        let Some(first) = found.diagnosis.findings.first() else { continue };
        page.heading(&one_line(&format!("{}: {}", place(found), named(first))));
        page.para(
            2,
            &one_line(&format!(
                "{} {}",
                knowledge::about(first.class, first.cause).meaning,
                capital(&seen(first, now))
            )),
        );
        if let Some(evidence) = first.evidence.first() {
            page.para(2, &one_line(&evidence.text));
        }
        if let Some(verdict) = &found.diagnosis.verdict {
            page.para(2, &one_line(&format!("Fault {}, {}: {}", first.fault, first.confidence, verdict.because)));
        }
        if let Some(story) = &found.story {
            page.para(2, &one_line(&in_a_line(story, now)));
        }
        first.next_steps.iter().take(1).for_each(|step| page.verbatim(2, &command(step)));
    }
    page.para(0, "");
    page.para(0, &format!("`{program} diagnose KIND/NAME` tells one in full."));
}

/// The change that most likely did it, and what the failure means.
fn in_a_line(story: &Story, now: Timestamp) -> String {
    let first = story.what_changed.changes.first().filter(|change| change.relevant);
    let changed = first.map(|change| format!("Changed: {}. ", told::said(change, now))).unwrap_or_default();
    format!("{changed}{}: {}", story.blast_radius.effect, story.blast_radius.because)
}

fn row(found: &Diagnosed) -> Vec<String> {
    let first = found.diagnosis.findings.first();
    let pods = first.filter(|f| !f.pods.is_empty()).map(|f| format!("{} of {}", f.failing_pods, f.total_pods));
    vec![
        one_line(&place(found)),
        found.diagnosis.state.to_string(),
        first.map(named).unwrap_or_default(),
        first.map(|f| f.fault.to_string()).unwrap_or_default(),
        pods.unwrap_or_default(),
    ]
}

fn more(page: &mut Page, all: usize, shown: usize, what: &str) {
    if let Some(more) = all.checked_sub(shown).filter(|more| *more > 0) {
        page.para(2, &format!("and {more} more {what}; -o json has all of them"));
    }
}

/// `OOMKilled, ContainerLimit`.
pub fn named(f: &Finding) -> String {
    match f.cause {
        Cause::Unknown => format!("{}, for an unknown reason", f.class),
        cause => format!("{}, {cause}", f.class),
    }
}

/// `deployment/web in shop`.
pub fn place(found: &Diagnosed) -> String {
    let workload = &found.case.snapshot.workload;
    let name = makers::called(workload);
    if workload.namespace.is_empty() { name } else { format!("{name} in {}", workload.namespace) }
}

/// On what it shows and since when.
pub fn seen(f: &Finding, now: Timestamp) -> String {
    let container = f.container.as_deref().map(|name| match f.container_kind {
        Some(ContainerKind::Init) => format!("init container {name} of "),
        Some(ContainerKind::Sidecar) => format!("sidecar {name} of "),
        Some(ContainerKind::App) | None => format!("container {name} of "),
    });
    let revision = if f.revision.is_empty() { String::new() } else { format!(" of revision {}", f.revision) };
    let old = if f.newest || f.revision.is_empty() { "" } else { ", which is not the newest" };
    let pods = match (f.pods.as_slice(), f.total_pods) {
        ([], _) => "no pod".to_owned(),
        ([one], 1) => format!("pod {one}"),
        (_, total) => format!("{} of {total} pods", f.failing_pods),
    };
    let pods = if f.pods.is_empty() && revision.is_empty() {
        "the workload".to_owned()
    } else {
        format!("{pods}{revision}{old}")
    };
    let since =
        if f.onset > Timestamp::UNIX_EPOCH { format!(", since {}", times::both(f.onset, now)) } else { String::new() };
    let doubt = if f.sufficient || f.sureness == Sureness::Excluded { "" } else { "; not proven yet" };
    format!("{}{pods}{since}{doubt}", container.unwrap_or_default())
}

fn first_words(f: &Finding) -> String {
    f.evidence.first().map(|evidence| format!(": {}", evidence.text)).unwrap_or_default()
}

/// With the first letter in upper case.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}

/// A command loses nothing but what a terminal would obey: with something redacted it would do something else.
pub fn command(step: &str) -> String {
    text::clean(step, 1024).replace('\n', " ")
}

fn tone(state: State) -> Tone {
    match state {
        State::Healthy | State::Stabilised => Tone::Good,
        State::Failing | State::Held => Tone::Bad,
        State::Suspect | State::Stabilising => Tone::Warn,
        State::Progressing | State::Unknown => Tone::Plain,
    }
}
