//! What the API server refuses of policies by CEL rules. What depends on the engine's table is written from it, so that
//! the two cannot drift apart; `backstay policy lint` refuses the same (`cli/policy/advice.rs`).

use crate::engine::knowledge;
use crate::engine::words::{Cause, Class, Sureness};
use strum::IntoEnumIterator;

pub const UNIQUE: &str =
    "!has(self.spec.rules) || self.spec.rules.all(a, self.spec.rules.exists_one(b, a.name == b.name))";
pub const UNIQUE_MESSAGE: &str = "every rule needs a name of its own";
pub const RESERVED: &str = "!has(self.spec.rules) || !self.spec.rules.exists(r, r.name.startsWith('builtin-'))";
pub const RESERVED_MESSAGE: &str = "rule names that begin with builtin- are those of the built-in table";

// To match anything the pattern has to be one; the API server's own matcher knows what Backstay's does.
pub const PATTERNS: &str = "!has(self.spec.rules) || self.spec.rules.all(r, !has(r.match) || !has(r.match.logs) || \
     r.match.logs.all(p, ''.matches(p) in [true, false]))";
pub const PATTERNS_MESSAGE: &str = "match.logs holds regular expressions without look-around";

pub const STRANGERS_MESSAGE: &str = "match.causes holds a cause that none of match.failures has";
pub const CONTAINERS_MESSAGE: &str =
    "match.containers fits none of the failures that the rule matches: none of them is that of a container";
pub const EXITS_MESSAGE: &str = "threshold.exits counts for none of the failures that the rule matches";
pub const ATTEMPTS_MESSAGE: &str = "threshold.attempts counts for none of the failures that the rule matches";
pub const FLAPS_MESSAGE: &str = "threshold.flaps counts for none of the failures that the rule matches";

/// Every cause of a rule that names failures is one that such a failure can have.
pub fn strangers() -> String {
    let of_class = Class::iter().map(|class| {
        let causes = quoted(knowledge::causes(class));
        format!("('{class}' in r.match.failures && c in [{causes}])")
    });
    let known = of_class.collect::<Vec<_>>().join(" || ");
    of_every_rule(&format!("size(r.match.failures) == 0 || r.match.causes.all(c, {known})"))
}

/// A threshold of this name counts for something that the rule matches.
pub fn threshold(name: &str, sureness: Sureness) -> String {
    let counts = matches_one_that(|class, cause| knowledge::may_show(class, cause, sureness));
    of_every_rule(&format!("!has(r.threshold) || !has(r.threshold.{name}) || {counts}"))
}

/// A rule that names containers matches a failure that may be that of one.
pub fn containers() -> String {
    let of_one = matches_one_that(knowledge::may_be_of_a_container);
    of_every_rule(&format!("size(r.match.containers) == 0 || {of_one}"))
}

/// The rule `r` matches a failure for which this holds.
fn matches_one_that(holds: impl Fn(Class, Cause) -> bool) -> String {
    let of_class = Class::iter().filter_map(|class| {
        let causes = quoted(knowledge::causes(class).filter(|cause| holds(class, *cause)));
        let failures = format!("(size(r.match.failures) == 0 || '{class}' in r.match.failures)");
        let causes = (!causes.is_empty()).then_some(causes)?;
        Some(format!("({failures} && (size(r.match.causes) == 0 || r.match.causes.exists(c, c in [{causes}])))"))
    });
    of_class.collect::<Vec<_>>().join(" || ")
}

/// `match` and its lists have defaults, so that they are always there.
fn of_every_rule(holds: &str) -> String {
    format!("!has(self.spec.rules) || self.spec.rules.all(r, {holds})")
}

fn quoted(words: impl Iterator<Item = impl std::fmt::Display>) -> String {
    words.map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
}
