//! What a policy of the right form says that it may not say, or that its author may not have meant.

use std::collections::BTreeSet;

use strum::IntoEnumIterator;

use crate::api::nodes::Place;
use crate::api::policy::Terms;
use crate::api::rules;
use crate::api::schema::Wrong;
use crate::engine::knowledge;
use crate::engine::listen;
use crate::engine::policy::{LogAccess, Match, Rule};
use crate::engine::words::{Cause, Class, Sureness};

/// The CEL rules of the definitions that these checks stand for, beside the one on selectors.
#[cfg(test)]
pub const CHECKED_RULES: [&str; 8] = [
    rules::UNIQUE_MESSAGE,
    rules::STRANGERS_MESSAGE,
    rules::CONTAINERS_MESSAGE,
    rules::PATTERNS_MESSAGE,
    rules::RESERVED_MESSAGE,
    rules::ATTEMPTS_MESSAGE,
    rules::EXITS_MESSAGE,
    rules::FLAPS_MESSAGE,
];

/// What the API server refuses by rules over the terms as a whole.
pub fn refusals(terms: &Terms, place: &dyn Fn(&str) -> Place) -> Vec<Wrong> {
    let mut all = Vec::new();
    for (at, rule) in terms.rules.iter().enumerate() {
        let path = format!("spec.rules[{at}].name");
        let mut say = |because: String| all.push(Wrong { at: place(&path), path: path.clone(), because });
        if terms.rules.iter().take(at).any(|other| other.name == rule.name) {
            say(format!("an earlier rule is called {} too", rule.name));
        }
        if rule.name.starts_with("builtin-") {
            say("names that begin with builtin- are those of the built-in table".to_owned());
        }
    }
    all.extend(terms.rules.iter().enumerate().filter_map(|(at, rule)| {
        let (pattern, because) = rule.matches.logs.fault()?;
        let path = format!("spec.rules[{at}].match.logs[{pattern}]");
        Some(Wrong { at: place(&path), path, because })
    }));
    for (at, rule) in terms.rules.iter().enumerate() {
        let useless = useless(rule).into_iter().map(|(field, because)| (field, because.to_owned()));
        for (field, because) in strangers(&rule.matches).into_iter().chain(useless) {
            let path = format!("spec.rules[{at}].{field}");
            all.push(Wrong { at: place(&path), path, because });
        }
    }
    all
}

/// Containers and thresholds that count for nothing that the rule matches.
fn useless(rule: &Rule) -> Vec<(&'static str, &'static str)> {
    let t = &rule.threshold;
    let counted = [
        ("threshold.exits", t.exits.is_some(), Sureness::Counted, rules::EXITS_MESSAGE),
        ("threshold.attempts", t.attempts.is_some(), Sureness::Repeated, rules::ATTEMPTS_MESSAGE),
        ("threshold.flaps", t.flaps.is_some(), Sureness::Flapping, rules::FLAPS_MESSAGE),
    ];
    let m = &rule.matches;
    let applies = |sureness| matched(m).any(|(class, cause)| knowledge::may_show(class, cause, sureness));
    let useless = counted.into_iter().filter(|(_, is_set, sureness, _)| *is_set && !applies(*sureness));
    let mut said: Vec<_> = useless.map(|(field, _, _, because)| (field, because)).collect();
    if !m.containers.is_empty() && !matched(m).any(|(class, cause)| knowledge::may_be_of_a_container(class, cause)) {
        said.push(("match.containers", rules::CONTAINERS_MESSAGE));
    }
    said
}

/// The failures that a rule matches, by class and cause.
fn matched(m: &Match) -> impl Iterator<Item = (Class, Cause)> {
    let classes = Class::iter().filter(|class| m.failures.is_empty() || m.failures.contains(class));
    let pairs = classes.flat_map(|class| knowledge::causes(class).map(move |cause| (class, cause)));
    pairs.filter(|(_, cause)| m.causes.is_empty() || m.causes.contains(cause))
}

/// Warnings about the terms of a policy. `place` finds where a path of fields and indices stands in the file.
pub fn warnings(terms: &Terms, place: &dyn Fn(&str) -> Place) -> Vec<Wrong> {
    let mut all = Vec::new();
    let mut say = |path: String, because: String| all.push(Wrong { at: place(&path), path, because });
    let rollout = &terms.rollout;
    if rollout.stable_seconds > rollout.watch_seconds {
        let because = format!(
            "a revision counts as healthy after {} s, and failures count against its rollout for {} s only",
            rollout.stable_seconds, rollout.watch_seconds
        );
        say("spec.rollout.stableSeconds".to_owned(), because);
    }
    let guards = &terms.guards;
    let needed = guards.cooldown_seconds.saturating_mul(i64::from(guards.max_rollbacks.saturating_sub(1)));
    if guards.max_rollbacks > 1 && needed >= guards.window_seconds {
        let because = format!(
            "{} actions with {} s between them do not fit into {} s, so the limit is never reached",
            guards.max_rollbacks, guards.cooldown_seconds, guards.window_seconds
        );
        say("spec.guards.maxRollbacks".to_owned(), because);
    }
    for (at, rule) in terms.rules.iter().enumerate() {
        for (field, because) in about_rule(terms, at, rule) {
            say(format!("spec.rules[{at}]{field}"), because);
        }
    }
    all
}

fn about_rule(terms: &Terms, at: usize, rule: &Rule) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    if terms.logs == LogAccess::Ignore && !rule.matches.logs.is_empty() {
        let because = "no log is read where spec.logs is Ignore, so only messages of terminations can match".to_owned();
        said.push((".match.logs", because));
    }
    let silent = |class: &Class| !listen::may_have_a_log(*class);
    let failures = &rule.matches.failures;
    if !rule.matches.logs.is_empty() && !failures.is_empty() && failures.iter().all(silent) {
        let because = "no program ran in failures of these classes, so there is no log in which a line can match";
        said.push((".match.logs", because.to_owned()));
    }
    if matched(&rule.matches).all(|(class, _)| !knowledge::is_raised(class)) {
        let because = "this version raises none of these failures, so the rule never matches";
        said.push((".match", because.to_owned()));
    }
    let earlier = terms.rules.get(..at).unwrap_or_default();
    if let Some(covering) = covered(&rule.matches, earlier) {
        said.push(("", format!("rule {} never matches: {covering} before it takes everything it could", rule.name)));
    }
    let (lasting, watched) = (rule.threshold.for_seconds.unwrap_or_default(), terms.rollout.watch_seconds);
    if lasting > watched {
        let because = format!("the failure must last {lasting} s, longer than the {watched} s a rollout is watched");
        said.push((".threshold.forSeconds", because));
    }
    said
}

/// Causes that no failure of the rule has, so that they match nothing.
fn strangers(matches: &Match) -> Vec<(&'static str, String)> {
    let strange = |cause: &&Cause| !matches.failures.iter().any(|class| knowledge::is_known(*class, **cause));
    let strange = matches.causes.iter().filter(|_| !matches.failures.is_empty()).filter(strange);
    let say = |cause: &Cause| format!("{cause} is no cause of the failures that the rule names");
    strange.map(|cause| ("match.causes", say(cause))).collect()
}

/// The earlier rules that leave nothing for this one, if they do.
fn covered(later: &Match, earlier: &[Rule]) -> Option<String> {
    let takes: Vec<&Rule> = earlier
        .iter()
        .filter(|rule| includes(&rule.matches.causes, &later.causes))
        .filter(|rule| includes(&rule.matches.containers, &later.containers))
        .filter(|rule| includes(rule.matches.logs.texts(), later.logs.texts()))
        .collect();
    if let Some(rule) = takes.iter().find(|rule| includes(&rule.matches.failures, &later.failures)) {
        return Some(format!("rule {}", rule.name));
    }
    let failures: BTreeSet<_> = takes.iter().flat_map(|rule| &rule.matches.failures).collect();
    let all = !later.failures.is_empty() && later.failures.iter().all(|class| failures.contains(class));
    let names = || takes.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>().join(", ");
    all.then(|| format!("what rules {} match", names()))
}

/// A list that is empty matches everything.
fn includes<T: PartialEq>(wide: &[T], narrow: &[T]) -> bool {
    wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(|word| wide.contains(word)))
}
