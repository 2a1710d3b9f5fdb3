use std::collections::BTreeSet;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::json;
use tower_test::mock;

use super::*;
use crate::engine::blast_radius::{Entry, Kin};

fn list(items: Value) -> Value {
    json!({"metadata": {}, "items": items})
}

fn question<'a>(labels: &'a BTreeMap<String, String>, names: &[&str], failing: &[(&str, &str, &str)]) -> Question<'a> {
    let fellow = |(kind, namespace, name): &(&str, &str, &str)| Fellow {
        kind: (*kind).into(),
        namespace: (*namespace).into(),
        name: (*name).into(),
        uses: Belongings::default(),
    };
    Question {
        kind: "Deployment",
        namespace: "shop",
        workload: "web",
        revision: "web-6d",
        labels,
        since: Timestamp::UNIX_EPOCH,
        ours: Belongings { objects: names.iter().map(|name| (*name).to_owned()).collect(), ..Belongings::default() },
        failing: failing.iter().map(fellow).collect(),
        everywhere: false,
        every_caller: false,
    }
}

/// What is seen of an API server that has these objects by the end of their path, and which paths it was asked for.
async fn looked(q: &Question<'_>, objects: &[(&str, Value)]) -> (Scene, BTreeSet<String>) {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let client = Client::new(service, "shop");
    let serve = async {
        let mut asked = BTreeSet::new();
        while let Some((request, send)) = server.next_request().await {
            let path = request.uri().path().to_owned();
            let found = objects.iter().find(|(end, _)| path.ends_with(end)).map(|(_, object)| object.clone());
            let missing = || json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound"});
            let code = if found.is_some() { 200 } else { 404 };
            let body = Body::from(serde_json::to_vec(&found.unwrap_or_else(missing)).unwrap());
            send.send_response(Response::builder().status(code).body(body).unwrap());
            asked.insert(path);
        }
        asked
    };
    let look = async move { look(Source::Cluster(&client), q).await };
    let ((scene, ..), asked) = tokio::join!(look, serve);
    (scene, asked)
}

#[tokio::test]
async fn each_host_comes_with_the_backends_of_its_own_rules() {
    let backend = |service: &str| json!({"service": {"name": service, "port": {"number": 80}}});
    let rule = |host: &str, service: &str| json!({"host": host, "http": {"paths": [{"path": "/", "backend": backend(service)}]}});
    let ingress = json!({"metadata": {"name": "shop"}, "spec": {
        "rules": [rule("web.example.com", "web"), rule("pay.example.com", "pay")], "defaultBackend": backend("old")}});
    let route = json!({"metadata": {"name": "edge", "namespace": "shop"}, "spec": {
        "hostnames": ["edge.example.com"], "rules": [
            {"matches": [{"path": {"value": "/pay"}}], "backendRefs": [{"name": "pay"}]},
            {"backendRefs": [{"name": "web"}]}]}});
    let objects = [("/ingresses", list(json!([ingress]))), ("/httproutes", list(json!([route])))];
    let (scene, _) = looked(&question(&BTreeMap::new(), &[], &[]), &objects).await;
    let leads = |entry: &Entry| {
        let ways = entry.ways.iter().map(|way| format!("{}>{}", way.paths.join(","), way.services.join(",")));
        format!("{} {}", entry.hosts.join(","), ways.collect::<Vec<_>>().join(" "))
    };
    let expected =
        ["pay.example.com >pay", "web.example.com >web", "any other host >old", "edge.example.com /pay>pay >web"];
    assert_eq!(scene.entries.iter().map(leads).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn templates_of_whatever_fails_in_the_namespace_are_compared() {
    let named = |secret: &str| json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": secret}}]}]}}}});
    let objects =
        [("/statefulsets/db", named("db")), ("/daemonsets/agent", named("other")), ("/statefulsets/far", named("db"))];
    let failing = [
        ("StatefulSet", "shop", "db"),
        ("DaemonSet", "shop", "agent"),
        ("Job", "shop", "seed"),
        ("StatefulSet", "bank", "far"),
    ];
    let labels = BTreeMap::new();
    let (scene, asked) = looked(&question(&labels, &["Secret db"], &failing), &objects).await;
    let kin = Kin { workload: "StatefulSet shop/db".to_owned(), shares: vec!["Secret db".to_owned()] };
    assert_eq!(scene.also_failing, [kin]);
    assert!(scene.gaps.contains(&"Job seed (there is none)".to_owned()), "{:?}", scene.gaps);
    let of_fellows = |asked: &BTreeSet<String>| {
        let ends = ["/db", "/agent", "/seed", "/far", "/deployments"];
        asked.iter().filter(|path| ends.iter().any(|end| path.ends_with(end))).count()
    };
    assert_eq!(of_fellows(&asked), 3, "what is in another namespace names other objects: {asked:?}");

    let (scene, asked) = looked(&question(&labels, &[], &failing), &objects).await;
    assert_eq!((scene.also_failing, of_fellows(&asked)), (Vec::new(), 0), "there is nothing to share");
}
