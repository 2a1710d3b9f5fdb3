//! A person ends a freeze: by a word to Backstay, or without it.

use http::Method;
use kube::ResourceExt;
use rstest::rstest;
use serde_json::json;

use super::freeze::{STRIKES, is_frozen, owned};
use super::rig::{FAILING, Rig, WEB, actions, writes};
use super::server::{Server, Strike};
use crate::engine::decision::Outcome;

/// Frozen, and told so.
async fn frozen() -> Rig {
    let rig = Rig::changed(owned).await;
    rig.settles().await;
    rig.settles().await;
    is_frozen(&rig);
    rig.calls();
    rig
}

/// A person writes the word that ends the freeze.
fn asks(rig: &Rig) {
    let name = rig.incident().name_any();
    rig.server().edit(WEB, |web| web["metadata"]["annotations"]["backstay.dev/resume"] = json!(name));
}

/// How the incident of the freeze ended; what fails then is another matter.
fn outcome(rig: &Rig) -> Option<Outcome> {
    rig.incidents()[0].status.as_ref().and_then(|status| status.outcome)
}

#[tokio::test(start_paused = true)]
async fn a_persons_word_ends_a_freeze_once_whatever_happens_to_the_write() {
    for strike in STRIKES {
        let rig = frozen().await;
        asks(&rig);
        rig.server().strike(Method::PATCH, "/deployments/web", 1, strike);
        assert_eq!(rig.settles().await.len(), 1, "{strike:?}");
        assert_eq!(outcome(&rig), Some(Outcome::Superseded), "{strike:?}");
        // Of a resume whose answer was lost only its outcome shows.
        let told = if matches!(strike, Strike::LoseAnswer) { "Superseded" } else { "Resumed" };
        let mut events = rig.events();
        // That the API server said no is told too.
        events.retain(|event| event != "ActionBlocked" || !matches!(strike, Strike::Refuse(403 | 422)));
        assert_eq!(events, ["Frozen", told], "{strike:?}");
        rig.settles().await;
        rig.settles().await;
        let web = rig.server().get(WEB).unwrap().clone();
        assert_eq!(web["spec"]["paused"], json!(false), "{strike:?}");
        assert!(!web["metadata"]["annotations"]["backstay.dev/resume"].is_null(), "the word stays");
        assert_eq!(actions(&rig.calls()).len(), 1, "resumed once, and not frozen again: {strike:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_person_ended_was_not_retaken_whatever_happens_to_the_record() {
    for strike in STRIKES {
        for restarts in [false, true] {
            let mut rig = frozen().await;
            asks(&rig);
            rig.server().strike(Method::PATCH, "-1/status", 1, strike);
            rig.sees();
            rig.look().await.expect_err("its end is not recorded");
            if restarts {
                rig = rig.restarted().await;
            }
            rig.settles().await;
            rig.settles().await;
            assert_eq!(outcome(&rig), Some(Outcome::Superseded), "{strike:?}, restarts {restarts}");
            assert!(!rig.events().contains(&"Retaken".to_owned()), "{strike:?}, restarts {restarts}");
            assert_eq!(actions(&rig.calls()).len(), 1, "{strike:?}, restarts {restarts}");
        }
    }
}

/// The pause is in force, and the failing revision is not scaled down yet.
async fn half_frozen() -> Rig {
    let rig = Rig::changed(owned).await;
    rig.server().strike(Method::PATCH, "/replicasets/web-6d/scale", 1, Strike::Break);
    rig.look().await.expect_err("the scale failed");
    rig.sees();
    rig.calls();
    rig
}

/// `kubectl rollout resume` leaves our annotations.
fn unpause(server: &mut Server) {
    server.edit(WEB, |web| web["spec"]["paused"] = json!(false));
}

fn ignore(server: &mut Server) {
    server.edit(WEB, |web| web["metadata"]["annotations"]["backstay.dev/ignore"] = json!("true"));
}

fn delete(server: &mut Server) {
    server.edit(WEB, |web| web["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:01:00Z"));
}

#[rstest]
#[case::resumed(unpause)]
#[case::opted_out(ignore)]
#[case::deleted(delete)]
#[tokio::test(start_paused = true)]
async fn nothing_is_scaled_under_a_freeze_that_somebody_ended_meanwhile(#[case] what: fn(&mut Server)) {
    let rig = half_frozen().await;
    let before = rig.server().get(FAILING).unwrap()["spec"].clone();
    rig.server().strike(Method::GET, "/deployments/web", 1, Strike::Meanwhile(what));
    rig.look().await.expect("a race that was lost is no error");
    let calls = rig.calls();
    assert!(!writes(&calls).iter().any(|call| call.contains("/scale")), "{:?}", writes(&calls));
    assert_eq!(rig.server().get(FAILING).unwrap()["spec"], before);
}
