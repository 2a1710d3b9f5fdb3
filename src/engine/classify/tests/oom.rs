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
fn without_a_limit_the_node_is_the_cause() {
    let mut s = only(pod([looping(2, ended(137, "OOMKilled"))]));
    assert_eq!(single(&s, at(20)).cause, Cause::NodeOutOfMemory);
    s.revisions.iter_mut().for_each(|revision| Arc::make_mut(revision).template.containers = Box::default());
    assert_eq!(single(&s, at(20)).cause, Cause::ContainerLimit, "nobody knows whether it has a limit");
    s.nodes.own = vec![Arc::new(NodeFacts { pressure: vec![name("MemoryPressure")], ..node("n1") })];
    assert_eq!(single(&s, at(20)).cause, Cause::NodeOutOfMemory);
    let mut limited = limited(only(pod([looping(2, ended(137, "OOMKilled"))])));
    limited.nodes.own = s.nodes.own;
    assert_eq!(single(&limited, at(20)).cause, Cause::ContainerLimit);
}

#[rstest]
#[case::kubelet("SystemOOM", "System OOM encountered, victim process: web, pid: 4711", Cause::NodeOutOfMemory)]
#[case::detector("OOMKilling", "Out of memory: Killed process 4711 (web) total-vm:1kB", Cause::NodeOutOfMemory)]
#[case::at_a_limit("OOMKilling", "Memory cgroup out of memory: Killed process 4711 (web)", Cause::ContainerLimit)]
fn a_node_that_says_that_it_was_out_of_memory_is_the_cause_whatever_the_limit(
    #[case] reason: &str,
    #[case] message: &str,
    #[case] cause: Cause,
) {
    let s = || limited(only(pod([looping(2, ended(137, "OOMKilled"))])));
    let heard = hearing(s(), "n1", [event(reason, message, 8)]);
    assert_eq!(single(&heard, at(20)).cause, cause);
    assert_eq!(single(&heard, at(20)).told.is_some(), cause == Cause::NodeOutOfMemory, "and it is shown");
    assert_eq!(single(&hearing(s(), "n1", [event(reason, message, -300)]), at(20)).cause, Cause::ContainerLimit);
    assert_eq!(single(&hearing(s(), "n2", [event(reason, message, 8)]), at(20)).cause, Cause::ContainerLimit);
}

#[test]
fn the_limit_that_is_shown_is_that_of_the_pod() {
    let given = |limit| {
        let mut container = looping(2, ended(137, "OOMKilled"));
        container.memory_limit = std::num::NonZeroU64::new(limit);
        limited(only(pod([container])))
    };
    let shown = |s: &Snapshot| crate::engine::classify::evidence(&s.workload, &single(s, at(20))).text;
    assert!(shown(&given(32 << 20)).contains("limit 32Mi"), "{}", shown(&given(32 << 20)));
    assert!(shown(&given(0)).contains("limit 64Mi"), "the template's, where the pod says none");
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
