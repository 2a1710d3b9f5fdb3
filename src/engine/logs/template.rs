//! Phrases with holes: how drivers and runtimes word what happened.
//!
//! | hole | stands for |
//! |---|---|
//! | `{}` | anything of the line up to the next words |
//! | `{w}` | something without spaces |
//! | `{#}` | a number |
//! | `{E}` | the name of an environment variable; at the beginning of a phrase one with `_` |
//! | `{k}` | the name of a setting in lower case, such as `database_url` |
//! | `{f}` | the path of a file that holds settings |
//! | `{~}` | what stands between a key and its value; `{q}`: with a colon or an equals sign, and a quote at its end |
//! | `{!}` | nothing, where a word begins or ends |
//! | `{^}` | nothing, where what is said begins: at the beginning of a phrase |
//!
//! Words are compared in any ASCII case. Matching never goes back by more than one hole, so it takes time linear in the
//! length of the line.

use std::ops::Range;

use super::level;

/// How much a hole may span.
const MAX_HOLE: usize = 256;
/// How many places of one line are tried.
const MAX_TRIES: usize = 8;
/// Bytes that formats such as JSON may write in other ways. A phrase is searched for by a part without them.
const ESCAPED: &[char] = &['"', '\'', '\\', '/', '<', '>', '&', '+', '`', '\t'];

/// Longest run of what stands between a key and its value.
const MAX_BETWEEN: usize = 6;
/// Last words of the names of settings.
const SETTINGS: &[&str] = &[
    "url", "uri", "dsn", "host", "hostname", "port", "endpoint", "secret", "token", "password", "database", "bucket",
    "region",
];
/// Ends of the names of files that hold settings.
const SETTING_FILES: &[&str] = &[
    ".yaml",
    ".yml",
    ".json",
    ".toml",
    ".ini",
    ".conf",
    ".cfg",
    ".cnf",
    ".env",
    ".properties",
    ".xml",
    ".pem",
    ".crt",
    ".key",
    ".config",
];

#[derive(Debug)]
pub struct Template {
    parts: Vec<Part>,
    begins: Begins,
}

/// Where the first words may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    Anywhere,
    /// At the beginning of a word.
    Word,
    /// At the beginning of what is said.
    Saying,
    /// Behind the name of an environment variable, which belongs to the phrase.
    Name,
}

#[derive(Debug, PartialEq)]
enum Part {
    /// In lower case.
    Words(&'static str),
    Anything,
    Word,
    Number,
    Name,
    Setting,
    SettingFile,
    Between,
    Quote,
    Edge,
}

impl Template {
    pub fn new(text: &'static str) -> Self {
        let beginnings = [("{!}", Begins::Word), ("{^}", Begins::Saying), ("{E}", Begins::Name)];
        let begun = beginnings.into_iter().find_map(|(mark, begins)| Some((begins, text.strip_prefix(mark)?)));
        let (begins, text) = begun.unwrap_or((Begins::Anywhere, text));
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((hole, start, part)) = first_hole(rest) {
            parts.extend(rest.get(..start).filter(|words| !words.is_empty()).map(Part::Words));
            parts.push(part);
            rest = rest.get(start + hole..).unwrap_or_default();
        }
        parts.extend(Some(rest).filter(|words| !words.is_empty()).map(Part::Words));
        Self { parts, begins }
    }

    /// The longest words of the phrase that are written alike in every format: where they are not, the phrase is not.
    pub fn anchor(&self) -> &'static str {
        let words = self.parts.iter().filter_map(|part| match part {
            Part::Words(words) => Some(*words),
            _ => None,
        });
        words.flat_map(|words| words.split(ESCAPED)).max_by_key(|words| words.len()).unwrap_or_default()
    }

    /// It has no holes.
    pub fn is_plain(&self) -> bool {
        matches!(self.parts.as_slice(), [Part::Words(_)])
    }

    /// Where the phrase stands in a line.
    pub fn find(&self, line: &str) -> Option<Range<usize>> {
        let Some(Part::Words(first)) = self.parts.first() else { return None };
        let bytes = line.as_bytes();
        let mut from = 0;
        for _ in 0..MAX_TRIES {
            let start = position(bytes, first, from, usize::MAX)?;
            let from_here = || Some((self.begin(line, start)?, self.rest(bytes, start + first.len())?));
            if let Some((begin, end)) = from_here() {
                return Some(begin..end);
            }
            from = start + 1;
        }
        None
    }

    /// Where the phrase begins whose first words stand at `at`.
    fn begin(&self, line: &str, at: usize) -> Option<usize> {
        let before = line.get(..at)?;
        match self.begins {
            Begins::Anywhere => Some(at),
            Begins::Word => (!before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-')).then_some(at),
            Begins::Saying => is_beginning(before).then_some(at),
            Begins::Name => {
                let length = before.bytes().rev().take(MAX_HOLE).take_while(|b| is_of_name(*b)).count();
                let name = before.get(at - length..)?.trim_matches('_');
                let apart = !before.get(..at - length)?.ends_with(|c: char| c.is_alphanumeric());
                (apart && name.contains('_')).then_some(at - length)
            }
        }
    }

    fn rest(&self, line: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        let mut parts = self.parts.iter().skip(1).peekable();
        while let Some(part) = parts.next() {
            at = match (part, parts.peek()) {
                (Part::Words(words), _) => starts(line, words, at)?,
                (Part::Anything, Some(Part::Words(words))) => position(line, words, at, MAX_HOLE)?,
                (Part::Anything, _) => at,
                (Part::Word, Some(Part::Words(words))) => {
                    let end = at + run(line, at, |b| !b.is_ascii_whitespace());
                    position(line.get(..line.len().min(end + words.len()))?, words, at + 1, MAX_HOLE)?
                }
                (Part::Word, _) => at + some(run(line, at, |b| !b.is_ascii_whitespace()))?,
                (Part::Number, _) => at + some(run(line, at, |b| b.is_ascii_digit()))?,
                (Part::Name, _) => at + Some(run(line, at, is_of_name)).filter(|length| *length >= 3)?,
                (Part::Setting, _) => {
                    let end = at + run(line, at, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
                    is_setting(line.get(at..end)?).then_some(end)?
                }
                (Part::SettingFile, _) => {
                    let path =
                        |b: u8| !b.is_ascii_whitespace() && !matches!(b, b'"' | b'\'' | b':' | b',' | b'(' | b')');
                    let end = at + run(line, at, path);
                    is_setting_file(line.get(at..end)?).then_some(end)?
                }
                (Part::Between, _) => at + between(line, at),
                (Part::Quote, _) => {
                    let end = at + between(line, at);
                    let between = line.get(at..end)?;
                    let assigns = between.iter().any(|b| matches!(b, b':' | b'='));
                    (assigns && matches!(between.last(), Some(b'\'' | b'"'))).then_some(end)?
                }
                (Part::Edge, _) => {
                    let inside = line.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
                    (!inside).then_some(at)?
                }
            };
        }
        Some(at)
    }
}

/// The first hole of a text: its length, where it stands, and what it stands for.
fn first_hole(text: &str) -> Option<(usize, usize, Part)> {
    let holes = [
        ("{}", Part::Anything),
        ("{w}", Part::Word),
        ("{#}", Part::Number),
        ("{E}", Part::Name),
        ("{k}", Part::Setting),
        ("{f}", Part::SettingFile),
        ("{~}", Part::Between),
        ("{q}", Part::Quote),
        ("{!}", Part::Edge),
    ];
    let found = holes.into_iter().filter_map(|(hole, part)| Some((hole.len(), text.find(hole)?, part)));
    found.min_by_key(|(_, start, _)| *start)
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'
}

fn is_setting(name: &[u8]) -> bool {
    let name = std::str::from_utf8(name).unwrap_or_default();
    name.rsplit_once('_').is_some_and(|(_, last)| SETTINGS.contains(&last))
}

fn is_setting_file(path: &[u8]) -> bool {
    let path = String::from_utf8_lossy(path).to_ascii_lowercase();
    let name = path.rsplit('/').next().unwrap_or_default();
    SETTING_FILES.iter().any(|end| name.ends_with(end)) || name.starts_with("config") || path.starts_with("/etc/")
}

/// How long the run of blanks, signs of assignment, brackets and quotes is.
fn between(line: &[u8], at: usize) -> usize {
    let fits = |b: &&u8| matches!(b, b' ' | b':' | b'=' | b'[' | b'(' | b'"' | b'\'');
    line.get(at..).unwrap_or_default().iter().take(MAX_BETWEEN).take_while(fits).count()
}

/// Nothing of what is said comes before: a logger wrote that.
fn is_beginning(before: &str) -> bool {
    let before = before.trim_end();
    let last = before.rsplit([' ', '\t', '[']).next().unwrap_or_default();
    before.is_empty() || before.ends_with([':', '"', '=', ']', '|', '-', '>']) || level::of_word(last).is_some()
}

fn run(line: &[u8], at: usize, fits: impl Fn(u8) -> bool) -> usize {
    line.get(at..).unwrap_or_default().iter().take(MAX_HOLE).take_while(|b| fits(**b)).count()
}

fn some(length: usize) -> Option<usize> {
    (length > 0).then_some(length)
}

fn starts(line: &[u8], words: &str, at: usize) -> Option<usize> {
    let end = at + words.len();
    line.get(at..end)?.eq_ignore_ascii_case(words.as_bytes()).then_some(end)
}

/// Where `words` begin, at `from` or at most `most` bytes behind it.
pub fn position(line: &[u8], words: &str, from: usize, most: usize) -> Option<usize> {
    let words = words.as_bytes();
    let rest = line.get(from..)?;
    let first = words.first()?.to_ascii_lowercase();
    let mut windows = rest.windows(words.len()).take(most.saturating_add(1)).enumerate();
    let (at, _) = windows
        .find(|(_, w)| w.first().is_some_and(|b| b.to_ascii_lowercase() == first) && w.eq_ignore_ascii_case(words))?;
    Some(from + at)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("too many clients", "FATAL: sorry, Too Many Clients already", Some(14..30))]
    #[case("relation \"{}\" does not exist", "relation \"a b\" does not exist", Some(0..29))]
    #[case("after {#}ms", "after all, after 30000ms", Some(11..24))]
    #[case("after {#}ms", "after xms", None)]
    #[case("KeyError: '{E}'", "KeyError: 'DATABASE_URL'", Some(0..24))]
    #[case("KeyError: '{E}'", "KeyError: 'id'", None)]
    #[case("lookup {w}: no such host", "lookup db on 10.0.0.1:53: no such host", None)]
    #[case("on {w}: no such host", "lookup db on 10.0.0.1:53: no such host", Some(10..38))]
    #[case("version {w}", "version ", None)]
    #[case("a{}b", "a", None)]
    #[case("KeyError: '{k}'", "KeyError: 'database_url'", Some(0..24))]
    #[case("KeyError: '{k}'", "KeyError: 'order_id'", None)]
    #[case("KeyError: '{k}'", "KeyError: 'url'", None)]
    #[case("open {f}: no such", "open /srv/app.yaml: no such", Some(0..27))]
    #[case("open {f}: no such", "open /srv/17.pdf: no such", None)]
    #[case("{E} is required", "panic: DATABASE_URL is required", Some(7..31))]
    #[case("{E} is required", "NAME is required", None)]
    #[case("{E} is required", "xDATABASE_URL is required", None)]
    #[case("SQLSTATE{~}53300{!}", "error (SQLSTATE 53300)", Some(7..21))]
    #[case("SQLSTATE{~}53300{!}", "SQLState: 53300", Some(0..15))]
    #[case("SQLSTATE{~}53300{!}", "SQLSTATE[533001]", None)]
    #[case("{!}code{q}28P01", "\"code\":\"28P01\"", Some(1..13))]
    #[case("{!}code{q}28P01", "  code: '28P01',", Some(2..14))]
    #[case("{!}code{q}28P01", "barcode: '28P01'", None)]
    #[case("{!}code{q}28P01", "code '28P01'", None)]
    #[case("{^}cert has expired", "ERROR cert has expired", Some(6..22))]
    #[case("{^}cert has expired", "{\"msg\":\"cert has expired\"", Some(8..24))]
    #[case("{^}cert has expired", "the cert has expired", None)]
    #[case("ä {} ß", "say ä é ß", Some(4..12))]
    fn phrases_are_found_with_their_holes(
        #[case] template: &'static str,
        #[case] line: &str,
        #[case] found: Option<Range<usize>>,
    ) {
        assert_eq!(Template::new(template).find(line), found);
    }

    #[test]
    fn the_anchor_is_what_no_format_escapes() {
        assert_eq!(Template::new("relation \"{}\" does not exist").anchor(), " does not exist");
        assert_eq!(Template::new("Unknown column '{}' in '{}'").anchor(), "Unknown column ");
    }

    #[test]
    fn a_hole_spans_no_more_than_it_may() {
        let line = format!("begin {} end", "x".repeat(300));
        assert_eq!(Template::new("begin {} end").find(&line), None);
    }
}
