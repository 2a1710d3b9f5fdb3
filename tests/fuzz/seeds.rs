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

/// The same, and the newest revision calls a Service and reads a ConfigMap.
pub fn calling() -> Vec<Value> {
    let mut objects = crashing();
    for object in
        objects.iter_mut().filter(|object| object["metadata"]["uid"] == "r-2" || object["kind"] == "Deployment")
    {
        let container = &mut object["spec"]["template"]["spec"]["containers"][0];
        container["env"] = json!([{"name": "DB_HOST", "value": "db"}]);
        container["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    }
    objects
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
        list([calling(), around(false)].concat()),
        list([whole(), telling("0/5 nodes are available: 5 Insufficient cpu.")].concat()),
        told(QUOTA),
    ];
    all.iter().chain(&yaml(ZOO)).map(Json::from).collect()
}

pub const QUOTA: &str =
    "exceeded quota: team, requested: limits.cpu=2,pods=1, used: limits.cpu=9,pods=3, limited: limits.cpu=10,pods=3";

/// What a container, its pod, its ReplicaSet, its node and the events about them may say.
const WAITING: [&str; 5] =
    ["ImagePullBackOff", "CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "ContainerCreating"];
/// Events, with the pod that they are about: one of whose failure they may tell.
const EVENTS: [(usize, &str); 12] = [
    (0, "Failed"),
    (0, "BackOff"),
    (0, "FailedToRetrieveImagePullSecret"),
    (1, "Unhealthy"),
    (1, "Killing"),
    (1, "FailedPostStartHook"),
    (4, "FailedMount"),
    (4, "FailedAttachVolume"),
    (4, "FailedCreatePodSandBox"),
    (4, "NetworkNotReady"),
    (UNSCHEDULED, "FailedScheduling"),
    (EVICTED, "Evicted"),
];
const UNSCHEDULED: usize = 7;
const EVICTED: usize = 8;
const STARVED: usize = 9;

/// Objects beside those of `crashing` that all say `message`, each where another kind of writer writes.
pub fn telling(message: &str) -> Vec<Value> {
    let mut objects: Vec<Value> = (0..WAITING.len()).map(|number| waiting(number, message)).collect();
    objects.extend([unscheduled(message), evicted(message)]);
    for (number, (about, reason)) in EVENTS.iter().enumerate() {
        objects.push(event(number, reason, message, on_pod(*about)));
    }
    objects.extend(starved(message));
    // Each way by which a refusal to create pods is told.
    objects.extend(refused("api", Some(message), None));
    objects.extend(refused("desk", None, Some(message)));
    objects.extend(refused("cart", Some(QUOTA), None));
    objects.push(event(21, "FailedCreate", message, on_set("cart")));
    objects
}

/// A pod whose container waits, and mostly ended before.
pub fn waiting(number: usize, message: &str) -> Value {
    let mut ended = json!({"terminated": {"exitCode": 1, "reason": "Error", "message": message,
        "startedAt": "2026-03-01T10:00:08Z", "finishedAt": "2026-03-01T10:00:09Z"}});
    // What is still being set up has never run.
    let restarts = if WAITING[number] == "ContainerCreating" { 0 } else { number };
    if restarts == 0 {
        ended = json!({});
    }
    let status = json!({
        "phase": "Pending", "startTime": "2026-03-01T10:00:01Z",
        "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": message}],
        "containerStatuses": [{"name": "web", "ready": false, "restartCount": restarts, "lastState": ended,
            "state": {"waiting": {"reason": WAITING[number], "message": message}}}]});
    pod(number, "n1", status)
}

/// A pod for which there is no node.
pub fn unscheduled(message: &str) -> Value {
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
        "lastTransitionTime": "2026-03-01T10:00:01Z"});
    pod(UNSCHEDULED, "", json!({"phase": "Pending", "conditions": [condition]}))
}

/// A pod that was put out.
pub fn evicted(message: &str) -> Value {
    let target = json!({"type": "DisruptionTarget", "status": "True", "reason": message, "message": message});
    pod(EVICTED, "n1", json!({"phase": "Failed", "reason": "Evicted", "message": message, "conditions": [target]}))
}

/// A pod that was killed, and its node, which says that it had no memory left.
pub fn starved(message: &str) -> [Value; 3] {
    let killed = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled",
        "startedAt": "2026-03-01T10:00:02Z", "finishedAt": "2026-03-01T10:00:09Z"}});
    let waits = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}});
    let status = json!({"phase": "Running", "startTime": "2026-03-01T10:00:01Z",
        "containerStatuses": [{"name": "web", "ready": false, "restartCount": 3, "lastState": killed, "state": waits}]});
    let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": message, "message": message});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2", "uid": "node-2"},
        "spec": {"taints": [{"key": "team", "value": message, "effect": "NoSchedule"}]},
        "status": {"conditions": [condition("Ready"), condition("MemoryPressure")]}});
    [pod(STARVED, "n2", status), node, event(20, "SystemOOM", message, json!({"kind": "Node", "name": "n2"}))]
}

/// A Deployment for which no pod can be created, with its only ReplicaSet, and which of the two says why.
pub fn refused(name: &str, of_set: Option<&str>, of_workload: Option<&str>) -> [Value; 2] {
    let conditions = |message: Option<&str>| {
        let condition = |message| {
            json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message,
            "lastTransitionTime": "2026-03-01T10:00:02Z"})
        };
        message.map(condition).into_iter().collect::<Vec<_>>()
    };
    let meta = |name: &str, uid: &str| {
        json!({"name": name, "namespace": "shop", "uid": uid, "labels": {"app": name}, "generation": 1,
        "creationTimestamp": "2026-03-01T10:00:00Z", "annotations": {"deployment.kubernetes.io/revision": "1"}})
    };
    let template =
        json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "web", "image": "web:2"}]}});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(name, &format!("d-{name}")),
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template},
        "status": {"observedGeneration": 1, "replicas": 0, "conditions": conditions(of_workload)}});
    let mut set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta(&format!("{name}-1"), &format!("r-{name}")),
        "spec": {"replicas": 2, "template": template}, "status": {"replicas": 0, "conditions": conditions(of_set)}});
    set["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": format!("d-{name}"), "controller": true}]);
    [deployment, set]
}

/// The pod of that number, as events name it.
pub fn on_pod(number: usize) -> Value {
    json!({"kind": "Pod", "namespace": "shop", "name": format!("web-6d4cf56db6-f{number}"), "uid": format!("f-{number}"),
        "fieldPath": "spec.containers{web}"})
}

/// The ReplicaSet of a Deployment of `refused`, as events name it.
pub fn on_set(name: &str) -> Value {
    json!({"kind": "ReplicaSet", "namespace": "shop", "name": format!("{name}-1"), "uid": format!("r-{name}")})
}

fn pod(number: usize, node: &str, status: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-6d4cf56db6-f{number}"), "namespace": "shop", "uid": format!("f-{number}"),
            "creationTimestamp": "2026-03-01T10:00:00Z",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6d4cf56db6", "uid": "r-2", "controller": true}]},
        "spec": {"nodeName": node, "restartPolicy": "Always", "containers": [{"name": "web", "image": "web:2"}]},
        "status": status})
}

/// An event. Of some reasons only texts that begin as those of kubelets do are of interest.
pub fn event(number: usize, reason: &str, message: &str, about: Value) -> Value {
    let message = match reason {
        "Failed" => format!("Failed to pull image \"web:2\": {message}"),
        "BackOff" => format!("Back-off pulling image \"web:2\": ErrImagePull: {message}"),
        "Killing" => format!("Container web failed liveness probe: {message}"),
        _ => message.to_owned(),
    };
    json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": format!("e{number}"), "namespace": "shop"},
        "involvedObject": about, "reason": reason, "message": message, "count": number, "type": "Warning",
        "firstTimestamp": "2026-03-01T10:00:05Z", "lastTimestamp": "2026-03-01T10:00:09Z"})
}

/// What lies around the Deployment of `crashing`, with or without an endpoint that is ready, and what calls it.
pub fn around(serves: bool) -> Vec<Value> {
    yaml(&AROUND.replace("READY", if serves { "true" } else { "false" }))
}

/// Everything that is looked at when a failure is told, changed lately.
const AROUND: &str = include_str!("around.yaml");
