//! Following Backstay's own kinds and the namespaces. One unreadable object, or one missing definition, stops nothing
//! else.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt};
use tokio::task::JoinSet;

use super::context::Context;
use super::storm;
use crate::api::{ClusterIncidentPolicy, Incident, IncidentPolicy, WorkloadHealth};
use crate::cluster::gather;
use crate::cluster::own::{NamespaceMeta, Own};
use crate::cluster::readable::Readable;
use crate::cluster::shelf::{Change, Key, Shelf};
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
            let (b, c) = ((ctx.clone(), covers()), (ctx.clone(), covers()));
            let mut policies = Governing::policies(ctx, covers());
            tasks.spawn(follow(api::<IncidentPolicy>(client, namespace), config(), place.policies, move |event| {
                policies.take(event);
                true
            }));
            tasks.spawn(follow(api::<WorkloadHealth>(client, namespace), config(), place.health, move |event| {
                let (ctx, covers) = &b;
                ctx.own.health.apply(covers, event).iter().for_each(|change| health_changed(ctx, change));
                true
            }));
            tasks.spawn(follow(api::<Incident>(client, namespace), config(), place.incidents, move |event| {
                let (ctx, covers) = &c;
                ctx.own.incidents.apply(covers, event).iter().for_each(|change| incident_changed(ctx, change));
                true
            }));
        }
        if let Some((policies, namespaces)) = self.cluster {
            let (mut of_cluster, mut labels) = (Governing::cluster_policies(ctx), Governing::namespaces(ctx));
            let cluster_policies = Api::<Readable<ClusterIncidentPolicy>>::all(client.clone());
            tasks.spawn(follow(cluster_policies, self.config.clone(), policies, move |event| {
                of_cluster.take(event);
                true
            }));
            let metadata = Api::<Readable<NamespaceMeta>>::all(client.clone());
            tasks.spawn(follow(metadata, self.config, namespaces, move |event| {
                labels.take(event);
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

/// Takes in objects of a kind that decides which policy governs which workload, and tells of what they change.
pub(super) struct Governing<K> {
    ctx: Arc<Context>,
    shelf: fn(&Own) -> &Shelf<K>,
    /// The namespace that is watched, or all if it is empty.
    covers: String,
    /// The second governs otherwise than the first.
    differs: fn(&K, &K) -> bool,
    /// The namespace whose workloads it may govern, or the empty one for all.
    reach: fn(&Key) -> &str,
    /// Of these namespaces it was not told yet that another policy may govern in them.
    untold: BTreeSet<String>,
}

impl Governing<IncidentPolicy> {
    pub(super) fn policies(ctx: &Arc<Context>, covers: String) -> Self {
        Self::new(ctx, |own| &own.policies, covers, is_respecified, |(namespace, _)| namespace)
    }
}

impl Governing<ClusterIncidentPolicy> {
    pub(super) fn cluster_policies(ctx: &Arc<Context>) -> Self {
        Self::new(ctx, |own| &own.cluster_policies, String::new(), is_respecified, |_| "")
    }
}

impl Governing<NamespaceMeta> {
    pub(super) fn namespaces(ctx: &Arc<Context>) -> Self {
        let differs = |a: &NamespaceMeta, b: &NamespaceMeta| a.metadata.labels != b.metadata.labels;
        Self::new(ctx, |own| &own.namespaces, String::new(), differs, |(_, name)| name)
    }
}

impl<K: Resource<DynamicType = ()> + Clone> Governing<K> {
    fn new(
        ctx: &Arc<Context>,
        shelf: fn(&Own) -> &Shelf<K>,
        covers: String,
        differs: fn(&K, &K) -> bool,
        reach: fn(&Key) -> &str,
    ) -> Self {
        Self { ctx: ctx.clone(), shelf, covers, differs, reach, untold: BTreeSet::new() }
    }

    /// What a listing changes is told once, when it is complete: each of its objects would wake every workload.
    pub(super) fn take(&mut self, event: watcher::Event<Readable<K>>) {
        let is_listing = matches!(event, watcher::Event::Init | watcher::Event::InitApply(_));
        let changes = (self.shelf)(&self.ctx.own).apply(&self.covers, event);
        let differs = self.differs;
        let news = changes.iter().filter(|change| match (&change.before, &change.after) {
            (Some(before), Some(after)) => differs(before, after),
            // It came, went, or cannot be read any more.
            _ => true,
        });
        self.untold.extend(news.map(|change| (self.reach)(&change.key).to_owned()));
        if !is_listing && !self.untold.is_empty() {
            policies_changed(&self.ctx, &std::mem::take(&mut self.untold));
        }
    }
}

/// It asks for something else. What is written into its status, by us above all, changes nothing.
fn is_respecified<K: Resource>(before: &K, after: &K) -> bool {
    let (before, after) = (before.meta(), after.meta());
    (&before.uid, before.generation) != (&after.uid, after.generation)
}

/// Which policy governs which workload of these namespaces may be different now, so all of them are looked at again.
fn policies_changed(ctx: &Context, namespaces: &BTreeSet<String>) {
    ctx.policies.refresh();
    ctx.policies_changed.notify_one();
    let everywhere = namespaces.contains("");
    for key in ctx.stores.keys().into_iter().filter(|key| everywhere || namespaces.contains(&*key.namespace)) {
        ctx.wake.send(key);
    }
}

/// What a person says of an incident matters, and that one is gone; our own status writes do not.
pub(super) fn incident_changed(ctx: &Context, change: &Change<Incident>) {
    let spec = |i: &Option<Arc<Incident>>| i.as_ref().map(|i| i.metadata.generation);
    let (before, after) = (spec(&change.before), spec(&change.after));
    let Some(incident) = change.after.as_ref().or(change.before.as_ref()) else { return };
    if before.is_some() && before != after && storm::is_storm(incident) {
        storm::wake_failing(ctx);
    } else if before != after {
        let (namespace, name) = gather::workload_of(incident);
        ctx.wake.send(WorkloadKey::new(&namespace, &name));
    }
}

/// A memory that somebody deleted is written anew.
fn health_changed(ctx: &Context, change: &Change<WorkloadHealth>) {
    if let (Some(health), None) = (&change.before, &change.after) {
        let namespace = health.namespace().unwrap_or_default();
        ctx.wake.send(WorkloadKey::new(&namespace, &health.name_any()));
    }
}
