//! Alerts, dashboard and the objects that bring them into a cluster.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::render::{documents, read, render, text};

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
    let job = text(&monitor["spec"]["jobLabel"]);
    assert_eq!(service["metadata"]["labels"][job], "backstay", "the alerts look for this job");
    let rule = rendered.only("PrometheusRule");
    assert_eq!(rule["metadata"]["labels"]["release"], "prometheus");
    assert_eq!(rule["spec"], documents(&read("deploy/alerts/backstay.yaml")).remove(0));
    let dashboard = rendered.only("ConfigMap");
    assert_eq!(dashboard["metadata"]["labels"]["grafana_dashboard"], "1");
    let shipped: Value = serde_json::from_str(&text(&dashboard["data"]["backstay.json"])).unwrap();
    assert_eq!(shipped["title"], "Backstay");
}
