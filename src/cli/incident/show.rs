//! `backstay incident show`: one screen that can be read at three in the morning.

use std::process::ExitCode;

use jiff::Timestamp;
use kube::ResourceExt;

use super::super::failure::Failed;
use super::super::page::{Page, Screen, Tone, lines, one_line, person};
use super::super::{print, times};
use super::steps::next_steps;
use super::{Output, ShowArgs, around, encode, fetch, objects, typed, words};
use crate::api::Incident;
use crate::api::incident::LogExcerpt;
use crate::engine::decision::{Outcome, Progress};
use crate::engine::finding::{Finding, told_once};
use crate::engine::memory::{ActionRecord, ApprovalVerdict, RevisionRef};
use crate::engine::words::{ActionKind, Severity, Sureness};

/// Findings that are shown in full; the rest are counted.
const SHOWN_FINDINGS: usize = 3;
/// Changes that are shown, and lines of who suffers; the rest are counted.
const SHOWN_CHANGES: usize = 8;
/// Workloads of a storm that are listed.
const SHOWN_AFFECTED: usize = 20;

pub async fn run(args: &ShowArgs, program: &str) -> anyhow::Result<ExitCode> {
    let cluster = args.reach.connect().await?;
    let doing = format!("reading incident {}/{}", cluster.namespace, args.name);
    let mut object = if args.all_namespaces {
        let mut found = fetch(&cluster, true, Some(&format!("metadata.name={}", args.name))).await?.items;
        let doing = format!("reading incident {}", args.name);
        match found.len() {
            0 => return Err(Failed::new(doing, "there is none of that name in any namespace").into()),
            1 => found.swap_remove(0),
            _ => return Err(Failed::new(doing, "several namespaces have one of that name; name one with -n").into()),
        }
    } else {
        objects(&cluster, false).get(&args.name).await.map_err(|error| {
            let failed = cluster.failed(doing, &error);
            let elsewhere = matches!(&error, kube::Error::Api(status) if status.code == 404) && failed.hint().is_none();
            if elsewhere { failed.with_hint(format!("`{program} incident list -A` lists all of them")) } else { failed }
        })?
    };
    object.metadata.managed_fields = None;
    if let Some(output @ (Output::Json | Output::Yaml)) = args.output {
        print(&encode(&object, output)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let incident = typed(&object)?;
    print(&render(&incident, Screen::stdout(), Timestamp::now(), program))?;
    Ok(ExitCode::SUCCESS)
}

/// The screen.
pub fn render(incident: &Incident, screen: Screen, now: Timestamp, program: &str) -> String {
    let mut page = Page::new(screen);
    headline(&mut page, incident, now);
    if words::is_storm(incident) {
        affected(&mut page, incident);
    } else {
        what_failed(&mut page, incident, now);
        what_was_logged(&mut page, incident);
        whose_fault(&mut page, incident);
        if let Some(what) = incident.status.as_ref().and_then(|s| s.what_changed.as_ref()) {
            around::what_changed(&mut page, what, (SHOWN_CHANGES, "-o yaml"), now);
        }
        if let Some(blast) = incident.status.as_ref().and_then(|s| s.blast_radius.as_ref()) {
            around::blast_radius(&mut page, blast, SHOWN_CHANGES);
        }
        what_was_done(&mut page, incident, now);
        what_runs(&mut page, incident);
    }
    people(&mut page, incident);
    timeline(&mut page, incident, now);
    page.heading("NEXT STEPS");
    let mut said = String::new();
    for (step, what) in next_steps(incident, program) {
        if said != what {
            page.para(2, &what);
        }
        page.verbatim(4, &one_line_command(&step));
        said = what;
    }
    page.finish()
}

/// A command loses nothing but what a terminal would obey: with something redacted it would do something else.
fn one_line_command(step: &str) -> String {
    crate::cluster::text::clean(step, 1024).replace('\n', " ")
}

fn headline(page: &mut Page, incident: &Incident, now: Timestamp) {
    let opened = &incident.spec.opened;
    let stage = page.toned(&words::stage(incident), stage_tone(incident));
    let severity = page.toned(&words::severity(incident).to_string(), severity_tone(words::severity(incident)));
    let namespace = incident.namespace().unwrap_or_default();
    page.heading(&one_line(&format!("{} in {namespace}: {}", words::workload(incident), words::failure(incident))));
    page.para(2, &format!("{stage} · {severity} · began {}", times::both(words::began(incident), now)));
    if let Some(first) = incident.status.as_ref().and_then(|s| s.first_signal.as_ref()) {
        page.para(2, &around::first_signal(first));
    }
    let why = incident.status.as_ref().and_then(|s| s.why.as_deref()).unwrap_or(&opened.why);
    page.para(2, &lines(why));
    page.pair("incident", &one_line(&incident.name_any()));
    if !opened.policy.is_empty() {
        page.pair("policy", &one_line(&opened.policy));
    }
    if let Some(impact) = &opened.impact {
        let tier = impact.tier.map(|tier| format!("tier {tier}"));
        let parts: Vec<String> = tier.into_iter().chain(impact.business_service.clone()).collect();
        page.pair("impact", &one_line(&parts.join(", ")));
    }
}

fn what_failed(page: &mut Page, incident: &Incident, now: Timestamp) {
    page.heading("WHAT FAILED");
    let findings = words::findings(incident);
    if findings.is_empty() {
        page.para(2, "No finding was recorded.");
    }
    for found in findings.iter().take(SHOWN_FINDINGS) {
        finding(page, found, now);
    }
    if let Some(more) = findings.len().checked_sub(SHOWN_FINDINGS).filter(|more| *more > 0) {
        page.para(2, &format!("and {more} more; -o yaml has all of them"));
    }
}

/// The ends of logs that the incident keeps: of the failing pods one, which speaks for all, and of the healthy ones.
fn what_was_logged(page: &mut Page, incident: &Incident) {
    let findings = words::findings(incident);
    let fails = |log: &&LogExcerpt| findings.iter().any(|f| f.pods.iter().any(|pod| **pod == *log.pod));
    let (failing, healthy): (Vec<_>, Vec<_>) = incident.logs().partition(fails);
    if failing.is_empty() && healthy.is_empty() {
        return;
    }
    page.heading("LAST LOG LINES");
    for (logs, of) in [(failing, ""), (healthy, " of a pod that does not fail")] {
        let Some((log, more)) = logs.split_first() else { continue };
        let goes_on = if log.ended || !of.is_empty() { "" } else { " of the run that goes on" };
        page.item(2, &one_line(&format!("pod/{} log[{}]{of}{goes_on}", log.pod, log.container)));
        log.text.lines().for_each(|line| page.para(6, &one_line(line)));
        if !more.is_empty() {
            page.para(4, &format!("and {} more like it; -o yaml has all of them", more.len()));
        }
    }
}

/// One finding with its evidence; `policy explain` shows them alike.
pub fn finding(page: &mut Page, f: &Finding, now: Timestamp) {
    let container = f.container.as_ref().map(|name| {
        let kind = f.container_kind.map(|kind| kind.to_string().to_lowercase()).unwrap_or_default();
        format!(" in {kind} container {name}").replace("  ", " ")
    });
    let revision = if f.revision.is_empty() { "the workload".to_owned() } else { format!("revision {}", f.revision) };
    let which = if f.newest { "" } else { ", which is not the newest" };
    let title = format!("{}/{}{} of {revision}{which}", f.class, f.cause, container.unwrap_or_default());
    page.para(2, &one_line(&title));
    page.para(4, &counts(f));
    page.para(4, &format!("since {}", times::both(f.onset, now)));
    let meaning = crate::engine::knowledge::about(f.class, f.cause).meaning;
    page.para(4, meaning);
    if !f.pods.is_empty() {
        let names: Vec<&str> = f.pods.iter().map(AsRef::as_ref).collect();
        page.para(4, &one_line(&format!("pods: {}", names.join(", "))));
    }
    for (sources, text) in told_once(&f.evidence) {
        page.item(4, &one_line(&sources));
        page.para(6, &lines(text));
    }
}

/// The counts against what the rule asks for.
pub fn counts(f: &Finding) -> String {
    let each = match f.sureness {
        Sureness::Counted => format!("{} exits of {} needed", f.occurrences, f.needed),
        Sureness::Repeated => format!("{} attempts of {} needed", f.occurrences, f.needed),
        Sureness::Flapping => format!("{} losses of readiness of {} needed", f.occurrences, f.needed),
        Sureness::Definitive => "one sight is proof".to_owned(),
        Sureness::Timed => "counts once it has lasted long enough".to_owned(),
        Sureness::Excluded => "never counts against a revision".to_owned(),
    };
    let enough = if f.sufficient { "sufficient" } else { "not sufficient" };
    let rule = if f.rule.is_empty() { "no rule".to_owned() } else { format!("rule {}", f.rule) };
    let pods = format!("{} of {} pods show it", f.failing_pods, f.total_pods);
    one_line(&format!("{pods}; {each}, on {} of {} needed pods: {enough} by {rule}", f.counted_pods, f.needed_pods))
}

fn whose_fault(page: &mut Page, incident: &Incident) {
    page.heading("WHOSE FAULT");
    let Some(verdict) = words::verdict(incident) else {
        page.para(2, "There is no verdict yet.");
        return;
    };
    page.para(2, &one_line(&format!("{}, {}: {}", verdict.fault, verdict.confidence, verdict.because)));
    if !verdict.rejected.is_empty() {
        page.para(2, "Ruled out:");
    }
    for rejected in &verdict.rejected {
        page.item(4, &one_line(&format!("{}: {}", rejected.fault, rejected.because)));
    }
}

fn what_was_done(page: &mut Page, incident: &Incident, now: Timestamp) {
    let actions = incident.status.as_ref().map(|s| s.actions.as_slice()).unwrap_or_default();
    page.heading(if actions.is_empty() { "WHY NOTHING WAS DONE" } else { "WHAT BACKSTAY DID" });
    for action in actions {
        page.item(2, &format!("{}, {}", done(action), times::both(action.at, now)));
    }
    if let Some(refusal) = words::refusal(incident) {
        let reason = page.toned(&refusal.reason.to_string(), Tone::Warn);
        page.para(2, &format!("{reason}: {}", one_line(&refusal.because)));
        page.para(
            2,
            &match refusal.next_look {
                Some(at) => format!("It looks again by itself at {}.", times::both(at, now)),
                None => "Only a change or a person can help; time alone will not.".to_owned(),
            },
        );
    } else if actions.is_empty() {
        page.para(
            2,
            match words::progress(incident) {
                Some(Progress::Acting) => "It is about to act.",
                Some(Progress::Suspected) => "Evidence is still being gathered.",
                Some(_) => "No refusal is recorded.",
                None => "It ended without an action; the timeline says how.",
            },
        );
    }
    if let Some(awaited) = words::awaited(incident) {
        page.para(2, &one_line(&format!("The decision that waits: {awaited}")));
    }
}

fn done(action: &ActionRecord) -> String {
    let what = match action.kind {
        ActionKind::RollBack => "rolled back",
        ActionKind::Freeze => "froze",
        ActionKind::Pause => "paused the rollout",
        ActionKind::Resume => "resumed",
    };
    one_line(&format!("{what} from {} to {}", action.from, action.to))
}

fn what_runs(page: &mut Page, incident: &Incident) {
    page.heading("REVISIONS");
    let named = |r: &RevisionRef| one_line(&format!("{} (hash {})", r.name, r.hash));
    page.pair("failing", &named(&incident.spec.opened.failing));
    match words::baseline(incident) {
        Some(baseline) => page.pair("baseline", &named(baseline)),
        None => page.pair("baseline", "none: no other revision was seen healthy"),
    }
}

fn affected(page: &mut Page, incident: &Incident) {
    page.heading("AFFECTED WORKLOADS");
    let affected = incident.status.as_ref().map(|s| s.affected.as_slice()).unwrap_or_default();
    for workload in affected.iter().take(SHOWN_AFFECTED) {
        page.item(2, &one_line(workload));
    }
    if let Some(more) = affected.len().checked_sub(SHOWN_AFFECTED).filter(|more| *more > 0) {
        page.para(2, &format!("and {more} more; -o yaml has all of them"));
    }
}

fn people(page: &mut Page, incident: &Incident) {
    let spec = &incident.spec;
    if spec.approval.is_none() && spec.acknowledged.is_none() && spec.notes.is_empty() {
        return;
    }
    page.heading("PEOPLE");
    if let Some(by) = &spec.acknowledged {
        page.para(2, &format!("{} looks after it", person(&by.by)));
    }
    if let Some(approval) = &spec.approval {
        let verb = match approval.verdict {
            ApprovalVerdict::Approve => "approved",
            ApprovalVerdict::Deny => "denied",
        };
        let what = approval.decision.as_deref().unwrap_or("whatever is decided");
        page.para(2, &format!("{} {verb} {}", person(&approval.by), one_line(what)));
    }
    for note in &spec.notes {
        page.item(2, &lines(note));
    }
}

fn timeline(page: &mut Page, incident: &Incident, now: Timestamp) {
    let entries = incident.status.as_ref().map(|s| s.timeline.as_slice()).unwrap_or_default();
    if entries.is_empty() {
        return;
    }
    page.heading("TIMELINE (UTC)");
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            let at = times::utc(entry.at).trim_end_matches(" UTC").to_owned();
            vec![at, times::relative(entry.at, now), one_line(&entry.what), one_line(&entry.text)]
        })
        .collect();
    page.columns(2, &rows);
}

fn stage_tone(incident: &Incident) -> Tone {
    let status = incident.status.as_ref();
    match (status.and_then(|s| s.outcome), status.and_then(|s| s.progress)) {
        (Some(Outcome::Recovered | Outcome::Cleared), _) => Tone::Good,
        (Some(Outcome::Superseded | Outcome::Abandoned), _) => Tone::Plain,
        (None, Some(Progress::Ineffective | Progress::Retaken | Progress::Held)) => Tone::Bad,
        (None, _) => Tone::Warn,
    }
}

fn severity_tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical => Tone::Bad,
        Severity::Warning => Tone::Warn,
        Severity::Info => Tone::Plain,
    }
}
