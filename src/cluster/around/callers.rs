//! Who calls a Service that is dead: whatever has a template, or is a pod that nobody made, that names it.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{DaemonSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, ListParams};
use serde_json::Value;

use super::ask::{List, Source};
use super::clean;
use super::parts::{items, name, namespace};
use super::scene::{Question, all, take};
use crate::engine::blast_radius::Dependent;
use crate::engine::kin::{self, Callee};

/// Bytes of a workload that calls, with its kind and namespace.
const MAX_CALLER: usize = 340;
/// Where most kinds have their template.
const TEMPLATE: &str = "/spec/template";
/// What makes pods marks them so; the few that have none of these are worth a list.
const UNMARKED: &str = "!pod-template-hash,!controller-revision-hash,!job-name";
/// The operator has no right to list DaemonSets, and to find the few pods that nobody made the API server would go
/// through all there are.
const UNSEARCHED: &str = "DaemonSets and single pods that may call a dead Service (not to be looked at)";

/// Those that call one of the dead Services of the namespace. The Deployments were read before.
pub async fn of(
    source: Source<'_>,
    q: &Question<'_>,
    (dead, deployments): (&[String], Vec<Arc<Value>>),
    gaps: &mut Vec<String>,
) -> Vec<Dependent> {
    let reach = q.reach();
    let (sets, daemons, scheduled, jobs, pods) = tokio::join!(
        all::<StatefulSet>(source, reach),
        if_wanted(q, all::<DaemonSet>(source, reach)),
        all::<CronJob>(source, reach),
        all::<Job>(source, reach),
        if_wanted(q, pods_of_nobody(source, reach)),
    );
    gaps.extend((!q.every_caller).then(|| UNSEARCHED.to_owned()));
    let kinds = [
        ("Deployment", TEMPLATE, deployments),
        ("StatefulSet", TEMPLATE, take(sets, gaps)),
        ("DaemonSet", TEMPLATE, take(daemons, gaps)),
        ("CronJob", "/spec/jobTemplate/spec/template", take(scheduled, gaps)),
        ("Job", TEMPLATE, take(jobs, gaps)),
        ("Pod", "", take(pods, gaps)),
    ];
    let mut found = Vec::new();
    for (kind, at, objects) in kinds {
        for object in objects.iter().filter(|object| speaks_for_itself(kind, object)) {
            if let Some(template) = object.pointer(at) {
                found.extend(calls(q, dead, (kind, object), template));
            }
        }
    }
    found
}

async fn if_wanted(q: &Question<'_>, list: impl Future<Output = Result<List, String>>) -> Result<List, String> {
    if q.every_caller { list.await } else { Ok(List::default()) }
}

/// Of files no other pods are kept, so that there being none is no gap.
async fn pods_of_nobody(source: Source<'_>, reach: Option<&str>) -> Result<List, String> {
    let params = ListParams::default().labels(UNMARKED);
    let pods = source.list_with(reach, &ApiResource::erase::<Pod>(&()), params).await;
    if matches!(source, Source::Input(_)) { Ok(pods.unwrap_or_default()) } else { pods }
}

/// It is not at its end, and nothing else that is looked through has the same template.
fn speaks_for_itself(kind: &str, object: &Value) -> bool {
    let makers = items(object, "/metadata/ownerReferences");
    let maker = makers.iter().find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true));
    let is = |of: &Value, key: &str, word: &str| of.get(key).is_some_and(|value| value == word);
    match kind {
        "Job" => {
            let ends = |c: &Value| is(c, "status", "True") && (is(c, "type", "Complete") || is(c, "type", "Failed"));
            let has_ended = items(object, "/status/conditions").iter().any(ends);
            !has_ended && !maker.is_some_and(|maker| is(maker, "kind", "CronJob"))
        }
        "Pod" => {
            let phase = object.pointer("/status/phase").and_then(Value::as_str);
            // The kubelet's own pods are controlled by their node.
            !matches!(phase, Some("Succeeded" | "Failed")) && maker.is_none_or(|maker| is(maker, "kind", "Node"))
        }
        _ => true,
    }
}

/// The dead Services that a template names, unless it is of the workload that fails.
fn calls(q: &Question<'_>, dead: &[String], (kind, object): (&str, &Value), template: &Value) -> Vec<Dependent> {
    let (own, place) = (name(object), namespace(object));
    let here = place == q.namespace || place.is_empty();
    if here && kind == q.kind && own == q.workload {
        return Vec::new();
    }
    let workload = match (kind, here) {
        ("Deployment", true) => own.to_owned(),
        (kind, true) => format!("{kind} {own}"),
        (kind, false) => format!("{kind} {place}/{own}"),
    };
    let workload = clean(&workload, MAX_CALLER);
    let from = if here { q.namespace } else { place };
    let call = |service: &String| {
        let through = kin::calls(template, Callee { service, namespace: q.namespace, from })?;
        Some(Dependent { workload: workload.clone(), service: service.clone(), through })
    };
    dead.iter().filter_map(call).collect()
}
