//! Secrets on command lines and in the addresses that Go's drivers take: behind flags, and before `@tcp(`.

use std::ops::Range;

use super::names::{stands_for_a_secret, words};
use super::pairs::paired;
use super::scan::{back, forth, is_name, is_quote, is_value};
use super::values::{is_no_secret, is_placeholder, quoted_value};

/// How far a name or an address reaches back.
const MAX_BACK: usize = 512;
/// How much of a line is searched for the command that a flag belongs to.
const MAX_COMMAND: usize = 256;
/// The options of one letter behind which commands take a secret.
const CLIENTS: &[(&str, &[&str])] = &[
    ("-p", &["mysql", "mariadb", "mongo", "sshpass", "docker login"]),
    ("-a", &["redis-cli", "valkey-cli"]),
    ("-u", CALLERS),
    ("--user", CALLERS),
];
/// Commands that take user and password in one word.
const CALLERS: &[&str] = &["curl"];
/// What Redis calls its passwords in its settings, where no dash shows an option.
const SETTINGS: &[&str] = &["requirepass", "masterauth"];
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
    let name = text.get(start..end)?;
    if name.starts_with('-') {
        return option(text, start..end);
    }
    if bytes.get(end) != Some(&b' ') {
        return paired(text, start..end);
    }
    // The command's own name may end as the mark does, as `sshpass` before ` -p`.
    let short = end..end + " -p".len();
    if text.get(short.clone()).is_some_and(|option| matches!(option, " -p" | " -a" | " -u")) {
        return short_flag(text, short);
    }
    let value = word(bytes, end + 1);
    if name == "AUTH" {
        let login = text.get(value.clone())?;
        let next = word(bytes, value.end + 1);
        return [value, next]
            .into_iter()
            .find(|word| text.get(word.clone()).is_some_and(is_password))
            .filter(|_| !login.is_empty());
    }
    let is_setting = SETTINGS.contains(&name) && text.get(value.clone())?.bytes().any(|b| b.is_ascii_digit());
    is_setting.then_some(value)
}

/// One word of a line.
fn word(bytes: &[u8], at: usize) -> Range<usize> {
    at..forth(bytes, at, MAX_BACK, is_value)
}

/// No word of a sentence about `AUTH`, and no name or address.
fn is_password(word: &str) -> bool {
    let has = |of: fn(&u8) -> bool| word.as_bytes().iter().any(of);
    let is_named = word.contains(['-', '_', '.', ':', '/', '(', '[']);
    word.len() >= 8 && !is_named && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

/// The value behind an option such as `-p`, also where no space is between, or behind a longer one with one dash.
pub fn short_flag(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let start = mark.start + 1;
    let end = forth(bytes, start, 64, is_name);
    let is_apart = end <= mark.end;
    let value = mark.end..forth(bytes, mark.end, usize::MAX, is_value);
    // A password may end as the name of an option does: `-prootpassword -h db`.
    if !is_apart && is_taken(text, start..mark.end, &value) {
        return Some(value);
    }
    if is_apart || (bytes.get(end) == Some(&b' ') && stands_for_a_secret(&words(text.get(start..end)?), true)) {
        return option(text, start..end);
    }
    None
}

/// User and password in one word behind `--user=`.
pub fn user(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let value = quoted_or_word(text.as_bytes(), mark.end);
    is_taken(text, mark.start + 1..mark.end - 1, &value).then_some(value)
}

/// The word behind an option, where it is a secret.
fn option(text: &str, name: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let is_opened = name.start.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(|b| is_quote(*b));
    let closed = if is_opened { forth(bytes, name.end, 4, |b| is_quote(b) || b == b'\\') } else { name.end };
    let at = forth(bytes, closed, 6, |b| matches!(b, b' ' | b','));
    let value = quoted_or_word(bytes, at);
    let said = text.get(value.clone())?;
    // Behind an option in quotes of its own, the next item of its list is quoted too.
    let is_next = closed == name.end || value.start > at;
    let words = words(text.get(name.clone())?);
    let is_secret = is_taken(text, name, &value)
        || (stands_for_a_secret(&words, true) && !is_no_secret(said, &words) && !is_prose(said));
    (is_next && is_secret && !said.starts_with(['-', '=', ' ']) && !is_placeholder(said.as_bytes(), &words))
        .then_some(value)
}

/// A word, or what is in quotes, which are left out.
fn quoted_or_word(bytes: &[u8], at: usize) -> Range<usize> {
    let quote = forth(bytes, at, 4, |b| b == b'\\');
    match bytes.get(quote) {
        Some(mark @ (b'"' | b'\'')) => quoted_value(bytes, quote + 1, *mark, quote > at),
        _ => at..forth(bytes, at, usize::MAX, is_value),
    }
}

fn is_prose(said: &str) -> bool {
    PROSE.contains(&said.trim_end_matches(['.', ':']))
}

/// The command that an option belongs to takes a secret behind it.
fn is_taken(text: &str, option: Range<usize>, value: &Range<usize>) -> bool {
    let (Some(name), Some(said)) = (text.get(option.clone()), text.get(value.clone())) else { return false };
    let Some((_, clients)) = CLIENTS.iter().find(|(known, _)| *known == name) else { return false };
    // Other options of one letter are common, so that they must be of this very command.
    let ends = |b| b == b'\n' || (name != "-p" && matches!(b, b'|' | b';'));
    let start = back(text.as_bytes(), option.start, MAX_COMMAND, |b| !ends(b));
    let line = text.get(start..option.start).unwrap_or_default();
    let of_client = clients.iter().any(|client| line.contains(client));
    let apart = value.start > option.end;
    let is_port = said.len() <= 5 && said.bytes().all(|b| b.is_ascii_digit());
    let is_login = apart && name == "-p" && line.contains(" -u ") && !is_port;
    let is_word =
        said.is_empty() || said.starts_with('-') || is_prose(said) || (name == "-p" && apart && said.contains('/'));
    let is_whole = *clients != CALLERS || said.split_once(':').is_some_and(|(_, word)| !is_variable(word));
    (of_client || is_login) && is_whole && !is_word
}

/// Nothing, or what a shell puts in.
fn is_variable(word: &str) -> bool {
    let name = word.strip_prefix('$').unwrap_or(word).trim_matches(['{', '}']);
    word.is_empty() || (word.starts_with('$') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// User and password before `@tcp(db:3306)/shop`.
pub fn before_address(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let token = back(bytes, mark.start, MAX_BACK, |b| !b.is_ascii_whitespace() && !matches!(b, b'"' | b'\'' | b'`'));
    let (user, _) = text.get(token..mark.start)?.split_once(':')?;
    let named = user.rfind(['=', '(']).map_or(0, |at| at + 1);
    Some(token + named..mark.start)
}
