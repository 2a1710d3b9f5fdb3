use super::*;
use crate::engine::decision::Refusal;
use crate::engine::memory::CurrentRevision;
use crate::engine::words::RefusalReason;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

/// Revision 59 is the baseline, and was last seen to crash at `crashed`; 6d is the newest.
fn status(crashed: Option<i64>) -> WorkloadHealthStatus {
    let entry = |uid: &str, hash: &str| LedgerEntry {
        healthy_since: Some(at(-5000)),
        crashed_at: crashed.map(at),
        ..LedgerEntry::new(uid.into(), hash.into())
    };
    WorkloadHealthStatus {
        state: State::Progressing,
        ledger: vec![entry("r-1", "59")],
        current: Some(CurrentRevision { hash: "6d".into(), since: at(0) }),
        ..WorkloadHealthStatus::default()
    }
}

fn says(state: State) -> WorkloadHealthStatus {
    WorkloadHealthStatus { state, ..status(None) }
}

#[test]
fn a_state_that_lasts_is_written_at_once_and_one_that_passes_after_a_minute() {
    let before = says(State::Healthy);
    assert_eq!(due(Some(&before), &says(State::Held), None, at(0)), Due::Now);
    for state in [State::Progressing, State::Suspect, State::Failing, State::Stabilising, State::Unknown] {
        assert_eq!(due(Some(&before), &says(state), None, at(0)), Due::At(at(60)), "{state}");
        assert_eq!(due(Some(&before), &says(state), Some(at(-59)), at(0)), Due::At(at(1)), "{state}");
        assert_eq!(due(Some(&before), &says(state), Some(at(-60)), at(0)), Due::Now, "{state}");
    }
}

#[test]
fn a_recovery_that_left_everything_as_it_was_costs_no_write() {
    assert_eq!(due(Some(&says(State::Healthy)), &says(State::Stabilised), None, at(0)), Due::No);
    assert_eq!(due(Some(&says(State::Held)), &says(State::Stabilised), None, at(0)), Due::Now);
}

#[test]
fn that_nothing_runs_is_said_at_once_and_so_is_that_it_runs_again() {
    let (runs, rests) = (says(State::Healthy), says(State::Healthy));
    let rests = WorkloadHealthStatus { why: SCALED_TO_ZERO.to_owned(), ..rests };
    assert_eq!(due(Some(&runs), &rests, None, at(0)), Due::Now);
    assert_eq!(due(Some(&rests), &runs, None, at(0)), Due::Now);
    assert_eq!(due(Some(&rests), &rests, None, at(0)), Due::No);
}

#[test]
fn nothing_is_created_while_there_is_nothing_to_remember() {
    let blank = |state| WorkloadHealthStatus { state, ..WorkloadHealthStatus::default() };
    assert_eq!(due(None, &blank(State::Progressing), Some(at(-600)), at(0)), Due::No);
    assert_eq!(due(None, &blank(State::Held), None, at(0)), Due::Now);
    assert_eq!(due(None, &says(State::Progressing), None, at(0)), Due::Now, "a healthy revision is worth it");
}

#[test]
fn another_policy_or_refusal_is_written_and_a_word_is_not() {
    let before = says(State::Held);
    let other = |change: fn(&mut WorkloadHealthStatus)| {
        let mut after_ = before.clone();
        change(&mut after_);
        due(Some(&before), &after_, None, at(0))
    };
    let refuse = |s: &mut WorkloadHealthStatus| {
        let because = "because".to_owned();
        s.refusal = Some(Refusal { reason: RefusalReason::NoBaseline, because, next_look: None });
    };
    assert_eq!(other(refuse), Due::Now);
    assert_eq!(other(|s| s.policy = "IncidentPolicy/other".to_owned()), Due::Now);
    assert_eq!(other(|s| s.incident = Some("web-6d-1".to_owned())), Due::Now);
    assert_eq!(other(|s| s.why = "said otherwise".to_owned()), Due::No);
}

#[test]
fn a_crash_of_the_baseline_is_written_at_once_and_then_every_five_minutes_at_most() {
    assert_eq!(due(Some(&status(None)), &status(None), None, at(9)), Due::No);
    assert_eq!(due(Some(&status(None)), &status(Some(9)), None, at(9)), Due::Now);
    assert_eq!(due(Some(&status(Some(9))), &status(Some(308)), None, at(308)), Due::No);
    assert_eq!(due(Some(&status(Some(9))), &status(Some(309)), None, at(309)), Due::Now);
    assert_eq!(due(Some(&status(Some(9))), &status(None), None, at(309)), Due::No);
}

#[test]
fn a_crash_of_the_newest_revision_or_of_a_bad_one_costs_no_write() {
    let newest = |s: WorkloadHealthStatus| {
        let current = Some(CurrentRevision { hash: "59".into(), since: at(0) });
        WorkloadHealthStatus { current, ..s }
    };
    assert_eq!(due(Some(&newest(status(None))), &newest(status(Some(9))), None, at(9)), Due::No);
    let bad = |mut s: WorkloadHealthStatus| {
        s.ledger[0].failed_at = Some(at(-9));
        s
    };
    assert_eq!(due(Some(&bad(status(None))), &bad(status(Some(9))), None, at(9)), Due::No);
}

#[test]
fn a_revision_that_failed_once_and_works_now_is_written_as_healthy() {
    let mut proven = status(None);
    proven.ledger[0].failed_at = Some(at(-9000));
    let mut failed = proven.clone();
    failed.ledger[0].healthy_since = None;
    assert_eq!(due(Some(&failed), &proven, None, at(9)), Due::Now);
    assert_eq!(due(Some(&proven), &proven, None, at(9)), Due::No);
}

#[test]
fn that_a_healthy_revision_has_proven_itself_once_more_costs_no_write() {
    let before = status(None);
    let mut renewed = before.clone();
    renewed.ledger[0].healthy_since = Some(at(9));
    assert_eq!(due(Some(&before), &renewed, None, at(9)), Due::No);
    renewed.ledger[0].failed_at = Some(at(-6000));
    assert_eq!(due(Some(&before), &renewed, None, at(9)), Due::No, "it had proven itself after that already");
    renewed.ledger[0].failed_at = Some(at(-9));
    assert_eq!(due(Some(&before), &renewed, None, at(9)), Due::Now, "what is written would no longer count");
    renewed.ledger[0].failed_at = None;
    renewed.ledger[0].ready_seconds = Some(4);
    assert_eq!(due(Some(&before), &renewed, None, at(9)), Due::Now, "its first pods are timed only once");
}

#[test]
fn what_is_no_longer_healthy_or_gone_waits_for_another_write() {
    let before = status(None);
    let mut bad = before.clone();
    bad.ledger[0].failed_at = Some(at(9));
    assert_eq!(due(Some(&before), &bad, None, at(9)), Due::No, "its incident tells of it");
    bad.ledger.clear();
    assert_eq!(due(Some(&before), &bad, None, at(9)), Due::No);
}

#[test]
fn that_a_workload_is_no_longer_held_is_written_although_the_refusal_stays() {
    let held = |frozen: bool| {
        let mut status = says(State::Held);
        let wanted =
            Wanted { kind: "Frozen", status: Some(frozen), reason: "Paused".to_owned(), message: String::new() };
        condition::set(&mut status.conditions, wanted, None, at(0));
        status
    };
    assert_eq!(due(Some(&held(true)), &held(true), None, at(9)), Due::No);
    assert_eq!(due(Some(&held(true)), &held(false), None, at(9)), Due::Now);
    assert_eq!(due(Some(&held(false)), &held(true), None, at(9)), Due::Now);
    assert_eq!(due(Some(&held(true)), &says(State::Progressing), None, at(9)), Due::Now);
}

/// It keeps a revision from being gone back to, and is written once, with what else there is to write or after a minute.
#[test]
fn that_a_revision_is_broken_or_migrated_a_schema_is_written_once() {
    let noted = |change: fn(&mut LedgerEntry)| {
        let mut noted = status(None);
        noted.ledger.iter_mut().for_each(change);
        noted
    };
    let broken = noted(|entry| entry.broken_at = Some(at(0)));
    let migrated = noted(|entry| entry.migration = Some(Migration { at: at(0), by: "Job web-migrate".into() }));
    let troubled = noted(|entry| {
        entry.troubled = true;
        entry.migration = Some(Migration { at: at(0), by: "Job web-migrate".into() });
    });
    assert_eq!(
        due(Some(&migrated), &troubled, Some(at(0)), at(0)),
        Due::At(at(60)),
        "the migration says nothing of it"
    );
    for noted in [broken, migrated] {
        assert_eq!(due(Some(&status(None)), &noted, Some(at(0)), at(0)), Due::At(at(60)));
        assert_eq!(due(Some(&noted), &noted, Some(at(0)), at(600)), Due::No);
    }
    let healed = noted(|entry| entry.broken_at = Some(at(-6000)));
    assert_eq!(due(Some(&status(None)), &healed, Some(at(0)), at(600)), Due::No, "it was seen healthy since");
}
