use jiff::Timestamp;

use super::quantity::{thousandths, units};
use super::{Interner, find, is_true};
use crate::cluster::slim::{SlimNode, Taint};
use crate::cluster::text::clean;
use crate::engine::facts::{NodeFacts, TaintFacts};

/// Conditions that are bad news when true (`k8s.io/api/core/v1`, `NodeConditionType`).
const PRESSURE: [&str; 4] = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];

/// Taints that are kept of one node.
const MAX_TAINTS: usize = 8;

/// They write the list of taints whenever a condition comes or goes, or the kubelet starts anew, and set the time of the
/// taints that they mean: when they wrote says nothing of those that others put there.
const KEEPERS: [&str; 3] = ["kube-controller-manager", "cloud-controller-manager", "kubelet"];

/// The facts of a node; `None` without a name. A node whose readiness nobody reported is not ready.
pub fn node_facts(node: &SlimNode, names: &mut Interner) -> Option<NodeFacts> {
    let name = node.metadata.name.as_deref().filter(|name| !name.is_empty())?;
    let conditions = &node.status.conditions;
    let written = written(node);
    let ready = find(conditions, "Ready");
    let pressure = PRESSURE.iter().filter(|kind| find(conditions, kind).is_some_and(is_true));
    Some(NodeFacts {
        name: names.named(name),
        created: node.metadata.creation_timestamp.as_ref().map(|created| created.0),
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
            .map(|t| TaintFacts { taint: names.word(&taint(t)), since: t.time_added.0.or(written) })
            .collect(),
    })
}

/// When somebody wrote the list of taints. Those that `kubectl taint` adds have no time of their own.
fn written(node: &SlimNode) -> Option<Timestamp> {
    let managers = node.metadata.managed_fields.iter().flatten();
    let others = managers.filter(|m| m.manager.as_deref().is_some_and(|name| !KEEPERS.contains(&name)));
    others.filter_map(|m| m.time.as_ref()).map(|time| time.0).max()
}

/// As `kubectl taint` writes it, bounded.
fn taint(taint: &Taint) -> String {
    let value = taint.value.as_deref().filter(|value| !value.is_empty());
    let value = value.map(|value| format!("={value}")).unwrap_or_default();
    clean(&format!("{}{value}:{}", taint.key, taint.effect), 128).into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn taints_that_keep_pods_away_are_kept_as_kubectl_writes_them() {
        let node = json!({"metadata": {"name": "n1"}, "spec": {"taints": [
            {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"},
            {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
            {"key": "soft", "effect": "PreferNoSchedule"},
        ]}});
        let facts = node_facts(&serde_json::from_value(node).unwrap(), &mut Interner::default()).unwrap();
        let taints: Vec<&str> = facts.taints.iter().map(|t| &*t.taint).collect();
        assert_eq!(taints, ["dedicated=gpu:NoSchedule", "node.kubernetes.io/not-ready:NoExecute"]);
        let none = json!({"metadata": {"name": "n1"}, "spec": {"taints": null}});
        assert!(
            node_facts(&serde_json::from_value(none).unwrap(), &mut Interner::default()).unwrap().taints.is_empty()
        );
    }

    /// Since when each taint of a node is there.
    fn since(taints: &Value, managers: &Value) -> Vec<Option<String>> {
        let node = json!({"metadata": {"name": "n1", "managedFields": managers}, "spec": {"taints": taints}});
        let facts = node_facts(&serde_json::from_value(node).unwrap(), &mut Interner::default()).unwrap();
        facts.taints.iter().map(|taint| taint.since.map(|at| at.to_string())).collect()
    }

    #[test]
    fn the_time_of_a_taint_is_its_own_or_when_somebody_wrote_the_list() {
        let taints = json!([
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": "2026-03-01T10:00:00Z"},
            {"key": "dedicated", "effect": "NoSchedule"},
        ]);
        let manager = |name: &str, fields: Value| {
            json!({"manager": name, "operation": "Update",
            "time": "2026-03-01T11:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields})
        };
        let list = json!({"f:spec": {"f:taints": {}}});
        let (own, written) = (Some("2026-03-01T10:00:00Z".to_owned()), Some("2026-03-01T11:00:00Z".to_owned()));
        assert_eq!(since(&taints, &json!([manager("kubectl-taint", list.clone())])), [own.clone(), written]);
        for unknown in [
            json!([manager("kube-controller-manager", list.clone())]),
            json!([manager("kubelet", list)]),
            json!([manager(
                "kubectl-label",
                json!({"f:metadata": {"f:labels": {}}, "f:spec": {"f:unschedulable": {}}})
            )]),
            json!([manager("kubectl-taint", Value::Null), {}]),
            Value::Null,
        ] {
            assert_eq!(since(&taints, &unknown), [own.clone(), None], "{unknown}");
        }
    }
}
