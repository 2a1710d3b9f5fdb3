//! The workload has nothing to go back to, or was asked to be left alone.

use std::time::Duration;

use backstay::api::{WorkloadHealth, keys};
use backstay::engine::words::RefusalReason;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::refuses_environment::hash;
use crate::support::audit::Asked;
use crate::support::{App, Case, case};

#[tokio::test]
async fn t21_a_first_revision_has_no_baseline() {
    case::run("first", async |t| {
        t.govern(json!({})).await;
        t.ship(&bad()).await;
        t.refused(&hash(&t.revision_with("APP_EXIT_AT_START").await), RefusalReason::NoBaseline).await;
        t.untouched().await;
    })
    .await;
}

#[tokio::test]
async fn t21_a_history_of_none_leaves_no_baseline() {
    case::run("no-history", async |t| {
        let app = || App::new().spec(json!({"revisionHistoryLimit": 0}));
        t.healthy(json!({}), &app()).await;
        // It is ready for as long as it takes to replace all old pods, whose ReplicaSet is then deleted.
        t.ship(&app().env("APP_EXIT_AFTER_READY_SECONDS", 15)).await;
        let set = t.revision_with("APP_EXIT_AFTER_READY_SECONDS").await;
        let incident = t.refused(&hash(&set), RefusalReason::NoBaseline).await;
        let because = &incident.status.as_ref().unwrap().refusal.as_ref().unwrap().because;
        assert!(because.contains("revisionHistoryLimit"), "{because}");
        t.untouched().await;
    })
    .await;
}

#[tokio::test]
async fn t22_a_deployment_that_somebody_paused_is_left_alone() {
    case::run("paused", async |t| {
        let set = with_little_evidence(&t, json!({"spec": {"paused": true}})).await;
        t.refused(&set, RefusalReason::Paused).await;
        t.untouched().await;
    })
    .await;
}

#[tokio::test]
async fn t22_a_deployment_that_is_scaled_to_zero_is_left_alone() {
    case::run("to-zero", async |t| {
        with_little_evidence(&t, json!({"spec": {"replicas": 0}})).await;
        t.holds::<Deployment>("web", "the template stays", Duration::from_secs(20), |d| {
            let template = serde_json::to_string(&d.spec.template).unwrap();
            template.contains("APP_EXIT_AT_START").then_some(()).ok_or_else(|| "it was changed".to_owned())
        })
        .await;
        let incidents = t.incidents().await;
        assert!(incidents.is_empty(), "nothing runs that could fail: {incidents:?}");
        t.until::<WorkloadHealth, _>("web", "why nothing is done", |h| {
            let status = h.status.as_ref()?;
            let conditions = &status.conditions;
            let told = conditions.iter().any(|c| c.type_ == "Healthy" && c.message == "scaled to zero");
            (told && status.why == "scaled to zero" && status.refusal.is_none()).then_some(())
        })
        .await;
        let said = t.explained().await;
        let lines: Vec<&str> = said.lines().map(str::trim).collect();
        assert_eq!(lines[1], "Healthy: scaled to zero", "{said}");
        let asked = lines.iter().position(|line| *line == "WOULD IT ACT NOW?").expect("the question");
        assert_eq!(lines[asked + 1], "No: there is nothing to act on.", "{said}");
        let recorded = lines.iter().position(|line| *line == "WHAT THE OPERATOR RECORDED").expect("the record");
        assert_eq!(lines[recorded + 1], "Healthy: scaled to zero", "{said}");
        t.untouched().await;
    })
    .await;
}

#[tokio::test]
async fn t22_a_deployment_that_opted_out_is_left_alone() {
    case::run("opted-out", async |t| {
        let app = |app: App| app.metadata(json!({"annotations": {keys::IGNORE: "true"}}));
        t.healthy(json!({}), &app(App::new())).await;
        t.ship(&app(bad())).await;
        t.health_refuses(RefusalReason::OptedOut).await;
        t.untouched().await;
        nothing_tried(&t).await;
    })
    .await;
}

#[tokio::test]
async fn t25_a_policy_that_observes_writes_what_it_would_have_done_and_nothing_else() {
    case::run("observe", async |t| {
        let baseline = t.healthy(json!({"mode": "Observe"}), &App::new()).await;
        t.ship(&bad()).await;
        let set = t.revision_with("APP_EXIT_AT_START").await;
        let incident = t.refused(&hash(&set), RefusalReason::ObserveOnly).await;
        let because = &incident.status.as_ref().unwrap().refusal.as_ref().unwrap().because;
        assert!(because.contains("rolled back to") && because.contains(&baseline.name()), "{because}");
        t.untouched().await;
        nothing_tried(&t).await;
    })
    .await;
}

/// Not even a dry run, which the audit log has as a write.
async fn nothing_tried(t: &Case) {
    let asked = t.operator_asked().await;
    let tried = asked.iter().filter(|a| a.namespace == t.namespace && a.is_write() && a.resource.starts_with("pods"));
    let lines: Vec<String> = tried.map(Asked::line).collect();
    assert!(lines.is_empty(), "no pod is created, but saw: {lines:?}");
}

fn bad() -> App {
    App::new().env("APP_EXIT_AT_START", 3)
}

/// Ships a bad revision and changes the Deployment before the third exit, which would be enough; gives its hash.
async fn with_little_evidence(t: &Case, change: Value) -> String {
    let third =
        json!({"rules": [{"name": "third", "match": {"failures": ["CrashLoopBackOff"]}, "threshold": {"exits": 3}}]});
    t.healthy(third, &App::new()).await;
    t.ship(&bad()).await;
    let set = t.revision_with("APP_EXIT_AT_START").await;
    let api = t.api::<Deployment>();
    api.patch("web", &PatchParams::default(), &Patch::Merge(change)).await.expect("changing the Deployment");
    hash(&set)
}
