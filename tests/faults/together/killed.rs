//! The operator dies, or an answer is lost, at each write of an incident in turn. Whatever is left behind, there is one
//! incident and one roll-back in the end.

use backstay::api::{Incident, WorkloadHealth};
use backstay::engine::decision::Outcome;
use backstay::engine::words::ActionKind;
use serde_json::json;

use crate::support::operator::{Operator, Setup};
use crate::support::place::{self, Place, text};
use crate::support::proxy::{Proxy, Strike};
use crate::support::wait::show;

/// The incident, the action, its status, its Event, the end, and the Event of that.
const HAPPY_WRITES: usize = 6;

#[tokio::test]
async fn killed_before_each_write_in_turn() {
    each_write(Strike::KillBefore).await;
}

#[tokio::test]
async fn killed_after_each_write_in_turn() {
    each_write(Strike::KillAfter).await;
}

#[tokio::test]
async fn the_answer_to_each_write_in_turn_is_lost() {
    each_write(Strike::LoseAnswer).await;
}

/// Repeats the incident until it has fewer writes than the turn of the strike.
async fn each_write(strike: Strike) {
    for at in 1.. {
        assert!(at < 20, "an incident has a bounded number of writes");
        let mut struck = false;
        let name = format!("{strike:?}-{at}").to_lowercase();
        place::run(&name, async |place| struck = one_incident(&place, at, strike).await).await;
        if !struck {
            assert_eq!(at - 1, HAPPY_WRITES, "an incident has so many writes");
            return;
        }
    }
}

/// Gives whether the strike came about.
async fn one_incident(place: &Place, at: usize, strike: Strike) -> bool {
    let proxy = Proxy::start(place.client.clone()).await;
    let setup = Setup::new(&place.namespace, "operator-0");
    let first = Operator::start(setup.clone().through(&proxy.kubeconfig().await));
    place.healthy().await;
    proxy.arm(first.pid(), at, strike);
    place.ship("web", "crash").await;
    // A container that is started again keeps its pod's name, and with it its standing in the lease.
    let last = match strike {
        Strike::LoseAnswer => first,
        Strike::KillBefore | Strike::KillAfter => {
            let over = tokio::select! {
                biased;
                _ = first.ended() => false,
                () = ended_well(place, &first) => true,
            };
            if over { first } else { Operator::start(setup) }
        }
    };
    ended_well(place, &last).await;
    let incident = place.incident("web", "the incident's end", recovered).await;
    tells_of_one_action(place, &incident).await;
    let struck = proxy.struck();
    if !struck {
        // The write that is provoked now would be the one to strike at.
        proxy.disarm();
        let writes = until_another_is_due(place, &incident, &proxy).await;
        assert_eq!(writes.len(), HAPPY_WRITES + 1, "the incident's, and the last, which was due: {writes:#?}");
    }
    eprintln!("faults: writes: {:#?}", proxy.writes());
    struck
}

/// Lets another policy govern the workload, which its WorkloadHealth has to say, so that no write of before can be
/// still to come. That the baseline has proven itself once more goes along. Gives the writes by then.
async fn until_another_is_due(place: &Place, incident: &Incident, proxy: &Proxy) -> Vec<String> {
    place.govern_as("another", 1, json!([])).await;
    let opened = incident.spec.opened.at;
    place
        .until::<WorkloadHealth, _>("web", "the other policy and the later proof", |health| {
            let status = health.status.as_ref().filter(|status| status.policy == "IncidentPolicy/another")?;
            assert!(status.ledger.iter().any(|e| e.healthy_since.is_some_and(|at| opened < at)), "{}", show(health));
            Some(())
        })
        .await;
    proxy.writes()
}

/// The incident has recovered and the operator, whichever it is by now, finds the workload healthy.
async fn ended_well(place: &Place, operator: &Operator) {
    place.incident("web", "an incident that recovered", recovered).await;
    operator
        .says("that the workload is healthy again", |line| {
            let healthy = matches!(text(line, "/state"), "Healthy" | "Stabilised");
            (healthy && line["generation"].as_i64() >= Some(3)).then_some(())
        })
        .await;
}

fn recovered(incident: &Incident) -> Option<Incident> {
    (incident.status.as_ref()?.outcome == Some(Outcome::Recovered)).then(|| incident.clone())
}

async fn tells_of_one_action(place: &Place, incident: &Incident) {
    place.acted_once().await;
    assert_eq!(place.incidents().await.len(), 1, "there is one incident");
    let status = incident.status.as_ref().unwrap();
    let kinds: Vec<ActionKind> = status.actions.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [ActionKind::RollBack], "the incident tells of the action: {}", show(incident));
    // That an answer was lost, which may be told as well, is not what the story is about.
    let told: Vec<&str> = status.timeline.iter().map(|e| &*e.what).filter(|what| *what != "ActionBlocked").collect();
    assert_eq!(told, ["FirstSignal", "Detected", "RolledBack", "Recovered"], "{}", show(incident));
    // An Event is told once or, when the process died before telling, not at all.
    assert!(place.events("RolledBack").await.len() <= 1, "one Event at most");
}
