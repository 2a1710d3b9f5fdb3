//! Alerts, dashboard and the objects that bring them into a cluster.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::render::{NAMESPACE, documents, read, render, render_as, text};

fn alerts() -> Vec<Value> {
    let rules = documents(&read("deploy/alerts/backstay.yaml")).remove(0);
    let groups = rules["groups"].as_array().unwrap().clone();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

/// Every `expr` and `query` below a value.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        Value::Object(fields) => {
            for (key, field) in fields {
                match field {
                    Value::String(query) if key == "expr" || key == "query" => found.push(query.clone()),
                    other => queries(other, found),
                }
            }
        }
        _ => {}
    }
}

pub fn alert_queries() -> Vec<String> {
    let mut found = Vec::new();
    queries(&Value::Array(alerts()), &mut found);
    found
}

pub fn dashboard_queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("deploy/dashboards/backstay.json")).unwrap();
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    found
}

#[test]
fn every_alert_says_how_bad_it_is_and_what_to_do() {
    let alerts = alerts();
    let names: Vec<_> = alerts.iter().map(|alert| text(&alert["alert"])).collect();
    let expected = [
        "BackstayDown",
        "BackstayNoLeader",
        "BackstayWatchStale",
        "BackstayObjectsInBackoff",
        "BackstayStorm",
        "BackstayActionFailed",
        "BackstayWorkloadFrozen",
        "BackstayIneffective",
        "BackstayRetaken",
    ];
    assert_eq!(names, expected);
    for alert in &alerts {
        let name = text(&alert["alert"]);
        assert!(["critical", "warning"].contains(&alert["labels"]["severity"].as_str().unwrap()), "{name}");
        for annotation in ["summary", "description"] {
            assert!(text(&alert["annotations"][annotation]).len() > 20, "{name} has no {annotation}");
        }
        let anchor = format!("docs/operations.md#{}", name.to_lowercase());
        assert!(text(&alert["annotations"]["runbook_url"]).ends_with(&anchor), "{name}");
    }
}

#[test]
fn panels_neither_overlap_nor_share_an_id() {
    let dashboard: Value = serde_json::from_str(&read("deploy/dashboards/backstay.json")).unwrap();
    let mut cells = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64()), "{}", panel["title"]);
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{}", panel["title"]);
        let area = (x..x + w).flat_map(|column| (y..y + h).map(move |line| (column, line)));
        area.for_each(|cell| assert!(cells.insert(cell), "{} overlaps", panel["title"]));
    }
}

#[test]
fn monitoring_objects_are_off_until_asked_for() {
    let kinds = ["ServiceMonitor", "PrometheusRule", "ConfigMap"];
    let plain = render(&[]);
    assert!(kinds.iter().all(|kind| plain.of_kind(kind).is_empty()));
    let rendered = render(&[
        "serviceMonitor.enabled=true",
        "prometheusRule.enabled=true",
        "prometheusRule.labels.release=prometheus",
        "dashboard.enabled=true",
    ]);
    let service = rendered.only("Service");
    let monitor = rendered.only("ServiceMonitor");
    for (label, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&service["metadata"]["labels"][label], value);
    }
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
    let rule = rendered.only("PrometheusRule");
    assert_eq!(rule["metadata"]["labels"]["release"], "prometheus");
    let dashboard = rendered.only("ConfigMap");
    assert_eq!(dashboard["metadata"]["labels"]["grafana_dashboard"], "1");
    let shipped: Value = serde_json::from_str(&text(&dashboard["data"]["backstay.json"])).unwrap();
    assert_eq!(shipped["title"], "Backstay");
}

/// The rules that are installed beside those of `deploy/alerts`, by what they ask for in place of these.
fn other_queries(rule: &Value) -> Vec<(String, String)> {
    let (mut installed, mut written) = (Vec::new(), Vec::new());
    queries(&rule["spec"], &mut installed);
    queries(&documents(&read("deploy/alerts/backstay.yaml")).remove(0), &mut written);
    assert_eq!(installed.len(), written.len());
    written.into_iter().zip(installed).filter(|(written, installed)| written != installed).collect()
}

#[test]
fn an_absence_is_told_of_the_release_whatever_it_is_called() {
    let mut jobs = BTreeSet::new();
    for (release, name) in [
        (("backstay", NAMESPACE), "nameOverride="),
        (("backstay", "team-a"), "nameOverride=stabiliser"),
        (("second", "team-a"), "fullnameOverride=other"),
    ] {
        let rendered = render_as(release, &["serviceMonitor.enabled=true", "prometheusRule.enabled=true", name]);
        // What the Prometheus operator takes for the labels of a target.
        let service = &rendered.only("Service")["metadata"];
        let job = text(&service["labels"][text(&rendered.only("ServiceMonitor")["spec"]["jobLabel"])]);
        let namespace = text(&service["namespace"]);
        let own = format!("absent(backstay_build_info{{namespace=\"{namespace}\",job=\"{job}\"}})");
        let expected = [("absent(backstay_build_info)".to_owned(), own)];
        assert_eq!(other_queries(rendered.only("PrometheusRule")), expected);
        assert!(jobs.insert((namespace, job)), "two releases are two jobs: {jobs:?}");
    }
}

/// Whoever scrapes in another way has labels that the chart does not know.
#[test]
fn alerts_without_the_service_monitor_ask_for_no_labels_of_a_target() {
    let rendered = render(&["prometheusRule.enabled=true", "nameOverride=stabiliser"]);
    let rule = rendered.only("PrometheusRule");
    assert_eq!(rule["spec"], documents(&read("deploy/alerts/backstay.yaml")).remove(0));
}
