//! Nodes that vanish.

use std::collections::BTreeSet;

use backstay::api::Incident;
use backstay::engine::decision::Outcome;
use backstay::engine::words::{Fault, RefusalReason};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::audit::lines;
use crate::support::cluster;
use crate::support::operator::{Operator, Setup};
use crate::support::place::{self, Place};
use crate::support::wait::{self, PATIENCE};

/// Three of ten: more than a fifth is a storm.
const LOST: [&str; 3] = ["sim-1", "sim-2", "sim-3"];

async fn nodes(verb: &str) {
    cluster::command(&[&["nodes", verb][..], &LOST[..]].concat()).await;
}

/// The test before may have left them lost, and only a node that is ready can report that it is no more.
async fn all_are_back(place: &Place) {
    nodes("ready").await;
    let all: Api<Node> = Api::all(place.client.clone());
    let mut lost = BTreeSet::from(LOST);
    wait::first(&all, watcher::Config::default(), "all nodes to be ready", PATIENCE, |node: &Node| {
        let conditions = node.status.as_ref()?.conditions.as_ref()?;
        if conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True") {
            lost.remove(&*node.name_any());
        }
        lost.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn t27_nothing_is_done_while_too_many_nodes_are_lost() {
    place::run("storm-nodes", async |place| {
        all_are_back(&place).await;
        let operator = Operator::start(Setup::new(&place.namespace, "operator-0").everywhere());
        place.healthy().await;
        nodes("not-ready").await;
        are_closed(&place).await;
        place.ship("web", "crash").await;
        place.storm("a storm", |_| Some(())).await;
        place.refuses("web", RefusalReason::Storm).await;
        let actions = place.actions().await;
        assert!(actions.is_empty(), "nothing is done, but saw:{}", lines(&actions));
        // The nodes come back, and the workload is judged by itself.
        nodes("ready").await;
        let cleared = |i: &Incident| outcome(i) == Some(Outcome::Cleared);
        place.storm("the end of the storm", |i| cleared(i).then_some(())).await;
        let recovered = |i: &Incident| outcome(i) == Some(Outcome::Recovered);
        place.incident("web", "an incident that recovered", |i| recovered(i).then_some(())).await;
        place.acted_once().await;
        operator.terminate().await;
    })
    .await;
    nodes("ready").await;
}

#[tokio::test]
async fn t27_a_person_may_override_the_storm() {
    place::run("storm-overridden", async |place| {
        all_are_back(&place).await;
        let operator = Operator::start(Setup::new(&place.namespace, "operator-0").everywhere());
        place.govern().await;
        place.ship_object(&elsewhere("ok")).await;
        place.is_proven("web").await;
        nodes("not-ready").await;
        are_closed(&place).await;
        place.ship_object(&elsewhere("crash")).await;
        let storm = place.storm("a storm", |i| i.status.as_ref().map(|_| i.name_any())).await;
        place.refuses("web", RefusalReason::Storm).await;
        let actions = place.actions().await;
        assert!(actions.is_empty(), "nothing is done, but saw:{}", lines(&actions));
        let said = approve(&place, &storm).await;
        assert!(said.contains("workloads are judged one by one although the storm has not passed"), "{said}");
        let recovered = |i: &Incident| outcome(i) == Some(Outcome::Recovered);
        place.incident("web", "an incident that recovered", |i| recovered(i).then_some(())).await;
        place.acted_once().await;
        let told = |i: &Incident| i.status.as_ref().is_some_and(|s| s.timeline.iter().any(|e| e.what == "Overridden"));
        place.storm("an open storm that tells of the word", |i| (i.is_open() && told(i)).then_some(())).await;
        operator.terminate().await;
    })
    .await;
    nodes("ready").await;
}

/// A Deployment whose pods run on the nodes that stay.
fn elsewhere(behaviour: &str) -> Value {
    let mut app = place::deployment("web", behaviour);
    let stays = json!({"key": "kubernetes.io/hostname", "operator": "NotIn", "values": LOST});
    let terms = json!({"nodeSelectorTerms": [{"matchExpressions": [stays]}]});
    app["spec"]["template"]["spec"]["affinity"] =
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}});
    app
}

/// What `backstay incident approve` says to a person who approves.
async fn approve(place: &Place, incident: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstay"));
    let done = command.args(["incident", "approve", incident, "-n", &place.namespace]).output().await.unwrap();
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{said}");
    said
}

/// For as long as a node's heartbeat may be missing nothing shows that it is gone: what is shipped then lands on it too,
/// and is as good as what runs elsewhere.
#[tokio::test]
async fn t27_a_good_revision_is_not_blamed_for_nodes_that_vanish_under_it() {
    place::run("nodes-vanish", async |place| {
        all_are_back(&place).await;
        let operator = Operator::start(Setup::new(&place.namespace, "operator-0").everywhere());
        place.govern().await;
        // So many that every node gets some, old and new.
        let mut app = place::deployment("web", "ok");
        app["spec"]["replicas"] = json!(20);
        app["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}});
        place.ship_object(&app).await;
        place.is_proven("web").await;
        nodes("vanish").await;
        app["spec"]["template"]["metadata"]["annotations"]["example.com/version"] = json!("2");
        let shipped = place.ship_object(&app).await;
        lands_on_lost_nodes(&place).await;
        let storm = place.storm("a storm", |i| i.status.as_ref().map(|_| i.clone())).await;
        let why = storm.status.unwrap().why.unwrap();
        assert!(why.contains("3 of 10 nodes are not ready"), "{why}");
        // The nodes come back, the rollout ends as it would have, and nothing was done at any time.
        nodes("ready").await;
        place.storm("the end of the storm", |i| (outcome(i) == Some(Outcome::Cleared)).then_some(())).await;
        place
            .until::<Deployment, _>("web", "the rollout to complete by itself", |d| {
                let status = d.status.as_ref()?;
                let seen = status.observed_generation >= shipped.metadata.generation;
                (seen && status.updated_replicas == Some(20) && status.available_replicas >= Some(20)).then_some(())
            })
            .await;
        let actions = place.actions().await;
        assert!(actions.is_empty(), "nothing is done, but saw:{}", lines(&actions));
        let blamed = |i: &Incident| i.status.as_ref().and_then(|s| s.verdict.as_ref()).map(|v| v.fault);
        let faults: Vec<_> = place.incidents().await.iter().filter_map(blamed).collect();
        assert!(!faults.contains(&Fault::Revision), "the revision is not to blame: {faults:?}");
        operator.terminate().await;
    })
    .await;
    nodes("ready").await;
}

/// Pods of the second version are bound to nodes that are gone.
async fn lands_on_lost_nodes(place: &Place) {
    let config = watcher::Config::default().labels("app=web");
    let what = "a new pod on a node that is gone";
    wait::first(&place.api::<Pod>(), config, what, PATIENCE, |pod: &Pod| {
        let new = pod.annotations().contains_key("example.com/version");
        let node = pod.spec.as_ref()?.node_name.as_deref()?;
        (new && LOST.contains(&node)).then_some(())
    })
    .await;
}

/// Nothing is scheduled to the lost nodes any more; a pod that came before would wait there for minutes.
async fn are_closed(place: &Place) {
    let all: Api<Node> = Api::all(place.client.clone());
    let mut closed = BTreeSet::new();
    wait::first(&all, watcher::Config::default(), "the lost nodes to be closed", PATIENCE, |node: &Node| {
        let taints = node.spec.as_ref()?.taints.iter().flatten();
        if taints.into_iter().any(|t| t.key == "node.kubernetes.io/not-ready" && t.effect == "NoSchedule") {
            closed.insert(node.name_any());
        }
        LOST.iter().all(|name| closed.contains(*name)).then_some(())
    })
    .await;
}

fn outcome(incident: &Incident) -> Option<Outcome> {
    incident.status.as_ref()?.outcome
}
