//! The custom resources: group `backstay.dev`, version `v1alpha1`.

pub mod condition;
pub mod crds;
pub mod health;
pub mod incident;
pub mod nodes;
pub mod policy;
pub mod rules;
pub mod schema;
pub mod selector;

pub use health::{WorkloadHealth, WorkloadHealthSpec, WorkloadHealthStatus};
pub use incident::{Incident, IncidentSpec, IncidentStatus};
pub use policy::{ClusterIncidentPolicy, ClusterIncidentPolicySpec, IncidentPolicy, IncidentPolicySpec, PolicyStatus};

/// The API group, also the prefix of every label and annotation.
pub const GROUP: &str = "backstay.dev";
/// Field manager of the writes to workloads.
pub const WORKLOAD_MANAGER: &str = "backstay";
/// Field manager of the writes to Backstay's own objects.
pub const STATUS_MANAGER: &str = "backstay-status";

/// Keys of annotations and labels.
pub mod keys {
    /// On a Deployment: `"true"` makes Backstay leave it alone.
    pub const IGNORE: &str = "backstay.dev/ignore";
    /// On a Deployment: the incident for which Backstay last changed it.
    pub const INCIDENT: &str = "backstay.dev/incident";
    /// On a Deployment: what Backstay last did to it for that incident, as `RollBack`, `Freeze` or `Pause`.
    pub const ACTION: &str = "backstay.dev/action";
    /// On a Deployment: the incident for which Backstay set `spec.paused`.
    pub const PAUSED_FOR: &str = "backstay.dev/paused-for";
    /// On a Deployment: a person asks to end the freeze or pause of the incident named here.
    pub const RESUME: &str = "backstay.dev/resume";
    /// On an Incident, as labels: which workload it is about.
    pub const WORKLOAD: &str = "backstay.dev/workload";
    pub const WORKLOAD_UID: &str = "backstay.dev/workload-uid";
    /// On an Incident, as a label: `pod-template-hash` of the failing revision.
    pub const FAILING: &str = "backstay.dev/failing-hash";
    /// On an Incident, as a label: `"true"` on the parent incident of a storm.
    pub const STORM: &str = "backstay.dev/storm";
}
