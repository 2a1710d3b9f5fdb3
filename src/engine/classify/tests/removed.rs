use std::sync::Arc;

use rstest::rstest;

use super::build::*;
use crate::engine::classify::classify;
use crate::engine::facts::{NodeFacts, PodFacts};
use crate::engine::words::{Cause, Class, Sureness};

fn finished(reason: &str, message: &str) -> PodFacts {
    let mut pod = pod([terminated(ended(137, "Error"))]);
    pod.finished = true;
    pod.reason = Some(name(reason));
    pod.message = message.into();
    pod
}

#[rstest]
#[case(
    "Evicted",
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 1Mi.",
    Class::Evicted,
    Cause::NodePressure
)]
#[case("Evicted", "Pod was rejected: The node had condition: [DiskPressure].", Class::Evicted, Cause::NodePressure)]
#[case("Preempting", "Preempted in order to admit critical pod", Class::Evicted, Cause::Preempted)]
#[case("NodeShutdown", "Pod was rejected as the node is shutting down.", Class::Evicted, Cause::NodeShutdown)]
#[case("Terminated", "Pod was terminated in response to imminent node shutdown.", Class::Evicted, Cause::NodeShutdown)]
#[case(
    "OutOfcpu",
    "Pod was rejected: Node didn't have enough resource: cpu",
    Class::Pending,
    Cause::InsufficientResources
)]
#[case("OutOfpods", "Pod was rejected", Class::Pending, Cause::TooManyPods)]
#[case(
    "UnexpectedAdmissionError",
    "Allocate failed due to no devices available",
    Class::PodSetup,
    Cause::DeviceUnavailable
)]
#[case("VolumeAttachmentLimitExceeded", "Pod was rejected", Class::PodSetup, Cause::VolumeAttach)]
#[case("PodFeatureUnsupported", "Pod was rejected", Class::PodSetup, Cause::Unknown)]
#[case::of_the_kubelet("InvalidNodeInfo", "Kubelet cannot get node info.", Class::PodSetup, Cause::Unknown)]
fn pods_that_were_taken_or_turned_away_are_never_evidence(
    #[case] reason: &str,
    #[case] message: &str,
    #[case] class: Class,
    #[case] cause: Cause,
) {
    assert_eq!(seen(&only(finished(reason, message)), at(50)), [(class, cause, Sureness::Excluded)]);
}

#[rstest]
#[case("SysctlForbidden", Class::PodSetup, Cause::SandboxFailed)]
#[case("AppArmor", Class::PodSetup, Cause::SandboxFailed)]
#[case("SupplementalGroupsPolicyNotSupported", Class::PodSetup, Cause::SandboxFailed)]
#[case("TopologyAffinityError", Class::PodSetup, Cause::DeviceUnavailable)]
#[case("SMTAlignmentError", Class::PodSetup, Cause::DeviceUnavailable)]
#[case("NodeAffinity", Class::Pending, Cause::NodeSelector)]
#[case("PodOSNotSupported", Class::Pending, Cause::NodeSelector)]
#[case("NodePorts", Class::Pending, Cause::HostPort)]
#[case("DeadlineExceeded", Class::Evicted, Cause::OwnLimit)]
fn pods_that_failed_for_their_own_spec_are_evidence_once_there_are_two(
    #[case] reason: &str,
    #[case] class: Class,
    #[case] cause: Cause,
) {
    let one = finished(reason, "Pod was rejected");
    assert_eq!(seen(&only(one.clone()), at(50)), [(class, cause, Sureness::Repeated)]);
    assert_eq!(single(&only(one.clone()), at(50)).occurrences, 1);
    let mut s = snapshot([one.clone(), one.clone(), finished("NodeShutdown", "")]);
    let symptoms = classify(&s, at(50));
    assert_eq!(symptoms.iter().map(|symptom| symptom.occurrences).collect::<Vec<_>>(), [2, 2, 1]);
    // The revision has all its pods by now; those that were refused are left over.
    Arc::make_mut(&mut s.revisions[1]).ready = 1;
    assert!(seen(&s, at(50)).iter().all(|(.., sureness)| *sureness == Sureness::Excluded));
}

const TOO_FEW: &str = "Allocate failed due to requested number of devices unavailable for example.com/gpu. Requested: 2, Available: 1, which is unexpected";

#[rstest]
#[case::brought(TOO_FEW, 0, Sureness::Repeated)]
#[case::raised(TOO_FEW, 1, Sureness::Repeated)]
#[case::as_before(TOO_FEW, 2, Sureness::Excluded)]
#[case::no_device(
    "Allocate failed due to can't allocate unregistered device example.com/gpu, which is unexpected",
    0,
    Sureness::Excluded
)]
fn devices_that_another_revision_would_do_with_are_evidence(
    #[case] message: &str,
    #[case] before: u64,
    #[case] sureness: Sureness,
) {
    let one = finished("UnexpectedAdmissionError", message);
    let elsewhere = PodFacts { node: Some(name("n2")), ..one.clone() };
    let old_has = |before, pods: &[&PodFacts]| {
        let mut s = snapshot(pods.iter().copied().cloned());
        let old = Arc::make_mut(s.revisions.iter_mut().find(|r| &*r.uid == OLD).unwrap());
        old.template.containers[0].devices = Box::new([(name("example.com/gpu"), before)]);
        seen(&s, at(50))
    };
    let said = |sureness| (Class::PodSetup, Cause::DeviceUnavailable, sureness);
    assert_eq!(old_has(before, &[&one, &elsewhere]), [said(sureness); 2]);
    let other = PodFacts { revision: name(OLD), ..elsewhere };
    let broken = PodFacts {
        node: Some(name("n2")),
        message: TOO_FEW.replace("Available: 1", "Available: 0").as_str().into(),
        ..one.clone()
    };
    assert_eq!(old_has(before, &[&one, &one]), [said(Sureness::Excluded); 2], "it may be the node");
    assert_eq!(old_has(before, &[&one, &other]), [said(Sureness::Excluded); 2], "it may be the node");
    assert_eq!(
        old_has(before.max(1), &[&one, &broken]),
        [said(Sureness::Excluded); 2],
        "the old one would not do either"
    );
}

#[rstest]
#[case("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.")]
#[case("Container web exceeded its local ephemeral storage limit \"1Gi\".")]
#[case("Usage of EmptyDir volume \"cache\" exceeds the limit \"1Gi\".")]
fn pods_that_exceeded_a_limit_of_their_own_are_evidence_once_there_are_two(#[case] message: &str) {
    let first = finished("Evicted", message);
    let s = only(first.clone());
    assert_eq!(seen(&s, at(50)), [(Class::Evicted, Cause::OwnLimit, Sureness::Repeated)]);
    assert_eq!(single(&s, at(50)).occurrences, 1);
    let low = finished("Evicted", "The node was low on resource: memory.");
    let old = PodFacts { revision: name(OLD), ..first.clone() };
    let s = snapshot([first.clone(), first, low, old]);
    let occurrences: Vec<u32> = classify(&s, at(50)).iter().map(|symptom| symptom.occurrences).collect();
    assert_eq!(occurrences, [2, 2, 1, 1]);
}

#[test]
fn a_pod_that_ended_in_good_order_when_it_was_put_out_is_told_by_its_event() {
    let silent = PodFacts { reason: None, ..finished("", "") };
    let limit = "Usage of EmptyDir volume \"cache\" exceeds the limit \"1Gi\". ";
    let s = hearing(only(silent.clone()), &silent.uid, [event("Evicted", limit, 40)]);
    assert_eq!(seen(&s, at(50)), [(Class::Evicted, Cause::OwnLimit, Sureness::Repeated)]);
    let another = PodFacts { uid: name("uid-b"), name: name("web-6d-b"), ..silent.clone() };
    let s = hearing(snapshot([silent.clone(), another.clone()]), &silent.uid, [event("Evicted", limit, 40)]);
    assert_eq!(single(&s, at(50)).occurrences, 1);
    let s = hearing(s, &another.uid, [event("Evicted", limit, 45)]);
    assert_eq!(classify(&s, at(50)).iter().map(|symptom| symptom.occurrences).collect::<Vec<_>>(), [2, 2]);
    let low = "The node was low on resource: memory.";
    let s = hearing(only(silent.clone()), &silent.uid, [event("Evicted", low, 40)]);
    assert_eq!(seen(&s, at(50)), [(Class::Evicted, Cause::NodePressure, Sureness::Excluded)]);
    assert!(single(&s, at(50)).told.is_some(), "only the event says it");
    let spoken = finished("Evicted", low);
    let s = hearing(only(spoken.clone()), &spoken.uid, [event("Evicted", low, 40)]);
    assert!(single(&s, at(50)).told.is_none(), "the status says it");
}

#[rstest]
#[case("PreemptionByScheduler", Class::Evicted, Cause::Preempted)]
#[case("EvictionByEvictionAPI", Class::Evicted, Cause::NodeShutdown)]
#[case("TerminationByKubelet", Class::Evicted, Cause::NodePressure)]
#[case("DeletionByTaintManager", Class::NodeLost, Cause::NodeNotReady)]
#[case("DeletionByPodGC", Class::NodeLost, Cause::NodeNotReady)]
fn a_pod_that_is_being_taken_away_is_no_evidence_whatever_its_containers_show(
    #[case] reason: &str,
    #[case] class: Class,
    #[case] cause: Cause,
) {
    let pod = PodFacts { disruption: Some(name(reason)), ..pod([looping(5, ended(137, "Error"))]) };
    assert_eq!(seen(&only(pod), at(50)), [(class, cause, Sureness::Excluded)]);
}

#[test]
fn pods_on_a_node_that_is_not_ready_are_lost_and_those_elsewhere_are_not() {
    let here = pod([looping(5, ended(1, "Error"))]);
    let there = PodFacts { node: Some(name("n2")), ..here.clone() };
    let mut s = snapshot([here, there]);
    s.nodes.own = vec![Arc::new(NodeFacts { ready: false, ..node("n1") }), Arc::new(node("n2"))];
    let expected = [
        (Class::NodeLost, Cause::NodeNotReady, Sureness::Excluded),
        (Class::CrashLoopBackOff, Cause::ApplicationError, Sureness::Counted),
    ];
    assert_eq!(seen(&s, at(50)), expected);
}

#[test]
fn a_pod_that_ended_and_does_not_say_why_is_no_evidence() {
    let pod = PodFacts { reason: None, ..finished("", "") };
    assert_eq!(classify(&only(pod), at(50)), []);
}
