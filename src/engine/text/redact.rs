//! Taking out what looks like a secret before text is shown, written or sent on.
//!
//! The text is searched once for everything that may begin or mark a secret; each mark is then looked at with its
//! surroundings. All of it takes time linear in the length of the text, whatever the text says.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::{commands, pairs, secrets, urls};

/// Stands where a secret was.
pub(super) const HIDDEN: &str = "***";
/// What is hidden may make a neighbour look like a secret; after so many rounds nothing does any more.
const ROUNDS: usize = 4;

/// How close to the end of a secret another may begin that goes on behind it.
const NEAR: usize = 96;

/// What may begin or mark a secret, and how it is looked at: given the text and where the mark stands.
type Look = fn(&str, Range<usize>) -> Option<Range<usize>>;

const MARKS: &[(&str, Look)] = &[
    (":", pairs::assigned),
    ("=", pairs::assigned),
    ("{", pairs::variable),
    ("</", pairs::element),
    ("://", urls::user_information),
    (":\\/\\/", urls::user_information),
    (":\\\\/\\\\/", urls::user_information),
    ("invalid port ", urls::port),
    ("integer value as ", urls::port),
    (":thin:", urls::before_service),
    (":oci:", urls::before_service),
    ("/bot", urls::bot),
    ("hooks.slack.com/services/", urls::webhook),
    ("hooks.slack.com\\/services\\/", urls::webhook),
    ("/api/webhooks/", urls::webhook),
    ("@", secrets::mail_address),
    ("eyj", secrets::web_token),
    ("bearer ", secrets::credentials),
    ("basic ", secrets::credentials),
    ("-----begin ", secrets::key_block),
    ("-----end ", secrets::end_of_key_block),
    ("akia", secrets::cloud_key),
    ("asia", secrets::cloud_key),
    ("aiza", secrets::known_token),
    ("ya29.", secrets::known_token),
    ("ghp_", secrets::known_token),
    ("gho_", secrets::known_token),
    ("ghu_", secrets::known_token),
    ("ghs_", secrets::known_token),
    ("ghr_", secrets::known_token),
    ("github_pat_", secrets::known_token),
    ("glpat-", secrets::known_token),
    ("xoxa-", secrets::known_token),
    ("xoxb-", secrets::known_token),
    ("xoxp-", secrets::known_token),
    ("xapp-", secrets::known_token),
    ("sk_live_", secrets::known_token),
    ("rk_live_", secrets::known_token),
    ("sk_test_", secrets::known_token),
    ("rk_test_", secrets::known_token),
    ("whsec_", secrets::known_token),
    ("sk-proj-", secrets::known_token),
    ("sk-svcacct-", secrets::known_token),
    ("sk-ant-", secrets::known_token),
    ("dckr_pat_", secrets::known_token),
    ("glsa_", secrets::known_token),
    ("hf_", secrets::known_token),
    ("shpat_", secrets::known_token),
    ("sg.", secrets::known_token),
    ("npm_", secrets::known_token),
    ("pypi-", secrets::known_token),
    ("hvs.", secrets::known_token),
    ("pass ", commands::flag),
    ("passwd ", commands::flag),
    ("password ", commands::flag),
    ("passphrase ", commands::flag),
    ("pw ", commands::flag),
    ("pwd ", commands::flag),
    ("secret ", commands::flag),
    ("token ", commands::flag),
    ("key ", commands::flag),
    ("auth ", commands::flag),
    ("\",", commands::flag),
    ("',", commands::flag),
    ("\" \"", commands::flag),
    ("' '", commands::flag),
    ("\\\",", commands::flag),
    ("\\\" \\\"", commands::flag),
    (" -a", commands::short_flag),
    (" -p", commands::short_flag),
    (" -u", commands::short_flag),
    (" --user ", commands::flag),
    (" --user=", commands::user),
    ("@tcp(", commands::before_address),
    ("@tcp6(", commands::before_address),
    ("@unix(", commands::before_address),
];

/// Without it nothing could be told from a secret; then all text is hidden. A test holds that it builds.
static AUTOMATON: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let marks = MARKS.iter().map(|(mark, _)| mark);
    let builder = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(marks);
    builder.ok()
});

/// Takes out what looks like a secret: user information in URLs, credentials in headers, JSON web tokens, e-mail
/// addresses, private keys, keys and tokens of known forms, and values behind names such as `password` or
/// `apiKey`. It may take out more than secrets and may miss some. Redacting twice is redacting once.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut redacted = Cow::Borrowed(text);
    for _ in 0..ROUNDS {
        let found = found(&redacted);
        if found.is_empty() {
            break;
        }
        redacted = Cow::Owned(without(&redacted, &found));
    }
    redacted
}

/// The same with as many bytes as there were, so that a part of the text can still be told by its place.
pub fn mask(text: &str) -> String {
    let mut masked = text.to_owned();
    for _ in 0..ROUNDS {
        let before = masked;
        masked = String::with_capacity(before.len());
        for range in found(&before) {
            masked.push_str(before.get(masked.len()..range.start).unwrap_or_default());
            masked.extend(std::iter::repeat_n('*', range.end.saturating_sub(masked.len())));
        }
        masked.push_str(before.get(masked.len()..).unwrap_or_default());
        if masked == before {
            break;
        }
    }
    masked
}

/// Where secrets stand that are not hidden yet, in order and apart from each other.
fn found(text: &str) -> Vec<Range<usize>> {
    let Some(automaton) = AUTOMATON.as_ref() else {
        return (text != HIDDEN).then_some(0..text.len()).into_iter().collect();
    };
    let mut all: Vec<Range<usize>> = Vec::new();
    // The last of them ends where the host of a URL begins.
    let mut ends_in_url = false;
    for mark in automaton.find_iter(text) {
        // What stands in a secret or right behind it, such as the `@` behind user information, marks the same one; but
        // where a secret ends in the middle of another, what is left of that has lost its mark.
        let within = all.last().is_some_and(|before| mark.start() <= before.end);
        let at_its_end =
            !ends_in_url && all.last().is_some_and(|before| before.end.saturating_sub(NEAR) <= mark.start());
        let is_last_byte = all.last().is_some_and(|before| mark.start() == before.end);
        let seen = !within || (at_its_end && !is_last_byte);
        let look = MARKS.get(mark.pattern().as_usize()).filter(|_| seen);
        let range = look.and_then(|(_, look)| look(text, mark.start()..mark.end()));
        let Some(mut range) = range.filter(|r| text.get(r.clone()).is_some_and(|t| !t.is_empty() && t != HIDDEN))
        else {
            continue;
        };
        ends_in_url = look.is_some_and(|(mark, _)| mark.starts_with(':') && mark.ends_with('/'));
        while let Some(before) = all.pop_if(|before| range.start <= before.end) {
            range = before.start.min(range.start)..before.end.max(range.end);
        }
        all.push(range);
    }
    all.extend(secrets::blocks_of_base64(text));
    all.sort_by_key(|range| range.start);
    all
}

fn without(text: &str, found: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for range in found {
        if let Some(between) = text.get(at..range.start) {
            out.push_str(between);
            out.push_str(HIDDEN);
        }
        at = at.max(range.end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
