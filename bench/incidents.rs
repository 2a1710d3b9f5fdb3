//! Incidents one after the other, each beside one turn of the floor, so that both see the same machine.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use backstay::api::{Incident, WorkloadHealth};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};

use crate::audit::{Entry, Log, OPERATOR};
use crate::board::Board;
use crate::{cluster, floor};

/// Bad revisions that are shipped ahead of their incidents. Their pods wait, without evidence, for their turn.
const AHEAD: usize = 20;
/// Until what an incident left to others, such as deleting the bad pod, is done.
const REST: Duration = Duration::from_millis(200);
/// What the operator writes at its own pace, however many incidents there are: the lease, and how many workloads a
/// policy governs.
const WITHOUT_INCIDENTS: [&str; 3] = ["leases", "clusterincidentpolicies", "incidentpolicies"];
const LIMIT: Duration = Duration::from_secs(60);

/// What the harness watches meanwhile.
pub struct Boards {
    pub workloads: Board<Deployment>,
    pub bad_pods: Board<Pod>,
    pub health: Board<WorkloadHealth>,
    pub incidents: Board<Incident>,
}

impl Boards {
    pub fn follow(client: &Client) -> Self {
        Self {
            workloads: Board::follow(Api::all(client.clone()), ""),
            bad_pods: Board::follow(Api::all(client.clone()), "bench-bad=yes"),
            health: Board::follow(Api::all(client.clone()), ""),
            incidents: Board::follow(Api::all(client.clone()), ""),
        }
    }

    /// Waits until the operator has recorded a baseline for all of `targets`.
    pub async fn baselines(&self, targets: &[(String, String)]) -> anyhow::Result<()> {
        let proven = |health: &WorkloadHealth| health.status.as_ref().is_some_and(|s| s.baseline.is_some());
        self.health
            .wait("a baseline for every Deployment", LIMIT * 3, |all| {
                let has = |(space, name): &(String, String)| all.get(&format!("{space}/{name}")).is_some_and(proven);
                targets.iter().all(has).then_some(())
            })
            .await
    }
}

/// Durations in milliseconds.
#[derive(Debug, Default)]
pub struct Times {
    pub incidents: Vec<f64>,
    pub floor: Vec<f64>,
    /// Writes of the operator from the first evidence until all incidents were closed, by what was written; without
    /// those for its lease and for the status of policies.
    pub writes: BTreeMap<String, usize>,
}

/// Lets one incident happen to each of `targets`, and measures.
pub async fn run(client: &Client, log: &Log, boards: &Boards, targets: &[(String, String)]) -> anyhow::Result<Times> {
    let mark = log.mark()?;
    for (round, targets) in targets.chunks(AHEAD).enumerate() {
        cluster::ship_bad(client, targets).await?;
        let pods = waiting_pods(boards, targets).await?;
        tokio::time::sleep(REST * 5).await;
        for (number, ((space, name), pod)) in targets.iter().zip(&pods).enumerate() {
            signal_floor(client, &format!(" ({round}/{number})")).await?;
            cluster::refuse_image(client, space, pod, "").await?;
            let key = format!("{space}/{name}");
            let acted = |d: &Deployment| d.metadata.annotations.as_ref()?.get("backstay.dev/incident").map(|_| ());
            let what = format!("the rollback of {key}");
            boards.workloads.wait(&what, LIMIT, |all| acted(all.get(&key)?)).await?;
            tokio::time::sleep(REST).await;
        }
        crate::say(&format!("{} incidents", round * AHEAD + targets.len()));
    }
    closed(boards, targets).await?;
    // The last Event follows the last status.
    tokio::time::sleep(REST * 5).await;
    let entries = log.since(mark, &[OPERATOR, floor::AGENT, cluster::AGENT])?;
    Ok(Times { incidents: reactions(&entries, targets)?, floor: floors(&entries), writes: writes(&entries) })
}

/// The one new pod of each target, once a node has it and the simulated kubelet has left it alone.
async fn waiting_pods(boards: &Boards, targets: &[(String, String)]) -> anyhow::Result<Vec<String>> {
    let creating = |pod: &Pod| {
        let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
        status.state.as_ref()?.waiting.as_ref()?.reason.as_deref().filter(|reason| *reason == "ContainerCreating")?;
        pod.metadata.name.clone()
    };
    boards
        .bad_pods
        .wait("the pods of the bad revisions", LIMIT, |all| {
            let of = |(space, name): &(String, String)| {
                let prefix = format!("{space}/{name}-");
                all.iter().find_map(|(key, pod)| key.starts_with(&prefix).then(|| creating(pod))?)
            };
            targets.iter().map(of).collect()
        })
        .await
}

async fn signal_floor(client: &Client, note: &str) -> anyhow::Result<()> {
    cluster::refuse_image(client, floor::NAMESPACE, floor::PROBE, note).await?;
    tokio::time::sleep(REST).await;
    Ok(())
}

async fn closed(boards: &Boards, targets: &[(String, String)]) -> anyhow::Result<()> {
    let over = |incident: &&Incident| incident.status.as_ref().is_some_and(|s| s.closed_at.is_some());
    boards
        .incidents
        .wait("all incidents to be closed", LIMIT * 2, |all| {
            let ended = all.values().filter(over).map(|i| (&i.metadata.namespace, &i.spec.workload.name));
            let ended: std::collections::HashSet<_> = ended.collect();
            targets.iter().all(|(space, name)| ended.contains(&(&Some(space.clone()), name))).then_some(())
        })
        .await
}

/// From the answer to the status that decides until the answer to the rollback, both as the API server saw them.
fn reactions(entries: &[Entry], targets: &[(String, String)]) -> anyhow::Result<Vec<f64>> {
    let times = targets.iter().map(|(space, name)| {
        let pod = format!("{name}-");
        let seen = entries.iter().find(|e| is_status(e, space) && e.object_ref.name.starts_with(&pod));
        let seen = seen.with_context(|| format!("no status of {space}/{name} in the audit log"))?;
        let rolled = entries
            .iter()
            .find(|e| e.by(OPERATOR) && is_patch(e) && e.object_ref.namespace == *space && e.object_ref.name == *name);
        let rolled = rolled.with_context(|| format!("no rollback of {space}/{name} in the audit log"))?;
        Ok(between(seen, rolled))
    });
    let times: Vec<f64> = times.collect::<anyhow::Result<_>>()?;
    ensure!(times.iter().all(|ms| *ms > 0.0), "a rollback came before its evidence");
    Ok(times)
}

fn floors(entries: &[Entry]) -> Vec<f64> {
    let mut signal = None;
    let mut times = Vec::new();
    for entry in entries {
        if is_status(entry, floor::NAMESPACE) {
            signal = Some(entry);
        } else if entry.by(floor::AGENT)
            && is_patch(entry)
            && let Some(signal) = signal.take()
        {
            times.push(between(signal, entry));
        }
    }
    times
}

fn writes(entries: &[Entry]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let first = entries.iter().find(|e| is_status(e, "bench")).map_or(Timestamp::MIN, |e| e.request_received_timestamp);
    let of_incidents = |e: &&Entry| !WITHOUT_INCIDENTS.contains(&&*e.object_ref.resource);
    let ours = entries.iter().filter(|e| e.by(OPERATOR) && e.writes()).filter(of_incidents);
    for entry in ours.filter(|e| e.request_received_timestamp >= first) {
        *counts.entry(entry.what()).or_default() += 1;
    }
    counts
}

/// A status that the harness wrote, in a namespace whose name begins so.
fn is_status(entry: &Entry, space: &str) -> bool {
    entry.by(cluster::AGENT)
        && entry.accepted()
        && entry.object_ref.resource == "pods"
        && entry.object_ref.subresource == "status"
        && entry.object_ref.namespace.starts_with(space)
}

fn is_patch(entry: &Entry) -> bool {
    let object = &entry.object_ref;
    entry.accepted() && entry.verb == "patch" && object.resource == "deployments" && object.subresource.is_empty()
}

fn between(from: &Entry, to: &Entry) -> f64 {
    to.stage_timestamp.duration_since(from.stage_timestamp).as_secs_f64() * 1000.0
}
