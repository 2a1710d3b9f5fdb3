use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::cluster::cases::cases;
use crate::engine::decide::decide;
use crate::engine::diagnose::{of_deployment, of_others};

const KINDS: [(&str, &str); 13] = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ControllerRevision"),
    ("batch/v1", "Job"),
    ("v1", "Pod"),
    ("v1", "Node"),
    ("v1", "Namespace"),
    ("backstay.dev/v1alpha1", "IncidentPolicy"),
    ("backstay.dev/v1alpha1", "WorkloadHealth"),
    ("backstay.dev/v1alpha1", "Incident"),
    ("v1", "ConfigMap"),
];

fn taken(object: Value) -> Result<Intake, String> {
    let mut intake = Intake::default();
    intake.take(object, None).map(|()| intake)
}

#[rstest]
#[case(json!(42), "it is no object")]
#[case(json!({"metadata": {"name": "a"}}), "it has no kind")]
#[case(json!({"kind": "Pod"}), "it has no metadata.name")]
#[case(json!({"kind": "Pod", "metadata": {"name": ""}}), "it has no metadata.name")]
#[case(json!({"kind": "Pod", "metadata": {"name": "a"}, "status": 3}), "invalid type: integer `3`")]
#[case(json!({"kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": {}}}), "invalid type: map")]
#[case(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": 1}}), "invalid type: integer `1`")]
fn what_is_no_object_of_its_kind_is_refused_with_the_reason(#[case] object: Value, #[case] why: &str) {
    let refused = taken(object).unwrap_err();
    assert!(refused.starts_with(why), "{refused}");
}

#[test]
fn kinds_of_other_groups_are_passed_over() {
    for (group, kind) in
        [("serving.knative.dev/v1", "Deployment"), ("metrics.k8s.io/v1beta1", "Pod"), ("v1", "Service")]
    {
        let intake = taken(json!({"apiVersion": group, "kind": kind, "metadata": 3})).unwrap();
        assert!(!intake.has_workloads() && intake.objects == 1);
    }
}

#[test]
fn an_object_that_was_shortened_by_hand_is_still_understood() {
    let status = json!({"containerStatuses": [{"name": "web", "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}]});
    let intake = taken(json!({"kind": "Pod", "metadata": {"name": "a"}, "status": status})).unwrap();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let cases = cases(intake, now);
    let diagnosis = of_others(&cases[0].snapshot, now);
    assert_eq!(diagnosis.state, crate::engine::words::State::Failing);
    assert_eq!(diagnosis.findings[0].container.as_deref(), Some("web"));
}

/// Keys of real objects.
const KEYS: &[&str] = &[
    "metadata",
    "name",
    "namespace",
    "uid",
    "ownerReferences",
    "kind",
    "controller",
    "labels",
    "annotations",
    "spec",
    "status",
    "template",
    "containers",
    "initContainers",
    "containerStatuses",
    "conditions",
    "type",
    "reason",
    "message",
    "state",
    "lastState",
    "waiting",
    "terminated",
    "running",
    "exitCode",
    "restartCount",
    "replicas",
    "phase",
    "startTime",
    "finishedAt",
    "resources",
    "limits",
    "memory",
    "selector",
    "rules",
];

/// Any JSON, with the keys of real objects more likely than others.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "\\PC{0,8}",
        Just("2026-03-01T10:00:00Z".to_owned()),
        Just("Terminated".to_owned()),
        Just("\u{1b}[2J\u{0}".to_owned()),
        Just("0/3 nodes are available: 1 {a, b".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let key = prop_oneof![prop::sample::select(KEYS.to_vec()).prop_map(str::to_owned), "\\PC{0,6}",];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..6).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_panics(parts in prop::collection::vec((any::<prop::sample::Index>(), any_json(), any_json(), any_json()), 1..6)) {
        let mut intake = Intake::default();
        for (which, meta, spec, status) in parts {
            let (group, kind) = KINDS[which.index(KINDS.len())];
            let mut meta = meta;
            if let Some(fields) = meta.as_object_mut() {
                fields.insert("name".to_owned(), "a".into());
            }
            let _ = intake.take(json!({"apiVersion": group, "kind": kind, "metadata": meta, "spec": spec, "status": status}), None);
        }
        let now = intake.newest.unwrap_or(Timestamp::UNIX_EPOCH);
        for case in cases(intake, now) {
            let of = if case.is_deployment { of_deployment } else { of_others };
            let _ = of(&case.snapshot, now);
            let _ = decide(&case.snapshot, now);
        }
    }
}
