//! What containers log, as evidence: read from a real kubelet, redacted, and in the incident.

use backstay::api::Incident;
use backstay::engine::words::{Cause, Class, Fault, RefusalReason};
use serde_json::json;

use crate::support::{App, Case, Story, case};

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

const POOL: &str = "\
2026-03-02 03:00:31.002  WARN 1 --- [main] com.zaxxer.hikari.pool.HikariPool : HikariPool-1 - Thread starvation or clock leap detected
2026-03-02 03:00:31.004 ERROR 1 --- [main] shop.Orders : cannot book
org.springframework.transaction.CannotCreateTransactionException: Could not open JPA EntityManager for transaction
\tat org.springframework.orm.jpa.JpaTransactionManager.doBegin(JpaTransactionManager.java:466)
Caused by: java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 30000ms (total=10, active=10, idle=0, waiting=3)
\tat com.zaxxer.hikari.pool.HikariPool.createTimeoutException(HikariPool.java:696)
\t... 12 more";

#[tokio::test]
async fn t40_the_innermost_reason_of_a_stack_trace_is_the_cause() {
    case::run("log-pool", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        t.ship(&App::new().env("APP_LOG", POOL).env("APP_EXIT_AT_START", 1)).await;
        let story = Story { class: Class::CrashLoopBackOff, causes: &[Cause::PoolExhausted] };
        let incident = t.rolled_back(&baseline, story).await;
        shows(&t, &incident, "HikariPool-1 - Connection is not available, request timed out after 30000ms").await;
    })
    .await;
}

#[tokio::test]
async fn t40_a_pool_that_a_leak_has_emptied_is_shown_beside_what_the_probe_was_answered() {
    case::run("log-leak", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        let line = "{\"level\":\"error\",\"msg\":\"cannot book\",\"err\":\"pool timed out while waiting for an open connection\"}\n";
        t.ship(&App::new().env("APP_LOG", line.repeat(3)).env("APP_READY_STATUS", 503)).await;
        let story = Story { class: Class::Unready, causes: &[Cause::ReadinessHttp] };
        let incident = t.rolled_back(&baseline, story).await;
        let kept = incident.spec.opened.logs.first();
        let kept = kept.unwrap_or_else(|| panic!("the log was kept before anything was done: {incident:?}"));
        assert!(!kept.ended, "the run went on: {kept:?}");
        shows(&t, &incident, "3 times, at last: pool timed out while waiting for an open connection").await;
    })
    .await;
}

#[tokio::test]
async fn t40_a_service_that_only_the_new_revision_calls_in_vain_is_the_revisions_fault() {
    case::run("log-refused", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        // The program's own words; nothing listens there.
        t.ship(&App::new().env("APP_DEPENDENCY_URL", "http://127.0.0.1:9/orders")).await;
        let story = Story { class: Class::CrashLoopBackOff, causes: &[Cause::DependencyUnreachable] };
        let incident = t.rolled_back(&baseline, story).await;
        shows(&t, &incident, "dial tcp 127.0.0.1:9: connect: connection refused").await;
    })
    .await;
}

const PANIC: &str = "\
{\"level\":\"info\",\"msg\":\"starting\"}
panic: runtime error: index out of range [3] with length 2

goroutine 1 [running]:
main.prices(...)
\t/src/prices.go:31
main.main()
\t/src/main.go:12 +0x1d";

#[tokio::test]
async fn t40_a_panic_is_told_from_other_exits() {
    case::run("log-panic", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        t.ship(&App::new().env("APP_LOG_STDERR", PANIC).env("APP_EXIT_AT_START", 2)).await;
        let story = Story { class: Class::CrashLoopBackOff, causes: &[Cause::Panic] };
        let incident = t.rolled_back(&baseline, story).await;
        shows(&t, &incident, "panic: runtime error: index out of range [3] with length 2").await;
    })
    .await;
}

/// The line is evidence on which the incident was opened, and a person who asks for the incident is shown it, with the log
/// that it comes from.
async fn shows(t: &Case, incident: &Incident, line: &str) {
    let evidence: Vec<_> = incident.spec.opened.findings.iter().flat_map(|finding| &finding.evidence).collect();
    let found = evidence.iter().any(|e| e.source.contains(" log[web] line ") && e.text.contains(line));
    assert!(found, "{line:?} in {evidence:#?}");
    let screen = t.shown(incident).await;
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = screen.contains("LAST LOG LINES") && words(&screen).contains(line);
    assert!(told, "{line:?} on the screen:\n{screen}");
    eprintln!("e2e: {}: what a person sees:\n{screen}", t.namespace);
}

#[tokio::test]
async fn t40_a_line_that_the_healthy_pods_log_as_well_is_a_dependencys_fault() {
    case::run("log-shared", async |t| {
        let app = || App::new().env("APP_LOG_STDERR", REFUSED);
        t.healthy(json!({}), &app()).await;
        t.ship(&app().env("APP_EXIT_AT_START", 1)).await;
        let held = |i: &Incident| {
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
