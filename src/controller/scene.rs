//! What an incident tells beside what failed: what changed, who suffers, and when it first showed. Read after the
//! action, once, and written with the status that is written anyway.

use std::time::Duration;

use jiff::Timestamp;

use super::act::Work;
use super::context::Context;
use crate::api::Incident;
use crate::api::incident::IncidentStatus;
use crate::cluster::around::scene::{self, Question};
use crate::cluster::store::WorkloadKey;
use crate::engine::blast_radius::{self, BlastRadius, Scene};
use crate::engine::change::told::{self, WhatChanged};
use crate::engine::change::{Change, ChangeKind};
use crate::engine::facts::{RevisionFacts, Snapshot};
use crate::engine::finding::Finding;
use crate::engine::first_signal::{self, FirstSignal};
use crate::engine::kin::Belongings;
use crate::engine::{rollout, surroundings};

/// All of it together takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(3);
/// Other workloads that fail and are compared.
const COMPARED: usize = 20;
/// Rollouts of other workloads that are told.
const ROLLOUTS: usize = 8;

/// What is added to an incident.
#[derive(Debug)]
pub struct Told {
    what_changed: WhatChanged,
    blast_radius: BlastRadius,
    first_signal: Option<FirstSignal>,
}

impl Told {
    /// Puts it into a status; the first signal stays the earliest.
    pub fn add_to(self, status: &mut IncidentStatus) {
        status.what_changed = Some(self.what_changed);
        status.blast_radius = Some(self.blast_radius);
        let earlier = |known: &FirstSignal| self.first_signal.as_ref().is_none_or(|new| known.at <= new.at);
        if !status.first_signal.as_ref().is_some_and(earlier) {
            status.first_signal = self.first_signal;
        }
    }
}

/// Looks around the workload, if the incident does not tell of it yet and its failing revision still is the newest.
pub async fn tell(ctx: &Context, work: &Work<'_>, incident: &Incident) -> Option<Told> {
    let now = work.now;
    let known = incident.status.as_ref().is_some_and(|status| status.blast_radius.is_some());
    let newest = rollout::current(work.s, now).map(|rollout| rollout.newest.uid.clone());
    if known || newest.as_ref() != Some(&incident.spec.opened.failing.uid) {
        return None;
    }
    let s = &informed(ctx, work).await;
    let rollout = rollout::current(s, now)?;
    let findings = &work.decision.findings;
    let lead = findings.iter().find(|f| f.newest && f.sufficient).or(incident.spec.opened.findings.first());
    let since = told::window(s, lead.map_or(now, |f| f.onset), now);
    let (scene, mut changes, gaps) = look(ctx, work, s, (rollout.newest, since)).await;
    changes.extend(rollouts(ctx, work.key, since));
    let baseline = surroundings::compared(s, work.decision, now).and_then(|(_, baseline)| baseline);
    let signals = first_signal::of_findings(findings).chain(first_signal::of_conditions(s, now));
    Some(Told {
        what_changed: told::tell(s, lead, baseline.as_ref().map(|b| &*b.uid), (changes, gaps), now),
        blast_radius: blast_radius::assess(s, findings, scene),
        first_signal: first_signal::earliest(signals, incident.spec.opened.at),
    })
}

/// The snapshot with what lies around, which an action did not wait for.
async fn informed(ctx: &Context, work: &Work<'_>) -> Snapshot {
    let s = work.s.clone();
    match &s.surroundings {
        Some(_) => s,
        None => Snapshot { surroundings: ctx.inquiries.wait(work.key).await, ..s },
    }
}

/// What is seen around, the changes of it, and what of either could not be looked at.
async fn look(
    ctx: &Context,
    work: &Work<'_>,
    s: &Snapshot,
    (newest, since): (&RevisionFacts, Timestamp),
) -> (Scene, Vec<Change>, Vec<String>) {
    let blind = |gap: &str| {
        let gaps = vec![gap.to_owned()];
        (Scene { gaps: gaps.clone(), ..Scene::default() }, Vec::new(), gaps)
    };
    if !ctx.inquiries.looks_around() {
        return blind("Services, routes and policies (not to be looked at)");
    }
    let Some(around) = &s.surroundings else {
        return blind("Services, routes and policies (the labels of the pods were not read in time)");
    };
    let question = Question {
        namespace: &s.workload.namespace,
        workload: &s.workload.name,
        labels: &around.labels,
        since,
        ours: belongings(s, newest, &work.decision.findings),
        failing: failing(ctx, work.key),
    };
    let looked = tokio::time::timeout(PATIENCE, scene::look(&ctx.client, &question)).await;
    looked.unwrap_or_else(|_| blind("Services, routes and policies (no answer in time)"))
}

/// What the workload uses, as far as the stores know.
fn belongings(s: &Snapshot, newest: &RevisionFacts, findings: &[Finding]) -> Belongings {
    let failing = |name: &str| findings.iter().any(|f| f.pods.iter().any(|pod| &**pod == name));
    let nodes = s.pods.iter().filter(|p| failing(&p.name)).filter_map(|p| p.node.as_ref());
    let objects = s.surroundings.iter().flat_map(|around| &around.references).filter(|r| r.newest);
    Belongings {
        images: newest.template.containers.iter().map(|c| c.image.to_string()).collect(),
        nodes: nodes.map(ToString::to_string).collect(),
        objects: objects.map(|r| r.reference.to_string()).collect(),
    }
}

/// The other workloads that fail now.
fn failing(ctx: &Context, key: &WorkloadKey) -> Vec<(String, String, Belongings)> {
    let others = ctx.fleet.failing().into_iter().filter(|other| other != key).take(COMPARED);
    let known = others.filter_map(|other| {
        let (workload, revisions, pods, _) = ctx.stores.workload(&other)?;
        let newest = revisions.iter().find(|r| r.template.digest == workload.template_digest)?;
        let broken = pods.iter().filter(|p| p.revision == newest.uid && !p.ready);
        let belongings = Belongings {
            images: newest.template.containers.iter().map(|c| c.image.to_string()).collect(),
            nodes: broken.filter_map(|p| p.node.as_ref()).map(ToString::to_string).collect(),
            ..Belongings::default()
        };
        Some((other.namespace.to_string(), other.name.to_string(), belongings))
    });
    known.collect()
}

/// Other workloads of the namespace that were rolled out lately, the newest first.
fn rollouts(ctx: &Context, key: &WorkloadKey, since: Timestamp) -> Vec<Change> {
    let others = ctx.stores.keys().into_iter().filter(|other| other.namespace == key.namespace && other != key);
    let mut changes: Vec<Change> = others
        .filter_map(|other| {
            let (_, revisions, _, _) = ctx.stores.workload(&other)?;
            let newest = revisions.iter().max_by_key(|r| (r.number, r.created)).filter(|r| r.created >= since)?;
            Some(Change {
                kind: ChangeKind::Rollout,
                aspect: None,
                subject: format!("Deployment {}", other.name),
                text: format!("rolled out revision {} ({})", newest.number, newest.hash),
                at: Some(newest.created),
                by: None,
                relevant: false,
            })
        })
        .collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.at));
    changes.truncate(ROLLOUTS);
    changes
}
