//! The brake and its record: one incident, told once, whatever happens to the writes; and no action without the record.

use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use rstest::rstest;
use serde_json::json;

use super::rig::{Rig, actions, writes};
use super::server::Strike;
use crate::api::Incident;
use crate::controller::{chores, storm};
use crate::engine::decision::Outcome;

const INCIDENTS: &str = "/apis/backstay.dev/v1alpha1/namespaces/backstay/incidents";

fn storms(rig: &Rig) -> Vec<Incident> {
    rig.incidents().into_iter().filter(storm::is_storm).collect()
}

async fn watch(rig: &Rig) {
    storm::watch(&rig.ctx, (3, 0), Timestamp::now()).await;
}

#[tokio::test(start_paused = true)]
async fn looks_side_by_side_record_one_storm() {
    let rig = Rig::new().await;
    rig.others_fail();
    rig.server().strike(Method::POST, "/incidents", 1, Strike::Late(1));
    futures::future::join_all((0..10).map(|_| watch(&rig))).await;
    watch(&rig).await;
    let calls = rig.calls();
    let created = calls.iter().filter(|call| call.method == Method::POST && call.path == INCIDENTS).count();
    assert_eq!(created, 1, "{:?}", writes(&calls));
    assert_eq!(rig.events(), ["Held"]);
    assert_eq!(storms(&rig)[0].status.as_ref().unwrap().affected.len(), 10);
}

#[rstest]
#[case::creating(Method::POST, "/incidents")]
#[case::recording(Method::PATCH, "/status")]
#[tokio::test(start_paused = true)]
async fn the_brake_holds_while_its_record_cannot_be_written(#[case] method: Method, #[case] path: &str) {
    for strike in [Strike::Refuse(403), Strike::Refuse(409), Strike::Busy(429, 2), Strike::Silence, Strike::LoseAnswer]
    {
        let rig = Rig::new().await;
        rig.others_fail();
        rig.server().strike(method.clone(), path, 1, strike);
        rig.look().await.expect("a record that cannot be written keeps nobody from being judged");
        assert!(rig.ctx.fleet.storm().is_some(), "{strike:?}");
        assert!(actions(&rig.calls()).is_empty(), "{strike:?}");
        for _ in 0..3 {
            rig.look().await.unwrap();
        }
        assert!(writes(&rig.calls()).is_empty(), "it is not tried at every look: {strike:?}");
        tokio::time::sleep(Duration::from_secs(6)).await;
        watch(&rig).await;
        let [storm] = &storms(&rig)[..] else { panic!("{strike:?}: {:?}", storms(&rig)) };
        assert!(storm.status.is_some(), "{strike:?}");
        assert_eq!(rig.events(), ["Held"], "{strike:?}");
        assert!(actions(&rig.calls()).is_empty(), "{strike:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_ends_once_and_not_before_that_is_written() {
    let rig = Rig::new().await;
    rig.others_fail();
    watch(&rig).await;
    let later = || Timestamp::now() + jiff::SignedDuration::from_mins(6);
    rig.server().strike(Method::PATCH, "/status", 1, Strike::Refuse(500));
    storm::watch(&rig.ctx, (3, 0), later()).await;
    assert!(rig.ctx.fleet.storm().is_some());
    tokio::time::sleep(Duration::from_secs(6)).await;
    rig.server().strike(Method::PATCH, "/status", 1, Strike::Late(1));
    futures::future::join_all((0..5).map(|_| storm::watch(&rig.ctx, (3, 0), later()))).await;
    assert!(rig.ctx.fleet.storm().is_none());
    let status = storms(&rig).remove(0).status.unwrap();
    assert_eq!(status.outcome, Some(Outcome::Cleared));
    assert_eq!(status.timeline.iter().filter(|entry| entry.what == "Cleared").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_restart_takes_the_storm_over_and_clears_away_older_ones() {
    let rig = Rig::new().await;
    rig.others_fail();
    watch(&rig).await;
    let mut older = serde_json::to_value(&storms(&rig)[0]).unwrap();
    older["metadata"] =
        serde_json::json!({"name": "storm-1", "namespace": "backstay", "labels": {"backstay.dev/storm": "true"}});
    older["spec"]["opened"]["at"] = serde_json::json!("2026-01-01T00:00:00Z");
    rig.server().put(&format!("{INCIDENTS}/storm-1"), older);
    let name = rig.ctx.fleet.storm();
    let rig = rig.restarted().await;
    rig.sees();
    storm::adopt(&rig.ctx);
    assert_eq!(rig.ctx.fleet.storm(), name, "the newest is the one in force");
    let kept = crate::config::IncidentArgs { incident_retention_days: 30, incidents_per_workload: 20 };
    chores::clear_away(&rig.ctx, &kept, Timestamp::now()).await.unwrap();
    let open: Vec<_> = storms(&rig).into_iter().filter(Incident::is_open).collect();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].metadata.name.as_deref(), name.as_deref());
}

/// A record outside of the watched namespaces could be neither written nor seen.
#[rstest]
#[case(&[], "backstay")]
#[case(&["backstay", "apps"], "backstay")]
#[case(&["apps", "shop"], "apps")]
fn the_record_is_where_it_can_be_written(#[case] watched: &[&str], #[case] home: &str) {
    let watched: Vec<String> = watched.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(storm::home("backstay".to_owned(), &watched), home);
}

/// A person writes into the storm's incident.
fn says(rig: &Rig, verdict: &str) {
    let name = rig.ctx.fleet.storm().expect("a storm");
    let approval = json!({"verdict": verdict, "by": "ada", "decision": format!("Storm/{name}")});
    rig.server().edit(&format!("{INCIDENTS}/{name}"), |storm| storm["spec"]["approval"] = approval);
    rig.sees_own();
}

#[tokio::test(start_paused = true)]
async fn a_person_may_let_workloads_be_judged_one_by_one_although_the_storm_has_not_passed() {
    let rig = Rig::new().await;
    rig.others_fail();
    rig.settles().await;
    assert!(actions(&rig.calls()).is_empty(), "the brake holds");
    says(&rig, "Approve");
    rig.settles().await;
    assert_eq!(actions(&rig.calls()).len(), 1, "the next look acts");
    assert!(rig.ctx.fleet.storm().is_some() && rig.ctx.fleet.brake().is_none());
    watch(&rig).await;
    watch(&rig).await;
    let status = storms(&rig).remove(0).status.unwrap();
    let told: Vec<&str> = status.timeline.iter().map(|entry| &*entry.what).collect();
    assert_eq!(told, ["Storm", "Overridden"], "told once, by name: {status:?}");
    assert!(status.timeline[1].text.starts_with("ada ") && status.outcome.is_none(), "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn the_word_outlasts_a_restart_ends_with_the_storm_and_can_be_taken_back() {
    let rig = Rig::new().await;
    rig.others_fail();
    watch(&rig).await;
    says(&rig, "Approve");
    let rig = rig.restarted().await;
    rig.sees();
    storm::adopt(&rig.ctx);
    rig.others_fail();
    watch(&rig).await;
    assert!(rig.ctx.fleet.brake().is_none(), "what was said is in the object");
    says(&rig, "Deny");
    rig.settles().await;
    assert!(rig.ctx.fleet.brake().is_some());
    assert!(actions(&rig.calls()).is_empty(), "the brake holds again");
    let status = storms(&rig).remove(0).status.unwrap();
    let told: Vec<&str> = status.timeline.iter().map(|entry| &*entry.what).collect();
    assert_eq!(told, ["Storm", "Overridden", "Storm"], "{status:?}");
    says(&rig, "Approve");
    watch(&rig).await;
    let later = |seconds| Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    storm::watch(&rig.ctx, (3, 0), later(360)).await;
    assert_eq!(rig.ctx.fleet.storm(), None, "it passes as any other");
    storm::watch(&rig.ctx, (3, 0), later(10)).await;
    assert!(rig.ctx.fleet.brake().is_some(), "the word was on the storm before");
}
