//! `backstay policy lint`: checking policy files without a cluster.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use kube::{CustomResourceExt, Resource};
use serde::de::DeserializeOwned;

use super::super::page::one_line;
use super::super::{FAILING, UNUSABLE, print};
use super::advice;
use crate::api::nodes::{Content, Node, Place};
use crate::api::policy::Terms;
use crate::api::schema::{self, Wrong};
use crate::api::{ClusterIncidentPolicy, GROUP, IncidentPolicy};
use crate::cluster::policies;

#[derive(Args, Debug)]
pub struct LintArgs {
    /// A file, a directory of YAML and JSON files, or - for standard input; repeat it for several
    #[arg(short, long = "filename", value_name = "FILE", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// Let warnings fail too
    #[arg(long)]
    pub strict: bool,
}

/// What was found in all files.
#[derive(Debug, Default)]
pub struct Report {
    /// One line per problem, as `FILE:LINE:COLUMN: error: …`.
    pub text: String,
    pub policies: usize,
    pub errors: usize,
    pub warnings: usize,
    pub unreadable: usize,
}

pub fn run(args: &LintArgs) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    for path in args.files.iter().flat_map(|path| expand(path)) {
        let name = if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() };
        match read(&path) {
            Ok(text) => report.take(&name, &text),
            Err(error) => report.cannot_read(&name, None, &error.to_string()),
        }
    }
    if report.policies == 0 && report.unreadable == 0 {
        report.cannot_read("backstay", None, "there is no policy in what was named");
    }
    print(&report.text)?;
    print(&report.summary())?;
    Ok(report.code(args.strict))
}

/// The terms of a policy, and what is wrong with each of its selectors by path.
type Parts<'a> = (&'a Terms, Vec<(&'static str, Option<String>)>);

impl Report {
    /// Checks one file, which may hold several documents and lists.
    pub fn take(&mut self, name: &str, text: &str) {
        let documents: Vec<Node> = match serde_saphyr::from_multiple(text) {
            Ok(documents) => documents,
            Err(error) => {
                let at = error.location().map(|at| (at.line(), at.column()));
                let plain = error.without_snippet().to_string();
                return self.cannot_read(name, at, &format!("not YAML: {plain}"));
            }
        };
        for document in &documents {
            self.document(name, document);
        }
    }

    fn document(&mut self, name: &str, node: &Node) {
        let word = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default();
        match (word("kind"), node.get("items").map(|items| &items.content)) {
            ("IncidentPolicy", _) => self.policy::<IncidentPolicy>(name, node, &|policy| {
                (
                    &policy.spec.terms,
                    vec![("spec.selector", policies::fault(&[&policy.spec.selector], &Terms::default()))],
                )
            }),
            ("ClusterIncidentPolicy", _) => self.policy::<ClusterIncidentPolicy>(name, node, &|policy| {
                let spec = &policy.spec;
                let namespaces = policies::fault(&[&spec.namespace_selector], &Terms::default());
                let workloads = policies::fault(&[&spec.selector], &Terms::default());
                (&spec.terms, vec![("spec.namespaceSelector", namespaces), ("spec.selector", workloads)])
            }),
            (_, Some(Content::List(items))) => items.iter().for_each(|item| self.document(name, item)),
            _ => {}
        }
    }

    fn policy<K>(&mut self, name: &str, node: &Node, parts: &dyn Fn(&K) -> Parts<'_>)
    where
        K: Resource<DynamicType = ()> + CustomResourceExt + DeserializeOwned,
    {
        self.policies += 1;
        let mut wrong = whole::<K>(node);
        let place = |path: &str| find(node, path);
        if wrong.is_empty() {
            match serde_json::from_value::<K>(node.to_json()) {
                Ok(policy) => {
                    let (terms, selectors) = parts(&policy);
                    for (path, fault) in selectors {
                        let fault = fault.map(|because| Wrong { at: place(path), path: path.to_owned(), because });
                        wrong.extend(fault);
                    }
                    wrong.extend(advice::refusals(terms, &place));
                    for warning in advice::warnings(terms, &place) {
                        self.say(name, "warning", &warning);
                        self.warnings += 1;
                    }
                }
                Err(error) => {
                    wrong.push(Wrong { at: node.at, path: "spec".to_owned(), because: error.to_string() });
                }
            }
        }
        for error in &wrong {
            self.say(name, "error", error);
        }
        self.errors += wrong.len();
    }

    fn say(&mut self, name: &str, severity: &str, wrong: &Wrong) {
        let (line, column) = wrong.at;
        let said = one_line(&format!("{}: {}", wrong.path, wrong.because));
        let _ = writeln!(self.text, "{name}:{line}:{column}: {severity}: {said}");
    }

    fn cannot_read(&mut self, name: &str, at: Option<Place>, because: &str) {
        let place = at.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        let _ = writeln!(self.text, "{name}{place}: error: {}", one_line(because));
        self.unreadable += 1;
    }

    pub fn summary(&self) -> String {
        let unreadable = if self.unreadable > 0 { format!(", {} unreadable", self.unreadable) } else { String::new() };
        format!("policies {}: errors {}, warnings {}{unreadable}\n", self.policies, self.errors, self.warnings)
    }

    fn code(&self, strict: bool) -> ExitCode {
        if self.unreadable > 0 {
            return ExitCode::from(UNUSABLE);
        }
        let failing = self.errors > 0 || (strict && self.warnings > 0);
        if failing { ExitCode::from(FAILING) } else { ExitCode::SUCCESS }
    }
}

/// What is wrong with the object as a whole, by the schema of its kind.
fn whole<K: Resource<DynamicType = ()> + CustomResourceExt>(node: &Node) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let version = K::api_version(&());
    if node.get("apiVersion").and_then(Node::text) != Some(&version) {
        let at = node.get("apiVersion").map_or(node.at, |node| node.at);
        wrong.push(Wrong { at, path: "apiVersion".to_owned(), because: format!("must be {version} for {GROUP}") });
    }
    let metadata = node.get("metadata");
    let named = ["name", "generateName"].iter().any(|key| metadata.and_then(|m| m.get(key)).is_some());
    if !named {
        let at = metadata.map_or(node.at, |node| node.at);
        wrong.push(Wrong { at, path: "metadata.name".to_owned(), because: "is required".to_owned() });
    }
    if let Some(schema) = schema::of(&K::crd()) {
        schema::check(node, &schema, "", &mut wrong);
    }
    wrong
}

/// Where a path such as `spec.rules[1].name` stands, or the nearest thing around it.
fn find(node: &Node, path: &str) -> Place {
    let mut found = node;
    for step in path.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
        let next = step.parse::<usize>().map_or_else(|_| found.get(step), |index| found.item(index));
        let Some(next) = next else { break };
        found = next;
    }
    found.at
}

/// The files of a directory, in order; anything else is itself.
fn expand(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return vec![path.to_owned()] };
    let fits = |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(fits).collect();
    files.sort();
    files
}

fn read(path: &Path) -> std::io::Result<String> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text)?;
        return Ok(text);
    }
    fs::read_to_string(path)
}

#[cfg(test)]
#[path = "lint_tests.rs"]
mod tests;
