use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cluster::intake::{Asks, Id};
use crate::engine::facts::{NodeFacts, NodeRoom, RoomFacts};

/// What the pods leave of the nodes; `None` where no pod on a node was seen.
pub fn room(nodes: &[Arc<NodeFacts>], asks: &BTreeMap<Id, Asks>) -> Option<Arc<RoomFacts>> {
    let mut taken: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for asks in asks.values() {
        let (cpu, memory) = taken.entry(&asks.node).or_default();
        *cpu = cpu.saturating_add(asks.cpu);
        *memory = memory.saturating_add(asks.memory);
    }
    let free = |node: &Arc<NodeFacts>| {
        let (cpu, memory) = taken.get(&*node.name).copied().unwrap_or_default();
        NodeRoom {
            node: node.name.clone(),
            cpu: node.allocatable_cpu.saturating_sub(cpu),
            memory: node.allocatable_memory.saturating_sub(memory),
        }
    };
    let namespaces: BTreeSet<&str> = asks.keys().map(|(namespace, _)| &**namespace).collect();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (!asks.is_empty()).then(|| {
        Arc::new(RoomFacts {
            nodes: nodes.iter().filter(|node| !node.keeps_away()).map(free).collect(),
            pods: count(asks.len()),
            namespaces: count(namespaces.len()),
        })
    })
}
