use rstest::rstest;

use super::build::*;
use crate::engine::classify::{classify, notes};
use crate::engine::facts::{EventFacts, PodFacts, Snapshot};
use crate::engine::words::{Cause, Class, Sureness};

const POD: &str = "uid-web-6d-x";
const NO_CONFIG: &str = "MountVolume.SetUp failed for volume \"settings\" : configmap \"web-v2\" not found";
const SUM: &str = "Unable to attach or mount volumes: unmounted volumes=[settings], unattached volumes=[], failed to process volumes=[]: timed out waiting for the condition";

fn creating(sandbox_ready: Option<bool>, events: impl IntoIterator<Item = EventFacts>) -> Snapshot {
    let pod = PodFacts { sandbox_ready, ..pod([waiting("ContainerCreating", "")]) };
    hearing(only(pod), POD, events)
}

#[rstest]
#[case("FailedMount", NO_CONFIG, Cause::MissingConfigMap)]
#[case(
    "FailedMount",
    "MountVolume.SetUp failed for volume \"tls\" : secret \"web-tls\" not found",
    Cause::MissingSecret
)]
#[case::several_of_one_volume(
    "FailedMount",
    "MountVolume.SetUp failed for volume \"all\" : [failed to sync, secret \"web-tls\" not found]",
    Cause::MissingSecret
)]
#[case::of_another_store(
    "FailedMount",
    "MountVolume.SetUp failed for volume \"vault\" : rpc error: code = Unknown desc = error making mount request: couldn't read secret \"db\": Error making API request. Code: 403. Errors: permission denied",
    Cause::VolumeMount
)]
#[case::not_read_in_time(
    "FailedMount",
    "MountVolume.SetUp failed for volume \"settings\" : configmap \"web-v2\": etcdserver: request timed out",
    Cause::VolumeMount
)]
#[case::named_like_one(
    "FailedMount",
    "MountVolume.SetUp failed for volume \"configmap\" : hostPath type check failed: /p is not a directory",
    Cause::VolumeMount
)]
#[case::starting_kubelet(
    "FailedMount",
    "MountVolume.SetUp failed for volume \"settings\" : object \"shop\"/\"web-v2\" not registered",
    Cause::Unknown
)]
#[case::starting_kubelet(
    "FailedMount",
    "MountVolume.SetUp failed for volume \"settings\" : failed to sync configmap cache: timed out waiting for the condition",
    Cause::Unknown
)]
#[case::no_reason("FailedMount", SUM, Cause::Unknown)]
#[case(
    "FailedMount",
    "MountVolume.MountDevice failed for volume \"pvc-1\" : rpc error: code = Internal desc = x",
    Cause::VolumeMount
)]
#[case("FailedMapVolume", "MapVolume.MapBlockVolume failed", Cause::VolumeMount)]
#[case(
    "FailedAttachVolume",
    "Multi-Attach error for volume \"pvc-1\" Volume is already used by pod(s) web-59-a",
    Cause::VolumeAttach
)]
#[case(
    "FailedCreatePodSandBox",
    "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"1\": plugin type=\"bridge\" failed (add): no IP addresses available",
    Cause::SandboxFailed
)]
#[case(
    "FailedCreatePodSandBox",
    "Failed to create pod sandbox: failed to get sandbox runtime: no runtime for \"gvisor\" is configured",
    Cause::SandboxFailed
)]
#[case(
    "NetworkNotReady",
    "network is not ready: container runtime network not ready: cni plugin not initialized",
    Cause::NetworkNotReady
)]
#[case("FailedPrepareDynamicResources", "Failed to prepare dynamic resources: x", Cause::DeviceUnavailable)]
#[case::of_something_else("Unhealthy", "Readiness probe failed: configmap \"x\" not found", Cause::Unknown)]
fn only_an_event_says_why_a_pod_cannot_be_set_up(#[case] reason: &str, #[case] message: &str, #[case] cause: Cause) {
    let s = creating(Some(false), [event(reason, message, 20)]);
    assert_eq!(seen(&s, at(60)), [(Class::PodSetup, cause, Sureness::Timed)]);
}

#[rstest]
#[case("MountVolume.SetUp failed for volume \"settings\" : configmap references non-existent config key: app.yaml")]
#[case("MountVolume.SetUp failed for volume \"settings\" : references non-existent config key: app.yaml")]
#[case("MountVolume.SetUp failed for volume \"tls\" : references non-existent secret key: tls.crt")]
fn a_key_that_a_volume_misses_is_no_missing_object(#[case] message: &str) {
    let s = creating(Some(false), [EventFacts { count: 2, ..event("FailedMount", message, 20) }]);
    let symptom = single(&s, at(60));
    assert_eq!((symptom.class, symptom.cause), (Class::ContainerConfig, Cause::MissingKey));
    assert_eq!((symptom.sureness, symptom.grace_seconds), (Sureness::Timed, 30));
}

#[rstest]
#[case("FailedSync", "error determining status: rpc error: code = Unknown desc = x")]
#[case("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")]
#[case(
    "FailedKillPod",
    "error killing pod: failed to \"KillPodSandbox\" for \"uid\" with KillPodSandboxError: rpc error"
)]
#[case("VolumeResizeFailed", "MountVolume.Resize failed for volume \"pvc-1\" : rpc error: code = Internal desc = x")]
fn what_kubelets_say_of_any_pod_names_no_cause_and_makes_no_failure(#[case] reason: &str, #[case] message: &str) {
    let s = creating(Some(false), [event(reason, message, 20)]);
    assert_eq!(seen(&s, at(60)), [(Class::PodSetup, Cause::Unknown, Sureness::Timed)]);
    assert_eq!(classify(&creating(None, [event(reason, message, 20)]), at(60)), [], "it may be pulling its image");
}

#[test]
fn what_names_a_cause_comes_before_what_only_sums_up() {
    let s = creating(Some(false), [event("FailedMount", NO_CONFIG, 20), event("FailedMount", SUM, 140)]);
    let symptom = single(&s, at(150));
    assert_eq!((symptom.cause, symptom.told.unwrap().event.last), (Cause::MissingConfigMap, at(20)));
    let shown = notes(&s, &symptom, at(150));
    assert_eq!(shown[0].source, "pod/web-6d-x events[FailedMount]");
    assert_eq!(shown[0].text, NO_CONFIG);
}

#[test]
fn what_is_missing_by_name_more_than_once_is_waited_for_less_long() {
    let grace = |count, message| {
        let s = creating(Some(false), [EventFacts { count, ..event("FailedMount", message, 20) }]);
        single(&s, at(60)).grace_seconds
    };
    assert_eq!((grace(1, NO_CONFIG), grace(2, NO_CONFIG), grace(2, SUM)), (120, 30, 120));
    assert_eq!(single(&creating(Some(false), []), at(60)).grace_seconds, 120);
}

#[test]
fn without_the_condition_only_a_recent_event_tells_a_set_up_from_a_pull() {
    let told = event("FailedMount", NO_CONFIG, 20);
    assert_eq!(classify(&creating(None, []), at(60)), []);
    assert_eq!(single(&creating(None, [told.clone()]), at(60)).cause, Cause::MissingConfigMap);
    assert_eq!(classify(&creating(None, [told.clone()]), at(20 + 331)), []);
    assert_eq!(classify(&creating(Some(true), [told]), at(60)), [], "the sandbox is there: an image is pulled");
}

#[test]
fn a_pod_that_has_run_was_set_up() {
    let ran = PodFacts { sandbox_ready: Some(false), ..pod([looping(1, ended(1, "Error"))]) };
    let s = hearing(only(ran), POD, [event("FailedMount", NO_CONFIG, 20)]);
    assert_eq!(single(&s, at(60)).class, Class::CrashLoopBackOff);
}

#[test]
fn a_sandbox_that_does_not_fit_into_the_limit_is_a_matter_of_memory() {
    let said = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to start sandbox \"d059\": failed to \
                create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to \
                start container process: container init was OOM-killed (memory limit too low?)";
    let s = creating(Some(false), [event("FailedCreatePodSandBox", said, 8)]);
    assert_eq!(seen(&s, at(50)), [(Class::OOMKilled, Cause::LimitTooLowToStart, Sureness::Timed)]);
    assert_eq!(single(&s, at(50)).grace_seconds, 30);
}
