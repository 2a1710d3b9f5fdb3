//! What the chart ships is a copy, and a copy can drift. `make generate` makes the copies anew.

use std::collections::BTreeMap;

use crate::render::{read, root};

fn folder(path: &str) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(root().join(path)).unwrap_or_else(|error| panic!("cannot list {path}: {error}"));
    entries
        .map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let content = read(&format!("{path}/{name}"));
            (name, content)
        })
        .collect()
}

#[test]
fn the_charts_copies_are_those_of_the_sources() {
    for (source, copy) in [
        ("deploy/alerts", "deploy/helm/backstay/files/alerts"),
        ("deploy/dashboards", "deploy/helm/backstay/files/dashboards"),
    ] {
        let (source_files, copies) = (folder(source), folder(copy));
        assert!(!source_files.is_empty(), "{source} is empty");
        assert!(source_files == copies, "{copy} differs from {source}: run `make generate`");
    }
}
