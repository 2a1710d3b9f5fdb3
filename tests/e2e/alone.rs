//! What would disturb other tests on the same node: `tests/e2e/run` comes here after them, one at a time.

use std::process::Command;

use backstay::engine::words::{Cause, Class, RefusalReason};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams};
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::refuses_environment::hash;
use crate::support::helm::NAMESPACE;
use crate::support::wait::PATIENCE;
use crate::support::{App, Case, Story, case, wait};

/// Every node cordoned, for as long as this lives.
struct Cordoned;

impl Cordoned {
    fn all() -> Self {
        let nodes = ["cordon", "-l", "kubernetes.io/os=linux"];
        assert!(Command::new("kubectl").args(nodes).status().expect("kubectl runs").success());
        Self
    }
}

impl Drop for Cordoned {
    fn drop(&mut self) {
        let _ = Command::new("kubectl").args(["uncordon", "-l", "kubernetes.io/os=linux"]).status();
    }
}

#[tokio::test]
#[ignore = "tests/e2e/run comes here after the other tests"]
async fn t19_a_cordoned_node_is_not_the_fault_of_a_revision_that_asks_for_no_more() {
    case::run("cordoned", async |t| {
        let quickly =
            json!({"rules": [{"name": "quickly", "match": {"failures": ["Pending"]}, "threshold": {"forSeconds": 3}}]});
        t.healthy(quickly, &App::new()).await;
        let cordoned = Cordoned::all();
        let shipped = t.ship(&App::new().env("VERSION", 2)).await;
        let set = t.revision_with("VERSION").await;
        let incident = t.refused(&hash(&set), RefusalReason::FaultNotRevision).await;
        let lead = &incident.spec.opened.findings[0];
        assert_eq!(lead.cause, Cause::NodesCordoned, "{lead:?}");
        drop(cordoned);
        t.until::<Deployment, _>("web", "the rollout to complete by itself", |d| {
            case::complete(d, &shipped).then_some(())
        })
        .await;
        t.untouched().await;
    })
    .await;
}

#[tokio::test]
#[ignore = "tests/e2e/run comes here after the other tests"]
async fn t29_the_leader_is_killed_with_the_incident_open_and_the_other_finishes() {
    case::run("leader-killed", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        let leader = leader(&t, |_| true).await;
        t.ship(&App::new().env("APP_EXIT_AT_START", 3)).await;
        t.incident("an incident", |_| Some(())).await;
        let pods: Api<Pod> = Api::namespaced(t.client.clone(), NAMESPACE);
        pods.delete(&leader, &DeleteParams::default().grace_period(0)).await.expect("killing the leader");
        let causes = &[Cause::ApplicationError, Cause::Unknown];
        let incident = t.rolled_back(&baseline, Story { class: Class::CrashLoopBackOff, causes }).await;
        assert_eq!(t.incidents().await.len(), 1, "there is one incident");
        for reason in ["RolledBack", "Recovered"] {
            let events = t.api::<Event>().list(&ListParams::default()).await.expect("listing Events").items;
            let told: Vec<_> = events.iter().filter(|e| e.reason.as_deref() == Some(reason)).collect();
            assert_eq!(told.len(), 1, "one Event {reason} about {}, but saw {told:?}", incident.name_any());
            assert!(told[0].series.is_none(), "told once: {told:?}");
        }
        assert_ne!(self::leader(&t, |holder| holder != leader).await, leader, "the other leads");
        both_replicas_are_back(&t).await;
    })
    .await;
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
