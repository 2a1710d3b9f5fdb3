//! The scheduler's sentence about why a pod has no node (`FitError`, pkg/scheduler/framework/types.go):
//!
//! ```text
//! 0/5 nodes are available: 1 node(s) had untolerated taint(s), 4 Insufficient cpu. preemption: 0/5 nodes are ...
//! 0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: ...
//! ```

use std::sync::LazyLock;

use super::text::{Reading, Table, reading};
use crate::engine::message::Speaker;
use crate::engine::words::{Cause, Class, Sureness};

/// The reason that matters among those that the sentence gives.
///
/// Every node is listed with the first thing that ruled it out. Taints, cordons and selectors are asked first and
/// also rule out nodes that were never meant for the pod, such as the control plane; so a node that came further says
/// more than they do. Among equals the one that rules out most nodes wins.
pub(super) fn read(table: &Table, message: &str) -> Option<Reading> {
    let told = reasons(message).filter_map(|reason| Some((reason.nodes, table.read_part(reason.text)?)));
    told.max_by_key(|(nodes, said)| (how_far(said.cause), *nodes)).map(|(_, said)| said)
}

/// What ruled out so many nodes; 0 where the sentence gives no number, since it then speaks of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reason<'t> {
    pub nodes: u32,
    pub text: &'t str,
}

/// The reasons that the sentence gives. A text that is no such sentence is one reason without a number.
///
/// What is said of preemption repeats the nodes and holds reasons of its own, which are none of the pod's.
pub(super) fn reasons(message: &str) -> Reasons<'_> {
    let own = message.split_once(" preemption: ").map_or(message, |(own, _)| own);
    // Volcano says that all nodes are unavailable.
    let begins = ["nodes are available: ", "nodes are unavailable: "];
    let told = begins.iter().find_map(|begin| Some(own.split_once(begin)?.1)).unwrap_or(own);
    // What the allocation of devices adds before the preemption.
    let told = told.strip_suffix(" no new claims to deallocate,").unwrap_or(told);
    Reasons { rest: told.trim_end_matches('.') }
}

/// The same sentence in at most `max` bytes: without what it says of preemption, what further nodes said first, and of
/// taints as many as there is room for. `None` for a text that is no such sentence, or of which no part is short enough.
pub(super) fn shortened(message: &str, max: usize) -> Option<String> {
    let (before, _) = message.split_once("nodes are available: ")?;
    let all: Vec<Reason> = reasons(message).collect();
    let (taints, others): (Vec<&Reason>, Vec<&Reason>) = all.iter().partition(|reason| reason.text.contains("taint"));
    let mut short = format!("{before}nodes are available: ");
    let rest = |nodes: u32| format!("{nodes} node(s) had other untolerated taints");
    let room = max.saturating_sub(rest(u32::MAX).len() + 4);
    let (begun, mut left) = (short.len(), 0_u32);
    for reason in others.into_iter().chain(taints) {
        let words = format!("{}{} {}", if short.len() > begun { ", " } else { "" }, reason.nodes, reason.text);
        if short.len() + words.len() <= room {
            short.push_str(&words);
        } else if reason.text.contains("taint") {
            left = left.saturating_add(reason.nodes);
        }
    }
    if left > 0 {
        short.push_str(&format!("{}{}", if short.len() > begun { ", " } else { "" }, rest(left)));
    }
    if short.len() == begun {
        return None;
    }
    short.push('.');
    (short.len() <= max).then_some(short)
}

/// A taint that the scheduler names. Since Kubernetes 1.36 it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taint<'t> {
    pub nodes: u32,
    pub key: &'t str,
    pub value: &'t str,
}

impl Taint<'_> {
    /// The taint stands for a condition of the node, which no pod is meant to tolerate.
    pub(super) fn is_of_condition(&self) -> bool {
        stands_for_condition(self.key)
    }
}

/// A taint of this key stands for a condition of its node.
pub(in crate::engine) fn stands_for_condition(key: &str) -> bool {
    let state = key.strip_prefix("node.kubernetes.io/");
    let known = [
        "not-ready",
        "unreachable",
        "memory-pressure",
        "disk-pressure",
        "pid-pressure",
        "network-unavailable",
        "unschedulable",
    ];
    state.is_some_and(|state| known.contains(&state)) || key == "node.cloudprovider.kubernetes.io/uninitialized"
}

/// A taint of this key may be one that the sentence is about: it names it, or none.
pub(in crate::engine) fn may_mean_taint(message: &str, key: &str) -> bool {
    let mut named = taints(message).peekable();
    named.peek().is_none() || named.any(|taint| taint.key == key)
}

/// The taints that a sentence names.
pub(super) fn taints(message: &str) -> impl Iterator<Item = Taint<'_>> {
    reasons(message).filter_map(|reason| {
        let (_, taint) = reason.text.split_once("taint {")?;
        let (key, value) = taint.split('}').next()?.split_once(':')?;
        Some(Taint { nodes: reason.nodes, key: key.trim(), value: value.trim() })
    })
}

/// What a sentence says of taints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Taints {
    /// Their names; all of them may stand for conditions of nodes.
    Named { all_of_conditions: bool },
    /// So many nodes have some.
    Unnamed { nodes: u32 },
}

/// Whether the taints that keep a pod away stand for conditions; `None` where the sentence is about no taint.
pub(in crate::engine) fn told_taints(message: &str) -> Option<Taints> {
    let mut named = taints(message).peekable();
    if named.peek().is_some() {
        return Some(Taints::Named { all_of_conditions: named.all(|taint| taint.is_of_condition()) });
    }
    let unnamed = reasons(message).find(|reason| reason.text.contains("taint(s)"))?;
    Some(Taints::Unnamed { nodes: unnamed.nodes })
}

/// The resources that a sentence says there is too little of, and on how many nodes.
pub(super) fn insufficient(message: &str) -> impl Iterator<Item = (&str, u32)> {
    reasons(message).filter_map(|reason| {
        let rest = reason.text.strip_prefix("Insufficient ")?;
        // A name such as `nvidia.com/gpu` has dots of its own.
        let resource = rest.split([' ', ',']).next()?.trim_end_matches('.');
        Some((resource, reason.nodes))
    })
}

fn how_far(cause: Cause) -> u8 {
    match cause {
        Cause::Unknown => 0,
        Cause::Taints => 1,
        Cause::NodesCordoned => 2,
        Cause::NodeSelector => 3,
        _ => 4,
    }
}

/// The reasons with their number of nodes, 0 where the sentence gives none. A comma inside braces belongs to a taint,
/// and one that no digit follows to the reason itself.
#[derive(Clone, Debug)]
pub(super) struct Reasons<'t> {
    rest: &'t str,
}

impl<'t> Iterator for Reasons<'t> {
    type Item = Reason<'t>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (part, rest) = split_at_reason(self.rest);
        self.rest = rest;
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (count, text) = part.split_at_checked(digits).unwrap_or(("", part));
        Some(Reason { nodes: count.parse().unwrap_or(0), text: text.trim_start() })
    }
}

fn split_at_reason(text: &str) -> (&str, &str) {
    let mut depth = 0_i32;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth = depth.saturating_add(1),
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth <= 0 => {
                let (part, rest) = text.split_at_checked(at).unwrap_or((text, ""));
                let rest = rest.trim_start_matches([',', ' ']);
                if rest.starts_with(|c: char| c.is_ascii_digit()) {
                    return (part, rest);
                }
            }
            _ => {}
        }
    }
    (text, "")
}

const fn said(cause: Cause) -> Reading {
    reading(Class::Pending, cause, Sureness::Timed)
}

/// One reason of the scheduler's plugins each (pkg/scheduler/framework/plugins). Volume affinity comes before node
/// affinity, whose words it holds.
pub(super) static REASONS: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        Speaker::Scheduler,
        &[
            (
                &[
                    "volume node affinity conflict",
                    "persistentvolume's node affinity",
                    "no available volume zone",
                    "enough free storage",
                    "max volume count",
                    "readwriteoncepod",
                    "plugin(s) [volumezone",
                    "plugin(s) [volumerestrictions",
                    "plugin(s) [nodevolumelimits",
                ],
                said(Cause::VolumeTopology),
            ),
            (
                &[
                    "unbound immediate persistentvolumeclaims",
                    "persistentvolumeclaim \"",
                    "non-existent pv",
                    "storageclass.storage.k8s.io \"",
                    "storageclass \"",
                    "plugin(s) [volumebinding",
                    "available persistent volumes to bind",
                ],
                said(Cause::VolumeUnbound),
            ),
            (
                &["node.kubernetes.io/unschedulable", "node(s) were unschedulable", "plugin(s) [nodeunschedulable"],
                said(Cause::NodesCordoned),
            ),
            (&["untolerated taint", "that the pod didn't tolerate", "plugin(s) [tainttoleration"], said(Cause::Taints)),
            (
                &[
                    "insufficient ",
                    "no nodes available to schedule pods",
                    "/0 nodes are available",
                    "cannot allocate all claims",
                    // Volcano, with as few words as these.
                    "resource fit failed",
                    "plugin(s) [noderesourcesfit",
                    "plugin(s) [dynamicresources",
                ],
                said(Cause::InsufficientResources),
            ),
            (&["too many pods"], said(Cause::TooManyPods)),
            (&["topology spread constraints", "plugin(s) [podtopologyspread"], said(Cause::TopologySpread)),
            (
                &[
                    "pod affinity terms conflict",
                    "node affinity",
                    "node selector",
                    "requested node name",
                    "required features",
                    "plugin(s) [nodeaffinity",
                    "plugin(s) [nodename",
                ],
                said(Cause::NodeSelector),
            ),
            (&["anti-affinity", "pod affinity", "plugin(s) [interpodaffinity"], said(Cause::PodAffinity)),
            (&["free ports", "plugin(s) [nodeports"], said(Cause::HostPort)),
            (&["scheduling gates"], said(Cause::SchedulingGated)),
        ],
    )
});
