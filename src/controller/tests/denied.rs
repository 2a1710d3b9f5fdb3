//! An action that the API server keeps denying: it is told as what it is, once, and costs one call per try.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use super::freeze::owned;
use super::rig::{EVENTS, OWN, Rig, WEB, actions, web, writes};
use super::server::Strike;
use crate::api::condition;
use crate::engine::memory::Intent;
use crate::engine::words::ActionKind;
use crate::metrics::ErrorCategory;

/// Nobody may write the Deployment, and so it was when it was first looked at.
async fn denied(code: u16) -> Rig {
    let rig = Rig::new().await;
    rig.server().strike_all(Method::PATCH, "/deployments/web", Strike::Refuse(code));
    rig.look().await.expect_err("it is denied");
    rig
}

fn mitigated(rig: &Rig) -> (String, String) {
    let status = rig.incident().status.unwrap();
    let condition = condition::find(&status.conditions, "Mitigated").unwrap();
    (format!("{} {}", condition.status, condition.reason), condition.message.clone())
}

fn version(rig: &Rig) -> String {
    rig.incident().metadata.resource_version.unwrap()
}

#[rstest]
#[case::by_rights_or_a_webhook(403, ErrorCategory::Forbidden)]
#[case::by_validation(422, ErrorCategory::Invalid)]
#[tokio::test(start_paused = true)]
async fn it_is_told_in_the_incident_and_in_an_event_once(#[case] code: u16, #[case] category: ErrorCategory) {
    let rig = denied(code).await;
    let calls = writes(&rig.calls());
    let incident = format!("{OWN}/incidents/{}", rig.incident().metadata.name.unwrap());
    assert_eq!(
        calls,
        [
            format!("POST {OWN}/incidents"),
            format!("PATCH {WEB}"),
            format!("PATCH {incident}/status"),
            format!("POST {EVENTS}"),
        ],
    );
    let said = format!("patching Deployment web: the test says {code}");
    let (condition, message) = mitigated(&rig);
    assert_eq!(condition, "False ActionBlocked");
    assert!(message.starts_with(&said), "{message}");
    assert!(rig.note("ActionBlocked").contains(&format!("the action RollBack, which is tried again: {said}")));
    let status = rig.incident().status.unwrap();
    assert!(status.blast_radius.is_some() && status.what_changed.is_some(), "it tells who suffers: {status:?}");
    let before = version(&rig);
    for _ in 0..8 {
        rig.sees();
        let error = rig.look().await.expect_err("it is denied again");
        assert_eq!(error.category(), category);
        assert_eq!(writes(&rig.calls()), [format!("PATCH {WEB}")], "nothing is told again");
    }
    assert_eq!(version(&rig), before);
}

#[tokio::test(start_paused = true)]
async fn the_memory_says_that_the_workload_fails_when_that_lasts() {
    let rig = denied(403).await;
    let health = |rig: &Rig| rig.server().get(&format!("{OWN}/workloadhealths/web")).unwrap()["status"].clone();
    assert_ne!(health(&rig)["state"], "Failing", "it may pass");
    rig.ctx.tracker.differs(&web(), false, Timestamp::now());
    rig.ctx.tracker.differs(&web(), true, Timestamp::now() - SignedDuration::from_secs(61));
    rig.sees();
    rig.look().await.expect_err("it is denied again");
    let health = health(&rig);
    assert_eq!((&health["state"], &health["incident"]), (&json!("Failing"), &json!(rig.incident().metadata.name)));
}

#[tokio::test(start_paused = true)]
async fn what_is_allowed_in_the_end_is_done_and_told_as_ever() {
    let rig = denied(403).await;
    rig.sees();
    rig.look().await.expect_err("it is denied again");
    rig.server().calm();
    rig.calls();
    assert!(rig.settles().await.is_empty());
    assert_eq!(actions(&rig.calls()).len(), 1);
    assert_eq!(mitigated(&rig).0, "True RolledBack");
    assert_eq!(rig.events(), ["ActionBlocked", "RolledBack"]);
}

/// How long a freeze may take counts from when it was last intended.
#[tokio::test(start_paused = true)]
async fn when_a_template_is_put_back_is_intended_anew_each_time_and_nothing_else_changes() {
    let rig = Rig::changed(|server| {
        super::freeze::completed(server);
        server.strike_all(Method::PATCH, "/deployments/web", Strike::Refuse(403));
    })
    .await;
    let intended = |rig: &Rig| -> Intent { rig.incident().intent().unwrap().clone() };
    rig.look().await.expect_err("it is denied");
    let (first, told) = (intended(&rig), timeline(&rig));
    rig.calls();
    rig.sees();
    rig.look().await.expect_err("it is denied again");
    let status = |path: &String| path.ends_with("/status");
    assert_eq!(writes(&rig.calls()).iter().filter(|write| status(write)).count(), 1);
    assert!(first.puts_back && intended(&rig).made() > first.made());
    assert_eq!((mitigated(&rig).0, timeline(&rig)), ("False ActionBlocked".to_owned(), told));
    assert_eq!(rig.events(), ["ActionBlocked"]);
}

fn timeline(rig: &Rig) -> Vec<String> {
    rig.incident().status.unwrap().timeline.into_iter().map(|entry| entry.what).collect()
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_may_not_be_ended_is_in_force_and_the_denial_is_told_once() {
    let rig = Rig::changed(owned).await;
    rig.settles().await;
    rig.settles().await;
    super::freeze::ships(&mut rig.server());
    rig.server().strike_all(Method::PATCH, "/deployments/web", Strike::Refuse(403));
    for _ in 0..4 {
        rig.sees();
        rig.look().await.expect_err("it is denied");
    }
    assert_eq!(mitigated(&rig).0, "True FreezeBegun", "the baseline runs all the same");
    assert_eq!(rig.events(), ["ActionBlocked", "Frozen"]);
    let status: Value = json!(rig.incident().status);
    assert_eq!(status.get("outcome"), None, "it goes on");
    assert!(timeline(&rig).iter().all(|what| what != &format!("{}d", ActionKind::Resume)), "nothing was resumed");
}

#[tokio::test(start_paused = true)]
async fn another_answer_is_told_as_well_and_a_few_of_them_at_most() {
    let rig = Rig::new().await;
    let told = |rig: &Rig| timeline(rig).iter().filter(|what| *what == "ActionBlocked").count();
    rig.server().strike(Method::PATCH, "/deployments/web", 1, Strike::Refuse(503));
    rig.look().await.expect_err("the API server is not well");
    assert_eq!((told(&rig), rig.events().len()), (1, 0), "which passes by itself");
    for code in [403, 422].into_iter().cycle().take(12) {
        rig.server().strike(Method::PATCH, "/deployments/web", 1, Strike::Refuse(code));
        rig.sees();
        rig.look().await.expect_err("it is denied");
    }
    assert_eq!(told(&rig), 5);
    assert_eq!(rig.events(), ["ActionBlocked"; 2], "one for each answer");
    assert!(mitigated(&rig).1.contains("the test says"));
}
