//! The objects that templates name: whether they are there, and when what they hold last changed.

use std::collections::BTreeSet;

use futures::StreamExt;
use futures::stream;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, ServiceAccount};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ApiResource;
use serde_json::Value;

use super::ask::{Source, Why, gap};
use super::{Question, clean};
use crate::engine::change::references::{
    MAX_ELSEWHERE, MAX_REFERENCES, Reference, ReferenceFacts, ReferenceKind, Sight, Written, of_template,
};

/// Reads that go on at once.
const AT_ONCE: usize = 8;
/// Keys that are named.
const KEYS: usize = 8;

/// An object, what became of it or why that is not known, and the other namespaces that have one of its name.
type Seen = (Reference, Result<Sight, Why>, Vec<String>);

/// Looks at every object that one of the templates names; says what could not be looked at.
pub async fn look(
    source: Source<'_>,
    question: &Question,
    newest: &Value,
    baseline: Option<&Value>,
) -> (Vec<ReferenceFacts>, Vec<String>) {
    let of_newest = of_template(newest);
    let of_baseline = baseline.map(of_template).unwrap_or_default();
    let all: BTreeSet<Reference> = of_newest.keys().chain(of_baseline.keys()).cloned().collect();
    let omitted = all.len().saturating_sub(MAX_REFERENCES);
    let reads = all.into_iter().take(MAX_REFERENCES).map(|reference| async move {
        let sight = sight(source, question, &reference).await;
        let elsewhere = elsewhere(source, question, &reference, &sight).await;
        (reference, sight, elsewhere)
    });
    let seen: Vec<Seen> = stream::iter(reads).buffered(AT_ONCE).collect().await;
    let mut gaps = Vec::new();
    let mut blind = BTreeSet::new();
    let facts = seen.into_iter().map(|(reference, sight, elsewhere)| {
        let sight = sight.unwrap_or_else(|why| {
            if blind.insert(reference.kind) {
                gaps.push(gap(&format!("objects of kind {}", reference.kind), &why));
            }
            Sight::Unseen
        });
        ReferenceFacts {
            newest: of_newest.get(&reference).copied(),
            baseline: of_baseline.get(&reference).copied(),
            reference,
            sight,
            elsewhere,
        }
    });
    let facts = facts.collect();
    if omitted > 0 {
        gaps.push(format!("{omitted} more objects that the templates name"));
    }
    (facts, gaps)
}

/// The other namespaces that have a ConfigMap or Secret of this name, which the own one lacks. Of files it is often not known
/// that it does, and the kubelet says so.
async fn elsewhere(
    source: Source<'_>,
    question: &Question,
    reference: &Reference,
    sight: &Result<Sight, Why>,
) -> Vec<String> {
    let may_lack_it = match sight {
        Ok(sight) => *sight == Sight::Missing,
        Err(_) => matches!(source, Source::Input(_)),
    };
    let is_configuration = matches!(reference.kind, ReferenceKind::ConfigMap | ReferenceKind::Secret);
    if !(question.elsewhere && is_configuration && may_lack_it) {
        return Vec::new();
    }
    let mut namespaces = source.namespaces_with(&kind(reference.kind), &reference.name).await;
    namespaces.retain(|namespace| **namespace != *question.namespace);
    namespaces.sort();
    namespaces.truncate(MAX_ELSEWHERE);
    namespaces
}

fn kind(of: ReferenceKind) -> ApiResource {
    match of {
        ReferenceKind::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
        ReferenceKind::Secret => ApiResource::erase::<Secret>(&()),
        ReferenceKind::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
        ReferenceKind::PersistentVolumeClaim => ApiResource::erase::<PersistentVolumeClaim>(&()),
        ReferenceKind::PriorityClass => ApiResource::erase::<PriorityClass>(&()),
    }
}

async fn sight(source: Source<'_>, question: &Question, reference: &Reference) -> Result<Sight, Why> {
    let kind = kind(reference.kind);
    let wanted = match reference.kind {
        ReferenceKind::Secret => question.secrets,
        ReferenceKind::PriorityClass => question.outside,
        _ => true,
    };
    if !question.objects || !wanted {
        return Err(Why::Other("not to be looked at here".to_owned()));
    }
    let namespace = Some(&*question.namespace).filter(|_| reference.kind != ReferenceKind::PriorityClass);
    match source.metadata(&kind, namespace, &reference.name).await {
        Ok(object) => present(&object).ok_or_else(|| Why::Other("no time of creation".to_owned())),
        Err(Why::Missing) => Ok(Sight::Missing),
        Err(why) => Err(why),
    }
}

fn present(object: &Value) -> Option<Sight> {
    let meta: ObjectMeta = serde_json::from_value(object.get("metadata")?.clone()).ok()?;
    Some(Sight::Present { created: meta.creation_timestamp.as_ref()?.0, written: written(&meta) })
}

/// The last write to what the object holds, as its managed fields tell: names of keys, and never a value.
pub fn written(meta: &ObjectMeta) -> Option<Written> {
    let entries = meta.managed_fields.iter().flatten().filter(|e| e.subresource.as_deref().is_none_or(str::is_empty));
    let held = entries.filter_map(|entry| {
        let keys = keys(&entry.fields_v1.as_ref()?.0);
        (!keys.is_empty()).then_some((entry.time.as_ref()?.0, entry.manager.as_deref().unwrap_or("somebody"), keys))
    });
    let (at, by, mut keys) = held.max_by_key(|(at, _, _)| *at)?;
    keys.truncate(KEYS);
    Some(Written { at, by: clean(by, 64), keys })
}

/// The keys of `data` that a manager owns.
fn keys(fields: &Value) -> Vec<String> {
    let data = ["f:data", "f:binaryData", "f:stringData"].into_iter().filter_map(|part| fields.get(part)?.as_object());
    let keys = data.flat_map(|fields| fields.keys()).filter_map(|key| key.strip_prefix("f:"));
    keys.map(|key| clean(key, 64)).collect()
}
