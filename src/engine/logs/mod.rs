//! What a container's log says of why it fails.
//!
//! A log line is a hypothesis. It refines what a status shows, and never makes a failure of what runs well. Lines below
//! the level of a warning count for nothing, what programs try again counts when it repeats or when the program ended
//! on it, and what a later success takes back is taken back.
//!
//! Logs are untrusted and may be anything: they are read within bounds, in time linear in their length, and what is
//! quoted from them is bounded, cleaned and redacted.

mod beginning;
mod elsewhere;
mod excerpt;
mod given_up;
mod json;
mod last;
mod level;
mod line;
mod matched;
mod node;
mod phrase;
mod record;
mod shape;
mod signatures;
mod success;
mod tally;
mod template;

use std::ops::Range;

use jiff::Timestamp;

use self::last::{Kind, Last, Words};
use self::level::Level;
use self::record::Record;
use self::shape::Walk;
use self::signatures::{How, Signature, Signatures, When};
use self::tally::{Sight, Tally};
use super::text;
use super::words::{Cause, Confidence};

pub use self::beginning::is_whole;
pub use self::excerpt::{MAX_EXCERPT, excerpt};
pub use self::line::{MAX_BYTES, MAX_LINES};
pub use self::matched::matched;
pub use self::signatures::rank;

/// Most bytes of a quoted line.
pub const MAX_QUOTE: usize = 400;

/// What a log says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// How many lines were read.
    pub lines: u32,
    /// The log was longer than what is read of one; its end was read.
    pub cut: bool,
    /// The causes that it names, the most telling first.
    pub seen: Vec<Seen>,
    /// The last error that it reports.
    pub fatal: Option<Quote>,
    /// The innermost reason that it gives for that.
    pub root: Option<Quote>,
    /// It ends on an error of the program's own. If the run is over, what earlier lines name did not end it.
    pub own_end: bool,
}

/// A cause that a log names.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub cause: Cause,
    /// How many entries of the log name it; a stack trace is one.
    pub times: u32,
    /// Programs try again after it: it says little before it repeats.
    pub retried: bool,
    /// It is in the last words of the program.
    pub last_words: bool,
    /// No more than a warning names it.
    warned: bool,
    /// The program went on after it, and the error that it reports last is another matter.
    passed: bool,
    pub confidence: Confidence,
    pub first: Place,
    pub last: Place,
    /// The line that names it, or the last of them.
    pub text: Box<str>,
    /// What the lines say of it, without what differs from one time to the next: two logs that share one of these report
    /// the same.
    pub phrases: Vec<Box<str>>,
}

/// Where and, if the line was stamped, when something was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub line: u32,
    pub at: Option<Timestamp>,
}

/// A line of the log: bounded, cleaned and redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    pub line: u32,
    pub text: Box<str>,
}

impl Seen {
    /// It says enough to be a hypothesis: it does not pass by itself, it repeats, or, where the program ended, it
    /// ended on it.
    pub fn tells(&self, ended: bool) -> bool {
        !self.retried || self.times > 1 || (ended && self.last_words)
    }
}

impl Reading {
    /// The most telling cause that says enough. `ended`: the run that wrote the log is over.
    pub fn lead(&self, ended: bool) -> Option<&Seen> {
        self.seen.iter().find(|seen| self.matters(seen, ended) && seen.tells(ended))
    }

    /// The most telling cause, whether it says enough or not.
    pub fn first(&self, ended: bool) -> Option<&Seen> {
        self.seen.iter().find(|seen| self.matters(seen, ended))
    }

    /// The first line of those that tell: the last error, or the most telling cause.
    pub fn error(&self, ended: bool) -> Option<u32> {
        let told = self.lead(ended).or(self.first(ended)).map(|seen| seen.last.line);
        self.fatal.as_ref().map(|quote| quote.line).into_iter().chain(told).min()
    }

    fn matters(&self, seen: &Seen, ended: bool) -> bool {
        seen.last_words || !(ended && (self.own_end || seen.passed))
    }
}

/// What stands in the place of a log that is not there any more. The kubelet has answered by then and can only write its
/// error where the log should be (`GetContainerLogs` in pkg/kubelet/kuberuntime/kuberuntime_container.go), and
/// `kubectl logs` prints it as one.
const GONE: &[u8] = b"unable to retrieve container logs for ";

/// The log was not there any more when it was read; nothing of the program is in this.
pub fn is_gone(log: &[u8]) -> bool {
    log.starts_with(GONE) && log.trim_ascii_end().iter().all(|byte| *byte != b'\n')
}

/// The stamps of the API server on the first and on the last line, where it put any.
pub fn times(log: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let time = |line: &[u8]| line::time(line::stamp(line));
    let mut lines = log.split(|byte| *byte == b'\n');
    Some((lines.clone().find_map(time)?, lines.rfind(|line| !line.is_empty()).and_then(time)?))
}

/// Reads the log of one run of a container, with or without the stamps of the API server.
pub fn read(log: &[u8]) -> Reading {
    let (log, cut) = line::bounded(log);
    if log.is_empty() {
        return Reading { cut, ..Reading::default() };
    }
    let last = last::words(log);
    let mut scan = Scan::new(last.as_ref());
    let mut lines = 0;
    for (number, bytes) in line::lines(log) {
        lines = number;
        scan.line(number, bytes);
    }
    let mut seen = scan.tally.finish();
    for seen in &mut seen {
        seen.passed = last.as_ref().is_some_and(|last| has_passed(seen, last));
    }
    seen.extend(of_end(last.as_ref(), &seen));
    let own_end = last.as_ref().is_some_and(|last| last.ends && last.its_own);
    let reports = last.filter(|last| last.kind > Kind::Plain);
    Reading {
        lines,
        cut,
        seen,
        fatal: reports.as_ref().map(|last| quote(&last.fatal)),
        root: reports.as_ref().map(|last| quote(&last.root)),
        own_end,
    }
}

/// What was named before the last error and is not what it ended on. What repeats may well be, and what does not fit the
/// schema does not pass.
fn has_passed(seen: &Seen, last: &Last) -> bool {
    let optional = seen.warned && matches!(seen.cause, Cause::MissingCode | Cause::ConfigError);
    let stays = matches!(seen.cause, Cause::MigrationFailed | Cause::SchemaMismatch);
    let may_pass = !seen.last_words && !stays && (seen.times == 1 || optional);
    may_pass && last.leaves_behind(seen.last.line, seen.warned)
}

/// A program that ended on an error that nothing else explains.
fn of_end(last: Option<&Last>, seen: &[Seen]) -> Option<Seen> {
    let last = last.filter(|last| last.ends)?;
    if seen.iter().any(|seen| seen.last_words) {
        return None;
    }
    let uncaught = last.kind == Kind::Uncaught;
    let cause = match last.elsewhere {
        Some(cause) => cause,
        None if uncaught && last.of_settings => Cause::ConfigError,
        None if uncaught => Cause::Panic,
        None => return None,
    };
    let text = &last.root.text;
    let place = Place { line: last.root.number, at: None };
    Some(Seen {
        cause,
        times: 1,
        retried: last.elsewhere.is_some(),
        last_words: true,
        warned: false,
        passed: false,
        confidence: Confidence::Likely,
        first: place,
        last: place,
        text: quoted(text),
        phrases: last.elsewhere.map(|_| phrase::of(text, 0..text.len())).into_iter().collect(),
    })
}

fn quote(words: &Words) -> Quote {
    Quote { line: words.number, text: quoted(&words.text) }
}

/// Redacted before it is cut, so that no half of a secret is left over.
fn quoted(line: &str) -> Box<str> {
    text::clean(&text::redact(line), MAX_QUOTE)
}

/// One pass over a log.
struct Scan<'l> {
    signatures: &'static Signatures,
    last: Option<&'l Last>,
    walk: Walk<'l>,
    tally: Tally,
    /// The entry whose level was found out last.
    level: Option<(u32, Option<Level>)>,
}

impl<'l> Scan<'l> {
    fn new(last: Option<&'l Last>) -> Self {
        Self { signatures: Signatures::get(), last, walk: Walk::default(), tally: Tally::default(), level: None }
    }

    fn line(&mut self, number: u32, bytes: &'l [u8]) {
        let (stamp, bytes) = line::unstamped(bytes);
        let begins = self.walk.step(bytes);
        let Some(around) = self.signatures.hint(bytes) else {
            if self.tally.may_be_taken_back()
                && let Some(success) = success::of_line(bytes)
            {
                self.tally.take_back(success, bytes, line::time(stamp));
            }
            return;
        };
        let record = Record::new(bytes, around);
        let level = if begins { record.level } else { record.level.or_else(|| self.level_of_entry()) };
        let place = Place { line: number, at: line::time(stamp) };
        for line in record.lines() {
            if let Some((signature, at)) = self.cause(line, level, number) {
                let last_words = self.last.is_some_and(|last| last.ends && last.holds(number));
                let (cause, retried) = (signature.cause, signature.how.retried);
                let warned = level == Some(Level::Warning);
                let sight = Sight { cause, retried, last_words, warned, place, entry: self.walk.entry(), at };
                self.tally.add(sight, line);
            }
        }
    }

    /// The level of the line that the entry began with, found out once per entry.
    fn level_of_entry(&mut self) -> Option<Level> {
        let entry = self.walk.entry();
        if let Some((_, level)) = self.level.filter(|(of, _)| *of == entry) {
            return level;
        }
        let level = Record::new(self.walk.header(), 0).level;
        self.level = Some((entry, level));
        level
    }

    /// The most telling cause that a line names and that counts there.
    fn cause(&self, line: &str, level: Option<Level>, number: u32) -> Option<(&'static Signature, Range<usize>)> {
        if is_no_report(line) {
            return None;
        }
        let in_last_words = self.last.is_some_and(|last| last.holds(number));
        let counts = |how: How| match how.when {
            When::Always => true,
            When::Reported => level.is_none_or(|level| level >= Level::Warning),
            When::Severe => {
                level.is_some_and(|level| level >= Level::Error)
                    || (in_last_words && level.is_none_or(|level| level >= Level::Warning))
            }
            When::Fatal => {
                let ends = self.last.is_some_and(|last| last.ends);
                in_last_words && ends && level.is_none_or(|level| level >= Level::Warning)
            }
        };
        let found = self.signatures.of_line(line);
        // What is part of a longer phrase means what that one does.
        let within = |at: &Range<usize>| {
            let longer = found.iter().filter(|(signature, other)| signature.is_plain() && other != at);
            longer.into_iter().any(|(_, other)| other.start <= at.start && at.end <= other.end)
        };
        let told = found.iter().filter(|(_, at)| !within(at));
        let told = told.filter(|(signature, at)| counts(signature.how) && !is_denied(line, at.start)).cloned();
        told.min_by_key(|(signature, _)| (rank(signature.cause), signature.how.retried))
    }
}

/// Comments, help texts, names of tests that ran, and what servers say of clients that do not trust them or change their mind.
fn is_no_report(line: &str) -> bool {
    let start = line.trim_start();
    let indented = start.len() < line.len();
    let option = indented && start.starts_with('-') && !start.starts_with("--->");
    let comment = ["// ", "-- ", "* ", "# "].iter().any(|mark| start.starts_with(mark)) && !is_of_jvm(start);
    let by_client = ["TLS handshake error from", "canceling statement due to user request"];
    let of_test = ["✓ ", "✔ ", "√ ", "✕ "].iter().any(|mark| start.starts_with(mark)) || is_of_tap(start);
    option || comment || of_test || by_client.iter().any(|words| line.contains(words))
}

/// `ok 12 - throws on x`, as test runners print it.
fn is_of_tap(line: &str) -> bool {
    let rest = line.strip_prefix("not ").unwrap_or(line).strip_prefix("ok ");
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The JVM writes of its own end behind `#`.
fn is_of_jvm(line: &str) -> bool {
    ["# A fatal error", "# There is insufficient memory", "#  ", "# java.lang.OutOfMemoryError"]
        .iter()
        .any(|start| line.starts_with(start))
}

/// `no deadlock detected`, `retry on deadlock detected`, `fork/exec /bin/x: no such file or directory`.
fn is_denied(line: &str, at: usize) -> bool {
    let before = line.get(..at).unwrap_or_default();
    // Go runs another program so.
    if before.ends_with("fork/") {
        return true;
    }
    if !before.ends_with(' ') {
        return false;
    }
    let word = before.trim_end().rsplit([' ', '\t', '=', ':', '"']).next().unwrap_or_default();
    let denied = ["no", "not", "0", "without", "never", "zero", "if"].iter().any(|w| word.eq_ignore_ascii_case(w));
    denied || before.ends_with("retry on ") || before.ends_with("retries on ")
}

#[cfg(test)]
mod end_tests;
#[cfg(test)]
mod tests;
