//! Objects that lie around workloads, as a person's files show them: what a diagnosis without a cluster reads in place of
//! the API server.
//!
//! Of ConfigMaps and Secrets nothing but times, writers and names of keys is kept, as little as is asked of a cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

/// What is said of objects that the input does not hold.
pub const NOT_GIVEN: &str = "not in the input";

/// No name is longer.
const MAX_NAME: usize = 253;

/// Kinds with the API group that they are of. Everything that holds a template is among them, and pods that are their own.
const KINDS: [(&str, &str); 22] = [
    ("Deployment", "apps"),
    ("ReplicaSet", "apps"),
    ("StatefulSet", "apps"),
    ("DaemonSet", "apps"),
    ("ControllerRevision", "apps"),
    ("ReplicationController", ""),
    ("Pod", ""),
    ("Job", "batch"),
    ("CronJob", "batch"),
    ("ConfigMap", ""),
    ("Secret", ""),
    ("ServiceAccount", ""),
    ("PersistentVolumeClaim", ""),
    ("PriorityClass", "scheduling.k8s.io"),
    ("Service", ""),
    ("EndpointSlice", "discovery.k8s.io"),
    ("Ingress", "networking.k8s.io"),
    ("NetworkPolicy", "networking.k8s.io"),
    ("HTTPRoute", "gateway.networking.k8s.io"),
    ("HorizontalPodAutoscaler", "autoscaling"),
    ("PodDisruptionBudget", "policy"),
    ("ResourceQuota", ""),
];

/// Namespace and name.
type Id = (String, String);

/// The objects by kind.
#[derive(Debug, Default)]
pub struct Shown(BTreeMap<&'static str, BTreeMap<Id, Arc<Value>>>);

/// What became of one object.
#[derive(Debug)]
pub enum Look {
    There(Arc<Value>),
    /// All objects of its kind in its namespace were given, and it is not among them.
    Gone,
    /// Nobody knows.
    Unknown,
}

impl Shown {
    /// Objects of this kind are kept.
    pub fn holds(kind: &str, group: &str) -> bool {
        known(kind, group).is_some()
    }

    /// Keeps an object of such a kind; the last sight counts.
    pub fn keep(&mut self, kind: &str, group: &str, object: Value) {
        let Some(kind) = known(kind, group) else { return };
        let text = |key: &str| object.pointer(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = (text("/metadata/namespace"), text("/metadata/name"));
        if id.1.is_empty() || !is_plain(&id.0) || !is_plain(&id.1) {
            return;
        }
        let object = if matches!(kind, "ConfigMap" | "Secret") { bare(&object) } else { object };
        self.0.entry(kind).or_default().insert(id, Arc::new(object));
    }

    /// One object. Which kinds were given in full is told by an object that is always there.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Look {
        let Some(all) = self.0.get(kind) else { return Look::Unknown };
        let find = |name: &str| all.get(&(namespace.to_owned(), name.to_owned()));
        let always = match kind {
            "ConfigMap" => "kube-root-ca.crt",
            "ServiceAccount" => "default",
            "PriorityClass" => "system-node-critical",
            _ => "",
        };
        match find(name) {
            Some(object) => Look::There(object.clone()),
            None if !always.is_empty() && find(always).is_some() => Look::Gone,
            None => Look::Unknown,
        }
    }

    /// The objects of a kind, in one namespace or in all; `None` if none of any namespace was given.
    pub fn list(&self, kind: &str, namespace: Option<&str>) -> Option<Vec<Arc<Value>>> {
        let all = self.0.get(kind)?;
        Some(match namespace {
            None => all.values().cloned().collect(),
            Some(namespace) => {
                let from = (namespace.to_owned(), String::new());
                let of_it = all.range(from..).take_while(|((of, _), _)| of == namespace);
                of_it.map(|(_, object)| object.clone()).collect()
            }
        })
    }
}

/// A name such as the API server gives. Names are compared as they are, so what a file has in place of one is left out.
fn is_plain(name: &str) -> bool {
    name.len() <= MAX_NAME && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn known(kind: &str, group: &str) -> Option<&'static str> {
    let found = KINDS.iter().find(|(known, of)| *known == kind && (group.is_empty() || *of == group));
    found.map(|(known, _)| *known)
}

/// An object without what it holds.
fn bare(object: &Value) -> Value {
    let of = |key: &str| object.pointer(&format!("/metadata/{key}")).cloned().unwrap_or_default();
    let keys = ["name", "namespace", "creationTimestamp", "managedFields"];
    json!({"metadata": keys.map(|key| (key.to_owned(), of(key))).into_iter().collect::<BTreeMap<_, _>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(objects: &[(&str, &str)]) -> Shown {
        let mut shown = Shown::default();
        for (kind, name) in objects {
            let meta = json!({"name": name, "namespace": "shop", "annotations": {"a": "hunter2"}});
            shown.keep(kind, "", json!({"metadata": meta, "data": {"KEY": "hunter2"}}));
        }
        shown
    }

    #[test]
    fn what_secrets_and_config_maps_hold_is_not_kept() {
        let shown = shown(&[("Secret", "db"), ("ConfigMap", "settings")]);
        assert!(!format!("{shown:?}").contains("hunter2"), "{shown:?}");
        assert!(matches!(shown.get("Secret", "shop", "db"), Look::There(_)));
    }

    #[test]
    fn what_no_api_server_would_take_for_a_name_names_nothing() {
        let shown = shown(&[("Service", "a\u{1b}[2Jb"), ("Service", "two words"), ("Service", &"x".repeat(254))]);
        assert!(shown.list("Service", None).is_none(), "{shown:?}");
    }

    #[test]
    fn an_object_is_gone_only_where_all_of_its_kind_were_given() {
        let part = shown(&[("ConfigMap", "settings")]);
        assert!(matches!(part.get("ConfigMap", "shop", "other"), Look::Unknown));
        let whole = shown(&[("ConfigMap", "settings"), ("ConfigMap", "kube-root-ca.crt")]);
        assert!(matches!(whole.get("ConfigMap", "shop", "other"), Look::Gone));
        assert!(matches!(whole.get("ConfigMap", "bank", "other"), Look::Unknown));
        assert!(matches!(whole.get("Secret", "shop", "other"), Look::Unknown));
    }

    #[test]
    fn a_list_is_of_one_namespace_and_a_kind_of_one_group() {
        let mut shown = shown(&[("Service", "web")]);
        shown.keep("Service", "serving.knative.dev", json!({"metadata": {"name": "k", "namespace": "shop"}}));
        assert_eq!(shown.list("Service", Some("shop")).map(|all| all.len()), Some(1));
        assert_eq!(shown.list("Service", Some("sho")).map(|all| all.len()), Some(0));
        assert_eq!(shown.list("Ingress", None).map(|all| all.len()), None);
    }
}
