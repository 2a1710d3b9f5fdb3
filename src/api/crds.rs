//! The CustomResourceDefinitions as they are written into `crds/`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::{ClusterIncidentPolicy, Incident, IncidentPolicy, WorkloadHealth};

/// All definitions, in the order of their file names.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![ClusterIncidentPolicy::crd(), Incident::crd(), IncidentPolicy::crd(), WorkloadHealth::crd()]
}

/// A definition as YAML, as it is written into `crds/`.
///
/// # Errors
/// A definition that cannot be written as YAML, which its own types rule out.
pub fn yaml(crd: &CustomResourceDefinition) -> Result<String, serde_saphyr::ser_error::Error> {
    serde_saphyr::to_string(crd)
}
