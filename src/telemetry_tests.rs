use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use rstest::rstest;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use super::traces::Subject;
use super::*;

#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(self.0.lock().map_or(0, |mut all| {
            all.extend_from_slice(bytes);
            bytes.len()
        }))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logged(format: LogFormat, directives: &str) -> String {
    lines(format, directives, || {
        let _span = tracing::info_span!("judging", workload = "shop/web").entered();
        tracing::info!(target: "backstay::controller", reason = "Storm", "held");
        tracing::debug!(target: "backstay::controller", "unchanged");
        tracing::debug!(target: "hyper", "bytes");
    })
}

fn lines(format: LogFormat, directives: &str, say: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::registry()
        .with(EnvFilter::builder().parse(parse_filter(directives).unwrap()).unwrap())
        .with(log_layer(format, move || writer.clone(), false));
    tracing::subscriber::with_default(subscriber, say);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn json_lines_carry_message_fields_and_span() {
    let text = logged(LogFormat::Json, "info");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!(line["message"], "held");
    assert_eq!(line["reason"], "Storm");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["span"]["workload"], "shop/web");
    assert!(line["timestamp"].is_string());
}

#[test]
fn a_line_for_people_says_when_which_what_and_why() {
    let text = lines(LogFormat::Human, "info", || {
        let _span = tracing::info_span!("reconciling object", object.r#ref = "Deployment.v1.apps/web.shop").entered();
        let (namespace, workload, refusal) = ("shop", "web", Some("Storm"));
        tracing::warn!(namespace, workload, refusal, state = "Held", why = "13 of 120 fail at once", "decided");
    });
    let (time, line) = text.split_once(' ').unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    assert_eq!(line, " WARN shop/web: decided refusal=Storm state=Held: 13 of 120 fail at once\n");
    assert!(!text.contains('\u{1b}'), "no colour codes in a file");
}

#[test]
fn a_line_for_people_about_nothing_in_particular_is_short() {
    let text = lines(LogFormat::Human, "info", || {
        let error = crate::cluster::chain::chain(&std::io::Error::other("no route"));
        tracing::info!(pods = 3, note = "two words", %error, "ready");
    });
    assert!(text.ends_with(" INFO ready pods=3 note=\"two words\": no route\n"), "{text}");
}

#[test]
fn a_bare_debug_level_leaves_libraries_quiet() {
    let text = logged(LogFormat::Human, "debug");
    assert!(text.contains("unchanged"));
    assert!(!text.contains("bytes"));
}

#[rstest]
#[case("backstay=loud")]
#[case("")]
#[case("=")]
fn a_filter_that_means_nothing_is_refused(#[case] text: &str) {
    assert!(parse_filter(text).is_err());
}

#[rstest]
#[case("http://collector:4318", Some("http://collector:4318/v1/traces"))]
#[case("http://collector:4318/", Some("http://collector:4318/v1/traces"))]
#[case("http://collector/tenant/v1/traces", Some("http://collector/tenant/v1/traces"))]
#[case("http://collector?tenant=a", Some("http://collector/v1/traces?tenant=a"))]
#[case("https://collector:4318", Some("https://collector:4318/v1/traces"))]
#[case("grpc://collector:4317", None)]
#[case("collector:4318", None)]
#[case("/v1/traces", None)]
fn an_endpoint_is_an_http_url(#[case] text: &str, #[case] wanted: Option<&str>) {
    assert_eq!(parse_endpoint(text).ok().map(|uri| uri.to_string()).as_deref(), wanted);
}

async fn send_a_look(telemetry: Telemetry) {
    let look = telemetry.traces().look();
    look.step("decide", || ());
    look.call("write", async { Ok::<_, std::io::Error>(()) }).await.unwrap();
    let uid = "0b5d2c1e-8f3a-4d6b-9c7e-1a2b3c4d5e6f";
    look.send(&Subject { uid, namespace: "shop", workload: "web", incident: "web-6d-1" }, Vec::new());
    telemetry.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_reach_a_collector_before_shutdown_returns() {
    let (received, mut bodies) = mpsc::unbounded_channel::<Bytes>();
    let collector = Router::new().route(
        "/v1/traces",
        post(move |body: Bytes| {
            received.send(body).unwrap();
            async {}
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = parse_endpoint(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let server = tokio::spawn(axum::serve(listener, collector).into_future());

    send_a_look(Telemetry::to(&endpoint, "backstay-0").unwrap()).await;

    let body = bodies.try_recv().expect("the span was sent before shutdown returned");
    let text = String::from_utf8_lossy(&body).into_owned();
    for part in ["look", "write", "web-6d-1", "service.name", "backstay-0", env!("CARGO_PKG_VERSION")] {
        assert!(text.contains(part), "{part} is missing");
    }
    server.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_behind_https_is_spoken_to_in_tls() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = parse_endpoint(&format!("https://localhost:{}", listener.local_addr().unwrap().port())).unwrap();
    let collector = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut greeting = vec![0; 512];
        let read = connection.read(&mut greeting).await.unwrap();
        greeting.truncate(read);
        greeting
    });
    send_a_look(Telemetry::to(&endpoint, "backstay-0").unwrap()).await;
    let greeting = collector.await.unwrap();
    // A record of the handshake (RFC 8446, 5.1) that names the server; nothing in the clear.
    assert_eq!(greeting[..2], [22, 3], "{greeting:?}");
    assert!(greeting.windows(9).any(|part| part == b"localhost"), "{greeting:?}");
}
