//! `backstay incident list`.

use std::process::ExitCode;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{DynamicObject, ObjectList};
use serde_json::json;

use super::super::page::{one_line, person, table};
use super::super::{note, print, times};
use super::{ListArgs, Output, encode, fetch, typed, words};
use crate::api::Incident;
use crate::engine::moment::seconds_between;

pub async fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let cluster = args.reach.connect().await?;
    let list = fetch(&cluster, args.all_namespaces, None).await?;
    if let Some(output @ (Output::Json | Output::Yaml)) = args.output {
        print(&encode(&as_list(&list), output)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut incidents = Vec::with_capacity(list.items.len());
    for object in &list.items {
        match typed(object) {
            Ok(incident) => incidents.push(incident),
            Err(error) => {
                note(&format!("backstay: leaving out what cannot be read: {}", one_line(&format!("{error:#}"))));
            }
        }
    }
    if incidents.is_empty() && list.items.is_empty() {
        let place = if args.all_namespaces { String::new() } else { format!(" in namespace {}", cluster.namespace) };
        note(&format!("No incidents found{place}."));
        return Ok(ExitCode::SUCCESS);
    }
    words::sort(&mut incidents);
    let wide = args.output == Some(Output::Wide);
    print(&render(&incidents, args.all_namespaces, wide, Timestamp::now()))?;
    Ok(ExitCode::SUCCESS)
}

/// A `List` as kubectl prints it.
fn as_list(list: &ObjectList<DynamicObject>) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": list.items})
}

/// The table.
pub fn render(incidents: &[Incident], namespaces: bool, wide: bool, now: Timestamp) -> String {
    let mut header = vec!["NAME", "WORKLOAD", "SEVERITY", "FAILURE", "FAULT", "PROGRESS", "REFUSAL", "AGE"];
    if wide {
        header.extend(["FROM", "TO", "POLICY", "LOOKED-AFTER-BY", "WHY"]);
    }
    if namespaces {
        header.insert(0, "NAMESPACE");
    }
    let mut rows = vec![header.into_iter().map(str::to_owned).collect::<Vec<String>>()];
    rows.extend(incidents.iter().map(|incident| row(incident, namespaces, wide, now)));
    table(&rows)
}

fn row(incident: &Incident, namespaces: bool, wide: bool, now: Timestamp) -> Vec<String> {
    let opened = &incident.spec.opened;
    let or_dash = |text: Option<String>| text.filter(|t| !t.is_empty()).unwrap_or_else(|| "-".to_owned());
    let mut cells = vec![
        incident.name_any(),
        words::workload(incident),
        words::severity(incident).to_string(),
        words::failure(incident),
        or_dash(words::verdict(incident).map(|v| v.fault.to_string())),
        words::stage(incident),
        or_dash(words::refusal(incident).map(|r| r.reason.to_string())),
        times::span(seconds_between(opened.at, now)),
    ];
    if wide {
        let why = incident.status.as_ref().and_then(|s| s.why.clone()).unwrap_or_else(|| opened.why.clone());
        cells.extend([
            or_dash(Some(opened.failing.name.to_string())),
            or_dash(words::baseline(incident).map(|b| b.name.to_string())),
            or_dash(Some(opened.policy.clone())),
            why,
        ]);
    }
    if namespaces {
        cells.insert(0, incident.namespace().unwrap_or_default());
    }
    let mut cells: Vec<String> = cells.iter().map(|cell| one_line(cell)).collect();
    if wide {
        let by = or_dash(incident.spec.acknowledged.as_ref().map(|a| person(&a.by)));
        cells.insert(cells.len() - 1, by);
    }
    cells
}
