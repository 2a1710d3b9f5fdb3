//! Kubernetes objects, as the API server shows them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::script::Revision;

pub const REGISTRY: &str = "127.0.0.1:5000";

/// A time as it stands in objects: whole seconds.
pub fn stamp(at: Timestamp) -> Value {
    json!(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Lays `patch` over `target` (RFC 7386).
pub fn merge(target: &mut Value, patch: &Value) {
    if !patch.is_null() {
        json_patch::merge(target, patch);
    }
}

/// A pod template: the one that all scenarios share, with a revision's changes.
pub fn template(revision: &Revision) -> Value {
    let tag = revision.tag.as_deref().unwrap_or("1.0");
    let mut web = json!({
        "name": "web",
        "image": format!("{REGISTRY}/web:{tag}"),
        "env": [{"name": "MODE", "value": "prod"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5, "failureThreshold": 3},
    });
    merge(&mut web, &revision.container);
    let mut containers = vec![web];
    containers.extend(revision.containers.iter().cloned());
    let mut spec = json!({"containers": containers, "restartPolicy": "Always"});
    if !revision.init.is_empty() {
        spec["initContainers"] = json!(revision.init);
    }
    merge(&mut spec, &revision.spec);
    let mut metadata = json!({"labels": {"app": "web"}});
    merge(&mut metadata, &revision.metadata);
    json!({"metadata": metadata, "spec": spec})
}

/// A Deployment that nobody has looked at yet.
pub fn deployment(created: Timestamp, replicas: i32, template: &Value) -> Value {
    json!({
        "metadata": {
            "name": "web", "namespace": "shop", "uid": "uid-web", "generation": 1,
            "creationTimestamp": stamp(created), "annotations": {},
        },
        "spec": {
            "replicas": replicas, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": template,
        },
        "status": {},
    })
}

/// A ReplicaSet of it, with the label that the Deployment controller adds to the template.
pub fn replica_set(revision: &str, created: Timestamp, number: i64, template: &Value) -> Value {
    let mut template = template.clone();
    template["metadata"]["labels"]["pod-template-hash"] = json!(revision);
    json!({
        "metadata": {
            "name": format!("web-{revision}"), "namespace": "shop", "uid": format!("uid-{revision}"),
            "creationTimestamp": stamp(created),
            "labels": {"app": "web", "pod-template-hash": revision},
            "annotations": {"deployment.kubernetes.io/revision": number.to_string()},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "uid-web", "controller": true},
            ],
        },
        "spec": {"replicas": 0, "template": template},
        "status": {},
    })
}

pub fn node(name: &str, created: Timestamp) -> Value {
    json!({
        "metadata": {"name": name, "uid": format!("uid-{name}"), "creationTimestamp": stamp(created)},
        "spec": {},
        "status": {
            "allocatable": {"cpu": "4", "memory": "8Gi"},
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": stamp(created)}],
        },
    })
}

/// Sets the condition, keeping its times where nothing changes: the transition time while the status stays, the
/// update time while the reason stays too (`SetDeploymentCondition` in pkg/controller/deployment/util).
pub fn set_condition(status: &mut Value, kind: &str, (value, reason, message): (bool, &str, &str), now: Timestamp) {
    let value = if value { "True" } else { "False" };
    let list = status["conditions"].as_array().cloned().unwrap_or_default();
    let old = list.iter().find(|c| c["type"] == kind).cloned().unwrap_or_default();
    let moved = if old["status"] == value { old["lastTransitionTime"].clone() } else { stamp(now) };
    let same = old["status"] == value && old["reason"] == reason;
    let updated = if same { old["lastUpdateTime"].clone() } else { stamp(now) };
    let mut list: Vec<Value> = list.into_iter().filter(|c| c["type"] != kind).collect();
    list.push(json!({
        "type": kind, "status": value, "reason": reason, "message": message,
        "lastTransitionTime": moved, "lastUpdateTime": updated,
    }));
    status["conditions"] = json!(list);
}

pub fn drop_condition(status: &mut Value, kind: &str) {
    if let Some(list) = status["conditions"].as_array_mut() {
        list.retain(|c| c["type"] != kind);
    }
}
