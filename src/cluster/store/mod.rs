//! What is known of the cluster right now, as facts, indexed by who owns whom.
//!
//! Nothing here is decided. The stores hold what the watches delivered, find a workload's revisions, pods and nodes,
//! and say which workloads an event touched. They may lag behind the API server and say so nowhere: how old the view
//! can be is known to the streams.

mod members;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::watcher::Event;

use self::members::Members;
pub use self::members::Source;
use super::facts::{Interner, node_facts, pod_facts, revision_facts, workload_facts};
use super::slim::{SlimDeployment, SlimNode, SlimPod, SlimReplicaSet, controller};
use crate::engine::facts::{Name, NodeFacts, NodesFacts, PodFacts, RevisionFacts, WorkloadFacts};
use crate::engine::observe::observe;

/// Labels as kube's selectors match them.
pub type Labels = BTreeMap<String, String>;

/// A workload, its revisions, their pods, and the nodes.
pub type Family = (WorkloadFacts, Vec<Arc<RevisionFacts>>, Vec<Arc<PodFacts>>, NodesFacts);

/// Namespace and name of a Deployment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadKey {
    pub namespace: Name,
    pub name: Name,
}

impl WorkloadKey {
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// `NAMESPACE/NAME`.
impl fmt::Display for WorkloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// All stores. Cheap to share: every call holds the lock for as long as it takes to move a few pointers.
#[derive(Debug, Default)]
pub struct Stores(RwLock<Inner>);

#[derive(Debug, Default)]
struct Inner {
    names: Interner,
    /// By UID, grouped by `NAMESPACE/NAME`. A name has two members while a deletion that was missed is unknown.
    workloads: Members<Workload>,
    /// By UID, grouped by the UID of the Deployment.
    revisions: Members<RevisionFacts>,
    /// By UID, grouped by the UID of the ReplicaSet.
    pods: Members<PodFacts>,
    /// By name, in one group.
    nodes: Members<NodeFacts>,
    /// `NodesFacts` without nodes of its own.
    summary: NodesFacts,
}

#[derive(Debug, PartialEq)]
struct Workload {
    facts: WorkloadFacts,
    labels: Arc<Labels>,
}

/// How many objects the stores hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub workloads: usize,
    pub revisions: usize,
    pub pods: usize,
    pub nodes: usize,
}

const ALL_NODES: &str = "";

impl Stores {
    /// Everything that is known of a workload; `None` if there is none of that name.
    pub fn workload(&self, key: &WorkloadKey) -> Option<Family> {
        let inner = self.read();
        let workload = inner.workload(key)?;
        let revisions = inner.revisions.of(&workload.facts.uid).to_vec();
        let pods: Vec<_> = revisions.iter().flat_map(|revision| inner.pods.of(&revision.uid)).map(Arc::clone).collect();
        let names: BTreeSet<&Name> = pods.iter().filter_map(|pod| pod.node.as_ref()).collect();
        let own = names.into_iter().filter_map(|name| inner.nodes.get(name)).map(Arc::clone).collect();
        Some((workload.facts.clone(), revisions, pods, NodesFacts { own, ..inner.summary.clone() }))
    }

    /// The labels of a Deployment, by which policies select it.
    pub fn labels(&self, key: &WorkloadKey) -> Option<Arc<Labels>> {
        self.read().workload(key).map(|workload| workload.labels.clone())
    }

    /// The generation of a Deployment's spec.
    pub fn generation(&self, key: &WorkloadKey) -> Option<i64> {
        self.read().workload(key).map(|workload| workload.facts.generation)
    }

    /// The workload that an object with this UID is, or is part of.
    pub fn workload_of(&self, uid: &str) -> Option<WorkloadKey> {
        let inner = self.read();
        let revision = inner.pods.group(uid).unwrap_or(uid);
        let workload = inner.revisions.group(revision).unwrap_or(revision);
        inner.owners([workload]).pop()
    }

    /// All workloads, sorted.
    pub fn keys(&self) -> Vec<WorkloadKey> {
        let inner = self.read();
        let keys: BTreeSet<_> = inner.workloads.groups().filter_map(|group| inner.key(group)).collect();
        keys.into_iter().collect()
    }

    /// The nodes as a whole, with none in `own`.
    pub fn nodes(&self) -> NodesFacts {
        self.read().summary.clone()
    }

    pub fn counts(&self) -> Counts {
        let inner = self.read();
        Counts {
            workloads: inner.workloads.len(),
            revisions: inner.revisions.len(),
            pods: inner.pods.len(),
            nodes: inner.nodes.len(),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        // A panic elsewhere leaves nothing half-written that matters more than going on.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn workload(&self, key: &WorkloadKey) -> Option<&Arc<Workload>> {
        self.newest(&key.to_string())
    }

    fn newest(&self, group: &str) -> Option<&Arc<Workload>> {
        self.workloads.of(group).iter().max_by_key(|workload| workload.facts.created)
    }

    fn key(&self, group: &str) -> Option<WorkloadKey> {
        let facts = &self.newest(group)?.facts;
        Some(WorkloadKey { namespace: facts.namespace.clone(), name: facts.name.clone() })
    }

    /// The workloads with these UIDs; those that are not known yet touch themselves when they come.
    fn owners<'a>(&self, uids: impl IntoIterator<Item = &'a str>) -> Vec<WorkloadKey> {
        let owners = uids.into_iter().filter_map(|uid| self.workloads.get(uid));
        let keys = owners.map(|workload| {
            let facts = &workload.facts;
            WorkloadKey { namespace: facts.namespace.clone(), name: facts.name.clone() }
        });
        keys.collect()
    }
}

/// A kind that the stores hold.
pub trait Stored: Sized {
    /// Takes in what a watch delivered at `now`, and returns the workloads for which something changed, each once.
    /// During a listing nothing is returned until its end.
    fn apply(stores: &Stores, source: Source, event: Event<Self>, now: Timestamp) -> Vec<WorkloadKey>;
}

impl Stored for SlimDeployment {
    fn apply(stores: &Stores, source: Source, event: Event<Self>, _now: Timestamp) -> Vec<WorkloadKey> {
        let inner = &mut *stores.write();
        let workloads = &mut inner.workloads;
        let changed = match event {
            Event::Init => {
                workloads.begin(source);
                Vec::new()
            }
            Event::InitDone => workloads.finish(source),
            Event::InitApply(object) | Event::Apply(object) => match workload_facts(&object, &mut inner.names) {
                Some(facts) => {
                    let labels = Arc::new(object.metadata.labels.unwrap_or_default());
                    let group = Name::from(format!("{}/{}", facts.namespace, facts.name));
                    workloads.put(source, facts.uid.clone(), group, Workload { facts, labels })
                }
                None => workloads.remove(source, uid(&object.metadata)),
            },
            Event::Delete(object) => workloads.remove(source, uid(&object.metadata)),
        };
        changed.iter().filter_map(|group| parse(group)).collect()
    }
}

/// The key of a group of workloads, also when nothing is left of it.
fn parse(group: &str) -> Option<WorkloadKey> {
    let (namespace, name) = group.split_once('/')?;
    Some(WorkloadKey::new(namespace, name))
}

impl Stored for SlimReplicaSet {
    fn apply(stores: &Stores, source: Source, event: Event<Self>, _now: Timestamp) -> Vec<WorkloadKey> {
        let inner = &mut *stores.write();
        let revisions = &mut inner.revisions;
        let changed = match event {
            Event::Init => {
                revisions.begin(source);
                Vec::new()
            }
            Event::InitDone => revisions.finish(source),
            Event::InitApply(object) | Event::Apply(object) => {
                // A ReplicaSet that its Deployment released, or that has none, is no revision.
                let owner = controller(&object.metadata, "Deployment").map(|owner| inner.names.name(&owner.uid));
                match owner.and_then(|owner| Some((owner, revision_facts(&object, &mut inner.names)?))) {
                    Some((owner, facts)) => revisions.put(source, facts.uid.clone(), owner, facts),
                    None => revisions.remove(source, uid(&object.metadata)),
                }
            }
            Event::Delete(object) => revisions.remove(source, uid(&object.metadata)),
        };
        inner.owners(changed.iter().map(|uid| &**uid))
    }
}

impl Stored for SlimPod {
    fn apply(stores: &Stores, source: Source, event: Event<Self>, now: Timestamp) -> Vec<WorkloadKey> {
        let inner = &mut *stores.write();
        let pods = &mut inner.pods;
        let changed = match event {
            Event::Init => {
                pods.begin(source);
                Vec::new()
            }
            Event::InitDone => pods.finish(source),
            Event::InitApply(object) | Event::Apply(object) => {
                let facts = object.revision().and_then(|_| pod_facts(&object, &mut inner.names));
                match facts {
                    Some(facts) => {
                        let facts = observe(pods.get(&facts.uid).map(|pod| &**pod), facts, now);
                        pods.put(source, facts.uid.clone(), facts.revision.clone(), facts)
                    }
                    None => pods.remove(source, uid(&object.metadata)),
                }
            }
            Event::Delete(object) => pods.remove(source, uid(&object.metadata)),
        };
        // The group of a revision is the UID of its Deployment.
        let owners: BTreeSet<&str> = changed.iter().filter_map(|uid| inner.revisions.group(uid)).collect();
        inner.owners(owners)
    }
}

impl Stored for SlimNode {
    /// Touches no workload: what becomes of a node's pods shows in the pods, and a node can only speak against an
    /// action, which reads the nodes when it is decided. What was put down to a node is looked at again by itself.
    fn apply(stores: &Stores, source: Source, event: Event<Self>, _now: Timestamp) -> Vec<WorkloadKey> {
        let inner = &mut *stores.write();
        let nodes = &mut inner.nodes;
        let changed = match event {
            Event::Init => {
                nodes.begin(source);
                Vec::new()
            }
            Event::InitDone => nodes.finish(source),
            Event::InitApply(object) | Event::Apply(object) => match node_facts(&object, &mut inner.names) {
                Some(facts) => nodes.put(source, facts.name.clone(), inner.names.name(ALL_NODES), facts),
                None => Vec::new(),
            },
            Event::Delete(object) => nodes.remove(source, object.metadata.name.as_deref().unwrap_or_default()),
        };
        if !changed.is_empty() {
            inner.summary = summary(nodes.of(ALL_NODES));
        }
        Vec::new()
    }
}

/// The nodes as a whole.
pub(super) fn summary(nodes: &[Arc<NodeFacts>]) -> NodesFacts {
    let count = |of: fn(&NodeFacts) -> bool| u32::try_from(nodes.iter().filter(|node| of(node)).count());
    NodesFacts {
        own: Vec::new(),
        total: u32::try_from(nodes.len()).unwrap_or(u32::MAX),
        not_ready: count(|node| !node.ready).unwrap_or(u32::MAX),
        unschedulable: count(|node| node.unschedulable).unwrap_or(u32::MAX),
        largest_cpu: nodes.iter().map(|node| node.allocatable_cpu).max().unwrap_or_default(),
        largest_memory: nodes.iter().map(|node| node.allocatable_memory).max().unwrap_or_default(),
        taints: taints(nodes),
        noted: noted(nodes),
        room: None,
    }
}

/// Taints that are told.
const MAX_TAINTS: usize = 4;

/// The taints that most nodes bear.
pub fn taints(nodes: &[Arc<NodeFacts>]) -> Vec<(Name, u32)> {
    let mut counts: BTreeMap<&Name, u32> = BTreeMap::new();
    for taint in nodes.iter().flat_map(|node| &node.taints) {
        let count = counts.entry(&taint.taint).or_default();
        *count = count.saturating_add(1);
    }
    let mut taints: Vec<(Name, u32)> = counts.into_iter().map(|(taint, count)| (taint.clone(), count)).collect();
    taints.sort_by_key(|(_, count)| Reverse(*count));
    taints.truncate(MAX_TAINTS);
    taints
}

/// Nodes that are noted: that keep pods away, and that are new.
const MAX_NOTED: (usize, usize) = (16, 8);

/// The nodes that began last to keep pods away, and those that came last.
pub fn noted(nodes: &[Arc<NodeFacts>]) -> Arc<[Arc<NodeFacts>]> {
    let (mut shut, mut open): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| node.keeps_away());
    shut.sort_by_cached_key(|node| (Reverse(node.keeps_away_since()), node.name.clone()));
    open.sort_by_cached_key(|node| (Reverse(node.created), node.name.clone()));
    shut.into_iter().take(MAX_NOTED.0).chain(open.into_iter().take(MAX_NOTED.1)).cloned().collect()
}

fn uid(meta: &ObjectMeta) -> &str {
    meta.uid.as_deref().unwrap_or_default()
}
