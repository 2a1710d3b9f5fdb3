//! Secrets in addresses: before the host, in paths that are keys themselves, and in signed queries.

use std::ops::Range;

use super::names::words;
use super::scan::{back, forth, is_name, is_quote, is_value};
use super::values::quoted_value;

/// How far a scheme reaches back.
const MAX_SCHEME: usize = 64;
/// How long the user information of a URL may be.
const MAX_USER_INFORMATION: usize = 512;
/// What is shorter and no number names a port.
const MIN_CUT_PASSWORD: usize = 8;
/// Shorter parts of a path or a query name something.
const MIN_KEY: usize = 16;
/// A key of hexadecimal digits is as long.
const MIN_HEXADECIMAL: usize = 32;
/// The identifier of a bot, and the key behind it.
const MIN_BOT: (usize, usize) = (6, 24);

/// What stands between `://` and the last `@` of the authority.
pub fn user_information(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let scheme = back(bytes, mark.start, MAX_SCHEME, |b| is_name(b) || b == b'+');
    let token = bytes.get(mark.end..forth(bytes, mark.end, MAX_USER_INFORMATION, is_of_url))?;
    let end = token.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(token.len());
    let (authority, rest) = token.split_at(end);
    let last = |of: &[u8]| of.iter().rposition(|b| *b == b'@');
    let at = if is_cut_short(text.get(scheme..mark.start)?, authority, rest) {
        last_host(token).or_else(|| last(token))
    } else {
        last(authority)
    };
    let hidden = at.filter(|at| *at > 0).map(|at| 0..at).or_else(|| without_host(authority));
    hidden.filter(|_| scheme < mark.start).map(|hidden| mark.end + hidden.start..mark.end + hidden.end)
}

/// What stands in place of the port and is none, but may be a password behind which the text was cut off.
fn without_host(authority: &[u8]) -> Option<Range<usize>> {
    let colon = authority.iter().position(|b| *b == b':')?;
    let (user, password) = authority.split_at_checked(colon + 1)?;
    let run = password.get(..forth(password, 0, MAX_USER_INFORMATION, |b| b.is_ascii_alphanumeric()))?;
    let mixed = run.iter().any(u8::is_ascii_digit) && run.iter().any(u8::is_ascii_alphabetic);
    let is_digest = user.starts_with(b"sha") || user.contains(&b'@');
    (run.len() >= MIN_CUT_PASSWORD && mixed && !is_digest).then_some(colon + 1..authority.len())
}

/// What a parser of URLs took for the port, as Go (`invalid port ":x" after host`) and Python (`Port could not be cast to
/// integer value as 'x'`) say it: the beginning of a password that was not escaped.
pub fn port(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let quote = forth(bytes, mark.end, 2, |b| b == b'\\');
    let quoted = quoted_value(bytes, quote + 1, *bytes.get(quote).filter(|b| is_quote(**b))?, quote > mark.end);
    let said = text.get(quoted.clone())?;
    let port = said.strip_prefix(':').unwrap_or(said);
    let is_number = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    (!is_number).then_some(quoted.end - port.len()..quoted.end)
}

fn is_of_url(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !is_quote(byte) && !matches!(byte, b'<' | b'>' | b'`' | b'\\')
}

/// The authority seems to end where a password holds `/`, `?` or `#` that was not escaped. What stands in place of the
/// port is none then; or, where no paths with an `@` are usual, another host follows further on.
fn is_cut_short(scheme: &str, authority: &[u8], rest: &[u8]) -> bool {
    let mut parts = authority.splitn(2, |b| *b == b':');
    let (user, Some(password)) = (parts.next().unwrap_or_default(), parts.next()) else { return false };
    let of_database = !["http", "git", "ssh", "ws"].iter().any(|other| scheme.contains(other));
    let has_host = authority.contains(&b'@');
    // Behind a comma another host follows.
    let is_port = password.iter().take_while(|b| **b != b',').all(u8::is_ascii_digit);
    let is_later =
        [&b"${"[..], b"{", b"$(", b"["].iter().any(|start| password.starts_with(start) || user.starts_with(start));
    if is_later || user.contains(&b'@') || !rest.contains(&b'@') {
        return false;
    }
    let has_port = host_after(authority, authority.iter().rposition(|b| *b == b'@')).is_some_and(|port| port);
    match (has_host, is_port) {
        (true, _) => of_database && !has_port && last_host(rest).is_some(),
        // What is in digits may be a port, and a path hold the name of a scope: `registry:4873/@scope/name`.
        (false, true) => {
            let ported = last_host(rest).is_some_and(|at| host_after(rest, Some(at)) == Some(true));
            of_database && !password.is_empty() && ported
        }
        (false, false) => true,
    }
}

/// The last `@` behind which a host stands with its port or its path.
fn last_host(token: &[u8]) -> Option<usize> {
    (0..token.len()).rev().find(|at| token.get(*at) == Some(&b'@') && host_after(token, Some(*at)).is_some())
}

/// Whether the host behind an `@` has a port; `None` where none or no path is seen behind it.
fn host_after(token: &[u8], at: Option<usize>) -> Option<bool> {
    let start = at? + 1;
    let host = forth(token, start, MAX_USER_INFORMATION, is_name);
    let port = forth(token, host + 1, 6, |b| b.is_ascii_digit());
    let ends = |at: usize| token.get(at).is_none_or(|b| b"/?#,)]}".contains(b));
    match token.get(host).filter(|_| host > start) {
        Some(b':') if port > host + 1 && ends(port) => Some(true),
        Some(b'/') => Some(false),
        _ => None,
    }
}

/// User and password of an address of Oracle, `app/x` before `@db:1521`.
pub fn before_service(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let token = bytes.get(mark.end..forth(bytes, mark.end, MAX_USER_INFORMATION, is_of_url))?;
    let at = token.iter().rposition(|b| *b == b'@')?;
    token.get(..at)?.contains(&b'/').then_some(mark.end..mark.end + at)
}

/// The rest of a path that anyone may post to who knows it.
pub fn webhook(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let end = forth(bytes, mark.end, MAX_USER_INFORMATION, |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'\\')
    });
    let end = back(bytes, end, 2, |b| b == b'\\');
    let path = bytes.get(mark.end..end)?;
    (path.len() >= MIN_KEY && path.iter().any(u8::is_ascii_digit)).then_some(mark.end..end)
}

/// The token of a bot of Telegram, which is a part of the path.
pub fn bot(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let number = forth(bytes, mark.end, MIN_KEY, |b| b.is_ascii_digit());
    let colon = bytes.get(number..)?;
    let key = number + if colon.starts_with(b":") { 1 } else { usize::from(colon.starts_with(b"%3A")) * 3 };
    let end = forth(bytes, key, MAX_USER_INFORMATION, |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let (least, most) = MIN_BOT;
    (number - mark.end >= least && key > number && end - key >= most).then_some(mark.end..end)
}

/// What signs a URL, or is its key: `?Signature=` and `&key=` with long values. `name` goes up to the value.
pub(super) fn signature(text: &str, name: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let said = text.get(name.clone())?.strip_suffix('=')?;
    let before = name.start.checked_sub(1).and_then(|at| bytes.get(at));
    // Go writes the `&` so in JSON.
    let escaped = said.strip_prefix("u0026").filter(|_| before == Some(&b'\\'));
    let is_query = escaped.is_some() || matches!(before, Some(b'?' | b'&'));
    let words = words(escaped.unwrap_or(said));
    let of_cloud = words.iter().any(|word| word == "amz" || word == "goog");
    let until = |fits: fn(u8) -> bool| name.end..forth(bytes, name.end, usize::MAX, fits);
    match words.last()?.as_str() {
        "signature" if is_query || of_cloud => {
            Some(until(|b| is_value(b) && !matches!(b, b'\\' | b':'))).filter(|range| range.len() >= MIN_KEY)
        }
        "key" if is_query && words.len() == 1 => {
            Some(until(is_of_key)).filter(|range| bytes.get(range.clone()).is_some_and(is_key))
        }
        _ => None,
    }
}

fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_key(value: &[u8]) -> bool {
    let has = |of: fn(&u8) -> bool| value.iter().any(of);
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && value.len() >= MIN_KEY;
    has(u8::is_ascii_digit) && (mixed || value.len() >= MIN_HEXADECIMAL)
}
