//! What secrets look like. Each function looks at one place of a text and says what is to be hidden there.
//!
//! How far any of them looks is bounded, or ends where the next one begins, so that a text that is all marks costs no
//! more than a multiple of its length.

use std::ops::Range;

use super::names::{is_short_password, may_stand_for_a_secret, stands_for_a_secret, words};

/// How far a name, a scheme or a local part reaches back.
const MAX_NAME: usize = 64;
/// How long the user information of a URL may be.
const MAX_USER_INFORMATION: usize = 512;
/// How much of a token is looked at to tell whether it is one.
const MAX_TOKEN: usize = 512;
/// Shorter credentials are words of a sentence.
const MIN_CREDENTIALS: usize = 8;
/// The length of the identifier of a key of AWS.
const KEY_ID: usize = 20;
/// Shorter runs of base64 are names and digests.
const MIN_BASE64: usize = 60;

/// Values that hide nothing.
const EMPTY_VALUES: &[&str] = &["null", "nil", "none", "true", "false", "undefined", "yes", "no"];

/// The value after `=` or `:`, where the name before it stands for a secret. A space before the colon makes it prose,
/// as in `volume "db-secret" : secret "db-secret" not found`.
pub fn assigned(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let by_equals = bytes.get(mark.start) == Some(&b'=');
    let mut end = mark.start;
    if by_equals {
        end = back(bytes, end, 4, |b| b == b' ');
    }
    // In `name= next` the value is empty.
    let spaced = !by_equals || end < mark.start;
    end = back(bytes, end, 4, |b| matches!(b, b'"' | b'\'' | b'\\' | b'`'));
    let start = back(bytes, end, MAX_NAME, is_name);
    let name = text.get(start..end)?;
    let name = if name.eq_ignore_ascii_case("value") { name_beside(text, start)? } else { name };
    let words = words(may_stand_for_a_secret(name).then_some(name)?);
    let mut at = mark.end;
    if by_equals && bytes.get(at) == Some(&b'>') {
        at += 1;
    }
    if spaced {
        at = forth(bytes, at, 8, |b| b == b' ');
    }
    let quote = forth(bytes, at, 4, |b| b == b'\\');
    let is_quoted = matches!(bytes.get(quote), Some(b'"' | b'\''));
    let unquoted = if is_quoted { quote + 1 } else { at };
    // A mere `pass:` counts tests.
    let is_pass = is_short_password(&words) && (is_quoted || words.len() > 1);
    if !(is_pass || stands_for_a_secret(&words, by_equals)) {
        return None;
    }
    if is_placeholder(bytes.get(unquoted..).unwrap_or_default(), &words) {
        return None;
    }
    let value = match bytes.get(quote) {
        Some(mark @ (b'"' | b'\'')) => quoted_value(bytes, quote + 1, *mark, quote > at),
        _ if words.iter().any(|w| w == "cookie" || w == "authorization") => header_value(bytes, at),
        _ if by_equals && bytes.get(..start).is_some_and(|before| before.trim_ascii_end().ends_with(b";")) => {
            at..forth(bytes, at, usize::MAX, |b| !matches!(b, b';' | b'"' | b'\'' | b'\n'))
        }
        _ => at..forth(bytes, at, usize::MAX, is_value),
    };
    let said = text.get(value.clone())?;
    (!is_no_secret(said, &words) && (by_equals || is_quoted || !is_prose(said, &words))).then_some(value)
}

/// What a pair's own name is, where its parts are named too: `DB_PASSWORD` before the `value` of
/// `{"name": "DB_PASSWORD", "value": …}`, as lists of variables and of headers are written.
fn name_beside(text: &str, value: usize) -> Option<&str> {
    let bytes = text.as_bytes();
    let is_quote = |b: u8| matches!(b, b'"' | b'\'' | b'\\' | b'`');
    let end = back(bytes, value, 32, |b| is_quote(b) || b.is_ascii_whitespace() || b == b',');
    let start = back(bytes, end, MAX_NAME, is_name);
    let mark = back(bytes, start, 8, |b| is_quote(b) || b == b' ');
    let mark = mark.checked_sub(1).filter(|at| matches!(bytes.get(*at), Some(b':' | b'=')))?;
    let key = back(bytes, mark, 8, |b| is_quote(b) || b == b' ');
    let word = text.get(back(bytes, key, MAX_NAME, is_name)..key)?;
    let is_key = ["name", "key"].iter().any(|known| word.eq_ignore_ascii_case(known));
    text.get(start..end).filter(|_| is_key)
}

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

pub(super) fn is_value(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !matches!(byte, b',' | b';' | b'&' | b'"' | b'\'')
}

/// To the closing quote, which is escaped where the opening one was. Without one, to the end of the line.
fn quoted_value(bytes: &[u8], start: usize, quote: u8, escaped: bool) -> Range<usize> {
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
fn header_value(bytes: &[u8], start: usize) -> Range<usize> {
    let scheme = forth(bytes, start, 12, |b| b.is_ascii_alphabetic());
    let token = forth(bytes, scheme, 4, |b| b == b' ');
    let named = [&b"bearer"[..], b"basic", b"token", b"digest", b"apikey", b"negotiate"];
    let is_named = bytes.get(start..scheme).is_some_and(|word| named.iter().any(|n| word.eq_ignore_ascii_case(n)));
    let start = if is_named && token > scheme { token } else { start };
    start..forth(bytes, start, usize::MAX, |b| !matches!(b, b'\n' | b'\r' | b'"' | b'\'' | b'\\' | b'|'))
}

/// A value begins that will be put in later, or the working directory. Told before the end of the value is looked for: a
/// text that is all such values must not be searched to its end for each of them.
pub(super) fn is_placeholder(value: &[u8], words: &[String]) -> bool {
    let is_directory = words.last().is_some_and(|last| last.ends_with("pwd")) && value.starts_with(b"/");
    is_directory || [&b"${"[..], b"$(", b"{{"].iter().any(|start| value.starts_with(start))
}

/// What stands behind the name of a secret and is none: nothing, or what is nested.
pub(super) fn is_no_secret(value: &str, words: &[String]) -> bool {
    let ends = |end: &str| words.last().is_some_and(|last| last.ends_with(end));
    value.is_empty()
        || matches!(value, "{" | "[" | "{}" | "[]")
        || EMPTY_VALUES.iter().any(|empty| value.trim_end_matches([')', ']', '}']).eq_ignore_ascii_case(empty))
        || (ends("pass") && value.bytes().all(|b| b.is_ascii_digit()))
}

/// A colon in a sentence, as in `unexpected token: identifier` or `failed to fetch oauth token: 401 Unauthorized`.
/// Passwords may be words too.
fn is_prose(value: &str, words: &[String]) -> bool {
    let is_password = words.last().is_some_and(|last| ["password", "passwd", "pwd"].iter().any(|p| last.ends_with(p)));
    !(is_password || is_short_password(words))
        && (value.len() < MIN_CREDENTIALS / 2 || value.bytes().all(|b| b.is_ascii_lowercase()))
}

/// What stands between `://` and the last `@` of the authority.
pub fn user_information(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let scheme = back(bytes, mark.start, MAX_NAME, |b| is_name(b) || b == b'+');
    let end = forth(bytes, mark.end, MAX_USER_INFORMATION, |b| {
        !b.is_ascii_whitespace() && !matches!(b, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\')
    });
    let authority = bytes.get(mark.end..end)?;
    let at = authority.iter().rposition(|b| *b == b'@')?;
    (scheme < mark.start && at > 0).then_some(mark.end..mark.end + at)
}

/// An e-mail address around `@`.
pub fn mail_address(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let start = back(bytes, mark.start, MAX_NAME, |b| b.is_ascii_alphanumeric() || b"._%+-".contains(&b));
    let end = forth(bytes, mark.end, 255, |b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
    let domain = text.get(mark.end..end)?.trim_end_matches(['.', '-']);
    let (name, top) = domain.rsplit_once('.')?;
    let is_top = (2..=24).contains(&top.len()) && top.bytes().all(|b| b.is_ascii_alphabetic());
    let is_version = name.split('.').next().is_some_and(|first| first.bytes().all(|b| b.is_ascii_digit()));
    (start < mark.start && is_top && !is_version && !name.is_empty()).then_some(start..mark.end + domain.len())
}

/// A JSON web token: two or three parts of base64, of which the first is an object.
pub fn web_token(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if text.get(mark.clone())? != "eyJ" || back(bytes, mark.start, 1, is_token) < mark.start {
        return None;
    }
    // A part that is too short ends the search, so that a text of many such beginnings is not searched to its end for each.
    let part = |at: usize| forth(bytes, at, usize::MAX, is_token);
    let first = part(mark.start);
    let second = part(first + 1);
    let is_long = bytes.get(first) == Some(&b'.') && first - mark.start >= 5 && second - first > 5;
    let end = if is_long { forth(bytes, second, usize::MAX, |b| is_token(b) || b == b'.') } else { second };
    let token = text.get(mark.start..end)?.trim_end_matches('.');
    is_long.then_some(mark.start..mark.start + token.len())
}

/// What follows `Bearer` or `Basic`, unless it is a word as in `basic authentication`.
pub fn credentials(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let start = forth(bytes, mark.end, 8, |b| b == b' ');
    let end = forth(bytes, start, usize::MAX, |b| b.is_ascii_alphanumeric() || b"._~+/=-".contains(&b));
    let is_word = back(bytes, mark.start, 1, |b| b.is_ascii_alphanumeric()) < mark.start;
    let long = end - start >= MIN_CREDENTIALS;
    // What a colon follows is the name of what comes then, which it marks.
    let is_name = bytes.get(end) == Some(&b':');
    (!is_word && !is_name && long && is_random(bytes.get(start..end)?)).then_some(start..end)
}

/// The identifier of a key of AWS.
pub fn cloud_key(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let is_key = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    let apart = back(bytes, mark.start, 1, |b| b.is_ascii_alphanumeric()) == mark.start;
    let end = forth(bytes, mark.start, KEY_ID + 1, |b| b.is_ascii_alphanumeric());
    let key = bytes.get(mark.start..end)?;
    (apart && key.len() == KEY_ID && key.iter().all(|b| is_key(*b))).then_some(mark.start..end)
}

/// A token whose maker gave it a beginning of its own.
pub fn known_token(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let prefix = text.get(mark.clone())?;
    let is_exact = prefix == "AIza" || !prefix.bytes().any(|b| b.is_ascii_uppercase());
    if !is_exact || back(bytes, mark.start, 1, |b| b.is_ascii_alphanumeric()) < mark.start {
        return None;
    }
    let in_words = prefix != "npm_";
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || (in_words && (b == b'_' || b == b'.'));
    let body = bytes.get(mark.end..forth(bytes, mark.end, MAX_TOKEN, fits))?;
    let is_token = body.len() >= 16 && body.iter().any(u8::is_ascii_digit);
    is_token.then(|| mark.start..forth(bytes, mark.end, usize::MAX, fits))
}

/// A private key with all of its lines; one that was cut off, to the end.
pub fn key_block(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let rest = text.get(mark.start..)?;
    let header = super::head(rest, MAX_NAME);
    let kind = header.get(5..)?.split_once("-----")?.0;
    if !kind.ends_with("PRIVATE KEY") {
        return None;
    }
    let end = rest.find("-----END ").map_or(rest.len(), |end| {
        let after = rest.get(end + 5..).unwrap_or_default();
        super::head(after, MAX_NAME).find("-----").map_or(rest.len(), |more| end + 5 + more + 5)
    });
    Some(mark.start..mark.start + end)
}

/// The end of a private key whose beginning was cut off.
pub fn end_of_key_block(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let (kind, _) = super::head(text.get(mark.end..)?, MAX_NAME).split_once("-----")?;
    let is_body = |b: u8| b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || b"+/=\\".contains(&b);
    let start = back(bytes, mark.start, usize::MAX, is_body);
    kind.ends_with("PRIVATE KEY").then_some(start..mark.end + kind.len() + 5)
}

/// Long runs of base64: the lines of a key of which both ends were cut off. Digests are in lower case and paths have
/// many slashes.
pub fn blocks_of_base64(text: &str) -> Vec<Range<usize>> {
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    let (bytes, mut found, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let end = forth(bytes, at, usize::MAX, is_base64);
        let run = bytes.get(at..end).filter(|run| run.len() >= MIN_BASE64).unwrap_or_default();
        let has = |of: fn(&u8) -> bool| run.iter().any(of);
        let slashes = run.iter().filter(|b| **b == b'/').count();
        let mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
        if mixed && slashes.saturating_mul(16) <= run.len() {
            found.push(at..forth(bytes, end, 2, |b| b == b'='));
        }
        at = end + 1;
    }
    found
}

/// Not a word: it holds a digit, or a capital behind another letter.
fn is_random(token: &[u8]) -> bool {
    token.iter().any(u8::is_ascii_digit) || token.iter().skip(1).any(u8::is_ascii_uppercase)
}

/// The first place from `at` on, at most `most` further, where `fits` ends.
pub(super) fn forth(bytes: &[u8], at: usize, most: usize, fits: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let length = rest.iter().take(most).take_while(|b| fits(**b)).count();
    boundary(bytes, at + length)
}

/// The last place before `at`, at most `most` before it, from which on `fits` holds.
pub(super) fn back(bytes: &[u8], at: usize, most: usize, fits: impl Fn(u8) -> bool) -> usize {
    let before = bytes.get(..at).unwrap_or_default();
    at - before.iter().rev().take(most).take_while(|b| fits(**b)).count()
}

/// The place itself, or the next one where a character begins.
fn boundary(bytes: &[u8], at: usize) -> usize {
    at + bytes.get(at..).unwrap_or_default().iter().take_while(|b| (**b & 0xC0) == 0x80).count()
}
