//! Something changes between the decision, or the live read, and the write: the workload is judged anew, and nothing is
//! tried again blindly.

use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use kube::ResourceExt;
use rstest::rstest;
use serde_json::{Value, json};

use super::freeze::{owned, ships};
use super::rig::{BASELINE, OWN, Rig, WEB, actions, writes};
use super::server::{Server, Strike};
use crate::controller::storm;
use crate::engine::decision::{Outcome, Progress};
use crate::engine::words::{ActionKind, RefusalReason};

/// The template that a person ships.
fn image(web: &mut Value, image: &str) {
    web["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
}

fn fix(server: &mut Server) {
    server.edit(WEB, |web| image(web, "web:3"));
}

fn pause(server: &mut Server) {
    server.edit(WEB, |web| web["spec"]["paused"] = json!(true));
}

fn delete(server: &mut Server) {
    server.remove(WEB);
}

fn delete_baseline(server: &mut Server) {
    server.remove(BASELINE);
}

/// A namesake of the baseline.
fn replace_baseline(server: &mut Server) {
    server.edit(BASELINE, |set| set["metadata"]["uid"] = json!("another"));
}

fn change_baseline(server: &mut Server) {
    server.edit(BASELINE, |set| image(set, "web:0"));
}

/// A namesake of the same generation.
fn replace(server: &mut Server) {
    let mut web = server.remove(WEB).unwrap();
    web["metadata"]["uid"] = json!("another");
    server.put(WEB, web);
}

fn strip_annotations(server: &mut Server) {
    server.edit(WEB, |web| drop(web["metadata"].as_object_mut().unwrap().remove("annotations")));
}

fn ignore(server: &mut Server) {
    server.edit(WEB, |web| web["metadata"]["annotations"]["backstay.dev/ignore"] = json!("true"));
}

const PATCH: (Method, &str) = (Method::PATCH, "/deployments/web");
const READ: (Method, &str) = (Method::GET, "/deployments/web");
const READ_BASELINE: (Method, &str) = (Method::GET, "/replicasets/web-59");

#[rstest]
#[case::fixed_before_the_read(READ, fix)]
#[case::fixed_before_the_write(PATCH, fix)]
#[case::paused_before_the_read(READ, pause)]
#[case::paused_before_the_write(PATCH, pause)]
#[case::deleted_before_the_read(READ, delete)]
#[case::deleted_before_the_write(PATCH, delete)]
#[case::replaced_before_the_read(READ, replace)]
#[case::replaced_before_the_write(PATCH, replace)]
#[case::opted_out_before_the_read(READ, ignore)]
#[case::baseline_deleted_before_the_read(READ_BASELINE, delete_baseline)]
#[case::baseline_replaced_before_the_read(READ_BASELINE, replace_baseline)]
#[case::baseline_changed_before_the_read(READ_BASELINE, change_baseline)]
#[case::unannotated_before_the_write(PATCH, strip_annotations)]
#[tokio::test(start_paused = true)]
async fn a_workload_that_moved_on_is_left_alone_and_judged_again(
    #[case] (method, path): (Method, &str),
    #[case] what: fn(&mut Server),
) {
    let rig = Rig::new().await;
    rig.server().strike(method, path, 1, Strike::Meanwhile(what));
    let again = rig.look().await.expect("a race that was lost is no error");
    assert_eq!(again, Some(Duration::from_secs(5)), "it is judged again soon, even if no watch tells");
    let calls = rig.calls();
    assert!(actions(&calls).is_empty(), "{:?}", writes(&calls));
    let tries = calls.iter().filter(|call| call.method == Method::PATCH && call.path == WEB).count();
    assert!(tries <= 1, "not tried again blindly: {:?}", writes(&calls));
    let told = rig.incident().status.is_none_or(|s| s.timeline.iter().all(|entry| entry.what != "ActionBlocked"));
    assert!(told, "nobody refused anything");
}

fn another_fix(server: &mut Server) {
    server.edit(WEB, |web| image(web, "web:4"));
}

fn scale(server: &mut Server) {
    server.edit(WEB, |web| web["spec"]["replicas"] = json!(5));
}

fn unpause(server: &mut Server) {
    server.edit(WEB, |web| web["spec"]["paused"] = json!(false));
}

/// What was judged was another template, or whoever wants no writes any more wants none at all.
#[rstest]
#[case::fixed_before_the_read(READ, another_fix)]
#[case::fixed_before_the_write(PATCH, another_fix)]
#[case::scaled_before_the_read(READ, scale)]
#[case::opted_out_before_the_read(READ, ignore)]
#[case::resumed_before_the_read(READ, unpause)]
#[case::deleted_before_the_read(READ, delete)]
#[case::deleted_before_the_write(PATCH, delete)]
#[case::replaced_before_the_write(PATCH, replace)]
#[tokio::test(start_paused = true)]
async fn a_pause_of_a_workload_that_moved_on_is_not_ended_before_it_is_judged_again(
    #[case] (method, path): (Method, &str),
    #[case] what: fn(&mut Server),
) {
    let rig = Rig::changed(owned).await;
    rig.settles().await;
    rig.settles().await;
    ships(&mut rig.server());
    rig.sees();
    rig.calls();
    rig.server().strike(method, path, 1, Strike::Meanwhile(what));
    let again = rig.look().await.expect("a race that was lost is no error");
    assert_eq!(again, Some(Duration::from_secs(5)), "it is judged again soon, even if no watch tells");
    let calls = rig.calls();
    assert!(actions(&calls).is_empty(), "{:?}", writes(&calls));
    assert_eq!(rig.incident().status.unwrap().outcome, None, "nothing is over yet");
}

#[tokio::test(start_paused = true)]
async fn what_did_not_matter_is_acted_on_at_the_next_look() {
    let rig = Rig::new().await;
    rig.server().strike(Method::PATCH, "/deployments/web", 1, Strike::Meanwhile(strip_annotations));
    assert!(rig.settles().await.is_empty());
    assert!(rig.settles().await.is_empty());
    assert_eq!(actions(&rig.calls()).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fix_that_comes_in_between_ends_the_incident() {
    let rig = Rig::new().await;
    rig.server().strike(Method::PATCH, "/deployments/web", 1, Strike::Meanwhile(fix));
    rig.look().await.unwrap();
    let mut set = rig.server().get(BASELINE).unwrap().clone();
    set["metadata"]["name"] = json!("web-7a");
    set["metadata"]["uid"] = json!("r-3");
    set["metadata"]["labels"]["pod-template-hash"] = json!("7a");
    set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("3");
    set["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = json!("7a");
    set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:3");
    rig.server().put(&BASELINE.replace("-59", "-7a"), set);
    rig.server().edit(WEB, |web| {
        web["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("3");
        web["status"]["observedGeneration"] = json!(3);
    });
    assert!(rig.settles().await.is_empty());
    assert_eq!(rig.incident().status.unwrap().outcome, Some(Outcome::Superseded));
    assert!(actions(&rig.calls()).is_empty(), "the fix stays");
}

/// The first write was thought lost and arrives just before the second.
fn lands_late(server: &mut Server) {
    let incident = server.all("incidents")[0]["metadata"]["name"].clone();
    server.edit(WEB, |web| {
        image(web, "web:1");
        web["metadata"]["annotations"]["backstay.dev/incident"] = incident;
    });
}

#[tokio::test(start_paused = true)]
async fn a_write_that_lands_late_is_recognised_as_our_own() {
    let rig = Rig::new().await;
    rig.server().strike(Method::PATCH, "/deployments/web", 1, Strike::Silence);
    rig.server().strike(Method::PATCH, "/deployments/web", 1, Strike::Meanwhile(lands_late));
    assert_eq!(rig.settles().await.len(), 1);
    assert!(actions(&rig.calls()).is_empty(), "the second was refused, since the first had landed");
    let kinds: Vec<_> = rig.incident().status.unwrap().actions.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [ActionKind::RollBack], "and the record tells of it");
    assert_eq!(rig.events(), ["RolledBack"]);
}

#[tokio::test(start_paused = true)]
async fn a_storm_that_begins_while_the_incident_is_written_stops_the_action() {
    let rig = Rig::new().await;
    rig.server().strike(Method::POST, "/incidents", 1, Strike::Late(2));
    let storm = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        rig.others_fail();
        storm::watch(&rig.ctx, (3, 0), Timestamp::now()).await;
    };
    let (looked, ()) = tokio::join!(rig.look(), storm);
    looked.unwrap();
    assert!(actions(&rig.calls()).is_empty());
    rig.settles().await;
    let status = rig.incident().status.unwrap();
    assert_eq!(status.progress, Some(Progress::Held));
    assert_eq!(status.refusal.unwrap().reason, RefusalReason::Storm);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_would_not_outlast_the_write_stops_the_action() {
    let rig = Rig::new().await;
    rig.server().strike_all(Method::PUT, "/leases/backstay", Strike::Refuse(503));
    tokio::time::sleep(Duration::from_secs(2)).await;
    // Eight seconds are left now, and four when the incident is written: less than one call may take.
    rig.server().strike(Method::POST, "/incidents", 1, Strike::Late(4));
    assert_eq!(rig.look().await.unwrap(), Some(Duration::from_secs(5)));
    assert!(actions(&rig.calls()).is_empty());
    let metrics = rig.ctx.metrics.encode().unwrap();
    assert!(metrics.contains("actions_total{action=\"RollBack\",result=\"NotLeading\"} 1"), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_somebody_deletes_is_opened_anew() {
    let rig = Rig::new().await;
    rig.settles().await;
    let name = rig.incident().name_any();
    rig.server().remove(&format!("{OWN}/incidents/{name}"));
    rig.rolls_out_baseline();
    rig.sees_workloads();
    rig.time_passes();
    // The watch has not told of the deletion yet: closing it fails, and the next look knows.
    let closing = rig.look().await;
    rig.settles().await;
    assert_eq!(actions(&rig.calls()).len(), 1, "one action, whatever becomes of its record: {closing:?}");
}
