//! A freeze and its end: two writes to workloads, each struck in turn.

use std::time::Duration;

use http::Method;
use rstest::rstest;
use serde_json::json;

use super::rig::{BASELINE, FAILING, OWN, Rig, WEB, actions, writes};
use super::server::{Server, Strike};
use crate::engine::decision::{Outcome, Progress};
use crate::engine::words::ActionKind;

/// Argo CD owns the template.
pub fn owned(server: &mut Server) {
    server.edit(WEB, |web| web["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = json!("shop"));
}

pub fn is_frozen(rig: &Rig) {
    let server = rig.server();
    let web = server.get(WEB).unwrap();
    assert_eq!(web["spec"]["paused"], json!(true));
    assert_eq!(web["spec"]["template"]["spec"]["containers"][0]["image"], json!("web:2"), "the template stays");
    assert_eq!(server.get(FAILING).unwrap()["spec"]["replicas"], json!(0));
    assert_eq!(server.get(BASELINE).unwrap()["spec"]["replicas"], json!(2));
}

/// The Deployment controller follows the template that was put back, as far as one replica.
pub fn starts_baseline(server: &mut Server) {
    runs(server, BASELINE, 1);
    server.edit(BASELINE, |set| set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("3"));
    server.edit(WEB, |web| {
        web["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("3");
        web["status"]["observedGeneration"] = web["metadata"]["generation"].clone();
        web["status"]["replicas"] = json!(3);
        web["status"]["updatedReplicas"] = json!(1);
    });
}

/// A new template arrives, with its ReplicaSet.
pub fn ships(server: &mut Server) {
    let mut set = server.get(BASELINE).unwrap().clone();
    set["metadata"]["name"] = json!("web-7a");
    set["metadata"]["uid"] = json!("r-3");
    set["metadata"]["labels"]["pod-template-hash"] = json!("7a");
    set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("3");
    set["spec"]["replicas"] = json!(0);
    set["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = json!("7a");
    set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:3");
    set["status"] = json!({"replicas": 0});
    server.put(&BASELINE.replace("-59", "-7a"), set);
    server.edit(WEB, |web| {
        web["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:3");
        web["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("3");
    });
    server.edit(WEB, |web| web["status"]["observedGeneration"] = web["metadata"]["generation"].clone());
}

pub const STRIKES: [Strike; 8] = [
    Strike::Refuse(403),
    Strike::Refuse(409),
    Strike::Refuse(422),
    Strike::Busy(429, 7),
    Strike::Refuse(503),
    Strike::Silence,
    Strike::LoseAnswer,
    Strike::Break,
];

/// These Events, and before them that the API server said no, if it did.
fn and_denied<'a>(strike: Strike, told: &[&'a str]) -> Vec<&'a str> {
    let denied = matches!(strike, Strike::Refuse(403 | 422));
    denied.then_some("ActionBlocked").into_iter().chain(told.iter().copied()).collect()
}

#[rstest]
#[case::pausing("/deployments/web")]
#[case::scaling("/replicasets/web-6d/scale")]
#[tokio::test(start_paused = true)]
async fn a_freeze_is_completed_whatever_happens_to_its_writes(#[case] path: &str) {
    for strike in STRIKES {
        for lagging in [false, true] {
            let rig = Rig::changed(owned).await;
            rig.server().strike(Method::PATCH, path, 1, strike);
            let error = rig.look().await.expect_err("the write failed");
            if lagging {
                // The watch of Deployments is behind: the pause is not seen yet.
                rig.sees_own();
                rig.look().await.unwrap();
            }
            assert!(rig.settles().await.is_empty(), "{strike:?} after {error}");
            is_frozen(&rig);
            assert_eq!(actions(&rig.calls()).len(), 1, "paused once: {strike:?}, lagging {lagging}");
            let status = rig.incident().status.unwrap();
            let kinds: Vec<_> = status.actions.iter().map(|a| a.kind).collect();
            assert_eq!(kinds, [ActionKind::Freeze], "{strike:?}, lagging {lagging}: {status:?}");
            assert_eq!(rig.events(), and_denied(strike, &["Frozen"]), "{strike:?}, lagging {lagging}");
            let blocked = status.timeline.iter().filter(|entry| entry.what == "ActionBlocked").count();
            assert_eq!(blocked, 1, "that it was blocked is told once");
        }
    }
}

/// A pause that was refused and read again takes so long that the scale could outlive the lease.
#[tokio::test(start_paused = true)]
async fn a_lease_that_would_not_outlast_the_scale_leaves_it_to_the_next_leader() {
    let rig = Rig::changed(owned).await;
    rig.server().strike_all(Method::PUT, "/leases/backstay", Strike::Refuse(503));
    tokio::time::sleep(Duration::from_secs(2)).await;
    // Eight seconds are left, and four when the pause is answered.
    rig.server().strike(Method::PATCH, "/deployments/web", 1, Strike::Late(4));
    assert_eq!(rig.look().await.unwrap(), Some(Duration::from_secs(5)));
    assert_eq!(rig.server().get(WEB).unwrap()["spec"]["paused"], json!(true));
    let scales = |rig: &Rig| rig.calls().iter().filter(|call| call.path.ends_with("/web-6d/scale")).count();
    assert_eq!(scales(&rig), 0, "less is left than the call may take");
    let metrics = rig.ctx.metrics.encode().unwrap();
    assert!(metrics.contains("actions_total{action=\"Freeze\",result=\"NotLeading\"} 1"), "{metrics}");
    rig.server().calm();
    let rig = rig.restarted().await;
    assert!(rig.settles().await.is_empty());
    is_frozen(&rig);
    assert_eq!(scales(&rig), 1);
    let kinds: Vec<_> = rig.incident().status.unwrap().actions.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [ActionKind::Freeze]);
    assert_eq!(rig.events(), ["Frozen"]);
}

/// What is left to tell is told by whoever leads then.
#[tokio::test(start_paused = true)]
async fn a_replica_that_no_longer_leads_goes_on_with_no_write() {
    let rig = Rig::changed(|server| {
        server.edit(&format!("{OWN}/incidentpolicies/web"), |policy| {
            policy["spec"]["rules"] = json!([{"name": "told", "action": "Hold"}]);
        });
    })
    .await;
    rig.server().strike_all(Method::PUT, "/leases/backstay", Strike::Refuse(503));
    tokio::time::sleep(Duration::from_secs(7)).await;
    // Three seconds are left, and none when the incident is written.
    rig.server().strike(Method::POST, "/incidents", 1, Strike::Late(4));
    rig.look().await.unwrap();
    assert_eq!(writes(&rig.calls()), [format!("POST {OWN}/incidents")], "the lease may be another's");
}

#[tokio::test(start_paused = true)]
async fn nor_does_it_tell_of_an_action_that_was_refused_too_late() {
    let rig = Rig::new().await;
    rig.server().strike_all(Method::PUT, "/leases/backstay", Strike::Refuse(503));
    tokio::time::sleep(Duration::from_secs(4)).await;
    // Six seconds are left, two when the action is refused, and none when it is known what it was refused for.
    rig.server().strike(Method::PATCH, "/deployments/web", 1, Strike::RefuseLate(409, 4));
    // The third read: what lies around was asked before, and the live read followed.
    rig.server().strike(Method::GET, "/deployments/web", 3, Strike::Late(4));
    rig.look().await.expect_err("it was refused");
    let written = writes(&rig.calls());
    assert!(!written.iter().any(|w| w.ends_with("/status")), "the lease may be another's: {written:?}");
}

/// Three writes: the baseline's template, then, when that has a replica, the pause and the scale.
#[rstest]
#[case::putting_back("/deployments/web", 1)]
#[case::pausing("/deployments/web", 2)]
#[case::scaling("/replicasets/web-6d/scale", 1)]
#[tokio::test(start_paused = true)]
async fn a_freeze_of_a_completed_rollout_is_completed_too(#[case] path: &str, #[case] nth: usize) {
    for strike in STRIKES {
        let rig = Rig::changed(completed).await;
        rig.server().strike(Method::PATCH, path, nth, strike);
        let mut errors = rig.settles().await;
        rig.settles().await;
        let put_back = rig.calls();
        assert_eq!(actions(&put_back).len(), 1, "the template is put back once: {strike:?}");
        assert_eq!(rig.server().get(WEB).unwrap()["spec"]["paused"], json!(null), "not paused before a pod can start");
        assert_eq!(rig.server().get(FAILING).unwrap()["spec"]["replicas"], json!(2));
        let denied = if path == "/deployments/web" && nth == 1 { and_denied(strike, &[]) } else { Vec::new() };
        assert_eq!(rig.events(), denied, "nothing is frozen yet");
        starts_baseline(&mut rig.server());
        errors.extend(rig.settles().await);
        rig.settles().await;
        assert_eq!(errors.len(), 1, "{strike:?}: {errors:?}");
        let server = rig.server();
        let web = server.get(WEB).unwrap();
        assert_eq!(web["spec"]["paused"], json!(true));
        assert_eq!(web["spec"]["template"]["spec"]["containers"][0]["image"], json!("web:1"));
        assert_eq!(server.get(FAILING).unwrap()["spec"]["replicas"], json!(0));
        drop(server);
        assert_eq!(actions(&rig.calls()).len(), 1, "paused once: {strike:?}");
        let status = rig.incident().status.unwrap();
        let kinds: Vec<_> = status.actions.iter().map(|a| a.kind).collect();
        assert_eq!(kinds, [ActionKind::RollBack, ActionKind::Freeze], "{strike:?}: {status:?}");
        assert_eq!(rig.events(), and_denied(strike, &["Frozen"]), "{strike:?}");
        let blocked = status.timeline.iter().filter(|entry| entry.what == "ActionBlocked").count();
        assert_eq!(blocked, 1, "that it was blocked is told once: {:?}", status.timeline);
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_in_the_middle_of_such_a_freeze_is_followed_by_the_next() {
    for after in 1..=3 {
        let mut rig = Rig::changed(completed).await;
        rig.settles().await;
        if after == 1 {
            rig = rig.restarted().await;
        }
        rig.settles().await;
        starts_baseline(&mut rig.server());
        if after == 2 {
            rig = rig.restarted().await;
        }
        if after == 3 {
            // The pause is carried out, and the process ends before anything else is.
            rig.server().strike(Method::PATCH, "/replicasets/web-6d/scale", 1, Strike::Break);
            rig.sees();
            rig.look().await.expect_err("the scale failed");
            rig = rig.restarted().await;
        }
        rig.settles().await;
        rig.settles().await;
        let server = rig.server();
        let web = server.get(WEB).unwrap();
        assert_eq!((&web["spec"]["paused"], &web["metadata"]["generation"]), (&json!(true), &json!(4)), "{after}");
        assert_eq!(server.get(FAILING).unwrap()["spec"]["replicas"], json!(0), "{after}");
        drop(server);
        let kinds: Vec<_> = rig.incident().status.unwrap().actions.iter().map(|a| a.kind).collect();
        assert_eq!(kinds, [ActionKind::RollBack, ActionKind::Freeze], "{after}");
        assert_eq!(rig.events(), ["Frozen"], "{after}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_freeze_ends_once_whatever_happens_to_the_write() {
    for strike in STRIKES {
        let rig = Rig::changed(owned).await;
        rig.settles().await;
        rig.settles().await;
        assert_eq!(rig.incident().status.unwrap().progress, Some(Progress::Frozen));
        rig.calls();
        ships(&mut rig.server());
        rig.server().strike(Method::PATCH, "/deployments/web", 1, strike);
        assert_eq!(rig.settles().await.len(), 1, "{strike:?}");
        assert_eq!(rig.server().get(WEB).unwrap()["spec"]["paused"], json!(false));
        assert_eq!(actions(&rig.calls()).len(), 1, "resumed once: {strike:?}");
        let status = rig.incident().status.unwrap();
        assert_eq!(status.outcome, Some(Outcome::Superseded), "{strike:?}: {status:?}");
        let blocked = status.timeline.iter().filter(|entry| entry.what == "ActionBlocked").count();
        assert_eq!(blocked, 1, "that it was blocked is told once: {:?}", status.timeline);
        // Of a resume whose answer was lost only its outcome shows.
        let told = if matches!(strike, Strike::LoseAnswer) { "Superseded" } else { "Resumed" };
        assert_eq!(rig.events(), and_denied(strike, &["Frozen", told]), "{strike:?}");
    }
}

/// The owner reverts: the baseline's template is in the Deployment again.
pub fn reverts(server: &mut Server) {
    server.edit(WEB, |web| web["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:1"));
    server.edit(WEB, |web| web["status"]["observedGeneration"] = web["metadata"]["generation"].clone());
}

#[tokio::test(start_paused = true)]
async fn a_revert_ends_a_freeze_once_whatever_happens_to_the_write() {
    for strike in STRIKES {
        let rig = Rig::changed(owned).await;
        rig.settles().await;
        rig.settles().await;
        rig.calls();
        reverts(&mut rig.server());
        rig.server().strike(Method::PATCH, "/deployments/web", 1, strike);
        assert_eq!(rig.settles().await.len(), 1, "{strike:?}");
        assert!(rig.settles().await.is_empty(), "{strike:?}");
        assert_eq!(rig.server().get(WEB).unwrap()["spec"]["paused"], json!(false));
        assert_eq!(actions(&rig.calls()).len(), 1, "resumed once: {strike:?}");
        let status = rig.incident().status.unwrap();
        assert_eq!((status.progress, status.outcome), (Some(Progress::Recovering), None), "{strike:?}: {status:?}");
        let resumed = status.timeline.iter().filter(|entry| entry.what == "Resumed").count();
        // Of a resume whose answer was lost only what follows shows.
        let told: &[&str] = if matches!(strike, Strike::LoseAnswer) { &[] } else { &["Resumed"] };
        assert_eq!(resumed, told.len(), "{strike:?}");
        assert_eq!(rig.events(), and_denied(strike, &[&["Frozen"], told].concat()), "{strike:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_reverted_before_anything_was_recorded_is_not_frozen_again() {
    let mut rig = Rig::changed(owned).await;
    // Paused, and the process ends before anything else is done.
    rig.server().strike(Method::PATCH, "/replicasets/web-6d/scale", 1, Strike::Break);
    rig.look().await.expect_err("the scale failed");
    reverts(&mut rig.server());
    rig = rig.restarted().await;
    for _ in 0..3 {
        assert!(rig.settles().await.is_empty());
    }
    assert_eq!(rig.server().get(WEB).unwrap()["spec"]["paused"], json!(false));
    assert_eq!(actions(&rig.calls()).len(), 2, "paused and resumed");
    let kinds: Vec<_> = rig.incident().status.unwrap().actions.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [ActionKind::Freeze]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_whose_incident_is_gone_is_shouted_about_too() {
    let held = |web: &mut serde_json::Value| {
        web["spec"]["paused"] = json!(true);
        web["metadata"]["annotations"]["backstay.dev/paused-for"] = json!("web-6d-1");
    };
    let rig = Rig::changed(|server| server.edit(WEB, held)).await;
    assert!(rig.settles().await.is_empty());
    let health = rig.server().get(&format!("{OWN}/workloadhealths/web")).unwrap().clone();
    let conditions = health["status"]["conditions"].as_array().unwrap().clone();
    let frozen = conditions.iter().find(|c| c["type"] == "Frozen").unwrap();
    assert_eq!((&frozen["status"], &frozen["reason"]), (&json!("True"), &json!("Paused")));
}

/// The failing revision alone runs: its rollout had completed before it failed.
pub fn completed(server: &mut Server) {
    owned(server);
    runs(server, BASELINE, 0);
    runs(server, FAILING, 2);
    for pod in ["web-59-a", "web-59-b"] {
        server.remove(&format!("/api/v1/namespaces/shop/pods/{pod}"));
    }
    server.edit(WEB, |web| {
        web["status"]["replicas"] = json!(2);
        web["status"]["updatedReplicas"] = json!(2);
        web["status"]["conditions"][1]["reason"] = json!("NewReplicaSetAvailable");
    });
}

/// The Deployment controller scales a ReplicaSet.
fn runs(server: &mut Server, set: &str, replicas: i32) {
    server.edit(set, |set| {
        set["spec"]["replicas"] = json!(replicas);
        set["status"] = json!({"replicas": replicas});
    });
}

/// The watch of ReplicaSets lags behind that of the Deployment.
#[tokio::test(start_paused = true)]
async fn what_the_controller_scaled_up_again_is_scaled_down_once_however_old_the_sight_of_it() {
    let rig = Rig::changed(owned).await;
    assert!(rig.settles().await.is_empty());
    is_frozen(&rig);
    runs(&mut rig.server(), FAILING, 2);
    rig.sees();
    rig.calls();
    let scales = |rig: &Rig| writes(&rig.calls()).iter().filter(|call| call.contains("/scale")).count();
    rig.look().await.unwrap();
    assert_eq!(scales(&rig), 1);
    is_frozen(&rig);
    rig.look().await.unwrap();
    assert_eq!(scales(&rig), 0, "it is at zero, which the watch does not show yet");
}

/// The owner puts its template back, and the Deployment controller sees it.
fn is_retaken(server: &mut Server) {
    server.edit(WEB, |web| web["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2"));
    server.edit(WEB, |web| web["status"]["observedGeneration"] = web["metadata"]["generation"].clone());
}

#[tokio::test(start_paused = true)]
async fn a_template_that_is_taken_back_at_once_is_put_back_twice() {
    let rig = Rig::changed(completed).await;
    for _ in 0..6 {
        assert!(rig.settles().await.is_empty());
        is_retaken(&mut rig.server());
    }
    assert_eq!(actions(&rig.calls()).len(), 2);
    let status = rig.incident().status.unwrap();
    assert_eq!(status.progress, Some(Progress::Retaken), "{status:?}");
    let kinds: Vec<_> = status.actions.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [ActionKind::RollBack, ActionKind::RollBack]);
    assert_eq!(rig.events(), ["Retaken"]);
    assert!(rig.note("Retaken").starts_with("Left alone: the template of web-59 was to be put back 2 times"));
}

#[tokio::test(start_paused = true)]
async fn a_freeze_that_the_controller_undoes_is_begun_once_more() {
    let rig = Rig::changed(completed).await;
    for attempt in 1..=2 {
        assert!(rig.settles().await.is_empty());
        assert_eq!(rig.incident().intent().unwrap().attempt, attempt);
        runs(&mut rig.server(), BASELINE, 1);
        assert!(rig.settles().await.is_empty());
        assert_eq!(rig.server().get(WEB).unwrap()["spec"]["paused"], json!(true));
        assert_eq!(rig.server().get(FAILING).unwrap()["spec"]["replicas"], json!(0));
        let mut server = rig.server();
        is_retaken(&mut server);
        runs(&mut server, BASELINE, 0);
        runs(&mut server, FAILING, 2);
    }
    for _ in 0..3 {
        assert!(rig.settles().await.is_empty());
    }
    assert_eq!(actions(&rig.calls()).len(), 4);
    let status = rig.incident().status.unwrap();
    assert_eq!(status.progress, Some(Progress::Ineffective), "{status:?}");
    let kinds: Vec<_> = status.actions.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [ActionKind::RollBack, ActionKind::Freeze, ActionKind::RollBack, ActionKind::Freeze]);
}
