//! What one process remembers of each workload between two looks. Losing it costs at most time: everything that
//! must survive is in objects.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::cluster::gather::Seen;
use crate::cluster::store::WorkloadKey;
use crate::engine::facts::{Name, WorkloadFacts};
use crate::engine::words::{Class, Fault, RefusalReason, State};

/// The first pause after a failed look; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// An API server that asks for more is asked again after this.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// What was last said about a workload; one log line is written when it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub state: State,
    pub refusal: Option<RefusalReason>,
    pub action: bool,
    pub newest: Option<Name>,
}

#[derive(Debug, Default)]
struct Track {
    uid: Option<Name>,
    seen: Seen,
    /// Our own last write to the Deployment; older sights of it are not judged.
    written: Option<i64>,
    said: Option<Said>,
    /// Since when the remembered health has differed from what it should say.
    differs_since: Option<Timestamp>,
    failures: u32,
    /// No look before that, unless the Deployment has changed since it failed in this generation.
    rest: Option<(Instant, Option<i64>)>,
    /// Class and fault of the sufficient findings, as they are counted in the metrics.
    findings: Vec<(Class, Fault)>,
}

#[derive(Debug, Default)]
pub struct Tracker {
    tracks: Mutex<HashMap<WorkloadKey, Track>>,
}

impl Tracker {
    /// The workload as it is in the stores is at least as new as our own last write to it.
    pub fn is_caught_up(&self, key: &WorkloadKey, workload: &WorkloadFacts) -> bool {
        self.with(key, |track| {
            if track.uid.as_ref() != Some(&workload.uid) {
                *track = Track { uid: Some(workload.uid.clone()), ..Track::default() };
            }
            track.written.is_none_or(|generation| workload.generation >= generation)
        })
    }

    pub fn wrote(&self, key: &WorkloadKey, generation: i64) {
        self.with(key, |track| track.written = track.written.max(Some(generation)));
    }

    /// What the last look saw; some of it is written into objects only a while later.
    pub fn seen(&self, key: &WorkloadKey) -> Seen {
        self.with_known(key, |track| track.seen.clone()).unwrap_or_default()
    }

    pub fn saw(&self, key: &WorkloadKey, seen: Seen) {
        self.with(key, |track| track.seen = seen);
    }

    /// Forgets the looks, what they saw and how they ended: who leads now sees more, and what it writes is newer. Our own
    /// writes are remembered, since the watch may not show them yet.
    pub fn forget_looks(&self) {
        let mut tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        for track in tracks.values_mut() {
            let (uid, written, said) = (track.uid.take(), track.written, track.said.take());
            *track = Track { uid, written, said, ..Track::default() };
        }
    }

    /// Remembers what is being said; tells whether it is news.
    pub fn is_news(&self, key: &WorkloadKey, said: Said) -> bool {
        self.with(key, |track| {
            let news = track.said.as_ref() != Some(&said);
            track.said = Some(said);
            news
        })
    }

    /// Since when the remembered health has differed; `None` clears it.
    pub fn differs(&self, key: &WorkloadKey, differs: bool, now: Timestamp) -> Option<Timestamp> {
        self.with(key, |track| {
            track.differs_since = if differs { Some(track.differs_since.unwrap_or(now)) } else { None };
            track.differs_since
        })
    }

    /// Remembers the findings that are counted.
    pub fn found(&self, key: &WorkloadKey, findings: Vec<(Class, Fault)>) {
        self.with(key, |track| track.findings = findings);
    }

    /// Its findings count no more.
    pub fn disregard(&self, key: &WorkloadKey) {
        self.with_known(key, |track| track.findings = Vec::new());
    }

    /// How many findings of each kind the last looks saw, of all workloads together.
    pub fn findings(&self) -> BTreeMap<(Class, Fault), usize> {
        let mut counts = BTreeMap::new();
        let tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        tracks.values().flat_map(|track| &track.findings).for_each(|kind| *counts.entry(*kind).or_default() += 1);
        counts
    }

    pub fn succeeded(&self, key: &WorkloadKey) {
        self.with_known(key, |track| (track.failures, track.rest) = (0, None));
    }

    /// How long to wait after one more failure of this workload, apart from all others; at least for as long as the
    /// API server asked for.
    pub fn failed(&self, key: &WorkloadKey, generation: Option<i64>, asked: Option<Duration>) -> Duration {
        self.with(key, |track| {
            track.failures = track.failures.saturating_add(1);
            let factor = 1_u32.checked_shl(track.failures - 1).unwrap_or(u32::MAX);
            let pause = FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE);
            let pause = pause.max(asked.unwrap_or_default().min(LONGEST_ASKED));
            track.rest = Some((Instant::now() + pause, generation));
            pause
        })
    }

    /// What is left of that wait. A failing workload changes all the time, and each change asks for a look: without
    /// this they would make a call that fails be repeated at once. A new generation is another matter.
    pub fn rests(&self, key: &WorkloadKey, generation: Option<i64>) -> Option<Duration> {
        let (until, failed_in) = self.with_known(key, |track| track.rest)??;
        let left = until.saturating_duration_since(Instant::now());
        (failed_in == generation && !left.is_zero()).then_some(left)
    }

    /// How many workloads are being waited with after failures.
    pub fn in_backoff(&self) -> usize {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner).values().filter(|t| t.failures > 0).count()
    }

    /// Forgets all others: a look that ends after its workload is gone has left something behind.
    pub fn keep_only(&self, is_there: impl Fn(&WorkloadKey) -> bool) {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| is_there(key));
    }

    pub fn forget(&self, key: &WorkloadKey) {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    fn with<T>(&self, key: &WorkloadKey, f: impl FnOnce(&mut Track) -> T) -> T {
        let mut tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        f(tracks.entry(key.clone()).or_default())
    }

    /// Nothing is remembered of a workload for this alone: most of a cluster's may be governed by no policy.
    fn with_known<T>(&self, key: &WorkloadKey, f: impl FnOnce(&mut Track) -> T) -> Option<T> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner).get_mut(key).map(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::memory::CurrentRevision;

    fn key(name: &str) -> WorkloadKey {
        WorkloadKey::new("shop", name)
    }

    #[test]
    fn back_off_grows_per_workload_and_ends_with_success() {
        let tracker = Tracker::default();
        let failed = |name: &str| tracker.failed(&key(name), Some(1), None);
        assert_eq!(failed("a"), FIRST_PAUSE);
        assert_eq!(failed("a"), FIRST_PAUSE * 2);
        assert_eq!(failed("b"), FIRST_PAUSE);
        tracker.succeeded(&key("a"));
        assert_eq!(tracker.in_backoff(), 1);
        assert_eq!(failed("a"), FIRST_PAUSE);
        for _ in 0..50 {
            failed("a");
        }
        assert_eq!(failed("a"), LONGEST_PAUSE);
    }

    #[test]
    fn what_another_leader_may_know_better_is_forgotten_and_our_own_writes_are_not() {
        let tracker = Tracker::default();
        let current = Some(CurrentRevision { hash: Name::from("59"), since: Timestamp::UNIX_EPOCH });
        tracker.saw(&key("a"), Seen { current, ..Seen::default() });
        tracker.wrote(&key("a"), 7);
        tracker.failed(&key("a"), Some(7), None);
        tracker.found(&key("a"), vec![(Class::Unready, Fault::Unknown)]);
        tracker.forget_looks();
        assert_eq!(tracker.seen(&key("a")).current, None);
        assert_eq!((tracker.in_backoff(), tracker.rests(&key("a"), Some(7))), (0, None));
        assert!(tracker.findings().is_empty());
        assert_eq!(tracker.with(&key("a"), |track| track.written), Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_kept_until_it_is_over_or_the_workload_is_another() {
        let tracker = Tracker::default();
        let asked = Duration::from_secs(7);
        assert_eq!(tracker.failed(&key("a"), Some(1), Some(asked)), asked);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(tracker.rests(&key("a"), Some(1)), Some(Duration::from_secs(4)));
        assert_eq!(tracker.rests(&key("a"), Some(2)), None, "somebody changed the Deployment");
        assert_eq!(tracker.rests(&key("b"), Some(1)), None);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(tracker.rests(&key("a"), Some(1)), None);
    }

    #[test]
    fn nothing_is_remembered_of_what_no_policy_governs() {
        let tracker = Tracker::default();
        tracker.seen(&key("a"));
        tracker.rests(&key("a"), Some(1));
        tracker.disregard(&key("a"));
        tracker.succeeded(&key("a"));
        assert!(tracker.tracks.lock().unwrap().is_empty());
        tracker.found(&key("b"), vec![(Class::Unready, Fault::Unknown)]);
        tracker.disregard(&key("b"));
        assert!(tracker.findings().is_empty());
    }

    #[test]
    fn the_same_word_twice_is_no_news() {
        let tracker = Tracker::default();
        let said = Said { state: State::Healthy, refusal: None, action: false, newest: None };
        assert!(tracker.is_news(&key("a"), said.clone()));
        assert!(!tracker.is_news(&key("a"), said.clone()));
        assert!(tracker.is_news(&key("a"), Said { state: State::Failing, ..said }));
    }
}
