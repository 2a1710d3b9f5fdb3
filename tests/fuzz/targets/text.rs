//! Cleaning and redacting text, and the patterns that people write.

use backstay::engine::patterns::Patterns;
use backstay::engine::text::{MAX_MESSAGE, clean, redact};
use proptest::prelude::*;

use crate::hostile;
use crate::oracle::{Checked, hides_the_secret, is_bounded, is_plain, is_seen};

pub fn input() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![4 => hostile::long_text(), 1 => "\\PC*", 1 => "(?s).*"].prop_map(String::into_bytes).boxed()
}

pub fn check(input: &[u8]) -> Checked {
    let text = String::from_utf8_lossy(input);
    for most in [0, 5, 64, MAX_MESSAGE] {
        let once = clean(&text, most);
        is_plain("cleaned text", &once)?;
        is_bounded("cleaned text", &once, most)?;
        if clean(&once, most) != once {
            return Err(format!("cleaned twice is not cleaned once: {once:?}"));
        }
    }
    let once = redact(&text);
    if redact(&once) != once {
        return Err(format!("redacted twice is not redacted once: {once:?}"));
    }
    let line = backstay::cli::page::one_line(&text);
    is_plain("a line", &line)?;
    if is_seen(&text) { hides_the_secret("a line", &line) } else { Ok(()) }
}

/// A pattern in the first line, and the text below it.
pub fn patterns() -> BoxedStrategy<Vec<u8>> {
    let atom = "(\\PC|[.^$|?*+(){}\\[\\]\\\\a-z0-9,:=!<>&~-]|\\\\[pPbBdDwWsSxuAzQE]|\\{[0-9]{1,5}(,[0-9]{0,5})?\\}|\\(\\?[a-z]{1,3}:?)";
    let pattern = proptest::collection::vec(atom, 0..12).prop_map(|atoms| atoms.concat().replace('\n', ""));
    let pattern = prop_oneof![3 => pattern, 1 => hostile::text().prop_map(|text| text.replace('\n', " "))];
    let repeated =
        (pattern, 1..40_usize).prop_map(|(pattern, times)| if times > 20 { pattern.repeat(times) } else { pattern });
    (repeated, hostile::long_text()).prop_map(|(pattern, text)| format!("{pattern}\n{text}").into_bytes()).boxed()
}

pub fn check_patterns(input: &[u8]) -> Checked {
    let input = String::from_utf8_lossy(input);
    let (pattern, text) = input.split_once('\n').unwrap_or((&input, ""));
    let patterns = Patterns::from(vec![pattern.to_owned()]);
    let found = patterns.find_in(text);
    match patterns.fault() {
        Some((_, why)) if found => Err(format!("a pattern that is none matches: {why}")),
        Some((_, why)) => is_bounded("what is wrong with a pattern", &why, 1024),
        // What passes the check must also find what it stands for once it is among others.
        None => match Patterns::from(vec![pattern.to_owned(), "\\z".to_owned()]).find_in(text) {
            true => Ok(()),
            false => Err("a pattern that passes the check cannot be matched".to_owned()),
        },
    }
}
