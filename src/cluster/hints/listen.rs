//! Follows a watch of events and never lists them.
//!
//! A watch that names no version begins with what is there, as one event after the other, and what is missed does no
//! harm: so nothing is gained by a list, which would only hold a page of them in memory.
//!
//! The API server keeps no watch cache for events and sends no bookmarks for them (kubernetes#120348), but for one at the
//! end of what is there, and that only with its feature `WatchList`. In a quiet cluster the last version is therefore
//! older than etcd's history after five to ten minutes; then the watch begins anew without one.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::Api;
use kube::api::{WatchEvent, WatchParams};
use kube::runtime::watcher::{self, DefaultBackoff, Event};
use tokio::time::timeout;

use crate::cluster::slim::SlimEvent;
use crate::cluster::streams::{pause_after, report};
use crate::cluster::watches::Watch;

/// Seconds after which a watch that the server should have ended counts as dead.
const GRACE_SECONDS: u32 = 5;
/// Where the server is not told when to end a watch.
const WATCH_SECONDS: u32 = 30;

/// Follows the watch for ever: gives everything to `take`, which returns whether to go on.
pub(super) async fn listen(
    api: Api<SlimEvent>,
    params: WatchParams,
    watch: Arc<Watch>,
    take: impl FnMut(Event<SlimEvent>) -> bool + Send,
) {
    let mut ear = Ear { watch, take, version: Version::default(), is_at_the_beginning: true };
    let mut pauses = DefaultBackoff::default();
    let patience = params.timeout.unwrap_or(WATCH_SECONDS).saturating_add(GRACE_SECONDS);
    let patience = Duration::from_secs(patience.into());
    loop {
        ear.is_at_the_beginning = !ear.version.is_known();
        let ended = match api.watch(&params, &ear.version.asked()).await {
            Ok(events) => ear.hear(events, patience).await,
            Err(error) => Err(watcher::Error::WatchStartFailed(error)),
        };
        match ended {
            Ok(true) => pauses = DefaultBackoff::default(),
            Ok(false) => return,
            // That is how it is in a quiet cluster, and no failure.
            Err(error) if ear.version.is_known() && is_forgotten(&error) => {
                tracing::debug!(resource = ear.watch.resource, "nothing new for long, the watch begins anew");
                ear.version = Version::default();
            }
            Err(error) => {
                ear.breaks_off();
                pause_after(&ear.watch, &error, &mut pauses).await;
            }
        }
    }
}

struct Ear<F> {
    watch: Arc<Watch>,
    take: F,
    version: Version,
    /// This watch began with what is there, and the end of that was not told yet.
    is_at_the_beginning: bool,
}

impl<F: FnMut(Event<SlimEvent>) -> bool> Ear<F> {
    /// Takes in one watch until it ends; returns whether anybody wants another.
    async fn hear(
        &mut self,
        events: impl Stream<Item = kube::Result<WatchEvent<SlimEvent>>>,
        patience: Duration,
    ) -> watcher::Result<bool> {
        let mut events = pin!(events);
        // Where the server does not tell the end of what is there, nothing else would tell that events are heard of.
        self.watch.agreed();
        let mut goes_on = (self.take)(Event::InitDone);
        while goes_on {
            // Nothing at all in this time, not even the end of it: the connection is dead.
            let Ok(said) = timeout(patience, events.next()).await else { return Ok(true) };
            let event = match said {
                None => break,
                // One that cannot be read keeps no other. To begin again would only bring it again.
                Some(Err(error)) if is_unreadable(&error) => {
                    report(&self.watch, &watcher::Error::WatchFailed(error));
                    continue;
                }
                Some(Ok(WatchEvent::Error(status))) => return Err(watcher::Error::WatchError(status)),
                Some(Err(error)) => return Err(watcher::Error::WatchFailed(error)),
                Some(Ok(WatchEvent::Bookmark(mark))) => {
                    self.version.seen(&mark.metadata.resource_version);
                    self.is_at_the_beginning = false;
                    self.watch.heard();
                    continue;
                }
                Some(Ok(WatchEvent::Added(event) | WatchEvent::Modified(event))) => Event::Apply(event),
                Some(Ok(WatchEvent::Deleted(event))) => Event::Delete(event),
            };
            if let Event::Apply(event) | Event::Delete(event) = &event {
                self.version.seen(event.metadata.resource_version.as_deref().unwrap_or_default());
            }
            self.watch.heard();
            goes_on = (self.take)(event);
        }
        // To end it in time is proof of life as well.
        self.watch.heard();
        Ok(goes_on)
    }

    /// What is there comes in the order of names: from the highest version so far the rest of it would never come.
    fn breaks_off(&mut self) {
        if self.is_at_the_beginning {
            self.version = Version::default();
        }
    }
}

/// The highest version that was seen. What is there comes in the order of names, so that the last one may be an old one.
#[derive(Debug, Default)]
struct Version(Option<u64>);

impl Version {
    fn seen(&mut self, version: &str) {
        self.0 = self.0.max(version.parse().ok());
    }

    fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// As a watch names it; empty for none.
    fn asked(&self) -> String {
        self.0.map(|version| version.to_string()).unwrap_or_default()
    }
}

/// kube takes a line that it cannot read for a status, all of whose fields may be missing.
fn is_unreadable(error: &kube::Error) -> bool {
    match error {
        kube::Error::SerdeError(_) => true,
        kube::Error::Api(status) => status.code == 0,
        _ => false,
    }
}

/// The API server does not know the version any more. It says so in the place of an answer or within one.
fn is_forgotten(error: &watcher::Error) -> bool {
    let code = match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => status.code,
        watcher::Error::WatchError(status) => status.code,
        _ => 0,
    };
    code == 410
}

#[cfg(test)]
mod tests;
