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
