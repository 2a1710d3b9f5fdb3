//! Causes that no status tells: the kubelet's events do.

use backstay::api::Incident;
use backstay::engine::words::{Cause, Class};
use serde_json::json;

use crate::support::{App, Story, case};

#[tokio::test]
async fn t51_a_probe_that_asks_another_port_is_told_from_one_that_is_answered_badly() {
    case::run("wrong-port", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        t.ship(&App::new().container(json!({"readinessProbe": {"httpGet": {"port": 8081}}}))).await;
        let story = Story { class: Class::Unready, causes: &[Cause::ReadinessRefused] };
        let incident = t.rolled_back(&baseline, story).await;
        shows(&incident, "events[Unhealthy]", ":8081: connect: connection refused");
    })
    .await;
}

#[tokio::test]
async fn t52_a_container_that_is_killed_for_its_liveness_probe_is_told_from_a_program_that_exits() {
    case::run("liveness", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        let probe = json!({"httpGet": {"path": "/live", "port": 8080}, "periodSeconds": 1, "failureThreshold": 3});
        let app = App::new().env("APP_LIVE_STATUS", 500).container(json!({"livenessProbe": probe}));
        t.ship(&app).await;
        // The program leaves with 0 when it is asked to end.
        let story = Story { class: Class::CrashLoopBackOff, causes: &[Cause::LivenessKilled] };
        let incident = t.rolled_back(&baseline, story).await;
        shows(&incident, "events[Unhealthy]", "Liveness probe failed: HTTP probe failed with statuscode: 500");
    })
    .await;
}

#[tokio::test]
async fn t53_a_config_map_that_a_volume_needs_and_that_is_missing_is_named() {
    case::run("missing-volume", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        let volume = json!({"name": "settings", "configMap": {"name": "not-there"}});
        let mount = json!({"volumeMounts": [{"name": "settings", "mountPath": "/settings"}]});
        t.ship(&App::new().pod(json!({"volumes": [volume]})).container(mount)).await;
        let story = Story { class: Class::PodSetup, causes: &[Cause::MissingConfigMap] };
        let incident = t.rolled_back(&baseline, story).await;
        shows(&incident, "events[FailedMount]", "configmap \"not-there\" not found");
    })
    .await;
}

/// The evidence on which the incident was opened holds this text from such a source.
pub fn shows(incident: &Incident, source: &str, text: &str) {
    let evidence: Vec<_> = incident.spec.opened.findings.iter().flat_map(|finding| &finding.evidence).collect();
    let found = evidence.iter().any(|e| e.source.contains(source) && e.text.contains(text));
    assert!(found, "{text:?} of {source:?} in {evidence:#?}");
}
