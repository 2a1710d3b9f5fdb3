use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::cluster::slim::{SlimDeployment, SlimNode, SlimPod, SlimReplicaSet};
use crate::engine::facts::{ContainerState, ProbeFacts, ProbeKind};
use crate::engine::words::{Aspect, ContainerKind, GitOps};

const DEPLOYMENT: &str = include_str!("../testdata/deployment.json");
const REPLICA_SET: &str = include_str!("../testdata/replicaset.json");
const POD: &str = include_str!("../testdata/pod.json");
const NODE: &str = include_str!("../testdata/node.json");

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// `text` with one value set.
fn with<T: serde::de::DeserializeOwned>(text: &str, pointer: &str, value: Value) -> T {
    let mut object: Value = serde_json::from_str(text).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key] = value;
    serde_json::from_value(object).unwrap()
}

#[test]
fn facts_of_a_deployment_are_what_it_says() {
    let deployment: SlimDeployment = serde_json::from_str(DEPLOYMENT).unwrap();
    let facts = workload_facts(&deployment, &mut Interner::default()).unwrap();
    assert_eq!((&*facts.namespace, &*facts.name), ("shop", "web"));
    assert_eq!((facts.generation, facts.observed_generation), (12, 12));
    assert_eq!((facts.replicas, facts.updated_replicas, facts.ready_replicas), (4, 4, 3));
    assert_eq!((facts.available_replicas, facts.total_replicas), (3, 4));
    assert_eq!((facts.max_surge, facts.max_unavailable, facts.recreate), (1, 1, false));
    assert_eq!(facts.progress_deadline_seconds, Some(600));
    assert_eq!(facts.revision, Some(7));
    assert_eq!(facts.completed, Some(at("2026-03-01T10:01:00Z")));
    assert!(facts.available.unwrap().status);
    assert_eq!(facts.gitops, Some(GitOps::FluxHelm));
    assert_eq!(facts.owned_by, None);
    assert_eq!(facts.paused_for.as_deref(), Some("web-4-1"));
    assert!(!facts.paused && !facts.deleting && !facts.opted_out);
}

#[test]
fn only_labels_that_the_rules_about_its_place_select_by_place_a_pod() {
    let placing = |spec: &Value, labels: Value| {
        let mut set: Value = serde_json::from_str(REPLICA_SET).unwrap();
        let template = &mut set["spec"]["template"];
        template["metadata"]["labels"] = labels;
        spec.as_object().unwrap().iter().for_each(|(key, value)| template["spec"][key] = value.clone());
        revision_facts(&serde_json::from_value(set).unwrap(), &mut Interner::default()).unwrap().template.placing
    };
    let labels = |version: &str, zone: &str| json!({"app": "web", "version": version, "zone": zone});
    let term = |selector: Value| {
        json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector}]}}})
    };
    let spread = |rule: Value| json!({"topologySpreadConstraints": [rule]});
    for by_zone in [
        term(json!({"matchLabels": {"zone": "a"}})),
        term(json!({"matchExpressions": [{"key": "zone", "operator": "Exists"}]})),
        spread(json!({"labelSelector": {"matchLabels": {"app": "web"}}, "matchLabelKeys": ["zone"]})),
    ] {
        assert_eq!(placing(&by_zone, labels("1", "a")), placing(&by_zone, labels("2", "a")), "{by_zone}");
        assert_ne!(placing(&by_zone, labels("1", "a")), placing(&by_zone, labels("1", "b")), "{by_zone}");
    }
    assert_eq!(placing(&json!({"affinity": null}), labels("1", "a")), 0);
}

#[test]
fn the_memory_that_a_pod_gives_a_container_is_read_and_nonsense_is_none() {
    let given = |resources: Value| {
        let pod: SlimPod = with(POD, "/spec/containers/0/resources", resources);
        pod_facts(&pod, &mut Interner::default()).unwrap().containers.iter().find_map(|c| c.memory_limit).map(u64::from)
    };
    assert_eq!(given(json!({"limits": {"memory": "32Mi", "cpu": "1"}})), Some(32 << 20));
    for nothing in [json!(null), json!({}), json!({"limits": null}), json!({"limits": {"memory": "lots"}})] {
        assert_eq!(given(nothing.clone()), None, "{nothing}");
    }
}

#[test]
fn the_largest_progress_deadline_is_none() {
    let deployment: SlimDeployment = with(DEPLOYMENT, "/spec/progressDeadlineSeconds", json!(i32::MAX));
    assert_eq!(workload_facts(&deployment, &mut Interner::default()).unwrap().progress_deadline_seconds, None);
}

#[test]
fn only_the_word_true_opts_out() {
    for (value, opted_out) in [("true", true), ("false", false), ("yes", false), ("", false)] {
        let annotations = json!({"backstay.dev/ignore": value, "nonsense": "", "/": "/"});
        let deployment: SlimDeployment = with(DEPLOYMENT, "/metadata/annotations", annotations);
        assert_eq!(workload_facts(&deployment, &mut Interner::default()).unwrap().opted_out, opted_out, "{value}");
    }
}

#[test]
fn facts_of_a_replica_set_are_what_it_says() {
    let set: SlimReplicaSet = serde_json::from_str(REPLICA_SET).unwrap();
    let facts = revision_facts(&set, &mut Interner::default()).unwrap();
    assert_eq!((&*facts.hash, facts.number, facts.desired, facts.ready), ("6d4cf56db6", 7, 4, 3));
    assert!(facts.replica_failure.unwrap().message.contains("exceeded quota"));

    let containers = &facts.template.containers;
    let named: Vec<_> = containers.iter().map(|container| (&*container.name, container.kind)).collect();
    let expected = [("migrate", ContainerKind::Init), ("proxy", ContainerKind::Sidecar), ("web", ContainerKind::App)];
    assert_eq!(named, expected);
    let web = &containers[2];
    assert_eq!((web.memory_limit, web.memory_request, web.cpu_request), (Some(128 << 20), Some(64 << 20), Some(250)));
    let readiness = ProbeFacts {
        kind: ProbeKind::Http,
        initial_delay_seconds: 5,
        period_seconds: 4,
        timeout_seconds: 3,
        failure_threshold: 2,
        success_threshold: 1,
    };
    assert_eq!(web.readiness, Some(readiness));
    assert_eq!(web.startup.unwrap().kind, ProbeKind::Exec);
    assert_eq!(containers[1].cpu_request, Some(100), "a limit is also the request");
    assert_eq!((containers[1].cpu_limit, web.devices.len()), (Some(100), 0));
}

#[test]
fn devices_are_what_is_limited_by_a_name_with_a_domain() {
    let limits =
        json!({"cpu": "2", "memory": "1Gi", "example.com/gpu": "2", "example.com/odd": "x", "hugepages-2Mi": "4Mi"});
    let set: SlimReplicaSet =
        with(REPLICA_SET, "/spec/template/spec/containers/0/resources", json!({"limits": limits}));
    let web = &revision_facts(&set, &mut Interner::default()).unwrap().template.containers[2];
    assert_eq!((web.cpu_limit, &*web.devices), (Some(2000), &[("example.com/gpu".into(), 2)][..]));
}

#[test]
fn a_probe_that_says_little_has_the_defaults_of_the_api_server() {
    let probe = json!({"tcpSocket": {"port": 1}, "periodSeconds": 0});
    let set: SlimReplicaSet = with(REPLICA_SET, "/spec/template/spec/containers/0/livenessProbe", probe);
    let facts = revision_facts(&set, &mut Interner::default()).unwrap();
    let liveness = facts.template.containers[2].liveness.unwrap();
    assert_eq!(liveness.kind, ProbeKind::Tcp);
    assert_eq!((liveness.initial_delay_seconds, liveness.period_seconds, liveness.timeout_seconds), (0, 10, 1));
    assert_eq!((liveness.failure_threshold, liveness.success_threshold), (3, 1));
}

#[test]
fn a_change_shows_in_its_aspect_and_in_no_other() {
    let base = revision_facts(&serde_json::from_str(REPLICA_SET).unwrap(), &mut Interner::default()).unwrap();
    let container = "/spec/template/spec/containers/0";
    let pod = "/spec/template/spec";
    let cases = [
        (format!("{container}/image"), json!("127.0.0.1:5000/web:2"), true, Aspect::Image),
        (format!("{container}/env"), json!([]), true, Aspect::Environment),
        (format!("{container}/args"), json!(["x"]), true, Aspect::Command),
        (format!("{container}/volumeMounts"), json!(null), true, Aspect::Volumes),
        (format!("{container}/ports"), json!([]), true, Aspect::Ports),
        (format!("{container}/lifecycle"), json!({"preStop": {"sleep": {"seconds": 1}}}), true, Aspect::Lifecycle),
        (format!("{pod}/volumes"), json!([]), false, Aspect::Volumes),
        (format!("{pod}/nodeSelector"), json!({"disk": "fast"}), false, Aspect::Scheduling),
        (format!("{pod}/serviceAccountName"), json!("root"), false, Aspect::ServiceAccount),
        (format!("{pod}/imagePullSecrets"), json!([{"name": "pull"}]), false, Aspect::PullSecrets),
        (format!("{pod}/hostAliases"), json!([{"ip": "127.0.0.1"}]), false, Aspect::Other),
        ("/spec/template/metadata/labels/tier".to_owned(), json!("back"), false, Aspect::Metadata),
    ];
    for (pointer, value, of_container, aspect) in cases {
        let facts = revision_facts(&with(REPLICA_SET, &pointer, value), &mut Interner::default()).unwrap();
        let (pod, web) = (&facts.template.aspects, &facts.template.containers[2].aspects);
        let (base_pod, base_web) = (&base.template.aspects, &base.template.containers[2].aspects);
        let (pod_diff, web_diff) = (differing(base_pod, pod), differing(base_web, web));
        let (expected_pod, expected_web) = if of_container { (vec![], vec![aspect]) } else { (vec![aspect], vec![]) };
        assert_eq!((pod_diff, web_diff), (expected_pod, expected_web), "{pointer}");
    }
}

fn differing(left: &[(Aspect, u64)], right: &[(Aspect, u64)]) -> Vec<Aspect> {
    assert!(right.is_sorted());
    let missing = |of: &[(Aspect, u64)], from: &[(Aspect, u64)]| {
        of.iter().filter(|entry| !from.contains(entry)).map(|(aspect, _)| *aspect).collect::<Vec<_>>()
    };
    let mut differing = [missing(left, right), missing(right, left)].concat();
    differing.sort();
    differing.dedup();
    differing
}

#[test]
fn facts_of_a_pod_are_what_it_says() {
    let pod: SlimPod = serde_json::from_str(POD).unwrap();
    let facts = pod_facts(&pod, &mut Interner::default()).unwrap();
    assert_eq!(&*facts.revision, "5b1f0a44-1111-4222-8333-000000000002");
    assert_eq!(facts.node.as_deref(), Some("node-1"));
    assert_eq!(facts.started, Some(at("2026-03-01T10:00:02Z")));
    assert_eq!((facts.ready, facts.ready_since), (false, Some(at("2026-03-01T10:00:20Z"))));
    assert_eq!(facts.ready_reason.as_deref(), Some("ContainersNotReady"));
    assert_eq!((facts.sandbox_ready, facts.unscheduled, facts.disruption), (Some(true), None, None));
    assert!(!facts.finished && !facts.deleting);

    let [migrate, proxy, web] = &*facts.containers else { panic!("{:?}", facts.containers) };
    let ContainerState::Terminated(completed) = &migrate.state else { panic!("{:?}", migrate.state) };
    assert_eq!((migrate.kind, completed.exit_code, &*completed.reason), (ContainerKind::Init, 0, "Completed"));
    assert_eq!((proxy.kind, proxy.started), (ContainerKind::Sidecar, true));
    assert_eq!(proxy.state, ContainerState::Running { since: at("2026-03-01T10:00:05Z") });
    assert_eq!((web.kind, web.restarts, web.ready), (ContainerKind::App, 2, false));
    let ContainerState::Waiting { reason, message } = &web.state else { panic!("{:?}", web.state) };
    assert_eq!(&**reason, "CrashLoopBackOff");
    assert!(message.starts_with("back-off 20s"));
    let last = web.last.as_ref().unwrap();
    assert_eq!((last.exit_code, &*last.reason), (137, "OOMKilled"));
}

#[test]
fn a_start_at_the_epoch_is_no_start() {
    let ended = json!({"terminated": {"exitCode": 128, "reason": "StartError",
        "startedAt": "1970-01-01T00:00:00Z", "finishedAt": "2026-03-01T10:00:20Z"}});
    let pod: SlimPod = with(POD, "/status/containerStatuses/0/lastState", ended);
    let facts = pod_facts(&pod, &mut Interner::default()).unwrap();
    let last = facts.containers[2].last.as_ref().unwrap();
    assert_eq!((last.started, last.finished), (None, Some(at("2026-03-01T10:00:20Z"))));
}

#[test]
fn a_pod_that_waits_for_a_node_has_containers_without_a_state() {
    let status = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient memory."}]});
    let pod: SlimPod = with(POD, "/status", status);
    let facts = pod_facts(&pod, &mut Interner::default()).unwrap();
    let unscheduled = facts.unscheduled.unwrap();
    assert_eq!((&*unscheduled.reason, unscheduled.status), ("Unschedulable", false));
    assert_eq!(unscheduled.since, at("2026-03-01T10:00:01Z"), "not older than the pod");
    assert!(facts.containers.iter().all(|container| container.state == ContainerState::Unknown));
}

#[test]
fn an_evicted_pod_says_why() {
    let status = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory.",
        "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}]});
    let facts = pod_facts(&with(POD, "/status", status), &mut Interner::default()).unwrap();
    assert_eq!((facts.finished, facts.reason.as_deref()), (true, Some("Evicted")));
    assert_eq!(facts.disruption.as_deref(), Some("TerminationByKubelet"));
}

#[test]
fn pods_of_other_owners_belong_to_no_revision() {
    let owner = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "1", "controller": true}]);
    let pod: SlimPod = with(POD, "/metadata/ownerReferences", owner);
    assert_eq!(pod.revision(), None);
    assert_eq!(&*pod_facts(&pod, &mut Interner::default()).unwrap().revision, "");
}

#[test]
fn facts_of_a_node_are_what_it_says() {
    let facts = node_facts(&serde_json::from_str(NODE).unwrap(), &mut Interner::default()).unwrap();
    assert_eq!((&*facts.name, facts.ready, facts.unschedulable), ("node-1", false, true));
    assert_eq!(facts.pressure.iter().map(|kind| &**kind).collect::<Vec<_>>(), ["DiskPressure"]);
    assert_eq!(facts.created, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!((facts.allocatable_cpu, facts.allocatable_memory), (1930, 3904 << 10));
}

/// A hostile variant of a real object: some value anywhere in it replaced.
fn damaged(text: &'static str) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!([])),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "\\PC{0,20}|[0-9]{0,40}%?|(?s).{0,20}".prop_map(Value::from),
    ];
    let base: Value = serde_json::from_str(text).unwrap();
    prop::collection::vec((any::<prop::sample::Index>(), leaf), 1..4).prop_map(move |changes| {
        let mut object = base.clone();
        for (index, value) in changes {
            let count = nodes(&mut object, &mut |_| ());
            let target = index.index(count);
            let mut seen = 0;
            nodes(&mut object, &mut |node| {
                if seen == target {
                    *node = value.clone();
                }
                seen += 1;
            });
        }
        object
    })
}

/// Calls `visit` on every value of a tree, the tree's root last, and returns how many there are.
fn nodes(value: &mut Value, visit: &mut dyn FnMut(&mut Value)) -> usize {
    let below: usize = match value {
        Value::Array(list) => list.iter_mut().map(|item| nodes(item, visit)).sum(),
        Value::Object(map) => map.values_mut().map(|item| nodes(item, visit)).sum(),
        _ => 0,
    };
    visit(value);
    below + 1
}

proptest! {
    #[test]
    fn no_damaged_object_panics(
        deployment in damaged(DEPLOYMENT), set in damaged(REPLICA_SET), pod in damaged(POD), node in damaged(NODE)
    ) {
        let mut names = Interner::default();
        let _ = serde_json::from_value::<SlimDeployment>(deployment).map(|object| workload_facts(&object, &mut names));
        let _ = serde_json::from_value::<SlimReplicaSet>(set).map(|object| revision_facts(&object, &mut names));
        let _ = serde_json::from_value::<SlimPod>(pod).map(|object| pod_facts(&object, &mut names));
        let _ = serde_json::from_value::<SlimNode>(node).map(|object| node_facts(&object, &mut names));
    }
}
