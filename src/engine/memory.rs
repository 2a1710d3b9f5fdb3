//! What Backstay remembers of a workload, read back from its own objects: `WorkloadHealth` and `Incident`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::Progress;
use super::facts::Name;
use super::moment::after;
use super::words::ActionKind;

/// The memory that guards read. It is rebuilt from objects for every decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Memory {
    /// When the newest revision was first seen as the newest, if anyone saw it.
    pub current: Option<CurrentRevision>,
    pub ledger: Vec<LedgerEntry>,
    /// Actions taken on this workload, oldest first, bounded by the policy's window.
    pub actions: Vec<ActionRecord>,
    /// Incidents of this workload that are not closed, oldest first; at most one per failing hash.
    pub open: Vec<OpenIncident>,
    /// Highest episode that was opened per failing hash, closed incidents included.
    pub episodes: Vec<(Name, u32)>,
}

/// Which revision is the newest, and since when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CurrentRevision {
    /// The ReplicaSet's `pod-template-hash`.
    #[schemars(with = "String", length(max = 63))]
    pub hash: Name,
    /// When the rollout to it began.
    pub since: Timestamp,
}

/// What was seen of one revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// UID of the ReplicaSet.
    #[schemars(with = "String", length(max = 64))]
    pub uid: Name,
    /// The ReplicaSet's `pod-template-hash`.
    #[schemars(with = "String", length(max = 63))]
    pub hash: Name,
    /// Since when the revision counts as healthy: available for the policy's `stableSeconds` without a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_since: Option<Timestamp>,
    /// When the revision was judged to be at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    /// The incident in which it was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 253))]
    pub incident: Option<Name>,
    /// How long the revision's first pods took from start to ready, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub ready_seconds: Option<i64>,
    /// When a good part of the pods of this healthy revision was last seen to crash. The Deployment controller removes the
    /// crashed pods of an old revision first, so that soon none is left to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crashed_at: Option<Timestamp>,
    /// When this revision was last seen to fail, with sufficient evidence that nothing but the revision explains. Until it is
    /// seen healthy again it is not gone back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_at: Option<Timestamp>,
    /// This revision showed a sure failure while it was the newest, and was neither judged nor seen healthy. As an older one it
    /// is not believed to do well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub troubled: bool,
    /// A migration of a database schema that ran with this revision: code from before it may not fit the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Migration>,
}

/// A migration of a database schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Migration {
    /// When it began to run, or was first seen to have run.
    pub at: Timestamp,
    /// What ran: `Job NAME`, or the kind and name of a container.
    #[schemars(with = "String", length(max = 320))]
    pub by: Name,
}

impl LedgerEntry {
    pub fn new(uid: Name, hash: Name) -> Self {
        Self {
            uid,
            hash,
            healthy_since: None,
            failed_at: None,
            incident: None,
            ready_seconds: None,
            crashed_at: None,
            broken_at: None,
            troubled: false,
            migration: None,
        }
    }

    /// Its pods were seen to crash at this moment, or later.
    pub fn crashed(&mut self, at: Timestamp) {
        self.crashed_at = self.crashed_at.max(Some(at));
    }
}

/// An action that was carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionRecord {
    /// When it was carried out.
    pub at: Timestamp,
    pub kind: ActionKind,
    /// Hash of the revision judged.
    #[schemars(with = "String", length(max = 63))]
    pub from: Name,
    /// Hash of the revision that was brought back.
    #[schemars(with = "String", length(max = 63))]
    pub to: Name,
    /// The incident for which it was done.
    #[schemars(with = "String", length(max = 253))]
    pub incident: Name,
}

/// An intent that was not carried out within this time is void. Seconds.
pub const INTENT_SECONDS: i64 = 30;

/// What was about to be done, recorded before it was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    pub kind: ActionKind,
    /// The ReplicaSet to go back to, or for a pause the one that runs.
    pub target: RevisionRef,
    /// The ReplicaSet judged to fail.
    pub failing: RevisionRef,
    /// The Deployment's `metadata.generation` that was judged; the write fails if it has moved.
    #[schemars(range(min = 0))]
    pub generation: i64,
    /// After this the intent is void and everything is judged anew.
    pub deadline: Timestamp,
    /// How often the freeze was begun, this time included: another writer may undo it before it is in force.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    #[schemars(range(min = 1, max = 100))]
    pub attempt: u32,
    /// The freeze begins with the baseline's template; otherwise whatever is in the Deployment was put there by others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub puts_back: bool,
}

fn first() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_first(attempt: &u32) -> bool {
    *attempt == 1
}

impl Intent {
    /// It was not carried out in time, and counts no more. What is decided now needs an intent of its own.
    pub fn is_void(&self, now: Timestamp) -> bool {
        self.deadline <= now
    }

    /// When it was made.
    pub fn made(&self) -> Timestamp {
        after(self.deadline, -INTENT_SECONDS)
    }

    /// This is what `before` set out to do, decided once more. When a pause was intended tells how long it may go
    /// unnoticed, and when a template was put back how long the freeze may take, so that these are intended anew.
    pub fn repeats(&self, before: &Self) -> bool {
        let is_timed = self.kind == ActionKind::Pause || self.puts_back;
        !is_timed && *self == Self { deadline: self.deadline, ..before.clone() }
    }

    /// This is a later step of what `before` set out to do.
    pub fn goes_on_with(&self, before: &Self) -> bool {
        self.kind == before.kind
            && self.target.uid == before.target.uid
            && self.attempt == before.attempt
            && self.puts_back == before.puts_back
            && self.generation > before.generation
    }
}

/// A ReplicaSet, by everything it can be recognised by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionRef {
    /// Name of the ReplicaSet.
    #[schemars(with = "String", length(max = 253))]
    pub name: Name,
    /// UID of the ReplicaSet.
    #[schemars(with = "String", length(max = 64))]
    pub uid: Name,
    /// The ReplicaSet's `pod-template-hash`.
    #[schemars(with = "String", length(max = 63))]
    pub hash: Name,
}

/// An incident that is not closed, as far as decisions depend on it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OpenIncident {
    pub name: Name,
    pub failing: RevisionRef,
    /// Counts the incidents on this template.
    pub episode: u32,
    pub opened: Timestamp,
    /// What was intended, whether or not it came to pass.
    pub intent: Option<Intent>,
    /// When the action was seen to be carried out.
    pub acted: Option<Timestamp>,
    /// After a freeze had put the baseline's template in, the owner's failing one was seen in the Deployment again.
    pub returned: bool,
    pub approval: Option<Approval>,
    /// What people were told of it last.
    pub progress: Option<Progress>,
}

impl OpenIncident {
    /// The action did not help; a person has been told.
    pub fn is_ineffective(&self) -> bool {
        self.progress == Some(Progress::Ineffective)
    }
}

/// What a person said about an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// `Approve` lets the action happen, `Deny` forbids it.
    pub verdict: ApprovalVerdict,
    /// Who said it, as the API server knows them.
    #[schemars(length(min = 1, max = 253))]
    pub by: String,
    /// Digest of the decision that was approved; an approval of another decision does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub decision: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApprovalVerdict {
    Approve,
    Deny,
}
