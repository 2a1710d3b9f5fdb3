//! Revisions of StatefulSets and DaemonSets: their pods have one owner, and only a label tells which revision each is of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::Id;
use crate::cluster::slim::any_controller;

/// `ControllerRevisionHashLabelKey` in `apps/v1`. A StatefulSet writes the name of a ControllerRevision there, a DaemonSet
/// the hash in that name.
pub const REVISION_HASH: &str = "controller-revision-hash";

/// What tells the revisions of one owner apart.
#[derive(Debug, Default)]
pub struct Marked {
    /// The label's value, by pod.
    marks: BTreeMap<Id, String>,
    /// A pod of every mark, by the UID of its owner and the mark.
    pods: BTreeMap<(String, String), Value>,
    /// ControllerRevisions by the UID of their owner.
    kept: BTreeMap<String, Vec<Kept>>,
}

/// A ControllerRevision.
#[derive(Debug)]
pub struct Kept {
    pub name: String,
    hash: String,
    pub created: Option<Timestamp>,
    /// One that is taken up again gets a new, higher number.
    pub number: i64,
    /// The whole template.
    pub template: Option<Value>,
}

impl Marked {
    pub fn take_pod(&mut self, id: Id, owner: &str, pod: &Value) {
        let label = pod.pointer("/metadata/labels").and_then(|labels| labels.get(REVISION_HASH));
        let Some(mark) = label.and_then(Value::as_str).filter(|mark| !mark.is_empty()) else {
            self.marks.remove(&id);
            return;
        };
        self.marks.insert(id, mark.to_owned());
        self.pods.entry((owner.to_owned(), mark.to_owned())).or_insert_with(|| pod.clone());
    }

    pub fn take_kept(&mut self, meta: &ObjectMeta, object: &Value) {
        let Some(owner) = any_controller(meta) else { return };
        let name = meta.name.clone().unwrap_or_default();
        let hash = object.pointer("/metadata/labels").and_then(|labels| labels.get(REVISION_HASH));
        let kept = Kept {
            hash: hash.and_then(Value::as_str).unwrap_or_default().to_owned(),
            created: meta.creation_timestamp.as_ref().map(|created| created.0),
            number: object.get("revision").and_then(Value::as_i64).unwrap_or_default(),
            template: object.pointer("/data/spec/template").filter(|template| template.is_object()).cloned(),
            name,
        };
        let of_owner = self.kept.entry(owner.uid.clone()).or_default();
        of_owner.retain(|known| known.name != kept.name);
        of_owner.push(kept);
    }

    pub fn of(&self, namespace: &str, pod: &str) -> Option<&str> {
        self.marks.get(&(namespace.to_owned(), pod.to_owned())).map(String::as_str)
    }

    /// The ControllerRevision that a mark stands for.
    pub fn kept(&self, owner: &str, mark: &str) -> Option<&Kept> {
        let mut of_owner = self.kept.get(owner)?.iter();
        of_owner.find(|kept| kept.name == mark || kept.hash == mark)
    }

    /// The newest ControllerRevision of an owner, before that of a certain number.
    pub fn newest(&self, owner: &str, before: Option<i64>) -> Option<&Kept> {
        let of_owner = self.kept.get(owner)?.iter();
        of_owner.filter(|kept| before.is_none_or(|before| kept.number < before)).max_by_key(|kept| kept.number)
    }

    pub fn pod(&self, owner: &str, mark: &str) -> Option<&Value> {
        self.pods.get(&(owner.to_owned(), mark.to_owned()))
    }

    /// Pods of one owner have different marks.
    pub fn tells_some_apart(&self) -> bool {
        let owners = || self.pods.keys().map(|(owner, _)| owner);
        owners().zip(owners().skip(1)).any(|(owner, next)| owner == next)
    }
}
