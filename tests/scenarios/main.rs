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
mod around;
mod events;
mod fleet;
mod logs;
mod objects;
mod pods;
mod report;
#[path = "../support/scores.rs"]
mod scores;
mod script;
mod world;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use backstay::engine::knowledge;
use backstay::engine::words::{Cause, Class, RefusalReason};
use scores::Scores;
use script::Script;
use strum::IntoEnumIterator;
use world::World;

/// Words that no facts lead to yet, and why.
const NEVER_SAID: [(&str, &str); 4] = [
    ("HealthCheck", "health beyond probes is not asked for yet"),
    ("HelmPending", "Helm's releases are not read yet"),
    ("HttpCheckFailing", "health beyond probes is not asked for yet"),
    ("MetricCheckFailing", "health beyond probes is not asked for yet"),
];
/// A class or a guard is not known from one side alone: what leads to it, what comes near, and what only looks like it.
const SCENARIOS_OF_EACH: usize = 3;

#[test]
fn scenarios() {
    let surprises = RefCell::new(Vec::new());
    let said = RefCell::new(BTreeMap::new());
    let of_containers = RefCell::new(BTreeSet::new());
    let scores = RefCell::new((0, Scores::default()));
    insta::glob!("**/*.yaml", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        let script: Script = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let report = World::new(&script).play(&script, path, &mut surprises.borrow_mut());
        for word in &report.words {
            *said.borrow_mut().entry(*word).or_default() += 1;
        }
        of_containers.borrow_mut().extend(report.of_containers.iter().copied());
        if let Some(finds) = &script.finds {
            let (expected, found) = (sorted(finds), sorted(&report.found()));
            let (counted, scores) = &mut *scores.borrow_mut();
            *counted += 1;
            scores.add(&expected, &found);
            if expected != found {
                surprises.borrow_mut().push(format!("{}: finds {found:?}, not {expected:?}", path.display()));
            }
        }
        insta::with_settings!({ description => script.about.trim(), omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_yaml_snapshot!("decision", report);
        });
    });
    let (counted, scores) = scores.into_inner();
    scores.print(&format!("Findings of {counted} scenarios"));
    assert!(counted > 50, "the scenarios of classes have moved");
    let surprises = surprises.into_inner();
    assert!(surprises.is_empty(), "decided otherwise than expected:\n{}", surprises.join("\n"));
    every_word_was_said(&said.into_inner());
    policies_know_which_failures_there_are(&of_containers.into_inner());
}

/// A policy may not name containers where no failure is that of one, and is told of failures that are never raised.
fn policies_know_which_failures_there_are(of_containers: &BTreeSet<Class>) {
    let may_name_one = |class: Class| knowledge::causes(class).any(|k| knowledge::may_be_of_a_container(class, k));
    let allowed: BTreeSet<Class> = Class::iter().filter(|class| may_name_one(*class)).collect();
    assert_eq!(&allowed, of_containers, "the classes for which a rule may name containers, and those that had one");
    let unraised: Vec<_> = Class::iter().filter(|class| !knowledge::is_raised(*class)).map(<&str>::from).collect();
    let unsaid: Vec<_> = Class::iter().map(<&str>::from).filter(|c| NEVER_SAID.iter().any(|(w, _)| w == c)).collect();
    assert_eq!(unraised, unsaid);
}

fn sorted(labels: &[String]) -> Vec<String> {
    let mut labels = labels.to_vec();
    labels.sort();
    labels
}

/// A class, a guard or a cause without a scenario is one that nobody would miss. `said` has the number of files for each.
fn every_word_was_said(said: &BTreeMap<&str, usize>) {
    let files = |word: &str| said.get(word).copied().unwrap_or(0);
    let sides = || Class::iter().map(<&str>::from).chain(RefusalReason::iter().map(<&str>::from));
    let unsaid: Vec<_> = sides().chain(Cause::iter().map(<&str>::from)).filter(|word| files(word) == 0).collect();
    assert_eq!(
        unsaid,
        NEVER_SAID.map(|(word, _)| word),
        "words without a scenario, and those that are known to have none"
    );
    let few: Vec<_> =
        sides().map(|word| (word, files(word))).filter(|(_, n)| (1..SCENARIOS_OF_EACH).contains(n)).collect();
    assert!(few.is_empty(), "words that less than {SCENARIOS_OF_EACH} scenarios say: {few:?}");
}
