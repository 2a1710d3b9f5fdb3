use rstest::rstest;

use super::build::*;
use crate::engine::classify::classify;
use crate::engine::facts::{ContainerTemplate, PodFacts, Snapshot};
use crate::engine::words::{Cause, Class, ContainerKind, Sureness};

fn unscheduled(message: &str) -> PodFacts {
    let mut pod = pod([]);
    pod.node = None;
    pod.started = None;
    pod.sandbox_ready = None;
    pod.unscheduled = Some(condition(false, "Unschedulable", message, 3));
    pod
}

#[rstest]
#[case("0/3 nodes are available: 3 Insufficient cpu.", Cause::InsufficientResources)]
#[case(
    "0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.",
    Cause::InsufficientResources
)]
#[case("0/3 nodes are available: 3 Insufficient example.com/gpu.", Cause::InsufficientResources)]
#[case("no nodes available to schedule pods", Cause::InsufficientResources)]
#[case("0/0 nodes are available.", Cause::InsufficientResources)]
#[case("0/3 nodes are available: 3 node(s) didn't satisfy plugin(s) [NodeAffinity].", Cause::NodeSelector)]
#[case("0/3 nodes are available: 3 node(s) didn't satisfy plugin(s) [InterPodAffinity].", Cause::PodAffinity)]
#[case("0/3 nodes are available: 3 node(s) didn't satisfy plugin(s) [TaintToleration].", Cause::Taints)]
#[case("0/3 nodes are available: 3 node(s) didn't satisfy plugin(s) [NodeVolumeLimits].", Cause::VolumeTopology)]
#[case(
    "0/3 nodes are available: storageclass.storage.k8s.io \"fast\" not found. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
    Cause::VolumeUnbound
)]
#[case("0/3 nodes are available: 3 Too many pods.", Cause::TooManyPods)]
#[case::since_1_36("0/3 nodes are available: 3 node(s) had untolerated taint(s).", Cause::Taints)]
#[case::older("0/3 nodes are available: 3 node(s) had untolerated taint {team: a, 4 b}.", Cause::Taints)]
#[case::ancient("0/3 nodes are available: 3 node(s) had taint {k: v}, that the pod didn't tolerate.", Cause::Taints)]
#[case(
    "0/3 nodes are available: 3 node(s) had untolerated taint {node.kubernetes.io/unschedulable: }.",
    Cause::NodesCordoned
)]
#[case("0/3 nodes are available: 3 node(s) were unschedulable.", Cause::NodesCordoned)]
#[case("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", Cause::NodeSelector)]
#[case("0/3 nodes are available: pod affinity terms conflict.", Cause::NodeSelector)]
#[case("0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.", Cause::PodAffinity)]
#[case("0/3 nodes are available: 3 node(s) didn't match pod affinity rules.", Cause::PodAffinity)]
#[case("0/3 nodes are available: 3 node(s) didn't satisfy existing pods anti-affinity rules.", Cause::PodAffinity)]
#[case(
    "0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints (missing required label).",
    Cause::TopologySpread
)]
#[case("0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports.", Cause::HostPort)]
#[case(
    "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: not eligible due to preemptionPolicy=Never.",
    Cause::VolumeUnbound
)]
#[case("0/3 nodes are available: persistentvolumeclaim \"data\" not found.", Cause::VolumeUnbound)]
#[case("0/3 nodes are available: 3 node(s) didn't match PersistentVolume's node affinity.", Cause::VolumeTopology)]
#[case("0/3 nodes are available: 3 node(s) had volume node affinity conflict.", Cause::VolumeTopology)]
#[case::the_control_plane_is_background(
    "0/5 nodes are available: 1 Insufficient cpu, 4 node(s) had untolerated taint(s).",
    Cause::InsufficientResources
)]
#[case::so_are_other_pools(
    "0/5 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 4 node(s) didn't match Pod's node affinity/selector.",
    Cause::PodAffinity
)]
#[case::most_nodes_win(
    "0/5 nodes are available: 1 Too many pods, 4 Insufficient memory.",
    Cause::InsufficientResources
)]
#[case::preemption_says_nothing(
    "0/1 nodes are available: 1 words not known. preemption: 0/1 nodes are available: 1 Insufficient cpu.",
    Cause::Unknown
)]
#[case("", Cause::Unknown)]
fn the_schedulers_sentence_has_one_cause(#[case] message: &str, #[case] cause: Cause) {
    let s = only(unscheduled(message));
    assert_eq!(seen(&s, at(10)), [(Class::Pending, cause, Sureness::Timed)]);
}

#[rstest]
#[case("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates", Cause::SchedulingGated)]
#[case("SchedulerError", "0/3 nodes are available: 3 Insufficient cpu.", Cause::Unknown)]
#[case(
    "SchedulerError",
    "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded",
    Cause::VolumeUnbound
)]
#[case(
    "SchedulerError",
    "running \"VolumeBinding\" prebind plugin for pod \"web-6d-x\": error binding volumes: timed out waiting for the condition",
    Cause::VolumeUnbound
)]
#[case(
    "SchedulerError",
    "running PreBind plugin \"DynamicResources\": binding devices: context deadline exceeded",
    Cause::Unknown
)]
fn the_conditions_reason_comes_before_its_text(#[case] reason: &str, #[case] message: &str, #[case] cause: Cause) {
    let mut pod = unscheduled("");
    pod.unscheduled = Some(condition(false, reason, message, 3));
    assert_eq!(single(&only(pod), at(10)).cause, cause);
}

fn asking(kinds: &[(ContainerKind, u64)], largest: u64) -> Snapshot {
    let mut s = only(unscheduled("0/3 nodes are available: 3 Insufficient cpu."));
    s.nodes.largest_cpu = largest;
    let containers =
        kinds.iter().map(|(kind, cpu)| ContainerTemplate { kind: *kind, cpu_request: Some(*cpu), ..template("web") });
    let containers = containers.collect();
    with_template(s, containers)
}

#[rstest]
#[case::fits(&[(ContainerKind::App, 4000)], 4000, 300)]
#[case::too_large(&[(ContainerKind::App, 4001)], 4000, 30)]
#[case::together_too_large(&[(ContainerKind::App, 3000), (ContainerKind::Sidecar, 1500)], 4000, 30)]
#[case::init_runs_before(&[(ContainerKind::Init, 3000), (ContainerKind::App, 1500)], 4000, 300)]
#[case::no_nodes_known(&[(ContainerKind::App, 4001)], 0, 300)]
fn an_autoscaler_is_given_time_unless_no_node_could_ever_do(
    #[case] kinds: &[(ContainerKind, u64)],
    #[case] largest: u64,
    #[case] grace: i64,
) {
    let s = asking(kinds, largest);
    assert_eq!(single(&s, at(10)).grace_seconds, grace);
    assert_eq!(single(&s, at(10)).onset, at(3));
}

#[test]
fn a_memory_limit_is_the_request_where_only_it_is_set() {
    let mut s = only(unscheduled("0/3 nodes are available: 3 Insufficient memory."));
    s.nodes.largest_memory = 1 << 30;
    let s = with_template(s, vec![ContainerTemplate { memory_limit: Some(2 << 30), ..template("web") }]);
    assert_eq!(single(&s, at(10)).grace_seconds, 30);
}

#[test]
fn a_pod_that_no_scheduler_has_looked_at_is_given_time() {
    let s = only(PodFacts { unscheduled: None, ..unscheduled("") });
    let symptom = single(&s, at(2));
    assert_eq!((symptom.cause, symptom.onset, symptom.grace_seconds), (Cause::NoScheduler, at(1), 120));
}

#[test]
fn a_pod_without_a_sandbox_is_not_set_up() {
    let mut pod = pod([waiting("ContainerCreating", "")]);
    pod.sandbox_ready = Some(false);
    let symptom = single(&only(pod.clone()), at(10)).grace_seconds;
    assert_eq!(symptom, 120);
    assert_eq!(seen(&only(pod.clone()), at(10)), [(Class::PodSetup, Cause::Unknown, Sureness::Timed)]);
    // A slow pull looks the same but for the sandbox, and an old kubelet does not say.
    for sandbox_ready in [Some(true), None] {
        assert_eq!(classify(&only(PodFacts { sandbox_ready, ..pod.clone() }), at(1000)), []);
    }
}

#[test]
fn a_sandbox_that_is_made_anew_is_no_failed_set_up() {
    let mut pod = pod([waiting("ContainerCreating", "").after(1, ended(1, "Error"))]);
    pod.sandbox_ready = Some(false);
    assert_eq!(single(&only(pod), at(20)).class, Class::CrashLoopBackOff);
}

#[test]
fn an_init_container_that_runs_on_is_stuck_and_a_sidecar_is_not() {
    let init = running(3).named("wait-for-db").kind(ContainerKind::Init);
    let s = only(pod([init.clone(), waiting("PodInitializing", "")]));
    assert_eq!(seen(&s, at(10)), [(Class::InitStuck, Cause::InitHanging, Sureness::Timed)]);
    assert_eq!((single(&s, at(10)).onset, single(&s, at(10)).grace_seconds), (at(3), 300));
    let s = remembering_ready_seconds(s, 200);
    assert_eq!(single(&s, at(10)).grace_seconds, 600);
    let sidecar = init.kind(ContainerKind::Sidecar).ready();
    assert_eq!(classify(&only(pod([sidecar, waiting("PodInitializing", "")])), at(9999)), []);
}
