//! The last words of a program: the last error that it reported, and the innermost reason it gave for it.

use super::given_up::{gives_up, is_consequence};
use super::level::Level;
use super::node::{Part, Report};
use super::record::Record;
use super::shape::{self, Shape, Walk};
use super::{elsewhere, line, success};
use crate::engine::words::Cause;

/// How much of the end of a log is searched for last words.
const MAX_LINES: usize = 400;
const MAX_BYTES: usize = 1 << 17;
/// How many lines may follow the last words of a program that ended on them: some tell how they shut down.
const MAX_AFTER: usize = 15;
/// How many lines at the very end are last words of a program that names no levels.
const UNLABELLED: usize = 3;
/// An error so many lines after a worse one is another matter.
const APART: u32 = 60;

/// How a program speaks of an end; the order is that of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It said something last.
    Plain,
    /// It reported an error.
    Error,
    /// It called the error fatal.
    Fatal,
    /// Its runtime reported what nobody had caught.
    Uncaught,
}

/// A line with its number in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    pub number: u32,
    pub text: String,
}

/// The last error that a log reports.
#[derive(Debug)]
pub struct Last {
    pub kind: Kind,
    /// The first and the last line of it.
    pub from: u32,
    pub to: u32,
    /// Hardly anything follows it.
    pub ends: bool,
    /// What is said first, or for a traceback of Python last.
    pub fatal: Words,
    /// The innermost reason.
    pub root: Words,
    /// It reports that a setting is missing or does not fit.
    pub of_settings: bool,
    /// The program called it fatal or did not catch it, and it is more than word that something else was given up.
    pub its_own: bool,
    /// What went wrong elsewhere, if it speaks of that in words of no table.
    pub elsewhere: Option<Cause>,
    /// It reports something, and more than that of something else the program goes no further.
    says_more: bool,
    /// The last line before it that tells of nothing wrong.
    resumed: Option<u32>,
}

impl Last {
    /// What was said at a line is another matter than the error that the log ends on: the program went on after it. Of
    /// an error it takes a longer while, of what it only warned of not.
    pub fn leaves_behind(&self, number: u32, warned: bool) -> bool {
        let went_on = self.resumed.is_some_and(|resumed| number < resumed);
        self.ends && self.says_more && went_on && (warned || number.saturating_add(APART) < self.from)
    }

    /// The line of that number is part of it.
    pub fn holds(&self, number: u32) -> bool {
        (self.from..=self.to).contains(&number)
    }
}

/// One line of the end of the log. A line of JSON yields several of one number.
struct Line {
    number: u32,
    level: Option<Level>,
    text: String,
    /// It begins an entry of its own.
    begins: bool,
    /// Node's report of an error that nobody caught begins here.
    reports: bool,
}

impl Line {
    /// It tells of nothing wrong.
    fn is_quiet(&self) -> bool {
        self.level.is_some_and(|level| level < Level::Warning)
    }
}

/// Spring's report of why it does not start.
const REPORT: &str = "APPLICATION FAILED TO START";
/// What Python's frames show of a program that asks its surroundings or its settings.
const SETTINGS: &[&str] =
    &["environ[", "os.py\", line ", "settings[", "config[", "conf[", "cfg[", "env[", "environ.__getitem__"];
/// Beginnings of what runtimes say of errors that nobody caught.
const UNCAUGHT: &[&str] = &[
    "panic: ",
    "fatal error: ",
    "runtime: ",
    "Exception in thread ",
    "Unhandled exception",
    "Unhandled Exception",
    "Uncaught ",
    "uncaught ",
    "UnhandledPromiseRejection",
    "[UnhandledPromiseRejection",
    REPORT,
    "node:internal/",
    "PHP Fatal error:",
    "Fatal error: Uncaught",
    "FATAL ERROR: ",
    "** (",
    "terminate called ",
    "Kernel pid terminated",
    "# A fatal error has been detected by the Java Runtime Environment",
    "*** stack smashing detected",
    "Segmentation fault",
    "Fatal glibc error: ",
    "free(): ",
    "malloc(): ",
    "double free or corruption",
    "memory allocation of ",
    "Terminating due to ",
    "SIGSEGV",
    "goroutine ",
    "Node.js v",
];

/// The last words of a log; `None` if it is empty.
pub fn words(log: &[u8]) -> Option<Last> {
    let lines = end(log);
    let mut best: Option<(Kind, usize, usize)> = None;
    let mut current: Option<(Kind, usize, usize)> = None;
    for (at, line) in lines.iter().enumerate() {
        let kind = kind(line);
        current = match (current.filter(|c| goes_on(&lines, *c, line)), kind) {
            (Some((before, from, _)), kind) => Some((kind.map_or(before, |kind| before.max(kind)), from, at)),
            (None, Some(kind)) => Some((kind, at, at)),
            (None, None) => None,
        };
        let number = |at: usize| lines.get(at).map_or(0, |line| line.number);
        if let Some(block) = current
            && best.is_none_or(|b| block.0 >= b.0 || block.1 <= b.2 || number(block.1) > number(b.2) + APART)
        {
            best = Some(block);
        }
    }
    let spoken = lines.iter().rposition(|line| !line.text.trim().is_empty())?;
    let (kind, from, to) = best.unwrap_or((Kind::Plain, (spoken + 1).saturating_sub(UNLABELLED), spoken));
    let after = lines.get(to + 1..).unwrap_or_default();
    let block = lines.get(from..=to)?;
    let root = if kind == Kind::Plain { words_of(block.last(), None) } else { root(block) };
    let quiet = kind < Kind::Fatal && is_quiet(&lines, if kind == Kind::Plain { to } else { from });
    let got_through = after.iter().any(|line| success::of_line(line.text.as_bytes()).is_some());
    let warned = kind == Kind::Plain && block.last().is_some_and(|line| line.level == Some(Level::Warning));
    let elsewhere = if quiet || warned || got_through { None } else { elsewhere::of_error(kind, &root.text) };
    let says_more = kind > Kind::Plain && !quiet && elsewhere.is_none();
    Some(Last {
        kind,
        from: block.first()?.number,
        to: block.last()?.number,
        ends: after.iter().filter(|line| !line.text.trim().is_empty()).count() <= MAX_AFTER,
        fatal: fatal(block, &root),
        of_settings: is_of_settings(block, &root),
        its_own: elsewhere.is_none() && !gives_up(kind, &root.text),
        says_more: says_more && !is_consequence(&root.text),
        resumed: lines.get(..from)?.iter().rfind(|line| line.is_quiet()).map(|line| line.number),
        elsewhere,
        root,
    })
}

/// The line is of an entry that tells of nothing wrong.
fn is_quiet(lines: &[Line], at: usize) -> bool {
    let upto = lines.get(..=at).unwrap_or_default();
    let header = upto.iter().rfind(|line| line.begins);
    upto.last().into_iter().chain(header).any(Line::is_quiet)
}

/// The lines of the end of a log.
fn end(log: &[u8]) -> Vec<Line> {
    // A line that was cut in two is left out: what stands before a secret tells that it is one.
    let start = match log.len().saturating_sub(MAX_BYTES) {
        0 => 0,
        cut => log.iter().skip(cut).position(|byte| *byte == b'\n').map_or(log.len(), |at| cut + at + 1),
    };
    let tail: Vec<(u32, &[u8])> = line::lines(log.get(start..).unwrap_or_default()).collect();
    let before = log.get(..start).unwrap_or_default().iter().filter(|b| **b == b'\n').count();
    let before = u32::try_from(before).unwrap_or(u32::MAX);
    let mut walk = Walk::default();
    let mut report = Report::default();
    let mut lines: Vec<Line> = Vec::new();
    // A traceback below a warning with which the log ends: loggers write some, but nobody ends on a warning.
    let mut trace = None;
    for (number, bytes) in tail.iter().skip(tail.len().saturating_sub(MAX_LINES)) {
        let (_, bytes) = line::unstamped(bytes);
        let begins = walk.step(bytes);
        let record = Record::new(bytes, 0);
        let number = number.saturating_add(before);
        let part = report.step(bytes);
        let of_message = part == Some(Part::Message);
        if part == Some(Part::Mark)
            && let Some(place) = lines.iter_mut().rev().find(|line| line.number.saturating_add(2) == number)
        {
            place.reports = true;
        }
        if begins {
            trace = None;
        } else if shape::of_line(bytes) == Shape::Traceback && walk.is_of_warning() {
            trace = trace.or(Some(lines.len()));
        }
        let parts = record.lines().enumerate();
        lines.extend(parts.map(|(nth, text)| Line {
            number,
            level: record.level.filter(|_| !of_message),
            text: text.to_owned(),
            begins: begins && nth == 0 && !of_message,
            reports: false,
        }));
    }
    if let Some(line) = trace.and_then(|at| lines.get_mut(at)) {
        line.begins = true;
    }
    lines
}

/// A runtime begins so what it says of an error that nobody caught.
pub fn is_uncaught(text: &str) -> bool {
    let panics = text.starts_with("thread '") && text.contains(" panicked at ");
    panics || UNCAUGHT.iter().any(|words| text.starts_with(words)) || is_of_ruby(text)
}

/// How a line speaks of an end, if it does.
fn kind(line: &Line) -> Option<Kind> {
    if line.is_quiet() {
        return None;
    }
    if line.reports {
        return Some(Kind::Uncaught);
    }
    let text = line.text.as_str();
    let traceback = line.begins && text.starts_with("Traceback (most recent call last)");
    if traceback || is_uncaught(text) {
        return Some(Kind::Uncaught);
    }
    match line.level {
        Some(Level::Fatal) => return Some(Kind::Fatal),
        Some(Level::Error) => return Some(Kind::Error),
        Some(_) => return None,
        None => {}
    }
    let says = |word: &str| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if says("fatal:") || says("fatal ") {
        Some(Kind::Fatal)
    } else if says("error:") || says("error ") || shape::is_exception(text.as_bytes()) {
        Some(Kind::Error)
    } else {
        None
    }
}

/// `app.rb:3:in 'load': no such file (Errno::ENOENT)`.
fn is_of_ruby(text: &str) -> bool {
    let place = text.find(":in '").or_else(|| text.find(":in `"));
    place.is_some_and(|at| text.get(..at).is_some_and(|file| !file.contains(' ')))
        && text.ends_with(')')
        && text.contains("': ")
}

/// The line belongs to the error that was begun.
fn goes_on(lines: &[Line], (kind, from, to): (Kind, usize, usize), line: &Line) -> bool {
    let Some((first, last)) = lines.get(from).zip(lines.get(to)) else { return false };
    let same = line.number == last.number;
    let dumps = kind == Kind::Uncaught && line.level.is_none() && first.number.saturating_add(300) > line.number;
    same || dumps || !line.begins
}

/// A key that Python misses in the environment or in settings, as its last frame tells, or Spring's report of anything
/// that no other words explain.
fn is_of_settings(block: &[Line], root: &Words) -> bool {
    if block.iter().any(|line| line.text == REPORT) {
        return true;
    }
    let frames = block.iter().rev().take_while(|line| !line.text.starts_with("Traceback (most recent call last)"));
    // The lines of the last frame: where it is, what it does, and marks below that.
    let mut last = frames.map(|line| line.text.as_str()).filter(|text| text.starts_with(char::is_whitespace)).take(4);
    root.text.starts_with("KeyError: ") && last.any(|text| SETTINGS.iter().any(|words| text.contains(words)))
}

/// The innermost reason of an error.
fn root(block: &[Line]) -> Words {
    let found = caused_by(block)
        .or_else(|| of_node(block))
        .or_else(|| of_traceback(block))
        .or_else(|| of_panic(block))
        .or_else(|| of_report(block))
        .or_else(|| of_type(block));
    found.unwrap_or_else(|| words_of(block.first(), None))
}

fn words_of(line: Option<&Line>, text: Option<&str>) -> Words {
    let number = line.map_or(0, |line| line.number);
    let text = text.or(line.map(|line| line.text.as_str())).unwrap_or_default();
    Words { number, text: text.trim().to_owned() }
}

/// The last reason of a chain: `Caused by: x`, `[cause]: x`, `---> x`, or numbered below a `Caused by:` of Rust.
fn caused_by(block: &[Line]) -> Option<Words> {
    let mut listed = false;
    let mut found = None;
    for line in block {
        let text = line.text.as_str();
        let trimmed = text.trim();
        if trimmed == "Caused by:" {
            listed = true;
        } else if let Some(cause) = text.strip_prefix("Caused by: ") {
            found = Some(words_of(Some(line), Some(cause)));
        } else if let Some((_, cause)) = text.split_once("[cause]: ") {
            found = Some(words_of(Some(line), Some(cause)));
        } else if let Some((_, cause)) = text.rsplit_once("---> ") {
            let cause = cause.trim_start_matches("(Inner Exception #0) ");
            found = Some(words_of(Some(line), Some(cause)));
        } else if listed && (trimmed.is_empty() || !text.starts_with(char::is_whitespace)) {
            listed = false;
        } else if listed {
            let numbered = trimmed.split_once(": ").filter(|(n, _)| n.bytes().all(|b| b.is_ascii_digit()));
            found = Some(words_of(Some(line), Some(numbered.map_or(trimmed, |(_, cause)| cause))));
        }
    }
    found
}

/// The line after the mark of the last report of Node.
fn of_node(block: &[Line]) -> Option<Words> {
    let start = block.iter().rposition(|line| line.reports)?;
    let said = block.get(start + 3..)?.iter().find(|line| !line.text.trim().is_empty());
    said.map(|line| words_of(Some(line), None))
}

/// The line after the frames of the last traceback.
fn of_traceback(block: &[Line]) -> Option<Words> {
    let start = block.iter().rposition(|line| line.text.starts_with("Traceback (most recent call last)"))?;
    let rest = block.get(start + 1..)?;
    let raised = rest.iter().find(|line| !line.text.is_empty() && !line.text.starts_with(char::is_whitespace));
    raised.map(|line| words_of(Some(line), None))
}

/// The message of a panic: of Go's last one, or of Rust's, which may stand in the next line.
fn of_panic(block: &[Line]) -> Option<Words> {
    let at = block.iter().rposition(|line| {
        let text = line.text.trim_start();
        text.starts_with("panic: ") || text.contains(" panicked at ")
    })?;
    let line = block.get(at)?;
    if !line.text.ends_with(':') {
        return Some(words_of(Some(line), None));
    }
    let message = block.get(at + 1).map(|next| next.text.trim()).unwrap_or_default();
    Some(words_of(Some(line), Some(&format!("{} {message}", line.text.trim()))))
}

/// What Spring's report describes.
fn of_report(block: &[Line]) -> Option<Words> {
    let start = block.iter().rposition(|line| line.text == REPORT)?;
    let rest = block.get(start + 1..)?;
    let described = rest.iter().skip_while(|line| line.text != "Description:").skip(1);
    described.into_iter().find(|line| !line.text.trim().is_empty()).map(|line| words_of(Some(line), None))
}

/// The last line of the shape of an error, where the first line is no message.
fn of_type(block: &[Line]) -> Option<Words> {
    let mut errors = block.iter().filter(|line| shape::of_line(line.text.as_bytes()) == Shape::Exception);
    let first = errors.next()?;
    let is_node =
        block.iter().any(|line| line.text.starts_with("node:internal/") || line.text.starts_with("Node.js v"));
    (is_node || block.first().is_some_and(|line| line.number != first.number)).then(|| words_of(Some(first), None))
}

/// The line that says what happened, where the first one only announces it.
fn fatal(block: &[Line], root: &Words) -> Words {
    let first = block.first().map(|line| line.text.as_str()).unwrap_or_default();
    let announces =
        ["Traceback (most", "node:internal/", "goroutine ", "Node.js v"].iter().any(|w| first.starts_with(w));
    let panics = first.contains(" panicked at ") && first.ends_with(':');
    let of_node = block.first().filter(|line| line.reports).and_then(|_| of_node(block));
    of_node.unwrap_or_else(|| if announces || panics { root.clone() } else { words_of(block.first(), None) })
}
