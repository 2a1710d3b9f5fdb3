//! What concerns the whole cluster, one test after the other.

mod apiserver;
mod nodes;
mod storm;

use std::collections::BTreeSet;

use backstay::api::{Incident, WorkloadHealth, keys};
use backstay::engine::words::RefusalReason;
use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};

use crate::support::place::Place;
use crate::support::wait::{self, PATIENCE};

impl Place {
    /// Watches the parent incident of a storm until the condition gives an answer.
    async fn storm<T>(&self, what: &str, condition: impl FnMut(&Incident) -> Option<T>) -> T {
        let config = watcher::Config::default().labels(&format!("{}=true", keys::STORM));
        let what = format!("{what} (storms in {})", self.namespace);
        wait::first(&self.api::<Incident>(), config, &what, PATIENCE, condition).await
    }

    /// The workload says that nothing is done because of this.
    async fn refuses(&self, name: &str, reason: RefusalReason) {
        let what = format!("refusal {reason}");
        self.until::<WorkloadHealth, _>(name, &what, |h| (refusal(h) == Some(reason)).then_some(())).await;
    }

    /// Waits until no workload of another test is left: a brake counts all that are watched.
    async fn has_the_cluster_to_itself(&self) {
        let all: Api<Deployment> = Api::all(self.client.clone());
        let mut changes = watcher::watcher(all, watcher::Config::default()).default_backoff().boxed();
        let (mut others, mut listed) = (BTreeSet::new(), false);
        let alone = async {
            while let Some(change) = changes.next().await {
                match change {
                    Ok(Event::Init) => (others, listed) = (BTreeSet::new(), false),
                    Ok(Event::InitDone) => listed = true,
                    Ok(Event::Apply(d) | Event::InitApply(d)) if d.namespace().as_ref() != Some(&self.namespace) => {
                        others.insert(d.uid());
                    }
                    Ok(Event::Delete(d)) => drop(others.remove(&d.uid())),
                    Ok(_) | Err(_) => {}
                }
                if listed && others.is_empty() {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, alone).await.expect("the workloads of the test before are deleted");
    }

    /// Watches all memories of workloads until `condition` holds for so many of them.
    async fn count(&self, what: &str, wanted: usize, condition: impl Fn(&WorkloadHealth) -> bool) {
        let all: Api<WorkloadHealth> = self.api();
        let mut names = BTreeSet::new();
        let what = format!("{wanted} times {what} (in {})", self.namespace);
        wait::first(&all, watcher::Config::default(), &what, PATIENCE, |h: &WorkloadHealth| {
            if condition(h) {
                names.insert(h.metadata.name.clone());
            }
            (names.len() >= wanted).then_some(())
        })
        .await;
    }
}

fn refusal(health: &WorkloadHealth) -> Option<RefusalReason> {
    health.status.as_ref()?.refusal.as_ref().map(|r| r.reason)
}

fn is_proven(health: &WorkloadHealth) -> bool {
    health.status.as_ref().is_some_and(|s| s.ledger.iter().any(|e| e.healthy_since.is_some()))
}
