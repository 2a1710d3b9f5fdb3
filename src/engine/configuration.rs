//! A ConfigMap or Secret that changed under the revisions that use it. Going back restores what a template names,
//! never what it holds.

use jiff::Timestamp;

use super::baseline;
use super::change;
use super::change::references::{Need, ReferenceFacts, ReferenceKind, Sight};
use super::decision::Verdict;
use super::evidence::judged_pods;
use super::facts::{ContainerFacts, ContainerState, PodFacts, RevisionFacts, Snapshot};
use super::finding::Finding;
use super::knowledge;
use super::moment::after;
use super::rollout::Rollout;
use super::surroundings;
use super::words::{Aspect, Cause, Confidence, Fault, Sureness};

/// A change this long before a failure is a likely reason for it. Seconds.
const RECENT_SECONDS: i64 = 3600;

/// What is compared.
pub struct Case<'a> {
    pub s: &'a Snapshot,
    pub rollout: &'a Rollout<'a>,
    pub finding: &'a Finding,
    pub findings: &'a [Finding],
    pub control: Option<&'a RevisionFacts>,
    pub changed: &'a [Aspect],
}

/// The verdict, if a change of configuration explains the failure.
pub fn explains(case: &Case) -> Option<Verdict> {
    if let Some(verdict) = was_there(case) {
        return Some(verdict);
    }
    let around = surroundings::of_newest(case.s, case.rollout.newest)?;
    let mut used = around.references.iter().filter(|r| r.is_configuration() && r.newest.is_some());
    if is_about_a_missing_object(case.finding) {
        return used.find(|r| is_gone(case, r)).map(|r| {
            let because = format!("{} is gone, which the healthy revision needs too", r.reference);
            verdict(Confidence::Certain, because)
        });
    }
    if case.finding.cause == Cause::MissingKey {
        return used.find_map(|r| lost_a_key(case, r));
    }
    let about = knowledge::about(case.finding.class, case.finding.cause);
    if !about.aspects.iter().any(|a| matches!(a, Aspect::Environment | Aspect::Volumes)) {
        return None;
    }
    let changes = used.filter_map(|r| Some((r.changed()?, r))).filter(|(at, _)| *at <= case.finding.spread.onset);
    let mut changes: Vec<(Timestamp, &ReferenceFacts)> = changes.filter(|(at, _)| is_unrefuted(case, *at)).collect();
    changes.sort_by_key(|(at, r)| (std::cmp::Reverse(*at), r.reference.clone()));
    changes.into_iter().find_map(|(at, r)| {
        under_a_running_revision(case, at, r)
            .or_else(|| with_nothing_else(case, at, r))
            .or_else(|| under_held_connections(case, at, r))
            .or_else(|| under_both(case, at, r))
    })
}

fn verdict(confidence: Confidence, because: String) -> Verdict {
    Verdict { fault: Fault::Configuration, confidence, because, rejected: Vec::new() }
}

fn is_about_a_missing_object(finding: &Finding) -> bool {
    matches!(finding.cause, Cause::MissingConfigMap | Cause::MissingSecret)
}

/// Another pod of the same revision runs with what the kubelet misses now, so it was there when that pod started: it went
/// under a revision that names it rightly, whoever else may be looked at.
fn was_there(case: &Case) -> Option<Verdict> {
    let missing = is_about_a_missing_object(case.finding) || case.finding.cause == Cause::MissingKey;
    let of_finding = |c: &ContainerFacts| case.finding.container.as_deref().is_none_or(|name| *name == *c.name);
    let has_it = |p: &PodFacts| p.containers.iter().any(|c| of_finding(c) && has_started(c));
    let pods = judged_pods(case.s, &case.rollout.newest.uid).filter(|p| missing && has_it(p)).count();
    (pods > 0).then(|| {
        let because = format!("of the revision's pods {pods} started with it, so it has gone since then");
        verdict(Confidence::Certain, because)
    })
}

fn has_started(container: &ContainerFacts) -> bool {
    matches!(container.state, ContainerState::Running { .. } | ContainerState::Terminated(_))
}

/// The object is there, and was written to after the healthy revision, which names it too, had started. Whether that one
/// needs the same key nobody looks at.
fn lost_a_key(case: &Case, r: &ReferenceFacts) -> Option<Verdict> {
    let control = case.control.filter(|_| r.baseline.is_some() && is_named(case, r))?;
    // A template that asks for another key than before may ask for a wrong one.
    let asks_anew = change::leads_elsewhere(control, case.rollout.newest, case.finding.container.as_deref());
    if asks_anew || case.changed.contains(&Aspect::Volumes) {
        return None;
    }
    let at = r
        .changed()
        .filter(|at| baseline::proven(&case.s.memory.ledger, control).is_some_and(|healthy| *at > healthy))?;
    let because = format!(
        "{} changed at {at}{}, after the healthy revision {}, which names it too, had started",
        r.reference,
        whose(r),
        control.hash
    );
    Some(verdict(Confidence::Possible, because))
}

/// The kubelet says its name.
fn is_named(case: &Case, r: &ReferenceFacts) -> bool {
    let says = |text: &str| {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || "-.".contains(c))).any(|w| *w == *r.reference.name)
    };
    case.finding.evidence.iter().any(|e| says(&e.text))
}

/// The object is gone, and not only the newest revision needs it. What may not be looked at is believed to be gone
/// when the kubelet says so by name.
fn is_gone(case: &Case, r: &ReferenceFacts) -> bool {
    let named = || {
        let name = format!("\"{}\"", r.reference.name);
        case.finding.evidence.iter().any(|e| e.text.contains(&name))
    };
    let gone = match r.sight {
        Sight::Missing => true,
        Sight::Unseen => named(),
        Sight::Present { .. } => false,
    };
    let needed = |need: Option<Need>| need == Some(Need::Required);
    gone && needed(r.newest) && (needed(r.baseline) || ran_well_before(case, case.finding.onset))
}

/// No pod that started after the change does well, of either revision.
fn is_unrefuted(case: &Case, at: Timestamp) -> bool {
    let began = |p: &PodFacts| p.started.unwrap_or(p.created);
    let newest = judged_pods(case.s, &case.rollout.newest.uid);
    let control = case.control.into_iter().flat_map(|c| judged_pods(case.s, &c.uid));
    let unbroken = |p: &PodFacts| p.containers.iter().all(|c| c.restarts == 0);
    !newest.chain(control).any(|p| p.ready && began(p) > at && unbroken(p))
}

/// The newest revision had run well before the change.
fn under_a_running_revision(case: &Case, at: Timestamp, r: &ReferenceFacts) -> Option<Verdict> {
    // What a volume holds reaches the program within minutes, and a variable at its next start; a change from long ago
    // explains little.
    let recent = at >= after(case.finding.onset, -RECENT_SECONDS);
    let confidence = if recent { Confidence::Likely } else { Confidence::Possible };
    ran_well_before(case, at).then(|| {
        let because = format!("{} changed at {at}{}, under a revision that had run well", r.reference, whose(r));
        verdict(confidence, because)
    })
}

/// Besides the configuration only labels and annotations differ from the healthy revision, such as its checksum.
fn with_nothing_else(case: &Case, at: Timestamp, r: &ReferenceFacts) -> Option<Verdict> {
    let control = case.control.filter(|_| r.baseline.is_some())?;
    let since_control = baseline::proven(&case.s.memory.ledger, control).is_some_and(|healthy| at > healthy);
    let nothing_else = case.changed.iter().all(|aspect| *aspect == Aspect::Metadata);
    (since_control && nothing_else).then(|| {
        let because = format!(
            "{} changed at {at}{}, after the healthy revision {} had started, and the template differs in nothing that \
             matters",
            r.reference,
            whose(r),
            control.hash
        );
        verdict(Confidence::Likely, because)
    })
}

/// A Secret that both use changed while pods of the healthy revision held their connections: whoever connects anew is
/// refused, and they would be too.
fn under_held_connections(case: &Case, at: Timestamp, r: &ReferenceFacts) -> Option<Verdict> {
    let control = case.control.filter(|_| r.baseline.is_some() && r.reference.kind == ReferenceKind::Secret)?;
    let refused = case.finding.cause == Cause::DatabaseAuth;
    let own = case.changed.iter().any(|aspect| matches!(aspect, Aspect::Environment | Aspect::Volumes));
    let since_control = baseline::proven(&case.s.memory.ledger, control).is_some_and(|healthy| at > healthy);
    (refused && !own && since_control).then(|| {
        let because = format!(
            "{} changed at {at}{}, after the pods of the healthy revision {} had started; who connects anew is refused",
            r.reference,
            whose(r),
            control.hash
        );
        verdict(Confidence::Likely, because)
    })
}

/// Pods of the healthy revision that started after the change fail too.
fn under_both(case: &Case, at: Timestamp, r: &ReferenceFacts) -> Option<Verdict> {
    let control = case.control.filter(|_| r.baseline.is_some())?;
    let recent = at >= after(case.finding.onset, -RECENT_SECONDS);
    let alike = case
        .findings
        .iter()
        .find(|f| !f.newest && f.revision == control.hash && f.sureness != Sureness::Excluded && f.onset >= at)?;
    recent.then(|| {
        let because = format!(
            "{} changed at {at}{}, and pods of the healthy revision {} fail since then too ({}, {})",
            r.reference,
            whose(r),
            control.hash,
            alike.class,
            alike.cause
        );
        verdict(Confidence::Likely, because)
    })
}

/// The newest revision was seen healthy, or its rollout completed, before that moment.
fn ran_well_before(case: &Case, at: Timestamp) -> bool {
    let healthy = baseline::proven(&case.s.memory.ledger, case.rollout.newest).is_some_and(|healthy| healthy < at);
    healthy || case.rollout.completed.is_some_and(|completed| completed < at)
}

/// By whom, and which keys the writer owns.
fn whose(r: &ReferenceFacts) -> String {
    let Sight::Present { written: Some(written), .. } = &r.sight else { return String::new() };
    if written.keys.is_empty() {
        return format!(" by {}", written.by);
    }
    format!(" by {} (keys {})", written.by, written.keys.join(", "))
}
