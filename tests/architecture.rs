//! The rules of the design that a compiler does not know: what the engine may use, who may permit an action, how long
//! a file may be.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a Rust file.
const MAX_LINES: usize = 400;
/// The same where a look is taken and carried out, without its tests.
const MAX_CONTROLLER_LINES: usize = 250;

/// Crates that talk to something, or tell the time.
const FOREIGN_CRATES: [&str; 11] = [
    "kube",
    "k8s_openapi",
    "tokio",
    "tracing",
    "reqwest",
    "futures",
    "rand",
    "axum",
    "http",
    "tower",
    "prometheus_client",
];
/// Modules of the standard library that do.
const FOREIGN_STD: [&str; 7] = ["env", "fs", "net", "time", "thread", "process", "io"];
/// The parts of this crate around the engine.
const SHELL: [&str; 4] = ["api", "cluster", "controller", "cli"];
/// Clocks, and maps whose order is random.
const FOREIGN_WORDS: [&str; 8] =
    ["Timestamp::now", "Zoned::now", "Instant::now", "SystemTime", "HashMap", "HashSet", "RandomState", "thread_rng"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a folder, with their text.
fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// The code of a file: no comments and no text in quotes.
fn code(text: &str) -> String {
    let without_comments = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let mut code = String::new();
    for line in without_comments {
        let line = line.replace("\\\"", "").replace("'\"'", "");
        code.extend(line.split('"').step_by(2));
        code.push('\n');
    }
    code
}

/// Words of a text, with `::` kept inside: `std::fs::read` is one.
fn paths(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').filter(|word| !word.is_empty())
}

/// What a file of the engine uses and must not.
fn impurities(text: &str) -> Vec<String> {
    let code = code(text);
    let mut found: Vec<String> = FOREIGN_WORDS.iter().filter(|w| code.contains(*w)).map(ToString::to_string).collect();
    for path in paths(&code) {
        let mut parts = path.split("::").filter(|part| !part.is_empty());
        let (first, second) = (parts.next().unwrap_or_default(), parts.next());
        let foreign = (path.contains("::") && FOREIGN_CRATES.contains(&first))
            || (first == "std" && second.is_some_and(|s| FOREIGN_STD.contains(&s)))
            || (first == "crate" && second.is_some_and(|s| SHELL.contains(&s)));
        found.extend(foreign.then(|| path.to_owned()));
    }
    // A group such as `use std::{env, fs};` names its modules apart from `std`.
    for statement in code.split(';').filter_map(|s| s.split("use std::{").nth(1)) {
        found.extend(paths(statement).filter(|p| FOREIGN_STD.contains(p)).map(|p| format!("std::{p}")));
    }
    found
}

#[test]
fn the_engine_is_pure() {
    let engine = files("src/engine");
    assert!(engine.len() > 20, "the engine has moved");
    let found: Vec<String> = (engine.iter())
        .flat_map(|(path, text)| impurities(text).into_iter().map(|what| format!("{}: {what}", path.display())))
        .collect();
    assert!(found.is_empty(), "the engine has no I/O, clock or randomness:\n{}", found.join("\n"));
}

#[test]
fn impurities_are_found() {
    for text in [
        "use kube::Client;",
        "use k8s_openapi::api::core::v1::Pod;",
        "let at = jiff::Timestamp::now();",
        "let text = std::fs::read_to_string(path);",
        "use std::{cmp, env};",
        "use std::collections::HashMap;",
        "use crate::cluster::slim::SlimPod;",
        "tracing::info!(1);",
    ] {
        assert_eq!(impurities(text).len(), 1, "{text}");
    }
    for text in ["// as kube::Client does", "let s = \"std::fs\";", "use std::{cmp, fmt};", "use super::facts::Name;"] {
        assert!(impurities(text).is_empty(), "{text}");
    }
}

/// A permit is made where the guards are, and nowhere else.
#[test]
fn only_the_guards_permit() {
    let all = ["src", "tests", "benches"].into_iter().flat_map(files);
    let makers: Vec<PathBuf> = all
        .filter(|(path, _)| path != Path::new("tests/architecture.rs"))
        .filter(|(_, text)| makes_permits(text))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(makers, [PathBuf::from("src/engine/guard.rs")]);
}

fn makes_permits(text: &str) -> bool {
    let code = code(text).replace("struct Permit", "").replace("impl Permit", "");
    code.split("Permit").skip(1).any(|rest| rest.trim_start().starts_with('{'))
}

#[test]
fn permits_in_the_making_are_found() {
    assert!(makes_permits("Ok(Permit { intent })"));
    assert!(makes_permits("let p = guard::Permit\n    {intent};"));
    assert!(!makes_permits("fn check() -> Result<Permit, Refusal> {"));
    assert!(!makes_permits("pub struct Permit {\n    intent: Intent,\n}\nimpl Permit {"));
}

#[test]
fn files_are_short() {
    let all = ["src", "tests", "benches"].into_iter().flat_map(files);
    let long: Vec<String> = all
        .map(|(path, text)| (most_lines(&path), text.lines().count(), path))
        .filter(|(most, lines, _)| lines > most)
        .map(|(most, lines, path)| format!("{}: {lines} lines, may have {most}", path.display()))
        .collect();
    assert!(long.is_empty(), "too long:\n{}", long.join("\n"));
}

fn most_lines(path: &Path) -> usize {
    let is_test = path.iter().any(|part| part == "tests" || part == "tests.rs");
    if path.starts_with("src/controller") && !is_test { MAX_CONTROLLER_LINES } else { MAX_LINES }
}

#[test]
fn the_controller_has_shorter_files_than_others() {
    let most = |path: &str| most_lines(Path::new(path));
    assert_eq!(["src/controller/run.rs", "src/controller/record/fit.rs"].map(most), [250, 250]);
    let others = ["src/engine/guard.rs", "src/controller/tests/logs.rs", "src/controller/record/tests.rs"];
    assert_eq!(others.map(most), [400, 400, 400]);
}
