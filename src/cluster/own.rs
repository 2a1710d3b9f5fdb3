//! Backstay's own objects and the namespaces, as last seen.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;

use super::shelf::Shelf;
use crate::api::{ClusterIncidentPolicy, Incident, IncidentPolicy, WorkloadHealth};

/// Namespaces are needed for their labels only.
pub type NamespaceMeta = PartialObjectMeta<Namespace>;

/// The shelves of everything that is read whole.
#[derive(Debug)]
pub struct Own {
    pub policies: Shelf<IncidentPolicy>,
    pub cluster_policies: Shelf<ClusterIncidentPolicy>,
    pub health: Shelf<WorkloadHealth>,
    /// Grouped by the UID of their workload.
    pub incidents: Shelf<Incident>,
    pub namespaces: Shelf<NamespaceMeta>,
}

impl Own {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            policies: Shelf::new(|p| p.metadata.namespace.clone()),
            cluster_policies: Shelf::new(|_| None),
            health: Shelf::new(|_| None),
            incidents: Shelf::new(|i| Some(i.spec.workload.uid.clone())),
            namespaces: Shelf::new(|_| None),
        })
    }

    /// What has not been listed yet, for the readiness answer.
    pub fn missing(&self) -> Vec<&'static str> {
        let ready = [
            ("IncidentPolicy", self.policies.is_ready()),
            ("ClusterIncidentPolicy", self.cluster_policies.is_ready()),
            ("WorkloadHealth", self.health.is_ready()),
            ("Incident", self.incidents.is_ready()),
        ];
        ready.iter().filter(|(_, ready)| !ready).map(|(name, _)| *name).collect()
    }
}
