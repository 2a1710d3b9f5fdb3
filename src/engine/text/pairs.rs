//! Secrets that stand behind or beside their names: in settings, in objects, in lists of pairs and in XML.

use std::ops::Range;

use super::names::{is_joined, is_short_password, may_stand_for_a_secret, stands_for_a_secret, words};
use super::scan::{back, forth, is_name, is_quote, is_value};
use super::urls::signature;
use super::values::{
    header_value, is_message, is_no_secret, is_placeholder, is_prose, quoted_value, to_last_item, unwrapped,
};

/// How far a name reaches back.
const MAX_NAME: usize = 64;
/// How much is read of what stands around a name, and of a value that must be seen to end.
const MAX_AROUND: usize = 512;

/// A name and where it begins, and how it is bound to what follows.
struct Name<'a> {
    text: &'a str,
    start: usize,
    by_equals: bool,
    /// In `name= next` the value is empty.
    spaced: bool,
}

impl<'a> Name<'a> {
    fn before(text: &'a str, mark: usize) -> Option<Self> {
        let bytes = text.as_bytes();
        let by_equals = bytes.get(mark) == Some(&b'=');
        let end = if by_equals { back(bytes, mark, 4, |b| b == b' ') } else { mark };
        let spaced = !by_equals || end < mark;
        let end = back(bytes, end, 4, |b| is_around(b) || (by_equals && b == b']'));
        let start = back(bytes, end, MAX_NAME, is_name);
        Some(Self { text: text.get(start..end)?, start, by_equals, spaced })
    }
}

/// What may stand around a name: quotes, also escaped ones.
fn is_around(byte: u8) -> bool {
    is_quote(byte) || matches!(byte, b'\\' | b'`')
}

/// The value after `=` or `:`, where the name before it stands for a secret. A space before the colon makes it prose,
/// as in `volume "db-secret" : secret "db-secret" not found`.
pub fn assigned(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut name = Name::before(text, mark.start)?;
    if name.text.eq_ignore_ascii_case("value") {
        name.text = name_beside(text, name.start)?;
    }
    // A command of Redis, as its client for Node prints it.
    let is_login = name.text == "args" && name_beside(text, name.start).is_some_and(|of| of == "auth");
    if is_login {
        name.text = "password";
    }
    let words = words(may_stand_for_a_secret(name.text).then_some(name.text)?);
    let mut at = mark.end;
    if name.by_equals && bytes.get(at) == Some(&b'>') {
        at += 1;
    }
    if name.spaced {
        at = forth(bytes, at, 8, |b| b == b' ');
    }
    let inner = unwrapped(bytes, at);
    let in_list = inner > at && bytes.get(at) == Some(&b'[');
    // As in `invalid token: Error("unexpected end")`.
    let is_call = inner > at && !in_list && !name.by_equals && !text.get(at..)?.starts_with("Some(");
    at = inner;
    let quote = forth(bytes, at, 4, |b| b == b'\\');
    let is_quoted = bytes.get(quote).is_some_and(|b| is_quote(*b));
    let unquoted = if is_quoted { quote + 1 } else { at };
    // A mere `pass:` counts tests.
    let is_pass = is_short_password(&words)
        && (is_quoted || words.len() > 1 || words.iter().any(|word| is_joined(word)) || is_field(text, name.start));
    if !(is_pass || stands_for_a_secret(&words, name.by_equals)) {
        return signature(text, name.start..mark.end);
    }
    if is_placeholder(bytes.get(unquoted..).unwrap_or_default(), &words) {
        return None;
    }
    let is_header = words.iter().any(|w| w == "cookie" || w == "authorization");
    let value = match bytes.get(quote) {
        Some(mark @ (b'"' | b'\'')) => {
            let first = quoted_value(bytes, quote + 1, *mark, quote > at);
            let said = text.get(first.clone())?;
            let is_told =
                if in_list { is_message(said) && !is_header && !is_login } else { is_call && said.contains(' ') };
            if is_told {
                return None;
            }
            if in_list { to_last_item(bytes, first, *mark, quote > at) } else { first }
        }
        _ if is_header => header_value(bytes, at),
        _ if name.by_equals && bytes.get(..name.start).is_some_and(|b| b.trim_ascii_end().ends_with(b";")) => {
            at..forth(bytes, at, usize::MAX, |b| !matches!(b, b';' | b'"' | b'\'' | b'\n'))
        }
        _ => at..forth(bytes, at, usize::MAX, is_value),
    };
    let said = text.get(value.clone())?;
    (!is_no_secret(said, &words) && (name.by_equals || is_quoted || !is_prose(said, &words))).then_some(value)
}

/// What a pair's own name is, where its parts are named too: `DB_PASSWORD` before the `value` of
/// `{"name": "DB_PASSWORD", "value": …}`, as lists of variables and of headers are written.
fn name_beside(text: &str, value: usize) -> Option<&str> {
    let bytes = text.as_bytes();
    let end = back(bytes, value, 32, |b| is_around(b) || b.is_ascii_whitespace() || b == b',');
    let start = back(bytes, end, MAX_NAME, is_name);
    let mark = back(bytes, start, 8, |b| is_around(b) || b == b' ');
    let mark = mark.checked_sub(1).filter(|at| matches!(bytes.get(*at), Some(b':' | b'=')))?;
    let key = back(bytes, mark, 8, |b| is_around(b) || b == b' ');
    let word = text.get(back(bytes, key, MAX_NAME, is_name)..key)?;
    let is_key = ["name", "key"].iter().any(|known| word.eq_ignore_ascii_case(known));
    text.get(start..end).filter(|_| is_key)
}

/// The name is one of a struct's or a map's as Go prints them, `{User:app Pass:x}` or `map[pass:x]`: it stands behind
/// the bracket or behind another field.
fn is_field(text: &str, name: usize) -> bool {
    let bytes = text.as_bytes();
    let is_map = |bracket: usize| bytes.get(..bracket).is_some_and(|before| before.ends_with(b"map"));
    let Some(at) = name.checked_sub(1) else { return false };
    match bytes.get(at) {
        Some(b'{') => return true,
        Some(b'[') => return is_map(at),
        Some(b' ') => {}
        _ => return false,
    }
    let field = back(bytes, at, MAX_AROUND, |b| !b.is_ascii_whitespace());
    let field = bytes.get(field..at).unwrap_or_default();
    if !field.contains(&b':') || field.iter().any(|b| is_quote(*b)) {
        return false;
    }
    let mut closed = 0_usize;
    for place in (back(bytes, at, MAX_AROUND, |b| b != b'\n')..at).rev() {
        match bytes.get(place) {
            Some(b'}' | b']') => closed += 1,
            Some(b'{' | b'[') if closed > 0 => closed -= 1,
            Some(b'{') => return true,
            Some(b'[') => return is_map(place),
            _ => {}
        }
    }
    false
}

/// The value of a variable as Go prints one that has no field names: `{DB_PASSWORD x nil}`.
pub fn variable(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let end = forth(bytes, mark.end, MAX_NAME, is_name);
    let name = text.get(mark.end..end).filter(|_| bytes.get(end) == Some(&b' '))?;
    let words = words(may_stand_for_a_secret(name).then_some(name)?);
    let rest = super::head(text.get(end + 1..)?, MAX_AROUND).split('\n').next()?;
    let item = rest.split("} {").next()?;
    let nil = [" nil", " <nil>"];
    let valued =
        nil.iter().find_map(|nil| item.strip_suffix(nil).or_else(|| Some(item.split_once(&format!("{nil}}}"))?.0)));
    let is_variable = name.contains('_') && !name.bytes().any(|b| b.is_ascii_lowercase());
    let alone = || item.split(['}', ' ']).next().filter(|_| is_variable);
    let value = valued.or_else(alone)?;
    let is_secret = stands_for_a_secret(&words, true) && !is_no_secret(value, &words);
    (is_secret && !is_placeholder(value.as_bytes(), &words)).then_some(end + 1..end + 1 + value.len())
}

/// What an element of XML holds whose name stands for a secret, told at its end.
pub fn element(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let end = forth(bytes, mark.end, MAX_NAME, is_name);
    let name = text.get(mark.end..end).filter(|_| bytes.get(end) == Some(&b'>'))?;
    let words = words(may_stand_for_a_secret(name).then_some(name)?);
    let start = back(bytes, mark.start, usize::MAX, |b| b != b'<' && b != b'>');
    let value = text.get(start..mark.start)?;
    let is_held = start.checked_sub(1).is_some_and(|at| bytes.get(at) == Some(&b'>'));
    let is_secret = stands_for_a_secret(&words, true) && !is_no_secret(value.trim(), &words);
    (is_held && is_secret && !is_placeholder(value.as_bytes(), &words)).then_some(start..mark.start)
}

/// The second of two quoted words, where the first is the name of a secret: `('password', 'x')`, or `["token", "x1"]`
/// where it is no other name. Behind `"AUTH"` all that is quoted, as commands of Redis are written.
pub(super) fn paired(text: &str, name: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let said = text.get(name.clone())?;
    let is_login = said.eq_ignore_ascii_case("auth");
    if !is_login && !may_stand_for_a_secret(said) {
        return None;
    }
    let quote = name.start.checked_sub(1).and_then(|at| bytes.get(at)).copied().filter(|b| is_quote(*b))?;
    let opened = back(bytes, name.start - 1, 4, |b| b == b'\\');
    let closed = forth(bytes, name.end, 4, |b| b == b'\\') + 1;
    let comma = bytes.get(closed) == Some(&b',');
    let at = forth(bytes, closed + usize::from(comma), 8, |b| b == b' ');
    let value = forth(bytes, at, 4, |b| b == b'\\');
    if bytes.get(value) != Some(&quote) {
        return None;
    }
    let first = quoted_value(bytes, value + 1, quote, value > at);
    if !comma {
        let range = if is_login { first } else { return None };
        return (!is_mechanism(text.get(range.clone())?)).then(|| to_next_word(bytes, range, quote));
    }
    let words = words(said);
    let value = text.get(first.clone())?;
    let close = forth(bytes, forth(bytes, first.end, 4, |b| b == b'\\') + 1, 4, |b| b == b' ');
    let bracket = opened.checked_sub(1).and_then(|at| bytes.get(at));
    let is_pair = match (bracket, bytes.get(close)) {
        // Names of fields stand in pairs too; the items of a map are listed.
        (Some(b'('), Some(b')')) => {
            let before = bytes.get(..opened - 1).unwrap_or_default().trim_ascii_end();
            said != "Secret"
                && (!is_message(value) || value.contains(' ') || before.ends_with(b"[") || before.ends_with(b","))
        }
        (Some(b'['), Some(b']')) => !value.contains(' ') && value.bytes().any(|b| b.is_ascii_digit()),
        _ => false,
    };
    let is_secret = (is_login || stands_for_a_secret(&words, true)) && !is_no_secret(value, &words);
    (is_pair && is_secret && !is_placeholder(value.as_bytes(), &words)).then_some(first)
}

/// `"AUTH" "LOGIN"` is of a mail server.
fn is_mechanism(word: &str) -> bool {
    matches!(word, "LOGIN" | "PLAIN" | "XOAUTH2" | "CRAM-MD5")
}

/// The password where a user stands before it.
fn to_next_word(bytes: &[u8], first: Range<usize>, quote: u8) -> Range<usize> {
    let next = forth(bytes, first.end + 1, 2, |b| b == b' ');
    if next == first.end + 2 && bytes.get(next) == Some(&quote) {
        return first.start..quoted_value(bytes, next + 1, quote, false).end;
    }
    first
}
