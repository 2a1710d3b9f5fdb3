use rstest::rstest;
use serde_json::json;
use strum::IntoEnumIterator;

use super::*;
use crate::api::condition;
use crate::engine::decision::{IncidentStep, Refusal};
use crate::engine::words::{ActionKind, RefusalReason, State};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

fn reference(hash: &str) -> serde_json::Value {
    json!({"name": format!("web-{hash}"), "uid": format!("r-{hash}"), "hash": hash})
}

/// An incident that was opened with an intent of this kind.
fn incident(kind: ActionKind) -> Incident {
    let intent = json!({
        "kind": kind, "target": reference("59"), "failing": reference("6d"), "generation": 4, "deadline": at(30),
    });
    let opened = json!({
        "at": at(0), "policy": "IncidentPolicy/web", "severity": "Critical", "failing": reference("6d"), "episode": 1,
        "why": "it fails", "intent": intent,
    });
    let workload = json!({"kind": "Deployment", "name": "web", "uid": "d-1"});
    serde_json::from_value(json!({"metadata": {"name": "web-1"}, "spec": {"workload": workload, "opened": opened}}))
        .unwrap()
}

fn decision(refusal: Option<RefusalReason>) -> Decision {
    Decision {
        state: State::Held,
        why: "so it is".to_owned(),
        newest: None,
        baseline: None,
        findings: Vec::new(),
        verdict: None,
        action: None,
        refusal: refusal.map(|reason| Refusal { reason, because: "of this".to_owned(), next_look: None }),
        incident: IncidentStep::None,
        template_returned: false,
        ledger: Vec::new(),
        current: None,
        failing_since: None,
        evident_since: None,
        next_check: None,
    }
}

fn done(kind: ActionKind) -> ActionRecord {
    ActionRecord { at: at(1), kind, from: "6d".into(), to: "59".into(), incident: "web-1".into() }
}

fn mitigated(status: &IncidentStatus) -> String {
    let condition = condition::find(&status.conditions, "Mitigated").unwrap();
    format!("{} {}", condition.status, condition.reason)
}

#[rstest]
#[case(ActionKind::RollBack, &[], Progress::Acting, None, "Unknown Acting")]
#[case(ActionKind::RollBack, &[ActionKind::RollBack], Progress::Recovering, None, "True RolledBack")]
#[case(ActionKind::RollBack, &[ActionKind::RollBack], Progress::Retaken, Some(RefusalReason::AlreadyTried), "False Retaken")]
#[case(ActionKind::RollBack, &[ActionKind::RollBack], Progress::Ineffective, None, "False Ineffective")]
#[case(ActionKind::RollBack, &[ActionKind::Pause], Progress::Acting, None, "False Paused")]
#[case(ActionKind::Pause, &[ActionKind::Pause], Progress::Suspected, None, "False Paused")]
#[case(ActionKind::Pause, &[ActionKind::Pause], Progress::Held, Some(RefusalReason::AwaitingApproval), "False AwaitingApproval")]
#[case(ActionKind::Freeze, &[ActionKind::RollBack], Progress::Recovering, None, "Unknown Acting")]
#[case(ActionKind::Freeze, &[ActionKind::RollBack], Progress::Recovering, Some(RefusalReason::OptedOut), "False OptedOut")]
#[case(ActionKind::Freeze, &[ActionKind::RollBack, ActionKind::Freeze], Progress::Frozen, None, "True FreezeBegun")]
fn mitigated_is_true_while_a_roll_back_or_freeze_is_in_force(
    #[case] intended: ActionKind,
    #[case] did: &[ActionKind],
    #[case] progress: Progress,
    #[case] refusal: Option<RefusalReason>,
    #[case] expected: &str,
) {
    let did: Vec<_> = did.iter().copied().map(done).collect();
    let status = update(&incident(intended), &decision(refusal), progress, &did, at(2));
    assert_eq!(mitigated(&status), expected);
}

#[test]
fn a_freeze_that_is_begun_once_more_is_not_in_force_until_it_is_done_again() {
    let mut freeze = incident(ActionKind::Freeze);
    let mut again = freeze.intent().unwrap().clone();
    (again.attempt, again.deadline) = (2, at(60));
    freeze.status = Some(IncidentStatus { intent: Some(again), ..IncidentStatus::default() });
    let status = update(&freeze, &decision(None), Progress::Recovering, &[done(ActionKind::Freeze)], at(31));
    assert_eq!(mitigated(&status), "Unknown Acting");
    let later = ActionRecord { at: at(32), ..done(ActionKind::Freeze) };
    let status = update(&freeze, &decision(None), Progress::Frozen, &[later], at(32));
    assert_eq!(mitigated(&status), "True FreezeBegun");
}

#[rstest]
#[case(ActionKind::RollBack, Outcome::Recovered, "True RolledBack")]
#[case(ActionKind::RollBack, Outcome::Superseded, "False Superseded")]
#[case(ActionKind::Freeze, Outcome::Abandoned, "False Abandoned")]
#[case(ActionKind::Pause, Outcome::Cleared, "False NotNeeded")]
fn what_is_over_is_mitigated_only_where_the_baseline_stays(
    #[case] kind: ActionKind,
    #[case] outcome: Outcome,
    #[case] expected: &str,
) {
    let status = close(&incident(kind), (outcome, "it is over"), &[done(kind)], at(2));
    assert_eq!(mitigated(&status), expected);
}

/// The same incident after these looks, the last of which is closing it.
fn told(looks: impl Iterator<Item = (Progress, Option<RefusalReason>)>) -> Vec<String> {
    let mut incident = incident(ActionKind::Freeze);
    for (progress, refusal) in looks {
        incident.status = Some(update(&incident, &decision(refusal), progress, &[], at(2)));
    }
    let status = close(&incident, (Outcome::Superseded, "a new template arrived"), &[], at(3));
    status.timeline.into_iter().map(|entry| entry.what).collect()
}

#[test]
fn what_comes_and_goes_is_told_a_few_times_and_the_end_is_told_as_well() {
    let told = told([(Progress::Frozen, None), (Progress::Recovering, None)].into_iter().cycle().take(500));
    assert_eq!(told, ["Detected", "Frozen", "Frozen", "Frozen", "Frozen", "Frozen", "Superseded"]);
}

#[test]
fn the_end_is_told_when_the_timeline_is_full() {
    let every = RefusalReason::iter().cycle().take(500);
    let told = told(every.flat_map(|reason| [(Progress::Held, Some(reason)), (Progress::Recovering, None)]));
    assert_eq!((told.len(), told.last().map(String::as_str)), (57, Some("Superseded")));
}

#[test]
fn that_the_owners_template_returned_is_remembered() {
    let mut freeze = incident(ActionKind::Freeze);
    let returned = Decision { template_returned: true, ..decision(None) };
    let mut status = IncidentStatus::default();
    for second in 2..4 {
        status = update(&freeze, &returned, Progress::Frozen, &[], at(second));
        freeze.status = Some(status.clone());
    }
    assert_eq!(status.template_returned_at, Some(at(2)));
    assert_eq!(status.timeline.iter().filter(|entry| entry.what == "TemplateReturned").count(), 1);
    let later = update(&freeze, &decision(None), Progress::Frozen, &[], at(9));
    assert_eq!(later.template_returned_at, Some(at(2)), "it stays, whatever is in the template then");
}
