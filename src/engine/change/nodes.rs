//! What became of nodes: of those that the workload's pods are on, and where a pod has none, of those that keep pods away.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::{Change, ChangeKind};
use crate::engine::classify::{may_mean_taint, stands_for_condition};
use crate::engine::evidence::judged_pods;
use crate::engine::facts::{NodeFacts, RevisionFacts, Snapshot};
use crate::engine::finding::Finding;
use crate::engine::words::{Cause, Class, Fault};

/// Changes that are told of each kind: a fleet that is drained must not hide what changed in a template.
const KEPT: usize = 8;
/// Taints of a node's role are there from its beginning.
const ROLE: &str = "node-role.kubernetes.io/";

/// What is told of nodes.
#[derive(Debug, Default)]
pub(super) struct NodeChanges {
    /// What came to be within the window, or is so now.
    pub dated: Vec<Change>,
    /// What the scheduler names as the cause and nobody knows the time of.
    pub undated: Vec<Change>,
    /// How many more there are.
    pub omitted: usize,
}

/// What kind of thing became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It takes pods.
    Came,
    /// Its pods are in trouble.
    Went,
    /// It takes no more pods, or not all.
    Shut,
}

/// What became of nodes since `since`, the likeliest cause of the failure first.
pub(super) fn changes(s: &Snapshot, failing: &RevisionFacts, lead: Option<&Finding>, since: Timestamp) -> NodeChanges {
    let pods = || judged_pods(s, &failing.uid);
    let words = pods().filter_map(|pod| pod.unscheduled.as_ref()).map(|condition| &*condition.message).collect();
    let telling = Telling { lead, since, words };
    let mut told = NodeChanges::default();
    s.nodes.own.iter().for_each(|node| telling.tell(node, true, &mut told));
    if pods().any(|pod| pod.node.is_none()) {
        let others = s.nodes.noted.iter().filter(|noted| s.nodes.own.iter().all(|own| own.name != noted.name));
        others.for_each(|node| telling.tell(node, false, &mut told));
    }
    told.dated.sort_by_key(|change| (!change.relevant, change.at.is_some(), Reverse(change.at)));
    told.omitted = [&mut told.dated, &mut told.undated].into_iter().map(cut).sum();
    told
}

/// How many are cut off.
fn cut(changes: &mut Vec<Change>) -> usize {
    let surplus = changes.len().saturating_sub(KEPT);
    changes.truncate(KEPT);
    surplus
}

/// What keeps pods away: a cordon or a taint.
struct Keeper {
    /// What is the cause of pods that it keeps waiting.
    cause: Cause,
    /// The scheduler may mean it.
    is_meant: bool,
    at: Option<Timestamp>,
    done: String,
    is_so: String,
}

/// What is asked of every node.
struct Telling<'a> {
    lead: Option<&'a Finding>,
    since: Timestamp,
    /// What the scheduler says of the failing pods.
    words: Vec<&'a str>,
}

impl Telling<'_> {
    /// `is_own`: pods of the workload are on it.
    fn tell(&self, node: &NodeFacts, is_own: bool, told: &mut NodeChanges) {
        told.dated.extend(self.state(node, is_own));
        if node.unschedulable {
            let [done, is_so] = ["cordoned", "is cordoned"].map(str::to_owned);
            let at = node.cordoned_since();
            self.shut(node, Keeper { cause: Cause::NodesCordoned, at, is_meant: true, done, is_so }, told);
        }
        for taint in node.taints.iter().filter(|taint| !stands_for_condition(taint.key())) {
            let [done, is_so] = ["got the taint", "has the taint"].map(|verb| format!("{verb} {}", taint.taint));
            let (key, at) = (taint.key(), taint.since);
            let is_meant = self.is_meant(key) && (at.is_some() || !key.starts_with(ROLE));
            self.shut(node, Keeper { cause: Cause::Taints, at, is_meant, done, is_so }, told);
        }
    }

    /// The scheduler may mean a taint of this key.
    fn is_meant(&self, key: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|words| may_mean_taint(words, key))
    }

    /// It came, went, or is short of something.
    fn state(&self, node: &NodeFacts, is_own: bool) -> Option<Change> {
        let within = |at: Option<Timestamp>| at.filter(|at| *at >= self.since);
        let (added, turned) = (within(node.created), within(node.ready_since));
        let (words, at) = match (added, turned, node.ready) {
            (Some(_), at, true) => (Some("added and became ready"), at.or(added)),
            (Some(_), _, false) => (Some("added and is not ready"), added),
            (None, Some(_), false) => (Some("became not ready"), turned),
            (None, Some(_), true) if is_own => (Some("became ready"), turned),
            _ => (None, None),
        };
        let pressure = node.pressure.join(", ");
        let words: Vec<&str> = words.into_iter().chain(Some(&*pressure).filter(|text| !text.is_empty())).collect();
        let turn = if node.ready && node.pressure.is_empty() { Turn::Came } else { Turn::Went };
        (!words.is_empty()).then(|| change(node, &words.join("; "), at, self.explains(turn, is_own)))
    }

    /// It keeps pods away.
    fn shut(&self, node: &NodeFacts, keeper: Keeper, told: &mut NodeChanges) {
        let named = |lead: &Finding| lead.class == Class::Pending && lead.cause == keeper.cause;
        match keeper.at {
            Some(at) if at >= self.since => {
                let relevant = keeper.is_meant && self.explains(Turn::Shut, true);
                told.dated.push(change(node, &keeper.done, Some(at), relevant));
            }
            None if keeper.is_meant && self.lead.is_some_and(named) => {
                told.undated.push(change(node, &format!("{}; since when is not known", keeper.is_so), None, true));
            }
            _ => {}
        }
    }

    /// The failure can come of it.
    fn explains(&self, turn: Turn, is_own: bool) -> bool {
        let Some(lead) = self.lead else { return false };
        let waits = lead.class == Class::Pending;
        let of_node = lead.fault == Fault::Platform || lead.class == Class::PodSetup;
        match turn {
            // It brings what its pods meet there, and leaves no pod without a node.
            Turn::Came => is_own && of_node && !waits,
            Turn::Went => of_node || waits,
            Turn::Shut if waits => asks_of_nodes(lead.cause),
            Turn::Shut => of_node && matches!(lead.class, Class::Evicted | Class::NodeLost),
        }
    }
}

fn change(node: &NodeFacts, text: &str, at: Option<Timestamp>, relevant: bool) -> Change {
    let subject = format!("Node {}", node.name);
    Change { kind: ChangeKind::Node, aspect: None, subject, text: super::bounded(text), at, by: None, relevant }
}

/// Pods wait so because of what nodes there are.
fn asks_of_nodes(cause: Cause) -> bool {
    !matches!(cause, Cause::SchedulingGated | Cause::NoScheduler | Cause::VolumeUnbound)
}
