//! A text of a megabyte, wherever somebody may write one: its beginning is shown, the rest is not, and no secret is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backstay::engine::diagnose::of_deployment;
use backstay::engine::kin::{self, Callee};
use backstay::engine::listen::{Wanted, heard};
use rstest::rstest;
use serde_json::{Value, json};

use crate::hostile::SECRET;
use crate::oracle::{Said, answer, is_bounded, whole_way};
use crate::{runner, seeds};

/// Stands in every text, before a secret.
const MARK: &str = "mark-4711";
/// The most that is printed or written of what is in these tests.
const MOST: usize = 24 << 10;

/// A megabyte that begins with `lead`, and a secret at each end of it.
fn text(lead: &str) -> String {
    let middle = "all is lost and ".repeat(62_500);
    format!("{lead}{MARK} password={SECRET} {middle} password={SECRET}")
}

/// The Deployment without its pod that crashes, some minutes later: long enough for what is only a failure in time.
fn quiet() -> Vec<Value> {
    let mut objects = seeds::crashing();
    objects.retain(|object| object["metadata"]["name"] != "web-6d-a");
    let node = objects.iter_mut().find(|object| object["kind"] == "Node").unwrap();
    node["status"]["conditions"][0]["lastHeartbeatTime"] = json!("2026-03-01T10:04:00Z");
    objects
}

fn waits(message: &str) -> Vec<Value> {
    let mut pod = seeds::waiting(2, message);
    pod["status"]["containerStatuses"][0]["lastState"] = json!({});
    vec![pod]
}

fn ended(message: &str) -> Vec<Value> {
    let mut pod = seeds::waiting(1, message);
    pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"] = json!("back-off");
    vec![pod]
}

fn unscheduled(message: &str) -> Vec<Value> {
    vec![seeds::unscheduled(message)]
}

fn evicted(message: &str) -> Vec<Value> {
    vec![seeds::evicted(message)]
}

fn on_a_deployment(message: &str) -> Vec<Value> {
    seeds::refused("api", None, Some(message)).to_vec()
}

fn on_a_replica_set(message: &str) -> Vec<Value> {
    seeds::refused("api", Some(message), None).to_vec()
}

/// An event about a pod whose status says nothing.
fn event_of_a_pod(message: &str) -> Vec<Value> {
    vec![seeds::waiting(4, ""), seeds::event(5, "FailedMount", message, seeds::on_pod(4))]
}

/// A refusal that came after the one that the condition tells.
fn event_of_a_replica_set(message: &str) -> Vec<Value> {
    let [deployment, set] = seeds::refused("api", Some("exceeded quota: team"), None);
    vec![deployment, set, seeds::event(1, "FailedCreate", message, seeds::on_set("api"))]
}

fn event_of_a_node(message: &str) -> Vec<Value> {
    let mut objects = seeds::starved(message).to_vec();
    objects[1]["spec"] = json!({});
    objects[1]["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
    objects
}

#[rstest]
#[case::waiting_message(waits, "")]
#[case::termination_message(ended, "")]
#[case::pod_condition(unscheduled, "0/3 nodes are available: ")]
#[case::pod_message(evicted, "")]
#[case::deployment_condition(on_a_deployment, "pods \"web-1\" is forbidden: ")]
#[case::replica_set_condition(on_a_replica_set, "pods \"web-1\" is forbidden: ")]
#[case::pod_event(event_of_a_pod, "MountVolume.SetUp failed for volume \"c\" : configmap \"web\" not found ")]
#[case::replica_set_event(event_of_a_replica_set, "pods \"web-1\" is forbidden: ")]
#[case::node_event(event_of_a_node, "System OOM encountered, ")]
fn a_text_of_a_megabyte_is_shown_in_part(#[case] objects: fn(&str) -> Vec<Value>, #[case] lead: &'static str) {
    runner::on_a_stack(move || {
        let items = [quiet(), objects(&text(lead))].concat();
        let list = json!({"kind": "List", "items": items}).to_string();
        assert!(list.len() > 1_000_000);
        whole_way(&list).unwrap();
        is_shown_in_part(&Said::of(&answer(&list, &[]).unwrap().unwrap()).unwrap());
    });
}

/// Nobody reads why a node's condition is as it is, so that none of it may be shown.
#[test]
fn of_a_condition_of_a_node_the_kind_alone_is_shown() {
    runner::on_a_stack(|| {
        let mut objects = seeds::starved(&text(""));
        objects[2] = json!(null);
        let items = [quiet(), objects[..2].to_vec()].concat();
        let list = json!({"kind": "List", "items": items}).to_string();
        whole_way(&list).unwrap();
        let said = Said::of(&answer(&list, &[]).unwrap().unwrap()).unwrap();
        said.hides_the_secret().unwrap();
        for (what, text) in &said.shown {
            assert!(text.contains("MemoryPressure") && !text.contains(MARK), "{what}: {text}");
        }
    });
}

#[test]
fn of_a_log_whose_line_is_a_megabyte_the_beginning_is_shown() {
    runner::on_a_stack(|| {
        let list = json!({"kind": "List", "items": seeds::crashing()}).to_string();
        let mut answer = answer(&list, &[]).unwrap().unwrap();
        let (found, now) = (&mut answer.workloads[0], answer.now);
        let wanted = Wanted {
            uid: "web-6d-a".into(),
            pod: "web-6d-a".into(),
            container: "web".into(),
            ended: true,
            run: None,
            exits: 3,
            rules: None,
        };
        let log = text("FATAL: password authentication failed for user \"app\" ");
        found.case.snapshot.logs = vec![Arc::new(heard(&wanted, log.as_bytes()))];
        found.diagnosis = of_deployment(&found.case.snapshot, now);
        let said = Said::of(&answer).unwrap();
        is_shown_in_part(&said);
        assert!(said.incidents.iter().any(|incident| incident.contains(MARK)), "{:?}", said.incidents);
    });
}

/// A variable in which a host never ends is read once, and not from every place in it.
#[test]
fn a_long_variable_is_soon_read() {
    let env = json!([{"name": "HOST", "value": "a".repeat(200_000)}]);
    let template = json!({"spec": {"containers": [{"name": "web", "env": env}]}});
    let begun = Instant::now();
    assert_eq!(kin::calls(&template, Callee { service: "a", namespace: "shop", from: "shop" }), None);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// The beginning is there, up to the secret, which is not.
fn is_shown_in_part(said: &Said) {
    said.hides_the_secret().unwrap();
    for (what, text) in &said.shown {
        is_bounded(what, text, MOST).unwrap();
        assert!(text.contains(MARK), "{what}: {text}");
        // A screen has its own line ends.
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("{MARK} password=***")), "{what}: {text}");
    }
    said.incidents.iter().for_each(|incident| is_bounded("an incident", incident, MOST).unwrap());
}
