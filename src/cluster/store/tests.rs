use kube::runtime::watcher::Event::{self, Apply, Delete, Init, InitApply, InitDone};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

const SOURCE: Source = Source(0);

fn object<T: DeserializeOwned>(text: &str, changes: &[(&str, Value)]) -> T {
    let mut object: Value = serde_json::from_str(text).unwrap();
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    serde_json::from_value(object).unwrap()
}

fn deployment(name: &str, uid: &str) -> SlimDeployment {
    let changes = [("/metadata/name", json!(name)), ("/metadata/uid", json!(uid))];
    object(include_str!("../testdata/deployment.json"), &changes)
}

fn replica_set(uid: &str, owner: &str) -> SlimReplicaSet {
    let owners =
        json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "n", "uid": owner, "controller": true}]);
    let changes = [("/metadata/uid", json!(uid)), ("/metadata/ownerReferences", owners)];
    object(include_str!("../testdata/replicaset.json"), &changes)
}

fn pod(uid: &str, owner: &str, changes: &[(&str, Value)]) -> SlimPod {
    let owners =
        json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "n", "uid": owner, "controller": true}]);
    let identity = [("/metadata/uid", json!(uid)), ("/metadata/ownerReferences", owners)];
    object(include_str!("../testdata/pod.json"), &[&identity, changes].concat())
}

fn node(name: &str, ready: &str) -> SlimNode {
    let conditions = json!([{"type": "Ready", "status": ready}]);
    let changes = [("/metadata/name", json!(name)), ("/status/conditions", conditions)];
    object(include_str!("../testdata/node.json"), &changes)
}

fn now() -> Timestamp {
    "2026-03-01T10:05:00Z".parse().unwrap()
}

fn apply<K: Stored>(stores: &Stores, event: Event<K>) -> Vec<String> {
    let keys = K::apply(stores, SOURCE, event, now());
    keys.iter().map(ToString::to_string).collect()
}

/// A store with one workload `shop/web` (`d1`), its ReplicaSet `r1` and its pod `p1`.
fn filled() -> Stores {
    let stores = Stores::default();
    assert_eq!(apply(&stores, Apply(deployment("web", "d1"))), ["shop/web"]);
    assert_eq!(apply(&stores, Apply(replica_set("r1", "d1"))), ["shop/web"]);
    assert_eq!(apply(&stores, Apply(pod("p1", "r1", &[]))), ["shop/web"]);
    stores
}

#[test]
fn a_workload_is_found_with_its_revisions_pods_and_nodes() {
    let stores = filled();
    apply(&stores, Apply(node("node-1", "True")));
    apply(&stores, Apply(node("node-2", "False")));
    apply(&stores, Apply(pod("p2", "r-of-another", &[])));
    let (workload, revisions, pods, nodes) = stores.workload(&WorkloadKey::new("shop", "web")).unwrap();
    assert_eq!(&*workload.uid, "d1");
    assert_eq!(revisions.iter().map(|revision| &*revision.uid).collect::<Vec<_>>(), ["r1"]);
    assert_eq!(pods.iter().map(|pod| &*pod.uid).collect::<Vec<_>>(), ["p1"]);
    assert_eq!(nodes.own.iter().map(|node| &*node.name).collect::<Vec<_>>(), ["node-1"]);
    assert_eq!((nodes.total, nodes.not_ready, nodes.unschedulable), (2, 1, 2));
    assert_eq!((nodes.largest_cpu, nodes.largest_memory), (1930, 3904 << 10));
    assert_eq!(stores.keys(), [WorkloadKey::new("shop", "web")]);
    assert_eq!(stores.counts(), Counts { workloads: 1, revisions: 1, pods: 2, nodes: 2 });
    assert_eq!(stores.labels(&WorkloadKey::new("shop", "web")).unwrap()["app"], "web");
    assert!(stores.workload(&WorkloadKey::new("shop", "other")).is_none());
}

#[test]
fn nodes_that_keep_pods_away_and_those_that_came_last_are_noted() {
    let stores = filled();
    let apply = |name: &str, changes: &[(&str, Value)]| {
        let identity = [("/metadata/name", json!(name)), ("/spec", json!({}))];
        let ready = [("/status/conditions", json!([{"type": "Ready", "status": "True"}]))];
        let node = object(include_str!("../testdata/node.json"), &[identity.as_slice(), &ready, changes].concat());
        apply::<SlimNode>(&stores, Apply(node));
    };
    for n in 10..30 {
        apply(&format!("old-{n}"), &[("/metadata/creationTimestamp", json!(format!("2025-01-{n}T00:00:00Z")))]);
        let taint = json!([{"key": "a", "effect": "NoSchedule", "timeAdded": format!("2026-01-{n}T00:00:00Z")}]);
        apply(&format!("shut-{n}"), &[("/spec", json!({"taints": taint}))]);
    }
    apply(
        "lost",
        &[(
            "/status/conditions",
            json!([{"type": "Ready", "status": "False", "lastTransitionTime": "2026-02-01T00:00:00Z"}]),
        )],
    );
    let noted: Vec<String> = stores.nodes().noted.iter().map(|node| node.name.to_string()).collect();
    assert_eq!(noted.len(), 24);
    assert_eq!((&*noted[0], &*noted[1], &*noted[15]), ("lost", "shut-29", "shut-15"));
    assert_eq!((&*noted[16], &*noted[23]), ("old-29", "old-22"));
}

#[test]
fn pods_that_come_before_their_replica_set_are_found_when_it_comes() {
    let stores = Stores::default();
    assert!(apply(&stores, Apply(pod("p1", "r1", &[]))).is_empty());
    assert!(apply(&stores, Apply(replica_set("r1", "d1"))).is_empty());
    assert_eq!(apply(&stores, Apply(deployment("web", "d1"))), ["shop/web"]);
    assert_eq!(stores.workload(&WorkloadKey::new("shop", "web")).unwrap().2.len(), 1);
}

#[test]
fn an_update_that_changes_no_fact_touches_nothing() {
    let stores = filled();
    let version = [("/metadata/resourceVersion", json!("9999"))];
    assert!(apply(&stores, Apply(pod("p1", "r1", &version))).is_empty());
    let mut same = deployment("web", "d1");
    same.metadata.resource_version = Some("9999".to_owned());
    assert!(apply(&stores, Apply(same)).is_empty());
    assert!(apply(&stores, Apply(replica_set("r1", "d1"))).is_empty());
}

#[test]
fn a_label_that_a_policy_may_select_by_touches_its_workload() {
    let stores = filled();
    let mut relabelled = deployment("web", "d1");
    relabelled.metadata.labels.get_or_insert_default().insert("tier".to_owned(), "front".to_owned());
    assert_eq!(apply(&stores, Apply(relabelled)), ["shop/web"]);
}

#[test]
fn a_pod_that_changes_or_goes_touches_its_workload() {
    let stores = filled();
    let restarted = [("/status/containerStatuses/0/restartCount", json!(3))];
    assert_eq!(apply(&stores, Apply(pod("p1", "r1", &restarted))), ["shop/web"]);
    let (.., pods, _) = stores.workload(&WorkloadKey::new("shop", "web")).unwrap();
    assert_eq!(pods[0].containers[2].restarts, 3);
    assert_eq!(pods[0].history.first_seen, Some(now()), "the history goes on");
    assert_eq!(apply(&stores, Delete(pod("p1", "r1", &[]))), ["shop/web"]);
    assert!(apply(&stores, Delete(pod("p1", "r1", &[]))).is_empty());
    assert!(stores.workload(&WorkloadKey::new("shop", "web")).unwrap().2.is_empty());
}

#[test]
fn a_pod_that_its_replica_set_released_is_dropped() {
    let stores = filled();
    assert_eq!(apply(&stores, Apply(pod("p1", "r1", &[("/metadata/ownerReferences", json!([]))]))), ["shop/web"]);
    assert_eq!(stores.counts().pods, 0);
}

#[test]
fn pods_of_other_kinds_of_owners_are_not_kept() {
    let stores = Stores::default();
    let owner = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j", "controller": true}]);
    apply(&stores, Apply(pod("p1", "r1", &[("/metadata/ownerReferences", owner)])));
    assert_eq!(stores.counts().pods, 0);
}

#[test]
fn a_relist_is_told_at_its_end_and_only_what_it_changed() {
    let stores = filled();
    apply(&stores, Apply(deployment("api", "d2")));
    apply(&stores, Apply(replica_set("r2", "d2")));
    apply(&stores, Apply(pod("p2", "r2", &[])));
    apply(&stores, Apply(pod("p3", "r2", &[])));

    assert!(apply(&stores, Init::<SlimPod>).is_empty());
    assert!(apply(&stores, InitApply(pod("p1", "r1", &[]))).is_empty());
    assert!(apply(&stores, InitApply(pod("p2", "r2", &[]))).is_empty());
    assert_eq!(stores.counts().pods, 3, "the view from before stays until the end");
    assert_eq!(apply(&stores, InitDone::<SlimPod>), ["shop/api"]);
    assert_eq!(stores.counts().pods, 2);
}

#[test]
fn a_workload_that_was_recreated_under_its_name_is_the_new_one() {
    let stores = filled();
    let mut recreated = deployment("web", "d9");
    recreated.metadata.creation_timestamp = Some("2026-04-01T00:00:00Z".parse::<Timestamp>().unwrap().into());
    assert_eq!(apply(&stores, Apply(recreated)), ["shop/web"]);
    let (workload, revisions, ..) = stores.workload(&WorkloadKey::new("shop", "web")).unwrap();
    assert_eq!((&*workload.uid, revisions.len()), ("d9", 0));
    // The deletion of the old one comes late and does not take the new one away.
    apply(&stores, Delete(deployment("web", "d1")));
    assert_eq!(&*stores.workload(&WorkloadKey::new("shop", "web")).unwrap().0.uid, "d9");
}

#[test]
fn a_workload_that_is_deleted_is_told_by_its_key() {
    let stores = filled();
    assert_eq!(apply(&stores, Delete(deployment("web", "d1"))), ["shop/web"]);
    assert!(stores.workload(&WorkloadKey::new("shop", "web")).is_none());
    assert!(stores.keys().is_empty());
}

#[test]
fn nodes_are_summed_up_as_they_come_and_go() {
    let stores = Stores::default();
    for event in [Init, InitApply(node("a", "True")), InitApply(node("b", "Unknown")), InitDone] {
        assert!(apply(&stores, event).is_empty());
    }
    assert_eq!((stores.nodes().total, stores.nodes().not_ready), (2, 1));
    apply(&stores, Apply(node("b", "True")));
    assert_eq!((stores.nodes().total, stores.nodes().not_ready), (2, 0));
    apply(&stores, Delete(node("a", "True")));
    assert_eq!(stores.nodes().total, 1);
}

/// What happens to pod `p<number>`: it comes or changes with so many restarts, moves to a revision, or goes.
#[derive(Clone, Debug)]
enum Step {
    Apply(u8, u8, u8),
    Delete(u8),
    Relist,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_u8, 0..3_u8, 0..3_u8).prop_map(|(pod, revision, restarts)| Step::Apply(pod, revision, restarts)),
        1 => (0..6_u8).prop_map(Step::Delete),
        1 => Just(Step::Relist),
    ]
}

proptest! {
    /// Whatever happens, in whatever order, the index holds exactly what the cluster holds, listed or watched.
    #[test]
    fn the_index_always_agrees_with_the_objects(steps in prop::collection::vec(step(), 1..40)) {
        let stores = filled();
        apply(&stores, Delete(pod("p1", "r1", &[])));
        (0..3).for_each(|number| drop(apply(&stores, Apply(replica_set(&format!("r{number}"), "d1")))));
        let mut truth = std::collections::BTreeMap::new();
        let make = |number: u8, (revision, restarts): (u8, u8)| {
            let restarts = [("/status/containerStatuses/0/restartCount", json!(restarts))];
            pod(&format!("p{number}"), &format!("r{revision}"), &restarts)
        };
        for step in steps {
            match step {
                Step::Apply(number, revision, restarts) => {
                    truth.insert(number, (revision, restarts));
                    apply(&stores, Apply(make(number, (revision, restarts))));
                }
                Step::Delete(number) => {
                    truth.remove(&number);
                    apply(&stores, Delete(make(number, (0, 0))));
                }
                Step::Relist => {
                    // One pod went while nobody watched.
                    truth.pop_first();
                    apply(&stores, Init::<SlimPod>);
                    truth.iter().for_each(|(number, state)| drop(apply(&stores, InitApply(make(*number, *state)))));
                    apply(&stores, InitDone::<SlimPod>);
                }
            }
            let (.., pods, _) = stores.workload(&WorkloadKey::new("shop", "web")).unwrap();
            let mut seen: Vec<_> = pods.iter().map(|pod| {
                (pod.uid.to_string(), pod.revision.to_string(), pod.containers[2].restarts)
            }).collect();
            seen.sort();
            let expected: Vec<_> = truth.iter().map(|(number, (revision, restarts))| {
                (format!("p{number}"), format!("r{revision}"), u32::from(*restarts))
            }).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
