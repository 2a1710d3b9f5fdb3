//! How long `backstay diagnose -f` takes for a thousand pods, from the text to the screen.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Context;
use backstay::cli::diagnose::{Answer, diagnose, input, screen};
use backstay::cli::page::Screen;
use backstay::cluster::intake::Intake;
use serde_json::{Value, json};

const DEPLOYMENTS: usize = 100;
const PODS: usize = 10;
/// Others may use the machine too, so the best round counts.
const ROUNDS: usize = 5;
const CREATED: &str = "2026-03-01T10:00:00Z";
const SHIPPED: &str = "2026-03-01T10:05:00Z";

/// Seconds, by the format of the file.
pub fn seconds() -> anyhow::Result<[(&'static str, f64); 2]> {
    let list = list();
    let json = serde_json::to_string_pretty(&list)?;
    let yaml = serde_saphyr::to_string(&list)?;
    Ok([("json", best(&json)?), ("yaml", best(&yaml)?)])
}

fn best(text: &str) -> anyhow::Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let text = text.to_owned();
        let began = Instant::now();
        let mut intake = Intake::default();
        let left_out = input::take_text("bench", text, &mut intake)?;
        let now = intake.newest.context("there is no time in the objects")?;
        let answer = Answer { workloads: diagnose(intake, now), gaps: Vec::new(), unread: left_out.len(), now };
        black_box(screen::render(&answer, Screen { width: 100, colour: false }, "backstay"));
        best = best.min(began.elapsed().as_secs_f64());
        anyhow::ensure!(answer.workloads.len() == DEPLOYMENTS && answer.unread == 0);
        let failing = answer.workloads.iter().filter(|found| !found.diagnosis.findings.is_empty()).count();
        anyhow::ensure!(failing == DEPLOYMENTS / 4, "{failing} workloads fail");
    }
    Ok(best)
}

/// As `kubectl get deploy,rs,pods,events,nodes -o json` prints it. A quarter of the Deployments is in a bad rollout.
fn list() -> Value {
    let nodes = (0..20).map(|n| {
        json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": format!("n{n}"), "uid": format!("n-{n}"), "creationTimestamp": CREATED},
        "status": {"allocatable": {"cpu": "16", "memory": "64Gi"},
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": CREATED}]}})
    });
    let items: Vec<Value> = nodes.chain((0..DEPLOYMENTS).flat_map(workload)).collect();
    json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items})
}

fn workload(d: usize) -> Vec<Value> {
    let fails = d.is_multiple_of(4);
    let (old, new, ready) = if fails { (5, 5, 5) } else { (0, 10, 10) };
    let mut objects = vec![json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": format!("app-{d}"), "namespace": "shop", "uid": format!("d-{d}"), "generation": 2,
            "creationTimestamp": CREATED, "annotations": {"deployment.kubernetes.io/revision": "2"}, "managedFields": managed()},
        "spec": {"replicas": PODS, "template": template(d, 2)},
        "status": {"observedGeneration": 2, "replicas": PODS, "updatedReplicas": new, "readyReplicas": ready,
            "availableReplicas": ready, "conditions": [{"type": "Progressing", "status": "True", "reason":
            if fails { "ReplicaSetUpdated" } else { "NewReplicaSetAvailable" }, "lastUpdateTime": SHIPPED}]}})];
    for (number, pods, ready) in [(1, old, old), (2, new, new.min(ready - old))] {
        objects.push(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": revision(d, number), "namespace": "shop", "uid": format!("r-{d}-{number}"),
                "creationTimestamp": if number == 1 { CREATED } else { SHIPPED }, "managedFields": managed(),
                "annotations": {"deployment.kubernetes.io/revision": number.to_string()},
                "ownerReferences": [owner("Deployment", &format!("app-{d}"), &format!("d-{d}"))]},
            "spec": {"replicas": pods, "template": template(d, number)},
            "status": {"replicas": pods, "readyReplicas": ready, "availableReplicas": ready}}));
    }
    for p in 0..PODS {
        objects.extend(pod(d, p, fails && p >= 5, if fails && p < 5 { 1 } else { 2 }));
    }
    objects
}

fn revision(d: usize, number: usize) -> String {
    format!("app-{d}-{}", if number == 1 { "59c4d8f7bd" } else { "6d4cf56db6" })
}

fn owner(kind: &str, name: &str, uid: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true})
}

/// A pod with its event.
fn pod(d: usize, p: usize, crashes: bool, number: usize) -> [Value; 2] {
    let (name, uid) = (format!("{}-{p:05}", revision(d, number)), format!("p-{d}-{p}"));
    let said = "panic: dial tcp 10.0.0.5:5432: connect: connection refused";
    let state = match crashes {
        true => {
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": format!("back-off 20s restarting failed container=app pod={name}")}})
        }
        false => json!({"running": {"startedAt": SHIPPED}}),
    };
    let last = if crashes {
        json!({"terminated": {"exitCode": 1, "reason": "Error", "message": said, "startedAt": SHIPPED, "finishedAt": "2026-03-01T10:05:30Z"}})
    } else {
        json!({})
    };
    let kinds = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
    let is = |kind: &str| if crashes && kind.contains("Ready") && !kind.starts_with("Pod") { "False" } else { "True" };
    let conditions = kinds
        .map(|kind| json!({"type": kind, "status": is(kind), "lastProbeTime": null, "lastTransitionTime": SHIPPED}));
    let spec = spec(d, number, &format!("n{}", (d + p) % 20));
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "uid": uid, "creationTimestamp": SHIPPED, "managedFields": managed(),
            "ownerReferences": [owner("ReplicaSet", &revision(d, number), &format!("r-{d}-{number}"))]},
        "spec": spec,
        "status": {"phase": "Running", "startTime": SHIPPED, "conditions": conditions, "containerStatuses": [{"name": "app",
            "ready": !crashes, "started": !crashes, "restartCount": if crashes { 3 } else { 0 }, "state": state, "lastState": last}]}});
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": format!("{name}.1"), "namespace": "shop"},
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": name, "uid": uid, "fieldPath": "spec.containers{app}"},
        "reason": if crashes { "Unhealthy" } else { "Started" }, "count": 4, "firstTimestamp": SHIPPED, "lastTimestamp": SHIPPED,
        "message": "Readiness probe failed: Get \"http://10.0.0.9:8080/ready\": dial tcp 10.0.0.9:8080: connect: connection refused"});
    [pod, event]
}

fn template(d: usize, number: usize) -> Value {
    json!({"metadata": {"labels": {"app": format!("app-{d}")}}, "spec": spec(d, number, "")})
}

fn spec(d: usize, number: usize, node: &str) -> Value {
    let env: Vec<Value> =
        (0..15).map(|n| json!({"name": format!("SETTING_{n}"), "value": format!("value {n}")})).collect();
    json!({"nodeName": node, "restartPolicy": "Always", "containers": [{
        "name": "app", "image": format!("registry.example.com/shop/app-{d}:{number}"), "env": env,
        "ports": [{"containerPort": 8080}], "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 10},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}]}],
        "volumes": [{"name": "config", "configMap": {"name": format!("app-{d}")}}]})
}

/// What a third of a real object is.
fn managed() -> Value {
    let owned = json!({".": {}, "f:image": {}, "f:env": {}, "f:resources": {}, "f:ports": {}, "f:readinessProbe": {}});
    json!([{"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": SHIPPED, "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:containers": {"k:{\"name\":\"app\"}": owned}}}}])
}
