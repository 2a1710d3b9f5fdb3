use jiff::Timestamp;
use rstest::rstest;

use super::build::*;
use crate::engine::classify::classify;
use crate::engine::facts::{ContainerTemplate, PodFacts, ProbeFacts, ProbeKind, Snapshot};
use crate::engine::finding::Detail;
use crate::engine::words::{Cause, Class, ContainerKind, Sureness};

/// Readiness: 5 s, then 3 times every 10 s with 1 s to answer.
const FAILS_IN: i64 = 3 * 10 + 1;
const FIRST_VERDICT: i64 = 5 + FAILS_IN + 10;

fn probed(s: Snapshot, startup: Option<ProbeFacts>) -> Snapshot {
    let readiness = Some(probe(ProbeKind::Http));
    with_template(s, vec![ContainerTemplate { readiness, startup, ..template("web") }])
}

fn timing(s: &Snapshot, now: Timestamp) -> (Timestamp, i64) {
    let symptom = single(s, now);
    assert_eq!((symptom.class, symptom.sureness), (Class::Unready, Sureness::Timed));
    (symptom.onset, symptom.grace_seconds)
}

#[test]
fn a_start_that_nothing_declares_is_given_a_minute() {
    let s = probed(only(pod([running(10)])), None);
    assert_eq!(timing(&s, at(20)), (at(10), 60));
}

#[test]
fn or_three_times_what_the_healthy_revision_took() {
    let s = remembering_ready_seconds(probed(only(pod([running(10)])), None), 90);
    assert_eq!(timing(&s, at(20)), (at(10), 270));
}

#[test]
fn or_what_the_probe_itself_takes_if_that_is_more() {
    let slow = ProbeFacts { failure_threshold: 30, ..probe(ProbeKind::Http) };
    let s =
        with_template(only(pod([running(10)])), vec![ContainerTemplate { readiness: Some(slow), ..template("web") }]);
    assert_eq!(timing(&s, at(20)), (at(10), 5 + 301 + 10));
}

#[test]
fn while_the_startup_probe_has_not_passed_nobody_asks_for_readiness() {
    let s = probed(only(pod([running(10).not_started()])), Some(probe(ProbeKind::Http)));
    assert_eq!(classify(&s, at(5000)), []);
}

#[test]
fn once_the_startup_probe_has_passed_the_readiness_probe_is_the_measure() {
    let mut pod = pod([running(10)]);
    pod.history.last_started = Some(at(30));
    let s = remembering_ready_seconds(probed(only(pod), Some(probe(ProbeKind::Http))), 90);
    assert_eq!(timing(&s, at(31)), (at(30), FIRST_VERDICT));
}

#[test]
fn a_startup_that_was_not_watched_is_taken_to_have_used_its_whole_budget() {
    let s = probed(only(pod([running(10)])), Some(probe(ProbeKind::Http)));
    assert_eq!(timing(&s, at(100)), (at(10 + 5 + FAILS_IN), FIRST_VERDICT));
}

#[test]
fn readiness_that_was_lost_is_measured_from_its_loss() {
    let pod = PodFacts { ready_since: Some(at(500)), ..pod([running(10)]) };
    let s = probed(only(pod), None);
    assert_eq!(timing(&s, at(520)), (at(500), FAILS_IN));
    assert_eq!(single(&s, at(520)).detail, Detail::NotReady { seconds: 20, grace: FAILS_IN, was_ready: true });
}

#[test]
fn a_loss_that_was_seen_counts_too() {
    let mut pod = PodFacts { ready_since: None, ..pod([running(10)]) };
    pod.history.losses = vec![at(400)];
    assert_eq!(timing(&probed(only(pod), None), at(410)), (at(400), FAILS_IN));
}

#[test]
fn readiness_lost_in_a_crash_is_not_that_of_the_next_run() {
    let mut pod = PodFacts { ready_since: Some(at(10)), ..pod([running(10)]) };
    pod.history.losses = vec![at(11)];
    assert_eq!(timing(&probed(only(pod), None), at(20)), (at(10), 60));
}

#[rstest]
#[case(ProbeKind::Http, Cause::Unknown)]
#[case(ProbeKind::Tcp, Cause::Unknown)]
#[case(ProbeKind::Exec, Cause::ReadinessExec)]
#[case(ProbeKind::Grpc, Cause::ReadinessGrpc)]
fn the_kind_of_probe_is_all_that_a_status_tells(#[case] kind: ProbeKind, #[case] cause: Cause) {
    let readiness = Some(probe(kind));
    let s = with_template(only(pod([running(10)])), vec![ContainerTemplate { readiness, ..template("web") }]);
    assert_eq!(single(&s, at(20)).cause, cause);
}

#[test]
fn a_sidecar_that_is_not_ready_is_named() {
    let proxy = running(5).named("proxy").kind(ContainerKind::Sidecar);
    let s = only(pod([proxy, running(10).ready()]));
    assert_eq!(&*single(&s, at(20)).container.unwrap().name, "proxy");
}

#[test]
fn a_gate_outside_the_pod_is_told_from_its_containers() {
    let mut waits = ready_pod([running(10)]);
    waits.ready = false;
    waits.ready_reason = Some(name("ReadinessGatesNotReady"));
    assert_eq!(seen(&only(waits.clone()), at(20)), [(Class::Unready, Cause::ReadinessGate, Sureness::Timed)]);
    waits.ready_reason = Some(name("ContainersNotReady"));
    assert_eq!(classify(&only(waits), at(20)), []);
}

#[test]
fn a_pod_that_goes_away_may_be_unready() {
    let pod = PodFacts { deleting: true, ..pod([running(10)]) };
    assert_eq!(classify(&only(pod), at(5000)), []);
}

#[test]
fn a_crash_in_the_past_does_not_hide_that_the_container_is_not_ready_now() {
    let s = only(pod([running(10).after(1, ended(1, "Error"))]));
    let classes: Vec<Class> = classify(&s, at(200)).iter().map(|symptom| symptom.class).collect();
    assert_eq!(classes, [Class::CrashLoopBackOff, Class::Unready]);
}

#[test]
fn readiness_that_comes_and_goes_shows_even_while_the_pod_is_ready() {
    let mut pod = ready_pod([running(10)]);
    pod.history.losses = vec![at(100), at(200), at(300)];
    let s = only(pod);
    let symptom = single(&s, at(310));
    assert_eq!((symptom.cause, symptom.sureness, symptom.occurrences), (Cause::Flapping, Sureness::Flapping, 3));
    assert_eq!(symptom.onset, at(100));
    assert_eq!(single(&s, at(450)).occurrences, 2);
}

#[test]
fn losses_long_ago_or_in_the_future_and_a_single_one_are_no_flapping() {
    let mut pod = ready_pod([running(10)]);
    pod.history.losses = vec![at(100), at(200), at(300)];
    let s = only(pod);
    assert_eq!(classify(&s, at(550)), []);
    assert_eq!(classify(&s, at(150)), []);
}
