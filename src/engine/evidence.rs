//! How much evidence there is: symptoms are gathered into findings and counted against the rule that governs them.

mod counted;
mod seen;

use std::cmp::Ordering;

use jiff::Timestamp;

use super::classify;
use super::facts::{Name, PodFacts, RevisionFacts, Snapshot};
use super::finding::{Detail, Evidence, Finding, Spread, Subject, Symptom};
use super::knowledge;
use super::listen;
use super::moment::earliest;
use super::patterns::Patterns;
use super::policy::{Rule, Threshold};
use super::rollout::Rollout;
use super::words::{Cause, Class, Confidence, Fault, Sureness};
use counted::Counted;
use seen::{Seen, Sum};

/// Names of pods shown in a finding.
const SHOWN_PODS: usize = 10;
/// Statuses shown in a finding.
const SHOWN_EVIDENCE: usize = 3;

/// All findings of a workload, the newest revision's sufficient ones first.
#[derive(Debug, Default)]
pub struct Weighed {
    pub findings: Vec<Finding>,
    /// When a count that is now too low may have risen by time alone.
    pub next_look: Option<Timestamp>,
    /// When the evidence against the newest revision began to suffice.
    pub evident_since: Option<Timestamp>,
}

/// Gathers and counts. `rules` are asked in order; a finding that no rule matches is never sufficient.
pub fn weigh(s: &Snapshot, symptoms: &[Symptom], rollout: Option<&Rollout>, now: Timestamp) -> Weighed {
    let groups = groups(s, symptoms, now);
    let (mut next_look, mut evident_since) = (None, None);
    let newest = rollout.map(|r| &r.newest.uid);
    let mut findings: Vec<Finding> = Vec::with_capacity(groups.len());
    for group in &groups {
        let (total, sum) = (group.total(s), Sum::of(&group.symptoms, group.threshold(), s, now));
        let needed = needed_pods(group.threshold(), total);
        let counted = Counted::of(groups.iter().filter(|g| g.shares_rule(group)), needed);
        next_look = earliest(next_look, sum.next_look);
        let finding = group.finding(s, newest, Weight { total, needed, counted, sum }, now);
        if finding.is_evident() {
            evident_since = earliest(evident_since, Some(finding.spread.sufficed));
        }
        findings.push(finding);
    }
    findings.sort_by(order);
    Weighed { findings, next_look, evident_since }
}

fn groups<'a>(s: &'a Snapshot, symptoms: &'a [Symptom<'a>], now: Timestamp) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    for symptom in symptoms {
        let key = Key::of(symptom);
        let seen = Seen::new(symptom);
        match groups.iter_mut().find(|g| g.key == key) {
            Some(group) => group.symptoms.push(seen),
            None => {
                // Pods of one revision tend to fail together.
                let mut alike = Vec::with_capacity(if groups.is_empty() { symptoms.len() } else { 1 });
                alike.push(seen);
                groups.push(Group { key, rule: None, symptoms: alike });
            }
        }
    }
    // A rule may ask for what any of the pods said, so it is chosen when all of them are there.
    for group in &mut groups {
        group.rule = group.governed_by(s);
        let threshold = group.threshold();
        group.symptoms.iter_mut().for_each(|seen| seen.weigh(threshold, now));
    }
    groups
}

/// The newest revision's findings come first, of these the sufficient ones.
pub fn order(a: &Finding, b: &Finding) -> Ordering {
    let rank = |f: &Finding| (!f.newest, !f.sufficient, f.sureness == Sureness::Excluded, f.class, f.cause);
    let same = |f: &Finding| (f.sureness as u8, f.total_pods);
    rank(a)
        .cmp(&rank(b))
        .then_with(|| a.container.cmp(&b.container))
        .then_with(|| a.revision.cmp(&b.revision))
        .then_with(|| same(a).cmp(&same(b)))
        .then_with(|| a.pods.cmp(&b.pods))
}

/// What counts for a finding of the newest revision, of those pods alone that show it or another one of `blamed`.
pub fn counted_for(
    s: &Snapshot,
    (symptoms, newest): (&[Symptom], &RevisionFacts),
    (finding, blamed): (&Finding, &[&Finding]),
    now: Timestamp,
) -> Option<Counted> {
    let groups = groups(s, symptoms, now);
    let own = groups.iter().find(|g| g.key.is_of(finding, newest))?;
    let is_blamed = |g: &&Group| blamed.iter().any(|f| g.key.is_of(f, newest));
    let needed = needed_pods(own.threshold(), own.total(s));
    Some(Counted::of(groups.iter().filter(is_blamed).filter(|g| g.shares_rule(own)), needed))
}

/// What symptoms of one finding have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key<'a> {
    class: Class,
    cause: Cause,
    sureness: Sureness,
    of_pods: bool,
    container: Option<&'a Name>,
    /// UID of the revision.
    revision: Option<&'a Name>,
}

impl<'a> Key<'a> {
    fn of(symptom: &Symptom<'a>) -> Self {
        let (of_pods, revision) = match symptom.subject {
            Subject::Pod(pod) => (true, Some(&pod.revision)),
            Subject::Revision(revision) => (false, Some(&revision.uid)),
            Subject::Workload => (false, None),
        };
        Self {
            class: symptom.class,
            cause: symptom.cause,
            sureness: symptom.sureness,
            of_pods,
            container: symptom.container.map(|c| &c.name),
            revision,
        }
    }
}

impl Key<'_> {
    fn is_of(&self, finding: &Finding, newest: &RevisionFacts) -> bool {
        let shown = (finding.class, finding.cause, finding.sureness, finding.container.as_ref());
        let of_pods = self.of_pods != finding.pods.is_empty();
        let of_newest = self.revision.is_none_or(|uid| *uid == newest.uid);
        (self.class, self.cause, self.sureness, self.container) == shown && of_pods && of_newest
    }
}

/// What a group is weighed by: how many could show it, how many must, how many count, and what its symptoms add up to.
struct Weight {
    total: usize,
    needed: usize,
    counted: Counted,
    sum: Sum,
}

/// Symptoms of one kind on one revision.
struct Group<'a> {
    key: Key<'a>,
    rule: Option<&'a Rule>,
    symptoms: Vec<Seen<'a>>,
}

const DEFAULTS: &Threshold = &Threshold { pods: None, exits: None, attempts: None, flaps: None, for_seconds: None };

impl<'a> Group<'a> {
    fn governed_by(&self, s: &'a Snapshot) -> Option<&'a Rule> {
        s.policy.rules.iter().find(|rule| matches(rule, &self.key, |patterns| said(s, self, patterns)))
    }

    fn threshold(&self) -> &'a Threshold {
        self.rule.map_or(DEFAULTS, |r| &r.threshold)
    }

    fn finding(&self, s: &Snapshot, newest: Option<&Name>, weight: Weight, now: Timestamp) -> Finding {
        let Key { class, cause, sureness, container, .. } = self.key;
        let threshold = self.threshold();
        let Weight { total, needed, counted, sum } = weight;
        let sufficient =
            self.rule.is_some() && sureness != Sureness::Excluded && sum.any_reached && counted.subjects >= needed;
        let revision = s.revisions.iter().find(|r| Some(&r.uid) == self.key.revision);
        let shown = self.shown();
        let lead = shown.first().copied();
        // Of pods that fail alike the events of some may be lost.
        let told = shown.iter().copied().find(|x| x.told.is_some()).or(lead);
        let notes = told.map(|x| classify::notes(s, x, now)).unwrap_or_default();
        Finding {
            class,
            cause,
            by_status: lead.and_then(|x| x.by_status),
            named: revision.zip(container).and_then(|(r, c)| listen::named(s, (class, cause), &r.uid, c)),
            container: container.cloned(),
            container_kind: lead.and_then(|x| x.container).map(|c| c.kind),
            revision: revision.map_or_else(|| Name::from(""), |r| r.hash.clone()),
            newest: self.key.revision.is_none_or(|uid| Some(uid) == newest),
            pods: self.pod_names(),
            failing_pods: count(self.symptoms.len()),
            total_pods: count(total),
            sureness,
            occurrences: sum.occurrences,
            needed: seen::needed(sureness, threshold),
            counted_pods: count(counted.subjects),
            needed_pods: count(needed),
            sufficient,
            rule: self.rule.map_or_else(String::new, |r| r.name.clone()),
            onset: sum.onset,
            began: sum.began,
            spread: counted.spread.unwrap_or(Spread { onset: sum.onset, began: sum.began, sufficed: sum.began }),
            more_than_slow: sum.more_than_slow,
            fault: Fault::Unknown,
            confidence: Confidence::Possible,
            rollback: knowledge::about(class, cause).rollback,
            evidence: self.evidence(s, &shown, notes),
            rejected: Vec::new(),
            next_steps: knowledge::next_steps(s, class, lead),
        }
    }

    /// What statuses show, what a log says of it, and the notes beside them.
    fn evidence(&self, s: &Snapshot, shown: &[&Symptom], notes: Vec<Evidence>) -> Vec<Evidence> {
        let Key { cause, container, revision, .. } = self.key;
        let said = container.zip(revision).filter(|_| !s.logs.is_empty());
        let said = said.and_then(|(container, revision)| listen::evidence(s, revision, container, cause));
        let room = SHOWN_EVIDENCE.saturating_sub(usize::from(said.is_some()));
        shown.iter().take(room).map(|x| classify::evidence(&s.workload, x)).chain(said).chain(notes).collect()
    }

    /// Failures of one revision that one rule governs add up, so that pods failing in two ways are not half as bad.
    /// What is not about pods, such as a refusal to create them, counts by itself.
    fn shares_rule(&self, other: &Group) -> bool {
        let alike = self.key.revision == other.key.revision && self.key.of_pods && other.key.of_pods;
        std::ptr::eq(self, other) || (alike && self.rule.map(|r| &r.name) == other.rule.map(|r| &r.name))
    }

    /// How many could show it: the revision's pods, or the one revision or workload.
    fn total(&self, s: &Snapshot) -> usize {
        match self.key.revision {
            Some(uid) if self.key.of_pods => judged_pods(s, uid).count().max(self.symptoms.len()),
            _ => 1,
        }
    }

    /// The clearest symptoms, whatever the order of the pods.
    fn shown(&self) -> Vec<&'a Symptom<'a>> {
        let clearer = |a: &&Symptom, b: &&Symptom| {
            b.occurrences.cmp(&a.occurrences).then_with(|| name(a).cmp(name(b))).then(a.onset.cmp(&b.onset))
        };
        smallest(self.symptoms.iter().map(|seen| seen.symptom), SHOWN_EVIDENCE, clearer)
    }

    fn pod_names(&self) -> Vec<Name> {
        let pods = self.symptoms.iter().filter_map(|seen| match seen.symptom.subject {
            Subject::Pod(pod) => Some(&pod.name),
            Subject::Revision(_) | Subject::Workload => None,
        });
        smallest(pods, SHOWN_PODS, |a, b| a.cmp(b)).into_iter().cloned().collect()
    }
}

/// The first few in order, without sorting the rest.
fn smallest<T>(all: impl Iterator<Item = T>, few: usize, order: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let mut first: Vec<T> = Vec::with_capacity(few.saturating_add(1));
    for item in all {
        if first.len() < few || first.last().is_some_and(|last| order(&item, last).is_lt()) {
            let at = first.partition_point(|known| order(known, &item).is_le());
            first.insert(at, item);
            first.truncate(few);
        }
    }
    first
}

fn name<'a>(symptom: &Symptom<'a>) -> &'a str {
    match symptom.subject {
        Subject::Pod(pod) => &pod.name,
        Subject::Revision(revision) => &revision.name,
        Subject::Workload => "",
    }
}

/// The rule governs failures of this kind. `said`: whether the container said something that one of the patterns finds.
fn matches(rule: &Rule, key: &Key, said: impl Fn(&Patterns) -> bool) -> bool {
    let m = &rule.matches;
    m.is_of(key.class, key.cause, key.container.map(AsRef::as_ref)) && (m.logs.is_empty() || said(&m.logs))
}

/// One of the patterns finds something in the logs that were read of the revision's container, or in the message of
/// one of the symptoms.
fn said(s: &Snapshot, group: &Group, patterns: &Patterns) -> bool {
    let of_message = |seen: &Seen| match seen.symptom.detail {
        Detail::Ended(ended) | Detail::OutOfMemory { ended, .. } => {
            !ended.message.is_empty() && patterns.find_in(&ended.message)
        }
        _ => false,
    };
    let logged = || group.key.revision.zip(group.key.container).is_some_and(|(r, c)| listen::says(s, r, c, patterns));
    group.symptoms.iter().any(of_message) || logged()
}

/// Pods of a revision that can speak for or against it: those going away or already taken away cannot.
pub fn judged_pods<'a>(s: &'a Snapshot, revision: &'a Name) -> impl Iterator<Item = &'a PodFacts> {
    s.pods
        .iter()
        .map(AsRef::as_ref)
        .filter(move |p| p.revision == *revision && !p.deleting && !p.finished && p.disruption.is_none())
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

pub fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
