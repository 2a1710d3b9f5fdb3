use std::time::Duration;

use axum::body::Body as Answer;
use http::{Request, Response, StatusCode};
use kube::client::{Body, ClientBuilder};
use serde_json::{Value, json};
use tokio::time::timeout;
use tower_test::mock::{self, Handle, SendResponse};

use super::*;
use crate::cluster::wake::{self, Woken};
use crate::cluster::watches::LivenessLayer;

/// A stream against a scripted API server, on paused time.
pub(in crate::cluster) struct Rig {
    server: Handle<Request<Body>, Response<Answer>>,
    stores: Arc<Stores>,
    pub(in crate::cluster) watches: Arc<Watches>,
    touched: Woken,
    pub(in crate::cluster) tasks: JoinSet<()>,
}

impl Rig {
    /// Only pods are followed, so that the script is a sequence.
    fn pods() -> Self {
        Self::with(|watches| watches.add::<SlimPod>(None), Self::follow_pods)
    }

    fn optional() -> Self {
        Self::with(|watches| watches.add_optional::<SlimPod>(None), Self::follow_pods)
    }

    fn follow_pods(client: &Client, watch: Arc<Watch>, sink: Sink) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(namespaced::<SlimPod>(client, None), Scope::default().config(), watch, sink.taking()));
        tasks
    }

    pub(in crate::cluster) fn with(
        add: impl FnOnce(&mut Watches) -> Arc<Watch>,
        run: impl FnOnce(&Client, Arc<Watch>, Sink) -> JoinSet<()>,
    ) -> Self {
        let (service, server) = mock::pair::<Request<Body>, Response<Answer>>();
        let mut watches = Watches::default();
        let watch = add(&mut watches);
        let watches = Arc::new(watches);
        let client = ClientBuilder::new(service, "default").with_layer(&LivenessLayer(watches.clone())).build();
        let stores = Arc::<Stores>::default();
        let (sender, touched) = wake::channel();
        let sink = Sink { stores: stores.clone(), touched: sender, source: Source(0) };
        let tasks = run(&client, watch, sink);
        Self { server, stores, watches, touched, tasks }
    }

    /// The next request, as its path and query.
    pub(in crate::cluster) async fn next(&mut self) -> (String, SendResponse<Response<Answer>>) {
        self.next_within(Duration::from_secs(300)).await
    }

    async fn next_within(&mut self, limit: Duration) -> (String, SendResponse<Response<Answer>>) {
        let next = timeout(limit, self.server.next_request()).await;
        let (request, send) = next.expect("no request came").expect("the client is gone");
        (request.uri().to_string(), send)
    }

    async fn expect_list(&mut self) -> SendResponse<Response<Answer>> {
        let (uri, send) = self.next().await;
        assert!(uri.starts_with("/api/v1/pods?") && !uri.contains("watch=true"), "{uri}");
        assert!(uri.contains("limit=250"), "{uri}");
        send
    }

    async fn expect_watch(&mut self, version: &str) -> SendResponse<Response<Answer>> {
        let (uri, send) = self.next().await;
        assert!(uri.contains("watch=true"), "a list or something else: {uri}");
        assert!(uri.contains(&format!("resourceVersion={version}")), "{uri}");
        assert!(uri.contains("allowWatchBookmarks=true") && uri.contains("timeoutSeconds=30"), "{uri}");
        send
    }

    /// Of its only watch: the age, whether it is ready, and its errors.
    pub(in crate::cluster) fn age(&self) -> (u64, bool, u64) {
        let ages = self.watches.ages();
        let [age] = &*ages else { panic!("{ages:?}") };
        (age.seconds, age.ready, age.errors)
    }
}

fn pod(version: &str, restarts: u32) -> Value {
    let mut pod: Value = serde_json::from_str(include_str!("../testdata/pod.json")).unwrap();
    pod["metadata"]["resourceVersion"] = json!(version);
    pod["status"]["containerStatuses"][0]["restartCount"] = json!(restarts);
    pod
}

fn list(version: &str, items: &[Value]) -> Response<Answer> {
    answer(&[json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items})])
}

pub(in crate::cluster) fn answer(lines: &[Value]) -> Response<Answer> {
    let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    Response::new(Answer::from(lines.concat()))
}

pub(in crate::cluster) fn status(code: u16) -> Response<Answer> {
    let status = json!({"kind": "Status", "status": "Failure", "code": code, "reason": "Expired", "message": "no"});
    let mut response = answer(&[status]);
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

/// What a watch gets from a version that the API server does not know any more.
pub(in crate::cluster) fn forgotten() -> Response<Answer> {
    let gone = json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"});
    answer(&[event("ERROR", &gone)])
}

/// The head of an answer, and then nothing for ever.
pub(in crate::cluster) fn silence() -> Response<Answer> {
    Response::new(Answer::from_stream(futures::stream::pending::<Result<String, std::io::Error>>()))
}

pub(in crate::cluster) fn event(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

pub(in crate::cluster) fn bookmark(version: &str) -> Value {
    event("BOOKMARK", &json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"resourceVersion": version}}))
}

/// Lets the stream take in what was answered: it does so before it asks for more.
async fn listed(rig: &mut Rig, version: &str, items: &[Value]) {
    rig.expect_list().await.send_response(list(version, items));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_is_resumed_where_it_was_without_a_list() {
    let mut rig = Rig::pods();
    listed(&mut rig, "10", &[pod("9", 0)]).await;
    rig.expect_watch("10").await.send_response(answer(&[event("MODIFIED", &pod("11", 1)), bookmark("15")]));
    rig.expect_watch("15").await.send_response(answer(&[]));
    rig.expect_watch("15").await.send_response(answer(&[event("DELETED", &pod("16", 1))]));
    let _open = rig.expect_watch("16").await;
    assert_eq!(rig.stores.counts().pods, 0);
    assert_eq!(rig.age().2, 0, "no errors");
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_ready_once_its_list_is_in_the_stores() {
    let mut rig = Rig::pods();
    let send = rig.expect_list().await;
    assert!(!rig.watches.ready());
    send.send_response(list("10", &[pod("9", 0)]));
    let _open = rig.expect_watch("10").await;
    assert!(rig.watches.ready() && rig.age().1);
    assert_eq!(rig.stores.counts().pods, 1);
}

#[tokio::test(start_paused = true)]
async fn errors_are_counted_and_survived_without_a_list() {
    let mut rig = Rig::pods();
    listed(&mut rig, "10", &[]).await;
    rig.expect_watch("10").await.send_response(status(500));
    rig.expect_watch("10").await.send_error(std::io::Error::other("reset"));
    rig.expect_watch("10").await.send_response(status(429));
    rig.expect_watch("10").await.send_response(answer(&[event("ADDED", &pod("12", 0))]));
    let _open = rig.expect_watch("12").await;
    assert_eq!(rig.age().2, 3);
    assert_eq!(rig.stores.counts().pods, 1);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_version_leads_to_a_list_and_the_view_stays_meanwhile() {
    let mut rig = Rig::pods();
    listed(&mut rig, "10", &[pod("9", 0)]).await;
    rig.expect_watch("10").await.send_response(forgotten());
    let send = rig.expect_list().await;
    assert_eq!(rig.stores.counts().pods, 1, "the view from before");
    assert!(rig.watches.ready());
    send.send_response(list("50", &[]));
    let _open = rig.expect_watch("50").await;
    assert_eq!(rig.stores.counts().pods, 0);
}

#[tokio::test(start_paused = true)]
async fn a_half_open_watch_shows_as_age_and_is_opened_anew_after_its_timeout() {
    let mut rig = Rig::pods();
    listed(&mut rig, "10", &[]).await;
    rig.expect_watch("10").await.send_response(silence());
    tokio::time::sleep(Duration::from_secs(34)).await;
    assert!(matches!(rig.age(), (33..=34, true, 0)), "{:?}", rig.age());
    let began = tokio::time::Instant::now();
    let send = rig.expect_watch("10").await;
    assert!(began.elapsed() <= Duration::from_secs(2), "noticed {:?} late", began.elapsed());
    send.send_response(silence());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(rig.age().0 <= 3, "{:?}", rig.age());
}

#[tokio::test(start_paused = true)]
async fn one_error_after_a_quiet_hour_does_not_make_the_view_an_hour_old() {
    let mut rig = Rig::pods();
    listed(&mut rig, "10", &[]).await;
    for _ in 0..100 {
        rig.expect_watch("10").await.send_response(silence());
    }
    assert!(rig.age().0 <= 36, "{:?}", rig.age());
    rig.expect_watch("10").await.send_response(status(500));
    let _open = rig.expect_watch("10").await;
    assert!(matches!(rig.age(), (30..=80, true, 1)), "{:?}", rig.age());
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_opens_only_to_fail_grows_old() {
    let mut rig = Rig::pods();
    listed(&mut rig, "10", &[]).await;
    let error = json!({"kind": "Status", "status": "Failure", "code": 500, "reason": "InternalError", "message": "no"});
    for _ in 0..8 {
        rig.expect_watch("10").await.send_response(answer(&[event("ERROR", &error)]));
    }
    let _open = rig.expect_watch("10").await;
    assert!(rig.age().0 > 20, "{:?}", rig.age());
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_not_served_is_asked_for_ever_more_slowly() {
    let mut rig = Rig::pods();
    let mut tries = Vec::new();
    for _ in 0..8 {
        rig.expect_list().await.send_response(status(404));
        tries.push(tokio::time::Instant::now());
    }
    let pauses: Vec<Duration> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses[0] < Duration::from_secs(2), "the first pause is short: {pauses:?}");
    assert!(pauses[6] >= Duration::from_secs(30), "the last one is long: {pauses:?}");
    // What comes back is followed as before, and the next failure is waited for shortly again.
    listed(&mut rig, "10", &[pod("9", 0)]).await;
    rig.expect_watch("10").await.send_response(status(500));
    let failed = tokio::time::Instant::now();
    let _open = rig.expect_watch("10").await;
    assert!(failed.elapsed() < Duration::from_secs(2), "{:?}", failed.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_refused_watch_grows_old() {
    let mut rig = Rig::pods();
    listed(&mut rig, "10", &[]).await;
    for _ in 0..8 {
        rig.expect_watch("10").await.send_response(status(403));
    }
    let _open = rig.expect_watch("10").await;
    let (seconds, ready, errors) = rig.age();
    assert!(seconds > 20 && ready && errors == 8, "{:?}", rig.age());
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_the_server_ends_at_once_is_not_opened_in_a_tight_loop() {
    let mut rig = Rig::pods();
    listed(&mut rig, "10", &[]).await;
    let began = tokio::time::Instant::now();
    for _ in 0..10 {
        rig.expect_watch("10").await.send_response(answer(&[]));
    }
    let _open = rig.expect_watch("10").await;
    assert!(began.elapsed() >= Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_event_that_changes_a_fact_touches_its_workload() {
    let mut rig = Rig::pods();
    let deployment = serde_json::from_str(include_str!("../testdata/deployment.json")).unwrap();
    let set = serde_json::from_str(include_str!("../testdata/replicaset.json")).unwrap();
    SlimDeployment::apply(&rig.stores, Source(0), Event::Apply(deployment), Timestamp::now());
    SlimReplicaSet::apply(&rig.stores, Source(0), Event::Apply(set), Timestamp::now());
    listed(&mut rig, "10", &[pod("9", 0)]).await;
    let watch = rig.expect_watch("10").await;
    assert_eq!(rig.touched.drain(), ["shop/web"], "the list");
    watch.send_response(answer(&[event("MODIFIED", &pod("11", 0))]));
    let watch = rig.expect_watch("11").await;
    assert_eq!(rig.touched.drain(), [""; 0], "a new version alone");
    watch.send_response(answer(&[event("MODIFIED", &pod("12", 1))]));
    let _open = rig.expect_watch("12").await;
    assert_eq!(rig.touched.drain(), ["shop/web"], "the restart");
}

#[tokio::test(start_paused = true)]
async fn every_kind_is_watched_in_every_namespace_of_the_scope() {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Answer>>();
    let client = Client::new(service, "default");
    let mut watches = Watches::default();
    let namespaces = vec!["a".to_owned(), "b".to_owned()];
    let scope = Scope { namespaces, labels: Some("team=x".to_owned()), ..Scope::default() };
    let streams = Streams::new(&scope, &mut watches);
    let (sender, _touched) = wake::channel();
    let _tasks = streams.spawn(&client, &Arc::default(), &sender);
    let mut paths = Vec::new();
    for _ in 0..7 {
        let (request, _) = timeout(Duration::from_secs(5), server.next_request()).await.unwrap().unwrap();
        let selected = request.uri().query().unwrap_or_default().contains("labelSelector=team");
        paths.push((request.uri().path().to_owned(), selected));
    }
    paths.sort();
    paths.dedup();
    let mut expected = vec![("/api/v1/nodes".to_owned(), false)];
    for namespace in ["a", "b"] {
        for (group, plural) in [("apis/apps/v1", "deployments"), ("apis/apps/v1", "replicasets"), ("api/v1", "pods")] {
            expected.push((format!("/{group}/namespaces/{namespace}/{plural}"), true));
        }
    }
    expected.sort();
    assert_eq!(paths, expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_done_without_is_asked_for_seldom_and_does_not_count_until_it_is_allowed() {
    let mut rig = Rig::optional();
    let begun = tokio::time::Instant::now();
    rig.expect_list().await.send_response(status(403));
    let (_, send) = rig.next_within(Duration::from_secs(900)).await;
    assert!(begun.elapsed() >= UNTIL_ALLOWED, "{:?}", begun.elapsed());
    assert!(rig.watches.ages().is_empty() && rig.watches.ready());
    send.send_response(list("10", &[pod("9", 0)]));
    let _open = rig.expect_watch("10").await;
    assert_eq!(rig.age().2, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_done_without_may_be_forbidden_again_and_holds_nothing_up() {
    let mut rig = Rig::optional();
    listed(&mut rig, "10", &[pod("9", 0)]).await;
    rig.expect_watch("10").await.send_response(status(403));
    let forbidden = tokio::time::Instant::now();
    let (again, send) = rig.next_within(Duration::from_secs(900)).await;
    assert!(again.contains("watch=true") && forbidden.elapsed() >= UNTIL_ALLOWED, "{again} {:?}", forbidden.elapsed());
    assert!(rig.watches.ages().is_empty() && rig.watches.ready());
    send.send_response(answer(&[event("MODIFIED", &pod("11", 1))]));
    let _open = rig.expect_watch("11").await;
    assert!(rig.age().1, "allowed again, it counts again");
}

#[tokio::test(start_paused = true)]
async fn what_was_forbidden_for_long_is_listed_anew_where_the_api_server_has_forgotten_meanwhile() {
    let mut rig = Rig::optional();
    listed(&mut rig, "10", &[pod("9", 0)]).await;
    rig.expect_watch("10").await.send_response(status(403));
    let (_, send) = rig.next_within(Duration::from_secs(900)).await;
    send.send_response(forgotten());
    let began = tokio::time::Instant::now();
    rig.expect_list().await.send_response(list("20", &[pod("19", 2)]));
    assert!(began.elapsed() < UNTIL_ALLOWED, "it is allowed: {:?}", began.elapsed());
    let _open = rig.expect_watch("20").await;
    assert!(rig.age().1, "listed, it counts again");
}
