//! Gauges of what only looks tell: they follow the workloads, and end with the leadership.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::json;

use super::rig::{OWN, Rig, WEB, web};
use super::server::Strike;
use crate::controller::{chores, run, storm};
use crate::engine::words::{Class, Fault};

const FINDING: &str = "backstay_findings{class=\"CrashLoopBackOff\",fault=\"Revision\"}";
const STORM: &str = "backstay_storm_active";
const IN_BACKOFF: &str = "backstay_objects_in_backoff";

/// The value of a series, as the next scrape would have it.
fn value(rig: &Rig, series: &str) -> u32 {
    chores::gauges(&rig.ctx, &mut BTreeMap::new());
    let text = rig.ctx.metrics.encode().unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no series {series} in\n{text}")).parse().unwrap()
}

/// The lease cannot be renewed any more.
async fn loses_the_lease(rig: &Rig) {
    rig.server().strike_all(Method::PUT, "/leases/backstay", Strike::Refuse(500));
    while rig.ctx.standing.is_leader() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_reported_by_the_leader_alone() {
    let rig = Rig::new().await;
    rig.others_fail();
    storm::watch(&rig.ctx, (3, 0), Timestamp::now()).await;
    assert_eq!(value(&rig, STORM), 1);
    loses_the_lease(&rig).await;
    assert!(rig.ctx.fleet.brake().is_some(), "nobody released it here");
    assert_eq!(value(&rig, STORM), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_replica_found_and_failed_at_is_forgotten_with_its_lease() {
    let rig = Rig::new().await;
    let (ctx, leadership) = (rig.ctx.clone(), rig.ctx.standing.watch());
    let leading = tokio::spawn(async move { run::lead(&ctx, leadership).await });
    tokio::time::sleep(Duration::from_millis(10)).await;
    rig.server().strike(Method::PATCH, "/deployments/web", 1, Strike::Refuse(403));
    rig.look().await.expect_err("it is told");
    rig.ctx.tracker.failed(&web(), None);
    assert_eq!((value(&rig, FINDING), value(&rig, IN_BACKOFF)), (1, 1));
    loses_the_lease(&rig).await;
    assert_eq!((value(&rig, FINDING), value(&rig, IN_BACKOFF)), (0, 0));
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!((rig.ctx.tracker.findings().len(), rig.ctx.tracker.in_backoff()), (0, 0), "and does not come back");
    leading.abort();
}

#[tokio::test(start_paused = true)]
async fn findings_go_with_their_workload() {
    let rig = Rig::new().await;
    rig.look().await.unwrap();
    assert_eq!(value(&rig, FINDING), 1);
    rig.server().remove(WEB);
    rig.sees();
    assert_eq!(value(&rig, FINDING), 0);
    // A look that was under way ends later than that.
    rig.ctx.tracker.found(&web(), vec![(Class::CrashLoopBackOff, Fault::Revision)]);
    rig.ctx.tracker.failed(&web(), None);
    assert_eq!((value(&rig, FINDING), value(&rig, IN_BACKOFF)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn findings_of_a_namesake_are_not_those_of_the_next() {
    let rig = Rig::new().await;
    rig.look().await.unwrap();
    assert_eq!(value(&rig, FINDING), 1);
    rig.server().edit(WEB, |web| web["metadata"]["uid"] = json!("d-9"));
    rig.sees();
    rig.look().await.unwrap();
    assert_eq!(value(&rig, FINDING), 0);
}

#[tokio::test(start_paused = true)]
async fn what_no_policy_selects_any_more_is_not_counted() {
    let rig = Rig::new().await;
    rig.look().await.unwrap();
    assert_eq!(value(&rig, FINDING), 1);
    rig.server().edit(WEB, |web| web["metadata"]["labels"] = json!({}));
    for incident in rig.incidents() {
        rig.server().remove(&format!("{OWN}/incidents/{}", incident.name_any()));
    }
    rig.sees();
    rig.look().await.unwrap();
    assert_eq!(value(&rig, FINDING), 0);
}
