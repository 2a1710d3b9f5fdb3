//! The template of a pod, as far as the pod shows it: without what is its own, and without what admission is known to
//! have added.

use serde_json::{Map, Value, json};

/// The volume of the service account's token, which admission adds under a new name to every pod
/// (`ServiceAccountVolumeName` in plugin/pkg/admission/serviceaccount).
const TOKEN: &str = "kube-api-access-";

/// `template` is what the owner makes its newest pods of: labels, annotations and containers that pods of today have and
/// that are not in it were added. Where it is not known annotations say nothing, since many are of the pod alone.
pub struct Shape<'a> {
    template: Option<&'a Value>,
    added: Vec<&'a str>,
}

impl<'a> Shape<'a> {
    pub fn new(template: &'a Value, newest: Option<&'a Value>) -> Self {
        let template = template.get("spec").is_some().then_some(template);
        let known: Vec<&str> = template.into_iter().flat_map(names).collect();
        let of_newest = newest.into_iter().flat_map(names);
        let added = of_newest.filter(|name| template.is_some() && !known.contains(name)).collect();
        Self { template, added }
    }

    pub fn of(&self, pod: &Value) -> Value {
        let metadata = json!({"labels": self.marks(pod, "labels"), "annotations": self.marks(pod, "annotations")});
        let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let mut spec = pod.get("spec").cloned().unwrap_or_default();
        if let Some(fields) = spec.as_object_mut() {
            ["nodeName", "hostname", "ephemeralContainers"].iter().for_each(|own| drop(fields.remove(*own)));
            self.containers(fields);
            volumes(fields, name);
        }
        if let Some(terms) =
            spec.pointer_mut("/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms")
        {
            // A DaemonSet binds every pod to its node so (`ReplaceDaemonSetPodNodeNameNodeAffinity`).
            terms.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut).for_each(|term| {
                term.remove("matchFields");
            });
        }
        json!({"metadata": metadata, "spec": spec})
    }

    fn marks(&self, pod: &Value, kind: &str) -> Map<String, Value> {
        let of = |object: &'_ Value| object.get("metadata").and_then(|meta| meta.get(kind)?.as_object().cloned());
        let wanted = self.template.and_then(of).unwrap_or_default();
        let own = of(pod).unwrap_or_default();
        own.into_iter().filter(|(key, _)| wanted.contains_key(key)).collect()
    }

    fn containers(&self, spec: &mut Map<String, Value>) {
        for list in ["containers", "initContainers"] {
            let Some(containers) = spec.get_mut(list).and_then(Value::as_array_mut) else { continue };
            containers.retain(|container| !name(container).is_some_and(|name| self.added.contains(&name)));
            for container in containers {
                if let Some(mounts) = container.get_mut("volumeMounts").and_then(Value::as_array_mut) {
                    mounts.retain(|mount| !is_token(mount));
                }
            }
        }
    }
}

/// A claim that a StatefulSet makes for a pod bears the pod's name.
fn volumes(spec: &mut Map<String, Value>, pod: &str) {
    let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) else { return };
    volumes.retain(|volume| !is_token(volume));
    for claim in volumes.iter_mut().filter_map(|volume| volume.pointer_mut("/persistentVolumeClaim/claimName")) {
        let base = claim.as_str().and_then(|claim| claim.strip_suffix(pod)).map(str::to_owned);
        *claim = base.map_or_else(|| claim.take(), Value::from);
    }
}

/// A volume or its mount is the one that admission adds.
pub fn is_token(item: &Value) -> bool {
    name(item).is_some_and(|name| name.starts_with(TOKEN))
}

fn name(item: &Value) -> Option<&str> {
    item.get("name").and_then(Value::as_str)
}

fn names(of: &Value) -> impl Iterator<Item = &str> {
    let list = |key: &str| of.get("spec").and_then(|spec| spec.get(key)?.as_array());
    let lists = [list("containers"), list("initContainers")];
    lists.into_iter().flatten().flatten().filter_map(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, node: &str, image: &str) -> Value {
        let token = format!("kube-api-access-{name}");
        json!({
            "metadata": {"name": name, "labels": {"app": "db", "controller-revision-hash": name},
                "annotations": {"checksum/config": "1", "cni.example.com/ip": node}},
            "spec": {"nodeName": node, "hostname": name,
                "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                    {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]}}},
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": format!("data-{name}")}},
                    {"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}}, {"name": token, "projected": {}}],
                "containers": [
                    {"name": "db", "image": "db:1", "volumeMounts": [{"name": "data"}, {"name": token}]},
                    {"name": "proxy", "image": image}]},
        })
    }

    #[test]
    fn what_is_a_pods_own_or_was_added_is_not_of_its_template() {
        let template = json!({"metadata": {"labels": {"app": "db"}, "annotations": {"checksum/config": "2"}},
            "spec": {"containers": [{"name": "db"}]}});
        let (old, new) = (pod("db-0", "a", "proxy:1"), pod("db-1", "b", "proxy:2"));
        let shape = Shape::new(&template, Some(&new));
        let shown = shape.of(&new);
        assert_eq!(shape.of(&old), shown);
        assert_eq!(shown["metadata"], json!({"labels": {"app": "db"}, "annotations": {"checksum/config": "1"}}));
        assert_eq!(shown.pointer("/spec/volumes/1/persistentVolumeClaim/claimName"), Some(&json!("shared")));
    }

    #[test]
    fn what_differs_between_templates_is_left() {
        let (old, mut new) = (pod("db-0", "a", "proxy:1"), pod("db-1", "b", "proxy:2"));
        let shape = Shape::new(&Value::Null, Some(&new));
        assert_ne!(shape.of(&old), shape.of(&new), "nobody says that the container was added");
        new["spec"]["containers"][1]["image"] = json!("proxy:1");
        assert_eq!(Shape::new(&Value::Null, None).of(&old), Shape::new(&Value::Null, None).of(&new));
        new["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
        assert_ne!(Shape::new(&Value::Null, None).of(&old), Shape::new(&Value::Null, None).of(&new));
    }

    #[test]
    fn nonsense_has_no_shape() {
        for object in [Value::Null, json!([]), json!({"spec": 3}), json!({"spec": {"containers": {}, "volumes": [3]}})]
        {
            let _ = Shape::new(&object, Some(&object)).of(&object);
        }
    }
}
