//! What the documents promise to list, compared with the program: a new word without a line in the docs fails here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;

use backstay::config::RunArgs;
use backstay::engine::builtin;
use backstay::engine::decision::{Outcome, Progress};
use backstay::engine::knowledge;
use backstay::engine::words::{Cause, Class, Fault, RefusalReason, State};
use backstay::metrics::{Metrics, WatchedResource};
use schemars::JsonSchema;
use serde_json::Value;
use strum::IntoEnumIterator;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// The part of `docs/operations.md` under this heading, up to the next one of its level.
fn section(heading: &str) -> String {
    let text = read("docs/operations.md");
    let parts = text.split_once(&format!("\n## {heading}\n"));
    let (_, body) = parts.unwrap_or_else(|| panic!("no section {heading}"));
    body.split("\n## ").next().unwrap_or_default().to_owned()
}

fn headings(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect()
}

/// The cells of every table row in the section, without the back-quotes.
fn rows(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    let lines = text.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    lines.map(cells).collect()
}

/// The first column of the section's tables, without their heads.
fn first_column(heading: &str, head: &str) -> Vec<String> {
    let rows = rows(&section(heading));
    assert!(rows.iter().any(|row| row[0] == head), "{heading} has no table of {head}");
    rows.into_iter().map(|row| row[0].clone()).filter(|cell| cell != head).collect()
}

fn words<T: IntoEnumIterator + Into<&'static str>>() -> Vec<String> {
    T::iter().map(|word| word.into().to_owned()).collect()
}

/// The words of an enum, from its schema.
fn words_of_schema<T: JsonSchema>() -> Vec<String> {
    let schema = schemars::schema_for!(T).to_value();
    let mut found: Vec<String> = Vec::new();
    for part in schema["oneOf"].as_array().into_iter().flatten().chain([&schema]) {
        let values = part["enum"].as_array().into_iter().flatten().chain(part.get("const"));
        found.extend(values.map(|value| value.as_str().unwrap().to_owned()));
    }
    assert!(found.len() > 1, "{schema}");
    found
}

/// In the order in which the guards are asked, which is not quite that of the words.
#[test]
fn every_reason_for_a_no_is_explained_once() {
    let (mut documented, mut of_the_program) = (headings(&section("Reasons for a no")), words::<RefusalReason>());
    documented.sort();
    of_the_program.sort();
    assert_eq!(documented, of_the_program);
}

#[test]
fn every_state_progress_outcome_class_and_fault_is_explained() {
    assert_eq!(first_column("States", "state"), words::<State>());
    assert_eq!(first_column("Progress of an incident", "progress"), words_of_schema::<Progress>());
    assert_eq!(first_column("Outcomes", "outcome"), words_of_schema::<Outcome>());
    assert_eq!(first_column("Classes of failure", "class"), words::<Class>());
    assert_eq!(first_column("Faults", "fault"), words::<Fault>());
}

/// With the program's own words for what it means, of every class that it shows in.
#[test]
fn every_cause_is_explained() {
    assert_eq!(first_column("Causes", "cause"), words::<Cause>());
    for row in rows(&section("Causes")) {
        let [cause, means, person] = &*row else { panic!("three cells: {row:?}") };
        let of_it = |class| knowledge::causes(class).filter(|of| of.to_string() == *cause).map(move |of| (class, of));
        for (class, cause) in Class::iter().flat_map(of_it).filter(|(_, cause)| *cause != Cause::Unknown) {
            let meaning = knowledge::about(class, cause).meaning;
            assert!(means.contains(meaning), "{class}/{cause} means: {meaning}");
        }
        assert!(!person.is_empty(), "what does a person do about {cause}?");
    }
}

/// Words that the controller writes and that name kinds of objects, or nothing that is shown.
const NO_REASONS: [&str; 4] = ["Cluster", "Deployment", "Incident", "Inner"];

/// Reasons of conditions and words of timelines are written as they are, not as variants of an enum.
#[test]
fn every_word_that_the_controller_writes_is_explained() {
    let operations = read("docs/operations.md");
    let mut sources = Vec::new();
    sources_under("src/controller", &mut sources);
    let mut found = BTreeSet::new();
    for source in sources {
        let text = read(&source);
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = program.lines().filter(|line| !line.trim_start().starts_with("//"));
        found.extend(
            lines.flat_map(|line| line.split('"').skip(1).step_by(2)).filter(|w| is_word(w)).map(str::to_owned),
        );
    }
    for known in ["InForce", "Invalid", "Unreadable", "ActionBlocked", "NotNeeded", "Stable", "Open", "NotYet"] {
        assert!(found.contains(known), "{known} is written elsewhere now");
    }
    found.retain(|word| !NO_REASONS.contains(&&**word) && !operations.contains(&format!("`{word}`")));
    assert!(found.is_empty(), "not in docs/operations.md: {found:?}");
}

fn is_word(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_alphabetic())
}

/// Source files that are no tests.
fn sources_under(directory: &str, found: &mut Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(root.join(directory)).unwrap().map(|entry| entry.unwrap().path()) {
        let path = entry.strip_prefix(root).unwrap().display().to_string();
        match entry.is_dir() {
            _ if path.contains("tests") => {}
            true => sources_under(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn the_builtin_table_is_the_programs() {
    let documented = rows(&section("Rules and thresholds"));
    let documented: Vec<_> = documented.into_iter().filter(|row| row[0].starts_with("builtin-")).collect();
    let of_the_program: Vec<Vec<String>> = builtin::rules()
        .into_iter()
        .map(|rule| {
            let failures = rule.matches.failures.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            vec![rule.name, failures, format!("{:?}", rule.action), rule.severity.to_string()]
        })
        .collect();
    assert_eq!(documented, of_the_program);
}

#[test]
fn every_alert_leads_to_a_heading() {
    let alerts: Value = serde_saphyr::from_str(&read("deploy/alerts/backstay.yaml")).unwrap();
    let rules = alerts["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let anchors: Vec<String> = rules
        .map(|rule| rule["annotations"]["runbook_url"].as_str().unwrap().split_once('#').unwrap().1.to_owned())
        .collect();
    let documented: Vec<String> = headings(&section("Alerts")).iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(documented, anchors);
}

#[test]
fn every_metric_is_listed_and_every_listed_metric_exists() {
    let metrics = Metrics::new();
    // A metric with labels shows only once it has a value.
    metrics.watch_alive(WatchedResource::Pod);
    metrics.watch_failed(WatchedResource::Pod);
    metrics.set_store_objects(WatchedResource::Pod, 1);
    metrics.set_findings(&[((Class::Pending, Fault::Platform), 1)].into());
    let text = metrics.encode().unwrap();
    let families: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| {
            let (name, kind) = line.split_once(' ').unwrap();
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            format!("{name}{suffix}")
        })
        .collect();
    let documented: BTreeSet<String> = first_column("Metrics", "metric").into_iter().collect();
    assert_eq!(documented, families);
}

#[test]
fn every_flag_of_run_is_listed_with_its_variable() {
    let command = <RunArgs as clap::Args>::augment_args(clap::Command::new("run"));
    let flags: BTreeSet<(String, String)> = command
        .get_arguments()
        .map(|argument| {
            let variable = argument.get_env().unwrap().to_str().unwrap();
            (format!("--{}", argument.get_long().unwrap()), variable.to_owned())
        })
        .collect();
    let rows = rows(&section("Flags of backstay run"));
    let documented: BTreeSet<(String, String)> =
        rows.into_iter().filter(|row| row[0].starts_with("--")).map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(documented, flags);
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = read("Cargo.toml");
    let record = read("docs/adr/0001-dependencies.md");
    let tables = manifest.split("\n[").filter(|table| table.starts_with("dependencies]") || table.starts_with("dev-"));
    let crates: Vec<&str> = tables
        .flat_map(|table| table.lines().skip(1))
        .filter_map(|line| line.split_once(" = ").map(|(name, _)| name))
        .collect();
    assert!(crates.len() > 30, "{crates:?}");
    let without: Vec<&&str> = crates.iter().filter(|name| !record.contains(&format!("`{name}`"))).collect();
    assert!(without.is_empty(), "no reason in docs/adr/0001-dependencies.md: {without:?}");
}

#[test]
fn every_dependency_has_one_row() {
    let record = read("docs/adr/0001-dependencies.md");
    let rows = record.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let mut names: Vec<&str> = rows.flat_map(|cell| cell.split(", ").map(|name| name.trim_matches('`'))).collect();
    assert!(names.len() > 30, "{names:?}");
    names.sort_unstable();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let records = std::fs::read_dir(root.join("docs/adr")).unwrap().map(|entry| entry.unwrap().path());
    let documents = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(|name| root.join(name));
    let guides = ["docs/architecture.md", "docs/operations.md"].map(|name| root.join(name));
    for document in documents.into_iter().chain(guides).chain(records) {
        let text = std::fs::read_to_string(&document).unwrap_or_else(|e| panic!("{}: {e}", document.display()));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            if path.contains("://") {
                continue;
            }
            let target = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            assert!(target.exists(), "{} links to {link}", document.display());
            assert!(anchor.is_empty() || anchors(&target).contains(anchor), "{} links to {link}", document.display());
        }
    }
}

/// The anchors of a document's headings, as forges make them.
fn anchors(path: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| -> String {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    };
    headings.map(anchor).collect()
}
