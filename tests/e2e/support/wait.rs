//! Waiting by watching.

use std::fmt::Debug;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
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

/// Watches objects for `time` and panics as soon as one of them breaks the rule.
pub async fn holds<K: Object>(
    api: &Api<K>,
    config: watch::Config,
    what: &str,
    time: Duration,
    mut rule: impl FnMut(&K) -> Result<(), String>,
) {
    let watching = async {
        let mut events = watcher::watcher(api.clone(), config).default_backoff().boxed();
        let mut sights = 0;
        while let Some(event) = events.next().await {
            let object = match event {
                Ok(Event::Apply(object) | Event::InitApply(object)) => object,
                Ok(Event::Delete(object)) => panic!("{what}: it was deleted: {}", show(&object)),
                Ok(Event::Init | Event::InitDone) => continue,
                Err(error) => {
                    eprintln!("while watching that {what}: {error}");
                    continue;
                }
            };
            sights += 1;
            if let Err(broken) = rule(&object) {
                panic!("{what}: broken at sight {sights}: {broken}: {}", show(&object));
            }
        }
    };
    // Running out of time is how it ends well.
    let _ = tokio::time::timeout(time, watching).await;
}

/// The object as JSON without what nobody reads.
pub fn show<K: Serialize>(object: &K) -> String {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(metadata) = value.get_mut("metadata").and_then(|m| m.as_object_mut()) {
        metadata.remove("managedFields");
    }
    serde_json::to_string_pretty(&value).unwrap_or_default()
}
