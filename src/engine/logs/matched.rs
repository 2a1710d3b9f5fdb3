//! Which patterns of people find something in a log.
//!
//! They are asked of every line that is read, as it would be shown: a pattern must not tell its author what a secret
//! begins with.

use super::line;
use crate::engine::patterns::Patterns;
use crate::engine::text;

/// How much of a line is looked at.
const MAX_LINE: usize = 8192;

/// The patterns that match within a line of the log, each once.
pub fn matched<'p>(log: &[u8], patterns: impl Iterator<Item = &'p Patterns> + Clone) -> Box<[Box<str>]> {
    let mut found: Vec<Box<str>> = Vec::new();
    if patterns.clone().all(Patterns::is_empty) {
        return found.into();
    }
    let (log, _) = line::bounded(log);
    for (_, bytes) in line::lines(log) {
        let (_, bytes) = line::unstamped(bytes);
        let text = text::strip(&String::from_utf8_lossy(bytes.get(..MAX_LINE).unwrap_or(bytes)), ' ');
        // Most lines match nothing, and need not be cleared of secrets.
        if !patterns.clone().any(|patterns| patterns.find_in(text.trim())) {
            continue;
        }
        let shown = text::redact(text.trim());
        for pattern in patterns.clone().flat_map(|patterns| patterns.found_in(&shown)) {
            if !found.iter().any(|known| **known == *pattern) {
                found.push(pattern.into());
            }
        }
    }
    found.into()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn patterns(texts: &[&str]) -> Patterns {
        texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>().into()
    }

    #[rstest]
    #[case::far_from_the_end("checksum drift", true)]
    #[case::at_both_ends("^ledger checksum drift in book 7$", true)]
    #[case::coloured("^red alert$", true)]
    #[case::over_two_lines(r"drift in book 7\s+line 1", false)]
    #[case::a_secret("hunter", false)]
    #[case::beside_a_secret(r"password=\S+ refused", true)]
    #[case::nowhere("no such words", false)]
    fn every_line_is_asked(#[case] pattern: &str, #[case] found: bool) {
        let mut log = "2026-01-02T03:04:05Z ledger checksum drift in book 7\n".to_owned();
        log.extend((1..900).map(|n| format!("2026-01-02T03:04:05Z line {n}\n")));
        log.push_str("password=hunter2 refused\r\n\u{1b}[31mred\u{1b}[0m alert\n");
        let (other, asked) = (patterns(&["another"]), patterns(&["never", pattern]));
        let matched = matched(log.as_bytes(), [&other, &asked].into_iter());
        assert_eq!(matched.iter().map(|m| &**m).collect::<Vec<_>>(), if found { vec![pattern] } else { vec![] });
    }

    #[test]
    fn what_is_no_pattern_finds_nothing() {
        assert!(matched(b"(\n", [&patterns(&["("])].into_iter()).is_empty());
        assert!(matched(b"a\n", [&patterns(&[])].into_iter()).is_empty());
    }
}
