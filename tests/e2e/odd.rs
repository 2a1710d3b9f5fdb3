//! Objects of our own kinds that are not what they should be, and a kind that is gone, under the rights that the chart
//! gives. What takes definitions away runs on a cluster where nothing else does, since they are everybody's.

use std::io::Write;
use std::process::{Command, Stdio};

use backstay::api::{ClusterIncidentPolicy, IncidentPolicy, condition};
use backstay::engine::words::{Cause, Class};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition as Definition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::case::Baseline;
use crate::support::helm::{self, NAMESPACE};
use crate::support::wait::PATIENCE;
use crate::support::{App, Case, Story, case, wait};

const LOOSENED: [&str; 3] = ["incidentpolicies.backstay.dev", "workloadhealths.backstay.dev", "incidents.backstay.dev"];
const CLUSTER_POLICIES: &str = "clusterincidentpolicies.backstay.dev";

/// A definition without a schema for its `spec`, for as long as this lives.
struct Loosened {
    original: String,
}

impl Drop for Loosened {
    fn drop(&mut self) {
        let mut kubectl = Command::new("kubectl");
        let kubectl = kubectl.args(["replace", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let Ok(mut kubectl) = kubectl.spawn() else { return };
        if let Some(mut input) = kubectl.stdin.take() {
            let _ = input.write_all(self.original.as_bytes());
        }
        let done = kubectl.wait().is_ok_and(|status| status.success());
        assert!(done || std::thread::panicking(), "the definition is brought back");
    }
}

/// A definition that was deleted, for as long as this lives. The chart brings it back: what somebody else creates would
/// not be the release's alone, and stay when it goes.
struct Missing;

impl Drop for Missing {
    fn drop(&mut self) {
        let mut command = Command::new("helm");
        let command = command.args(["upgrade", "backstay", &helm::chart(), "-n", NAMESPACE, "--reuse-values"]);
        let done = command.envs(helm::homes()).stdout(Stdio::null()).status().is_ok_and(|status| status.success());
        assert!(done || std::thread::panicking(), "the definition is brought back");
    }
}

async fn is_served(api: &Api<Definition>, name: &str) {
    let one = watcher::Config::default().fields(&format!("metadata.name={name}"));
    wait::first(api, one, &format!("{name} to be served"), PATIENCE, |crd: &Definition| {
        let conditions = crd.status.as_ref()?.conditions.as_ref()?;
        conditions.iter().any(|c| c.type_ == "Established" && c.status == "True").then_some(())
    })
    .await;
}

/// Takes the schema away from the `spec` of a kind, as somebody who edits a definition could, or an older one has it.
async fn loosen(api: &Api<Definition>, name: &str) -> Loosened {
    let definition = api.get(name).await.unwrap_or_else(|e| panic!("reading {name}: {e}"));
    let mut again = definition.clone();
    again.metadata.resource_version = None;
    again.metadata.managed_fields = None;
    let original = serde_json::to_string(&again).expect("a definition is JSON");
    let mut definition = serde_json::to_value(&definition).expect("a definition is JSON");
    let schema = definition.pointer_mut("/spec/versions/0/schema/openAPIV3Schema").expect("a schema");
    schema["properties"]["spec"] = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    // Rules that name fields of the `spec` have nothing to stand on then.
    schema.as_object_mut().expect("an object").remove("x-kubernetes-validations");
    let loosened = Loosened { original };
    let loose = serde_json::from_value(definition).expect("a definition");
    api.replace(name, &Default::default(), &loose).await.unwrap_or_else(|e| panic!("loosening {name}: {e}"));
    loosened
}

/// Creates an object that the loosened definition takes, as soon as the API server goes by it.
async fn create_odd(t: &Case, kind: &str, spec: Value) {
    let object = json!({
        "apiVersion": "backstay.dev/v1alpha1", "kind": kind,
        "metadata": {"name": "odd", "namespace": t.namespace}, "spec": spec,
    });
    let begin = tokio::time::Instant::now();
    while let Err(error) = t.apply_as("kubectl", object.clone()).await {
        // Definitions are taken up a moment after they are written, and nothing tells when.
        let refused = matches!(&error, kube::Error::Api(status) if status.code == 422);
        assert!(refused && begin.elapsed() < PATIENCE, "an odd {kind}: {error}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// A bad revision of the workload is brought back.
async fn protects(t: &Case, baseline: &Baseline) {
    t.ship(&App::new().container(json!({"command": ["/not-in-the-image"]}))).await;
    t.rolled_back(baseline, Story { class: Class::ContainerStart, causes: &[Cause::CommandNotFound] }).await;
}

/// Waits until a replica of the operator has logged a line in which all of these stand.
async fn logged(texts: &[&str]) {
    let mut kubectl = tokio::process::Command::new("kubectl");
    kubectl.args(["-n", NAMESPACE, "logs", "--follow", "--tail=-1", "-l", "app.kubernetes.io/component=operator"]);
    let mut kubectl = kubectl.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("kubectl runs");
    let mut lines = BufReader::new(kubectl.stdout.take().expect("its output")).lines();
    let search = async {
        while let Some(line) = lines.next_line().await.expect("a log is text") {
            if texts.iter().all(|text| line.contains(text)) {
                return true;
            }
        }
        false
    };
    let found = tokio::time::timeout(PATIENCE, search).await.unwrap_or(false);
    assert!(found, "the operator logs a line with {texts:?}");
}

fn ready(conditions: &Value) -> Option<(&str, &str, &str)> {
    let ready = conditions.as_array()?.iter().find(|c| c["type"] == "Ready")?;
    Some((ready["status"].as_str()?, ready["reason"].as_str()?, ready["message"].as_str()?))
}

#[tokio::test]
#[ignore = "tests/e2e/run does this on a cluster where nothing else runs"]
async fn t31_objects_of_ours_with_a_wrong_type_are_told_of_and_the_rest_goes_on() {
    case::run("odd-objects", async |t| {
        let definitions: Api<Definition> = Api::all(t.client.clone());
        let baseline = t.healthy(json!({}), &App::new()).await;
        let mut loosened = Vec::new();
        for name in LOOSENED {
            loosened.push(loosen(&definitions, name).await);
        }
        let policy = |seconds: Value| {
            json!({"selector": {"matchLabels": {"app": "odd"}}, "rollout": {"stableSeconds": seconds}})
        };
        create_odd(&t, "IncidentPolicy", policy(json!("soon"))).await;
        create_odd(&t, "Incident", json!({"workload": 7})).await;
        create_odd(&t, "WorkloadHealth", json!({"workloadUid": ["x"]})).await;
        for kind in ["IncidentPolicy", "Incident", "WorkloadHealth"] {
            logged(&["ignoring an unreadable object", &t.namespace, kind, "odd"]).await;
        }
        let kind = ApiResource::erase::<IncidentPolicy>(&());
        let policies: Api<DynamicObject> = Api::namespaced_with(t.client.clone(), &t.namespace, &kind);
        let told = await_condition(policies.clone(), "odd", |p: Option<&DynamicObject>| {
            let told = p.and_then(|p| ready(p.data.pointer("/status/conditions")?));
            told.is_some_and(|(status, reason, message)| {
                let named = message.contains("spec.rollout.stableSeconds: must be a whole number, not a text");
                (status, reason) == ("False", "Unreadable") && named
            })
        });
        tokio::time::timeout(PATIENCE, told).await.expect("the policy says that it cannot be read").unwrap();
        protects(&t, &baseline).await;
        let mended = Patch::Merge(json!({"spec": policy(json!(2))}));
        policies.patch("odd", &PatchParams::default(), &mended).await.expect("a person mends it");
        t.until::<IncidentPolicy, _>("odd", "the policy in force", |p| {
            condition::is_true(&p.status.as_ref()?.conditions, "Ready").then_some(())
        })
        .await;
        let refused: Vec<String> =
            t.operator_asked().await.iter().filter(|a| a.namespace == t.namespace && a.code == 403).map(|a| a.line()).collect();
        assert!(refused.is_empty(), "refused to the operator: {refused:#?}");
        for kind in ["incident", "workloadhealth"] {
            let (done, said) = t.kubectl(&["delete", kind, "odd"]).await;
            assert!(done, "{said}");
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "tests/e2e/run does this on a cluster where nothing else runs"]
async fn t31_a_kind_that_is_gone_harms_no_others_and_is_taken_up_when_it_is_back() {
    case::run("no-kind", async |t| {
        let definitions: Api<Definition> = Api::all(t.client.clone());
        let baseline = t.healthy(json!({}), &App::new()).await;
        let definition = definitions.get(CLUSTER_POLICIES).await.expect("the definition of cluster policies");
        let missing = Missing;
        definitions.delete(CLUSTER_POLICIES, &DeleteParams::default()).await.expect("deleting a definition");
        let uid = definition.uid().expect("a uid");
        let gone = kube::runtime::conditions::is_deleted(&uid);
        let gone = await_condition(definitions.clone(), CLUSTER_POLICIES, gone);
        tokio::time::timeout(PATIENCE, gone).await.expect("the definition goes").unwrap();
        logged(&["watching failed", "clusterincidentpolicies"]).await;
        protects(&t, &baseline).await;
        let ready = ["wait", "--for=jsonpath={.status.readyReplicas}=2", "deployment/backstay", "--timeout=60s"];
        let (ready, said) = helm::kubectl(&ready).await;
        assert!(ready, "both replicas are ready without it: {said}");
        drop(missing);
        is_served(&definitions, CLUSTER_POLICIES).await;
        let policy = json!({
            "apiVersion": "backstay.dev/v1alpha1", "kind": "ClusterIncidentPolicy", "metadata": {"name": t.namespace},
            "spec": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": t.namespace}},
                "selector": {"matchLabels": {"app": "other"}},
            },
        });
        let policies: Api<ClusterIncidentPolicy> = Api::all(t.client.clone());
        let apply = PatchParams::apply("kubectl").force();
        policies.patch(&t.namespace, &apply, &Patch::Apply(&policy)).await.expect("a cluster policy");
        let one = watcher::Config::default().fields(&format!("metadata.name={}", t.namespace));
        wait::first(&policies, one, "the cluster policy in force", PATIENCE, |p: &ClusterIncidentPolicy| {
            condition::is_true(&p.status.as_ref()?.conditions, "Ready").then_some(())
        })
        .await;
        policies.delete(&t.namespace, &DeleteParams::default()).await.expect("deleting the cluster policy");
    })
    .await;
}
