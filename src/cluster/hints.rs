//! What events say, as long as it may matter: a small store beside the others that never grows beyond its bounds.
//!
//! Events are hints. Nothing waits for them, a missing one only makes a finding less telling, and an installation that
//! may not read them works without.

mod listen;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kube::api::WatchParams;
use kube::runtime::watcher::Event;
use kube::{Api, Client};
use tokio::task::JoinSet;

use super::digest::Digest;
use super::facts::{Interner, UNINTERESTING, event_facts, talked_about};
use super::slim::SlimEvent;
use super::store::{Family, Stores};
use super::streams::{Scope, namespaced};
use super::wake::Wake;
use super::watches::{Watch, Watches};
use crate::engine::facts::{EventFacts, EventsFacts, Name};

/// Events kept about one object: a failing pod has a few kinds of them, each of which is one event that is counted up.
pub(super) const MAX_ABOUT_ONE: usize = 8;
/// Events kept in all.
const MAX_EVENTS: usize = 4096;
/// The API server forgets events after an hour (`--event-ttl`), and what is older says nothing about the present.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(1);
/// After it has happened so often, once more makes no difference to a decision.
const TOLD: u32 = 3;

/// Whether an event may still say something about the present.
pub(super) fn is_current(event: &EventFacts, now: Timestamp) -> bool {
    event.last >= now.checked_sub(MAX_AGE).unwrap_or(Timestamp::MIN)
}

/// The store.
#[derive(Debug, Default)]
pub struct Hints(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    names: Interner,
    about: HashMap<Name, About>,
    /// Events in all of them.
    count: usize,
    /// They are listened to, or were.
    read: bool,
    /// What delivers those about nodes.
    of_nodes: Option<Arc<Watch>>,
}

/// The events about one object, the newest last, each with the digest of its name.
#[derive(Debug)]
struct About {
    names: Vec<u64>,
    events: Arc<[EventFacts]>,
}

impl Hints {
    /// Takes in what a watch delivered at `now`; returns the object for which something changed that a decision may
    /// depend on.
    pub fn take(&self, event: Event<SlimEvent>, now: Timestamp) -> Option<Name> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Init => None,
            Event::InitDone => {
                inner.read = true;
                None
            }
            Event::InitApply(event) | Event::Apply(event) => inner.put(&event, now),
            Event::Delete(event) => {
                inner.remove(&event);
                None
            }
        }
    }

    /// What is said about nodes comes from this watch, as long as that is allowed.
    pub fn hear_of_nodes(&self, watch: Arc<Watch>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).of_nodes = Some(watch);
    }

    /// What is said about any part of a workload, where the newest of it may still matter.
    pub fn of(&self, (workload, revisions, pods, nodes): &Family, now: Timestamp) -> EventsFacts {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events = EventsFacts::new(inner.read);
        events.of_nodes = inner.of_nodes.as_ref().is_some_and(|watch| watch.tells());
        if inner.about.is_empty() {
            return events;
        }
        for object in talked_about(workload, revisions, pods, &nodes.own) {
            if let Some(about) = inner.about.get(&object).filter(|about| about.is_current(now)) {
                events.put(object, about.events.clone());
            }
        }
        events
    }

    /// How many events are kept.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Inner {
    fn put(&mut self, event: &SlimEvent, now: Timestamp) -> Option<Name> {
        let (object, facts) = event_facts(event, &mut self.names)?;
        if !is_current(&facts, now) {
            return None;
        }
        if self.count >= MAX_EVENTS {
            self.make_room(now);
        }
        let name = digest(event);
        let about = self.about.entry(object.clone()).or_insert_with(About::empty);
        let before = about.events.len();
        let told = about.put(name, facts);
        self.count = self.count.saturating_add(about.events.len()).saturating_sub(before);
        told.then_some(object)
    }

    fn remove(&mut self, event: &SlimEvent) {
        let Some((object, _)) = event_facts(event, &mut self.names) else { return };
        let Some(about) = self.about.get_mut(&object) else { return };
        let before = about.events.len();
        about.remove(digest(event));
        self.count = self.count.saturating_add(about.events.len()).saturating_sub(before);
        if about.events.is_empty() {
            self.about.remove(&object);
        }
    }

    /// Drops the objects about which nothing was said for the longest time: those of more than an hour ago, or else a
    /// quarter of all.
    fn make_room(&mut self, now: Timestamp) {
        self.about.retain(|_, about| about.is_current(now));
        let mut lasts: Vec<Timestamp> = self.about.values().map(About::last).collect();
        lasts.sort_unstable();
        let quarter = lasts.get(lasts.len() / 4).copied().unwrap_or(Timestamp::MIN);
        self.count = self.about.values().map(|about| about.events.len()).sum();
        if self.count >= MAX_EVENTS {
            self.about.retain(|_, about| about.last() > quarter);
        }
        self.about.shrink_to_fit();
        self.count = self.about.values().map(|about| about.events.len()).sum();
    }
}

impl About {
    fn empty() -> Self {
        Self { names: Vec::new(), events: Arc::from([]) }
    }

    fn last(&self) -> Timestamp {
        self.events.last().map_or(Timestamp::MIN, |event| event.last)
    }

    fn is_current(&self, now: Timestamp) -> bool {
        self.events.last().is_some_and(|event| is_current(event, now))
    }

    /// Puts an event in the place of its earlier sight; tells whether it is news.
    fn put(&mut self, name: u64, event: EventFacts) -> bool {
        let known = self.names.iter().position(|known| *known == name);
        let before = known.and_then(|at| self.events.get(at));
        if before == Some(&event) {
            return false;
        }
        let news = before.is_none_or(|before| before.message != event.message || event.count <= TOLD);
        let rest = self.names.iter().copied().zip(self.events.iter().cloned()).filter(|(known, _)| *known != name);
        let mut all: Vec<(u64, EventFacts)> = rest.chain([(name, event)]).collect();
        all.sort_by_key(|(_, event)| event.last);
        let surplus = all.len().saturating_sub(MAX_ABOUT_ONE);
        all.drain(..surplus);
        self.set(all);
        news && self.names.contains(&name)
    }

    fn remove(&mut self, name: u64) {
        let rest = self.names.iter().copied().zip(self.events.iter().cloned()).filter(|(known, _)| *known != name);
        self.set(rest.collect());
    }

    fn set(&mut self, all: Vec<(u64, EventFacts)>) {
        let (names, events): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        (self.names, self.events) = (names, events.into());
    }
}

/// Names of events are long and never shown.
fn digest(event: &SlimEvent) -> u64 {
    Digest::of_text(event.metadata.name.as_deref().unwrap_or_default()).0
}

/// The watches of events, registered and not yet running. Nothing waits for them, and none of them ever lists.
#[derive(Debug)]
pub struct HintStreams {
    params: WatchParams,
    places: Vec<(Option<String>, Arc<Watch>)>,
    /// Of nodes alone, where only single namespaces are watched.
    nodes: Option<Arc<Watch>>,
}

/// Where events are about what has no namespace, such as nodes.
pub(super) const NODE_EVENTS: &str = "default";

impl HintStreams {
    /// Registers one watch per namespace of the scope, or one of all. What is about nodes lies outside of single
    /// namespaces, and nobody need have the right to see it.
    pub fn new(scope: &Scope, watches: &mut Watches) -> Self {
        let mut place =
            |namespace: Option<&String>| (namespace.cloned(), watches.add::<SlimEvent>(namespace.map(String::as_str)));
        let places = if scope.namespaces.is_empty() {
            vec![place(None)]
        } else {
            scope.namespaces.iter().map(|namespace| place(Some(namespace))).collect()
        };
        let sees_nodes = places.iter().any(|(namespace, _)| is_of_nodes(namespace.as_deref()));
        let nodes = (!sees_nodes).then(|| watches.add_optional::<SlimEvent>(Some(NODE_EVENTS)));
        let quiet = UNINTERESTING.iter().map(|reason| format!("reason!={reason}"));
        let fields: Vec<String> = scope.fields.iter().cloned().chain(quiet).collect();
        // Events carry no labels of what they are about.
        let params = WatchParams::default().timeout(scope.watch_seconds).fields(&fields.join(","));
        Self { params, places, nodes }
    }

    /// Runs all of them until the set is dropped or nobody takes from `touched` any more.
    pub fn spawn(self, client: &Client, hints: &Arc<Hints>, stores: &Arc<Stores>, touched: &Wake) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let fields = self.params.field_selector.as_deref().unwrap_or_default();
        let of_nodes = self.params.clone().fields(&format!("involvedObject.kind=Node,{fields}"));
        let nodes = self.nodes.map(|watch| (Some(NODE_EVENTS.to_owned()), watch, of_nodes));
        let places = self.places.into_iter().map(|(namespace, watch)| (namespace, watch, self.params.clone()));
        for (namespace, watch, params) in places.chain(nodes) {
            let api: Api<SlimEvent> = namespaced(client, namespace.as_deref());
            if is_of_nodes(namespace.as_deref()) {
                hints.hear_of_nodes(watch.clone());
            }
            let (hints, stores, touched) = (hints.clone(), stores.clone(), touched.clone());
            tasks.spawn(listen::listen(api, params, watch, move |event| {
                let news = hints.take(event, Timestamp::now());
                news.and_then(|object| stores.workload_of(&object)).is_none_or(|key| touched.send(key))
            }));
        }
        tasks
    }
}

fn is_of_nodes(namespace: Option<&str>) -> bool {
    namespace.is_none_or(|namespace| namespace == NODE_EVENTS)
}

#[cfg(test)]
mod tests;
