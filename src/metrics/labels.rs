//! Label values. Every label is a closed enum, so the number of series is known at build time: no object name, no
//! message and no text of an error ever becomes a label.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use strum::{EnumIter, IntoEnumIterator, IntoStaticStr};

use crate::cluster::client::Busy;
use crate::engine::decision::Outcome;
use crate::engine::words::{ActionKind, Class, Fault, RefusalReason, State};

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, IntoStaticStr)]
pub enum ActionResult {
    /// It was carried out, which counts once for each action.
    Accepted,
    /// A precondition failed: the workload changed after it was judged.
    Stale,
    /// Admission or access control said no.
    Denied,
    /// Leadership would not have outlasted the call, so it was not made.
    NotLeading,
    /// The call failed, or its answer did not come in time.
    Failed,
}

/// What became of reading a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, IntoStaticStr)]
pub enum LogResult {
    Read,
    /// The account may not read logs.
    Forbidden,
    /// There is none, or the node did not answer in time.
    Failed,
}

/// What became of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, IntoStaticStr)]
pub enum IncidentOutcome {
    Recovered,
    Cleared,
    Superseded,
    Abandoned,
    /// The action did not help. The incident is still open and counts again when it ends.
    Ineffective,
    /// Another writer put the failing template back. The incident is still open and counts again when it ends.
    Retaken,
}

impl From<Outcome> for IncidentOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Recovered => Self::Recovered,
            Outcome::Cleared => Self::Cleared,
            Outcome::Superseded => Self::Superseded,
            Outcome::Abandoned => Self::Abandoned,
        }
    }
}

/// Why a call or a reconcile failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, IntoStaticStr)]
pub enum ErrorCategory {
    NotFound,
    Conflict,
    Forbidden,
    Invalid,
    Throttled,
    Timeout,
    Server,
    Transport,
    /// An answer or an object that could not be understood.
    Decode,
    Other,
}

impl From<&kube::Error> for ErrorCategory {
    fn from(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_code(status.code),
            kube::Error::Service(_) => {
                Busy::of(error).map_or(Self::Transport, |busy| Self::of_code(busy.code.as_u16()))
            }
            kube::Error::HyperError(_) => Self::Transport,
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => Self::Decode,
            _ => Self::Other,
        }
    }
}

impl ErrorCategory {
    /// The category of an HTTP status code.
    fn of_code(code: u16) -> Self {
        match code {
            401 | 403 => Self::Forbidden,
            404 | 410 => Self::NotFound,
            409 => Self::Conflict,
            400 | 422 => Self::Invalid,
            408 | 504 => Self::Timeout,
            429 => Self::Throttled,
            500..=599 => Self::Server,
            _ => Self::Other,
        }
    }
}

/// What is watched or kept in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, IntoStaticStr)]
pub enum WatchedResource {
    Deployment,
    ReplicaSet,
    Pod,
    Node,
    Namespace,
    Service,
    EndpointSlice,
    Ingress,
    HorizontalPodAutoscaler,
    ConfigMap,
    Event,
    IncidentPolicy,
    ClusterIncidentPolicy,
    WorkloadHealth,
    Incident,
}

impl WatchedResource {
    /// The resource of a plural name as it stands in a URL.
    pub fn of_plural(plural: &str) -> Option<Self> {
        Self::iter().find(|r| {
            let name: &'static str = (*r).into();
            let name = name.to_ascii_lowercase();
            plural == format!("{name}s") || name.strip_suffix('y').is_some_and(|stem| plural == format!("{stem}ies"))
        })
    }
}

/// A label value with the name of an enum variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Word(pub &'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

impl<T: Into<&'static str>> From<T> for Word {
    fn from(variant: T) -> Self {
        Self(variant.into())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct IncidentLabels {
    class: Word,
    action: Word,
    outcome: Word,
}

impl IncidentLabels {
    /// An incident without an action counts under `None`.
    pub fn new(class: Class, action: Option<ActionKind>, outcome: IncidentOutcome) -> Self {
        Self { class: class.into(), action: action.map_or(Word("None"), Word::from), outcome: outcome.into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ActionLabels {
    action: Word,
    result: Word,
}

impl ActionLabels {
    pub fn new(action: ActionKind, result: ActionResult) -> Self {
        Self { action: action.into(), result: result.into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct FindingLabels {
    class: Word,
    fault: Word,
}

impl FindingLabels {
    pub fn new(class: Class, fault: Fault) -> Self {
        Self { class: class.into(), fault: fault.into() }
    }
}

/// Label sets of one label.
macro_rules! single_label {
    ($($set:ident { $label:ident: $value:ty })*) => {$(
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub(super) struct $set {
            $label: Word,
        }

        impl From<$value> for $set {
            fn from(value: $value) -> Self {
                Self { $label: value.into() }
            }
        }
    )*};
}

single_label! {
    StateLabel { state: State }
    ReasonLabel { reason: RefusalReason }
    CategoryLabel { category: ErrorCategory }
    ResultLabel { result: LogResult }
    ResourceLabel { resource: WatchedResource }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BuildLabels {
    pub version: Word,
}
