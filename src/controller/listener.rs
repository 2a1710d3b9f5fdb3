//! Logs of containers that fail, read beside the looks: a look takes what is there, asks for what is missing, and waits
//! for neither. When something was read the workload is looked at again.
//!
//! What was read is kept in memory, and with the incident, from which it is taken up again after a restart.

mod book;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use kube::Client;
use tokio::sync::{Notify, Semaphore};

use self::book::{Book, PAUSE, Reading};
use crate::cluster::chain::chain;
use crate::cluster::logs;
use crate::cluster::store::WorkloadKey;
use crate::cluster::wake::Wake;
use crate::engine::facts::{LogFacts, Name, PodFacts};
use crate::engine::listen::Wanted;
use crate::metrics::{LogResult, Metrics};

/// Logs that are read at the same time, of all workloads.
const AT_ONCE: usize = 4;
/// Logs that may wait for that. Beyond it they are left out: so many at once are a storm, in which no log helps.
const MAX_WAITING: usize = 200;

/// Reads logs and keeps what they say; one that was made with `default` reads none.
#[derive(Debug, Default)]
pub struct Listener {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    client: Client,
    wake: Wake,
    metrics: Arc<Metrics>,
    books: Mutex<HashMap<WorkloadKey, Book>>,
    at_once: Semaphore,
    waiting: AtomicUsize,
    /// That no log may be read is said once.
    told: AtomicBool,
    read: Notify,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Listener {
    pub fn new(client: Client, wake: Wake, metrics: Arc<Metrics>) -> Self {
        let inner = Inner {
            client,
            wake,
            metrics,
            books: Mutex::default(),
            at_once: Semaphore::new(AT_ONCE),
            waiting: AtomicUsize::new(0),
            told: AtomicBool::new(false),
            read: Notify::new(),
        };
        Self { inner: Some(Arc::new(inner)) }
    }

    /// The logs of these pods that were read. `kept` gives those that incidents hold, for when nothing is known yet.
    pub fn heard(
        &self,
        key: &WorkloadKey,
        pods: &[Arc<PodFacts>],
        kept: impl FnOnce() -> Vec<Arc<LogFacts>>,
    ) -> Vec<Arc<LogFacts>> {
        let kept = || {
            let mut kept = kept();
            kept.retain(|log| pods.iter().any(|pod| pod.uid == log.uid));
            kept
        };
        let Some(inner) = &self.inner else { return kept() };
        let mut books = inner.books.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(book) = books.get_mut(key) else {
            let kept = kept();
            if !kept.is_empty() {
                books.insert(key.clone(), Book::with(kept.clone()));
            }
            return kept;
        };
        book.keep_only(pods);
        let logs = book.logs.clone();
        if book.is_empty() {
            books.remove(key);
        }
        logs
    }

    /// Everything that was read and not forgotten, also of pods that are gone since the last look.
    pub fn all(&self, key: &WorkloadKey) -> Vec<Arc<LogFacts>> {
        let Some(inner) = &self.inner else { return Vec::new() };
        let books = inner.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.get(key).map(|book| book.logs.clone()).unwrap_or_default()
    }

    /// Begins to read what was not asked for before: a run that ends later has a log of its own. One that could not be read
    /// is tried again at a later look, a few times and never at once.
    pub fn ask(&self, key: &WorkloadKey, wanted: Vec<Wanted>) {
        let Some(inner) = self.inner.as_ref().filter(|_| !wanted.is_empty()) else { return };
        let new = inner.note(key, wanted);
        if !new.is_empty() {
            tokio::spawn(inner.clone().read(key.clone(), new));
        }
    }

    /// Waits until nothing is being read of a workload any more, but no longer than `patience`.
    pub async fn quiet(&self, key: &WorkloadKey, patience: Duration) {
        let Some(inner) = &self.inner else { return };
        let quiet = async {
            loop {
                let read = inner.read.notified();
                if inner.open(key) == 0 {
                    return;
                }
                read.await;
            }
        };
        let _ = tokio::time::timeout(patience, quiet).await;
    }

    /// No log of these pods of the workload was read, but may be soon.
    pub fn may_hear(&self, key: &WorkloadKey, is_asked_about: impl Fn(&Name) -> bool) -> bool {
        let Some(inner) = &self.inner else { return false };
        let books = inner.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.get(key).is_none_or(|book| book.may_hear(is_asked_about))
    }

    pub fn forget(&self, key: &WorkloadKey) {
        if let Some(inner) = &self.inner {
            inner.books.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
    }
}

impl Inner {
    fn open(&self, key: &WorkloadKey) -> usize {
        self.books.lock().unwrap_or_else(PoisonError::into_inner).get(key).map_or(0, |book| book.open)
    }

    /// Remembers what is asked for; returns what is to be read, as far as there is room for it.
    fn note(&self, key: &WorkloadKey, mut wanted: Vec<Wanted>) -> Vec<Wanted> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let book = books.entry(key.clone()).or_default();
        wanted.retain(|log| book.may_ask(log));
        wanted.truncate(MAX_WAITING.saturating_sub(self.waiting.load(Ordering::Relaxed)));
        book.ask(&wanted);
        self.waiting.fetch_add(wanted.len(), Ordering::Relaxed);
        wanted
    }

    async fn read(self: Arc<Self>, key: WorkloadKey, wanted: Vec<Wanted>) {
        let readings = join_all(wanted.iter().map(|wanted| self.one(&key, wanted))).await;
        self.waiting.fetch_sub(wanted.len(), Ordering::Relaxed);
        let (news, again) = self.keep(&key, wanted.into_iter().zip(readings).collect());
        self.read.notify_waiters();
        if news {
            self.wake.send(key.clone());
        }
        if again {
            // A container that runs on need not change, so nothing else might ask for that look.
            tokio::time::sleep(PAUSE).await;
            self.wake.send(key);
        }
    }

    async fn one(&self, key: &WorkloadKey, wanted: &Wanted) -> Reading {
        // The semaphore is never closed.
        let _permit = self.at_once.acquire().await;
        let error = match logs::read(&self.client, &key.namespace, wanted).await {
            Ok(log) => {
                self.metrics.log_read(LogResult::Read);
                return Reading::Read(log);
            }
            Err(error) => error,
        };
        let (namespace, workload, forbidden) = (&*key.namespace, &*key.name, error.is_forbidden());
        let reading = if error.may_pass() { Reading::MayPass } else { Reading::Never };
        let error = chain(&error);
        if forbidden {
            self.metrics.log_read(LogResult::Forbidden);
            if !self.told.swap(true, Ordering::Relaxed) {
                tracing::warn!(namespace, workload, %error, "logs may not be read; going by statuses");
            }
        } else {
            self.metrics.log_read(LogResult::Failed);
            tracing::debug!(namespace, workload, %error, "a log could not be read; going by statuses");
        }
        reading
    }

    /// Keeps what was read; tells whether there was anything, and whether to ask once more.
    fn keep(&self, key: &WorkloadKey, answers: Vec<(Wanted, Reading)>) -> (bool, bool) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever forgot the workload meanwhile does not want to hear of it.
        books.get_mut(key).map_or((false, false), |book| book.take(answers))
    }
}
