//! What the targets begin with gets to the readers that it is meant for: a reader that nothing gets to is not fuzzed.

use backstay::cli::diagnose::Answer;
use backstay::cli::diagnose::around::Story;
use backstay::engine::change::ChangeKind;
use backstay::engine::words::{Cause, Class};
use serde_json::json;

use crate::oracle::answer;
use crate::seeds;
use crate::targets::scene;

fn answered(items: &[serde_json::Value]) -> Answer {
    answer(&json!({"kind": "List", "items": items}).to_string(), &[]).unwrap().unwrap()
}

#[test]
fn refusals_are_read_wherever_they_are_told() {
    for name in ["api", "desk", "cart"] {
        let answer = answered(&[seeds::crashing(), seeds::telling(seeds::QUOTA)].concat());
        let of_it = |found: &&backstay::cli::diagnose::Diagnosed| *found.case.snapshot.workload.name == *name;
        let finding = answer.workloads.iter().find(of_it).unwrap().diagnosis.findings.first();
        let finding = finding.unwrap_or_else(|| panic!("nothing of {name}"));
        assert_eq!((finding.class, finding.cause), (Class::CreateRefused, Cause::QuotaExceeded), "{name}");
        let figures = finding.evidence.iter().find(|evidence| evidence.source == "resourcequota/team");
        assert!(figures.is_some_and(|figures| figures.text.contains("limits.cpu: 2 asked for, 1 left")), "{finding:?}");
    }
}

#[test]
fn everything_around_a_workload_is_read() {
    let answer = answered(&scene::objects(seeds::around(false)));
    let web = answer.workloads.iter().find(|found| &*found.case.snapshot.workload.name == "web").unwrap();
    let Story { what_changed, blast_radius, .. } = web.story.as_ref().unwrap();
    let hosts = ["*.example.org (HTTPRoute edge/shop)", "shop.example.com (Ingress shop)"];
    hosts.iter().for_each(|host| assert!(blast_radius.hosts.iter().any(|is| is == host), "{:?}", blast_radius.hosts));
    let service = &blast_radius.services[0];
    assert_eq!((service.name.as_str(), service.ready), ("web", Some(0)));
    assert!(blast_radius.autoscaler.as_ref().is_some_and(|scaler| scaler.at_max));
    assert_eq!(blast_radius.budgets.len(), 1);
    let callers: Vec<&str> = blast_radius.dependents.iter().map(|of| of.workload.as_str()).collect();
    assert_eq!(callers, ["front", "StatefulSet bank/pay", "CronJob report"]);
    assert_eq!(blast_radius.also_failing[0].shares, ["image web:2"]);
    let kinds = [
        ChangeKind::Service,
        ChangeKind::Autoscaler,
        ChangeKind::NetworkPolicy,
        ChangeKind::Quota,
        ChangeKind::Migration,
        ChangeKind::ConfigMap,
    ];
    for kind in kinds {
        assert!(what_changed.changes.iter().any(|change| change.kind == kind), "{kind}: {what_changed:?}");
    }
    let called = what_changed.changes.iter().find(|change| change.subject == "Service db").unwrap();
    assert!(called.text.ends_with("called by env DB_HOST of container web"), "{called:?}");
}
