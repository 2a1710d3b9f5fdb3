use jiff::Timestamp;
use rstest::rstest;

use super::super::page::Screen;
use super::{answer, list, parse_name, show, words};
use crate::api::Incident;

const AWAITING: &str = include_str!("testdata/awaiting.yaml");
const RECOVERED: &str = include_str!("testdata/recovered.yaml");
const FROZEN: &str = include_str!("testdata/frozen.yaml");
const STORM: &str = include_str!("testdata/storm.yaml");

fn incident(text: &str) -> Incident {
    serde_saphyr::from_str(text).unwrap()
}

fn now() -> Timestamp {
    "2026-03-01T10:04:00Z".parse().unwrap()
}

fn shown(text: &str, width: usize) -> String {
    show::render(&incident(text), Screen { width, colour: false }, now(), "kubectl backstay")
}

#[test]
fn lists_have_open_ones_first_and_then_the_newest() {
    let mut incidents: Vec<Incident> = [RECOVERED, FROZEN, STORM, AWAITING].map(incident).into();
    words::sort(&mut incidents);
    insta::assert_snapshot!("list", list::render(&incidents, false, false, now()));
    insta::assert_snapshot!("list_wide", list::render(&incidents, true, true, now()));
}

#[rstest]
#[case::awaiting("awaiting", AWAITING)]
#[case::recovered("recovered", RECOVERED)]
#[case::frozen("frozen", FROZEN)]
#[case::storm("storm", STORM)]
fn an_incident_is_one_screen(#[case] name: &str, #[case] text: &str) {
    insta::assert_snapshot!(format!("show_{name}"), shown(text, 100));
}

#[test]
fn a_narrow_screen_breaks_everything_but_commands_and_single_words() {
    let screen = shown(AWAITING, 50);
    let long: Vec<&str> = screen.lines().filter(|line| line.chars().count() > 50).collect();
    assert!(
        long.iter().all(|line| line.starts_with("    kubectl ") || line.split_whitespace().count() == 1),
        "{long:?}"
    );
}

#[test]
fn nothing_from_the_cluster_reaches_the_terminal_as_it_is() {
    let screen = shown(AWAITING, 100);
    assert!(screen.contains("DATABASE_PASSWORD=***"));
    assert!(!screen.chars().any(|c| c.is_control() && c != '\n'));
    let list = list::render(&[incident(&AWAITING.replace("IncidentPolicy/web", "\"a\\e[2Jb\""))], true, true, now());
    assert!(!list.chars().any(|c| c.is_control() && c != '\n'), "{list:?}");
}

#[test]
fn colour_only_adds_escape_sequences() {
    let coloured = show::render(&incident(AWAITING), Screen { width: 100, colour: true }, now(), "kubectl backstay");
    assert!(coloured.contains('\u{1b}'));
    let lines = coloured.lines().map(|line| line.replace('\u{1b}', "\0"));
    let stripped: Vec<String> = lines
        .map(|line| {
            line.split('\0')
                .enumerate()
                .map(|(at, part)| if at == 0 { part } else { part.split_once('m').unwrap().1 })
                .collect()
        })
        .collect();
    assert_eq!(stripped.join("\n") + "\n", shown(AWAITING, 100));
}

#[test]
fn an_answer_is_to_the_decision_that_waits() {
    let key = "RollBack/6d5f8c9b7/59c4d8f7b";
    let waiting = incident(AWAITING);
    assert_eq!(answer::decision(&waiting, None).unwrap(), key);
    assert_eq!(answer::decision(&waiting, Some(key)).unwrap(), key);
    let other = answer::decision(&waiting, Some("Freeze/6d5f8c9b7/59c4d8f7b")).unwrap_err().to_string();
    assert_eq!(other, format!("answering incident web-6d5f8c9b7-1a2b3c4d-1: it waits with another decision, {key}"));
}

#[test]
fn what_does_not_wait_is_not_answered() {
    let over = answer::decision(&incident(RECOVERED), None).unwrap_err().to_string();
    assert_eq!(over, "answering incident api-7f-5e6f7a8b-1: it does not wait for an approval: Recovered");
    let held = incident(&AWAITING.replace("reason: AwaitingApproval", "reason: Cooldown"));
    assert!(answer::decision(&held, None).unwrap_err().to_string().ends_with("approval: Held, Cooldown"));
}

#[test]
fn a_storm_is_answered_until_it_has_passed() {
    let storm = incident(STORM);
    let key = "Storm/storm-1772359200";
    assert_eq!(answer::decision(&storm, None).unwrap(), key);
    assert!(answer::decision(&storm, Some("Storm/storm-1")).is_err());
    let said =
        STORM.replace("  opened:", &format!("  approval: {{verdict: Approve, by: ada, decision: {key}}}\n  opened:"));
    let screen = shown(&said, 100);
    assert!(screen.contains(&format!("ada approved {key}")) && screen.contains("incident deny storm-"), "{screen}");
    assert_eq!(answer::decision(&incident(&said), None).unwrap(), key, "it can be taken back");
    let over = incident(&STORM.replace("progress: Held", "outcome: Cleared"));
    assert!(answer::decision(&over, None).unwrap_err().to_string().ends_with("approval: Cleared"));
}

#[rstest]
#[case("web-1", Ok("web-1"))]
#[case("incident/web-1", Ok("web-1"))]
#[case("incident.backstay.dev/web.a-1", Ok("web.a-1"))]
#[case("pod/web-1", Err("pod is not an incident"))]
#[case("Web", Err("a name has at most 253 lower-case letters, digits, dashes and dots"))]
#[case("", Err("a name has at most 253 lower-case letters, digits, dashes and dots"))]
fn names_are_taken_as_kubectl_prints_them(#[case] text: &str, #[case] name: Result<&str, &str>) {
    assert_eq!(parse_name(text), name.map(str::to_owned).map_err(str::to_owned));
}

#[rstest]
#[case::observed("ObserveOnly")]
#[case::opted_out("OptedOut")]
fn what_backstay_may_not_end_is_ended_by_hand(#[case] reason: &str) {
    let refused = format!("status:\n  refusal: {{reason: {reason}, because: it stays paused}}\n");
    let screen = shown(&FROZEN.replacen("status:\n", &refused, 1), 100);
    assert!(screen.contains("kubectl rollout resume -n pay deployment/pay"), "{screen}");
    assert!(screen.contains("backstay.dev/paused-for-"), "{screen}");
    assert!(!screen.contains("backstay.dev/resume"), "{screen}");
    assert!(shown(FROZEN, 100).contains("backstay.dev/resume"), "which Backstay hears where it may act");
}

#[rstest]
#[case::at_full_strength("Frozen", true)]
#[case::not_at_full_strength("Ineffective", true)]
#[case::on_its_way("Recovering", true)]
#[case::undone("Retaken", false)]
fn how_a_freeze_ends_is_said_while_it_holds(#[case] progress: &str, #[case] holds: bool) {
    let screen = shown(&FROZEN.replace("progress: Frozen", &format!("progress: {progress}")), 100);
    assert_eq!(screen.contains("backstay.dev/resume=pay-44-99aabbcc-2"), holds, "{screen}");
}
