//! Text that others wrote: messages of kubelets, runtimes, schedulers and applications.
//!
//! It is untrusted. It is cleaned, redacted and bounded where it enters, in this order. It never becomes a metric label.

mod commands;
mod names;
mod pairs;
mod redact;
mod scan;
mod secrets;
mod urls;
mod values;

use std::iter::Peekable;
use std::str::Chars;

pub(in crate::engine) use redact::mask;
pub use redact::redact;

/// Bytes kept of a message.
pub const MAX_MESSAGE: usize = 512;
/// Bytes kept of a reason or of another word that is meant to be short.
pub const MAX_WORD: usize = 128;

const GAP: &str = " … ";
/// How much of each end of a very long text is looked at where secrets are hidden.
const LOOKED_AT: usize = 32 << 10;
/// Longer than secrets are.
pub(in crate::engine) const EDGE: usize = 4 << 10;

/// Cleans `text` and bounds it to `max` bytes. What is too long loses its middle: pull errors say what is wrong at
/// their end, panics at their beginning.
///
/// Control characters, terminal escape sequences, replacement characters and characters that hide or reorder text
/// are dropped; line ends stay as `\n`, tabs become spaces, and the ends are trimmed.
pub fn clean(text: &str, max: usize) -> Box<str> {
    // Escape sequences and dropped characters shrink the text, so somewhat more than `max` is looked at; beyond
    // that, a megabyte of text costs no more than a kilobyte.
    let room = max.saturating_mul(4);
    if text.len() <= room.saturating_mul(2) {
        let whole = strip(text, ' ');
        let whole = whole.trim();
        return if whole.len() <= max { whole.into() } else { ends(whole, whole, max) };
    }
    ends(strip(head(text, room), ' ').trim(), strip(tail(text, room), ' ').trim(), max)
}

/// The same without what looks like a secret. What is a secret is told by what stands around it, so it is hidden before
/// anything is cut.
pub fn shown(text: &str, max: usize) -> Box<str> {
    let hidden = |text: &str| redact(strip(text, ' ').trim()).trim().to_owned();
    if text.len() <= LOOKED_AT.saturating_mul(2) {
        let whole = hidden(text);
        return if whole.len() <= max { whole.into() } else { ends(&whole, &whole, max) };
    }
    // A secret may stand across the place where the text is cut for this; what is close to it is not shown.
    let (first, last) = (hidden(head(text, LOOKED_AT)), hidden(tail(text, LOOKED_AT)));
    let (first, last) = (head(&first, first.len().saturating_sub(EDGE)), tail(&last, last.len().saturating_sub(EDGE)));
    ends(first, last, max)
}

/// The beginning of `first` and the end of `last`, `max` bytes together.
fn ends(first: &str, last: &str, max: usize) -> Box<str> {
    let Some(room) = max.checked_sub(GAP.len()) else { return head(first, max).trim().into() };
    let (before, after) = (head(first, room / 2), tail(last, room - room / 2));
    [before.trim_end(), GAP, after.trim_start()].concat().trim().into()
}

/// At most the first `max` bytes, cut where a character ends.
pub fn head(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

/// At most the last `max` bytes, cut where a character begins.
pub fn tail(text: &str, max: usize) -> &str {
    let start = (text.len().saturating_sub(max)..=text.len()).find(|at| text.is_char_boundary(*at));
    start.and_then(|start| text.get(start..)).unwrap_or_default()
}

/// Without terminal escapes and characters that hide or reorder text; a tab becomes `tab`.
pub(in crate::engine) fn strip(text: &str, tab: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_until_final(&mut chars),
            '\n' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\t' => out.push(tab),
            char if char.is_control() || is_deceptive(char) => {}
            char => out.push(char),
        }
    }
    out
}

/// Characters that are invisible or reorder what a person sees, and the mark of undecodable bytes.
fn is_deceptive(char: char) -> bool {
    matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}')
}

/// Skips the rest of an ECMA-48 escape sequence.
fn skip_escape(chars: &mut Peekable<Chars>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_until_final(chars);
        }
        // Operating system commands and other strings end with BEL or `ESC \`.
        Some(']' | 'P' | '^' | '_' | 'X') => {
            while let Some(char) = chars.next() {
                if char == '\u{7}' || (char == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        Some('(' | ')' | '*' | '+') => {
            chars.next();
            chars.next();
        }
        Some('\u{30}'..='\u{7e}') => {
            chars.next();
        }
        _ => {}
    }
}

/// Skips parameters and the final byte of a control sequence.
fn skip_until_final(chars: &mut Peekable<Chars>) {
    while chars.next_if(|char| ('\u{20}'..='\u{3f}').contains(char)).is_some() {}
    chars.next_if(|char| ('\u{40}'..='\u{7e}').contains(char));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("plain", "plain")]
    #[case("  spaces around\n", "spaces around")]
    #[case("two\r\nlines\tand a tab", "two\nlines and a tab")]
    #[case("\u{1b}[31mred\u{1b}[0m and \u{1b}]0;title\u{7}title", "red and title")]
    #[case("\u{1b}]8;;http://a\u{1b}\\link", "link")]
    #[case("\u{1b}(Bcharset \u{9b}1mand C1", "charset and C1")]
    #[case("nul\u{0}bell\u{7}bad\u{fffd}byte", "nulbellbadbyte")]
    #[case("abc\u{202e}fed\u{200b}", "abcfed")]
    #[case("ends in an escape \u{1b}[", "ends in an escape")]
    fn text_is_cleaned_of_what_a_terminal_would_obey(#[case] text: &str, #[case] cleaned: &str) {
        assert_eq!(&*clean(text, 100), cleaned);
    }

    #[test]
    fn long_text_keeps_its_beginning_and_its_end() {
        let text = format!("panic: first{}last: not found", "x".repeat(2_000_000));
        let cleaned = clean(&text, 64);
        assert!(cleaned.starts_with("panic: first") && cleaned.ends_with("last: not found") && cleaned.len() <= 64);
    }

    proptest! {
        #[test]
        fn any_text_is_bounded_and_free_of_control_characters(text in "\\PC*|(?s).*|[\u{1b}\\[\\]0-9;m\u{9b}a]*", max in 0_usize..40) {
            let cleaned = clean(&text, max);
            prop_assert!(cleaned.len() <= max);
            prop_assert!(!cleaned.chars().any(|char| char != '\n' && char.is_control()));
        }
    }
}
