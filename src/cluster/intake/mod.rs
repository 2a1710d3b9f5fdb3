//! Objects of any kind as kubectl prints them, taken one by one into the same slim types as the live watch reads.
//!
//! Nothing is decided here and nothing is asked of a cluster. Kinds that say nothing about pods are passed over; an
//! object that is not what its kind says is refused with the reason, and the rest is taken all the same.

mod asks;
mod maker;
mod marked;
mod times;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::asks::{Asks, asks};
pub use self::maker::Maker;
pub use self::marked::Marked;
use super::around::shown::Shown;
use super::digest::Walked;
use super::oneshot::shelve;
use super::own::Own;
use super::readable::Readable;
use super::slim::{
    Container, SlimDeployment, SlimEvent, SlimNode, SlimPod, SlimReplicaSet, Template, any_controller, meta,
};

/// What was taken in. The last sight of an object counts.
#[derive(Debug)]
pub struct Intake {
    pub deployments: BTreeMap<Id, SlimDeployment>,
    pub replica_sets: BTreeMap<Id, SlimReplicaSet>,
    pub pods: BTreeMap<Id, SlimPod>,
    /// What pods on nodes ask for, also pods that are none of those to diagnose.
    pub asks: BTreeMap<Id, Asks>,
    /// What else makes pods, by UID.
    pub makers: BTreeMap<String, Maker>,
    /// The UIDs of these by kind, namespace and name.
    named_makers: BTreeMap<(String, Id), String>,
    pub nodes: BTreeMap<Id, SlimNode>,
    pub events: BTreeMap<Id, SlimEvent>,
    /// Events were asked for, or came.
    pub events_read: bool,
    /// The template that the pods of one owner were made from, as far as a pod shows it, by the owner's UID; a pod
    /// without an owner is its own.
    pub templates: BTreeMap<String, Walked<Template>>,
    /// Which pod that is.
    shown_by: BTreeMap<String, Id>,
    /// What tells pods of one owner apart.
    pub marked: Marked,
    /// What lies around workloads, and the whole of Deployments and ReplicaSets.
    pub shown: Shown,
    /// Backstay's own objects and the namespaces.
    pub own: Arc<Own>,
    /// The newest time that any status, event or field manager tells of.
    pub newest: Option<Timestamp>,
    /// How many objects were taken or passed over.
    pub objects: usize,
}

/// Namespace and name.
pub type Id = (String, String);

impl Default for Intake {
    fn default() -> Self {
        Self {
            deployments: BTreeMap::new(),
            replica_sets: BTreeMap::new(),
            pods: BTreeMap::new(),
            asks: BTreeMap::new(),
            makers: BTreeMap::new(),
            named_makers: BTreeMap::new(),
            nodes: BTreeMap::new(),
            events: BTreeMap::new(),
            events_read: false,
            templates: BTreeMap::new(),
            shown_by: BTreeMap::new(),
            marked: Marked::default(),
            shown: Shown::default(),
            own: Own::new(),
            newest: None,
            objects: 0,
        }
    }
}

impl Intake {
    /// Takes an object in. `kind` is what the list that it came in says of its items, for lists whose items do not
    /// say it themselves.
    ///
    /// # Errors
    /// What makes the object none of its kind, for people.
    pub fn take(&mut self, object: Value, kind: Option<&str>) -> Result<(), String> {
        if !object.is_object() {
            return Err("it is no object".to_owned());
        }
        let said = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
        let kind = said("kind").or_else(|| kind.map(str::to_owned)).ok_or("it has no kind")?;
        let group = said("apiVersion").unwrap_or_default();
        let group = group.rsplit_once('/').map_or("", |(group, _)| group);
        self.dispatch(&kind, group, object)?;
        self.objects = self.objects.saturating_add(1);
        Ok(())
    }

    fn dispatch(&mut self, kind: &str, group: &str, object: Value) -> Result<(), String> {
        let newest = times::newest(&object);
        match (kind, group) {
            ("Deployment", "apps" | "") => {
                put(&mut self.deployments, kind, read(&object)?, |d| &mut d.metadata)?;
                self.shown.keep(kind, group, object);
            }
            ("ReplicaSet", "apps" | "") => {
                put(&mut self.replica_sets, kind, read(&object)?, |s| &mut s.metadata)?;
                self.shown.keep(kind, group, object);
            }
            ("Pod", "") => self.pod(object)?,
            ("Node", "") => put(&mut self.nodes, kind, typed(object)?, |n| &mut n.metadata)?,
            ("Event", "" | "events.k8s.io") => {
                self.events_read = true;
                put(&mut self.events, kind, typed(object)?, |e| &mut e.metadata)?;
            }
            ("StatefulSet" | "DaemonSet", "apps" | "") | ("Job", "batch" | "") | ("ReplicationController", "") => {
                let maker = Maker { kind: kind.to_owned(), ..read(&object)? };
                let (id, uid) = identity(kind, &maker.metadata)?;
                self.named_makers.insert((kind.to_owned(), id), uid.clone());
                self.makers.insert(uid, maker);
                self.shown.keep(kind, group, object);
            }
            ("ControllerRevision", "apps" | "") => {
                let kept: MetadataOnly = read(&object)?;
                self.marked.take_kept(&kept.metadata, &object);
                self.shown.keep(kind, group, object);
            }
            ("Namespace", "") => shelve(&self.own.namespaces, [Readable(Ok(typed(object)?))]),
            ("IncidentPolicy", _) => shelve(&self.own.policies, [Readable(Ok(typed(object)?))]),
            ("ClusterIncidentPolicy", _) => shelve(&self.own.cluster_policies, [Readable(Ok(typed(object)?))]),
            ("WorkloadHealth", _) => shelve(&self.own.health, [Readable(Ok(typed(object)?))]),
            ("Incident", _) => shelve(&self.own.incidents, [Readable(Ok(typed(object)?))]),
            _ if Shown::holds(kind, group) => self.shown.keep(kind, group, object),
            _ => return Ok(()),
        }
        self.newest = self.newest.max(newest);
        Ok(())
    }

    /// Takes in only what a pod takes of its node.
    pub fn take_asks(&mut self, pod: &Value) {
        let text = |path: &str| pod.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = (text("/metadata/namespace"), text("/metadata/name"));
        match asks(pod) {
            Some(asks) => self.asks.insert(id, asks),
            None => self.asks.remove(&id),
        };
    }

    fn pod(&mut self, object: Value) -> Result<(), String> {
        self.take_asks(&object);
        let template = Walked::<Template>::deserialize(&object).map_err(|error| error.to_string())?;
        let mut pod: SlimPod = read(&object)?;
        name_containers(&mut pod);
        let (id, uid) = identity("Pod", &pod.metadata)?;
        let owner = any_controller(&pod.metadata);
        // The kubelet's own pods are controlled by their node.
        let is_its_own = owner.is_none_or(|owner| owner.kind == "Node");
        let maker = owner.map_or(uid, |owner| owner.uid.clone());
        self.marked.take_pod(id.clone(), &maker, &object);
        put(&mut self.pods, "Pod", pod, |pod| &mut pod.metadata)?;
        // Of pods that differ the first by name is asked, in whatever order they come.
        if self.shown_by.get(&maker).is_none_or(|known| id < *known) {
            self.shown_by.insert(maker.clone(), id);
            self.templates.insert(maker, template);
        }
        if is_its_own {
            self.shown.keep("Pod", "", object);
        }
        Ok(())
    }

    /// The event with the UID of its object, which people leave out when they shorten an event by hand.
    pub fn named<'e>(&self, event: &'e SlimEvent) -> Cow<'e, SlimEvent> {
        let about = &event.involved_object;
        if about.uid.as_deref().is_some_and(|uid| !uid.is_empty()) {
            return Cow::Borrowed(event);
        }
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let id = (text(&about.namespace), text(&about.name));
        let uid = match about.kind.as_deref() {
            Some("Pod") => self.pods.get(&id).and_then(|pod| pod.metadata.uid.clone()),
            Some("ReplicaSet") => self.replica_sets.get(&id).and_then(|set| set.metadata.uid.clone()),
            Some("Deployment") => self.deployments.get(&id).and_then(|deployment| deployment.metadata.uid.clone()),
            Some(kind) => self.named_makers.get(&(kind.to_owned(), id)).cloned(),
            None => None,
        };
        let mut event = event.clone();
        event.involved_object.uid = uid;
        Cow::Owned(event)
    }

    /// Something of this kind made some of the pods.
    pub fn has_pods_of(&self, kind: &str) -> bool {
        self.pods.values().any(|pod| any_controller(&pod.metadata).is_some_and(|owner| owner.kind == kind))
    }

    /// What is kept of revisions would tell more: pods of one owner are of different ones, or an owner lacks some of its pods.
    pub fn wants_revisions(&self) -> bool {
        self.marked.tells_some_apart() || self.makers.values().any(Maker::lacks_ready_pods)
    }

    /// Something that can be diagnosed was taken in.
    pub fn has_workloads(&self) -> bool {
        let sets = self.deployments.is_empty() && self.replica_sets.is_empty();
        !(sets && self.pods.is_empty() && self.makers.is_empty())
    }
}

/// An object of which no more than its metadata is read so.
#[derive(Default, Deserialize)]
#[serde(default)]
struct MetadataOnly {
    #[serde(deserialize_with = "meta::read::<meta::NamesOnly, _>")]
    metadata: ObjectMeta,
}

/// The part of an object that becomes facts, where the rest of it is kept too.
fn read<T: DeserializeOwned>(object: &Value) -> Result<T, String> {
    T::deserialize(object).map_err(|error| error.to_string())
}

fn typed<T: DeserializeOwned>(object: Value) -> Result<T, String> {
    serde_json::from_value(object).map_err(|error| error.to_string())
}

/// Keeps the newer of two sights of one object, after filling in what people leave out when they shorten an object.
fn put<T>(
    into: &mut BTreeMap<Id, T>,
    kind: &str,
    mut object: T,
    meta: fn(&mut T) -> &mut ObjectMeta,
) -> Result<(), String> {
    let own = meta(&mut object);
    let (id, uid) = identity(kind, own)?;
    own.uid = Some(uid);
    // An object that does not say since when it exists is taken to be as old as can be: then nothing is too young.
    own.creation_timestamp.get_or_insert(Time(Timestamp::UNIX_EPOCH));
    let version = version(own);
    let known = into.get_mut(&id).map(|known| self::version(meta(known)));
    match (known.flatten(), version) {
        (Some(known), Some(version)) if version < known => {}
        _ => drop(into.insert(id, object)),
    }
    Ok(())
}

/// Which of two versions is newer is told by their numbers, in every API server that stores its objects in etcd.
fn version(meta: &ObjectMeta) -> Option<u64> {
    meta.resource_version.as_deref()?.parse().ok()
}

/// Namespace and name, and the UID or what stands in for it.
fn identity(kind: &str, meta: &ObjectMeta) -> Result<(Id, String), String> {
    let name = meta.name.as_deref().filter(|name| !name.is_empty()).ok_or("it has no metadata.name")?;
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let uid = meta.uid.as_deref().filter(|uid| !uid.is_empty());
    let uid = uid.map_or_else(|| format!("{kind}/{namespace}/{name}"), str::to_owned);
    Ok(((namespace.to_owned(), name.to_owned()), uid))
}

/// A pod whose spec was left out still names its containers in its status.
fn name_containers(pod: &mut SlimPod) {
    if !pod.spec.containers.is_empty() || !pod.spec.init_containers.is_empty() {
        return;
    }
    let named = |name: &String| Container { name: name.clone(), ..Container::default() };
    pod.spec.containers = pod.status.container_statuses.iter().map(|status| named(&status.name)).collect();
    pod.spec.init_containers = pod.status.init_container_statuses.iter().map(|status| named(&status.name)).collect();
}

#[cfg(test)]
mod tests;
