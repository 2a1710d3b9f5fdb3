//! Nodes that vanish.

use std::collections::BTreeSet;

use backstay::api::Incident;
use backstay::engine::decision::Outcome;
use backstay::engine::words::RefusalReason;
use k8s_openapi::api::core::v1::Node;
use kube::runtime::watcher;
use kube::{Api, ResourceExt};

use crate::support::audit::lines;
use crate::support::cluster;
use crate::support::operator::{Operator, Setup};
use crate::support::place::{self, Place};
use crate::support::wait::{self, PATIENCE};

/// Three of ten: more than a fifth is a storm.
const LOST: [&str; 3] = ["sim-1", "sim-2", "sim-3"];

#[tokio::test]
async fn t27_nothing_is_done_while_too_many_nodes_are_lost() {
    let nodes = async |verb: &'static str| cluster::command(&[&["nodes", verb][..], &LOST[..]].concat()).await;
    nodes("ready").await;
    place::run("storm-nodes", async |place| {
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
