//! Which of the workloads that fail too share something with the one that is asked about.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use serde_json::Value;

use super::ask::{Source, keep};
use super::clean;
use super::parts::{name, namespace};
use super::scene::Question;
use super::templates::Of;
use crate::engine::blast_radius::Kin;
use crate::engine::change::references;
use crate::engine::kin::{self, Fellow};

/// Templates that are read at once.
const AT_ONCE: usize = 8;
/// Bytes of a workload that fails too, with its kind and namespace.
const MAX_FELLOW: usize = 320;

/// What `fellow` names may be what the workload that is asked about names: objects of one name in two namespaces are two.
pub fn may_share_objects(q: &Question<'_>, fellow: &Fellow) -> bool {
    *fellow.namespace == *q.namespace && !q.ours.objects.is_empty()
}

/// Those that share something. The Deployments were read before.
pub async fn of(source: Source<'_>, q: &Question<'_>, deployments: &[Arc<Value>], gaps: &mut Vec<String>) -> Vec<Kin> {
    let reads = q.failing.iter().cloned().map(|fellow| async move {
        let objects = objects(source, q, &fellow, deployments).await;
        (fellow, objects)
    });
    let known: Vec<(Fellow, Result<BTreeSet<String>, String>)> = stream::iter(reads).buffered(AT_ONCE).collect().await;
    let mut found = Vec::new();
    for (fellow, objects) in known {
        let mut theirs = fellow.uses.clone();
        theirs.objects.extend(keep(objects, gaps).unwrap_or_default());
        let shares = kin::shares(&q.ours, &theirs);
        if !shares.is_empty() {
            found.push(Kin { workload: clean(&fellow.to_string(), MAX_FELLOW), shares });
        }
    }
    found
}

/// The objects that its template names.
async fn objects(
    source: Source<'_>,
    q: &Question<'_>,
    fellow: &Fellow,
    deployments: &[Arc<Value>],
) -> Result<BTreeSet<String>, String> {
    let named = |template: &Value| references::of_template(template).into_keys().map(|r| r.to_string()).collect();
    if !may_share_objects(q, fellow) {
        return Ok(BTreeSet::new());
    }
    if fellow.is_deployment() {
        let is_it = |d: &&Arc<Value>| name(d) == &*fellow.name && namespace(d) == &*fellow.namespace;
        let template = deployments.iter().find(is_it).and_then(|d| d.pointer("/spec/template"));
        return Ok(template.map(named).unwrap_or_default());
    }
    // Only a person's look knows of these, and what that may not read it names.
    let of = Of { kind: &fellow.kind, namespace: &fellow.namespace, name: &fellow.name };
    of.template(source, &fellow.name).await.map(|template| named(&template))
}
