//! Thousands of pods, fast.
//!
//! The controllers would make them too, with six writes and two Events for every pod, at a few dozen per second. Here
//! pods are created on their nodes first, then ReplicaSets, which adopt them, then Deployments, which adopt those:
//! what stands there in the end is the same.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::board::Board;
use crate::cluster::{self, CONTAINER, GOOD};

/// Simulated nodes.
const NODES: usize = 15;
/// The template hash of the first revision. It is compared and never computed, so any will do.
const HASH: &str = "5f7c9d8b6c";

/// Deployments of one size.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    pub prefix: &'static str,
    pub deployments: usize,
    pub replicas: usize,
}

impl Batch {
    /// Namespace and name of each.
    pub fn names(&self) -> Vec<(String, String)> {
        let prefix = self.prefix;
        (0..self.deployments).map(|n| (cluster::namespace(n), format!("{prefix}-{n:04}"))).collect()
    }

    pub fn pods(&self) -> usize {
        self.deployments * self.replicas
    }
}

/// Makes a batch, and waits until every pod is available.
pub async fn fill(client: &Client, workloads: &Board<Deployment>, batch: &Batch) -> anyhow::Result<()> {
    let names = batch.names();
    let made = AtomicUsize::new(0);
    let told = std::sync::Mutex::new(Instant::now());
    stream::iter(names.iter().enumerate().map(Ok))
        .try_for_each_concurrent(cluster::PARALLEL / 4, |(number, (space, name))| {
            let (made, told) = (&made, &told);
            async move {
                family(client, number, space, name, batch.replicas).await?;
                let made = made.fetch_add(batch.replicas, Ordering::Relaxed);
                progress(told, &format!("{made} of {} pods are made", batch.pods()));
                anyhow::Ok(())
            }
        })
        .await?;
    let prefix = format!("/{}-", batch.prefix);
    workloads
        .wait(&format!("{} pods to be available", batch.pods()), Duration::from_secs(600), |all| {
            let ours = all.iter().filter(|(key, _)| key.contains(&prefix)).map(|(_, d)| d);
            let available: i32 = ours.filter_map(|d| d.status.as_ref()?.available_replicas).sum();
            progress(&told, &format!("{available} of {} pods are available", batch.pods()));
            usize::try_from(available).is_ok_and(|n| n >= batch.pods()).then_some(())
        })
        .await
}

fn progress(told: &std::sync::Mutex<Instant>, text: &str) {
    let mut told = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if told.elapsed() > Duration::from_secs(20) {
        crate::say(text);
        *told = Instant::now();
    }
}

/// One Deployment with its pods.
async fn family(client: &Client, number: usize, space: &str, name: &str, replicas: usize) -> anyhow::Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), space);
    stream::iter(0..replicas)
        .map(|n| {
            let pod = json!({
                "metadata": {"name": format!("{name}-{HASH}-{n:05}"), "labels": labels(name, Some(HASH))},
                "spec": spec(Some(format!("sim-{}", (number + n) % NODES + 1))),
            });
            let pods = &pods;
            async move { cluster::create(pods, &pod).await }
        })
        .buffer_unordered(4)
        .try_for_each(|()| async { Ok(()) })
        .await?;
    let set = json!({
        "metadata": {"name": format!("{name}-{HASH}"), "labels": labels(name, Some(HASH))},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name, "pod-template-hash": HASH}},
            "template": {"metadata": {"labels": labels(name, Some(HASH))}, "spec": spec(None)},
        },
    });
    cluster::create(&Api::<ReplicaSet>::namespaced(client.clone(), space), &set).await?;
    cluster::create(&Api::<Deployment>::namespaced(client.clone(), space), &deployment(name, replicas)).await
}

/// A Deployment with one surge pod, so that a bad revision shows in exactly one.
pub fn deployment(name: &str, replicas: usize) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"app": name, "bench": "yes"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": {"labels": labels(name, None)}, "spec": spec(None)},
        },
    })
}

fn labels(name: &str, hash: Option<&str>) -> Value {
    let hash = hash.map(|hash| ("pod-template-hash", hash));
    let labels = [("app", name), ("bench", "yes"), ("team", "payments")].into_iter().chain(hash);
    labels.map(|(key, value)| (key.to_owned(), json!(value))).collect::<serde_json::Map<_, _>>().into()
}

/// Shaped like what real clusters run, so that sizes mean something: probes, limits, variables.
fn spec(node: Option<String>) -> Value {
    json!({"nodeName": node, "terminationGracePeriodSeconds": 1, "containers": [{
        "name": CONTAINER, "image": GOOD, "imagePullPolicy": "IfNotPresent",
        "ports": [{"containerPort": 8080}],
        "env": [
            {"name": "LEDGER_URL", "value": "http://ledger.payments.svc:8080"},
            {"name": "LOG_LEVEL", "value": "info"},
        ],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
    }]})
}
