//! How often each cause is named, and where.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};

use super::success::{self, Success};
use super::{Place, Seen, phrase, quoted, rank};
use crate::engine::words::{Cause, Confidence};

/// One line that names a cause.
#[derive(Clone, Debug)]
pub struct Sight {
    pub cause: Cause,
    pub retried: bool,
    pub last_words: bool,
    /// The line is a warning.
    pub warned: bool,
    pub place: Place,
    /// The entry of the log that the line belongs to.
    pub entry: u32,
    /// Where in the line.
    pub at: Range<usize>,
}

#[derive(Debug)]
struct Count {
    cause: Cause,
    times: u32,
    retried: bool,
    last_words: bool,
    warned: bool,
    first: Place,
    last: Place,
    text: String,
    phrases: Vec<Box<str>>,
}

/// Standard output and standard error reach the runtime through pipes of their own, so that lines of one moment are in any
/// order in the log: what a program says before it ends in vain may stand behind that.
const MOMENT: SignedDuration = SignedDuration::from_millis(100);

/// Different phrases kept of one cause.
const MAX_PHRASES: usize = 4;

/// The causes that a log names so far. Of the lines of one entry the last one counts: stack traces give the innermost
/// reason last.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Vec<Count>,
    pending: Option<(Sight, String)>,
}

impl Tally {
    pub fn add(&mut self, sight: Sight, line: &str) {
        if let Some((before, _)) = &self.pending {
            let is_less = || outweighs(before.cause, sight.cause) || (before.cause == sight.cause && is_code(line));
            if before.entry == sight.entry && is_less() {
                return;
            }
            if before.entry != sight.entry {
                self.flush();
            }
        }
        self.pending = Some((sight, line.to_owned()));
    }

    /// Something was named that a later success may take back.
    pub fn may_be_taken_back(&self) -> bool {
        self.pending.as_ref().is_some_and(|(sight, _)| sight.retried) || self.counts.iter().any(|count| count.retried)
    }

    /// A line tells of a success at that time, if it has one.
    pub fn take_back(&mut self, success: Success, line: &[u8], at: Option<Timestamp>) {
        self.flush();
        let is_earlier = |count: &Count| count.last.at.zip(at).is_none_or(|(failed, at)| is_before(failed, at));
        let takes = |count: &Count| success::takes_back(success, count.cause, &count.text, line);
        let taken = |count: &Count| count.retried && is_earlier(count) && takes(count);
        self.counts.retain(|count| !taken(count));
    }

    /// What is left, the most telling first: the last words of the program, then what does not pass by itself or
    /// repeats, then what was said last.
    pub fn finish(mut self) -> Vec<Seen> {
        self.flush();
        let mut seen: Vec<Seen> = self.counts.into_iter().map(Count::seen).collect();
        seen.sort_by_key(|s| (!s.last_words, !s.tells(false), std::cmp::Reverse(s.last.line), rank(s.cause)));
        seen
    }

    fn flush(&mut self) {
        let Some((sight, text)) = self.pending.take() else { return };
        let phrase = phrase::of(&text, sight.at);
        match self.counts.iter_mut().find(|count| count.cause == sight.cause) {
            Some(count) => {
                count.times = count.times.saturating_add(1);
                count.retried &= sight.retried;
                count.last_words |= sight.last_words;
                count.warned &= sight.warned;
                count.last = sight.place;
                count.text = text;
                if count.phrases.len() < MAX_PHRASES && !count.phrases.contains(&phrase) {
                    count.phrases.push(phrase);
                }
            }
            None => self.counts.push(Count {
                cause: sight.cause,
                times: 1,
                retried: sight.retried,
                last_words: sight.last_words,
                warned: sight.warned,
                first: sight.place,
                last: sight.place,
                text,
                phrases: vec![phrase],
            }),
        }
    }
}

impl Count {
    fn seen(self) -> Seen {
        Seen {
            cause: self.cause,
            times: self.times,
            retried: self.retried,
            last_words: self.last_words,
            warned: self.warned,
            passed: false,
            confidence: if self.last_words { Confidence::Likely } else { Confidence::Possible },
            first: self.first,
            last: self.last,
            text: quoted(&self.text),
            phrases: self.phrases,
        }
    }
}

/// Stamps in whole seconds, which programs write themselves, tell nothing of moments.
fn is_before(failed: Timestamp, at: Timestamp) -> bool {
    let is_cut = [failed, at].iter().all(|at| at.subsec_nanosecond() == 0);
    is_cut || at.duration_since(failed) >= MOMENT
}

/// A migration that fails tells more than the statement on which it failed.
fn outweighs(before: Cause, after: Cause) -> bool {
    let of_statement = matches!(after, Cause::SchemaMismatch | Cause::DatabaseAuth | Cause::DatabaseLockTimeout);
    before == Cause::MigrationFailed && of_statement
}

/// A code alone, as Node prints it below an error: the words above it say more.
fn is_code(line: &str) -> bool {
    line.trim_start().starts_with("code: '")
}
