//! The rest of the fleet, and the storm brake over all of it, by the controller's own bookkeeping.

use std::collections::BTreeMap;

use backstay::cluster::store::WorkloadKey;
use backstay::controller::fleet::{self, Report};
use backstay::engine::decide::decide;
use backstay::engine::decision::Decision;
use backstay::engine::facts::{FleetFacts, Name, PullFacts, SetupFacts, Snapshot};
use backstay::engine::storm::Limits;
use backstay::engine::words::Cause;
use jiff::Timestamp;
use strum::IntoEnumIterator;

use super::script::FleetLine;

/// How many other workloads the namespace has.
const NEIGHBOURS: usize = 9;

pub struct Fleet {
    fleet: fleet::Fleet,
    /// Since when other workloads fail.
    failing: BTreeMap<WorkloadKey, Timestamp>,
    /// Since when pods of others hang.
    hanging: BTreeMap<String, Timestamp>,
    overridden: bool,
}

impl Fleet {
    pub fn new(now: Timestamp) -> Self {
        let fleet = fleet::Fleet::new(Limits::default());
        let mut fleet = Self { fleet, failing: BTreeMap::new(), hanging: BTreeMap::new(), overridden: false };
        fleet.others(&FleetLine::default(), now);
        fleet
    }

    /// How the other workloads do. One that fails already goes on as it began.
    pub fn others(&mut self, line: &FleetLine, now: Timestamp) {
        self.overridden = line.overridden;
        self.fleet.set_overridden(line.overridden);
        let registry = line.pulling_from.as_deref().map(Name::from);
        let pulling = registry.map(|registry| PullFacts { registry, cause: Cause::RegistryUnreachable, since: now });
        self.hang(&line.hanging_on, now);
        let elsewhere = line.watched.max(20) - NEIGHBOURS - 1;
        for (namespace, all, failing) in [("shop", NEIGHBOURS, line.neighbours), ("elsewhere", elsewhere, line.failing)]
        {
            assert!(failing <= all, "{failing} of {all} fail");
            for n in 0..all {
                self.other(WorkloadKey::new(namespace, &format!("other-{n}")), n < failing, pulling.as_ref(), now);
            }
        }
    }

    fn other(&mut self, key: WorkloadKey, fails: bool, pulling: Option<&PullFacts>, now: Timestamp) {
        let since = fails.then(|| *self.failing.entry(key.clone()).or_insert(now));
        if !fails {
            self.failing.remove(&key);
        }
        let pull = since.zip(pulling).map(|(since, pulling)| PullFacts { since, ..pulling.clone() });
        let failing = Report { failing_since: since, evident_since: since, pull, ..Report::default() };
        self.fleet.report(&key, failing);
    }

    /// One workload of another namespace per line.
    fn hang(&mut self, lines: &[String], now: Timestamp) {
        self.hanging.retain(|line, _| lines.contains(line));
        for (n, line) in lines.iter().enumerate() {
            let since = *self.hanging.entry(line.clone()).or_insert(now);
            let (node, cause) = line.split_once(' ').unwrap_or_else(|| panic!("no node and cause: {line}"));
            let cause = Cause::iter().find(|word| word.to_string() == cause).unwrap();
            let setups = vec![SetupFacts { node: Name::from(node), cause, since }];
            self.fleet.report(&WorkloadKey::new("beside", &n.to_string()), Report { setups, ..Report::default() });
        }
    }

    pub fn facts(&self, now: Timestamp) -> FleetFacts {
        self.fleet.facts(&own_key(), now)
    }

    /// Decides, and once more if the decision itself brings the storm brake on or off, as the controller does.
    pub fn judge(&self, snapshot: &mut Snapshot, now: Timestamp) -> Decision {
        let decision = decide(snapshot, now);
        self.fleet.report(&own_key(), Report::of(snapshot, &decision));
        let storm = self.fleet.weather((snapshot.nodes.total, snapshot.nodes.not_ready), now).storm;
        if storm == self.fleet.storm().is_some() {
            return decision;
        }
        self.fleet.set_storm(storm.then(|| Name::from("storm-1")));
        self.fleet.set_overridden(self.overridden);
        snapshot.fleet = self.facts(now);
        decide(snapshot, now)
    }
}

fn own_key() -> WorkloadKey {
    WorkloadKey::new("shop", "web")
}
