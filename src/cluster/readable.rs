//! Objects of our own kinds that may not be what their kind says.
//!
//! A definition can be loosened, an older one can let pass what this version refuses, a newer one can write words that
//! this version does not know. One such object must not stop the watch of all others, so reading it does not fail: it
//! gives the object's metadata and, in words that a person can act on, what is wrong with it.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, ObjectMeta};
use kube::Resource;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::Value;

use super::text;
use crate::api::{crds, schema};

/// Places named in one sentence.
const MAX_PLACES: usize = 3;

/// An object, or what is wrong with it.
#[derive(Clone, Debug)]
pub struct Readable<K>(pub Result<K, Box<Unreadable>>);

/// What is known of an object that cannot be read as its kind.
#[derive(Clone, Debug)]
pub struct Unreadable {
    pub metadata: ObjectMeta,
    /// The conditions in its status, as far as those can be read.
    pub conditions: Vec<Condition>,
    /// Such as `spec.rollout.stableSeconds: must be a whole number, not a text`.
    pub because: String,
    pub reach: Reach,
}

/// Whom a policy that cannot be read would govern, as far as that much of it can be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reach {
    pub selector: Option<LabelSelector>,
    pub namespaces: Option<LabelSelector>,
    pub priority: Option<i32>,
}

impl Reach {
    fn of(object: &Value) -> Self {
        let at = |place: &str| object.pointer(place);
        let selector = |place: &str| at(place).and_then(|found| LabelSelector::deserialize(found).ok());
        Self {
            selector: selector("/spec/selector"),
            namespaces: selector("/spec/namespaceSelector"),
            priority: at("/spec/priority").map_or(Some(0), |found| i32::deserialize(found).ok()),
        }
    }
}

impl Unreadable {
    /// What makes it the same fault of the same object.
    pub fn fault(&self) -> (Option<&str>, Option<i64>, &str) {
        (self.metadata.uid.as_deref(), self.metadata.generation, &self.because)
    }
}

impl<'de, K: Resource<DynamicType = ()> + DeserializeOwned> Deserialize<'de> for Readable<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match K::deserialize(&value) {
            Ok(object) => Ok(Self(Ok(object))),
            Err(error) => {
                // An object without metadata has no name to speak of: then it is the answer that cannot be read.
                let metadata = value.get("metadata").ok_or_else(|| D::Error::custom(&error))?;
                let metadata = ObjectMeta::deserialize(metadata).map_err(D::Error::custom)?;
                let because = places::<K>(&value).unwrap_or_else(|| error.to_string());
                let because = text::clean(&because, text::MAX_MESSAGE).into();
                let conditions = value.pointer("/status/conditions").map(Vec::deserialize);
                let conditions = conditions.and_then(Result::ok).unwrap_or_default();
                let reach = Reach::of(&value);
                Ok(Self(Err(Box::new(Unreadable { metadata, conditions, because, reach }))))
            }
        }
    }
}

impl<K: Resource> Resource for Readable<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &K::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &K::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &K::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &K::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|unreadable| &unreadable.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|unreadable| &mut unreadable.metadata, K::meta_mut)
    }
}

/// Where the object is not what its definition says, if it has one and that can tell. The error of the reader names no
/// place.
fn places<K: Resource<DynamicType = ()>>(value: &Value) -> Option<String> {
    let kind = K::kind(&());
    let crd = crds::all().into_iter().find(|crd| crd.spec.names.kind == kind && crd.spec.group == K::group(&()))?;
    let mut wrong = Vec::new();
    schema::check(&value.into(), &schema::of(&crd)?, "", &mut wrong);
    let places: Vec<String> = wrong.iter().take(MAX_PLACES).map(|w| format!("{}: {}", w.path, w.because)).collect();
    (!places.is_empty()).then(|| places.join("; "))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;
    use crate::api::{Incident, IncidentPolicy};

    fn because<K: Resource<DynamicType = ()> + DeserializeOwned>(spec: Value) -> String {
        let object = json!({"metadata": {"name": "odd", "namespace": "shop"}, "spec": spec});
        let read: Readable<K> = serde_json::from_value(object).unwrap();
        assert_eq!(read.meta().name.as_deref(), Some("odd"));
        read.0.err().expect("it cannot be read").because
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let selector = json!({"matchLabels": {"app": "web"}});
        assert_eq!(
            because::<IncidentPolicy>(json!({"selector": selector, "rollout": {"stableSeconds": "soon"}})),
            "spec.rollout.stableSeconds: must be a whole number, not a text"
        );
        assert_eq!(because::<IncidentPolicy>(json!({})), "spec.selector: is required");
        let said = because::<IncidentPolicy>(json!({"selector": selector, "rules": [{"name": "a", "action": "Undo"}]}));
        assert!(said.starts_with("spec.rules[0].action: Undo is not one of"), "{said}");
        let said = because::<Incident>(json!({"workload": 7}));
        assert!(said.contains("spec.workload: must be an object, not a number"), "{said}");
    }

    #[test]
    fn a_kind_without_a_definition_of_ours_is_told_in_the_readers_words() {
        let object = json!({"metadata": {"name": "odd"}, "data": 7});
        let read: Readable<ConfigMap> = serde_json::from_value(object).unwrap();
        assert!(read.0.err().unwrap().because.contains("invalid type"));
    }

    #[test]
    fn what_fits_is_read_and_what_has_no_name_is_an_error() {
        let object = json!({"metadata": {"name": "even"}, "data": {"a": "b"}});
        assert!(serde_json::from_value::<Readable<ConfigMap>>(object).unwrap().0.is_ok());
        assert!(serde_json::from_value::<Readable<ConfigMap>>(json!({"data": 7})).is_err());
    }
}
