//! A controller before a scripted API server: one Deployment whose newest revision crashes, its baseline, its policy.
//! The watches are the test's: nothing is seen until it says so.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use kube::Resource;
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::server::{Call, Server, connect};
use crate::api::Incident;
use crate::cluster::apply::Error;
use crate::cluster::events::Events;
use crate::cluster::lease::{Lease, Settings, Standing, Timing};
use crate::cluster::own::Own;
use crate::cluster::policies::Policies;
use crate::cluster::readable::Readable;
use crate::cluster::shelf::Shelf;
use crate::cluster::slim::{SlimDeployment, SlimNode, SlimPod, SlimReplicaSet};
use crate::cluster::store::{Source, Stored, WorkloadKey};
use crate::cluster::wake::{self, Woken};
use crate::cluster::watches::Watches;
use crate::config::{AroundArgs, Mode};
use crate::controller::context::Context;
use crate::controller::fleet::{Fleet, Report};
use crate::controller::inquiry::Inquiries;
use crate::controller::listener::Listener;
use crate::controller::tally::Tally;
use crate::controller::tracker::Tracker;
use crate::controller::workload;
use crate::engine::storm::Limits;
use crate::metrics::Metrics;
use crate::telemetry::traces::Traces;

pub const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
pub const BASELINE: &str = "/apis/apps/v1/namespaces/shop/replicasets/web-59";
pub const FAILING: &str = "/apis/apps/v1/namespaces/shop/replicasets/web-6d";
pub const OWN: &str = "/apis/backstay.dev/v1alpha1/namespaces/shop";
pub const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/shop/events";

const OBJECTS: &str = include_str!("../../cli/policy/testdata/crashing.yaml");
/// The moment at which the objects above are as they are.
const THEN: &str = "2026-03-01T10:01:00Z";

pub struct Rig {
    pub server: Arc<Mutex<Server>>,
    pub ctx: Arc<Context>,
    pub woken: Woken,
    lease: JoinHandle<()>,
    _stop: oneshot::Sender<()>,
}

pub fn web() -> WorkloadKey {
    WorkloadKey::new("shop", "web")
}

/// The path of an object of the test's files.
/// A replica that may stand for election.
pub fn candidate(server: &Arc<Mutex<Server>>) -> (Lease, Standing) {
    let settings = Settings {
        namespace: "backstay".to_owned(),
        name: "backstay".to_owned(),
        identity: "backstay-0".to_owned(),
        timing: Timing::default(),
    };
    Lease::new(connect(server), settings)
}

fn path(object: &Value) -> String {
    let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
    let group = object["apiVersion"].as_str().filter(|version| *version != "v1");
    let group = group.map_or_else(|| "/api/v1".to_owned(), |group| format!("/apis/{group}"));
    let namespace = object["metadata"]["namespace"].as_str();
    let namespace = namespace.map_or_else(String::new, |namespace| format!("/namespaces/{namespace}"));
    let plural = kind.to_lowercase();
    let plural = plural.strip_suffix('y').map_or_else(|| format!("{plural}s"), |stem| format!("{stem}ies"));
    format!("{group}{namespace}/{plural}/{name}")
}

/// The same objects under another name.
pub fn second(server: &mut Server) {
    let text =
        OBJECTS.replace("web", "api").replace("uid: d-1", "uid: d-2").replace("workloadUid: d-1", "workloadUid: d-2");
    let text = text.replace("uid: r-1", "uid: r-11").replace("uid: r-2", "uid: r-12").replace("uid: p-", "uid: p-1");
    load(server, &text, &["Deployment", "ReplicaSet", "Pod", "WorkloadHealth", "IncidentPolicy"]);
}

/// Loads the objects of these kinds, or of all.
fn load(server: &mut Server, text: &str, kinds: &[&str]) {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let by = now.duration_since(THEN.parse().unwrap());
    for mut object in serde_saphyr::from_multiple::<Value>(text).unwrap() {
        if kinds.is_empty() || kinds.contains(&object["kind"].as_str().unwrap()) {
            shift(&mut object, by);
            server.put(&path(&object), object);
        }
    }
}

/// Moves every time in the files to where it would be if they had been written now.
fn shift(value: &mut Value, by: jiff::SignedDuration) {
    match value {
        Value::String(text) => {
            if let Ok(at) = text.parse::<Timestamp>() {
                *text = (at + by).to_string();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Value::Object(entries) => entries.values_mut().for_each(|value| shift(value, by)),
        _ => {}
    }
}

impl Rig {
    /// A leader that has seen everything.
    pub async fn new() -> Self {
        Self::with(|_| {}, Traces::default()).await
    }

    /// The same, with objects changed beforehand.
    pub async fn changed(change: impl FnOnce(&mut Server)) -> Self {
        Self::with(change, Traces::default()).await
    }

    /// The same, and logs are read.
    pub async fn listening(change: impl FnOnce(&mut Server)) -> Self {
        let mut rig = Self::changed(change).await;
        let ctx = Arc::get_mut(&mut rig.ctx).expect("nobody else has it yet");
        ctx.listener = Listener::new(ctx.client.clone(), ctx.wake.clone(), ctx.metrics.clone());
        rig
    }

    pub async fn with(change: impl FnOnce(&mut Server), traces: Traces) -> Self {
        let mut server = Server::default();
        load(&mut server, OBJECTS, &[]);
        server.edit(&format!("{OWN}/workloadhealths/web"), |health| {
            health["status"]["baseline"] = json!({"name": "web-59", "uid": "r-1", "hash": "59"});
        });
        change(&mut server);
        let rig = Self::start(Arc::new(Mutex::new(server)), traces).await;
        rig.sees();
        rig
    }

    /// Another process on the same objects: what the first kept in memory is lost.
    pub async fn restarted(self) -> Self {
        self.lease.abort();
        let server = self.server.clone();
        server.lock().unwrap().remove("/apis/coordination.k8s.io/v1/namespaces/backstay/leases/backstay");
        Self::start(server, Traces::default()).await
    }

    async fn start(server: Arc<Mutex<Server>>, traces: Traces) -> Self {
        let client = connect(&server);
        let (lease, standing) = candidate(&server);
        let (stop, stopped) = oneshot::channel::<()>();
        let lease = tokio::spawn(lease.run(async move { drop(stopped.await) }));
        let mut leadership = standing.watch();
        while !standing.is_leader() {
            leadership.changed().await.unwrap();
        }
        let own = Own::new();
        let around = AroundArgs { surroundings: true, secret_namespaces: Vec::new(), try_baseline: false };
        let (wake, woken) = wake::channel();
        let ctx = Arc::new(Context {
            stores: Arc::default(),
            hints: Arc::default(),
            own: own.clone(),
            watches: Arc::new(Watches::default()),
            policies: Policies::new(own, Mode::Enforce),
            fleet: Fleet::new(Limits::default()),
            tracker: Tracker::default(),
            tally: Tally::default(),
            inquiries: Inquiries::new(client.clone(), wake.clone(), (around, true)),
            listener: Listener::default(),
            events: Events::new(client.clone(), "backstay-0"),
            client,
            metrics: Arc::new(Metrics::new()),
            traces,
            standing,
            namespace: "backstay".to_owned(),
            wake,
            policies_changed: Notify::new(),
            storm_pen: tokio::sync::Mutex::default(),
            surveyed: AtomicBool::new(true),
        });
        Self { server, ctx, woken, lease, _stop: stop }
    }

    pub fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap()
    }

    /// The watches deliver everything as it is now.
    pub fn sees(&self) {
        self.sees_workloads();
        self.sees_own();
    }

    pub fn sees_workloads(&self) {
        self.store::<SlimDeployment>("deployments");
        self.store::<SlimReplicaSet>("replicasets");
        self.store::<SlimPod>("pods");
        self.store::<SlimNode>("nodes");
    }

    pub fn sees_own(&self) {
        let own = &self.ctx.own;
        self.shelve(&own.policies, "incidentpolicies");
        self.shelve(&own.cluster_policies, "clusterincidentpolicies");
        self.shelve(&own.namespaces, "namespaces");
        self.shelve(&own.health, "workloadhealths");
        self.shelve(&own.incidents, "incidents");
        self.ctx.policies.refresh();
    }

    fn store<K: Stored + DeserializeOwned>(&self, plural: &str) {
        let objects = self.server().all(plural);
        K::apply(&self.ctx.stores, Source(0), Event::Init, Timestamp::now());
        for object in objects {
            let object = serde_json::from_value(object).unwrap();
            K::apply(&self.ctx.stores, Source(0), Event::InitApply(object), Timestamp::now());
        }
        K::apply(&self.ctx.stores, Source(0), Event::InitDone, Timestamp::now());
    }

    fn shelve<K>(&self, shelf: &Shelf<K>, plural: &str)
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned,
    {
        let objects = self.server().all(plural);
        shelf.apply("", Event::Init);
        for object in objects {
            shelf.apply("", Event::InitApply(serde_json::from_value::<Readable<K>>(object).unwrap()));
        }
        shelf.apply("", Event::InitDone);
    }

    /// One look, as the loop would take it.
    pub async fn look(&self) -> Result<Option<Duration>, Error> {
        workload::look(&self.ctx, &web()).await
    }

    /// The baseline is rolled out, and has run for as long as makes a recovery.
    pub async fn recovers(&self) {
        self.settles().await;
        self.rolls_out_baseline();
        self.settles().await;
        self.time_passes();
        self.settles().await;
    }

    /// Looks until one succeeds, with everything seen before each; gives the errors.
    pub async fn settles(&self) -> Vec<Error> {
        let mut errors = Vec::new();
        while errors.len() < 20 {
            self.sees();
            match self.look().await {
                Ok(_) => return errors,
                Err(error) => errors.push(error),
            }
        }
        panic!("no look succeeds: {errors:?}");
    }

    /// Ten other workloads begin to fail.
    pub fn others_fail(&self) {
        let now = Timestamp::now();
        for n in 0..10 {
            let report = Report { failing_since: Some(now), evident_since: Some(now), ..Report::default() };
            self.ctx.fleet.report(&WorkloadKey::new("shop", &format!("other-{n}")), report);
        }
    }

    /// The Deployment controller follows the template: the baseline's ReplicaSet is the newest again and runs alone.
    pub fn rolls_out_baseline(&self) {
        let mut server = self.server();
        server.remove("/api/v1/namespaces/shop/pods/web-6d-a");
        server.edit(BASELINE, |set| set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("3"));
        server.edit(FAILING, |set| {
            set["spec"]["replicas"] = json!(0);
            set["status"] = json!({"replicas": 0});
        });
        server.edit(WEB, |web| {
            web["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("3");
            let generation = web["metadata"]["generation"].clone();
            web["status"]["observedGeneration"] = generation;
            web["status"]["replicas"] = json!(2);
            web["status"]["updatedReplicas"] = json!(2);
        });
    }

    /// The action was taken long ago, and so was the newest revision rolled out.
    pub fn time_passes(&self) {
        let long_ago = Timestamp::now() - jiff::SignedDuration::from_mins(5);
        let mut seen = self.ctx.tracker.seen(&web());
        if let Some(current) = &mut seen.current {
            current.since = long_ago;
        }
        self.ctx.tracker.saw(&web(), seen);
        let long_ago = long_ago.to_string();
        let mut server = self.server();
        for incident in server.all("incidents") {
            let path = format!("{OWN}/incidents/{}", incident["metadata"]["name"].as_str().unwrap());
            server.edit(&path, |incident| {
                for action in incident["status"]["actions"].as_array_mut().into_iter().flatten() {
                    action["at"] = json!(long_ago);
                }
            });
        }
    }

    pub fn incidents(&self) -> Vec<Incident> {
        let incidents = self.server().all("incidents");
        incidents.into_iter().map(|incident| serde_json::from_value(incident).unwrap()).collect()
    }

    /// The one incident of the workload.
    pub fn incident(&self) -> Incident {
        let mut incidents = self.incidents();
        incidents.retain(|i| i.spec.workload.kind == "Deployment");
        assert_eq!(incidents.len(), 1, "{incidents:?}");
        incidents.remove(0)
    }

    /// The reasons of all Events, in the order of their names.
    pub fn events(&self) -> Vec<String> {
        let events = self.server().all("events");
        let mut reasons: Vec<String> = events.iter().map(|e| e["reason"].as_str().unwrap().to_owned()).collect();
        reasons.sort();
        reasons
    }

    /// What the Event with this reason says.
    pub fn note(&self, reason: &str) -> String {
        let events = self.server().all("events");
        let event = events.iter().find(|event| event["reason"] == reason);
        event.unwrap_or_else(|| panic!("no Event {reason}: {events:?}"))["note"].as_str().unwrap().to_owned()
    }

    /// The value of a counter, as the next scrape would have it.
    pub fn counted(&self, series: &str) -> u32 {
        let text = self.ctx.metrics.encode().unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// All calls since the last time.
    pub fn calls(&self) -> Vec<Call> {
        self.server().calls()
    }
}

/// Of these calls, the changes of Deployments that were carried out.
pub fn actions(calls: &[Call]) -> Vec<&Call> {
    let acted = |call: &&Call| call.method == Method::PATCH && call.path == WEB && (200..300).contains(&call.code);
    calls.iter().filter(acted).collect()
}

/// The calls that write, as `METHOD PATH`.
pub fn writes(calls: &[Call]) -> Vec<String> {
    let writes = calls.iter().filter(|call| call.method != Method::GET);
    writes.map(|call| format!("{} {}", call.method, call.path)).collect()
}
