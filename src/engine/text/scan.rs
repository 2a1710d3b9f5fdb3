//! Moving about in a text, byte by byte.

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

pub(super) fn is_value(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !matches!(byte, b',' | b';' | b'&' | b'"' | b'\'')
}

pub(super) fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

/// The first place from `at` on, at most `most` further, where `fits` ends.
pub(super) fn forth(bytes: &[u8], at: usize, most: usize, fits: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let length = rest.iter().take(most).take_while(|b| fits(**b)).count();
    boundary(bytes, at + length)
}

/// The first place before `at`, at most `most` before it, from which on `fits` holds; never within a character.
pub(super) fn back(bytes: &[u8], at: usize, most: usize, fits: impl Fn(u8) -> bool) -> usize {
    let before = bytes.get(..at).unwrap_or_default();
    boundary(bytes, at - before.iter().rev().take(most).take_while(|b| fits(**b)).count())
}

/// The place itself, or the next one where a character begins.
pub(super) fn boundary(bytes: &[u8], at: usize) -> usize {
    at + bytes.get(at..).unwrap_or_default().iter().take_while(|b| (**b & 0xC0) == 0x80).count()
}
