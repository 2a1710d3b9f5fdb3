//! What an incident tells beside what failed: what changed, who suffers, and when it first showed. Read after the
//! action, once, and written with the status that is written anyway; again only when it gets worse while nothing is done.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::act::Work;
use super::context::Context;
use super::record;
use crate::api::Incident;
use crate::api::incident::IncidentStatus;
use crate::cluster::around::Source;
use crate::cluster::around::scene::{self, Question};
use crate::cluster::store::WorkloadKey;
use crate::engine::blast_radius::{self, BlastRadius, Replicas, Scene};
use crate::engine::builtin;
use crate::engine::change::Change;
use crate::engine::change::told::{self, Subject, WhatChanged};
use crate::engine::decision::Progress;
use crate::engine::facts::{Name, RevisionFacts, Snapshot};
use crate::engine::finding::Finding;
use crate::engine::first_signal::{self, FirstSignal};
use crate::engine::kin::{self, Fellow};
use crate::engine::policy::Policy;
use crate::engine::rollout::{self, Rollout};
use crate::engine::surroundings;
use crate::engine::words::Severity;

/// All of it together takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(3);
/// What an installation for single namespaces does without.
const NODE_EVENTS: &str = "events of nodes (no right to watch events in namespace default)";

/// What is added to an incident.
#[derive(Debug)]
pub struct Told {
    at: Timestamp,
    what_changed: WhatChanged,
    blast_radius: BlastRadius,
    first_signal: Option<FirstSignal>,
    /// The incident is not less urgent than this.
    least: Severity,
}

impl Told {
    /// Puts it into a status; the first signal stays the earliest, and what changed as it was told first.
    pub fn add_to(self, status: &mut IncidentStatus) {
        status.what_changed.get_or_insert(self.what_changed);
        if status.blast_radius.is_some() {
            let effect = self.blast_radius.effect.to_string();
            record::tell(status, self.at, &effect, self.blast_radius.because.clone());
        }
        status.severity = Some(self.blast_radius.severity.max(self.least));
        status.blast_radius = Some(self.blast_radius);
        let earlier = |known: &FirstSignal| self.first_signal.as_ref().is_none_or(|new| known.at <= new.at);
        if !status.first_signal.as_ref().is_some_and(earlier) {
            status.first_signal = self.first_signal;
        }
    }
}

/// What an incident is about, as it was or still is.
struct Case {
    s: Snapshot,
    failing: Arc<RevisionFacts>,
    /// Since when it is rolled out.
    since: Timestamp,
    baseline: Option<Name>,
    findings: Vec<Finding>,
    replicas: Replicas,
}

/// Looks around the workload, if the incident does not tell of it yet, or if it got worse while nothing was done.
pub async fn tell(ctx: &Context, work: &Work<'_>, incident: &Incident, progress: Progress) -> Option<Told> {
    let known = incident.status.as_ref().and_then(|status| status.blast_radius.as_ref());
    let rollout = rollout::current(work.s, work.now);
    let shipped = rollout.filter(|rollout| rollout.newest.uid == incident.spec.opened.failing.uid);
    let worse = |known: &BlastRadius| {
        progress == Progress::Held && blast_radius::is_worse(work.s, &work.decision.findings, known)
    };
    let case = match (known, shipped) {
        (Some(known), Some(_)) if !worse(known) => return None,
        (Some(_), None) => return None,
        (_, Some(rollout)) => present(ctx, work, &rollout).await,
        // The process that acted ended before it could tell.
        (None, None) => past(ctx, work, incident).await?,
    };
    let s = &case.s;
    let opened = &incident.spec.opened;
    let subject = Subject { failing: &case.failing, since: case.since, baseline: case.baseline.as_deref() };
    let lead = case.findings.iter().find(|f| f.is_evident()).or(opened.findings.first());
    let since = told::window(&subject, lead.map_or(work.now, |f| f.onset));
    let (scene, mut changes, mut gaps) = look(ctx, work, &case, since).await;
    changes.extend(rollouts(ctx, work.key, since));
    if s.events.read && !s.events.of_nodes {
        gaps.push(NODE_EVENTS.to_owned());
    }
    let signals = first_signal::of_all(s, (&case.failing, case.since), &case.findings);
    Some(Told {
        at: work.now,
        what_changed: told::tell(s, &subject, lead, (changes, gaps), work.now),
        blast_radius: blast_radius::assess(s, case.replicas, scene),
        first_signal: first_signal::earliest(signals, opened.at),
        least: lead.map_or(Severity::Info, |lead| least(&s.policy, &lead.rule)),
    })
}

/// A rule that somebody wrote says how urgent its failures are at least.
fn least(policy: &Policy, rule: &str) -> Severity {
    let builtin = builtin::rules().iter().any(|known| known.name == rule);
    let written = policy.rules.iter().find(|known| known.name == rule).filter(|_| !builtin);
    written.map_or(Severity::Info, |rule| rule.severity)
}

/// The failing revision is still the newest.
async fn present(ctx: &Context, work: &Work<'_>, rollout: &Rollout<'_>) -> Case {
    let mut s = work.s.clone();
    if s.surroundings.is_none() {
        // An action did not wait for it.
        s.surroundings = ctx.inquiries.wait(work.key).await;
    }
    let baseline = surroundings::compared(&s, work.decision, work.now).and_then(|(_, baseline)| baseline);
    let findings = work.decision.findings.clone();
    Case {
        failing: Arc::new(rollout.newest.clone()),
        since: rollout.since,
        baseline: baseline.map(|baseline| baseline.uid),
        replicas: blast_radius::replicas(&s, &findings),
        findings,
        s,
    }
}

/// Another revision is the newest by now: what is told is what the incident was opened with, and what still shows.
async fn past(ctx: &Context, work: &Work<'_>, incident: &Incident) -> Option<Case> {
    let opened = &incident.spec.opened;
    let failing = work.s.revisions.iter().find(|revision| revision.uid == opened.failing.uid)?.clone();
    let baseline = incident.intent().map(|intent| intent.target.clone());
    let baseline = baseline.or_else(|| incident.status.as_ref()?.baseline.clone());
    let around = ctx.inquiries.read(work.key, opened.failing.clone(), baseline.clone()).await;
    let s = Snapshot { surroundings: around, ..work.s.clone() };
    let findings = opened.findings.clone();
    Some(Case {
        since: failing.created,
        failing,
        baseline: baseline.map(|baseline| baseline.uid),
        replicas: opened.replicas.unwrap_or_else(|| blast_radius::replicas(&s, &findings)),
        findings,
        s,
    })
}

/// What is seen around, the changes of it, and what of either could not be looked at.
async fn look(ctx: &Context, work: &Work<'_>, case: &Case, since: Timestamp) -> (Scene, Vec<Change>, Vec<String>) {
    let blind = |gap: &str| {
        let gaps = vec![gap.to_owned()];
        (Scene { gaps: gaps.clone(), ..Scene::default() }, Vec::new(), gaps)
    };
    if !ctx.inquiries.looks_around() {
        return blind("Services, routes and policies (not to be looked at)");
    }
    let s = &case.s;
    let Some(around) = &s.surroundings else {
        return blind("Services, routes and policies (the labels of the pods were not read in time)");
    };
    let question = Question {
        kind: &s.workload.kind,
        namespace: &s.workload.namespace,
        workload: &s.workload.name,
        revision: &case.failing.name,
        labels: &around.labels,
        since,
        ours: kin::ours(s, &case.failing, &case.findings),
        failing: failing(ctx, work.key),
        everywhere: ctx.inquiries.looks_everywhere(),
        every_caller: false,
    };
    let looked = tokio::time::timeout(PATIENCE, scene::look(Source::Cluster(&ctx.client), &question)).await;
    looked.unwrap_or_else(|_| blind("Services, routes and policies (no answer in time)"))
}

/// The other workloads that fail now.
fn failing(ctx: &Context, key: &WorkloadKey) -> Vec<Fellow> {
    let others = ctx.fleet.failing().into_iter().filter(|other| other != key).take(kin::COMPARED);
    let known = others.filter_map(|other| {
        let (workload, revisions, pods, _) = ctx.stores.workload(&other)?;
        Fellow::of(&workload, &revisions, &pods)
    });
    known.collect()
}

/// Other workloads of the namespace that were rolled out lately, the newest first.
fn rollouts(ctx: &Context, key: &WorkloadKey, since: Timestamp) -> Vec<Change> {
    let others = ctx.stores.keys().into_iter().filter(|other| other.namespace == key.namespace && other != key);
    told::latest(others.filter_map(|other| {
        let (workload, revisions, _, _) = ctx.stores.workload(&other)?;
        told::rolled_out(&workload, &revisions, since)
    }))
}
