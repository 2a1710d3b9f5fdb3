use axum::http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

async fn ask(router: &Router, path: &str) -> (StatusCode, String, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let kind = answer.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap().to_owned());
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, kind.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn run() -> Running {
    run_at("127.0.0.1:0").await
}

async fn run_at(listen: &str) -> Running {
    let router = routes(Health::default(), Arc::new(Metrics::new()));
    let server = Server::bind(listen.parse().unwrap(), router).await.unwrap();
    let address = server.address().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(server.run(async move { drop(stopped.await) }));
    Running { address, stop, task }
}

async fn converse(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A server that closes early may reset the connection; what it said before counts.
    drop(stream.read_to_end(&mut answer).await);
    String::from_utf8(answer).unwrap()
}

#[tokio::test(start_paused = true)]
async fn livez_fails_when_a_loop_goes_silent_and_names_it() {
    let health = Health::default();
    let router = routes(health.clone(), Arc::default());
    assert_eq!(ask(&router, "/livez").await.0, StatusCode::OK);
    let controller = health.heart("controller", Duration::from_secs(30));
    let retention = health.heart("retention", Duration::from_secs(120));
    tokio::time::advance(Duration::from_secs(31)).await;
    retention.beat();
    let (status, _, body) = ask(&router, "/livez").await;
    assert_eq!((status, body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "controller: silent for 31 s\n"));
    controller.beat();
    assert_eq!(ask(&router, "/livez").await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_ended_stops_beating() {
    let health = Health::default();
    let heart = health.heart("controller", Duration::from_secs(30));
    let task = tokio::spawn(async move { heart.keep_beating().await });
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(health.silent_hearts(), Vec::<String>::new());
    task.abort();
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(health.silent_hearts().len(), 1);
}

#[tokio::test]
async fn readyz_says_everything_that_is_missing() {
    let health = Health::default();
    let router = routes(health.clone(), Arc::default());
    let (status, _, body) = ask(&router, "/readyz").await;
    assert_eq!((status, &*body), (StatusCode::SERVICE_UNAVAILABLE, "starting\n"), "nobody has said what is needed");
    let pods = health.gate("store Pod", "not synced");
    let crds = health.gate("kind Incident", "not served by the API server");
    let (status, _, body) = ask(&router, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, "kind Incident: not served by the API server\nstore Pod: not synced\n");
    pods.open();
    crds.open();
    assert_eq!(ask(&router, "/readyz").await.0, StatusCode::OK);
    pods.close("watch broken");
    assert_eq!(ask(&router, "/readyz").await.2, "store Pod: watch broken\n");
    assert_eq!(ask(&router, "/livez").await.0, StatusCode::OK, "not being ready is no reason to be restarted");
}

#[tokio::test]
async fn metrics_are_open_metrics_text() {
    let router = routes(Health::default(), Arc::default());
    let (status, kind, body) = ask(&router, "/metrics").await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(body.contains("backstay_leader 0\n") && body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn serves_over_a_socket_and_refuses_other_methods_and_paths() {
    let server = run().await;
    let ok = converse(server.address, b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(ok.starts_with("HTTP/1.1 200 OK\r\n") && ok.ends_with("ok\n"), "{ok}");
    let post = converse(server.address, b"POST /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    let other = converse(server.address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(other.starts_with("HTTP/1.1 404 "), "{other}");
}

#[tokio::test]
async fn all_addresses_are_those_of_both_families() {
    let server = run_at("0.0.0.0:0").await;
    // A kernel may be without IPv6.
    let families = ["127.0.0.1:0", "[::1]:0"].map(|address| std::net::TcpListener::bind(address).ok());
    let addresses: Vec<SocketAddr> = families.iter().flatten().map(|own| own.local_addr().unwrap()).collect();
    for address in addresses {
        let address = SocketAddr::new(address.ip(), server.address.port());
        let ok = converse(address, b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(ok.starts_with("HTTP/1.1 200 OK\r\n"), "{address}: {ok}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_finishes_its_request_is_dropped() {
    let server = run().await;
    let began = tokio::time::Instant::now();
    let answer = converse(server.address, b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
    assert!(!answer.contains(" 200 "), "{answer}");
    assert!(began.elapsed() < CONNECTION_LIFETIME, "dropped after {:?}", began.elapsed());
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    let server = run().await;
    let head = format!("GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(4 * MAX_HEAD_BYTES));
    let answer = converse(server.address, head.as_bytes()).await;
    assert!(!answer.contains(" 200 "), "{answer}");
}

#[tokio::test]
async fn shutdown_closes_idle_connections() {
    let server = run().await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    server.stop.send(()).unwrap();
    server.task.await.unwrap();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_it() {
    let server = run().await;
    let error = Server::bind(server.address, Router::new()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {}", server.address));
}
