//! What events add to the classes that have no tests of their own for it.

use std::sync::Arc;

use rstest::rstest;

use super::build::*;
use crate::engine::classify::{classify, notes};
use crate::engine::facts::{ContainerTemplate, EventFacts, NodeRoom, PodFacts, RoomFacts, Snapshot, Termination};
use crate::engine::words::{Cause, Class, Sureness};

const POD: &str = "uid-web-6d-x";
const BACK_OFF: &str = "Back-off pulling image \"127.0.0.1:5000/web:9\"";
const NOT_FOUND: &str = "Failed to pull image \"127.0.0.1:5000/web:9\": rpc error: code = NotFound desc = failed to pull and unpack image \"127.0.0.1:5000/web:9\": failed to resolve reference \"127.0.0.1:5000/web:9\": 127.0.0.1:5000/web:9: not found";

/// A note's source and text.
fn shown(s: &Snapshot, now: i64) -> Vec<(String, String)> {
    let symptoms = classify(s, at(now));
    notes(s, &symptoms[0], at(now)).into_iter().map(|note| (note.source, note.text)).collect()
}

#[test]
fn a_pull_whose_text_the_back_off_has_overwritten_is_told_by_its_event() {
    let waits = || only(pod([waiting("ImagePullBackOff", BACK_OFF)]));
    assert_eq!(single(&waits(), at(60)).cause, Cause::Unknown);
    let s = hearing(waits(), POD, [event("Failed", NOT_FOUND, 20)]);
    let symptom = single(&s, at(60));
    assert_eq!((symptom.cause, symptom.sureness), (Cause::ImageNotFound, Sureness::Definitive));
    assert_eq!(shown(&s, 60)[0].0, "pod/web-6d-x events[Failed]");
    let of_another_pod = hearing(waits(), "uid-web-6d-y", [event("Failed", NOT_FOUND, 20)]);
    assert_eq!(single(&of_another_pod, at(60)).cause, Cause::Unknown);
    let of_a_start = hearing(waits(), POD, [event("Failed", "Error: failed to start container: not found", 20)]);
    assert_eq!(single(&of_a_start, at(60)).cause, Cause::Unknown);
}

#[test]
fn what_the_status_says_of_a_pull_comes_before_its_event() {
    let s = only(pod([waiting("ErrImagePull", "unexpected status: 401 Unauthorized")]));
    let s = hearing(s, POD, [event("Failed", NOT_FOUND, 20)]);
    assert_eq!(single(&s, at(60)).cause, Cause::RegistryAuth);
}

#[test]
fn a_pull_secret_that_was_not_found_is_named_where_the_registry_refuses() {
    let missing = "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.";
    let refused = |message| {
        hearing(
            only(pod([waiting("ErrImagePull", message)])),
            POD,
            [event("FailedToRetrieveImagePullSecret", missing, 9)],
        )
    };
    assert_eq!(shown(&refused("unexpected status: 401 Unauthorized"), 60)[0].1, missing);
    assert_eq!(shown(&refused("web:9: not found"), 60), []);
    assert_eq!(single(&refused("something new"), at(60)).cause, Cause::RegistryAuth, "nothing else tells");
}

fn unscheduled(message: &str) -> PodFacts {
    let unscheduled = Some(condition(false, "Unschedulable", message, 3));
    PodFacts { node: None, started: None, sandbox_ready: None, unscheduled, ..pod([]) }
}

#[test]
fn the_schedulers_event_stands_in_for_a_condition_that_says_nothing() {
    let no_cpu = "0/3 nodes are available: 3 Insufficient cpu.";
    let s = hearing(only(unscheduled("")), POD, [event("FailedScheduling", no_cpu, 5)]);
    assert_eq!(single(&s, at(10)).cause, Cause::InsufficientResources);
    let unheard = PodFacts { unscheduled: None, ..unscheduled("") };
    assert_eq!(single(&only(unheard.clone()), at(10)).cause, Cause::NoScheduler);
    let s = hearing(only(unheard), POD, [event("FailedScheduling", no_cpu, 5)]);
    assert_eq!(single(&s, at(10)).cause, Cause::InsufficientResources);
}

#[test]
fn a_node_that_an_autoscaler_has_asked_for_is_waited_for() {
    let s = only(unscheduled("0/3 nodes are available: 3 Insufficient cpu."));
    assert_eq!(single(&s, at(10)).grace_seconds, 300);
    let s = hearing(s, POD, [event("TriggeredScaleUp", "pod triggered scale-up: [{pool 3->4 (max: 9)}]", 63)]);
    assert_eq!(single(&s, at(70)).grace_seconds, 360);
    assert_eq!(shown(&s, 70)[0].0, "pod/web-6d-x events[TriggeredScaleUp]");
}

#[rstest]
#[case::by_karpenter("Nominated", 603, 900)]
#[case::again_and_again("Nominated", 1203, 900)]
#[case::by_the_cluster_autoscaler("TriggeredScaleUp", 1203, 900)]
#[case::before_it_waited("Nominated", -60, 300)]
fn a_node_that_never_joins_is_not_waited_for_without_end(#[case] reason: &str, #[case] last: i64, #[case] grace: i64) {
    let s = only(unscheduled("0/3 nodes are available: 3 Insufficient cpu."));
    let s = hearing(s, POD, [event(reason, "Pod should schedule on: nodeclaim/default-x7k2p", last)]);
    assert_eq!(single(&s, at(1300)).grace_seconds, grace);
}

#[rstest]
#[case("3 Insufficient cpu.", 300)]
#[case("3 Too many pods.", 300)]
#[case("3 node(s) didn't match Pod's node affinity/selector.", 300)]
#[case("3 node(s) had untolerated taint(s).", 300)]
#[case("3 node(s) didn't match pod anti-affinity rules.", 300)]
#[case("3 node(s) had volume node affinity conflict.", 300)]
#[case::no_node_cures_it("pod has unbound immediate PersistentVolumeClaims.", 120)]
fn a_node_on_its_way_may_be_larger_or_of_another_kind(#[case] reasons: &str, #[case] grace: i64) {
    let mut s = only(unscheduled(&format!("0/3 nodes are available: {reasons}")));
    s.nodes.largest_cpu = 4000;
    let s = with_template(s, vec![ContainerTemplate { cpu_request: Some(8000), ..template("web") }]);
    assert!(single(&s, at(10)).grace_seconds <= 120);
    let s = hearing(s, POD, [event("Nominated", "Pod should schedule on: nodeclaim/default-x7k2p", 3)]);
    assert_eq!(single(&s, at(10)).grace_seconds, grace);
}

#[test]
fn what_a_pod_asks_for_is_shown_beside_what_nodes_have() {
    let mut s = only(unscheduled("0/2 nodes are available: 2 Insufficient cpu."));
    (s.nodes.largest_cpu, s.nodes.largest_memory) = (4000, 8 << 30);
    let greedy = ContainerTemplate { cpu_request: Some(4500), memory_request: Some(1 << 30), ..template("web") };
    let s = with_template(s, vec![greedy]);
    let text = "a pod asks for cpu 4500m and memory 1Gi; no node has more than cpu 4 or memory 8Gi in all";
    assert_eq!(shown(&s, 10), [("nodes".to_owned(), text.to_owned())]);
}

#[test]
fn what_is_free_is_shown_of_the_roomiest_nodes_and_beside_what_old_pods_keep() {
    let mut s = only(unscheduled("0/2 nodes are available: 2 Insufficient memory."));
    (s.nodes.largest_cpu, s.nodes.largest_memory) = (4000, 8 << 30);
    (s.workload.total_replicas, s.workload.updated_replicas, s.workload.max_surge) = (4, 1, 1);
    let node = |node, cpu, memory| NodeRoom { node: name(node), cpu, memory };
    let nodes = Box::new([node("n1", 2000, 1 << 30), node("n2", 500, 3 << 30), node("n3", 2000, 1 << 20)]);
    s.nodes.room = Some(Arc::new(RoomFacts { nodes, pods: 7, namespaces: 1 }));
    let web = ContainerTemplate { cpu_request: Some(1000), memory_request: Some(2 << 30), ..template("web") };
    let s = with_template(s, vec![web]);
    let text = "a pod asks for cpu 1 and memory 2Gi; no node has more than cpu 4 or memory 8Gi in all; free now, by the requests of \
                7 pods of one namespace in sight, are at most cpu 2 on node n1 and memory 3Gi on node n2; no node has room for it \
                now: kubectl describe node n2; the old pods keep theirs meanwhile (maxSurge 1)";
    assert_eq!(shown(&s, 10)[0].1, text);
}

#[test]
fn taints_are_told_with_what_they_stand_for() {
    let text = |message| shown(&only(unscheduled(message)), 10)[0].1.clone();
    assert_eq!(
        text(
            "0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}, 2 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }."
        ),
        "taint dedicated=gpu on 1 node; taint node.kubernetes.io/disk-pressure, which stands for a condition of the node, on 2 nodes"
    );
    assert!(text("0/3 nodes are available: 3 node(s) had untolerated taint(s).").contains("kubectl get nodes"));
}

#[test]
fn why_a_claim_is_not_bound_is_told_by_its_own_events() {
    let mut s = only(unscheduled("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."));
    Arc::make_mut(&mut s.revisions[1]).template.claims = Box::new([name("cache")]);
    let failed = event("ProvisioningFailed", "storageclass.storage.k8s.io \"fast\" not found", 5);
    let waits = event("ExternalProvisioning", "Waiting for a volume to be created", 8);
    let s = hearing(s, "claim/shop/cache", [failed, waits.clone()]);
    assert_eq!(single(&s, at(10)).cause, Cause::VolumeUnbound);
    let (source, text) = shown(&s, 10).remove(0);
    assert_eq!(source, "persistentvolumeclaim/cache events[ProvisioningFailed]");
    assert_eq!(text, "storageclass.storage.k8s.io \"fast\" not found");
    let s = hearing(s, "claim/shop/cache", [waits]);
    assert_eq!(shown(&s, 10)[0].0, "persistentvolumeclaim/cache events[ExternalProvisioning]");
    let s = hearing(s, "claim/bank/cache", [event("ProvisioningFailed", "of another namespace", 9)]);
    assert_eq!(shown(&s, 10)[0].0, "persistentvolumeclaim/cache events[ExternalProvisioning]");
}

#[test]
fn taints_that_the_scheduler_does_not_name_are_read_from_the_nodes() {
    let mut s = only(unscheduled("0/3 nodes are available: 3 node(s) had untolerated taint(s)."));
    s.nodes.taints = vec![(name("dedicated=gpu:NoSchedule"), 2), (name("team=a:NoExecute"), 1)];
    let text = "taints that the scheduler does not name on 3 nodes: nodes bear dedicated=gpu:NoSchedule on 2 nodes; team=a:NoExecute on 1 node";
    assert_eq!(shown(&s, 10)[0].1, text);
}

#[test]
fn what_there_are_no_figures_of_is_named_alone() {
    let text = |message| {
        let mut s = only(unscheduled(message));
        s.nodes.total = 3;
        shown(&s, 10)[0].1.clone()
    };
    assert_eq!(text("0/3 nodes are available: 3 Insufficient nvidia.com/gpu."), "too little nvidia.com/gpu on 3 nodes");
    let both = text("0/3 nodes are available: 1 Insufficient memory, 2 Insufficient ephemeral-storage.");
    assert!(both.ends_with("in all; too little memory on 1 node; ephemeral-storage on 2 nodes"), "{both}");
}

fn refused(events: impl IntoIterator<Item = EventFacts>) -> Snapshot {
    let mut s = snapshot([]);
    let revision = Arc::make_mut(&mut s.revisions[1]);
    revision.replicas = 0;
    let no_account =
        "pods \"web-6d-\" is forbidden: error looking up service account shop/web: serviceaccount \"web\" not found";
    revision.replica_failure = Some(condition(true, "FailedCreate", no_account, 10));
    hearing(s, NEW, events)
}

const QUOTA: &str = "Error creating: pods \"web-6d-x\" is forbidden: exceeded quota: team, requested: limits.cpu=2, used: limits.cpu=9, limited: limits.cpu=10";

#[test]
fn a_refusal_that_came_after_the_condition_is_the_present_one() {
    assert_eq!(single(&refused([]), at(60)).cause, Cause::ServiceAccountMissing);
    let s = refused([event("FailedCreate", QUOTA, 50)]);
    assert_eq!(single(&s, at(60)).cause, Cause::QuotaExceeded);
    let [_, numbers] = &*shown(&s, 60) else { panic!("the event and its numbers") };
    assert_eq!(numbers.0, "resourcequota/team");
    assert_eq!(numbers.1, "limits.cpu: 2 asked for, 1 left (9 of 10 used)");
    assert_eq!(single(&refused([event("FailedCreate", QUOTA, 5)]), at(60)).cause, Cause::ServiceAccountMissing);
}

#[test]
fn an_event_alone_refuses_nothing() {
    let mut s = refused([event("FailedCreate", QUOTA, 50)]);
    Arc::make_mut(&mut s.revisions[1]).replica_failure = None;
    assert_eq!(classify(&s, at(60)), []);
}

const SYSTEM_OOM: &str = "System OOM encountered, victim process: web, pid: 4711";

#[test]
fn a_node_that_ran_out_of_memory_says_so_at_the_time_of_the_kill() {
    let killed = |second| {
        let s = only(pod([looping(2, ended(137, "Error"))]));
        hearing(s, "n1", [event("SystemOOM", SYSTEM_OOM, second)])
    };
    let s = killed(8);
    assert_eq!(single(&s, at(20)).cause, Cause::NodeOutOfMemory);
    assert_eq!(shown(&s, 20)[0].0, "node/n1 events[SystemOOM]");
    assert_eq!(single(&killed(-300), at(20)).cause, Cause::Unknown);
    assert_eq!(single(&killed(60), at(70)).cause, Cause::Unknown);
}

#[test]
fn where_nodes_may_not_be_seen_their_loss_is_told_by_an_event() {
    let lost = |total, second, ready_since| {
        let mut s = only(PodFacts { ready_since: Some(at(ready_since)), ..pod([running(10)]) });
        s.nodes.total = total;
        s.nodes.own.clear();
        hearing(s, POD, [event("NodeNotReady", "Node is not ready", second)])
    };
    let class = |s: &Snapshot, now| single(s, at(now)).class;
    assert_eq!(class(&lost(0, 101, 100), 150), Class::NodeLost);
    assert_eq!(class(&lost(2, 101, 100), 150), Class::Unready, "nodes speak for themselves");
    assert_eq!(class(&lost(0, 101, 300), 350), Class::Unready, "it was ready since");
    assert_eq!(class(&lost(0, 101, 100), 800), Class::Unready, "long ago");
}

#[test]
fn an_unknown_cause_comes_with_what_was_looked_at_what_is_missing_and_the_next_command() {
    let s = only(pod([looping(2, ended(143, "Error"))]));
    let (source, text) = shown(&s, 20).remove(0);
    assert_eq!(source, "cause unknown");
    assert_eq!(
        text,
        "looked at how the container's run ended; missing: its events, which were not read (that takes the right to read \
         events); its log, which was not read (that takes the right to get pods/log and a node that answers); next: kubectl -n shop logs web-6d-x -c web --previous"
    );
    let heard = |events: Vec<EventFacts>| {
        shown(&hearing(only(pod([looping(2, ended(143, "Error"))])), POD, events), 20).remove(0).1
    };
    assert!(heard(Vec::new()).contains("its events, of which none that tells is left: they expire after an hour;"));
    let mut blind = hearing(only(pod([looping(2, ended(143, "Error"))])), POD, []);
    blind.events.of_nodes = false;
    let text = shown(&blind, 20).remove(0).1;
    assert!(text.contains("events of its node (no right to read events in namespace default);"), "{text}");
    let one = heard(vec![event("BackOff", "Back-off restarting failed container", 9)]);
    assert!(one.starts_with("looked at how the container's run ended, 1 event; missing: an event that tells"), "{one}");
}

#[test]
fn a_failure_after_the_rollout_was_complete_says_so() {
    let late = Termination { finished: Some(at(7400)), ..ended(1, "Error") };
    let mut s = only(pod([looping(2, late)]));
    s.workload.completed = Some(at(100));
    let [(source, text)] = &*shown(&s, 7500) else { panic!("one note") };
    assert_eq!(source, "deployment conditions[Progressing]");
    assert!(text.ends_with("; this began 2 h later"), "{text}");
    s.workload.completed = Some(at(7390));
    assert_eq!(shown(&s, 7500), [], "it broke at once");
    s.workload.completed = Some(at(-50));
    assert_eq!(shown(&s, 7500), [], "that was the rollout before");
}

#[test]
fn a_kubelet_that_knows_no_dns_server_is_told_where_a_name_does_not_resolve() {
    let shown = |message: &str| {
        let told = "kubelet does not have ClusterDNS IP configured and cannot create Pod using \"ClusterFirst\" policy. \
                    Falling back to \"Default\" policy.";
        let s = only(pod([looping(2, saying(ended(1, "Error"), message))]));
        let s = hearing(s, "uid-web-6d-x", [event("MissingClusterDNS", told, 4)]);
        let shown = notes(&s, &single(&s, at(20)), at(20));
        shown.into_iter().map(|note| note.source).collect::<Vec<_>>()
    };
    let unresolved = "panic: dial tcp: lookup orders on 10.0.0.2:53: no such host";
    assert_eq!(shown(unresolved), ["pod/web-6d-x events[MissingClusterDNS]"]);
    assert_eq!(shown("panic: runtime error: index out of range [3] with length 3"), [""; 0]);
}
