//! Two replicas and one lease.

use std::time::{Duration, Instant};

use backstay::engine::decision::Outcome;
use backstay::engine::words::ActionKind;

use crate::support::operator::{Operator, Setup};
use crate::support::place::{self, Place, text};
use crate::support::proxy::{Proxy, Strike};
use crate::support::wait::show;

#[tokio::test]
async fn a_leader_killed_with_the_incident_open_is_followed_by_the_other() {
    place::run("leader-killed-early", async |place| killed_leader(&place, 1).await).await;
}

#[tokio::test]
async fn a_leader_killed_after_its_action_is_followed_by_the_other() {
    place::run("leader-killed-late", async |place| killed_leader(&place, 2).await).await;
}

async fn killed_leader(place: &Place, at: usize) {
    let proxy = Proxy::start(place.client.clone()).await;
    let leader = Operator::start(Setup::new(&place.namespace, "operator-a").through(&proxy.kubeconfig().await));
    leader.leads(&place.client).await;
    let follower = Operator::start(Setup::new(&place.namespace, "operator-b"));
    place.healthy().await;
    proxy.arm(leader.pid(), at, Strike::KillAfter);
    place.ship("web", "crash").await;
    follower.leads(&place.client).await;
    assert!(proxy.struck(), "the leader was killed at write {at}");
    let incident = place
        .incident("web", "an incident that recovered", |i| {
            (i.status.as_ref()?.outcome == Some(Outcome::Recovered)).then(|| i.clone())
        })
        .await;
    follower.says("the end of the incident", |line| (text(line, "/state") == "Healthy").then_some(())).await;
    place.acted_once().await;
    assert_eq!(place.incidents().await.len(), 1, "there is one incident");
    let kinds: Vec<ActionKind> = incident.status.as_ref().unwrap().actions.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [ActionKind::RollBack], "the incident tells of the action: {}", show(&incident));
    for reason in ["RolledBack", "Recovered"] {
        let events = place.events(reason).await;
        assert_eq!(events.len(), 1, "one Event {reason}, but saw {events:?}");
    }
}

#[tokio::test]
async fn sigterm_gives_the_lease_to_the_other_within_three_seconds() {
    place::run("sigterm", async |place| {
        let leader = Operator::start(Setup::new(&place.namespace, "operator-a"));
        leader.leads(&place.client).await;
        let follower = Operator::start(Setup::new(&place.namespace, "operator-b"));
        follower.says("that it is ready", |line| (text(line, "/message") == "ready").then_some(())).await;
        let began = Instant::now();
        tokio::join!(leader.terminate(), follower.leads(&place.client));
        let took = began.elapsed();
        eprintln!("faults: the lease changed hands within {took:?}");
        assert!(took <= Duration::from_secs(3), "the lease changed hands only after {took:?}");
    })
    .await;
}
