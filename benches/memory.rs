//! Resident memory of the stores: per pod in steady state, and the peak of a relist.
//!
//! `cargo bench --bench memory [-- PODS...]`, by default 1,000, 10,000 and 100,000 pods of two containers in
//! Deployments of ten pods with three ReplicaSets each. Pages of JSON as an API server sends them are read through
//! the slim types into the stores, as the streams do.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "what cannot be measured must end the measurement")]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Instant;

use backstay::cluster::slim::{SlimDeployment, SlimPod, SlimReplicaSet};
use backstay::cluster::store::{Source, Stored, Stores};
use jiff::Timestamp;
use kube::core::ObjectList;
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const PAGE: usize = 250;
const PODS_PER_WORKLOAD: usize = 10;
const REVISIONS_PER_WORKLOAD: usize = 3;

const DEPLOYMENT: &str = include_str!("../src/cluster/testdata/deployment.json");
const REPLICA_SET: &str = include_str!("../src/cluster/testdata/replicaset.json");
const POD: &str = include_str!("../src/cluster/testdata/pod.json");

/// Freed pages go back at once, so that resident memory is what is in use.
const ALLOCATOR_SETTING: (&str, &str) = ("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0");

fn main() {
    let sizes: Vec<usize> = env::args().filter_map(|argument| argument.parse().ok()).collect();
    if env::var_os(ALLOCATOR_SETTING.0).is_some() {
        return sizes.into_iter().for_each(measure);
    }
    let sizes = if sizes.is_empty() { vec![1_000, 10_000, 100_000] } else { sizes };
    // Each size in a process of its own, so that none inherits the pages of another.
    for size in sizes {
        let program = env::current_exe().expect("this program has a path");
        let status = Command::new(program).arg(size.to_string()).env(ALLOCATOR_SETTING.0, ALLOCATOR_SETTING.1).status();
        assert!(status.expect("this program starts again").success());
    }
}

fn measure(pods: usize) {
    let workloads = pods.div_ceil(PODS_PER_WORKLOAD);
    let stores = Stores::default();
    // A first round through everything that allocates once, such as statics.
    list::<SlimDeployment>(&Stores::default(), 1, &deployment);
    let before = resident("VmRSS");
    let began = Instant::now();
    list::<SlimDeployment>(&stores, workloads, &deployment);
    list::<SlimReplicaSet>(&stores, workloads * REVISIONS_PER_WORKLOAD, &replica_set);
    list::<SlimPod>(&stores, pods, &pod);
    let filled = began.elapsed();
    let steady = resident("VmRSS");

    // Writing 5 makes the kernel measure the peak from here on.
    fs::write("/proc/self/clear_refs", "5").expect("a process may reset its own peak");
    list::<SlimPod>(&stores, pods, &pod);
    let peak = resident("VmHWM");
    let counts = stores.counts();
    assert_eq!((counts.pods, counts.revisions), (pods, workloads * REVISIONS_PER_WORKLOAD));
    println!(
        "{pods:>7} pods: {:>5} B per pod, {:>4} MiB steady, relist peak {:.2} x, filled in {:.1} s",
        (steady - before) * 1024 / pods,
        steady / 1024,
        ratio(peak, steady),
        filled.as_secs_f64(),
    );
}

#[allow(clippy::cast_precision_loss)]
fn ratio(peak: usize, steady: usize) -> f64 {
    peak as f64 / steady as f64
}

/// KiB, from `/proc/self/status`.
fn resident(field: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("a process may read its own status");
    let line = status.lines().find(|line| line.starts_with(field)).expect("the field is there");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
}

/// Lists `count` objects page by page.
fn list<K: Stored + Clone + DeserializeOwned>(stores: &Stores, count: usize, make: &dyn Fn(usize) -> Value) {
    let now = Timestamp::now();
    K::apply(stores, Source(0), Event::Init, now);
    for first in (0..count).step_by(PAGE) {
        let mut page = String::from(r#"{"kind":"List","apiVersion":"v1","metadata":{},"items":["#);
        for number in first..count.min(first + PAGE) {
            let comma = if number == first { "" } else { "," };
            write!(page, "{comma}{}", make(number)).expect("a string takes any text");
        }
        page.push_str("]}");
        let page: ObjectList<K> = serde_json::from_str(&page).expect("the page is well-formed");
        for object in page.items {
            K::apply(stores, Source(0), Event::InitApply(object), now);
        }
    }
    K::apply(stores, Source(0), Event::InitDone, now);
}

fn uid(kind: u32, number: usize) -> String {
    format!("5b1f0a44-{kind:04x}-4222-8333-{number:012x}")
}

fn owner(kind: &str, name: &str, uid: String) -> Value {
    json!([{"apiVersion": "apps/v1", "blockOwnerDeletion": true, "controller": true, "kind": kind, "name": name, "uid": uid}])
}

fn named(text: &str, name: &str, uid: String) -> Value {
    let mut object: Value = serde_json::from_str(text).expect("the file is JSON");
    object["metadata"]["name"] = json!(name);
    object["metadata"]["uid"] = json!(uid);
    object
}

fn deployment(number: usize) -> Value {
    named(DEPLOYMENT, &format!("service-{number}"), uid(1, number))
}

fn replica_set(number: usize) -> Value {
    let workload = number / REVISIONS_PER_WORKLOAD;
    let mut set = named(REPLICA_SET, &format!("service-{workload}-6d4cf{number:05}"), uid(2, number));
    set["metadata"]["ownerReferences"] = owner("Deployment", &format!("service-{workload}"), uid(1, workload));
    set["metadata"]["labels"]["pod-template-hash"] = json!(format!("6d4cf{number:05}"));
    set["spec"]["template"]["spec"]["containers"][0]["image"] =
        json!(format!("127.0.0.1:5000/team/service-{workload}:{number}"));
    set["status"]["conditions"] = json!([]);
    set
}

/// A pod of two containers; one in fifty crashes with a message, and one container in ten has an earlier run.
fn pod(number: usize) -> Value {
    let workload = number / PODS_PER_WORKLOAD;
    let revision = workload * REVISIONS_PER_WORKLOAD;
    let set = format!("service-{workload}-6d4cf{revision:05}");
    let mut pod = named(POD, &format!("{set}-{number:05x}"), uid(3, number));
    pod["metadata"]["ownerReferences"] = owner("ReplicaSet", &set, uid(2, revision));
    pod["spec"]["nodeName"] = json!(format!("node-{}", number % 1000));
    pod["spec"]["initContainers"] = json!([]);
    pod["status"]["initContainerStatuses"] = json!([]);
    let second = pod["spec"]["containers"][0].clone();
    pod["spec"]["containers"] = json!([pod["spec"]["containers"][0], second]);
    pod["spec"]["containers"][1]["name"] = json!("proxy");
    let running = json!({"name": "proxy", "ready": true, "started": true, "restartCount": 0, "lastState": {},
        "state": {"running": {"startedAt": "2026-03-01T10:00:05Z"}}});
    let mut web = pod["status"]["containerStatuses"][0].clone();
    if !number.is_multiple_of(50) {
        web["state"] = running["state"].clone();
        web["ready"] = json!(true);
    }
    if !number.is_multiple_of(10) {
        web["lastState"] = json!({});
    }
    pod["status"]["containerStatuses"] = json!([web, running]);
    pod
}
