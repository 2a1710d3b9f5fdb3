use proptest::prelude::*;
use rstest::rstest;

use crate::engine::classify::scheduling::{self, Reason, Taint, reasons, taints};
use crate::engine::words::Cause;

fn parts(message: &str) -> Vec<(u32, &str)> {
    reasons(message).map(|Reason { nodes, text }| (nodes, text)).collect()
}

#[test]
fn counts_need_not_add_up_and_the_preemption_has_its_own() {
    let message = "0/5 nodes are available: 1 Insufficient memory, 5 Insufficient cpu. preemption: 0/5 nodes are available: 5 No preemption victims found for incoming pod.";
    assert_eq!(parts(message), [(1, "Insufficient memory"), (5, "Insufficient cpu")]);
}

#[test]
fn a_message_of_a_pre_filter_has_no_count() {
    let message = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: not eligible due to preemptionPolicy=Never.";
    assert_eq!(parts(message), [(0, "pod has unbound immediate PersistentVolumeClaims")]);
}

#[test]
fn a_comma_in_braces_or_before_words_belongs_to_the_reason() {
    let message =
        "0/6 nodes are available: 2 node(s) had taint {team: a, 4 b}, that the pod didn't tolerate, 4 Too many pods.";
    let taint = (2, "node(s) had taint {team: a, 4 b}, that the pod didn't tolerate");
    assert_eq!(parts(message), [taint, (4, "Too many pods")]);
}

#[test]
fn what_the_allocation_of_devices_adds_is_no_reason() {
    let message = "0/1 nodes are available: 1 cannot allocate all claims. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    assert_eq!(parts(message), [(1, "cannot allocate all claims")]);
}

#[test]
fn volcano_says_that_all_nodes_are_unavailable() {
    let message = "all nodes are unavailable: 1 node(s) resource fit failed, 3 plugin TaintToleration predicates failed node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }.";
    assert_eq!(parts(message)[0], (1, "node(s) resource fit failed"));
    let said = scheduling::read(&scheduling::REASONS, message).unwrap();
    assert_eq!(said.cause, Cause::InsufficientResources);
}

#[rstest]
#[case("no nodes available to schedule pods")]
#[case("running PreBind plugin \"VolumeBinding\": binding volumes: timed out, 3 tries")]
fn another_text_is_a_reason_of_no_node(#[case] message: &str) {
    assert!(reasons(message).next().is_some_and(|reason| reason.nodes == 0 && !reason.text.is_empty()));
}

#[test]
fn taints_are_read_with_their_nodes_as_far_as_they_are_named() {
    let message = "0/9 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}, 2 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }, 3 node(s) had taint {a: b}, that the pod didn't tolerate, 3 node(s) had untolerated taint(s).";
    let found: Vec<Taint<'_>> = taints(message).collect();
    let taint = |nodes, key, value| Taint { nodes, key, value };
    let wanted = [taint(1, "dedicated", "gpu"), taint(2, "node.kubernetes.io/disk-pressure", ""), taint(3, "a", "b")];
    assert_eq!(found, wanted);
    assert_eq!(found.iter().map(Taint::is_of_condition).collect::<Vec<_>>(), [false, true, false]);
}

proptest! {
    #[test]
    fn any_text_is_taken_apart(text in "(0/[0-9]{0,12} nodes are available: )?(\\PC{0,20}|[0-9, {}.:]{0,30}taint \\{){0,4}( preemption: \\PC{0,20})?") {
        prop_assert!(reasons(&text).count() <= text.len() + 1);
        let _ = taints(&text).count();
        let _ = scheduling::read(&scheduling::REASONS, &text);
    }
}
