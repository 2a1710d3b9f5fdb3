//! How all watched workloads do together, for the storm brake and for comparing neighbours.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::cluster::store::WorkloadKey;
use crate::engine::change;
use crate::engine::decision::Decision;
use crate::engine::facts::{FleetFacts, Name, PullFacts, SetupFacts, Snapshot};
use crate::engine::finding::Finding;
use crate::engine::moment::seconds_between;
use crate::engine::storm::{self, Limits, Weather};
use crate::engine::words::{ActionKind, Cause, Class};

#[derive(Debug, Default)]
struct Inner {
    watched: BTreeMap<WorkloadKey, Report>,
    storm: Option<Name>,
    /// A person lets single workloads be acted on all the same.
    overridden: bool,
}

/// How one workload does.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// When it began to fail, if it does now.
    pub failing_since: Option<Timestamp>,
    /// When that became evident.
    pub evident_since: Option<Timestamp>,
    /// When it last began to fail, also if it was brought back meanwhile. A roll-back that succeeds does not make a
    /// failure that many share less of a storm.
    pub last_failed: Option<Timestamp>,
    /// The image that its newest revision fails to pull, if it does.
    pub pull: Option<PullFacts>,
    /// Where its pods hang while they are set up.
    pub setups: Vec<SetupFacts>,
}

/// Entries of one workload in `Report::setups`.
const MAX_SETUPS: usize = 8;

impl Report {
    /// What was acted on is told from objects, so that a restart in the middle of a storm does not release the brake.
    pub fn of(s: &Snapshot, decision: &Decision) -> Self {
        let acted = s.memory.actions.iter().filter(|a| a.kind != ActionKind::Pause).map(|a| a.at).max();
        let opened = s.memory.open.iter().filter(|i| i.intent.is_some()).map(|i| i.opened).max();
        let Decision { failing_since, evident_since, .. } = *decision;
        Self {
            failing_since,
            evident_since,
            last_failed: acted.max(opened),
            pull: pull(s, decision),
            setups: setups(s, &decision.findings),
        }
    }
}

fn pull(s: &Snapshot, decision: &Decision) -> Option<PullFacts> {
    let finding = decision.findings.iter().find(|f| f.newest && f.class == Class::ImagePullBackOff)?;
    let newest = s.revisions.iter().find(|revision| revision.hash == finding.revision)?;
    let registry = Name::from(change::registry_of(newest, finding.container.as_deref()?)?);
    Some(PullFacts { registry, cause: finding.cause, since: finding.onset })
}

/// The nodes on which pods hang while they are set up. A pod of which nothing is said may only take its time, until that
/// was too long.
pub fn setups(s: &Snapshot, findings: &[Finding]) -> Vec<SetupFacts> {
    let hangs = |f: &&Finding| f.class == Class::PodSetup && (f.cause != Cause::Unknown || f.counted_pods > 0);
    let mut setups: Vec<SetupFacts> = Vec::new();
    for finding in findings.iter().filter(hangs) {
        let pods = s.pods.iter().filter(|pod| finding.pods.contains(&pod.name));
        for node in pods.filter_map(|pod| pod.node.as_ref()) {
            if setups.len() < MAX_SETUPS && !setups.iter().any(|at| at.node == *node && at.cause == finding.cause) {
                setups.push(SetupFacts { node: node.clone(), cause: finding.cause, since: finding.onset });
            }
        }
    }
    setups
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
    pub fn report(&self, key: &WorkloadKey, report: Report) {
        self.with(|inner| {
            inner.watched.insert(key.clone(), report);
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
            let others = inner.watched.iter().filter(|(k, _)| k.namespace == key.namespace && *k != key);
            let neighbours = others.filter_map(|(_, r)| r.failing_since).collect();
            let others = || inner.watched.iter().filter(|(k, _)| *k != key).map(|(_, report)| report);
            let pulls = others().filter_map(|r| r.pull.clone()).collect();
            let setups = others().flat_map(|r| r.setups.iter().cloned()).collect();
            let newly = inner.onsets().filter(|at| seconds_between(*at, now) <= window).count();
            FleetFacts {
                watched: count(inner.watched.len()),
                newly_failing: count(newly),
                neighbours,
                pulls,
                setups,
                storm: inner.brake(),
            }
        })
    }

    /// How the whole fleet does, given all nodes and those that are not ready.
    pub fn weather(&self, nodes: (u32, u32), now: Timestamp) -> Weather {
        self.with(|inner| {
            let failing: Vec<Timestamp> = inner.onsets().collect();
            let limits = if inner.storm.is_some() { self.limits.to_release() } else { self.limits.clone() };
            storm::look(&limits, count(inner.watched.len()), &failing, nodes, now)
        })
    }

    /// The workloads that fail now, as `NAMESPACE/NAME`.
    pub fn failing(&self) -> Vec<WorkloadKey> {
        self.with(|inner| {
            inner.watched.iter().filter(|(_, r)| r.failing_since.is_some()).map(|(k, _)| k.clone()).collect()
        })
    }

    /// The storm that has not passed, whether or not its brake holds.
    pub fn storm(&self) -> Option<Name> {
        self.with(|inner| inner.storm.clone())
    }

    /// The storm that forbids actions.
    pub fn brake(&self) -> Option<Name> {
        self.with(|inner| inner.brake())
    }

    /// Heeds a person's word on the storm; tells whether that changes anything.
    pub fn set_overridden(&self, overridden: bool) -> bool {
        self.with(|inner| {
            let news = inner.storm.is_some() && inner.overridden != overridden;
            inner.overridden = overridden;
            news
        })
    }

    /// Engages the brake unless it is engaged already; tells whether it did. Looks run side by side, and one storm has
    /// one name.
    pub fn engage(&self, name: impl FnOnce() -> Name) -> bool {
        self.with(|inner| {
            let free = inner.storm.is_none();
            inner.overridden &= !free;
            inner.storm.get_or_insert_with(name);
            free
        })
    }

    /// Takes over the brake as it was recorded, or releases it. A person's word is about one storm.
    pub fn set_storm(&self, storm: Option<Name>) {
        self.with(|inner| {
            inner.storm = storm;
            inner.overridden = false;
        });
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn brake(&self) -> Option<Name> {
        self.storm.clone().filter(|_| !self.overridden)
    }

    /// When workloads began to fail, those that were brought back included.
    fn onsets(&self) -> impl Iterator<Item = Timestamp> {
        self.watched.values().filter_map(|r| r.evident_since.max(r.last_failed))
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_others_hang_is_told_of_all_namespaces_and_not_of_oneself() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let fleet = Fleet::new(Limits::default());
        let hanging = |node: &str| {
            let setups = vec![SetupFacts { node: Name::from(node), cause: Cause::SandboxFailed, since: now }];
            Report { setups, ..Report::default() }
        };
        let own = WorkloadKey::new("shop", "web");
        fleet.report(&own, hanging("n1"));
        fleet.report(&WorkloadKey::new("bank", "web"), hanging("n2"));
        let setups = fleet.facts(&own, now).setups;
        assert_eq!(setups.iter().map(|at| &*at.node).collect::<Vec<_>>(), ["n2"]);
    }

    #[test]
    fn what_was_brought_back_still_counts_for_the_brake_and_not_for_neighbours() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let fleet = Fleet::new(Limits::default());
        let key = |n: i32| WorkloadKey::new("shop", &format!("web-{n}"));
        for n in 0..20 {
            fleet.report(&key(n), Report::default());
        }
        for n in 0..4 {
            fleet.report(&key(n), Report { last_failed: Some(now), ..Report::default() });
        }
        assert!(fleet.weather((3, 0), now).storm);
        let facts = fleet.facts(&key(9), now);
        assert_eq!((facts.newly_failing, facts.neighbours.len()), (4, 0));
        assert!(fleet.failing().is_empty());
    }
}
