//! What an incident is opened with beside its findings: how the templates differ, how the nodes of failing pods do, and
//! what events said. All of it is at hand when the decision falls; nothing is read for it.

use crate::api::incident::{EventSight, NodeSight};
use crate::cluster::text;
use crate::engine::change::Change;
use crate::engine::facts::{EventFacts, PodFacts, Snapshot};
use crate::engine::finding::Finding;
use crate::engine::memory::RevisionRef;

const MAX_CHANGES: usize = 8;
const MAX_NODES: usize = 4;
const MAX_EVENTS: usize = 8;
/// Failing pods whose events are looked at.
const MAX_PODS: usize = 10;
/// Bytes of an event's text.
const MAX_TEXT: usize = 256;

/// How the failing template differs, if that was read by now.
pub fn changes(s: &Snapshot, failing: &RevisionRef) -> Vec<Change> {
    let around = s.surroundings.iter().filter(|around| around.newest == failing.uid);
    around.flat_map(|around| &around.difference.changes).take(MAX_CHANGES).cloned().collect()
}

/// The nodes of failing pods.
pub fn nodes(s: &Snapshot, failing: &RevisionRef, findings: &[Finding]) -> Vec<NodeSight> {
    let on_it = |name: &str| failing_pods(s, failing, findings).any(|pod| pod.node.as_deref() == Some(name));
    let nodes = s.nodes.own.iter().filter(|node| on_it(&node.name)).take(MAX_NODES);
    let sight = nodes.map(|node| NodeSight {
        name: node.name.to_string(),
        ready: node.ready,
        since: node.ready_since,
        unschedulable: node.unschedulable,
        pressure: node.pressure.iter().map(ToString::to_string).collect(),
    });
    sight.collect()
}

/// The newest events about failing pods, their revision and their nodes. What several pods say alike is told once.
pub fn events(s: &Snapshot, failing: &RevisionRef, findings: &[Finding]) -> Vec<EventSight> {
    let pods = || failing_pods(s, failing, findings).take(MAX_PODS);
    let about = |kind: &str, name: &str, uid: &str| {
        let source = format!("{kind}/{name}");
        s.events.about(uid).iter().map(move |event| (source.clone(), event)).collect::<Vec<_>>()
    };
    let mut nodes: Vec<&str> = pods().filter_map(|pod| pod.node.as_deref()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let mut told: Vec<(String, &EventFacts)> = about("replicaset", &failing.name, &failing.uid);
    told.extend(pods().flat_map(|pod| about("pod", &pod.name, &pod.uid)));
    told.extend(nodes.into_iter().flat_map(|node| about("node", node, node)));
    told.sort_by_key(|(_, event)| std::cmp::Reverse(event.last));
    let mut kept: Vec<(String, &EventFacts)> = Vec::new();
    for (source, event) in told {
        let known = kept.iter().any(|(_, of)| of.reason == event.reason && of.message == event.message);
        if !known && kept.len() < MAX_EVENTS {
            kept.push((source, event));
        }
    }
    kept.into_iter().map(|(source, event)| sight(&source, event)).collect()
}

fn sight(source: &str, event: &EventFacts) -> EventSight {
    EventSight {
        source: text::head(&format!("{source} events[{}]", event.reason), MAX_TEXT).to_owned(),
        text: text::head(&text::redact(&event.message), MAX_TEXT).to_owned(),
        at: event.last,
        count: event.count.max(1),
    }
}

/// The pods of the failing revision that findings name.
fn failing_pods<'a>(
    s: &'a Snapshot,
    failing: &'a RevisionRef,
    findings: &'a [Finding],
) -> impl Iterator<Item = &'a PodFacts> {
    let named = |pod: &&PodFacts| findings.iter().any(|f| f.newest && f.pods.contains(&pod.name));
    s.pods.iter().map(AsRef::as_ref).filter(|pod| pod.revision == failing.uid).filter(named)
}
