//! What a pod on a node asks for, as the scheduler counts it (`PodRequests` in component-helpers/resource).

use serde::Deserialize;
use serde_json::Value;

use crate::cluster::digest::Leaf;
use crate::cluster::facts::{init_kind, thousandths, units};
use crate::engine::words::ContainerKind;

/// What a pod takes of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asks {
    pub node: String,
    /// Thousandths of a core.
    pub cpu: u64,
    /// Bytes.
    pub memory: u64,
}

/// How amounts of a resource are read.
type Read = fn(&Leaf) -> Option<u64>;

/// `None` for a pod without a node, and for one that has ended and takes nothing any more.
pub fn asks(pod: &Value) -> Option<Asks> {
    let node = pod.pointer("/spec/nodeName")?.as_str().filter(|node| !node.is_empty())?;
    let phase = pod.pointer("/status/phase").and_then(Value::as_str);
    let spec = pod.get("spec")?;
    let of = |resource, read| of_pod(spec, resource, read);
    (!matches!(phase, Some("Succeeded" | "Failed"))).then(|| Asks {
        node: node.to_owned(),
        cpu: of("cpu", thousandths),
        memory: of("memory", units),
    })
}

/// Its containers together with its sidecars, or an init container beside the sidecars before it if that is more; and
/// what the runtime takes on top.
fn of_pod(spec: &Value, resource: &str, read: Read) -> u64 {
    let (mut sidecars, mut init) = (0_u64, 0_u64);
    for container in items(spec.get("initContainers")) {
        let own = of_container(container, resource, read);
        match init_kind(container.get("restartPolicy").and_then(Value::as_str)) {
            ContainerKind::Sidecar => sidecars = sidecars.saturating_add(own),
            _ => init = init.max(sidecars.saturating_add(own)),
        }
    }
    let apps = items(spec.get("containers")).iter().map(|container| of_container(container, resource, read));
    let together = apps.fold(sidecars, u64::saturating_add).max(init);
    let whole = amount(spec.pointer("/resources/requests"), resource, read).unwrap_or(together);
    whole.saturating_add(amount(spec.get("overhead"), resource, read).unwrap_or(0))
}

/// A limit without a request is also the request.
fn of_container(container: &Value, resource: &str, read: Read) -> u64 {
    let resources = container.get("resources");
    let of = |list: &str| amount(resources.and_then(|resources| resources.get(list)), resource, read);
    of("requests").or_else(|| of("limits")).unwrap_or(0)
}

fn amount(list: Option<&Value>, resource: &str, read: Read) -> Option<u64> {
    read(&Leaf::deserialize(list?.get(resource)?).ok()?)
}

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn container(cpu: &str) -> Value {
        json!({"resources": {"requests": {"cpu": cpu, "memory": "1Mi"}}})
    }

    fn sidecar(cpu: &str) -> Value {
        json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": cpu}}})
    }

    #[rstest]
    #[case::containers_add_up(json!({"containers": [container("1"), container("250m")]}), 1250)]
    #[case::an_init_container_runs_before(json!({"containers": [container("1")], "initContainers": [container("3")]}), 3000)]
    #[case::beside_the_sidecars_before_it(
        json!({"containers": [container("1")], "initContainers": [sidecar("500m"), container("3"), sidecar("1")]}), 3500)]
    #[case::a_limit_is_the_request(json!({"containers": [{"resources": {"limits": {"cpu": 2}}}]}), 2000)]
    #[case::of_the_pod_as_a_whole(
        json!({"containers": [container("1")], "resources": {"requests": {"cpu": "4"}}, "overhead": {"cpu": "250m"}}), 4250)]
    #[case::nothing(json!({"containers": [{}]}), 0)]
    #[case::nonsense(json!({"containers": [{"resources": {"requests": {"cpu": {"x": 1}}}}, 7]}), 0)]
    fn a_pod_asks_for_what_the_scheduler_counts(#[case] mut spec: Value, #[case] cpu: u64) {
        spec["nodeName"] = json!("n1");
        assert_eq!(asks(&json!({"spec": spec})).unwrap().cpu, cpu);
    }

    #[rstest]
    #[case::no_node(json!({"spec": {"containers": [container("1")]}}))]
    #[case::ended(json!({"spec": {"nodeName": "n1", "containers": [container("1")]}, "status": {"phase": "Succeeded"}}))]
    fn what_is_on_no_node_takes_nothing(#[case] pod: Value) {
        assert_eq!(asks(&pod), None);
    }
}
