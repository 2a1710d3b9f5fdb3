//! How many pods count, and when it had begun on enough of them.

use jiff::Timestamp;

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
        let mut subjects: Vec<(*const PodFacts, Spread)> = Vec::with_capacity(most);
        for group in groups {
            let reached = group.symptoms.iter().filter(|seen| seen.reached);
            subjects.extend(reached.map(|seen| (subject(seen), seen.spread(group.threshold()))));
        }
        subjects.sort_unstable_by_key(|(subject, _)| *subject);
        subjects.dedup_by(|(again, later), (subject, first)| {
            let same = again == subject;
            if same {
                *first = earlier(*first, *later);
            }
            same
        });
        let nth = |of: fn(&Spread) -> Timestamp| nth(subjects.iter().map(|(_, spread)| of(spread)).collect(), needed);
        let spread = || {
            let (onset, began) = (nth(|spread| spread.onset)?, nth(|spread| spread.began)?);
            Some(Spread { onset, began, sufficed: nth(|spread| spread.sufficed)? })
        };
        Self { subjects: subjects.len(), spread: spread() }
    }
}

fn subject(seen: &Seen) -> *const PodFacts {
    match seen.symptom.subject {
        Subject::Pod(pod) => std::ptr::from_ref(pod),
        Subject::Revision(_) | Subject::Workload => std::ptr::null(),
    }
}

fn earlier(a: Spread, b: Spread) -> Spread {
    Spread { onset: a.onset.min(b.onset), began: a.began.min(b.began), sufficed: a.sufficed.min(b.sufficed) }
}

/// The moment that so many of them had reached.
fn nth(mut moments: Vec<Timestamp>, needed: usize) -> Option<Timestamp> {
    let at = needed.checked_sub(1).filter(|at| *at < moments.len())?;
    Some(*moments.select_nth_unstable(at).1)
}
