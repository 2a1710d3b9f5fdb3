//! What the chart ships is a copy, and a copy can drift. `make generate` makes the copies anew.

use std::collections::BTreeMap;

use backstay::api::crds;
use serde_json::{Value, json};

use crate::render::{documents, names, read, render, root, text};

fn folder(path: &str) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(root().join(path)).unwrap_or_else(|error| panic!("cannot list {path}: {error}"));
    entries
        .map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let content = read(&format!("{path}/{name}"));
            (name, content)
        })
        .collect()
}

/// The same value with every number as a float: helm writes `5.0` as `5`.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), plain(field))).collect(),
        other => other.clone(),
    }
}

fn by_name(definitions: Vec<Value>) -> BTreeMap<String, Value> {
    definitions.into_iter().map(|definition| (text(&definition["metadata"]["name"]), definition)).collect()
}

fn of_the_program() -> BTreeMap<String, Value> {
    by_name(crds::all().iter().map(|definition| serde_json::to_value(definition).unwrap()).collect())
}

#[test]
fn the_charts_copies_are_those_of_the_sources() {
    for (source, copy) in [
        ("deploy/alerts", "deploy/helm/backstay/files/alerts"),
        ("deploy/dashboards", "deploy/helm/backstay/files/dashboards"),
    ] {
        let (source_files, copies) = (folder(source), folder(copy));
        assert!(!source_files.is_empty(), "{source} is empty");
        assert!(source_files == copies, "{copy} differs from {source}: run `make generate`");
    }
}

#[test]
fn the_charts_resource_definitions_are_those_of_the_program() {
    let files = folder("deploy/helm/backstay/files/crds");
    let shipped = by_name(files.values().flat_map(|file| documents(file)).collect());
    let expected = of_the_program();
    assert_eq!(shipped.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, definition) in expected {
        assert!(plain(&shipped[&name]) == plain(&definition), "{name} differs from the program: run `make generate`");
    }
}

#[test]
fn the_resource_definitions_are_installed_as_they_are_and_kept() {
    let rendered = render(&[]);
    let installed = rendered.of_kind("CustomResourceDefinition");
    let expected = of_the_program();
    assert_eq!(installed.len(), expected.len());
    for definition in installed {
        let name = text(&definition["metadata"]["name"]);
        assert!(plain(&definition["spec"]) == plain(&expected[&name]["spec"]), "{name}");
        assert_eq!(definition["metadata"]["annotations"], json!({"helm.sh/resource-policy": "keep"}));
        assert_eq!(definition["metadata"]["labels"]["app.kubernetes.io/managed-by"], "Helm");
    }
}

#[test]
fn the_resource_definitions_follow_their_values() {
    assert!(render(&["crds.enabled=false"]).of_kind("CustomResourceDefinition").is_empty());
    let loose = render(&["crds.keep=false"]);
    let definitions = loose.of_kind("CustomResourceDefinition");
    assert_eq!(definitions.len(), crds::all().len(), "{:?}", names(&definitions));
    assert!(definitions.iter().all(|definition| definition["metadata"]["annotations"].is_null()));
}
