//! Values: the schema is strict, and helm's own checks pass.

use crate::render::{chart, documents, read, refusal, render, run_helm};

#[test]
fn helm_lint_finds_nothing() {
    let output = run_helm("lint", &["--strict", chart().to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("[WARNING]") && !said.contains("[ERROR]"), "{said}");
}

#[test]
fn unknown_and_wrong_values_are_refused() {
    for (setting, named) in [
        ("mod=observe", "mod"),
        ("mode=Observe", "mode"),
        ("logs.read=maybe", "read"),
        ("image.registry=localhost", "registry"),
        ("rbac.scope=all", "scope"),
        ("crds.install=true", "install"),
        ("replicas=0", "replicas"),
        ("image.digest=latest", "digest"),
        ("otlp.endpoint=collector:4317", "endpoint"),
        ("networkPolicy.apiServerPorts={0}", "apiServerPorts"),
        ("serviceMonitor.intervall=1m", "intervall"),
    ] {
        let said = refusal(&[setting]);
        assert!(said.contains("values don't meet the specifications of the schema"), "{setting}: {said}");
        assert!(said.contains(named), "{setting}: {said}");
    }
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    let said = refusal(&["rbac.namespaces={shop}"]);
    assert!(said.contains("namespaces"), "{said}");
    let said = refusal(&["serviceAccount.create=false"]);
    assert!(said.contains("serviceAccount.name is needed"), "{said}");
    let said = refusal(&["rbac.surroundings=false", "rbac.secretNamespaces={shop}"]);
    assert!(said.contains("rbac.secretNamespaces gives rights that are not used"), "{said}");
}

/// Every property of the schema has a default in `values.yaml`, where its meaning is told, and the other way round
/// holds by `additionalProperties: false`.
#[test]
fn every_value_of_the_schema_is_documented() {
    let schema: serde_json::Value = serde_json::from_str(&read("deploy/helm/backstay/values.schema.json")).unwrap();
    let values = documents(&read("deploy/helm/backstay/values.yaml")).remove(0);
    let mut missing = Vec::new();
    undocumented(&schema, &values, "", &mut missing);
    // Helm passes `global` to every chart, and claims are rarely of use here.
    assert_eq!(missing, [".global", ".resources.claims"]);
}

fn undocumented(schema: &serde_json::Value, values: &serde_json::Value, path: &str, missing: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if values[name].is_null() {
            missing.push(path);
        } else {
            let strict = property["additionalProperties"] == false || property["properties"].is_null();
            assert!(strict, "{path} takes unknown values");
            undocumented(property, &values[name], &path, missing);
        }
    }
    missing.sort();
}

#[test]
fn extra_objects_are_rendered_as_maps_and_as_templates() {
    let map = "extraObjects[0].kind=ConfigMap";
    let template = "extraObjects[1]=kind: Secret\nmetadata: {name: {{ .Release.Name }}-extra}";
    let rendered = render(&[map, &template.replace(',', "\\,").replace('{', "\\{").replace('}', "\\}")]);
    assert_eq!(rendered.of_kind("ConfigMap").len(), 1);
    assert_eq!(rendered.only("Secret")["metadata"]["name"], "backstay-extra");
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let chart = documents(&read("deploy/helm/backstay/Chart.yaml")).remove(0);
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}
