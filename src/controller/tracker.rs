//! What one process remembers of each workload between two looks. Losing it costs at most time: everything that
//! must survive is in objects.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::cluster::gather::Seen;
use crate::cluster::store::WorkloadKey;
use crate::engine::facts::Name;
use crate::engine::guard::MAX_DATA_AGE_SECONDS;
use crate::engine::words::{Class, Fault, RefusalReason, State};

/// The first pause after a failed look; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long our own write is waited for. A watch shows life more often, and after that what it shows is what there is.
pub const OWN_WRITE: Duration = Duration::from_secs(MAX_DATA_AGE_SECONDS.unsigned_abs());
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
    /// Our own last write to the Deployment, and until when older sights of it are not judged.
    written: Option<(i64, Instant)>,
    /// The generation that was seen last.
    generation: i64,
    said: Option<Said>,
    /// Since when the remembered health has differed from what it should say.
    differs_since: Option<Timestamp>,
    failures: u32,
    /// No look before that, unless others have changed the Deployment since the generation that was judged.
    rest: Option<(Instant, i64)>,
    /// Class and fault of the sufficient findings, as they are counted in the metrics.
    findings: Vec<(Class, Fault)>,
}

#[derive(Debug, Default)]
pub struct Tracker {
    tracks: Mutex<HashMap<WorkloadKey, Track>>,
}

impl Tracker {
    /// For how long yet the stores may be waited for, if they show the workload as it was before our own last write. An API
    /// server that was restored from a backup never shows that again.
    pub fn awaits(&self, key: &WorkloadKey, (uid, generation): (&Name, i64)) -> Option<Duration> {
        self.with(key, |track| {
            if track.uid.as_ref() != Some(uid) {
                *track = Track { uid: Some(uid.clone()), ..Track::default() };
            }
            let seen = std::mem::replace(&mut track.generation, generation);
            let (written, until) = track.written.filter(|(written, _)| generation < *written)?;
            let left = until.saturating_duration_since(Instant::now());
            if seen <= generation && !left.is_zero() {
                return Some(left);
            }
            tracing::warn!(%key, written, generation, "our own write is gone, going by what the API server shows");
            track.written = None;
            None
        })
    }

    pub fn wrote(&self, key: &WorkloadKey, generation: i64) {
        self.with(key, |track| track.written = track.written.max(Some((generation, Instant::now() + OWN_WRITE))));
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
            *track = Track { uid, written, generation: track.generation, said, ..Track::default() };
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
    pub fn failed(&self, key: &WorkloadKey, asked: Option<Duration>) -> Duration {
        self.with(key, |track| {
            track.failures = track.failures.saturating_add(1);
            let factor = 1_u32.checked_shl(track.failures - 1).unwrap_or(u32::MAX);
            let pause = FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE);
            let pause = pause.max(asked.unwrap_or_default().min(LONGEST_ASKED));
            track.rest = Some((Instant::now() + pause, track.generation));
            pause
        })
    }

    /// What is left of that wait. A failing workload changes all the time, and each change asks for a look: without
    /// this they would make a call that fails be repeated at once. A new generation that others made is another matter.
    pub fn rests(&self, key: &WorkloadKey, generation: Option<i64>) -> Option<Duration> {
        let (rest, written) = self.with_known(key, |track| (track.rest, track.written))?;
        let (until, judged) = rest?;
        let left = until.saturating_duration_since(Instant::now());
        let by_others = ![Some(judged), written.map(|(own, _)| own)].contains(&generation);
        (!by_others && !left.is_zero()).then_some(left)
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
#[path = "tracker_tests.rs"]
mod tests;
