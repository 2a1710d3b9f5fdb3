use rstest::rstest;

use super::build::*;
use crate::engine::words::{Cause, Class, Sureness};

#[rstest]
#[case("secret \"configmap\" not found", Cause::MissingSecret)]
#[case("configmap \"secret\" not found", Cause::MissingConfigMap)]
#[case("couldn't find key PORT in ConfigMap shop/settings", Cause::MissingKey)]
#[case("couldn't find key PASSWORD in Secret shop/db", Cause::MissingKey)]
#[case("environment variable key A not found in file", Cause::MissingKey)]
#[case("container has runAsNonRoot and image will run as root (pod: \"web\")", Cause::RunAsNonRoot)]
#[case("container has runAsNonRoot and image has non-numeric user (app)", Cause::RunAsNonRoot)]
#[case("container's runAsUser breaks non-root policy (pod: \"web\", container: web)", Cause::RunAsNonRoot)]
#[case("failed to prepare subPath for volumeMount \"v\" of container \"web\"", Cause::SubPath)]
#[case("cannot find volume \"v\" to mount into container \"web\"", Cause::Unknown)]
fn a_configuration_that_cannot_be_made_has_one_cause(#[case] message: &str, #[case] cause: Cause) {
    let s = only(pod([waiting("CreateContainerConfigError", message)]));
    assert_eq!(seen(&s, at(10)), [(Class::ContainerConfig, cause, Sureness::Repeated)]);
}

#[rstest]
#[case("failed to sync secret cache: timed out waiting for the condition")]
#[case("failed to sync configmap cache: timed out waiting for the condition")]
#[case("object \"shop\"/\"settings\" not registered")]
#[case("services have not yet been read at least once, cannot construct envvars")]
fn a_kubelet_that_has_just_started_is_given_time(#[case] message: &str) {
    let s = only(pod([waiting("CreateContainerConfigError", message)]));
    let symptom = single(&s, at(10));
    assert_eq!((symptom.cause, symptom.sureness), (Cause::CacheNotSynced, Sureness::Timed));
    assert!(symptom.grace_seconds >= 120);
}

/// The kubelet tries again every 10 s to 15 s and the status does not change.
#[rstest]
#[case::at_once(0, 1)]
#[case::just_before(19, 1)]
#[case::second(20, 2)]
#[case::third(40, 3)]
#[case::clock_went_back(-100, 1)]
fn attempts_follow_from_the_time_where_no_status_shows_them(#[case] seconds: i64, #[case] attempts: u32) {
    let mut pod = pod([waiting("CreateContainerConfigError", "secret \"db\" not found")]);
    pod.history.waiting = spell("CreateContainerConfigError", 100, 1, "secret \"db\" not found");
    assert_eq!(single(&only(pod), at(100 + seconds)).occurrences, attempts);
}

#[test]
fn without_a_history_one_sight_is_one_attempt() {
    let s = only(pod([waiting("CreateContainerConfigError", "secret \"db\" not found")]));
    let symptom = single(&s, at(10_000));
    assert_eq!((symptom.occurrences, symptom.onset), (1, at(10_000)));
}
