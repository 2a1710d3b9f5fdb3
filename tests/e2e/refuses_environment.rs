//! The revision fails and is not to blame: nothing is done, and the record says why.

use backstay::engine::words::{Cause, Class, Confidence, Fault, RefusalReason};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::support::case::complete;
use crate::support::registry::Registry;
use crate::support::{App, Case, Story, case, registry};

#[tokio::test]
async fn t17_a_slow_but_good_start_is_waited_for() {
    case::run("slow-start", async |t| {
        t.healthy(json!({}), &App::new()).await;
        let slow = App::new().env("APP_READY_AFTER_SECONDS", 20);
        t.ship(&slow).await;
        let set = t.revision_with("APP_READY_AFTER_SECONDS").await;
        t.until::<ReplicaSet, _>(&set.name_any(), "pods of the slow revision", |s| {
            (s.status.as_ref()?.replicas > 0).then_some(())
        })
        .await;
        let said = t.explained().await;
        let lines: Vec<&str> = said.lines().map(str::trim).collect();
        let state = ["Progressing: ", "Suspect: "].iter().any(|state| lines[1].starts_with(state));
        assert!(state, "what it waits for comes right after the name: {said}");
        let asked = lines.iter().position(|line| *line == "WOULD IT ACT NOW?").expect("the question");
        assert_eq!(lines[asked + 1], "No: there is nothing to act on.", "{said}");
        assert!(lines[asked + 2].starts_with("It looks again "), "it says when it looks again: {said}");
        t.settle(&slow).await;
        assert!(t.incidents().await.is_empty(), "no incident for a slow start");
        t.untouched().await;
    })
    .await;
}

#[tokio::test]
async fn t18_a_dependency_that_is_down_for_old_and_new_is_not_rolled_back() {
    case::run("dependency", async |t| {
        let address = database(&t).await;
        let app = || App::new().env("APP_DEPENDENCY_URL", format!("http://{address}/"));
        t.healthy(json!({}), &app()).await;
        t.apply(deployment("db", 0)).await;
        // A pod that is replaced before it misses the database shows nothing to compare with.
        let old = t.api::<Pod>().list(&ListParams::default().labels("app=web")).await.unwrap();
        for pod in &old.items {
            t.until::<Pod, _>(&pod.name_any(), "the end of an old pod's run", ended).await;
        }
        t.ship(&app().env("VERSION", 2)).await;
        let incident = t.refused(&hash(&t.revision_with("VERSION").await), RefusalReason::FaultNotRevision).await;
        let verdict = incident.status.as_ref().unwrap().verdict.clone().unwrap();
        assert_eq!(verdict.fault, Fault::Dependency, "{verdict:?}");
        t.untouched().await;
    })
    .await;
}

#[tokio::test]
async fn t19_a_full_node_is_not_the_fault_of_a_revision_that_asks_for_no_more() {
    case::run("node-full", async |t| {
        let quickly =
            json!({"rules": [{"name": "quickly", "match": {"failures": ["Pending"]}, "threshold": {"forSeconds": 3}}]});
        let app = || App::new().container(json!({"resources": {"requests": {"cpu": "100m"}}}));
        t.healthy(quickly, &app()).await;
        fill_the_node(&t).await;
        t.ship(&app().env("VERSION", 2)).await;
        t.refused(&hash(&t.revision_with("VERSION").await), RefusalReason::FaultNotRevision).await;
        t.untouched().await;
    })
    .await;
}

#[tokio::test]
async fn t20_a_registry_that_limits_pulls_is_not_the_fault_of_the_revision() {
    case::run_with_registry("registry-limits", async |t| registry(&t, "localhost:5000/ratelimited/testapp:v1").await)
        .await;
}

#[tokio::test]
async fn t20_a_registry_that_does_not_answer_is_not_the_fault_of_the_revision() {
    case::run_with_registry("registry-cut", async |t| registry(&t, "localhost:5000/reset/testapp:v1").await).await;
}

#[tokio::test]
async fn t20_a_known_registry_that_refuses_connections_is_not_the_fault_of_the_revision() {
    case::run_with_registry("registry-down", async |t| {
        let registry = Registry::start().await;
        t.healthy(json!({}), &App::new().image(&registry::image("v1"))).await;
        let image = registry::image("v2");
        registry.end().await;
        t.ship(&App::new().image(&image)).await;
        let incident = t.refused(&hash(&t.revision_with(&image).await), RefusalReason::FaultNotRevision).await;
        let verdict = incident.status.as_ref().unwrap().verdict.clone().unwrap();
        assert_eq!(verdict.fault, Fault::Platform, "{verdict:?}");
        let lead = &incident.spec.opened.findings[0];
        assert_eq!((lead.class, lead.cause), (Class::ImagePullBackOff, Cause::RegistryUnreachable), "{lead:?}");
        assert!(lead.evidence.iter().any(|e| e.text.contains("connection refused")), "refused, not cut: {lead:?}");
        t.untouched().await;
    })
    .await;
}

#[tokio::test]
async fn t20_a_registry_that_is_down_and_that_the_change_brought_in_is_the_fault_of_the_revision() {
    case::run_with_registry("registry-new", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        t.ship(&App::new().image("localhost:5999/testapp:v1")).await;
        let story = Story { class: Class::ImagePullBackOff, causes: &[Cause::RegistryUnreachable] };
        let incident = t.rolled_back(&baseline, story).await;
        let verdict = incident.status.as_ref().unwrap().verdict.clone().unwrap();
        assert_eq!(verdict.confidence, Confidence::Likely, "{verdict:?}");
    })
    .await;
}

async fn registry(t: &Case, image: &str) {
    t.healthy(json!({}), &App::new()).await;
    t.ship(&App::new().image(image)).await;
    let incident = t.refused(&hash(&t.revision_with(image).await), RefusalReason::FaultNotRevision).await;
    let verdict = incident.status.as_ref().unwrap().verdict.clone().unwrap();
    assert_eq!(verdict.fault, Fault::Platform, "{verdict:?}");
    t.untouched().await;
}

pub fn hash(set: &ReplicaSet) -> String {
    set.labels().get("pod-template-hash").cloned().expect("the controller's label")
}

/// The only container's first run has come to an end.
fn ended(pod: &Pod) -> Option<()> {
    let container = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    let ended = container.state.as_ref().is_some_and(|s| s.terminated.is_some()) || container.restart_count > 0;
    ended.then_some(())
}

/// A service that answers, which no policy watches; gives its address.
async fn database(t: &Case) -> String {
    let shipped = t.apply(deployment("db", 1)).await;
    let shipped: Deployment = serde_json::from_value(serde_json::to_value(shipped).unwrap()).unwrap();
    t.until::<Deployment, _>("db", "the database", |d| complete(d, &shipped).then_some(())).await;
    t.apply(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"},
        "spec": {"selector": {"app": "db"}, "ports": [{"port": 8080}]},
    }))
    .await;
    let ip = t.until::<Service, _>("db", "an address", |s| s.spec.as_ref()?.cluster_ip.clone()).await;
    format!("{ip}:8080")
}

fn deployment(name: &str, replicas: i32) -> Value {
    let mut object = App::new().replicas(replicas).0;
    object["metadata"] = json!({"name": name, "labels": {"app": name}});
    object["spec"]["selector"]["matchLabels"]["app"] = json!(name);
    object["spec"]["template"]["metadata"]["labels"]["app"] = json!(name);
    object
}

/// A pod that asks for all processors but a sliver. Pods that ask for none, as those of other tests, still fit.
async fn fill_the_node(t: &Case) {
    let nodes: Api<Node> = Api::all(t.client.clone());
    let nodes = nodes.list(&ListParams::default()).await.unwrap();
    let allocatable = nodes.items[0].status.as_ref().unwrap().allocatable.as_ref().unwrap();
    let pods: Api<Pod> = Api::all(t.client.clone());
    let pods = pods.list(&ListParams::default().fields("status.phase!=Succeeded,status.phase!=Failed")).await.unwrap();
    let asked: i64 = pods.iter().filter_map(|p| p.spec.as_ref()).flat_map(|s| &s.containers).map(asks).sum();
    let rest = millis(&allocatable["cpu"].0) - asked - 50;
    assert!(rest > 0, "the node has room for the filler");
    let mut filler = deployment("filler", 1);
    filler["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": format!("{rest}m")}});
    let shipped = t.apply(filler).await;
    let shipped: Deployment = serde_json::from_value(serde_json::to_value(shipped).unwrap()).unwrap();
    t.until::<Deployment, _>("filler", "a full node", |d| complete(d, &shipped).then_some(())).await;
}

fn asks(container: &k8s_openapi::api::core::v1::Container) -> i64 {
    let requests = container.resources.as_ref().and_then(|r| r.requests.as_ref());
    requests.and_then(|r| r.get("cpu")).map_or(0, |q| millis(&q.0))
}

/// Thousandths of a processor: `2` and `100m` are the forms that the API server writes for whole numbers of them.
fn millis(quantity: &str) -> i64 {
    match quantity.strip_suffix('m') {
        Some(millis) => millis.parse().unwrap(),
        None => quantity.parse::<i64>().unwrap() * 1000,
    }
}
