//! Runs helm and holds what it rendered.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The namespace of the release that most tests render.
pub const NAMESPACE: &str = "backstay-system";
/// That release, by its name and namespace.
const RELEASE: (&str, &str) = ("backstay", NAMESPACE);

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn chart() -> PathBuf {
    root().join("deploy/helm/backstay")
}

pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// The documents of a YAML text; empty ones are left out.
pub fn documents(text: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("not YAML: {error}\n{text}"));
    all.into_iter().filter(|document| !document.is_null()).collect()
}

pub fn helm() -> PathBuf {
    let path =
        std::env::var_os("BACKSTAY_TEST_HELM").map_or_else(|| root().join("target/cluster/bin/helm"), PathBuf::from);
    assert!(
        path.is_file(),
        "helm is missing at {}: build it with `make cluster`, or name one in BACKSTAY_TEST_HELM",
        path.display()
    );
    path
}

pub fn run_helm(verb: &str, arguments: &[&str]) -> Output {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
    Command::new(helm())
        .arg(verb)
        .args(arguments)
        .env("HELM_CACHE_HOME", home.join("cache"))
        .env("HELM_CONFIG_HOME", home.join("config"))
        .env("HELM_DATA_HOME", home.join("data"))
        .env_remove("KUBECONFIG")
        .output()
        .expect("helm runs")
}

fn template((name, namespace): (&str, &str), settings: &[&str]) -> Output {
    let chart = chart();
    let mut arguments = vec![name, chart.to_str().unwrap(), "--namespace", namespace];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    run_helm("template", &arguments)
}

/// Renders the chart with `--set` for each of the settings.
pub fn render(settings: &[&str]) -> Rendered {
    render_as(RELEASE, settings)
}

/// The same for another release, by its name and namespace.
pub fn render_as(release: (&str, &str), settings: &[&str]) -> Rendered {
    let output = template(release, settings);
    assert!(output.status.success(), "helm refused {settings:?}: {}", String::from_utf8_lossy(&output.stderr));
    Rendered::new(String::from_utf8(output.stdout).unwrap())
}

/// What helm says when it must refuse the settings.
pub fn refusal(settings: &[&str]) -> String {
    let output = template(RELEASE, settings);
    assert!(!output.status.success(), "helm accepted {settings:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub struct Rendered {
    pub text: String,
    pub objects: Vec<Value>,
}

impl Rendered {
    fn new(text: String) -> Self {
        let objects = documents(&text);
        Self { text, objects }
    }

    pub fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.objects.iter().filter(|object| object["kind"] == kind).collect()
    }

    pub fn only(&self, kind: &str) -> &Value {
        let found = self.of_kind(kind);
        assert_eq!(found.len(), 1, "{kind}: {:?}", names(&found));
        found[0]
    }
}

pub fn names(objects: &[&Value]) -> Vec<String> {
    objects.iter().map(|object| text(&object["metadata"]["name"])).collect()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}")).to_owned()
}

pub fn list(value: &Value) -> Vec<String> {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}")).iter().map(text).collect()
}
