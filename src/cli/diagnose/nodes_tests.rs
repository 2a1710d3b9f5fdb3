//! What a diagnosis knows of the pods of others on the same nodes.

use serde_json::json;

use super::*;
use crate::engine::words::Fault;

/// A pod of a DaemonSet that has a node and no sandbox, and what its kubelet says about that.
fn hanging(maker: &str, node: &str) -> [Value; 2] {
    let name = format!("{maker}-x");
    let owner = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "name": maker, "uid": maker, "controller": true});
    let state = json!({"waiting": {"reason": "ContainerCreating"}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": "2026-03-01T10:00:00Z",
            "ownerReferences": [owner]},
        "spec": {"nodeName": node, "containers": [{"name": "app", "image": "x"}]},
        "status": {"phase": "Pending", "startTime": "2026-03-01T10:00:00Z",
            "conditions": [{"type": "PodReadyToStartContainers", "status": "False"}],
            "containerStatuses": [{"name": "app", "ready": false, "restartCount": 0, "state": state}]}});
    let event = json!({"apiVersion": "v1", "kind": "Event",
        "metadata": {"name": format!("{name}.1"), "namespace": "shop"},
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": name, "uid": name},
        "reason": "FailedMount", "type": "Warning", "count": 3,
        "message": "MountVolume.MountDevice failed for volume \"v\" : rpc error: no answer",
        "firstTimestamp": "2026-03-01T10:00:30Z", "lastTimestamp": "2026-03-01T10:05:00Z"});
    [pod, event]
}

fn document(objects: &[Value]) -> String {
    objects.iter().map(|object| format!("---\n{object}\n")).collect()
}

#[test]
fn pods_of_others_that_hang_on_the_same_node_speak_for_the_node() {
    let objects = [hanging("logs", "n1"), hanging("metrics", "n1"), hanging("traces", "n2")].concat();
    let answer = answer(&document(&objects));
    for name in ["logs", "metrics"] {
        let diagnosis = &found(&answer, name).diagnosis;
        assert_eq!(diagnosis.findings[0].fault, Fault::Platform, "{name}");
        let because = &diagnosis.verdict.as_ref().unwrap().because;
        assert_eq!(because, "pods of another workload hang on node n1 in the same way (VolumeMount)");
    }
    let alone = &found(&answer, "traces").diagnosis.verdict.as_ref().unwrap().because;
    assert!(!alone.contains("another workload"), "{alone}");
}

/// A pod that no node has room for, and what else there is: a node of 4 cores with a pod on it, and one with a taint.
fn full(asks: &str, taken: &str) -> String {
    let waits = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web-x", "namespace": "shop", "creationTimestamp": "2026-03-01T10:00:00Z"},
        "spec": {"containers": [{"name": "web", "image": "x", "resources": {"requests": {"cpu": asks, "memory": "1Gi"}}}]},
        "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "lastTransitionTime": "2026-03-01T10:00:00Z",
            "message": "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s)."}]}});
    let runs = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "ledger-y", "namespace": "bank", "creationTimestamp": "2026-03-01T10:30:00Z"},
        "spec": {"nodeName": "n1", "containers": [
            {"name": "web", "image": "x", "resources": {"requests": {"cpu": taken, "memory": "1536Mi"}}}]},
        "status": {"phase": "Running"}});
    let node = |name: &str, taints: Value| {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"taints": taints}, "status": {
            "allocatable": {"cpu": "4", "memory": "8Gi"}, "conditions": [{"type": "Ready", "status": "True"}]}})
    };
    let tainted = json!([{"key": "dedicated", "effect": "NoSchedule"}]);
    document(&[waits, runs, node("n1", Value::Null), node("n2", tainted)])
}

#[rstest]
#[case::full(
    "2",
    "3",
    "a pod asks for cpu 2 and memory 1Gi; no node has more than cpu 4 or memory 8Gi in all; free now, by the requests of 1 \
     pod in sight, are at most cpu 1 and memory 6656Mi on node n1; no node has room for it now: kubectl describe node n1"
)]
#[case::too_large(
    "5",
    "1",
    "a pod asks for cpu 5 and memory 1Gi; no node has more than cpu 4 or memory 8Gi in all; free now, by the requests of 1 \
     pod in sight, are at most cpu 3 and memory 6656Mi on node n1; see kubectl describe node n1"
)]
#[case::by_what_is_in_sight_there_is_room(
    "2",
    "1",
    "a pod asks for cpu 2 and memory 1Gi; no node has more than cpu 4 or memory 8Gi in all; free now, by the requests of 1 \
     pod in sight, are at most cpu 3 and memory 6656Mi on node n1; by that node n1 has room: kubectl describe node n1 shows \
     what else is there"
)]
fn what_is_free_is_told_next_to_what_a_pod_asks_for(#[case] asks: &str, #[case] taken: &str, #[case] text: &str) {
    let answer = answer(&full(asks, taken));
    let finding = &found(&answer, "web-x").diagnosis.findings[0];
    assert_eq!((finding.class, finding.cause), (Class::Pending, Cause::InsufficientResources));
    let note = finding.evidence.iter().find(|evidence| evidence.source == "nodes").unwrap();
    assert_eq!(note.text, text);
}
