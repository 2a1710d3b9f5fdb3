use std::sync::Arc;

use jiff::Timestamp;

use super::Interner;
use crate::cluster::slim::SlimEvent;
use crate::engine::classify::intake;
use crate::engine::facts::{EventFacts, Name, NodeFacts, PodFacts, RevisionFacts, WorkloadFacts, claim_key};

/// What client-go puts before the message when it merges events (tools/record/events_cache.go).
const MERGED: &str = "(combined from similar events): ";

/// The facts of an Event with the object that it is about: its UID, or the name of a node, since the kubelet does not
/// give a node's UID. `None` for events that tell nothing that a status does not.
pub fn event_facts(event: &SlimEvent, names: &mut Interner) -> Option<(Name, EventFacts)> {
    let about = &event.involved_object;
    let kind = about.kind.as_deref().unwrap_or_default();
    let reason = event.reason.as_deref().unwrap_or_default();
    let text = event.message.as_deref().unwrap_or_default();
    let text = text.strip_prefix(MERGED).unwrap_or(text);
    if !matters(kind, reason, text) {
        return None;
    }
    let given = |text: &'_ Option<String>| text.clone().filter(|text| !text.is_empty());
    let object = match kind {
        "Node" => names.named(&given(&about.name)?),
        "PersistentVolumeClaim" => {
            let (namespace, claim) = (names.named(&given(&about.namespace)?), names.named(&given(&about.name)?));
            names.name(&claim_key(&namespace, &claim))
        }
        _ => names.name(&given(&about.uid)?),
    };
    let created = event.metadata.creation_timestamp.as_ref().map(|created| created.0);
    let (first, last) = times(event).or(created.map(|created| (created, created)))?;
    let count = event.series.count.max(event.count).unwrap_or(1).max(1).unsigned_abs();
    let container = about.field_path.as_deref().and_then(container).map(|container| names.named(container));
    let message = intake::of_event(reason, text);
    Some((object, EventFacts { reason: names.word(reason), message, container, count, first, last }))
}

/// What events may be about that concerns a workload: itself, its parts, their nodes and the claims that they mount.
pub fn talked_about(
    workload: &WorkloadFacts,
    revisions: &[Arc<RevisionFacts>],
    pods: &[Arc<PodFacts>],
    nodes: &[Arc<NodeFacts>],
) -> Vec<Name> {
    let objects = std::iter::once(&workload.uid).chain(revisions.iter().map(|revision| &revision.uid));
    // Nodes go by their names, which pods tell also where nodes themselves may not be seen.
    let unseen = pods.iter().filter(|_| nodes.is_empty()).filter_map(|pod| pod.node.as_ref());
    let nodes = nodes.iter().map(|node| &node.name).chain(unseen);
    let objects = objects.chain(pods.iter().map(|pod| &pod.uid)).chain(nodes);
    let mut all: Vec<Name> = objects.cloned().collect();
    for claim in revisions.iter().flat_map(|revision| &revision.template.claims) {
        let key = claim_key(&workload.namespace, claim);
        if !all.iter().any(|known| **known == *key) {
            all.push(Name::from(key));
        }
    }
    all
}

/// The earliest and the latest of the times that are set: an Event has up to four, and which of them depends on the
/// API that it was sent through.
fn times(event: &SlimEvent) -> Option<(Timestamp, Timestamp)> {
    let times = [event.first_timestamp, event.last_timestamp, event.event_time, event.series.last_observed_time];
    let times = || times.iter().filter_map(|moment| moment.0);
    Some((times().min()?, times().max()?))
}

/// The container in `spec.containers{web}`.
fn container(path: &str) -> Option<&str> {
    path.split_once('{')?.1.strip_suffix('}').filter(|name| !name.is_empty())
}

/// What the classifiers read. Some of it is of type Normal, such as kills and back-offs.
fn matters(kind: &str, reason: &str, message: &str) -> bool {
    match kind {
        "Pod" => match reason {
            // Every pod that goes away is killed; only probes are of interest.
            "Killing" => message.contains("probe"),
            // Of the many failures of this name only those of a pull say what a status may have forgotten; others of
            // this name only repeat that a pull failed.
            "Failed" => message.starts_with("Failed to pull image "),
            // Newer kubelets say why they back off; else it only repeats that they do.
            "BackOff" => message.starts_with("Back-off pulling image ") && message.contains("\": "),
            "FailedMount"
            | "FailedAttachVolume"
            | "FailedMapVolume"
            | "FailedMountOnFilesystemMismatch"
            | "FailedCreatePodSandBox"
            | "NetworkNotReady"
            | "FailedPrepareDynamicResources"
            | "FailedSync"
            | "FailedKillPod"
            | "VolumeResizeFailed"
            | "SandboxChanged"
            | "Unhealthy"
            | "FailedPostStartHook"
            | "FailedToRetrieveImagePullSecret"
            | "FailedScheduling"
            | "NotTriggerScaleUp"
            | "TriggeredScaleUp"
            | "Nominated"
            | "MissingClusterDNS"
            | "Evicted"
            | "Preempted"
            | "TaintManagerEviction"
            | "NodeNotReady" => true,
            _ => false,
        },
        // `OOMKilling` is of node-problem-detector.
        "Node" => matches!(reason, "SystemOOM" | "OOMKilling" | "Rebooted" | "EvictionThresholdMet" | "NodeNotReady"),
        "Deployment" => reason == "ReplicaSetCreateError",
        "PersistentVolumeClaim" => matches!(
            reason,
            "ProvisioningFailed"
                | "FailedBinding"
                | "ClaimLost"
                | "ClaimMisbound"
                | "ExternalProvisioning"
                | "WaitForFirstConsumer"
        ),
        _ => reason == "FailedCreate",
    }
}

/// What the watch asks the API server to leave out: the events of a cluster in which all is well.
pub const UNINTERESTING: [&str; 14] = [
    "Created",
    "LeaderElection",
    "NoPods",
    "NodeAllocatableEnforced",
    "NodeHasNoDiskPressure",
    "NodeHasSufficientMemory",
    "NodeHasSufficientPID",
    "Pulled",
    "Pulling",
    "ScalingReplicaSet",
    "Scheduled",
    "Started",
    "SuccessfulCreate",
    "SuccessfulDelete",
];

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn facts(event: Value) -> Option<(Name, EventFacts)> {
        event_facts(&serde_json::from_value(event).unwrap(), &mut Interner::default())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// As the kubelet sends it: core/v1, counted.
    fn unhealthy() -> Value {
        json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "web-1.a", "creationTimestamp": "2026-03-01T10:00:00Z"},
            "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-1", "uid": "u-1",
                "fieldPath": "spec.containers{web}"},
            "reason": "Unhealthy", "type": "Warning", "count": 7, "message": "Readiness probe failed: HTTP probe failed with statuscode: 503",
            "firstTimestamp": "2026-03-01T10:00:00Z", "lastTimestamp": "2026-03-01T10:01:00Z", "eventTime": null,
            "series": null, "source": {"component": "kubelet"}})
    }

    #[test]
    fn an_event_of_the_kubelet_is_what_it_says() {
        let (object, event) = facts(unhealthy()).unwrap();
        assert_eq!((&*object, &*event.reason, event.container.as_deref()), ("u-1", "Unhealthy", Some("web")));
        assert_eq!((event.count, event.first, event.last), (7, at("2026-03-01T10:00:00Z"), at("2026-03-01T10:01:00Z")));
    }

    #[rstest]
    // As the scheduler sends it, read through core/v1 and through events.k8s.io.
    #[case(json!({"kind": "Event", "metadata": {"name": "a", "creationTimestamp": "2026-03-01T10:00:00Z"},
        "involvedObject": {"kind": "Pod", "uid": "u-1"}, "reason": "FailedScheduling", "message": "0/1 nodes",
        "firstTimestamp": null, "lastTimestamp": null, "eventTime": "2026-03-01T10:00:00.25Z",
        "series": {"count": 4, "lastObservedTime": "2026-03-01T10:05:00.5Z"}}))]
    #[case(json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "a"},
        "regarding": {"kind": "Pod", "uid": "u-1"}, "reason": "FailedScheduling", "note": "0/1 nodes",
        "deprecatedFirstTimestamp": null, "deprecatedLastTimestamp": null, "eventTime": "2026-03-01T10:00:00.25Z",
        "series": {"count": 4, "lastObservedTime": "2026-03-01T10:05:00.5Z"}}))]
    #[case(json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "a"},
        "regarding": {"kind": "Pod", "uid": "u-1"}, "reason": "FailedScheduling", "note": "0/1 nodes",
        "deprecatedFirstTimestamp": "2026-03-01T10:00:00.25Z", "deprecatedLastTimestamp": "2026-03-01T10:05:00.5Z",
        "deprecatedCount": 4}))]
    fn both_apis_and_all_their_times_are_read(#[case] event: Value) {
        let (object, event) = facts(event).unwrap();
        assert_eq!((&*object, &*event.message, event.count), ("u-1", "0/1 nodes", 4));
        assert_eq!((event.first, event.last), (at("2026-03-01T10:00:00.25Z"), at("2026-03-01T10:05:00.5Z")));
    }

    #[test]
    fn what_was_merged_reads_as_what_it_was() {
        let mut event = unhealthy();
        event["message"] = json!("(combined from similar events): Readiness probe failed: ");
        assert_eq!(&*facts(event).unwrap().1.message, "Readiness probe failed:");
    }

    #[test]
    fn an_event_without_any_time_is_as_old_as_the_object() {
        let mut event = unhealthy();
        (event["firstTimestamp"], event["lastTimestamp"]) = (Value::Null, json!("0001-01-01T00:00:00Z"));
        assert_eq!(facts(event.clone()).unwrap().1.last, at("2026-03-01T10:00:00Z"));
        event["metadata"]["creationTimestamp"] = Value::Null;
        assert_eq!(facts(event), None);
    }

    #[rstest]
    #[case("Pod", "Killing", "Container web failed liveness probe, will be restarted", true)]
    #[case("Pod", "Killing", "Stopping container web", false)]
    #[case("Pod", "Failed", "Failed to pull image \"a\": rpc error", true)]
    #[case("Pod", "Failed", "Error: failed to start container \"web\": exec: x", false)]
    #[case("Pod", "BackOff", "Back-off pulling image \"a\": ErrImagePull: not found", true)]
    #[case("Pod", "BackOff", "Back-off pulling image \"a\"", false)]
    #[case("Pod", "BackOff", "Back-off restarting failed container web in pod web-1_shop(u-1)", false)]
    #[case("Pod", "Failed", "Error: ErrImagePull", false)]
    #[case("Pod", "Failed", "Error: ImagePullBackOff", false)]
    #[case("Pod", "Scheduled", "", false)]
    #[case("Pod", "FailedSync", "error determining status", true)]
    #[case("Pod", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.", true)]
    #[case("Pod", "FailedKillPod", "error killing pod: failed to stop sandbox", true)]
    #[case("Pod", "VolumeResizeFailed", "MountVolume.Resize failed for volume \"pvc-1\"", true)]
    #[case("Pod", "Nominated", "Pod should schedule on: nodeclaim/default-x", true)]
    #[case("Pod", "MissingClusterDNS", "kubelet does not have ClusterDNS IP configured", true)]
    #[case("Pod", "DNSConfigForming", "Nameserver limits were exceeded", false)]
    #[case("Node", "OOMKilling", "Memory cgroup out of memory: Killed process 9 (web)", true)]
    #[case("Node", "NodeNotReady", "Node n1 status is now: NodeNotReady", true)]
    #[case("Node", "NodeReady", "", false)]
    #[case("ReplicaSet", "FailedCreate", "", true)]
    #[case("StatefulSet", "FailedCreate", "", true)]
    #[case("ReplicaSet", "SuccessfulCreate", "", false)]
    #[case("ConfigMap", "Changed", "", false)]
    fn only_what_a_classifier_reads_is_kept(
        #[case] kind: &str,
        #[case] reason: &str,
        #[case] text: &str,
        #[case] kept: bool,
    ) {
        let mut event = unhealthy();
        (event["involvedObject"]["kind"], event["reason"], event["message"]) =
            (kind.into(), reason.into(), text.into());
        assert_eq!(facts(event).is_some(), kept);
    }

    #[test]
    fn what_the_watch_leaves_out_is_read_by_nobody() {
        for (kind, reason) in
            ["Pod", "Node", "Deployment", "ReplicaSet"].into_iter().flat_map(|k| UNINTERESTING.map(|r| (k, r)))
        {
            assert!(!matters(kind, reason, "probe"), "{kind} {reason}");
        }
    }

    #[test]
    fn an_event_about_a_node_goes_by_its_name() {
        let mut event = unhealthy();
        event["involvedObject"] = json!({"kind": "Node", "name": "n1", "uid": "other"});
        event["reason"] = json!("SystemOOM");
        assert_eq!(&*facts(event).unwrap().0, "n1");
    }

    #[test]
    fn an_event_about_a_claim_goes_by_its_namespace_and_name() {
        let mut event = unhealthy();
        event["involvedObject"] =
            json!({"kind": "PersistentVolumeClaim", "namespace": "shop", "name": "cache", "uid": "other"});
        event["reason"] = json!("ProvisioningFailed");
        assert_eq!(&*facts(event.clone()).unwrap().0, "claim/shop/cache");
        event["reason"] = json!("Provisioning");
        assert_eq!(facts(event), None);
    }

    #[test]
    fn nonsense_is_no_event() {
        for involved in [Value::Null, json!({}), json!({"kind": "Pod", "uid": ""})] {
            let mut event = unhealthy();
            event["involvedObject"] = involved;
            assert_eq!(facts(event), None);
        }
        let mut event = unhealthy();
        (event["count"], event["involvedObject"]["fieldPath"]) = (json!(-3), json!("}{"));
        let (_, event) = facts(event).unwrap();
        assert_eq!((event.count, event.container), (1, None));
    }
}
