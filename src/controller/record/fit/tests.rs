use kube::CustomResourceExt;
use rstest::rstest;
use serde_json::{Map, Value, json};

use super::*;
use crate::controller::record::conditions;
use crate::controller::record::timeline::{MAX_ENTRY, MAX_TIMELINE, tell_end};
use crate::engine::words::Sureness;

/// What others say; all other text is names and words.
const SAID: [&str; 8] = ["text", "because", "why", "source", "subject", "through", "nextSteps", "notLookedAt"];
/// The notes are people's; the others are filled as the program does.
const FILLED_OTHERWISE: [&str; 4] = ["notes", "affected", "timeline", "conditions"];
const AT: &str = "2026-03-01T10:00:00.123456789Z";

/// What this schema lets through at most; what is said consists of this character.
fn filled(schema: &Value, name: &str, char: char) -> Value {
    let longest = |values: &Vec<Value>| values.iter().max_by_key(|value| value.to_string().len()).cloned();
    if let Some(words) = schema["enum"].as_array() {
        return longest(words).unwrap();
    }
    match schema["type"].as_str().unwrap() {
        "object" => {
            let fields = schema["properties"].as_object().unwrap();
            let fields = fields.iter().filter(|(name, _)| !FILLED_OTHERWISE.contains(&name.as_str()));
            fields.map(|(name, schema)| (name.clone(), filled(schema, name, char))).collect::<Map<_, _>>().into()
        }
        "array" => vec![filled(&schema["items"], name, char); number(&schema["maxItems"])].into(),
        "string" if schema["format"] == "date-time" => AT.into(),
        // The program bounds bytes, the schema characters.
        "string" if SAID.contains(&name) => repeated(char, number(&schema["maxLength"])).into(),
        "string" => "x".repeat(number(&schema["maxLength"])).into(),
        "integer" => schema.get("maximum").map_or(json!(i32::MAX), |most| json!(number(most))),
        "boolean" => true.into(),
        other => panic!("a field of type {other}"),
    }
}

fn number(bound: &Value) -> usize {
    // Written as a fraction where the schema has it so.
    bound.to_string().trim_end_matches(".0").parse().expect("a bound")
}

fn repeated(char: char, bytes: usize) -> String {
    char.to_string().repeat(bytes / char.len_utf8())
}

/// An incident with everything in it that there is room for in each of its parts.
fn full(char: char) -> Incident {
    let crd = serde_json::to_value(Incident::crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    let spec = filled(&schema["spec"], "spec", char);
    let labels: Map<String, Value> =
        (0..3).map(|n| (format!("backstay.dev/label-{n}"), "x".repeat(63).into())).collect();
    let metadata =
        json!({"name": "n".repeat(253), "namespace": "n".repeat(63), "uid": "u".repeat(36), "labels": labels});
    let mut incident: Incident = serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap();
    let mut status: IncidentStatus = serde_json::from_value(filled(&schema["status"], "status", char)).unwrap();
    for _ in 0..2 * MAX_TIMELINE {
        tell_end(&mut status, AT.parse().unwrap(), "BaselineWouldNotRun", repeated(char, MAX_ENTRY));
    }
    status.outcome = None;
    conditions::set(&mut status, &incident, AT.parse().unwrap());
    incident.status = Some(status);
    incident
}

fn is_marked(findings: &[Finding]) -> bool {
    findings[0].evidence.iter().filter(|evidence| evidence.text == MARK_TEXT).count() == 1
}

#[rstest]
#[case::ascii('x')]
#[case::more_bytes_than_characters('€')]
#[case::twice_as_long_in_json('"')]
fn whatever_is_in_it_an_incident_stays_within_its_bound(#[case] char: char) {
    let mut incident = full(char);
    let mut status = incident.status.take().unwrap();
    assert!(size(&incident.spec.opened) > MAX_INCIDENT && size(&status) > 2 * MAX_INCIDENT, "the test fills it");
    opened(&mut incident.spec.opened);
    fit_status(&mut status, &incident);
    assert!(size(&incident.spec.opened) <= MAX_OPENED, "opened with {}", size(&incident.spec.opened));
    let all = size(&incident.spec) + size(&status) + METADATA;
    assert!(size(&incident.metadata) < METADATA && all <= MAX_INCIDENT, "{all}");
    assert!(is_marked(&incident.spec.opened.findings) && is_marked(&status.findings));
    let what = status.what_changed.as_ref().unwrap();
    assert_eq!(what.omitted as usize + what.changes.len(), i32::MAX as usize + 24, "what is left out is counted");
    assert_eq!((status.actions.len(), status.timeline.len()), (16, MAX_TIMELINE), "these are never cut");

    let (spec, before) = (incident.spec.clone(), status.clone());
    opened(&mut incident.spec.opened);
    fit_status(&mut status, &incident);
    assert!(incident.spec == spec && status == before, "what fits is left alone");
    // Other findings are seen, and what was left out of the rest is still missing.
    incident.status = Some(status.clone());
    status.findings.iter_mut().for_each(|finding| finding.evidence.clear());
    fit_status(&mut status, &incident);
    assert!(is_marked(&status.findings));
}

#[rstest]
fn what_people_wrote_takes_nothing_from_the_least_that_is_told(#[values('x', '€', '"')] char: char) {
    let mut incident = full(char);
    let mut status = incident.status.take().unwrap();
    opened(&mut incident.spec.opened);
    incident.spec.notes = vec!["€".repeat(1024); 32];
    fit_status(&mut status, &incident);
    assert!((LEAST_STATUS / 2..=LEAST_STATUS).contains(&size(&status)), "{}", size(&status));
}

#[test]
fn a_usual_timeline_is_told_in_full() {
    let mut status = IncidentStatus::default();
    for n in 0..30 {
        tell_end(&mut status, AT.parse().unwrap(), "Held", format!("{n} {}", "x".repeat(140)));
    }
    assert!(status.timeline.iter().all(|entry| entry.text.len() > 140 && !entry.text.contains(GAP)));
}

#[test]
fn a_status_has_the_room_that_the_spec_leaves() {
    let mut incident = full('x');
    let mut status = incident.status.take().unwrap();
    let of = &mut incident.spec.opened;
    (of.findings, of.logs, of.events) = (Vec::new(), Vec::new(), Vec::new());
    (status.what_changed, status.blast_radius) = (None, None);
    status.findings.truncate(1);
    status.logs.clear();
    status.actions.truncate(1);
    let before = status.clone();
    assert!(size(&status) > LEAST_STATUS + 2048, "{}", size(&status));
    fit_status(&mut status, &incident);
    assert!(status == before);
}

#[test]
fn what_is_opened_is_measured_as_a_whole_and_the_logs_go_last() {
    let with = |log: usize| -> Opened {
        let log = json!({"pod": "web", "uid": "p", "container": "web", "text": "x".repeat(log)});
        serde_json::from_value(json!({
            "at": "2026-03-01T10:00:00Z", "policy": "", "severity": "Info", "episode": 1, "why": "",
            "failing": {"name": "web-6d", "uid": "r-2", "hash": "6d"}, "logs": [log.clone(), log],
            "nodes": [{"name": "n1", "ready": true}],
            "changes": [{"kind": "Template", "subject": "container web", "text": "image web: 1 → 2"}],
            "events": [{"source": "pod/web", "text": "x".repeat(256), "at": "2026-03-01T10:00:00Z", "count": 1}],
        }))
        .unwrap()
    };
    let kept = |mut of: Opened| {
        opened(&mut of);
        (of.events.len(), of.changes.len(), of.nodes.len(), of.logs[0].text.len() > MAX_LOG)
    };
    let rest = size(&with(0));
    let over = |by: usize| with((MAX_OPENED - rest + by) / 2);
    assert_eq!(kept(with(3072)), (1, 1, 1, true));
    assert_eq!(kept(over(0)), (1, 1, 1, true));
    assert_eq!(kept(over(100)), (0, 1, 1, true), "the events alone do");
    assert_eq!(kept(over(8000)), (0, 0, 0, false));
}

#[test]
fn a_log_that_is_cut_keeps_its_error_and_its_end() {
    let text = format!("panic: no database\n{}\nexit 1", "€\n".repeat(1000));
    let log = json!({"pod": "web", "uid": "p", "container": "web", "text": text});
    let mut log: LogExcerpt = serde_json::from_value(log).unwrap();
    shorten(&mut log);
    assert!(cost(&log.text) <= MAX_LOG, "{}", cost(&log.text));
    assert!(log.text.starts_with("panic: no database\n") && log.text.ends_with("\nexit 1"), "{}", log.text);
    assert_eq!(log.text.matches(GAP).count(), 1);
}

#[test]
fn a_log_that_is_cut_keeps_an_error_that_stands_further_down() {
    let trace = "\tat com.example.Shop.open(Shop.java:1)\n".repeat(40);
    for before in ["INFO up\n".repeat(3), "INFO up\n".repeat(200)] {
        let text = format!("{before}ERROR dial tcp 10.0.0.5:5432: connect: connection refused\n{trace}");
        let log = json!({"pod": "web", "uid": "p", "container": "web", "ended": true, "text": text});
        let mut log: LogExcerpt = serde_json::from_value(log).unwrap();
        let said = |log: &LogExcerpt| logs::read(log.text.as_bytes()).lead(true).map(|seen| seen.cause);
        let whole = said(&log);
        assert!(whole.is_some());
        shorten(&mut log);
        assert!(cost(&log.text) <= MAX_LOG, "{}", cost(&log.text));
        assert_eq!(said(&log), whole, "{}", log.text);
    }
}

#[test]
fn crashes_of_before_are_left_where_others_go() {
    let any = full('x').status.and_then(|status| status.findings.into_iter().next()).unwrap();
    let finding = |newest: bool| {
        let mut finding = any.clone();
        (finding.newest, finding.sureness) = (newest, Sureness::Counted);
        (finding.failing_pods, finding.total_pods) = (2, 2);
        finding
    };
    let mut findings: Vec<Finding> = (0..8).map(|n| finding(n != 7)).collect();
    leave_findings(&mut findings);
    let newest: Vec<bool> = findings.iter().map(|finding| finding.newest).collect();
    assert_eq!(newest, [true, true, true, true, false]);
}

#[test]
fn the_cost_of_a_text_is_what_json_makes_of_it() {
    let all: String = ('\0'..='\u{2ff}').chain("€😀".chars()).collect();
    assert_eq!(cost(&all) + 2, size(&all));
    assert_eq!((cut("abcdef", 6), cut("abcdef", 5)), ("abcdef".to_owned(), "ab…".to_owned()));
}
