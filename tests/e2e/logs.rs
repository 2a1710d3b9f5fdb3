//! What containers log, as evidence: read from a real kubelet, redacted, and in the incident.

use backstay::engine::words::{Cause, Class, Fault, RefusalReason};
use serde_json::json;

use crate::support::{App, Story, case};

const COLUMN: &str = "FATAL postgres://app:hunter2@db/shop: pq: column \"discount\" does not exist";
const REFUSED: &str = "ERROR orders: pq: password authentication failed for user \"app\"";

#[tokio::test]
async fn t40_a_database_error_in_the_log_of_a_crash_is_in_the_incident_and_its_password_is_not() {
    case::run("log-schema", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        t.ship(&App::new().env("APP_LOG_STDERR", COLUMN).env("APP_EXIT_AT_START", 1)).await;
        let story = Story { class: Class::CrashLoopBackOff, causes: &[Cause::SchemaMismatch] };
        let incident = t.rolled_back(&baseline, story).await;
        let opened = &incident.spec.opened;
        let kept =
            opened.logs.first().unwrap_or_else(|| panic!("a log was kept before anything was done: {incident:?}"));
        assert!(kept.ended && kept.text.contains("pq: column \"discount\" does not exist"), "{kept:?}");
        let told = opened.findings[0].evidence.iter().any(|e| e.source.contains("log[web]"));
        assert!(told, "the line is evidence: {:?}", opened.findings);
        let whole = serde_json::to_string(&incident).unwrap();
        assert!(!whole.contains("hunter2"), "the password is nowhere: {whole}");
    })
    .await;
}

#[tokio::test]
async fn t40_a_line_that_the_healthy_pods_log_as_well_is_a_dependencys_fault() {
    case::run("log-shared", async |t| {
        let app = || App::new().env("APP_LOG_STDERR", REFUSED);
        t.healthy(json!({}), &app()).await;
        t.ship(&app().env("APP_EXIT_AT_START", 1)).await;
        let held = |i: &backstay::api::Incident| {
            let refusal = i.status.as_ref()?.refusal.clone()?;
            Some((refusal.reason, i.clone()))
        };
        let (reason, incident) = t.incident("an incident that holds", held).await;
        assert_eq!(reason, RefusalReason::FaultNotRevision, "{incident:?}");
        let verdict = incident.status.as_ref().and_then(|s| s.verdict.as_ref()).expect("a verdict");
        assert_eq!(verdict.fault, Fault::Dependency, "{verdict:?}");
        assert!(verdict.because.contains("report the same"), "{verdict:?}");
        let patches: Vec<_> = t.operator_writes().await.into_iter().filter(|w| w.resource == "deployments").collect();
        assert!(patches.is_empty(), "nothing was done");
    })
    .await;
}

#[tokio::test]
async fn t40_where_the_policy_ignores_logs_none_is_read_and_the_roll_back_is_the_same() {
    case::run("log-ignored", async |t| {
        let baseline = t.healthy(json!({"logs": "Ignore"}), &App::new()).await;
        t.ship(&App::new().env("APP_LOG_STDERR", COLUMN).env("APP_EXIT_AT_START", 1)).await;
        let story = Story { class: Class::CrashLoopBackOff, causes: &[Cause::ApplicationError] };
        let incident = t.rolled_back(&baseline, story).await;
        assert_eq!(incident.logs().count(), 0, "{incident:?}");
    })
    .await;
}
