//! The difference between two pod templates in words.

use std::collections::BTreeSet;

use serde_json::Value;

use super::aspects::of_pod_field;
use super::leaf::{became, field, fields, is_absent, shown, words};
use super::{Change, MAX_TEMPLATE_CHANGES, container};
use crate::engine::words::Aspect;

/// The annotation that `kubectl rollout restart` sets.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// The label by which a Deployment tells the pods of its ReplicaSets apart.
const TEMPLATE_HASH: &str = "pod-template-hash";
const POD: &str = "pod";

/// How two templates differ.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// At most [`MAX_TEMPLATE_CHANGES`].
    pub changes: Vec<Change>,
    /// How many there was no room for.
    pub omitted: usize,
    /// Nothing differs but the mark of `kubectl rollout restart`.
    pub restart_only: bool,
}

/// How `new` differs from `old`: two pod templates as the API server shows them.
pub fn between(old: &Value, new: &Value) -> Difference {
    let mut changes = spec(field(old, "spec"), field(new, "spec"));
    metadata(field(old, "metadata"), field(new, "metadata"), &mut changes);
    let restart = restart(old, new);
    let restart_only = changes.is_empty() && restart.is_some();
    changes.extend(restart);
    let omitted = changes.len().saturating_sub(MAX_TEMPLATE_CHANGES);
    changes.truncate(MAX_TEMPLATE_CHANGES);
    Difference { changes, omitted, restart_only }
}

fn spec(old: &Value, new: &Value) -> Vec<Change> {
    let mut changes = containers("container", field(old, "containers"), field(new, "containers"));
    changes.extend(containers("init container", field(old, "initContainers"), field(new, "initContainers")));
    for key in fields(old, new) {
        let (before, after) = (field(old, key), field(new, key));
        if before == after || (is_absent(before) && is_absent(after)) {
            continue;
        }
        match key {
            "containers" | "initContainers" => {}
            // The older name of `serviceAccountName`, which the API server sets along with it.
            "serviceAccount" => {}
            "volumes" => changes.extend(volumes(before, after)),
            _ => {
                let said = match (is_absent(before), is_absent(after)) {
                    (false, false) if before.is_object() => words(before, after).map(|w| format!("{key}: {w}")),
                    _ => Some(became(key, before, after)),
                };
                changes.extend(said.map(|text| Change::of_template(of_pod_field(key), POD, text)));
            }
        }
    }
    changes
}

fn containers(kind: &str, old: &Value, new: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    let aspect = if kind == "container" { Aspect::Containers } else { Aspect::InitContainers };
    for name in names(old, new) {
        let subject = format!("{kind} {name}");
        let image = |item: &Value| shown(field(item, "image"));
        match (find(old, name), find(new, name)) {
            (Some(before), Some(after)) => changes.extend(container::between(&subject, before, after)),
            (None, Some(item)) => {
                changes.push(Change::of_template(aspect, &subject, format!("added, image {}", image(item))));
            }
            (Some(item), None) => {
                changes.push(Change::of_template(aspect, &subject, format!("removed, image {}", image(item))));
            }
            (None, None) => {}
        }
    }
    let order = |list: &Value| -> Vec<String> { names_of(list).map(str::to_owned).collect() };
    let (before, after) = (order(old), order(new));
    let sorted = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
    if before != after && sorted(&before) == sorted(&after) {
        let text = format!("in another order: {} → {}", before.join(", "), after.join(", "));
        changes.push(Change::of_template(aspect, &format!("{kind}s"), text));
    }
    changes
}

fn volumes(old: &Value, new: &Value) -> Vec<Change> {
    // What a volume is: its one field besides the name.
    let source = |item: &Value| {
        let fields = item.as_object().into_iter().flatten();
        let found = fields.filter(|(key, _)| *key != "name").map(|(key, _)| key.clone()).next();
        found.unwrap_or_else(|| "emptyDir".to_owned())
    };
    let said = names(old, new).into_iter().filter_map(|name| {
        let text = match (find(old, name), find(new, name)) {
            (Some(before), Some(after)) => words(before, after)?,
            (None, Some(item)) => format!("added ({})", source(item)),
            (Some(item), None) => format!("removed ({})", source(item)),
            (None, None) => return None,
        };
        Some(Change::of_template(Aspect::Volumes, &format!("volume {name}"), text))
    });
    said.collect()
}

/// Labels with their values, annotations by key: some hold whole configurations.
fn metadata(old: &Value, new: &Value, changes: &mut Vec<Change>) {
    let (before, after) = (field(old, "labels"), field(new, "labels"));
    for key in fields(before, after).into_iter().filter(|key| *key != TEMPLATE_HASH) {
        let (was, is) = (field(before, key), field(after, key));
        if was != is {
            let text = format!("label {key} {} → {}", shown(was), shown(is));
            changes.push(Change::of_template(Aspect::Metadata, POD, text));
        }
    }
    let (before, after) = (field(old, "annotations"), field(new, "annotations"));
    for key in fields(before, after).into_iter().filter(|key| *key != RESTARTED_AT) {
        let (was, is) = (field(before, key), field(after, key));
        if was != is {
            let verb = match (was.is_null(), is.is_null()) {
                (true, _) => "added",
                (_, true) => "removed",
                _ => "changed",
            };
            changes.push(Change::of_template(Aspect::Metadata, POD, format!("annotation {key} {verb}")));
        }
    }
}

fn restart(old: &Value, new: &Value) -> Option<Change> {
    let mark = |template: &Value| field(field(field(template, "metadata"), "annotations"), RESTARTED_AT).clone();
    let at = mark(new);
    let text = at.as_str().filter(|_| mark(old) != at)?;
    let mut change = Change::of_template(Aspect::Metadata, POD, "restarted by kubectl rollout restart".to_owned());
    change.at = text.parse().ok();
    Some(change)
}

fn names<'a>(old: &'a Value, new: &'a Value) -> Vec<&'a str> {
    let mut all: Vec<&str> = names_of(new).collect();
    let gone: Vec<&str> = names_of(old).filter(|name| !all.contains(name)).collect();
    all.extend(gone);
    all
}

fn names_of(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(|item| item.get("name").and_then(Value::as_str))
}

fn find<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list.as_array()?.iter().find(|item| item.get("name").and_then(Value::as_str) == Some(name))
}
