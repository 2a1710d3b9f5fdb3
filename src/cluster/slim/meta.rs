//! Metadata, read so that only what is used is ever allocated.
//!
//! kube wants an `ObjectMeta`, so that is what it gets; but managed fields, annotations and labels, which are most of
//! the metadata of a real object, are dropped while they are read.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, OwnerReference, Time};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::lenient::{self, Moment};
use crate::cluster::digest::Key;

/// What a kind needs of its metadata beside names, times and owners.
pub trait Needs {
    fn label(_key: &str) -> bool {
        false
    }
    fn annotation(_key: &str) -> bool {
        false
    }
    /// Whether the names of field managers are kept.
    const MANAGERS: bool = false;
    /// Whether it is kept who wrote a node's taints, and when.
    const TAINTS: bool = false;
}

/// Pods: neither labels nor annotations.
pub struct NamesOnly;

impl Needs for NamesOnly {}

/// Nodes: when their taints were written.
pub struct Node;

impl Needs for Node {
    const TAINTS: bool = true;
}

/// ReplicaSets: the revision and the hash.
pub struct Revision;

impl Needs for Revision {
    fn label(key: &str) -> bool {
        key == super::TEMPLATE_HASH
    }

    fn annotation(key: &str) -> bool {
        key == super::REVISION
    }
}

/// Deployments: all labels, since policies select by them, and the annotations that mark an owner or are our own.
pub struct Workload;

impl Needs for Workload {
    fn label(_key: &str) -> bool {
        true
    }

    fn annotation(key: &str) -> bool {
        const OURS: &str = "backstay.dev/";
        const OWNERS: [&str; 3] = ["argocd.argoproj.io/", "rollouts.kruise.io/", "flagger.app/"];
        key == super::REVISION || key.starts_with(OURS) || OWNERS.iter().any(|owner| key.starts_with(owner))
    }

    const MANAGERS: bool = true;
}

/// Reads metadata for `N`, as `#[serde(deserialize_with = "meta::read::<N, _>")]`.
///
/// # Errors
/// What is not a map of the shape of metadata.
pub fn read<'de, N: Needs, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    Ok(Option::<Slim<N>>::deserialize(deserializer)?.map(Slim::into_meta).unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "N: Needs")]
struct Slim<N> {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    #[serde(default)]
    creation_timestamp: Moment,
    #[serde(default)]
    deletion_timestamp: Moment,
    #[serde(default)]
    labels: Filtered<Labels<N>>,
    #[serde(default)]
    annotations: Filtered<Annotations<N>>,
    #[serde(default, deserialize_with = "lenient::or_default")]
    owner_references: Vec<Owner>,
    #[serde(default)]
    managed_fields: Managers<N>,
}

impl<N> Slim<N> {
    fn into_meta(self) -> ObjectMeta {
        let owners = self.owner_references.into_iter().map(Owner::into_reference).collect::<Vec<_>>();
        ObjectMeta {
            name: self.name,
            namespace: self.namespace,
            uid: self.uid,
            resource_version: self.resource_version,
            generation: self.generation,
            creation_timestamp: self.creation_timestamp.0.map(Time),
            deletion_timestamp: self.deletion_timestamp.0.map(Time),
            labels: Some(self.labels.kept).filter(|labels| !labels.is_empty()),
            annotations: Some(self.annotations.kept).filter(|annotations| !annotations.is_empty()),
            owner_references: Some(owners).filter(|owners| !owners.is_empty()),
            managed_fields: Some(self.managed_fields.kept).filter(|managers| !managers.is_empty()),
            ..ObjectMeta::default()
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Owner {
    api_version: String,
    kind: String,
    name: String,
    uid: String,
    controller: Option<bool>,
}

impl Owner {
    fn into_reference(self) -> OwnerReference {
        OwnerReference {
            api_version: self.api_version,
            kind: self.kind,
            name: self.name,
            uid: self.uid,
            controller: self.controller,
            block_owner_deletion: None,
        }
    }
}

/// Which keys of a map of strings are kept.
trait Keep {
    fn keep(key: &str) -> bool;
}

struct Labels<N>(PhantomData<N>);

impl<N: Needs> Keep for Labels<N> {
    fn keep(key: &str) -> bool {
        N::label(key)
    }
}

struct Annotations<N>(PhantomData<N>);

impl<N: Needs> Keep for Annotations<N> {
    fn keep(key: &str) -> bool {
        N::annotation(key)
    }
}

struct Filtered<K> {
    kept: BTreeMap<String, String>,
    keep: PhantomData<K>,
}

impl<K> Default for Filtered<K> {
    fn default() -> Self {
        Self { kept: BTreeMap::new(), keep: PhantomData }
    }
}

impl<'de, K: Keep> Deserialize<'de> for Filtered<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FilteredVisitor(Self::default()))
    }
}

struct FilteredVisitor<K>(Filtered<K>);

impl<'de, K: Keep> Visitor<'de> for FilteredVisitor<K> {
    type Value = Filtered<K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of strings")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(self.0)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut filtered = self.0;
        while let Some(Key(key)) = map.next_key()? {
            if K::keep(&key) {
                let value = map.next_value::<Option<String>>()?.unwrap_or_default();
                filtered.kept.insert(key.into_owned(), value);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(filtered)
    }
}

/// Who wrote the list of a node's taints.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Tainter {
    manager: Option<String>,
    time: Moment,
    #[serde(deserialize_with = "lenient::or_default")]
    fields_v1: Fields,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    #[serde(rename = "f:spec", deserialize_with = "lenient::or_default")]
    spec: SpecFields,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpecFields {
    #[serde(rename = "f:taints")]
    taints: Option<IgnoredAny>,
}

fn tainters<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ManagedFieldsEntry>, D::Error> {
    let managers = Option::<Vec<Tainter>>::deserialize(deserializer)?.unwrap_or_default();
    let of_taints = managers.into_iter().filter(|manager| manager.fields_v1.spec.taints.is_some());
    let entry = |of: Tainter| ManagedFieldsEntry {
        manager: of.manager,
        time: of.time.0.map(Time),
        ..ManagedFieldsEntry::default()
    };
    Ok(of_taints.map(entry).collect())
}

/// The field managers, without the fields.
struct Managers<N> {
    kept: Vec<ManagedFieldsEntry>,
    needs: PhantomData<N>,
}

impl<N> Default for Managers<N> {
    fn default() -> Self {
        Self { kept: Vec::new(), needs: PhantomData }
    }
}

impl<'de, N: Needs> Deserialize<'de> for Managers<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Manager {
            manager: Option<String>,
            operation: Option<String>,
            subresource: Option<String>,
        }
        if N::TAINTS {
            return Ok(Self { kept: tainters(deserializer)?, needs: PhantomData });
        }
        if !N::MANAGERS {
            IgnoredAny::deserialize(deserializer)?;
            return Ok(Self::default());
        }
        let managers = Option::<Vec<Manager>>::deserialize(deserializer)?.unwrap_or_default();
        let kept = managers.into_iter().map(|entry| ManagedFieldsEntry {
            manager: entry.manager,
            operation: entry.operation,
            subresource: entry.subresource,
            ..ManagedFieldsEntry::default()
        });
        Ok(Self { kept: kept.collect(), needs: PhantomData })
    }
}
