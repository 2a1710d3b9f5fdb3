//! Where a value ends that stands behind the name of a secret, and whether it is one.

use std::ops::Range;

use super::names::{is_short_password, stands_for_a_secret, words};
use super::scan::{back, boundary, forth, is_name, is_quote};

/// Shorter values behind a colon are words of a sentence.
const MIN_VALUE: usize = 4;
/// Names of settings are shorter.
const MAX_NAME: usize = 64;
/// Values that hide nothing.
const EMPTY_VALUES: &[&str] = &["null", "nil", "none", "true", "false", "undefined", "yes", "no"];

/// To the closing quote, which is escaped where the opening one was. Without one, to the end of the line.
pub(super) fn quoted_value(bytes: &[u8], start: usize, quote: u8, escaped: bool) -> Range<usize> {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\n' => break,
            b'\\' if !escaped => at += 1,
            b'\\' if bytes.get(forth(bytes, at, 4, |b| b == b'\\')) == Some(&quote) => return start..at,
            byte if *byte == quote => return start..at,
            _ => {}
        }
        at += 1;
    }
    start..boundary(bytes, at.min(bytes.len()))
}

/// The value of a header that holds several words, such as `Basic YTpi` or `a=b; c=d`: to the end of the line or of the
/// text it is quoted in.
pub(super) fn header_value(bytes: &[u8], start: usize) -> Range<usize> {
    let scheme = forth(bytes, start, 12, |b| b.is_ascii_alphabetic());
    let token = forth(bytes, scheme, 4, |b| b == b' ');
    let named = [&b"bearer"[..], b"basic", b"token", b"digest", b"apikey", b"negotiate"];
    let is_named = bytes.get(start..scheme).is_some_and(|word| named.iter().any(|n| word.eq_ignore_ascii_case(n)));
    let start = if is_named && token > scheme { token } else { start };
    let rest = |at| forth(bytes, at, usize::MAX, |b| !matches!(b, b'\n' | b'\r' | b'"' | b'\'' | b'\\' | b'|'));
    let mut end = rest(start);
    // Where it runs into another setting, that one's name is gone and tells no more what stands behind it.
    while let Some(quote) = bytes.get(end).copied().filter(|b| is_quote(*b) && names_a_secret(bytes, end)) {
        let value = quoted_value(bytes, end + 1, quote, false);
        end = rest(value.end + usize::from(bytes.get(value.end) == Some(&quote)));
    }
    start..end
}

/// What begins here has the name of a secret right before it.
fn names_a_secret(bytes: &[u8], at: usize) -> bool {
    let sign = at.checked_sub(1).filter(|sign| matches!(bytes.get(*sign), Some(b'=' | b':')));
    let name = sign.and_then(|sign| bytes.get(back(bytes, sign, MAX_NAME, is_name)..sign));
    name.and_then(|name| std::str::from_utf8(name).ok()).is_some_and(|name| stands_for_a_secret(&words(name), true))
}

/// A value begins that will be put in later, or the working directory. Told before the end of the value is looked for: a
/// text that is all such values must not be searched to its end for each of them.
pub(super) fn is_placeholder(value: &[u8], words: &[String]) -> bool {
    let is_directory = words.last().is_some_and(|last| last.ends_with("pwd")) && value.starts_with(b"/");
    is_directory || [&b"${"[..], b"$(", b"{{"].iter().any(|start| value.starts_with(start))
}

/// What stands behind the name of a secret and is none: nothing, what is nested, or how many tests passed.
pub(super) fn is_no_secret(value: &str, words: &[String]) -> bool {
    let Some(last) = words.last() else { return true };
    let bare = value.trim_end_matches([')', ']', '}']);
    let is_count = bare.bytes().all(|b| b.is_ascii_digit())
        && (last == "pass" && words.len() == 1 || (last.ends_with("pass") && bare.len() < MIN_VALUE));
    value.is_empty()
        || matches!(value, "{" | "[" | "{}" | "[]")
        || EMPTY_VALUES.iter().any(|empty| bare.eq_ignore_ascii_case(empty))
        || is_count
        || (last == "key" && is_path(value))
}

/// Where a key is kept. Keys in base64 may begin with a slash, but hold capitals.
fn is_path(value: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"/._-".contains(&b);
    value.starts_with('/') && value.bytes().all(fits)
}

/// Where the quotes begin that a value stands in within a list or a call, as in `Some("x")` or `[ 'x' ]`; `at` itself
/// where there are none.
pub(super) fn unwrapped(bytes: &[u8], at: usize) -> usize {
    let mut inner = at;
    for _ in 0..3 {
        let word = forth(bytes, inner, 32, |b| is_name(b) || b == b':');
        let opens = match bytes.get(word) {
            Some(b'(') => word > inner,
            Some(b'[') => word == inner,
            _ => false,
        };
        if !opens {
            break;
        }
        inner = forth(bytes, word + 1, 8, |b| b == b' ');
    }
    let quote = forth(bytes, inner, 4, |b| b == b'\\');
    if bytes.get(quote).is_some_and(|b| is_quote(*b)) { inner } else { at }
}

/// All of a list's items from the first one on, up to the last quote, where each is quoted as that is.
pub(super) fn to_last_item(bytes: &[u8], first: Range<usize>, quote: u8, escaped: bool) -> Range<usize> {
    let mut all = first;
    loop {
        let closed = forth(bytes, all.end, 4, |b| b == b'\\') + 1;
        let comma = forth(bytes, closed, 4, |b| b == b' ');
        let next = forth(bytes, comma + 1, 4, |b| b == b' ');
        let opened = forth(bytes, next, 4, |b| b == b'\\');
        if bytes.get(comma) != Some(&b',') || bytes.get(opened) != Some(&quote) {
            return all;
        }
        all.end = quoted_value(bytes, opened + 1, quote, escaped).end;
    }
}

/// A message about a value, as forms list them: `["This field is required."]`.
pub(super) fn is_message(item: &str) -> bool {
    item.contains(' ') || item.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// A colon in a sentence, as in `unexpected token: identifier` or `failed to fetch oauth token: 401 Unauthorized`.
/// Passwords may be words too.
pub(super) fn is_prose(value: &str, words: &[String]) -> bool {
    let is_password = words.last().is_some_and(|last| ["password", "passwd", "pwd"].iter().any(|p| last.ends_with(p)));
    !(is_password || is_short_password(words))
        && (value.len() < MIN_VALUE || value.bytes().all(|b| b.is_ascii_lowercase()))
}
