//! `backstay incident approve`, `deny` and `ack`: a person's word, written into `spec`.

use std::process::ExitCode;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::super::failure::Failed;
use super::super::page::person;
use super::super::print;
use super::super::reach::Cluster;
use super::{AnswerArgs, NameArgs, objects, typed, words};
use crate::api::Incident;
use crate::engine::memory::ApprovalVerdict;

/// Field manager of what people write by this command.
const MANAGER: &str = "backstay-cli";

/// Writes the verdict on the decision that waits.
pub async fn decide(args: &AnswerArgs, verdict: ApprovalVerdict) -> anyhow::Result<ExitCode> {
    let cluster = args.target.reach.connect().await?;
    let (object, incident) = read(&cluster, &args.target.name).await?;
    let key = decision(&incident, args.decision.as_deref())?;
    let by = whoami(&cluster).await?;
    let approval = json!({"approval": {"verdict": verdict, "by": by, "decision": key}});
    write(&cluster, &object, approval).await?;
    let said = match verdict {
        ApprovalVerdict::Approve => "approved",
        ApprovalVerdict::Deny => "denied",
    };
    let what = describe(&incident, &key, verdict);
    print(&format!("incident/{} {said} by {}: {what}\n", args.target.name, person(&by)))?;
    Ok(ExitCode::SUCCESS)
}

/// Says that the caller looks after the incident.
pub async fn acknowledge(args: &NameArgs) -> anyhow::Result<ExitCode> {
    let cluster = args.reach.connect().await?;
    let (object, incident) = read(&cluster, &args.name).await?;
    let by = whoami(&cluster).await?;
    let before = incident.spec.acknowledged.as_ref().map(|a| a.by.clone()).filter(|before| *before != by);
    write(&cluster, &object, json!({"acknowledged": {"by": by}})).await?;
    let instead = before.map(|before| format!(", until now by {}", person(&before))).unwrap_or_default();
    print(&format!("incident/{} looked after by {}{instead}\n", args.name, person(&by)))?;
    Ok(ExitCode::SUCCESS)
}

/// The decision to answer: the one that waits, and the one the caller means.
pub fn decision(incident: &Incident, meant: Option<&str>) -> Result<String, Failed> {
    let name = incident.name_any();
    let doing = format!("answering incident {name}");
    let Some(key) = words::awaited(incident).or_else(|| words::open_storm(incident)) else {
        let stage = words::stage(incident);
        let why = match words::refusal(incident) {
            Some(refusal) => format!("it does not wait for an approval: {stage}, {}", refusal.reason),
            None => format!("it does not wait for an approval: {stage}"),
        };
        return Err(Failed::new(doing, why));
    };
    match meant {
        Some(meant) if meant != key => {
            let hint = "read it again with `incident show`";
            Err(Failed::new(doing, format!("it waits with another decision, {key}")).with_hint(hint))
        }
        _ => Ok(key),
    }
}

fn describe(incident: &Incident, key: &str, verdict: ApprovalVerdict) -> String {
    if words::is_storm(incident) {
        let what = match verdict {
            ApprovalVerdict::Approve => "workloads are judged one by one although the storm has not passed",
            ApprovalVerdict::Deny => "nothing is done automatically until the storm has passed",
        };
        return what.to_owned();
    }
    let failing = &incident.spec.opened.failing.name;
    let kind = key.split('/').next().unwrap_or_default();
    match words::baseline(incident) {
        Some(target) => format!("{kind} from {failing} to {} ({key})", target.name),
        None => key.to_owned(),
    }
}

async fn read(cluster: &Cluster, name: &str) -> anyhow::Result<(DynamicObject, Incident)> {
    let doing = format!("reading incident {}/{name}", cluster.namespace);
    let object = objects(cluster, false).get(name).await.map_err(|error| cluster.failed(doing, &error))?;
    let incident = typed(&object)?;
    Ok((object, incident))
}

/// The caller's name as the API server knows it; admission compares it with what is written.
async fn whoami(cluster: &Cluster) -> Result<String, Failed> {
    let api: Api<SelfSubjectReview> = Api::all(cluster.client.clone());
    let answer = api.create(&PostParams::default(), &SelfSubjectReview::default()).await;
    let review = answer.map_err(|error| cluster.failed("asking the API server who you are", &error))?;
    let name = review.status.and_then(|s| s.user_info).and_then(|u| u.username).filter(|name| !name.is_empty());
    name.ok_or_else(|| Failed::new("asking the API server who you are", "it knows no name"))
}

/// Writes into `spec` of this very object: a namesake that came later has another UID, and the write conflicts.
async fn write(cluster: &Cluster, object: &DynamicObject, spec: Value) -> Result<(), Failed> {
    let name = object.name_any();
    let patch = json!({"metadata": {"uid": object.uid()}, "spec": spec});
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let answer = objects(cluster, false).patch(&name, &params, &Patch::Merge(&patch)).await;
    answer.map(drop).map_err(|error| cluster.failed(format!("writing incident {}/{name}", cluster.namespace), &error))
}
