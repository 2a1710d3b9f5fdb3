use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::facts::{Interner, pod_facts};
use crate::engine::kubectl::status;

fn word(metadata: &Value, spec: &Value, status: &Value) -> String {
    let mut pod = json!({"metadata": {"name": "web", "uid": "p-1", "creationTimestamp": "2026-03-01T10:00:00Z"}, "spec": spec, "status": status});
    if let Some(metadata) = metadata.as_object() {
        pod["metadata"].as_object_mut().unwrap().extend(metadata.clone());
    }
    let pod = serde_json::from_value(pod).unwrap();
    self::status(&pod_facts(&pod, &mut Interner::default()).unwrap())
}

fn waiting(reason: &str) -> Value {
    json!({"waiting": {"reason": reason}})
}

fn app(state: Value, ready: bool) -> Value {
    json!({"phase": "Running", "containerStatuses": [{"name": "web", "ready": ready, "restartCount": 0, "state": state}]})
}

#[rstest]
#[case::back_off(app(waiting("CrashLoopBackOff"), false), "CrashLoopBackOff")]
#[case::no_image(app(waiting("ImagePullBackOff"), false), "ImagePullBackOff")]
#[case::starting(app(waiting("ContainerCreating"), false), "ContainerCreating")]
#[case::serving(app(json!({"running": {"startedAt": "2026-03-01T10:00:01Z"}}), true), "Running")]
#[case::not_ready(app(json!({"running": {"startedAt": "2026-03-01T10:00:01Z"}}), false), "Running")]
#[case::ended(app(json!({"terminated": {"exitCode": 1, "reason": "Error"}}), false), "Error")]
#[case::of_no_reason(app(json!({"terminated": {"exitCode": 3}}), false), "ExitCode:3")]
#[case::by_signal(app(json!({"terminated": {"exitCode": 137, "signal": 9}}), false), "Signal:9")]
#[case::evicted(json!({"phase": "Failed", "reason": "Evicted"}), "Evicted")]
#[case::waiting_for_a_node(json!({"phase": "Pending"}), "Pending")]
fn the_word_is_kubectls(#[case] status: Value, #[case] expected: &str) {
    let spec = json!({"nodeName": "n1", "containers": [{"name": "web"}]});
    assert_eq!(word(&Value::Null, &spec, &status), expected);
}

#[rstest]
#[case::running(json!({"running": {}}), "Init:1/2")]
#[case::waiting(waiting("PodInitializing"), "Init:1/2")]
#[case::back_off(waiting("CrashLoopBackOff"), "Init:CrashLoopBackOff")]
#[case::ended(json!({"terminated": {"exitCode": 1, "reason": "Error"}}), "Init:Error")]
fn the_init_container_that_is_not_done_gives_the_word(#[case] second: Value, #[case] expected: &str) {
    let spec =
        json!({"nodeName": "n1", "initContainers": [{"name": "a"}, {"name": "b"}], "containers": [{"name": "web"}]});
    let status = json!({"phase": "Pending",
        "initContainerStatuses": [
            {"name": "a", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}, {"name": "b", "state": second}],
        "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "PodInitializing"}}}]});
    assert_eq!(word(&Value::Null, &spec, &status), expected);
}

#[test]
fn a_pod_that_is_deleted_is_terminating() {
    let spec = json!({"nodeName": "n1", "containers": [{"name": "web"}]});
    let deleted = json!({"deletionTimestamp": "2026-03-01T10:05:00Z"});
    assert_eq!(word(&deleted, &spec, &app(waiting("CrashLoopBackOff"), false)), "Terminating");
    let lost = json!({"phase": "Running", "reason": "NodeLost"});
    assert_eq!(word(&deleted, &spec, &lost), "Unknown");
}
