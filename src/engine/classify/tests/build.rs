//! A workload `shop/web` with an old revision and a new one whose rollout began at second 0.

use std::sync::Arc;

use jiff::Timestamp;

use crate::engine::classify::classify;
use crate::engine::facts::*;
use crate::engine::finding::Symptom;
use crate::engine::memory::{LedgerEntry, Memory};
use crate::engine::policy::{Guards, LogAccess, Mode, Policy, Rollout};
use crate::engine::words::{Cause, Class, ContainerKind, Sureness};

pub(super) const OLD: &str = "uid-old";
pub(super) const NEW: &str = "uid-new";

/// Seconds since the rollout began.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

pub(super) fn name(text: &str) -> Name {
    Arc::from(text)
}

pub(super) fn snapshot(pods: impl IntoIterator<Item = PodFacts>) -> Snapshot {
    Snapshot {
        workload: workload(),
        revisions: vec![Arc::new(revision(OLD, "59", 1, -86_400)), Arc::new(revision(NEW, "6d", 2, 0))],
        pods: pods.into_iter().map(Arc::new).collect(),
        nodes: NodesFacts { own: vec![Arc::new(node("n1")), Arc::new(node("n2"))], total: 2, ..NodesFacts::default() },
        events: EventsFacts::default(),
        policy: Arc::new(Policy {
            reference: name("IncidentPolicy/web"),
            generation: 1,
            mode: Mode::Enforce,
            rollout: Rollout::default(),
            rules: Vec::new(),
            guards: Guards::default(),
            logs: LogAccess::default(),
            impact: None,
            stands_in_for: None,
        }),
        memory: Memory::default(),
        fleet: FleetFacts::default(),
        surroundings: None,
        logs: Vec::new(),
        data_age_seconds: 0,
    }
}

/// The snapshot of one pod.
pub(super) fn only(pod: PodFacts) -> Snapshot {
    snapshot([pod])
}

fn workload() -> WorkloadFacts {
    WorkloadFacts {
        kind: name("Deployment"),
        namespace: name("shop"),
        name: name("web"),
        uid: name("uid-web"),
        created: at(-90_000),
        deleting: false,
        generation: 2,
        observed_generation: 2,
        paused: false,
        replicas: 2,
        updated_replicas: 1,
        ready_replicas: 2,
        available_replicas: 2,
        total_replicas: 3,
        progress_deadline_seconds: Some(600),
        revision_history_limit: 10,
        max_unavailable: 0,
        max_surge: 1,
        recreate: false,
        revision: Some(2),
        template_digest: 2,
        template_material: 2,
        progressing: None,
        completed: None,
        available: None,
        replica_failure: None,
        gave_up: None,
        gitops: None,
        owned_by: None,
        opted_out: false,
        incident_mark: None,
        action_mark: None,
        paused_for: None,
        resume_asked: None,
    }
}

pub(super) fn revision(uid: &str, hash: &str, number: i64, created: i64) -> RevisionFacts {
    RevisionFacts {
        uid: name(uid),
        name: name(&format!("web-{hash}")),
        hash: name(hash),
        number,
        created: at(created),
        deleting: false,
        desired: 1,
        replicas: 1,
        ready: 0,
        available: 0,
        replica_failure: None,
        template: TemplateFacts { containers: Box::new([template("web")]), ..TemplateFacts::default() },
    }
}

pub(super) fn template(container: &str) -> ContainerTemplate {
    ContainerTemplate {
        name: name(container),
        image: Box::from("127.0.0.1:5000/web:2"),
        ..ContainerTemplate::default()
    }
}

/// Gives the new revision these containers.
pub(super) fn with_template(mut s: Snapshot, containers: Vec<ContainerTemplate>) -> Snapshot {
    let revision = s.revisions.iter_mut().find(|r| &*r.uid == NEW).unwrap();
    Arc::make_mut(revision).template.containers = containers.into();
    s
}

/// Remembers that the old revision was healthy and took so long to become ready.
pub(super) fn remembering_ready_seconds(mut s: Snapshot, seconds: i64) -> Snapshot {
    s.memory.ledger.push(LedgerEntry {
        healthy_since: Some(at(-80_000)),
        ready_seconds: Some(seconds),
        ..LedgerEntry::new(name(OLD), name("59"))
    });
    s
}

/// 5 s after the start and every 10 s, three times, with a second to answer.
pub(super) fn probe(kind: ProbeKind) -> ProbeFacts {
    ProbeFacts {
        kind,
        initial_delay_seconds: 5,
        period_seconds: 10,
        timeout_seconds: 1,
        failure_threshold: 3,
        success_threshold: 1,
    }
}

pub(super) fn node(of: &str) -> NodeFacts {
    NodeFacts {
        name: name(of),
        created: None,
        ready: true,
        ready_since: None,
        unschedulable: false,
        pressure: Vec::new(),
        allocatable_cpu: 4_000,
        allocatable_memory: 8 << 30,
        taints: Box::default(),
    }
}

/// A pod of the new revision on node n1 that is not ready.
pub(super) fn pod(containers: impl IntoIterator<Item = ContainerFacts>) -> PodFacts {
    PodFacts {
        uid: name("uid-web-6d-x"),
        name: name("web-6d-x"),
        revision: name(NEW),
        node: Some(name("n1")),
        created: at(1),
        started: Some(at(2)),
        deleting: false,
        finished: false,
        may_end: false,
        reason: None,
        message: "".into(),
        ready: false,
        ready_since: Some(at(2)),
        ready_reason: None,
        unscheduled: None,
        sandbox_ready: Some(true),
        disruption: None,
        containers: containers.into_iter().collect(),
        history: History { first_seen: Some(at(1)), ..History::default() },
    }
}

/// A pod that has been ready since second 5.
pub(super) fn ready_pod(containers: impl IntoIterator<Item = ContainerFacts>) -> PodFacts {
    let mut pod = PodFacts { ready: true, ready_since: Some(at(5)), ..pod(containers) };
    pod.containers.iter_mut().for_each(|c| c.ready = true);
    pod
}

fn container(state: ContainerState) -> ContainerFacts {
    let runs = matches!(state, ContainerState::Running { .. });
    ContainerFacts {
        name: name("web"),
        kind: ContainerKind::App,
        ready: false,
        started: runs,
        restarts: 0,
        memory_limit: None,
        state,
        last: None,
    }
}

pub(super) fn waiting(reason: &str, message: &str) -> ContainerFacts {
    container(ContainerState::Waiting { reason: name(reason), message: message.into() })
}

pub(super) fn running(since: i64) -> ContainerFacts {
    container(ContainerState::Running { since: at(since) })
}

pub(super) fn terminated(ending: Termination) -> ContainerFacts {
    container(ContainerState::Terminated(Box::new(ending)))
}

/// Waits in a back-off after so many exits in all, the last of which was this one.
pub(super) fn looping(exits: u32, ending: Termination) -> ContainerFacts {
    let message = "back-off 10s restarting failed container=web pod=web-6d-x_shop(uid-web-6d-x)";
    waiting("CrashLoopBackOff", message).after(exits - 1, ending)
}

pub(in crate::engine::classify) fn ended(exit_code: i32, reason: &str) -> Termination {
    Termination {
        exit_code,
        signal: 0,
        reason: name(reason),
        message: "".into(),
        started: Some(at(5)),
        finished: Some(at(8)),
    }
}

pub(super) fn saying(ending: Termination, message: &str) -> Termination {
    Termination { message: message.into(), ..ending }
}

/// Changes of a container, to be read after what it is.
pub(super) trait With {
    fn named(self, of: &str) -> Self;
    fn kind(self, kind: ContainerKind) -> Self;
    /// So many restarts, and how the run before ended.
    fn after(self, restarts: u32, ending: Termination) -> Self;
    fn ready(self) -> Self;
    fn not_started(self) -> Self;
}

impl With for ContainerFacts {
    fn named(self, of: &str) -> Self {
        Self { name: name(of), ..self }
    }

    fn kind(self, kind: ContainerKind) -> Self {
        Self { kind, ..self }
    }

    fn after(self, restarts: u32, ending: Termination) -> Self {
        Self { restarts, last: Some(Box::new(ending)), ..self }
    }

    fn ready(self) -> Self {
        Self { ready: true, ..self }
    }

    fn not_started(self) -> Self {
        Self { started: false, ..self }
    }
}

pub(super) fn condition(status: bool, reason: &str, message: &str, since: i64) -> ConditionFacts {
    ConditionFacts { status, reason: name(reason), message: message.into(), since: at(since) }
}

/// An event about container `web`, or about all of an object, that happened once.
pub(super) fn event(reason: &str, message: &str, at_second: i64) -> EventFacts {
    let container = message.contains("probe").then(|| name("web"));
    let at = at(at_second);
    EventFacts { reason: name(reason), message: message.into(), container, count: 1, first: at, last: at }
}

/// Events were read, and these are about the object with this UID, or the node of this name.
pub(super) fn hearing(mut s: Snapshot, object: &str, events: impl IntoIterator<Item = EventFacts>) -> Snapshot {
    (s.events.read, s.events.of_nodes) = (true, true);
    s.events.put(name(object), events.into_iter().collect());
    s
}

/// The spell that container `web` waits in.
pub(super) fn spell(reason: &str, since: i64, attempts: u32, message: &str) -> Option<Box<WaitingSpell>> {
    let (container, reason, message) = (name("web"), name(reason), message.into());
    Some(Box::new(WaitingSpell { container, reason, since: at(since), attempts, message }))
}

/// Class, cause and sureness of everything seen.
pub(super) fn seen(s: &Snapshot, now: Timestamp) -> Vec<(Class, Cause, Sureness)> {
    classify(s, now).iter().map(|symptom| (symptom.class, symptom.cause, symptom.sureness)).collect()
}

/// The only symptom there is.
pub(super) fn single(s: &Snapshot, now: Timestamp) -> Symptom<'_> {
    let symptoms = classify(s, now);
    assert_eq!(symptoms.len(), 1, "{symptoms:?}");
    symptoms[0]
}
