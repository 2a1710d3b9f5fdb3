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

/// A node that has been there and ready since long ago, but for `patch`.
fn node(name: &str, patch: &Value) -> Value {
    let mut node = json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"conditions": [ready("True", "2026-01-01T00:00:30Z")]}});
    json_patch::merge(&mut node, patch);
    node
}

fn ready(status: &str, since: &str) -> Value {
    json!({"type": "Ready", "status": status, "lastTransitionTime": since, "lastHeartbeatTime": "2026-03-01T10:30:00Z"})
}

fn became(status: &str, since: &str) -> Value {
    json!({"status": {"conditions": [ready(status, since)]}})
}

fn cordoned(since: &str) -> Value {
    let taint = json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": since});
    json!({"spec": {"unschedulable": true, "taints": [taint]}})
}

fn tainted(key: &str, since: Option<&str>) -> Value {
    let by = json!({"manager": "kubectl-taint", "time": since, "fieldsV1": {"f:spec": {"f:taints": {}}}});
    json!({"metadata": {"managedFields": [by]}, "spec": {"taints": [{"key": key, "effect": "NoSchedule"}]}})
}

/// A pod that has waited for a node since ten o'clock.
fn waiting(words: &str) -> Value {
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "lastTransitionTime": "2026-03-01T10:00:00Z", "message": words});
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web-x", "namespace": "shop", "creationTimestamp": "2026-03-01T10:00:00Z"},
        "spec": {"containers": [{"name": "web", "image": "x"}]},
        "status": {"phase": "Pending", "conditions": [condition]}})
}

/// What became of nodes, by which a `!` stands where it can be the cause.
fn told(name: &str, objects: &[Value]) -> Vec<String> {
    let answer = answer(&document(objects));
    let changes = &found(&answer, name).story.as_ref().unwrap().what_changed.changes;
    let line = |change: &crate::engine::change::Change| {
        let at = change.at.map_or("now".to_owned(), |at| at.strftime("%H:%M").to_string());
        format!("{}{}: {} {at}", if change.relevant { "!" } else { "" }, change.subject, change.text)
    };
    changes.iter().filter(|change| change.subject.starts_with("Node ")).map(line).collect()
}

const CORDONED: &str =
    "0/4 nodes are available: 1 node(s) were unschedulable, 3 node(s) had untolerated taint(s), 1 Preempted.";

#[test]
fn what_keeps_a_waiting_pod_away_comes_before_nodes_that_came() {
    let added = json!({"metadata": {"creationTimestamp": "2026-03-01T09:30:00Z"}, "status": {"conditions": [
        ready("True", "2026-03-01T09:58:00Z")]}});
    let objects = [
        waiting(CORDONED),
        node("n1", &added),
        node("n2", &cordoned("2026-03-01T09:50:00Z")),
        node("n3", &tainted("dedicated", Some("2026-03-01T09:40:00Z"))),
        node("n4", &became("False", "2026-03-01T09:20:00Z")),
        node("n5", &became("True", "2026-03-01T09:59:00Z")),
        node("n6", &cordoned("2026-03-01T08:50:00Z")),
    ];
    let expected = [
        "!Node n2: cordoned 09:50",
        "!Node n3: got the taint dedicated:NoSchedule 09:40",
        "!Node n4: became not ready 09:20",
        "Node n1: added and became ready 09:58",
    ];
    assert_eq!(told("web-x", &objects), expected);
}

const TAINTED: &str = "0/2 nodes are available: 2 node(s) had untolerated taint(s).";

#[rstest]
#[case::unnamed(
    TAINTED,
    "dedicated",
    None,
    Some("!Node n1: has the taint dedicated:NoSchedule; since when is not known now")
)]
#[case::named(
    "0/2 nodes are available: 2 node(s) had untolerated taint {dedicated: }.",
    "dedicated",
    None,
    Some("!Node n1: has the taint dedicated:NoSchedule; since when is not known now")
)]
#[case::another_is_named("0/2 nodes are available: 2 node(s) had untolerated taint {gpu: }.", "dedicated", None, None)]
#[case::of_a_role(TAINTED, "node-role.kubernetes.io/control-plane", None, None)]
#[case::long_ago(TAINTED, "dedicated", Some("2026-03-01T08:00:00Z"), None)]
#[case::another_cause(
    "0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 Insufficient cpu.",
    "dedicated",
    None,
    None
)]
fn a_taint_of_unknown_age_is_told_where_the_scheduler_means_it(
    #[case] words: &str,
    #[case] key: &str,
    #[case] since: Option<&str>,
    #[case] expected: Option<&str>,
) {
    let objects =
        [waiting(words), node("n1", &tainted(key, since)), node("n2", &became("True", "2026-03-01T09:59:00Z"))];
    assert_eq!(told("web-x", &objects), expected.into_iter().collect::<Vec<_>>());
}

#[test]
fn a_cordon_of_unknown_age_is_told_where_the_scheduler_means_it() {
    let unschedulable = json!({"spec": {"unschedulable": true}});
    let objects = [waiting(CORDONED), node("n1", &unschedulable)];
    assert_eq!(told("web-x", &objects), ["!Node n1: is cordoned; since when is not known now"]);
    assert!(told("web-x", &[waiting(TAINTED), node("n1", &unschedulable)]).is_empty());
}

#[test]
fn a_drained_fleet_does_not_hide_what_else_changed() {
    let mut objects = vec![waiting(CORDONED)];
    objects.extend((0..12).map(|n| node(&format!("n{n}"), &cordoned(&format!("2026-03-01T09:{}:00Z", 10 + n)))));
    let told = told("web-x", &objects);
    assert_eq!((told.len(), told[0].as_str()), (8, "!Node n11: cordoned 09:21"));
    let answer = answer(&document(&objects));
    assert_eq!(found(&answer, "web-x").story.as_ref().unwrap().what_changed.omitted, 4);
}

#[rstest]
#[case::ready(became("True", "2026-03-01T09:50:00Z"), "!Node n1: became ready 09:50")]
#[case::not_ready(became("Unknown", "2026-03-01T09:50:00Z"), "!Node n1: became not ready 09:50")]
#[case::pressure(
    json!({"status": {"conditions": [ready("True", "2026-01-01T00:00:30Z"), {"type": "DiskPressure", "status": "True"}]}}),
    "!Node n1: DiskPressure now"
)]
#[case::cordoned(cordoned("2026-03-01T09:55:00Z"), "Node n1: cordoned 09:55")]
#[case::tainted(
    tainted("dedicated", Some("2026-03-01T09:55:00Z")),
    "Node n1: got the taint dedicated:NoSchedule 09:55"
)]
fn of_a_pod_that_has_a_node_that_node_alone_is_told(#[case] patch: Value, #[case] expected: &str) {
    let [pod, event] = hanging("logs", "n1");
    let objects = [pod, event, node("n1", &patch), node("n2", &cordoned("2026-03-01T09:50:00Z"))];
    assert_eq!(told("logs", &objects), [expected]);
}
