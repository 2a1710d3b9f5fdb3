//! How much evidence there is: symptoms are gathered into findings and counted against the rule that governs them.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::classify;
use super::facts::{Name, PodFacts, Snapshot};
use super::finding::{Finding, Subject, Symptom};
use super::knowledge;
use super::moment::{after, earliest};
use super::policy::{Rule, Threshold};
use super::rollout::Rollout;
use super::words::{Cause, Class, Confidence, Fault, Sureness};

/// Names of pods shown in a finding.
const SHOWN_PODS: usize = 10;
/// Pieces of evidence shown in a finding.
const SHOWN_EVIDENCE: usize = 3;

/// All findings of a workload, the newest revision's sufficient ones first.
#[derive(Debug, Default)]
pub struct Weighed {
    pub findings: Vec<Finding>,
    /// When a count that is now too low may have risen by time alone.
    pub next_look: Option<Timestamp>,
}

/// Gathers and counts. `rules` are asked in order; a finding that no rule matches is never sufficient.
pub fn weigh(s: &Snapshot, symptoms: &[Symptom], rollout: Option<&Rollout>, now: Timestamp) -> Weighed {
    let mut groups: Vec<Group> = Vec::new();
    for symptom in symptoms {
        match groups.iter_mut().find(|g| g.holds(symptom)) {
            Some(group) => group.symptoms.push(*symptom),
            None => groups.push(Group::new(s, *symptom)),
        }
    }
    let mut next_look = None;
    let newest = rollout.map(|r| r.newest.uid.clone());
    let mut findings: Vec<Finding> = Vec::with_capacity(groups.len());
    for group in &groups {
        let (finding, next) = group.finding(s, &groups, newest.as_ref(), now);
        next_look = earliest(next_look, next);
        findings.push(finding);
    }
    findings.sort_by(|a, b| {
        let rank = |f: &Finding| (!f.newest, !f.sufficient, f.sureness == Sureness::Excluded, f.class, f.cause);
        rank(a).cmp(&rank(b)).then_with(|| a.container.cmp(&b.container)).then_with(|| a.revision.cmp(&b.revision))
    });
    Weighed { findings, next_look }
}

/// Symptoms of one kind on one revision.
struct Group<'a> {
    class: Class,
    cause: Cause,
    container: Option<&'a str>,
    revision: Option<Name>,
    rule: Option<&'a Rule>,
    symptoms: Vec<Symptom<'a>>,
}

impl<'a> Group<'a> {
    fn new(s: &'a Snapshot, symptom: Symptom<'a>) -> Self {
        let container = symptom.container.map(|c| &*c.name);
        let rule = s.policy.rules.iter().find(|r| matches(r, symptom.class, symptom.cause, container));
        let (class, cause) = (symptom.class, symptom.cause);
        Self { class, cause, container, revision: revision_of(&symptom), rule, symptoms: vec![symptom] }
    }

    fn holds(&self, symptom: &Symptom) -> bool {
        self.class == symptom.class
            && self.cause == symptom.cause
            && self.container == symptom.container.map(|c| &*c.name)
            && self.revision == revision_of(symptom)
    }

    fn finding(
        &self,
        s: &Snapshot,
        groups: &[Group],
        newest: Option<&Name>,
        now: Timestamp,
    ) -> (Finding, Option<Timestamp>) {
        let total = self.revision.as_ref().map_or(1, |uid| judged_pods(s, uid).count()).max(1);
        let none = Threshold::default();
        let threshold = self.rule.map_or(&none, |r| &r.threshold);
        let counted = counted_pods(groups.iter().filter(|g| g.shares_rule(self)), now);
        let needed_pods = needed_pods(threshold, total);
        let sureness = self.symptoms.first().map_or(Sureness::Excluded, |x| x.sureness);
        let sufficient = self.rule.is_some()
            && sureness != Sureness::Excluded
            && self.symptoms.iter().any(|x| reached(x, threshold, now))
            && counted >= needed_pods;
        let about = knowledge::about(self.class, self.cause);
        let revision = s.revisions.iter().find(|r| Some(&r.uid) == self.revision.as_ref());
        let finding = Finding {
            class: self.class,
            cause: self.cause,
            container: self.container.map(Name::from),
            container_kind: self.symptoms.first().and_then(|x| x.container).map(|c| c.kind),
            revision: revision.map_or_else(|| Name::from(""), |r| r.hash.clone()),
            newest: self.revision.as_ref().is_none_or(|uid| Some(uid) == newest),
            pods: self.pod_names(),
            failing_pods: count(self.symptoms.len()),
            total_pods: count(total),
            sureness,
            occurrences: self.symptoms.iter().map(|x| x.occurrences).max().unwrap_or_default(),
            needed: needed(sureness, threshold),
            counted_pods: count(counted),
            needed_pods: count(needed_pods),
            sufficient,
            rule: self.rule.map_or_else(String::new, |r| r.name.clone()),
            onset: self.symptoms.iter().map(|x| x.onset).min().unwrap_or(now),
            fault: Fault::Unknown,
            confidence: Confidence::Possible,
            rollback: about.rollback,
            evidence: self.symptoms.iter().take(SHOWN_EVIDENCE).map(classify::evidence).collect(),
            rejected: Vec::new(),
            next_steps: knowledge::next_steps(s, self.class, self.symptoms.first()),
        };
        let next = self.symptoms.iter().filter_map(|x| becomes_due(x, threshold, now)).min();
        (finding, next)
    }

    /// Failures of one revision that one rule governs add up, so that pods failing in two ways are not half as bad.
    fn shares_rule(&self, other: &Group) -> bool {
        self.revision == other.revision && self.rule.map(|r| &r.name) == other.rule.map(|r| &r.name)
    }

    fn pod_names(&self) -> Vec<Name> {
        let mut names: Vec<Name> = self
            .symptoms
            .iter()
            .filter_map(|x| match x.subject {
                Subject::Pod(pod) => Some(pod.name.clone()),
                Subject::Revision(_) | Subject::Workload => None,
            })
            .collect();
        names.sort();
        names.truncate(SHOWN_PODS);
        names
    }
}

/// The rule governs failures of this kind.
pub fn matches(rule: &Rule, class: Class, cause: Cause, container: Option<&str>) -> bool {
    let m = &rule.matches;
    (m.failures.is_empty() || m.failures.contains(&class))
        && (m.causes.is_empty() || m.causes.contains(&cause))
        && (m.containers.is_empty() || container.is_some_and(|c| m.containers.iter().any(|name| name == c)))
}

/// Pods of a revision that can speak for or against it: those going away or already taken away cannot.
pub fn judged_pods<'a>(s: &'a Snapshot, revision: &'a Name) -> impl Iterator<Item = &'a PodFacts> {
    s.pods
        .iter()
        .map(AsRef::as_ref)
        .filter(move |p| &p.revision == revision && !p.deleting && !p.finished && p.disruption.is_none())
}

fn revision_of(symptom: &Symptom) -> Option<Name> {
    match symptom.subject {
        Subject::Pod(pod) => Some(pod.revision.clone()),
        Subject::Revision(revision) => Some(revision.uid.clone()),
        Subject::Workload => None,
    }
}

/// Pods, or other subjects, of which at least one symptom has been seen often and long enough.
fn counted_pods<'a, 'b: 'a>(groups: impl Iterator<Item = &'a Group<'b>>, now: Timestamp) -> usize {
    let mut subjects = BTreeSet::new();
    let none = Threshold::default();
    for group in groups {
        let threshold = group.rule.map_or(&none, |r| &r.threshold);
        for symptom in group.symptoms.iter().filter(|x| reached(x, threshold, now)) {
            subjects.insert(match symptom.subject {
                Subject::Pod(pod) => &*pod.uid,
                Subject::Revision(revision) => &*revision.uid,
                Subject::Workload => "",
            });
        }
    }
    subjects.len()
}

/// One subject shows it often enough and has shown it long enough.
fn reached(symptom: &Symptom, threshold: &Threshold, now: Timestamp) -> bool {
    symptom.sureness != Sureness::Excluded
        && symptom.occurrences >= needed(symptom.sureness, threshold)
        && due(symptom, threshold) <= now
}

/// How often it must have been seen.
fn needed(sureness: Sureness, threshold: &Threshold) -> u32 {
    match sureness {
        Sureness::Definitive | Sureness::Timed | Sureness::Excluded => 1,
        Sureness::Repeated => threshold.attempts.unwrap_or(2),
        Sureness::Counted => threshold.exits.unwrap_or(2),
        Sureness::Flapping => threshold.flaps.unwrap_or(3),
    }
}

/// When it will have lasted long enough.
fn due(symptom: &Symptom, threshold: &Threshold) -> Timestamp {
    let grace = if symptom.sureness == Sureness::Timed { symptom.grace_seconds } else { 0 };
    after(symptom.onset, threshold.for_seconds.unwrap_or(grace))
}

/// When time alone will make the symptom count.
fn becomes_due(symptom: &Symptom, threshold: &Threshold, now: Timestamp) -> Option<Timestamp> {
    if symptom.sureness == Sureness::Excluded {
        return None;
    }
    if symptom.occurrences < needed(symptom.sureness, threshold) {
        // Some statuses look the same at every attempt; then time tells how often the kubelet must have tried.
        let tries = i64::from(needed(symptom.sureness, threshold).saturating_sub(1));
        let tried = after(symptom.onset, classify::RETRY_SECONDS.saturating_mul(tries));
        return Some(tried).filter(|at| symptom.sureness == Sureness::Repeated && *at > now);
    }
    Some(due(symptom, threshold)).filter(|at| *at > now)
}

/// How many of `total` pods must show it: a number or a percentage, rounded up, at least one and at most all.
fn needed_pods(threshold: &Threshold, total: usize) -> usize {
    let text = threshold.pods.as_deref().unwrap_or("50%");
    let wanted = match text.strip_suffix('%') {
        Some(percent) => percent.parse::<usize>().map_or(total, |p| total.saturating_mul(p).div_ceil(100)),
        None => text.parse::<usize>().unwrap_or(total),
    };
    wanted.clamp(1, total.max(1))
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
