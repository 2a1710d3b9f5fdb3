//! One line of a log as what it says: how severe it is, and its texts.

use super::json;
use super::level::{self, Level};
use super::line;

/// What one line says. A line of JSON may hold several texts, each of several lines: the message first, then the error,
/// then the stack trace.
#[derive(Debug)]
pub struct Record {
    /// How severe the line itself says it is.
    pub level: Option<Level>,
    pub texts: Vec<String>,
}

impl Record {
    /// Reads a line without its stamp; of a very long one what stands around a place of interest.
    pub fn new(bytes: &[u8], around: usize) -> Self {
        if let Some(entry) = json::entry(bytes) {
            let texts = entry.texts.iter().map(|text| crate::engine::text::strip(text, '\t')).collect();
            return Self { level: entry.level, texts };
        }
        let text = line::text(bytes, around);
        Self { level: level::of_line(&text), texts: vec![text] }
    }

    /// The lines of all texts.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().flat_map(|text| text.split('\n'))
    }
}
