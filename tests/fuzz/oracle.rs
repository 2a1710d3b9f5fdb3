//! What holds whatever the input says.

use backstay::api::nodes::Node;
use backstay::api::{Incident, crds, schema};
use backstay::cli::diagnose::alerts::Alert;
use backstay::cli::diagnose::around::{Reach, surround, tell};
use backstay::cli::diagnose::report::Report;
use backstay::cli::diagnose::{Answer, Diagnosed, diagnose, input, markdown, screen};
use backstay::cli::page::{Screen, one_line};
use backstay::cluster::around::Source;
use backstay::cluster::intake::Intake;
use backstay::controller::record;
use backstay::engine::decide::decide;
use backstay::engine::decision::IncidentStep;
use backstay::engine::text::{head, redact, tail};
use backstay::engine::{first_signal, rollout};
use futures::FutureExt;
use jiff::Timestamp;
use serde_json::Value;

use crate::hostile::SECRET;
use crate::json::Json;
use crate::seeds;

pub type Checked = Result<(), String>;

/// So much of a secret is a secret.
const PART: usize = 8;
/// The most that an incident may take up.
const MAX_INCIDENT: usize = 64 << 10;
/// Keys behind which prose and configuration stand; a secret behind another, such as `name`, is no secret.
const PROSE: [&str; 14] = [
    "message",
    "note",
    "reason",
    "value",
    "args",
    "command",
    "text",
    "why",
    "because",
    "cause",
    "log",
    "data",
    "summary",
    "description",
];

/// Nothing of the secret is in it.
pub fn hides_the_secret(what: &str, text: &str) -> Checked {
    let parts = SECRET.as_bytes().windows(PART).map(|part| std::str::from_utf8(part).unwrap());
    match parts.into_iter().find(|part| text.contains(part)) {
        Some(part) => Err(format!("{what} tells {part} of the secret: {}", around(text, part))),
        None => Ok(()),
    }
}

fn around<'t>(text: &'t str, part: &str) -> &'t str {
    let at = text.find(part).unwrap_or_default();
    head(tail(text, text.len() - at.saturating_sub(160)), 240)
}

/// Whether all secrets in a text are such as redaction sees in the whole text.
pub fn is_seen(text: &str) -> bool {
    hides_the_secret("", &redact(text)).is_ok()
}

/// A label has the secret. Labels are shown to everybody, and told as they are.
fn has_it_on_a_label(document: &Value) -> bool {
    match document {
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            (name.to_ascii_lowercase().ends_with("labels") && hides_the_secret("", &value.to_string()).is_err())
                || has_it_on_a_label(value)
        }),
        Value::Array(items) => items.iter().any(has_it_on_a_label),
        _ => false,
    }
}

/// The same for all texts of a document, which stand where prose does.
pub fn secrets_are_seen(document: &Value) -> bool {
    if has_it_on_a_label(document) {
        return false;
    }
    let mut texts = Vec::new();
    Json::texts(document, "", &mut texts);
    texts.iter().all(|(key, text)| if PROSE.contains(key) { is_seen(text) } else { hides_the_secret("", text).is_ok() })
}

/// Nothing that a terminal obeys or that hides or reorders text.
pub fn is_plain(what: &str, text: &str) -> Checked {
    let bad = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    match text.chars().find(|c| bad(*c)) {
        Some(c) => Err(format!("{what} holds {c:?}: {:?}", around(text, &c.to_string()))),
        None => Ok(()),
    }
}

pub fn is_bounded(what: &str, text: &str, most: usize) -> Checked {
    if text.len() > most { Err(format!("{what} has {} bytes of {most}", text.len())) } else { Ok(()) }
}

/// An input that cannot be read is told in one line.
pub fn refused(error: &str) -> Checked {
    is_bounded("an error", error, 1024)?;
    is_plain("an error", error)?;
    if error.contains('\n') { Err(format!("an error has several lines: {error:?}")) } else { Ok(()) }
}

/// What `backstay diagnose -f` makes of a text, with these alerts beside it; `None` where it cannot be read.
pub fn answer(text: &str, alerts: &[Alert]) -> Result<Option<Answer>, String> {
    let mut intake = Intake::default();
    let mut gaps = match input::take_text("x", text.to_owned(), &mut intake) {
        Ok(left_out) => left_out.into_iter().map(|odd| odd.said).collect::<Vec<_>>(),
        Err(error) => {
            return refused(&error.to_string()).map(|()| None);
        }
    };
    let now = intake.newest.unwrap_or_else(seeds::now);
    let given = std::mem::take(&mut intake.shown);
    let reach = Reach { source: Source::Input(&given), everywhere: true, alerts, beside: &[] };
    let mut workloads = diagnose(intake, now);
    let waits = || "what was given is waited for".to_owned();
    gaps.extend(surround(reach.source, &mut workloads, now).now_or_never().ok_or_else(waits)?);
    tell(reach, &mut workloads, now).now_or_never().ok_or_else(waits)?;
    gaps.iter().try_for_each(|gap| is_plain("what was left out", &one_line(gap)))?;
    Ok(Some(Answer { workloads, gaps, unread: 0, now }))
}

/// What is printed and what is written of one answer.
pub struct Said {
    pub shown: Vec<(&'static str, String)>,
    pub incidents: Vec<String>,
}

impl Said {
    pub fn of(answer: &Answer) -> Result<Self, String> {
        let shown = shown(answer)?;
        let incidents = answer.workloads.iter().map(|found| incident(found, answer.now));
        let incidents = incidents.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        Ok(Self { shown, incidents })
    }

    pub fn hides_the_secret(&self) -> Checked {
        self.shown.iter().try_for_each(|(what, text)| hides_the_secret(what, text))?;
        self.incidents.iter().try_for_each(|incident| hides_the_secret("an incident", incident))
    }
}

/// The whole way of a document: objects, facts, findings, decision, what lies around, and everything that is printed or
/// written.
pub fn whole_way(text: &str) -> Checked {
    let Some(answer) = answer(text, &[])? else { return Ok(()) };
    let said = Said::of(&answer)?;
    let again = self::answer(text, &[])?.ok_or("the same text cannot be read again")?;
    if said.shown != shown(&again)? {
        return Err("the same text is diagnosed in two ways".to_owned());
    }
    let Ok(document) = serde_json::from_str::<Value>(text) else { return Ok(()) };
    if secrets_are_seen(&document) {
        said.hides_the_secret()?;
    }
    turned(&document, &said.shown)
}

/// Everything that is printed.
fn shown(answer: &Answer) -> Result<Vec<(&'static str, String)>, String> {
    let report = serde_json::to_value(Report::of(&answer.workloads)).map_err(|error| error.to_string())?;
    let mut texts = Vec::new();
    Json::texts(&report, "", &mut texts);
    for (key, text) in texts {
        is_plain(&format!("{key} of the report"), text)?;
        is_bounded(&format!("{key} of the report"), text, 1024)?;
    }
    let yaml = serde_saphyr::to_string(&report).map_err(|error| error.to_string())?;
    let shown = vec![
        ("the screen", screen::render(answer, Screen { width: 80, colour: false }, "backstay")),
        ("the narrow screen", screen::render(answer, Screen { width: 40, colour: false }, "backstay")),
        ("the markdown", markdown::render(answer, "backstay")),
        ("the report", report.to_string()),
        ("the YAML", yaml),
    ];
    shown.iter().try_for_each(|(what, text)| is_plain(what, text))?;
    Ok(shown)
}

/// The order of the objects changes nothing, where none of them comes twice.
fn turned(document: &Value, shown: &[(&str, String)]) -> Checked {
    let Some(items) = document.get("items").and_then(Value::as_array) else { return Ok(()) };
    let identity = |item: &Value| {
        let word = |at: &str| item.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        (word("/kind"), word("/metadata/namespace"), word("/metadata/name"))
    };
    let unique = |all: &mut Vec<String>| {
        let before = all.len();
        all.sort();
        all.dedup();
        all.len() == before
    };
    let mut names = items.iter().map(|item| format!("{:?}", identity(item))).collect();
    let uids = items.iter().filter_map(|item| item.pointer("/metadata/uid")).map(Value::to_string);
    if !unique(&mut names) || !unique(&mut uids.collect()) || items.iter().any(|item| item.get("items").is_some()) {
        return Ok(());
    }
    let mut turned = document.clone();
    turned["items"].as_array_mut().into_iter().for_each(|items| items.reverse());
    let answer = answer(&turned.to_string(), &[])?.ok_or("the turned text cannot be read")?;
    // What was left out is named with its place.
    let of =
        |shown: &[(&str, String)]| shown.iter().find(|(what, _)| *what == "the report").map(|(_, text)| text.clone());
    let (before, after) = (of(shown), of(&self::shown(&answer)?));
    if before != after {
        return Err(format!(
            "the order of objects matters:\n{}\n{}",
            before.unwrap_or_default(),
            after.unwrap_or_default()
        ));
    }
    Ok(())
}

/// The incident that the operator would open fits, and the API server would take it.
fn incident(found: &Diagnosed, now: Timestamp) -> Result<Option<String>, String> {
    let s = &found.case.snapshot;
    if !found.case.is_deployment {
        return Ok(None);
    }
    let decision = decide(s, now);
    let IncidentStep::Record { name, failing, episode, severity, progress } = &decision.incident else {
        return Ok(None);
    };
    let opening = record::Record { name, failing, episode: *episode, severity: *severity, progress: *progress };
    let mut incident = record::open(s, &decision, &opening, now);
    let mut status = record::update(&incident, &decision, *progress, &[], now);
    if let Some(rollout) = rollout::current(s, now) {
        let signals = first_signal::of_all(s, (rollout.newest, rollout.since), &decision.findings);
        status.first_signal = first_signal::earliest(signals, now);
    }
    let story = found.story.as_ref();
    status.what_changed = story.map(|story| story.what_changed.clone());
    status.blast_radius = story.map(|story| story.blast_radius.clone());
    record::fit_status(&mut status, &incident);
    incident.status = Some(status);
    fits(&incident)?;
    serde_json::to_string(&incident).map(Some).map_err(|error| error.to_string())
}

/// Names are bounded by the API server that gave them, and here they may be anything.
const NAMES: [&str; 7] = ["name", "uid", "hash", "container", "pod", "policy", "service"];

const MAX_NAME: usize = 253;

/// The incident fits, and the API server would take it.
pub fn fits(incident: &Incident) -> Checked {
    let value = serde_json::to_value(incident).map_err(|error| error.to_string())?;
    let mut texts = Vec::new();
    Json::texts(&value, "", &mut texts);
    let names = texts.iter().filter(|(key, _)| NAMES.iter().any(|name| key.ends_with(name)));
    let too_long: usize = names.map(|(_, name)| name.len().saturating_sub(MAX_NAME)).sum();
    let size = value.to_string().len().saturating_sub(too_long);
    if size > MAX_INCIDENT {
        return Err(format!("an incident of {size} bytes"));
    }
    let definition = crds::all().into_iter().find(|crd| crd.spec.names.kind == "Incident").ok_or("no definition")?;
    let mut wrong = Vec::new();
    schema::check(&Node::from(&value), &schema::of(&definition).ok_or("no schema")?, "", &mut wrong);
    match wrong.iter().find(|wrong| !NAMES.iter().any(|name| wrong.path.ends_with(name))) {
        Some(wrong) => Err(format!("an incident that is refused: {}: {}", wrong.path, wrong.because)),
        None => Ok(()),
    }
}
