//! Objects of one kind, found by key and by group, and kept complete by listing in place.
//!
//! A new listing does not build a second copy: it marks what it sees, and what bears no mark at its end is dropped.
//! Until then the view from before stays readable, and a relist costs no memory to speak of.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::engine::facts::Name;

/// The stream that delivers an object. One stream's relist never drops what another delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source(pub u16);

/// Objects by key, and the groups they form, such as the pods of one ReplicaSet.
#[derive(Debug)]
pub struct Members<V> {
    slots: HashMap<Name, Slot<V>>,
    groups: HashMap<Name, Vec<Arc<V>>>,
    listings: HashMap<Source, Listing>,
}

#[derive(Debug)]
struct Slot<V> {
    value: Arc<V>,
    group: Name,
    source: Source,
    /// The listing that saw it last.
    mark: u32,
}

#[derive(Debug, Default)]
struct Listing {
    mark: u32,
    /// Groups that changed since the listing began; they are told when it is complete. `None` between listings.
    changed: Option<HashSet<Name>>,
}

impl<V> Default for Members<V> {
    fn default() -> Self {
        Self { slots: HashMap::new(), groups: HashMap::new(), listings: HashMap::new() }
    }
}

impl<V: PartialEq> Members<V> {
    pub fn get(&self, key: &str) -> Option<&Arc<V>> {
        self.slots.get(key).map(|slot| &slot.value)
    }

    /// The members of a group, in any order.
    pub fn of(&self, group: &str) -> &[Arc<V>] {
        self.groups.get(group).map(Vec::as_slice).unwrap_or_default()
    }

    /// The group that an object is in.
    pub fn group(&self, key: &str) -> Option<&str> {
        self.slots.get(key).map(|slot| &*slot.group)
    }

    pub fn groups(&self) -> impl Iterator<Item = &Name> {
        self.groups.keys()
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// A listing begins, or begins again.
    pub fn begin(&mut self, source: Source) {
        let listing = self.listings.entry(source).or_default();
        listing.mark = listing.mark.wrapping_add(1);
        listing.changed.get_or_insert_default();
    }

    /// Puts an object, and returns the groups whose members changed: none if it is equal to what was there, and none
    /// during a listing.
    pub fn put(&mut self, source: Source, key: Name, group: Name, value: V) -> Vec<Name> {
        let mark = self.listings.entry(source).or_default().mark;
        let Some(slot) = self.slots.get_mut(&key) else {
            let value = Arc::new(value);
            self.join(&group, value.clone());
            self.slots.insert(key, Slot { value, group: group.clone(), source, mark });
            return self.changed(source, [Some(group), None]);
        };
        slot.mark = mark;
        slot.source = source;
        if slot.group == group && *slot.value == value {
            return Vec::new();
        }
        let value = Arc::new(value);
        let former = std::mem::replace(&mut slot.value, value.clone());
        let left = std::mem::replace(&mut slot.group, group.clone());
        self.leave(&left, &former);
        self.join(&group, value);
        let left = Some(left).filter(|left| *left != group);
        self.changed(source, [Some(group), left])
    }

    /// Drops an object, and returns the groups that lost it.
    pub fn remove(&mut self, source: Source, key: &str) -> Vec<Name> {
        let Some(slot) = self.slots.remove(key) else { return Vec::new() };
        self.leave(&slot.group, &slot.value);
        self.changed(source, [Some(slot.group), None])
    }

    /// The listing is complete: drops what it did not see, and returns all groups that changed since it began.
    pub fn finish(&mut self, source: Source) -> Vec<Name> {
        let Some(listing) = self.listings.get_mut(&source) else { return Vec::new() };
        let mark = listing.mark;
        let mut changed = listing.changed.take().unwrap_or_default();
        let gone: Vec<Name> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.source == source && slot.mark != mark)
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            changed.extend(self.remove(source, &key));
        }
        self.slots.shrink_to(self.slots.len().saturating_mul(2));
        changed.into_iter().collect()
    }

    fn join(&mut self, group: &Name, value: Arc<V>) {
        match self.groups.get_mut(group) {
            Some(members) => members.push(value),
            None => drop(self.groups.insert(group.clone(), vec![value])),
        }
    }

    fn leave(&mut self, group: &str, value: &Arc<V>) {
        let Some(members) = self.groups.get_mut(group) else { return };
        if let Some(at) = members.iter().position(|member| Arc::ptr_eq(member, value)) {
            members.swap_remove(at);
        }
        if members.is_empty() {
            self.groups.remove(group);
        } else if members.capacity() > members.len().saturating_mul(4) {
            members.shrink_to_fit();
        }
    }

    /// Tells the groups now, or at the end of the listing.
    fn changed(&mut self, source: Source, groups: [Option<Name>; 2]) -> Vec<Name> {
        let groups = groups.into_iter().flatten();
        match self.listings.get_mut(&source).and_then(|listing| listing.changed.as_mut()) {
            Some(changed) => {
                changed.extend(groups);
                Vec::new()
            }
            None => groups.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Source = Source(1);
    const TWO: Source = Source(2);

    fn put(members: &mut Members<u8>, source: Source, key: &str, group: &str, value: u8) -> Vec<String> {
        sorted(members.put(source, key.into(), group.into(), value))
    }

    fn sorted(names: Vec<Name>) -> Vec<String> {
        let mut names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_change_is_told_and_an_equal_value_is_not() {
        let mut members = Members::default();
        assert_eq!(put(&mut members, ONE, "a", "x", 1), ["x"]);
        assert!(put(&mut members, ONE, "a", "x", 1).is_empty());
        assert_eq!(put(&mut members, ONE, "a", "x", 2), ["x"]);
        assert_eq!(put(&mut members, ONE, "a", "y", 2), ["x", "y"]);
        assert!(members.of("x").is_empty());
        assert_eq!(**members.of("y").first().unwrap(), 2);
        assert_eq!(sorted(members.remove(ONE, "a")), ["y"]);
        assert!(members.remove(ONE, "a").is_empty());
        assert_eq!((members.len(), members.groups().count()), (0, 0));
    }

    #[test]
    fn a_listing_drops_what_it_does_not_see_and_only_at_its_end() {
        let mut members = Members::default();
        for key in ["a", "b", "c"] {
            put(&mut members, ONE, key, key, 1);
        }
        members.begin(ONE);
        assert!(put(&mut members, ONE, "a", "a", 1).is_empty());
        assert!(put(&mut members, ONE, "b", "b", 2).is_empty(), "told at the end");
        assert_eq!(members.len(), 3, "the view from before stays");
        assert_eq!(sorted(members.finish(ONE)), ["b", "c"]);
        assert!(members.get("c").is_none() && members.of("c").is_empty());
    }

    #[test]
    fn a_listing_that_begins_again_keeps_what_the_last_one_saw() {
        let mut members = Members::default();
        members.begin(ONE);
        put(&mut members, ONE, "a", "a", 1);
        put(&mut members, ONE, "b", "b", 1);
        members.begin(ONE);
        put(&mut members, ONE, "b", "b", 1);
        assert_eq!(sorted(members.finish(ONE)), ["a", "b"]);
        assert!(members.get("a").is_none() && members.get("b").is_some());
    }

    #[test]
    fn a_listing_leaves_alone_what_another_stream_delivers() {
        let mut members = Members::default();
        put(&mut members, TWO, "b", "b", 1);
        members.begin(ONE);
        put(&mut members, ONE, "a", "a", 1);
        members.finish(ONE);
        assert!(members.get("a").is_some() && members.get("b").is_some());
    }
}
