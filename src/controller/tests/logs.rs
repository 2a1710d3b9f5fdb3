//! Logs beside the looks: they are evidence when they are there, and are waited for only where none is known yet.

use std::time::Duration;

use http::Method;
use rstest::rstest;
use serde_json::json;

use super::rig::{OWN, Rig, WEB, actions, writes};
use super::server::{Server, Strike};
use crate::api::Incident;
use crate::engine::words::{Cause, Fault, RefusalReason};

const FAILING: &str = "/api/v1/namespaces/shop/pods/web-6d-a";
const HEALTHY: [&str; 2] = ["/api/v1/namespaces/shop/pods/web-59-a", "/api/v1/namespaces/shop/pods/web-59-b"];
const SCHEMA: &str = "postgres://app:hunter2@db/shop: pq: relation \"orders\" does not exist";
const REFUSED: &str = "dial tcp 10.0.0.5:5432: connect: connection refused";

/// From now on the pod's log is one line of JSON.
fn logs(server: &mut Server, pod: &str, line: &str) {
    server.put(&format!("{pod}/log"), json!({"level": "error", "msg": line}));
}

/// The container has exited so often. The rule asks for three exits.
fn exited(rig: &Rig, exits: u32) {
    rig.server().edit(FAILING, |pod| pod["status"]["containerStatuses"][0]["restartCount"] = json!(exits - 1));
    rig.sees();
}

/// Looks until nothing is read any more.
async fn listens(rig: &mut Rig) {
    rig.look().await.unwrap();
    while let Ok(Some(_)) = tokio::time::timeout(Duration::from_secs(10), rig.woken.recv()).await {
        rig.look().await.unwrap();
    }
}

fn cause(incident: &Incident) -> Cause {
    incident.spec.opened.findings[0].cause
}

/// Paths of the logs that were asked for.
fn asked(rig: &Rig) -> Vec<String> {
    let of_log = |path: &String| path.ends_with("/log");
    let mut asked: Vec<String> = rig.calls().into_iter().map(|call| call.path).filter(of_log).collect();
    asked.sort();
    asked.dedup();
    asked
}

#[tokio::test(start_paused = true)]
async fn the_last_words_are_in_the_incident_before_anything_is_done_and_cost_no_write() {
    let mut rig = Rig::listening(|server| logs(server, FAILING, SCHEMA)).await;
    exited(&rig, 2);
    listens(&mut rig).await;
    assert!(rig.incidents().is_empty(), "a log alone opens no incident");
    rig.calls();
    exited(&rig, 3);
    rig.look().await.unwrap();
    let incident = rig.incident();
    assert_eq!(cause(&incident), Cause::SchemaMismatch);
    let [kept] = &*incident.spec.opened.logs else { panic!("{:?}", incident.spec.opened.logs) };
    assert_eq!((&*kept.pod, &*kept.container, kept.ended, kept.exits), ("web-6d-a", "web", true, 2));
    assert!(
        kept.text.contains("relation \\\"orders\\\" does not exist") && !kept.text.contains("hunter2"),
        "{}",
        kept.text
    );
    assert!(incident.status.unwrap().logs.is_empty(), "told once");
    let calls = rig.calls();
    assert_eq!(actions(&calls).len(), 1);
    assert_eq!(writes(&calls).len(), 4, "incident, action, status, Event, as without logs: {calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_comes_while_it_acts_is_put_down_with_the_action() {
    let mut rig = Rig::listening(|_| {}).await;
    exited(&rig, 2);
    listens(&mut rig).await;
    rig.calls();
    logs(&mut rig.server(), FAILING, SCHEMA);
    exited(&rig, 3);
    rig.look().await.unwrap();
    let incident = rig.incident();
    assert_eq!((cause(&incident), incident.spec.opened.logs.len()), (Cause::ApplicationError, 0));
    let status = incident.status.unwrap();
    assert_eq!(status.actions.len(), 1);
    assert!(status.logs[0].text.contains("does not exist"), "{:?}", status.logs);
    assert_eq!(writes(&rig.calls()).len(), 4);
}

#[rstest]
#[case::forbidden(Strike::Refuse(403), "Forbidden")]
#[case::missing(Strike::Refuse(404), "Failed")]
#[case::broken(Strike::Break, "Failed")]
#[case::silent(Strike::Silence, "Failed")]
#[tokio::test(start_paused = true)]
async fn a_roll_back_does_not_wait_for_a_log_that_cannot_be_had(#[case] strike: Strike, #[case] counted: &str) {
    let mut rig = Rig::listening(|server| server.strike_all(Method::GET, "/log", strike)).await;
    rig.look().await.unwrap();
    let incident = rig.incident();
    assert_eq!(incident.status.as_ref().unwrap().actions.len(), 1, "{incident:?}");
    assert_eq!(incident.logs().count(), 0);
    let calls = rig.calls();
    assert_eq!((actions(&calls).len(), writes(&calls).len()), (1, 4), "{calls:?}");
    listens(&mut rig).await;
    let metrics = rig.ctx.metrics.encode().unwrap();
    assert!(metrics.contains(&format!("backstay_log_reads_total{{result=\"{counted}\"}} 1\n")), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn a_program_that_ends_sooner_than_its_log_is_read_is_listened_to_before_it_is_acted_on() {
    let rig = Rig::listening(|server| {
        logs(server, FAILING, SCHEMA);
        server.strike(Method::GET, "/log", 1, Strike::Late(1));
    })
    .await;
    exited(&rig, 2);
    rig.look().await.unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    exited(&rig, 3);
    rig.look().await.unwrap();
    let incident = rig.incident();
    assert_eq!((cause(&incident), incident.spec.opened.logs.len()), (Cause::SchemaMismatch, 1));
    assert_eq!(incident.status.unwrap().actions.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_suffices_at_its_first_sight_is_listened_to_before_it_is_acted_on() {
    let rig = Rig::listening(|server| {
        [FAILING, HEALTHY[0], HEALTHY[1]].iter().for_each(|pod| logs(server, pod, REFUSED));
    })
    .await;
    rig.look().await.unwrap();
    let opened = rig.incident().spec.opened;
    assert_eq!(opened.verdict.as_ref().unwrap().fault, Fault::Dependency);
    assert_eq!(opened.logs.len(), 3);
    assert!(actions(&rig.calls()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_healthy_pods_log_too_holds_the_action_also_after_a_restart() {
    let mut rig = Rig::listening(|server| {
        [FAILING, HEALTHY[0], HEALTHY[1]].iter().for_each(|pod| logs(server, pod, REFUSED));
    })
    .await;
    exited(&rig, 2);
    listens(&mut rig).await;
    exited(&rig, 3);
    listens(&mut rig).await;
    let incident = rig.incident();
    assert_eq!(incident.spec.opened.verdict.as_ref().unwrap().fault, Fault::Dependency);
    let pods: Vec<&str> = incident.spec.opened.logs.iter().map(|log| &*log.pod).collect();
    assert_eq!(pods, ["web-6d-a", "web-59-a", "web-59-b"]);
    assert!(actions(&rig.calls()).is_empty());
    // Another process has read no log yet, and none can be read any more.
    rig.server().strike_all(Method::GET, "/log", Strike::Refuse(404));
    let rig = rig.restarted().await;
    rig.settles().await;
    let refusal = rig.incident().status.unwrap().refusal.unwrap();
    assert_eq!(refusal.reason, RefusalReason::FaultNotRevision, "{refusal:?}");
    assert!(actions(&rig.calls()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_healthy_pods_miss_of_the_schema_holds_the_action_also_after_a_restart() {
    let mut rig = Rig::listening(|server| {
        logs(server, FAILING, REFUSED);
        HEALTHY.iter().for_each(|pod| logs(server, pod, SCHEMA));
    })
    .await;
    exited(&rig, 2);
    listens(&mut rig).await;
    exited(&rig, 3);
    listens(&mut rig).await;
    let held = |rig: &Rig| {
        let refusal = rig.incident().status.unwrap().refusal.unwrap();
        assert_eq!(refusal.reason, RefusalReason::SchemaHazard, "{refusal:?}");
        assert!(refusal.because.contains("by 2 of 2 logs") && !refusal.because.contains("hunter2"), "{refusal:?}");
        assert!(actions(&rig.calls()).is_empty());
    };
    held(&rig);
    let kept = rig.incident().spec.opened.logs;
    assert!(kept.iter().any(|log| log.pod == "web-59-a" && log.text.contains("does not exist")), "{kept:?}");
    // Another process has read no log yet, and none can be read any more.
    rig.server().strike_all(Method::GET, "/log", Strike::Refuse(404));
    let rig = rig.restarted().await;
    rig.settles().await;
    held(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_log_is_asked_for_once_and_only_where_the_policy_wants_it() {
    let mut rig = Rig::listening(|server| logs(server, FAILING, SCHEMA)).await;
    exited(&rig, 2);
    listens(&mut rig).await;
    assert_eq!(asked(&rig), [HEALTHY[0], HEALTHY[1], FAILING].map(|pod| format!("{pod}/log")));
    listens(&mut rig).await;
    assert_eq!(asked(&rig), [""; 0]);

    let ignore = |server: &mut Server| {
        server.edit(&format!("{OWN}/incidentpolicies/web"), |policy| policy["spec"]["logs"] = json!("Ignore"));
    };
    let mut rig = Rig::listening(ignore).await;
    exited(&rig, 2);
    listens(&mut rig).await;
    exited(&rig, 3);
    listens(&mut rig).await;
    let calls = rig.calls();
    assert!(calls.iter().all(|call| !call.path.ends_with("/log")), "{calls:?}");
    assert!(calls.iter().any(|call| call.method == Method::PATCH && call.path == WEB));
}

#[tokio::test(start_paused = true)]
async fn pods_that_are_gone_are_forgotten() {
    let mut rig = Rig::listening(|server| logs(server, FAILING, SCHEMA)).await;
    exited(&rig, 2);
    listens(&mut rig).await;
    assert_eq!(rig.ctx.listener.all(&super::rig::web()).len(), 1);
    rig.server().remove(FAILING);
    rig.sees();
    rig.look().await.unwrap();
    assert_eq!(rig.ctx.listener.all(&super::rig::web()).len(), 0);
}

/// How often the log of the failing pod was asked for.
fn tries(rig: &Rig) -> usize {
    rig.calls().iter().filter(|call| call.path == format!("{FAILING}/log")).count()
}

fn heard(rig: &Rig) -> usize {
    rig.ctx.listener.all(&super::rig::web()).iter().filter(|log| &*log.pod == "web-6d-a").count()
}

/// The failing pod goes on as it is, so nothing but the failed read asks for another look.
#[rstest]
#[case::broken(Strike::Break)]
#[case::failed(Strike::Refuse(500))]
#[case::unavailable(Strike::Busy(503, 1))]
#[case::silent(Strike::Silence)]
#[tokio::test(start_paused = true)]
async fn a_log_that_could_not_be_read_once_is_read_a_little_later(#[case] strike: Strike) {
    let mut rig = Rig::listening(|server| {
        logs(server, FAILING, SCHEMA);
        server.strike(Method::GET, "web-6d-a/log", 1, strike);
    })
    .await;
    exited(&rig, 2);
    rig.look().await.unwrap();
    tokio::time::sleep(Duration::from_millis(3100)).await;
    assert_eq!((tries(&rig), heard(&rig)), (1, 0));
    listens(&mut rig).await;
    assert_eq!((tries(&rig), heard(&rig)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_is_tried_a_few_times_and_never_at_once() {
    let mut rig = Rig::listening(|server| server.strike_all(Method::GET, "/log", Strike::Break)).await;
    exited(&rig, 2);
    rig.look().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1900)).await;
    rig.look().await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(tries(&rig), 1, "not at once");
    listens(&mut rig).await;
    assert_eq!(tries(&rig), 2, "a few times");
    tokio::time::sleep(Duration::from_secs(60)).await;
    listens(&mut rig).await;
    assert_eq!(tries(&rig), 0, "and then no more");
    exited(&rig, 8);
    rig.look().await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(tries(&rig), 1, "a later run has a log of its own");
}

#[rstest]
#[case::forbidden(403, 1)]
#[case::gone(404, 1)]
#[case::no_such_run(400, 2)]
#[tokio::test(start_paused = true)]
async fn what_is_forbidden_or_gone_is_not_asked_for_again(#[case] code: u16, #[case] calls: usize) {
    let mut rig = Rig::listening(|server| server.strike_all(Method::GET, "/log", Strike::Refuse(code))).await;
    exited(&rig, 2);
    listens(&mut rig).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    listens(&mut rig).await;
    assert_eq!(tries(&rig), calls, "the last run, and without one the present");
}

#[tokio::test(start_paused = true)]
async fn an_action_does_not_wait_for_a_log_that_has_failed_once() {
    let rig = Rig::listening(|server| {
        server.strike(Method::GET, "web-6d-a/log", 1, Strike::Break);
        server.strike_all(Method::GET, "web-6d-a/log", Strike::Silence);
    })
    .await;
    exited(&rig, 2);
    rig.look().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    rig.look().await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let calls = rig.calls();
    let tries = calls.iter().filter(|call| call.path == format!("{FAILING}/log")).count();
    assert_eq!((tries, actions(&calls).len()), (2, 0), "it is being read once more");
    exited(&rig, 3);
    // A first read is waited for as long as this. What is being read is put down behind the action, which takes longer.
    let look = tokio::time::timeout(Duration::from_millis(249), rig.look()).await;
    assert_eq!((look.is_err(), actions(&rig.calls()).len()), (true, 1));
}

#[tokio::test(start_paused = true)]
async fn healthy_pods_whose_logs_could_not_be_read_at_first_are_compared_all_the_same() {
    let mut rig = Rig::listening(|server| {
        [FAILING, HEALTHY[0], HEALTHY[1]].iter().for_each(|pod| logs(server, pod, REFUSED));
        HEALTHY.iter().for_each(|pod| server.strike(Method::GET, &format!("{pod}/log"), 1, Strike::Break));
    })
    .await;
    exited(&rig, 2);
    listens(&mut rig).await;
    exited(&rig, 3);
    listens(&mut rig).await;
    assert_eq!(rig.incident().spec.opened.verdict.as_ref().unwrap().fault, Fault::Dependency);
    assert!(actions(&rig.calls()).is_empty());
}
