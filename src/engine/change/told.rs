//! All that changed, the newest that can cause the failure first.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::author::Author;
use super::references::{ReferenceFacts, Sight};
use super::{Change, ChangeKind, nodes};
use crate::engine::evidence::judged_pods;
use crate::engine::facts::{PodFacts, RevisionFacts, Snapshot, WorkloadFacts};
use crate::engine::finding::Finding;
use crate::engine::knowledge;
use crate::engine::moment::after;
use crate::engine::surroundings::{self, Surroundings};
use crate::engine::words::{Aspect, Cause, Class, ContainerKind};

/// Changes kept of one incident.
const KEPT: usize = 24;
/// What changed up to this long before the rollout or the failure, whichever is earlier, is told. Seconds.
pub const WINDOW_SECONDS: i64 = 3600;

/// What changed since the workload last did well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WhatChanged {
    /// The ReplicaSet or ControllerRevision that the failing one is compared with; absent where there is nothing to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub compared_with: Option<String>,
    /// Who shipped the failing template.
    pub author: Author,
    /// The template differs by the mark of `kubectl rollout restart` alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub restart_only: bool,
    /// What can cause the failure comes first, and of that the newest.
    #[schemars(length(max = 24))]
    pub changes: Vec<Change>,
    /// How many more there are.
    #[schemars(range(min = 0))]
    #[serde(skip_serializing_if = "is_zero")]
    pub omitted: u32,
    /// What could not be looked at, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 256)))]
    pub not_looked_at: Vec<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What is told about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub failing: &'a RevisionFacts,
    /// Since when it is rolled out.
    pub since: Timestamp,
    /// UID of the ReplicaSet to compare with.
    pub baseline: Option<&'a str>,
}

/// Since when changes matter to a failure that began at `onset`.
pub fn window(subject: &Subject, onset: Timestamp) -> Timestamp {
    after(subject.since.min(subject.failing.created).min(onset), -WINDOW_SECONDS)
}

/// Rollouts of others that are told.
const ROLLOUTS: usize = 8;

/// The latest rollouts of other workloads, the newest first.
pub fn latest(rollouts: impl Iterator<Item = Change>) -> Vec<Change> {
    let mut latest: Vec<Change> = rollouts.collect();
    latest.sort_by_key(|change| Reverse(change.at));
    latest.truncate(ROLLOUTS);
    latest
}

/// What another workload did within the window. Of what is no Deployment new pods alone tell of no rollout.
pub fn rolled_out(workload: &WorkloadFacts, revisions: &[Arc<RevisionFacts>], since: Timestamp) -> Option<Change> {
    let newest = revisions.iter().max_by_key(|r| r.order()).filter(|r| r.created >= since)?;
    let text = match &*workload.kind {
        // Of a Deployment that was not seen there are pods alone too.
        "Deployment" if newest.number > 0 => format!("rolled out revision {} ({})", newest.number, newest.hash),
        "Deployment" => return None,
        _ if newest.template.digest == 0 || revisions.len() < 2 => return None,
        _ => format!("rolled out revision {}", newest.hash),
    };
    Some(Change {
        kind: ChangeKind::Rollout,
        aspect: None,
        subject: format!("{} {}", workload.kind, workload.name),
        text,
        at: Some(newest.created),
        by: None,
        relevant: false,
    })
}

/// Puts together what is known of the templates and their objects with what else was `seen` to change.
pub fn tell(
    s: &Snapshot,
    subject: &Subject,
    lead: Option<&Finding>,
    (seen, mut gaps): (Vec<Change>, Vec<String>),
    now: Timestamp,
) -> WhatChanged {
    let around = surroundings::of_newest(s, subject.failing);
    let baseline = s.revisions.iter().find(|r| Some(&*r.uid) == subject.baseline).map(AsRef::as_ref);
    let since = window(subject, lead.map_or(now, |f| f.onset));
    let mut changes = seen;
    if let Some(around) = around {
        changes.extend(template(around, subject.failing));
        let known = proven(s, baseline).unwrap_or(since);
        changes.extend(around.references.iter().filter_map(|r| reference(r, known, around.baseline.is_some())));
        changes.extend(around.jobs.iter().filter(|job| job.started >= since).map(|job| Change {
            kind: ChangeKind::Migration,
            aspect: None,
            subject: format!("Job {}", job.name),
            text: super::bounded(&format!("a migration ran ({}; {})", job.sign, job.relation)),
            at: Some(job.started),
            by: None,
            relevant: false,
        }));
    }
    changes.extend(injected(s, subject.failing, baseline));
    if let Some(lead) = lead {
        changes.iter_mut().for_each(|change| change.relevant = is_relevant(change, lead));
    }
    let nodes = nodes::changes(s, subject.failing, lead, since);
    changes.extend(nodes.dated);
    // What is without a time is so now: an object that is gone, a node under pressure.
    changes.sort_by_key(|change| (!change.relevant, change.at.is_some(), Reverse(change.at)));
    // Of what may be as old as the node itself it is not known that it changed.
    let relevant = changes.partition_point(|change| change.relevant);
    changes.splice(relevant..relevant, nodes.undated);
    let cut = changes.len().saturating_sub(KEPT);
    changes.truncate(KEPT);
    // Names are as long as whoever reads the objects lets them be.
    changes.iter_mut().for_each(|change| change.subject = super::shown(&change.subject, super::MAX_SUBJECT));
    let omitted = around.map_or(0, |around| around.difference.omitted);
    let mut not_looked_at = around.map(|around| around.gaps.clone()).unwrap_or_default();
    if around.is_none() {
        not_looked_at.push("the templates and the objects that they name were not read in time".to_owned());
    }
    gaps.retain(|gap| !not_looked_at.contains(gap));
    not_looked_at.extend(gaps);
    not_looked_at.truncate(8);
    WhatChanged {
        compared_with: baseline.filter(|_| around.is_some_and(|a| a.baseline.is_some())).map(|b| b.name.to_string()),
        author: around.map(|around| around.author.clone()).unwrap_or_default(),
        restart_only: around.is_some_and(|around| around.difference.restart_only),
        changes,
        omitted: u32::try_from(cut.saturating_add(nodes.omitted).saturating_add(omitted)).unwrap_or(u32::MAX),
        not_looked_at,
    }
}

fn proven(s: &Snapshot, revision: Option<&RevisionFacts>) -> Option<Timestamp> {
    s.memory.ledger.iter().find(|e| Some(&e.uid) == revision.map(|r| &r.uid)).and_then(|e| e.healthy_since)
}

fn template(around: &Surroundings, newest: &RevisionFacts) -> Vec<Change> {
    let mut changes = around.difference.changes.clone();
    for change in changes.iter_mut().filter(|change| change.at.is_none()) {
        change.at = around.author.at.or(Some(newest.created));
        change.by.clone_from(&around.author.manager);
    }
    changes
}

/// An object that is gone, or that changed after `since`.
fn reference(r: &ReferenceFacts, since: Timestamp, is_compared: bool) -> Option<Change> {
    let kind = match r.reference.kind {
        super::references::ReferenceKind::ConfigMap => ChangeKind::ConfigMap,
        super::references::ReferenceKind::Secret => ChangeKind::Secret,
        _ => ChangeKind::Object,
    };
    let whose = match (r.newest.is_some(), r.baseline.is_some()) {
        (true, true) => "both revisions name it",
        (true, false) if !is_compared => "the failing pods name it",
        (true, false) => "the failing revision names it",
        _ => "the baseline names it",
    };
    let (at, by, text) = match &r.sight {
        Sight::Unseen => return None,
        Sight::Missing if !r.is_required() => return None,
        Sight::Missing => (None, None, format!("does not exist; {whose}")),
        Sight::Present { created, written } => {
            let at = r.changed().filter(|at| *at > since)?;
            let keys = written.as_ref().map(|w| w.keys.join(", ")).filter(|keys| !keys.is_empty());
            let keys = keys.map(|keys| format!(" (keys {keys})")).unwrap_or_default();
            let verb = if at == *created { "created" } else { "changed" };
            if !r.is_configuration() && verb == "changed" {
                return None;
            }
            (Some(at), written.as_ref().map(|w| w.by.clone()), format!("{verb}{keys}; {whose}"))
        }
    };
    let subject = r.reference.to_string();
    Some(Change { kind, aspect: None, subject, text: super::bounded(&text), at, by, relevant: false })
}

/// Containers that pods have and their template does not: a webhook put them in.
fn injected(s: &Snapshot, newest: &RevisionFacts, baseline: Option<&RevisionFacts>) -> Vec<Change> {
    let names = |revision: &RevisionFacts| {
        let own = |name: &str| revision.template.containers.iter().any(|c| &*c.name == name);
        let pod = judged_pods(s, &revision.uid).max_by_key(|p: &&PodFacts| (p.created, p.uid.clone()))?;
        let foreign = pod.containers.iter().filter(|c| !own(&c.name));
        Some(foreign.map(|c| (c.kind, c.name.clone())).collect::<Vec<_>>())
    };
    let Some(now) = names(newest) else { return Vec::new() };
    let before = baseline.and_then(names);
    let said = |(kind, name): &(ContainerKind, crate::engine::facts::Name), text: String| {
        let subject = format!("{} container {name}", kind.to_string().to_lowercase());
        Change::of_template(Aspect::Containers, &subject, text)
    };
    match before {
        Some(before) => {
            let added = now.iter().filter(|c| !before.contains(c));
            let added =
                added.map(|c| said(c, "injected into the failing revision's pods, not the baseline's".to_owned()));
            let gone = before.iter().filter(|c| !now.contains(c));
            let gone =
                gone.map(|c| said(c, "injected into the baseline's pods, not the failing revision's".to_owned()));
            added.chain(gone).collect()
        }
        None => Vec::new(),
    }
}

/// The change is of a kind that can cause the failure.
fn is_relevant(change: &Change, lead: &Finding) -> bool {
    let about = knowledge::about(lead.class, lead.cause);
    let can = |aspect: Aspect| about.aspects.contains(&aspect);
    let calls = matches!(
        lead.cause,
        Cause::DependencyUnreachable
            | Cause::UpstreamTimeout
            | Cause::DnsFailure
            | Cause::DatabaseUnavailable
            | Cause::TlsFailure
    );
    match change.kind {
        ChangeKind::Template => change.aspect.is_some_and(|aspect| {
            can(aspect) || (change.subject.starts_with("init container") && can(Aspect::InitContainers))
        }),
        ChangeKind::ConfigMap | ChangeKind::Secret => can(Aspect::Environment) || can(Aspect::Volumes),
        ChangeKind::Object => can(Aspect::ServiceAccount) || can(Aspect::Volumes) || can(Aspect::Scheduling),
        ChangeKind::Migration => can(Aspect::Environment),
        ChangeKind::Quota => lead.class == Class::CreateRefused,
        // Said by `nodes`.
        ChangeKind::Node => change.relevant,
        ChangeKind::NetworkPolicy | ChangeKind::Service => calls || lead.class == Class::Unready,
        ChangeKind::Autoscaler => lead.class == Class::Pending,
        ChangeKind::Rollout => calls,
    }
}
