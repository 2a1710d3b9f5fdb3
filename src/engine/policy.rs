//! What a policy says, with every default filled in. The same types are the `spec` of `IncidentPolicy`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::Name;
use super::patterns::Patterns;
use super::words::{Cause, Class, Severity};

/// One line of text with something to see at both ends.
const PRINTABLE: &str = r"^[^\s[:cntrl:]]([^[:cntrl:]]*[^\s[:cntrl:]])?$";
/// `IsDNS1123Label` in apimachinery's util/validation, which names of containers are held to.
const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// The policy that governs a workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Policy {
    /// `IncidentPolicy/NAME` or `ClusterIncidentPolicy/NAME`.
    pub reference: Name,
    pub generation: i64,
    pub mode: Mode,
    pub rollout: Rollout,
    /// The policy's rules followed by the built-in table.
    pub rules: Vec<Rule>,
    pub guards: Guards,
    pub logs: LogAccess,
    pub impact: Option<Impact>,
    /// It only observes, since a policy that may go before it cannot be read and may have said so.
    pub stands_in_for: Option<Unread>,
}

/// A policy that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unread {
    OfNamespace,
    OfCluster,
}

/// The reference of a policy that stands for none.
pub const NO_POLICY: &str = "none";

impl Policy {
    /// No policy governs the workload, and an incident of it is followed to its end.
    pub fn is_none(&self) -> bool {
        &*self.reference == NO_POLICY
    }

    pub fn why_it_observes(&self) -> &'static str {
        match self.stands_in_for {
            _ if self.is_none() => "no policy governs the Deployment any more",
            None => "the policy observes only",
            Some(Unread::OfNamespace) => {
                "an IncidentPolicy of the namespace cannot be read, so the policy of the cluster observes only"
            }
            Some(Unread::OfCluster) => {
                "a ClusterIncidentPolicy that may go before this one cannot be read, so this one observes only"
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Act where every guard agrees.
    #[default]
    Enforce,
    /// Decide and record what would have been done; write nothing to workloads.
    Observe,
}

/// Whether logs of containers may be read as evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LogAccess {
    /// The last lines of containers that fail, and of healthy ones to compare them with.
    #[default]
    Read,
    /// None. The message that a container leaves when it ends is in its status, and is read all the same.
    Ignore,
}

/// How long a rollout counts as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rollout {
    /// A revision that was available for this long without a restart is recorded as healthy. Seconds.
    #[schemars(range(min = 1, max = 86400))]
    pub stable_seconds: i64,
    /// Failures this long after the rollout completed still belong to it. Seconds.
    #[schemars(range(min = 0, max = 86400))]
    pub watch_seconds: i64,
    /// What to do at the first sure sign of a failure, while evidence gathers.
    pub on_suspicion: OnSuspicion,
}

impl Default for Rollout {
    fn default() -> Self {
        Self { stable_seconds: 30, watch_seconds: 900, on_suspicion: OnSuspicion::Wait }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnSuspicion {
    /// Let the rollout go on.
    #[default]
    Wait,
    /// Pause the rollout, so that the old pods live; a suspicion that clears resumes it.
    Pause,
}

/// A rule: which findings, how much evidence, what follows. The first rule that matches a finding governs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Shown in incidents and `policy explain`; one line, without blanks at its ends.
    #[schemars(length(min = 1, max = 63), regex(pattern = PRINTABLE))]
    pub name: String,
    /// Which findings the rule governs; empty matches every finding.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// How much evidence is sufficient; unset values take the defaults of the failure's class.
    #[serde(default)]
    pub threshold: Threshold,
    /// What follows when the evidence is sufficient and the revision is at fault.
    #[serde(default)]
    pub action: RuleAction,
    /// How urgent an incident of this kind is.
    #[serde(default)]
    pub severity: Severity,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Match {
    /// Failure classes; empty matches all.
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "set"))]
    pub failures: Vec<Class>,
    /// Causes, each of them one that a failure of the rule has; empty matches all.
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "set"))]
    pub causes: Vec<Cause>,
    /// Container names; empty matches all. Failures of a pod or workload as a whole, such as Pending, are those of none.
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = 63), regex(pattern = DNS_LABEL)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub containers: Vec<String>,
    /// Patterns of which one must match in a line that a failing container logged, or in the message that it left when it
    /// ended; empty matches all. Regular expressions without look-around, matched without regard to what comes before and
    /// after. Asked are all lines that are read of the log, without what looks like a secret; where none were read, a rule
    /// with patterns matches nothing.
    #[serde(skip_serializing_if = "Patterns::is_empty")]
    #[schemars(
        with = "Vec<String>",
        length(max = 8),
        inner(length(min = 1, max = 256)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub logs: Patterns,
}

impl Match {
    /// Failures of this kind are meant, as far as the class, the cause and the container go.
    pub fn is_of(&self, class: Class, cause: Cause, container: Option<&str>) -> bool {
        (self.failures.is_empty() || self.failures.contains(&class))
            && (self.causes.is_empty() || self.causes.contains(&cause))
            && (self.containers.is_empty() || container.is_some_and(|c| self.containers.iter().any(|name| name == c)))
    }
}

/// How much evidence is sufficient.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Threshold {
    /// How many pods of the new revision must show it: a number, or a percentage of them such as `50%`. Default 50%,
    /// and always at least one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 5), regex(pattern = r"^([1-9][0-9]{0,3}|[1-9][0-9]?%|100%)$"))]
    pub pods: Option<String>,
    /// Exits of a container, for failures that are counted by exits. Default 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub exits: Option<u32>,
    /// Failed attempts, for failures that are believed when they repeat. Default 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub attempts: Option<u32>,
    /// Losses of readiness within five minutes, for flapping. Default 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 8))]
    pub flaps: Option<u32>,
    /// How long the failure must have lasted, in seconds. Default: computed from the probes for readiness, from the
    /// cause for pods that wait for a node, and 0 for the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub for_seconds: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RuleAction {
    /// Put the baseline's template back.
    #[default]
    RollBack,
    /// Run the baseline at full strength, leave the template as it is.
    Freeze,
    /// Record and tell; a person decides.
    Hold,
}

/// What must agree before anything is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Guards {
    /// No second action on the same workload within this time. Seconds.
    #[schemars(range(min = 0, max = 86400))]
    pub cooldown_seconds: i64,
    /// After so many actions within the window a person is needed.
    #[schemars(range(min = 1, max = 20))]
    pub max_rollbacks: u32,
    /// The window of `maxRollbacks`. Seconds.
    #[schemars(range(min = 60, max = 604800))]
    pub window_seconds: i64,
    /// Which actions need a person's approval.
    pub approval: ApprovalNeed,
    /// What to do with workloads whose template Argo CD or Flux own.
    pub git_ops: GitOpsPolicy,
    /// What to do when going back may not fit the database schema.
    pub schema_hazard: SchemaHazardPolicy,
    /// What to do when no revision was ever seen healthy.
    pub unproven_baseline: UnprovenBaseline,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            cooldown_seconds: 300,
            max_rollbacks: 3,
            window_seconds: 3600,
            approval: ApprovalNeed::Never,
            git_ops: GitOpsPolicy::Freeze,
            schema_hazard: SchemaHazardPolicy::Freeze,
            unproven_baseline: UnprovenBaseline::Hold,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApprovalNeed {
    #[default]
    Never,
    ForRollBack,
    Always,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GitOpsPolicy {
    #[default]
    Freeze,
    RollBack,
    Hold,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SchemaHazardPolicy {
    #[default]
    Freeze,
    Hold,
    Ignore,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UnprovenBaseline {
    #[default]
    Hold,
    RollBack,
}

/// What the workload means to the business; copied into incidents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1))]
pub struct Impact {
    /// 1 is the most important.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5))]
    pub tier: Option<u8>,
    /// What people know it as, such as `checkout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = PRINTABLE))]
    pub business_service: Option<String>,
}

impl Impact {
    /// What it says, without what an older definition let pass and incidents would not take; `None` if nothing is left.
    pub fn said(&self) -> Option<Self> {
        let tells =
            |name: &&String| !name.is_empty() && name.trim() == name.as_str() && !name.contains(char::is_control);
        let business_service = self.business_service.as_ref().filter(tells).cloned();
        let said = Self { tier: self.tier, business_service };
        (said.tier.is_some() || said.business_service.is_some()).then_some(said)
    }
}
