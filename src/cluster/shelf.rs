//! A store for Backstay's own kinds, which are few and read whole.
//!
//! What we write ourselves is put here at once, so that the next decision sees it even when the watch has not
//! delivered it yet; an older version that arrives later is ignored. A listing that was begun later has the last word, also
//! where it says less: the API server may have gone back to an older state. Who manages which field is not kept: nobody asks,
//! and it takes several times the room of the object itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};

use super::readable::{Readable, Unreadable};

/// Namespace and name; the namespace is empty for cluster-scoped kinds.
pub type Key = (String, String);

/// The key that groups an object with others.
type Group<K> = fn(&K) -> Option<String>;

/// Objects of one kind, grouped by a key of the kind's own, such as the workload they are about.
#[derive(Debug)]
pub struct Shelf<K>(RwLock<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    group: Group<K>,
    objects: BTreeMap<Key, Entry<K>>,
    groups: BTreeMap<String, BTreeSet<Key>>,
    /// Objects that could not be read.
    unreadable: BTreeMap<Key, Odd>,
    /// Listings so far, by the namespace that is listed; the empty one stands for all.
    listings: BTreeMap<String, u64>,
    ready: bool,
}

#[derive(Debug)]
struct Entry<K> {
    object: Arc<K>,
    /// The listing that last saw it.
    listing: u64,
}

/// An object that could not be read.
#[derive(Debug)]
struct Odd {
    object: Arc<Unreadable>,
    listing: u64,
}

/// What an event changed; neither before nor after when an object that was not known cannot be read, or is gone again.
#[derive(Debug)]
pub struct Change<K> {
    pub key: Key,
    pub before: Option<Arc<K>>,
    pub after: Option<Arc<K>>,
}

impl<K: Resource<DynamicType = ()> + Clone> Shelf<K> {
    pub fn new(group: Group<K>) -> Self {
        Self(RwLock::new(Inner {
            group,
            objects: BTreeMap::new(),
            groups: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            listings: BTreeMap::new(),
            ready: false,
        }))
    }

    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let key = (namespace.to_owned(), name.to_owned());
        self.read(|inner| inner.objects.get(&key).map(|e| e.object.clone()))
    }

    pub fn all(&self) -> Vec<Arc<K>> {
        self.read(|inner| inner.objects.values().map(|e| e.object.clone()).collect())
    }

    /// The objects of one group, by name.
    pub fn group(&self, group: &str) -> Vec<Arc<K>> {
        self.read(|inner| {
            let keys = inner.groups.get(group);
            keys.into_iter().flatten().filter_map(|k| inner.objects.get(k)).map(|e| e.object.clone()).collect()
        })
    }

    /// The first listing is complete.
    pub fn is_ready(&self) -> bool {
        self.read(|inner| inner.ready)
    }

    /// Objects that could not be read as their kind.
    pub fn unreadable(&self) -> Vec<(Key, Arc<Unreadable>)> {
        self.read(|inner| inner.unreadable.iter().map(|(k, odd)| (k.clone(), odd.object.clone())).collect())
    }

    /// Remembers what we wrote ourselves. The answer may hold what others wrote meanwhile, and of that the watch does not tell
    /// any more: what it brings is no newer.
    pub fn put(&self, object: K) -> Option<Change<K>> {
        self.write(|inner| inner.put(object, false))
    }

    /// Forgets what we deleted ourselves.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.write(|inner| inner.remove(&(namespace.to_owned(), name.to_owned())));
    }

    /// Takes an event in and tells what changed. `namespace` is what its watch covers: one namespace, or all if it is
    /// empty. A listing says nothing about objects elsewhere.
    pub fn apply(&self, namespace: &str, event: Event<Readable<K>>) -> Vec<Change<K>> {
        self.write(|inner| match event {
            Event::Init => {
                *inner.listings.entry(namespace.to_owned()).or_default() += 1;
                Vec::new()
            }
            Event::InitApply(guard) => inner.take(guard, true).into_iter().collect(),
            Event::Apply(guard) => inner.take(guard, false).into_iter().collect(),
            Event::Delete(guard) => {
                let key = key_of(&guard);
                let odd = inner.unreadable.remove(&key);
                let gone = inner.remove(&key);
                gone.or_else(|| odd.map(|_| Change { key, before: None, after: None })).into_iter().collect()
            }
            Event::InitDone => inner.sweep(namespace),
        })
    }

    fn read<T>(&self, f: impl FnOnce(&Inner<K>) -> T) -> T {
        f(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, f: impl FnOnce(&mut Inner<K>) -> T) -> T {
        f(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K: Resource<DynamicType = ()> + Clone> Inner<K> {
    fn take(&mut self, guard: Readable<K>, listed: bool) -> Option<Change<K>> {
        let key = key_of(&guard);
        match guard.0 {
            Ok(object) => {
                self.unreadable.remove(&key);
                self.put(object, listed)
            }
            Err(unreadable) => self.misread(key, *unreadable),
        }
    }

    /// One line and one change per fault, however often it is listed or its status is written.
    fn misread(&mut self, key: Key, object: Unreadable) -> Option<Change<K>> {
        let listing = self.listing(&key);
        if let Some(odd) = self.unreadable.get_mut(&key).filter(|odd| odd.object.fault() == object.fault()) {
            // Its status may say more by now.
            *odd = Odd { object: Arc::new(object), listing };
            return None;
        }
        let kind = K::kind(&());
        tracing::warn!(%kind, namespace = key.0, name = key.1, because = object.because, "ignoring an unreadable object");
        let gone = self.remove(&key);
        self.unreadable.insert(key.clone(), Odd { object: Arc::new(object), listing });
        Some(gone.unwrap_or(Change { key, before: None, after: None }))
    }

    fn put(&mut self, mut object: K, listed: bool) -> Option<Change<K>> {
        let key = key_of(&object);
        let listing = self.listing(&key);
        if let Some(entry) = self.objects.get_mut(&key) {
            // What came since the listing was begun, such as our own write, may be newer than what it says.
            let has_last_word = listed && entry.listing != listing;
            entry.listing = listing;
            let same_object = entry.object.uid() == object.uid();
            let (known, new) = (version(entry.object.as_ref()), version(&object));
            if same_object && (known == new || (known > new && !has_last_word)) {
                return None;
            }
        }
        let before = self.remove(&key).and_then(|c| c.before);
        object.meta_mut().managed_fields = None;
        let after = Arc::new(object);
        if let Some(name) = (self.group)(&after) {
            self.groups.entry(name).or_default().insert(key.clone());
        }
        self.objects.insert(key.clone(), Entry { object: after.clone(), listing });
        Some(Change { key, before, after: Some(after) })
    }

    fn remove(&mut self, key: &Key) -> Option<Change<K>> {
        let entry = self.objects.remove(key)?;
        if let Some(name) = (self.group)(&entry.object)
            && let Some(keys) = self.groups.get_mut(&name)
        {
            keys.remove(key);
            if keys.is_empty() {
                self.groups.remove(&name);
            }
        }
        Some(Change { key: key.clone(), before: Some(entry.object), after: None })
    }

    /// After a listing, what it covers and did not mention is gone.
    fn sweep(&mut self, namespace: &str) -> Vec<Change<K>> {
        self.ready = true;
        let listing = self.listings.get(namespace).copied().unwrap_or_default();
        let covered = |key: &Key| namespace.is_empty() || key.0 == namespace;
        let odd = self.unreadable.iter().filter(|(key, odd)| covered(key) && odd.listing != listing);
        let odd: Vec<Key> = odd.map(|(key, _)| key.clone()).collect();
        odd.iter().for_each(|key| drop(self.unreadable.remove(key)));
        let gone: Vec<Key> = self
            .objects
            .iter()
            .filter(|(key, entry)| covered(key) && entry.listing != listing)
            .map(|(key, _)| key.clone())
            .collect();
        let odd = odd.into_iter().map(|key| Change { key, before: None, after: None });
        gone.iter().filter_map(|key| self.remove(key)).chain(odd).collect()
    }

    /// The latest listing of the watch that covers the object.
    fn listing(&self, key: &Key) -> u64 {
        self.listings.get(&key.0).or_else(|| self.listings.get("")).copied().unwrap_or_default()
    }
}

fn key_of<K: Resource>(object: &K) -> Key {
    (object.meta().namespace.clone().unwrap_or_default(), object.meta().name.clone().unwrap_or_default())
}

/// Resource versions of one kind are ordered numbers (Kubernetes API concepts, "Resource versions"; promised since
/// 1.35, true before); one that is no number counts as older than everything.
fn version<K: Resource>(object: &K) -> u64 {
    object.meta().resource_version.as_deref().and_then(|v| v.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::core::ObjectMeta;

    use super::*;

    fn map(name: &str, version: &str) -> ConfigMap {
        let metadata = ObjectMeta {
            name: Some(name.into()),
            namespace: Some("ns".into()),
            uid: Some(format!("uid-{name}")),
            resource_version: Some(version.into()),
            ..ObjectMeta::default()
        };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    fn shelf() -> Shelf<ConfigMap> {
        Shelf::new(|m| m.metadata.uid.clone())
    }

    #[test]
    fn an_older_version_from_the_watch_does_not_undo_our_own_write() {
        let shelf = shelf();
        shelf.put(map("a", "7"));
        assert!(shelf.apply("", Event::Apply(Readable(Ok(map("a", "6"))))).is_empty());
        assert_eq!(shelf.get("ns", "a").unwrap().resource_version(), Some("7".into()));
        assert_eq!(shelf.apply("", Event::Apply(Readable(Ok(map("a", "8"))))).len(), 1);
    }

    #[test]
    fn a_listing_removes_what_it_does_not_mention() {
        let shelf = shelf();
        shelf.put(map("a", "1"));
        shelf.put(map("b", "1"));
        shelf.apply("", Event::Init);
        shelf.apply("", Event::InitApply(Readable(Ok(map("b", "1")))));
        assert!(!shelf.is_ready());
        let changes = shelf.apply("", Event::InitDone);
        assert!(shelf.is_ready());
        assert_eq!(changes.len(), 1);
        assert!(shelf.get("ns", "a").is_none());
        assert_eq!(shelf.group("uid-b").len(), 1);
        assert!(shelf.group("uid-a").is_empty());
    }

    #[test]
    fn a_listing_has_the_last_word_but_on_what_was_written_since_it_was_begun() {
        let shelf = shelf();
        let list = |shelf: &Shelf<ConfigMap>, version: &str| {
            let changes = shelf.apply("", Event::InitApply(Readable(Ok(map("a", version)))));
            (changes.len(), shelf.get("ns", "a").unwrap().resource_version().unwrap())
        };
        shelf.put(map("a", "7"));
        shelf.apply("", Event::Init);
        assert_eq!(list(&shelf, "3"), (1, "3".to_owned()), "the API server went back");
        shelf.apply("", Event::InitDone);
        assert_eq!(shelf.apply("", Event::Apply(Readable(Ok(map("a", "4"))))).len(), 1, "and goes on from there");
        shelf.apply("", Event::Init);
        assert_eq!(list(&shelf, "4"), (0, "4".to_owned()), "nothing is new");
        shelf.apply("", Event::InitDone);
        shelf.apply("", Event::Init);
        shelf.put(map("a", "5"));
        assert_eq!(list(&shelf, "4"), (0, "5".to_owned()), "it was begun before our own write");
    }

    #[test]
    fn who_manages_which_field_is_not_kept() {
        let shelf = shelf();
        let mut object = map("a", "1");
        object.metadata.managed_fields = Some(vec![Default::default()]);
        shelf.put(object.clone());
        assert_eq!(shelf.get("ns", "a").unwrap().metadata.managed_fields, None);
        object.metadata.resource_version = Some("2".into());
        shelf.apply("", Event::Apply(Readable(Ok(object))));
        assert_eq!(shelf.get("ns", "a").unwrap().metadata.managed_fields, None);
    }

    #[test]
    fn a_listing_of_one_namespace_says_nothing_about_another() {
        let shelf = shelf();
        let elsewhere = |name: &str| {
            let mut object = map(name, "1");
            object.metadata.namespace = Some("other".into());
            object
        };
        shelf.apply("other", Event::Init);
        shelf.apply("ns", Event::Init);
        shelf.apply("other", Event::InitApply(Readable(Ok(elsewhere("b")))));
        shelf.apply("ns", Event::InitApply(Readable(Ok(map("a", "1")))));
        assert!(shelf.apply("other", Event::InitDone).is_empty());
        assert!(shelf.apply("ns", Event::InitDone).is_empty());
        shelf.apply("ns", Event::Init);
        assert_eq!(shelf.apply("ns", Event::InitDone).len(), 1, "the listing of ns mentions nothing any more");
        assert!(shelf.get("other", "b").is_some());
    }

    fn unreadable(name: &str, generation: i64) -> Readable<ConfigMap> {
        let metadata = serde_json::json!({"name": name, "namespace": "ns", "generation": generation});
        serde_json::from_value(serde_json::json!({"metadata": metadata, "data": 7})).unwrap()
    }

    #[test]
    fn an_unreadable_object_is_a_change_once_per_generation() {
        let shelf = shelf();
        assert_eq!(shelf.apply("", Event::Apply(unreadable("a", 1))).len(), 1);
        assert!(shelf.apply("", Event::Apply(unreadable("a", 1))).is_empty());
        assert_eq!(shelf.apply("", Event::Apply(unreadable("a", 2))).len(), 1);
        assert_eq!(shelf.unreadable().len(), 1);
        assert_eq!(shelf.apply("", Event::Apply(Readable(Ok(map("a", "3"))))).len(), 1);
        assert!(shelf.unreadable().is_empty());
        let changes = shelf.apply("", Event::Apply(unreadable("a", 4)));
        assert!(changes[0].before.is_some() && shelf.get("ns", "a").is_none(), "what it said before is forgotten");
    }

    #[test]
    fn an_unreadable_object_that_is_gone_is_forgotten() {
        let shelf = shelf();
        shelf.apply("", Event::Apply(unreadable("a", 1)));
        shelf.apply("", Event::Apply(unreadable("b", 1)));
        assert_eq!(shelf.apply("", Event::Delete(unreadable("a", 1))).len(), 1, "which is a change");
        assert_eq!(shelf.unreadable().len(), 1);
        shelf.apply("", Event::Init);
        assert_eq!(shelf.apply("", Event::InitDone).len(), 1);
        assert!(shelf.unreadable().is_empty());
    }
}
