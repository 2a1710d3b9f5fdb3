//! Revisions that never get going.

use backstay::api::{ClusterIncidentPolicy, Incident, condition};
use backstay::engine::words::{Cause, Class};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use crate::support::app::policy;
use crate::support::case::Baseline;
use crate::support::{App, Case, Story, case};

#[tokio::test]
async fn t01_an_image_tag_that_does_not_exist_is_rolled_back() {
    case::run_with_registry("bad-tag", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        t.ship(&App::new().image("localhost:5000/testapp:no-such-tag")).await;
        t.rolled_back(&baseline, Story { class: Class::ImagePullBackOff, causes: &[Cause::ImageNotFound] }).await;
    })
    .await;
}

#[tokio::test]
async fn t01_the_replicas_that_an_autoscaler_chose_stay_through_a_roll_back() {
    case::run_with_registry("autoscaled", async |t| {
        // The manifest leaves the number to the autoscaler, which asks for three at least.
        let app = || App::new().spec(json!({"replicas": null}));
        t.apply(json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "minReplicas": 3, "maxReplicas": 5,
                "metrics": [{"type": "Resource", "resource": {
                    "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80},
                }}],
            },
        }))
        .await;
        let baseline = t.healthy(json!({}), &app()).await;
        let scaled = t.until::<Deployment, _>("web", "the autoscaler to have scaled", |d| {
            (d.spec.replicas == Some(3) && case::complete(d, d)).then(|| d.clone())
        });
        let baseline = Baseline { deployment: scaled.await, ..baseline };
        let before = autoscaler(&t).await;
        t.ship(&app().image("localhost:5000/testapp:no-such-tag")).await;
        t.rolled_back(&baseline, Story { class: Class::ImagePullBackOff, causes: &[Cause::ImageNotFound] }).await;
        assert_eq!(autoscaler(&t).await, before, "the autoscaler's spec is what it was");
    })
    .await;
}

async fn autoscaler(t: &Case) -> Option<HorizontalPodAutoscalerSpec> {
    t.api::<HorizontalPodAutoscaler>().get("web").await.expect("reading the autoscaler").spec.into()
}

#[tokio::test]
async fn t01_a_cluster_policy_governs_the_namespaces_that_it_selects() {
    case::run_with_registry("cluster-policy", async |t| {
        let mut spec = policy(json!({}))["spec"].clone();
        spec["namespaceSelector"] = json!({"matchLabels": {"kubernetes.io/metadata.name": t.namespace}});
        let object = serde_json::from_value(json!({"metadata": {"name": t.namespace}, "spec": spec})).unwrap();
        let policies: Api<ClusterIncidentPolicy> = Api::all(t.client.clone());
        policies.create(&PostParams::default(), &object).await.expect("creating the policy");
        let baseline = t.settle(&App::new()).await;
        t.ship(&App::new().image("localhost:5000/testapp:no-such-tag")).await;
        let story = Story { class: Class::ImagePullBackOff, causes: &[Cause::ImageNotFound] };
        let incident = t.rolled_back(&baseline, story).await;
        assert_eq!(incident.spec.opened.policy, format!("ClusterIncidentPolicy/{}", t.namespace));
        let status = policies.get(&t.namespace).await.expect("reading the policy").status;
        let conditions = status.map(|s| s.conditions).unwrap_or_default();
        assert!(condition::is_true(&conditions, "Ready"), "{conditions:?}");
        policies.delete(&t.namespace, &DeleteParams::default()).await.expect("deleting the policy");
    })
    .await;
}

#[tokio::test]
async fn t02_a_program_that_exits_at_start_is_rolled_back() {
    case::run("exit-at-start", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        t.ship(&App::new().env("APP_EXIT_AT_START", 3)).await;
        let causes = &[Cause::ApplicationError, Cause::Unknown];
        t.rolled_back(&baseline, Story { class: Class::CrashLoopBackOff, causes }).await;
    })
    .await;
}

#[tokio::test]
async fn t04_memory_beyond_a_lowered_limit_is_rolled_back() {
    case::run("out-of-memory", async |t| {
        // The limit was generous; the new version lowers it below what the program needs.
        let app = |limit: &str| {
            let app = App::new().env("APP_ALLOCATE_MIB", 64).env("APP_ALLOCATE_AFTER_SECONDS", 1);
            app.container(json!({"resources": {"requests": {"memory": "32Mi"}, "limits": {"memory": limit}}}))
        };
        let baseline = t.healthy(json!({}), &app("160Mi")).await;
        t.ship(&app("40Mi")).await;
        t.rolled_back(&baseline, Story { class: Class::OOMKilled, causes: &[Cause::ContainerLimit] }).await;
    })
    .await;
}

#[tokio::test]
async fn t07_a_missing_config_map_is_rolled_back() {
    case::run("missing-config", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        let env = json!({"envFrom": [{"configMapRef": {"name": "not-there"}}]});
        t.ship(&App::new().container(env)).await;
        t.rolled_back(&baseline, Story { class: Class::ContainerConfig, causes: &[Cause::MissingConfigMap] }).await;
    })
    .await;
}

#[tokio::test]
async fn t08_a_command_that_is_not_in_the_image_is_rolled_back() {
    case::run("no-command", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        t.ship(&App::new().container(json!({"command": ["/not-in-the-image"]}))).await;
        t.rolled_back(&baseline, Story { class: Class::ContainerStart, causes: &[Cause::CommandNotFound] }).await;
    })
    .await;
}

#[tokio::test]
async fn t09_a_failing_init_container_is_rolled_back() {
    case::run("init-container", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        let migrate = json!({
            "name": "prepare",
            "image": "localhost:5000/testapp:v1",
            "env": [{"name": "APP_EXIT_AT_START", "value": "4"}],
        });
        t.ship(&App::new().pod(json!({"initContainers": [migrate]}))).await;
        let causes = &[Cause::ApplicationError, Cause::Unknown];
        let incident = t.rolled_back(&baseline, Story { class: Class::CrashLoopBackOff, causes }).await;
        names_container(&incident, "prepare");
    })
    .await;
}

#[tokio::test]
async fn t10_a_failing_native_sidecar_is_rolled_back() {
    case::run("sidecar", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        let proxy = json!({
            "name": "proxy",
            "image": "localhost:5000/testapp:v1",
            "restartPolicy": "Always",
            "env": [{"name": "APP_EXIT_AFTER_SECONDS", "value": "0.5"}, {"name": "APP_PORT", "value": "9090"}],
        });
        t.ship(&App::new().pod(json!({"initContainers": [proxy]}))).await;
        let causes = &[Cause::ApplicationError, Cause::Unknown];
        let incident = t.rolled_back(&baseline, Story { class: Class::CrashLoopBackOff, causes }).await;
        names_container(&incident, "proxy");
    })
    .await;
}

fn names_container(incident: &Incident, name: &str) {
    let lead = &incident.spec.opened.findings[0];
    assert_eq!(lead.container.as_deref(), Some(name), "the container to blame in {lead:?}");
}
