//! How much of the nodes is free.

use super::Name;

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
