use http::{Request as HttpRequest, Response};
use kube::client::Body;
use serde_json::json;
use tower_test::mock;

use super::*;

#[tokio::test]
async fn events_of_nodes_are_read_where_they_are() {
    let (service, mut handle) = mock::pair::<HttpRequest<Body>, Response<Body>>();
    let server = tokio::spawn(async move {
        let mut asked = Vec::new();
        while let Some((request, send)) = handle.next_request().await {
            asked.push(request.uri().to_string());
            let about = json!({"kind": "Node", "name": "n1", "uid": "n1"});
            let event = json!({"metadata": {"name": "n1.1", "namespace": "default", "creationTimestamp": "2026-03-01T10:00:00Z"},
                "involvedObject": about, "reason": "SystemOOM", "message": "System OOM encountered"});
            let of_nodes = request.uri().path() == "/api/v1/namespaces/default/events";
            let items = if of_nodes { vec![event] } else { Vec::new() };
            let body = serde_json::to_vec(&json!({"metadata": {}, "items": items})).unwrap();
            send.send_response(Response::new(Body::from(body)));
        }
        asked
    });
    let survey = Survey::of(&Client::new(service, "shop"), Some("shop")).await.unwrap();
    assert_eq!(survey.intake.events.len(), 1, "{:?}", survey.gaps);
    let asked = server.await.unwrap();
    let of_nodes: Vec<_> = asked.iter().filter(|uri| uri.contains("/namespaces/default/")).collect();
    assert!(of_nodes.len() == 1 && of_nodes[0].contains("involvedObject.kind%3DNode"), "{of_nodes:?}");
}

/// Answers like a cluster in which one pod of namespace `shop` finds no room, and others of namespace `bank` run.
async fn surveyed(pods_elsewhere: fn() -> Response<Body>) -> (Survey, Vec<String>) {
    let (service, mut handle) = mock::pair::<HttpRequest<Body>, Response<Body>>();
    let server = tokio::spawn(async move {
        let mut asked = Vec::new();
        while let Some((request, send)) = handle.next_request().await {
            asked.push(request.uri().to_string());
            let waits = json!({"metadata": {"name": "web-x", "namespace": "shop", "creationTimestamp": "2026-03-01T10:00:00Z"},
                "status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/1 nodes are available: 1 Insufficient cpu."}]}});
            match request.uri().path() {
                "/api/v1/namespaces/shop/pods" => send.send_response(list(&[waits])),
                "/api/v1/pods" => send.send_response(pods_elsewhere()),
                _ => send.send_response(list(&[])),
            }
        }
        asked
    });
    let survey = Survey::of(&Client::new(service, "shop"), Some("shop")).await.unwrap();
    (survey, server.await.unwrap())
}

fn list(items: &[Value]) -> Response<Body> {
    Response::new(Body::from(serde_json::to_vec(&json!({"metadata": {}, "items": items})).unwrap()))
}

/// Which URIs are asked of a cluster whose pods of one owner bear these marks, and of which so many are ready.
async fn asked_of(marks: [&str; 2], ready: i32) -> Vec<String> {
    let pods = marks.iter().enumerate().map(|(at, mark)| {
        let owner =
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "u", "controller": true});
        json!({"metadata": {"name": format!("db-{at}"), "namespace": "shop", "ownerReferences": [owner],
            "labels": {"controller-revision-hash": mark}}})
    });
    let pods: Vec<Value> = pods.collect();
    let set = json!({"metadata": {"name": "db", "namespace": "shop", "uid": "u"}, "spec": {"replicas": 2},
        "status": {"readyReplicas": ready}});
    let (service, mut handle) = mock::pair::<HttpRequest<Body>, Response<Body>>();
    let server = tokio::spawn(async move {
        let mut asked = Vec::new();
        while let Some((request, send)) = handle.next_request().await {
            asked.push(request.uri().path().to_owned());
            send.send_response(match request.uri().path() {
                "/api/v1/namespaces/shop/pods" => list(&pods),
                "/apis/apps/v1/namespaces/shop/statefulsets" => list(std::slice::from_ref(&set)),
                _ => list(&[]),
            });
        }
        asked
    });
    let survey = Survey::of(&Client::new(service, "shop"), Some("shop")).await.unwrap();
    assert!(survey.gaps.is_empty(), "{:?}", survey.gaps);
    server.await.unwrap()
}

#[tokio::test]
async fn what_is_kept_of_revisions_is_read_where_pods_of_one_owner_differ_or_are_not_ready() {
    let kept = "/apis/apps/v1/namespaces/shop/controllerrevisions".to_owned();
    assert!(asked_of(["db-1", "db-2"], 2).await.contains(&kept));
    assert!(asked_of(["db-1", "db-1"], 1).await.contains(&kept));
    assert!(!asked_of(["db-1", "db-1"], 2).await.contains(&kept));
}

#[tokio::test]
async fn where_a_pod_finds_no_room_the_pods_of_others_are_counted() {
    let (survey, asked) = surveyed(|| {
        let spec =
            json!({"nodeName": "n1", "containers": [{"resources": {"requests": {"cpu": "3", "memory": "1Gi"}}}]});
        list(&[json!({"metadata": {"name": "ledger-y", "namespace": "bank"}, "spec": spec})])
    })
    .await;
    assert_eq!(survey.intake.pods.len(), 1, "they are not diagnosed");
    assert_eq!(survey.intake.asks.values().map(|asks| asks.cpu).collect::<Vec<_>>(), [3000]);
    let elsewhere: Vec<_> = asked.iter().filter(|uri| uri.starts_with("/api/v1/pods")).collect();
    assert!(elsewhere.len() == 1 && elsewhere[0].contains("metadata.namespace%21%3Dshop"), "{elsewhere:?}");
    assert!(survey.gaps.is_empty(), "{:?}", survey.gaps);
}

#[tokio::test]
async fn without_the_right_to_see_them_nothing_is_said_of_what_is_free() {
    let (survey, _) = surveyed(|| {
        let status = json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden", "message": "pods is forbidden"});
        Response::builder().status(403).body(Body::from(serde_json::to_vec(&status).unwrap())).unwrap()
    })
    .await;
    assert!(survey.intake.asks.is_empty());
    let gap =
        "pods of other namespaces cannot be counted, so how much of a node is free is not told: pods is forbidden";
    assert_eq!(survey.gaps, [gap]);
}

#[tokio::test]
async fn where_nothing_waits_for_room_no_pod_of_others_is_read() {
    let (service, mut handle) = mock::pair::<HttpRequest<Body>, Response<Body>>();
    let server = tokio::spawn(async move {
        let mut asked = Vec::new();
        while let Some((request, send)) = handle.next_request().await {
            asked.push(request.uri().to_string());
            send.send_response(list(&[]));
        }
        asked
    });
    Survey::of(&Client::new(service, "shop"), Some("shop")).await.unwrap();
    assert!(server.await.unwrap().iter().all(|uri| !uri.starts_with("/api/v1/pods")));
}
