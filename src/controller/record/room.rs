//! What text and values take as JSON, and what of them there is room for.

use std::io;

use serde::Serialize;

/// The beginning of a text that is too long as JSON, with a mark of that.
pub fn cut(text: &str, max: usize) -> String {
    if cost(text) <= max {
        return text.to_owned();
    }
    let mut room = max.saturating_sub(GAP.len());
    let kept: String = text.chars().take_while(|char| takes(&mut room, cost_of(*char))).collect();
    kept + GAP
}

/// As many of the lines as there is room for. Parts of lines could look like something else.
pub fn within<'a>(lines: impl Iterator<Item = &'a str>, mut room: usize) -> Vec<&'a str> {
    lines.take_while(|line| takes(&mut room, cost(line) + cost("\n"))).collect()
}

pub const GAP: &str = "…";

fn takes(room: &mut usize, cost: usize) -> bool {
    let left = room.checked_sub(cost);
    *room = left.unwrap_or(0);
    left.is_some()
}

/// Bytes of a text as JSON.
pub fn cost(text: &str) -> usize {
    text.chars().map(cost_of).sum()
}

fn cost_of(char: char) -> usize {
    match char {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..' ' => 6,
        _ => char.len_utf8(),
    }
}

/// Bytes of a value as JSON, which need not be kept to be counted.
pub fn size(of: &impl Serialize) -> usize {
    let mut bytes = Counter(0);
    serde_json::to_writer(&mut bytes, of).map_or(0, |()| bytes.0)
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
