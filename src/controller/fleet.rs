//! How all watched workloads do together, for the storm brake and for comparing neighbours.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::cluster::store::WorkloadKey;
use crate::engine::facts::{FleetFacts, Name};
use crate::engine::moment::seconds_between;
use crate::engine::storm::{self, Limits, Weather};

/// Neighbours that began to fail within this time of each other may share a cause. Seconds.
const NEIGHBOUR_SECONDS: i64 = 120;

#[derive(Debug, Default)]
struct Inner {
    /// Every watched workload, with the moment it began to fail, if it does.
    watched: BTreeMap<WorkloadKey, Option<Timestamp>>,
    storm: Option<Name>,
}

/// The fleet. All methods are short and never wait.
#[derive(Debug)]
pub struct Fleet {
    limits: Limits,
    inner: Mutex<Inner>,
}

impl Fleet {
    pub fn new(limits: Limits) -> Self {
        Self { limits, inner: Mutex::default() }
    }

    /// Takes in how one workload does.
    pub fn report(&self, key: &WorkloadKey, failing_since: Option<Timestamp>) {
        self.with(|inner| {
            inner.watched.insert(key.clone(), failing_since);
        });
    }

    /// Forgets a workload that is gone or no longer watched.
    pub fn forget(&self, key: &WorkloadKey) {
        self.with(|inner| {
            inner.watched.remove(key);
        });
    }

    /// What one workload's decision needs to know of the others.
    pub fn facts(&self, key: &WorkloadKey, now: Timestamp) -> FleetFacts {
        let window = self.limits.window_seconds;
        self.with(|inner| {
            let failing = || inner.watched.iter().filter_map(|(k, since)| since.map(|at| (k, at)));
            let neighbours = failing()
                .filter(|(k, at)| {
                    k.namespace == key.namespace && *k != key && seconds_between(*at, now) <= NEIGHBOUR_SECONDS
                })
                .count();
            let newly = failing().filter(|(_, at)| seconds_between(*at, now) <= window).count();
            FleetFacts {
                watched: count(inner.watched.len()),
                newly_failing: count(newly),
                neighbours_failing: count(neighbours),
                storm: inner.storm.clone(),
            }
        })
    }

    /// How the whole fleet does, given all nodes and those that are not ready.
    pub fn weather(&self, nodes: (u32, u32), now: Timestamp) -> Weather {
        self.with(|inner| {
            let failing: Vec<Timestamp> = inner.watched.values().copied().flatten().collect();
            storm::look(&self.limits, count(inner.watched.len()), &failing, nodes, now)
        })
    }

    /// The workloads that fail now, as `NAMESPACE/NAME`.
    pub fn failing(&self) -> Vec<WorkloadKey> {
        self.with(|inner| inner.watched.iter().filter(|(_, since)| since.is_some()).map(|(k, _)| k.clone()).collect())
    }

    pub fn storm(&self) -> Option<Name> {
        self.with(|inner| inner.storm.clone())
    }

    /// Engages or releases the brake; tells whether that changed anything.
    pub fn set_storm(&self, storm: Option<Name>) -> bool {
        self.with(|inner| {
            let changed = inner.storm != storm;
            inner.storm = storm;
            changed
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
