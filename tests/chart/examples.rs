//! The examples: policies that the program reads in full, and a demo that fits together.

use std::collections::BTreeSet;

use backstay::engine::policy::{Guards, Impact, Mode, Rollout, Rule};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::render::{documents, read, text};

fn example(name: &str) -> Value {
    let mut all = documents(&read(&format!("examples/{name}.yaml")));
    assert_eq!(all.len(), 1, "{name}");
    all.remove(0)
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap_or_else(|| panic!("not a map: {value}")).keys().cloned().collect()
}

/// Reads a part of a policy as the program does, and checks that nothing in it was overlooked.
fn understood<T: DeserializeOwned + Serialize>(part: &Value) -> T {
    let read: T = serde_json::from_value(part.clone()).unwrap_or_else(|error| panic!("{error}: {part}"));
    let written = serde_json::to_value(&read).unwrap();
    let unknown: Vec<_> = keys(part).difference(&keys(&written)).cloned().collect();
    assert!(unknown.is_empty(), "no such field: {unknown:?}");
    read
}

#[test]
fn the_full_policy_has_every_field() {
    let policy = example("policy-full");
    let spec = &policy["spec"];
    let rollout: Rollout = understood(&spec["rollout"]);
    let guards: Guards = understood(&spec["guards"]);
    let impact: Impact = understood(&spec["impact"]);
    assert_eq!(serde_json::from_value::<Mode>(spec["mode"].clone()).unwrap(), Mode::Enforce);
    assert_eq!(keys(&spec["rollout"]), keys(&serde_json::to_value(rollout).unwrap()));
    assert_eq!(keys(&spec["guards"]), keys(&serde_json::to_value(&guards).unwrap()));
    assert_eq!(keys(&spec["impact"]), keys(&serde_json::to_value(impact).unwrap()));
    assert_eq!(guards, Guards::default(), "the comment promises the defaults");
    let mut thresholds = BTreeSet::new();
    for rule in spec["rules"].as_array().unwrap() {
        let read: Rule = understood(rule);
        let written = serde_json::to_value(&read).unwrap();
        for part in ["match", "threshold"].into_iter().filter(|part| !rule[part].is_null()) {
            assert!(keys(&rule[part]).is_subset(&keys(&written[part])), "{}: {part}", read.name);
        }
        thresholds.extend(keys(&written["threshold"]));
    }
    assert_eq!(thresholds, ["attempts", "exits", "flaps", "forSeconds", "pods"].map(str::to_owned).into());
}

#[test]
fn the_minimal_policy_has_a_selector_and_nothing_else() {
    assert_eq!(keys(&example("policy-minimal")["spec"]), ["selector".to_owned()].into());
    let cluster = example("policy-cluster");
    assert_eq!(cluster["kind"], "ClusterIncidentPolicy");
    assert!(cluster["metadata"]["namespace"].is_null());
}

#[test]
fn the_demo_fits_together() {
    let objects = documents(&read("examples/demo-workload.yaml"));
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
    let policy = example("policy-minimal");
    assert_eq!(policy["metadata"]["namespace"], deployment["metadata"]["namespace"]);
    let template = &deployment["spec"]["template"];
    assert_eq!(policy["spec"]["selector"]["matchLabels"], deployment["metadata"]["labels"]);
    assert_eq!(template["metadata"]["labels"], deployment["spec"]["selector"]["matchLabels"]);
    let container = &template["spec"]["containers"][0];
    let image = text(&container["image"]);
    assert!(image.starts_with("localhost:"), "{image}");
    let patch = example("demo-bad-rollout");
    assert_eq!(patch["spec"]["template"]["spec"]["containers"][0]["name"], container["name"]);
}
