//! Whether a program ended on an error of its own, or says no more than that it gave up on what it reported before.
//!
//! Where that is open, it gave up: what others did is then not taken for its doing.

use super::last::Kind;
use super::success;

/// What says of an error that it comes of something that was reported before.
const GIVEN_UP: &[&str] = &[
    "connect",
    "reachable",
    "available",
    "not ready",
    "refused",
    "retries",
    " attempts",
    "giving up",
    "gave up",
    "timed out",
    "timeout",
    "waiting for",
    "database",
    "terminated",
    "previous error",
    "closed",
    "cancel",
    " eof",
    "elapsed",
    "lost",
    "offline",
    "unhealthy",
    " down",
];
/// Beginnings of errors that are of no kind of their own.
const GENERAL: &[&str] = &[
    "panic: ",
    "thread '",
    "error: ",
    "uncaught error: ",
    "runtimeerror: ",
    "exception: ",
    "java.lang.runtimeexception: ",
    "java.lang.illegalstateexception: ",
    "exception in thread \"main\" java.lang.runtimeexception: ",
    "exception in thread \"main\" java.lang.illegalstateexception: ",
    "unhandled exception. system.exception: ",
    "** (",
];
/// The same of these, and of what a program calls fatal: it names what it did not get done.
const NOT_DONE: &[&str] = &[
    "fail",
    "not ",
    "never",
    "unable to",
    "without",
    "after",
    "due to",
    "exit",
    "shut",
    "abort",
    "stopp",
    "start",
    "boot",
    "above",
];

/// What a program says of its own end beside what brought it about.
const FAREWELLS: &[&str] =
    &["abort", "exit", "gave up", "giving up", "quit", "shut", "so ", "stopp", "terminat", "will exit", "bye"];

/// The error that a program logged last says no more than that something else, which was reported before, had its
/// consequences.
pub fn is_consequence(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let says = |text: &str, words: &[&str]| words.iter().any(|words| text.contains(words));
    let (before, reason) = text.rsplit_once(": ").unwrap_or(("", &text));
    let parts = reason.split([',', ';']).map(str::trim).filter(|part| part.contains(|c: char| c.is_alphabetic()));
    let mut told = parts.filter(|part| !FAREWELLS.iter().any(|word| part.starts_with(word))).peekable();
    let of_others = |text: &str| says(text, GIVEN_UP) || success::names_a_service(text.as_bytes());
    told.peek().is_none() || of_others(before) || told.any(|part| of_others(part) || says(part, NOT_DONE))
}

/// The error says no more than that the program goes no further, so what was reported before it tells why.
pub fn gives_up(kind: Kind, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let says = |text: &str, words: &[&str]| words.iter().any(|words| text.contains(words));
    // The last part of what is joined by colons is the reason.
    let reason = text.rsplit(": ").next().unwrap_or(&text);
    let is_general = || kind == Kind::Fatal || GENERAL.iter().any(|start| text.starts_with(start));
    let of_others = || says(&text, GIVEN_UP) || success::names_a_service(text.as_bytes());
    kind < Kind::Fatal || of_others() || (is_general() && says(reason, NOT_DONE))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2026-11-28 10:28:00.000 ERROR 1 --- [main] c.e.Main : tenant 5 has no plan, giving up", false)]
    #[case("2026-11-28 10:28:00,123 - app - ERROR - tenant 5 has no plan, exiting", false)]
    #[case("feed 12: bad record; shutting down", false)]
    #[case("ERROR c.e.Main : shutting down", true)]
    #[case("2026-11-28 10:28:00,123 ERROR exiting", true)]
    #[case("ERROR c.e.Main : exiting, bye", true)]
    #[case("Application run failed", true)]
    #[case("ERROR could not load the tenants", true)]
    #[case("ERROR [postgres] tenant 5 has no plan", true)]
    #[case("", true)]
    fn a_consequence_says_no_more_than_that_it_goes_no_further(#[case] text: &str, #[case] is: bool) {
        assert_eq!(is_consequence(text), is);
    }
}
