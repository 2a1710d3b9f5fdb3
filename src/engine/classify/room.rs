//! What a pod asks for, next to what nodes have and to what they have free.

use std::cmp::Reverse;

use super::amounts::Amount;
use crate::engine::facts::{NodeRoom, RoomFacts, Snapshot, WorkloadFacts};

/// Amounts of memory are told in whole ones of these.
const MEBIBYTE: u64 = 1 << 20;

/// In numbers, and with the next command where there is one. `asks`: thousandths of a core, and bytes.
pub(super) fn words(s: &Snapshot, asks: (u64, u64)) -> String {
    let (cpu, memory) = amounts(asks.0, asks.1);
    let (most_cpu, most_memory) = amounts(s.nodes.largest_cpu, s.nodes.largest_memory);
    let text = format!(
        "a pod asks for cpu {cpu} and memory {memory}; no node has more than cpu {most_cpu} or memory {most_memory} in all"
    );
    let possible = asks.0 <= s.nodes.largest_cpu && asks.1 <= s.nodes.largest_memory;
    match s.nodes.room.as_ref().and_then(|room| free(room, asks, possible)) {
        Some(free) if possible => format!("{text}; {free}{}", surge(&s.workload)),
        Some(free) => format!("{text}; {free}"),
        None => text,
    }
}

/// What is free at most, and whether that is enough on any one node.
fn free(room: &RoomFacts, asks: (u64, u64), possible: bool) -> Option<String> {
    let most = |of: fn(&NodeRoom) -> u64| room.nodes.iter().max_by_key(|node| (of(node), Reverse(&node.node)));
    let (cpu, memory) = (most(|node| node.cpu)?, most(|node| node.memory)?);
    let (most_cpu, most_memory) = amounts(cpu.cpu, memory.memory);
    let where_to = if cpu.node == memory.node {
        format!("cpu {most_cpu} and memory {most_memory} on node {}", cpu.node)
    } else {
        format!("cpu {most_cpu} on node {} and memory {most_memory} on node {}", cpu.node, memory.node)
    };
    let pods = match (room.pods, room.namespaces) {
        (1, _) => "1 pod".to_owned(),
        (pods, 1) => format!("{pods} pods of one namespace"),
        (pods, _) => format!("{pods} pods"),
    };
    let fitting = room.nodes.iter().find(|node| node.cpu >= asks.0 && node.memory >= asks.1);
    let short = if cpu.cpu < asks.0 { cpu } else { memory };
    let follows = match fitting {
        Some(node) => {
            format!("by that node {} has room: kubectl describe node {} shows what else is there", node.node, node.node)
        }
        None if possible => format!("no node has room for it now: kubectl describe node {}", short.node),
        None => format!("see kubectl describe node {}", short.node),
    };
    Some(format!("free now, by the requests of {pods} in sight, are at most {where_to}; {follows}"))
}

/// New pods come before old ones go.
fn surge(workload: &WorkloadFacts) -> String {
    let beside = workload.total_replicas > workload.updated_replicas && workload.max_surge > 0 && !workload.recreate;
    if beside {
        format!("; the old pods keep theirs meanwhile (maxSurge {})", workload.max_surge)
    } else {
        String::new()
    }
}

fn amounts(cpu: u64, memory: u64) -> (Amount, Amount) {
    let whole = memory.checked_div(MEBIBYTE).filter(|whole| *whole > 0).map_or(memory, |n| n.saturating_mul(MEBIBYTE));
    (Amount::of_thousandths(cpu), Amount::of_units(whole))
}
