use std::sync::Arc;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use rstest::rstest;
use serde_json::{Value, json};
use tower_test::mock;

use super::objects::written;
use super::parts::endpoints_of;
use super::pods::{Meaning, meaning};
use super::{Question, Source, read};
use crate::engine::change::references::Sight;
use crate::engine::memory::RevisionRef;
use crate::engine::surroundings::Surroundings;

#[test]
fn the_last_write_to_the_content_is_told_and_no_other() {
    let entry = |manager: &str, at: &str, fields: Value| json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "time": at, "fieldsType": "FieldsV1", "fieldsV1": fields});
    let meta = serde_json::from_value(json!({"name": "settings", "managedFields": [
        entry("kubectl", "2026-03-02T01:00:00Z", json!({"f:data": {".": {}, "f:LEVEL": {}, "f:PORT": {}}})),
        entry("shop-ci", "2026-03-02T02:00:00Z", json!({"f:data": {"f:URL": {}}})),
        entry("labeller", "2026-03-02T03:00:00Z", json!({"f:metadata": {"f:labels": {"f:a": {}}}})),
    ]}))
    .unwrap();
    let written = written(&meta).unwrap();
    assert_eq!((written.by.as_str(), written.keys), ("shop-ci", vec!["URL".to_owned()]));
    assert_eq!(written.at, "2026-03-02T02:00:00Z".parse().unwrap());
}

#[test]
fn endpoints_are_counted_once_per_pod() {
    let slice = |service: &str, endpoints: Value| json!({"metadata": {"labels": {"kubernetes.io/service-name": service}}, "endpoints": endpoints});
    let endpoint = |uid: &str, conditions: Value| json!({"addresses": ["10.0.0.1"], "conditions": conditions, "targetRef": {"kind": "Pod", "uid": uid}});
    let slices = [
        slice(
            "web",
            json!([
                endpoint("a", json!({"ready": true})),
                endpoint("b", json!({"ready": false})),
                endpoint("c", json!({"ready": false, "terminating": true})),
                endpoint("d", json!({})),
            ]),
        ),
        slice("web", json!([endpoint("a", json!({"ready": true})), endpoint("b", json!({"ready": false}))])),
        slice("other", json!([endpoint("e", json!({"ready": true}))])),
        slice("web", json!(null)),
    ];
    let slices = slices.map(Arc::new);
    assert_eq!(endpoints_of("web", &slices), Some((2, 1)));
    assert_eq!(endpoints_of("none", &slices), None, "without a slice nobody has counted");
}

#[rstest]
#[case(
    403,
    r#"pods is forbidden: User "x" cannot create resource "pods" in API group """#,
    Meaning::Unasked("no right to create pods")
)]
#[case(
    403,
    r#"pods "x" is forbidden: exceeded quota: q, requested: pods=1"#,
    Meaning::Unasked("the quota is used up while the failing pods run")
)]
#[case(403, r#"pods "x" is forbidden: violates PodSecurity "restricted:latest""#, Meaning::Refused)]
#[case(
    403,
    r#"pods "x" is forbidden: error looking up service account shop/web: serviceaccount "web" not found"#,
    Meaning::Refused
)]
#[case(422, "Pod is invalid: spec.containers: Required value", Meaning::Refused)]
#[case(
    400,
    r#"admission webhook "a.b.c" does not support dry run"#,
    Meaning::Unasked("a webhook does not support dry runs")
)]
#[case(500, r#"Internal error occurred: failed calling webhook "a.b.c""#, Meaning::Refused)]
#[case(
    503,
    "the server is currently unable to handle the request",
    Meaning::Unasked("the API server did not answer the question")
)]
fn an_answer_about_a_pod_is_told_from_one_about_the_question(
    #[case] code: u16,
    #[case] message: &str,
    #[case] expected: Meaning,
) {
    assert_eq!(meaning(code, message), expected);
}

/// Answers by path, and remembers what was asked: `VERB PATH`, and whether for metadata alone.
async fn serve(mut handle: mock::Handle<Request<Body>, Response<Body>>) -> Vec<(String, bool)> {
    let mut asked = Vec::new();
    while let Some((request, send)) = handle.next_request().await {
        let accept = request.headers().get("accept").and_then(|a| a.to_str().ok()).unwrap_or_default();
        let path = request.uri().path().to_owned();
        asked.push((format!("{} {path}", request.method()), accept.contains("PartialObjectMetadata")));
        let (code, body) = answer(&path);
        let body = Body::from(serde_json::to_vec(&body).unwrap());
        send.send_response(Response::builder().status(code).body(body).unwrap());
    }
    asked.sort();
    asked
}

fn answer(path: &str) -> (u16, Value) {
    let meta = |name: &str| json!({"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "creationTimestamp": "2026-03-01T00:00:00Z"});
    let template = |tag: &str, settings: &str| {
        json!({"metadata": {"labels": {"app": "web", "pod-template-hash": "x"}}, "spec": {"containers": [{
            "name": "web", "image": format!("web:{tag}"), "args": [format!("--token=s3cr3t-{tag}")],
            "envFrom": [{"configMapRef": {"name": settings}}, {"secretRef": {"name": "db"}}],
        }]}})
    };
    let refused = |code: u16, reason: &str| {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason});
        (code, status)
    };
    let set = |name: &str, template: Value| json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta(name), "spec": {"template": template}});
    let name = path.rsplit('/').next().unwrap_or_default();
    match name {
        "web" => (200, json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("web"), "spec": {}})),
        "web-new" => (200, set("web-new", template("2", "settings-b"))),
        "web-old" => (200, set("web-old", template("1", "settings-a"))),
        "web-a" => (200, json!({"metadata": meta("web-a"), "data": {"spec": {"template": template("1", "db")}}})),
        "web-b" => (200, json!({"metadata": meta("web-b"), "data": {"spec": {"template": template("2", "db")}}})),
        "jobs" => (
            200,
            json!({"apiVersion": "batch/v1", "kind": "JobList", "metadata": {}, "items": [
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta("web-migrate"),
                 "spec": {"template": {"spec": {"containers": [{"name": "m", "image": "web:2"}]}}},
                 "status": {"succeeded": 1, "startTime": "2026-03-02T00:00:00Z"}},
            ]}),
        ),
        "settings-b" => (
            200,
            json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": meta("settings-b")}),
        ),
        "db" => refused(403, "Forbidden"),
        // Whoever does not know the selector answers with more than was asked for.
        "configmaps" => {
            let item = |namespace: &str, name: &str| json!({"metadata": {"namespace": namespace, "name": name}});
            let items =
                [item("pay", "settings-a"), item("shop", "settings-a"), item("bank", "settings-a"), item("x", "y")];
            (
                200,
                json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "items": items}),
            )
        }
        _ => refused(404, "NotFound"),
    }
}

fn question() -> Question {
    let revision =
        |name: &str| RevisionRef { name: name.into(), uid: format!("uid-{name}").as_str().into(), hash: "h".into() };
    Question {
        kind: "Deployment".into(),
        namespace: "shop".into(),
        workload: "web".into(),
        newest: revision("web-new"),
        baseline: Some(revision("web-old")),
        objects: true,
        secrets: true,
        outside: true,
        elsewhere: false,
        try_baseline: false,
    }
}

#[tokio::test]
async fn what_lies_around_is_read_by_name_and_of_content_only_the_metadata() {
    let (service, handle) = mock::pair::<Request<Body>, Response<Body>>();
    let server = tokio::spawn(serve(handle));
    let around = read(Source::Cluster(&Client::new(service, "shop")), &question()).await;
    let asked = server.await.unwrap();
    let expected = [
        ("GET /api/v1/namespaces/shop/configmaps/settings-a", true),
        ("GET /api/v1/namespaces/shop/configmaps/settings-b", true),
        ("GET /api/v1/namespaces/shop/secrets/db", true),
        ("GET /apis/apps/v1/namespaces/shop/deployments/web", false),
        ("GET /apis/apps/v1/namespaces/shop/replicasets/web-new", false),
        ("GET /apis/apps/v1/namespaces/shop/replicasets/web-old", false),
        ("GET /apis/batch/v1/namespaces/shop/jobs", false),
    ];
    assert_eq!(asked, expected.map(|(what, metadata)| (what.to_owned(), metadata)));
    let seen: Vec<(String, bool, bool, &str)> = (around.references.iter())
        .map(|r| {
            let sight = match r.sight {
                Sight::Present { .. } => "present",
                Sight::Missing => "missing",
                Sight::Unseen => "unseen",
            };
            (r.reference.to_string(), r.newest.is_some(), r.baseline.is_some(), sight)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("ConfigMap settings-a".to_owned(), false, true, "missing"),
            ("ConfigMap settings-b".to_owned(), true, false, "present"),
            ("Secret db".to_owned(), true, true, "unseen"),
        ]
    );
    assert_eq!(around.gaps, ["objects of kind Secret (no right to read them)"]);
    assert_eq!((around.jobs.len(), around.labels.get("app").map(String::as_str)), (1, Some("web")));
    let said: Vec<&str> = around.difference.changes.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(
        said,
        [
            "args --token=*** → --token=***",
            "env source added: ConfigMap settings-b, env source removed: ConfigMap settings-a",
            "image web: 1 → 2"
        ]
    );
}

#[tokio::test]
async fn what_is_missing_is_looked_for_in_other_namespaces_by_whoever_may() {
    let (service, handle) = mock::pair::<Request<Body>, Response<Body>>();
    let server = tokio::spawn(serve(handle));
    let question = Question { elsewhere: true, ..question() };
    let around = read(Source::Cluster(&Client::new(service, "shop")), &question).await;
    let asked = server.await.unwrap();
    let lists: Vec<_> = asked.iter().filter(|(asked, _)| asked.matches('/').count() == 3).collect();
    assert_eq!(lists, [&("GET /api/v1/configmaps".to_owned(), true)], "metadata of what is known to be missing");
    let elsewhere: Vec<_> =
        around.references.iter().map(|r| (r.reference.name.as_str(), r.elsewhere.join(","))).collect();
    let expected = [("settings-a", "bank,pay"), ("settings-b", ""), ("db", "")];
    assert_eq!(elsewhere, expected.map(|(name, places)| (name, places.to_owned())));
}

/// What is asked of a cluster about a workload of this kind, whose revisions are called so.
async fn asked_about(kind: &str, newest: &str, baseline: Option<&str>) -> (Vec<String>, Surroundings) {
    let revision = |name: &str| RevisionRef { name: name.into(), uid: name.into(), hash: "h".into() };
    let baseline = baseline.map(revision);
    let question = Question { kind: kind.into(), newest: revision(newest), baseline, ..question() };
    let (service, handle) = mock::pair::<Request<Body>, Response<Body>>();
    let server = tokio::spawn(serve(handle));
    let around = read(Source::Cluster(&Client::new(service, "shop")), &question).await;
    (server.await.unwrap().into_iter().map(|(asked, _)| asked).collect(), around)
}

#[tokio::test]
async fn revisions_of_a_stateful_set_are_read_of_its_controller_revisions() {
    let (asked, around) = asked_about("StatefulSet", "web-b", Some("web-a")).await;
    let kept: Vec<_> = asked.iter().filter(|asked| asked.contains("apps/v1")).map(String::as_str).collect();
    let expected = [
        "GET /apis/apps/v1/namespaces/shop/controllerrevisions/web-a",
        "GET /apis/apps/v1/namespaces/shop/controllerrevisions/web-b",
        "GET /apis/apps/v1/namespaces/shop/statefulsets/web",
    ];
    assert_eq!(kept, expected);
    let said: Vec<&str> = around.difference.changes.iter().map(|change| change.text.as_str()).collect();
    assert_eq!(said, ["args --token=*** → --token=***", "image web: 1 → 2"]);
    assert_eq!((around.baseline.as_deref(), around.labels.len()), (Some("web-a"), 1));
}

#[tokio::test]
async fn a_job_that_is_looked_at_migrates_nothing_of_its_own() {
    let (_, around) = asked_about("Deployment", "web-new", None).await;
    assert_eq!(around.jobs.len(), 1);
    let question = Question { kind: "Job".into(), workload: "web-migrate".into(), baseline: None, ..question() };
    let (service, handle) = mock::pair::<Request<Body>, Response<Body>>();
    let server = tokio::spawn(serve(handle));
    let around = read(Source::Cluster(&Client::new(service, "shop")), &question).await;
    assert_eq!(around.jobs.len(), 0);
    assert!(around.gaps.iter().any(|gap| gap.contains("a Job does not keep it")), "{:?}", around.gaps);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_does_not_answer_leaves_gaps_and_ends() {
    let (service, _handle) = mock::pair::<Request<Body>, Response<Body>>();
    let around = read(Source::Cluster(&Client::new(service, "shop")), &question()).await;
    assert_eq!((around.baseline, around.references.len()), (None, 0));
    assert!(around.gaps.iter().any(|gap| gap.contains("no answer within 2 s")), "{:?}", around.gaps);
}
