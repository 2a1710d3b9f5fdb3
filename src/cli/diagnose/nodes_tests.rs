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
