//! Many workloads break at once.

use backstay::api::Incident;
use backstay::engine::words::RefusalReason;
use kube::ResourceExt;

use super::{is_proven, refusal};
use crate::support::audit::lines;
use crate::support::operator::{Operator, Setup};
use crate::support::place::{self, Place};

const WORKLOADS: usize = 60;
/// More than a tenth of the workloads, and more than three, is a storm.
const BRAKE: usize = 6;

#[tokio::test]
async fn t26_a_registry_that_is_rate_limited_for_all_is_one_incident() {
    place::run("storm-registry", async |place| {
        place.has_the_cluster_to_itself().await;
        let operator = Operator::start(Setup::new(&place.namespace, "operator-0").everywhere());
        let names = sixty(&place).await;
        place.ship_all(&names, "pull-ratelimited").await;
        place.storm("a storm that names most of them", affects_most).await;
        // The registry is to blame, whether or not there is a storm.
        place.count("why", WORKLOADS, |h| told(refusal(h))).await;
        one_parent(&place).await;
        let actions = place.actions().await;
        assert!(actions.is_empty(), "nothing is done, but saw:{}", lines(&actions));
        operator.terminate().await;
    })
    .await;
}

#[tokio::test]
async fn t26_sixty_bad_revisions_at_once_engage_the_brake() {
    place::run("storm-revisions", async |place| {
        place.has_the_cluster_to_itself().await;
        let operator = Operator::start(Setup::new(&place.namespace, "operator-0").everywhere());
        let names = sixty(&place).await;
        place.ship_all(&names, "crash").await;
        place.storm("a storm that names most of them", affects_most).await;
        place.count("why", WORKLOADS - BRAKE, |h| refusal(h) == Some(RefusalReason::Storm)).await;
        one_parent(&place).await;
        let actions = place.actions().await;
        assert!(actions.len() <= BRAKE, "{BRAKE} before the brake at most, but saw:{}", lines(&actions));
        operator.terminate().await;
    })
    .await;
}

/// Workloads with a revision that is recorded as healthy.
async fn sixty(place: &Place) -> Vec<String> {
    place.govern().await;
    let names: Vec<String> = (0..WORKLOADS).map(|n| format!("web-{n}")).collect();
    place.ship_all(&names, "ok").await;
    place.count("a healthy revision", WORKLOADS, is_proven).await;
    names
}

fn affects_most(incident: &Incident) -> Option<()> {
    (incident.status.as_ref()?.affected.len() > WORKLOADS / 2).then_some(())
}

/// The registry is told from its own words, or the storm came first.
fn told(reason: Option<RefusalReason>) -> bool {
    matches!(reason, Some(RefusalReason::FaultNotRevision | RefusalReason::Storm))
}

/// One storm, and few incidents of workloads: those that failed before there was one.
async fn one_parent(place: &Place) {
    let incidents = place.incidents().await;
    let (storms, others): (Vec<_>, Vec<_>) = incidents.iter().partition(|i| i.spec.workload.kind == "Storm");
    let names = |all: &[&Incident]| all.iter().map(|i| i.name_any()).collect::<Vec<_>>();
    assert_eq!(storms.len(), 1, "one parent incident, but saw {:?}", names(&storms));
    assert!(others.len() <= BRAKE, "no incident for each workload, but saw {:?}", names(&others));
    assert_eq!(
        place.events("Held").await.iter().filter(|e| regards(e, "Incident")).count(),
        1,
        "the storm is told once"
    );
}

fn regards(event: &k8s_openapi::api::events::v1::Event, kind: &str) -> bool {
    event.regarding.as_ref().and_then(|r| r.kind.as_deref()) == Some(kind)
}
