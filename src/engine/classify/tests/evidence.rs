use rstest::rstest;

use super::build::*;
use crate::engine::classify::{classify, evidence};
use crate::engine::facts::{ContainerTemplate, PodFacts, ProbeKind, Snapshot};
use crate::engine::finding::{Evidence, Symptom};
use crate::engine::words::ContainerKind;

pub(super) fn bounded_text(s: &Snapshot, symptom: &Symptom<'_>) -> String {
    evidence(&s.workload, symptom).text
}

fn shown(s: &Snapshot, now: i64) -> (String, String) {
    let Evidence { source, text } = evidence(&s.workload, &classify(s, at(now))[0]);
    (source, text)
}

#[test]
fn an_out_of_memory_kill_shows_its_limit() {
    let limited = ContainerTemplate { memory_limit: Some(64 << 20), ..template("web") };
    let s = with_template(only(pod([looping(2, ended(137, "OOMKilled"))])), vec![limited]);
    let (source, text) = shown(&s, 20);
    assert_eq!(source, "pod/web-6d-x containerStatuses[web].lastState");
    assert_eq!(text, "OOMKilled, exit 137, limit 64Mi, ran 3 s");
}

#[test]
fn an_end_that_shows_now_is_in_the_state() {
    let s = only(pod([terminated(saying(ended(1, "Error"), "no\u{1b}[31m database\n")).after(1, ended(2, "Error"))]));
    let (source, text) = shown(&s, 20);
    assert_eq!(source, "pod/web-6d-x containerStatuses[web].state");
    assert_eq!(text, "Error, exit 1, ran 3 s: no [31m database");
}

#[test]
fn what_a_program_says_of_its_secrets_is_no_evidence() {
    let said = saying(ended(1, "Error"), "dial postgres://app:hunter2@db/x: refused, DB_PASSWORD=hunter2");
    let (_, text) = shown(&only(pod([terminated(said)])), 20);
    assert_eq!(text, "Error, exit 1, ran 3 s: dial postgres://***@db/x: refused, DB_PASSWORD=***");
}

#[test]
fn a_run_whose_start_is_unknown_has_no_length() {
    let mut ending = ended(128, "StartError");
    ending.started = None;
    assert_eq!(shown(&only(pod([looping(1, ending)])), 20).1, "StartError, exit 128");
}

#[rstest]
#[case(ContainerKind::Init)]
#[case(ContainerKind::Sidecar)]
fn init_containers_and_sidecars_have_a_list_of_their_own(#[case] kind: ContainerKind) {
    let s = only(pod([waiting("ErrImagePull", "web:9: not found").kind(kind)]));
    let (source, text) = shown(&s, 20);
    assert_eq!(source, "pod/web-6d-x initContainerStatuses[web].state");
    assert_eq!(text, "ErrImagePull: web:9: not found");
}

#[test]
fn conditions_pods_and_probes_are_named() {
    let mut waits = PodFacts { node: None, ..pod([]) };
    waits.unscheduled = Some(condition(false, "Unschedulable", "0/1 nodes are available: 1 Too many pods.", 3));
    assert_eq!(shown(&only(waits), 20).0, "pod/web-6d-x conditions[PodScheduled]");

    let mut s = snapshot([]);
    s.workload.progressing = Some(condition(false, "ProgressDeadlineExceeded", "late", 600));
    assert_eq!(shown(&s, 601), ("deployment conditions[Progressing]".into(), "ProgressDeadlineExceeded: late".into()));

    let mut evicted = pod([]);
    evicted.finished = true;
    evicted.reason = Some(name("Evicted"));
    assert_eq!(shown(&only(evicted), 20), ("pod/web-6d-x status".into(), "Evicted".into()));

    let readiness = Some(probe(ProbeKind::Http));
    let s = with_template(only(pod([running(10)])), vec![ContainerTemplate { readiness, ..template("web") }]);
    let expected = "not ready for 30 s, allowed 60 s, was never ready";
    assert_eq!(shown(&s, 40), ("pod/web-6d-x containerStatuses[web].ready".into(), expected.into()));

    let mut flaps = ready_pod([running(10).ready()]);
    flaps.history.losses = vec![at(20), at(30)];
    assert_eq!(shown(&only(flaps), 40).1, "readiness was lost 2 times within 5 minutes");
}

#[test]
fn a_long_text_is_cut_between_characters() {
    let s = only(pod([waiting("ErrImagePull", &"é".repeat(2000))]));
    let (_, text) = shown(&s, 20);
    assert!(text.len() <= 512 && text.len() > 505);
    assert!(text.ends_with("é…"));
}
