//! The watches: one task per kind and namespace, which lists once, then follows for ever.
//!
//! A stream never ends and never panics on what it reads. It survives errors with growing pauses, resumes from the
//! last resource version when its watch ends, and lists again only when the API server has forgotten that version;
//! meanwhile the stores keep the view from before, and its age is known.

use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher as watch_resource;
use kube::runtime::watcher::{self, DefaultBackoff, Event, ListSemantic};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::chain::chain;
use super::slim::{SlimDeployment, SlimNode, SlimPod, SlimReplicaSet};
use super::store::{Source, Stored, Stores};
use super::wake::Wake;
use super::watches::{Watch, Watches};

/// What is watched, and how.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Empty for all namespaces.
    pub namespaces: Vec<String>,
    /// Nodes are cluster-scoped; an installation for single namespaces may not be allowed to see them.
    pub nodes: bool,
    /// A label selector that Deployments, ReplicaSets and Pods must all match.
    pub labels: Option<String>,
    /// A field selector for the same kinds, such as `metadata.namespace!=kube-system`.
    pub fields: Option<String>,
    /// Objects per page of a list: more make it quicker, fewer make it smaller in memory.
    pub page_size: u32,
    /// After this the server ends a watch; a dead one is noticed five seconds later.
    pub watch_seconds: u32,
    /// List through the watch (Kubernetes 1.34 and newer), which spares the API server and us the pages.
    pub streaming_lists: bool,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            namespaces: Vec::new(),
            nodes: true,
            labels: None,
            fields: None,
            page_size: 250,
            watch_seconds: 30,
            streaming_lists: false,
        }
    }
}

impl Scope {
    /// The configuration of a watch within this scope.
    pub fn config(&self) -> watcher::Config {
        let mut config = watcher::Config::default().timeout(self.watch_seconds);
        // A list from a cache may lie before what was seen already, so the most recent one is asked for.
        config.list_semantic = ListSemantic::MostRecent;
        config.page_size = Some(self.page_size);
        config.label_selector.clone_from(&self.labels);
        config.field_selector.clone_from(&self.fields);
        if self.streaming_lists { config.streaming_lists() } else { config }
    }
}

/// The streams to run, with their watches registered.
#[derive(Debug)]
pub struct Streams {
    config: watcher::Config,
    places: Vec<Place>,
    nodes: Option<Arc<Watch>>,
}

/// The watches of one namespace, or of all.
#[derive(Debug)]
struct Place {
    namespace: Option<String>,
    deployments: Arc<Watch>,
    replica_sets: Arc<Watch>,
    pods: Arc<Watch>,
}

impl Streams {
    /// Registers one watch per kind and namespace of the scope.
    pub fn new(scope: &Scope, watches: &mut Watches) -> Self {
        let mut place = |namespace: Option<&str>| Place {
            namespace: namespace.map(str::to_owned),
            deployments: watches.add::<SlimDeployment>(namespace),
            replica_sets: watches.add::<SlimReplicaSet>(namespace),
            pods: watches.add::<SlimPod>(namespace),
        };
        let places = if scope.namespaces.is_empty() {
            vec![place(None)]
        } else {
            scope.namespaces.iter().map(|namespace| place(Some(namespace))).collect()
        };
        let nodes = scope.nodes.then(|| watches.add::<SlimNode>(None));
        Self { config: scope.config(), places, nodes }
    }

    /// Runs all streams until the set is dropped or nobody takes from `touched` any more. Every workload for which a
    /// fact changed is sent.
    pub fn spawn(self, client: &Client, stores: &Arc<Stores>, touched: &Wake) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for (number, place) in (0..).zip(self.places) {
            let sink = Sink { stores: stores.clone(), touched: touched.clone(), source: Source(number) };
            let namespace = place.namespace.as_deref();
            let config = || self.config.clone();
            let deployments = namespaced::<SlimDeployment>(client, namespace);
            tasks.spawn(follow(deployments, config(), place.deployments, sink.clone().taking()));
            let replica_sets = namespaced::<SlimReplicaSet>(client, namespace);
            tasks.spawn(follow(replica_sets, config(), place.replica_sets, sink.clone().taking()));
            let pods = namespaced::<SlimPod>(client, namespace);
            tasks.spawn(follow(pods, config(), place.pods, sink.taking()));
        }
        if let Some(watch) = self.nodes {
            let sink = Sink { stores: stores.clone(), touched: touched.clone(), source: Source(0) };
            let config = watcher::Config { label_selector: None, field_selector: None, ..self.config };
            tasks.spawn(follow(Api::<SlimNode>::all(client.clone()), config, watch, sink.taking()));
        }
        tasks
    }
}

pub(super) fn namespaced<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Where what is seen goes.
#[derive(Clone)]
pub(super) struct Sink {
    stores: Arc<Stores>,
    touched: Wake,
    source: Source,
}

impl Sink {
    fn taking<K: Stored>(self) -> impl FnMut(Event<K>) -> bool {
        move |event| {
            let keys = K::apply(&self.stores, self.source, event, Timestamp::now());
            keys.into_iter().all(|key| self.touched.send(key))
        }
    }
}

/// Between two tries of a watch that keeps failing.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Somebody may give the right to what is done without at any time, and nobody waits for it.
const UNTIL_ALLOWED: Duration = Duration::from_secs(600);

/// Follows one watch for ever: gives every event to `take`, which returns whether to go on.
pub async fn follow<K>(api: Api<K>, config: watcher::Config, watch: Arc<Watch>, mut take: impl FnMut(Event<K>) -> bool)
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut events = pin!(watch_resource(api, config));
    let mut pauses = DefaultBackoff::default();
    while let Some(event) = events.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                pause_after(&watch, &error, &mut pauses).await;
                continue;
            }
        };
        let (current, listed) = match &event {
            Event::Apply(_) | Event::Delete(_) => (true, false),
            Event::InitDone => (true, true),
            // Part of a listing proves nothing about the view as a whole.
            Event::Init | Event::InitApply(_) => (false, false),
        };
        if !take(event) {
            return;
        }
        // kube's own back-off ends with any event. Every list begins with one, so a kind that is not defined, or an API
        // server that is down, would be asked again every second for ever.
        if current {
            pauses = DefaultBackoff::default();
        }
        if listed {
            watch.listed();
        } else if current {
            watch.heard();
        }
    }
}

/// Tells of a failure and waits, longer each time.
pub(super) async fn pause_after(watch: &Watch, error: &watcher::Error, pauses: &mut DefaultBackoff) {
    report(watch, error);
    let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
    tokio::time::sleep(if watch.is_spared() { UNTIL_ALLOWED } else { pause }).await;
}

/// One line per spell of failures; the metric counts them all.
pub(super) fn report(watch: &Watch, error: &watcher::Error) {
    let resource = watch.resource.as_str();
    let first = watch.failed(is_denied(error));
    if first && watch.is_spared() {
        tracing::info!(resource, error = %chain(error), "not allowed to watch, going without");
    } else if first {
        tracing::warn!(resource, error = %chain(error), "watching failed, trying again");
    } else {
        tracing::debug!(resource, error = %chain(error), "watching failed again");
    }
}

/// The API server does not serve the kind, or not to us. Both can change, and until then there is nothing to wait for.
fn is_denied(error: &watcher::Error) -> bool {
    let code = match error {
        watcher::Error::InitialListFailed(source) | watcher::Error::WatchStartFailed(source) => match source {
            kube::Error::Api(status) => status.code,
            _ => 0,
        },
        watcher::Error::WatchError(status) => status.code,
        _ => 0,
    };
    matches!(code, 403 | 404)
}

#[cfg(test)]
pub(super) mod tests;
