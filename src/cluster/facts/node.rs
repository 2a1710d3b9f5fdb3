use super::quantity::{thousandths, units};
use super::{Interner, find, is_true};
use crate::cluster::slim::SlimNode;
use crate::engine::facts::NodeFacts;

/// Conditions that are bad news when true (`k8s.io/api/core/v1`, `NodeConditionType`).
const PRESSURE: [&str; 4] = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];

/// The facts of a node; `None` without a name. A node whose readiness nobody reported is not ready.
pub fn node_facts(node: &SlimNode, names: &mut Interner) -> Option<NodeFacts> {
    let name = node.metadata.name.as_deref().filter(|name| !name.is_empty())?;
    let conditions = &node.status.conditions;
    let ready = find(conditions, "Ready");
    let pressure = PRESSURE.iter().filter(|kind| find(conditions, kind).is_some_and(is_true));
    Some(NodeFacts {
        name: names.named(name),
        ready: ready.is_some_and(is_true),
        ready_since: ready.and_then(|condition| condition.last_transition_time.0),
        unschedulable: node.spec.unschedulable.unwrap_or_default(),
        pressure: pressure.map(|kind| names.name(kind)).collect(),
        allocatable_cpu: thousandths(&node.status.allocatable.cpu).unwrap_or_default(),
        allocatable_memory: units(&node.status.allocatable.memory).unwrap_or_default(),
    })
}
