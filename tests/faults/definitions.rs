//! Backstay's own kinds are missing, or hold what they should not. One test after the other, on a cluster of their own.

use backstay::api::crds;
use backstay::api::{Incident, IncidentPolicy, condition};
use backstay::engine::decision::Outcome;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::support::cluster;
use crate::support::operator::{Operator, Setup};
use crate::support::place::{self, Place, text};
use crate::support::wait::{self, PATIENCE};

const ALL: [&str; 4] = ["IncidentPolicy", "ClusterIncidentPolicy", "WorkloadHealth", "Incident"];

#[tokio::test]
async fn t31_missing_definitions_are_waited_for() {
    define(&[], &[]).await;
    place::run("no-definitions", async |place| {
        let operator = Operator::start(Setup::new(&place.namespace, "operator-0").everywhere());
        operator.says("that it waits", |line| text(line, "/message").starts_with("waiting").then_some(())).await;
        for plural in ["incidentpolicies", "workloadhealths", "incidents"] {
            operator.says_of(plural).await;
        }
        let (ready, why) = operator.readyz().await;
        assert!(!ready, "it is not ready: {why}");
        for plural in ["incidentpolicies", "workloadhealths", "incidents"] {
            assert!(why.contains(plural), "{plural} is named: {why}");
        }
        assert!(!operator.stands(&place.client).await, "it cannot judge, so it leaves the lease to others");
        define(&ALL, &[]).await;
        operator.says("that it is ready", |line| (text(line, "/message") == "ready").then_some(())).await;
        assert!(operator.readyz().await.0, "it is ready");
        protects(&place).await;
        operator.terminate().await;
    })
    .await;
}

#[tokio::test]
async fn t31_cluster_policies_that_are_not_defined_harm_no_others() {
    define(&["IncidentPolicy", "WorkloadHealth", "Incident"], &[]).await;
    place::run("no-cluster-policies", async |place| {
        let operator = Operator::start(Setup::new(&place.namespace, "operator-0").everywhere());
        protects(&place).await;
        operator.says_of("clusterincidentpolicies").await;
        operator.terminate().await;
    })
    .await;
}

#[tokio::test]
async fn t31_a_policy_that_cannot_be_read_says_so_and_harms_no_others() {
    define(&ALL, &["IncidentPolicy"]).await;
    place::run("odd-policy", async |place| {
        let operator = Operator::start(Setup::new(&place.namespace, "operator-0"));
        let spec = |seconds: Value| json!({"selector": {"matchLabels": {"app": "odd"}}, "rollout": {"stableSeconds": seconds}});
        create(&place, "IncidentPolicy", "odd", spec(json!("soon"))).await;
        protects(&place).await;
        place
            .wait_raw("IncidentPolicy", "odd", "a condition that tells of it", |p| {
                let conditions = p.pointer("/status/conditions")?.as_array()?;
                let ready = conditions.iter().find(|c| c["type"] == "Ready")?;
                (ready["status"] == "False" && text(ready, "/message").contains("stableSeconds")).then_some(())
            })
            .await;
        let patch = Patch::Merge(json!({"spec": spec(json!(2))}));
        place.raw("IncidentPolicy").patch("odd", &PatchParams::default(), &patch).await.unwrap();
        place
            .until::<IncidentPolicy, _>("odd", "the policy in force", |p| {
                condition::is_true(&p.status.as_ref()?.conditions, "Ready").then_some(())
            })
            .await;
        operator.terminate().await;
    })
    .await;
}

#[tokio::test]
async fn t31_records_that_cannot_be_read_are_told_of_and_harm_no_others() {
    define(&ALL, &["WorkloadHealth", "Incident"]).await;
    place::run("odd-records", async |place| {
        create(&place, "Incident", "odd-incident", json!({"workload": 7})).await;
        create(&place, "WorkloadHealth", "odd-health", json!({"workloadUid": ["x"]})).await;
        let operator = Operator::start(Setup::new(&place.namespace, "operator-0"));
        for name in ["odd-incident", "odd-health"] {
            let told = |line: &Value| text(line, "/message").contains("unreadable") && line["name"] == name;
            operator.says(&format!("that {name} cannot be read"), |line| told(line).then_some(())).await;
        }
        protects(&place).await;
        // The record of a workload that exists is in the way of a new one; the workload beside it does not suffer.
        place.ship("odd-health", "ok").await;
        let told =
            |line: &Value| text(line, "/message").contains("a look failed") && line.to_string().contains("odd-health");
        operator.says("that odd-health cannot be remembered", |line| told(line).then_some(())).await;
        place.ship("web", "pull-error").await;
        let recovered =
            |i: &Incident| outcome(i) == Some(Outcome::Recovered) && i.spec.opened.why.contains("ImagePull");
        place.incident("web", "a second incident that recovered", |i| recovered(i).then_some(())).await;
        operator.terminate().await;
    })
    .await;
    define(&ALL, &[]).await;
}

/// A bad revision is brought back.
async fn protects(place: &Place) {
    place.healthy().await;
    place.ship("web", "crash").await;
    let recovered = |i: &Incident| outcome(i) == Some(Outcome::Recovered);
    place.incident("web", "an incident that recovered", |i| recovered(i).then_some(())).await;
    place.acted_once().await;
}

fn outcome(incident: &Incident) -> Option<Outcome> {
    incident.status.as_ref()?.outcome
}

async fn create(place: &Place, kind: &str, name: &str, spec: Value) {
    let object = json!({"apiVersion": "backstay.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let object = serde_json::from_value(object).unwrap();
    place.raw(kind).create(&PostParams::default(), &object).await.expect("the loosened schema takes it");
}

async fn gone(api: &Api<CustomResourceDefinition>, name: &str) {
    let ended = await_condition(api.clone(), name, |crd: Option<&CustomResourceDefinition>| crd.is_none());
    tokio::time::timeout(PATIENCE, ended).await.unwrap_or_else(|_| panic!("{name} is not deleted")).unwrap();
}

/// Brings the cluster's definitions to `kinds`, without a schema for the `spec` of those in `loose`.
async fn define(kinds: &[&str], loose: &[&str]) {
    let client: Client = cluster::client().await;
    let api: Api<CustomResourceDefinition> = Api::all(client);
    for crd in crds::all() {
        let (name, kind) = (crd.name_any(), crd.spec.names.kind.clone());
        let one = watcher::Config::default().fields(&format!("metadata.name={name}"));
        if !kinds.contains(&&*kind) {
            if api.delete(&name, &DeleteParams::default()).await.is_ok_and(|left| left.is_left()) {
                gone(&api, &name).await;
            }
            continue;
        }
        let mut object = serde_json::to_value(&crd).unwrap();
        if loose.contains(&&*kind) {
            let schema = object.pointer_mut("/spec/versions/0/schema/openAPIV3Schema").unwrap();
            schema["properties"]["spec"] = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
            // Rules that name fields of the `spec` have nothing to stand on then.
            schema.as_object_mut().unwrap().remove("x-kubernetes-validations");
        }
        let params = PatchParams::apply("tests").force();
        api.patch(&name, &params, &Patch::Apply(&object)).await.unwrap_or_else(|e| panic!("defining {name}: {e}"));
        wait::first(&api, one, &format!("{name} to be served"), PATIENCE, |crd: &CustomResourceDefinition| {
            let conditions = crd.status.as_ref()?.conditions.as_ref()?;
            conditions.iter().any(|c| c.type_ == "Established" && c.status == "True").then_some(())
        })
        .await;
    }
}
