//! Phrases with holes: how drivers and runtimes word what happened.
//!
//! `{}` stands for anything of the line up to the next words, `{w}` for something without spaces, `{#}` for a number and
//! `{E}` for the name of an environment variable. Words are compared in any ASCII case. Matching never goes back by more
//! than one hole, so it takes time linear in the length of the line.

use std::ops::Range;

/// How much a hole may span.
const MAX_HOLE: usize = 256;
/// How many places of one line are tried.
const MAX_TRIES: usize = 8;
/// Bytes that formats such as JSON may write in other ways. A phrase is searched for by a part without them.
const ESCAPED: &[char] = &['"', '\'', '\\', '/', '<', '>', '&', '+', '`', '\t'];

#[derive(Debug)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq)]
enum Part {
    /// In lower case.
    Words(&'static str),
    Anything,
    Word,
    Number,
    Name,
}

impl Template {
    pub fn new(text: &'static str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((hole, start, part)) = first_hole(rest) {
            parts.extend(rest.get(..start).filter(|words| !words.is_empty()).map(Part::Words));
            parts.push(part);
            rest = rest.get(start + hole..).unwrap_or_default();
        }
        parts.extend(Some(rest).filter(|words| !words.is_empty()).map(Part::Words));
        Self { parts }
    }

    /// The longest words of the phrase that are written alike in every format: where they are not, the phrase is not.
    pub fn anchor(&self) -> &'static str {
        let words = self.parts.iter().filter_map(|part| match part {
            Part::Words(words) => Some(*words),
            _ => None,
        });
        words.flat_map(|words| words.split(ESCAPED)).max_by_key(|words| words.len()).unwrap_or_default()
    }

    /// Where the phrase stands in a line.
    pub fn find(&self, line: &str) -> Option<Range<usize>> {
        let Some(Part::Words(first)) = self.parts.first() else { return None };
        let bytes = line.as_bytes();
        let mut from = 0;
        for _ in 0..MAX_TRIES {
            let start = position(bytes, first, from, usize::MAX)?;
            if let Some(end) = self.rest(bytes, start + first.len()) {
                return Some(start..end);
            }
            from = start + 1;
        }
        None
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
                (Part::Name, _) => {
                    let length = run(line, at, |b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
                    at + Some(length).filter(|length| *length >= 3)?
                }
            };
        }
        Some(at)
    }
}

/// The first hole of a text: its length, where it stands, and what it stands for.
fn first_hole(text: &str) -> Option<(usize, usize, Part)> {
    let holes = [("{}", Part::Anything), ("{w}", Part::Word), ("{#}", Part::Number), ("{E}", Part::Name)];
    let found = holes.into_iter().filter_map(|(hole, part)| Some((hole.len(), text.find(hole)?, part)));
    found.min_by_key(|(_, start, _)| *start)
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
