//! Waiting by watching.

use std::fmt::Debug;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use kube::api::ListParams;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long a test waits for one thing. Generous: several tests share a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// An object that can be watched and shown.
pub trait Object: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + 'static {}
impl<K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + 'static> Object for K {}

/// Watches until the condition gives an answer for one of the objects. Panics with the objects last seen when that
/// takes longer than `patience`.
pub async fn first<K: Object, T>(
    api: &Api<K>,
    config: watch::Config,
    what: &str,
    patience: Duration,
    mut condition: impl FnMut(&K) -> Option<T>,
) -> T {
    let mut seen: Vec<(String, K)> = Vec::new();
    let search = async {
        let mut events = watcher::watcher(api.clone(), config).default_backoff().boxed();
        loop {
            let object = match events.try_next().await {
                Ok(Some(Event::Apply(object) | Event::InitApply(object))) => object,
                Ok(Some(Event::Delete(object))) => {
                    seen.retain(|(name, _)| Some(name) != object.meta().name.as_ref());
                    continue;
                }
                Ok(_) => continue,
                // The watch comes back by itself; what it cannot tell, the time-out will.
                Err(error) => {
                    eprintln!("while waiting for {what}: {error}");
                    continue;
                }
            };
            if let Some(answer) = condition(&object) {
                return answer;
            }
            let name = object.meta().name.clone().unwrap_or_default();
            seen.retain(|(known, _)| *known != name);
            seen.push((name, object));
        }
    };
    let found = tokio::time::timeout(patience, search).await;
    found.unwrap_or_else(|_| {
        let shown: Vec<String> = seen.iter().map(|(_, object)| show(object)).collect();
        panic!("gave up after {} s waiting for {what}; last seen: [{}]", patience.as_secs(), shown.join(",\n"))
    })
}

/// Watches objects for `time` and panics as soon as one of them breaks the rule. To have seen nothing proves nothing: it
/// panics too when no object was seen, when the watch ended early, and when the objects are not there at the end.
pub async fn holds<K: Object>(
    api: &Api<K>,
    config: watch::Config,
    what: &str,
    time: Duration,
    mut rule: impl FnMut(&K) -> Result<(), String>,
) {
    let (labels, fields) = (config.label_selector.clone(), config.field_selector.clone());
    let last = ListParams { label_selector: labels, field_selector: fields, ..ListParams::default() };
    let mut sights = 0;
    let mut look = |object: &K| {
        sights += 1;
        if let Err(broken) = rule(object) {
            panic!("{what}: broken at sight {sights}: {broken}: {}", show(object));
        }
        sights
    };
    let mut seen = 0;
    let watching = async {
        let mut events = watcher::watcher(api.clone(), config).default_backoff().boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Apply(object) | Event::InitApply(object)) => seen = look(&object),
                Ok(Event::Delete(object)) => panic!("{what}: it was deleted: {}", show(&object)),
                Ok(Event::Init | Event::InitDone) => {}
                Err(error) => eprintln!("while watching that {what}: {error}"),
            }
        }
    };
    // Running out of time is how it ends well.
    let ended = tokio::time::timeout(time, watching).await;
    assert!(ended.is_err(), "{what}: the watch ended after {seen} sights, before its time");
    assert!(seen > 0, "{what}: nothing was seen in {} s", time.as_secs());
    // A watch that was cut may have missed what came last.
    let objects = api.list(&last).await.unwrap_or_else(|error| panic!("{what}: looking at the end: {error}"));
    assert!(!objects.items.is_empty(), "{what}: nothing is there at the end");
    objects.iter().for_each(|object| _ = look(object));
}

/// Changes of objects, one after the other.
pub type Events<K> = BoxStream<'static, watcher::Result<Event<K>>>;

/// The objects that are there, and a watch that has begun: nothing that comes from now on is missed.
pub async fn opened<K: Object>(api: &Api<K>, config: watch::Config, what: &str) -> (Vec<K>, Events<K>) {
    let mut events = watcher::watcher(api.clone(), config).default_backoff().boxed();
    let mut there = Vec::new();
    loop {
        match events.next().await {
            Some(Ok(Event::InitApply(object))) => there.push(object),
            Some(Ok(Event::InitDone)) => return (there, events),
            Some(Ok(_)) => {}
            other => panic!("{what}: the watch does not begin: {:?}", other.and_then(Result::err)),
        }
    }
}

/// Watches all objects, those that go too, from before the work begins until it is done, and panics as soon as one of them
/// breaks the rule, or when some may have come and gone unseen.
pub async fn meanwhile<K: Object, T>(
    api: &Api<K>,
    what: &str,
    work: impl Future<Output = T>,
    mut rule: impl FnMut(&K) -> Result<(), String>,
) -> T {
    let mut sights = 0;
    let mut look = |object: &K| {
        sights += 1;
        rule(object).unwrap_or_else(|broken| panic!("{what}: broken at sight {sights}: {broken}: {}", show(object)));
    };
    let (there, mut events) = opened(api, watch::Config::default(), what).await;
    there.iter().for_each(&mut look);
    let watching = async {
        loop {
            match events.next().await {
                Some(Ok(Event::Apply(object) | Event::Delete(object))) => look(&object),
                // It goes on where it was cut, as long as the API server remembers the place.
                Some(Err(error)) => eprintln!("while watching that {what}: {error}"),
                Some(Ok(Event::Init | Event::InitApply(_) | Event::InitDone)) | None => {
                    panic!("{what}: the watch began anew, and what came and went meanwhile was not seen")
                }
            }
        }
    };
    let done = tokio::select! {
        done = work => done,
        never = watching => never,
    };
    assert!(sights > 0, "{what}: nothing was seen");
    done
}

/// The object as JSON without what nobody reads.
pub fn show<K: Serialize>(object: &K) -> String {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(metadata) = value.get_mut("metadata").and_then(|m| m.as_object_mut()) {
        metadata.remove("managedFields");
    }
    serde_json::to_string_pretty(&value).unwrap_or_default()
}
