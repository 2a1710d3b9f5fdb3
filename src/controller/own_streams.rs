//! Following Backstay's own kinds and the namespaces. One unreadable object, or one missing definition, stops nothing
//! else.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::context::Context;
use super::storm;
use crate::api::{ClusterIncidentPolicy, Incident, IncidentPolicy, WorkloadHealth};
use crate::cluster::gather;
use crate::cluster::own::NamespaceMeta;
use crate::cluster::readable::Readable;
use crate::cluster::shelf::{Change, Shelf};
use crate::cluster::store::WorkloadKey;
use crate::cluster::streams::{Scope, follow};
use crate::cluster::watches::{Watch, Watches};

/// The watches of own kinds, registered and not yet running.
pub struct OwnStreams {
    config: watcher::Config,
    places: Vec<Place>,
    /// Cluster-scoped kinds, where the whole cluster is watched.
    cluster: Option<(Arc<Watch>, Arc<Watch>)>,
}

struct Place {
    namespace: Option<String>,
    policies: Arc<Watch>,
    health: Arc<Watch>,
    incidents: Arc<Watch>,
}

impl OwnStreams {
    pub fn new(scope: &Scope, watches: &mut Watches) -> Self {
        let mut place = |namespace: Option<&str>| Place {
            namespace: namespace.map(str::to_owned),
            policies: watches.add::<IncidentPolicy>(namespace),
            health: watches.add::<WorkloadHealth>(namespace),
            incidents: watches.add::<Incident>(namespace),
        };
        let places = if scope.namespaces.is_empty() {
            vec![place(None)]
        } else {
            scope.namespaces.iter().map(|namespace| place(Some(namespace))).collect()
        };
        let everywhere = scope.namespaces.is_empty();
        let cluster =
            everywhere.then(|| (watches.add::<ClusterIncidentPolicy>(None), watches.add::<NamespaceMeta>(None)));
        // Label and field selectors are for workloads; own kinds carry other labels.
        let config = watcher::Config { label_selector: None, field_selector: None, ..scope.config() };
        Self { config, places, cluster }
    }

    /// Runs all of them until the set is dropped.
    pub fn spawn(self, client: &Client, ctx: &Arc<Context>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for place in self.places {
            let namespace = place.namespace.as_deref();
            let config = || self.config.clone();
            let covers = || namespace.unwrap_or_default().to_owned();
            let (a, b, c) = ((ctx.clone(), covers()), (ctx.clone(), covers()), (ctx.clone(), covers()));
            tasks.spawn(follow(api::<IncidentPolicy>(client, namespace), config(), place.policies, move |event| {
                let (ctx, covers) = &a;
                if take(&ctx.own.policies, covers, event, |_| ()) > 0 {
                    policies_changed(ctx);
                }
                true
            }));
            tasks.spawn(follow(api::<WorkloadHealth>(client, namespace), config(), place.health, move |event| {
                let (ctx, covers) = &b;
                take(&ctx.own.health, covers, event, |change| health_changed(ctx, change));
                true
            }));
            tasks.spawn(follow(api::<Incident>(client, namespace), config(), place.incidents, move |event| {
                let (ctx, covers) = &c;
                take(&ctx.own.incidents, covers, event, |change| incident_changed(ctx, change));
                true
            }));
        }
        if let Some((policies, namespaces)) = self.cluster {
            let (a, b) = (ctx.clone(), ctx.clone());
            let cluster_policies = Api::<Readable<ClusterIncidentPolicy>>::all(client.clone());
            tasks.spawn(follow(cluster_policies, self.config.clone(), policies, move |event| {
                if take(&a.own.cluster_policies, "", event, |_| ()) > 0 {
                    policies_changed(&a);
                }
                true
            }));
            let metadata = Api::<Readable<NamespaceMeta>>::all(client.clone());
            tasks.spawn(follow(metadata, self.config, namespaces, move |event| {
                if take(&b.own.namespaces, "", event, |_| ()) > 0 {
                    policies_changed(&b);
                }
                true
            }));
        }
        tasks
    }
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<Readable<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Puts an event on its shelf, and tells about each change. Returns how many there were.
fn take<K>(
    shelf: &Shelf<K>,
    namespace: &str,
    event: watcher::Event<Readable<K>>,
    mut tell: impl FnMut(&Change<K>),
) -> usize
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let changes = shelf.apply(namespace, event);
    changes.iter().for_each(&mut tell);
    changes.len()
}

/// Which policy governs which workload may be different now, so all of them are looked at again.
fn policies_changed(ctx: &Context) {
    ctx.policies.refresh();
    ctx.policies_changed.notify_one();
    for key in ctx.stores.keys() {
        let _ = ctx.wake.send(key);
    }
}

/// What a person says of an incident matters, and that one is gone; our own status writes do not.
fn incident_changed(ctx: &Context, change: &Change<Incident>) {
    let spec = |i: &Option<Arc<Incident>>| i.as_ref().map(|i| i.metadata.generation);
    let (before, after) = (spec(&change.before), spec(&change.after));
    let Some(incident) = change.after.as_ref().or(change.before.as_ref()) else { return };
    if before.is_some() && before != after && storm::is_storm(incident) {
        storm::wake_failing(ctx);
    } else if before != after {
        let (namespace, name) = gather::workload_of(incident);
        let _ = ctx.wake.send(WorkloadKey::new(&namespace, &name));
    }
}

/// A memory that somebody deleted is written anew.
fn health_changed(ctx: &Context, change: &Change<WorkloadHealth>) {
    if let (Some(health), None) = (&change.before, &change.after) {
        let namespace = health.namespace().unwrap_or_default();
        let _ = ctx.wake.send(WorkloadKey::new(&namespace, &health.name_any()));
    }
}
