//! A registry that refuses to hand an image out, where a change of the image's repository makes all the difference.

use backstay::engine::words::{Cause, Class, Confidence, Fault, RefusalReason};
use serde_json::json;

use crate::refuses_environment::hash;
use crate::support::registry_faults::answer;
use crate::support::{App, Case, Story, case};

/// Both halves are one test: a workload beside it that cannot pull from the registry either would speak against the
/// registry.
#[tokio::test]
async fn t20_a_registry_that_refuses_credentials_is_the_revisions_fault_only_where_the_repository_is_new() {
    case::run_with_registry("registry-401", async |t| {
        let repository = |tag: &str| App::new().image(&format!("localhost:5000/{}/testapp:{tag}", t.namespace));
        let baseline = t.healthy(json!({}), &repository("v1")).await;
        answer(&format!("{} unauthorized", t.namespace)).await.expect("the registry takes orders");
        credentials_that_expired(&t, &repository("v2")).await;
        // Its pods never left, so the good template is there again at once.
        t.settle(&repository("v1")).await;
        t.ship(&App::new().image("localhost:5000/unauthorized/testapp:v2")).await;
        let story = Story { class: Class::ImagePullBackOff, causes: &[Cause::RegistryAuth] };
        t.rolled_back(&baseline, story).await;
    })
    .await;
}

#[tokio::test]
async fn t20_a_repository_that_is_new_and_private_or_missing_is_the_revisions_fault() {
    case::run_with_registry("registry-denied", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        t.ship(&App::new().image("localhost:5000/denied/testapp:v1")).await;
        let story = Story { class: Class::ImagePullBackOff, causes: &[Cause::ImageMissingOrPrivate] };
        t.rolled_back(&baseline, story).await;
    })
    .await;
}

/// Only the tag is new, and the credentials did for the last one: the old one could not be pulled either.
async fn credentials_that_expired(t: &Case, app: &App) {
    t.ship(app).await;
    let incident = t.refused(&hash(&t.revision_with("testapp:v2").await), RefusalReason::FaultNotRevision).await;
    let status = incident.status.as_ref().unwrap();
    let verdict = status.verdict.as_ref().unwrap();
    assert_eq!((verdict.fault, verdict.confidence), (Fault::Unknown, Confidence::Likely), "{verdict:?}");
    assert!(verdict.because.contains("touches nothing that can cause RegistryAuth"), "{verdict:?}");
    let lead = &incident.spec.opened.findings[0];
    assert_eq!((lead.class, lead.cause), (Class::ImagePullBackOff, Cause::RegistryAuth), "{lead:?}");
    assert!(lead.evidence.iter().any(|e| e.text.contains("401 Unauthorized")), "in the registry's words: {lead:?}");
    t.untouched().await;
}
