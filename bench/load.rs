//! Pod status updates at a steady rate, spread over running pods.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use tokio::task::JoinHandle;

use crate::cluster;
use crate::fill::Batch;

/// Updates until it is dropped.
pub struct Load {
    done: Arc<AtomicUsize>,
    began: Instant,
    task: JoinHandle<()>,
}

/// Namespace and name of all running pods of a batch.
pub async fn pods_of(client: &Client, batch: &Batch) -> anyhow::Result<Vec<(String, String)>> {
    let params = ListParams::default().labels("bench=yes,!bench-bad");
    let pods = Api::<Pod>::all(client.clone()).list_metadata(&params).await.context("listing pods")?;
    let ours = pods.items.iter().filter(|pod| pod.name_any().starts_with(&format!("{}-", batch.prefix)));
    Ok(ours.map(|pod| (pod.namespace().unwrap_or_default(), pod.name_any())).collect())
}

/// The workload that a pod belongs to, by the way pods are named.
pub fn workload_of(pod: &str) -> Option<&str> {
    Some(pod.rsplit_once('-')?.0.rsplit_once('-')?.0)
}

impl Load {
    /// Every update changes what the operator keeps of a pod: its container says that it started just now. So each
    /// one makes the operator look at a workload; a kubelet's updates that change nothing of interest cost less.
    pub fn start(client: &Client, pods: Vec<(String, String)>, per_second: u32) -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        let (counter, client) = (done.clone(), client.clone());
        let task = tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_secs(1) / per_second);
            // Consecutive updates go to different workloads, as they do when nodes report on their own.
            let order = pods.iter().cycle().step_by(37);
            for (space, pod) in order {
                tick.tick().await;
                let (client, counter, space, pod) = (client.clone(), counter.clone(), space.clone(), pod.clone());
                tokio::spawn(async move {
                    if cluster::restart_clock(&client, &space, &pod).await.is_ok() {
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Self { done, began: Instant::now(), task }
    }

    /// Updates per second so far, as the API server took them.
    pub fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "thousands of updates")]
        let done = self.done.load(Ordering::Relaxed) as f64;
        done / self.began.elapsed().as_secs_f64()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.task.abort();
    }
}
