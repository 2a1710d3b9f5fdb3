use rstest::rstest;

use super::*;
use crate::cluster::lease::Timing;

const LEASE: Duration = Duration::from_secs(15);

fn settings(identity: &str) -> Settings {
    Settings {
        namespace: "backstay".to_owned(),
        name: "backstay".to_owned(),
        identity: identity.to_owned(),
        timing: Timing::default(),
    }
}

/// A replica with a wall clock of its own, that looks at the lease at moments of the shared monotonic time.
struct Replica {
    election: Election,
    start: Instant,
    skew: i64,
}

impl Replica {
    fn new(identity: &str, skew_seconds: i64, start: Instant) -> Self {
        Self { election: Election::new(settings(identity)), start, skew: skew_seconds }
    }

    fn at(&self, seconds: u64) -> Now {
        let wall = 1_700_000_000 + self.skew + i64::try_from(seconds).unwrap();
        Now { mono: self.start + Duration::from_secs(seconds), wall: Timestamp::from_second(wall).unwrap() }
    }

    fn sees(&mut self, lease: &Lease, seconds: u64) -> Step {
        self.election.observe(Some(lease.clone()), self.at(seconds))
    }

    fn wins(&mut self, step: Step, seconds: u64) -> Lease {
        let (Step::Create(lease) | Step::Replace(lease)) = step else { panic!("wanted a write, got {step:?}") };
        let now = self.at(seconds);
        self.election.written((*lease).clone(), now.mono, now);
        *lease
    }

    fn leads(&self) -> bool {
        matches!(self.election.leadership(), Leadership::Leader { .. })
    }
}

fn spec(lease: &Lease) -> &LeaseSpec {
    lease.spec.as_ref().unwrap()
}

fn pair(skew: i64) -> (Replica, Replica) {
    let start = Instant::now();
    (Replica::new("a", 0, start), Replica::new("b", skew, start))
}

#[test]
fn first_candidate_creates_the_lease_and_leads() {
    let (mut a, _) = pair(0);
    assert_eq!(a.election.begin(a.at(0)), Step::Read);
    let step = a.election.observe(None, a.at(0));
    let lease = a.wins(step, 0);
    assert!(a.leads());
    assert_eq!(spec(&lease).holder_identity.as_deref(), Some("a"));
    assert_eq!(spec(&lease).lease_duration_seconds, Some(15));
    assert_eq!(spec(&lease).lease_transitions, Some(0));
    assert_eq!(spec(&lease).acquire_time, spec(&lease).renew_time);
}

#[rstest]
#[case::same_clock(0)]
#[case::an_hour_ahead(3600)]
#[case::an_hour_behind(-3600)]
#[case::ten_years_ahead(315_360_000)]
fn a_follower_waits_the_whole_duration_from_its_own_sighting(#[case] skew: i64) {
    let (mut a, mut b) = pair(skew);
    let step = a.election.observe(None, a.at(0));
    let lease = a.wins(step, 0);
    assert!(matches!(b.sees(&lease, 7), Step::Rest(_)), "b first sees the lease at 7 s");
    assert!(matches!(b.sees(&lease, 21), Step::Rest(_)), "at 21 s its sighting is 14 s old");
    let step = b.sees(&lease, 22);
    let taken = b.wins(step, 22);
    assert!(b.leads());
    assert_eq!(spec(&taken).lease_transitions, Some(1));
    assert_ne!(spec(&taken).acquire_time, spec(&lease).acquire_time);
}

#[test]
fn renewals_hold_a_follower_off_for_ever() {
    let (mut a, mut b) = pair(-3600);
    let step = a.election.observe(None, a.at(0));
    let mut lease = a.wins(step, 0);
    for second in (2..120).step_by(2) {
        let step = a.election.begin(a.at(second));
        assert!(matches!(step, Step::Replace(_)), "a leader renews without reading first");
        lease = a.wins(step, second);
        assert!(matches!(b.sees(&lease, second), Step::Rest(_)));
    }
    assert_eq!(b.election.leadership(), Leadership::Follower { holder: Some("a".to_owned()) });
    assert_eq!(spec(&lease).lease_transitions, Some(0));
}

#[test]
fn labels_on_the_lease_do_not_count_as_a_renewal() {
    let (mut a, mut b) = pair(0);
    let step = a.election.observe(None, a.at(0));
    let mut lease = a.wins(step, 0);
    b.sees(&lease, 0);
    lease.metadata.resource_version = Some("77".to_owned());
    lease.metadata.labels = Some([("seen".to_owned(), "yes".to_owned())].into());
    let step = b.sees(&lease, 15);
    let taken = b.wins(step, 15);
    assert_eq!(taken.metadata.resource_version.as_deref(), Some("77"), "the write names what was read");
    assert_eq!(taken.metadata.labels, lease.metadata.labels, "what others wrote stays");
}

#[test]
fn a_leader_that_cannot_renew_stops_before_the_lease_can_be_taken() {
    let (mut a, mut b) = pair(0);
    let step = a.election.observe(None, a.at(0));
    let lease = a.wins(step, 0);
    b.sees(&lease, 0);
    a.election.lapse(a.at(9).mono);
    assert!(a.leads());
    a.election.lapse(a.at(10).mono);
    assert!(!a.leads());
    assert!(matches!(b.sees(&lease, 14), Step::Rest(_)), "nobody can take it for five seconds more");
}

#[test]
fn after_lapsing_a_replica_takes_its_own_lease_back_at_once() {
    let (mut a, _) = pair(0);
    let step = a.election.observe(None, a.at(0));
    let lease = a.wins(step, 0);
    a.election.lapse(a.at(11).mono);
    assert_eq!(a.election.begin(a.at(11)), Step::Read);
    let step = a.sees(&lease, 11);
    let again = a.wins(step, 11);
    assert_eq!(spec(&again).lease_transitions, Some(0), "the holder did not change");
    assert_eq!(spec(&again).acquire_time, spec(&lease).acquire_time);
}

#[test]
fn a_restarted_replica_recognises_its_own_identity() {
    let (mut a, _) = pair(0);
    let step = a.election.observe(None, a.at(0));
    let lease = a.wins(step, 0);
    let mut restarted = Replica::new("a", 0, a.start);
    assert!(matches!(restarted.sees(&lease, 1), Step::Replace(_)));
}

#[test]
fn a_stolen_lease_ends_the_term_at_once() {
    let (mut a, mut b) = pair(0);
    let step = a.election.observe(None, a.at(0));
    let lease = a.wins(step, 0);
    b.sees(&lease, 0);
    let step = b.sees(&lease, 15);
    let taken = b.wins(step, 15);
    assert!(matches!(a.sees(&taken, 4), Step::Rest(_)));
    assert_eq!(a.election.leadership(), Leadership::Follower { holder: Some("b".to_owned()) });
    assert_eq!(a.election.leading_until(), None);
}

#[test]
fn a_deleted_lease_is_left_to_the_holder_that_was_seen() {
    let (mut a, mut b) = pair(0);
    let step = a.election.observe(None, a.at(0));
    let lease = a.wins(step, 0);
    b.sees(&lease, 3);
    assert!(matches!(b.election.observe(None, b.at(4)), Step::Rest(_)), "b knows that a still acts");
    assert!(matches!(a.election.observe(None, a.at(4)), Step::Create(_)), "a writes it again");
    let step = b.election.observe(None, b.at(18));
    let made = b.wins(step, 18);
    assert_eq!(made.metadata.resource_version, None, "a create names no version");
}

#[test]
fn release_frees_the_lease_for_the_next_look() {
    let (mut a, mut b) = pair(0);
    let step = a.election.observe(None, a.at(0));
    let lease = a.wins(step, 0);
    b.sees(&lease, 0);
    let freed = a.election.release(None, a.at(3)).unwrap();
    assert!(!a.leads());
    assert_eq!(spec(&freed).holder_identity, None);
    assert_eq!(spec(&freed).lease_duration_seconds, Some(1));
    let step = b.sees(&freed, 4);
    let taken = b.wins(step, 4);
    assert_eq!(spec(&taken).lease_transitions, Some(1));
    assert_eq!(spec(&taken).lease_duration_seconds, Some(15));
}

#[test]
fn only_the_holder_releases() {
    let (mut a, mut b) = pair(0);
    let step = a.election.observe(None, a.at(0));
    let lease = a.wins(step, 0);
    b.sees(&lease, 0);
    assert_eq!(b.election.release(None, b.at(1)), None);
    assert_eq!(b.election.release(Some(lease), b.at(1)), None);
}

#[test]
fn a_record_without_a_duration_is_given_our_own() {
    let (mut a, mut b) = pair(0);
    let step = a.election.observe(None, a.at(0));
    let mut lease = a.wins(step, 0);
    for odd in [None, Some(0), Some(-3)] {
        lease.spec.as_mut().unwrap().lease_duration_seconds = odd;
        b.election.seen = None;
        assert!(matches!(b.sees(&lease, 0), Step::Rest(_)));
        assert!(matches!(b.sees(&lease, LEASE.as_secs()), Step::Replace(_)));
    }
}

#[test]
fn pauses_spread_candidates_and_end_when_something_expires() {
    let (mut a, mut b) = pair(0);
    let step = a.election.observe(None, a.at(0));
    let lease = a.wins(step, 0);
    assert_eq!(a.election.pause(a.at(0).mono), Duration::from_secs(2), "a leader keeps to the period");
    assert_eq!(a.election.pause(a.at(9).mono), Duration::from_secs(1), "and looks up when its term ends");
    b.sees(&lease, 0);
    let pauses: Vec<Duration> = (0..8).map(|_| b.election.pause(b.at(1).mono)).collect();
    assert!(pauses.iter().all(|pause| (Duration::from_millis(1600)..=Duration::from_secs(2)).contains(pause)));
    assert!(pauses.windows(2).any(|two| two.first() != two.last()), "{pauses:?}");
    assert_eq!(b.election.pause(b.at(14).mono), Duration::from_secs(1), "a follower is there when the lease expires");
}
