//! Text that others wrote: messages of kubelets, runtimes, schedulers and applications.
//!
//! It is untrusted. It is bounded and cleaned where it enters, and redacted where it is shown to people. It never
//! becomes a metric label.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::LazyLock;

use regex::Regex;

/// Bytes kept of a message.
pub const MAX_MESSAGE: usize = 512;
/// Bytes kept of a reason or of another word that is meant to be short.
pub const MAX_WORD: usize = 128;

const GAP: &str = " … ";

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
        let whole = strip(text);
        let whole = whole.trim();
        return if whole.len() <= max { whole.into() } else { ends(whole, whole, max) };
    }
    ends(strip(head(text, room)).trim(), strip(tail(text, room)).trim(), max)
}

/// The beginning of `first` and the end of `last`, `max` bytes together.
fn ends(first: &str, last: &str, max: usize) -> Box<str> {
    let Some(room) = max.checked_sub(GAP.len()) else { return head(first, max).into() };
    let (before, after) = (head(first, room / 2), tail(last, room - room / 2));
    [before.trim_end(), GAP, after.trim_start()].concat().into()
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

fn strip(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_until_final(&mut chars),
            '\n' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\t' => out.push(' '),
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

/// What is taken out before text is shown: each pattern and what stands in its place.
const SECRETS: [(&str, &str); 4] = [
    (r"(?i)\b([a-z][a-z0-9+.-]{0,30}://)[^/\s@]+@", "${1}***@"),
    (r"(?i)\b(bearer|basic)(\s+)[a-z0-9._~+/=-]{8,}", "${1}${2}***"),
    (r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(\.[A-Za-z0-9_-]*)?", "***"),
    // A name, a quote that may close it, `=` or `:`, and the value. A space before the colon makes it prose, as in
    // `volume "db-secret" : secret "db-secret" not found`.
    (
        r#"(?i)((?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)[a-z0-9_-]*(?:["']?:\s*|["']?\s*=\s*))("[^"]*"|'[^']*'|[^\s,;&"']+)"#,
        "${1}***",
    ),
];

/// A pattern that does not compile is left out; a test holds that there is none.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let compiled = SECRETS.iter().map(|(pattern, instead)| (Regex::new(pattern), *instead));
    compiled.filter_map(|(regex, instead)| Some((regex.ok()?, instead))).collect()
});

/// Takes out what looks like a secret: user information in URLs, bearer tokens, JSON web tokens, and values behind
/// names such as `password` or `token`. It may take out more than secrets and may miss some.
pub fn redact(text: &str) -> Cow<'_, str> {
    PATTERNS.iter().fold(Cow::Borrowed(text), |text, (regex, instead)| match regex.replace_all(&text, *instead) {
        Cow::Borrowed(_) => text,
        Cow::Owned(redacted) => Cow::Owned(redacted),
    })
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

    #[rstest]
    #[case("dial postgres://app:s3cr3t@db:5432/x", "dial postgres://***@db:5432/x")]
    #[case("Authorization: Bearer abcdefgh12345", "Authorization: Bearer ***")]
    #[case("got eyJhbGciOi.eyJzdWIiOi.c2ln back", "got *** back")]
    #[case("DB_PASSWORD=hunter2 PORT=80", "DB_PASSWORD=*** PORT=80")]
    #[case(r#"{"token": "abc", "n": 1}"#, r#"{"token": ***, "n": 1}"#)]
    #[case("--api-key='a b' go", "--api-key=*** go")]
    #[case("a://u:p@h token=x", "a://***@h token=***")]
    fn secrets_are_redacted(#[case] text: &str, #[case] redacted: &str) {
        assert_eq!(redact(text), redacted);
    }

    #[rstest]
    #[case(r#"secret "db-password" not found"#)]
    #[case(r#"MountVolume.SetUp failed for volume "db-secret" : secret "db-secret" not found"#)]
    #[case("couldn't find key token in Secret shop/db")]
    #[case("mail to someone@example.org")]
    fn what_a_person_needs_to_see_is_not_redacted(#[case] text: &str) {
        assert_eq!(redact(text), text);
    }

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(PATTERNS.len(), SECRETS.len());
    }

    proptest! {
        #[test]
        fn any_text_is_bounded_and_free_of_control_characters(text in "\\PC*|(?s).*|[\u{1b}\\[\\]0-9;m\u{9b}a]*", max in 0_usize..40) {
            let cleaned = clean(&text, max);
            prop_assert!(cleaned.len() <= max);
            prop_assert!(!cleaned.chars().any(|char| char != '\n' && char.is_control()));
            let _ = redact(&cleaned);
        }
    }
}
