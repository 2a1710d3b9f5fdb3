//! The storm brake: when many workloads or nodes fail at once, no single revision is to blame and nothing is done
//! automatically.

use jiff::Timestamp;
use serde::Serialize;

use super::memory::{Approval, ApprovalVerdict};
use super::moment::after;

/// When the brake engages.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// More than this many newly failing workloads, or more than `percent` of the watched ones, whichever is larger.
    pub workloads: u32,
    pub percent: u32,
    /// How long a workload counts as newly failing. Seconds.
    pub window_seconds: i64,
    /// More than this percentage of nodes not ready.
    pub nodes_percent: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { workloads: 3, percent: 10, window_seconds: 300, nodes_percent: 20 }
    }
}

impl Limits {
    /// The limits below which an engaged brake lets go: half, so that one workload more or less does not make it
    /// flutter.
    #[must_use]
    pub fn to_release(&self) -> Self {
        let half = |n: u32| n / 2;
        Self {
            workloads: half(self.workloads),
            percent: half(self.percent),
            nodes_percent: half(self.nodes_percent),
            ..self.clone()
        }
    }
}

/// What the brake saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Weather {
    pub watched: u32,
    pub newly_failing: u32,
    pub nodes: u32,
    pub nodes_not_ready: u32,
    pub storm: bool,
    /// When a workload stops counting as newly failing and the answer may change.
    pub next_look: Option<Timestamp>,
}

/// Looks at the whole fleet. `failing_since` has one entry per failing workload.
pub fn look(limits: &Limits, watched: u32, failing_since: &[Timestamp], nodes: (u32, u32), now: Timestamp) -> Weather {
    let ends = |at: &Timestamp| after(*at, limits.window_seconds);
    let recent: Vec<Timestamp> = failing_since.iter().copied().filter(|at| ends(at) > now).collect();
    let newly_failing = u32::try_from(recent.len()).unwrap_or(u32::MAX);
    let (total, not_ready) = nodes;
    let many_workloads = newly_failing > limits.workloads.max(share(watched, limits.percent));
    let many_nodes = total > 1 && not_ready > share(total, limits.nodes_percent);
    Weather {
        watched,
        newly_failing,
        nodes: total,
        nodes_not_ready: not_ready,
        storm: many_workloads || many_nodes,
        next_look: recent.iter().map(ends).min(),
    }
}

/// What a person's word on a storm is about, as an approval names it.
pub fn key(storm: &str) -> String {
    format!("Storm/{storm}")
}

/// The person who lets single workloads be acted on although the storm has not passed. A word on another storm does not
/// count.
pub fn overridden_by<'a>(approval: Option<&'a Approval>, storm: &str) -> Option<&'a str> {
    let approval = approval.filter(|a| a.verdict == ApprovalVerdict::Approve)?;
    let meant = approval.decision.as_ref().is_none_or(|decision| *decision == key(storm));
    meant.then_some(approval.by.as_str())
}

fn share(total: u32, percent: u32) -> u32 {
    u32::try_from(u64::from(total) * u64::from(percent) / 100).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn failing(n: i64) -> Vec<Timestamp> {
        (0..n).map(at).collect()
    }

    #[test]
    fn three_of_few_are_no_storm_and_four_are() {
        assert!(!look(&Limits::default(), 20, &failing(3), (3, 0), at(10)).storm);
        assert!(look(&Limits::default(), 20, &failing(4), (3, 0), at(10)).storm);
    }

    #[test]
    fn a_large_fleet_needs_more_than_a_tenth() {
        assert!(!look(&Limits::default(), 600, &failing(60), (3, 0), at(61)).storm);
        assert!(look(&Limits::default(), 600, &failing(61), (3, 0), at(61)).storm);
    }

    #[test]
    fn a_storm_passes_when_its_failures_grow_old() {
        let weather = look(&Limits::default(), 20, &failing(4), (3, 0), at(302));
        assert!(!weather.storm);
        assert_eq!(weather.next_look, Some(at(303)));
    }

    #[test]
    fn only_an_approval_of_this_storm_overrides_it() {
        let word = |verdict, decision: Option<&str>| {
            let approval = Approval { verdict, by: "ada".to_owned(), decision: decision.map(str::to_owned) };
            overridden_by(Some(&approval), "storm-1").map(str::to_owned)
        };
        assert_eq!(word(ApprovalVerdict::Approve, None).as_deref(), Some("ada"));
        assert_eq!(word(ApprovalVerdict::Approve, Some("Storm/storm-1")).as_deref(), Some("ada"));
        assert_eq!(word(ApprovalVerdict::Approve, Some("Storm/storm-2")), None);
        assert_eq!(word(ApprovalVerdict::Deny, None), None);
        assert_eq!(overridden_by(None, "storm-1"), None);
    }

    #[test]
    fn lost_nodes_are_a_storm_above_a_fifth_and_a_single_node_is_none() {
        assert!(!look(&Limits::default(), 5, &[], (10, 2), at(0)).storm);
        assert!(look(&Limits::default(), 5, &[], (10, 3), at(0)).storm);
        assert!(!look(&Limits::default(), 5, &[], (1, 1), at(0)).storm);
    }
}
