//! Somebody else writes to the Deployment at the same time: people and other controllers win.

use std::time::Duration;

use backstay::api::Incident;
use backstay::engine::decision::{Outcome, Progress};
use backstay::engine::words::RefusalReason;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::refuses_environment::hash;
use crate::support::audit::lines;
use crate::support::case::OPERATOR;
use crate::support::{App, Case, case};

#[tokio::test]
async fn t23_a_fix_that_is_shipped_at_the_sight_of_the_incident_stays() {
    case::run("fix-in-flight", async |t| {
        t.healthy(json!({}), &App::new()).await;
        t.ship(&bad()).await;
        t.incident("an incident", |_| Some(())).await;
        let fix = t.settle(&fixed()).await;
        t.incident("an incident that was superseded", superseded).await;
        assert!(is_fixed(&t).await, "the fix stays");
        not_after(&t, fix.deployment.metadata.generation).await;
    })
    .await;
}

#[tokio::test]
async fn t23_an_approval_that_comes_after_the_fix_does_nothing() {
    case::run("fix-before-word", async |t| {
        t.healthy(json!({"guards": {"approval": "Always"}}), &App::new()).await;
        t.ship(&bad()).await;
        let set = t.revision_with("APP_EXIT_AT_START").await;
        let incident = t.refused(&hash(&set), RefusalReason::AwaitingApproval).await;
        t.ship(&fixed()).await;
        let word = |by: &str| Patch::Merge(json!({"spec": {"approval": {"verdict": "Approve", "by": by}}}));
        let incidents = t.api::<Incident>();
        let (name, params) = (incident.name_any(), PatchParams::default());
        let forged = incidents.patch(&name, &params, &word("somebody")).await;
        assert!(forged.is_err(), "nobody approves in another's name, but saw {forged:?}");
        let me = who_am_i(&t).await;
        incidents.patch(&name, &params, &word(&me)).await.expect("approving");
        t.incident("an incident that was superseded", superseded).await;
        t.settle(&fixed()).await;
        assert!(is_fixed(&t).await, "the fix stays");
        t.untouched().await;
    })
    .await;
}

#[tokio::test]
async fn t24_a_bad_template_that_another_writer_puts_back_is_told_and_not_fought() {
    case::run("retaken", async |t| {
        t.healthy(json!({}), &App::new()).await;
        t.ship(&bad()).await;
        t.incident("an incident with its action", |i| (!i.status.as_ref()?.actions.is_empty()).then_some(())).await;
        t.apply_as("robot", bad().0).await.expect("the robot puts it back");
        let incident = t
            .incident("an incident that tells of it", |i| {
                let status = i.status.as_ref()?;
                let refusal = status.refusal.as_ref()?.reason == RefusalReason::AlreadyTried;
                (refusal && status.progress == Some(Progress::Retaken)).then(|| i.clone())
            })
            .await;
        let event = t.event("Retaken", &incident).await;
        assert!(event.note.as_deref().is_some_and(|n| n.contains("robot")), "the writer is named: {:?}", event.note);
        let generation = t.deployment().await.metadata.generation;
        t.holds::<Deployment>("web", "nobody fights over the template", Duration::from_secs(20), |d| {
            let template = serde_json::to_string(&d.spec.template).unwrap();
            let untouched = d.metadata.generation == generation && template.contains("APP_EXIT_AT_START");
            untouched.then_some(()).ok_or_else(|| "the spec was changed".to_owned())
        })
        .await;
        let writes = t.operator_writes().await;
        let patches: Vec<_> = writes.iter().filter(|w| w.resource == "deployments").collect();
        assert!(!t.audit.is_there() || patches.len() == 1, "one roll-back and no second, but saw:{}", lines(patches));
    })
    .await;
}

/// The name by which the API server knows the tests.
async fn who_am_i(t: &Case) -> String {
    let reviews: Api<SelfSubjectReview> = Api::all(t.client.clone());
    let review =
        reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await.expect("asking who we are");
    review.status.and_then(|s| s.user_info).and_then(|u| u.username).expect("a user name")
}

fn bad() -> App {
    App::new().env("APP_EXIT_AT_START", 3)
}

fn fixed() -> App {
    App::new().env("VERSION", "fixed")
}

fn superseded(incident: &Incident) -> Option<()> {
    (incident.status.as_ref()?.outcome == Some(Outcome::Superseded)).then_some(())
}

async fn is_fixed(t: &Case) -> bool {
    serde_json::to_string(&t.deployment().await.spec.template).unwrap().contains("fixed")
}

/// No change by the operator was accepted after the fix, whose generation the Deployment still has.
async fn not_after(t: &Case, fix: Option<i64>) {
    assert_eq!(t.deployment().await.metadata.generation, fix, "nothing changed the spec after the fix");
    let writes = t.writes().await;
    let shipped =
        writes.iter().filter(|w| w.user != OPERATOR && w.body.to_string().contains("fixed")).map(|w| w.received);
    let Some(shipped) = shipped.min() else { return };
    let late: Vec<_> = writes
        .iter()
        .filter(|w| w.user == OPERATOR && w.resource == "deployments" && w.accepted() && w.received > shipped)
        .collect();
    assert!(late.is_empty(), "no accepted write of the operator after the fix, but saw:{}", lines(late));
}
