//! The API server goes away in the middle of an incident.

use backstay::api::Incident;
use backstay::engine::decision::Outcome;

use crate::support::cluster;
use crate::support::operator::{Operator, Setup};
use crate::support::place::{self, Place};

#[tokio::test]
async fn t30_the_api_server_restarts_while_evidence_gathers() {
    place::run("restart-early", async |place| {
        let operator = Operator::start(Setup::new(&place.namespace, "operator-0"));
        place.healthy().await;
        place.ship("web", "crash").await;
        cluster::command(&["restart-apiserver"]).await;
        comes_back(&place).await;
        operator.terminate().await;
    })
    .await;
}

#[tokio::test]
async fn t30_the_api_server_is_killed_with_the_incident_open() {
    place::run("restart-late", async |place| {
        let operator = Operator::start(Setup::new(&place.namespace, "operator-0"));
        place.healthy().await;
        place.ship("web", "crash").await;
        place.incident("web", "an incident", |_| Some(())).await;
        cluster::command(&["restart-apiserver", "--signal", "KILL"]).await;
        comes_back(&place).await;
        operator.terminate().await;
    })
    .await;
}

async fn comes_back(place: &Place) {
    let recovered = |i: &Incident| i.status.as_ref().is_some_and(|s| s.outcome == Some(Outcome::Recovered));
    place.incident("web", "an incident that recovered", |i| recovered(i).then_some(())).await;
    place.acted_once().await;
    assert_eq!(place.incidents().await.len(), 1, "there is one incident");
}
