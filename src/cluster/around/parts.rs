//! What single objects around a workload say, as the API server shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use serde_json::Value;

use super::clean;
use crate::engine::blast_radius::{Autoscaler, Budget};
use crate::engine::change::{Change, ChangeKind, MAX_TEXT, author};

/// The label by which a slice tells its Service.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label by which a StatefulSet marks each of its pods (`StatefulSetPodNameLabel` in `apps/v1`).
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// Entries of a map that are told.
const TOLD: usize = 4;

/// Ready and unready endpoints of a Service, if there is a slice of it: its controller makes one for every Service with
/// a selector, so that none means that nobody has counted. One pod may be in several slices, for two families of
/// addresses.
pub fn endpoints_of(service: &str, slices: &[Arc<Value>]) -> Option<(u32, u32)> {
    let of_service = |slice: &&Arc<Value>| {
        slice.pointer("/metadata/labels").and_then(|l| l.get(SERVICE_NAME)?.as_str()) == Some(service)
    };
    let mut slices = slices.iter().filter(of_service).peekable();
    slices.peek()?;
    let (mut ready, mut unready) = (BTreeSet::new(), BTreeSet::new());
    for endpoint in slices.flat_map(|slice| items(slice, "/endpoints")) {
        let uid = endpoint.pointer("/targetRef/uid").or_else(|| endpoint.pointer("/addresses/0"));
        let Some(uid) = uid.and_then(Value::as_str) else { continue };
        let is = |condition: &str| endpoint.pointer(&format!("/conditions/{condition}")).and_then(Value::as_bool);
        // An unknown readiness is to be taken for ready (`EndpointConditions` in the API).
        if is("ready").unwrap_or(true) {
            ready.insert(uid);
        } else if !is("terminating").unwrap_or(false) {
            unready.insert(uid);
        }
    }
    let count = |set: &BTreeSet<&str>| u32::try_from(set.len()).unwrap_or(u32::MAX);
    Some((count(&ready), count(&unready.difference(&ready).copied().collect())))
}

/// A change of an object within the time that matters, in words: what it is now, since nothing tells what it was.
pub fn change(kind: ChangeKind, word: &str, object: &Value, since: Timestamp) -> Option<Change> {
    let metadata = object.get("metadata")?;
    let created =
        metadata.get("creationTimestamp").and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok())?;
    let written = author::last_written(metadata).map(|(at, by, _)| (at, by));
    let (at, by, verb) = match written {
        // Whoever creates an object is its first writer.
        Some((at, by)) if at > created => (at, Some(by), "changed"),
        Some((_, by)) => (created, Some(by), "created"),
        None => (created, None, "created"),
    };
    let now = now(kind, object);
    let now = if now.is_empty() { now } else { format!("; it now {now}") };
    (at >= since).then(|| Change {
        kind,
        aspect: None,
        subject: format!("{word} {}", name(object)),
        text: clean(&format!("{verb}{now}"), MAX_TEXT),
        at: Some(at),
        by: by.map(|by| clean(&by, 128)),
        relevant: false,
    })
}

/// What matters of an object, in words.
fn now(kind: ChangeKind, object: &Value) -> String {
    let number = |at: &str| object.pointer(at).and_then(Value::as_i64);
    match kind {
        ChangeKind::Autoscaler => {
            let max = number("/spec/maxReplicas").map(|max| format!(" to {max} replicas")).unwrap_or_default();
            format!("asks for {}{max}", number("/spec/minReplicas").unwrap_or(1))
        }
        ChangeKind::Quota => format!("allows {}", pairs(object.pointer("/spec/hard"), " ")),
        ChangeKind::Service => {
            let port = |port: &Value| {
                let target = port.get("targetPort").map(plain).unwrap_or_default();
                format!("{} to {target}", port.get("port").map(plain).unwrap_or_default())
            };
            let ports: Vec<String> = items(object, "/spec/ports").iter().take(TOLD).map(port).collect();
            format!("selects {} and leads port {}", pairs(object.pointer("/spec/selector"), "="), ports.join(", "))
        }
        ChangeKind::NetworkPolicy => {
            let types: Vec<String> = items(object, "/spec/policyTypes").iter().map(plain).collect();
            let rules = items(object, "/spec/ingress").len().saturating_add(items(object, "/spec/egress").len());
            format!("governs {} by {rules} rules", types.join(" and ").to_lowercase())
        }
        _ => String::new(),
    }
}

fn pairs(map: Option<&Value>, between: &str) -> String {
    let map = map.and_then(Value::as_object).into_iter().flatten();
    let all: Vec<String> = map.map(|(key, value)| format!("{key}{between}{}", plain(value))).collect();
    let more = all.len().saturating_sub(TOLD);
    let told = all.into_iter().take(TOLD).collect::<Vec<_>>().join(", ");
    match (told.is_empty(), more) {
        (true, _) => "nothing".to_owned(),
        (false, 0) => told,
        (false, more) => format!("{told} and {more} more"),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The Service selects pods with these labels.
pub fn selects(service: &Value, labels: &BTreeMap<String, String>) -> bool {
    let selector = service.pointer("/spec/selector").and_then(Value::as_object).filter(|s| !s.is_empty());
    selector.is_some_and(|s| s.iter().all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str()))
}

/// The Service selects a single pod of the StatefulSet of this name, whose pods have these labels beside their own.
pub fn selects_one(service: &Value, labels: &BTreeMap<String, String>, set: &str) -> bool {
    let mut selector = selector(service);
    let pod = selector.remove(POD_NAME);
    let is_of_set = pod.is_some_and(|pod| pod.rsplit_once('-').is_some_and(|(of, _)| of == set));
    is_of_set && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// The labels that a Service selects pods by.
pub fn selector(service: &Value) -> BTreeMap<String, String> {
    let selector = service.pointer("/spec/selector").and_then(Value::as_object).into_iter().flatten();
    selector.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// The label selector at `at` is about pods with these labels. One that is empty is about all.
pub fn governs(object: &Value, at: &str, labels: &BTreeMap<String, String>) -> bool {
    let selector = object.pointer(at).cloned().unwrap_or_default();
    let selector = serde_json::from_value::<LabelSelector>(selector).unwrap_or_default();
    Selector::try_from(selector).is_ok_and(|selector| selector.matches(labels))
}

pub fn autoscaler(object: &Value) -> Autoscaler {
    let number = |at: &str| object.pointer(at).and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok());
    let max = number("/spec/maxReplicas").unwrap_or_default().max(0);
    let desired = number("/status/desiredReplicas").unwrap_or_default().max(0);
    Autoscaler { name: text(object.pointer("/metadata/name")), desired, max, at_max: max > 0 && desired >= max }
}

pub fn budget(object: &Value) -> Budget {
    let number = |key: &str| {
        let number = object.pointer(&format!("/status/{key}")).and_then(Value::as_i64);
        number.and_then(|n| i32::try_from(n).ok()).unwrap_or_default().max(0)
    };
    Budget {
        name: text(object.pointer("/metadata/name")),
        disruptions_allowed: number("disruptionsAllowed"),
        healthy: number("currentHealthy"),
        needed: number("desiredHealthy"),
    }
}

pub fn items<'a>(value: &'a Value, at: &str) -> &'a [Value] {
    value.pointer(at).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A name, as far as it may be shown.
pub fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).map(|text| clean(text, 253)).unwrap_or_default()
}

pub fn name(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

pub fn namespace(object: &Value) -> &str {
    object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default()
}
