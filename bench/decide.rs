//! How long the pure decision takes on a workload with a hundred pods, by what they do.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Context;
use backstay::cluster::policies::compile;
use backstay::cluster::slim::{SlimDeployment, SlimPod, SlimReplicaSet};
use backstay::cluster::store::{Source, Stored, Stores, WorkloadKey};
use backstay::config::Mode;
use backstay::engine::decide::decide;
use backstay::engine::facts::{EventsFacts, FleetFacts, Snapshot};
use backstay::engine::memory::{LedgerEntry, Memory};
use jiff::Timestamp;
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const CREATED: &str = "2026-01-05T08:00:00Z";
const SHIPPED: &str = "2026-01-05T09:00:00Z";
const NOW: &str = "2026-01-05T09:02:00Z";
const ROUNDS: usize = 200;
const PER_ROUND: usize = 20;

/// What the pods do, and how many run the baseline and how many the new revision.
struct Shape {
    name: &'static str,
    old: usize,
    new: usize,
    pod: fn(usize) -> Value,
    acts: bool,
}

const SHAPES: [Shape; 5] = [
    Shape { name: "all_well", old: 0, new: 100, pod: ready, acts: false },
    Shape { name: "quarter_crashing", old: 75, new: 25, pod: crashing, acts: true },
    Shape { name: "all_crashing", old: 0, new: 100, pod: crashing, acts: true },
    Shape { name: "quarter_without_image", old: 75, new: 25, pod: without_image, acts: true },
    Shape { name: "all_without_image", old: 0, new: 100, pod: without_image, acts: true },
];

/// Microseconds per decision and shape: the median over rounds, so that a round that lost the processor does not
/// count.
pub fn micros() -> anyhow::Result<Vec<(&'static str, f64)>> {
    SHAPES.iter().map(|shape| Ok((shape.name, median(shape)?))).collect()
}

/// Before each decision a status of one pod comes in anew, as it does where a decision follows: what its texts say has
/// to be read, that of the others is known.
fn median(shape: &Shape) -> anyhow::Result<f64> {
    let (mut s, now) = (snapshot(shape)?, NOW.parse()?);
    let decision = decide(&s, now);
    let acts = decision.action.is_some();
    anyhow::ensure!(acts == shape.acts, "{}: action {acts}: {}", shape.name, decision.why);
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let came = snapshot(shape)?.pods;
        let mut took = Duration::ZERO;
        for (at, pod) in came.into_iter().enumerate().take(PER_ROUND) {
            if let Some(known) = s.pods.get_mut(at) {
                *known = pod;
            }
            let began = Instant::now();
            black_box(decide(black_box(&s), now));
            took += began.elapsed();
        }
        rounds.push(took.as_secs_f64() * 1e6 / f64::from(u32::try_from(PER_ROUND)?));
    }
    rounds.sort_by(f64::total_cmp);
    Ok(rounds.get(ROUNDS / 2).copied().unwrap_or_default())
}

fn snapshot(shape: &Shape) -> anyhow::Result<Snapshot> {
    let stores = Stores::default();
    let well = if shape.acts { 0 } else { shape.new };
    put::<SlimDeployment>(&stores, deployment(shape, well))?;
    put::<SlimReplicaSet>(&stores, revision("old", 1, (shape.old, shape.old), CREATED))?;
    put::<SlimReplicaSet>(&stores, revision("new", 2, (shape.new, well), SHIPPED))?;
    let old = (0..shape.old).map(|number| pod("old", number, CREATED, &running(CREATED)));
    let new = (0..shape.new).map(|number| pod("new", number, SHIPPED, &(shape.pod)(number)));
    old.chain(new).try_for_each(|pod| put::<SlimPod>(&stores, pod))?;
    let found = stores.workload(&WorkloadKey::new("shop", "web")).context("the workload is not in the stores")?;
    let (workload, revisions, mut pods, mut nodes) = found;
    pods.sort_by(|a, b| a.uid.cmp(&b.uid));
    nodes.total = 15;
    let healthy = LedgerEntry {
        healthy_since: Some(CREATED.parse::<Timestamp>()? + Duration::from_secs(60)),
        ..LedgerEntry::new("uid-old".into(), "old".into())
    };
    Ok(Snapshot {
        workload,
        revisions,
        pods,
        nodes,
        events: EventsFacts::default(),
        policy: compile("IncidentPolicy/shop".to_owned(), Some(1), &Default::default(), Mode::Enforce).into(),
        memory: Memory { ledger: vec![healthy], ..Memory::default() },
        fleet: FleetFacts { watched: 1000, ..FleetFacts::default() },
        surroundings: None,
        logs: Vec::new(),
        data_age_seconds: 1,
    })
}

fn put<K: Stored + DeserializeOwned>(stores: &Stores, object: Value) -> anyhow::Result<()> {
    let object: K = serde_json::from_value(object).context("reading an object of the decision's bench")?;
    K::apply(stores, Source(0), Event::Apply(object), SHIPPED.parse()?);
    Ok(())
}

fn template(hash: Option<&str>, image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "web", "pod-template-hash": hash}}, "spec": {"containers": [{
        "name": "web", "image": image, "resources": {"limits": {"memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
    }]}})
}

fn image(hash: &str) -> &'static str {
    if hash == "old" { "shop/web:1" } else { "shop/web:2" }
}

fn deployment(shape: &Shape, well: usize) -> Value {
    let (replicas, available) = (shape.old + shape.new, shape.old + well);
    json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "uid-web", "generation": 2, "creationTimestamp": CREATED,
            "annotations": {"deployment.kubernetes.io/revision": "2"}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template(None, image("new"))},
        "status": {"observedGeneration": 2, "replicas": replicas, "updatedReplicas": shape.new, "readyReplicas": available,
            "availableReplicas": available, "conditions": [
                {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "lastTransitionTime": SHIPPED,
                    "lastUpdateTime": SHIPPED}]},
    })
}

fn revision(hash: &str, number: usize, (replicas, available): (usize, usize), created: &str) -> Value {
    let owner =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "uid-web", "controller": true});
    json!({
        "metadata": {"name": format!("web-{hash}"), "namespace": "shop", "uid": format!("uid-{hash}"), "creationTimestamp": created,
            "labels": {"app": "web", "pod-template-hash": hash}, "ownerReferences": [owner],
            "annotations": {"deployment.kubernetes.io/revision": number.to_string()}},
        "spec": {"replicas": replicas, "template": template(Some(hash), image(hash))},
        "status": {"replicas": replicas, "readyReplicas": available, "availableReplicas": available},
    })
}

fn pod(hash: &str, number: usize, created: &str, status: &Value) -> Value {
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("web-{hash}"), "uid": format!("uid-{hash}"),
        "controller": true});
    let ready = if status.get("ready") == Some(&json!(true)) { "True" } else { "False" };
    json!({
        "metadata": {"name": format!("web-{hash}-{number}"), "namespace": "shop", "uid": format!("uid-{hash}-{number}"),
            "creationTimestamp": created, "labels": {"app": "web", "pod-template-hash": hash}, "ownerReferences": [owner]},
        "spec": {"nodeName": format!("node-{}", number % 15), "containers": [{"name": "web"}]},
        "status": {"phase": "Running", "startTime": created, "containerStatuses": [status], "conditions": [
            {"type": "Ready", "status": ready, "lastTransitionTime": created}]},
    })
}

fn ready(_: usize) -> Value {
    running(SHIPPED)
}

fn running(since: &str) -> Value {
    json!({"name": "web", "ready": true, "started": true, "restartCount": 0, "state": {"running": {"startedAt": since}}})
}

fn crashing(_: usize) -> Value {
    json!({"name": "web", "ready": false, "started": false, "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container=web"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": SHIPPED, "finishedAt": SHIPPED}}})
}

/// Every pod's error is in words of its own: registries put the number of the request into them.
fn without_image(number: usize) -> Value {
    let message = format!(
        "rpc error: code = NotFound desc = failed to pull and unpack image \"registry.example.com/shop/web:2\": failed \
         to resolve image: registry.example.com/shop/web:2: not found, request {number:032x}"
    );
    json!({"name": "web", "ready": false, "started": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ErrImagePull", "message": message}}})
}
