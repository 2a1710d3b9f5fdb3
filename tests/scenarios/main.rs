//! Scenarios: a timeline of facts, and the decisions it leads to.
//!
//! A scenario is a YAML file (`script.rs` has its words). It is expanded to Kubernetes objects, which go through the
//! slim types, the conversion to facts and `observe`, as those of the live watch do; then `decide` is asked. Where the
//! scenario says so, the decision is carried out on the objects as the API server and the Deployment controller
//! would, and what is remembered goes into the next step.
//!
//! `INSTA_UPDATE=always cargo test --test scenarios` writes snapshots anew; every change of one is to be reviewed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
// Small numbers, written here.
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod apply;
mod fleet;
mod objects;
mod pods;
mod report;
mod script;
mod world;

use std::cell::RefCell;

use script::Script;
use world::World;

#[test]
fn scenarios() {
    let surprises = RefCell::new(Vec::new());
    insta::glob!("**/*.yaml", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        let script: Script = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let report = World::new(&script).play(&script, path, &mut surprises.borrow_mut());
        insta::with_settings!({ description => script.about.trim(), omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_yaml_snapshot!("decision", report);
        });
    });
    let surprises = surprises.into_inner();
    assert!(surprises.is_empty(), "decided otherwise than expected:\n{}", surprises.join("\n"));
}
