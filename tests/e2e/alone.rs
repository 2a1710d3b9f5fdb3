//! What would disturb other tests on the same node: `tests/e2e/run` comes here after them, one at a time.

use std::process::Command;

use backstay::engine::words::{Cause, RefusalReason};
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::json;

use crate::refuses_environment::hash;
use crate::support::{App, case};

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
