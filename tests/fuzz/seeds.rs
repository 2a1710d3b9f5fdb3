//! Real objects to begin with.

use serde_json::{Value, json};

use crate::json::Json;

const CRASHING: &str = include_str!("../../src/cli/policy/testdata/crashing.yaml");
const ZOO: &str = include_str!("../../src/cli/diagnose/testdata/zoo.yaml");
const INCIDENTS: [&str; 4] = [
    include_str!("../../src/cli/incident/testdata/awaiting.yaml"),
    include_str!("../../src/cli/incident/testdata/frozen.yaml"),
    include_str!("../../src/cli/incident/testdata/recovered.yaml"),
    include_str!("../../src/cli/incident/testdata/storm.yaml"),
];
const POLICIES: [&str; 2] =
    [include_str!("../../examples/policy-full.yaml"), include_str!("../../examples/policy-cluster.yaml")];
const WHOLE: [&str; 4] = [
    include_str!("../../src/cluster/testdata/deployment.json"),
    include_str!("../../src/cluster/testdata/replicaset.json"),
    include_str!("../../src/cluster/testdata/pod.json"),
    include_str!("../../src/cluster/testdata/node.json"),
];

/// When all of them were read.
pub fn now() -> jiff::Timestamp {
    "2026-03-01T10:05:00Z".parse().unwrap()
}

pub fn yaml(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

fn list(items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

/// A Deployment whose newest revision crashes, with its baseline, a node, a policy and a namespace.
pub fn crashing() -> Vec<Value> {
    yaml(CRASHING)
}

/// The objects of the first four files of real ones, as the API server gives them.
pub fn whole() -> Vec<Value> {
    WHOLE.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

pub fn incidents() -> Vec<Value> {
    INCIDENTS.iter().flat_map(|text| yaml(text)).collect()
}

pub fn policies() -> Vec<Value> {
    POLICIES.iter().flat_map(|text| yaml(text)).collect()
}

/// Lists as kubectl prints them.
pub fn lists() -> Vec<Json> {
    let told = |message: &str| list([crashing(), telling(message)].concat());
    let all = [
        list(crashing()),
        list([crashing(), incidents()].concat()),
        list([whole(), telling("0/5 nodes are available: 5 Insufficient cpu.")].concat()),
        told(
            "exceeded quota: team, requested: limits.cpu=2,pods=1, used: limits.cpu=9,pods=3, limited: limits.cpu=10,pods=3",
        ),
    ];
    all.iter().chain(&yaml(ZOO)).map(Json::from).collect()
}

/// What a container, its pod, its ReplicaSet, its node and the events about them may say.
const WAITING: [&str; 5] =
    ["ImagePullBackOff", "CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "ContainerCreating"];
const EVENTS: [&str; 12] = [
    "Failed",
    "BackOff",
    "FailedMount",
    "FailedAttachVolume",
    "FailedCreatePodSandBox",
    "Unhealthy",
    "Killing",
    "FailedScheduling",
    "FailedPostStartHook",
    "Evicted",
    "NetworkNotReady",
    "FailedToRetrieveImagePullSecret",
];

/// How many objects `telling` makes.
pub const MESSAGES: usize = WAITING.len() + 2 + EVENTS.len() + 2;

/// Objects that belong to those of `crashing` and all say `message`, each where another kind of writer writes.
pub fn telling(message: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    for (number, reason) in WAITING.iter().enumerate() {
        let ended = json!({"terminated": {"exitCode": 1, "reason": "Error", "message": message,
            "startedAt": "2026-03-01T10:00:08Z", "finishedAt": "2026-03-01T10:00:09Z"}});
        objects.push(pod(
            number,
            json!({
            "phase": "Pending", "startTime": "2026-03-01T10:00:01Z",
            "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": message}],
            "containerStatuses": [{"name": "web", "ready": false, "restartCount": number, "lastState": ended,
                "state": {"waiting": {"reason": reason, "message": message}}}]}),
        ));
    }
    objects.push(pod(
        7,
        json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": message, "lastTransitionTime": "2026-03-01T10:00:01Z"}]}),
    ));
    objects.push(pod(
        8,
        json!({"phase": "Failed", "reason": "Evicted", "message": message,
        "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": message}]}),
    ));
    for (number, reason) in EVENTS.iter().enumerate() {
        let about = json!({"kind": "Pod", "namespace": "shop", "name": "web-6d4cf56db6-f1", "uid": "f-1",
            "fieldPath": "spec.containers{web}"});
        objects.push(event(number, reason, message, about));
    }
    let set = json!({"kind": "ReplicaSet", "namespace": "shop", "name": "web-6d4cf56db6"});
    objects.push(event(20, "FailedCreate", message, set));
    objects.push(event(21, "SystemOOM", message, json!({"kind": "Node", "name": "n1"})));
    objects
}

fn pod(number: usize, status: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-6d4cf56db6-f{number}"), "namespace": "shop", "uid": format!("f-{number}"),
            "creationTimestamp": "2026-03-01T10:00:00Z",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6d4cf56db6", "uid": "r-2", "controller": true}]},
        "spec": {"nodeName": "n1", "restartPolicy": "Always", "containers": [{"name": "web", "image": "web:2"}]},
        "status": status})
}

fn event(number: usize, reason: &str, message: &str, about: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": format!("e{number}"), "namespace": "shop"},
        "involvedObject": about, "reason": reason, "message": message, "count": number, "type": "Warning",
        "firstTimestamp": "2026-03-01T10:00:05Z", "lastTimestamp": "2026-03-01T10:00:09Z"})
}
