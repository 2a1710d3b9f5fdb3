//! What lies around the workloads in trouble: what keeps the operator from going back, what changed, and who suffers.
//! Read from the cluster as far as the caller's rights go, or from the other objects of the input.

use std::sync::Arc;

use jiff::Timestamp;

use super::alerts::{self, Alert};
use super::screen::ranked;
use super::{Diagnosed, of_case};
use crate::cluster::around::scene::{self, Question as SceneQuestion};
use crate::cluster::around::{self, Question, Source, shown::NOT_GIVEN};
use crate::cluster::cases::Case;
use crate::engine::blast_radius::{self, BlastRadius};
use crate::engine::change::Change;
use crate::engine::change::told::{self, Subject, WhatChanged};
use crate::engine::decide::decide;
use crate::engine::facts::Snapshot;
use crate::engine::finding::Finding;
use crate::engine::first_signal::{self, FirstSignal};
use crate::engine::kin::{self, Fellow};
use crate::engine::memory::RevisionRef;
use crate::engine::{rollout, surroundings};

/// Workloads whose surroundings are read of a cluster for one answer, and from files.
const MAX_LIVE: usize = 5;
const MAX_GIVEN: usize = 200;

/// What is told beside what fails.
#[derive(Debug)]
pub struct Story {
    pub what_changed: WhatChanged,
    pub blast_radius: BlastRadius,
    pub first_signal: Option<FirstSignal>,
}

/// Where it is read, and whether other namespaces are looked at.
#[derive(Clone, Copy)]
pub struct Reach<'a> {
    pub source: Source<'a>,
    pub everywhere: bool,
    /// What was given beside it.
    pub alerts: &'a [Alert],
    /// The workloads that are not shown: whoever names one hears the same of it as whoever names none.
    pub beside: &'a [Diagnosed],
}

/// Reads what lies around every workload in trouble, and judges it anew. Returns what was left out, for people.
pub async fn surround(source: Source<'_>, workloads: &mut [Diagnosed], now: Timestamp) -> Vec<String> {
    let (chosen, left) = chosen(source, workloads);
    for at in chosen {
        let Some(found) = workloads.get_mut(at) else { continue };
        let Some(question) = question_of(&found.case, now) else { continue };
        let around = around::read(source, &question).await;
        found.case.snapshot.surroundings = Some(Arc::new(around));
        found.diagnosis = of_case(&found.case, now);
    }
    let gap = |left: usize| {
        format!("what is around {left} more workloads was not looked at; naming one with KIND/NAME tells it in full")
    };
    (left > 0).then(|| gap(left)).into_iter().collect()
}

/// What the operator would ask of a Deployment.
pub fn question(s: &Snapshot, now: Timestamp) -> Option<Question> {
    Some(about(s, surroundings::compared(s, &decide(s, now), now)?))
}

fn question_of(case: &Case, now: Timestamp) -> Option<Question> {
    let s = &case.snapshot;
    if case.is_deployment { question(s, now) } else { Some(about(s, surroundings::compared_of_others(s, now)?)) }
}

fn about(s: &Snapshot, (newest, baseline): (RevisionRef, Option<RevisionRef>)) -> Question {
    Question {
        kind: s.workload.kind.clone(),
        namespace: s.workload.namespace.clone(),
        workload: s.workload.name.clone(),
        newest,
        baseline,
        objects: true,
        secrets: true,
        outside: true,
        elsewhere: true,
        // Looking must not be logged as a write.
        try_baseline: false,
    }
}

/// Tells what changed, who suffers and when it began, of the same workloads.
pub async fn tell(reach: Reach<'_>, workloads: &mut [Diagnosed], now: Timestamp) {
    for at in chosen(reach.source, workloads).0 {
        let Some(found) = workloads.get(at) else { continue };
        let story = story(reach, found, workloads, now).await;
        if let Some(found) = workloads.get_mut(at) {
            found.story = story;
        }
    }
}

/// The workloads that are looked at, the worst first, and how many are not.
fn chosen(source: Source<'_>, workloads: &[Diagnosed]) -> (Vec<usize>, usize) {
    let most = if matches!(source, Source::Cluster(_)) { MAX_LIVE } else { MAX_GIVEN };
    let mut all = ranked(workloads);
    let left = all.len().saturating_sub(most);
    all.truncate(most);
    (all, left)
}

async fn story(reach: Reach<'_>, found: &Diagnosed, shown: &[Diagnosed], now: Timestamp) -> Option<Story> {
    let s = &found.case.snapshot;
    let own = super::key(&found.case);
    let others: Vec<&Diagnosed> =
        shown.iter().chain(reach.beside).filter(|other| super::key(&other.case) != own).collect();
    let findings = &found.diagnosis.findings;
    let rollout = if found.case.is_deployment { rollout::current(s, now) } else { rollout::of_others(s, now) }?;
    let around = s.surroundings.as_ref()?;
    let subject = Subject { failing: rollout.newest, since: rollout.since, baseline: around.baseline.as_deref() };
    let lead: Option<&Finding> = findings.iter().find(|f| f.is_evident()).or(findings.first());
    let since = told::window(&subject, lead.map_or(now, |f| f.onset));
    let question = SceneQuestion {
        kind: &s.workload.kind,
        namespace: &s.workload.namespace,
        workload: &s.workload.name,
        revision: &rollout.newest.name,
        labels: &around.labels,
        since,
        ours: kin::ours(s, rollout.newest, findings),
        failing: failing(&others),
        everywhere: reach.everywhere,
        every_caller: true,
    };
    let (scene, mut changes, gaps) = scene::look(reach.source, &question).await;
    changes.extend(rollouts(&s.workload.namespace, &others, since));
    let signals = first_signal::of_all(s, (rollout.newest, rollout.since), findings);
    let signals = signals.chain(alerts::of(reach.alerts, s, rollout.since));
    Some(Story {
        what_changed: told::tell(s, &subject, lead, (changes, gaps), now),
        blast_radius: blast_radius::assess(s, blast_radius::replicas(s, findings), scene),
        first_signal: first_signal::earliest(signals, now),
    })
}

/// Those of the other workloads that fail.
fn failing(others: &[&Diagnosed]) -> Vec<Fellow> {
    let failing = others.iter().filter(|other| super::is_failing(other.diagnosis.state));
    let failing = failing.map(|other| &other.case.snapshot);
    failing.filter_map(|s| Fellow::of(&s.workload, &s.revisions, &s.pods)).take(kin::COMPARED).collect()
}

/// Other workloads of the namespace that were rolled out lately, the newest first.
fn rollouts(namespace: &str, others: &[&Diagnosed], since: Timestamp) -> Vec<Change> {
    let near = others.iter().map(|other| &other.case.snapshot).filter(|s| *s.workload.namespace == *namespace);
    told::latest(near.filter_map(|s| told::rolled_out(&s.workload, &s.revisions, since)))
}

impl Story {
    /// What was not looked at, each kind once; what the input lacks in one item.
    pub fn unseen(&self) -> Vec<String> {
        let mut all: Vec<&str> = Vec::new();
        for gap in self.what_changed.not_looked_at.iter().chain(&self.blast_radius.not_looked_at) {
            if !all.contains(&gap.as_str()) {
                all.push(gap);
            }
        }
        let lacking = format!(" ({NOT_GIVEN})");
        let (absent, other): (Vec<&str>, Vec<&str>) = all.into_iter().partition(|gap| gap.ends_with(&lacking));
        let absent: Vec<&str> = absent.iter().filter_map(|gap| gap.strip_suffix(&lacking)).collect();
        let absent = (!absent.is_empty()).then(|| format!("{}{lacking}", absent.join(", ")));
        absent.into_iter().chain(other.into_iter().map(str::to_owned)).collect()
    }
}
