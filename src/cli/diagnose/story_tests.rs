//! What a diagnosis tells and knows of what lies around.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::engine::facts::Name;
use crate::engine::first_signal::{self, SignalKind};
use crate::engine::listen::{self, Wanted};
use crate::engine::rollout;
use crate::engine::words::{ActionKind, RefusalReason};

/// The crashing rollout with more objects beside it.
fn crashing_with(more: &[Value]) -> Answer {
    let more: Vec<String> = more.iter().map(|object| format!("---\n{object}\n")).collect();
    answer(&format!("{CRASHING}\n{}", more.join("")))
}

fn object(api: &str, kind: &str, name: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": api, "kind": kind,
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": "2026-02-01T11:00:00Z"}});
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    object
}

fn service(ready: bool) -> [Value; 2] {
    let endpoint = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "uid": "web-59-a"}});
    let mut slice = object("discovery.k8s.io/v1", "EndpointSlice", "web-x", json!({"endpoints": [endpoint]}));
    slice["metadata"]["labels"] = json!({"kubernetes.io/service-name": "web"});
    [object("v1", "Service", "web", json!({"spec": {"selector": {"app": "web"}}})), slice]
}

#[test]
fn what_changed_and_who_suffers_is_told_of_files() {
    let [service, slice] = service(false);
    let caller = json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [
        {"name": "report", "env": [{"name": "WEB_URL", "value": "http://web:80"}]}]}}}}}});
    let rule = json!({"host": "shop.example.com", "http": {"paths": [{"backend": {"service": {"name": "web"}}}]}});
    let answer = crashing_with(&[
        service,
        slice,
        object("batch/v1", "CronJob", "report", caller),
        object("networking.k8s.io/v1", "Ingress", "shop", json!({"spec": {"rules": [rule]}})),
        object(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "web",
            json!({
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 2},
            "status": {"desiredReplicas": 2}}),
        ),
        object(
            "policy/v1",
            "PodDisruptionBudget",
            "web",
            json!({
            "spec": {"selector": {"matchLabels": {"app": "web"}}},
            "status": {"disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 2}}),
        ),
    ]);
    let story = found(&answer, "web").story.as_ref().unwrap();
    let said: Vec<&str> = story.what_changed.changes.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(said, ["image web: 1 → 2"]);
    assert_eq!(story.what_changed.compared_with.as_deref(), Some("web-59"));
    assert_eq!(
        story.blast_radius.because,
        "Service web has no ready endpoint; 1 host leads to it; HorizontalPodAutoscaler web is at its maximum of 2"
    );
    let first = story.first_signal.as_ref().unwrap();
    assert_eq!(first.at, "2026-03-01T10:00:41Z".parse().unwrap());
    let screen = shown(&answer, 100);
    for said in [
        "container web: image web: 1 → 2",
        "hosts: shop.example.com (Ingress shop)",
        "CronJob report calls Service web (env WEB_URL of container report)",
        "HorizontalPodAutoscaler web wants 2 of 2 replicas, its maximum",
    ] {
        assert!(screen.contains(said), "{said} in {screen}");
    }
    assert!(screen.lines().count() <= 50, "{screen}");
    let markdown = markdown::render(&answer, "backstay");
    assert!(
        markdown.contains("**Blast radius:** Outage, Critical") && markdown.contains("image web: 1 → 2"),
        "{markdown}"
    );
    assert!(markdown.contains("PodDisruptionBudget web: 2 of 2 needed pods healthy, 0 may be evicted"), "{markdown}");
}

#[test]
fn what_was_not_given_is_no_outage_and_is_named() {
    let [service, _] = service(true);
    let answer = crashing_with(&[service]);
    let story = found(&answer, "web").story.as_ref().unwrap();
    assert_eq!(story.blast_radius.effect.to_string(), "Unharmed", "{:?}", story.blast_radius);
    assert!(shown(&answer, 100).contains("endpointslices"), "{}", shown(&answer, 100));
}

#[test]
fn a_migration_among_the_objects_keeps_from_rolling_back() {
    let mut job = object(
        "batch/v1",
        "Job",
        "web-migrate",
        json!({
        "spec": {"template": {"spec": {"containers": [{"name": "run", "image": "web:2"}]}}},
        "status": {"startTime": "2026-03-01T10:00:00Z", "succeeded": 1}}),
    );
    job["metadata"]["uid"] = json!("j-1");
    assert_eq!(found(&crashing_with(&[]), "web").diagnosis.follows.action, Some(ActionKind::RollBack));
    let answer = crashing_with(&[job]);
    let follows = &found(&answer, "web").diagnosis.follows;
    assert_eq!(follows.action, Some(ActionKind::Freeze), "{follows:?}");
    assert!(follows.why.contains("web-migrate"), "{follows:?}");
}

#[test]
fn a_baseline_that_lacks_what_it_needs_is_not_gone_back_to() {
    let needs = |name: &str| {
        format!(
            "- {{name: web, image: \"web:1\", envFrom: [{{configMapRef: {{name: {name}}}}}], terminationMessagePath: /dev/termination-log}}"
        )
    };
    let text = CRASHING
        .replace("- {name: web, image: \"web:1\", terminationMessagePath: /dev/termination-log}", &needs("settings"));
    assert_ne!(text, CRASHING);
    let root = object("v1", "ConfigMap", "kube-root-ca.crt", json!({"data": {"ca.crt": "hunter2"}}));
    let answer = answer(&format!("{text}\n---\n{root}\n"));
    let refusal = found(&answer, "web").diagnosis.follows.refusal.as_ref().map(|refusal| refusal.reason);
    assert_eq!(refusal, Some(RefusalReason::BaselineWouldNotRun));
    let gone = &found(&answer, "web").story.as_ref().unwrap().what_changed.changes[0];
    assert_eq!(gone.subject, "ConfigMap settings", "what is gone comes first");
}

#[test]
fn a_config_map_that_changed_under_a_revision_is_told() {
    let text = CRASHING.replace(
        ", terminationMessagePath: /dev/termination-log}",
        ", envFrom: [{configMapRef: {name: settings}}], terminationMessagePath: /dev/termination-log}",
    );
    let mut settings = object("v1", "ConfigMap", "settings", json!({"data": {"URL": "hunter2"}}));
    settings["metadata"]["managedFields"] = json!([{"manager": "shop-ci", "operation": "Update", "apiVersion": "v1",
        "time": "2026-03-01T09:59:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:URL": {}}}}]);
    let answer = answer(&format!("{text}\n---\n{settings}\n"));
    let screen = shown(&answer, 100);
    assert!(screen.contains("ConfigMap settings: changed (keys URL); both revisions name it"), "{screen}");
    assert!(screen.contains("by shop-ci") && !screen.contains("hunter2"), "{screen}");
}

#[test]
fn what_an_event_said_before_the_first_exit_is_the_first_sign() {
    let about = json!({"kind": "Pod", "namespace": "shop", "name": "web-6d-a", "uid": "web-6d-a"});
    let event = object(
        "v1",
        "Event",
        "web-6d-a.1",
        json!({"involvedObject": about, "reason": "Unhealthy", "count": 3,
        "message": "Readiness probe failed: token=hunter2 refused",
        "firstTimestamp": "2026-03-01T10:00:05Z", "lastTimestamp": "2026-03-01T10:00:35Z"}),
    );
    let answer = crashing_with(&[event]);
    let first = found(&answer, "web").story.as_ref().unwrap().first_signal.clone().unwrap();
    assert_eq!((first.kind, first.source.as_str()), (SignalKind::Event, "pod/web-6d-a events[Unhealthy]"));
    assert!(!first.text.contains("hunter2") && first.detected_after_seconds > 30, "{first:?}");
}

#[test]
fn a_node_that_ran_out_of_memory_is_known_by_its_event_alone() {
    let text = CRASHING.replace("exitCode: 1, reason: Error", "exitCode: 137, reason: Error");
    let (nodes, rest) = text.split_once("kind: Deployment").unwrap();
    assert!(nodes.contains("kind: Node"));
    let event = object(
        "v1",
        "Event",
        "n1.1",
        json!({"involvedObject": {"kind": "Node", "name": "n1", "uid": "n1"},
        "reason": "SystemOOM", "message": "System OOM encountered, victim process: web",
        "firstTimestamp": "2026-03-01T10:00:41Z", "lastTimestamp": "2026-03-01T10:00:41Z"}),
    );
    let answer = answer(&format!("apiVersion: apps/v1\nkind: Deployment{rest}\n---\n{event}\n"));
    assert_eq!(first(&answer, "web").1, Cause::NodeOutOfMemory);
}

#[test]
fn what_kubectl_shows_is_beside_it() {
    assert!(shown(&answer(CRASHING), 100).contains("kubectl get pods shows CrashLoopBackOff"));
}

#[test]
fn what_a_log_said_before_the_first_exit_is_the_first_sign() {
    let mut answer = answer(CRASHING);
    let found = answer.workloads.iter_mut().find(|found| &*found.case.snapshot.workload.name == "web").unwrap();
    let pod = Name::from("web-6d-a");
    let wanted =
        Wanted { uid: pod.clone(), pod, container: "web".into(), ended: true, run: None, exits: 2, rules: None };
    let log = "2026-03-01T10:00:10Z FATAL: password authentication failed for user \"app\"\n\
               2026-03-01T10:00:20Z FATAL: password authentication failed for user \"app\"\n";
    found.case.snapshot.logs.push(Arc::new(listen::heard(&wanted, log.as_bytes())));
    found.diagnosis = of_case(&found.case, answer.now);
    let s = &found.case.snapshot;
    let rollout = rollout::current(s, answer.now).unwrap();
    let signals = first_signal::of_all(s, (rollout.newest, rollout.since), &found.diagnosis.findings);
    let first = first_signal::earliest(signals, answer.now).unwrap();
    assert_eq!((first.kind, first.source.as_str()), (SignalKind::Log, "pod/web-6d-a log[web]"), "{first:?}");
    assert_eq!(first.at, "2026-03-01T10:00:10Z".parse().unwrap());
}

/// What Alertmanager says of a workload, since a time on the day of the crashes.
fn alerts(deployment: &str, at: &str) -> Vec<Alert> {
    let alert = json!([{"labels": {"alertname": "WebErrors", "namespace": "shop", "deployment": deployment},
        "annotations": {"summary": "every second answer is an error"},
        "startsAt": format!("2026-03-01T{at}Z"), "status": {"state": "active"}}]);
    super::alerts::take("alerts.json", alert.to_string().as_bytes(), answer(CRASHING).now).unwrap().0
}

#[test]
fn an_alert_before_the_first_exit_is_the_first_sign() {
    let first = |alerts: &[Alert]| {
        let answer = alerted(CRASHING, alerts);
        let screen = shown(&answer, 100);
        (found(&answer, "web").story.as_ref().unwrap().first_signal.clone().unwrap(), screen)
    };
    let (sign, screen) = first(&alerts("web", "10:00:02"));
    assert_eq!((sign.kind, &*sign.source), (SignalKind::Alert, "alert WebErrors"));
    assert!(screen.contains("alert WebErrors: every second answer is an error"), "{screen}");
    for (deployment, at) in [("web", "10:00:59"), ("web", "09:00:00"), ("other", "10:00:02")] {
        assert_ne!(first(&alerts(deployment, at)).0.kind, SignalKind::Alert, "{deployment} {at}");
    }
}

#[path = "beside_tests.rs"]
mod beside;
