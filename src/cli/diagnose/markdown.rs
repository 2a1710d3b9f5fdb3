//! The diagnosis as Markdown, for tickets and chats.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::super::incident::around as told;
use super::super::page::one_line;
use super::around::Story;
use super::screen::{capital, command, first_sign, named, nothing_fails, place, seen, troubled};
use super::{Answer, Diagnosed};
use crate::engine::finding::{Finding, told_once};
use crate::engine::knowledge;

/// Changes of one workload.
const SHOWN_CHANGES: usize = 8;

/// The document.
pub fn render(answer: &Answer, program: &str) -> String {
    let mut out = String::new();
    let troubled = troubled(&answer.workloads);
    if troubled.is_empty() {
        let _ = writeln!(
            out,
            "{}: {} workloads looked at by `{program} diagnose`.",
            nothing_fails(answer),
            answer.workloads.len()
        );
    }
    for found in troubled {
        workload(&mut out, found, answer.now);
    }
    if !answer.gaps.is_empty() {
        let _ = writeln!(out, "\n### Not seen\n");
        for gap in &answer.gaps {
            let _ = writeln!(out, "- {}", escaped(gap));
        }
    }
    out
}

fn workload(out: &mut String, found: &Diagnosed, now: Timestamp) {
    let blank = if out.is_empty() { "" } else { "\n" };
    let diagnosis = &found.diagnosis;
    let _ = writeln!(out, "{blank}## {}: {}", escaped(&place(found)), diagnosis.state);
    for (number, finding) in diagnosis.findings.iter().enumerate() {
        // The verdict in words is on the first.
        let because = diagnosis.verdict.as_ref().filter(|_| number == 0).map(|verdict| verdict.because.as_str());
        self::finding(out, finding, because, now);
    }
    if let Some(story) = &found.story {
        self::story(out, story, now);
    }
    let follows = &diagnosis.follows;
    let action = follows.action.map_or_else(|| "nothing".to_owned(), |action| action.to_string());
    if found.case.is_deployment || diagnosis.findings.is_empty() {
        let _ = writeln!(out, "\n**What Backstay would do:** {action}: {}", escaped(&follows.why));
    }
}

fn finding(out: &mut String, f: &Finding, because: Option<&str>, now: Timestamp) {
    let meaning = knowledge::about(f.class, f.cause).meaning;
    let _ = writeln!(out, "\n### {}\n\n{meaning} {}.\n", named(f), escaped(&capital(&seen(f, now))));
    for (sources, text) in told_once(&f.evidence) {
        let _ = writeln!(out, "- {}\n  {}", code(&sources), code(text));
    }
    let because = because.map(|because| format!(": {}", escaped(because))).unwrap_or_default();
    let _ = writeln!(out, "\n**Fault:** {}, {}{because}", f.fault, f.confidence);
    for (number, rejected) in f.rejected.iter().enumerate() {
        let blank = if number == 0 { "\n" } else { "" };
        let _ = writeln!(out, "{blank}- not {}: {}", rejected.fault, escaped(&rejected.because));
    }
    let _ = writeln!(out, "\n```console");
    for step in &f.next_steps {
        let _ = writeln!(out, "$ {}", command(step));
    }
    let _ = writeln!(out, "```");
}

fn story(out: &mut String, story: &Story, now: Timestamp) {
    if let Some(first) = &story.first_signal {
        let _ =
            writeln!(out, "\n**First sign:** {}", escaped(first_sign(first, now).trim_start_matches("first sign: ")));
    }
    let what = &story.what_changed;
    let with = what.compared_with.as_ref().map(|with| format!("compared with {with}"));
    let restart = what.restart_only.then(|| "restarted, nothing else differs".to_owned());
    let known: Vec<String> = with.into_iter().chain(restart).chain(told::author(&what.author, now)).collect();
    let known = known.join("; ");
    let blank = if known.is_empty() { "" } else { " " };
    let _ = writeln!(out, "\n**What changed:**{blank}{}\n", escaped(&known));
    if what.changes.is_empty() {
        let _ = writeln!(out, "- nothing was seen to change");
    }
    for change in what.changes.iter().take(SHOWN_CHANGES) {
        let hardly = if change.relevant { "" } else { " (of a kind that hardly causes this)" };
        let _ = writeln!(out, "- {}{hardly}", escaped(&told::said(change, now)));
    }
    let more = what.changes.len().saturating_sub(SHOWN_CHANGES).saturating_add(what.omitted as usize);
    if more > 0 {
        let _ = writeln!(out, "- and {more} more");
    }
    let blast = &story.blast_radius;
    let _ = writeln!(out, "\n**Blast radius:** {}, {}: {}", blast.effect, blast.severity, escaped(&blast.because));
    for (number, line) in told::details(blast).iter().enumerate() {
        let blank = if number == 0 { "\n" } else { "" };
        let _ = writeln!(out, "{blank}- {}", escaped(line));
    }
    let unseen = story.unseen();
    if !unseen.is_empty() {
        let _ = writeln!(out, "\n**Not looked at:** {}", escaped(&unseen.join("; ")));
    }
}

/// Text from the cluster between backticks, which it cannot end.
fn code(text: &str) -> String {
    format!("`{}`", one_line(text).replace('`', "'"))
}

/// Text from the cluster as text and nothing else: no link, image, mention or HTML.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for char in one_line(text).chars() {
        if matches!(char, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '@') {
            out.push('\\');
        }
        out.push(char);
    }
    out
}
