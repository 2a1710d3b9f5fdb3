//! Nodes, and how much of them is free.

use std::sync::Arc;

use jiff::Timestamp;

use super::Name;

/// The nodes that matter to one workload, and how the whole cluster does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodesFacts {
    /// Nodes on which pods of the workload run.
    pub own: Vec<Arc<NodeFacts>>,
    pub total: u32,
    pub not_ready: u32,
    pub unschedulable: u32,
    /// Largest allocatable values over all nodes: thousandths of a core, and bytes.
    pub largest_cpu: u64,
    pub largest_memory: u64,
    /// Taints that keep pods away, as `KEY=VALUE:EFFECT`, and how many nodes bear each; the most frequent come first.
    pub taints: Vec<(Name, u32)>,
    /// Of a diagnosis, where the pods on the nodes were seen. The operator keeps no pods but those of Deployments.
    pub room: Option<Arc<RoomFacts>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NodeFacts {
    pub name: Name,
    pub ready: bool,
    pub ready_since: Option<Timestamp>,
    pub unschedulable: bool,
    /// Names of true pressure conditions, such as `MemoryPressure`.
    pub pressure: Vec<Name>,
    pub allocatable_cpu: u64,
    pub allocatable_memory: u64,
    /// Taints that keep pods away, as `KEY=VALUE:EFFECT`.
    pub taints: Box<[Name]>,
}

/// What the pods in sight leave of the nodes that take any pod: those that are ready, not cordoned and without taints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomFacts {
    pub nodes: Box<[NodeRoom]>,
    /// Pods whose requests were taken off, and of how many namespaces. There may be others, so that what is free is no more
    /// than this.
    pub pods: u32,
    pub namespaces: u32,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRoom {
    pub node: Name,
    /// Thousandths of a core.
    pub cpu: u64,
    /// Bytes.
    pub memory: u64,
}
