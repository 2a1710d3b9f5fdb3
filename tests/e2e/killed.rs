//! The operator is killed in the middle of an incident, by the SIGKILL that no process can answer, on a
//! cluster where nothing else runs, one at a time: the operator is everybody's.

use backstay::engine::words::{Cause, Class};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams};
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::support::audit::lines;
use crate::support::case::{Baseline, OPERATOR};
use crate::support::expect::{only_own, recovered};
use crate::support::helm::NAMESPACE;
use crate::support::wait::PATIENCE;
use crate::support::{App, Case, Story, Write, case, process, wait};

/// The writes of an incident in their order, as the audit log calls them: the verb, the resource, and which of its kind it
/// is. What Backstay remembers of the workload is written before, and after the last Event nothing is.
const WRITES: [(&str, &str, usize); 5] = [
    ("create", "incidents", 1),
    ("patch", "deployments", 1),
    ("patch", "incidents/status", 1),
    ("create", "events", 1),
    ("patch", "incidents/status", 2),
];

/// The kill comes as soon as the write is seen in the audit log. How far the process got until then is a race with it;
/// whatever its end, there is one roll-back. `tests/faults` has each moment between two writes, with a proxy.
#[tokio::test]
#[ignore = "tests/e2e/run does this on a cluster where nothing else runs"]
async fn t28_the_operator_is_killed_after_each_write_of_an_incident_in_turn_and_rolls_back_once() {
    if !process::are_ours("t28") {
        return;
    }
    for (number, (verb, resource, nth)) in WRITES.into_iter().enumerate() {
        case::run_with_registry(&format!("killed-{number}"), async |t| {
            let baseline = t.healthy(json!({}), &App::new()).await;
            let leader = leader(&t, |_| true).await;
            let shipped = jiff::Timestamp::now();
            t.ship(&App::new().image("localhost:5000/testapp:no-such-tag")).await;
            let mut count = 0;
            let wanted = |w: &Write| {
                let ours = w.user == OPERATOR && w.accepted() && w.received > shipped;
                count += usize::from(ours && w.verb == verb && w.resource == resource);
                count == nth
            };
            let seen = t.audit.first(&t.namespace, wanted).await;
            process::kill(&t.client, &leader).await;
            eprintln!("e2e: killed {leader} after {}", seen.line());
            t.incident("an incident that recovered", recovered).await;
            t.is_back(&baseline).await;
            acted_once(&t).await;
            both_replicas_are_back(&t).await;
        })
        .await;
    }
}

/// One incident, and one change of the Deployment by the operator, whoever of its replicas made it.
async fn acted_once(t: &Case) {
    let ours = t.operator_writes().await;
    let patches: Vec<&Write> = ours.iter().filter(|w| w.resource == "deployments" && w.accepted()).collect();
    assert_eq!(patches.len(), 1, "one roll-back, but saw:{}", lines(&ours));
    only_own(&ours, &["deployments"]);
    let generation = t.deployment().await.metadata.generation;
    assert_eq!(generation, Some(3), "created, shipped, and rolled back once");
    let incidents = t.incidents().await;
    assert_eq!(incidents.len(), 1, "there is one incident: {incidents:?}");
    let actions = &incidents[0].status.as_ref().expect("a status").actions;
    assert_eq!(actions.len(), 1, "it tells of one action: {actions:?}");
}

#[tokio::test]
#[ignore = "tests/e2e/run does this on a cluster where nothing else runs"]
async fn t29_the_leader_is_killed_with_the_incident_open_and_the_other_finishes() {
    if !process::are_ours("t29") {
        return;
    }
    case::run("leader-killed", async |t| {
        let (baseline, leader) = incident_open(&t).await;
        process::kill(&t.client, &leader).await;
        // Else its container starts again, and leads again under the pod's name before the lease runs out.
        take_away(&t, &leader).await;
        the_other_finishes(&t, &baseline, &leader).await;
    })
    .await;
}

/// The gentle way: the kubelet lets it give the lease back.
#[tokio::test]
#[ignore = "tests/e2e/run does this on a cluster where nothing else runs"]
async fn t29_the_leaders_pod_is_deleted_with_the_incident_open_and_the_other_finishes() {
    case::run("leader-deleted", async |t| {
        let (baseline, leader) = incident_open(&t).await;
        take_away(&t, &leader).await;
        the_other_finishes(&t, &baseline, &leader).await;
    })
    .await;
}

/// A workload whose incident is open, and who leads.
async fn incident_open(t: &Case) -> (Baseline, String) {
    let baseline = t.healthy(json!({}), &App::new()).await;
    let leader = leader(t, |_| true).await;
    t.ship(&App::new().env("APP_EXIT_AT_START", 3)).await;
    t.incident("an incident", |_| Some(())).await;
    (baseline, leader)
}

async fn take_away(t: &Case, pod: &str) {
    let pods: Api<Pod> = Api::namespaced(t.client.clone(), NAMESPACE);
    pods.delete(pod, &DeleteParams::default().grace_period(0)).await.expect("deleting the leader's pod");
}

async fn the_other_finishes(t: &Case, baseline: &Baseline, killed: &str) {
    let causes = &[Cause::ApplicationError, Cause::Unknown];
    let incident = t.brought_back(baseline, Story { class: Class::CrashLoopBackOff, causes }).await;
    assert_eq!(t.incidents().await.len(), 1, "there is one incident");
    // Perhaps the killed one told of the roll-back, and perhaps nobody did.
    for (reason, least) in [("RolledBack", 0), ("Recovered", 1)] {
        let events = t.api::<Event>().list(&ListParams::default()).await.expect("listing Events").items;
        let told: Vec<_> = events.iter().filter(|e| e.reason.as_deref() == Some(reason)).collect();
        let once = (least..=1).contains(&told.len()) && told.iter().all(|e| e.series.is_none());
        assert!(once, "one Event {reason} about {}, but saw {told:?}", incident.name_any());
    }
    assert_ne!(leader(t, |holder| holder != killed).await, killed, "the other leads");
    both_replicas_are_back(t).await;
}

/// The pod that holds the operator's lease, once it is one that `fits`.
async fn leader(t: &Case, fits: impl Fn(&str) -> bool) -> String {
    let leases: Api<Lease> = Api::namespaced(t.client.clone(), NAMESPACE);
    let config = watcher::Config::default().fields("metadata.name=backstay");
    wait::first(&leases, config, "a leader", PATIENCE, |lease: &Lease| {
        let holder = lease.spec.as_ref()?.holder_identity.clone()?;
        (!holder.is_empty() && fits(&holder)).then_some(holder)
    })
    .await
}

/// What comes after this test finds the operator as it was.
async fn both_replicas_are_back(t: &Case) {
    let deployments: Api<Deployment> = Api::namespaced(t.client.clone(), NAMESPACE);
    let config = watcher::Config::default().fields("metadata.name=backstay");
    wait::first(&deployments, config, "both replicas of the operator", PATIENCE, |d: &Deployment| {
        case::complete(d, d).then_some(())
    })
    .await;
}
