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
    /// Of all nodes those that began last to keep pods away, and those that came last. Only what is told reads them.
    pub noted: Arc<[Arc<NodeFacts>]>,
    /// Of a diagnosis, where the pods on the nodes were seen. The operator keeps no pods but those of Deployments.
    pub room: Option<Arc<RoomFacts>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NodeFacts {
    pub name: Name,
    pub created: Option<Timestamp>,
    pub ready: bool,
    pub ready_since: Option<Timestamp>,
    pub unschedulable: bool,
    /// Names of true pressure conditions, such as `MemoryPressure`.
    pub pressure: Vec<Name>,
    pub allocatable_cpu: u64,
    pub allocatable_memory: u64,
    /// Taints that keep pods away.
    pub taints: Box<[TaintFacts]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaintFacts {
    /// `KEY=VALUE:EFFECT`, where there is a value.
    pub taint: Name,
    pub since: Option<Timestamp>,
}

/// What the node lifecycle controller makes of a cordon.
const CORDON: &str = "node.kubernetes.io/unschedulable";

impl NodeFacts {
    /// The node takes no pods, or not all of them.
    pub fn keeps_away(&self) -> bool {
        !self.ready || self.unschedulable || !self.taints.is_empty()
    }

    /// Since when it keeps away what it last began to, as far as that is known.
    pub fn keeps_away_since(&self) -> Option<Timestamp> {
        let lost = self.ready_since.filter(|_| !self.ready);
        self.taints.iter().filter_map(|taint| taint.since).chain(lost).max()
    }

    /// Since when it is cordoned. The node itself does not tell, but the taint that stands for it does.
    pub fn cordoned_since(&self) -> Option<Timestamp> {
        self.taints.iter().find(|taint| taint.key() == CORDON)?.since
    }
}

impl TaintFacts {
    pub fn key(&self) -> &str {
        self.taint.split(['=', ':']).next().unwrap_or_default()
    }
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
