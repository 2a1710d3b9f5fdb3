//! Reading what a runtime, a scheduler or an admission plugin wrote in prose.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::engine::message::{Message, Speaker};
use crate::engine::words::{Cause, Class, Sureness};

/// What a text says: the failure and how much one sight of the text proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Reading {
    pub class: Class,
    pub cause: Cause,
    pub sureness: Sureness,
}

pub(in crate::engine) const fn reading(class: Class, cause: Cause, sureness: Sureness) -> Reading {
    Reading { class, cause, sureness }
}

/// Phrases in lower case and what each stands for. Where a text holds several, the one listed first decides.
pub(in crate::engine) struct Table {
    speaker: Speaker,
    automaton: Option<AhoCorasick>,
    readings: Vec<Reading>,
    outside_quotes: bool,
    #[cfg(test)]
    phrases: Vec<String>,
}

impl Table {
    pub(in crate::engine) fn new(speaker: Speaker, rows: &[(&[&str], Reading)]) -> Self {
        let phrases = rows.iter().flat_map(|(phrases, _)| phrases.iter());
        let readings = rows.iter().flat_map(|(phrases, reading)| phrases.iter().map(|_| *reading)).collect();
        let automaton =
            AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(phrases);
        Self {
            speaker,
            // A table that does not build reads nothing; the tests of every table would fail.
            automaton: automaton.ok(),
            readings,
            outside_quotes: false,
            #[cfg(test)]
            phrases: rows.iter().flat_map(|(phrases, _)| phrases.iter().map(|phrase| (*phrase).to_owned())).collect(),
        }
    }

    /// Looks only outside double quotes: quoted names and addresses are chosen by users and may say anything.
    pub(super) fn outside_quotes(self) -> Self {
        Self { outside_quotes: true, ..self }
    }

    pub(in crate::engine) fn speaker(&self) -> Speaker {
        self.speaker
    }

    pub(super) fn read(&self, message: &Message) -> Option<Reading> {
        message.says(self, Self::read_part)
    }

    /// Reads what is no whole message.
    pub(in crate::engine) fn read_part(&self, text: &str) -> Option<Reading> {
        let first = if self.outside_quotes {
            text.split('"').step_by(2).filter_map(|part| self.first_in(part)).min()
        } else {
            self.first_in(text)
        };
        self.readings.get(first?).copied()
    }

    #[cfg(test)]
    pub(super) fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// Every phrase, with what it stands for and the table that lacks it.
    #[cfg(test)]
    pub(super) fn each_missing(&self) -> impl Iterator<Item = (&str, Reading, Self)> {
        let phrases = || self.phrases.iter().map(String::as_str).zip(self.readings.iter().copied());
        phrases().enumerate().map(move |(at, (phrase, reading))| {
            let others = phrases().enumerate().filter(|(other, _)| *other != at);
            let rows: Vec<([&str; 1], Reading)> = others.map(|(_, (phrase, reading))| ([phrase], reading)).collect();
            let rows: Vec<(&[&str], Reading)> =
                rows.iter().map(|(phrases, reading)| (&phrases[..], *reading)).collect();
            let table = Self { outside_quotes: self.outside_quotes, ..Self::new(self.speaker, &rows) };
            (phrase, reading, table)
        })
    }

    fn first_in(&self, text: &str) -> Option<usize> {
        self.automaton.as_ref()?.find_overlapping_iter(text).map(|found| found.pattern().as_usize()).min()
    }
}

/// Whether `text` holds `phrase`, which is in lower case, in any ASCII case.
pub(super) fn contains(text: &str, phrase: &str) -> bool {
    text.as_bytes().windows(phrase.len().max(1)).any(|part| part.eq_ignore_ascii_case(phrase.as_bytes()))
}
