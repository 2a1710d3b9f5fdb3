use http::{Request, Response};
use kube::client::Body;
use rstest::rstest;
use serde_json::json;
use tower_test::mock;

use super::*;
use crate::cluster::wake;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

fn event(name: &str, pod: &str, count: i32, last: i64) -> SlimEvent {
    let event = json!({"metadata": {"name": name}, "involvedObject": {"kind": "Pod", "uid": pod}, "reason": "Unhealthy",
        "message": format!("Readiness probe failed: {name}"), "count": count,
        "firstTimestamp": at(0).to_string(), "lastTimestamp": at(last).to_string()});
    serde_json::from_value(event).unwrap()
}

fn about(hints: &Hints, pod: &str) -> Vec<(u32, Timestamp)> {
    let inner = hints.0.lock().unwrap();
    let about = inner.about.get(pod);
    about.map(|about| about.events.iter().map(|event| (event.count, event.last)).collect()).unwrap_or_default()
}

#[test]
fn an_event_that_is_counted_up_stays_one() {
    let hints = Hints::default();
    assert_eq!(hints.take(Event::Apply(event("a", "p", 1, 0)), at(0)).as_deref(), Some("p"));
    assert_eq!(hints.take(Event::Apply(event("a", "p", 2, 10)), at(10)).as_deref(), Some("p"));
    assert_eq!(hints.take(Event::Apply(event("a", "p", 2, 10)), at(10)), None, "nothing new");
    assert_eq!(hints.take(Event::Apply(event("a", "p", 9, 80)), at(80)), None, "one more of many changes no decision");
    assert_eq!((hints.len(), about(&hints, "p")), (1, vec![(9, at(80))]));
    hints.take(Event::Delete(event("a", "p", 9, 80)), at(90));
    assert!(hints.is_empty() && about(&hints, "p").is_empty());
}

#[test]
fn the_newest_events_about_an_object_are_kept_in_order() {
    let hints = Hints::default();
    for n in (0..20).rev() {
        hints.take(Event::Apply(event(&format!("e{n}"), "p", 1, n)), at(30));
    }
    let kept: Vec<Timestamp> = about(&hints, "p").into_iter().map(|(_, last)| last).collect();
    assert_eq!(kept, (12..20).map(at).collect::<Vec<_>>());
    assert_eq!(hints.len(), MAX_ABOUT_ONE);
}

#[test]
fn what_is_older_than_an_hour_is_forgotten() {
    let hints = Hints::default();
    assert_eq!(hints.take(Event::InitApply(event("a", "p", 5, 0)), at(3601)), None);
    assert!(hints.is_empty());
}

/// A Deployment of that UID with nothing beside it.
fn family(uid: &str) -> Family {
    let deployment = json!({"metadata": {"name": "web", "uid": uid, "creationTimestamp": at(0).to_string()}});
    let deployment = serde_json::from_value(deployment).unwrap();
    let facts = crate::cluster::facts::workload_facts(&deployment, &mut Interner::default()).unwrap();
    (facts, Vec::new(), Vec::new(), crate::engine::facts::NodesFacts::default())
}

#[test]
fn a_workload_is_told_what_is_about_it_and_not_out_of_date() {
    let hints = Hints::default();
    assert!(!hints.of(&family("d"), at(0)).read, "nobody knows yet");
    hints.take(Event::InitApply(event("a", "d", 1, 0)), at(0));
    hints.take(Event::InitApply(event("b", "e", 1, 0)), at(0));
    hints.take(Event::InitDone, at(0));
    let told = hints.of(&family("d"), at(3600));
    assert!(told.read);
    assert_eq!((told.about("d").len(), told.about("e").len()), (1, 0));
    assert!(hints.of(&family("d"), at(3601)).about("d").is_empty());
}

#[test]
fn a_storm_of_events_does_not_grow_the_store_beyond_its_bound() {
    let hints = Hints::default();
    for n in 0..50_000 {
        hints.take(Event::Apply(event("a", &format!("p{n}"), 1, n / 100)), at(n / 100));
    }
    let kept = hints.len();
    assert!((MAX_EVENTS / 2..=MAX_EVENTS).contains(&kept), "{kept}");
    assert!(!about(&hints, "p49999").is_empty() && about(&hints, "p0").is_empty(), "the oldest went");
    let inner = hints.0.lock().unwrap();
    assert_eq!(inner.about.values().map(|about| about.events.len()).sum::<usize>(), kept);
    assert!(inner.names.len() < 2 * MAX_EVENTS, "{}", inner.names.len());
}

#[test]
fn even_when_all_are_of_one_moment() {
    let hints = Hints::default();
    for n in 0..3 * MAX_EVENTS {
        hints.take(Event::Apply(event("a", &format!("p{n}"), 1, 0)), at(0));
    }
    assert!(hints.len() <= MAX_EVENTS, "{}", hints.len());
}

#[test]
fn the_watch_asks_for_what_is_read_and_no_more() {
    let scope = Scope {
        labels: Some("app=web".to_owned()),
        fields: Some("metadata.namespace!=a".to_owned()),
        ..Scope::default()
    };
    let mut watches = Watches::default();
    let streams = HintStreams::new(&scope, &mut watches);
    let fields = streams.params.field_selector.unwrap();
    assert!(
        fields.starts_with("metadata.namespace!=a,reason!=Created,") && fields.ends_with("reason!=SuccessfulDelete")
    );
    assert!(!fields.contains("Killing") && !fields.contains("BackOff") && !fields.contains("Unhealthy"));
    assert_eq!(streams.params.label_selector, None);
    assert_eq!(watches.ages()[0].resource, "events");
}

#[rstest]
#[case::everywhere(&[], &["/api/v1/events"])]
#[case::single_namespaces(&["shop"], &["/api/v1/namespaces/shop/events", "/api/v1/namespaces/default/events"])]
#[case::the_one_with_those_of_nodes(&["default"], &["/api/v1/namespaces/default/events"])]
#[tokio::test]
async fn events_of_nodes_are_watched_where_they_are(#[case] namespaces: &[&str], #[case] paths: &[&str]) {
    let scope = Scope { namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(), ..Scope::default() };
    let mut watches = Watches::default();
    let streams = HintStreams::new(&scope, &mut watches);
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let (hints, stores) = (Arc::<Hints>::default(), Arc::<Stores>::default());
    let (touched, _woken) = wake::channel();
    let _tasks = streams.spawn(&Client::new(service, "default"), &hints, &stores, &touched);
    let mut asked = Vec::new();
    for _ in paths {
        let (request, send) = server.next_request().await.unwrap();
        let only_nodes = request.uri().query().unwrap().contains("involvedObject.kind%3DNode%2Creason");
        let path = request.uri().path().to_owned();
        assert_eq!(only_nodes, path.contains("default") && namespaces != ["default"]);
        send.send_response(refused());
        asked.push(path);
    }
    asked.sort_unstable();
    let mut paths = paths.to_vec();
    paths.sort_unstable();
    assert_eq!(asked, paths);
    assert!(hints.0.lock().unwrap().of_nodes.is_some());
}

#[test]
fn nothing_is_heard_of_nodes_while_that_is_not_allowed() {
    let hints = Hints::default();
    let known = || hints.of(&family("d"), at(0)).of_nodes;
    assert!(!known(), "nobody listens");
    let watch = Watches::default().add_optional::<SlimEvent>(Some(NODE_EVENTS));
    hints.hear_of_nodes(watch.clone());
    assert!(!known(), "none was listed");
    watch.listed();
    assert!(known());
    watch.failed(false);
    assert!(known(), "it goes on from where it was");
    watch.failed(true);
    assert!(!known(), "the right was taken away");
    watch.listed();
    assert!(known());
}

fn refused() -> Response<Body> {
    let status = json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden", "message": "no"});
    Response::builder().status(403).body(Body::from(serde_json::to_vec(&status).unwrap())).unwrap()
}
