use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const DEPLOYMENT: &str = include_str!("../testdata/deployment.json");
const REPLICA_SET: &str = include_str!("../testdata/replicaset.json");

fn deployment() -> Value {
    serde_json::from_str(DEPLOYMENT).unwrap()
}

fn template(object: &Value) -> Walked<Template> {
    serde_json::from_value(object["spec"]["template"].clone()).unwrap()
}

/// The template of the deployment with one value set, `null` to remove it.
fn changed(pointer: &str, value: Value) -> Walked<Template> {
    let mut object = deployment();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(&format!("/spec/template{parent}")).unwrap();
    match (key.parse::<usize>(), parent.as_array_mut()) {
        (Ok(index), Some(list)) => list[index] = value,
        _ => parent[key] = value,
    }
    template(&object)
}

#[test]
fn a_deployment_and_its_replica_set_have_the_same_template_digest() {
    let deployment: SlimDeployment = serde_json::from_str(DEPLOYMENT).unwrap();
    let set: SlimReplicaSet = serde_json::from_str(REPLICA_SET).unwrap();
    assert_eq!(deployment.spec.template.digest, set.spec.template.digest);
    assert_eq!(deployment.spec.template.kept.material(), set.spec.template.kept.material());
    assert_ne!(set.spec.template.digest, crate::cluster::digest::Digest::NOTHING);
}

#[test]
fn a_restart_changes_the_digest_but_nothing_material() {
    let before = template(&deployment());
    let mut object = deployment();
    object["spec"]["template"]["metadata"]["annotations"][RESTARTED_AT] = json!("2026-03-02T00:00:00Z");
    let restarted = template(&object);
    assert_ne!(before.digest, restarted.digest);
    assert_eq!(before.kept.material(), restarted.kept.material());
}

#[test]
fn the_first_restart_of_a_template_without_annotations_is_not_material() {
    let mut object = deployment();
    object["spec"]["template"]["metadata"] = json!({"labels": {"app": "web"}});
    let before = template(&object);
    object["spec"]["template"]["metadata"]["annotations"] = json!({RESTARTED_AT: "2026-03-02T00:00:00Z"});
    let after = template(&object);
    assert_ne!(before.digest, after.digest);
    assert_eq!(before.kept.material(), after.kept.material());
}

#[rstest]
#[case("/metadata/creationTimestamp", Value::Null)]
#[case("/metadata/labels/pod-template-hash", json!("abc"))]
#[case("/spec/containers/0/lifecycle", Value::Null)]
#[case("/spec/tolerations", json!([]))]
#[case("/spec/nodeSelector", json!({}))]
#[case("/spec/initContainers/0/resources", Value::Null)]
fn what_means_the_same_has_the_same_digest(#[case] pointer: &str, #[case] value: Value) {
    assert_eq!(changed(pointer, value).digest, template(&deployment()).digest);
}

#[rstest]
#[case("/metadata/labels/tier", json!("back"))]
#[case("/metadata/annotations/note", json!("x"))]
#[case("/spec/containers/0/image", json!("127.0.0.1:5000/web:1.4.3"))]
#[case("/spec/containers/0/env/0/value", json!("debug"))]
#[case("/spec/containers/0/args/0", json!("--listen=:80"))]
#[case("/spec/containers/0/resources/limits/memory", json!("127Mi"))]
#[case("/spec/containers/0/readinessProbe/httpGet/path", json!("/"))]
#[case("/spec/containers/0/fieldOfTheFuture", json!({"on": true}))]
#[case("/spec/initContainers/1/restartPolicy", Value::Null)]
#[case(
    "/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/0/podAffinityTerm/namespaceSelector",
    Value::Null
)]
#[case("/spec/fieldOfTheFuture", json!(1))]
#[case("/spec/hostNetwork", json!(true))]
fn every_other_change_is_seen(#[case] pointer: &str, #[case] value: Value) {
    let (before, after) = (template(&deployment()), changed(pointer, value));
    assert_ne!(before.digest, after.digest);
    assert_ne!(before.kept.material(), after.kept.material());
}

#[rstest]
#[case::a_level(json!([{"name": "LOG_LEVEL", "value": "debug"}]), json!([]), false)]
#[case::another_order(
    json!([{"name": "A_URL", "value": "1"}, {"name": "B_URL", "value": "2"}]),
    json!([{"name": "B_URL", "value": "2"}, {"name": "A_URL", "value": "1"}]), false)]
#[case::an_address(json!([{"name": "A_URL", "value": "1"}]), json!([{"name": "A_URL", "value": "2"}]), true)]
#[case::one_that_went(json!([{"name": "A_URL", "value": "1"}]), Value::Null, true)]
#[case::what_an_object_holds(
    json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "k"}}}]),
    json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "b", "key": "k"}}}]), true)]
#[case::what_is_known_of_the_pod(
    json!([{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]), json!([]), false)]
#[case::nonsense(json!([{"name": 7, "value": {"x": []}}]), json!([]), false)]
fn only_variables_that_may_lead_to_a_service_are_places(#[case] old: Value, #[case] new: Value, #[case] differ: bool) {
    let places = |env: Value| {
        let object = json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "env": env}]}}}});
        serde_json::from_value::<Walked<Template>>(object["spec"]["template"].clone())
            .map(|template| template.kept.containers[0].places.finish())
            .unwrap_or_default()
    };
    assert_eq!(places(old) != places(new), differ);
}

#[test]
fn all_variables_of_an_object_are_a_place() {
    let source = |name: &str| json!([{"secretRef": {"name": name}}]);
    let places = |name: &str| changed("/spec/containers/0/envFrom", source(name)).kept.containers[0].places.finish();
    assert_eq!(places("a"), places("a"));
    assert_ne!(places("a"), places("b"));
}

#[test]
fn metadata_keeps_only_what_is_used() {
    let deployment: SlimDeployment = serde_json::from_str(DEPLOYMENT).unwrap();
    let annotations = deployment.metadata.annotations.unwrap();
    assert_eq!(annotations.keys().collect::<Vec<_>>(), ["backstay.dev/paused-for", REVISION]);
    assert_eq!(deployment.metadata.labels.unwrap().len(), 2);
    let managers = deployment.metadata.managed_fields.unwrap();
    assert!(managers.iter().all(|entry| entry.fields_v1.is_none() && entry.manager.is_some()));

    let pod: SlimPod = serde_json::from_str(include_str!("../testdata/pod.json")).unwrap();
    assert!(pod.metadata.labels.is_none() && pod.metadata.annotations.is_none());
    assert!(pod.metadata.managed_fields.is_none());
    assert_eq!(pod.metadata.resource_version.as_deref(), Some("1002"));
}

#[test]
fn slim_types_are_the_resources_they_stand_for() {
    assert_eq!(SlimDeployment::url_path(&(), Some("shop")), "/apis/apps/v1/namespaces/shop/deployments");
    assert_eq!(SlimReplicaSet::url_path(&(), None), "/apis/apps/v1/replicasets");
    assert_eq!(SlimPod::url_path(&(), None), "/api/v1/pods");
    assert_eq!(SlimNode::url_path(&(), None), "/api/v1/nodes");
}

#[test]
fn lists_that_go_sends_as_null_are_empty() {
    let pod: SlimPod = serde_json::from_value(json!({
        "metadata": {"name": "a", "ownerReferences": null, "labels": null},
        "spec": {"containers": null}, "status": {"conditions": null, "containerStatuses": null}
    }))
    .unwrap();
    assert!(pod.spec.containers.is_empty() && pod.status.conditions.is_empty());
    let empty: SlimDeployment =
        serde_json::from_value(json!({"spec": null, "status": null, "metadata": null})).unwrap();
    assert!(empty.metadata.name.is_none());
}
