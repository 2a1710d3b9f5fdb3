use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::engine::decision::Outcome;

/// Type and help lines by metric name, and all sample lines.
struct Scrape {
    types: BTreeMap<String, String>,
    samples: Vec<String>,
    text: String,
}

fn scrape(metrics: &Metrics) -> Scrape {
    let text = metrics.encode().unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(|line| {
        let (name, kind) = line.split_once(' ').unwrap();
        (name.to_owned(), kind.to_owned())
    });
    let samples = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    Scrape { types: types.collect(), samples, text }
}

impl Scrape {
    fn value(&self, series: &str) -> f64 {
        let found = self.samples.iter().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no series {series} in\n{}", self.text)).parse().unwrap()
    }
}

/// A registry in which every family has at least one series.
fn used() -> Metrics {
    let metrics = Metrics::new();
    metrics.incident_came_to(Class::OOMKilled, Some(ActionKind::RollBack), Outcome::Recovered);
    metrics.incident_came_to(Class::Pending, None, Outcome::Cleared);
    metrics.set_findings(&[((Class::OOMKilled, Fault::Revision), 1), ((Class::Unready, Fault::Dependency), 1)].into());
    metrics.set_store_objects(WatchedResource::Pod, 42);
    metrics.watch_failed(WatchedResource::Node);
    metrics.watch_alive(WatchedResource::Pod);
    metrics
}

#[test]
fn the_names_are_those_of_the_documentation() {
    let wanted = [
        ("backstay_action_duration_seconds", "histogram"),
        ("backstay_actions", "counter"),
        ("backstay_build", "info"),
        ("backstay_decision_duration_seconds", "histogram"),
        ("backstay_decisions", "counter"),
        ("backstay_findings", "gauge"),
        ("backstay_frozen_workloads", "gauge"),
        ("backstay_incidents", "counter"),
        ("backstay_incidents_open", "gauge"),
        ("backstay_leader", "gauge"),
        ("backstay_log_reads", "counter"),
        ("backstay_objects_in_backoff", "gauge"),
        ("backstay_reconcile", "counter"),
        ("backstay_reconcile_errors", "counter"),
        ("backstay_refusals", "counter"),
        ("backstay_store_objects", "gauge"),
        ("backstay_storm_active", "gauge"),
        ("backstay_watch_age_seconds", "gauge"),
        ("backstay_watch_errors", "counter"),
    ];
    let wanted: BTreeMap<String, String> = wanted.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into();
    assert_eq!(scrape(&used()).types, wanted);
}

#[test]
fn samples_follow_the_naming_conventions() {
    let scrape = scrape(&used());
    assert!(scrape.text.ends_with("# EOF\n"));
    for (name, kind) in &scrape.types {
        let suffix = match kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            "histogram" => "_bucket",
            _ => "",
        };
        let start = format!("{name}{suffix}");
        let found = scrape
            .samples
            .iter()
            .any(|line| line.starts_with(&format!("{start} ")) || line.starts_with(&format!("{start}{{")));
        assert!(found, "no sample {start}");
    }
    for help in scrape.text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
        assert!(help.ends_with('.') && !help.ends_with(".."), "{help}");
    }
}

#[test]
fn labels_are_words_of_the_closed_vocabulary() {
    let scrape = scrape(&used());
    let mut labels = BTreeSet::new();
    for line in &scrape.samples {
        let Some((_, rest)) = line.split_once('{') else { continue };
        for pair in rest.split('}').next().unwrap().split(',') {
            let (label, value) = pair.split_once('=').unwrap();
            labels.insert(label.to_owned());
            let value = value.trim_matches('"');
            let is_word =
                value.starts_with(|c: char| c.is_ascii_uppercase()) && value.chars().all(|c| c.is_ascii_alphanumeric());
            assert!(is_word || label == "le" || label == "version", "{line}");
        }
    }
    let wanted =
        ["action", "category", "class", "fault", "le", "outcome", "reason", "resource", "result", "state", "version"];
    assert_eq!(labels, wanted.map(str::to_owned).into());
}

#[test]
fn every_refusal_reason_counts_from_zero() {
    let metrics = Metrics::new();
    let before = scrape(&metrics);
    for reason in RefusalReason::iter() {
        assert_eq!(before.value(&format!("backstay_refusals_total{{reason=\"{reason}\"}}")), 0.0);
        metrics.refused(reason);
    }
    let after = scrape(&metrics);
    for reason in RefusalReason::iter() {
        assert_eq!(after.value(&format!("backstay_refusals_total{{reason=\"{reason}\"}}")), 1.0);
    }
}

#[test]
fn counted_things_show_under_their_labels() {
    let metrics = used();
    let rolled_back = Some(ActionKind::RollBack);
    metrics.incident_came_to(Class::CrashLoopBackOff, rolled_back, IncidentOutcome::Ineffective);
    metrics.decided(State::Held, Duration::from_micros(20));
    metrics.acted(ActionKind::Freeze, ActionResult::Stale);
    metrics.action_took(Duration::from_millis(12));
    metrics.reconciled();
    metrics.reconcile_failed(ErrorCategory::Throttled);
    metrics.set_incidents_open(3);
    metrics.set_objects_in_backoff(2);
    metrics.set_frozen_workloads(1);
    metrics.set_storm_active(true);
    metrics.set_leader(true);
    let scrape = scrape(&metrics);
    for (series, value) in [
        ("backstay_incidents_total{class=\"OOMKilled\",action=\"RollBack\",outcome=\"Recovered\"}", 1.0),
        ("backstay_incidents_total{class=\"Pending\",action=\"None\",outcome=\"Cleared\"}", 1.0),
        ("backstay_incidents_total{class=\"CrashLoopBackOff\",action=\"RollBack\",outcome=\"Ineffective\"}", 1.0),
        ("backstay_incidents_total{class=\"Unready\",action=\"Freeze\",outcome=\"Ineffective\"}", 0.0),
        ("backstay_incidents_open", 3.0),
        ("backstay_decisions_total{state=\"Held\"}", 1.0),
        ("backstay_decisions_total{state=\"Healthy\"}", 0.0),
        ("backstay_actions_total{action=\"Freeze\",result=\"Stale\"}", 1.0),
        ("backstay_decision_duration_seconds_count", 1.0),
        ("backstay_action_duration_seconds_sum", 0.012),
        ("backstay_reconcile_total", 1.0),
        ("backstay_reconcile_errors_total{category=\"Throttled\"}", 1.0),
        ("backstay_objects_in_backoff", 2.0),
        ("backstay_watch_errors_total{resource=\"Node\"}", 1.0),
        ("backstay_store_objects{resource=\"Pod\"}", 42.0),
        ("backstay_frozen_workloads", 1.0),
        ("backstay_storm_active", 1.0),
        ("backstay_leader", 1.0),
    ] {
        assert_eq!(scrape.value(series), value, "{series}");
    }
}

#[test]
fn findings_that_no_longer_show_are_none_and_do_not_vanish() {
    let metrics = used();
    metrics.set_findings(&[((Class::Unready, Fault::Dependency), 2)].into());
    let scrape = scrape(&metrics);
    assert_eq!(scrape.value("backstay_findings{class=\"OOMKilled\",fault=\"Revision\"}"), 0.0);
    assert_eq!(scrape.value("backstay_findings{class=\"Unready\",fault=\"Dependency\"}"), 2.0);
    let series = scrape.samples.iter().filter(|line| line.starts_with("backstay_findings"));
    assert_eq!(series.count(), 2, "no others appear");
}

#[tokio::test(start_paused = true)]
async fn a_watch_ages_between_scrapes_until_it_shows_life() {
    let metrics = Metrics::new();
    let series = "backstay_watch_age_seconds{resource=\"Pod\"}";
    metrics.watch_alive(WatchedResource::Pod);
    tokio::time::advance(Duration::from_secs(75)).await;
    assert_eq!(scrape(&metrics).value(series), 75.0);
    metrics.watch_alive(WatchedResource::Pod);
    assert_eq!(scrape(&metrics).value(series), 0.0);
}

#[test]
fn failures_of_calls_are_told_apart() {
    let api = |code| kube::Error::Api(kube::core::Status::failure("x", "y").with_code(code).boxed());
    for (code, wanted) in [
        (403, ErrorCategory::Forbidden),
        (404, ErrorCategory::NotFound),
        (409, ErrorCategory::Conflict),
        (422, ErrorCategory::Invalid),
        (429, ErrorCategory::Throttled),
        (503, ErrorCategory::Server),
        (504, ErrorCategory::Timeout),
        (418, ErrorCategory::Other),
    ] {
        assert_eq!(ErrorCategory::from(&api(code)), wanted, "{code}");
    }
}
