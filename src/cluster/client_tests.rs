use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower_test::mock;

use super::*;

/// An API server on the loopback that is always too busy, and what it saw: the user agent of each request.
async fn busy() -> (Config, UnboundedReceiver<String>) {
    async fn refuse(State(seen): State<UnboundedSender<String>>, headers: HeaderMap) -> StatusCode {
        let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("none");
        seen.send(agent.to_owned()).unwrap();
        StatusCode::TOO_MANY_REQUESTS
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, seen) = unbounded_channel();
    let app = axum::Router::new().fallback(refuse).with_state(sender);
    tokio::spawn(async move { axum::serve(listener, app).await });
    (Config::new(url.parse().unwrap()), seen)
}

#[tokio::test]
async fn a_refused_call_is_not_repeated_and_says_who_calls() {
    let (config, mut seen) = busy().await;
    let read = read_client(config.clone(), Arc::default()).unwrap();
    let write = write_client(config).unwrap();
    for client in [read, write] {
        let error = Api::<Pod>::all(client).list(&kube::api::ListParams::default()).await.unwrap_err();
        assert!(matches!(error, kube::Error::Api(status) if status.code == 429));
        assert_eq!(seen.recv().await.unwrap(), concat!("backstay/", env!("CARGO_PKG_VERSION")));
        assert!(seen.try_recv().is_err(), "the call was repeated");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_answers_fails_in_time() {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let client = ClientBuilder::new(service, "default").with_layer(&DeadlineLayer(WRITE)).build();
    let began = tokio::time::Instant::now();
    let call = tokio::spawn(async move { Api::<Pod>::default_namespaced(client).get("web").await });
    let _unanswered = server.next_request().await.unwrap();
    let error = call.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("no answer from the API server within 8 s"), "{error}");
    assert_eq!(began.elapsed(), WRITE);
}

#[tokio::test]
async fn when_to_come_back_is_kept_and_other_answers_pass() {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let client = ClientBuilder::new(service, "default").with_layer(&BusyLayer).build();
    let pods = Api::<Pod>::default_namespaced(client);
    let answers = [(429, Some("7"), Some(7)), (503, Some("1"), Some(1)), (429, None, None), (500, Some("7"), None)];
    for (code, header, wanted) in answers {
        let mut answer = Response::builder().status(code);
        if let Some(header) = header {
            answer = answer.header(RETRY_AFTER, header);
        }
        let answer = answer.body(Body::empty()).unwrap();
        let serve = async { server.next_request().await.unwrap().1.send_response(answer) };
        let (error, ()) = tokio::join!(pods.get("web"), serve);
        let busy = Busy::of(&error.unwrap_err()).map(|busy| (busy.code.as_u16(), busy.after.as_secs()));
        assert_eq!(busy, wanted.map(|seconds| (code, seconds)), "{code} {header:?}");
    }
}

/// What becomes of a call when the API server answers it like this, one answer after the other.
async fn called(verb: Method, answers: &[(u16, Option<u64>)]) -> (Result<(), kube::Error>, usize, Duration) {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let client = ClientBuilder::new(service, "default").with_layer(&BusyLayer).build();
    let began = tokio::time::Instant::now();
    let request =
        Request::builder().method(verb.clone()).uri("/x").header("accept", "a/b").body(Body::empty()).unwrap();
    let call = patient(client, "default".to_owned());
    let call = tokio::spawn(async move { call.send(request).await.map(drop) });
    let mut seen = 0;
    for (code, after) in answers {
        let Some((request, send)) = server.next_request().await else { break };
        assert_eq!(
            (request.method(), request.uri().path(), &request.headers()["accept"]),
            (&verb, "/x", &"a/b".parse().unwrap())
        );
        let mut answer = Response::builder().status(*code);
        if let Some(after) = after {
            answer = answer.header(RETRY_AFTER, *after);
        }
        send.send_response(answer.body(Body::empty()).unwrap());
        seen += 1;
    }
    (call.await.unwrap(), seen, began.elapsed())
}

fn is_busy(result: &Result<(), kube::Error>) -> bool {
    result.as_ref().is_err_and(|error| Busy::of(error).is_some())
}

#[tokio::test(start_paused = true)]
async fn a_command_reads_again_when_the_api_server_asks_it_to_come_back() {
    let (result, seen, took) = called(Method::GET, &[(429, Some(7)), (503, Some(1)), (200, None)]).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!((seen, took.as_secs()), (3, 8));
}

#[tokio::test(start_paused = true)]
async fn a_command_gives_up_in_the_end_and_does_not_wait_for_long() {
    let (result, seen, took) = called(Method::GET, &[(429, Some(1)); 9]).await;
    assert!(is_busy(&result), "{result:?}");
    assert_eq!((seen, took.as_secs()), (TRIES, 4));
    let (result, seen, took) = called(Method::GET, &[(503, Some(60)); 9]).await;
    assert!(is_busy(&result), "{result:?}");
    assert_eq!((seen, took.as_secs()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_command_writes_is_not_repeated() {
    let (result, seen, _) = called(Method::PATCH, &[(429, Some(1)); 9]).await;
    assert!(is_busy(&result), "{result:?}");
    assert_eq!(seen, 1);
}
