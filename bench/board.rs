//! What the harness itself watches, so that it waits for events and never sleeps on a guess.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use futures::TryStreamExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Objects by `NAMESPACE/NAME`.
pub type Objects<K> = HashMap<String, K>;

/// Follows objects of one kind until it is dropped.
pub struct Board<K> {
    objects: Arc<Mutex<Objects<K>>>,
    changed: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl<K> Board<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    pub fn follow(api: Api<K>, labels: &str) -> Self {
        let objects = Arc::new(Mutex::new(Objects::new()));
        let (tell, changed) = watch::channel(0);
        let kept = objects.clone();
        let config = watcher::Config::default().labels(labels).page_size(500);
        let task = tokio::spawn(async move {
            let mut events = std::pin::pin!(watcher::watcher(api, config).default_backoff());
            loop {
                match events.try_next().await {
                    Ok(Some(event)) => {
                        take(&mut kept.lock().unwrap_or_else(PoisonError::into_inner), event);
                        tell.send_modify(|n| *n += 1);
                    }
                    Ok(None) => return,
                    // The watcher tries again by itself; a bench that waits in vain says what it waited for.
                    Err(_) => {}
                }
            }
        });
        Self { objects, changed, task }
    }

    /// Looks at all objects.
    pub fn see<T>(&self, look: impl FnOnce(&Objects<K>) -> T) -> T {
        look(&self.objects.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until `look` finds what it is after.
    pub async fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut(&Objects<K>) -> Option<T>,
    ) -> anyhow::Result<T> {
        let mut changed = self.changed.clone();
        let found = async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = self.see(&mut look) {
                    return Ok(found);
                }
                if changed.changed().await.is_err() {
                    bail!("the watch ended");
                }
            }
        };
        tokio::time::timeout(limit, found)
            .await
            .with_context(|| format!("waited {} s for {what}", limit.as_secs()))?
            .with_context(|| format!("waiting for {what}"))
    }
}

impl<K> Drop for Board<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// `NAMESPACE/NAME`.
pub fn key<K: Resource>(object: &K) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

fn take<K: Resource>(objects: &mut Objects<K>, event: Event<K>) {
    match event {
        Event::Init => objects.clear(),
        Event::InitApply(object) | Event::Apply(object) => drop(objects.insert(key(&object), object)),
        Event::Delete(object) => drop(objects.remove(&key(&object))),
        Event::InitDone => {}
    }
}
