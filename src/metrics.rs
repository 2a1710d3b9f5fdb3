//! What Backstay counts and measures, in the names and units that Prometheus asks for.
//!
//! Everything is set through methods, so that the names of metrics and labels are nowhere else.

mod labels;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};
use strum::IntoEnumIterator;
use tokio::time::Instant;

use crate::engine::words::{ActionKind, Class, Fault, RefusalReason, State};
use labels::{
    ActionLabels, BuildLabels, CategoryLabel, FindingLabels, IncidentLabels, ReasonLabel, ResourceLabel, ResultLabel,
    StateLabel, Word,
};
pub use labels::{ActionResult, ErrorCategory, IncidentOutcome, LogResult, WatchedResource};

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every metric of this process. Shared by reference; all methods are cheap and take `&self`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    incidents: Family<IncidentLabels, Counter>,
    incidents_open: Gauge,
    decisions: Family<StateLabel, Counter>,
    refusals: Family<ReasonLabel, Counter>,
    actions: Family<ActionLabels, Counter>,
    findings: Family<FindingLabels, Gauge>,
    decision_duration: Histogram,
    action_duration: Histogram,
    reconciles: Counter,
    reconcile_errors: Family<CategoryLabel, Counter>,
    objects_in_backoff: Gauge,
    log_reads: Family<ResultLabel, Counter>,
    watch_age: Family<ResourceLabel, Gauge<f64, std::sync::atomic::AtomicU64>>,
    watch_seen: Mutex<HashMap<WatchedResource, Instant>>,
    watch_errors: Family<ResourceLabel, Counter>,
    store_objects: Family<ResourceLabel, Gauge>,
    frozen_workloads: Gauge,
    storm_active: Gauge,
    leader: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("backstay"),
            incidents: Family::default(),
            incidents_open: Gauge::default(),
            decisions: Family::default(),
            refusals: Family::default(),
            actions: Family::default(),
            findings: Family::default(),
            // 1 µs to 65 ms: a decision is arithmetic.
            decision_duration: Histogram::new(exponential_buckets(1e-6, 4.0, 9)),
            // 1 ms to 33 s: an action is an evidence read, an incident and a patch.
            action_duration: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            reconciles: Counter::default(),
            reconcile_errors: Family::default(),
            objects_in_backoff: Gauge::default(),
            log_reads: Family::default(),
            watch_age: Family::default(),
            watch_seen: Mutex::default(),
            watch_errors: Family::default(),
            store_objects: Family::default(),
            frozen_workloads: Gauge::default(),
            storm_active: Gauge::default(),
            leader: Gauge::default(),
        };
        metrics.start_counters_at_zero();
        metrics.register_outcomes();
        metrics.register_workings();
        metrics
    }

    /// A counter that appears with its first event has no increase that an alert could see.
    fn start_counters_at_zero(&self) {
        for state in State::iter() {
            drop(self.decisions.get_or_create(&state.into()));
        }
        for reason in RefusalReason::iter() {
            drop(self.refusals.get_or_create(&reason.into()));
        }
        for action in ActionKind::iter() {
            for result in ActionResult::iter() {
                drop(self.actions.get_or_create(&ActionLabels::new(action, result)));
            }
        }
        // Only what there is an alert for: all of them would be some four hundred series.
        for class in Class::iter() {
            for action in [ActionKind::RollBack, ActionKind::Freeze] {
                for outcome in [IncidentOutcome::Ineffective, IncidentOutcome::Retaken] {
                    drop(self.incidents.get_or_create(&IncidentLabels::new(class, Some(action), outcome)));
                }
            }
        }
        for category in ErrorCategory::iter() {
            drop(self.reconcile_errors.get_or_create(&category.into()));
        }
        for result in LogResult::iter() {
            drop(self.log_reads.get_or_create(&result.into()));
        }
    }

    fn register(&mut self, name: &str, help: &str, metric: impl Metric) {
        self.registry.register(name, help, metric);
    }

    fn register_seconds(&mut self, name: &str, help: &str, metric: impl Metric) {
        self.registry.register_with_unit(name, help, Unit::Seconds, metric);
    }

    // The library adds `_total` to counters, `_info` to infos, the unit, and a full stop to the help.
    fn register_outcomes(&mut self) {
        self.register("incidents", "Incidents by what became of them", self.incidents.clone());
        self.register("incidents_open", "Incidents that have not ended", self.incidents_open.clone());
        self.register("decisions", "Decisions by the state that they found", self.decisions.clone());
        self.register("refusals", "Actions that a guard refused", self.refusals.clone());
        self.register("actions", "Actions on workloads", self.actions.clone());
        self.register("findings", "Findings that show now", self.findings.clone());
        self.register(
            "frozen_workloads",
            "Workloads that Backstay holds, frozen or paused on suspicion",
            self.frozen_workloads.clone(),
        );
        self.register("storm_active", "1 while the storm brake forbids actions", self.storm_active.clone());
        let help = "Time from the beginning of a look to the acceptance of the action that it decided on";
        self.register_seconds("action_duration", help, self.action_duration.clone());
        self.register_seconds("decision_duration", "Time to decide on a workload", self.decision_duration.clone());
    }

    fn register_workings(&mut self) {
        self.register("reconcile", "Reconciles of workloads", self.reconciles.clone());
        self.register("reconcile_errors", "Reconciles that failed", self.reconcile_errors.clone());
        let help = "Workloads that wait after a failed reconcile";
        self.register("objects_in_backoff", help, self.objects_in_backoff.clone());
        self.register("log_reads", "Logs of containers that were read as evidence", self.log_reads.clone());
        self.register_seconds("watch_age", "Time since a watch last showed life", self.watch_age.clone());
        self.register("watch_errors", "Watches that broke", self.watch_errors.clone());
        self.register("store_objects", "Objects held in memory", self.store_objects.clone());
        self.register("leader", "1 while this replica leads", self.leader.clone());
        let build = Info::new(BuildLabels { version: Word(env!("CARGO_PKG_VERSION")) });
        self.register("build", "The version that runs", build);
    }

    /// An incident ended, or a person is needed because its action did not hold. `class` is that of its first
    /// finding, `action` the last one taken.
    pub fn incident_came_to(&self, class: Class, action: Option<ActionKind>, outcome: impl Into<IncidentOutcome>) {
        self.incidents.get_or_create(&IncidentLabels::new(class, action, outcome.into())).inc();
    }

    pub fn set_incidents_open(&self, count: usize) {
        self.incidents_open.set(gauge(count));
    }

    pub fn decided(&self, state: State, took: Duration) {
        self.decisions.get_or_create(&state.into()).inc();
        self.decision_duration.observe(took.as_secs_f64());
    }

    pub fn refused(&self, reason: RefusalReason) {
        self.refusals.get_or_create(&reason.into()).inc();
    }

    pub fn acted(&self, action: ActionKind, result: ActionResult) {
        self.actions.get_or_create(&ActionLabels::new(action, result)).inc();
    }

    /// From the beginning of the look that decided on an action to its first accepted write.
    pub fn action_took(&self, took: Duration) {
        self.action_duration.observe(took.as_secs_f64());
    }

    /// How many findings of each kind show now, on all workloads together. What showed before and does not now is 0.
    pub fn set_findings(&self, shown: &BTreeMap<(Class, Fault), usize>) {
        for (class, fault) in Class::iter().flat_map(|class| Fault::iter().map(move |fault| (class, fault))) {
            let labels = FindingLabels::new(class, fault);
            if let Some(count) = shown.get(&(class, fault)) {
                self.findings.get_or_create(&labels).set(gauge(*count));
            } else if let Some(before) = self.findings.get(&labels) {
                before.set(0);
            }
        }
    }

    pub fn reconciled(&self) {
        self.reconciles.inc();
    }

    pub fn reconcile_failed(&self, category: ErrorCategory) {
        self.reconcile_errors.get_or_create(&category.into()).inc();
    }

    pub fn set_objects_in_backoff(&self, count: usize) {
        self.objects_in_backoff.set(gauge(count));
    }

    pub fn log_read(&self, result: LogResult) {
        self.log_reads.get_or_create(&result.into()).inc();
    }

    /// The watch showed life: an event, a bookmark, or any other byte.
    pub fn watch_alive(&self, resource: WatchedResource) {
        let mut seen = self.watch_seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(resource, Instant::now());
    }

    /// The watch last showed life so long ago.
    pub fn watch_seen_ago(&self, resource: WatchedResource, age: Duration) {
        let Some(at) = Instant::now().checked_sub(age) else { return };
        let mut seen = self.watch_seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(resource, at);
    }

    pub fn watch_failed(&self, resource: WatchedResource) {
        self.watch_errors.get_or_create(&resource.into()).inc();
    }

    pub fn set_store_objects(&self, resource: WatchedResource, count: usize) {
        self.store_objects.get_or_create(&resource.into()).set(gauge(count));
    }

    pub fn set_frozen_workloads(&self, count: usize) {
        self.frozen_workloads.set(gauge(count));
    }

    pub fn set_storm_active(&self, active: bool) {
        self.storm_active.set(active.into());
    }

    pub fn set_leader(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// All metrics as OpenMetrics text. The ages of watches are taken now, so that they grow while nothing happens.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let now = Instant::now();
        for (resource, seen) in self.watch_seen.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let age = now.saturating_duration_since(*seen).as_secs_f64();
            self.watch_age.get_or_create(&(*resource).into()).set(age);
        }
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
