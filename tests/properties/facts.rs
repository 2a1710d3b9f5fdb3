//! Snapshots: a bad rollout with anything about it changed, and plain nonsense.

use std::sync::Arc;

use backstay::api::policy::Terms;
use backstay::engine::decision::Progress;
use backstay::engine::facts::{
    ConditionFacts, ContainerFacts, ContainerState, ContainerTemplate, EventsFacts, FleetFacts, History, Name,
    NodeFacts, NodesFacts, PodFacts, RevisionFacts, Snapshot, TemplateFacts, Termination, WaitingSpell, WorkloadFacts,
};
use backstay::engine::memory::{ActionRecord, CurrentRevision, Intent, LedgerEntry, Memory, OpenIncident, RevisionRef};
use backstay::engine::message::Message;
use backstay::engine::policy::{ApprovalNeed, Mode, OnSuspicion, UnprovenBaseline};
pub use backstay::engine::tried::changes_template;
use backstay::engine::words::{ActionKind, Aspect, ContainerKind, GitOps};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::world;

/// Puts a list into another order.
pub fn shuffle<T>(list: &mut [T], mut seed: u64) {
    for at in (1..list.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        list.swap(at, (seed >> 33) as usize % (at + 1));
    }
}

fn at(seconds: i64) -> Timestamp {
    world::start().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn name(text: &str) -> Name {
    Name::from(text)
}

fn reference(n: usize) -> RevisionRef {
    RevisionRef { name: name(&format!("web-v{n}")), uid: name(&format!("uid-{n}")), hash: name(&format!("v{n}")) }
}

pub fn revision(n: usize) -> RevisionFacts {
    let RevisionRef { name: own, uid, hash } = reference(n);
    RevisionFacts {
        uid,
        name: own,
        hash,
        number: n as i64,
        created: at(-100_000 + 40_000 * n as i64).min(at(0)),
        deleting: false,
        desired: 2,
        replicas: 2,
        ready: 2,
        available: 2,
        replica_failure: None,
        template: TemplateFacts {
            digest: n as u64,
            material: n as u64,
            containers: Box::new([ContainerTemplate {
                name: name("web"),
                image: format!("127.0.0.1:5000/web:{n}").into(),
                aspects: Box::new([(Aspect::Image, n as u64)]),
                ..ContainerTemplate::default()
            }]),
            ..TemplateFacts::default()
        },
    }
}

fn ended(seconds: i64) -> Box<Termination> {
    Box::new(Termination {
        exit_code: 1,
        signal: 0,
        reason: name("Error"),
        message: "".into(),
        started: Some(at(seconds - 1)),
        finished: Some(at(seconds)),
    })
}

pub fn pod(n: usize, revision: usize, fails: bool) -> PodFacts {
    let state = match fails {
        true => ContainerState::Waiting { reason: name("CrashLoopBackOff"), message: "back-off".into() },
        false => ContainerState::Running { since: at(-3000) },
    };
    let created = if fails { at(1) } else { at(-3000) };
    PodFacts {
        uid: name(&format!("uid-pod-{n}")),
        name: name(&format!("web-{n}")),
        revision: name(&format!("uid-{revision}")),
        node: Some(name(&format!("node-{}", n % 3))),
        created,
        started: Some(created),
        deleting: false,
        finished: false,
        may_end: false,
        reason: None,
        message: "".into(),
        ready: !fails,
        ready_since: Some(created),
        ready_reason: None,
        unscheduled: None,
        sandbox_ready: None,
        disruption: None,
        containers: Box::new([ContainerFacts {
            name: name("web"),
            kind: ContainerKind::App,
            ready: !fails,
            started: !fails,
            restarts: u32::from(fails),
            memory_limit: None,
            state,
            last: fails.then(|| ended(5)),
        }]),
        history: History { first_seen: Some(created), ..History::default() },
    }
}

/// Revision 1 is healthy and runs two pods; of revision 3, the newest, two crash. Revision 2 is bad and gone.
pub fn bad_rollout() -> Snapshot {
    let mut ledger = vec![LedgerEntry::new(name("uid-1"), name("v1")), LedgerEntry::new(name("uid-2"), name("v2"))];
    ledger[0].healthy_since = Some(at(-50_000));
    ledger[1].failed_at = Some(at(-20_000));
    Snapshot {
        workload: WorkloadFacts {
            kind: "Deployment".into(),
            namespace: name("shop"),
            name: name("web"),
            uid: name("uid-web"),
            created: at(-100_000),
            deleting: false,
            generation: 7,
            observed_generation: 7,
            paused: false,
            replicas: 4,
            updated_replicas: 2,
            ready_replicas: 2,
            available_replicas: 2,
            total_replicas: 4,
            progress_deadline_seconds: Some(600),
            revision_history_limit: 10,
            max_unavailable: 1,
            max_surge: 1,
            recreate: false,
            revision: Some(3),
            template_digest: 3,
            template_material: 3,
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
        },
        revisions: (1..=3).map(|n| Arc::new(revision(n))).collect(),
        pods: (0..4).map(|n| Arc::new(if n < 2 { pod(n, 1, false) } else { pod(n, 3, true) })).collect(),
        nodes: NodesFacts { own: (0..3).map(|n| Arc::new(node(n))).collect(), total: 3, ..NodesFacts::default() },
        events: EventsFacts::default(),
        policy: Arc::new(world::policy(&Terms::default())),
        memory: Memory {
            current: Some(CurrentRevision { hash: name("v3"), since: at(0) }),
            ledger,
            ..Memory::default()
        },
        fleet: FleetFacts { watched: 10, ..FleetFacts::default() },
        surroundings: None,
        logs: Vec::new(),
        data_age_seconds: 1,
    }
}

fn node(n: usize) -> NodeFacts {
    NodeFacts {
        name: name(&format!("node-{n}")),
        created: Some(at(-100_000)),
        ready: true,
        ready_since: Some(at(-100_000)),
        unschedulable: false,
        pressure: Vec::new(),
        allocatable_cpu: 4000,
        allocatable_memory: 8 << 30,
        taints: Box::default(),
    }
}

fn condition(message: &str) -> ConditionFacts {
    ConditionFacts { status: true, reason: name("FailedCreate"), message: message.into(), since: at(2) }
}

/// One change to a snapshot; `n` says which or how much.
fn disturb(s: &mut Snapshot, what: u8, n: i64) {
    let small = n.rem_euclid(4) as usize;
    let odd = n % 2 == 0;
    let incident = name("web-v3-b02de416-1");
    let policy = Arc::make_mut(&mut s.policy);
    let w = &mut s.workload;
    let revision = s.revisions.get_mut(small % 3).map(Arc::make_mut);
    let pod = s.pods.get_mut(small).map(Arc::make_mut);
    match what {
        0 => w.deleting = odd,
        1 => w.paused = true,
        2 => (w.paused, w.paused_for) = (true, Some(incident)),
        3 => w.replicas = n as i32,
        4 => w.observed_generation = n,
        5 => w.opted_out = odd,
        6 => w.owned_by = odd.then(|| name("Canary/web")),
        7 => s.data_age_seconds = n.abs() % 120,
        8 => w.completed = Some(at(n % 2000)),
        9 => s.fleet.storm = odd.then(|| name("storm")),
        10 => w.gitops = Some(GitOps::ArgoCd),
        11 => w.template_digest = small as u64,
        12 => w.revision = Some(small as i64),
        13 => s.memory.ledger.retain(|e| e.failed_at.is_some() == odd),
        14 => s.memory.ledger.iter_mut().for_each(|e| e.failed_at = Some(at(n % 100_000))),
        15 => s.memory.ledger.iter_mut().for_each(|e| e.healthy_since = Some(at(n % 100_000))),
        16 => s.memory.current = odd.then(|| CurrentRevision { hash: name(&format!("v{small}")), since: at(n % 1000) }),
        17 => s.memory.actions.push(action(n, small)),
        18 => s.memory.open.push(open(n, small)),
        19 => (w.incident_mark, w.action_mark, w.generation) = (Some(incident), Some(kind(n)), n % 20),
        20 => w.resume_asked = Some(incident),
        21 => policy.mode = if odd { Mode::Observe } else { Mode::Enforce },
        22 => policy.guards.approval = if odd { ApprovalNeed::Always } else { ApprovalNeed::ForRollBack },
        23 => policy.guards.unproven_baseline = UnprovenBaseline::RollBack,
        24 => policy.rollout.on_suspicion = OnSuspicion::Pause,
        25 => revision.into_iter().for_each(|r| r.deleting = true),
        26 => revision.into_iter().for_each(|r| r.template.material = small as u64),
        27 => revision.into_iter().for_each(|r| r.number = n % 5),
        28 => revision.into_iter().for_each(|r| {
            (r.replicas, r.replica_failure) = (0, Some(condition("exceeded quota: team")));
        }),
        29 => pod.into_iter().for_each(|p| p.deleting = true),
        30 => pod.into_iter().for_each(|p| p.ready = odd),
        31 => pod.into_iter().for_each(|p| p.containers[0].restarts = (n.unsigned_abs() % 5) as u32),
        32 => pod.into_iter().for_each(|p| p.revision = name(&format!("uid-{small}"))),
        33 => pod.into_iter().for_each(|p| p.history.losses = (0..5).map(|i| at(n % 300 + i * 9)).collect()),
        34 => pod
            .into_iter()
            .for_each(|p| (p.node, p.unscheduled) = (None, Some(condition("0/3 nodes: 3 Insufficient cpu.")))),
        35 => pod.into_iter().for_each(|p| wait(p, "ErrImagePull", "web:3: not found", n)),
        36 => pod.into_iter().for_each(|p| wait(p, "CreateContainerConfigError", "configmap \"a\" not found", n)),
        37 => s.nodes.own.iter_mut().take(small).for_each(|n| Arc::make_mut(n).ready = false),
        38 => s.fleet.neighbours = (0..small).map(|i| at(n % 400 - i as i64)).collect(),
        39 => s.pods.truncate(small),
        40 => s.revisions.truncate(small),
        41 => s.memory.actions.extend((0..4).map(|i| action(n + i, i as usize))),
        42..=44 => disturb_runs(s, what, n),
        _ => w.recreate = odd,
    }
}

/// Other runs of a pod, or other changes that may have brought them about.
fn disturb_runs(s: &mut Snapshot, what: u8, n: i64) {
    let pod = s.pods.get_mut(n.rem_euclid(4) as usize).map(Arc::make_mut);
    match what {
        42 => pod.into_iter().filter_map(|p| p.containers[0].last.as_mut()).for_each(|last| {
            last.exit_code = [0, 126, 127, 128, 137, 255][n.rem_euclid(6) as usize];
        }),
        43 => pod.into_iter().for_each(|p| runs(p, n)),
        _ => s.revisions.iter_mut().map(Arc::make_mut).for_each(|r| {
            let aspect = [Aspect::Environment, Aspect::ServiceAccount, Aspect::Lifecycle, Aspect::Command]
                [n.rem_euclid(4) as usize];
            r.template.containers[0].aspects = Box::new([(aspect, r.number as u64)]);
        }),
    }
}

/// It runs and is not ready, or its init container does not end, for a short or a long time.
fn runs(pod: &mut PodFacts, n: i64) {
    let container = &mut pod.containers[0];
    container.state = ContainerState::Running { since: at(n % 2000 - 1000) };
    (container.last, container.restarts) = (None, 0);
    if n % 2 == 0 {
        container.kind = ContainerKind::Init;
    }
}

fn wait(pod: &mut PodFacts, reason: &str, message: &str, n: i64) {
    let (reason, message): (Name, Message) = (name(reason), message.into());
    let attempts = (n.unsigned_abs() % 4) as u32;
    pod.history.waiting = Some(Box::new(WaitingSpell {
        container: name("web"),
        reason: reason.clone(),
        since: at(3),
        attempts,
        message: message.clone(),
    }));
    pod.containers[0].state = ContainerState::Waiting { reason, message };
    pod.containers[0].last = None;
}

fn kind(n: i64) -> ActionKind {
    [ActionKind::RollBack, ActionKind::Freeze, ActionKind::Pause, ActionKind::Resume][n.rem_euclid(4) as usize]
}

fn action(n: i64, small: usize) -> ActionRecord {
    ActionRecord {
        at: at(n % 5000),
        kind: kind(n),
        from: name(&format!("v{small}")),
        to: name("v1"),
        incident: name("web-1"),
    }
}

fn open(n: i64, small: usize) -> OpenIncident {
    let intent = Intent {
        kind: kind(n / 4),
        target: reference(if n % 3 == 0 { 2 } else { 1 }),
        failing: reference(small),
        generation: n % 9,
        deadline: at(30),
        attempt: 1 + n.unsigned_abs() as u32 % 3,
        puts_back: n % 2 == 0,
    };
    OpenIncident {
        name: name(&format!("web-v{small}-b02de416-1")),
        failing: reference(small),
        episode: 1,
        opened: at(n % 900),
        intent: (n % 5 != 0).then_some(intent),
        acted: (n % 7 < 3).then(|| at(n % 500)),
        returned: n % 13 < 6,
        approval: None,
        progress: [None, Some(Progress::Ineffective), Some(Progress::Retaken)][(n.unsigned_abs() % 11).min(2) as usize],
    }
}

/// The bad rollout, with up to six things changed.
pub fn disturbed() -> impl Strategy<Value = (Snapshot, Timestamp)> {
    let changes = prop::collection::vec((0_u8..46, -100_000_i64..100_000), 0..6);
    (changes, -100_i64..4000).prop_map(|(changes, seconds)| {
        let mut s = bad_rollout();
        changes.into_iter().for_each(|(what, n)| disturb(&mut s, what, n));
        (s, at(seconds))
    })
}

/// Any time that there is.
fn any_time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        Just(Timestamp::MIN),
        Just(Timestamp::MAX),
        (Timestamp::MIN.as_second()..Timestamp::MAX.as_second()).prop_map(|s| Timestamp::from_second(s).unwrap()),
        (-1000_i64..1000).prop_map(at),
    ]
}

/// The disturbed rollout with extreme times and counts, and with names that are empty or all alike.
pub fn nonsense() -> impl Strategy<Value = (Snapshot, Timestamp)> {
    let times = prop::collection::vec(any_time(), 12);
    (disturbed(), times, any::<[i32; 8]>(), any::<i64>(), any::<[bool; 4]>()).prop_map(
        |((s, _), t, counts, n, flags)| {
            let mut s = s;
            let w = &mut s.workload;
            (w.created, w.completed) = (t[0], Some(t[1]));
            (w.generation, w.observed_generation) = if flags[0] { (n, n) } else { (7, 7) };
            (w.replicas, w.updated_replicas, w.max_unavailable) = (counts[0], counts[1], counts[2]);
            (w.total_replicas, w.available_replicas, w.progress_deadline_seconds) =
                (counts[3], counts[4], Some(counts[5]));
            s.data_age_seconds = if flags[1] { n } else { 0 };
            for (at, revision) in s.revisions.iter_mut().map(Arc::make_mut).enumerate() {
                (revision.created, revision.number, revision.desired) = (t[at % 12], n, counts[6]);
                if flags[2] {
                    (revision.uid, revision.hash) = (name(""), name(""));
                }
            }
            for (at, pod) in s.pods.iter_mut().map(Arc::make_mut).enumerate() {
                (pod.created, pod.ready_since, pod.started) =
                    (t[at % 12], Some(t[(at + 1) % 12]), Some(t[(at + 2) % 12]));
                if flags[3] {
                    (pod.uid, pod.name) = (name(""), name(""));
                }
                for container in &mut pod.containers {
                    container.restarts = counts[7].unsigned_abs();
                    if let ContainerState::Running { since } = &mut container.state {
                        *since = t[(at + 3) % 12];
                    }
                }
            }
            for entry in &mut s.memory.ledger {
                (entry.healthy_since, entry.ready_seconds) = (Some(t[10]), Some(n));
            }
            s.memory.episodes.push((name("v3"), u32::MAX));
            (s, t[11])
        },
    )
}
