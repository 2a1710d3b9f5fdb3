//! An API server on the loopback, and what people are told of one that refuses or is busy.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::*;

/// With which code the last of these calls is refused, if it is. One that is too busy asks to come back at once.
type Refuses = fn(&[String]) -> Option<u16>;

/// What an API server would show under this path.
fn shown(path: &str, objects: &[Value]) -> Option<Value> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let parts = if parts[0] == "api" { &parts[2..] } else { &parts[3..] };
    let (namespace, plural, name) = match parts {
        [plural] => (None, plural, None),
        ["namespaces", name] => (None, &"namespaces", Some(name)),
        ["namespaces", namespace, plural] => (Some(namespace), plural, None),
        ["namespaces", namespace, plural, name] => (Some(namespace), plural, Some(name)),
        _ => return None,
    };
    let of_kind = objects.iter().filter(|of| format!("{}s", of["kind"].as_str().unwrap().to_lowercase()) == *plural);
    let mut all = of_kind.filter(|of| namespace.is_none_or(|namespace| of["metadata"]["namespace"] == *namespace));
    match name {
        Some(name) => all.find(|of| of["metadata"]["name"] == *name).cloned(),
        None => Some(json!({"metadata": {}, "items": all.collect::<Vec<_>>()})),
    }
}

/// Answers one request, having noted its target.
fn answer(stream: TcpStream, objects: &[Value], refuses: Refuses, asked: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(&stream).lines();
    let target = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    lines.map_while(Result::ok).find(String::is_empty)?;
    let refused = {
        let mut asked = asked.lock().unwrap();
        asked.push(target.clone());
        refuses(&asked)
    };
    let found = shown(target.split('?').next()?, objects).filter(|_| refused.is_none());
    let code = found.as_ref().map_or(refused.unwrap_or(404), |_| 200);
    let failure =
        || json!({"kind": "Status", "status": "Failure", "message": format!("the test says {code}"), "code": code});
    let body = found.unwrap_or_else(failure).to_string();
    let length = body.len();
    let again = if code == 429 { "Retry-After: 0\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {code} X\r\n{again}Connection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    (&stream).write_all(format!("{head}{body}").as_bytes()).ok()
}

/// A cluster of these objects that refuses some calls, and what it is asked.
pub fn cluster(objects: Vec<Value>, refuses: Refuses) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (objects, asked) = (Arc::new(objects), Arc::new(Mutex::new(Vec::new())));
    let log = asked.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (objects, log) = (objects.clone(), log.clone());
            thread::spawn(move || answer(stream, &objects, refuses, &log));
        }
    });
    (address, asked)
}

/// A Deployment that no policy selects.
fn alone() -> Vec<Value> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "uid": "n"}});
    let labels = json!({"app": "web"});
    let spec =
        json!({"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}});
    let metadata = json!({"name": "web", "namespace": "shop", "uid": "d", "creationTimestamp": "2026-02-01T09:00:00Z"});
    vec![namespace, json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})]
}

#[test]
fn that_no_policy_selects_a_workload_is_said_where_all_of_them_could_be_read() {
    let (server, _) = cluster(alone(), |_| None);
    let config = kubeconfig("unselected", &server);
    let output = backstay(&["policy", "explain", "web", "--kubeconfig", &config]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).starts_with("No policy selects deployment/web in shop: Backstay leaves it alone.\n"));
}

#[rstest]
#[case::of_policies("clusterincidentpolicies", "ClusterIncidentPolicies cannot be read")]
#[case::of_the_namespace("namespaces/shop", "the namespace cannot be read")]
fn where_policies_may_be_missed_it_is_not_said_that_none_selects_a_workload(#[case] unseen: &str, #[case] gap: &str) {
    let refuses: Refuses = match unseen {
        "clusterincidentpolicies" => |asked| asked.last()?.contains("/clusterincidentpolicies").then_some(403),
        _ => |asked| asked.last()?.ends_with("/namespaces/shop").then_some(403),
    };
    let (server, _) = cluster(alone(), refuses);
    let config = kubeconfig(&format!("unseen-{}", unseen.replace('/', "-")), &server);
    let explain = ["policy", "explain", "web", "--kubeconfig", &config];
    let output = backstay(&explain);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    let said = out(&output);
    assert!(said.starts_with("No policy that you may read selects deployment/web in shop: whether"), "{said}");
    assert!(said.contains(gap), "{said}");
    let output = backstay(&[&explain[..], &["-o", "json"]].concat());
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(2), "null\n"));
    assert!(err(&output).contains(&format!("backstay: {gap}")), "{}", err(&output));
}

#[test]
fn a_cluster_that_is_busy_for_a_moment_is_asked_again() {
    let (server, asked) = cluster(alone(), |asked| (asked.len() < 3).then_some(429));
    let output = backstay(&["frozen", "--kubeconfig", &kubeconfig("busy-for-a-moment", &server)]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(asked.lock().unwrap().len(), 3);
}

#[test]
fn a_cluster_that_stays_busy_is_said_to_be_busy() {
    let (server, _) = cluster(alone(), |_| Some(429));
    let output = backstay(&["frozen", "--kubeconfig", &kubeconfig("busy", &server)]);
    assert_eq!(output.status.code(), Some(2));
    let said = err(&output);
    assert!(said.contains("the API server is busy (429 Too Many Requests)") && !said.contains("hint"), "{said}");
}
