//! What a workload is told to have in common with others is the same whether it is named or all are asked for: of files
//! and of a cluster.

use serde_json::{Value, json};

use super::cluster::cluster;
use super::*;

/// Pods that fail on one node, a Deployment that was just rolled out, and who calls what is dead.
fn objects() -> Vec<Value> {
    let zoo: Value = serde_saphyr::from_str(include_str!("../../src/cli/diagnose/testdata/zoo.yaml")).unwrap();
    let is_whole = |item: &&Value| item["metadata"]["name"].is_string() && item["metadata"]["name"] != "odd";
    let mut objects: Vec<Value> = zoo["items"].as_array().unwrap().iter().filter(is_whole).cloned().collect();
    let cache = objects.iter_mut().find(|object| object["metadata"]["name"] == "bare-oom").unwrap();
    cache["metadata"]["labels"] = json!({"app": "cache"});
    let object = |api: &str, kind: &str, name: &str, rest: Value| {
        let metadata =
            json!({"name": name, "namespace": "shop", "uid": name, "creationTimestamp": "2026-02-01T09:00:00Z"});
        let mut object = json!({"apiVersion": api, "kind": kind, "metadata": metadata});
        object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        object
    };
    let calls = json!({"containers": [{"name": "c", "image": "c:1", "env": [{"name": "CACHE_URL", "value": "http://cache:80"}]}]});
    let template =
        json!({"metadata": {"labels": {"app": "pay"}}, "spec": {"containers": [{"name": "pay", "image": "pay:2"}]}});
    let mut set = object("apps/v1", "ReplicaSet", "pay-77", json!({"spec": {"replicas": 0, "template": template}}));
    set["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "pay", "uid": "pay", "controller": true}]);
    set["metadata"]["labels"] = json!({"pod-template-hash": "77"});
    set["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "2"});
    set["metadata"]["creationTimestamp"] = json!("2026-03-01T09:59:00Z");
    let mut slice = object("discovery.k8s.io/v1", "EndpointSlice", "cache-x", json!({"endpoints": []}));
    slice["metadata"]["labels"] = json!({"kubernetes.io/service-name": "cache"});
    let mut made = object("v1", "Pod", "watch-x", json!({"spec": calls, "status": {"phase": "Running"}}));
    made["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "watch", "uid": "watch", "controller": true}]);
    objects.extend([
        object("apps/v1", "Deployment", "pay", json!({"spec": {"replicas": 0, "template": template}})),
        set,
        object("v1", "Service", "cache", json!({"spec": {"selector": {"app": "cache"}, "ports": [{"port": 80}]}})),
        slice,
        object("apps/v1", "DaemonSet", "watch", json!({"spec": {"template": {"spec": calls}}})),
        made,
        object("v1", "Pod", "probe", json!({"spec": calls, "status": {"phase": "Running"}})),
    ]);
    objects
}

/// What is told of a workload: all of it but times that pass while it is asked.
fn told(output: &Output, name: &str) -> Value {
    assert_eq!(output.status.code(), Some(1), "{}", err(output));
    let report: Value = serde_json::from_str(&out(output)).unwrap();
    let all = report["workloads"].as_array().unwrap();
    let found = all.iter().find(|workload| workload["name"] == name).unwrap();
    json!({"changed": found["whatChanged"]["changes"], "suffers": found["blastRadius"]})
}

fn also_failing(told: &Value) -> Vec<&str> {
    let all = told["suffers"]["alsoFailing"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().map(|kin| kin["workload"].as_str().unwrap()).collect()
}

fn changes(told: &Value) -> Vec<String> {
    let all = told["changed"].as_array().unwrap().iter();
    all.map(|change| format!("{}: {}", change["subject"].as_str().unwrap(), change["text"].as_str().unwrap())).collect()
}

/// What is told of a workload that is named is what is told of it where all are asked for.
fn is_the_story_of_all(named: &Value, of_all: &Value) {
    assert_eq!(named, of_all);
    assert_eq!(changes(named), ["Deployment pay: rolled out revision 2 (77)"]);
}

const SHARE_A_NODE: [(&str, &str, [&str; 2]); 2] = [
    ("deployment/web", "web", ["Job shop/report", "Pod shop/bare-oom"]),
    ("pod/bare-oom", "bare-oom", ["shop/web", "Job shop/report"]),
];

#[test]
fn naming_a_workload_of_files_takes_nothing_from_what_is_told_of_it() {
    let file = folder("named").join("objects.json").display().to_string();
    fs::write(&file, json!({"kind": "List", "items": objects()}).to_string()).unwrap();
    let ask = |more: &[&str]| backstay(&[&["diagnose", "-f", &file, "-o", "json"], more].concat());
    for (target, name, expected) in SHARE_A_NODE {
        let named = told(&ask(&[target]), name);
        is_the_story_of_all(&named, &told(&ask(&[]), name));
        is_the_story_of_all(&named, &told(&ask(&["-n", "shop", target]), name));
        assert_eq!(also_failing(&named), expected, "{named}");
    }
    let report: Value = serde_json::from_str(&out(&ask(&["deployment/web"]))).unwrap();
    assert_eq!(report["workloads"].as_array().unwrap().len(), 1, "the others are not shown");
}

#[test]
fn naming_a_workload_of_a_cluster_takes_nothing_from_what_is_told_of_it() {
    let (server, asked) = cluster(objects(), |_| None);
    let config = kubeconfig("named", &server);
    let ask = |more: &[&str]| {
        let output = backstay(&[&["diagnose", "--kubeconfig", &config, "-o", "json"], more].concat());
        (output, std::mem::take(&mut *asked.lock().unwrap()))
    };
    let (all, asked_of_all) = ask(&[]);
    for (target, name, expected) in SHARE_A_NODE {
        let (output, asked) = ask(&[target]);
        let named = told(&output, name);
        is_the_story_of_all(&named, &told(&all, name));
        assert_eq!(also_failing(&named), expected, "{named}");
        // The others are in the lists of the namespace that are read anyway.
        assert!(asked.iter().all(|path| asked_of_all.contains(path)), "{asked:?}");
        assert!(asked.len() < asked_of_all.len(), "{asked:?}");
    }
    let callers = told(&ask(&["pod/bare-oom"]).0, "bare-oom")["suffers"]["dependents"].clone();
    let callers: Vec<&str> = callers.as_array().unwrap().iter().map(|of| of["workload"].as_str().unwrap()).collect();
    assert_eq!(callers, ["DaemonSet watch", "Pod probe"], "a pod is told by its maker");
    let pods = asked_of_all.iter().filter(|path| path.contains("/pods?") && path.contains("labelSelector"));
    assert!(
        pods.clone().count() == 1 && pods.clone().all(|path| path.contains("pod-template-hash")),
        "{asked_of_all:?}"
    );
}
