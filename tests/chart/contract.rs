//! What the chart says to the program, and what the alerts ask of it, as the program itself understands it.

use std::collections::BTreeSet;

use backstay::config::{Mode, RunArgs};
use backstay::engine::words::{Class, Fault};
use backstay::metrics::{Metrics, WatchedResource};
use clap::Parser;

use crate::monitoring::{alert_queries, dashboard_queries};
use crate::render::{list, refusal, render};

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    run: RunArgs,
}

fn arguments(settings: &[&str]) -> RunArgs {
    let rendered = render(settings);
    let arguments = list(&rendered.only("Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]);
    assert_eq!(arguments[0], "run");
    Program::try_parse_from(arguments).unwrap_or_else(|error| panic!("{settings:?}: {error}")).run
}

#[test]
fn the_default_values_are_those_of_the_program() {
    let from_chart = arguments(&[]);
    let by_itself = Program::try_parse_from(["run"]).unwrap().run;
    assert_eq!(from_chart.incidents, by_itself.incidents);
    assert_eq!(from_chart.storm, by_itself.storm);
    assert_eq!(from_chart.around, by_itself.around);
    assert_eq!(from_chart.listen, by_itself.listen);
    assert_eq!(from_chart.mode, Mode::Enforce);
    assert_eq!((from_chart.read_logs, by_itself.read_logs), (true, true));
    assert_eq!(from_chart.telemetry.log_format, by_itself.telemetry.log_format);
    assert_eq!(from_chart.namespaces(), None);
}

#[test]
fn the_program_understands_every_value() {
    let read = arguments(&[
        "mode=observe",
        "logs.read=false",
        "rbac.scope=namespaced",
        "rbac.namespaces={shop,billing}",
        "rbac.secretNamespaces={shop}",
        "leaderElection.leaseName=other",
        "incidents.retentionDays=7",
        "incidents.perWorkload=5",
        "storm.workloads=11",
        "storm.percent=12",
        "storm.windowSeconds=130",
        "storm.nodesPercent=14",
        "log.format=human",
        "log.level=info\\,backstay=debug",
        "otlp.endpoint=http://traces.obs:4318",
        "extraArgs={--concurrency=2}",
    ]);
    assert_eq!(read.mode, Mode::Observe);
    assert!(!read.read_logs);
    assert_eq!(read.namespaces(), Some(vec!["billing", "shop"]));
    assert!(read.around.surroundings && !read.around.try_baseline);
    assert_eq!(read.around.secret_namespaces, ["shop"]);
    assert_eq!(read.lease.lease_name, "other");
    assert_eq!((read.incidents.incident_retention_days, read.incidents.incidents_per_workload), (7, 5));
    assert_eq!((read.storm.storm_workloads, read.storm.storm_percent), (11, 12));
    assert_eq!((read.storm.storm_window_seconds, read.storm.storm_nodes_percent), (130, 14));
    assert!(read.telemetry.log_level.unwrap().contains("backstay=debug"));
    assert_eq!(read.telemetry.otlp_endpoint.unwrap().host(), Some("traces.obs"));
    assert_eq!(read.concurrency, 2);
    assert!(!arguments(&["rbac.surroundings=false"]).around.surroundings);
}

/// The names that a scrape shows, by the types that the program declares, and the scrape.
fn scraped() -> (BTreeSet<String>, String) {
    let metrics = Metrics::new();
    // A family without series is left out.
    metrics.watch_alive(WatchedResource::Pod);
    metrics.watch_failed(WatchedResource::Pod);
    metrics.set_store_objects(WatchedResource::Pod, 1);
    metrics.set_findings(&[((Class::OOMKilled, Fault::Revision), 1)].into());
    let text = metrics.encode().unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let names = types.map(|(name, kind)| match kind {
        "counter" => format!("{name}_total"),
        "info" => format!("{name}_info"),
        _ => name.to_owned(),
    });
    (names.collect(), text)
}

fn words<'a>(queries: &'a [String], accept: impl Fn(char) -> bool + Copy + 'a) -> impl Iterator<Item = &'a str> {
    queries.iter().flat_map(move |query| query.split(move |c| !accept(c)))
}

fn metrics_in(queries: &[String]) -> BTreeSet<String> {
    words(queries, |c| c.is_ascii_alphanumeric() || c == '_')
        .filter(|word| word.starts_with("backstay_"))
        .map(|word| word.trim_end_matches("_bucket").to_owned())
        .collect()
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_exist() {
    let (exist, _) = scraped();
    let in_alerts = metrics_in(&alert_queries());
    assert!(in_alerts.is_subset(&exist), "no such metric: {:?}", in_alerts.difference(&exist));
    assert!(in_alerts.len() >= 7, "{in_alerts:?}");
    let in_dashboard = metrics_in(&dashboard_queries());
    assert_eq!(in_dashboard, exist, "the dashboard shows every metric");
}

/// A label value that the program never writes makes an alert that never fires.
#[test]
fn alerts_ask_for_label_values_that_the_program_writes() {
    let (_, text) = scraped();
    let mut seen = 0;
    for query in alert_queries() {
        for selector in query.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)) {
            for condition in selector.split(',') {
                let (label, values) = condition.split_once('=').unwrap();
                for value in values.trim_matches(['~', '"']).split('|') {
                    seen += 1;
                    let written = text.contains(&format!("{label}=\"{value}\""));
                    assert!(written, "nothing has {label}={value}: {query}");
                }
            }
        }
    }
    assert_eq!(seen, 4, "the label values of the alerts are found");
}

/// An address that the chart takes and the program refuses would end in a crash loop.
#[test]
fn the_chart_takes_the_collectors_that_the_program_takes() {
    for endpoint in [
        "http://traces.obs",
        "http://traces.obs:4318",
        "http://[::1]:4318",
        "https://traces.example.com/tenant/v1/traces",
        "https://user:word@traces.example.com?tenant=a",
    ] {
        let read = arguments(&[&format!("otlp.endpoint={endpoint}")]).telemetry.otlp_endpoint.unwrap().to_string();
        assert!(endpoint.split('?').all(|part| read.contains(part)), "{endpoint} is read as {read}");
    }
    for endpoint in
        ["traces.obs:4318", "grpc://traces.obs:4317", "http://", "http://:4318", "https:///v1/traces", "http://a b"]
    {
        let said = refusal(&[&format!("otlp.endpoint={endpoint}")]);
        assert!(said.contains("endpoint"), "{endpoint}: {said}");
        assert!(Program::try_parse_from(["run", "--otlp-endpoint", endpoint]).is_err(), "the program takes {endpoint}");
    }
}
