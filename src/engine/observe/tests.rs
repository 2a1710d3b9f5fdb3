mod tally;

use std::sync::Arc;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::engine::facts::{Name, Termination};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

fn name(text: &str) -> Name {
    Arc::from(text)
}

fn container(restarts: u32, state: ContainerState, last: bool) -> ContainerFacts {
    let kind = ContainerKind::App;
    let started = matches!(state, ContainerState::Running { .. });
    ContainerFacts {
        name: name("web"),
        kind,
        ready: false,
        started,
        restarts,
        memory_limit: None,
        state,
        last: last.then(|| ended(1)),
    }
}

fn ended(exit_code: i32) -> Box<Termination> {
    let (started, finished) = (Some(at(1)), Some(at(2)));
    Box::new(Termination { exit_code, signal: 0, reason: name("Error"), message: "".into(), started, finished })
}

fn terminated() -> ContainerState {
    ContainerState::Terminated(ended(1))
}

fn waiting(reason: &str, message: &str) -> ContainerState {
    ContainerState::Waiting { reason: name(reason), message: message.into() }
}

fn running() -> ContainerState {
    ContainerState::Running { since: at(1) }
}

fn pod(container: ContainerFacts) -> PodFacts {
    PodFacts {
        uid: name("uid-1"),
        name: name("web-1"),
        revision: name("uid-rs"),
        node: None,
        created: at(0),
        started: None,
        deleting: false,
        finished: false,
        may_end: false,
        reason: None,
        message: "".into(),
        ready: false,
        ready_since: None,
        ready_reason: None,
        unscheduled: None,
        sandbox_ready: None,
        disruption: None,
        containers: Box::new([container]),
        history: History::default(),
    }
}

fn ready(ready: bool) -> PodFacts {
    PodFacts { ready, ..pod(container(0, running(), false)) }
}

/// What the kubelet shows of a container that crashes again and again, in order.
#[rstest]
#[case::before_the_first_run(0, waiting("ContainerCreating", ""), false, 0)]
#[case::first_run(0, running(), false, 0)]
#[case::first_exit(0, terminated(), false, 1)]
#[case::restarted_at_once(1, running(), true, 1)]
#[case::second_exit(1, terminated(), true, 2)]
#[case::back_off(1, waiting("CrashLoopBackOff", ""), true, 2)]
#[case::next_run_exists(2, waiting("ContainerCreating", ""), true, 2)]
#[case::third_run(2, running(), true, 2)]
#[case::third_exit(2, terminated(), true, 3)]
#[case::back_off_again(2, waiting("CrashLoopBackOff", ""), true, 3)]
fn exits_grow_with_every_end_of_a_run(
    #[case] restarts: u32,
    #[case] state: ContainerState,
    #[case] last: bool,
    #[case] expected: u32,
) {
    assert_eq!(exits(&container(restarts, state, last)), expected);
}

#[rstest]
#[case::start_refused(0, waiting("RunContainerError", ""), true, 1)]
#[case::image_gone_on_restart(3, waiting("ErrImagePull", ""), true, 4)]
#[case::config_gone_on_restart(0, waiting("CreateContainerConfigError", ""), true, 1)]
#[case::never_ran(0, waiting("CrashLoopBackOff", ""), false, 0)]
fn a_run_that_ended_is_counted_whatever_the_container_waits_for(
    #[case] restarts: u32,
    #[case] state: ContainerState,
    #[case] last: bool,
    #[case] expected: u32,
) {
    assert_eq!(exits(&container(restarts, state, last)), expected);
}

#[test]
fn an_init_container_that_has_done_its_work_did_not_exit() {
    let mut init = container(0, ContainerState::Terminated(ended(0)), false);
    assert_eq!(exits(&init), 1);
    init.kind = ContainerKind::Init;
    assert_eq!(exits(&init), 0);
    init.state = terminated();
    assert_eq!(exits(&init), 1);
}

#[test]
fn exits_of_a_pod_made_for_the_rollout_count_in_full() {
    let mut pod = pod(container(3, terminated(), true));
    pod.history.exits_at_first_sight = 3;
    assert_eq!(exits_since(&pod, &pod.containers[0], at(0)).0, 4);
    assert_eq!(exits_since(&pod, &pod.containers[0], at(1)).0, 1);
    pod.history.exits_at_first_sight = 9;
    assert_eq!(exits_since(&pod, &pod.containers[0], at(1)).0, 0);
}

#[test]
fn the_first_sight_is_kept() {
    let first = observe(None, pod(container(2, terminated(), true)), at(10));
    assert_eq!((first.history.first_seen, first.history.exits_at_first_sight), (Some(at(10)), 3));
    let second = observe(Some(&first), pod(container(9, terminated(), true)), at(20));
    assert_eq!((second.history.first_seen, second.history.exits_at_first_sight), (Some(at(10)), 3));
}

#[test]
fn another_pod_of_the_same_name_begins_anew() {
    let mut first = observe(None, ready(true), at(10));
    first.history.losses = vec![at(5)];
    let other = PodFacts { uid: name("uid-2"), ..ready(false) };
    let second = observe(Some(&first), other, at(20));
    assert_eq!((second.history.first_seen, second.history.losses.len()), (Some(at(20)), 0));
}

#[test]
fn readiness_is_lost_once_per_loss() {
    let mut pod = observe(None, ready(true), at(0));
    for (second, is_ready) in [(1, false), (2, false), (3, true), (4, true), (5, false)] {
        pod = observe(Some(&pod), ready(is_ready), at(second));
    }
    assert_eq!(pod.history.losses, [at(1), at(5)]);
}

#[test]
fn a_pod_that_goes_away_or_ends_loses_nothing() {
    let was = observe(None, ready(true), at(0));
    let deleting = PodFacts { deleting: true, ..ready(false) };
    assert_eq!(observe(Some(&was), deleting, at(1)).history.losses, []);
    let finished = PodFacts { finished: true, ..ready(false) };
    assert_eq!(observe(Some(&was), finished, at(1)).history.losses, []);
}

#[test]
fn the_newest_losses_are_kept() {
    let mut pod = observe(None, ready(true), at(0));
    for second in 1..=40 {
        pod = observe(Some(&pod), ready(second % 2 == 0), at(second));
    }
    assert_eq!(pod.history.losses.len(), MAX_LOSSES);
    assert_eq!(pod.history.losses.last(), Some(&at(39)));
    assert_eq!(pod.history.losses.first(), Some(&at(1)), "the first tells since when");
}

#[rstest]
#[case::soon_after(300, &[1, 301])]
#[case::long_after(301, &[302])]
fn losses_far_apart_are_two_matters(#[case] gap: i64, #[case] expected: &[i64]) {
    let mut pod = observe(None, ready(true), at(0));
    for (second, is_ready) in [(1, false), (2, true), (1 + gap, false)] {
        pod = observe(Some(&pod), ready(is_ready), at(second));
    }
    assert_eq!(pod.history.losses, expected.iter().copied().map(at).collect::<Vec<_>>());
}

/// The last end was at 10,002 s, and the pod is of 0 s.
#[rstest]
#[case::all_ends_show(1, 10_002)]
#[case::two_waits(3, 10_002 - 10 - 20)]
#[case::waits_grow_to_five_minutes(7, 10_002 - 310 - 300)]
#[case::no_longer_than_the_pod(100, 0)]
fn ends_that_nobody_saw_took_their_time(#[case] restarts: u32, #[case] began: i64) {
    let mut crashed = container(restarts, waiting("CrashLoopBackOff", ""), true);
    let end = Termination { started: Some(at(10_001)), finished: Some(at(10_002)), ..*ended(1) };
    crashed.last = Some(Box::new(end));
    let pod = observe(None, pod(crashed.clone()), at(10_003));
    assert_eq!(began_by(&pod, &crashed, at(10_002)), at(began));
}

#[test]
fn a_clock_that_goes_back_adds_no_loss() {
    let mut pod = observe(None, ready(true), at(0));
    for (second, is_ready) in [(10, false), (11, true), (5, false), (6, true), (10, false)] {
        pod = observe(Some(&pod), ready(is_ready), at(second));
    }
    assert_eq!(pod.history.losses, [at(10)]);
}

#[test]
fn the_last_start_is_remembered_at_its_latest() {
    let starting = || {
        let mut container = container(0, running(), false);
        container.started = false;
        pod(container)
    };
    let mut pod = observe(None, ready(false), at(0));
    assert_eq!(pod.history.last_started, None);
    for (second, next) in [(1, starting()), (5, ready(false)), (6, starting()), (3, ready(false))] {
        pod = observe(Some(&pod), next, at(second));
    }
    assert_eq!(pod.history.last_started, Some(at(5)));
}

/// Shows a container waiting at one second after the other and returns the spell it is in at the end.
fn spell_after(shown: &[(&str, &str)]) -> Option<WaitingSpell> {
    let mut seen: Option<PodFacts> = None;
    for (second, (reason, message)) in (0..).zip(shown) {
        let state = if *reason == "Running" { running() } else { waiting(reason, message) };
        seen = Some(observe(seen.as_ref(), pod(container(0, state, false)), at(second)));
    }
    seen?.history.waiting.map(|spell| *spell)
}

const BACK_OFF: &str = "Back-off pulling image \"web:9\"";

#[rstest]
#[case::first_pull(&[("ErrImagePull", "e1")], 1)]
#[case::waits(&[("ErrImagePull", "e1"), ("ImagePullBackOff", BACK_OFF)], 1)]
#[case::seen_late(&[("ImagePullBackOff", BACK_OFF)], 1)]
#[case::second_pull(&[("ErrImagePull", "e1"), ("ImagePullBackOff", BACK_OFF), ("ErrImagePull", "e2")], 2)]
#[case::shown_twice(&[("ErrImagePull", "e1"), ("ErrImagePull", "e1"), ("ErrImagePull", "e1")], 1)]
#[case::other_pull_error(&[("ImagePullBackOff", BACK_OFF), ("RegistryUnavailable", "e2")], 2)]
#[case::another_failure(&[("ImagePullBackOff", BACK_OFF), ("CreateContainerConfigError", "e")], 1)]
#[case::ran_between(&[("ImagePullBackOff", BACK_OFF), ("Running", ""), ("ErrImagePull", "e")], 1)]
fn pulls_are_counted_as_they_fail(#[case] shown: &[(&str, &str)], #[case] attempts: u32) {
    assert_eq!(spell_after(shown).unwrap().attempts, attempts);
}

#[test]
fn a_spell_keeps_its_beginning_and_its_last_telling_message() {
    let spell = spell_after(&[("ErrImagePull", "e1"), ("ImagePullBackOff", BACK_OFF)]).unwrap();
    assert_eq!((spell.since, &*spell.message, &*spell.reason), (at(0), "e1", "ImagePullBackOff"));
    let newer = "Back-off pulling image \"web:9\": ErrImagePull: e2";
    let spell = spell_after(&[("ErrImagePull", "e1"), ("ImagePullBackOff", newer)]).unwrap();
    assert_eq!(&*spell.message, newer);
}

#[rstest]
#[case("ContainerCreating")]
#[case("PodInitializing")]
#[case("CrashLoopBackOff")]
#[case("Running")]
fn a_container_that_waits_for_its_turn_or_was_counted_is_in_no_spell(#[case] reason: &str) {
    assert_eq!(spell_after(&[(reason, "")]), None);
}

#[test]
fn a_clock_that_goes_back_does_not_lengthen_a_spell() {
    let waits = || pod(container(0, waiting("CreateContainerConfigError", "e"), false));
    let first = observe(None, waits(), at(50));
    let second = observe(Some(&first), waits(), at(20));
    assert_eq!(second.history.waiting.unwrap().since, at(50));
}

/// A pod after each of these runs, given as second of start and of end, in every phase that a kubelet shows.
fn phases(runs: &[(i64, i64)]) -> Vec<PodFacts> {
    let ended = |(started, finished): (i64, i64)| {
        Box::new(Termination { started: Some(at(started)), finished: Some(at(finished)), ..*ended(1) })
    };
    let mut phases = Vec::new();
    let mut before = None;
    for (restarts, run) in (0..).zip(runs) {
        let since = at(run.0);
        let show = |restarts, state, last: Option<&(i64, i64)>| {
            let mut container = container(restarts, state, false);
            container.last = last.map(|last| ended(*last));
            pod(container)
        };
        phases.push(show(restarts, ContainerState::Running { since }, before));
        phases.push(show(restarts, ContainerState::Terminated(ended(*run)), before));
        phases.push(show(restarts, waiting("CrashLoopBackOff", ""), Some(run)));
        before = Some(run);
    }
    phases
}

/// When the series began, as far as these sights tell.
fn series_after(sights: &[PodFacts]) -> Option<Timestamp> {
    let seen = sights.iter().fold(None, |seen: Option<PodFacts>, next| {
        // The clock of whoever looks is of no account.
        Some(observe(seen.as_ref(), next.clone(), at(-1)))
    });
    seen?.history.series.first().and_then(|series| series.since)
}

#[test]
fn a_series_of_exits_keeps_its_beginning() {
    let sights = phases(&[(0, 5), (6, 9), (19, 22), (42, 44)]);
    assert_eq!(series_after(&sights[..1]), None);
    for seen in 2..=sights.len() {
        assert_eq!(series_after(&sights[..seen]), Some(at(5)));
    }
}

#[test]
fn a_series_whose_beginning_nobody_saw_begins_with_the_first_end_that_shows() {
    let sights = phases(&[(0, 5), (6, 9), (19, 22), (42, 44)]);
    assert_eq!(series_after(&sights[7..]), Some(at(9)), "the second end still shows beside the third");
    assert_eq!(series_after(&sights[8..]), Some(at(22)));
}

#[test]
fn a_long_run_ends_a_series() {
    let sights = phases(&[(0, 5), (6, 606), (607, 608)]);
    assert_eq!(series_after(&sights[..4]), Some(at(5)), "while it runs nothing is known yet");
    assert_eq!(series_after(&sights[..5]), Some(at(606)));
    assert_eq!(series_after(&sights), Some(at(606)));
    assert_eq!(series_after(&phases(&[(0, 5), (6, 605), (606, 608)])), Some(at(5)));
}

#[test]
fn what_was_made_up_or_has_done_its_work_begins_no_series() {
    for (code, reason) in [(137, "ContainerStatusUnknown"), (255, "Unknown"), (-1, "Error")] {
        let mut lost = container(0, terminated(), false);
        lost.state = ContainerState::Terminated(Box::new(Termination { reason: name(reason), ..*ended(code) }));
        assert_eq!(series_after(&[pod(lost)]), None);
    }
    let mut init = container(0, ContainerState::Terminated(ended(0)), false);
    init.kind = ContainerKind::Init;
    assert_eq!(series_after(&[pod(init)]), None);
}

#[test]
fn each_container_has_a_series_of_its_own() {
    let both = |web: ContainerFacts| {
        let log = ContainerFacts { name: name("log"), ..container(1, running(), true) };
        PodFacts { containers: Box::new([log, web]), ..pod(container(0, running(), false)) }
    };
    let first = observe(None, both(container(0, running(), false)), at(9));
    let of = |pod: &PodFacts| pod.history.series.iter().map(|s| s.container.to_string()).collect::<Vec<_>>();
    assert_eq!(of(&first), ["log"]);
    assert_eq!(of(&observe(Some(&first), both(container(0, terminated(), false)), at(9))), ["log", "web"]);
}

proptest! {
    /// What is lost makes a failure look younger, never older.
    #[test]
    fn a_lost_history_hastens_nothing(runs in prop::collection::vec((0_i64..60, 1_i64..900), 1..7), lost in 0_usize..21) {
        let mut at = 0;
        let runs: Vec<(i64, i64)> = runs
            .into_iter()
            .map(|(pause, length)| {
                let started = at + pause;
                at = started + length;
                (started, at)
            })
            .collect();
        let sights = phases(&runs);
        let known = series_after(&sights);
        prop_assert!(known <= series_after(&sights[lost.min(sights.len() - 1)..]));
    }
}
