//! Patterns that people write into policies to find lines of logs: regular expressions, bounded in size, and matched in
//! time linear in the length of the text.

use std::fmt;
use std::sync::OnceLock;

use regex::{RegexBuilder, RegexSet, RegexSetBuilder};
use serde::{Deserialize, Serialize};

/// Bytes that one pattern may take up once it is compiled, and what matching may keep at hand.
const MAX_COMPILED: usize = 128 << 10;

/// Some patterns. They are compiled when they are asked for the first time; two are equal when their texts are.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Patterns {
    texts: Vec<String>,
    set: OnceLock<Option<RegexSet>>,
}

impl Patterns {
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// One of them matches within a line of the text. Patterns that do not compile match nothing.
    pub fn find_in(&self, text: &str) -> bool {
        self.compiled().is_some_and(|set| set.is_match(text))
    }

    /// Those that match within a line of the text.
    pub fn found_in<'p>(&'p self, text: &str) -> impl Iterator<Item = &'p str> {
        let found = self.compiled().map(|set| set.matches(text));
        found.into_iter().flatten().filter_map(|at| self.texts.get(at)).map(String::as_str)
    }

    fn compiled(&self) -> Option<&RegexSet> {
        let compiled = self.set.get_or_init(|| {
            let size = MAX_COMPILED.saturating_mul(self.texts.len().max(1));
            RegexSetBuilder::new(&self.texts).multi_line(true).size_limit(size).dfa_size_limit(size).build().ok()
        });
        compiled.as_ref()
    }

    /// The first that is none, by its place, and why.
    pub fn fault(&self) -> Option<(usize, String)> {
        self.texts.iter().enumerate().find_map(|(at, text)| Some((at, fault(text)?)))
    }
}

fn fault(text: &str) -> Option<String> {
    let error = RegexBuilder::new(text).multi_line(true).size_limit(MAX_COMPILED).build().err()?;
    Some(match error {
        regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
        // The text and a mark under the place come before the reason.
        error => {
            let said = error.to_string();
            let reason = said.lines().last().unwrap_or_default();
            format!("not a regular expression: {}", reason.trim_start_matches("error: "))
        }
    })
}

impl From<Vec<String>> for Patterns {
    fn from(texts: Vec<String>) -> Self {
        Self { texts, set: OnceLock::new() }
    }
}

impl From<Patterns> for Vec<String> {
    fn from(patterns: Patterns) -> Self {
        patterns.texts
    }
}

impl PartialEq for Patterns {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.texts.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn patterns(texts: &[&str]) -> Patterns {
        texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>().into()
    }

    #[rstest]
    #[case(&["FATAL: .*ledger"], "up\nFATAL: no ledger\n", true)]
    #[case(&["FATAL: .*ledger"], "FATAL: no\nledger\n", false)]
    #[case(&["^ledger$"], "a\nledger\nb", true)]
    #[case(&["nothing", "(?i)LEDGER"], "the ledger", true)]
    #[case(&[], "anything", false)]
    #[case(&["("], "(", false)]
    fn lines_are_found(#[case] texts: &[&str], #[case] text: &str, #[case] found: bool) {
        assert_eq!(patterns(texts).find_in(text), found);
    }

    #[rstest]
    #[case(&["fine", "a{9,1}"], Some((1, "not a regular expression: "))) ]
    #[case(&["(?=look)"], Some((0, "not a regular expression: look-around")))]
    #[case(&["(\\w{200}){200}"], Some((0, "the pattern is too large")))]
    #[case(&["FATAL: .*ledger"], None)]
    fn what_is_no_pattern_is_said(#[case] texts: &[&str], #[case] said: Option<(usize, &str)>) {
        let fault = patterns(texts).fault();
        assert_eq!(fault.as_ref().map(|(at, _)| *at), said.map(|(at, _)| at));
        assert!(fault.unwrap_or_default().1.starts_with(said.unwrap_or_default().1));
    }

    /// The bane of matchers that go back.
    #[test]
    fn a_hostile_pattern_and_text_take_no_longer_than_others() {
        let text = "a".repeat(100_000);
        assert!(!patterns(&["(a+)+$b", "(a|a)*c"]).find_in(&text));
    }

    #[test]
    fn they_are_a_list_of_texts_to_the_outside() {
        let read: Patterns = serde_json::from_str("[\"a\", \"b\"]").unwrap();
        assert_eq!(read.texts(), ["a", "b"]);
        assert_eq!(serde_json::to_string(&read).unwrap(), "[\"a\",\"b\"]");
    }
}
