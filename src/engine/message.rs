//! A text that a container, a registry, a scheduler or an admission plugin wrote, together with what it says.

use std::ops::Deref;
use std::sync::OnceLock;

use super::classify::{Reading, Table};
use super::text;

/// A bounded and cleaned text. What it says is read at most once: a workload is looked at far more often than the
/// texts of its pods change, and reading a text costs more than all else about a pod. Two are equal when their texts
/// are.
#[derive(Clone, Default)]
pub struct Message {
    text: Box<str>,
    /// By which table it was read, and what it says.
    said: OnceLock<(Speaker, Option<Reading>)>,
}

/// Whose words a table reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    Registry,
    Kubelet,
    Volumes,
    Runtime,
    Program,
    Scheduler,
    Admission,
}

impl Message {
    /// Keeps the ends of a text, and what the whole of it says.
    pub(super) fn of(whole: &str, table: &Table, read: impl Fn(&Table, &str) -> Option<Reading>) -> Self {
        let said = OnceLock::from((table.speaker(), read(table, whole)));
        Self { text: text::clean(whole, text::MAX_MESSAGE), said }
    }

    /// The same in other words.
    pub(super) fn kept_as(self, text: Box<str>) -> Self {
        Self { text, ..self }
    }

    /// What it says, by `table` and by the way in which that one reads.
    pub(super) fn says(&self, table: &Table, read: impl Fn(&Table, &str) -> Option<Reading>) -> Option<Reading> {
        let (speaker, said) = *self.said.get_or_init(|| (table.speaker(), read(table, &self.text)));
        // Every text has one speaker. Should it be asked for another, the answer is right, only not kept.
        if speaker == table.speaker() { said } else { read(table, &self.text) }
    }
}

impl Deref for Message {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl From<Box<str>> for Message {
    fn from(text: Box<str>) -> Self {
        Self { text, said: OnceLock::new() }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Box::<str>::from(text).into()
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Message {}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.text.fmt(f)
    }
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.text.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::engine::classify::reading;
    use crate::engine::words::{Cause, Class, Sureness};

    fn table(speaker: Speaker, cause: Cause) -> Table {
        Table::new(speaker, &[(&["not found"], reading(Class::ImagePullBackOff, cause, Sureness::Repeated))])
    }

    #[test]
    fn a_text_is_read_once_and_answers_every_table_rightly() {
        let (registry, runtime) =
            (table(Speaker::Registry, Cause::ImageNotFound), table(Speaker::Runtime, Cause::Unknown));
        let (message, reads) = (Message::from("web:9: Not Found"), Cell::new(0));
        let ask = |message: &Message, table: &Table| {
            let said = message.says(table, |table, text| {
                reads.set(reads.get() + 1);
                table.read_part(text)
            });
            said.map(|said| said.cause)
        };
        assert_eq!(ask(&message, &registry), Some(Cause::ImageNotFound));
        assert_eq!(ask(&message, &registry), Some(Cause::ImageNotFound));
        assert_eq!(ask(&message.clone(), &registry), Some(Cause::ImageNotFound));
        assert_eq!(reads.get(), 1);
        assert_eq!(ask(&message, &runtime), Some(Cause::Unknown));
        assert_eq!(ask(&message, &registry), Some(Cause::ImageNotFound));
        assert_eq!(ask(&Message::from("all is well"), &registry), None);
    }
}
