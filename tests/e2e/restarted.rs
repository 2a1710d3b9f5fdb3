//! The API server goes away in the middle of an incident, on a cluster where nothing else runs: one that has just begun
//! also refuses what it would grant a moment later.

use std::path::Path;

use backstay::engine::words::ActionKind;
use serde_json::json;
use tokio::process::Command;

use crate::support::expect::recovered;
use crate::support::{App, case};

#[tokio::test]
#[ignore = "tests/e2e/run does this on a cluster where nothing else runs"]
async fn t30_the_api_server_is_killed_with_the_incident_open() {
    let Ok(cluster) = std::env::var("BACKSTAY_CLUSTER_NAME") else {
        eprintln!("e2e: not a cluster of tests/cluster, so its API server is left alone");
        return;
    };
    case::run("apiserver-killed", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        t.ship(&App::new().env("APP_EXIT_AT_START", 3)).await;
        t.incident("an incident", |_| Some(())).await;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/cluster");
        let mut restart = Command::new(script);
        restart.args(["restart-apiserver", "--name", &cluster, "--signal", "KILL"]);
        let done = restart.output().await.expect("tests/cluster/cluster runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let incident = t.incident("an incident that recovered", recovered).await;
        t.is_back(&baseline).await;
        // Events are told where there is somebody to tell; the record and the workload are what counts.
        let kinds: Vec<ActionKind> = incident.status.as_ref().unwrap().actions.iter().map(|a| a.kind).collect();
        assert_eq!(kinds, [ActionKind::RollBack], "the incident tells of the action: {incident:?}");
        let generation = t.deployment().await.metadata.generation;
        assert_eq!(generation, Some(3), "created, shipped, and rolled back once");
        assert_eq!(t.incidents().await.len(), 1, "there is one incident");
    })
    .await;
}
