use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2026-03-01T10:10:00Z".parse().unwrap()
}

fn labels(more: &[(&str, &str)]) -> Value {
    let all = [("alertname", "Down"), ("namespace", "shop"), ("deployment", "web")].iter().chain(more);
    all.map(|(key, value)| ((*key).to_owned(), json!(value))).collect::<serde_json::Map<_, _>>().into()
}

/// As Alertmanager writes it.
fn managed(state: &str, ends: &str, labels: Value) -> Value {
    json!([{"labels": labels, "annotations": {"summary": "no pod answers", "description": "long"},
        "startsAt": "2026-03-01T10:00:20.123Z", "endsAt": ends, "status": {"state": state}, "fingerprint": "ab"}])
}

/// As Prometheus does.
fn evaluated(state: &str) -> Value {
    json!({"status": "success", "data": {"alerts": [{"labels": labels(&[]), "annotations": {}, "state": state,
        "activeAt": "2026-03-01T10:00:20.123Z", "value": "1e+00"}]}})
}

fn taken(document: &Value) -> Vec<Alert> {
    take("alerts.json", document.to_string().as_bytes(), now()).unwrap().0
}

const LATER: &str = "2026-03-01T10:13:00Z";

#[rstest]
#[case::of_alertmanager(managed("active", LATER, labels(&[])), 1)]
#[case::without_an_end(managed("active", "0001-01-01T00:00:00Z", labels(&[])), 1)]
#[case::silenced(managed("suppressed", LATER, labels(&[])), 1)]
#[case::not_taken_up(managed("unprocessed", LATER, labels(&[])), 0)]
#[case::resolved(managed("active", "2026-03-01T10:09:00Z", labels(&[])), 0)]
#[case::of_prometheus(evaluated("firing"), 1)]
#[case::pending(evaluated("pending"), 0)]
#[case::inactive(evaluated("inactive"), 0)]
#[case::about_nothing_known(json!([{"labels": {"alertname": "Watchdog"}, "startsAt": LATER}]), 0)]
#[case::none(json!([]), 0)]
fn what_fires_about_a_workload_is_taken(#[case] document: Value, #[case] count: usize) {
    assert_eq!(taken(&document).len(), count);
}

#[test]
fn the_words_are_bounded_and_without_secrets() {
    let mut document = managed("active", LATER, labels(&[]));
    document[0]["annotations"]["summary"] = json!(format!("\u{1b}[31mtoken=hunter2 {}", "x".repeat(9999)));
    document[0]["labels"]["alertname"] = json!("y".repeat(9999));
    let alert = &taken(&document)[0];
    assert!(alert.text.len() <= MAX_MESSAGE && alert.name.len() <= MAX_WORD);
    assert!(!alert.text.contains("hunter2") && !alert.text.contains('\u{1b}'), "{}", alert.text);
}

#[test]
fn what_was_scraped_goes_before_what_scraped_it() {
    let alert = &taken(&managed("active", LATER, labels(&[("exported_namespace", "bank"), ("exported_pod", "x")])))[0];
    assert_eq!((&*alert.namespace, alert.pod.as_deref()), ("bank", Some("x")));
}

#[test]
fn an_odd_alert_is_told_and_left_out() {
    let mut document = managed("active", LATER, labels(&[]));
    let odd = [json!(7), json!({"labels": {}}), json!({"labels": {"a": 1}, "startsAt": LATER})];
    document.as_array_mut().unwrap().extend(odd);
    let (alerts, gaps) = take("alerts.json", document.to_string().as_bytes(), now()).unwrap();
    let gap = "3 of 4 alerts in alerts.json were left out: they have no labels, or no time since when they fire";
    assert_eq!((alerts.len(), gaps), (1, vec![gap.to_owned()]));
}

#[rstest]
#[case("", "alerts.json:1:0: no JSON, such as Alertmanager's /api/v2/alerts or Prometheus' /api/v1/alerts answers")]
#[case("[{]", "alerts.json:1:3: no JSON, such as Alertmanager's /api/v2/alerts or Prometheus' /api/v1/alerts answers")]
#[case(
    "\"x\"",
    "reading alerts.json: no list of alerts, such as Alertmanager's /api/v2/alerts or Prometheus' /api/v1/alerts answers"
)]
#[case(
    r#"{"status": "error", "error": "no"}"#,
    "reading alerts.json: no list of alerts, such as Alertmanager's /api/v2/alerts or Prometheus' /api/v1/alerts answers"
)]
#[case(
    r#"{"data": {"alerts": 3}}"#,
    "reading alerts.json: no list of alerts, such as Alertmanager's /api/v2/alerts or Prometheus' /api/v1/alerts answers"
)]
fn what_is_none_is_said_in_one_line(#[case] text: &str, #[case] why: &str) {
    let failed = take("alerts.json", text.as_bytes(), now()).unwrap_err();
    assert_eq!(failed.to_string(), why);
    assert_eq!(failed.hint(), None);
}

proptest! {
    #[test]
    fn any_file_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), word in "\\PC{0,80}") {
        let _ = take("alerts.json", &bytes, now());
        let alert = json!([{"labels": {word.clone(): &word, "alertname": &word, "pod": &word, "namespace": &word},
            "annotations": {"summary": &word}, "startsAt": LATER, "endsAt": null, "status": {"state": null}}]);
        prop_assert!(taken(&alert).len() <= 1);
    }
}
