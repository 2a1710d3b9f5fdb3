//! How the lines of a log hang together: which belong to a stack trace or to the line before, and which begin something.

use super::level::{self, Level};
use super::record::Record;

/// What one line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It says something of its own.
    Statement,
    /// The type and message of an error, as `java.net.ConnectException: refused` or `KeyError: 'x'`.
    Exception,
    /// `Traceback (most recent call last):`, after which the error comes last.
    Traceback,
    /// What joins two tracebacks of Python.
    Joint,
    /// It goes on with what the line before said.
    Rest,
}

/// Beginnings of lines that go on, apart from white space.
const RESTS: &[&str] = &[
    "at ",
    "Caused by:",
    "Suppressed:",
    "... ",
    "--- End of ",
    "---> ",
    "}",
    ")",
    "]",
    "goroutine ",
    "created by ",
    "[signal ",
    "exit status ",
    "stack backtrace:",
    "Stack backtrace:",
    "Location:",
    "note: ",
    "from ",
    "DETAIL:",
    "HINT:",
    "Node.js v",
    "(Background on this error at",
    // Where an excerpt leaves lines out.
    "…",
];
/// How many lines the message of an error may have.
const MAX_MESSAGE: u32 = 8;
/// How long the name of an error may be.
const MAX_NAME: usize = 160;

pub fn of_line(line: &[u8]) -> Shape {
    let Some(first) = line.first() else { return Shape::Rest };
    if first.is_ascii_whitespace() {
        return Shape::Rest;
    }
    if line.starts_with(b"Traceback (most recent call last)") {
        return Shape::Traceback;
    }
    if line.starts_with(b"During handling of the above exception") || line.starts_with(b"The above exception was") {
        return Shape::Joint;
    }
    if RESTS.iter().any(|rest| line.starts_with(rest.as_bytes())) {
        return Shape::Rest;
    }
    if is_exception(line) { Shape::Exception } else { Shape::Statement }
}

/// A dotted name that ends as those of errors do, then a colon, a bracket or the end.
pub fn is_exception(line: &[u8]) -> bool {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$' | b':' | b'/');
    let line = line.strip_prefix(b"Uncaught ").unwrap_or(line);
    let length = line.iter().take(MAX_NAME).take_while(|b| is_name(**b)).count();
    let name = line.get(..length).unwrap_or_default();
    let closed =
        name.ends_with(b":") || name.len() == line.len() || line.get(length..).is_some_and(|r| r.starts_with(b" ["));
    let name = name.strip_suffix(b":").unwrap_or(name);
    let ends = ["Error", "Exception", "Throwable", "Failure", "Fault", "Warning", "Interrupt", "Exit"];
    let known = ends.iter().any(|end| name.ends_with(end.as_bytes())) && !name.ends_with(b"Warning");
    closed && known && name.first().is_some_and(u8::is_ascii_alphabetic)
}

/// It does not begin as loggers begin their lines.
fn is_prose(line: &[u8]) -> bool {
    let word = first_word(line);
    !word.is_empty() && level::of_word(word).is_none()
}

/// The letters that a line begins with.
pub fn first_word(line: &[u8]) -> &str {
    let length = line.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    line.get(..length).and_then(|word| std::str::from_utf8(word).ok()).unwrap_or_default()
}

/// Follows a log line by line and tells which lines belong together.
#[derive(Debug, Default)]
pub struct Walk<'a> {
    /// Counts what was begun so far.
    entry: u32,
    header: &'a [u8],
    /// The line before was a statement.
    fresh: bool,
    /// A traceback has begun whose error has not come yet.
    open: bool,
    /// Two tracebacks are being joined.
    joining: bool,
    /// How many more lines the message of an error may have before its first frame.
    message: u32,
}

impl<'a> Walk<'a> {
    /// Takes the next line; true if it begins an entry of its own.
    pub fn step(&mut self, line: &'a [u8]) -> bool {
        let shape = of_line(line);
        let belongs = match shape {
            Shape::Rest | Shape::Joint => true,
            Shape::Traceback => self.joining || self.announces(),
            Shape::Exception => self.open || self.announces(),
            Shape::Statement => self.open || (self.message > 0 && is_prose(line)),
        };
        if !belongs {
            self.entry += 1;
            self.header = line;
        }
        self.fresh = (!belongs && shape == Shape::Statement) || (self.fresh && line.is_empty());
        self.message = match shape {
            Shape::Exception => MAX_MESSAGE,
            Shape::Rest if line.starts_with(b"Caused by: ") => MAX_MESSAGE,
            Shape::Statement if belongs => self.message.saturating_sub(1),
            _ => 0,
        };
        self.open = match shape {
            Shape::Traceback => true,
            Shape::Rest => self.open,
            _ => false,
        };
        self.joining = shape == Shape::Joint || (self.joining && line.is_empty());
        !belongs
    }

    /// Which entry the line belongs to.
    pub fn entry(&self) -> u32 {
        self.entry
    }

    /// The line with which the entry began.
    pub fn header(&self) -> &'a [u8] {
        self.header
    }

    /// The entry began with a warning.
    pub fn is_of_warning(&self) -> bool {
        Record::new(self.header, 0).level == Some(Level::Warning)
    }

    /// The line before is one with which a logger reports an error. What follows a line that says all is well is not
    /// logged with it: the runtime printed it.
    fn announces(&self) -> bool {
        self.fresh && Record::new(self.header, 0).level.is_some_and(|level| level != Level::Info)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("java.net.ConnectException: Connection refused", Shape::Exception)]
    #[case("psycopg2.OperationalError: x", Shape::Exception)]
    #[case("KeyError: 'X'", Shape::Exception)]
    #[case("MemoryError", Shape::Exception)]
    #[case("Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'x'", Shape::Exception)]
    #[case("Errors: 0", Shape::Statement)]
    #[case("an Error happened", Shape::Statement)]
    #[case("DeprecationWarning: x", Shape::Statement)]
    #[case("\tat com.example.Main", Shape::Rest)]
    #[case("Caused by: x", Shape::Rest)]
    #[case("", Shape::Rest)]
    #[case("Traceback (most recent call last):", Shape::Traceback)]
    #[case("2024-01-02 INFO x", Shape::Statement)]
    fn lines_have_shapes(#[case] line: &str, #[case] shape: Shape) {
        assert_eq!(of_line(line.as_bytes()), shape);
    }

    #[rstest]
    #[case("WARN a|java.lang.Error: b|\tat c|Caused by: d|INFO e", "1 1 1 1 2")]
    #[case("INFO a|java.lang.Error: b|\tat c", "1 2 2")]
    #[case("ERROR a|Traceback (most recent call last):|  File b|c.DError: e|ERROR f", "1 1 1 1 2")]
    #[case(
        "Traceback (most recent call last):|  b|KeyError: c||During handling of the above exception, x:||Traceback (most recent call last):|  d|XError: e",
        "1 1 1 1 1 1 1 1 1"
    )]
    #[case("Error: a|    at b|Error: a|    at b", "1 1 2 2")]
    #[case("a|b|c", "1 2 3")]
    #[case("ERROR a||a.BException: c|SQL State : 42P01|\tat d|e", "1 1 1 1 1 2")]
    #[case("a.BException: c|INFO d|e", "1 2 3")]
    #[case(
        "Traceback (most recent call last):|  b|KeyError: c|Traceback (most recent call last):|  b|KeyError: c",
        "1 1 1 2 2 2"
    )]
    fn lines_that_belong_together_are_one_entry(#[case] lines: &str, #[case] entries: &str) {
        let mut walk = Walk::default();
        let numbers: Vec<String> = lines
            .split('|')
            .map(|line| {
                walk.step(line.as_bytes());
                walk.entry().to_string()
            })
            .collect();
        assert_eq!(numbers.join(" "), entries);
    }
}
