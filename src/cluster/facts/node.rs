use super::quantity::{thousandths, units};
use super::{Interner, find, is_true};
use crate::cluster::slim::{SlimNode, Taint};
use crate::cluster::text::clean;
use crate::engine::facts::NodeFacts;

/// Conditions that are bad news when true (`k8s.io/api/core/v1`, `NodeConditionType`).
const PRESSURE: [&str; 4] = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];

/// Taints that are kept of one node.
const MAX_TAINTS: usize = 8;

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
        taints: node
            .spec
            .taints
            .iter()
            .filter(|t| t.effect != "PreferNoSchedule")
            .take(MAX_TAINTS)
            .map(taint)
            .map(|t| names.word(&t))
            .collect(),
    })
}

/// As `kubectl taint` writes it, bounded.
fn taint(taint: &Taint) -> String {
    let value = taint.value.as_deref().filter(|value| !value.is_empty());
    let value = value.map(|value| format!("={value}")).unwrap_or_default();
    clean(&format!("{}{value}:{}", taint.key, taint.effect), 128).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn taints_that_keep_pods_away_are_kept_as_kubectl_writes_them() {
        let node = json!({"metadata": {"name": "n1"}, "spec": {"taints": [
            {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"},
            {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
            {"key": "soft", "effect": "PreferNoSchedule"},
        ]}});
        let facts = node_facts(&serde_json::from_value(node).unwrap(), &mut Interner::default()).unwrap();
        let taints: Vec<&str> = facts.taints.iter().map(AsRef::as_ref).collect();
        assert_eq!(taints, ["dedicated=gpu:NoSchedule", "node.kubernetes.io/not-ready:NoExecute"]);
        let none = json!({"metadata": {"name": "n1"}, "spec": {"taints": null}});
        assert!(
            node_facts(&serde_json::from_value(none).unwrap(), &mut Interner::default()).unwrap().taints.is_empty()
        );
    }
}
