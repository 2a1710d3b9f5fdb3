//! Pods: what a kubelet writes about containers in the states that scenarios name.

use std::collections::BTreeMap;
use std::sync::Arc;

use backstay::cluster::facts::{Interner, node_facts};
use backstay::cluster::store::{noted, taints};
use backstay::engine::facts::{NodesFacts, PodFacts};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::objects::{merge, stamp};
use super::script::PodLine;

/// A pod over time: what its status keeps while it stays the same.
#[derive(Clone)]
pub struct Pod {
    pub name: String,
    pub revision: String,
    pub created: Timestamp,
    node: String,
    ready: Option<(bool, Timestamp)>,
    /// When the present run began, and how many came before it.
    run: Option<(u32, Timestamp)>,
    /// When the last run ended, and which it was.
    ended: Option<(u32, Timestamp)>,
    /// When the pod began to wait for a node.
    unscheduled: Option<Timestamp>,
    pub object: Value,
    /// It counts as a replica, and as a ready one.
    pub lives: bool,
    pub is_ready: bool,
}

/// `3 crashed 2`: how many, a word, how many exits.
pub fn parse(line: &PodLine) -> (usize, String, u32) {
    let mut parts = line.are.split_whitespace();
    let count = parts.next().and_then(|n| n.parse().ok());
    let (Some(count), Some(word)) = (count, parts.next()) else { panic!("no pods: {:?}", line.are) };
    let exits = parts.next().map_or(0, |n| n.parse().unwrap_or_else(|_| panic!("no exits: {:?}", line.are)));
    (count, word.to_owned(), exits)
}

impl Pod {
    pub fn new(revision: &str, serial: usize, created: Timestamp) -> Self {
        Self {
            name: format!("web-{revision}-{serial}"),
            revision: revision.to_owned(),
            created,
            node: format!("node-{}", serial % 3 + 1),
            ready: None,
            run: None,
            ended: None,
            unscheduled: None,
            object: Value::Null,
            lives: true,
            is_ready: false,
        }
    }

    /// Writes the pod's status for the state that `line` names. `template` is that of its ReplicaSet.
    pub fn write(&mut self, line: &PodLine, template: &Value, now: Timestamp) {
        let (_, word, exits) = parse(line);
        if let Some(node) = &line.node {
            self.node.clone_from(node);
        }
        let finished = word == "evicted";
        self.lives = !finished && word != "deleting";
        self.is_ready = matches!(&*word, "ready" | "recovered");
        let spec = &template["spec"];
        let focus = line.container.as_deref().unwrap_or("web");
        let own = self.container(&word, exits, line, now);
        let (init, apps) = statuses(spec, focus, &own, self.run.map_or(now, |(_, at)| at));
        let since = match self.ready {
            Some((ready, since)) if ready == self.is_ready => since,
            _ => now,
        };
        self.ready = Some((self.is_ready, since));
        let mut conditions = vec![json!({
            "type": "Ready", "status": if self.is_ready { "True" } else { "False" }, "lastTransitionTime": stamp(since),
            "reason": if self.is_ready { "" } else { "ContainersNotReady" },
        })];
        let has_node = word != "pending" && word != "unheard";
        if word == "pending" {
            let since = *self.unscheduled.get_or_insert(now);
            conditions.push(json!({
                "type": "PodScheduled", "status": "False", "reason": line.reason.as_deref().unwrap_or("Unschedulable"),
                "message": line.message, "lastTransitionTime": stamp(since),
            }));
        }
        if word == "setup" {
            conditions.push(
                json!({"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": stamp(now)}),
            );
        }
        let mut status = json!({"phase": phase(&word), "conditions": conditions});
        if has_node {
            status["startTime"] = stamp(self.created);
            status["containerStatuses"] = json!(apps);
            status["initContainerStatuses"] = json!(init);
        }
        if finished {
            status["reason"] = json!(line.reason.as_deref().unwrap_or("Evicted"));
            status["message"] = json!(line.message);
        }
        self.object = json!({
            "metadata": self.metadata(),
            "spec": {"containers": spec["containers"], "initContainers": spec["initContainers"]},
            "status": status,
        });
        if has_node {
            self.object["spec"]["nodeName"] = json!(self.node);
        }
        if word == "deleting" {
            self.object["metadata"]["deletionTimestamp"] = stamp(now);
        }
        merge(&mut self.object, &line.pod);
    }

    fn metadata(&self) -> Value {
        json!({
            "name": self.name, "namespace": "shop", "uid": format!("uid-{}", self.name),
            "creationTimestamp": stamp(self.created),
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
                "name": format!("web-{}", self.revision), "uid": format!("uid-{}", self.revision),
            }],
        })
    }

    /// The status of the container that the word is about.
    fn container(&mut self, word: &str, exits: u32, line: &PodLine, now: Timestamp) -> Value {
        let running = |pod: &mut Self| {
            let since = match pod.run {
                Some((run, since)) if run == exits => since,
                _ => now,
            };
            pod.run = Some((exits, since));
            json!({"running": {"startedAt": stamp(since)}})
        };
        let waiting = |reason: &str| json!({"waiting": {"reason": line.reason.as_deref().unwrap_or(reason), "message": line.message}});
        match word {
            "ready" | "deleting" | "recovered" => {
                let state = running(self);
                json!({"ready": true, "started": true, "restartCount": exits, "state": state, "lastState": self.last(exits, line, now)})
            }
            // A container that runs and is not ready; after exits, one that runs again.
            "starting" | "unready" | "restarted" | "probing" => {
                let state = running(self);
                json!({
                    "ready": false, "started": word != "probing", "restartCount": exits,
                    "state": state, "lastState": self.last(exits, line, now),
                })
            }
            "crashed" => json!({
                "ready": false, "started": false, "restartCount": exits.saturating_sub(1),
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}},
                "lastState": self.last(exits, line, now),
            }),
            "exited" => json!({
                "ready": false, "started": false, "restartCount": exits.saturating_sub(1),
                "state": self.last(exits, line, now),
            }),
            "waiting" => {
                json!({"ready": false, "started": false, "restartCount": exits, "state": waiting("ContainerCreating")})
            }
            "creating" | "setup" | "pending" | "unheard" => {
                json!({"ready": false, "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}})
            }
            "evicted" => json!({"ready": false, "restartCount": exits, "state": self.last(exits.max(1), line, now)}),
            _ => panic!("no state of a pod: {word}"),
        }
    }

    /// How the last of so many runs ended; it stays the same while no other run ends.
    fn last(&mut self, exits: u32, line: &PodLine, now: Timestamp) -> Value {
        if exits == 0 {
            return json!({});
        }
        let finished = match self.ended {
            Some((run, at)) if run == exits => at,
            _ => now,
        };
        self.ended = Some((exits, finished));
        let started = finished - SignedDuration::from_secs(line.ran.unwrap_or(1));
        let code = line.code.unwrap_or(1);
        let reason = line.reason.as_deref().unwrap_or(if code == 0 { "Completed" } else { "Error" });
        json!({"terminated": {
            "exitCode": code, "reason": reason, "message": line.message,
            "startedAt": stamp(started), "finishedAt": stamp(finished),
        }})
    }
}

fn phase(word: &str) -> &'static str {
    match word {
        "evicted" => "Failed",
        "creating" | "setup" | "pending" | "unheard" => "Pending",
        _ => "Running",
    }
}

/// Statuses of init containers and of app containers. What comes before the named one in start order has started,
/// and what comes after an init container waits for it.
fn statuses(spec: &Value, focus: &str, own: &Value, now: Timestamp) -> (Vec<Value>, Vec<Value>) {
    let list = |key: &str| spec[key].as_array().cloned().unwrap_or_default();
    let (init, apps) = (list("initContainers"), list("containers"));
    let position = init.iter().position(|c| c["name"] == focus);
    let running = json!({"ready": true, "started": true, "state": {"running": {"startedAt": stamp(now)}}});
    let done = json!({"ready": true, "started": false, "state": {"terminated": {
        "exitCode": 0, "reason": "Completed", "startedAt": stamp(now), "finishedAt": stamp(now),
    }}});
    let blocked = json!({"ready": false, "state": {"waiting": {"reason": "PodInitializing"}}});
    let named = |container: &Value, status: &Value| {
        let mut status = status.clone();
        status["name"] = container["name"].clone();
        status
    };
    // A sidecar that has started once lets the rest run, and fails beside it.
    let passed = position.and_then(|at| init.get(at)).is_some_and(|c| c["restartPolicy"] == "Always");
    let init_statuses = init.iter().enumerate().map(|(at, container)| {
        let sidecar = container["restartPolicy"] == "Always";
        let status = match position {
            Some(focus) if at == focus => own,
            Some(focus) if at > focus && !passed => &blocked,
            _ if sidecar => &running,
            _ => &done,
        };
        named(container, status)
    });
    let init_statuses = init_statuses.collect();
    let app_statuses = apps.iter().map(|container| {
        let status = match position {
            Some(_) if !passed => &blocked,
            Some(_) => &running,
            None if container["name"] == focus => own,
            None => &running,
        };
        named(container, status)
    });
    (init_statuses, app_statuses.collect())
}

/// The nodes of the cluster, as the live stores sum them up for a workload with these pods.
pub fn nodes_facts(nodes: &BTreeMap<String, Value>, pods: &[Arc<PodFacts>]) -> NodesFacts {
    let names = &mut Interner::default();
    let read = |node: &Value| node_facts(&serde_json::from_value(node.clone()).unwrap(), names).unwrap();
    let nodes: Vec<_> = nodes.values().map(read).map(Arc::new).collect();
    let count = |n: usize| u32::try_from(n).unwrap();
    NodesFacts {
        total: count(nodes.len()),
        not_ready: count(nodes.iter().filter(|n| !n.ready).count()),
        unschedulable: count(nodes.iter().filter(|n| n.unschedulable).count()),
        largest_cpu: nodes.iter().map(|n| n.allocatable_cpu).max().unwrap_or(0),
        largest_memory: nodes.iter().map(|n| n.allocatable_memory).max().unwrap_or(0),
        taints: taints(&nodes),
        noted: noted(&nodes),
        room: None,
        own: nodes.into_iter().filter(|n| pods.iter().any(|p| p.node.as_ref() == Some(&n.name))).collect(),
    }
}
