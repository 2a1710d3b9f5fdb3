//! What every controller shares.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;

use super::fleet::Fleet;
use super::tracker::Tracker;
use crate::api::Incident;
use crate::cluster::events::Events;
use crate::cluster::lease::Standing;
use crate::cluster::own::Own;
use crate::cluster::policies::Policies;
use crate::cluster::store::Stores;
use crate::engine::facts::WorkloadFacts;
use crate::metrics::Metrics;

/// Shared by all looks at all workloads. Nothing here is state that must survive the process.
pub struct Context {
    pub stores: Arc<Stores>,
    pub own: Arc<Own>,
    pub policies: Policies,
    pub fleet: Fleet,
    pub tracker: Tracker,
    /// The client of all writes; it does not retry by itself.
    pub client: Client,
    pub events: Events,
    pub metrics: Arc<Metrics>,
    pub standing: Standing,
    /// Where the parent incident of a storm is written.
    pub namespace: String,
    /// Asks for another look at workloads.
    pub wake: tokio::sync::mpsc::UnboundedSender<super::fleet::WorkloadKey>,
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
