//! Hostile input for everything that reads what others wrote: objects, files, messages, logs, patterns, and own objects
//! that somebody else has changed.
//!
//! Real objects are broken in a few places, and what becomes of them is held against what must hold whatever they say:
//! nothing panics, what is said stays in bounds, no terminal obeys it, no secret is in it, it is the same twice and in
//! any order. `make test` tries a fixed number of cases, the same every time; `make fuzz` tries new ones for minutes.
//! Every input on which something failed is kept in `regressions`, as it was, and tried every time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]
// Numbers that choose a place.
#![allow(clippy::cast_possible_truncation)]

mod hostile;
mod json;
mod keys;
mod long;
mod mutate;
mod oracle;
mod reach;
mod runner;
mod seeds;
mod targets;

use rstest::rstest;

use targets::{TARGETS, Target};

fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("no target is called {name}"))
}

#[rstest]
fn what_must_hold_holds(
    #[values("objects", "messages", "documents", "logs", "text", "patterns", "own", "around", "scene", "alerts")] name: &str,
) {
    if let Err(failure) = runner::some(target(name)) {
        panic!("{failure}");
    }
}

#[test]
fn what_failed_once_does_not_fail_again() {
    let failed = runner::on_a_stack(|| {
        let inputs = TARGETS.into_iter().flat_map(|target| {
            runner::regressions(target.name).into_iter().map(move |(path, input)| (target, path, input))
        });
        let failed =
            inputs.filter_map(|(target, path, input)| Some((path, runner::guarded(target.check, &input).err()?)));
        failed.map(|(path, why)| format!("{}: {why}", path.display())).collect::<Vec<_>>()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// `make fuzz`.
#[test]
#[ignore = "takes minutes: make fuzz"]
fn for_minutes() {
    hostile::without_haste();
    let minutes = std::env::var("FUZZ_MINUTES").ok().and_then(|minutes| minutes.parse().ok()).unwrap_or(10.0);
    let chosen = std::env::var("FUZZ").ok().filter(|name| !name.is_empty()).map(|name| target(&name));
    let targets = chosen.map_or_else(|| TARGETS.to_vec(), |target| vec![target]);
    let failed = runner::on_a_stack(move || targets.iter().filter(|target| !runner::minutes(target, minutes)).count());
    assert_eq!(failed, 0, "see above");
}
