//! How alive the watches are.
//!
//! In a quiet cluster no events come, so their age proves nothing. Every watch is therefore ended by the server after
//! half a minute and opened anew, and the answer to that is proof of life; kube's watcher swallows bookmarks, which would
//! be another. A watch that is half-open shows as an age that grows past its timeout.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use kube::Resource;
use kube::client::Body;
use tokio::time::{Instant, sleep_until};
use tower::{BoxError, Layer, Service};

/// All watches, registered before the client is made.
#[derive(Debug, Default)]
pub struct Watches(Vec<Arc<Watch>>);

/// One watch: of a resource, in one namespace or in all.
#[derive(Debug)]
pub struct Watch {
    /// The plural name, such as `pods`; one of a small fixed set, fit for a metric label.
    pub resource: String,
    /// `None` for all namespaces, and for what has none.
    namespace: Option<String>,
    path: String,
    since: Instant,
    /// Milliseconds after `since`, plus one; 0 for never.
    opened: AtomicU64,
    /// The opening before that, which the watch has outlived.
    opened_before: AtomicU64,
    heard: AtomicU64,
    ready: AtomicBool,
    /// Nobody need have the right to it: while it cannot be listed it does not count.
    optional: bool,
    /// The API server said that there is nothing to list, or not for us, and has not agreed to anything since.
    denied: AtomicBool,
    errors: AtomicU64,
    failing: AtomicBool,
}

/// What is known of the watches of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchAge {
    pub resource: String,
    /// Seconds since the slowest of them last proved to be alive.
    pub seconds: u64,
    /// All of them have listed once.
    pub ready: bool,
    /// At least one of them has.
    pub listed: bool,
    /// All of them have listed once, or were told that there is nothing to list for them.
    pub answered: bool,
    /// Errors since the start.
    pub errors: u64,
}

impl Watches {
    /// Registers the watch of `K` in one namespace, or in all.
    pub fn add<K: Resource<DynamicType = ()>>(&mut self, namespace: Option<&str>) -> Arc<Watch> {
        self.register::<K>(namespace, false)
    }

    /// Registers a watch that is done without where it is not allowed.
    pub fn add_optional<K: Resource<DynamicType = ()>>(&mut self, namespace: Option<&str>) -> Arc<Watch> {
        self.register::<K>(namespace, true)
    }

    fn register<K: Resource<DynamicType = ()>>(&mut self, namespace: Option<&str>, optional: bool) -> Arc<Watch> {
        let watch = Arc::new(Watch {
            resource: K::plural(&()).into_owned(),
            namespace: namespace.map(str::to_owned),
            path: K::url_path(&(), namespace),
            since: Instant::now(),
            opened: AtomicU64::new(0),
            opened_before: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            ready: AtomicBool::new(false),
            optional,
            denied: AtomicBool::new(false),
            errors: AtomicU64::new(0),
            failing: AtomicBool::new(false),
        });
        self.0.push(watch.clone());
        watch
    }

    /// Per resource, in the order in which they were added.
    pub fn ages(&self) -> Vec<WatchAge> {
        let mut ages: Vec<WatchAge> = Vec::new();
        for watch in self.counted() {
            let age = watch.age();
            match ages.iter_mut().find(|known| known.resource == age.resource) {
                Some(known) => {
                    known.seconds = known.seconds.max(age.seconds);
                    known.ready &= age.ready;
                    known.listed |= age.listed;
                    known.answered &= age.answered;
                    known.errors = known.errors.saturating_add(age.errors);
                }
                None => ages.push(age),
            }
        }
        ages
    }

    /// Of the watches, those that tell of this namespace or of what has none.
    pub fn covering(&self, namespace: &str) -> impl Iterator<Item = WatchAge> {
        let covers = move |watch: &&Arc<Watch>| watch.namespace.as_deref().is_none_or(|own| own == namespace);
        self.counted().filter(covers).map(|watch| watch.age())
    }

    /// Everything has been listed once.
    pub fn ready(&self) -> bool {
        self.counted().all(|watch| watch.ready.load(Ordering::Acquire))
    }

    fn counted(&self) -> impl Iterator<Item = &Arc<Watch>> {
        self.0.iter().filter(|watch| !watch.optional || watch.tells())
    }

    fn at(&self, path: &str) -> Option<&Arc<Watch>> {
        self.0.iter().find(|watch| watch.path == path)
    }
}

impl Watch {
    /// It has listed, and is allowed to go on.
    pub(super) fn tells(&self) -> bool {
        self.ready.load(Ordering::Acquire) && !self.denied.load(Ordering::Acquire)
    }

    /// It is not allowed, and done without.
    pub(super) fn is_spared(&self) -> bool {
        self.optional && self.denied.load(Ordering::Acquire)
    }

    pub fn age(&self) -> WatchAge {
        let ready = self.ready.load(Ordering::Acquire);
        let alive = self.opened.load(Ordering::Relaxed).max(self.heard.load(Ordering::Relaxed)).saturating_sub(1);
        WatchAge {
            resource: self.resource.clone(),
            seconds: self.elapsed().saturating_sub(alive) / 1000,
            ready,
            listed: ready,
            answered: ready || self.denied.load(Ordering::Acquire),
            errors: self.errors.load(Ordering::Relaxed),
        }
    }

    /// An object came, or a listing was completed.
    pub(super) fn heard(&self) {
        self.heard.store(self.elapsed().saturating_add(1), Ordering::Relaxed);
        self.failing.store(false, Ordering::Relaxed);
    }

    /// A listing was completed and is in the stores.
    pub fn listed(&self) {
        self.heard();
        self.agreed();
    }

    /// The API server agreed to open it. Of what is never listed there is nothing more to wait for; that anything can be
    /// heard is not yet proved.
    pub(super) fn agreed(&self) {
        self.denied.store(false, Ordering::Release);
        self.ready.store(true, Ordering::Release);
    }

    /// Something failed; an answer that opened the watch only to deliver an error was no proof of life. `denied`: the API
    /// server does not serve the kind, or not to us. Returns whether this is the first failure since something succeeded.
    pub(crate) fn failed(&self, denied: bool) -> bool {
        self.denied.fetch_or(denied, Ordering::Release);
        self.opened.store(self.opened_before.load(Ordering::Relaxed), Ordering::Relaxed);
        self.errors.fetch_add(1, Ordering::Relaxed);
        !self.failing.swap(true, Ordering::Relaxed)
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A watch is not opened more often than this: kube opens one that was ended at once again without any pause.
const MIN_INTERVAL: Duration = Duration::from_millis(500);

/// Stamps watches when the API server agrees to open them.
#[derive(Clone, Debug)]
pub struct LivenessLayer(pub Arc<Watches>);

impl<S> Layer<S> for LivenessLayer {
    type Service = Liveness<S>;

    fn layer(&self, inner: S) -> Liveness<S> {
        Liveness { inner, watches: self.0.clone() }
    }
}

/// See [`LivenessLayer`].
#[derive(Clone, Debug)]
pub struct Liveness<S> {
    inner: S,
    watches: Arc<Watches>,
}

impl<S, B> Service<Request<Body>> for Liveness<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Send,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let opens = request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"));
        let watch = self.watches.at(request.uri().path()).filter(|_| opens).cloned();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await.map_err(Into::into)?;
            if let Some(watch) = watch.filter(|_| response.status().is_success()) {
                let before = watch.opened.load(Ordering::Relaxed);
                if let Some(before) = before.checked_sub(1) {
                    sleep_until(watch.since + Duration::from_millis(before) + MIN_INTERVAL).await;
                }
                watch.opened_before.store(before, Ordering::Relaxed);
                watch.opened.store(watch.elapsed().saturating_add(1), Ordering::Relaxed);
                // What counts again has proved to be alive.
                watch.denied.store(false, Ordering::Release);
            }
            Ok(response)
        })
    }
}
