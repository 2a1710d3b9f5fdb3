//! Secrets on command lines and in the addresses that Go's drivers take: behind flags, and before `@tcp(`.

use std::ops::Range;

use super::names::{stands_for_a_secret, words};
use super::secrets::{back, forth, is_name, is_no_secret, is_placeholder, is_value};

/// How far a name or an address reaches back.
const MAX_BACK: usize = 512;
/// How much of a line is searched for the command that a flag belongs to.
const MAX_COMMAND: usize = 256;
/// Commands that take a password behind `-p`.
const CLIENTS: &[&str] = &["mysql", "mariadb", "mongo", "sshpass", "docker login"];
/// What follows a flag in a sentence about it.
const PROSE: &[&str] = &[
    "a", "an", "and", "argument", "can", "cannot", "flag", "for", "from", "given", "has", "if", "in", "instead", "is",
    "may", "missing", "must", "needs", "not", "of", "on", "option", "or", "required", "requires", "set", "should",
    "the", "to", "value", "was", "when", "with",
];

/// The value behind a flag such as `--db-password`, in a line or in a list of quoted words.
pub fn flag(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let at = forth(bytes, mark.start, 1, |b| b == b' ');
    let end = forth(bytes, at, mark.len(), is_name);
    let start = back(bytes, end, MAX_BACK.min(64), is_name);
    let name = text.get(start..end).filter(|name| name.starts_with('-'))?;
    let words = words(name);
    if !stands_for_a_secret(&words, true) {
        return None;
    }
    let value = forth(bytes, end, 6, |b| matches!(b, b' ' | b'"' | b'\'' | b','));
    let range = value..forth(bytes, value, usize::MAX, is_value);
    let said = text.get(range.clone())?;
    let is_word = PROSE.contains(&said.trim_end_matches(['.', ':']));
    (!said.starts_with(['-', '='])
        && !is_word
        && !is_no_secret(said, &words)
        && !is_placeholder(said.as_bytes(), &words))
    .then_some(range)
}

/// The value behind `-p` of a client that takes a password so, also where no space is between.
pub fn short_flag(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if text.get(mark.clone())? != " -p" {
        return None;
    }
    let line = text.get(back(bytes, mark.start, MAX_COMMAND, |b| b != b'\n')..mark.start).unwrap_or_default();
    let of_client = CLIENTS.iter().any(|client| line.contains(client));
    let value = forth(bytes, mark.end, 8, |b| matches!(b, b' ' | b'"' | b'\''));
    let apart = value > mark.end;
    let range = value..forth(bytes, value, usize::MAX, is_value);
    let said = text.get(range.clone())?;
    let is_port = said.len() <= 5 && said.bytes().all(|b| b.is_ascii_digit());
    let is_its_own = of_client || (apart && line.contains(" -u ") && !is_port);
    let is_word = said.starts_with('-') || PROSE.contains(&said) || (apart && said.contains('/'));
    (is_its_own && !is_word).then_some(range)
}

/// User and password before `@tcp(db:3306)/shop`.
pub fn before_address(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let token = back(bytes, mark.start, MAX_BACK, |b| !b.is_ascii_whitespace() && !matches!(b, b'"' | b'\'' | b'`'));
    let (user, _) = text.get(token..mark.start)?.split_once(':')?;
    let named = user.rfind(['=', '(']).map_or(0, |at| at + 1);
    Some(token + named..mark.start)
}
