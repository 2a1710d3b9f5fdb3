//! What the engine knows about a workload: plain values, taken from Kubernetes objects by `cluster`.
//!
//! Nothing here is a Kubernetes type and nothing here is computed: a field says what an object said. The only
//! exception is `History`, which `engine::observe` folds from successive sights of one pod, because a status shows
//! the present and some failures only show over time.

mod fleet;
mod history;
mod nodes;

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use jiff::Timestamp;

pub use self::fleet::{FleetFacts, PullFacts, SetupFacts};
pub use self::history::{ExitSeries, History, WaitingSpell};
pub use self::nodes::{NodeFacts, NodeRoom, NodesFacts, RoomFacts, TaintFacts};
use super::logs::Reading;
use super::memory::Memory;
use super::message::Message;
use super::policy::Policy;
use super::surroundings::Surroundings;
use super::words::{ActionKind, Aspect, ContainerKind, GitOps};

/// A short shared string: names and hashes repeat over many objects and are interned by the stores.
pub type Name = Arc<str>;

/// Everything one decision is made from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub workload: WorkloadFacts,
    /// All ReplicaSets that the Deployment controls, in any order.
    pub revisions: Vec<Arc<RevisionFacts>>,
    /// All pods of those ReplicaSets, in any order.
    pub pods: Vec<Arc<PodFacts>>,
    /// The nodes those pods run on, and a summary of all nodes.
    pub nodes: NodesFacts,
    /// What events say about any of these.
    pub events: EventsFacts,
    pub policy: Arc<Policy>,
    pub memory: Memory,
    pub fleet: FleetFacts,
    /// What was read live around the workload; `None` until that is there.
    pub surroundings: Option<Arc<Surroundings>>,
    /// Logs of containers, as far as some were read.
    pub logs: Vec<Arc<LogFacts>>,
    /// Seconds since the slowest of the needed watches last proved to be alive.
    pub data_age_seconds: i64,
}

/// A Deployment; in a diagnosis also whatever else makes pods.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadFacts {
    pub kind: Name,
    pub namespace: Name,
    pub name: Name,
    pub uid: Name,
    pub created: Timestamp,
    pub deleting: bool,
    pub generation: i64,
    pub observed_generation: i64,
    pub paused: bool,
    /// `spec.replicas`.
    pub replicas: i32,
    pub updated_replicas: i32,
    pub ready_replicas: i32,
    pub available_replicas: i32,
    pub total_replicas: i32,
    /// `None` when disabled.
    pub progress_deadline_seconds: Option<i32>,
    pub revision_history_limit: i32,
    /// Absolute number of pods that may be unavailable in a rollout, percentages already resolved.
    pub max_unavailable: i32,
    pub max_surge: i32,
    /// The strategy is `Recreate`: old and new pods never run side by side.
    pub recreate: bool,
    /// The value of `deployment.kubernetes.io/revision`.
    pub revision: Option<i64>,
    /// Digest of the pod template without the `pod-template-hash` label; equal digests mean equal templates.
    pub template_digest: u64,
    /// The same, also without `kubectl.kubernetes.io/restartedAt`.
    pub template_material: u64,
    pub progressing: Option<ConditionFacts>,
    /// `lastUpdateTime` of `Progressing` when its reason is `NewReplicaSetAvailable`: when the rollout completed.
    pub completed: Option<Timestamp>,
    pub available: Option<ConditionFacts>,
    /// Of what is no Deployment and has no such condition: what its own events say of pods that it cannot create.
    pub replica_failure: Option<ConditionFacts>,
    /// The condition with which a Job gives up.
    pub gave_up: Option<ConditionFacts>,
    pub gitops: Option<GitOps>,
    /// Another controller owns the Deployment's rollout (a controller owner reference, or a known mark).
    pub owned_by: Option<Name>,
    /// `backstay.dev/ignore: "true"`.
    pub opted_out: bool,
    /// The value of `backstay.dev/incident`, written with our own action.
    pub incident_mark: Option<Name>,
    /// The value of `backstay.dev/action`, written with it: which kind of action it was.
    pub action_mark: Option<ActionKind>,
    /// The value of `backstay.dev/paused-for`: the incident for which Backstay itself set `spec.paused`.
    pub paused_for: Option<Name>,
    /// The value of `backstay.dev/resume`: a person asks to undo our freeze or pause for this incident.
    pub resume_asked: Option<Name>,
}

/// A condition of a Deployment, ReplicaSet, Pod or Node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionFacts {
    pub status: bool,
    pub reason: Name,
    /// Bounded and cleaned text.
    pub message: Message,
    /// `lastTransitionTime`.
    pub since: Timestamp,
}

/// A ReplicaSet.
#[derive(Clone, Debug, PartialEq)]
pub struct RevisionFacts {
    pub uid: Name,
    pub name: Name,
    /// The `pod-template-hash` label; never recomputed, since its input differs between Kubernetes versions.
    pub hash: Name,
    /// The value of `deployment.kubernetes.io/revision`; a re-adopted ReplicaSet gets a new, higher one.
    pub number: i64,
    pub created: Timestamp,
    pub deleting: bool,
    /// `spec.replicas`.
    pub desired: i32,
    pub replicas: i32,
    pub ready: i32,
    pub available: i32,
    pub replica_failure: Option<ConditionFacts>,
    pub template: TemplateFacts,
}

impl RevisionFacts {
    /// By which the newest comes last, whatever order they are read in, also where a copied annotation gives two of
    /// them one number.
    pub fn order(&self) -> (i64, Timestamp, &str) {
        (self.number, self.created, &self.uid)
    }
}

/// What can be compared between two pod templates, as digests, and what the classifiers compute with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TemplateFacts {
    /// Digest of the whole template without the `pod-template-hash` label.
    pub digest: u64,
    /// The same, also without `kubectl.kubernetes.io/restartedAt`: equal means that nothing material changed.
    pub material: u64,
    /// Digest of those labels that the pod's own rules about its place select by; 0 where there are none.
    pub placing: u64,
    /// Digest per aspect of the pod, sorted by aspect.
    pub aspects: Box<[(Aspect, u64)]>,
    /// Names of the volume claims that it mounts.
    pub claims: Box<[Name]>,
    pub containers: Box<[ContainerTemplate]>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerTemplate {
    pub name: Name,
    pub kind: ContainerKind,
    pub image: Box<str>,
    /// The ports that it declares, in any order; it may listen on others.
    pub ports: Box<[u16]>,
    /// Bytes; `None` when unset.
    pub memory_limit: Option<u64>,
    pub memory_request: Option<u64>,
    /// Thousandths of a core.
    pub cpu_request: Option<u64>,
    pub cpu_limit: Option<u64>,
    /// Devices and whatever else nodes advertise by a name with a domain, and how many of each it asks for.
    pub devices: Box<[(Name, u64)]>,
    pub readiness: Option<ProbeFacts>,
    pub liveness: Option<ProbeFacts>,
    pub startup: Option<ProbeFacts>,
    /// Digest of the variables that may lead to a service, and of those whose content is elsewhere.
    pub places: u64,
    /// Digest per aspect of this container, sorted by aspect.
    pub aspects: Box<[(Aspect, u64)]>,
}

/// The timing of a probe, defaults filled in as the API server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeFacts {
    pub kind: ProbeKind,
    pub initial_delay_seconds: i32,
    pub period_seconds: i32,
    pub timeout_seconds: i32,
    pub failure_threshold: i32,
    pub success_threshold: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeKind {
    Http,
    Tcp,
    Exec,
    Grpc,
}

/// A pod.
#[derive(Clone, Debug, PartialEq)]
pub struct PodFacts {
    pub uid: Name,
    pub name: Name,
    /// UID of the controlling ReplicaSet.
    pub revision: Name,
    pub node: Option<Name>,
    pub created: Timestamp,
    pub started: Option<Timestamp>,
    pub deleting: bool,
    /// `status.phase` is `Failed` or `Succeeded`: the pod will not run again.
    pub finished: bool,
    /// `restartPolicy` is not `Always`, as in Jobs: a container that ends without an error has done its work.
    pub may_end: bool,
    /// `status.reason` and `status.message`, such as `Evicted`.
    pub reason: Option<Name>,
    pub message: Message,
    pub ready: bool,
    /// `lastTransitionTime` of the `Ready` condition.
    pub ready_since: Option<Timestamp>,
    /// Reason of the `Ready` condition, such as `ReadinessGatesNotReady`.
    pub ready_reason: Option<Name>,
    /// The `PodScheduled` condition when it is false.
    pub unscheduled: Option<ConditionFacts>,
    /// `PodReadyToStartContainers`: sandbox, volumes and network are there; `None` when the kubelet is too old to say.
    pub sandbox_ready: Option<bool>,
    /// Reason of `DisruptionTarget` when it is true: the pod is being taken away from outside.
    pub disruption: Option<Name>,
    /// Init containers and sidecars first, in start order, then the app containers.
    pub containers: Box<[ContainerFacts]>,
    pub history: History,
}

/// A container of a pod, from its status.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerFacts {
    pub name: Name,
    pub kind: ContainerKind,
    pub ready: bool,
    /// `started`: the startup probe has passed, or there is none and the container runs.
    pub started: bool,
    /// `restartCount`.
    pub restarts: u32,
    /// Bytes that the pod gives it, which need not be what its template says; `None` when unset.
    pub memory_limit: Option<NonZeroU64>,
    pub state: ContainerState,
    /// `lastState.terminated`.
    pub last: Option<Box<Termination>>,
}

impl ContainerFacts {
    /// How the run ended that ended last.
    pub fn ending(&self) -> Option<&Termination> {
        match &self.state {
            ContainerState::Terminated(ending) => Some(ending),
            _ => self.last.as_deref(),
        }
    }

    /// It runs, or has run before.
    pub fn has_run(&self) -> bool {
        self.last.is_some() || matches!(self.state, ContainerState::Running { .. } | ContainerState::Terminated(_))
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum ContainerState {
    /// No state in the status yet.
    #[default]
    Unknown,
    Waiting {
        reason: Name,
        message: Message,
    },
    Running {
        since: Timestamp,
    },
    Terminated(Box<Termination>),
}

/// How a run of a container ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Termination {
    pub exit_code: i32,
    pub signal: i32,
    pub reason: Name,
    pub message: Message,
    /// `None` when the runtime reported the epoch, as containerd does for `StartError`.
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
}

/// Events by the object that they are about. They are hints: they expire, some are never sent and others are merged, so
/// that their absence says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventsFacts {
    /// By UID, of nodes by name and of volume claims by `claim_key`; the newest come last.
    about: BTreeMap<Name, Arc<[EventFacts]>>,
    /// Events were read; otherwise nobody knows whether there are any.
    pub read: bool,
    /// Those about nodes too, which live in a namespace of their own.
    pub of_nodes: bool,
}

/// What events about a volume claim go by: no template knows the UID of what it names.
pub fn claim_key(namespace: &str, name: &str) -> String {
    format!("claim/{namespace}/{name}")
}

impl EventsFacts {
    pub fn new(read: bool) -> Self {
        Self { read, of_nodes: read, ..Self::default() }
    }

    pub fn put(&mut self, object: Name, events: Arc<[EventFacts]>) {
        self.about.insert(object, events);
    }

    /// What is said about the object with this UID, the node of this name, or the claim with this key.
    pub fn about(&self, object: &str) -> &[EventFacts] {
        self.about.get(object).map(AsRef::as_ref).unwrap_or_default()
    }
}

/// An event, or many of the same kind that were merged into one.
#[derive(Clone, Debug, PartialEq)]
pub struct EventFacts {
    pub reason: Name,
    /// Bounded and cleaned text.
    pub message: Message,
    /// The container that it is about, if it is about one.
    pub container: Option<Name>,
    /// How often it happened.
    pub count: u32,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// The log of one run of a container, as far as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct LogFacts {
    /// UID of the pod.
    pub uid: Name,
    pub pod: Name,
    pub container: Name,
    /// The run had ended when its log was read.
    pub ended: bool,
    /// Exits of the container when the log was read, which tells the runs apart.
    pub exits: u32,
    pub reading: Reading,
    /// Its end for people: bounded, cleaned and redacted.
    pub excerpt: Box<str>,
    /// Patterns of the policy that found something in it when it was read.
    pub matched: Box<[Box<str>]>,
}
