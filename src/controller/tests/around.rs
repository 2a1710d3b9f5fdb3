//! What lies around a workload is read ahead of need, and neither its absence nor its slowness keeps anything from being
//! done.

use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use kube::runtime::watcher::Event;
use rstest::rstest;
use serde_json::{Value, json};

use super::memory::healthy;
use super::rig::{EVENTS, FAILING, OWN, Rig, WEB, actions, writes};
use super::server::{Call, Server, Strike};
use crate::api::incident::NodeSight;
use crate::engine::blast_radius::Effect;
use crate::engine::decision::Progress;
use crate::engine::words::{ActionKind, Severity};

const POD: &str = "/api/v1/namespaces/shop/pods/web-6d-a";
const NODE: &str = "/api/v1/nodes/n1";
const JOBS: &str = "/apis/batch/v1/namespaces/shop/jobs";
const SETTINGS: &str = "/api/v1/namespaces/shop/configmaps/settings";
const SERVICES: &str = "/api/v1/namespaces/shop/services";

/// The failing revision reads a ConfigMap, which is there.
fn with_settings(server: &mut Server) {
    server.edit(FAILING, |set| {
        set["spec"]["template"]["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    });
    server.put(SETTINGS, json!({"metadata": {"name": "settings", "creationTimestamp": "2026-01-01T00:00:00Z"}}));
}

/// The container of the new pod, and a policy of defaults.
fn shows(server: &mut Server, restarts: u32, state: &Value, last: &Value) {
    server.edit(&format!("{OWN}/incidentpolicies/web"), |policy| drop(policy["spec"]["rules"].take()));
    server.edit(POD, |pod| {
        pod["metadata"]["creationTimestamp"] = json!(now());
        pod["status"]["containerStatuses"] = json!([{
            "name": "web", "ready": false, "started": false, "restartCount": restarts, "state": state, "lastState": last,
        }]);
    });
}

fn without_image(server: &mut Server) {
    with_settings(server);
    let message = "failed to resolve reference \"docker.io/library/web:2\": docker.io/library/web:2: not found";
    shows(server, 0, &json!({"waiting": {"reason": "ErrImagePull", "message": message}}), &json!({}));
}

fn now() -> String {
    Timestamp::now().to_string()
}

/// When something was asked, counted in calls.
fn when(calls: &[Call], method: &Method, path: &str) -> Option<usize> {
    calls.iter().position(|call| call.method == *method && call.path == path)
}

fn reads(calls: &[Call]) -> Vec<&str> {
    calls.iter().filter(|call| call.method == Method::GET).map(|call| call.path.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_never_ran_is_rolled_back_before_anything_around_is_known() {
    let rig = Rig::changed(without_image).await;
    rig.server().strike(Method::GET, JOBS, 1, Strike::Late(1));
    assert!(rig.settles().await.is_empty());
    let calls = rig.calls();
    let (acted, known) = (when(&calls, &Method::PATCH, WEB), when(&calls, &Method::GET, SETTINGS));
    assert!(acted.is_some() && known.is_some() && acted < known, "{acted:?} {known:?} {calls:?}");
    let status = rig.incident().status.unwrap();
    let what = status.what_changed.expect("told all the same, once it is known");
    assert!(what.changes.iter().any(|change| change.text.contains("image web: 1 → 2")), "{what:?}");
}

#[tokio::test(start_paused = true)]
async fn what_ran_may_have_done_what_nobody_can_undo_so_that_is_looked_at_first() {
    let rig = Rig::changed(with_settings).await;
    rig.server().strike(Method::GET, JOBS, 1, Strike::Late(1));
    assert!(rig.settles().await.is_empty());
    let calls = rig.calls();
    let (acted, known) = (when(&calls, &Method::PATCH, WEB), when(&calls, &Method::GET, SETTINGS));
    assert!(known.is_some() && known < acted, "{acted:?} {known:?} {calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_migration_turns_a_roll_back_into_a_freeze() {
    let rig = Rig::changed(|server| {
        let now = now();
        let job = json!({
            "metadata": {"name": "web-migrate", "namespace": "shop", "creationTimestamp": now},
            "spec": {"template": {"spec": {"containers": [{"name": "run", "image": "web:2"}]}}},
            "status": {"startTime": now, "succeeded": 1},
        });
        server.put(JOBS, json!({"kind": "JobList", "apiVersion": "batch/v1", "metadata": {}, "items": [job]}));
    })
    .await;
    rig.settles().await;
    let calls = rig.calls();
    let [action] = actions(&calls)[..] else { panic!("{:?}", writes(&calls)) };
    let paused = action.body.as_array().unwrap().iter().any(|op| op["path"] == "/spec/paused" && op["value"] == true);
    assert!(paused, "{}", action.body);
    assert!(rig.incident().spec.opened.why.contains("web-migrate"), "{}", rig.incident().spec.opened.why);
}

#[rstest]
#[case::forbidden(Strike::Refuse(403), &["jobs (no right", "services (no right"])]
#[case::failing(Strike::Refuse(500), &["jobs", "services"])]
#[case::busy(Strike::Busy(429, 60), &["jobs", "services"])]
#[case::silent(Strike::Silence, &["the templates", "Services"])]
#[case::broken(Strike::Break, &["jobs", "services"])]
#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_the_reads_the_action_comes_and_the_record_says_what_was_not_seen(
    #[case] strike: Strike,
    #[case] unseen: &[&str],
) {
    let rig = Rig::changed(with_settings).await;
    for path in [JOBS, SETTINGS, SERVICES, "/ingresses", "/resourcequotas", "/networkpolicies", "/endpointslices"] {
        rig.server().strike_all(Method::GET, path, strike);
    }
    assert!(rig.settles().await.is_empty(), "no read that fails is an error of the look");
    let calls = rig.calls();
    let incident = format!("{OWN}/incidents/{}", rig.incident().metadata.name.unwrap());
    assert_eq!(
        writes(&calls),
        [
            format!("POST {OWN}/incidents"),
            format!("PATCH {WEB}"),
            format!("PATCH {incident}/status"),
            format!("POST {EVENTS}"),
        ]
    );
    let status = rig.incident().status.unwrap();
    assert_eq!(status.actions.iter().map(|a| a.kind).collect::<Vec<_>>(), [ActionKind::RollBack]);
    let gaps = [status.what_changed.unwrap().not_looked_at, status.blast_radius.unwrap().not_looked_at].concat();
    for kind in unseen {
        assert!(gaps.iter().any(|gap| gap.starts_with(kind)), "{kind} among {gaps:?}");
    }
    // Told once, however much is missing.
    rig.settles().await;
    assert_eq!(reads(&rig.calls()), [""; 0]);
}

/// A Service of the workload, and its endpoints.
fn with_service(server: &mut Server) {
    let list = |kind: &str, items: Value| json!({"kind": kind, "apiVersion": "v1", "metadata": {}, "items": items});
    server.put(
        SERVICES,
        list("ServiceList", json!([{"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}}}])),
    );
    let ready = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": true}, "targetRef": {"uid": "web-59-a"}});
    let also = json!({"addresses": ["10.0.0.2"], "conditions": {"ready": true}, "targetRef": {"uid": "web-59-b"}});
    let slice = json!({"metadata": {"labels": {"kubernetes.io/service-name": "web"}}, "endpoints": [ready, also]});
    server.put(SLICES, list("EndpointSliceList", json!([slice])));
}

const SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices";

#[rstest]
#[case::seen(None, Some(2))]
#[case::forbidden(Some(Strike::Refuse(403)), None)]
#[case::silent(Some(Strike::Silence), None)]
#[tokio::test(start_paused = true)]
async fn endpoints_that_cannot_be_read_are_no_outage(#[case] strike: Option<Strike>, #[case] ready: Option<u32>) {
    let rig = Rig::changed(with_service).await;
    if let Some(strike) = strike {
        rig.server().strike_all(Method::GET, "/endpointslices", strike);
    }
    assert!(rig.settles().await.is_empty());
    let status = rig.incident().status.unwrap();
    let blast = status.blast_radius.unwrap();
    assert_eq!((blast.effect, blast.services[0].ready), (Effect::Unharmed, ready), "{blast:?}");
    // What the rule of the policy says is the least.
    assert_eq!(status.severity, Some(Severity::Warning));
}

#[tokio::test(start_paused = true)]
async fn callers_of_a_dead_service_are_looked_for_as_far_as_the_chart_gives_the_right_to() {
    let rig = Rig::changed(|server| {
        with_service(server);
        let mut slices = server.get(SLICES).unwrap().clone();
        for endpoint in slices["items"][0]["endpoints"].as_array_mut().unwrap() {
            endpoint["conditions"]["ready"] = json!(false);
        }
        server.put(SLICES, slices);
        let calls = json!({"containers": [{"name": "c", "env": [{"name": "WEB_URL", "value": "http://web:80"}]}]});
        let job = json!({"metadata": {"name": "seed", "namespace": "shop"}, "spec": {"template": {"spec": calls}}});
        let jobs = json!({"kind": "JobList", "apiVersion": "batch/v1", "metadata": {}, "items": [job]});
        server.put("/apis/batch/v1/jobs", jobs.clone());
        server.put(JOBS, jobs);
    })
    .await;
    rig.settles().await;
    let blast = rig.incident().status.unwrap().blast_radius.unwrap();
    assert_eq!(blast.dependents.iter().map(|of| &*of.workload).collect::<Vec<_>>(), ["Job seed"], "{blast:?}");
    let unsearched = "DaemonSets and single pods that may call a dead Service (not to be looked at)";
    assert!(blast.not_looked_at.iter().any(|gap| gap == unsearched), "{:?}", blast.not_looked_at);
    let calls = rig.calls();
    let asked = |plural: &str| reads(&calls).iter().any(|path| path.ends_with(plural));
    assert!(asked("/statefulsets") && asked("/cronjobs"), "{:?}", reads(&calls));
    assert!(!asked("/daemonsets") && !asked("/pods"), "{:?}", reads(&calls));
}

#[tokio::test(start_paused = true)]
async fn the_severity_is_that_of_the_blast_radius_where_nobody_wrote_a_rule() {
    let rig = Rig::changed(|server| {
        with_service(server);
        server.edit(&format!("{OWN}/incidentpolicies/web"), |policy| drop(policy["spec"]["rules"].take()));
    })
    .await;
    rig.settles().await;
    let incident = rig.incident();
    assert_eq!(incident.spec.opened.severity, Severity::Critical, "the built-in rule's");
    assert_eq!(incident.status.unwrap().severity, Some(Severity::Info), "nothing that serves was lost");
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_is_held_becomes_more_urgent_when_it_becomes_an_outage() {
    let rig = Rig::changed(|server| {
        server.edit(&format!("{OWN}/incidentpolicies/web"), |policy| {
            policy["spec"].as_object_mut().unwrap().remove("rules");
            policy["spec"]["guards"] = json!({"approval": "Always"});
        });
    })
    .await;
    rig.settles().await;
    let status = rig.incident().status.unwrap();
    assert_eq!((status.progress, status.severity), (Some(Progress::Held), Some(Severity::Info)), "{status:?}");
    let held = rig.server().all("events").into_iter().find(|event| event["reason"] == "Held").unwrap();
    let note = held["note"].as_str().unwrap();
    assert!(note.contains("CrashLoopBackOff/ApplicationError, fault Revision"), "{note}");
    for pod in ["web-59-a", "web-59-b"] {
        rig.server().edit(&format!("/api/v1/namespaces/shop/pods/{pod}"), |pod| {
            pod["status"]["conditions"][0]["status"] = json!("False");
            pod["status"]["containerStatuses"][0]["ready"] = json!(false);
        });
    }
    rig.settles().await;
    let status = rig.incident().status.unwrap();
    let blast = status.blast_radius.as_ref().unwrap();
    assert_eq!((blast.effect, status.severity), (Effect::Outage, Some(Severity::Critical)), "{status:?}");
    assert!(status.timeline.iter().any(|entry| entry.what == "Outage"), "{:?}", status.timeline);
    rig.calls();
    rig.settles().await;
    assert_eq!(writes(&rig.calls()), [""; 0], "told once");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_after_the_action_leaves_the_story_to_the_next() {
    let rig = Rig::changed(with_service).await;
    rig.server().strike_all(Method::PATCH, "-1/status", Strike::Break);
    rig.sees();
    rig.look().await.expect_err("the record is not written");
    assert_eq!(actions(&rig.calls()).len(), 1);
    assert!(rig.incident().status.is_none());
    rig.server().calm();
    rig.rolls_out_baseline();
    let rig = rig.restarted().await;
    rig.settles().await;
    let status = rig.incident().status.unwrap();
    let what = status.what_changed.expect("what changed");
    assert_eq!(what.compared_with.as_deref(), Some("web-59"));
    assert!(what.changes.iter().any(|change| change.text.contains("image web: 1 → 2")), "{what:?}");
    let blast = status.blast_radius.expect("who suffers");
    assert_eq!((blast.replicas.ready, blast.replicas.failing), (2, 1), "as it was before the action");
}

#[tokio::test(start_paused = true)]
async fn the_incident_is_opened_with_all_that_was_known_before_the_action() {
    let rig = Rig::changed(with_settings).await;
    let about = json!({"kind": "Pod", "namespace": "shop", "name": "web-6d-a", "uid": "web-6d-a"});
    let event = json!({"metadata": {"name": "e1"}, "involvedObject": about, "reason": "Unhealthy",
        "message": "Readiness probe failed: password=hunter2", "count": 4, "firstTimestamp": now(), "lastTimestamp": now()});
    rig.ctx.hints.take(Event::Apply(serde_json::from_value(event).unwrap()), Timestamp::now());
    rig.settles().await;
    let calls = rig.calls();
    assert_eq!(writes(&calls).len(), 4, "no write more: {:?}", writes(&calls));
    let opened = rig.incident().spec.opened;
    assert!(opened.changes.iter().any(|change| change.text == "image web: 1 → 2"), "{:?}", opened.changes);
    assert_eq!(opened.replicas.map(|replicas| (replicas.desired, replicas.ready, replicas.failing)), Some((2, 2, 1)));
    let [event] = &opened.events[..] else { panic!("{:?}", opened.events) };
    assert_eq!((event.source.as_str(), event.count), ("pod/web-6d-a events[Unhealthy]", 4));
    assert!(!event.text.contains("hunter2"), "{event:?}");
}

#[tokio::test(start_paused = true)]
async fn the_incident_is_opened_with_what_the_node_of_a_failing_pod_says() {
    let rig = Rig::changed(|server| {
        let since = "2026-03-01T09:00:00Z";
        server.edit(NODE, |node| {
            node["spec"] = json!({"unschedulable": true});
            node["status"]["conditions"] = json!([
                {"type": "Ready", "status": "True", "lastTransitionTime": since, "message": "token=hunter2"},
                {"type": "DiskPressure", "status": "True", "lastTransitionTime": since},
                {"type": "MemoryPressure", "status": "False", "lastTransitionTime": since},
            ]);
        });
        let mut other = server.get(NODE).unwrap().clone();
        other["metadata"]["name"] = json!("n2");
        server.put("/api/v1/nodes/n2", other);
    })
    .await;
    rig.settles().await;
    let nodes = rig.incident().spec.opened.nodes;
    let told = NodeSight {
        name: "n1".to_owned(),
        ready: true,
        since: Some("2026-03-01T09:00:00Z".parse().unwrap()),
        unschedulable: true,
        pressure: vec!["DiskPressure".to_owned()],
    };
    assert_eq!(nodes, [told], "the node of the failing pod, and no other");
}

#[tokio::test(start_paused = true)]
async fn a_change_of_what_the_workload_calls_is_told() {
    let rig = Rig::changed(|server| {
        server.edit(FAILING, |set| {
            set["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "DB_HOST", "value": "db"}]);
        });
        let written = json!([{"manager": "kubectl-edit", "operation": "Update", "time": now(), "fieldsV1": {"f:spec": {}}}]);
        let meta = |name: &str| json!({"name": name, "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": written});
        let list = |kind: &str, item: Value| json!({"kind": kind, "apiVersion": "v1", "metadata": {}, "items": [item]});
        let db = json!({"metadata": meta("db"), "spec": {"selector": {"app": "db"}, "ports": [{"port": 5432, "targetPort": 6432}]}});
        server.put(SERVICES, list("ServiceList", db));
        let closed = json!({"metadata": meta("db"), "spec": {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"]}});
        let policies = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies";
        server.put(policies, list("NetworkPolicyList", closed));
    })
    .await;
    rig.settles().await;
    let changes = rig.incident().status.unwrap().what_changed.unwrap().changes;
    let text = |subject: &str| changes.iter().find(|change| change.subject == subject).map(|c| c.text.clone());
    let service = text("Service db").unwrap_or_else(|| panic!("{changes:?}"));
    assert_eq!(
        service,
        "changed; it now selects app=db and leads port 5432 to 6432; called by env DB_HOST of container web"
    );
    let policy = text("NetworkPolicy db").unwrap_or_else(|| panic!("{changes:?}"));
    assert!(
        policy.starts_with("changed; it now governs ingress by 0 rules; on what is called by env DB_HOST"),
        "{policy}"
    );
}

#[tokio::test(start_paused = true)]
async fn while_nothing_is_wrong_nothing_is_asked() {
    let rig = Rig::changed(healthy).await;
    rig.settles().await;
    rig.calls();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(600)).await;
        rig.settles().await;
        assert_eq!(reads(&rig.calls()), [""; 0]);
    }
}

#[rstest]
#[case::not_ready_yet(0, json!({}), 1)]
#[case::crashed_once(1, json!({"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": now()}}), 3)]
#[tokio::test(start_paused = true)]
async fn a_rollout_is_asked_about_once_and_again_only_while_evidence_gathers(
    #[case] restarts: u32,
    #[case] last: Value,
    #[case] asked: usize,
) {
    let rig = Rig::changed(|server| shows(server, restarts, &json!({"running": {"startedAt": now()}}), &last)).await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        assert!(rig.settles().await.is_empty());
        // Meanwhile what was asked is answered.
        tokio::time::sleep(Duration::from_secs(20)).await;
        calls.extend(rig.calls());
    }
    assert!(actions(&calls).is_empty(), "{:?}", writes(&calls));
    assert_eq!(reads(&calls).iter().filter(|path| **path == JOBS).count(), asked, "{:?}", reads(&calls));
}
