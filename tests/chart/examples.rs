//! The examples: policies that the program reads in full, and a demo that fits together.

use std::collections::BTreeSet;

use backstay::api::{ClusterIncidentPolicySpec, IncidentPolicySpec};
use backstay::engine::policy::Guards;
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

/// Reads a value as the program does and writes it again, with every default filled in.
fn understood<T: DeserializeOwned + Serialize>(value: &Value) -> Value {
    let read: T = serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"));
    let again = serde_json::to_value(&read).unwrap();
    assert_kept(value, &again, "spec");
    again
}

/// Everything in `value` is in `again`: a field that was overlooked, such as a misspelt one, would be missing.
fn assert_kept(value: &Value, again: &Value, path: &str) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                assert_kept(field, &again[name], &format!("{path}.{name}"));
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                assert_kept(item, &again[index], &format!("{path}[{index}]"));
            }
        }
        Value::Array(_) => assert!(again.is_null() || again == value, "{path}"),
        leaf => assert_eq!(leaf, again, "{path}"),
    }
}

#[test]
fn the_full_policy_has_every_field() {
    let policy = example("policy-full");
    let spec = &policy["spec"];
    let read = understood::<IncidentPolicySpec>(spec);
    let schema = IncidentPolicySpecSchema::new();
    assert_eq!(keys(spec), schema.fields(&[]));
    for part in ["rollout", "guards", "impact"] {
        assert_eq!(keys(&spec[part]), schema.fields(&[part]), "{part}");
    }
    let guards: Guards = serde_json::from_value(read["guards"].clone()).unwrap();
    assert_eq!(guards, Guards::default(), "the comment promises the defaults");
    for part in ["match", "threshold"] {
        let rules = spec["rules"].as_array().unwrap();
        let shown: BTreeSet<_> =
            rules.iter().filter(|rule| !rule[part].is_null()).flat_map(|rule| keys(&rule[part])).collect();
        assert_eq!(shown, schema.fields(&["rules", part]), "{part}");
    }
}

/// The fields that the resource definition knows.
struct IncidentPolicySpecSchema(Value);

impl IncidentPolicySpecSchema {
    fn new() -> Self {
        let definitions = backstay::api::crds::all();
        let policy = definitions.iter().find(|definition| definition.spec.names.kind == "IncidentPolicy").unwrap();
        let written = serde_json::to_value(policy).unwrap();
        Self(written["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone())
    }

    fn fields(&self, path: &[&str]) -> BTreeSet<String> {
        let mut place = &self.0;
        for part in path {
            place = &place["properties"][part];
            if place["type"] == "array" {
                place = &place["items"];
            }
        }
        keys(&place["properties"])
    }
}

#[test]
fn the_minimal_policy_has_a_selector_and_nothing_else() {
    let policy = example("policy-minimal");
    assert_eq!(keys(&policy["spec"]), ["selector".to_owned()].into());
    understood::<IncidentPolicySpec>(&policy["spec"]);
}

#[test]
fn the_cluster_policy_is_one() {
    let policy = example("policy-cluster");
    assert_eq!(policy["kind"], "ClusterIncidentPolicy");
    assert!(policy["metadata"]["namespace"].is_null());
    understood::<ClusterIncidentPolicySpec>(&policy["spec"]);
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
