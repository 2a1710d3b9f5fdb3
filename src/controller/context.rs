//! What every controller shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use tokio::sync::Notify;

use super::fleet::Fleet;
use super::inquiry::Inquiries;
use super::listener::Listener;
use super::storm::Pen;
use super::tally::Tally;
use super::tracker::Tracker;
use crate::api::Incident;
use crate::cluster::events::Events;
use crate::cluster::hints::Hints;
use crate::cluster::lease::Standing;
use crate::cluster::own::Own;
use crate::cluster::policies::Policies;
use crate::cluster::store::{Stores, WorkloadKey};
use crate::cluster::wake::Wake;
use crate::cluster::watches::{WatchAge, Watches};
use crate::engine::facts::WorkloadFacts;
use crate::engine::guard::MAX_DATA_AGE_SECONDS;
use crate::metrics::Metrics;
use crate::telemetry::traces::Traces;

/// Shared by all looks at all workloads. Nothing here is state that must survive the process.
pub struct Context {
    pub stores: Arc<Stores>,
    pub hints: Arc<Hints>,
    pub own: Arc<Own>,
    pub watches: Arc<Watches>,
    pub policies: Policies,
    pub fleet: Fleet,
    pub tracker: Tracker,
    pub tally: Tally,
    pub inquiries: Inquiries,
    pub listener: Listener,
    /// The client of all writes; it does not retry by itself.
    pub client: Client,
    pub events: Events,
    pub metrics: Arc<Metrics>,
    pub traces: Traces,
    pub standing: Standing,
    /// Where the parent incident of a storm is written.
    pub namespace: String,
    /// Asks for another look at workloads.
    pub wake: Wake,
    /// Policies or namespaces changed; their status may have to.
    pub policies_changed: Notify,
    /// Whoever holds it writes the storm's incident.
    pub storm_pen: tokio::sync::Mutex<Pen>,
    /// Set once a new leader has surveyed everything, and cleared with its leadership.
    pub surveyed: AtomicBool,
}

/// Cluster policies may be missing without harm to what others govern, and events are but hints: their watches may fail
/// alone.
const OPTIONAL: [&str; 2] = [CLUSTER_POLICIES, "events"];
const CLUSTER_POLICIES: &str = "clusterincidentpolicies";

impl Context {
    /// Kinds that have not been listed yet and without which nothing can be decided. Of several namespaces one may be gone, and
    /// nothing is allowed in it any more: the others do not wait for it, and in it nothing is decided.
    pub fn missing(&self) -> Vec<String> {
        let needed = self.watches.ages().into_iter().filter(is_needed);
        needed.filter(|a| !a.answered || !a.listed).map(|a| a.resource).collect()
    }

    /// Policies for the whole cluster have neither been listed nor refused to us yet. The storm brake counts governed
    /// workloads only, so they are worth waiting for.
    pub fn awaits_cluster_policies(&self) -> bool {
        self.watches.ages().iter().any(|age| age.resource == CLUSTER_POLICIES && !age.answered)
    }

    /// Seconds since the slowest of the watches that workloads of this namespace need proved to be alive. What was never
    /// listed is too old from the beginning. What a policy `of_cluster` governs needs to hear of it: it may only observe by
    /// now, or be gone. One of the namespace goes before those of the cluster, whatever these say.
    pub fn data_age_seconds(&self, namespace: &str, of_cluster: bool) -> i64 {
        let age = |a: WatchAge| {
            let seconds = i64::try_from(a.seconds).unwrap_or(i64::MAX);
            if a.ready { seconds } else { seconds.max(MAX_DATA_AGE_SECONDS + 1) }
        };
        let governs = |a: &WatchAge| of_cluster && a.resource == CLUSTER_POLICIES;
        let needed = self.watches.covering(namespace).filter(|a| is_needed(a) || governs(a));
        needed.map(age).max().unwrap_or_default()
    }

    /// Forgets a workload that is gone, with everything that was counted of it.
    pub fn forget(&self, key: &WorkloadKey) {
        self.disregard(key);
        self.tracker.forget(key);
    }

    /// Forgets what only a policy makes it ask about a workload. Our own writes to it are remembered.
    pub fn disregard(&self, key: &WorkloadKey) {
        self.tracker.disregard(key);
        self.fleet.forget(key);
        self.inquiries.forget(key);
        self.listener.forget(key);
    }

    /// This replica leads, and knows how all workloads do.
    pub fn leads(&self) -> bool {
        self.standing.is_leader() && self.surveyed.load(Ordering::Acquire)
    }

    pub fn set_surveyed(&self, surveyed: bool) {
        self.surveyed.store(surveyed, Ordering::Release);
    }
}

fn is_needed(age: &WatchAge) -> bool {
    !OPTIONAL.contains(&age.resource.as_str())
}

/// The Deployment as Events refer to it.
pub fn deployment_reference(w: &WorkloadFacts) -> ObjectReference {
    ObjectReference {
        api_version: Some("apps/v1".to_owned()),
        kind: Some("Deployment".to_owned()),
        namespace: Some(w.namespace.to_string()),
        name: Some(w.name.to_string()),
        uid: Some(w.uid.to_string()),
        ..ObjectReference::default()
    }
}

/// The incident as Events refer to it.
pub fn incident_reference(incident: &Incident) -> ObjectReference {
    ObjectReference {
        api_version: Some("backstay.dev/v1alpha1".to_owned()),
        kind: Some("Incident".to_owned()),
        namespace: incident.metadata.namespace.clone(),
        name: incident.metadata.name.clone(),
        uid: incident.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}
