//! The conversation with the API server, on paused time.

use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower_test::mock;

use super::*;

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/backstay/leases";

/// What the server does to the next calls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Weather {
    #[default]
    Fine,
    /// Refuses everything with this code.
    Refuses(u16),
    /// Never answers.
    Silent,
    /// Carries out the next write and never answers it.
    LosesOneAnswer,
}

/// An API server that keeps one lease and checks resource versions.
#[derive(Debug, Default)]
struct Server {
    lease: Option<Value>,
    version: u64,
    weather: Weather,
    calls: Vec<String>,
}

impl Server {
    fn put(&mut self, mut lease: Value) -> Value {
        self.version += 1;
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.lease = Some(lease.clone());
        lease
    }

    fn answer(&mut self, method: &Method, path: &str, body: Option<Value>) -> (u16, Value) {
        self.calls.push(format!("{method} {path}"));
        let named = format!("{PATH}/backstay");
        match (method.as_str(), body, self.lease.clone()) {
            ("GET", None, Some(lease)) if path == named => (200, lease),
            ("GET" | "PUT", _, None) if path == named => failure(404, "NotFound"),
            ("POST", Some(_), Some(_)) if path.starts_with(PATH) => failure(409, "AlreadyExists"),
            ("POST", Some(lease), None) if path.starts_with(PATH) => (201, self.put(lease)),
            ("PUT", Some(lease), Some(stored)) if path.starts_with(&named) => {
                if lease["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"] {
                    (200, self.put(lease))
                } else {
                    failure(409, "Conflict")
                }
            }
            (_, body, _) => panic!("unexpected call {method} {path} {body:?}"),
        }
    }

    fn holder(&self) -> Option<String> {
        self.lease.as_ref()?["spec"]["holderIdentity"].as_str().map(str::to_owned)
    }
}

fn failure(code: u16, reason: &str) -> (u16, Value) {
    (
        code,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": reason, "code": code}),
    )
}

fn connect(server: &Arc<Mutex<Server>>) -> Client {
    let (service, mut handle) = mock::pair::<Request<Body>, Response<Body>>();
    let server = server.clone();
    tokio::spawn(async move {
        let mut unanswered = Vec::new();
        while let Some((request, send)) = handle.next_request().await {
            let (parts, body) = request.into_parts();
            let bytes = body.collect_bytes().await.unwrap();
            let body = (!bytes.is_empty()).then(|| serde_json::from_slice(&bytes).unwrap());
            let path = parts.uri.path();
            let mut server = server.lock().unwrap();
            let (code, answer) = match server.weather {
                Weather::Silent => {
                    unanswered.push(send);
                    continue;
                }
                Weather::Refuses(code) => failure(code, "Refused"),
                Weather::LosesOneAnswer if parts.method != Method::GET => {
                    server.weather = Weather::Fine;
                    server.answer(&parts.method, path, body);
                    unanswered.push(send);
                    continue;
                }
                _ => server.answer(&parts.method, path, body),
            };
            let body = Body::from(serde_json::to_vec(&answer).unwrap());
            send.send_response(Response::builder().status(StatusCode::from_u16(code).unwrap()).body(body).unwrap());
        }
    });
    Client::new(service, "backstay")
}

struct Candidate {
    standing: Standing,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

fn start(server: &Arc<Mutex<Server>>, identity: &str) -> Candidate {
    let settings = Settings {
        namespace: "backstay".to_owned(),
        name: "backstay".to_owned(),
        identity: identity.to_owned(),
        timing: Timing::default(),
    };
    let (lease, standing) = Lease::new(connect(server), settings);
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(lease.run(async move { drop(stopped.await) }));
    Candidate { standing, stop, task }
}

impl Candidate {
    async fn leads(&self) {
        let mut watch = self.standing.watch();
        watch.wait_for(|leadership| matches!(leadership, Leadership::Leader { .. })).await.unwrap();
    }

    async fn follows(&self, holder: &str) {
        let mut watch = self.standing.watch();
        let wanted = Leadership::Follower { holder: Some(holder.to_owned()) };
        watch.wait_for(|leadership| *leadership == wanted).await.unwrap();
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

fn new_server() -> Arc<Mutex<Server>> {
    Arc::default()
}

fn held_by(server: &Arc<Mutex<Server>>, identity: &str, renewed: &str) {
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "backstay", "namespace": "backstay"},
        "spec": {"holderIdentity": identity, "leaseDurationSeconds": 15, "leaseTransitions": 4,
                 "acquireTime": renewed, "renewTime": renewed}});
    server.lock().unwrap().put(lease);
}

#[tokio::test(start_paused = true)]
async fn a_lone_candidate_reads_creates_and_then_only_renews() {
    let server = new_server();
    let a = start(&server, "a");
    a.leads().await;
    assert!(a.standing.is_leader());
    tokio::time::sleep(Duration::from_millis(4100)).await;
    let named = format!("{PATH}/backstay");
    let wanted = [format!("GET {named}"), format!("POST {PATH}"), format!("PUT {named}"), format!("PUT {named}")];
    assert_eq!(server.lock().unwrap().calls, wanted);
}

#[tokio::test(start_paused = true)]
async fn remaining_time_shrinks_between_renewals_and_gates_calls() {
    let server = new_server();
    let a = start(&server, "a");
    assert_eq!(a.standing.remaining(), Duration::ZERO);
    assert!(!a.standing.allows(Duration::ZERO));
    a.leads().await;
    assert_eq!(a.standing.remaining(), Duration::from_secs(10));
    server.lock().unwrap().weather = Weather::Refuses(500);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(a.standing.is_leader());
    assert!(a.standing.allows(Duration::from_secs(3)));
    assert!(!a.standing.allows(Duration::from_secs(4)), "4 s are left, which is not more than 4 s");
}

#[tokio::test(start_paused = true)]
async fn nobody_leads_twice_when_the_leader_is_cut_off() {
    let store = new_server();
    let a = start(&store, "a");
    a.leads().await;
    let b = start(&store, "b");
    b.follows("a").await;
    let cut = Instant::now();
    a.task.abort();
    b.leads().await;
    assert!(!a.standing.is_leader(), "what is left of a knows by the clock alone");
    let gap = cut.elapsed();
    assert!(gap <= Duration::from_secs(17), "taken over after {gap:?}");
    assert!(gap >= Duration::from_secs(13), "taken over after {gap:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_ends_the_term_at_the_renew_deadline() {
    let server = new_server();
    let a = start(&server, "a");
    a.leads().await;
    let led = Instant::now();
    server.lock().unwrap().weather = Weather::Silent;
    a.follows("a").await;
    assert_eq!(led.elapsed(), Duration::from_secs(10));
    assert!(!a.standing.is_leader());
    server.lock().unwrap().weather = Weather::Fine;
    a.leads().await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_refused_renewal_ends_the_term_in_time_and_is_made_good(#[values(403, 422, 429, 500, 503)] code: u16) {
    let server = new_server();
    let a = start(&server, "a");
    a.leads().await;
    let led = Instant::now();
    server.lock().unwrap().weather = Weather::Refuses(code);
    a.follows("a").await;
    assert_eq!(led.elapsed(), Duration::from_secs(10));
    let tries = server.lock().unwrap().calls.len();
    assert!(tries <= 8, "a renewal every two seconds, and nothing is repeated in between: {tries}");
    server.lock().unwrap().weather = Weather::Fine;
    a.leads().await;
    assert_eq!(server.lock().unwrap().lease.as_ref().unwrap()["spec"]["leaseTransitions"], 0, "it was ours all along");
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_creation_was_not_answered_is_recognised_as_our_own() {
    let server = new_server();
    server.lock().unwrap().weather = Weather::LosesOneAnswer;
    let a = start(&server, "a");
    a.leads().await;
    let methods: Vec<String> =
        server.lock().unwrap().calls.iter().map(|call| call.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(methods, ["GET", "POST", "GET", "PUT"]);
}

#[tokio::test(start_paused = true)]
async fn a_remote_clock_is_never_believed() {
    for renewed in ["1990-01-01T00:00:00.000000Z", "2190-01-01T00:00:00.000000Z"] {
        let server = new_server();
        held_by(&server, "dead", renewed);
        let began = Instant::now();
        let a = start(&server, "a");
        a.leads().await;
        assert_eq!(began.elapsed(), Duration::from_secs(15), "renewTime {renewed}");
        assert_eq!(server.lock().unwrap().lease.as_ref().unwrap()["spec"]["leaseTransitions"], 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_made_good_in_the_next_round() {
    let server = new_server();
    let a = start(&server, "a");
    a.leads().await;
    server.lock().unwrap().calls.clear();
    server.lock().unwrap().weather = Weather::LosesOneAnswer;
    // Renewal at 2 s, no answer until 7 s, next round at 9 s: the version moved, so it reads and writes again.
    tokio::time::sleep(Duration::from_millis(9100)).await;
    assert!(a.standing.is_leader());
    assert!(a.standing.remaining() > Duration::from_secs(9));
    let methods: Vec<String> =
        server.lock().unwrap().calls.iter().map(|call| call.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(methods, ["PUT", "PUT", "GET", "PUT"]);
}

#[tokio::test(start_paused = true)]
async fn a_stolen_lease_is_noticed_at_the_next_renewal() {
    let server = new_server();
    let a = start(&server, "a");
    a.leads().await;
    held_by(&server, "thief", "2026-01-01T00:00:00.000000Z");
    a.follows("thief").await;
    assert!(!a.standing.is_leader());
    assert_eq!(server.lock().unwrap().holder().as_deref(), Some("thief"), "it is not taken back by force");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_lease_is_written_again_by_its_holder() {
    let server = new_server();
    let a = start(&server, "a");
    a.leads().await;
    let b = start(&server, "b");
    b.follows("a").await;
    server.lock().unwrap().lease = None;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(a.standing.is_leader());
    assert!(!b.standing.is_leader());
    assert_eq!(server.lock().unwrap().holder().as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn shutdown_releases_and_the_other_leads_within_two_seconds() {
    let server = new_server();
    let a = start(&server, "a");
    a.leads().await;
    let b = start(&server, "b");
    b.follows("a").await;
    let standing = a.standing.clone();
    a.stop().await;
    assert!(!standing.is_leader());
    assert_eq!(server.lock().unwrap().holder(), None);
    let released = Instant::now();
    b.leads().await;
    assert!(released.elapsed() <= Duration::from_secs(2), "{:?}", released.elapsed());
}

#[tokio::test(start_paused = true)]
async fn shutdown_while_a_renewal_is_under_way_still_releases() {
    let server = new_server();
    let a = start(&server, "a");
    a.leads().await;
    server.lock().unwrap().weather = Weather::LosesOneAnswer;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    a.stop().await;
    assert_eq!(server.lock().unwrap().holder(), None);
}

#[tokio::test(start_paused = true)]
async fn shutdown_of_a_follower_leaves_the_lease_alone() {
    let server = new_server();
    let a = start(&server, "a");
    a.leads().await;
    let b = start(&server, "b");
    b.follows("a").await;
    b.stop().await;
    assert_eq!(server.lock().unwrap().holder().as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_hang_on_a_silent_server() {
    let server = new_server();
    let a = start(&server, "a");
    a.leads().await;
    server.lock().unwrap().weather = Weather::Silent;
    let began = Instant::now();
    a.stop().await;
    assert!(began.elapsed() <= Duration::from_secs(5));
}

#[test]
fn timing_that_would_allow_two_leaders_is_refused() {
    let seconds = Duration::from_secs;
    assert_eq!(Timing::new(seconds(15), seconds(10), seconds(2)).unwrap(), Timing::default());
    assert!(Timing::new(seconds(10), seconds(10), seconds(2)).is_err());
    assert!(Timing::new(seconds(15), seconds(2), seconds(2)).is_err());
    assert!(Timing::new(seconds(15), seconds(10), Duration::ZERO).is_err());
    assert!(Timing::new(Duration::from_millis(15_500), seconds(10), seconds(2)).is_err());
}
