//! The objects of the bench, and how thousands of them are made.

use std::time::Duration;

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use http::HeaderValue;
use http::header::USER_AGENT;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::board::Board;
use crate::{fill, floor, kubeconfig};

pub const AGENT: &str = "bench-harness";
pub const GOOD: &str = "localhost:5000/testapp:v1";
pub const BETTER: &str = "localhost:5000/testapp:v2";
pub const MISSING: &str = "localhost:5000/testapp:no-such-tag";
/// Requests of the harness on their way at one time.
pub const PARALLEL: usize = 48;
const NAMESPACES: usize = 10;
/// The container in every pod.
pub const CONTAINER: &str = "app";
/// How long a revision of the bench is watched before it counts as healthy, and a recovery as lasting. Seconds.
pub const STABLE_SECONDS: i64 = 2;

/// A client whose requests are told apart in the audit log by its user agent.
pub async fn client(agent: &'static str) -> anyhow::Result<Client> {
    let mut config = kubeconfig::of_test_cluster(&crate::path("KUBECONFIG")?).await?;
    config.headers.retain(|(name, _)| name != USER_AGENT);
    config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
    Client::try_from(config).context("making a client")
}

/// The namespaces share the Deployments evenly.
pub fn namespace(n: usize) -> String {
    format!("bench-{}", n % NAMESPACES)
}

/// Namespaces, the policy, and what the floor works on.
pub async fn prepare(client: &Client) -> anyhow::Result<()> {
    let spaces = (0..NAMESPACES).map(|n| (namespace(n), "yes")).chain([(floor::NAMESPACE.to_owned(), "no")]);
    let all: Api<Namespace> = Api::all(client.clone());
    for (name, bench) in spaces {
        create(&all, &json!({"metadata": {"name": name, "labels": {"bench": bench}}})).await?;
    }
    let policy: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "backstay.dev/v1alpha1", "kind": "ClusterIncidentPolicy", "metadata": {"name": "bench"},
        "spec": {
            "namespaceSelector": {"matchLabels": {"bench": "yes"}},
            "selector": {"matchLabels": {"bench": "yes"}},
            "rollout": {"stableSeconds": STABLE_SECONDS},
        },
    }))?;
    let kind = kube::api::ApiResource::erase::<backstay::api::ClusterIncidentPolicy>(&());
    Api::all_with(client.clone(), &kind)
        .create(&PostParams::default(), &policy)
        .await
        .context("creating the policy")?;
    wait_for_account(client).await?;
    create(&Api::<Deployment>::namespaced(client.clone(), floor::NAMESPACE), &fill::deployment(floor::WORKLOAD, 0))
        .await?;
    let probe = json!({
        "metadata": {"name": floor::PROBE, "annotations": {"sim.backstay.dev/behaviour": "manual"}},
        "spec": {"nodeName": "sim-1", "containers": [{"name": CONTAINER, "image": GOOD}]},
    });
    create(&Api::<Pod>::namespaced(client.clone(), floor::NAMESPACE), &probe).await
}

/// Pods are refused until the controller manager has made the namespace's account.
async fn wait_for_account(client: &Client) -> anyhow::Result<()> {
    let accounts = Board::<ServiceAccount>::follow(Api::all(client.clone()), "");
    accounts
        .wait("the accounts of the namespaces", Duration::from_secs(60), |all| {
            let here = all.keys().filter(|key| key.starts_with("bench-")).count();
            (here > NAMESPACES).then_some(())
        })
        .await
}

pub async fn create<K>(api: &Api<K>, object: &Value) -> anyhow::Result<()>
where
    K: Resource + Clone + Serialize + DeserializeOwned + std::fmt::Debug,
{
    let object: K = serde_json::from_value(object.clone())?;
    match api.create(&PostParams::default(), &object).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => other.map(drop).with_context(|| format!("creating {:?}", object.meta().name)),
    }
}

/// Ships a revision whose one new pod no simulated kubelet touches: what becomes of it is the harness's to say.
pub async fn ship_bad(client: &Client, targets: &[(String, String)]) -> anyhow::Result<()> {
    let bad = json!({"spec": {"template": {
        "metadata": {"labels": {"bench-bad": "yes"}, "annotations": {"sim.backstay.dev/behaviour": "manual"}},
        "spec": {"containers": [{"name": CONTAINER, "image": MISSING}]},
    }}});
    let bad = &bad;
    stream::iter(targets)
        .map(|(space, name)| async move {
            let api: Api<Deployment> = Api::namespaced(client.clone(), space);
            let patch = Patch::Strategic(bad);
            api.patch(name, &PatchParams::default(), &patch).await.with_context(|| format!("shipping {name}"))
        })
        .buffer_unordered(PARALLEL)
        .try_for_each(|_| async { Ok(()) })
        .await
}

/// Writes into a pod's status that its image does not exist, as a kubelet with containerd says it.
pub async fn refuse_image(client: &Client, space: &str, pod: &str, note: &str) -> anyhow::Result<()> {
    let head = format!("failed to pull and unpack image \"{MISSING}\": failed to resolve image");
    let message = format!("rpc error: code = NotFound desc = {head}: {MISSING}: not found{note}");
    let state = json!({"waiting": {"reason": "ErrImagePull", "message": message}});
    container(client, space, pod, json!({"image": MISSING, "ready": false, "started": false, "state": state})).await
}

/// Says of a running pod that its container has started just now.
pub async fn restart_clock(client: &Client, space: &str, pod: &str) -> anyhow::Result<()> {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let state = json!({"running": {"startedAt": now}});
    container(client, space, pod, json!({"image": GOOD, "ready": true, "started": true, "state": state})).await
}

/// Replaces the status of a pod's one container, in one patch.
async fn container(client: &Client, space: &str, pod: &str, mut status: Value) -> anyhow::Result<()> {
    let api: Api<Pod> = Api::namespaced(client.clone(), space);
    if let Some(fields) = status.as_object_mut() {
        fields.extend(
            [("name", json!(CONTAINER)), ("imageID", json!("")), ("restartCount", json!(0))]
                .map(|(k, v)| (k.to_owned(), v)),
        );
    }
    let patch = Patch::Merge(json!({"status": {"containerStatuses": [status]}}));
    api.patch_status(pod, &PatchParams::default(), &patch).await.with_context(|| format!("status of pod {pod}"))?;
    Ok(())
}
