//! The cluster of a scenario: objects, what its controllers would do with them, and what Backstay remembers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use backstay::api::WorkloadHealthStatus;
use backstay::api::policy::Terms;
use backstay::cluster::facts::{Interner, pod_facts, revision_facts, workload_facts};
use backstay::cluster::hints::Hints;
use backstay::engine::builtin;
use backstay::engine::decision::Decision;
use backstay::engine::facts::{Name, PodFacts, Snapshot};
use backstay::engine::memory::{ActionRecord, CurrentRevision, LedgerEntry, Memory};
use backstay::engine::observe::observe;
use backstay::engine::policy::Policy;
use jiff::{SignedDuration, Timestamp};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::around::Around;
use super::events;
use super::fleet::Fleet;
use super::logs::Logs;
use super::objects::{self, merge, set_condition};
use super::pods::{self, Pod, nodes_facts};
use super::report::{self, Report};
use super::script::{PodLine, Script, Step, seconds};

pub struct World {
    pub now: Timestamp,
    pub deployment: Value,
    /// ReplicaSets by revision.
    pub sets: BTreeMap<String, Value>,
    pub memory: Memory,
    templates: BTreeMap<String, Value>,
    pods: Vec<Pod>,
    serials: usize,
    nodes: BTreeMap<String, Value>,
    hints: Hints,
    pub seen: BTreeMap<Name, Arc<PodFacts>>,
    /// What the WorkloadHealth says, and since when it should say something else.
    pub health: Option<WorkloadHealthStatus>,
    pub differs: Option<Timestamp>,
    policy: Arc<Policy>,
    fleet: Fleet,
    logs: Logs,
    data_age: i64,
    around: Around,
}

/// When every scenario begins.
pub fn start() -> Timestamp {
    "2026-03-02T03:00:00Z".parse().unwrap()
}

/// How long before it the first revision was shipped.
const RUNS_FOR: &str = "24h";

pub fn policy(terms: &Terms) -> Policy {
    Policy {
        reference: Name::from("IncidentPolicy/web"),
        mode: terms.mode,
        rollout: terms.rollout.clone(),
        rules: terms.rules.iter().cloned().chain(builtin::rules()).collect(),
        guards: terms.guards.clone(),
        logs: terms.logs,
        impact: terms.impact.clone(),
        ..builtin::policy()
    }
}

impl World {
    pub fn new(script: &Script) -> Self {
        let now = start();
        let long_ago = before(now, RUNS_FOR);
        let templates: BTreeMap<_, _> =
            script.revisions.iter().map(|(name, r)| (name.clone(), objects::template(r))).collect();
        let first = templates.get(&script.runs).or_else(|| templates.values().next()).unwrap();
        let mut deployment = objects::deployment(long_ago, script.replicas, first);
        merge(&mut deployment, &script.deployment);
        let nodes = (1..=3).map(|n| format!("node-{n}")).map(|n| (n.clone(), objects::node(&n, long_ago))).collect();
        let mut world = Self {
            now,
            deployment,
            sets: BTreeMap::new(),
            memory: Memory::default(),
            templates,
            pods: Vec::new(),
            serials: 0,
            nodes,
            hints: events::none(now),
            seen: BTreeMap::new(),
            health: None,
            differs: None,
            policy: Arc::new(policy(&script.policy)),
            fleet: Fleet::new(now),
            logs: Logs::default(),
            data_age: 0,
            around: Around::default(),
        };
        world.furnish(script);
        if !script.memory.forgetful {
            // Whoever watches has seen the pods before.
            world.snapshot();
        }
        world
    }

    /// What was there before the first step.
    fn furnish(&mut self, script: &Script) {
        let start = self.now;
        let mut aged: Vec<_> =
            script.revisions.iter().filter_map(|(n, r)| Some((seconds(r.age.as_ref()?), n))).collect();
        aged.sort_by(|a, b| b.cmp(a));
        for (number, (age, name)) in (1..).zip(aged) {
            let set = objects::replica_set(name, start - SignedDuration::from_secs(age), number, &self.templates[name]);
            self.sets.insert(name.clone(), set);
        }
        if !script.runs.is_empty() {
            self.now = before(start, RUNS_FOR);
            self.control();
            let ready = vec![PodLine { are: format!("{} ready", script.replicas), ..PodLine::default() }];
            self.set_pods(&script.runs, if script.replicas > 0 { &ready } else { &[] });
            self.status(&Step::default());
            if !script.memory.forgetful {
                self.memory.current = Some(CurrentRevision { hash: Name::from(&*script.runs), since: self.now });
            }
            self.now = start;
        }
        for (name, revision) in &script.revisions {
            if revision.healthy.is_none() && revision.failed.is_none() {
                continue;
            }
            let mut entry = LedgerEntry::new(Name::from(format!("uid-{name}")), Name::from(&**name));
            entry.healthy_since = revision.healthy.as_ref().map(|ago| before(start, ago));
            entry.failed_at = revision.failed.as_ref().map(|ago| before(start, ago));
            self.memory.ledger.push(entry);
        }
        for (name, ago) in &script.memory.pruned {
            let entry = LedgerEntry::new(Name::from(format!("uid-{name}-before")), Name::from(&**name));
            self.memory.ledger.push(LedgerEntry { failed_at: Some(before(start, ago)), ..entry });
        }
        let Memory { ledger, current, .. } = self.memory.clone();
        self.health = (!ledger.is_empty()).then(|| WorkloadHealthStatus { ledger, current, ..Default::default() });
        self.memory.actions = (script.memory.actions.iter())
            .map(|line| ActionRecord {
                at: before(start, &line.ago),
                kind: line.kind,
                from: Name::from(&*line.from),
                to: Name::from(&*line.to),
                incident: Name::from(format!("web-{}-1", line.from)),
            })
            .collect();
    }

    /// Plays every step, and says what was decided. What was not expected goes to `surprises`.
    pub fn play(mut self, script: &Script, path: &Path, surprises: &mut Vec<String>) -> Report {
        let mut report = Report::default();
        let mut seen = None;
        for (at, step) in script.steps.iter().enumerate() {
            let context = format!("{}, step {}", path.display(), at + 1);
            self.happen(step);
            if step.down {
                continue;
            }
            let mut snapshot = self.snapshot();
            if let Some(before) = seen.filter(|_| step.stale) {
                snapshot.workload = before;
            }
            seen = Some(snapshot.workload.clone());
            let decision = self.fleet.judge(&mut snapshot, self.now);
            report::holds_for_every_decision(&snapshot, &decision, self.now, &context);
            let said = report::summary(&decision);
            if let Some(expected) = step.expect.as_ref().filter(|e| **e != said) {
                surprises.push(format!("{context}: not {expected} but {said}: {}", decision.why));
            }
            if script.tells {
                report.tell(&snapshot, &decision, self.now);
            }
            self.logs.listen(&snapshot, &decision.findings, self.now);
            let applied = self.follow(&snapshot, &decision, step);
            report.add(self.now, said, decision, applied);
        }
        assert!(script.steps.last().is_some_and(|s| s.expect.is_some()), "{}: expects nothing", path.display());
        report
    }

    /// Lets time pass and makes what the step says true.
    pub fn happen(&mut self, step: &Step) {
        if let Some(after) = &step.after {
            self.now += SignedDuration::from_secs(seconds(after));
        }
        if let Some(mode) = step.mode {
            self.policy = Arc::new(Policy { mode, ..(*self.policy).clone() });
        }
        if let Some(revision) = &step.ship {
            self.ship(revision);
        }
        self.say(step);
        if !step.unobserved {
            self.control();
        }
        for (revision, message) in &step.refused {
            self.refuse(revision, message);
        }
        for (revision, lines) in &step.pods {
            self.set_pods(revision, lines);
        }
        for (name, patch) in &step.nodes {
            merge(self.nodes.get_mut(name).unwrap(), patch);
        }
        for event in step.events.iter().flat_map(|line| events::of(line, &self.pods, self.now)) {
            self.hints.take(Event::Apply(event), self.now);
        }
        self.status(step);
        merge(&mut self.deployment, &step.deployment);
        if step.restarted {
            self.restart();
        }
        if let Some(fleet) = &step.fleet {
            self.fleet.others(fleet, self.now);
        }
        self.logs.say(&step.logs);
        self.data_age = step.data_age;
        self.around.happen(step, self.now);
    }

    /// Puts a template into the Deployment, as `kubectl apply` would.
    pub fn ship(&mut self, revision: &str) {
        let template = self.templates.get(revision).unwrap_or_else(|| panic!("no revision {revision}")).clone();
        if self.deployment["spec"]["template"] != template {
            self.deployment["spec"]["template"] = template;
            self.raise_generation();
        }
    }

    pub fn raise_generation(&mut self) {
        let generation = self.deployment["metadata"]["generation"].as_i64().unwrap();
        self.deployment["metadata"]["generation"] = json!(generation + 1);
    }

    /// What the Deployment controller does: it takes note of the generation, and unless the Deployment is paused it
    /// makes or takes up the template's ReplicaSet, which becomes the newest.
    fn control(&mut self) {
        self.deployment["status"]["observedGeneration"] = self.deployment["metadata"]["generation"].clone();
        if self.deployment["spec"]["paused"] == true {
            return;
        }
        let wanted = &self.deployment["spec"]["template"];
        let known = self.templates.iter().find(|(_, t)| *t == wanted);
        let name = known.unwrap_or_else(|| panic!("no template: {wanted}")).0.clone();
        let numbers = self.sets.values().map(number);
        let highest = numbers.max().unwrap_or(0);
        let set = self.sets.entry(name.clone());
        let set = set.or_insert_with(|| objects::replica_set(&name, self.now, highest + 1, &self.templates[&name]));
        if number(set) < highest {
            set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!((highest + 1).to_string());
        }
        let number = number(set);
        self.deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!(number.to_string());
    }

    fn refuse(&mut self, revision: &str, message: &str) {
        let status = &mut self.sets.get_mut(revision).unwrap()["status"];
        if message.is_empty() {
            objects::drop_condition(status, "ReplicaFailure");
        } else {
            set_condition(status, "ReplicaFailure", (true, "FailedCreate", message), self.now);
        }
    }

    fn set_pods(&mut self, revision: &str, lines: &[PodLine]) {
        let template = self.templates[revision].clone();
        let mut before: Vec<Pod> = Vec::new();
        self.pods.retain(|p| {
            let theirs = p.revision == revision;
            before.extend(theirs.then(|| p.clone()));
            !theirs
        });
        let mut before = before.into_iter();
        for line in lines {
            for _ in 0..pods::parse(line).0 {
                let known = if line.fresh { before.next().and(None) } else { before.next() };
                let mut pod = known.unwrap_or_else(|| {
                    self.serials += 1;
                    Pod::new(revision, self.serials, self.now)
                });
                pod.write(line, &template, self.now);
                self.pods.push(pod);
            }
        }
    }

    /// Computes the status of ReplicaSets and Deployment from the pods.
    fn status(&mut self, step: &Step) {
        let now = self.now;
        let count = |name: &str, of: fn(&Pod) -> bool| self.pods.iter().filter(|p| p.revision == name && of(p)).count();
        for (name, set) in &mut self.sets {
            let (live, ready) = (count(name, |p| p.lives), count(name, |p| p.lives && p.is_ready));
            set["spec"]["replicas"] = json!(step.desired.get(name).map_or(live as i32, |d| *d));
            let status = &mut set["status"];
            status["replicas"] = json!(live);
            status["readyReplicas"] = json!(ready);
            status["availableReplicas"] = json!(ready);
        }
        let newest =
            self.sets.iter().max_by_key(|(_, set)| number(set)).map(|(name, _)| name.clone()).unwrap_or_default();
        let all = |of: fn(&Pod) -> bool| self.pods.iter().filter(|p| p.lives && of(p)).count();
        let (total, ready, updated) = (all(|_| true), all(|p| p.is_ready), count(&newest, |p| p.lives));
        let replicas = self.deployment["spec"]["replicas"].as_u64().unwrap_or(1) as usize;
        let paused = self.deployment["spec"]["paused"] == true;
        let status = &mut self.deployment["status"];
        status["replicas"] = json!(total);
        status["updatedReplicas"] = json!(updated);
        status["readyReplicas"] = json!(ready);
        status["availableReplicas"] = json!(ready);
        let complete = updated == replicas && total == replicas && ready == replicas;
        // Once complete, a rollout stays so until there is another.
        let shown = status["progress"].take();
        let was_complete = shown["of"] == json!(newest) && shown["complete"] == true;
        let reason = match (paused, complete || was_complete) {
            (true, _) => "DeploymentPaused",
            (false, true) => "NewReplicaSetAvailable",
            (false, false) => "ReplicaSetUpdated",
        };
        status["progress"] = json!({"of": newest, "complete": reason == "NewReplicaSetAvailable"});
        set_condition(status, "Progressing", (true, reason, ""), now);
    }

    /// The snapshot, through the same types as the live watch.
    pub fn snapshot(&mut self) -> Snapshot {
        let names = &mut Interner::default();
        let read = |value: &Value| serde_json::from_value(value.clone());
        let pods: Vec<Arc<PodFacts>> = (self.pods.iter())
            .map(|pod| {
                let facts = pod_facts(&serde_json::from_value(pod.object.clone()).unwrap(), names).unwrap();
                let known = self.seen.get(&facts.uid).cloned();
                Arc::new(observe(known.as_deref(), facts, self.now))
            })
            .collect();
        self.seen = pods.iter().map(|p| (p.uid.clone(), p.clone())).collect();
        let nodes = nodes_facts(&self.nodes, &pods);
        let revisions = (self.sets.values())
            .map(|set| Arc::new(revision_facts(&serde_json::from_value(set.clone()).unwrap(), names).unwrap()))
            .collect();
        let family = (workload_facts(&read(&self.deployment).unwrap(), names).unwrap(), revisions, pods, nodes);
        let events = self.hints.of(&family, self.now);
        let (workload, revisions, pods, nodes) = family;
        let s = Snapshot {
            workload,
            revisions,
            pods,
            nodes,
            events,
            policy: self.policy.clone(),
            memory: self.memory.clone(),
            fleet: self.fleet.facts(self.now),
            surroundings: None,
            logs: self.logs.read(),
            data_age_seconds: self.data_age,
        };
        let surroundings = self.around.of(self, &s).map(Arc::new);
        Snapshot { surroundings, ..s }
    }

    /// Remembers the decision, and carries it out if the step says so. Answers what became of the action.
    pub fn follow(&mut self, snapshot: &Snapshot, decision: &Decision, step: &Step) -> Option<&'static str> {
        self.remember(decision);
        if let Some(revision) = &step.meanwhile {
            self.ship(revision);
        }
        let memory = self.memory.clone();
        let applied = step.apply.then(|| self.apply(snapshot, decision));
        if step.forget {
            self.memory = memory;
        } else if applied != Some("Overtaken") {
            self.see_template(decision);
            self.close(decision);
        }
        self.write_health(snapshot, decision);
        applied
    }
}

fn before(at: Timestamp, ago: &str) -> Timestamp {
    at - SignedDuration::from_secs(seconds(ago))
}

fn number(set: &Value) -> i64 {
    set["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str().unwrap().parse().unwrap()
}
