//! Going back may not fit the database: a migration ran since the baseline was shipped, or the baseline's own pods
//! already miss what it took away.

use jiff::Timestamp;

use super::decision::Refusal;
use super::evidence::judged_pods;
use super::facts::{RevisionFacts, Snapshot};
use super::finding::Finding;
use super::guard::Case;
use super::listen::{self, Control};
use super::moment::after;
use super::policy::SchemaHazardPolicy;
use super::rollout::Rollout;
use super::surroundings::{self, Surroundings};
use super::text;
use super::words::{Cause, RefusalReason};

/// A migration belongs to a rollout if it began at most this long before the revision was made: hooks run first.
const BEFORE_SECONDS: i64 = 3600;
/// Most bytes of a line of a log in a refusal.
const MAX_LINE: usize = 300;

/// Why going back may not fit the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hazard {
    pub because: String,
    /// The baseline's own pods suffer from it already, so that they are no refuge.
    pub baseline_suffers: bool,
}

/// What speaks against older code on the schema as it is, unless the policy does not want to know.
pub fn matters(case: &Case) -> Option<Hazard> {
    of(case.s, case.rollout, case.target.ok()?, case.findings)
}

/// The guard's no. Pods of the baseline that serve may be kept at full strength, if the policy says so; where none runs
/// nobody knows what starting them would do.
pub fn refuses(case: &Case, _: Timestamp) -> Option<Refusal> {
    let hazard = matters(case)?;
    let serves = judged_pods(case.s, &case.target.ok()?.uid).any(|p| p.ready);
    let freezes = case.s.policy.guards.schema_hazard == SchemaHazardPolicy::Freeze && serves;
    (!freezes || hazard.baseline_suffers).then_some(Refusal {
        reason: RefusalReason::SchemaHazard,
        because: hazard.because,
        next_look: None,
    })
}

/// The hazard of going back from the newest revision to `target`, given all findings; none where the policy does not want
/// to know.
pub fn of(s: &Snapshot, rollout: &Rollout, target: &RevisionFacts, findings: &[Finding]) -> Option<Hazard> {
    if s.policy.guards.schema_hazard == SchemaHazardPolicy::Ignore {
        return None;
    }
    let suffers = |f: &&Finding| !f.newest && f.revision == target.hash && f.cause == Cause::SchemaMismatch;
    if let Some(finding) = findings.iter().find(suffers) {
        let because = format!(
            "{} of {} pods of the baseline {} miss what the schema no longer has",
            finding.failing_pods, finding.total_pods, target.hash
        );
        return Some(Hazard { because, baseline_suffers: true });
    }
    let migrated = surroundings::of_newest(s, rollout.newest)
        .and_then(|around| job(s, rollout, target, around).or_else(|| container(s, rollout, around)));
    if let Some(because) = missed(s, rollout, target) {
        let because = migrated.map_or(because.clone(), |migrated| format!("{because}; {migrated}"));
        return Some(Hazard { because, baseline_suffers: true });
    }
    migrated.map(|because| Hazard { because, baseline_suffers: false })
}

/// Pods of the baseline that are ready, and tell since the new revision is there that the schema lacks something: to
/// have more of them helps nobody.
fn missed(s: &Snapshot, rollout: &Rollout, target: &RevisionFacts) -> Option<String> {
    let told = listen::missed(s, &target.uid, rollout.newest.created)?;
    let line = text::head(told.line?, MAX_LINE);
    let Control { same, read, .. } = told;
    Some(format!(
        "pods of the baseline {} miss what the schema no longer has, by {same} of {read} logs: {line}",
        target.hash
    ))
}

/// A Job that began with this rollout, and after the baseline was last proven.
fn job(s: &Snapshot, rollout: &Rollout, target: &RevisionFacts, around: &Surroundings) -> Option<String> {
    let proven: Option<Timestamp> = s.memory.ledger.iter().find(|e| e.uid == target.uid).and_then(|e| e.healthy_since);
    let from = after(rollout.newest.created.min(rollout.since), -BEFORE_SECONDS);
    let ran = around.jobs.iter().filter(|job| job.started >= from && proven.is_none_or(|at| job.started >= at));
    let job = ran.max_by_key(|job| job.started)?;
    Some(format!("Job {} began at {} and migrates a schema ({}; {})", job.name, job.started, job.sign, job.relation))
}

/// A migrating container of the newest revision that was started in at least one pod: one that cannot be pulled
/// changes nothing.
fn container(s: &Snapshot, rollout: &Rollout, around: &Surroundings) -> Option<String> {
    let pods = || judged_pods(s, &rollout.newest.uid);
    around.migrators.iter().find_map(|migrator| {
        let mut containers = pods().flat_map(|pod| pod.containers.iter());
        let ran = containers.any(|c| *c.name == *migrator.container && c.has_run());
        ran.then(|| {
            let kind = migrator.kind.to_string().to_lowercase();
            format!(
                "the new revision's {kind} container {} ran and migrates a schema ({})",
                migrator.container, migrator.sign
            )
        })
    })
}
