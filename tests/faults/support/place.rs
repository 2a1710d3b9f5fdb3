//! A namespace of a test's own, with simulated workloads.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use backstay::api::{Incident, WorkloadHealth, keys};
use futures::FutureExt;
use futures::stream::{self, StreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::api::events::v1::Event;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::core::NamespaceResourceScope;
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::{Value, json};

use super::audit::{Audit, Write, lines};
use super::cluster;
use super::wait::{self, Object, PATIENCE, show};

/// Says what a pod plays; `tests/cluster/README.md` lists the words.
const BEHAVIOUR: &str = "sim.backstay.dev/behaviour";

/// A namespace in the simulated cluster, deleted at the end.
#[derive(Clone)]
pub struct Place {
    pub client: Client,
    pub namespace: String,
    pub audit: Audit,
}

/// Runs a test in a namespace called after it. When it fails, what the namespace holds is printed.
pub async fn run<F>(name: &str, test: impl FnOnce(Place) -> F)
where
    F: Future<Output = ()>,
{
    let began = Instant::now();
    let place = Place::new(name).await;
    let outcome = AssertUnwindSafe(test(place.clone())).catch_unwind().await;
    let took = began.elapsed().as_secs_f64();
    match &outcome {
        Ok(()) => eprintln!("faults: {name}: passed after {took:.1} s"),
        Err(_) => {
            eprintln!("faults: {name}: FAILED after {took:.1} s; in namespace {}:", place.namespace);
            place.print().await;
        }
    }
    let namespaces: Api<Namespace> = Api::all(place.client.clone());
    let _ = namespaces.delete(&place.namespace, &DeleteParams::background()).await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl Place {
    pub async fn new(name: &str) -> Self {
        let client = cluster::client().await;
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = format!("{name}-{}", unique());
        let object = serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
        namespaces.create(&PostParams::default(), &object).await.expect("creating the test's namespace");
        Self { client, namespace, audit: Audit::from_env() }
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// An API of own kinds that takes what the types would refuse.
    pub fn raw(&self, kind: &str) -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("backstay.dev", "v1alpha1", kind));
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind)
    }

    /// Creates an IncidentPolicy for `app: NAME`, with times that a test can wait for.
    pub async fn govern(&self) {
        self.govern_by(json!([])).await;
    }

    /// The same with rules of its own.
    pub async fn govern_by(&self, rules: Value) {
        self.govern_as("all", 0, rules).await;
    }

    /// The same under another name; the higher priority governs.
    pub async fn govern_as(&self, name: &str, priority: i32, rules: Value) {
        let policy = json!({
            "apiVersion": "backstay.dev/v1alpha1", "kind": "IncidentPolicy", "metadata": {"name": name},
            "spec": {
                "selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
                "priority": priority,
                "rollout": {"stableSeconds": 2},
                "guards": {"cooldownSeconds": 0},
                "rules": rules,
            },
        });
        let policy = serde_json::from_value(policy).unwrap();
        self.raw("IncidentPolicy").create(&PostParams::default(), &policy).await.expect("creating the policy");
    }

    /// Ships a Deployment whose pods play `behaviour`.
    pub async fn ship(&self, name: &str, behaviour: &str) -> Deployment {
        self.ship_object(&deployment(name, behaviour)).await
    }

    /// Ships a Deployment whole, as `kubectl apply` does.
    pub async fn ship_object(&self, deployment: &Value) -> Deployment {
        let name = text(deployment, "/metadata/name");
        let params = PatchParams::apply("kubectl").force();
        self.api().patch(name, &params, &Patch::Apply(deployment)).await.expect("shipping a Deployment")
    }

    /// Ships many at once.
    pub async fn ship_all(&self, names: &[String], behaviour: &str) {
        stream::iter(names).for_each_concurrent(16, async |name| drop(self.ship(name, behaviour).await)).await;
    }

    /// A policy and the workload `web`, with a first revision that the operator has recorded as healthy. An operator
    /// must be running.
    pub async fn healthy(&self) {
        self.govern().await;
        self.settle("web").await;
    }

    pub async fn settle(&self, name: &str) {
        self.ship(name, "ok").await;
        self.is_proven(name).await;
    }

    pub async fn is_proven(&self, name: &str) {
        self.until::<WorkloadHealth, _>(name, "a revision recorded as healthy", |h| {
            h.status.as_ref()?.ledger.iter().any(|e| e.healthy_since.is_some()).then_some(())
        })
        .await;
    }

    /// Watches one object until the condition gives an answer.
    pub async fn until<K, T>(&self, name: &str, what: &str, condition: impl FnMut(&K) -> Option<T>) -> T
    where
        K: Object + Resource<Scope = NamespaceResourceScope>,
    {
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let what = format!("{what} ({} {}/{name})", K::kind(&()), self.namespace);
        wait::first(&self.api::<K>(), config, &what, PATIENCE, condition).await
    }

    /// The same for an object of our own that its type would refuse.
    pub async fn wait_raw<T>(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        mut condition: impl FnMut(&Value) -> Option<T>,
    ) -> T {
        let mut changes = watcher::watch_object(self.raw(kind), name).boxed();
        let search = async {
            while let Some(object) = changes.next().await {
                let Ok(Some(object)) = object else { continue };
                if let Some(answer) = condition(&serde_json::to_value(object).unwrap()) {
                    return answer;
                }
            }
            panic!("the watch of {name} ended")
        };
        let found = tokio::time::timeout(PATIENCE, search).await;
        found.unwrap_or_else(|_| panic!("gave up waiting for {what} ({kind} {}/{name})", self.namespace))
    }

    /// Watches the incidents of a workload until the condition gives an answer for one.
    pub async fn incident<T>(&self, name: &str, what: &str, condition: impl FnMut(&Incident) -> Option<T>) -> T {
        let config = watcher::Config::default().labels(&format!("{}={name}", keys::WORKLOAD));
        let what = format!("{what} (incidents in {})", self.namespace);
        wait::first(&self.api::<Incident>(), config, &what, PATIENCE, condition).await
    }

    pub async fn incidents(&self) -> Vec<Incident> {
        self.api().list(&ListParams::default()).await.expect("listing incidents").items
    }

    /// The Events with this reason.
    pub async fn events(&self, reason: &str) -> Vec<Event> {
        let mut events: Vec<Event> = self.api().list(&ListParams::default()).await.expect("listing Events").items;
        events.retain(|e| e.reason.as_deref() == Some(reason));
        events
    }

    /// The operator's writes to this namespace, oldest first.
    pub async fn operator_writes(&self) -> Vec<Write> {
        let fence = format!("fence-{}", unique());
        let object = serde_json::from_value(json!({"metadata": {"name": fence}})).unwrap();
        self.api::<ConfigMap>().create(&PostParams::default(), &object).await.expect("creating the fence");
        let mut writes = self.audit.writes(&self.namespace, &fence).await;
        writes.retain(|w| w.agent.starts_with("backstay/"));
        writes
    }

    /// The changes that the operator made to Deployments.
    pub async fn actions(&self) -> Vec<Write> {
        let mut writes = self.operator_writes().await;
        writes.retain(|w| w.resource == "deployments" && w.accepted());
        writes
    }

    /// Asserts that exactly one Deployment's template was changed, once.
    pub async fn acted_once(&self) {
        let actions = self.actions().await;
        assert_eq!(actions.len(), 1, "one change of the Deployment, but saw:{}", lines(&actions));
        let body = actions[0].body.to_string();
        assert!(body.contains("/spec/template"), "the change is of the template: {body}");
    }

    async fn print(&self) {
        let params = ListParams::default();
        for incident in self.incidents().await {
            eprintln!("--- {}", show(&incident));
        }
        for health in self.api::<WorkloadHealth>().list(&params).await.map(|l| l.items).unwrap_or_default() {
            eprintln!("--- {}: {}", health.name_any(), show(&health.status.map(|s| (s.state, s.why, s.refusal))));
        }
        eprintln!("--- the operator's writes:{}", lines(&self.operator_writes().await));
    }
}

/// A Deployment whose pods play `behaviour`.
pub fn deployment(name: &str, behaviour: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": {BEHAVIOUR: behaviour}},
                "spec": {"containers": [{"name": "web", "image": format!("localhost:5000/{name}:{behaviour}")}]},
            },
        },
    })
}

/// Different in every run and every call.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let seconds = jiff::Timestamp::now().as_second() % 1_000_000;
    format!("{seconds}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The value at a JSON pointer as text.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
