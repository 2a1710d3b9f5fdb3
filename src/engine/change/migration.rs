//! Migrations of a database schema, told by convention: what a Job or a container is called, which image it runs and
//! with which arguments.
//!
//! A migration that ran cannot be undone by going back to older code. Conventions miss what follows none; the
//! annotation `backstay.dev/migration` says it outright, either way.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::leaf::{field, shortened};
use crate::engine::words::ContainerKind;

/// The annotation by which a Job or pod template says whether it migrates a schema.
pub const MARK: &str = "backstay.dev/migration";

/// Words in names of Jobs, init containers and images.
const NAMES: [&str; 9] =
    ["migrate", "migration", "migrations", "migrator", "flyway", "liquibase", "alembic", "dbmate", "sqitch"];
/// Words that make it one which only looks.
const LOOKS: [&str; 11] =
    ["wait", "await", "check", "verify", "status", "info", "validate", "--check", "--dry-run", "--plan", "current"];
/// Commands, as words that follow each other in one command line.
const COMMANDS: [&[&str]; 25] = [
    &["db:migrate"],
    &["db:prepare"],
    &["ecto.migrate"],
    &["migration:run"],
    &["migrate:latest"],
    &["doctrine:migrations:migrate"],
    &["alembic", "upgrade"],
    &["flyway", "migrate"],
    &["liquibase", "update"],
    &["manage.py", "migrate"],
    &["django-admin", "migrate"],
    &["artisan", "migrate"],
    &["prisma", "migrate", "deploy"],
    &["prisma", "db", "push"],
    &["ef", "database", "update"],
    &["dbmate", "up"],
    &["goose", "up"],
    &["migrate", "up"],
    &["sql-migrate", "up"],
    &["migrate-mongo", "up"],
    &["atlas", "migrate", "apply"],
    &["sqlx", "migrate", "run"],
    &["diesel", "migration", "run"],
    &["phinx", "migrate"],
    &["sqitch", "deploy"],
];
/// Labels by which objects of one application are told.
const FAMILY: [&str; 6] =
    ["app", "k8s-app", "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/part-of", "release"];

/// A container of the newest revision that migrates, and that the baseline does not run in the same form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Migrator {
    pub container: String,
    pub kind: ContainerKind,
    /// By what it was told.
    pub sign: String,
}

/// A Job that migrates a schema of the workload's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobFacts {
    pub name: String,
    pub sign: String,
    /// By what it was told to belong to the workload.
    pub relation: String,
    /// When it began to run.
    pub started: Timestamp,
}

/// The migrating containers that are new with `new`, or differ from those of `old`.
pub fn of_templates(old: &Value, new: &Value) -> Vec<Migrator> {
    let mark = annotation(new, MARK);
    let mut found = Vec::new();
    for (list, is_init) in [("initContainers", true), ("containers", false)] {
        let before = items(field(field(old, "spec"), list));
        for container in items(field(field(new, "spec"), list)) {
            let name = text(container, "name");
            let same = before.iter().any(|b| text(b, "name") == name && runs(b) == runs(container));
            let sidecar = text(container, "restartPolicy") == "Always";
            let told = match mark {
                Some("true") => is_init.then(|| format!("the template is annotated {MARK}: true")),
                Some("false") => None,
                _ => sign(if is_init && !sidecar { name } else { "" }, container),
            };
            let kind = match (is_init, sidecar) {
                (true, true) => ContainerKind::Sidecar,
                (true, false) => ContainerKind::Init,
                (false, _) => ContainerKind::App,
            };
            let migrator = told.map(|sign| Migrator { container: name.to_owned(), kind, sign });
            found.extend(migrator.filter(|_| !same));
        }
    }
    found
}

/// The Job, if it migrates, belongs to the workload whose template this is, and has run.
pub fn of_job(job: &Value, workload: &str, template: &Value) -> Option<JobFacts> {
    let (metadata, spec, status) = (field(job, "metadata"), field(job, "spec"), field(job, "status"));
    let name = text(metadata, "name");
    let pod = field(spec, "template");
    let containers = || items(field(field(pod, "spec"), "containers")).iter();
    let sign = match annotation(job, MARK).or_else(|| annotation(pod, MARK)) {
        Some("true") => format!("annotated {MARK}: true"),
        Some("false") => return None,
        _ => containers().find_map(|container| sign(name, container))?,
    };
    let ran = ["active", "succeeded", "failed"].iter().any(|c| field(status, c).as_i64().unwrap_or_default() > 0);
    let time = |value: &Value| value.as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let started = time(field(status, "startTime")).or_else(|| time(field(metadata, "creationTimestamp")));
    let relation = relation(job, workload, template)?;
    let hook = ["helm.sh/hook", "argocd.argoproj.io/hook"].iter().find_map(|key| annotation(job, key));
    let sign = hook.map(|hook| format!("{sign}, hook {}", shortened(hook))).unwrap_or(sign);
    Some(JobFacts { name: name.to_owned(), sign, relation, started: started.filter(|_| ran)? })
}

/// By what a container is told to migrate: its command, its image, or the name that it or its Job bears.
fn sign(name: &str, container: &Value) -> Option<String> {
    let line: Vec<&str> =
        ["command", "args"].iter().flat_map(|key| items(field(container, key))).filter_map(Value::as_str).collect();
    let line = line.join(" ");
    let image = text(container, "image");
    let repository = image.rsplit('/').next().unwrap_or(image);
    let repository = repository.split([':', '@']).next().unwrap_or(repository);
    // Arguments alone go to the program that the image is named after.
    if let Some(command) = command(&line).or_else(|| command(&format!("{repository} {line}"))) {
        return Some(format!("runs {command}"));
    }
    let looks = |text: &str| words(text).any(|word| LOOKS.contains(&word));
    if looks(name) || words_of_command(&line).any(|word| LOOKS.contains(&word)) {
        return None;
    }
    let named = |text: &str| words(text).any(|word| NAMES.contains(&word));
    if named(name) {
        Some(format!("called {}", shortened(name)))
    } else if named(repository) {
        Some(format!("image {}", shortened(repository)))
    } else {
        None
    }
}

/// The migrating command in a command line, if there is one that does not merely look. What else the line is told to look
/// at, before or after, does not undo it.
fn command(line: &str) -> Option<String> {
    for segment in line.split([';', '|', '&', '\n']) {
        let words: Vec<&str> = words_of_command(segment).collect();
        if words.iter().any(|word| LOOKS.contains(word) && word.starts_with('-')) {
            continue;
        }
        let found = COMMANDS.iter().find(|command| follow(&words, command));
        if let Some(command) = found {
            return Some(command.join(" "));
        }
    }
    None
}

/// The command's words stand in this order, with others between them.
fn follow(words: &[&str], command: &[&str]) -> bool {
    let mut words = words.iter();
    command.iter().all(|wanted| words.any(|word| word == wanted))
}

/// Words of a command line; a program is known by its name, wherever it lies.
fn words_of_command(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '(' | ')'));
    words.filter(|word| !word.is_empty()).map(|word| word.rsplit('/').next().unwrap_or(word))
}

/// Words of a name.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

/// By what a Job is told to belong to the workload: a label, an image, its name, or a Secret that both use.
fn relation(job: &Value, workload: &str, template: &Value) -> Option<String> {
    let pod = field(field(job, "spec"), "template");
    let label = |of: &Value, key: &str| -> Option<String> {
        of.pointer("/metadata/labels")?.get(key)?.as_str().map(str::to_owned)
    };
    let labels = FAMILY.iter().find_map(|key| {
        let ours = label(template, key)?;
        let theirs = label(job, key).or_else(|| label(pod, key))?;
        (ours == theirs).then(|| format!("label {key}={}", shortened(&ours)))
    });
    let image = || {
        let ours: Vec<&str> = images(template).collect();
        let shared = images(pod).find(|image| ours.contains(image))?;
        Some(format!("image {}", shortened(shared)))
    };
    let named = || {
        let name = text(field(job, "metadata"), "name");
        let rest = name.strip_prefix(workload)?;
        (rest.is_empty() || rest.starts_with('-')).then(|| format!("name {}", shortened(name)))
    };
    let secret = || {
        let ours = super::references::of_template(template);
        let theirs = super::references::of_template(pod);
        let is_secret = |r: &&super::references::Reference| r.kind == super::references::ReferenceKind::Secret;
        theirs.keys().filter(is_secret).find(|r| ours.contains_key(*r)).map(ToString::to_string)
    };
    labels.or_else(image).or_else(named).or_else(secret)
}

/// Repositories of a template's images.
fn images(template: &Value) -> impl Iterator<Item = &str> {
    let spec = field(template, "spec");
    let containers = ["containers", "initContainers"].into_iter().flat_map(|list| items(field(spec, list)));
    containers.map(|container| super::repository(text(container, "image"))).filter(|image| !image.is_empty())
}

/// What decides what a container does.
fn runs(container: &Value) -> [&Value; 5] {
    ["image", "command", "args", "env", "envFrom"].map(|key| field(container, key))
}

fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
