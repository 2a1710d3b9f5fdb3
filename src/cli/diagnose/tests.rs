use futures::FutureExt;
use jiff::Timestamp;
use rstest::rstest;
use serde_json::Value;

use super::super::page::Screen;
use super::*;
use crate::engine::words::{Cause, Class, ContainerKind};

const CRASHING: &str = include_str!("../policy/testdata/crashing.yaml");
const ZOO: &str = include_str!("testdata/zoo.yaml");

fn answer(text: &str) -> Answer {
    alerted(text, &[])
}

fn alerted(text: &str, alerts: &[Alert]) -> Answer {
    let mut intake = Intake::default();
    let left_out = input::take_text("objects.yaml", text.to_owned(), &mut intake).unwrap();
    let now = intake.newest.unwrap();
    let shown = std::mem::take(&mut intake.shown);
    let reach = Reach { source: Source::Input(&shown), everywhere: true, alerts, beside: &[] };
    let mut workloads = diagnose(intake, now);
    // What was given is read without waiting for anything.
    around::surround(reach.source, &mut workloads, now).now_or_never().unwrap();
    around::tell(reach, &mut workloads, now).now_or_never().unwrap();
    Answer { workloads, gaps: left_out.into_iter().map(|odd| odd.said).collect(), unread: 0, now }
}

fn shown(answer: &Answer, width: usize) -> String {
    screen::render(answer, Screen { width, colour: false }, "backstay")
}

fn state_of(answer: &Answer, name: &str) -> State {
    found(answer, name).diagnosis.state
}

fn found<'a>(answer: &'a Answer, name: &str) -> &'a Diagnosed {
    answer.workloads.iter().find(|found| *found.case.snapshot.workload.name == *name).unwrap()
}

fn first(answer: &Answer, name: &str) -> (Class, Cause, Option<ContainerKind>) {
    let finding = &found(answer, name).diagnosis.findings[0];
    (finding.class, finding.cause, finding.container_kind)
}

#[rstest]
#[case::one("one", CRASHING)]
#[case::several("several", ZOO)]
fn a_diagnosis_is_one_screen(#[case] name: &str, #[case] text: &str) {
    let screen = shown(&answer(text), 100);
    assert!(screen.lines().count() <= 50, "{screen}");
    insta::assert_snapshot!(format!("screen_{name}"), screen);
}

#[rstest]
#[case::one("one", CRASHING)]
#[case::several("several", ZOO)]
fn a_diagnosis_is_a_document(#[case] name: &str, #[case] text: &str) {
    insta::assert_snapshot!(format!("markdown_{name}"), markdown::render(&answer(text), "backstay"));
}

#[rstest]
#[case::one("one", CRASHING)]
#[case::several("several", ZOO)]
fn the_json_is_the_contract(#[case] name: &str, #[case] text: &str) {
    let report = serde_json::to_value(Report::of(&answer(text).workloads)).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../../docs/diagnosis.schema.json")).unwrap();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("diagnosis.json", schema).unwrap();
    let compiled = compiler.compile("diagnosis.json", &mut schemas).unwrap();
    schemas.validate(&report, compiled).unwrap_or_else(|error| panic!("{error:#}"));
    let mut wrong = report.clone();
    wrong["workloads"][0]["state"] = "Broken".into();
    assert!(schemas.validate(&wrong, compiled).is_err(), "the schema refuses what is no word of the API");
    wrong = report.clone();
    wrong["workloads"][0]["surprise"] = 1.into();
    assert!(schemas.validate(&wrong, compiled).is_err(), "the schema refuses what is not in the contract");
    insta::assert_snapshot!(format!("json_{name}"), serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn the_schema_is_the_programs() {
    assert_eq!(report::schema().unwrap(), include_str!("../../../docs/diagnosis.schema.json"), "run make generate");
}

#[test]
fn everything_that_makes_pods_is_diagnosed() {
    let answer = answer(ZOO);
    assert_eq!(first(&answer, "bare-oom"), (Class::OOMKilled, Cause::ContainerLimit, Some(ContainerKind::App)));
    assert_eq!(first(&answer, "report"), (Class::CrashLoopBackOff, Cause::Panic, Some(ContainerKind::App)));
    // Its Deployment and ReplicaSet were not among the objects; the name of the ReplicaSet tells.
    assert_eq!(first(&answer, "web"), (Class::ImagePullBackOff, Cause::ImageNotFound, Some(ContainerKind::App)));
    let kinds: Vec<&str> = answer.workloads.iter().map(|found| &*found.case.snapshot.workload.kind).collect();
    assert_eq!(kinds, ["DaemonSet", "Deployment", "Job", "Job", "Pod", "StatefulSet"]);
    assert_eq!(state_of(&answer, "bare-oom"), State::Failing);
    assert_eq!(state_of(&answer, "report"), State::Failing);
}

#[test]
fn what_was_mended_or_has_done_its_work_is_no_failure() {
    let answer = answer(ZOO);
    for name in ["migrate", "agent"] {
        assert_eq!(state_of(&answer, name), State::Healthy, "{name}");
        assert!(found(&answer, name).diagnosis.findings.is_empty(), "{name}");
    }
}

#[test]
fn a_pod_that_waits_for_a_volume_is_failing_once_it_has_waited_too_long() {
    let mut answer = answer(ZOO);
    assert_eq!(state_of(&answer, "db"), State::Progressing);
    let mut intake = Intake::default();
    input::take_text("objects.yaml", ZOO.to_owned(), &mut intake).unwrap();
    answer.workloads = diagnose(intake, "2026-03-01T10:05:00Z".parse().unwrap());
    assert_eq!(first(&answer, "db"), (Class::Pending, Cause::VolumeUnbound, None));
    assert_eq!(state_of(&answer, "db"), State::Failing);
}

#[test]
fn odd_objects_among_good_ones_are_named_and_left_out() {
    let gaps = answer(ZOO).gaps;
    assert_eq!(gaps.len(), 3, "{gaps:?}");
    assert_eq!(gaps[0], "objects.yaml: items[9] (Pod/shop) was left out: it has no metadata.name");
    assert!(gaps[1].starts_with("objects.yaml: items[10] (Pod/shop/odd) was left out: invalid "), "{gaps:?}");
    assert_eq!(gaps[2], "objects.yaml: items[11] was left out: it is no object");
}

#[test]
fn one_failing_pod_of_many_is_failing_though_backstay_waits_for_more() {
    let copies = CRASHING.replacen("replicas: 2", "replicas: 9", 1);
    let copies =
        copies.split("---\n").filter(|part| !part.contains("kind: IncidentPolicy")).collect::<Vec<_>>().join("---\n");
    let (head, pod) = copies.rsplit_once("---\n").unwrap();
    let healthy = |n: usize| {
        let start = copies.find("---\napiVersion: v1\nkind: Pod").unwrap();
        let pod = copies.get(start..).unwrap().split("---\n").nth(1).unwrap();
        pod.replace("web-59-a", &format!("web-6d-{n}")).replace("web-59", "web-6d").replace("r-1", "r-2")
    };
    let pods: Vec<String> = (0..8).map(healthy).chain([pod.to_owned()]).collect();
    let answer = answer(&format!("{head}---\n{}", pods.join("---\n")));
    let found = found(&answer, "web");
    assert_eq!(found.diagnosis.state, State::Failing);
    assert_eq!(found.diagnosis.follows.action, None, "{:?}", found.diagnosis.follows);
}

#[test]
fn nothing_from_the_input_reaches_the_terminal_as_it_is() {
    for said in [shown(&answer(ZOO), 80), markdown::render(&answer(ZOO), "backstay")] {
        assert!(!said.contains("hunter2") && !said.chars().any(|c| c.is_control() && c != '\n'), "{said}");
    }
    let hostile =
        ZOO.replace("OOMKilled", "\"OOM\\e[2JKilled\\a\"").replace("name: cache", "name: \"c\\e]0;x\\aache\"");
    let said = shown(&answer(&hostile), 80);
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
}

#[test]
fn a_healthy_input_says_so_in_one_line() {
    let healthy: Vec<&str> = CRASHING.split("---\n").filter(|part| !part.contains("CrashLoopBackOff")).collect();
    let said = shown(&answer(&healthy.join("---\n")), 100);
    assert!(said.starts_with("Nothing is failing: 1 is Progressing.\n"), "{said}");
}

#[rstest]
#[case("web", 1)]
#[case("deploy/web", 1)]
#[case("Deployments.apps/web", 1)]
#[case("pod/web-6d4cf56db6-x", 1)]
#[case("web-6d4cf56db6-x", 1)]
#[case("rs/web-6d4cf56db6", 1)]
#[case("sts/db", 1)]
#[case("deployment/db", 0)]
#[case("nothing", 0)]
fn a_workload_is_named_as_to_kubectl(#[case] text: &str, #[case] found: usize) {
    let all = answer(ZOO).workloads;
    let count = all.len();
    let (chosen, others) = Target::parse(text).unwrap().among(all);
    assert_eq!((chosen.len(), others.len()), (found, count - found));
}

#[rstest]
#[case("service/web")]
#[case("deployment/")]
#[case("")]
#[case("deployment/a/b")]
fn what_makes_no_pods_cannot_be_diagnosed(#[case] text: &str) {
    Target::parse(text).unwrap_err();
}

#[test]
fn a_later_sight_of_a_pod_counts_whatever_the_order() {
    let zoo: Vec<Value> = serde_saphyr::from_multiple(ZOO).unwrap();
    let agent = zoo[0]["items"].as_array().unwrap().iter().find(|item| item["metadata"]["name"] == "agent-x").unwrap();
    let sight = |version: &str, ready: bool| {
        let mut agent = agent.clone();
        agent["metadata"]["resourceVersion"] = version.into();
        agent["status"]["containerStatuses"][0]["ready"] = ready.into();
        agent["status"]["containerStatuses"][0]["lastState"] = Value::Null;
        agent["status"]["conditions"][0]["status"] = if ready { "True" } else { "False" }.into();
        agent
    };
    for (first, second) in [(sight("9", true), sight("10", false)), (sight("10", false), sight("9", true))] {
        assert_eq!(state_of(&answer(&format!("{first}\n{second}")), "agent"), State::Progressing);
    }
}

#[test]
fn now_is_the_newest_time_in_the_input() {
    assert_eq!(answer(ZOO).now, "2026-03-01T10:01:03Z".parse::<Timestamp>().unwrap());
}

#[path = "story_tests.rs"]
mod story;

#[path = "nodes_tests.rs"]
mod nodes;

#[path = "makers_tests.rs"]
mod makers;
