//! Who suffers and what else changed, read once when an incident is written: after the action, never before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ResourceQuota, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Resource;
use kube::api::{ApiResource, GroupVersionKind, ListParams};
use serde_json::Value;

use super::ask::{List, Source, gap, keep};
use super::entries::{ingress, route};
use super::parts::{
    SERVICE_NAME, autoscaler, budget, change, endpoints_of, governs, name, selector, selects, selects_one,
};
use super::templates::Of;
use super::{callers, clean, fellows};
use crate::engine::blast_radius::{Endpoints, Scene, dead};
use crate::engine::change::{Change, ChangeKind, MAX_TEXT};
use crate::engine::kin::{self, Belongings, Callee, Fellow};

/// Services that are followed to their endpoints, and those whose changes are told since the workload calls them.
const SERVICES: usize = 8;

/// What is asked about.
pub struct Question<'a> {
    pub kind: &'a str,
    pub namespace: &'a str,
    pub workload: &'a str,
    /// Name of the failing revision.
    pub revision: &'a str,
    /// Labels of the workload's pods.
    pub labels: &'a BTreeMap<String, String>,
    /// Changes before this do not matter.
    pub since: Timestamp,
    pub ours: Belongings,
    /// Other workloads that fail now.
    pub failing: Vec<Fellow>,
    /// Other namespaces may be looked at.
    pub everywhere: bool,
    /// Callers are looked for also where it takes what the operator has no right to, or goes through all pods there are.
    pub every_caller: bool,
}

impl Question<'_> {
    /// Where callers and routes are looked for.
    pub(super) fn reach(&self) -> Option<&str> {
        (!self.everywhere).then_some(self.namespace)
    }

    /// The autoscaler is of the workload.
    fn scales(&self, scaler: &Value) -> bool {
        let target = |key: &str| scaler.pointer("/spec/scaleTargetRef")?.get(key)?.as_str();
        target("name") == Some(self.workload) && target("kind").is_none_or(|kind| kind == self.kind)
    }
}

/// Looks around. At most sixteen requests, and one for each workload that fails too and is no Deployment, of which no more
/// than eight at once, each bounded in bytes and time. What the scene lacks is among its gaps, what the changes lack is
/// in the last part.
pub async fn look(source: Source<'_>, q: &Question<'_>) -> (Scene, Vec<Change>, Vec<String>) {
    let ns = q.namespace;
    let routes = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute"),
        "httproutes",
    );
    let of = Of { kind: q.kind, namespace: ns, name: q.workload };
    let (services, ingresses, routes, scalers, quotas, policies, budgets, failing) = tokio::join!(
        all::<Service>(source, Some(ns)),
        all::<Ingress>(source, Some(ns)),
        source.list(q.reach(), &routes),
        all::<HorizontalPodAutoscaler>(source, Some(ns)),
        all::<ResourceQuota>(source, Some(ns)),
        all::<NetworkPolicy>(source, Some(ns)),
        all::<PodDisruptionBudget>(source, Some(ns)),
        of.newest(source, q.revision),
    );
    let (mut gaps, mut unseen_changes) = (Vec::new(), Vec::new());
    let services = take(services, &mut gaps);
    let ingresses = take(ingresses, &mut gaps);
    // Without the Gateway API there are no routes, which is no gap.
    let routes = match routes {
        Err(gap) if gap.contains("(there is none)") => Vec::new(),
        routes => take(routes, &mut gaps),
    };
    let scalers = take(scalers, &mut unseen_changes);
    let quotas = take(quotas, &mut unseen_changes);
    let policies = take(policies, &mut unseen_changes);
    let budgets = take(budgets, &mut gaps);
    let template = keep(failing, &mut unseen_changes);
    gaps.extend(unfollowed(&services, template.is_none(), q));

    let ours: Vec<&Arc<Value>> = services.iter().filter(|service| selects(service, q.labels)).take(SERVICES).collect();
    let names: Vec<&str> = ours.iter().map(|service| name(service)).collect();
    let scales = |scaler: &&Arc<Value>| q.scales(scaler);
    let governed = |b: &&Arc<Value>| b.pointer("/spec/selector").is_some() && governs(b, "/spec/selector", q.labels);
    let mut scene = Scene {
        services: endpoints(source, ns, &names, &mut gaps).await,
        entries: ingresses.iter().flat_map(|i| ingress(i)).chain(routes.iter().map(|r| route(r, ns))).collect(),
        autoscaler: scalers.iter().find(scales).map(|scaler| autoscaler(scaler)),
        budgets: budgets.iter().filter(governed).map(|b| budget(b)).collect(),
        ..Scene::default()
    };
    relations(source, q, &mut scene, &mut gaps).await;
    scene.gaps = gaps;

    let mut changes = changed(ChangeKind::Service, "Service", ours.iter().copied(), q);
    changes.extend(changed(ChangeKind::Autoscaler, "HorizontalPodAutoscaler", scalers.iter().filter(scales), q));
    changes.extend(changed(ChangeKind::Quota, "ResourceQuota", quotas.iter(), q));
    let on_us = |policy: &&Arc<Value>| governs(policy, "/spec/podSelector", q.labels);
    changes.extend(changed(ChangeKind::NetworkPolicy, "NetworkPolicy", policies.iter().filter(on_us), q));
    if let Some(template) = template {
        let others = services.iter().filter(|service| !selects(service, q.labels));
        changes.extend(of_callees(&template, others, &policies, q));
    }
    (scene, changes, unseen_changes)
}

/// Services of the workload that are not followed to their endpoints.
fn unfollowed(services: &[Arc<Value>], unseen: bool, q: &Question<'_>) -> Option<String> {
    if unseen && q.labels.is_empty() {
        return Some(gap("Services and budgets that select the pods", "the labels of the pods are not known"));
    }
    let single = services.iter().filter(|service| selects_one(service, q.labels, q.workload));
    let names: Vec<&str> = single.map(|service| name(service)).take(SERVICES).collect();
    let why = "each leads to a single pod, and endpoints of those are not counted";
    (!names.is_empty()).then(|| gap(&format!("Services {}", names.join(", ")), why))
}

/// Changes of what the workload calls: the Services that its template names, and the policies on what is behind them.
fn of_callees<'a>(
    template: &Value,
    services: impl Iterator<Item = &'a Arc<Value>>,
    policies: &[Arc<Value>],
    q: &Question<'_>,
) -> Vec<Change> {
    let called = |service: &&Arc<Value>| {
        kin::calls(template, Callee { service: name(service), namespace: q.namespace, from: q.namespace })
    };
    let services = services.filter_map(|service| Some((service, called(&service)?)));
    let mut changes = Vec::new();
    for (service, through) in services.take(SERVICES) {
        let labels = selector(service);
        let on_it = |policy: &&Arc<Value>| {
            !labels.is_empty()
                && governs(policy, "/spec/podSelector", &labels)
                && !governs(policy, "/spec/podSelector", q.labels)
        };
        let mut of_it = changed(ChangeKind::Service, "Service", std::iter::once(service), q);
        of_it.extend(changed(ChangeKind::NetworkPolicy, "NetworkPolicy", policies.iter().filter(on_it), q));
        for change in &mut of_it {
            let whose = if change.kind == ChangeKind::Service { "called by" } else { "on what is called by" };
            change.text = clean(&format!("{}; {whose} {through}", change.text), MAX_TEXT);
        }
        changes.extend(of_it);
    }
    changes
}

/// Those of the objects that changed within the time that matters.
fn changed<'a>(
    kind: ChangeKind,
    word: &str,
    objects: impl Iterator<Item = &'a Arc<Value>>,
    q: &Question<'_>,
) -> Vec<Change> {
    objects.filter_map(|object| change(kind, word, object, q.since)).collect()
}

/// All objects of a kind, as far as one page has them.
pub(super) async fn all<K: Resource<DynamicType = ()>>(
    source: Source<'_>,
    namespace: Option<&str>,
) -> Result<List, String> {
    source.list(namespace, &ApiResource::erase::<K>(&())).await
}

pub(super) fn take(answer: Result<List, String>, gaps: &mut Vec<String>) -> Vec<Arc<Value>> {
    keep(answer, gaps).unwrap_or_default().told(gaps)
}

/// How many endpoints of these Services are ready. Where the slices could not be read, or not all of them, or where a
/// Service has none, nobody knows: that is no outage.
async fn endpoints(source: Source<'_>, namespace: &str, services: &[&str], gaps: &mut Vec<String>) -> Vec<Endpoints> {
    if services.is_empty() {
        return Vec::new();
    }
    let params = ListParams::default().labels(&format!("{SERVICE_NAME} in ({})", services.join(",")));
    let answer = source.list_with(Some(namespace), &ApiResource::erase::<EndpointSlice>(&()), params).await;
    let whole = answer.as_ref().is_ok_and(List::is_whole);
    let slices = take(answer, gaps);
    let count = |service: &&str| {
        let counted = if whole { endpoints_of(service, &slices) } else { None };
        Endpoints { service: (*service).to_owned(), counted }
    };
    let counted: Vec<Endpoints> = services.iter().map(count).collect();
    if whole {
        let uncounted = counted.iter().filter(|of| of.counted.is_none());
        gaps.extend(
            uncounted.map(|of| gap(&format!("endpoints of Service {}", of.service), "there is no slice of it")),
        );
    }
    counted
}

/// Reads the templates of other workloads, if something is dead or one fails that may name the same objects.
async fn relations(source: Source<'_>, q: &Question<'_>, scene: &mut Scene, gaps: &mut Vec<String>) {
    let dead: Vec<String> = dead(&scene.services).map(str::to_owned).collect();
    let near = |fellow: &Fellow| fellow.is_deployment() && fellows::may_share_objects(q, fellow);
    let deployments = match !dead.is_empty() || q.failing.iter().any(near) {
        true => take(all::<Deployment>(source, q.reach()).await, gaps),
        false => Vec::new(),
    };
    scene.also_failing = fellows::of(source, q, &deployments, gaps).await;
    if !dead.is_empty() {
        scene.dependents = callers::of(source, q, (&dead, deployments), gaps).await;
    }
}

#[cfg(test)]
#[path = "scene_tests.rs"]
mod tests;
