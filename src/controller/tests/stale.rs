//! Watches that lag, and processes that are replaced: what was done is told from objects and not done again.

use http::Method;
use kube::ResourceExt;

use super::rig::{OWN, Rig, WEB, actions, writes};
use super::server::Strike;
use crate::controller::tracker::OWN_WRITE;
use crate::engine::words::ActionKind;

#[tokio::test(start_paused = true)]
async fn an_own_write_that_the_watch_does_not_show_yet_is_not_repeated() {
    let rig = Rig::new().await;
    rig.look().await.unwrap();
    rig.calls();
    for _ in 0..3 {
        assert_eq!(rig.look().await.unwrap(), Some(OWN_WRITE), "the watch will tell, if anything does");
    }
    assert!(rig.calls().is_empty());
}

/// Its data was restored from a backup, and no watch will ever show the write again.
#[tokio::test(start_paused = true)]
async fn an_own_write_that_the_api_server_forgot_is_not_waited_for_for_ever() {
    let rig = Rig::new().await;
    let before = rig.server().get(WEB).unwrap().clone();
    rig.look().await.unwrap();
    rig.server().put(WEB, before);
    rig.sees();
    let judged = || rig.counted("backstay_decision_duration_seconds_count");
    let looks = judged();
    assert_eq!(rig.look().await.unwrap(), Some(OWN_WRITE));
    assert_eq!(judged(), looks);
    tokio::time::sleep(OWN_WRITE).await;
    rig.look().await.unwrap();
    assert_eq!(judged(), looks + 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_process_with_a_lagging_watch_recognises_what_was_done() {
    let rig = Rig::new().await;
    // The first process sees nothing of what it did, and neither does the second until it asks.
    rig.server().strike(Method::PATCH, "-1/status", 1, Strike::Break);
    let before = rig.server().get(WEB).unwrap().clone();
    rig.look().await.expect_err("the record is lost with the process");
    let after = rig.server().get(WEB).unwrap().clone();
    rig.server().put(WEB, before);
    let rig = rig.restarted().await;
    rig.sees();
    rig.server().put(WEB, after);
    rig.calls();
    rig.look().await.unwrap();
    let calls = rig.calls();
    assert!(actions(&calls).is_empty(), "{:?}", writes(&calls));
    let kinds: Vec<_> = rig.incident().status.unwrap().actions.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [ActionKind::RollBack]);
    assert_eq!(rig.events(), ["RolledBack"]);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_after_any_write_leaves_one_action_and_a_full_record() {
    let (post, patch) = (Method::POST, Method::PATCH);
    for (method, write) in
        [(&post, "/incidents"), (&patch, "/deployments/web"), (&patch, "-1/status"), (&post, "/events")]
    {
        let rig = Rig::new().await;
        // Nothing after this write is answered any more: the process is as good as dead.
        rig.server().strike(method.clone(), write, 1, Strike::LoseAnswer);
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), rig.look()).await;
        let before = rig.calls();
        let rig = rig.restarted().await;
        rig.settles().await;
        rig.settles().await;
        let all = actions(&before).len() + actions(&rig.calls()).len();
        assert_eq!(all, 1, "{write}");
        let kinds: Vec<_> = rig.incident().status.unwrap().actions.iter().map(|a| a.kind).collect();
        assert_eq!(kinds, [ActionKind::RollBack], "{write}");
        // An Event follows its record and is lost with the process that has written only that; the record tells it.
        let told = if write == "-1/status" { vec![] } else { vec!["RolledBack"] };
        assert_eq!(rig.events(), told, "{write}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_was_created_under_our_name_is_the_one_that_counts() {
    let rig = Rig::new().await;
    rig.server().strike(Method::POST, "/incidents", 1, Strike::LoseAnswer);
    assert_eq!(
        rig.look().await.unwrap_err().to_string(),
        format!("creating Incident {}: no answer within 5 s", name(&rig))
    );
    // The watch has not shown it, so it is created again, found, and gone on with.
    rig.look().await.unwrap();
    let calls = rig.calls();
    assert_eq!(actions(&calls).len(), 1);
    let created = calls.iter().filter(|c| c.path == format!("{OWN}/incidents")).map(|c| c.code).collect::<Vec<_>>();
    assert_eq!(created, [201, 409]);
}

fn name(rig: &Rig) -> String {
    rig.incident().name_any()
}
