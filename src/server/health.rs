//! Whether the process lives and whether it is ready to decide.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What the probes read. Cheap to clone; all clones are one.
///
/// Living means that our own loops turn. It says nothing of the API server: to restart a replica because the API
/// server is away would help nobody. Ready means that the stores are filled and our kinds are served.
#[derive(Clone, Debug, Default)]
pub struct Health {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    hearts: BTreeMap<&'static str, Beat>,
    gates: BTreeMap<String, Option<String>>,
}

#[derive(Debug)]
struct Beat {
    last: Instant,
    max_silence: Duration,
}

impl Health {
    /// A loop that must keep beating: `/livez` fails when it was silent for longer than `max_silence`, also because
    /// the loop ended.
    pub fn heart(&self, name: &'static str, max_silence: Duration) -> Heart {
        self.lock().hearts.insert(name, Beat { last: Instant::now(), max_silence });
        Heart { health: self.clone(), name, max_silence }
    }

    /// Something that readiness needs. It is closed, with `missing` as the reason, until it is opened.
    pub fn gate(&self, name: impl Into<String>, missing: impl Into<String>) -> Gate {
        let gate = Gate { health: self.clone(), name: name.into() };
        gate.close(missing);
        gate
    }

    /// One line per loop that has gone silent.
    pub fn silent_hearts(&self) -> Vec<String> {
        let now = Instant::now();
        let silent = |beat: &Beat| now.saturating_duration_since(beat.last);
        let inner = self.lock();
        let late = inner.hearts.iter().filter(|(_, beat)| silent(beat) > beat.max_silence);
        late.map(|(name, beat)| format!("{name}: silent for {} s", silent(beat).as_secs())).collect()
    }

    /// One line per closed gate. Before there is any, nothing has been prepared that could be ready.
    pub fn closed_gates(&self) -> Vec<String> {
        let inner = self.lock();
        if inner.gates.is_empty() {
            return vec!["starting".to_owned()];
        }
        let closed = inner.gates.iter().filter_map(|(name, missing)| Some((name, missing.as_ref()?)));
        closed.map(|(name, missing)| format!("{name}: {missing}")).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beat of one loop.
#[derive(Debug)]
pub struct Heart {
    health: Health,
    name: &'static str,
    max_silence: Duration,
}

impl Heart {
    pub fn beat(&self) {
        if let Some(beat) = self.health.lock().hearts.get_mut(self.name) {
            beat.last = Instant::now();
        }
    }

    /// Beats for ever. Poll it in the same task as the loop, with `select!` or `join!`: a task that hangs, ends or
    /// panics then stops beating.
    pub async fn keep_beating(&self) {
        loop {
            self.beat();
            tokio::time::sleep(self.max_silence / 4).await;
        }
    }
}

/// One condition of readiness.
#[derive(Clone, Debug)]
pub struct Gate {
    health: Health,
    name: String,
}

impl Gate {
    pub fn open(&self) {
        self.health.lock().gates.insert(self.name.clone(), None);
    }

    /// `missing` is shown in the body of `/readyz`.
    pub fn close(&self, missing: impl Into<String>) {
        self.health.lock().gates.insert(self.name.clone(), Some(missing.into()));
    }
}
