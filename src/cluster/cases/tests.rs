use serde_json::{Value, json};

use super::*;

const DEPLOYMENT: &str = include_str!("../testdata/deployment.json");
const REPLICA_SET: &str = include_str!("../testdata/replicaset.json");
const POD: &str = include_str!("../testdata/pod.json");
const NODE: &str = include_str!("../testdata/node.json");

fn put_together(texts: &[&str], change: impl Fn(&mut Value)) -> Vec<Case> {
    let mut intake = Intake::default();
    for text in texts {
        let mut object: Value = serde_json::from_str(text).unwrap();
        change(&mut object);
        intake.take(object, None).unwrap();
    }
    cases(intake, "2026-03-01T10:05:00Z".parse().unwrap())
}

fn names(cases: &[Case]) -> Vec<String> {
    let name = |case: &Case| {
        let workload = &case.snapshot.workload;
        format!(
            "{}/{} of {} with {} pods",
            workload.kind,
            workload.name,
            case.snapshot.revisions.len(),
            case.snapshot.pods.len()
        )
    };
    cases.iter().map(name).collect()
}

#[test]
fn a_workload_has_all_that_belongs_to_it() {
    let cases = put_together(&[POD, NODE, REPLICA_SET, DEPLOYMENT], |_| ());
    assert_eq!(names(&cases), ["Deployment/web of 1 with 1 pods"]);
    let s = &cases[0].snapshot;
    assert!(cases[0].is_deployment && !cases[0].selected);
    assert_eq!((s.nodes.own.len(), s.nodes.total, s.nodes.not_ready), (1, 1, 1));
    assert_eq!(s.pods[0].revision, s.revisions[0].uid);
    assert_ne!(s.revisions[0].template.digest, 0);
}

#[test]
fn what_was_not_given_is_made_up_from_what_was() {
    let cases = put_together(&[POD, REPLICA_SET], |_| ());
    assert_eq!(names(&cases), ["Deployment/web of 1 with 1 pods"]);
    assert!(!cases[0].is_deployment);

    let cases = put_together(&[POD, DEPLOYMENT], |_| ());
    assert_eq!(names(&cases), ["Deployment/web of 1 with 1 pods"]);
    assert!(cases[0].is_deployment);
    let revision = &cases[0].snapshot.revisions[0];
    assert_eq!((&*revision.name, &*revision.hash, revision.number), ("web-6d4cf56db6", "6d4cf56db6", 7));
    assert!(!revision.template.containers.is_empty(), "the pod shows what its template says of containers");

    let cases = put_together(&[POD], |_| ());
    assert_eq!(names(&cases), ["Deployment/web of 1 with 1 pods"]);
}

#[test]
fn a_replica_set_that_nobody_named_after_a_template_is_itself() {
    let cases = put_together(&[POD], |object| object["metadata"]["ownerReferences"][0]["name"] = json!("frontend"));
    assert_eq!(names(&cases), ["ReplicaSet/frontend of 1 with 1 pods"]);
}

#[test]
fn old_revisions_alone_are_nothing_to_look_at() {
    let cases = put_together(&[REPLICA_SET], |object| object["spec"]["replicas"] = json!(0));
    assert_eq!(names(&cases), [] as [&str; 0]);
}

#[test]
fn a_pod_of_its_node_is_a_pod() {
    let cases = put_together(&[POD], |object| {
        object["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": "n", "controller": true}]);
    });
    assert_eq!(cases[0].snapshot.workload.kind.as_ref(), "Pod");
}
