//! Who shipped a template, when, and through which tool, as far as the Deployment's metadata tells.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::leaf::{field, shortened};

/// Who shipped it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Author {
    /// The field manager that last wrote the template, such as `kubectl-set` or `argocd-controller`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub manager: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The annotation `kubernetes.io/change-cause`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub cause: Option<String>,
    /// Tools whose marks the Deployment bears, such as `Helm release web of shop`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(max = 128)))]
    pub through: Vec<String>,
}

/// Reads the author from a workload's `metadata`. What Backstay itself wrote does not count.
pub fn author(metadata: &Value, own_manager: &str) -> Author {
    let entries = field(metadata, "managedFields").as_array().map(Vec::as_slice).unwrap_or_default();
    let wrote = |entry: &&Value| {
        text(entry, "manager").is_some_and(|manager| manager != own_manager)
            && text(entry, "subresource").is_none_or(str::is_empty)
            && ["f:template", "f:containers"].iter().any(|part| holds(entry, part))
    };
    let last = entries.iter().filter(wrote).max_by_key(|entry| time(entry));
    Author {
        manager: last.and_then(|entry| text(entry, "manager")).map(shortened),
        at: last.and_then(time),
        cause: annotation(metadata, "kubernetes.io/change-cause").map(shortened),
        through: tools(metadata),
    }
}

/// Who wrote it wrote that part of the spec: a pod's own is its template.
fn holds(entry: &Value, part: &str) -> bool {
    entry.pointer("/fieldsV1/f:spec").is_some_and(|spec| spec.get(part).is_some())
}

/// When a managed field was last written, and by whom; entries of the status do not count.
pub fn last_written(metadata: &Value) -> Option<(Timestamp, String, &Value)> {
    let entries = field(metadata, "managedFields").as_array()?;
    let real = entries.iter().filter(|entry| text(entry, "subresource").is_none_or(str::is_empty));
    let last = real.filter_map(|entry| Some((time(entry)?, entry))).max_by_key(|(at, _)| *at)?;
    Some((last.0, shortened(text(last.1, "manager").unwrap_or("somebody")), field(last.1, "fieldsV1")))
}

fn tools(metadata: &Value) -> Vec<String> {
    let label = |key: &str| text(field(metadata, "labels"), key);
    let mut through = Vec::new();
    if let Some(release) = annotation(metadata, "meta.helm.sh/release-name") {
        let namespace = annotation(metadata, "meta.helm.sh/release-namespace").unwrap_or_default();
        let chart = label("helm.sh/chart").map(|chart| format!(", chart {chart}")).unwrap_or_default();
        through.push(shortened(&format!("Helm release {release} of {namespace}{chart}")));
    }
    let argo = annotation(metadata, "argocd.argoproj.io/tracking-id").and_then(|id| id.split(':').next());
    if let Some(application) = argo.or_else(|| label("argocd.argoproj.io/instance")) {
        through.push(shortened(&format!("Argo CD application {application}")));
    }
    for (kind, group) in [("HelmRelease", "helm"), ("Kustomization", "kustomize")] {
        if let Some(name) = label(&format!("{group}.toolkit.fluxcd.io/name")) {
            let namespace = label(&format!("{group}.toolkit.fluxcd.io/namespace")).unwrap_or_default();
            through.push(shortened(&format!("Flux {kind} {namespace}/{name}")));
        }
    }
    through.truncate(4);
    through
}

fn annotation<'a>(metadata: &'a Value, key: &str) -> Option<&'a str> {
    text(field(metadata, "annotations"), key)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn time(entry: &Value) -> Option<Timestamp> {
    text(entry, "time").and_then(|at| at.parse().ok())
}
