//! How many pods count, and when it had begun on enough of them.

use super::Group;
use super::seen::Seen;
use crate::engine::facts::PodFacts;
use crate::engine::finding::{Spread, Subject};

/// What counts of the groups that one rule governs.
pub struct Counted {
    /// Pods, or the one other subject, of which at least one symptom has been seen often and long enough.
    pub subjects: usize,
    /// When it had begun on as many of them as must count; `None` where fewer do.
    pub spread: Option<Spread>,
}

impl Counted {
    pub(super) fn of<'a, 'b: 'a>(groups: impl Iterator<Item = &'a Group<'b>> + Clone, needed: usize) -> Self {
        let most = groups.clone().map(|group| group.symptoms.len()).sum();
        let mut first: Vec<&Seen> = Vec::with_capacity(most);
        first.extend(groups.clone().flat_map(|group| &group.symptoms).filter(|seen| seen.reached));
        first.sort_unstable_by_key(|seen| (subject(seen), seen.moments()));
        first.dedup_by_key(|seen| subject(seen));
        let last = needed.checked_sub(1).and_then(|at| earliest(&mut first, at));
        let threshold = groups.map(Group::threshold).next();
        Self { subjects: first.len(), spread: last.zip(threshold).map(|(seen, threshold)| seen.spread(threshold)) }
    }
}

/// The one of the symptoms that has as many before it as this.
fn earliest<'a, 'b>(symptoms: &mut [&'a Seen<'b>], before: usize) -> Option<&'a Seen<'b>> {
    let first = symptoms.iter().copied().min_by_key(|seen| seen.moments()).filter(|_| before < symptoms.len())?;
    // Most begin in the same second.
    let together = symptoms.iter().filter(|seen| seen.moments() == first.moments()).count();
    if before < together {
        Some(first)
    } else {
        Some(*symptoms.select_nth_unstable_by_key(before, |seen| seen.moments()).1)
    }
}

fn subject(seen: &Seen) -> *const PodFacts {
    match seen.symptom.subject {
        Subject::Pod(pod) => std::ptr::from_ref(pod),
        Subject::Revision(_) | Subject::Workload => std::ptr::null(),
    }
}
