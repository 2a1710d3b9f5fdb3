//! Whole templates, Jobs and metadata of other objects, which are read when an incident is written.

use std::sync::Arc;

use backstay::api::WORKLOAD_MANAGER;
use backstay::cli::diagnose::diagnose;
use backstay::cluster::around::objects::written;
use backstay::cluster::intake::Intake;
use backstay::engine::change::author::{author, last_written};
use backstay::engine::change::references::{ReferenceFacts, Sight, of_template};
use backstay::engine::change::told::{Subject, tell};
use backstay::engine::change::{migration, template};
use backstay::engine::decide::decide;
use backstay::engine::kin;
use backstay::engine::surroundings::Surroundings;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::hostile::SECRET;
use crate::json::Json;
use crate::mutate::mutated;
use crate::oracle::{Checked, hides_the_secret, is_bounded, is_plain, is_seen};
use crate::seeds;

/// Two templates, a Job and the metadata of a Deployment.
pub fn input() -> BoxedStrategy<Vec<u8>> {
    let whole = seeds::whole();
    let (old, metadata) = (whole[0]["spec"]["template"].clone(), whole[0]["metadata"].clone());
    let mut new = whole[1]["spec"]["template"].clone();
    new["spec"]["containers"][0]["image"] = "registry.example.com/web:3".into();
    new["spec"]["containers"][0]["env"] = json!([{"name": "DB_PASSWORD", "value": SECRET},
        {"name": "DB", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}]);
    new["spec"]["initContainers"] =
        json!([{"name": "migrate", "image": "flyway:9", "command": ["sh", "-c", "alembic upgrade head"]}]);
    let job = json!({"metadata": {"name": "web-migrate", "annotations": {"helm.sh/hook": "pre-upgrade"}, "labels": {"app": "web"},
        "creationTimestamp": "2026-03-01T09:59:00Z"}, "spec": {"template": new}, "status": {"succeeded": 1}});
    let all = Json::from(&json!({"old": old, "new": new, "job": job, "metadata": metadata}));
    mutated(vec![all], 8).prop_map(|all| all.write().into_bytes()).boxed()
}

pub fn check(input: &[u8]) -> Checked {
    let Ok(all) = serde_json::from_slice::<Value>(input) else { return Ok(()) };
    let (old, new, job, metadata) = (&all["old"], &all["new"], &all["job"], &all["metadata"]);
    let difference = template::between(old, new);
    let author = author(metadata, WORKLOAD_MANAGER);
    let _ = last_written(metadata);
    if let Ok(meta) = serde_json::from_value::<ObjectMeta>(metadata.clone()) {
        let said = written(&meta).map(|written| format!("{written:?}")).unwrap_or_default();
        is_bounded("who wrote an object", &said, 4096)?;
    }
    for namespace in ["shop", "", "a.b"] {
        let callee = kin::Callee { service: "db", namespace, from: "shop" };
        let through = kin::calls(new, callee).unwrap_or_default();
        is_bounded("what calls a Service", &through, 320)?;
    }
    let mut intake = Intake::default();
    seeds::crashing().into_iter().for_each(|object| intake.take(object, None).unwrap());
    let now = seeds::now();
    let mut workloads = diagnose(intake, now);
    let s = &mut workloads[0].case.snapshot;
    let references = of_template(new).into_iter().enumerate().map(|(at, (reference, need))| ReferenceFacts {
        newest: Some(need),
        baseline: (at % 2 == 0).then_some(need),
        reference,
        sight: if at % 3 == 0 { Sight::Missing } else { Sight::Unseen },
        elsewhere: Vec::new(),
    });
    s.surroundings = Some(Arc::new(Surroundings {
        read_at: now,
        newest: "r-2".into(),
        baseline: Some("r-1".into()),
        difference,
        author,
        migrators: migration::of_templates(old, new),
        jobs: migration::of_job(job, "web", new).into_iter().collect(),
        references: references.collect(),
        labels: Default::default(),
        baseline_refused: None,
        baseline_tried: false,
        gaps: Vec::new(),
    }));
    let decision = decide(s, now);
    is_bounded("what is decided", &decision.why, 2048)?;
    let failing = &*s.revisions.iter().find(|revision| &*revision.uid == "r-2").unwrap().clone();
    let subject = Subject { failing, since: failing.created, baseline: Some("r-1") };
    let told = tell(s, &subject, decision.findings.first(), (Vec::new(), Vec::new()), now);
    changes(&serde_json::to_value(&told).map_err(|error| error.to_string())?, has_clean_names(&all))
}

/// Values are never told, so they may hold any secret. Names are: none of them holds a part of one that nothing marks.
fn has_clean_names(document: &Value) -> bool {
    let mut texts = Vec::new();
    Json::texts(document, "", &mut texts);
    texts.iter().all(|(key, text)| *key == "value" || is_seen(text))
}

/// What changed, in words that are bounded and clean, and without values.
fn changes(told: &Value, clean_names: bool) -> Checked {
    let mut texts = Vec::new();
    Json::texts(told, "", &mut texts);
    for (key, text) in texts {
        let most = if key == "subject" { 320 } else { 256 };
        is_bounded(key, text, most)?;
        is_plain(key, text)?;
        // Labels are shown to everybody and told as they are, and so is what stands where the API server takes names alone.
        let is_no_name = key == "subject" && text.contains(['\'', '"', '=']);
        if clean_names && !text.starts_with("label ") && !is_no_name {
            hides_the_secret(key, text)?;
        }
    }
    Ok(())
}
