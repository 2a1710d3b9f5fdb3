//! The floor: the least that any program can do between a pod's status and a changed Deployment, in this cluster and
//! at this moment. A bare client watches pods; when the probe's status changes it reads one Deployment and patches it.

use anyhow::Context;
use futures::TryStreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::cluster;

pub const AGENT: &str = "bench-floor";
pub const NAMESPACE: &str = "bench-floor";
/// The pod whose status is the signal.
pub const PROBE: &str = "probe";
/// The Deployment that is patched.
pub const WORKLOAD: &str = "target";

/// Runs until it is killed.
pub async fn run() -> anyhow::Result<()> {
    let client = cluster::client(AGENT).await?;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    let mut events = std::pin::pin!(watcher::watcher(Api::<Pod>::all(client), Default::default()).default_backoff());
    let mut last = None;
    while let Some(event) = events.try_next().await.context("watching pods")? {
        let Event::Apply(pod) = event else { continue };
        if pod.namespace().as_deref() != Some(NAMESPACE) || pod.name_any() != PROBE {
            continue;
        }
        let signal = message(&pod);
        if signal.is_some() && signal != last {
            change(&deployments).await?;
        }
        last = signal;
    }
    Ok(())
}

fn message(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    status.state.as_ref()?.waiting.as_ref()?.message.clone()
}

async fn change(deployments: &Api<Deployment>) -> anyhow::Result<()> {
    let deployment = deployments.get(WORKLOAD).await.context("reading the Deployment")?;
    let container = deployment.spec.template.spec.as_ref().and_then(|spec| spec.containers.first());
    let other = if container.and_then(|container| container.image.as_deref()) == Some(cluster::GOOD) {
        cluster::BETTER
    } else {
        cluster::GOOD
    };
    let patch = json!([
        {"op": "test", "path": "/metadata/uid", "value": deployment.metadata.uid},
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": other},
    ]);
    let patch: json_patch::Patch = serde_json::from_value(patch)?;
    let patch = Patch::Json::<()>(patch);
    deployments.patch(WORKLOAD, &PatchParams::default(), &patch).await.context("patching the Deployment")?;
    Ok(())
}
