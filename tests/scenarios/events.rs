//! Events, as kubelets and controllers send them.

use backstay::cluster::hints::Hints;
use backstay::cluster::slim::SlimEvent;
use backstay::cluster::watches::Watches;
use jiff::{SignedDuration, Timestamp};
use kube::runtime::watcher::Event;
use serde_json::json;

use super::objects;
use super::pods::Pod;
use super::script::{EventLine, seconds};

/// Events are watched, and there are none yet.
pub fn none(now: Timestamp) -> Hints {
    let hints = Hints::default();
    hints.take(Event::InitDone, now);
    let watch = Watches::default().add::<SlimEvent>(None);
    watch.listed();
    hints.hear_of_nodes(watch);
    hints
}

/// The events that a line stands for: one for every object that it is about.
pub fn of(line: &EventLine, pods: &[Pod], now: Timestamp) -> Vec<SlimEvent> {
    let about: Vec<(&str, String)> = match line.of.split_once('/') {
        Some(("pod", uid)) => vec![("Pod", uid.to_owned())],
        Some(("replicaset", revision)) => vec![("ReplicaSet", format!("uid-{revision}"))],
        Some(("claim", name)) => vec![("PersistentVolumeClaim", name.to_owned())],
        Some(("node", name)) => vec![("Node", name.to_owned())],
        Some(_) => panic!("an event about nothing known: {}", line.of),
        None => {
            let pods = pods.iter().filter(|pod| pod.revision == line.of);
            pods.map(|pod| ("Pod", format!("uid-{}", pod.name))).collect()
        }
    };
    assert!(!about.is_empty(), "an event about no pod: {}", line.of);
    let last = objects::stamp(now - SignedDuration::from_secs(seconds(&line.ago)));
    let path = line.container.as_ref().map(|name| format!("spec.containers{{{name}}}"));
    let event = |(kind, uid): (&str, String)| {
        json!({
            "metadata": {"name": format!("{uid}.{}.{}", line.reason, line.message)},
            "involvedObject": {"kind": kind, "namespace": "shop", "uid": uid, "name": uid, "fieldPath": path},
            "reason": line.reason, "message": line.message, "count": line.count,
            "firstTimestamp": last, "lastTimestamp": last,
        })
    };
    about.into_iter().map(|object| serde_json::from_value(event(object)).unwrap()).collect()
}
