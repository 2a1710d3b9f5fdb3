//! How the rest of the fleet does.

use jiff::Timestamp;
use serde::Serialize;

use super::Name;
use crate::engine::words::Cause;

/// A workload whose newest revision fails to pull an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PullFacts {
    /// The host that the image comes from.
    pub registry: Name,
    pub cause: Cause,
    pub since: Timestamp,
}

/// Pods of a workload that hang on one node while they are set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetupFacts {
    pub node: Name,
    pub cause: Cause,
    pub since: Timestamp,
}

/// How the other watched workloads do.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FleetFacts {
    /// Workloads that a policy selects.
    pub watched: u32,
    /// Of those, how many began to fail within the storm window.
    pub newly_failing: u32,
    /// When the other workloads of the namespace that fail now began to, in any order.
    pub neighbours: Vec<Timestamp>,
    /// Images that other workloads of any namespace fail to pull now, in any order.
    pub pulls: Vec<PullFacts>,
    /// Where pods of other workloads of any namespace hang while they are set up, in any order; one entry per workload,
    /// node and cause.
    pub setups: Vec<SetupFacts>,
    /// The storm's parent incident while the brake is on.
    pub storm: Option<Name>,
}
