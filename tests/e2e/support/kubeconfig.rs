//! Which cluster may be touched. Tests and benches break workloads and delete definitions with everything in them, so one
//! that is not plainly meant for that is refused before the first request.

use std::path::Path;

use anyhow::{Context, ensure};
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

/// The configuration for the current context of a kubeconfig.
///
/// # Errors
/// A context that is not called as `tests/cluster` and kind call theirs.
pub async fn of_test_cluster(path: &Path) -> anyhow::Result<Config> {
    let kubeconfig = Kubeconfig::read_from(path).with_context(|| format!("reading {}", path.display()))?;
    let context = kubeconfig.current_context.clone().unwrap_or_default();
    let plainly = context.starts_with("kind-") || context.starts_with("backstay-test-");
    ensure!(plainly, "context {context:?} is not plainly a test cluster (kind-… or backstay-test-…)");
    let options = KubeConfigOptions { context: Some(context), ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(kubeconfig, &options).await.context("the kubeconfig is not complete")
}
