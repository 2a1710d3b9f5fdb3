//! On a real node, per failure: how long the evidence takes to gather, how long Backstay takes then, when the
//! workload is back at full strength, and for how long bad pods took traffic meanwhile.

use std::time::{Duration, Instant};

use anyhow::Context;
use backstay::api::Incident;
use futures::future::try_join_all;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{ApiResource, Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::audit::{Entry, Log, Mark, OPERATOR};
use crate::board::{Board, Objects};
use crate::cluster::{self, GOOD, MISSING};
use crate::incidents::Boards;
use crate::operator::Operator;
use crate::report::Report;
use crate::{path, say};

const NAME: &str = "web";
const KUBELET: &str = "kubelet";
const LIMIT: Duration = Duration::from_secs(180);
/// A decision that follows a status by more than this was not made because of it but because a time had passed.
const PROMPT: Duration = Duration::from_millis(500);

/// A failure, and what becomes different in the container.
struct Failure {
    name: &'static str,
    change: Value,
}

fn failures() -> [Failure; 5] {
    let env = |name: &str, value: &str| json!([{"name": name, "value": value}]);
    let oom =
        json!([{"name": "APP_ALLOCATE_MIB", "value": "64"}, {"name": "APP_ALLOCATE_AFTER_SECONDS", "value": "1"}]);
    [
        Failure { name: "bad_tag", change: json!({"image": MISSING}) },
        Failure { name: "exit_at_start", change: json!({"env": env("APP_EXIT_AT_START", "3")}) },
        Failure { name: "oom", change: json!({"env": oom, "resources": {"limits": {"memory": "40Mi"}}}) },
        Failure { name: "readiness", change: json!({"env": env("APP_READY_STATUS", "500")}) },
        Failure { name: "flapping", change: json!({"env": env("APP_READY_FLAP_SECONDS", "5")}) },
    ]
}

/// What came of one failure.
#[derive(Debug)]
struct Story {
    name: &'static str,
    /// From the apply until there was enough evidence.
    evidence: Duration,
    /// From then until the rollback was accepted.
    own: Duration,
    /// From the apply until the baseline was back at full strength.
    back: Duration,
    /// At least one pod of the bad revision was a ready endpoint.
    traffic: Duration,
}

/// What all failures share.
struct Node {
    client: Client,
    log: Log,
    boards: Boards,
    slices: Board<EndpointSlice>,
}

pub async fn run() -> anyhow::Result<()> {
    let out = path("BENCH_OUT")?;
    let client = cluster::client(cluster::AGENT).await?;
    let node = Node {
        log: Log::new(path("BENCH_CLUSTER_STATE")?.join("audit.log")),
        boards: Boards::follow(&client),
        slices: Board::follow(Api::all(client.clone()), ""),
        client,
    };
    let failures = failures();
    try_join_all(failures.iter().map(|failure| prepare(&node.client, failure))).await?;
    let operator = Operator::start(&path("BENCH_PROGRAM")?, &out.join("operator-node.log")).await?;
    let targets: Vec<_> = failures.iter().map(|f| (namespace(f.name), NAME.to_owned())).collect();
    node.boards.baselines(&targets).await?;
    say("every workload has a baseline; now they break");
    let mark = node.log.mark()?;
    let stories = try_join_all(failures.iter().map(|failure| happen(&node, failure, mark))).await?;
    operator.stop().await?;
    let mut report = Report::open(&out);
    stories.iter().for_each(|story| story.put(&mut report));
    report.write()
}

fn namespace(failure: &str) -> String {
    format!("wait-{}", failure.replace('_', "-"))
}

async fn prepare(client: &Client, failure: &Failure) -> anyhow::Result<()> {
    let space = namespace(failure.name);
    cluster::create(&Api::<Namespace>::all(client.clone()), &json!({"metadata": {"name": space}})).await?;
    let policy: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "backstay.dev/v1alpha1", "kind": "IncidentPolicy", "metadata": {"name": NAME},
        "spec": {"selector": {"matchLabels": {"app": NAME}}, "rollout": {"stableSeconds": 3}},
    }))?;
    let kind = ApiResource::erase::<backstay::api::IncidentPolicy>(&());
    let policies = Api::<DynamicObject>::namespaced_with(client.clone(), &space, &kind);
    policies.create(&PostParams::default(), &policy).await.context("creating the policy")?;
    let service = json!({
        "metadata": {"name": NAME},
        "spec": {"selector": {"app": NAME}, "ports": [{"port": 80, "targetPort": 8080}]},
    });
    cluster::create(&Api::<Service>::namespaced(client.clone(), &space), &service).await?;
    ship(client, &space, &json!({})).await
}

/// Applies the whole Deployment, as `kubectl apply --server-side` does.
async fn ship(client: &Client, space: &str, change: &Value) -> anyhow::Result<()> {
    let mut container = json!({
        "name": NAME, "image": GOOD, "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"memory": "16Mi"}, "limits": {"memory": "160Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1},
    });
    json_patch::merge(&mut container, change);
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME, "labels": {"app": NAME}},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": NAME}}, "template": {
            "metadata": {"labels": {"app": NAME}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]}}},
    });
    let api: Api<Deployment> = Api::namespaced(client.clone(), space);
    let params = PatchParams::apply(cluster::AGENT);
    api.patch(NAME, &params, &Patch::Apply(deployment)).await.with_context(|| format!("applying in {space}"))?;
    Ok(())
}

async fn happen(node: &Node, failure: &Failure, mark: Mark) -> anyhow::Result<Story> {
    let space = namespace(failure.name);
    let old = newest(node, &space).await?;
    let began = Instant::now();
    ship(&node.client, &space, &failure.change).await?;
    let mut traffic = Traffic::new(space.clone(), old);
    let what = format!("the baseline of {space} at full strength");
    let key = format!("{space}/{NAME}");
    let back = node.boards.workloads.wait(&what, LIMIT, |all| is_back(all.get(&key)?).then_some(()));
    let watched = node.slices.wait("the end", LIMIT * 2, |all| traffic.see(all));
    tokio::select! {
        back = back => back?,
        never = watched => never?,
    }
    let back = began.elapsed();
    say(&format!("{}: back after {:.1} s", failure.name, back.as_secs_f64()));
    let incident = node.boards.incidents.see(|all| all.values().find(|i| of(i, &space)).cloned());
    let failing = incident.context("there is no incident")?.spec.opened.failing.name;
    let entries = node.log.since(mark, &[OPERATOR, KUBELET, cluster::AGENT])?;
    let (evidence, own) = split(&entries, &space, &failing).with_context(|| format!("the audit log of {space}"))?;
    Ok(Story { name: failure.name, evidence, own, back, traffic: traffic.so_far() })
}

fn of(incident: &Incident, space: &str) -> bool {
    incident.metadata.namespace.as_deref() == Some(space)
}

/// The pods of the workload that are ready endpoints, all of them good.
async fn newest(node: &Node, space: &str) -> anyhow::Result<Vec<String>> {
    let two = |all: &Objects<EndpointSlice>| Some(ready(all, space)).filter(|pods| pods.len() == 2);
    node.slices.wait("two ready endpoints", LIMIT, two).await
}

fn ready(all: &Objects<EndpointSlice>, space: &str) -> Vec<String> {
    let slices = all.iter().filter(|(key, _)| key.starts_with(&format!("{space}/"))).map(|(_, slice)| slice);
    let endpoints = slices.flat_map(|slice| &slice.endpoints).flatten();
    let ready = endpoints.filter(|e| e.conditions.as_ref().is_some_and(|c| c.ready == Some(true)));
    ready.filter_map(|endpoint| endpoint.target_ref.as_ref()?.name.clone()).collect()
}

/// For how long pods of another revision than the good one were ready endpoints.
struct Traffic {
    space: String,
    /// Names of the good revision's pods begin so.
    good: Vec<String>,
    since: Option<Instant>,
    total: Duration,
}

impl Traffic {
    fn new(space: String, pods: Vec<String>) -> Self {
        let revision = |pod: &String| pod.rsplit_once('-').map(|(revision, _)| format!("{revision}-"));
        Self { space, good: pods.iter().filter_map(revision).collect(), since: None, total: Duration::ZERO }
    }

    fn so_far(&self) -> Duration {
        self.total + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Looks at the endpoints as they are now; never finds an end.
    fn see(&mut self, all: &Objects<EndpointSlice>) -> Option<()> {
        let good = |pod: &String| self.good.iter().any(|revision| pod.starts_with(revision));
        let bad = ready(all, &self.space).iter().any(|pod| !good(pod));
        match (self.since, bad) {
            (None, true) => self.since = Some(Instant::now()),
            (Some(since), false) => {
                self.total += since.elapsed();
                self.since = None;
            }
            (None, false) | (Some(_), true) => {}
        }
        None
    }
}

/// Rolled back, and every replica of it is there and available.
fn is_back(deployment: &Deployment) -> bool {
    let marked = deployment.metadata.annotations.as_ref().is_some_and(|a| a.contains_key("backstay.dev/incident"));
    let Some(status) = &deployment.status else { return false };
    let wanted = deployment.spec.replicas;
    marked
        && status.observed_generation == deployment.metadata.generation
        && [status.replicas, status.updated_replicas, status.available_replicas].iter().all(|n| *n == wanted)
}

/// The wait for evidence, and our own time after it.
///
/// Evidence is the last status of a pod of the failing revision before the incident was created. Where that is long
/// past, time itself was the evidence, and the creation of the incident is the first that shows it.
fn split(entries: &[Entry], space: &str, failing: &str) -> anyhow::Result<(Duration, Duration)> {
    let here = |e: &&Entry| e.object_ref.namespace == space && e.accepted();
    let patch = |e: &&Entry| e.verb == "patch" && e.what() == "patch deployments";
    let applied = entries.iter().filter(here).filter(patch).find(|e| e.by(cluster::AGENT)).context("no apply")?;
    let rolled = entries.iter().filter(here).filter(patch).find(|e| e.by(OPERATOR)).context("no rollback")?;
    let opened = entries.iter().filter(here).find(|e| e.what() == "create incidents").context("no incident")?;
    let opened = opened.request_received_timestamp;
    let status = entries.iter().filter(here).filter(|e| {
        e.by(KUBELET) && e.what() == "patch pods/status" && e.object_ref.name.starts_with(&format!("{failing}-"))
    });
    // The watch may deliver a status before the request for it is answered.
    let seen = status.map(|e| e.stage_timestamp.min(opened)).filter(|at| *at <= opened).max();
    let evidence = seen.filter(|at| between(*at, opened) <= PROMPT).unwrap_or(opened);
    Ok((between(applied.stage_timestamp, evidence), between(evidence, rolled.stage_timestamp)))
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

impl Story {
    fn put(&self, report: &mut Report) {
        let figures = [self.evidence, self.own, self.back, self.traffic];
        for ((figure, _), value) in FIGURES.iter().zip(figures) {
            report.put(&format!("waits.{}.{figure}", self.name), value.as_secs_f64());
        }
    }
}

/// What is told of every failure, in seconds, and what it is called in the table.
const FIGURES: [(&str, &str); 4] = [
    ("evidence_wait_s", "evidence"),
    ("evidence_to_rollback_s", "own time"),
    ("apply_to_full_strength_s", "back after"),
    ("bad_pods_took_traffic_s", "bad traffic"),
];

/// The waits that were measured, one line per failure.
pub fn table(waits: &Value) -> String {
    let Some(waits) = waits.as_object() else { return String::new() };
    let mut text = format!("\n{:<38}", "failure on a real node (s)");
    FIGURES.iter().for_each(|(_, title)| text += &format!(" {title:>12}"));
    text.push('\n');
    for (failure, figures) in waits {
        text += &format!("{failure:<38}");
        for (figure, _) in FIGURES {
            let value = figures.get(figure).and_then(Value::as_f64);
            text += &value.map_or_else(|| format!(" {:>12}", ""), |value| format!(" {value:>12.3}"));
        }
        text.push('\n');
    }
    text
}
