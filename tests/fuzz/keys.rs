//! Keys of annotations and labels that are none: without a `/`, with too many, empty, endless, and such as a terminal
//! obeys.

use serde_json::{Value, json};

use crate::hostile::SECRET;
use crate::oracle::{Said, answer, is_bounded, whole_way};
use crate::{runner, seeds};

const SHORT: [&str; 11] = [
    "",
    "/",
    "//",
    "x",
    "backstay.dev",
    "backstay.dev/",
    "/incident",
    "a/b/c",
    "~1",
    "kubernetes.io",
    "\u{1b}[2J/\u{202e}",
];

/// No object may have more of annotations than this (`TotalAnnotationSizeLimitB` in apimachinery/pkg/api/validation).
const ALL_ANNOTATIONS: usize = 256 << 10;

/// Puts them beside what is there.
fn put(metadata: &mut Value) {
    let endless =
        ["k".repeat(ALL_ANNOTATIONS), format!("{}/k", "p".repeat(300)), format!("backstay.dev/{}", "k".repeat(9999))];
    let keys = SHORT.iter().copied().chain(endless.iter().map(String::as_str));
    for (kind, key) in keys.flat_map(|key| [("annotations", key), ("labels", key)]) {
        metadata[kind][key] = json!(format!("password={SECRET}"));
    }
}

fn everything() -> Vec<Value> {
    [seeds::calling(), seeds::around(false), seeds::incidents(), seeds::telling("exceeded quota: team")].concat()
}

fn listed(items: &[Value]) -> String {
    json!({"kind": "List", "items": items}).to_string()
}

fn said(items: &[Value]) -> Said {
    Said::of(&answer(&listed(items), &[]).unwrap().unwrap()).unwrap()
}

#[test]
fn keys_that_are_none_change_nothing() {
    runner::on_a_stack(|| {
        let plain = everything();
        let mut odd = plain.clone();
        odd.iter_mut().for_each(|object| put(&mut object["metadata"]));
        whole_way(&listed(&odd)).unwrap();
        let (before, after) = (said(&plain), said(&odd));
        after.hides_the_secret().unwrap();
        assert_eq!(before.shown, after.shown);
        assert_eq!(before.incidents, after.incidents);
        assert!(!after.incidents.is_empty(), "there is an incident to compare");
    });
}

#[test]
fn keys_that_are_none_are_told_in_bounds_where_a_template_brings_them() {
    runner::on_a_stack(|| {
        let mut items = everything();
        for object in
            items.iter_mut().filter(|object| object["metadata"]["uid"] == "r-2" || object["metadata"]["uid"] == "d-1")
        {
            put(&mut object["spec"]["template"]["metadata"]);
        }
        whole_way(&listed(&items)).unwrap();
        let said = said(&items);
        said.hides_the_secret().unwrap();
        let (_, report) = said.shown.iter().find(|(what, _)| *what == "the report").unwrap();
        assert!(report.contains("kkkkkkkk") && report.contains("a/b/c"), "{report}");
        is_bounded("the report", report, 64 << 10).unwrap();
    });
}
