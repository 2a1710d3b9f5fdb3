//! Who suffers and what else changed, read once when an incident is written: after the action, never before it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ResourceQuota, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::{ApiResource, GroupVersionKind, ListParams};
use kube::core::{Selector, SelectorExt};
use kube::{Client, Resource};
use serde_json::Value;

use super::ask::{List, keep, list, list_with};
use crate::engine::blast_radius::{Dependent, Entry, Kin, Scene, dead};
use crate::engine::change::{Change, ChangeKind, author, references};
use crate::engine::kin::{self, Belongings};

/// Services that are followed to their endpoints.
const SERVICES: usize = 8;
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What is asked about.
pub struct Question<'a> {
    pub namespace: &'a str,
    pub workload: &'a str,
    /// Labels of the workload's pods.
    pub labels: &'a BTreeMap<String, String>,
    /// Changes before this do not matter.
    pub since: Timestamp,
    pub ours: Belongings,
    /// Other workloads that fail now, as `(NAMESPACE, NAME)`, and what is known of them.
    pub failing: Vec<(String, String, Belongings)>,
}

/// Looks around. At most nine requests, of which no more than six at once, each bounded in bytes and time. What the
/// scene lacks is among its gaps, what the changes lack is in the last part.
pub async fn look(client: &Client, q: &Question<'_>) -> (Scene, Vec<Change>, Vec<String>) {
    let ns = q.namespace;
    let routes = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute"),
        "httproutes",
    );
    let (services, ingresses, routes, scalers, quotas, policies) = tokio::join!(
        all::<Service>(client, ns),
        all::<Ingress>(client, ns),
        list(client, ns, &routes),
        all::<HorizontalPodAutoscaler>(client, ns),
        all::<ResourceQuota>(client, ns),
        all::<NetworkPolicy>(client, ns),
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

    let ours: Vec<&Value> = services.iter().filter(|service| selects(service, q.labels)).take(SERVICES).collect();
    let names: Vec<&str> = ours.iter().map(|service| name(service)).collect();
    let endpoints = endpoints(client, ns, &names, &mut gaps).await;
    let mut scene = Scene {
        services: names.iter().map(|name| endpoints_of(name, &endpoints)).collect(),
        entries: ingresses.iter().map(ingress).chain(routes.iter().map(route)).collect(),
        ..Scene::default()
    };
    relations(client, q, &mut scene, &mut gaps).await;
    scene.gaps = gaps;

    let scales = |s: &&Value| s.pointer("/spec/scaleTargetRef/name").and_then(Value::as_str) == Some(q.workload);
    let mut changes = changed(ChangeKind::Service, "Service", ours.iter().copied(), q);
    changes.extend(changed(ChangeKind::Autoscaler, "HorizontalPodAutoscaler", scalers.iter().filter(scales), q));
    changes.extend(changed(ChangeKind::Quota, "ResourceQuota", quotas.iter(), q));
    let policies = policies.iter().filter(|policy| governs(policy, q.labels));
    changes.extend(changed(ChangeKind::NetworkPolicy, "NetworkPolicy", policies, q));
    (scene, changes, unseen_changes)
}

/// Those of the objects that changed within the time that matters.
fn changed<'a>(
    kind: ChangeKind,
    word: &str,
    objects: impl Iterator<Item = &'a Value>,
    q: &Question<'_>,
) -> Vec<Change> {
    objects.filter_map(|object| change(kind, word, object, q.since)).collect()
}

/// All objects of a kind, as far as one page has them.
async fn all<K: Resource<DynamicType = ()>>(client: &Client, namespace: &str) -> Result<List, String> {
    list(client, namespace, &ApiResource::erase::<K>(&())).await
}

fn take(answer: Result<List, String>, gaps: &mut Vec<String>) -> Vec<Value> {
    keep(answer, gaps).unwrap_or_default().told(gaps)
}

/// Endpoint slices of these Services; none for none.
async fn endpoints(client: &Client, namespace: &str, services: &[&str], gaps: &mut Vec<String>) -> Vec<Value> {
    if services.is_empty() {
        return Vec::new();
    }
    let params = ListParams::default().labels(&format!("{SERVICE_NAME} in ({})", services.join(",")));
    take(list_with(client, namespace, &ApiResource::erase::<EndpointSlice>(&()), params).await, gaps)
}

/// Ready and unready endpoints of a Service. One pod may be in several slices, for two families of addresses.
pub fn endpoints_of(service: &str, slices: &[Value]) -> (String, u32, u32) {
    let of_service =
        |slice: &&Value| slice.pointer("/metadata/labels").and_then(|l| l.get(SERVICE_NAME)?.as_str()) == Some(service);
    let (mut ready, mut unready) = (BTreeSet::new(), BTreeSet::new());
    for endpoint in slices.iter().filter(of_service).flat_map(|slice| items(slice, "/endpoints")) {
        let uid = endpoint.pointer("/targetRef/uid").or_else(|| endpoint.pointer("/addresses/0"));
        let Some(uid) = uid.and_then(Value::as_str) else { continue };
        let is = |condition: &str| endpoint.pointer(&format!("/conditions/{condition}")).and_then(Value::as_bool);
        // An unknown readiness is to be taken for ready (`EndpointConditions` in the API).
        if is("ready").unwrap_or(true) {
            ready.insert(uid);
        } else if !is("terminating").unwrap_or(false) {
            unready.insert(uid);
        }
    }
    let count = |set: &BTreeSet<&str>| u32::try_from(set.len()).unwrap_or(u32::MAX);
    (service.to_owned(), count(&ready), count(&unready.difference(&ready).copied().collect()))
}

/// Reads the templates of the namespace's other Deployments, if something is dead or fails there too.
async fn relations(client: &Client, q: &Question<'_>, scene: &mut Scene, gaps: &mut Vec<String>) {
    let dead: Vec<String> = dead(&scene.services).map(str::to_owned).collect();
    let here = q.failing.iter().any(|(namespace, _, _)| namespace == q.namespace);
    let others =
        if dead.is_empty() && !here { Vec::new() } else { take(all::<Deployment>(client, q.namespace).await, gaps) };
    let template = |name_of: &str| others.iter().find(|d| name(d) == name_of).and_then(|d| d.pointer("/spec/template"));
    for (namespace, workload, known) in &q.failing {
        let mut theirs = known.clone();
        if namespace == q.namespace
            && let Some(template) = template(workload)
        {
            theirs.objects = references::of_template(template).into_keys().map(|r| r.to_string()).collect();
        }
        let shares = kin::shares(&q.ours, &theirs);
        if !shares.is_empty() {
            scene.also_failing.push(Kin { workload: format!("{namespace}/{workload}"), shares });
        }
    }
    for other in others.iter().filter(|d| name(d) != q.workload) {
        let Some(template) = other.pointer("/spec/template") else { continue };
        for service in &dead {
            if let Some(through) = kin::calls(template, service, q.namespace) {
                let workload = name(other).to_owned();
                scene.dependents.push(Dependent { workload, service: service.clone(), through });
            }
        }
    }
}

/// A change of an object within the time that matters.
fn change(kind: ChangeKind, word: &str, object: &Value, since: Timestamp) -> Option<Change> {
    let metadata = object.get("metadata")?;
    let created =
        metadata.get("creationTimestamp").and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok())?;
    let written = author::last_written(metadata).map(|(at, by, _)| (at, by));
    let (at, by, verb) = match written {
        // Whoever creates an object is its first writer.
        Some((at, by)) if at > created => (at, Some(by), "changed"),
        Some((_, by)) => (created, Some(by), "created"),
        None => (created, None, "created"),
    };
    (at >= since).then(|| Change {
        kind,
        aspect: None,
        subject: format!("{word} {}", name(object)),
        text: verb.to_owned(),
        at: Some(at),
        by: by.map(|by| super::clean(&by, 128)),
        relevant: false,
    })
}

/// The Service selects pods with these labels.
fn selects(service: &Value, labels: &BTreeMap<String, String>) -> bool {
    let selector = service.pointer("/spec/selector").and_then(Value::as_object).filter(|s| !s.is_empty());
    selector.is_some_and(|s| s.iter().all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str()))
}

/// The NetworkPolicy is about pods with these labels. One that is empty is about all.
fn governs(policy: &Value, labels: &BTreeMap<String, String>) -> bool {
    let selector = policy.pointer("/spec/podSelector").cloned().unwrap_or_default();
    let selector = serde_json::from_value::<LabelSelector>(selector).unwrap_or_default();
    Selector::try_from(selector).is_ok_and(|selector| selector.matches(labels))
}

fn ingress(object: &Value) -> Entry {
    let rules = items(object, "/spec/rules");
    let backend = |of: &Value, at: &str| of.pointer(at).and_then(Value::as_str).map(str::to_owned);
    let mut services: Vec<String> = rules
        .iter()
        .flat_map(|rule| items(rule, "/http/paths"))
        .filter_map(|path| backend(path, "/backend/service/name"))
        .collect();
    services.extend(backend(object, "/spec/defaultBackend/service/name"));
    let hosts = rules.iter().map(|rule| text(rule.get("host")));
    Entry { name: format!("Ingress {}", name(object)), hosts: hosts_or_all(hosts), services }
}

fn route(object: &Value) -> Entry {
    let rules = items(object, "/spec/rules");
    let backends = rules.iter().flat_map(|rule| items(rule, "/backendRefs"));
    let services = backends.filter(|b| b.get("kind").is_none_or(|kind| kind == "Service"));
    let services = services.filter_map(|b| b.get("name")?.as_str().map(str::to_owned)).collect();
    let hosts = items(object, "/spec/hostnames").iter().map(|host| text(Some(host)));
    Entry { name: format!("HTTPRoute {}", name(object)), hosts: hosts_or_all(hosts), services }
}

/// An entry without a host is for all of them.
fn hosts_or_all(hosts: impl Iterator<Item = String>) -> Vec<String> {
    let mut hosts: Vec<String> = hosts.map(|host| if host.is_empty() { "*".to_owned() } else { host }).collect();
    if hosts.is_empty() {
        hosts.push("*".to_owned());
    }
    hosts.sort();
    hosts.dedup();
    hosts
}

fn items<'a>(value: &'a Value, at: &str) -> &'a [Value] {
    value.pointer(at).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).map(|text| super::clean(text, 253)).unwrap_or_default()
}

fn name(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}
