//! The vocabulary: every word that shows in a resource, a metric, a log line or a document.
//!
//! The variants are API. Renaming one is a breaking change and belongs in the changelog.

mod cause;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, IntoStaticStr};

pub use self::cause::Cause;

/// What kind of failure a finding is about.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumIter,
    IntoStaticStr,
)]
pub enum Class {
    ImagePullBackOff,
    CrashLoopBackOff,
    OOMKilled,
    Pending,
    ContainerConfig,
    ContainerStart,
    PodSetup,
    InitStuck,
    Unready,
    CreateRefused,
    Evicted,
    NodeLost,
    RolloutStalled,
    HealthCheck,
}

/// Who caused a failure.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumIter,
    IntoStaticStr,
)]
pub enum Fault {
    /// The new revision of the workload.
    Revision,
    /// A ConfigMap or Secret that changed under a running revision.
    Configuration,
    /// Nodes, runtime, network, registry or control plane.
    Platform,
    /// A service that the workload calls.
    Dependency,
    /// Quota, limits or admission rules of the namespace.
    Namespace,
    Unknown,
}

/// How sure a verdict is. Only `Likely` and `Certain` may lead to an action.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, Display, IntoStaticStr,
)]
pub enum Confidence {
    Possible,
    Likely,
    Certain,
}

/// Whether going back to the baseline can help against a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Display, IntoStaticStr)]
pub enum Rollback {
    Helps,
    CannotHelp,
    /// Only if the template change touches the cause.
    Depends,
    Harmful,
}

/// How much one sight of a symptom proves, and so what is counted before it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Display, IntoStaticStr)]
pub enum Sureness {
    /// One sight is proof.
    Definitive,
    /// Believed at the second attempt.
    Repeated,
    /// Counted by exits of the container.
    Counted,
    /// Believed once it has lasted past a grace period.
    Timed,
    /// Counted by losses of readiness.
    Flapping,
    /// Never evidence against a revision.
    Excluded,
}

#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    IntoStaticStr,
)]
pub enum ContainerKind {
    Init,
    Sidecar,
    #[default]
    App,
}

/// The state of a workload as people see it in `kubectl get workloadhealth`.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumIter,
    IntoStaticStr,
)]
pub enum State {
    Healthy,
    /// A rollout is under way and nothing speaks against it.
    Progressing,
    /// There are signs of failure, not yet enough of them.
    Suspect,
    /// There is sufficient evidence of failure.
    Failing,
    /// Failing or frozen, and a person is needed.
    Held,
    /// Backstay acted and watches whether it helped.
    Stabilising,
    /// Backstay acted and the workload recovered.
    Stabilised,
    #[default]
    Unknown,
}

/// A guard's no.
// The guards are asked in this order, but for a rule that says to hold, which is asked right after `AlreadyTried` (`GUARDS` in
// `guard`). Whether a revision is remembered as bad goes by the order too, so a new word has its place in it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumIter,
    IntoStaticStr,
)]
pub enum RefusalReason {
    Deleting,
    Paused,
    ScaledToZero,
    StaleStatus,
    OptedOut,
    OwnedByOther,
    DataTooOld,
    NoRolloutInWindow,
    FaultNotRevision,
    Storm,
    NoBaseline,
    BaselineEqualsCurrent,
    BaselineWouldNotRun,
    SchemaHazard,
    GitOpsManaged,
    HelmPending,
    AlreadyTried,
    Cooldown,
    TooManyRollbacks,
    AwaitingApproval,
    ObserveOnly,
    /// A rule of the policy says `Hold`.
    RuleSaysHold,
}

/// What Backstay does to a workload.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumIter,
    IntoStaticStr,
)]
pub enum ActionKind {
    /// Put the baseline's template back.
    RollBack,
    /// Run the baseline at full strength and leave the template to its owner.
    Freeze,
    /// Stop the rollout where it is while evidence gathers.
    Pause,
    /// Undo a freeze or a pause of Backstay's own.
    Resume,
}

/// How urgently a person is needed.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumIter,
    IntoStaticStr,
)]
pub enum Severity {
    Info,
    #[default]
    Warning,
    Critical,
}

/// Another owner of a workload's template, who would put back what Backstay changes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, Display, IntoStaticStr,
)]
pub enum GitOps {
    ArgoCd,
    FluxKustomize,
    FluxHelm,
}

/// A part of a pod template that can differ between two revisions.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumIter,
    IntoStaticStr,
)]
pub enum Aspect {
    Image,
    Command,
    Environment,
    Resources,
    Probes,
    Ports,
    Volumes,
    Scheduling,
    Security,
    ServiceAccount,
    Lifecycle,
    PullSecrets,
    InitContainers,
    /// A container came or went.
    Containers,
    /// Labels and annotations other than the restart mark, such as a configuration checksum.
    Metadata,
    Other,
}
