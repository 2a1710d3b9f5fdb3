//! What secrets look like. Each function looks at one place of a text and says what is to be hidden there.
//!
//! How far any of them looks is bounded, or ends where the next one begins, so that a text that is all marks costs no
//! more than a multiple of its length.

use std::ops::Range;

use super::scan::{back, forth};

/// How far a local part reaches back, and how long the kind of a key is.
const MAX_NAME: usize = 64;
/// How much of a token is looked at to tell whether it is one.
const MAX_TOKEN: usize = 512;
/// Shorter credentials are words of a sentence.
const MIN_CREDENTIALS: usize = 8;
/// The length of the identifier of a key of AWS.
const KEY_ID: usize = 20;
/// Shorter runs of base64 are names and digests.
const MIN_BASE64: usize = 60;

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
    let is_exact =
        matches!(prefix, "AIza" | "SG.") || (prefix != "sg." && !prefix.bytes().any(|b| b.is_ascii_uppercase()));
    if !is_exact || back(bytes, mark.start, 1, |b| b.is_ascii_alphanumeric()) < mark.start {
        return None;
    }
    // What goes on in words is the name of a function or a setting.
    let in_words = !matches!(prefix, "npm_" | "hf_");
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
