//! Who suffers: replicas, Services, the hosts behind them, and workloads that share something or call what is dead.
//!
//! No ready endpoint is an outage, fewer than there should be is a loss of redundancy; the two are told apart because
//! people get up at night for the first only.

mod entries;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, IntoStaticStr};

use super::evidence::judged_pods;
use super::facts::{Snapshot, WorkloadFacts};
use super::finding::Finding;
use super::policy::Impact;
use super::words::Severity;

pub use entries::{ANY_HOST, ANY_OTHER_HOST, Entry, Way};

/// Entries kept of each list.
const KEPT: usize = 8;
/// Bytes of the sentence that says how the effect was told.
const MAX_BECAUSE: usize = 512;
/// Hosts kept.
const KEPT_HOSTS: usize = 16;
const KEPT_BUDGETS: usize = 4;

/// What the failure means to those who use the workload, the worst first.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumIter,
    IntoStaticStr,
)]
pub enum Effect {
    /// Nothing of the workload serves any more.
    Outage,
    /// It serves with less than it should.
    Degraded,
    /// As much serves as is asked for.
    Unharmed,
}

/// Who suffers, as it was when the incident was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlastRadius {
    pub effect: Effect,
    /// How urgent that is, apart from what the rule says.
    pub severity: Severity,
    /// How the effect was told, in a sentence.
    #[schemars(length(max = 512))]
    pub because: String,
    /// How many replicas are asked for, ready and failing.
    pub replicas: Replicas,
    /// Services that select the workload's pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub services: Vec<ServiceImpact>,
    /// Hosts of Ingresses and HTTPRoutes that lead to these Services, such as `shop.example.com (Ingress shop)`, with the
    /// paths that do where others lead elsewhere: `shop.example.com/pay (Ingress shop)`. `*` is every host, and `any other
    /// host` each that has no rule of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 320)))]
    pub hosts: Vec<String>,
    /// The autoscaler of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaler: Option<Autoscaler>,
    /// Disruption budgets that select the workload's pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub budgets: Vec<Budget>,
    /// Workloads that fail too and share something with this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub also_failing: Vec<Kin>,
    /// Workloads whose variables or arguments name a Service that has no ready endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub dependents: Vec<Dependent>,
    /// What could not be looked at, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 256)))]
    pub not_looked_at: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replicas {
    /// How many are asked for.
    #[schemars(range(min = 0))]
    pub desired: i32,
    /// How many are ready, of any revision.
    #[schemars(range(min = 0))]
    pub ready: i32,
    /// Pods of the failing revision that show the failure.
    #[schemars(range(min = 0))]
    pub failing: u32,
}

/// A Service and its endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceImpact {
    /// Name of the Service.
    #[schemars(length(max = 63))]
    pub name: String,
    /// How many endpoints are ready; absent where they could not be counted, which says nothing about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub ready: Option<u32>,
    /// How many there should be: endpoints that are there, ready or not, or the replicas asked for.
    #[schemars(range(min = 0))]
    pub expected: u32,
}

/// A HorizontalPodAutoscaler and how far it is from its bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Autoscaler {
    /// Name of the autoscaler.
    #[schemars(length(max = 253))]
    pub name: String,
    /// How many replicas it wants.
    #[schemars(range(min = 0))]
    pub desired: i32,
    /// How many it may ask for.
    #[schemars(range(min = 0))]
    pub max: i32,
    /// It cannot ask for more, so more load finds no more pods.
    pub at_max: bool,
}

/// A PodDisruptionBudget. It holds back evictions, such as those of a node that is drained, and never a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Name of the budget.
    #[schemars(length(max = 253))]
    pub name: String,
    /// How many pods may be evicted now.
    #[schemars(range(min = 0))]
    pub disruptions_allowed: i32,
    /// How many of its pods are healthy.
    #[schemars(range(min = 0))]
    pub healthy: i32,
    /// How many healthy pods it asks for.
    #[schemars(range(min = 0))]
    pub needed: i32,
}

/// A workload that fails too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Kin {
    /// `NAMESPACE/NAME` of a Deployment; else with its kind, such as `StatefulSet shop/db`.
    #[schemars(length(max = 320))]
    pub workload: String,
    /// What both use, such as `image web` or `ConfigMap settings`.
    #[schemars(length(max = 8), inner(length(max = 320)))]
    pub shares: Vec<String>,
}

/// A workload that calls a dead Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dependent {
    /// `NAME` of a Deployment of the same namespace; else with its kind or its namespace, such as `CronJob report` or
    /// `Deployment bank/pay`.
    #[schemars(length(max = 340))]
    pub workload: String,
    /// The dead Service that it calls.
    #[schemars(length(max = 63))]
    pub service: String,
    /// Where it is named: `env PAYMENT_URL of container web`.
    #[schemars(length(max = 256))]
    pub through: String,
}

/// What was read live for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// Services that select the workload's pods.
    pub services: Vec<Endpoints>,
    /// Hosts, and where Ingresses and HTTPRoutes lead from them.
    pub entries: Vec<Entry>,
    pub autoscaler: Option<Autoscaler>,
    pub budgets: Vec<Budget>,
    pub also_failing: Vec<Kin>,
    pub dependents: Vec<Dependent>,
    pub gaps: Vec<String>,
}

/// A Service and what is behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    pub service: String,
    /// Ready and unready endpoints; `None` where they could not be counted.
    pub counted: Option<(u32, u32)>,
}

/// The Services of a scene that have no ready endpoint.
pub fn dead(services: &[Endpoints]) -> impl Iterator<Item = &str> {
    services.iter().filter(|of| matches!(of.counted, Some((0, _)))).map(|of| of.service.as_str())
}

/// The replicas alone show a worse effect than the one that is known.
pub fn is_worse(s: &Snapshot, findings: &[Finding], known: &BlastRadius) -> bool {
    effect(&replicas(s, findings), &[]) < known.effect
}

/// Adds up what the replicas and the scene show.
pub fn assess(s: &Snapshot, replicas: Replicas, scene: Scene) -> BlastRadius {
    let asked = u32::try_from(replicas.desired).unwrap_or_default();
    let services: Vec<ServiceImpact> = (scene.services.into_iter().take(KEPT))
        .map(|of| {
            let (ready, unready) = of.counted.unwrap_or_default();
            let ready_or_not = ready.saturating_add(unready);
            ServiceImpact {
                name: of.service,
                ready: of.counted.map(|(ready, _)| ready),
                expected: ready_or_not.max(asked),
            }
        })
        .collect();
    let known = |name: &String| services.iter().any(|service| &service.name == name);
    let hosts = scene.entries.iter().flat_map(|entry| entry.led(known)).take(KEPT_HOSTS).collect();
    // What leads to a Service that serves does not suffer with what leads to one that is dead.
    let is_any_dead = services.iter().any(is_dead);
    let suffers = |name: &String| services.iter().any(|of| of.name == *name && (is_dead(of) || !is_any_dead));
    let suffering = scene.entries.iter().flat_map(|entry| entry.led(suffers)).count();
    let is_asked = serves(s) || !services.is_empty();
    let effect = if is_asked { effect(&replicas, &services) } else { Effect::Unharmed };
    let (severity, mut because) = severity(effect, &replicas, &services, suffering, s.policy.impact.as_ref());
    if !is_asked {
        "its work is not done; nothing that serves is known to be lost".clone_into(&mut because);
    }
    if let Some(full) = scene.autoscaler.as_ref().filter(|of| of.at_max && effect != Effect::Unharmed) {
        because = format!("{because}; HorizontalPodAutoscaler {} is at its maximum of {}", full.name, full.max);
    }
    BlastRadius {
        effect,
        severity,
        because: super::text::head(&because, MAX_BECAUSE).to_owned(),
        replicas,
        services,
        hosts,
        autoscaler: scene.autoscaler,
        budgets: first(scene.budgets, KEPT_BUDGETS),
        also_failing: first(scene.also_failing, KEPT),
        dependents: first(scene.dependents, KEPT),
        not_looked_at: first(unasked(s).into_iter().chain(scene.gaps).collect(), KEPT),
    }
}

/// Somebody may ask it for something. A Job does its work unasked, unless a Service leads to it.
fn serves(s: &Snapshot) -> bool {
    let ends = !s.pods.is_empty() && s.pods.iter().all(|pod| pod.may_end);
    !(&*s.workload.kind == "Job" || (&*s.workload.kind == "Pod" && ends))
}

/// How many replicas there should be is told by the workload itself; those that are there are taken for it where that was not
/// seen.
fn unasked(s: &Snapshot) -> Option<String> {
    let WorkloadFacts { kind, name, uid, .. } = &s.workload;
    let tells = !uid.is_empty() || matches!(&**kind, "Pod" | "ReplicaSet" | "Job");
    (!tells).then(|| format!("how many replicas are asked for ({kind} {name} was not seen)"))
}

fn first<T>(mut all: Vec<T>, kept: usize) -> Vec<T> {
    all.truncate(kept);
    all
}

/// Replicas as they are now.
pub fn replicas(s: &Snapshot, findings: &[Finding]) -> Replicas {
    let ready = s.revisions.iter().flat_map(|r| judged_pods(s, &r.uid)).filter(|p| p.ready).count();
    // A pod that was put out is still the one that there should be.
    let alone = i32::from(&*s.workload.kind == "Pod");
    Replicas {
        desired: s.workload.replicas.max(alone),
        ready: i32::try_from(ready).unwrap_or(i32::MAX),
        failing: findings.iter().filter(|f| f.is_evident()).map(|f| f.failing_pods).max().unwrap_or_default(),
    }
}

fn effect(replicas: &Replicas, services: &[ServiceImpact]) -> Effect {
    let dead = services.iter().any(|service| is_dead(service) && service.expected > 0);
    if dead || (replicas.ready == 0 && replicas.desired > 0) {
        Effect::Outage
    } else if replicas.ready < replicas.desired
        || services.iter().any(|of| of.ready.is_some_and(|ready| ready < of.expected.min(asked(replicas))))
    {
        Effect::Degraded
    } else {
        Effect::Unharmed
    }
}

/// The first names, and how many more there are.
fn some(names: &[&str]) -> String {
    const NAMED: usize = 3;
    let named = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(NAMED);
    if more > 0 { format!("{named} and {more} more") } else { named }
}

fn is_dead(service: &ServiceImpact) -> bool {
    service.ready == Some(0)
}

fn asked(replicas: &Replicas) -> u32 {
    u32::try_from(replicas.desired).unwrap_or_default()
}

/// How urgent it is, and why: by the effect, and one step more for what the business calls most important.
fn severity(
    effect: Effect,
    replicas: &Replicas,
    services: &[ServiceImpact],
    hosts: usize,
    impact: Option<&Impact>,
) -> (Severity, String) {
    let dead: Vec<&str> = services.iter().filter(|s| is_dead(s)).map(|s| s.name.as_str()).collect();
    let serving = format!("{} of {} replicas are ready", replicas.ready, replicas.desired);
    let mut because = match effect {
        Effect::Outage if !dead.is_empty() => format!("Service {} has no ready endpoint", some(&dead)),
        Effect::Outage => format!("no replica is ready, of {}", replicas.desired),
        Effect::Degraded => format!("{serving}: less redundancy, no outage"),
        Effect::Unharmed => format!("{serving}: nothing that serves was lost"),
    };
    if effect == Effect::Outage && hosts > 0 {
        let hosts = if hosts == 1 { "1 host leads".to_owned() } else { format!("{hosts} hosts lead") };
        because = format!("{because}; {hosts} to it");
    }
    let most_important = impact.is_some_and(|impact| impact.tier == Some(1));
    let severity = match (effect, most_important) {
        (Effect::Outage, _) | (Effect::Degraded, true) => Severity::Critical,
        (Effect::Degraded, false) | (Effect::Unharmed, true) => Severity::Warning,
        (Effect::Unharmed, false) => Severity::Info,
    };
    if most_important && effect != Effect::Outage {
        because = format!("{because}; tier 1 makes it one step more urgent");
    }
    (severity, because)
}

#[cfg(test)]
mod tests;
