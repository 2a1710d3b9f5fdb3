//! One test in a namespace of its own.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use backstay::api::{Incident, IncidentPolicy, WorkloadHealth, keys};
use futures::FutureExt;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::core::NamespaceResourceScope;
use kube::runtime::watcher;
use kube::{Api, Client, Config, Resource, ResourceExt};
use serde_json::{Value, json};

use super::app::{App, policy};
use super::audit::{Asked, Audit, Write};
use super::kubeconfig;
use super::wait::{self, Object, PATIENCE, show};

/// The operator's account, as the API server knows it.
pub const OPERATOR: &str = "system:serviceaccount:backstay-system:backstay";

/// A namespace in the cluster under test, deleted at the end.
#[derive(Clone)]
pub struct Case {
    pub client: Client,
    pub namespace: String,
    pub audit: Audit,
    pub began: Instant,
}

/// A revision that the operator has recorded as healthy.
#[derive(Clone, Debug)]
pub struct Baseline {
    pub set: ReplicaSet,
    pub deployment: Deployment,
    pub hash: String,
}

impl Baseline {
    pub fn name(&self) -> String {
        self.set.name_any()
    }

    pub fn replicas(&self) -> i32 {
        self.deployment.spec.replicas.unwrap_or(1)
    }
}

/// Runs a test in a namespace called after it. When it fails, what the namespace holds is printed.
pub async fn run<F>(name: &str, test: impl FnOnce(Case) -> F)
where
    F: Future<Output = ()>,
{
    let case = Case::new(name).await;
    let outcome = AssertUnwindSafe(test(case.clone())).catch_unwind().await;
    let took = case.began.elapsed().as_secs_f64();
    match &outcome {
        Ok(()) => eprintln!("e2e: {name}: passed after {took:.1} s"),
        Err(_) => {
            eprintln!("e2e: {name}: FAILED after {took:.1} s; in namespace {}:", case.namespace);
            case.print().await;
        }
    }
    if std::env::var_os("KEEP").is_none() || outcome.is_ok() {
        let namespaces: Api<Namespace> = Api::all(case.client.clone());
        let _ = namespaces.delete(&case.namespace, &DeleteParams::background()).await;
    }
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

/// The same for a test of what a registry answers.
pub async fn run_with_registry<F>(name: &str, test: impl FnOnce(Case) -> F)
where
    F: Future<Output = ()>,
{
    run_with("the registry", name, test).await;
}

/// The same for a test that needs something which only the clusters of `tests/cluster` have; in another cluster the test
/// is left out, and that is said.
pub async fn run_with<F>(what: &str, name: &str, test: impl FnOnce(Case) -> F)
where
    F: Future<Output = ()>,
{
    if std::env::var_os("BACKSTAY_TEST_KUBECONFIG").is_some() {
        eprintln!("e2e: {name}: left out: it needs {what} of tests/cluster, which this cluster has not");
        return;
    }
    run(name, test).await;
}

impl Case {
    async fn new(name: &str) -> Self {
        let client = client().await;
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = format!("{name}-{}", unique());
        let object = serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
        namespaces.create(&PostParams::default(), &object).await.expect("creating the test's namespace");
        Self { client, namespace, audit: Audit::from_env(), began: Instant::now() }
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies any object to the namespace as a person does: server-side, with every field in the manifest owned.
    pub async fn apply(&self, object: Value) -> DynamicObject {
        self.apply_as("kubectl", object).await.unwrap_or_else(|e| panic!("applying to {}: {e}", self.namespace))
    }

    /// The same as another field manager, by force.
    pub async fn apply_as(&self, manager: &str, object: Value) -> Result<DynamicObject, kube::Error> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let api_version = text("/apiVersion");
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &text("/kind")));
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &kind);
        let params = PatchParams::apply(manager).force();
        api.patch(&text("/metadata/name"), &params, &Patch::Apply(&object)).await
    }

    /// Applies the policy and waits until it is in force.
    pub async fn govern(&self, terms: Value) {
        self.apply(policy(terms)).await;
        self.until::<IncidentPolicy, _>("web", "the policy to be Ready", |p| {
            let conditions = &p.status.as_ref()?.conditions;
            backstay::api::condition::is_true(conditions, "Ready").then_some(())
        })
        .await;
    }

    /// Ships a version of the application and gives the Deployment as it was accepted.
    pub async fn ship(&self, app: &App) -> Deployment {
        let object = self.apply(app.0.clone()).await;
        serde_json::from_value(serde_json::to_value(object).unwrap()).expect("a Deployment")
    }

    /// Ships a version that works and waits until the operator has recorded it as healthy.
    pub async fn settle(&self, app: &App) -> Baseline {
        let shipped = self.ship(app).await;
        let name = shipped.name_any();
        let deployment = self.until(&name, "a completed rollout", |d| complete(d, &shipped).then(|| d.clone())).await;
        let set = self.newest(&deployment).await;
        let uid = set.uid().unwrap();
        self.until::<WorkloadHealth, _>(&name, "the revision to be recorded as healthy", |h| {
            let status = h.status.as_ref()?;
            let proven = status.ledger.iter().any(|e| *e.uid == *uid && e.healthy_since.is_some());
            proven.then_some(())
        })
        .await;
        let hash = set.labels().get("pod-template-hash").cloned().unwrap_or_default();
        Baseline { set, deployment, hash }
    }

    /// The policy with its defaults for tests, and a healthy first version.
    pub async fn healthy(&self, terms: Value, app: &App) -> Baseline {
        self.govern(terms).await;
        self.settle(app).await
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

    /// Watches the incidents of the workload `web` until the condition gives an answer for one.
    pub async fn incident<T>(&self, what: &str, condition: impl FnMut(&Incident) -> Option<T>) -> T {
        self.incident_within(what, PATIENCE, condition).await
    }

    pub async fn incident_within<T>(
        &self,
        what: &str,
        patience: Duration,
        condition: impl FnMut(&Incident) -> Option<T>,
    ) -> T {
        let config = watcher::Config::default().labels(&format!("{}=web", keys::WORKLOAD));
        let what = format!("{what} (incidents in {})", self.namespace);
        wait::first(&self.api::<Incident>(), config, &what, patience, condition).await
    }

    /// Panics as soon as one sight of the object breaks the rule within `time`.
    pub async fn holds<K>(&self, name: &str, what: &str, time: Duration, rule: impl FnMut(&K) -> Result<(), String>)
    where
        K: Object + Resource<Scope = NamespaceResourceScope>,
    {
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let what = format!("{what} ({} {}/{name})", K::kind(&()), self.namespace);
        wait::holds(&self.api::<K>(), config, &what, time, rule).await;
    }

    pub async fn deployment(&self) -> Deployment {
        self.api().get("web").await.expect("reading the Deployment web")
    }

    /// The ReplicaSet that a Deployment's revision annotation names.
    pub async fn newest(&self, deployment: &Deployment) -> ReplicaSet {
        const REVISION: &str = "deployment.kubernetes.io/revision";
        let revision = deployment.annotations().get(REVISION).cloned().unwrap_or_default();
        let sets = self.api::<ReplicaSet>().list(&ListParams::default()).await.expect("listing ReplicaSets");
        let name = deployment.name_any();
        let owned = |s: &ReplicaSet| s.owner_references().iter().any(|o| o.name == name);
        let found = sets.items.into_iter().find(|s| owned(s) && s.annotations().get(REVISION) == Some(&revision));
        found.unwrap_or_else(|| panic!("no ReplicaSet of {name} has revision {revision}"))
    }

    /// Names of the revision's pods that are not on their way out.
    pub async fn pods_of(&self, revision: &Baseline) -> BTreeSet<String> {
        let params = ListParams::default().labels(&format!("pod-template-hash={}", revision.hash));
        let pods = self.api::<Pod>().list(&params).await.expect("listing pods");
        pods.iter().filter(|p| p.metadata.deletion_timestamp.is_none()).map(ResourceExt::name_any).collect()
    }

    /// Waits for the ReplicaSet that holds a template with this image or variable, and gives it.
    pub async fn revision_with(&self, mark: &str) -> ReplicaSet {
        let config = watcher::Config::default().labels("app=web");
        let what = format!("a ReplicaSet with {mark} in its template (in {})", self.namespace);
        wait::first(&self.api::<ReplicaSet>(), config, &what, PATIENCE, |s: &ReplicaSet| {
            let template = serde_json::to_string(&s.spec.template).ok()?;
            template.contains(mark).then(|| s.clone())
        })
        .await
    }

    /// All requests that may have changed something in the namespace so far, oldest first. Empty without an audit
    /// log; ask `audit.is_there()` before concluding anything from that.
    pub async fn writes(&self) -> Vec<Write> {
        if !self.audit.is_there() {
            return Vec::new();
        }
        self.audit.writes(&self.namespace, &self.fence().await).await
    }

    /// Everything that the operator asked for so far, in the whole cluster. Empty without an audit log.
    pub async fn operator_asked(&self) -> Vec<Asked> {
        if !self.audit.is_there() {
            return Vec::new();
        }
        self.audit.asked(OPERATOR, &self.fence().await).await
    }

    /// A request that can be found in the audit log.
    async fn fence(&self) -> String {
        let fence = format!("fence-{}", unique());
        let object = serde_json::from_value(json!({"metadata": {"name": fence}})).unwrap();
        self.api::<ConfigMap>().create(&PostParams::default(), &object).await.expect("creating a fence");
        fence
    }

    /// The same, the operator's only.
    pub async fn operator_writes(&self) -> Vec<Write> {
        let mut writes = self.writes().await;
        writes.retain(|w| w.user == OPERATOR);
        writes
    }

    /// Runs kubectl in the namespace; gives whether it succeeded, and all it printed.
    pub async fn kubectl(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = tokio::process::Command::new("kubectl");
        command.args(["-n", &self.namespace]).args(arguments).kill_on_drop(true);
        let output = command.output().await.expect("kubectl is in PATH");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// What `backstay policy explain` tells a person about the workload `web`.
    pub async fn explained(&self) -> String {
        self.told(&["policy", "explain", "deployment/web"]).await
    }

    /// What `backstay incident show` tells a person about an incident.
    pub async fn shown(&self, incident: &Incident) -> String {
        self.told(&["incident", "show", &incident.name_any()]).await
    }

    /// What `backstay diagnose` finds out by itself about the workload `web`, as its contract has it.
    pub async fn diagnosed(&self) -> Value {
        let told = self.told(&["diagnose", "deployment/web", "-o", "json"]).await;
        let diagnosis: Value = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"));
        diagnosis["workloads"][0].clone()
    }

    /// What the program prints when a person calls it.
    async fn told(&self, arguments: &[&str]) -> String {
        let program = std::env::var_os("BACKSTAY_TEST_PROGRAM").expect("tests/e2e/run names the program");
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).args(["-n", &self.namespace]).kill_on_drop(true);
        let output = command.output().await.expect("the program runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    async fn print(&self) {
        fn all<K: serde::Serialize + Clone>(kind: &str, list: Result<kube::core::ObjectList<K>, kube::Error>) {
            match list {
                Ok(list) => list.items.iter().for_each(|object| eprintln!("--- {kind} {}", show(object))),
                Err(error) => eprintln!("--- {kind}: {error}"),
            }
        }
        let params = ListParams::default();
        all("Incident", self.api::<Incident>().list(&params).await);
        all("WorkloadHealth", self.api::<WorkloadHealth>().list(&params).await);
        let (_, text) = self.kubectl(&["get", "deployments,replicasets,pods", "-o", "wide"]).await;
        eprintln!("--- {text}");
        let (_, text) = self.kubectl(&["get", "deployment", "web", "-o", "yaml"]).await;
        eprintln!("--- {text}");
        let pods = self.api::<Pod>().list(&params).await.map(|l| l.items).unwrap_or_default();
        for pod in pods {
            let statuses = pod.status.and_then(|s| s.container_statuses).unwrap_or_default();
            eprintln!("--- pod {}: {}", pod.metadata.name.unwrap_or_default(), show(&statuses));
        }
        let (_, text) = self.kubectl(&["get", "events", "--sort-by=.metadata.creationTimestamp"]).await;
        eprintln!("--- {text}");
        if self.audit.is_there() {
            eprintln!("--- writes of the operator:{}", super::audit::lines(&self.operator_writes().await));
        }
    }
}

/// The rollout that was shipped is complete, in the words of `kubectl rollout status`.
pub fn complete(now: &Deployment, shipped: &Deployment) -> bool {
    let wanted = now.spec.replicas.unwrap_or(1);
    let Some(status) = &now.status else { return false };
    status.observed_generation >= shipped.metadata.generation
        && status.updated_replicas == Some(wanted)
        && status.replicas == Some(wanted)
        && status.available_replicas == Some(wanted)
}

/// A client for the cluster under test: one of the test clusters, or the one that `BACKSTAY_TEST_KUBECONFIG` names. A
/// context that is not plainly a test cluster is refused, since tests break workloads.
pub async fn client() -> Client {
    Client::try_from(config().await).expect("a client")
}

/// The same in somebody else's name, with that one's rights.
pub async fn client_as(user: &str) -> Client {
    let mut config = config().await;
    config.auth_info.impersonate = Some(user.to_owned());
    Client::try_from(config).expect("a client")
}

async fn config() -> Config {
    let path = std::env::var_os("BACKSTAY_TEST_KUBECONFIG").or_else(|| std::env::var_os("KUBECONFIG"));
    let path = path.expect("KUBECONFIG is set; tests/e2e/run sets it");
    kubeconfig::of_test_cluster(Path::new(&path)).await.unwrap_or_else(|error| panic!("{error:#}"))
}

/// Different in every run and every call.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let seconds = jiff::Timestamp::now().as_second() % 1_000_000;
    format!("{seconds}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
