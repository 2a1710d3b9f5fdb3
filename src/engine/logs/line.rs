//! A log as lines, and a line without what was put around it: the time stamps of the API server and of container
//! runtimes.

use jiff::Timestamp;

use super::level;
use crate::engine::text;

/// How much of a log is read, from its end.
pub const MAX_BYTES: usize = 1 << 20;
pub const MAX_LINES: usize = 20_000;
/// How much of one line is looked at closely.
const MAX_TEXT: usize = 8192;
/// Longest run of blanks that brings a level to the width of others.
const MAX_PADDING: usize = 4;
/// How far before the place of interest that begins.
const BEFORE: usize = 2048;

/// The end of a log within bounds, and whether anything was left out.
pub fn bounded(log: &[u8]) -> (&[u8], bool) {
    let log = log.strip_suffix(b"\n").unwrap_or(log);
    let start = log.len().saturating_sub(MAX_BYTES);
    // A line that was cut in two is left out: what stands before a secret tells that it is one.
    let start = if start == 0 { 0 } else { newline(log.get(start - 1..)).map_or(log.len(), |at| start + at) };
    let end = log.get(start..).unwrap_or_default();
    let mut breaks = end.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    match breaks.nth(MAX_LINES - 1) {
        Some((at, _)) => (end.get(at + 1..).unwrap_or_default(), true),
        None => (end, start > 0),
    }
}

fn newline(bytes: Option<&[u8]>) -> Option<usize> {
    bytes?.iter().position(|byte| *byte == b'\n')
}

/// The lines with their numbers, which count from 1.
pub fn lines(log: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let lines = log.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    (1..).zip(lines)
}

/// What stands before a line that a program wrote: the time in RFC 3339, as the API server and runtimes put it, and the
/// stream and tag of the runtime.
pub fn unstamped(line: &[u8]) -> (Option<&str>, &[u8]) {
    let Some(stamp) = stamp(line) else { return (None, line) };
    let rest = line.get(stamp.len() + 1..).unwrap_or_default();
    let streams: [&[u8]; 4] = [b"stdout F ", b"stderr F ", b"stdout P ", b"stderr P "];
    let rest = streams.iter().find_map(|stream| rest.strip_prefix(*stream)).unwrap_or(rest);
    (Some(stamp), unpadded(rest))
}

/// Where the program put the stamp itself, its level may be brought to the width of others by blanks, which do not make
/// the line one that goes on.
fn unpadded(rest: &[u8]) -> &[u8] {
    if rest.first() != Some(&b' ') {
        return rest;
    }
    let said = rest.trim_ascii_start();
    let length = said.iter().take_while(|b| b.is_ascii_uppercase()).count();
    let word = std::str::from_utf8(said.get(..length).unwrap_or_default()).unwrap_or_default();
    if rest.len() - said.len() <= MAX_PADDING && level::of_word(word).is_some() { said } else { rest }
}

pub fn stamp(line: &[u8]) -> Option<&str> {
    let is_date = line.get(10) == Some(&b'T') && line.get(4) == Some(&b'-') && line.first()?.is_ascii_digit();
    let end = line.iter().take(40).position(|byte| *byte == b' ').filter(|end| is_date && *end >= 20)?;
    let stamp = std::str::from_utf8(line.get(..end)?).ok()?;
    let zoned = stamp.ends_with('Z') || stamp.get(19..)?.contains(['+', '-']);
    zoned.then_some(stamp)
}

pub fn time(stamp: Option<&str>) -> Option<Timestamp> {
    stamp?.parse().ok()
}

/// The text of a line around a place of interest: without terminal escapes and undecodable bytes, with the quotes and
/// line ends back that a format has escaped.
pub fn text(line: &[u8], around: usize) -> String {
    let plain = |from: usize, to: usize| {
        let piece = line.get(from..line.len().min(to)).unwrap_or_default();
        text::strip(&String::from_utf8_lossy(piece), '\t')
    };
    if line.len() <= MAX_TEXT {
        let text = plain(0, MAX_TEXT);
        return if is_escaped(&text) { unescaped(&text) } else { text };
    }
    // A secret may stand across the places where the line is cut, and so may an escape sequence, which would take along
    // what stands before the secret. What is made of a beginning is the beginning of what is made of all.
    let start = around.saturating_sub(BEFORE);
    let end = start.saturating_add(MAX_TEXT);
    let (from, to) = (start.saturating_sub(text::EDGE), end.saturating_add(text::EDGE));
    let whole = plain(from, to);
    let escaped = is_escaped(&whole);
    let meant = |text: String| if escaped { unescaped(&text) } else { text };
    let (before, until) = (meant(plain(from, start)).len(), meant(plain(from, end)).len());
    let masked = text::mask(&meant(whole));
    text::tail(text::head(&masked, until), until.saturating_sub(before)).to_owned()
}

fn is_escaped(text: &str) -> bool {
    text.contains("\\\"") || text.contains("\\n")
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        match chars.peek() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => {}
            Some(quote @ ('"' | '\\' | '\'')) => out.push(*quote),
            _ => {
                out.push('\\');
                continue;
            }
        }
        chars.next();
    }
    out
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2024-01-02T03:04:05.678901234Z hello", Some("2024-01-02T03:04:05.678901234Z"), "hello")]
    #[case("2024-01-02T03:04:05+02:00 stderr F hello", Some("2024-01-02T03:04:05+02:00"), "hello")]
    #[case("2024-01-02T03:04:05.678 hello", None, "2024-01-02T03:04:05.678 hello")]
    #[case("2024-01-02 03:04:05 hello", None, "2024-01-02 03:04:05 hello")]
    #[case("2024-01-02T03:04:05.678Z  WARN 1 --- hello", Some("2024-01-02T03:04:05.678Z"), "WARN 1 --- hello")]
    #[case("2024-01-02T03:04:05Z     at INFO", Some("2024-01-02T03:04:05Z"), "    at INFO")]
    #[case("2024-01-02T03:04:05Z   error hello", Some("2024-01-02T03:04:05Z"), "  error hello")]
    #[case("2024-01-02T03:04:05Z \tWARN hello", Some("2024-01-02T03:04:05Z"), "\tWARN hello")]
    #[case("hello", None, "hello")]
    #[case("", None, "")]
    fn stamps_are_taken_off(#[case] line: &str, #[case] stamp: Option<&str>, #[case] rest: &str) {
        assert_eq!(unstamped(line.as_bytes()), (stamp, rest.as_bytes()));
        assert_eq!(time(stamp).is_some(), stamp.is_some());
    }

    #[test]
    fn lines_end_as_they_do_on_any_system() {
        let all: Vec<_> = lines(b"a\r\nb\n\nc").collect();
        assert_eq!(all, [(1, &b"a"[..]), (2, b"b"), (3, b""), (4, b"c")]);
    }

    #[test]
    fn the_end_of_a_long_log_is_read_from_the_beginning_of_a_line() {
        assert_eq!(bounded(b"a\nb\n"), (&b"a\nb"[..], false));
        let long = format!("{}\nlast", "x".repeat(MAX_BYTES));
        assert_eq!(bounded(long.as_bytes()), (&b"last"[..], true));
        assert_eq!(bounded("x".repeat(MAX_BYTES + 1).as_bytes()), (&b""[..], true));
        let many = "x\n".repeat(MAX_LINES + 5);
        let (end, cut) = bounded(many.as_bytes());
        assert_eq!((lines(end).count(), cut), (MAX_LINES, true));
    }

    #[test]
    fn a_text_is_what_was_meant() {
        assert_eq!(text(b"\x1b[31mpq: \\\"a\\\"\x1b[0m\\n\\tat \xff C:\\x", 0), "pq: \"a\"\n\tat  C:\\x");
        let long = [&[b'x'; 10_000][..], b"here", &[b'y'; 10_000]].concat();
        assert!(text(&long, 10_000).contains("here") && text(&long, 10_000).len() <= MAX_TEXT);
    }
}
