use rstest::rstest;

use super::build::*;
use crate::engine::classify::classify;
use crate::engine::facts::{ContainerFacts, ExitSeries, PodFacts, Snapshot, Termination};
use crate::engine::words::{Cause, Class, ContainerKind, Sureness};

fn of(ending: Termination) -> Vec<(Class, Cause, Sureness)> {
    seen(&only(pod([looping(1, ending)])), at(20))
}

const CRASH: Class = Class::CrashLoopBackOff;

#[rstest]
#[case::finished(0, "Completed", Cause::CommandExits)]
#[case::error(1, "Error", Cause::ApplicationError)]
#[case::two_alone_is_no_panic(2, "Error", Cause::ApplicationError)]
#[case::three(3, "Error", Cause::ApplicationError)]
#[case::rust_code_alone_is_no_panic(101, "Error", Cause::ApplicationError)]
#[case::abort(134, "Error", Cause::NativeCrash)]
#[case::segfault(139, "Error", Cause::NativeCrash)]
#[case::illegal_instruction(132, "Error", Cause::NativeCrash)]
#[case::killed_by_someone(137, "Error", Cause::Unknown)]
#[case::stopped_by_someone(143, "Error", Cause::Unknown)]
fn an_exit_code_says_how_a_run_ended(#[case] code: i32, #[case] reason: &str, #[case] cause: Cause) {
    assert_eq!(of(ended(code, reason)), [(CRASH, cause, Sureness::Counted)]);
}

#[rstest]
#[case(101, "thread 'main' panicked at src/main.rs:1:5:", CRASH, Cause::Panic)]
#[case(2, "panic: boom\n\ngoroutine 1 [running]:\nmain.main()", CRASH, Cause::Panic)]
#[case(
    2,
    "panic: dial tcp 10.0.0.5:5432: connect: connection refused\n\ngoroutine 1 [running]:",
    CRASH,
    Cause::DependencyUnreachable
)]
#[case(
    101,
    "thread 'main' panicked at src/main.rs:9:6:\nOs { code: 111, kind: ConnectionRefused, message: \"Connection refused\" }",
    CRASH,
    Cause::DependencyUnreachable
)]
#[case(2, "fatal error: runtime: out of memory\n\ngoroutine 1 [running]:", CRASH, Cause::RuntimeOutOfMemory)]
#[case(3, "Terminating due to java.lang.OutOfMemoryError: Java heap space", CRASH, Cause::RuntimeOutOfMemory)]
#[case(
    134,
    "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
    CRASH,
    Cause::RuntimeOutOfMemory
)]
#[case(134, "memory allocation of 8589934592 bytes failed", CRASH, Cause::RuntimeOutOfMemory)]
#[case(1, "Error: Cannot find module '/app/x.js'", CRASH, Cause::MissingCode)]
#[case(127, "serve: error while loading shared libraries: libssl.so.3: cannot open", CRASH, Cause::MissingCode)]
#[case(1, "listen tcp :80: bind: address already in use", CRASH, Cause::PortInUse)]
#[case(255, "exec /serve: exec format error", Class::ContainerStart, Cause::WrongArchitecture)]
fn what_a_program_left_behind_is_the_best_evidence(
    #[case] code: i32,
    #[case] message: &str,
    #[case] class: Class,
    #[case] cause: Cause,
) {
    assert_eq!(of(saying(ended(code, "Error"), message)), [(class, cause, Sureness::Counted)]);
}

#[test]
fn a_program_that_was_killed_or_done_did_not_write_about_its_end() {
    let text = "thread 'worker' panicked at src/worker.rs:1:1:";
    assert_eq!(of(saying(ended(0, "Completed"), text)), [(CRASH, Cause::CommandExits, Sureness::Counted)]);
    assert_eq!(of(saying(ended(143, "Error"), text)), [(CRASH, Cause::Unknown, Sureness::Counted)]);
}

#[rstest]
#[case::lost_by_the_kubelet(ended(137, "ContainerStatusUnknown"))]
#[case::lost_by_containerd(ended(255, "Unknown"))]
#[case::lost_by_crio(ended(-1, "Error"))]
fn endings_that_were_made_up_are_never_evidence(#[case] ending: Termination) {
    assert_eq!(of(ending), [(CRASH, Cause::NodeRestart, Sureness::Excluded)]);
}

#[test]
fn an_exit_that_was_made_up_does_not_add_to_a_real_one() {
    let s = only(pod([terminated(ended(1, "Error")).after(1, ended(255, "Unknown"))]));
    assert_eq!(single(&s, at(20)).occurrences, 1);
}

#[test]
fn restarts_that_the_pods_own_rules_ask_for_are_no_failure() {
    assert_eq!(of(ended(137, "RestartingAllContainers")), []);
    let s = only(pod([waiting("RestartingAllContainers", "").after(0, ended(0, "Completed"))]));
    assert_eq!(classify(&s, at(20)), []);
}

#[test]
fn the_failure_is_the_same_in_every_phase_of_the_loop() {
    let last = || ended(1, "Error");
    let phases = [
        terminated(last()),
        looping(1, last()),
        waiting("ContainerCreating", "").after(1, last()),
        running(9).after(1, last()),
        terminated(last()).after(1, last()),
    ];
    for phase in phases {
        let s = only(pod([phase]));
        assert_eq!(seen(&s, at(10))[0], (CRASH, Cause::ApplicationError, Sureness::Counted));
        assert_eq!(classify(&s, at(10))[0].onset, at(8));
    }
}

#[rstest]
#[case::first_exit_shows(terminated(ended(1, "Error")), 1)]
#[case::restarted_once(running(9).after(1, ended(1, "Error")), 1)]
#[case::second_exit_shows(terminated(ended(1, "Error")).after(1, ended(1, "Error")), 2)]
#[case::back_off_after_it(looping(2, ended(1, "Error")), 2)]
#[case::restarted_twice(running(9).after(2, ended(1, "Error")), 2)]
fn exits_are_counted_one_back_off_before_restarts(#[case] container: ContainerFacts, #[case] exits: u32) {
    assert_eq!(classify(&only(pod([container])), at(10))[0].occurrences, exits);
}

#[test]
fn exits_before_the_rollout_do_not_count_against_it() {
    let older = |exits| {
        let mut pod = PodFacts { created: at(-500), revision: name(OLD), ..pod([looping(exits, ended(1, "Error"))]) };
        pod.history.exits_at_first_sight = 7;
        pod
    };
    assert_eq!(single(&only(older(7)), at(20)).occurrences, 0);
    assert_eq!(single(&only(older(8)), at(20)).occurrences, 1);
    assert_eq!(single(&only(older(3)), at(20)).occurrences, 0);
}

/// The kubelet forgets its back-off after such a run too.
#[test]
fn an_exit_after_a_long_run_begins_a_new_count() {
    let long = Termination { finished: Some(at(5 + 600)), ..ended(1, "Error") };
    assert_eq!(single(&only(pod([looping(6, long)])), at(700)).occurrences, 1);
    let shorter = Termination { finished: Some(at(5 + 599)), ..ended(1, "Error") };
    assert_eq!(single(&only(pod([looping(6, shorter)])), at(700)).occurrences, 6);
}

#[test]
fn a_container_that_has_been_ready_for_long_enough_has_healed() {
    let crashed = || ready_pod([running(10).after(3, ended(1, "Error"))]);
    let s = only(PodFacts { ready_since: Some(at(12)), ..crashed() });
    assert_eq!(single(&s, at(41)).occurrences, 3);
    assert_eq!(classify(&s, at(42)), []);
}

#[test]
fn a_container_that_is_ready_only_briefly_has_not_healed() {
    let s = only(ready_pod([running(10).after(2, ended(1, "Error"))]));
    assert_eq!(single(&s, at(11)).occurrences, 2);
}

#[test]
fn a_hook_that_fails_is_told_from_a_program_that_fails() {
    let s = only(pod([waiting("PostStartHookError", "PostStart hook failed").after(1, ended(137, "Error"))]));
    let symptom = single(&s, at(20));
    assert_eq!((symptom.cause, symptom.occurrences), (Cause::PostStartHook, 2));
}

#[test]
fn a_back_off_after_a_hook_that_failed_is_told_by_the_event() {
    let told = || event("FailedPostStartHook", "PostStartHookError", 7);
    let heard = |code| hearing(only(pod([looping(2, ended(code, "Error"))])), "uid-web-6d-x", [told()]);
    let symptom = |s: &Snapshot| (single(s, at(20)).cause, single(s, at(20)).told.is_some());
    assert_eq!(symptom(&heard(137)), (Cause::PostStartHook, true));
    assert_eq!(symptom(&heard(143)), (Cause::PostStartHook, true));
    assert_eq!(symptom(&heard(1)), (Cause::ApplicationError, false), "it ended by itself and took its hook with it");
    let before = event("FailedPostStartHook", "PostStartHookError", -60);
    let s = hearing(only(pod([looping(2, ended(137, "Error"))])), "uid-web-6d-x", [before]);
    assert_eq!(symptom(&s), (Cause::Unknown, false), "of an earlier run");
}

#[test]
fn init_containers_that_have_done_their_work_are_well() {
    let done = || terminated(ended(0, "Completed")).named("migrate").kind(ContainerKind::Init);
    assert_eq!(classify(&only(ready_pod([done(), running(9)])), at(100)), []);
    let after_a_retry = done().after(2, ended(1, "Error"));
    assert_eq!(classify(&only(ready_pod([after_a_retry, running(9)])), at(100)), []);
}

#[test]
fn an_init_container_that_fails_is_blamed_and_not_those_that_wait_for_it() {
    let failing = looping(2, ended(1, "Error")).named("migrate").kind(ContainerKind::Init);
    let s = only(pod([failing, waiting("PodInitializing", "")]));
    let symptom = single(&s, at(20));
    assert_eq!(&*symptom.container.unwrap().name, "migrate");
    assert_eq!((symptom.cause, symptom.occurrences), (Cause::ApplicationError, 2));
}

#[test]
fn of_two_failing_containers_the_first_in_start_order_is_blamed() {
    let sidecar = looping(2, ended(1, "Error")).named("proxy").kind(ContainerKind::Sidecar);
    let s = only(pod([sidecar, looping(5, ended(139, "Error"))]));
    assert_eq!(&*single(&s, at(20)).container.unwrap().name, "proxy");
}

/// The app may have ended for want of the one that could not be pulled.
#[rstest]
#[case::the_crash_first(true)]
#[case::the_pull_first(false)]
fn of_two_app_containers_the_one_that_did_not_start_is_blamed(#[case] crash_first: bool) {
    let proxy = waiting("ErrImagePull", "dial tcp 10.0.0.9:443: connect: connection refused").named("proxy");
    let mut containers = [looping(2, ended(1, "Error")), proxy];
    if !crash_first {
        containers.reverse();
    }
    let s = with_template(only(pod(containers)), vec![template("web"), template("proxy")]);
    let symptom = single(&s, at(20));
    assert_eq!((&*symptom.container.unwrap().name, symptom.cause), ("proxy", Cause::RegistryUnreachable));
}

#[test]
fn what_is_never_evidence_does_not_hide_what_is() {
    let lost = looping(1, ended(255, "Unknown")).named("proxy").kind(ContainerKind::Sidecar);
    let s = only(pod([lost, looping(2, ended(1, "Error"))]));
    assert_eq!(single(&s, at(20)).cause, Cause::ApplicationError);
}

/// A loop whose first exit was seen at this second, and whose last was at second 8.
fn looping_since(first: i64) -> PodFacts {
    let mut pod = pod([looping(5, ended(1, "Error"))]);
    pod.history.series =
        Box::new([ExitSeries { container: name("web"), since: Some(at(first)), ..ExitSeries::default() }]);
    pod
}

#[test]
fn a_failure_began_with_the_first_exit_and_not_with_the_last() {
    assert_eq!(classify(&only(looping_since(3)), at(20))[0].onset, at(3));
    assert_eq!(classify(&only(looping_since(12)), at(20))[0].onset, at(8));
    assert_eq!(classify(&only(looping_since(3)), at(2))[0].onset, at(2));
}

#[test]
fn a_failure_of_an_older_pod_did_not_begin_before_the_rollout() {
    let older = |first| PodFacts { created: at(-500), ..looping_since(first) };
    assert_eq!(classify(&only(older(-100)), at(20))[0].onset, at(8));
    assert_eq!(classify(&only(older(3)), at(20))[0].onset, at(3));
}

#[test]
fn the_exits_of_another_container_are_another_failure() {
    let mut pod = looping_since(3);
    pod.history.series[0].container = name("log");
    assert_eq!(classify(&only(pod), at(20))[0].onset, at(8));
}

#[test]
fn after_a_long_run_the_failure_begins_anew() {
    let long = Termination { finished: Some(at(5 + 600)), ..ended(1, "Error") };
    let s = only(pod([terminated(long).after(1, ended(1, "Error"))]));
    assert_eq!(classify(&s, at(700))[0].onset, at(605));
}
