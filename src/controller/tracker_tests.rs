use super::*;
use crate::engine::memory::CurrentRevision;

fn key(name: &str) -> WorkloadKey {
    WorkloadKey::new("shop", name)
}

#[test]
fn back_off_grows_per_workload_and_ends_with_success() {
    let tracker = Tracker::default();
    let failed = |name: &str| tracker.failed(&key(name), None);
    assert_eq!(failed("a"), FIRST_PAUSE);
    assert_eq!(failed("a"), FIRST_PAUSE * 2);
    assert_eq!(failed("b"), FIRST_PAUSE);
    tracker.succeeded(&key("a"));
    assert_eq!(tracker.in_backoff(), 1);
    assert_eq!(failed("a"), FIRST_PAUSE);
    for _ in 0..50 {
        failed("a");
    }
    assert_eq!(failed("a"), LONGEST_PAUSE);
}

#[test]
fn what_another_leader_may_know_better_is_forgotten_and_our_own_writes_are_not() {
    let tracker = Tracker::default();
    let current = Some(CurrentRevision { hash: Name::from("59"), since: Timestamp::UNIX_EPOCH });
    awaits(&tracker, 6);
    tracker.saw(&key("a"), Seen { current, ..Seen::default() });
    tracker.wrote(&key("a"), 7);
    tracker.failed(&key("a"), None);
    tracker.found(&key("a"), vec![(Class::Unready, Fault::Unknown)]);
    tracker.forget_looks();
    assert_eq!(tracker.seen(&key("a")).current, None);
    assert_eq!((tracker.in_backoff(), tracker.rests(&key("a"), Some(7))), (0, None));
    assert!(tracker.findings().is_empty());
    assert!(awaits(&tracker, 6).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_kept_until_it_is_over_or_the_workload_is_another() {
    let tracker = Tracker::default();
    let asked = Duration::from_secs(7);
    awaits(&tracker, 1);
    assert_eq!(tracker.failed(&key("a"), Some(asked)), asked);
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(tracker.rests(&key("a"), Some(1)), Some(Duration::from_secs(4)));
    assert_eq!(tracker.rests(&key("a"), Some(2)), None, "somebody changed the Deployment");
    assert_eq!(tracker.rests(&key("b"), Some(1)), None);
    tokio::time::advance(Duration::from_secs(4)).await;
    assert_eq!(tracker.rests(&key("a"), Some(1)), None);
}

#[tokio::test(start_paused = true)]
async fn what_was_judged_and_our_own_write_to_it_are_waited_with_and_nothing_else() {
    let tracker = Tracker::default();
    awaits(&tracker, 1);
    tracker.wrote(&key("a"), 2);
    let pause = Some(tracker.failed(&key("a"), None));
    let rests = [0, 1, 2, 3].map(|generation| tracker.rests(&key("a"), Some(generation)));
    assert_eq!(rests, [None, pause, pause, None]);
}

#[test]
fn nothing_is_remembered_of_what_no_policy_governs() {
    let tracker = Tracker::default();
    tracker.seen(&key("a"));
    tracker.rests(&key("a"), Some(1));
    tracker.disregard(&key("a"));
    tracker.succeeded(&key("a"));
    assert!(tracker.tracks.lock().unwrap().is_empty());
    tracker.found(&key("b"), vec![(Class::Unready, Fault::Unknown)]);
    tracker.disregard(&key("b"));
    assert!(tracker.findings().is_empty());
}

#[test]
fn the_same_word_twice_is_no_news() {
    let tracker = Tracker::default();
    let said = Said { state: State::Healthy, refusal: None, action: false, newest: None };
    assert!(tracker.is_news(&key("a"), said.clone()));
    assert!(!tracker.is_news(&key("a"), said.clone()));
    assert!(tracker.is_news(&key("a"), Said { state: State::Failing, ..said }));
}

/// How long the stores are waited for, that show this generation.
fn awaits(tracker: &Tracker, generation: i64) -> Option<Duration> {
    tracker.awaits(&key("a"), (&Name::from("d-1"), generation))
}

#[tokio::test(start_paused = true)]
async fn an_own_write_is_awaited_no_longer_than_a_watch_may_be_silent() {
    let tracker = Tracker::default();
    let awaits = |generation| awaits(&tracker, generation);
    assert_eq!(awaits(4), None);
    tracker.wrote(&key("a"), 5);
    assert_eq!(awaits(4), Some(OWN_WRITE));
    tokio::time::advance(Duration::from_secs(20)).await;
    tracker.wrote(&key("a"), 5);
    assert_eq!(awaits(4), Some(OWN_WRITE));
    tokio::time::advance(OWN_WRITE).await;
    assert_eq!(awaits(4), None, "the API server may have forgotten it");
    assert_eq!(awaits(4), None);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_went_back_is_believed() {
    let tracker = Tracker::default();
    let awaits = |generation| awaits(&tracker, generation);
    assert_eq!(awaits(4), None);
    tracker.wrote(&key("a"), 5);
    assert_eq!(awaits(5), None);
    assert_eq!(awaits(3), None, "no watch goes back, so its API server did");
    tracker.wrote(&key("a"), 4);
    assert!(awaits(3).is_some(), "and goes on from there");
    assert_eq!(awaits(4), None);
}
