//! What holds for every decision: over arbitrary snapshots, and over short timelines whose actions are carried out.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
// Small numbers, written here.
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

#[path = "scenarios/apply.rs"]
mod apply;
#[allow(dead_code)]
#[path = "scenarios/around.rs"]
mod around;
#[path = "scenarios/events.rs"]
mod events;
#[path = "properties/facts.rs"]
mod facts;
#[allow(dead_code)]
#[path = "scenarios/fleet.rs"]
mod fleet;
#[allow(dead_code)]
#[path = "scenarios/logs.rs"]
mod logs;
#[path = "scenarios/objects.rs"]
mod objects;
#[path = "scenarios/pods.rs"]
mod pods;
#[allow(dead_code)]
#[path = "scenarios/report.rs"]
mod report;
#[path = "properties/said.rs"]
mod said;
#[allow(dead_code)]
#[path = "scenarios/script.rs"]
mod script;
#[path = "properties/timelines.rs"]
mod timelines;
#[allow(dead_code)]
#[path = "scenarios/world.rs"]
mod world;

use backstay::engine::decide::decide;
use backstay::engine::decision::{Action, Decision};
use backstay::engine::facts::Snapshot;
use backstay::engine::memory::Intent;
use backstay::engine::policy::Mode;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// How many cases of each property: as many as `PROPTEST_CASES` says, or so many.
fn cases(otherwise: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

/// What the action that changes the workload intends, if there is one.
fn intent(decision: &Decision) -> Option<&Intent> {
    match decision.action.as_ref()? {
        Action::RollBack(permit) | Action::Freeze(permit) | Action::Pause(permit) => Some(permit.intent()),
        Action::Resume { .. } => None,
    }
}

/// The permit is for this very snapshot, and nothing in it speaks against acting.
fn agrees(s: &Snapshot, decision: &Decision, now: Timestamp) -> Result<(), TestCaseError> {
    let w = &s.workload;
    let untouchable = s.policy.mode == Mode::Observe || w.opted_out;
    prop_assert!(decision.action.is_none() || !untouchable, "a write to what must not be touched");
    let Some(intent) = intent(decision) else { return Ok(()) };
    prop_assert_eq!(intent.generation, w.generation);
    prop_assert!(intent.deadline > now || now == Timestamp::MAX);
    prop_assert!(!w.deleting && s.data_age_seconds <= 60);
    if decision.verdict.is_none() {
        // A freeze that was begun goes on as it was intended.
        let begun = |i: &Intent| i.kind == intent.kind && i.target == intent.target && i.failing == intent.failing;
        prop_assert!(s.memory.open.iter().filter_map(|i| i.intent.as_ref()).any(begun));
        return Ok(());
    }
    let find = |uid: &str| s.revisions.iter().find(|r| &*r.uid == uid);
    let (target, failing) = (find(&intent.target.uid), find(&intent.failing.uid));
    let (Some(target), Some(failing)) = (target, failing) else {
        return Err(TestCaseError::fail("an intent about a revision that does not exist"));
    };
    prop_assert_eq!((&intent.target.name, &intent.target.hash), (&target.name, &target.hash));
    prop_assert_eq!(decision.newest.as_ref().map(|r| &r.uid), Some(&failing.uid));
    prop_assert_ne!(target.template.material, failing.template.material);
    prop_assert!(!target.deleting);
    let of_target = || s.memory.ledger.iter().filter(|e| e.uid == target.uid || e.hash == target.hash);
    let failed = of_target().filter_map(|e| e.failed_at).max();
    let healthy_after = |failed| of_target().filter_map(|e| e.healthy_since).any(|healthy| healthy > failed);
    prop_assert!(failed.is_none_or(healthy_after), "a target that was judged bad");
    prop_assert!(w.replicas > 0 && w.observed_generation >= w.generation && w.owned_by.is_none());
    prop_assert!(s.fleet.storm.is_none());
    let ours = |mark| s.memory.open.iter().any(|i| Some(&i.name) == mark);
    prop_assert!(!w.paused || ours(w.paused_for.as_ref()));
    let tried = s.memory.actions.iter().any(|a| facts::changes_template(a.kind) && a.from == failing.hash);
    prop_assert!(!tried, "a second action on one template");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(1024), failure_persistence: None, ..ProptestConfig::default() })]

    /// A bad rollout that would be rolled back, with anything about it changed.
    #[test]
    fn permits_agree_with_the_snapshot((s, now) in facts::disturbed()) {
        let decision = decide(&s, now);
        agrees(&s, &decision, now)?;
        prop_assert!(decision.next_check.is_none_or(|next| next > now || now == Timestamp::MAX));
        prop_assert_eq!(&decide(&s, now), &decision);
    }

    /// What is remembered of crashes only ever turns an action into a no.
    #[test]
    fn a_remembered_crash_hastens_nothing((s, now) in facts::disturbed(), ago in -1000_i64..5000) {
        let without = decide(&s, now);
        let mut remembering = s;
        for entry in &mut remembering.memory.ledger {
            entry.crashed_at = Some(now - jiff::SignedDuration::from_secs(ago));
        }
        let decision = decide(&remembering, now);
        if intent(&decision).is_some() {
            prop_assert_eq!(intent(&decision), intent(&without));
        }
    }

    /// That revisions were seen to fail only ever turns an action into a no.
    #[test]
    fn what_is_remembered_as_broken_hastens_nothing((s, now) in facts::disturbed(), ago in -1000_i64..5000) {
        let without = decide(&s, now);
        let mut remembering = s;
        for entry in &mut remembering.memory.ledger {
            entry.broken_at = Some(now - jiff::SignedDuration::from_secs(ago));
        }
        let decision = decide(&remembering, now);
        if intent(&decision).is_some() {
            prop_assert_eq!(intent(&decision), intent(&without));
        }
    }

    /// What logs say only ever turns an action into a no.
    #[test]
    fn a_log_hastens_nothing((s, now) in facts::disturbed(), said in said::said()) {
        let without = decide(&s, now);
        let decision = decide(&said::logging(s, &said, now), now);
        if intent(&decision).is_some() {
            prop_assert_eq!(intent(&decision), intent(&without));
        }
    }

    #[test]
    fn order_changes_nothing((s, now) in facts::disturbed(), said in said::said(), seed in any::<u64>()) {
        let s = said::logging(s, &said, now);
        let decision = decide(&s, now);
        let mut turned = s;
        facts::shuffle(&mut turned.logs, seed);
        facts::shuffle(&mut turned.pods, seed);
        facts::shuffle(&mut turned.revisions, seed);
        facts::shuffle(&mut turned.nodes.own, seed);
        prop_assert_eq!(&decide(&turned, now), &decision);
    }

    /// Times from the beginning to the end of time, counts below zero, names that are empty or all the same.
    #[test]
    fn nonsense_never_panics((s, now) in facts::nonsense()) {
        let decision = decide(&s, now);
        agrees(&s, &decision, now)?;
        prop_assert!(decision.next_check.is_none_or(|next| next > now || now == Timestamp::MAX));
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(192), failure_persistence: None, ..ProptestConfig::default() })]

    /// A clock that is set back shows less evidence, never more.
    #[test]
    fn an_earlier_clock_does_not_act(steps in timelines::steps(), back in 1_i64..100_000) {
        timelines::clock_set_back(&steps, back)?;
    }

    #[test]
    fn a_lost_history_does_not_act(steps in timelines::failing_rollout(), at in 1_usize..8) {
        timelines::history_lost(&steps, at)?;
    }

    #[test]
    fn the_same_events_twice_decide_the_same(steps in timelines::steps()) {
        timelines::twice(&steps)?;
    }

    #[test]
    fn a_fight_over_a_template_is_bounded(fight in timelines::fight()) {
        timelines::fights_are_bounded(&fight)?;
    }

    #[test]
    fn actions_are_kept_apart(releases in timelines::releases()) {
        timelines::kept_apart(&releases)?;
    }

    #[test]
    fn a_template_is_acted_on_once(steps in timelines::steps()) {
        timelines::once(&steps)?;
    }
}

/// The strategies reach what they are about: a good part of the disturbed snapshots still leads to an action.
#[test]
fn disturbed_snapshots_still_act() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let acts = (0..400).filter(|_| {
        let (s, now) = facts::disturbed().new_tree(&mut runner).unwrap().current();
        intent(&decide(&s, now)).is_some()
    });
    assert!(acts.count() > 40);
}

/// ... and a crash of the baseline that is remembered speaks in some of them.
#[test]
fn remembered_crashes_are_heard() {
    let mut s = facts::bad_rollout();
    s.pods.retain(|pod| &*pod.revision != "uid-1");
    let now = world::start() + jiff::SignedDuration::from_secs(10);
    assert!(intent(&decide(&s, now)).is_some());
    s.memory.ledger[0].crashed_at = Some(now);
    assert!(intent(&decide(&s, now)).is_none());
}
