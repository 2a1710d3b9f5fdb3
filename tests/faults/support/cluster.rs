//! The simulated cluster under test, and what can be done to it.

use std::path::Path;

use kube::{Client, Config};
use tokio::process::Command;

use super::kubeconfig;

/// A client as a person's `kubectl` has it, which never repeats a request by itself.
pub async fn client() -> Client {
    Client::try_from(config().await).expect("a client of the cluster")
}

pub async fn config() -> Config {
    let path = std::env::var_os("KUBECONFIG").expect("KUBECONFIG, which tests/faults/run sets");
    let mut config = kubeconfig::of_test_cluster(Path::new(&path)).await.unwrap_or_else(|error| panic!("{error:#}"));
    config.default_retry = false;
    config
}

/// Runs a command of `tests/cluster/cluster`.
pub async fn command(arguments: &[&str]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/cluster");
    let name = std::env::var("BACKSTAY_CLUSTER_NAME").expect("BACKSTAY_CLUSTER_NAME, which tests/faults/run sets");
    let (verb, rest) = arguments.split_first().unwrap();
    let done = Command::new(script).arg(verb).args(["--name", &name]).args(rest).output().await.unwrap();
    assert!(done.status.success(), "cluster {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}
