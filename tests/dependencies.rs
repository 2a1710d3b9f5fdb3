//! What is shipped, held against `deny.toml`: licences, banned crates and sources. `make deny` has cargo-deny say the
//! same and more; this takes a second and needs no further program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn deny() -> String {
    std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml can be read")
}

/// The quoted strings of a list in `deny.toml`.
fn list(text: &str, name: &str) -> Vec<String> {
    let parts = text.split_once(&format!("\n{name} = ["));
    let (_, body) = parts.unwrap_or_else(|| panic!("deny.toml has no {name}"));
    let (body, _) = body.split_once("\n]").or_else(|| body.split_once(']')).unwrap();
    body.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Every package that the program is built from on this machine, without those of tests, which nobody is handed.
/// Crates for other systems may never have been fetched; `make deny` looks at those too.
fn shipped() -> Vec<Value> {
    let metadata = metadata();
    let resolve = &metadata["resolve"];
    let nodes = resolve["nodes"].as_array().unwrap();
    let by_id: BTreeMap<&str, &Value> = nodes.iter().map(|node| (node["id"].as_str().unwrap(), node)).collect();
    let mut reached = BTreeSet::new();
    let mut open = vec![resolve["root"].as_str().unwrap()];
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            let dependencies = by_id[id]["deps"].as_array().unwrap().iter().filter(|dep| !for_tests(dep));
            open.extend(dependencies.map(|dep| dep["pkg"].as_str().unwrap()));
        }
    }
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.filter(|p| p["id"] != resolve["root"] && reached.contains(p["id"].as_str().unwrap())).cloned().collect()
}

fn for_tests(dependency: &Value) -> bool {
    dependency["dep_kinds"].as_array().unwrap().iter().all(|kind| kind["kind"] == "dev")
}

fn metadata() -> Value {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", &target])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo's metadata is JSON")
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

/// Whether the allowed licences satisfy an SPDX expression. `AND` binds more than `OR`; the slash of old manifests
/// means `OR`.
fn satisfied(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let holds = any(&mut words, allowed);
    assert!(words.next().is_none(), "not an SPDX expression: {expression}");
    holds
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words, allowed: &[String]) -> bool {
    let mut holds = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        holds |= all(words, allowed);
    }
    holds
}

fn all(words: &mut Words, allowed: &[String]) -> bool {
    let mut holds = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        holds &= one(words, allowed);
    }
    holds
}

fn one(words: &mut Words, allowed: &[String]) -> bool {
    let word = words.next().expect("a licence");
    if word == "(" {
        let holds = any(words, allowed);
        assert_eq!(words.next(), Some(")"));
        return holds;
    }
    let mut licence = word.to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        licence = format!("{licence} WITH {}", words.next().expect("an exception"));
    }
    allowed.contains(&licence)
}

#[test]
fn every_licence_is_allowed_and_every_allowed_one_is_there() {
    let allowed = list(&deny(), "allow");
    let packages = shipped();
    assert!(packages.len() > 100, "only {} packages were found", packages.len());
    let mut refused = Vec::new();
    for package in &packages {
        let licence = package["license"].as_str().unwrap_or_default();
        if licence.is_empty() || !satisfied(licence, &allowed) {
            refused.push(format!("{} {licence:?}", name(package)));
        }
    }
    assert_eq!(refused, Vec::<String>::new());
    let named =
        |licence: &&String| packages.iter().any(|p| p["license"].as_str().unwrap_or_default().contains(&***licence));
    let unused: Vec<&String> = allowed.iter().filter(|licence| !named(licence)).collect();
    assert!(unused.is_empty(), "nothing has {unused:?}: take it off the list");
}

#[test]
fn banned_crates_and_foreign_sources_are_not_there() {
    let text = deny();
    let banned: Vec<&str> =
        text.lines().filter_map(|l| l.trim().strip_prefix("{ crate = \"")?.split('"').next()).collect();
    assert!(banned.len() > 2, "{banned:?}");
    for package in shipped() {
        assert!(!banned.contains(&name(&package)), "{} is banned by deny.toml", name(&package));
        let source = package["source"].as_str().unwrap_or_default();
        assert!(source.starts_with("registry+"), "{} comes from {source:?}", name(&package));
    }
}

#[test]
fn expressions_of_licences_are_understood() {
    let allowed = ["MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    for (expression, holds) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("GPL-3.0-only/MIT", true),
        ("MIT AND GPL-3.0-only", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0-only", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0-only", true),
        ("Apache-2.0", false),
    ] {
        assert_eq!(satisfied(expression, &allowed), holds, "{expression}");
    }
}
