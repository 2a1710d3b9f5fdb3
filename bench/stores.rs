//! Resident memory of the stores alone: per pod in steady state, and the peak of a relist.
//!
//! Two containers per pod, ten pods per Deployment, three ReplicaSets each. Pages of JSON as an API server sends them
//! are read through the slim types into the stores, as the streams do. Each size is a process of its own, so that
//! none inherits the pages of another, and gives freed pages back at once: resident memory is what is in use.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "the objects are made from files that are built in")]

use std::env;
use std::fmt::{self, Write as _};
use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};
use backstay::cluster::slim::{SlimDeployment, SlimPod, SlimReplicaSet};
use backstay::cluster::store::{Source, Stored, Stores};
use jiff::Timestamp;
use kube::core::ObjectList;
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const PAGE: usize = 250;
const PODS_PER_WORKLOAD: usize = 10;
const REVISIONS_PER_WORKLOAD: usize = 3;

const DEPLOYMENT: &str = include_str!("../src/cluster/testdata/deployment.json");
const REPLICA_SET: &str = include_str!("../src/cluster/testdata/replicaset.json");
const POD: &str = include_str!("../src/cluster/testdata/pod.json");

const ALLOCATOR_SETTING: (&str, &str) = ("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0");
/// The word after which a process of ours measures one size.
pub const ONE: &str = "stores-of";

pub const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// What was measured at one size.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Size {
    pub pods: usize,
    pub bytes_per_pod: usize,
    pub steady_mib: f64,
    pub relist_peak_ratio: f64,
    pub filled_s: f64,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pods, bytes_per_pod, steady_mib, relist_peak_ratio, filled_s } = self;
        write!(
            f,
            "{pods:>7} pods: {bytes_per_pod:>5} B per pod, {steady_mib:>6.1} MiB steady, \
             relist peak {relist_peak_ratio:.2} x, filled in {filled_s:.1} s"
        )
    }
}

/// Measures each size in a new process of this program.
pub fn measure(sizes: &[usize]) -> anyhow::Result<Vec<Size>> {
    let program = env::current_exe().context("finding this program")?;
    let measure = |size: &usize| {
        let mut command = Command::new(&program);
        command.args([ONE, &size.to_string()]).env(ALLOCATOR_SETTING.0, ALLOCATOR_SETTING.1);
        let output = command.output().context("starting this program again")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let size: Size = serde_json::from_slice(&output.stdout).context("reading what was measured")?;
        anyhow::Ok(size)
    };
    sizes.iter().map(measure).collect()
}

/// Measures in this process, which `measure` started, and prints the result.
pub fn measure_one(pods: usize) -> anyhow::Result<()> {
    let workloads = pods.div_ceil(PODS_PER_WORKLOAD);
    let stores = Stores::default();
    // A first round through everything that allocates once, such as statics.
    list::<SlimDeployment>(&Stores::default(), 1, &deployment)?;
    let before = resident("VmRSS")?;
    let began = Instant::now();
    list::<SlimDeployment>(&stores, workloads, &deployment)?;
    list::<SlimReplicaSet>(&stores, workloads * REVISIONS_PER_WORKLOAD, &replica_set)?;
    list::<SlimPod>(&stores, pods, &pod)?;
    let filled = began.elapsed();
    let steady = resident("VmRSS")?;

    // Writing 5 makes the kernel measure the peak from here on.
    fs::write("/proc/self/clear_refs", "5").context("resetting the peak")?;
    list::<SlimPod>(&stores, pods, &pod)?;
    let peak = resident("VmHWM")?;
    let counts = stores.counts();
    ensure!(
        (counts.pods, counts.revisions) == (pods, workloads * REVISIONS_PER_WORKLOAD),
        "the stores hold {counts:?}"
    );
    #[expect(clippy::cast_precision_loss, reason = "KiB")]
    let size = Size {
        pods,
        bytes_per_pod: (steady - before) * 1024 / pods.max(1),
        steady_mib: steady as f64 / 1024.0,
        relist_peak_ratio: peak as f64 / steady as f64,
        filled_s: filled.as_secs_f64(),
    };
    println!("{}", serde_json::to_string(&size)?);
    Ok(())
}

/// KiB, from `/proc/self/status`.
fn resident(field: &str) -> anyhow::Result<usize> {
    let status = fs::read_to_string("/proc/self/status").context("reading the own status")?;
    let line = status.lines().find(|line| line.starts_with(field)).context("no such field in the own status")?;
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).context("no number of KiB")
}

/// Lists `count` objects page by page.
fn list<K: Stored + Clone + DeserializeOwned>(
    stores: &Stores,
    count: usize,
    make: &dyn Fn(usize) -> Value,
) -> anyhow::Result<()> {
    let now = Timestamp::now();
    K::apply(stores, Source(0), Event::Init, now);
    for first in (0..count).step_by(PAGE) {
        let mut page = String::from(r#"{"kind":"List","apiVersion":"v1","metadata":{},"items":["#);
        for number in first..count.min(first + PAGE) {
            let comma = if number == first { "" } else { "," };
            write!(page, "{comma}{}", make(number))?;
        }
        page.push_str("]}");
        let page: ObjectList<K> = serde_json::from_str(&page).context("reading a page")?;
        for object in page.items {
            K::apply(stores, Source(0), Event::InitApply(object), now);
        }
    }
    K::apply(stores, Source(0), Event::InitDone, now);
    Ok(())
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
