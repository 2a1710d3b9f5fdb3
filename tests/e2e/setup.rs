//! Pods that Kubernetes cannot start, or does not wait for: programs for another machine, volumes that nobody binds, a
//! webhook that is down.

use backstay::engine::words::{Cause, Class, Fault, RefusalReason};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::hints::shows;
use crate::refuses_environment::hash;
use crate::support::{App, Case, Story, case};

/// Waiting for a node is given a minute by default.
fn quickly() -> Value {
    json!({"rules": [{"name": "quickly", "match": {"failures": ["Pending"]}, "threshold": {"forSeconds": 3}}]})
}

#[tokio::test]
async fn t64_a_program_that_is_no_program_is_rolled_back() {
    case::run_with("an image", "no-program", async |t| cannot_run(&t, "localhost:5000/testapp:no-program").await).await;
}

#[tokio::test]
async fn t64_a_program_for_another_processor_is_rolled_back() {
    let image = "localhost:5000/testapp:other-processor";
    case::run_with("an image", "other-processor", async |t| cannot_run(&t, image).await).await;
}

async fn cannot_run(t: &Case, image: &str) {
    let baseline = t.healthy(json!({}), &App::new()).await;
    t.ship(&App::new().image(image)).await;
    let story = Story { class: Class::ContainerStart, causes: &[Cause::WrongArchitecture] };
    let incident = t.rolled_back(&baseline, story).await;
    shows(&incident, "[web]", "exec format error");
}

#[tokio::test]
async fn t65_a_startup_probe_that_does_not_wait_long_enough_is_rolled_back() {
    case::run("startup-probe", async |t| {
        let app = |failures: i32| {
            let probe = json!({"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": failures});
            App::new().env("APP_LISTEN_AFTER_SECONDS", 5).container(json!({"startupProbe": probe}))
        };
        let baseline = t.healthy(json!({}), &app(60)).await;
        t.ship(&app(2)).await;
        let story = Story { class: Class::CrashLoopBackOff, causes: &[Cause::StartupProbeKilled] };
        let incident = t.rolled_back(&baseline, story).await;
        shows(&incident, "events[Unhealthy]", "Startup probe failed: dial tcp");
    })
    .await;
}

fn mounts(claim: &str) -> App {
    let volume = json!({"name": "data", "persistentVolumeClaim": {"claimName": claim}});
    let mount = json!({"volumeMounts": [{"name": "data", "mountPath": "/data"}]});
    App::new().pod(json!({"volumes": [volume]})).container(mount)
}

/// A claim for which no volume is made.
fn claim(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": {"storage": "1Mi"}},
        },
    })
}

#[tokio::test]
async fn t66_a_new_claim_that_nobody_binds_is_rolled_back() {
    case::run("claim-unbound", async |t| {
        let baseline = t.healthy(quickly(), &App::new()).await;
        t.apply(claim("data")).await;
        t.ship(&mounts("data")).await;
        let story = Story { class: Class::Pending, causes: &[Cause::VolumeUnbound] };
        let incident = t.rolled_back(&baseline, story).await;
        shows(&incident, "conditions[PodScheduled]", "unbound immediate PersistentVolumeClaims");
    })
    .await;
}

#[tokio::test]
async fn t66_a_claim_that_is_deleted_under_a_workload_is_not_the_fault_of_a_revision_that_needs_it_as_before() {
    case::run("claim-deleted", async |t| {
        let volumes: Api<PersistentVolume> = Api::all(t.client.clone());
        volumes.create(&PostParams::default(), &volume(&t)).await.expect("creating a volume");
        let mut object = claim("data");
        object["spec"]["volumeName"] = json!(t.namespace);
        t.apply(object).await;
        t.healthy(quickly(), &mounts("data")).await;
        // Pods that use it keep it from going, and no new one gets it.
        let claims: Api<PersistentVolumeClaim> = t.api();
        claims.delete("data", &DeleteParams::background()).await.expect("deleting the claim");
        t.ship(&mounts("data").env("VERSION", 2)).await;
        let incident = t.refused(&hash(&t.revision_with("VERSION").await), RefusalReason::FaultNotRevision).await;
        let lead = &incident.spec.opened.findings[0];
        assert_eq!((lead.class, lead.cause), (Class::Pending, Cause::VolumeUnbound), "{lead:?}");
        shows(&incident, "conditions[PodScheduled]", "persistentvolumeclaim \"data\" is being deleted");
        let verdict = incident.status.as_ref().unwrap().verdict.clone().unwrap();
        assert_eq!(verdict.fault, Fault::Platform, "{verdict:?}");
        t.untouched().await;
        volumes.delete(&t.namespace, &DeleteParams::default()).await.expect("deleting the volume");
    })
    .await;
}

/// A folder of the node for the claim of this test alone.
fn volume(t: &Case) -> PersistentVolume {
    let object = json!({
        "metadata": {"name": t.namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Mi"},
            "claimRef": {"namespace": t.namespace, "name": "data"},
            "hostPath": {"path": format!("/run/volumes/{}", t.namespace), "type": "DirectoryOrCreate"},
        },
    });
    serde_json::from_value(object).unwrap()
}

#[tokio::test]
async fn t67_a_webhook_that_is_down_is_not_the_fault_of_the_revision() {
    case::run("webhook-down", async |t| {
        t.healthy(json!({}), &App::new()).await;
        let webhooks: Api<ValidatingWebhookConfiguration> = Api::all(t.client.clone());
        webhooks.create(&PostParams::default(), &webhook(&t)).await.expect("creating the webhook");
        t.ship(&App::new().env("VERSION", 2)).await;
        let incident = t.refused(&hash(&t.revision_with("VERSION").await), RefusalReason::FaultNotRevision).await;
        webhooks.delete(&t.namespace, &DeleteParams::default()).await.expect("deleting the webhook");
        let lead = &incident.spec.opened.findings[0];
        assert_eq!((lead.class, lead.cause), (Class::CreateRefused, Cause::WebhookUnavailable), "{lead:?}");
        shows(&incident, "", "failed calling webhook \"pods.example.com\"");
        let verdict = incident.status.as_ref().unwrap().verdict.clone().unwrap();
        assert_eq!(verdict.fault, Fault::Platform, "{verdict:?}");
        t.untouched().await;
    })
    .await;
}

/// Asked about every new pod of this test's namespace, at an address where nobody listens.
fn webhook(t: &Case) -> ValidatingWebhookConfiguration {
    let object = json!({
        "metadata": {"name": t.namespace},
        "webhooks": [{
            "name": "pods.example.com",
            "clientConfig": {"url": "https://127.0.0.1:9/pods"},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": t.namespace}},
            "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 2,
        }],
    });
    serde_json::from_value(object).unwrap()
}
