//! What holds for pods of every kind.

use proptest::prelude::*;

use super::build::*;
use crate::engine::classify::classify;
use crate::engine::facts::{ContainerFacts, PodFacts};
use crate::engine::finding::Subject;
use crate::engine::memory::CurrentRevision;
use crate::engine::words::{Cause, Class, ContainerKind};

#[test]
fn a_pod_that_runs_well_shows_nothing() {
    let sidecar = running(3).named("proxy").kind(ContainerKind::Sidecar);
    let init = terminated(ended(0, "Completed")).named("init").kind(ContainerKind::Init);
    assert_eq!(classify(&only(ready_pod([init, sidecar, running(4)])), at(1000)), []);
}

#[test]
fn a_pod_that_goes_away_shows_nothing() {
    let pod = PodFacts { deleting: true, ..pod([looping(9, ended(137, "Error"))]) };
    assert_eq!(classify(&only(pod), at(1000)), []);
}

#[test]
fn pods_of_old_revisions_are_looked_at_too() {
    let pod = PodFacts { revision: name(OLD), ..pod([looping(2, ended(1, "Error"))]) };
    let s = only(pod);
    assert!(matches!(single(&s, at(20)).subject, Subject::Pod(pod) if &*pod.revision == OLD));
}

#[test]
fn a_revision_taken_up_again_counts_exits_from_when_that_was() {
    let mut pod = pod([looping(4, ended(1, "Error"))]);
    pod.history.exits_at_first_sight = 3;
    let mut s = only(pod);
    assert_eq!(single(&s, at(500)).occurrences, 4);
    s.memory.current = Some(CurrentRevision { hash: name("6d"), since: at(400) });
    assert_eq!(single(&s, at(500)).occurrences, 1);
    // What is remembered of another revision says nothing about this one.
    s.memory.current = Some(CurrentRevision { hash: name("59"), since: at(400) });
    assert_eq!(single(&s, at(500)).occurrences, 4);
}

#[test]
fn equal_texts_are_read_alike_and_unequal_ones_apart() {
    let fails = |message: &str| pod([waiting("ErrImagePull", message)]);
    let s = snapshot([
        fails("401 Unauthorized"),
        fails("401 Unauthorized"),
        fails("web:9: not found"),
        fails("401 Unauthorized"),
    ]);
    let causes: Vec<Cause> = classify(&s, at(10)).iter().map(|symptom| symptom.cause).collect();
    assert_eq!(causes, [Cause::RegistryAuth, Cause::RegistryAuth, Cause::ImageNotFound, Cause::RegistryAuth]);
}

fn any_container() -> impl Strategy<Value = ContainerFacts> {
    let reasons = prop::sample::select(vec![
        "CrashLoopBackOff",
        "ErrImagePull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "ContainerCreating",
        "Anything",
    ]);
    let kinds = prop::sample::select(vec![ContainerKind::Init, ContainerKind::Sidecar, ContainerKind::App]);
    let ending = (-1..256_i32, prop::sample::select(vec!["Error", "Completed", "OOMKilled", "StartError", "Unknown"]));
    (0..4_u8, reasons, kinds, ending, any::<String>(), 0..5_u32, any::<bool>()).prop_map(
        |(state, reason, kind, (code, how), text, restarts, ready)| {
            let last = saying(ended(code, how), &text);
            let container = match state {
                0 => waiting(reason, &text),
                1 => running(i64::from(code)),
                2 => terminated(last.clone()),
                _ => waiting(reason, &text).after(restarts, last),
            };
            ContainerFacts { kind, restarts, ready, ..container }
        },
    )
}

proptest! {
    #[test]
    fn nothing_is_said_of_a_pod_that_it_does_not_show(
        containers in prop::collection::vec(any_container(), 0..4),
        now in -100..2000_i64,
    ) {
        let s = only(pod(containers));
        let symptoms = classify(&s, at(now));
        prop_assert!(symptoms.len() <= 3);
        for symptom in &symptoms {
            prop_assert!(symptom.onset <= at(now));
            prop_assert!(symptom.grace_seconds >= 0);
            let text = super::evidence::bounded_text(&s, symptom);
            prop_assert!(text.len() <= 512 && !text.chars().any(char::is_control));
        }
        prop_assert_eq!(&symptoms, &classify(&s, at(now)));
    }

    #[test]
    fn an_earlier_clock_never_sees_more(now in -100..2000_i64, earlier in 0..500_i64) {
        let mut waits = pod([waiting("CreateContainerConfigError", "secret \"db\" not found")]);
        waits.history.waiting = spell("CreateContainerConfigError", 100, 1, "");
        let mut flaps = ready_pod([running(10)]);
        flaps.history.losses = vec![at(100), at(150), at(180)];
        let s = only(waits);
        let attempts = |now| single(&s, at(now)).occurrences;
        prop_assert!(attempts(now - earlier) <= attempts(now));
        let s = only(flaps);
        prop_assert!(classify(&s, at(-earlier)).is_empty());
    }
}

#[test]
fn a_hundred_pods_that_run_well_leave_no_symptom_and_a_hundred_that_fail_one_each() {
    let well = (0..100).map(|_| ready_pod([running(4)]));
    assert_eq!(classify(&snapshot(well), at(1000)), []);
    let fail = (0..100).map(|_| pod([looping(2, ended(1, "Error"))]));
    let s = snapshot(fail);
    assert_eq!(classify(&s, at(20)).len(), 100);
    assert!(classify(&s, at(20)).iter().all(|symptom| symptom.class == Class::CrashLoopBackOff));
}
