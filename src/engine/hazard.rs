//! Going back may not fit the database: a migration ran since the baseline was shipped, or the baseline's own pods
//! already miss what it took away.

use jiff::Timestamp;

use super::baseline;
use super::change::migration::{JobFacts, Migrator};
use super::decision::Refusal;
use super::evidence::judged_pods;
use super::facts::{ContainerFacts, ContainerState, RevisionFacts, Snapshot};
use super::finding::Finding;
use super::guard::Case;
use super::listen::{self, Control};
use super::memory::{LedgerEntry, Migration};
use super::moment::after;
use super::policy::SchemaHazardPolicy;
use super::rollout::Rollout;
use super::surroundings::{self, Surroundings};
use super::text;
use super::words::{Cause, ContainerKind, RefusalReason};

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
/// nobody knows what starting them would do. A migration that still runs is left to end whatever the policy says.
pub fn refuses(case: &Case, _: Timestamp) -> Option<Refusal> {
    let no = |because| Refusal { reason: RefusalReason::SchemaHazard, because, next_look: None };
    if let Some(because) = still_runs(case) {
        return Some(no(because));
    }
    let hazard = matters(case)?;
    let serves = judged_pods(case.s, &case.target.ok()?.uid).any(|p| p.ready);
    let freezes = case.s.policy.guards.schema_hazard == SchemaHazardPolicy::Freeze && serves;
    (!freezes || hazard.baseline_suffers).then(|| no(hazard.because))
}

/// A migrating container of the newest revision that has begun and not ended. Whoever takes its pod away ends the migration
/// half-way, which may be worse than what the rollout does.
fn still_runs(case: &Case) -> Option<String> {
    let newest = case.rollout.newest;
    let around = surroundings::of_newest(case.s, newest)?;
    let runs = |migrator: &&Migrator| {
        let mut containers = judged_pods(case.s, &newest.uid).flat_map(|pod| pod.containers.iter());
        let is_running = |c: &ContainerFacts| matches!(c.state, ContainerState::Running { .. }) && !c.ready;
        containers.any(|c| *c.name == *migrator.container && is_running(c) && !serves(case, migrator, c))
    };
    let migrator = around.migrators.iter().find(runs)?;
    Some(format!(
        "{} of the new revision still runs and migrates a schema ({}); going back would end it half-way",
        called(migrator),
        migrator.sign
    ))
}

/// A program that migrates before it serves has been ready, or answered one of its probes, however badly: its migration is
/// over.
fn serves(case: &Case, migrator: &Migrator, container: &ContainerFacts) -> bool {
    let template = case.rollout.newest.template.containers.iter().find(|c| c.name == container.name);
    let started = container.started && template.is_some_and(|c| c.startup.is_some());
    let answers = |f: &Finding| f.newest && f.container.as_ref() == Some(&container.name) && is_answer(f);
    let has_served = started || case.rollout.completed.is_some() || case.findings.iter().any(answers);
    migrator.kind != ContainerKind::Init && has_served
}

/// The program itself answered its readiness probe. Of gRPC only what is quoted is certain to be its answer: the same cause
/// stands for what went wrong on the way.
fn is_answer(finding: &Finding) -> bool {
    match finding.cause {
        Cause::ReadinessHttp => true,
        Cause::ReadinessGrpc => finding.evidence.iter().any(|e| e.text.contains("(responded with \"")),
        _ => false,
    }
}

fn called(migrator: &Migrator) -> String {
    format!("{} container {}", migrator.kind.to_string().to_lowercase(), migrator.container)
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
        .and_then(|around| job(s, rollout, target, around).or_else(|| container(s, rollout, around).map(of_container)))
        .or_else(|| remembered(s, target));
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

/// A Job that began with this rollout or with one before it that left the baseline, and after the baseline was last proven.
fn job(s: &Snapshot, rollout: &Rollout, target: &RevisionFacts, around: &Surroundings) -> Option<String> {
    let proven = baseline::proven(&s.memory.ledger, target);
    let left = proven.unwrap_or(target.created);
    let later = s.revisions.iter().filter(|r| r.uid != target.uid && r.created > left).map(|r| r.created);
    let begun = later.fold(began(rollout), Timestamp::min);
    let job = latest_job(around, after(begun, -BEFORE_SECONDS).max(proven.unwrap_or(Timestamp::MIN)))?;
    Some(format!("Job {} began at {} and migrates a schema ({}; {})", job.name, job.started, job.sign, job.relation))
}

fn began(rollout: &Rollout) -> Timestamp {
    rollout.newest.created.min(rollout.since)
}

fn latest_job(around: &Surroundings, from: Timestamp) -> Option<&JobFacts> {
    around.jobs.iter().filter(|job| job.started >= from).max_by_key(|job| job.started)
}

/// A migrating container of the newest revision that was started in at least one pod, and when: one that cannot be pulled
/// changes nothing.
fn container<'a>(
    s: &Snapshot,
    rollout: &Rollout,
    around: &'a Surroundings,
) -> Option<(&'a Migrator, Option<Timestamp>)> {
    around.migrators.iter().find_map(|migrator| {
        let mut containers = judged_pods(s, &rollout.newest.uid).flat_map(|pod| pod.containers.iter());
        let ran = containers.find(|c| *c.name == *migrator.container && c.has_run())?;
        let started = match &ran.state {
            ContainerState::Running { since } => Some(*since),
            _ => ran.ending().and_then(|ending| ending.started.or(ending.finished)),
        };
        Some((migrator, started))
    })
}

fn of_container((migrator, _): (&Migrator, Option<Timestamp>)) -> String {
    format!("the new revision's {} ran and migrates a schema ({})", called(migrator), migrator.sign)
}

/// A migration that ran with another revision since the baseline was last proven.
fn remembered(s: &Snapshot, target: &RevisionFacts) -> Option<String> {
    let left = baseline::proven(&s.memory.ledger, target).unwrap_or(target.created);
    let others = s.memory.ledger.iter().filter(|e| e.uid != target.uid);
    let migrations = others.filter_map(|e| e.migration.as_ref().map(|migration| (&e.hash, migration)));
    let (hash, Migration { at, by }) = migrations.filter(|(_, m)| m.at >= left).max_by_key(|(_, m)| m.at)?;
    Some(format!("{by} of revision {hash} migrated a schema at {at}, after the baseline was last proven"))
}

/// Notes in the ledger that a migration ran with the newest revision. Another one may be the newest when somebody asks, the
/// pods that ran it gone, and the hour of its Job over.
pub fn remember(
    mut ledger: Vec<LedgerEntry>,
    s: &Snapshot,
    rollout: Option<&Rollout>,
    now: Timestamp,
) -> Vec<LedgerEntry> {
    let Some(rollout) = rollout else { return ledger };
    let newest = rollout.newest;
    let from = after(began(rollout), -BEFORE_SECONDS);
    let known = baseline::entry_of(&ledger, newest).and_then(|e| e.migration.as_ref());
    let Some(around) = surroundings::of_newest(s, newest).filter(|_| known.is_none_or(|known| known.at < from)) else {
        return ledger;
    };
    let job = latest_job(around, from).map(|job| Migration { at: job.started, by: format!("Job {}", job.name).into() });
    let migration = job.or_else(|| {
        let (migrator, started) = container(s, rollout, around)?;
        Some(Migration { at: started.unwrap_or(now).min(now), by: called(migrator).into() })
    });
    if migration.is_some() {
        baseline::amend(&mut ledger, newest, |entry| entry.migration = migration);
    }
    ledger
}
