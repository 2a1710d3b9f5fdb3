//! The objects that a pod template names and cannot run without.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use strum::{Display, IntoStaticStr};

use super::leaf::field;

/// References kept of one template.
pub const MAX_REFERENCES: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Display, IntoStaticStr)]
pub enum ReferenceKind {
    ConfigMap,
    Secret,
    ServiceAccount,
    PersistentVolumeClaim,
    PriorityClass,
}

/// One object that a template names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reference {
    pub kind: ReferenceKind,
    pub name: String,
}

/// `ConfigMap settings`.
impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// What became of an object that a template names.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Sight {
    Present {
        created: Timestamp,
        written: Option<Written>,
    },
    Missing,
    /// It could not be looked at.
    Unseen,
}

/// The last write to an object's content.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Written {
    pub at: Timestamp,
    pub by: String,
    /// Names of the keys that the writer owns; never what they hold.
    pub keys: Vec<String>,
}

/// How a template names an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Need {
    /// Pods start without it.
    Optional,
    Required,
}

/// A reference, who makes it, and what became of the object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReferenceFacts {
    pub reference: Reference,
    /// How the newest revision's template names it, if it does.
    pub newest: Option<Need>,
    /// How the baseline's template names it, if it does.
    pub baseline: Option<Need>,
    pub sight: Sight,
    /// Other namespaces that have an object of this kind and name, where it was not seen and they were looked through.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<String>,
}

/// Namespaces that are named of those that have one of the same name.
pub const MAX_ELSEWHERE: usize = 3;

impl ReferenceFacts {
    /// One of the templates names it so that pods do not start without it.
    pub fn is_required(&self) -> bool {
        self.newest.max(self.baseline) == Some(Need::Required)
    }

    /// When its content last changed, if that is known.
    pub fn changed(&self) -> Option<Timestamp> {
        match &self.sight {
            Sight::Present { created, written } => Some(written.as_ref().map_or(*created, |w| w.at.max(*created))),
            Sight::Missing | Sight::Unseen => None,
        }
    }

    pub fn is_configuration(&self) -> bool {
        matches!(self.reference.kind, ReferenceKind::ConfigMap | ReferenceKind::Secret)
    }
}

/// The objects that a template names, and how.
pub fn of_template(template: &Value) -> BTreeMap<Reference, Need> {
    let mut found = Found::default();
    let spec = field(template, "spec");
    for list in ["containers", "initContainers"] {
        items(field(spec, list)).for_each(|container| of_container(container, &mut found));
    }
    items(field(spec, "volumes")).for_each(|volume| of_volume(volume, &mut found));
    // The kubelet goes on without a pull secret; the registry may then refuse.
    items(field(spec, "imagePullSecrets"))
        .for_each(|secret| found.add(ReferenceKind::Secret, secret, "name", Need::Optional));
    // Every namespace gets these by itself.
    let named = |key: &str, default: &str| spec.get(key).filter(|name| name.as_str() != Some(default)).is_some();
    if named("serviceAccountName", "default") {
        found.add(ReferenceKind::ServiceAccount, spec, "serviceAccountName", Need::Required);
    }
    if spec.get("priorityClassName").and_then(Value::as_str).is_some_and(|name| !name.starts_with("system-")) {
        found.add(ReferenceKind::PriorityClass, spec, "priorityClassName", Need::Required);
    }
    found.0
}

#[derive(Default)]
struct Found(BTreeMap<Reference, Need>);

impl Found {
    /// Adds what `holder` names under `key`; needed by one is needed.
    fn add(&mut self, kind: ReferenceKind, holder: &Value, key: &str, need: Need) {
        let Some(name) = holder.get(key).and_then(Value::as_str).filter(|name| is_name(name)) else { return };
        let known = self.0.entry(Reference { kind, name: name.to_owned() }).or_insert(need);
        *known = need.max(*known);
    }

    fn add_marked(&mut self, kind: ReferenceKind, holder: &Value, key: &str) {
        let is_optional = holder.get("optional") == Some(&Value::Bool(true));
        self.add(kind, holder, key, if is_optional { Need::Optional } else { Need::Required });
    }
}

fn of_container(container: &Value, found: &mut Found) {
    for variable in items(field(container, "env")) {
        let from = field(variable, "valueFrom");
        found.add_marked(ReferenceKind::ConfigMap, field(from, "configMapKeyRef"), "name");
        found.add_marked(ReferenceKind::Secret, field(from, "secretKeyRef"), "name");
    }
    for source in items(field(container, "envFrom")) {
        found.add_marked(ReferenceKind::ConfigMap, field(source, "configMapRef"), "name");
        found.add_marked(ReferenceKind::Secret, field(source, "secretRef"), "name");
    }
}

fn of_volume(volume: &Value, found: &mut Found) {
    found.add_marked(ReferenceKind::ConfigMap, field(volume, "configMap"), "name");
    found.add_marked(ReferenceKind::Secret, field(volume, "secret"), "secretName");
    found.add(
        ReferenceKind::PersistentVolumeClaim,
        field(volume, "persistentVolumeClaim"),
        "claimName",
        Need::Required,
    );
    for source in items(field(field(volume, "projected"), "sources")) {
        found.add_marked(ReferenceKind::ConfigMap, field(source, "configMap"), "name");
        found.add_marked(ReferenceKind::Secret, field(source, "secret"), "name");
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// A name that an object can have; it becomes part of a request's path.
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    !name.is_empty() && name.len() <= 253 && name.chars().all(fits) && !name.starts_with('.')
}
