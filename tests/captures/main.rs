//! Real captures: what kubectl printed of workloads that were brought to fail in a known way, or to look as if they did,
//! on a real node. Each is diagnosed offline, as a person would, and has to come out as what was done to it.
//!
//! `README.md` says what a capture's folder holds, and how to add one.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../support/scores.rs"]
mod scores;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use scores::Scores;
use serde::Deserialize;

const PROGRAM: &str = env!("CARGO_BIN_EXE_backstay");
/// Processes at once.
const AT_ONCE: usize = 4;

/// What a capture is to be diagnosed as, and the part of the diagnosis that is compared with it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Answer {
    workloads: Vec<Workload>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Workload {
    kind: String,
    name: String,
    state: String,
    findings: Vec<Finding>,
    #[serde(default)]
    what_changed: Option<WhatChanged>,
    #[serde(default)]
    blast_radius: Option<BlastRadius>,
}

/// Changes that were made by the case's steps: of the template, of ConfigMaps, of quotas and of nodes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct WhatChanged {
    changes: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Change {
    kind: String,
    subject: String,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct BlastRadius {
    effect: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    class: String,
    cause: String,
    container: Option<String>,
    container_kind: Option<String>,
    fault: String,
    confidence: String,
    rollback: String,
}

/// A capture that was diagnosed.
struct Judged {
    name: String,
    expected: Answer,
    /// By the newest time in the files, as when nobody says when they were written.
    by_files: Answer,
    /// By the time at which they were written.
    by_time: Answer,
}

#[test]
fn every_capture_is_diagnosed_as_what_was_done() {
    let judged = judge(&folders());
    print(&judged);
    let mut wrong = String::new();
    for capture in &judged {
        for (when, answer) in [("", &capture.by_files), (" with --now", &capture.by_time)] {
            if *answer != capture.expected {
                let _ = writeln!(wrong, "{}{when}: {}\n  not: {}", capture.name, show(answer), show(&capture.expected));
            }
        }
    }
    assert!(judged.len() >= 40, "the captures have moved");
    assert!(wrong.is_empty(), "diagnosed as something else:\n{wrong}");
}

/// What is in the repository must not name the machine that it was made on.
#[test]
fn no_capture_names_a_place_of_the_machine_that_made_it() {
    for file in folders().iter().flat_map(|folder| files(folder)) {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        for place in ["/root/", "/home/", "/work/", "/target/"] {
            assert!(!text.contains(place), "{} names {place}", file.display());
        }
        for key in ["bootID: ", "kernelVersion: ", "machineID: ", "systemUUID: "] {
            let told = text.split(key).skip(1).find(|rest| !rest.starts_with("redacted"));
            assert!(told.is_none(), "{}: {key}", file.display());
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files
}

/// The folders of all captures, in the order of their names.
fn folders() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let entries = fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.join("case.yaml").is_file()).collect();
    folders.sort();
    folders
}

fn judge(folders: &[PathBuf]) -> Vec<Judged> {
    let (queue, judged) = (Mutex::new(folders.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(folder) = queue.lock().unwrap().next() else { break };
                    let one = judge_one(folder);
                    judged.lock().unwrap().push(one);
                }
            });
        }
    });
    let mut judged = judged.into_inner().unwrap();
    judged.sort_by(|a, b| a.name.cmp(&b.name));
    judged
}

fn judge_one(folder: &Path) -> Judged {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let read = |file: &str| {
        let path = folder.join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let expected: Answer =
        serde_saphyr::from_str(&read("expected.yaml")).unwrap_or_else(|error| panic!("{name}: {error}"));
    let taken = read("taken");
    let diagnosed = |now| diagnose(folder, now).asked_by(&expected);
    let (by_files, by_time) = (diagnosed(None), diagnosed(Some(taken.trim())));
    Judged { expected, by_files, by_time, name }
}

impl Answer {
    /// Without what nothing is expected of.
    fn asked_by(mut self, expected: &Self) -> Self {
        for (told, asked) in self.workloads.iter_mut().zip(&expected.workloads) {
            told.what_changed.take_if(|_| asked.what_changed.is_none());
            told.blast_radius.take_if(|_| asked.blast_radius.is_none());
        }
        self
    }
}

/// The diagnosis as people get it from files, somewhere on the other side of the world.
fn diagnose(folder: &Path, now: Option<&str>) -> Answer {
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("HOME", "/nonexistent").env("TZ", "Pacific/Kiritimati").stdin(Stdio::null());
    command.args(["diagnose", "-o", "json", "-f"]).arg(folder.join("capture.yaml"));
    command.args(folder.join("logs").is_dir().then(|| Path::new("--logs").to_owned()));
    command.args(folder.join("logs").is_dir().then(|| folder.join("logs")));
    command.args(now.into_iter().flat_map(|now| ["--now", now]));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{}: {error}: {said}", folder.display()))
}

/// By class, then by class and cause; captures of which nothing is to be said are a class of their own.
fn print(judged: &[Judged]) {
    let mut scores = Scores::default();
    for capture in judged {
        scores.add(&labels(&capture.expected), &labels(&capture.by_files));
    }
    scores.print(&format!("Diagnoses of {} captures of a real node", judged.len()));
}

fn labels(answer: &Answer) -> Vec<String> {
    let findings = answer.workloads.iter().flat_map(|workload| &workload.findings);
    findings.map(|f| format!("{}/{}", f.class, f.cause)).collect()
}

fn show(answer: &Answer) -> String {
    let workload = |w: &Workload| {
        let findings: Vec<String> = w.findings.iter().map(show_finding).collect();
        let changes = w.what_changed.iter().flat_map(|what| &what.changes);
        let changes: Vec<String> = changes.map(|c| format!("{} {}: {}", c.kind, c.subject, c.text)).collect();
        let effect = w.blast_radius.as_ref().map_or("", |blast| &blast.effect);
        let story = format!("changed [{}] {effect}", changes.join("; "));
        format!("{}/{} {} [{}] {story}", w.kind, w.name, w.state, findings.join("; "))
    };
    answer.workloads.iter().map(workload).collect::<Vec<_>>().join(", ")
}

fn show_finding(f: &Finding) -> String {
    let container = f.container.as_deref().unwrap_or("no container");
    let kind = f.container_kind.as_deref().unwrap_or("-");
    let whose = format!("fault {} ({})", f.fault, f.confidence);
    format!("{}/{} in {container} ({kind}), {whose}, rollback {}", f.class, f.cause, f.rollback)
}
