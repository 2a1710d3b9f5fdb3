use std::collections::HashSet;
use std::sync::Arc;

use crate::cluster::text::{self, MAX_WORD};
use crate::engine::facts::Name;

/// Shares equal names. Names that only the interner still holds are dropped now and then, so that it never holds
/// many more than the facts do.
#[derive(Debug, Default)]
pub struct Interner {
    names: HashSet<Name>,
    /// The size at which unused names are dropped.
    limit: usize,
}

const MIN_LIMIT: usize = 1024;
/// The longest value of a label.
const MAX_LABEL: usize = 63;
/// The longest name of an object.
const MAX_NAME: usize = 253;

impl Interner {
    /// The shared form of a name, as it is.
    pub fn name(&mut self, name: &str) -> Name {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        if self.names.len() >= self.limit {
            self.names.retain(|name| Arc::strong_count(name) > 1);
            self.limit = self.names.len().saturating_mul(2).max(MIN_LIMIT);
            self.names.shrink_to(self.limit);
        }
        let shared = Name::from(name);
        self.names.insert(shared.clone());
        shared
    }

    /// The shared form of the name of an object or a container. Those that an API server took are as they are; in a file
    /// there may be anything.
    pub fn named(&mut self, name: &str) -> Name {
        if is_plain(name) { self.name(name) } else { self.name(&text::shown(name, MAX_NAME)) }
    }

    /// The value of a label, which the API server takes up to 63 bytes of; a file may hold any.
    pub fn label(&mut self, value: &str) -> Name {
        let named = self.named(value);
        if named.len() <= MAX_LABEL { named } else { self.name(text::head(&named, MAX_LABEL)) }
    }

    /// A reason or another short word that others wrote: cleaned, redacted, bounded and shared.
    pub fn word(&mut self, word: &str) -> Name {
        if word.len() <= MAX_WORD && word.bytes().all(|byte| byte.is_ascii_graphic()) {
            return self.name(word);
        }
        self.name(&text::shown(word, MAX_WORD))
    }

    /// A word that is missing or empty is `None`.
    pub fn optional(&mut self, word: Option<&str>) -> Option<Name> {
        word.filter(|word| !word.is_empty()).map(|word| self.word(word))
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// A name as `named` gives it, not shared.
pub fn unshared(name: &str) -> Name {
    if is_plain(name) { Name::from(name) } else { Name::from(&*text::shown(name, MAX_NAME)) }
}

fn is_plain(name: &str) -> bool {
    name.len() <= MAX_NAME && name.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_one() {
        let mut interner = Interner::default();
        let (first, second) = (interner.name("shop"), interner.name("shop"));
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn names_that_nobody_holds_are_dropped() {
        let mut interner = Interner::default();
        let held = interner.name("held");
        (0..100_000).for_each(|number| drop(interner.name(&format!("node-{number}"))));
        assert!(interner.len() <= MIN_LIMIT + 1, "{} names left", interner.len());
        assert!(Arc::ptr_eq(&held, &interner.name("held")));
    }

    #[test]
    fn a_hostile_reason_is_bounded() {
        let mut interner = Interner::default();
        assert_eq!(&*interner.word("Bad\u{1b}[31m\u{0}Reason"), "BadReason");
        assert!(interner.word(&"x".repeat(10_000)).len() <= MAX_WORD);
    }
}
