//! What concerns the whole cluster, one test after the other.

mod apiserver;
mod nodes;

use backstay::api::{Incident, WorkloadHealth, keys};
use backstay::engine::words::RefusalReason;
use kube::runtime::watcher;

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
}

fn refusal(health: &WorkloadHealth) -> Option<RefusalReason> {
    health.status.as_ref()?.refusal.as_ref().map(|r| r.reason)
}
