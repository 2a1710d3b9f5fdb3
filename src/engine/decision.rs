//! What the engine says: the verdict, what follows from it, and when to look again.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::Name;
use super::finding::{Finding, Rejected};
use super::guard::Permit;
use super::memory::{CurrentRevision, LedgerEntry, RevisionRef};
use super::words::{ActionKind, Confidence, Fault, RefusalReason, Severity, State};

/// The whole outcome of one look at a workload.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    pub state: State,
    /// One sentence for people: what was decided and why.
    pub why: String,
    pub newest: Option<RevisionRef>,
    pub baseline: Option<RevisionRef>,
    pub findings: Vec<Finding>,
    pub verdict: Option<Verdict>,
    pub action: Option<Action>,
    pub refusal: Option<Refusal>,
    /// What becomes of the workload's incidents.
    pub incident: IncidentStep,
    /// Under a freeze that put the baseline's template in, its owner's failing one is in the Deployment again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub template_returned: bool,
    /// The ledger as it should be remembered.
    pub ledger: Vec<LedgerEntry>,
    pub current: Option<CurrentRevision>,
    /// When the failure began for which there is sufficient evidence now.
    pub failing_since: Option<Timestamp>,
    /// When that evidence began to suffice; counts towards the storm brake, which what takes long to show would escape
    /// if it counted from its beginning.
    pub evident_since: Option<Timestamp>,
    /// When to look again without being told of a change; always in the future.
    pub next_check: Option<Timestamp>,
}

/// Who is at fault, and who is not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    pub fault: Fault,
    pub confidence: Confidence,
    /// What speaks for it, in a sentence.
    #[schemars(length(max = 512))]
    pub because: String,
    /// Who is not at fault, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub rejected: Vec<Rejected>,
}

impl Verdict {
    /// The revision is at fault, surely enough to act on it.
    pub fn blames_the_revision(&self) -> bool {
        self.fault == Fault::Revision && self.confidence >= Confidence::Likely
    }

    pub fn unknown() -> Self {
        Self { fault: Fault::Unknown, confidence: Confidence::Possible, because: String::new(), rejected: Vec::new() }
    }
}

/// A guard's no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    pub reason: RefusalReason,
    /// What the guard saw, in a sentence.
    #[schemars(length(max = 512))]
    pub because: String,
    /// When the guard may answer otherwise by itself; `None` when only a change or a person can help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_look: Option<Timestamp>,
}

/// What to do to the workload. Everything that changes what runs needs a permit.
#[derive(Debug, PartialEq, Serialize)]
pub enum Action {
    RollBack(Permit),
    Freeze(Permit),
    Pause(Permit),
    /// Undo our own pause or freeze of this incident.
    Resume {
        incident: Name,
        because: String,
        /// A person asked for it although the evidence against the template suffices.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        overrules: bool,
    },
}

impl Action {
    pub fn kind(&self) -> ActionKind {
        match self {
            Self::RollBack(_) => ActionKind::RollBack,
            Self::Freeze(_) => ActionKind::Freeze,
            Self::Pause(_) => ActionKind::Pause,
            Self::Resume { .. } => ActionKind::Resume,
        }
    }
}

/// What becomes of the workload's incidents.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub enum IncidentStep {
    #[default]
    None,
    /// There is sufficient evidence, or a pause is due: record it under this name, or bring the record up to date.
    Record { name: Name, failing: RevisionRef, episode: u32, severity: Severity, progress: Progress },
    /// It is over.
    Close { name: Name, outcome: Outcome, because: String },
}

/// How far an open incident has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Progress {
    /// Signs, and a pause while evidence gathers.
    Suspected,
    /// Sufficient evidence; an action is about to follow.
    Acting,
    /// Sufficient evidence, and a refusal.
    Held,
    /// The action was carried out; the baseline is not yet proven again.
    Recovering,
    /// The baseline runs at full strength under a freeze that waits for a new template or a person.
    Frozen,
    /// The action did not help; a person is needed.
    Ineffective,
    /// Another writer put the failing template back after our action.
    Retaken,
}

/// How an incident ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display, strum::IntoStaticStr,
)]
pub enum Outcome {
    /// Our action brought the workload back.
    Recovered,
    /// It went away without an action.
    Cleared,
    /// Another template took over, a person resumed, or the failing one works by now.
    Superseded,
    /// The workload is gone.
    Abandoned,
}
