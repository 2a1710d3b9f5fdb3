//! Where the template of a revision is kept: in its ReplicaSet, in its ControllerRevision, or in the workload alone.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, ReplicationController};
use kube::api::ApiResource;
use serde_json::{Value, json};

use super::ask::{Source, gap};
use super::shown::NOT_GIVEN;
use crate::cluster::cases::is_token;

/// A workload whose templates are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    pub kind: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
}

impl Of<'_> {
    /// The workload itself.
    pub async fn workload(&self, source: Source<'_>) -> Result<Arc<Value>, String> {
        let api = api(self.kind).ok_or_else(|| gap(&format!("{} {}", self.kind, self.name), "an unknown kind"))?;
        source.get(&api, self.namespace, self.name).await
    }

    /// The template of the revision of this name.
    pub async fn template(&self, source: Source<'_>, revision: &str) -> Result<Value, String> {
        let object = match self.keeper().filter(|_| self.kind == "Deployment" || revision != self.name) {
            Some(api) => source.get(&api, self.namespace, revision).await,
            None => self.workload(source).await,
        };
        object.map(|object| template(&object))
    }

    /// The same of the newest one, which the workload has too.
    pub async fn newest(&self, source: Source<'_>, revision: &str) -> Result<Value, String> {
        let unseen = match self.template(source, revision).await {
            Err(unseen) if self.kind != "Deployment" => unseen,
            kept => return kept,
        };
        match self.workload(source).await {
            Ok(workload) if makes(&workload, revision) => Ok(template(&workload)),
            _ => Err(unseen),
        }
    }

    /// The template that the workload has now is the one of the revision of this name. Of kinds whose workloads have no
    /// other that is so.
    pub fn is_present(&self, workload: &Value, revision: &str) -> bool {
        !matches!(self.kind, "StatefulSet" | "DaemonSet") || revision == self.name || makes(workload, revision)
    }

    /// What keeps its revisions, if anything does.
    fn keeper(&self) -> Option<ApiResource> {
        match self.kind {
            "Deployment" => Some(ApiResource::erase::<ReplicaSet>(&())),
            "StatefulSet" | "DaemonSet" => Some(ApiResource::erase::<ControllerRevision>(&())),
            _ => None,
        }
    }

    /// Why nothing tells what the template was before, where its revision is known by this name.
    pub fn without_a_past(&self, source: Source<'_>, revision: &str) -> Option<String> {
        let before = "what the template was before";
        match self.kind {
            "Deployment" => None,
            "StatefulSet" | "DaemonSet" if revision != self.name => None,
            "StatefulSet" | "DaemonSet" => Some(match source {
                Source::Input(shown) if shown.list("ControllerRevision", None).is_none() => {
                    gap("controllerrevisions", NOT_GIVEN)
                }
                Source::Input(_) => gap(before, "no ControllerRevision of it was seen"),
                Source::Cluster(_) => gap(before, "its pods are not told apart by revision"),
            }),
            // What is not known may well keep it.
            kind => api(kind).map(|_| gap(before, &format!("a {kind} does not keep it"))),
        }
    }
}

/// How a kind that makes pods is asked for.
fn api(kind: &str) -> Option<ApiResource> {
    Some(match kind {
        "Deployment" => ApiResource::erase::<Deployment>(&()),
        "ReplicaSet" => ApiResource::erase::<ReplicaSet>(&()),
        "StatefulSet" => ApiResource::erase::<StatefulSet>(&()),
        "DaemonSet" => ApiResource::erase::<DaemonSet>(&()),
        "Job" => ApiResource::erase::<Job>(&()),
        "ReplicationController" => ApiResource::erase::<ReplicationController>(&()),
        "Pod" => ApiResource::erase::<Pod>(&()),
        _ => return None,
    })
}

/// The template that an object holds. A pod is its own, but for what admission adds to all of them.
fn template(object: &Value) -> Value {
    let held = ["/data/spec/template", "/spec/template"].into_iter().find_map(|at| object.pointer(at));
    if let Some(held) = held {
        return held.clone();
    }
    let part = |key: &str| object.pointer(key).cloned().unwrap_or_default();
    let mut spec = part("/spec");
    if let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) {
        volumes.retain(|volume| !is_token(volume));
    }
    let metadata = json!({"labels": part("/metadata/labels"), "annotations": part("/metadata/annotations")});
    json!({"metadata": metadata, "spec": spec})
}

/// The workload makes pods of this revision now, the newest of which there are any, and of the template that it has.
fn makes(workload: &Value, revision: &str) -> bool {
    let number = |at: &str| workload.pointer(at).and_then(Value::as_i64);
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return false;
    }
    let status = |key: &str| workload.get("status").and_then(|status| status.get(key));
    let updated = status("updatedNumberScheduled").and_then(Value::as_i64);
    status("updateRevision").and_then(Value::as_str) == Some(revision) || updated.is_some_and(|pods| pods > 0)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::super::shown::Shown;
    use super::*;

    fn of(kind: &'static str) -> Of<'static> {
        Of { kind, namespace: "shop", name: "db" }
    }

    fn given(objects: &[(&str, &str, Value)]) -> Shown {
        let mut shown = Shown::default();
        for (kind, name, rest) in objects {
            let mut object = rest.clone();
            object["metadata"]["name"] = json!(name);
            object["metadata"]["namespace"] = json!("shop");
            shown.keep(kind, "", object);
        }
        shown
    }

    fn image(template: &Value) -> Option<&str> {
        template.pointer("/spec/containers/0/image")?.as_str()
    }

    fn spec(image: &str) -> Value {
        json!({"spec": {"containers": [{"name": "db", "image": image}]}})
    }

    fn read(shown: &Shown, kind: &'static str, revision: &str) -> Result<Value, String> {
        of(kind).template(Source::Input(shown), revision).now_or_never().unwrap()
    }

    #[test]
    fn a_revision_is_read_where_its_kind_keeps_it() {
        let kept = json!({"data": {"spec": {"template": spec("db:1")}}});
        let set = json!({"spec": {"template": spec("db:2")}, "status": {"updateRevision": "db-2"}});
        let shown = given(&[("ControllerRevision", "db-1", kept), ("StatefulSet", "db", set)]);
        assert_eq!(image(&read(&shown, "StatefulSet", "db-1").unwrap()), Some("db:1"));
        assert_eq!(image(&read(&shown, "StatefulSet", "db").unwrap()), Some("db:2"));
        assert_eq!(read(&shown, "StatefulSet", "db-2").unwrap_err(), "ControllerRevision db-2 (not in the input)");
        assert_eq!(read(&shown, "Rollout", "db-0").unwrap_err(), "Rollout db (an unknown kind)");
    }

    #[test]
    fn the_newest_is_also_in_the_workload_while_that_makes_pods_of_it() {
        let newest = |kind: &'static str, status: Value| {
            let workload = json!({"spec": {"template": spec("db:2")}, "status": status});
            let shown = given(&[(kind, "db", workload)]);
            of(kind).newest(Source::Input(&shown), "db-2").now_or_never().unwrap().ok()
        };
        let known = |kind, status| newest(kind, status).is_some_and(|template| image(&template) == Some("db:2"));
        assert!(known("StatefulSet", json!({"updateRevision": "db-2"})));
        assert!(!known("StatefulSet", json!({"updateRevision": "db-3"})), "its pods are not of it yet");
        assert!(known("DaemonSet", json!({"updatedNumberScheduled": 1})));
        assert!(!known("DaemonSet", json!({})));
        assert!(!known("Deployment", json!({"updatedNumberScheduled": 1})));
    }

    #[test]
    fn a_status_from_before_the_template_was_written_does_not_tell_of_it() {
        let workload = |observed: i64| {
            json!({"metadata": {"generation": 7},
                "status": {"updateRevision": "db-2", "observedGeneration": observed}})
        };
        assert!(of("StatefulSet").is_present(&workload(7), "db-2"));
        assert!(!of("StatefulSet").is_present(&workload(6), "db-2"));
        assert!(!of("StatefulSet").is_present(&workload(7), "db-1"), "an older one");
        assert!(of("Deployment").is_present(&workload(6), "db-1"), "its newest ReplicaSet is asked about");
    }

    #[test]
    fn a_pod_is_its_own_template_without_what_admission_added() {
        let mut pod = spec("db:1");
        pod["metadata"]["labels"] = json!({"app": "db"});
        pod["spec"]["volumes"] = json!([{"name": "kube-api-access-x2b7q"}, {"name": "data"}]);
        let template = read(&given(&[("Pod", "db", pod)]), "Pod", "db").unwrap();
        assert_eq!((image(&template), &template["spec"]["volumes"]), (Some("db:1"), &json!([{"name": "data"}])));
        assert_eq!(template["metadata"]["labels"], json!({"app": "db"}));
    }

    #[test]
    fn what_is_not_kept_is_said() {
        let (none, some) = (given(&[]), given(&[("ControllerRevision", "other-1", json!({}))]));
        let past = |kind, shown, revision| of(kind).without_a_past(Source::Input(shown), revision);
        assert_eq!(past("Deployment", &none, "db-1"), None);
        assert_eq!(past("StatefulSet", &none, "db-1"), None);
        assert_eq!(past("DaemonSet", &none, "db").unwrap(), "controllerrevisions (not in the input)");
        assert!(past("DaemonSet", &some, "db").unwrap().ends_with("(no ControllerRevision of it was seen)"));
        assert!(past("Job", &none, "db").unwrap().ends_with("(a Job does not keep it)"));
        assert_eq!(past("CloneSet", &none, "db"), None);
    }
}
