//! Backstay's own objects, which people and other versions write too: policies, incidents and what is remembered.

use backstay::api::{ClusterIncidentPolicy, Incident, IncidentPolicy, WorkloadHealth};
use backstay::cli::incident::{list, show};
use backstay::cli::page::Screen;
use backstay::cli::policy::lint;
use backstay::cluster::readable::Readable;
use backstay::controller::record;
use backstay::engine::decision::Outcome;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::json::Json;
use crate::mutate::mutated;
use crate::oracle::{Checked, is_bounded, is_plain, whole_way};
use crate::seeds;

pub fn input() -> BoxedStrategy<Vec<u8>> {
    mutated(objects().iter().map(Json::from).collect(), 6).prop_map(|object| object.write().into_bytes()).boxed()
}

/// Own objects about the workload of `seeds::crashing`.
fn objects() -> Vec<Value> {
    let mut objects = [seeds::incidents(), seeds::policies()].concat();
    for incident in objects.iter_mut().filter(|object| object["kind"] == "Incident") {
        incident["spec"]["workload"]["uid"] = "d-1".into();
        incident["spec"]["opened"]["failing"] = json!({"name": "web-6d4cf56db6", "uid": "r-2", "hash": "6d4cf56db6"});
    }
    objects.push(json!({"apiVersion": "backstay.dev/v1alpha1", "kind": "WorkloadHealth",
        "metadata": {"name": "web", "namespace": "shop", "uid": "h-1"}, "spec": {"workloadUid": "d-1"},
        "status": {"state": "Healthy", "why": "all is well", "policy": "IncidentPolicy/web",
            "current": {"hash": "6d4cf56db6", "since": "2026-03-01T10:00:00Z"},
            "ledger": [{"uid": "r-1", "hash": "59c4d8f7b", "healthySince": "2026-02-01T11:00:00Z", "readySeconds": 4,
                "crashedAt": "2026-02-02T11:00:00Z"}, {"uid": "r-2", "hash": "6d4cf56db6", "failedAt": "2026-03-01T10:00:00Z"}],
            "actions": [{"at": "2026-03-01T10:00:00Z", "kind": "RollBack", "from": "6d4cf56db6", "to": "59c4d8f7b",
                "incident": "web-1"}]}}));
    objects
}

pub fn check(input: &[u8]) -> Checked {
    let text = String::from_utf8_lossy(input);
    let mut report = lint::Report::default();
    report.take("x", &text);
    is_plain("what lint says", &report.text)?;
    let Ok(object) = serde_json::from_str::<Value>(&text) else { return Ok(()) };
    unreadable::<IncidentPolicy>(&object)?;
    unreadable::<ClusterIncidentPolicy>(&object)?;
    unreadable::<WorkloadHealth>(&object)?;
    unreadable::<Incident>(&object)?;
    if let Ok(read) = serde_json::from_value::<Incident>(object.clone()) {
        incident(&read)?;
    }
    let items = [seeds::crashing(), vec![object]].concat();
    whole_way(&json!({"kind": "List", "items": items}).to_string())
}

/// What is wrong with an object is said in bounds.
fn unreadable<K>(object: &Value) -> Checked
where
    K: kube::Resource<DynamicType = ()> + serde::de::DeserializeOwned,
{
    match serde_json::from_value::<Readable<K>>(object.clone()).map(|readable| readable.0) {
        Ok(Err(unreadable)) => {
            is_plain("what is wrong", &unreadable.because)?;
            is_bounded("what is wrong", &unreadable.because, 512)
        }
        _ => Ok(()),
    }
}

/// An incident can be shown, listed and closed whatever is in it.
fn incident(incident: &Incident) -> Checked {
    let now = seeds::now();
    for width in [40, 120] {
        is_plain("the incident", &show::render(incident, Screen { width, colour: false }, now, "backstay"))?;
    }
    is_plain("the list", &list::render(std::slice::from_ref(incident), true, true, now))?;
    let mut closed = incident.clone();
    closed.status = Some(record::close(incident, (Outcome::Recovered, "it does well again"), &[], now));
    if closed.is_open() { Err("a closed incident is open".to_owned()) } else { Ok(()) }
}
