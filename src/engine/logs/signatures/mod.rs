//! The phrases by which causes are known, and the one automaton that finds them all.
//!
//! A line is searched once, for the longest words of every phrase that are written alike in plain text and in JSON. Only
//! a line that holds such words is looked at more closely.

mod database;
mod network;
mod program;

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::template::Template;
use crate::engine::words::Cause;

/// Phrases of one cause that are to be believed alike.
pub(super) struct Group {
    cause: Cause,
    how: How,
    texts: &'static [&'static str],
}

/// How a phrase is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// Programs try again after it, and once is nothing.
    pub retried: bool,
    pub when: When,
}

/// Where a phrase counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// On any line that is not below the level of a warning.
    Reported,
    /// On any line: the program says it in passing.
    Always,
    /// On lines of level error and above, and in the last words of the program: the phrase means little by itself.
    Severe,
    /// In the last words of the program alone.
    Fatal,
}

const ONCE: How = How { retried: false, when: When::Reported };
const RETRIED: How = How { retried: true, when: When::Reported };
const QUIET: How = How { retried: true, when: When::Always };
const WEAK: How = How { retried: false, when: When::Severe };
const WEAK_RETRIED: How = How { retried: true, when: When::Severe };
const FATAL: How = How { retried: false, when: When::Fatal };

/// Where a line has several, the first in this order tells more than the others: what the server answered more than
/// that it was called in vain, and the reason of a failed call more than the failure.
const TELLING: &[Cause] = &[
    Cause::RuntimeOutOfMemory,
    Cause::NodeLimit,
    Cause::DeviceUnavailable,
    Cause::StorageFull,
    Cause::MigrationFailed,
    Cause::DatabaseAuth,
    Cause::TooManyConnections,
    Cause::DatabaseDeadlock,
    Cause::DatabaseLockTimeout,
    Cause::SchemaMismatch,
    Cause::KubernetesForbidden,
    Cause::PortInUse,
    Cause::DnsFailure,
    Cause::TlsFailure,
    Cause::DependencyUnreachable,
    Cause::PoolExhausted,
    Cause::DatabaseUnavailable,
    Cause::UpstreamTimeout,
    Cause::MissingCode,
    Cause::WrongArchitecture,
    Cause::CommandNotFound,
    Cause::PermissionDenied,
    Cause::ConfigError,
    Cause::NativeCrash,
    Cause::Panic,
];

/// How telling a cause is among those of one line; less is more.
pub fn rank(cause: Cause) -> usize {
    TELLING.iter().position(|c| *c == cause).unwrap_or(TELLING.len())
}

#[derive(Debug)]
pub struct Signature {
    pub cause: Cause,
    pub how: How,
    template: Template,
}

impl Signature {
    /// The phrase is the same wherever it stands.
    pub fn is_plain(&self) -> bool {
        self.template.is_plain()
    }
}

/// All phrases with their automaton.
#[derive(Debug)]
pub struct Signatures {
    automaton: Option<AhoCorasick>,
    all: Vec<Signature>,
}

static SIGNATURES: LazyLock<Signatures> = LazyLock::new(|| {
    let groups = [database::GROUPS, network::GROUPS, program::GROUPS];
    let all: Vec<Signature> = (groups.into_iter().flatten())
        .flat_map(|group| group.texts.iter().map(move |text| (group, *text)))
        .map(|(group, text)| Signature { cause: group.cause, how: group.how, template: Template::new(text) })
        .collect();
    let anchors = all.iter().map(|signature| signature.template.anchor());
    let automaton =
        AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::ContiguousNFA)).build(anchors);
    // Without an automaton nothing would be found; the tests of every phrase would fail.
    Signatures { automaton: automaton.ok(), all }
});

impl Signatures {
    pub fn get() -> &'static Self {
        &SIGNATURES
    }

    /// Where a line may hold a phrase, at the earliest.
    pub fn hint(&self, line: &[u8]) -> Option<usize> {
        Some(self.automaton.as_ref()?.find(line)?.start())
    }

    /// The phrases of a line, with where they stand; at most one of each cause.
    pub fn of_line<'s>(&'s self, line: &str) -> Vec<(&'s Signature, Range<usize>)> {
        let Some(automaton) = self.automaton.as_ref() else { return Vec::new() };
        let mut near: Vec<usize> = automaton.find_overlapping_iter(line).map(|m| m.pattern().as_usize()).collect();
        near.sort_unstable();
        near.dedup();
        let mut found: Vec<(&Signature, Range<usize>)> = Vec::new();
        for signature in near.into_iter().filter_map(|at| self.all.get(at)) {
            if found.iter().any(|(f, _)| f.cause == signature.cause && f.how == signature.how) {
                continue;
            }
            found.extend(signature.template.find(line).map(|at| (signature, at)));
        }
        found
    }
}

#[cfg(test)]
pub(super) fn phrases() -> impl Iterator<Item = (Cause, How, &'static str)> {
    let groups = [database::GROUPS, network::GROUPS, program::GROUPS];
    groups.into_iter().flatten().flat_map(|g| g.texts.iter().map(move |text| (g.cause, g.how, *text)))
}
