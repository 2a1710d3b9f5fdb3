use std::sync::Arc;

use rstest::rstest;

use super::build::*;
use crate::engine::classify::classify;
use crate::engine::facts::{ContainerTemplate, PodFacts, Snapshot};
use crate::engine::finding::Subject;
use crate::engine::words::{Aspect, Cause, Class, Sureness};

fn refused(message: &str) -> Snapshot {
    let mut s = snapshot([]);
    let revision = Arc::make_mut(&mut s.revisions[1]);
    revision.replicas = 0;
    revision.replica_failure = Some(condition(true, "FailedCreate", message, 10));
    s
}

#[rstest]
#[case(
    "pods \"web-6d-x\" is forbidden: exceeded quota: q, requested: limits.cpu=2, used: limits.cpu=9, limited: limits.cpu=10",
    Cause::QuotaExceeded,
    Sureness::Repeated
)]
#[case(
    "pods \"web-6d-x\" is forbidden: failed quota: q: must specify limits.memory for: web",
    Cause::QuotaNeedsLimits,
    Sureness::Definitive
)]
#[case(
    "pods \"web-6d-x\" is forbidden: maximum cpu usage per Container is 1, but limit is 2",
    Cause::LimitRange,
    Sureness::Definitive
)]
#[case(
    "pods \"web-6d-x\" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000",
    Cause::LimitRange,
    Sureness::Definitive
)]
#[case(
    "pods \"web-6d-x\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false",
    Cause::PodSecurity,
    Sureness::Definitive
)]
#[case(
    "admission webhook \"policy.invalid\" denied the request: the pod is invalid: exceeded quota: none",
    Cause::AdmissionDenied,
    Sureness::Definitive
)]
#[case(
    "pods \"web-6d-x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
    Cause::AdmissionDenied,
    Sureness::Definitive
)]
#[case(
    "Internal error occurred: failed calling webhook \"w\": failed to call webhook: Post \"https://w/\": dial tcp 10.0.0.1:443: connect: connection refused",
    Cause::WebhookUnavailable,
    Sureness::Repeated
)]
#[case(
    "error looking up service account shop/web: serviceaccount \"web\" not found",
    Cause::ServiceAccountMissing,
    Sureness::Repeated
)]
#[case(
    "pods \"web-6d-x\" is forbidden: unable to validate against any security context constraint: [provider \"x\": Forbidden: not usable]",
    Cause::PodSecurity,
    Sureness::Definitive
)]
#[case(
    "pods \"web-6d-x\" is forbidden: pod rejected: RuntimeClass \"gvisor\" not found",
    Cause::PodInvalid,
    Sureness::Definitive
)]
#[case(
    "pods \"web-6d-x\" is forbidden: no PriorityClass with name gold was found",
    Cause::PriorityClassMissing,
    Sureness::Repeated
)]
#[case(
    "Pod \"web-6d-x\" is invalid: spec.containers[0].image: Required value",
    Cause::PodInvalid,
    Sureness::Definitive
)]
#[case(
    "unable to create new content in namespace shop because it is being terminated",
    Cause::NamespaceTerminating,
    Sureness::Repeated
)]
#[case(
    "pods \"web-6d-x\" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [high]}]",
    Cause::QuotaExceeded,
    Sureness::Repeated
)]
#[case(
    "pods \"web-6d-x\" is forbidden: PodSecurityPolicy: unable to admit pod: [spec.containers[0].securityContext.privileged: Invalid value: true]",
    Cause::PodSecurity,
    Sureness::Definitive
)]
#[case::before_1_13(
    "Internal error occurred: failed calling admission webhook \"w\": Post https://w/: getsockopt: connection refused",
    Cause::WebhookUnavailable,
    Sureness::Repeated
)]
#[case("something new", Cause::Unknown, Sureness::Repeated)]
fn a_refusal_has_one_cause(#[case] message: &str, #[case] cause: Cause, #[case] sureness: Sureness) {
    assert_eq!(seen(&refused(message), at(11)), [(Class::CreateRefused, cause, sureness)]);
}

#[rstest]
#[case("denied the request: could not check the image web:2: Get \"https://scan/\": context deadline exceeded")]
#[case("denied the request: image web:2: scanner unavailable: 503 Service Unavailable")]
#[case("denied the request: Unable to reach host \"notary.invalid\": timed out (image web:2)")]
#[case(
    "denied the request: fetching signatures: Get \"https://log/\": dial tcp: lookup log on 10.0.0.10:53: i/o timeout"
)]
#[case("denied the request: [checks] System error calling external data provider: no answer")]
fn a_policy_that_cannot_look_at_a_pod_does_not_deny_it(#[case] denial: &str) {
    let expected = |cause, sureness| [(Class::CreateRefused, cause, sureness)];
    let said = format!("admission webhook \"policy.invalid\" {denial}");
    assert_eq!(seen(&refused(&said), at(11)), expected(Cause::WebhookUnavailable, Sureness::Repeated));
    let name = "admission webhook \"dial-tcp.timed out.invalid\" denied the request: timeoutSeconds must be set";
    assert_eq!(seen(&refused(name), at(11)), expected(Cause::AdmissionDenied, Sureness::Definitive));
}

#[rstest]
#[case::at_once(10, 1)]
#[case::soon(11, 1)]
#[case::after_many_tries(12, 2)]
#[case::clock_went_back(-50, 1)]
fn a_refusal_that_lasts_was_repeated(#[case] now: i64, #[case] occurrences: u32) {
    let s = refused("exceeded quota: q");
    assert_eq!(single(&s, at(now)).occurrences, occurrences);
    assert!(matches!(single(&s, at(now)).subject, Subject::Revision(r) if &*r.uid == NEW));
}

#[rstest]
#[case(10, 1)]
#[case(11, 1)]
#[case(12, 2)]
#[case(14, 3)]
#[case(28, 10)]
#[case::backing_off(107, 14)]
fn refusals_are_counted_by_the_time_in_which_they_must_have_come(#[case] now: i64, #[case] attempts: u32) {
    assert_eq!(single(&refused("exceeded quota: q"), at(now)).occurrences, attempts);
}

#[test]
fn the_deployment_controller_gives_up_on_a_replicaset_after_sixteen_tries() {
    let mut s = snapshot([]);
    let refusal = "Failed to create new replica set \"web-x\": exceeded quota: q";
    s.workload.progressing = Some(condition(false, "ReplicaSetCreateError", refusal, 10));
    assert_eq!(single(&s, at(28)).occurrences, 10);
    assert_eq!(single(&s, at(100_000)).occurrences, 16);
}

#[test]
fn a_condition_that_outlived_the_shortage_is_old_news() {
    let mut s = refused("exceeded quota: q");
    Arc::make_mut(&mut s.revisions[1]).replicas = 1;
    assert_eq!(classify(&s, at(100)), []);
    s.workload.replica_failure = Some(condition(true, "FailedCreate", "exceeded quota: q", 10));
    assert_eq!(classify(&s, at(100)), []);
}

#[test]
fn the_deployments_word_counts_where_its_newest_revision_lacks_pods() {
    let mut s = refused("");
    Arc::make_mut(&mut s.revisions[1]).replica_failure = None;
    assert_eq!(classify(&s, at(100)), []);
    s.workload.replica_failure = Some(condition(true, "FailedCreate", "exceeded quota: q", 10));
    let symptom = single(&s, at(100));
    assert_eq!((symptom.cause, symptom.subject), (Cause::QuotaExceeded, Subject::Workload));
}

#[test]
fn a_replicaset_that_could_not_be_created_is_told_by_the_deployment_alone() {
    let mut s = snapshot([]);
    s.workload.progressing =
        Some(condition(false, "ReplicaSetCreateError", "ReplicaSet \"web-x\" is invalid: spec", 10));
    assert_eq!(seen(&s, at(11)), [(Class::CreateRefused, Cause::PodInvalid, Sureness::Definitive)]);
}

fn stalled() -> Snapshot {
    let mut s = snapshot([]);
    s.workload.progressing = Some(condition(false, "ProgressDeadlineExceeded", "timed out progressing", 600));
    s
}

#[test]
fn a_rollout_past_its_deadline_is_stalled() {
    assert_eq!(seen(&stalled(), at(601)), [(Class::RolloutStalled, Cause::DeadlineExceeded, Sureness::Definitive)]);
}

#[test]
fn the_deadline_of_another_generation_or_of_a_paused_rollout_says_nothing() {
    let mut s = stalled();
    s.workload.generation = 3;
    assert_eq!(classify(&s, at(601)), []);
    let mut s = stalled();
    s.workload.paused = true;
    assert_eq!(classify(&s, at(601)), []);
}

#[test]
fn a_deadline_is_not_worth_saying_where_a_pod_says_more() {
    let mut s = stalled();
    s.pods = vec![Arc::new(pod([looping(2, ended(1, "Error"))]))];
    assert_eq!(single(&s, at(601)).class, Class::CrashLoopBackOff);
    s.pods = vec![Arc::new(pod([looping(2, ended(255, "Unknown"))]))];
    assert_eq!(seen(&s, at(601))[1].0, Class::RolloutStalled);
}

fn waits_for_a_place(max_unavailable: i32) -> Snapshot {
    let mut waits = PodFacts { node: None, ..pod([]) };
    let message = "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.";
    waits.unscheduled = Some(condition(false, "Unschedulable", message, 3));
    let holds = PodFacts { revision: name(OLD), name: name("web-59-a"), ..ready_pod([running(-100)]) };
    let mut s = snapshot([waits, holds]);
    s.workload.max_unavailable = max_unavailable;
    s
}

#[test]
fn new_pods_that_wait_for_old_ones_that_wait_for_them_are_a_deadlock() {
    let expected = [
        (Class::Pending, Cause::PodAffinity, Sureness::Timed),
        (Class::RolloutStalled, Cause::StrategyDeadlock, Sureness::Timed),
    ];
    assert_eq!(seen(&waits_for_a_place(0), at(200)), expected);
}

#[test]
fn where_an_old_pod_may_go_first_there_is_no_deadlock() {
    assert_eq!(single(&waits_for_a_place(1), at(200)).class, Class::Pending);
    let mut alone = waits_for_a_place(0);
    alone.pods.truncate(1);
    assert_eq!(single(&alone, at(200)).class, Class::Pending);
}

#[test]
fn a_place_that_no_old_pod_has_is_no_deadlock() {
    for message in [
        "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.",
        "0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity.",
    ] {
        let mut s = waits_for_a_place(0);
        let mut waits = (*s.pods[0]).clone();
        waits.unscheduled = Some(condition(false, "Unschedulable", message, 3));
        s.pods[0] = Arc::new(waits);
        assert_eq!(single(&s, at(200)).class, Class::Pending, "{message}");
    }
}

#[rstest]
#[case("Multi-Attach error for volume \"pvc-1\" Volume is already used by pod(s) web-59-a", true)]
#[case(
    "Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached to one node and can't be attached to another",
    true
)]
#[case(
    "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = Internal desc = Could not attach volume \"vol-1\" to node \"i-1\": api error VolumeInUse: vol-1 is already attached to an instance",
    true
)]
#[case::not_allowed(
    "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = Internal desc = Could not attach volume \"vol-1\" to node \"i-1\": StatusCode: 403, api error UnauthorizedOperation: You are not authorized to perform this operation",
    false
)]
#[case::too_slow(
    "AttachVolume.Attach failed for volume \"pvc-1\" : timed out waiting for external-attacher of ebs.csi.aws.com CSI driver to attach volume vol-1",
    false
)]
fn only_a_volume_that_is_in_use_waits_for_an_old_pod(#[case] message: &str, #[case] is_deadlock: bool) {
    let mut s = waits_for_a_place(0);
    s.pods[0] = Arc::new(PodFacts { sandbox_ready: Some(false), ..pod([waiting("ContainerCreating", "")]) });
    let s = hearing(s, "uid-web-6d-x", [event("FailedAttachVolume", message, 20)]);
    let causes: Vec<Cause> = seen(&s, at(60)).into_iter().map(|(_, cause, _)| cause).collect();
    let deadlock = is_deadlock.then_some(Cause::StrategyDeadlock);
    assert_eq!(causes, [Cause::VolumeAttach].into_iter().chain(deadlock).collect::<Vec<_>>());
}

#[rstest]
#[case::one_pod_at_a_time(
    "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",
    true
)]
#[case::too_many_for_the_node("node(s) exceed max volume count", false)]
#[case::elsewhere("node(s) had no available volume zone", false)]
fn only_a_volume_that_one_pod_at_a_time_may_use_is_held_by_an_old_one(#[case] reason: &str, #[case] is_deadlock: bool) {
    let causes = |max_unavailable| {
        let mut s = waits_for_a_place(max_unavailable);
        let message = format!("0/1 nodes are available: 1 {reason}.");
        let mut waits = (*s.pods[0]).clone();
        waits.unscheduled = Some(condition(false, "Unschedulable", &message, 3));
        s.pods[0] = Arc::new(waits);
        seen(&s, at(200)).into_iter().map(|(_, cause, _)| cause).collect::<Vec<_>>()
    };
    let deadlock = is_deadlock.then_some(Cause::StrategyDeadlock);
    assert_eq!(causes(0), [Cause::VolumeTopology].into_iter().chain(deadlock).collect::<Vec<_>>());
    assert_eq!(causes(1), [Cause::VolumeTopology], "an old pod may go first");
}

#[test]
fn a_port_that_the_new_revision_brings_is_held_by_somebody_else() {
    let mut s = waits_for_a_place(0);
    let mut waits = (*s.pods[0]).clone();
    let message = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.";
    waits.unscheduled = Some(condition(false, "Unschedulable", message, 3));
    s.pods[0] = Arc::new(waits);
    assert_eq!(seen(&s, at(200)).last().unwrap().1, Cause::StrategyDeadlock);
    let brings = ContainerTemplate { aspects: Box::new([(Aspect::Ports, 1)]), ..template("web") };
    assert_eq!(single(&with_template(s, vec![brings]), at(200)).cause, Cause::HostPort);
}
