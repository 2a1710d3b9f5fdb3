//! What `--alerts` reads: an answer of Alertmanager or of Prometheus.

use backstay::cli::diagnose::alerts::take;
use backstay::cli::page::one_line;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::json::Json;
use crate::mutate::mutated;
use crate::oracle::{Checked, Said, answer, is_bounded, is_plain, refused, secrets_are_seen};
use crate::{hostile, seeds};

/// Answers about the workload of `seeds::crashing`, the words of which are anything.
pub fn input() -> BoxedStrategy<Vec<u8>> {
    let labels = json!({"alertname": "WebErrors", "namespace": "shop", "deployment": "web", "pod": "web-6d-a"});
    let managed = json!([{"labels": labels, "annotations": {"summary": "every second answer is an error"},
        "startsAt": "2026-03-01T10:00:02Z", "endsAt": "0001-01-01T00:00:00Z", "status": {"state": "active"}}]);
    let evaluated = json!({"status": "success", "data": {"alerts": [{"labels": labels, "annotations": {},
        "state": "firing", "activeAt": "2026-03-01T10:00:02.5Z", "value": "1e+00"}]}});
    let words = (hostile::long_text(), 0..4_usize).prop_map(move |(words, place)| {
        let mut managed = managed.clone();
        match place {
            0 => managed[0]["annotations"] = json!({"description": words}),
            1 => managed[0]["labels"]["alertname"] = words.into(),
            _ => managed[0]["annotations"]["summary"] = words.into(),
        }
        managed.to_string().into_bytes()
    });
    let labels = json!({"exported_namespace": "shop", "exported_pod": "web-6d-a", "namespace": "monitoring"});
    let scraped = json!([{"labels": labels, "startsAt": "2026-03-01T10:00:03Z"}]);
    let broken = mutated([evaluated, scraped].iter().map(Json::from).collect(), 5);
    prop_oneof![words, broken.prop_map(|answer| answer.write().into_bytes())].boxed()
}

pub fn check(input: &[u8]) -> Checked {
    let (alerts, gaps) = match take("x", input, seeds::now()) {
        Err(error) => return refused(&error.to_string()),
        Ok(taken) => taken,
    };
    for gap in gaps {
        is_plain("what was left out", &one_line(&gap))?;
        is_bounded("what was left out", &gap, 1024)?;
    }
    let objects = json!({"kind": "List", "items": seeds::crashing()}).to_string();
    let answer = answer(&objects, &alerts)?.ok_or("the objects cannot be read")?;
    let said = Said::of(&answer)?;
    match serde_json::from_slice::<Value>(input) {
        Ok(document) if secrets_are_seen(&document) => said.hides_the_secret(),
        _ => Ok(()),
    }
}
