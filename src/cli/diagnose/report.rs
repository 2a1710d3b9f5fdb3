//! The diagnosis as JSON and YAML. The shape is a contract: programs read it, and `docs/diagnosis.schema.json` says
//! what it is.

use schemars::JsonSchema;
use serde::Serialize;

use super::Diagnosed;
use super::screen::status_word;
use crate::cluster::text;
use crate::engine::blast_radius::BlastRadius;
use crate::engine::change::told::WhatChanged;
use crate::engine::finding::{Finding, Rejected};
use crate::engine::first_signal::FirstSignal;
use crate::engine::words::{
    ActionKind, Cause, Class, Confidence, ContainerKind, Fault, RefusalReason, Rollback, State,
};

/// What `backstay diagnose -o json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Diagnosis", deny_unknown_fields)]
pub struct Report {
    /// Names this contract; a change that could break a reader comes with another name.
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    /// Every workload that was looked at, in the order of namespace, kind and name.
    workloads: Vec<Workload>,
}

const SCHEMA: &str = "backstay.dev/diagnosis/v1";

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Workload {
    /// `Deployment`, `StatefulSet`, `DaemonSet`, `Job`, `ReplicaSet`, `Pod` or whatever else makes pods.
    kind: String,
    /// Empty where the input does not say it.
    namespace: String,
    name: String,
    state: State,
    /// What fails, the most telling first; empty where nothing does.
    findings: Vec<Found>,
    decision: Decided,
    /// What changed since the revision that it is compared with, what can cause the failure first. Of workloads in
    /// trouble, as are the two that follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    what_changed: Option<WhatChanged>,
    /// Who suffers.
    #[serde(skip_serializing_if = "Option::is_none")]
    blast_radius: Option<BlastRadius>,
    /// The earliest sign of the failure, wherever it showed.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_signal: Option<FirstSignal>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Found {
    class: Class,
    cause: Cause,
    /// Null where it is not about a container.
    container: Option<String>,
    container_kind: Option<ContainerKind>,
    /// Up to ten of the pods that show it.
    pods: Vec<String>,
    /// What `kubectl get pods` shows as STATUS of the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    kubectl_status: Option<String>,
    fault: Fault,
    confidence: Confidence,
    /// Whether going back to an earlier revision can help.
    rollback: Rollback,
    evidence: Vec<Evidence>,
    /// Other hypotheses about the fault, and what speaks against them.
    rejected: Vec<Ruled>,
    /// Commands for a person.
    next_steps: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Evidence {
    /// The object, and the field or event.
    source: String,
    /// What it says; secrets are taken out.
    text: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Ruled {
    fault: Fault,
    because: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Decided {
    /// What Backstay would do; null for nothing.
    action: Option<ActionKind>,
    /// Name of the ReplicaSet to go back to.
    baseline: Option<String>,
    /// The guard that says no, where something would be done otherwise.
    refusal: Option<RefusalReason>,
    why: String,
}

/// The JSON Schema of the contract.
pub fn schema() -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(Report))?;
    text.push('\n');
    Ok(text)
}

impl Report {
    pub fn of(workloads: &[Diagnosed]) -> Self {
        Self { schema: SCHEMA, workloads: workloads.iter().map(workload).collect() }
    }
}

fn workload(found: &Diagnosed) -> Workload {
    let (workload, diagnosis) = (&found.case.snapshot.workload, &found.diagnosis);
    let follows = &diagnosis.follows;
    Workload {
        kind: workload.kind.to_string(),
        namespace: workload.namespace.to_string(),
        name: workload.name.to_string(),
        state: diagnosis.state,
        findings: diagnosis.findings.iter().map(|finding| self::found(found, finding)).collect(),
        decision: Decided {
            action: follows.action,
            baseline: follows.baseline.as_deref().map(str::to_owned),
            refusal: follows.refusal.as_ref().map(|refusal| refusal.reason),
            why: shown(&follows.why),
        },
        what_changed: found.story.as_ref().map(|story| story.what_changed.clone()),
        blast_radius: found.story.as_ref().map(|story| story.blast_radius.clone()),
        first_signal: found
            .story
            .as_ref()
            .and_then(|story| story.first_signal.clone())
            .map(|first| FirstSignal { text: shown(&first.text), ..first }),
    }
}

fn found(of: &Diagnosed, f: &Finding) -> Found {
    let ruled = |r: &Rejected| Ruled { fault: r.fault, because: shown(&r.because) };
    Found {
        class: f.class,
        cause: f.cause,
        container: f.container.as_deref().map(str::to_owned),
        container_kind: f.container_kind,
        pods: f.pods.iter().map(ToString::to_string).collect(),
        kubectl_status: status_word(of, f).map(|word| shown(&word)),
        fault: f.fault,
        confidence: f.confidence,
        rollback: f.rollback,
        evidence: f.evidence.iter().map(|e| Evidence { source: e.source.clone(), text: shown(&e.text) }).collect(),
        rejected: f.rejected.iter().map(ruled).collect(),
        next_steps: f.next_steps.clone(),
    }
}

/// Text from the cluster without what looks like a secret; it was bounded and cleaned when it was read.
fn shown(said: &str) -> String {
    text::redact(said).into_owned()
}
