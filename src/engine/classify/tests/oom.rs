use std::sync::Arc;

use rstest::rstest;

use super::build::*;
use crate::engine::classify::classify;
use crate::engine::facts::{ContainerTemplate, NodeFacts, ProbeKind, Snapshot};
use crate::engine::words::{Cause, Class, Sureness};

fn limited(s: Snapshot) -> Snapshot {
    with_template(s, vec![ContainerTemplate { memory_limit: Some(64 << 20), ..template("web") }])
}

#[rstest]
#[case::usual(137)]
#[case::any_other(2)]
fn a_container_killed_for_want_of_memory_hit_its_limit(#[case] code: i32) {
    let s = limited(only(pod([looping(2, ended(code, "OOMKilled"))])));
    assert_eq!(seen(&s, at(20)), [(Class::OOMKilled, Cause::ContainerLimit, Sureness::Counted)]);
    assert_eq!(single(&s, at(20)).occurrences, 2);
}

#[test]
fn a_child_that_was_killed_in_a_container_that_serves_is_never_evidence() {
    let s = limited(only(ready_pod([running(9).after(1, ended(2, "OOMKilled"))])));
    assert_eq!(seen(&s, at(20)), [(Class::OOMKilled, Cause::ChildProcess, Sureness::Excluded)]);
}

#[test]
fn a_container_that_serves_again_after_its_own_death_is_evidence_until_it_has_healed() {
    let s = limited(only(ready_pod([running(9).after(1, ended(137, "OOMKilled"))])));
    assert_eq!(single(&s, at(20)).cause, Cause::ContainerLimit);
    assert_eq!(classify(&s, at(100)), []);
}

#[test]
fn without_a_limit_a_node_under_pressure_is_the_cause() {
    let mut s = only(pod([looping(2, ended(137, "OOMKilled"))]));
    assert_eq!(single(&s, at(20)).cause, Cause::ContainerLimit);
    s.nodes.own = vec![Arc::new(NodeFacts { pressure: vec![name("MemoryPressure")], ..node("n1") })];
    assert_eq!(single(&s, at(20)).cause, Cause::NodeOutOfMemory);
    assert_eq!(single(&limited(s), at(20)).cause, Cause::ContainerLimit);
}

#[test]
fn a_kill_that_nobody_owns_up_to_is_a_suspicion_where_there_is_a_limit() {
    let s = only(pod([looping(2, ended(137, "Error"))]));
    assert_eq!(single(&s, at(20)).class, Class::CrashLoopBackOff);
    assert_eq!(seen(&limited(s), at(20)), [(Class::OOMKilled, Cause::Suspected, Sureness::Counted)]);
}

#[test]
fn a_kill_that_a_probe_may_have_asked_for_is_no_suspicion() {
    let s = only(pod([looping(2, ended(137, "Error"))]));
    let probed =
        ContainerTemplate { memory_limit: Some(64 << 20), liveness: Some(probe(ProbeKind::Http)), ..template("web") };
    let s = with_template(s, vec![probed]);
    assert_eq!(seen(&s, at(20)), [(Class::CrashLoopBackOff, Cause::Unknown, Sureness::Counted)]);
}
