//! What must be true after the operator has brought a workload back.

use std::time::Duration;

use backstay::api::{Incident, condition};
use backstay::engine::decision::Outcome;
use backstay::engine::words::{ActionKind, Cause, Class, Fault};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::runtime::watcher;
use serde_json::Value;

use super::audit::{Write, lines};
use super::case::{Baseline, Case, OPERATOR};
use super::wait::{self, PATIENCE, show};

/// What the incident of a roll-back says failed.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    pub class: Class,
    /// Any of these; where a status alone cannot tell causes apart.
    pub causes: &'static [Cause],
}

impl Case {
    /// Waits until the incident is over, and asserts everything that a roll-back must and must not have done. Gives
    /// the incident.
    pub async fn rolled_back(&self, baseline: &Baseline, story: Story) -> Incident {
        let incident = self.brought_back(baseline, story).await;
        self.event("RolledBack", &incident).await;
        incident
    }

    /// The same by whoever finished it: an operator that is killed between the record and the Event of its roll-back tells
    /// of it no more, and nobody knows that it did not.
    pub async fn brought_back(&self, baseline: &Baseline, story: Story) -> Incident {
        let incident = self.incident("an incident that recovered", recovered).await;
        self.is_back(baseline).await;
        tells(&incident, baseline, story);
        self.event("Recovered", &incident).await;
        self.wrote_once(&incident, baseline).await;
        incident
    }

    /// The baseline runs at full strength and alone, and only the template was changed.
    pub async fn is_back(&self, baseline: &Baseline) {
        let wanted = baseline.replicas();
        let now = self
            .until::<Deployment, _>("web", "the baseline's template at full strength", |d| {
                (template(d) == template(&baseline.deployment) && super::case::complete(d, d)).then(|| d.clone())
            })
            .await;
        assert_eq!(now.spec.replicas, Some(wanted), "replicas of {}", show(&now));
        let before = spec_without_template(&baseline.deployment);
        assert_eq!(spec_without_template(&now), before, "no other field of the spec changed");
        assert_eq!(now.labels(), baseline.deployment.labels(), "no label changed");
        assert_eq!(foreign(&now), foreign(&baseline.deployment), "no foreign annotation changed");
        self.until::<ReplicaSet, _>(&baseline.name(), "the baseline's ReplicaSet at full strength", |s| {
            s.status.as_ref().is_some_and(|s| s.available_replicas == Some(wanted)).then_some(())
        })
        .await;
    }

    /// An Event on the Deployment by the operator with this reason, about the incident.
    pub async fn event(&self, reason: &str, incident: &Incident) -> Event {
        let what = format!("an Event {reason} on the Deployment about {} (in {})", incident.name_any(), self.namespace);
        wait::first(&self.api::<Event>(), watcher::Config::default(), &what, PATIENCE, |e: &Event| {
            let ours = e.reporting_controller.as_deref() == Some("backstay.dev/backstay");
            let about = e.regarding.as_ref().is_some_and(|r| r.kind.as_deref() == Some("Deployment"));
            let related = e.related.as_ref().and_then(|r| r.name.clone()) == Some(incident.name_any());
            (ours && about && related && e.reason.as_deref() == Some(reason)).then(|| e.clone())
        })
        .await
    }

    /// The audit log: the incident was created with its intent, then the operator patched the Deployment once, and it
    /// wrote to nothing else but its own objects and Events.
    async fn wrote_once(&self, incident: &Incident, baseline: &Baseline) {
        if !self.audit.is_there() {
            return;
        }
        let all = self.writes().await;
        let ours: Vec<Write> = all.iter().filter(|w| w.user == OPERATOR).cloned().collect();
        let patches: Vec<&Write> = ours.iter().filter(|w| w.resource == "deployments").collect();
        let [patch] = *patches else { panic!("one PATCH of the Deployment, but saw:{}", lines(&ours)) };
        assert!(patch.accepted() && patch.verb == "patch", "an accepted PATCH, but saw: {}", patch.line());
        let name = incident.name_any();
        let created = ours.iter().find(|w| w.resource == "incidents" && w.verb == "create" && w.name == name);
        let created = created.unwrap_or_else(|| panic!("the incident's create is logged, but saw:{}", lines(&ours)));
        assert!(created.answered <= patch.received, "incident before PATCH, but saw:{}", lines(&ours));
        let intent = created.body.pointer("/spec/opened/intent/target/name").and_then(Value::as_str);
        assert_eq!(intent, Some(&*baseline.name()), "the intent names the baseline: {}", created.body);
        only_own(&ours, &["deployments"]);
        print_times(&self.namespace, &all, patch);
    }
}

/// Asserts that the operator wrote to its own objects, Events and the named resources only.
pub fn only_own(ours: &[Write], allowed: &[&str]) {
    let own = ["incidents", "incidents/status", "workloadhealths", "workloadhealths/status", "events"];
    let own = |w: &Write| own.contains(&&*w.resource) || w.resource.starts_with("incidentpolicies");
    let others: Vec<&Write> = ours.iter().filter(|w| !own(w) && !allowed.contains(&&*w.resource)).collect();
    assert!(others.is_empty(), "the operator wrote to what is not its own:{}", lines(others));
}

pub fn recovered(incident: &Incident) -> Option<Incident> {
    (incident.status.as_ref()?.outcome == Some(Outcome::Recovered)).then(|| incident.clone())
}

/// The incident names what failed, whose fault it was and what was done, in order.
fn tells(incident: &Incident, baseline: &Baseline, story: Story) {
    let seen = show(incident);
    let status = incident.status.as_ref().unwrap();
    let opened = &incident.spec.opened;
    let lead = opened.findings.first().unwrap_or_else(|| panic!("the incident was opened with a finding: {seen}"));
    assert_eq!(lead.class, story.class, "class of {seen}");
    assert!(story.causes.contains(&lead.cause), "cause {} is one of {:?}: {seen}", lead.cause, story.causes);
    assert!(!lead.evidence.is_empty() && lead.sufficient, "sufficient evidence: {seen}");
    let verdict = opened.verdict.as_ref().unwrap_or_else(|| panic!("the incident was opened with a verdict: {seen}"));
    assert_eq!(verdict.fault, Fault::Revision, "fault of {seen}");
    for kind in ["Detected", "Attributed", "Mitigated", "Recovered", "Succeeded"] {
        assert!(condition::is_true(&status.conditions, kind), "condition {kind} is True: {seen}");
    }
    let told: Vec<&str> = status.timeline.iter().map(|e| &*e.what).collect();
    assert_eq!(told, ["FirstSignal", "Detected", "RolledBack", "Recovered"], "timeline of {seen}");
    assert!(status.timeline.is_sorted_by_key(|e| e.at), "the timeline is in order: {seen}");
    let done: Vec<(ActionKind, &str)> = status.actions.iter().map(|a| (a.kind, &*a.to)).collect();
    assert_eq!(done, [(ActionKind::RollBack, &*baseline.hash)], "actions of {seen}");
}

/// Evidence → roll-back, as the API server's clock has it: from the last status that a kubelet or controller wrote
/// before the incident, until the patch was accepted.
fn print_times(namespace: &str, all: &[Write], patch: &Write) {
    let statuses = ["pods/status", "replicasets/status", "pods/binding"];
    let evidence = all.iter().filter(|w| statuses.contains(&&*w.resource) && w.answered <= patch.received);
    let Some(evidence) = evidence.max_by_key(|w| w.answered) else { return };
    let shipped =
        all.iter().filter(|w| w.resource == "deployments" && w.user != OPERATOR && w.received < patch.received);
    let since = |t: jiff::Timestamp| Duration::try_from(patch.answered.duration_since(t)).unwrap_or_default();
    let shipped = shipped.max_by_key(|w| w.received).map(|w| since(w.received).as_secs_f64());
    eprintln!(
        "e2e: {namespace}: last status → roll-back accepted {:.1} ms; applied → roll-back accepted {:.1} s",
        since(evidence.answered).as_secs_f64() * 1e3,
        shipped.unwrap_or_default(),
    );
}

/// The pod template as JSON.
pub fn template(deployment: &Deployment) -> Value {
    serde_json::to_value(&deployment.spec.template).unwrap()
}

fn spec_without_template(deployment: &Deployment) -> Value {
    let mut spec = serde_json::to_value(&deployment.spec).unwrap();
    let fields = spec.as_object_mut().unwrap();
    fields.remove("template");
    // Never paused and paused no more are the same.
    if fields.get("paused") == Some(&Value::Bool(false)) {
        fields.remove("paused");
    }
    spec
}

/// Annotations that are neither Backstay's nor the Deployment controller's count of revisions.
fn foreign(deployment: &Deployment) -> Vec<(String, String)> {
    let ours = |key: &str| key.starts_with("backstay.dev/") || key == "deployment.kubernetes.io/revision";
    let all = deployment.annotations().iter().filter(|(key, _)| !ours(key));
    all.map(|(key, value)| (key.clone(), value.clone())).collect()
}
