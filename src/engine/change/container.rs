//! What differs between two versions of one container.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Change;
use super::aspects::of_container_field;
use super::leaf::{became, field, fields, is_absent, join, line, shortened, shown, words};
use crate::engine::text;

/// Environment variables named in one sentence.
const NAMED: usize = 8;

/// The differences, field by field.
pub fn between(subject: &str, old: &Value, new: &Value) -> Vec<Change> {
    let keys = fields(old, new).into_iter().filter(|key| *key != "name");
    let changes = keys.filter_map(|key| {
        let (before, after) = (field(old, key), field(new, key));
        if before == after || (is_absent(before) && is_absent(after)) {
            return None;
        }
        let text = match key {
            "image" => image(before, after),
            "env" => environment(before, after)?,
            "envFrom" => env_from(before, after)?,
            "command" | "args" => format!("{key} {} → {}", line(before), line(after)),
            "volumeMounts" => mounts(before, after)?,
            "ports" => ports(before, after)?,
            "resources" => resources(before, after)?,
            _ if is_absent(before) => format!("{key} added"),
            _ if is_absent(after) => format!("{key} removed"),
            _ if before.is_object() => format!("{key} {}", words(before, after)?),
            _ => became(key, before, after),
        };
        Some(Change::of_template(of_container_field(key), subject, text))
    });
    changes.collect()
}

/// Requests and limits one by one, also where all of a kind come or go.
fn resources(old: &Value, new: &Value) -> Option<String> {
    let kinds = fields(old, new);
    let or_empty = |kind: &Value| if is_absent(kind) { Value::Object(Map::new()) } else { kind.clone() };
    let each = |of: &Value| kinds.iter().map(|kind| ((*kind).to_owned(), or_empty(field(of, kind)))).collect();
    words(&Value::Object(each(old)), &Value::Object(each(new)))
}

/// An image reference in its parts.
struct Image<'a> {
    repository: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    fn parse(reference: &'a str) -> Self {
        let (name, digest) = match reference.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (reference, None),
        };
        // A colon before the last slash belongs to the registry's port.
        match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => Self { repository, tag: Some(tag), digest },
            _ => Self { repository: name, tag: None, digest },
        }
    }

    /// Tag and the beginning of the digest.
    fn version(&self) -> String {
        let digest = self.digest.map(|d| d.get(..d.len().min(19)).unwrap_or(d));
        match (self.tag, digest) {
            (Some(tag), Some(digest)) => format!("{tag}@{digest}"),
            (Some(tag), None) => tag.to_owned(),
            (None, Some(digest)) => format!("@{digest}"),
            (None, None) => "no tag".to_owned(),
        }
    }
}

fn image(old: &Value, new: &Value) -> String {
    // Whatever stands there is shown in its parts, which tell less of what is a secret than the whole.
    let whole = |value: &'_ Value| text::redact(value.as_str().unwrap_or_default()).into_owned();
    let (before, after) = (whole(old), whole(new));
    let (before, after) = (&*before, &*after);
    let (from, to) = (Image::parse(before), Image::parse(after));
    if from.repository != to.repository {
        return format!("image {} → {}", long(before), long(after));
    }
    let repository = shortened(from.repository);
    if from.tag == to.tag && from.digest.is_some() && to.digest.is_some() {
        return format!("image {repository}: another digest, {} → {}", from.version(), to.version());
    }
    format!("image {repository}: {} → {}", from.version(), to.version())
}

/// Image references are worth more room than other values.
fn long(reference: &str) -> String {
    let end = (0..=110.min(reference.len())).rev().find(|at| reference.is_char_boundary(*at)).unwrap_or_default();
    reference.get(..end).unwrap_or_default().to_owned()
}

/// Variables by name; their values are never told.
fn environment(old: &Value, new: &Value) -> Option<String> {
    let (old, new) = (list(old), list(new));
    let find = |items: &'_ [Value], name: &str| items.iter().rfind(|item| text(item, "name") == name).cloned();
    let names: BTreeSet<&str> = old.iter().chain(new).map(|item| text(item, "name")).collect();
    let (mut added, mut removed, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        let shown = shortened(name);
        match (find(old, name), find(new, name)) {
            (None, Some(item)) => added.push(format!("{shown}{}", source(&item, " from "))),
            (Some(_), None) => removed.push(shown),
            (Some(before), Some(after)) if before != after => {
                let (was, is) = (source(&before, ""), source(&after, ""));
                let said = if was == is { shown } else { format!("{shown} ({} → {})", or_value(was), or_value(is)) };
                changed.push(said);
            }
            _ => {}
        }
    }
    if [&added, &removed, &changed].iter().all(|names| names.is_empty()) {
        // The same variables in another order: those that refer to others may differ.
        return Some("env in another order".to_owned());
    }
    let parts = [("changed", changed), ("added", added), ("removed", removed)];
    join(parts.into_iter().filter_map(|(verb, names)| said("env", verb, names)).collect())
}

fn said(what: &str, verb: &str, mut names: Vec<String>) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("{what} {verb}: {}{more}", names.join(", ")))
}

fn or_value(source: String) -> String {
    if source.is_empty() { "a value".to_owned() } else { source }
}

/// Where a variable's value is taken from, by name.
fn source(item: &Value, before: &str) -> String {
    let from = |key: &str| item.pointer(&format!("/valueFrom/{key}"));
    if let Some(reference) = from("configMapKeyRef") {
        return format!("{before}ConfigMap {} key {}", text(reference, "name"), text(reference, "key"));
    }
    if let Some(reference) = from("secretKeyRef") {
        return format!("{before}Secret {} key {}", text(reference, "name"), text(reference, "key"));
    }
    if let Some(reference) = from("fieldRef") {
        return format!("{before}field {}", text(reference, "fieldPath"));
    }
    if let Some(reference) = from("resourceFieldRef") {
        return format!("{before}resource {}", text(reference, "resource"));
    }
    String::new()
}

fn env_from(old: &Value, new: &Value) -> Option<String> {
    let name = |item: &Value| {
        let reference = |kind: &str, key: &str| Some(format!("{kind} {}", text(item.get(key)?, "name")));
        let found = reference("ConfigMap", "configMapRef").or_else(|| reference("Secret", "secretRef"));
        let prefix = text(item, "prefix");
        let prefix = if prefix.is_empty() { String::new() } else { format!(" as {prefix}…") };
        format!("{}{prefix}", found.unwrap_or_else(|| shown(item)))
    };
    set("env source", list(old), list(new), &name)
}

fn mounts(old: &Value, new: &Value) -> Option<String> {
    let name = |item: &Value| {
        let path = text(item, "subPath");
        let path = if path.is_empty() { String::new() } else { format!(" ({path})") };
        let mode = if item.get("readOnly") == Some(&Value::Bool(true)) { " read-only" } else { "" };
        format!("{} of volume {}{path}{mode}", text(item, "mountPath"), text(item, "name"))
    };
    set("mount", list(old), list(new), &name)
}

fn ports(old: &Value, new: &Value) -> Option<String> {
    let name = |item: &Value| {
        let host = item.get("hostPort").map(|port| format!(" on host port {port}")).unwrap_or_default();
        format!("{}/{}{host}", shown(field(item, "containerPort")), text(item, "protocol"))
    };
    set("port", list(old), list(new), &name)
}

/// What was added to and removed from a list in which the order does not matter.
fn set(what: &str, old: &[Value], new: &[Value], name: &dyn Fn(&Value) -> String) -> Option<String> {
    let only = |these: &[Value], those: &[Value]| -> Vec<String> {
        these.iter().filter(|item| !those.contains(item)).map(|item| shortened(&name(item))).collect()
    };
    let (added, removed) = (only(new, old), only(old, new));
    if added.is_empty() && removed.is_empty() {
        return Some(format!("{what}s in another order"));
    }
    join([said(what, "added", added), said(what, "removed", removed)].into_iter().flatten().collect())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
