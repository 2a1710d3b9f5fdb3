//! Which finding a decision goes by.

use jiff::Timestamp;

use super::attribute;
use super::baseline;
use super::classify;
use super::decide::Look;
use super::decision::Verdict;
use super::evidence;
use super::facts::Snapshot;
use super::finding::Finding;
use super::rollout::Rollout;

/// A finding and, where it suffices, whose fault it is.
type Judged = (Finding, Option<Verdict>);

/// Attributes every finding of the newest revision that suffices, and picks the one to go by: the first that the
/// revision is at fault for, since each would suffice alone; else the first.
pub(super) fn lead(look: &mut Look, rollout: &Rollout) -> Option<(usize, Verdict)> {
    let control = baseline::control(look.s, rollout, &look.ledger.entries);
    let findings = std::mem::take(&mut look.weighed.findings);
    let verdict = |f: &Finding| attribute::attribute(look.s, rollout, (f, &findings), control);
    let verdicts: Vec<_> = findings.iter().map(|f| f.is_evident().then(|| verdict(f))).collect();
    let mut judged: Vec<Judged> = findings.into_iter().zip(verdicts).collect();
    count_alone(look.s, rollout, &mut judged, look.now);
    for (finding, verdict) in &mut judged {
        let Some(verdict) = verdict else { continue };
        finding.fault = verdict.fault;
        finding.confidence = verdict.confidence;
        finding.rejected.clone_from(&verdict.rejected);
    }
    let at = judged.iter().position(blames).or_else(|| judged.iter().position(|(_, verdict)| verdict.is_some()));
    let lead = at.and_then(|at| Some((at, judged.get_mut(at)?.1.take()?)));
    look.weighed.findings = judged.into_iter().map(|(finding, _)| finding).collect();
    lead
}

fn blames(judged: &Judged) -> bool {
    judged.1.as_ref().is_some_and(Verdict::blames_the_revision)
}

/// Pods whose failure something else explains say nothing against the revision: what it is blamed for has to be on enough
/// pods without them.
fn count_alone(s: &Snapshot, rollout: &Rollout, judged: &mut [Judged], now: Timestamp) {
    let explained = |judged: &Judged| judged.1.is_some() && !blames(judged);
    let blamed: Vec<&Finding> = judged.iter().filter(|j| blames(j)).map(|(f, _)| f).collect();
    if blamed.is_empty() || !judged.iter().any(explained) {
        return;
    }
    let symptoms = classify::classify(s, now);
    let newest = rollout.newest;
    let count = |f: &Finding| evidence::counted_for(s, (&symptoms, newest), (f, &blamed), now);
    let counts: Vec<_> = judged.iter().map(|j| blames(j).then(|| count(&j.0)).flatten()).collect();
    for ((finding, verdict), alone) in judged.iter_mut().zip(counts) {
        let Some(alone) = alone else { continue };
        finding.counted_pods = evidence::count(alone.subjects);
        finding.spread = alone.spread.unwrap_or(finding.spread);
        if finding.counted_pods < finding.needed_pods {
            (finding.sufficient, *verdict) = (false, None);
        }
    }
    judged.sort_by(|(a, _), (b, _)| evidence::order(a, b));
}
