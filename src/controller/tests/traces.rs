//! The trace of an incident as a collector receives it.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use http::Method;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::sync::mpsc;

use super::rig::Rig;
use super::server::Strike;
use crate::telemetry::Telemetry;

/// Runs a test against a collector on the loopback, and gives the spans that it received.
async fn collected(test: impl AsyncFnOnce(&Telemetry)) -> Vec<Span> {
    let (received, mut bodies) = mpsc::unbounded_channel::<Bytes>();
    let take = move |body: Bytes| {
        received.send(body).unwrap();
        async {}
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let collector = axum::serve(listener, Router::new().route("/v1/traces", post(take)));
    let collector = tokio::spawn(collector.into_future());
    let telemetry = Telemetry::to(&endpoint.parse().unwrap(), "backstay-0").unwrap();
    test(&telemetry).await;
    telemetry.shutdown().await;
    collector.abort();
    let mut spans = Vec::new();
    while let Ok(body) = bodies.try_recv() {
        let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
        let resources = request.resource_spans.into_iter();
        spans.extend(resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans));
    }
    spans
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_is_one_trace_with_a_span_for_each_step() {
    let mut uid = String::new();
    let spans = collected(async |telemetry| {
        let rig = Rig::with(|_| {}, telemetry.traces()).await;
        rig.server().strike(Method::PATCH, "/deployments/web", 1, Strike::Refuse(403));
        rig.settles().await;
        rig.recovers().await;
        uid = rig.incident().metadata.uid.unwrap();
    })
    .await;

    let trace = uid.replace('-', "");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(spans.iter().all(|span| hex(&span.trace_id) == trace), "one trace, with the incident's UID: {spans:?}");
    let by_id: BTreeMap<_, _> = spans.iter().map(|span| (span.span_id.clone(), span)).collect();
    let roots: Vec<_> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
    let [root] = roots[..] else { panic!("{roots:?}") };
    assert_eq!(root.name, "incident");
    let looks: Vec<_> = spans.iter().filter(|span| span.parent_span_id == root.span_id).collect();
    assert!(looks.iter().all(|span| span.name == "look"));
    assert_eq!(looks.len(), 3, "blocked, acted, closed; what changed nothing is not sent");
    let steps = |look: &Span| {
        let mut steps: Vec<_> = spans.iter().filter(|span| span.parent_span_id == look.span_id).collect();
        steps.sort_by_key(|span| (span.start_time_unix_nano, span.end_time_unix_nano));
        let bounds = (look.start_time_unix_nano, look.end_time_unix_nano);
        assert!(steps.iter().all(|s| bounds.0 <= s.start_time_unix_nano && s.end_time_unix_nano <= bounds.1));
        let mut names: Vec<_> = steps.iter().map(|span| span.name.as_str()).collect();
        // These two are side by side.
        let decided = names.iter().take_while(|name| matches!(**name, "gather" | "decide")).count();
        if let Some(pair) = names.get_mut(decided..decided + 2) {
            pair.sort_unstable();
        }
        names.join(", ")
    };
    let mut looks = looks;
    looks.sort_by_key(|span| span.start_time_unix_nano);
    let told: Vec<_> = looks.iter().map(|look| steps(look)).collect();
    // The first look has proof, and does not know yet what lies around.
    assert_eq!(told[0], "gather, decide, decide, live read, record, write, record");
    assert!(told[1].starts_with("gather, decide, live read") && told[1].ends_with("write, record"), "{told:?}");
    assert_eq!(told[2], "gather, decide, record");
    let failed: Vec<_> =
        spans.iter().filter_map(|span| span.status.as_ref()).filter(|s| !s.message.is_empty()).collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].message.contains("patching Deployment web: the test says 403"), "{}", failed[0].message);
    assert_eq!(by_id.len(), spans.len(), "every span has an id of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looks_without_an_incident_leave_no_trace() {
    let spans = collected(async |telemetry| {
        let rig = Rig::with(|server| drop(server.remove(super::rig::FAILING)), telemetry.traces()).await;
        rig.settles().await;
    })
    .await;
    assert!(spans.is_empty(), "{spans:?}");
}
