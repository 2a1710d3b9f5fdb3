//! Workloads put together from objects that were read once: each with its revisions, pods and nodes, as the stores
//! put them together for the operator.
//!
//! What is missing is made up as far as the rest tells: pods alone show which ReplicaSet made them, and so which
//! Deployment. Such a revision has no template to compare, and such a workload nothing to decide about.

mod group;
mod parts;
mod refused;
mod room;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use self::group::{Family, Group, Known, MadeUp};
pub use self::shape::is_token;
use super::facts::{Interner, event_facts, node_facts, pod_facts, revision_facts, talked_about, workload_facts};
use super::gather::{self, Seen};
use super::hints;
use super::intake::Intake;
use super::policies::Policies;
use super::slim::{SlimDeployment, SlimPod, SlimReplicaSet, any_controller, controller};
use super::store;
use crate::config::Mode;
use crate::engine::builtin;
use crate::engine::facts::{EventFacts, EventsFacts, FleetFacts, Name, NodeFacts, NodesFacts, Snapshot};

/// One workload to diagnose.
#[derive(Debug)]
pub struct Case {
    pub snapshot: Snapshot,
    /// There is a Deployment to decide about; of anything else there are only pods.
    pub is_deployment: bool,
    /// A policy selects it; else the defaults stand in.
    pub selected: bool,
}

/// Namespace, kind and name.
type Key = (String, String, String);

/// Everything that was taken in, workload by workload, in the order of their names.
pub fn cases(intake: Intake, now: Timestamp) -> Vec<Case> {
    let own = intake.own.clone();
    let policies = Policies::new(own.clone(), Mode::Enforce);
    policies.refresh();
    let builtin = Arc::new(builtin::policy());
    let mut sorting = Sorting::default();
    let nodes = sorting.sort(&intake);
    let events = sorting.events(&intake, now);
    let (mut templates, marked) = (intake.templates, intake.marked);
    let summary = NodesFacts { room: room::room(&nodes, &intake.asks), ..store::summary(&nodes) };
    let mut cases = Vec::with_capacity(sorting.groups.len());
    for (key, group) in sorting.groups {
        let known = Known { templates: &mut templates, marked: &marked, events: &events, now };
        let Some(family) = group.finish(&key, known, &mut sorting.names) else { continue };
        let choice = family.labels.as_ref().and_then(|labels| policies.choose(&key.0, labels));
        let on = |node: &&Arc<NodeFacts>| family.pods.iter().any(|pod| pod.node.as_ref() == Some(&node.name));
        let mut facts = summary.clone();
        facts.own = nodes.iter().filter(on).cloned().collect();
        let logs = gather::logs(&own, &family.workload);
        let snapshot = Snapshot {
            events: told(&events, intake.events_read, &family, &facts),
            memory: gather::memory(&own, &family.workload, &Seen::default()),
            workload: family.workload,
            revisions: family.revisions,
            pods: family.pods,
            nodes: facts,
            policy: choice.as_ref().map_or_else(|| builtin.clone(), |choice| choice.policy.clone()),
            fleet: FleetFacts::default(),
            surroundings: None,
            logs,
            data_age_seconds: 0,
        };
        cases.push(Case { snapshot, is_deployment: family.labels.is_some(), selected: choice.is_some() });
    }
    cases
}

/// Events by the object that they are about, the newest last.
type ByObject = BTreeMap<Name, Arc<[EventFacts]>>;

/// What events say about a workload, its parts and its nodes.
fn told(events: &ByObject, read: bool, family: &Family, nodes: &NodesFacts) -> EventsFacts {
    let mut about = EventsFacts::new(read);
    for object in talked_about(&family.workload, &family.revisions, &family.pods, &nodes.own) {
        if let Some(events) = events.get(&object) {
            about.put(object, events.clone());
        }
    }
    about
}

/// Objects on their way into groups.
#[derive(Default)]
struct Sorting {
    names: Interner,
    groups: BTreeMap<Key, Group>,
    /// Where Deployments and ReplicaSets went, by UID.
    keys: BTreeMap<String, Key>,
}

impl Sorting {
    /// Every object into its group; returns the nodes.
    fn sort(&mut self, intake: &Intake) -> Vec<Arc<NodeFacts>> {
        for deployment in intake.deployments.values() {
            self.deployment(deployment);
        }
        for set in intake.replica_sets.values() {
            self.replica_set(set);
        }
        for maker in intake.makers.values() {
            let key = key(&maker.metadata, &maker.kind);
            self.groups.entry(key).or_default().maker = Some(maker.clone());
        }
        for pod in intake.pods.values() {
            self.pod(pod);
        }
        intake.nodes.values().filter_map(|node| node_facts(node, &mut self.names)).map(Arc::new).collect()
    }

    /// The events that a live watch would still know of.
    fn events(&mut self, intake: &Intake, now: Timestamp) -> ByObject {
        let mut about: BTreeMap<Name, Vec<EventFacts>> = BTreeMap::new();
        for event in intake.events.values() {
            let Some((object, facts)) = event_facts(&intake.named(event), &mut self.names) else { continue };
            if hints::is_current(&facts, now) {
                about.entry(object).or_default().push(facts);
            }
        }
        let sorted = |mut events: Vec<EventFacts>| {
            events.sort_by_key(|event| event.last);
            let surplus = events.len().saturating_sub(hints::MAX_ABOUT_ONE);
            events.drain(..surplus);
            Arc::from(events)
        };
        about.into_iter().map(|(object, events)| (object, sorted(events))).collect()
    }

    fn deployment(&mut self, deployment: &SlimDeployment) {
        let Some(facts) = workload_facts(deployment, &mut self.names) else { return };
        let key = key(&deployment.metadata, "Deployment");
        self.keys.insert(facts.uid.to_string(), key.clone());
        let labels = deployment.metadata.labels.clone().unwrap_or_default();
        self.groups.entry(key).or_default().deployment = Some((facts, labels));
    }

    /// A ReplicaSet belongs to its Deployment, also to one that was not taken in.
    fn replica_set(&mut self, set: &SlimReplicaSet) {
        let Some(facts) = revision_facts(set, &mut self.names) else { return };
        let key = match controller(&set.metadata, "Deployment") {
            Some(owner) => self.keys.get(&owner.uid).cloned().unwrap_or_else(|| key_of(owner, &set.metadata)),
            None => key(&set.metadata, "ReplicaSet"),
        };
        self.keys.insert(facts.uid.to_string(), key.clone());
        self.groups.entry(key).or_default().revisions.push(facts);
    }

    fn pod(&mut self, pod: &SlimPod) {
        let Some(mut facts) = pod_facts(pod, &mut self.names) else { return };
        // The kubelet's own pods are controlled by their node.
        let owner = any_controller(&pod.metadata).filter(|owner| owner.kind != "Node");
        let (key, uid, made) = match owner {
            None => (key(&pod.metadata, "Pod"), facts.uid.to_string(), MadeUp::by(&facts.name)),
            Some(owner) => match self.keys.get(&owner.uid) {
                Some(known) => (known.clone(), owner.uid.clone(), MadeUp::by(&owner.name)),
                None => (guess(owner, &pod.metadata), owner.uid.clone(), MadeUp::by(&owner.name)),
            },
        };
        facts.revision = self.names.name(&uid);
        let group = self.groups.entry(key).or_default();
        group.makers.entry(uid).or_insert(made);
        group.pods.push(facts);
    }
}

fn key(meta: &ObjectMeta, kind: &str) -> Key {
    (meta.namespace.clone().unwrap_or_default(), kind.to_owned(), meta.name.clone().unwrap_or_default())
}

fn key_of(owner: &OwnerReference, owned: &ObjectMeta) -> Key {
    (owned.namespace.clone().unwrap_or_default(), owner.kind.clone(), owner.name.clone())
}

/// The Deployment of a ReplicaSet that was not taken in is in its name.
fn guess(owner: &OwnerReference, pod: &ObjectMeta) -> Key {
    let namespace = pod.namespace.clone().unwrap_or_default();
    match owner.name.rsplit_once('-') {
        Some((name, hash)) if owner.kind == "ReplicaSet" && is_hash(hash) => {
            (namespace, "Deployment".to_owned(), name.to_owned())
        }
        _ => key_of(owner, pod),
    }
}

/// The template hash that the Deployment controller appends to a name (`SafeEncodeString` in apimachinery's
/// pkg/util/rand: no vowels, and no digits that look like letters).
fn is_hash(text: &str) -> bool {
    (5..=10).contains(&text.len()) && text.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte))
}
