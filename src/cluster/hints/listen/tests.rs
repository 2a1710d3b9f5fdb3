use std::sync::Mutex;

use axum::body::Body as Answer;
use futures::stream;
use http::Response;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower_test::mock::SendResponse;

use super::*;
use crate::cluster::streams::namespaced;
use crate::cluster::streams::tests::{Rig, answer, bookmark, event, forgotten, silence, status};

/// What was taken in, in order: names, with a minus before what is gone.
type Heard = Arc<Mutex<Vec<String>>>;

/// A watch of events of which so many are wanted.
fn wanting(many: usize) -> (Rig, Heard) {
    let heard = Heard::default();
    let into = heard.clone();
    let take = move |event| {
        let mut heard = into.lock().unwrap();
        match event {
            Event::Apply(event) => heard.push(name(event)),
            Event::Delete(event) => heard.push(format!("-{}", name(event))),
            Event::Init | Event::InitApply(_) | Event::InitDone => {}
        }
        heard.len() < many
    };
    let rig = Rig::with(
        |watches| watches.add::<SlimEvent>(None),
        |client, watch, _| {
            let params = WatchParams::default().timeout(30);
            JoinSet::from_iter([listen(namespaced(client, None), params, watch, take)])
        },
    );
    (rig, heard)
}

fn rig() -> (Rig, Heard) {
    wanting(usize::MAX)
}

fn name(event: SlimEvent) -> String {
    event.metadata.name.unwrap_or_default()
}

fn said(heard: &Heard) -> String {
    heard.lock().unwrap().join(" ")
}

fn hint(name: &str, version: &str) -> Value {
    json!({"metadata": {"name": name, "resourceVersion": version}, "reason": "Unhealthy"})
}

/// The next request, which must be a watch from this version; from none with an empty one.
async fn opened(rig: &mut Rig, version: &str) -> SendResponse<Response<Answer>> {
    let (uri, send) = rig.next().await;
    assert!(uri.starts_with("/api/v1/events?") && uri.contains("&watch=true&"), "a list or something else: {uri}");
    assert!(uri.contains("timeoutSeconds=30"), "{uri}");
    assert!(uri.ends_with(&format!("&resourceVersion={version}")), "{uri}");
    send
}

#[tokio::test(start_paused = true)]
async fn it_begins_with_what_is_there_and_goes_on_from_the_newest_of_it() {
    let (mut rig, heard) = rig();
    let there = [event("ADDED", &hint("a", "30")), event("ADDED", &hint("b", "12"))];
    opened(&mut rig, "").await.send_response(answer(&there));
    opened(&mut rig, "30").await.send_response(answer(&[event("DELETED", &hint("a", "31"))]));
    opened(&mut rig, "31").await.send_response(answer(&[]));
    let _open = opened(&mut rig, "31").await;
    assert_eq!(said(&heard), "a b -a");
    assert_eq!(rig.age().2, 0, "no errors");
}

#[tokio::test(start_paused = true)]
async fn where_the_end_of_what_is_there_is_told_it_goes_on_from_then() {
    let (mut rig, _heard) = rig();
    opened(&mut rig, "").await.send_response(answer(&[event("ADDED", &hint("a", "30")), bookmark("90")]));
    let _open = opened(&mut rig, "90").await;
}

#[rstest]
#[case::in_the_place_of_an_answer(status(410))]
#[case::within_one(forgotten())]
#[tokio::test(start_paused = true)]
async fn a_forgotten_version_is_no_failure_and_it_begins_anew_without_one(#[case] expired: Response<Answer>) {
    let (mut rig, heard) = rig();
    opened(&mut rig, "").await.send_response(answer(&[event("ADDED", &hint("a", "30"))]));
    opened(&mut rig, "30").await.send_response(expired);
    let began = Instant::now();
    let send = opened(&mut rig, "").await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    send.send_response(answer(&[event("ADDED", &hint("a", "30")), bookmark("90")]));
    let _open = opened(&mut rig, "90").await;
    assert_eq!(said(&heard), "a a");
    assert!(matches!(rig.age(), (0..=3, true, 0)), "{:?}", rig.age());
}

#[rstest]
#[case::in_the_place_of_an_answer(|| status(410))]
#[case::within_one(forgotten)]
#[tokio::test(start_paused = true)]
async fn who_forgets_what_was_not_named_is_asked_ever_more_slowly(#[case] expired: fn() -> Response<Answer>) {
    let (mut rig, _heard) = rig();
    let began = Instant::now();
    for _ in 0..8 {
        opened(&mut rig, "").await.send_response(expired());
    }
    let _open = opened(&mut rig, "").await;
    assert!(began.elapsed() > Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!(rig.age().2, 8);
}

#[tokio::test(start_paused = true)]
async fn errors_are_survived_where_it_was_and_it_is_asked_soon_again_after_the_next() {
    let (mut rig, _heard) = rig();
    opened(&mut rig, "").await.send_response(answer(&[event("ADDED", &hint("a", "30"))]));
    for _ in 0..6 {
        opened(&mut rig, "30").await.send_response(status(500));
    }
    opened(&mut rig, "30").await.send_error(std::io::Error::other("reset"));
    opened(&mut rig, "30").await.send_response(answer(&[]));
    opened(&mut rig, "30").await.send_response(status(500));
    let failed = Instant::now();
    let _open = opened(&mut rig, "30").await;
    assert!(failed.elapsed() < Duration::from_secs(2), "{:?}", failed.elapsed());
    assert_eq!(rig.age().2, 8);
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_once_it_is_open_though_nothing_comes() {
    let (mut rig, _heard) = rig();
    let send = opened(&mut rig, "").await;
    assert!(!rig.watches.ready());
    send.send_response(silence());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(rig.watches.ready());
}

#[tokio::test(start_paused = true)]
async fn what_is_forbidden_is_told_and_tried_again() {
    let (mut rig, _heard) = rig();
    opened(&mut rig, "").await.send_response(status(403));
    let send = opened(&mut rig, "").await;
    let ages = rig.watches.ages();
    assert!(ages[0].answered && !ages[0].ready && ages[0].errors == 1, "{ages:?}");
    send.send_response(silence());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(rig.watches.ready());
}

#[tokio::test(start_paused = true)]
async fn a_half_open_watch_grows_old_and_is_opened_anew() {
    let (mut rig, _heard) = rig();
    opened(&mut rig, "").await.send_response(silence());
    tokio::time::sleep(Duration::from_secs(34)).await;
    assert!(matches!(rig.age(), (33..=34, true, 0)), "{:?}", rig.age());
    let began = Instant::now();
    let _open = opened(&mut rig, "").await;
    assert!(began.elapsed() <= Duration::from_secs(2), "noticed {:?} late", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_that_opens_only_to_fail_grows_old() {
    let (mut rig, _heard) = rig();
    let error = json!({"kind": "Status", "status": "Failure", "code": 500, "reason": "InternalError", "message": "no"});
    for _ in 0..8 {
        opened(&mut rig, "").await.send_response(answer(&[event("ERROR", &error)]));
    }
    let _open = opened(&mut rig, "").await;
    assert!(rig.age().0 > 20, "{:?}", rig.age());
}

#[tokio::test(start_paused = true)]
async fn one_event_that_cannot_be_read_keeps_no_other() {
    let (mut rig, heard) = rig();
    let lines = [event("ADDED", &json!("no object")), event("ADDED", &hint("b", "31"))];
    opened(&mut rig, "").await.send_response(answer(&lines));
    let _open = opened(&mut rig, "31").await;
    assert_eq!((said(&heard).as_str(), rig.age().2), ("b", 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_taken_in_while_the_rest_is_still_to_come() {
    let (mut rig, heard) = rig();
    let first = format!("{}\n", event("ADDED", &hint("a", "30")));
    let rest = stream::once(async { Ok::<_, std::io::Error>(first) }).chain(stream::pending());
    opened(&mut rig, "").await.send_response(Response::new(Answer::from_stream(rest)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(said(&heard), "a");
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_nobody_wants_more() {
    let (mut rig, heard) = wanting(1);
    let lines = [event("ADDED", &hint("a", "30")), event("ADDED", &hint("b", "31"))];
    opened(&mut rig, "").await.send_response(answer(&lines));
    rig.tasks.join_next().await.unwrap().unwrap();
    assert_eq!(said(&heard), "a");
}
