//! Which workloads are to be looked at. One that waits already is not sent once more: however long nobody takes any, as
//! before the first lists are complete, no more wait than there are workloads.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::store::WorkloadKey;

/// Asks for looks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Wake {
    waiting: Waiting,
    keys: UnboundedSender<WorkloadKey>,
}

/// Takes what was asked for, in its order.
#[derive(Debug)]
pub struct Woken {
    waiting: Waiting,
    keys: UnboundedReceiver<WorkloadKey>,
}

#[derive(Clone, Debug, Default)]
struct Waiting(Arc<Mutex<HashSet<WorkloadKey>>>);

/// The two ends.
pub fn channel() -> (Wake, Woken) {
    let (sender, receiver) = unbounded_channel();
    let waiting = Waiting::default();
    (Wake { waiting: waiting.clone(), keys: sender }, Woken { waiting, keys: receiver })
}

impl Wake {
    /// Asks for a look. Returns whether there is anybody left to take it.
    pub fn send(&self, key: WorkloadKey) -> bool {
        if self.waiting.lock().insert(key.clone()) { self.keys.send(key).is_ok() } else { !self.keys.is_closed() }
    }
}

impl Woken {
    /// The next one; `None` when nobody can ask any more.
    pub async fn recv(&mut self) -> Option<WorkloadKey> {
        let key = self.keys.recv().await?;
        // The look comes after this. What changes from now on asks for another one.
        self.waiting.lock().remove(&key);
        Some(key)
    }

    /// Everything that waits now.
    #[cfg(test)]
    pub fn drain(&mut self) -> Vec<String> {
        let mut keys = Vec::new();
        while let Ok(key) = self.keys.try_recv() {
            self.waiting.lock().remove(&key);
            keys.push(key.to_string());
        }
        keys
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashSet<WorkloadKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_not_sent_once_more_and_what_was_taken_is() {
        let (wake, mut woken) = channel();
        let key = |name: &str| WorkloadKey::new("shop", name);
        for _ in 0..1000 {
            assert!(wake.send(key("web")) && wake.send(key("api")));
        }
        assert_eq!(woken.keys.len(), 2);
        assert_eq!(woken.recv().await, Some(key("web")));
        assert!(wake.send(key("web")));
        assert_eq!(woken.drain(), ["shop/api", "shop/web"]);
        drop(woken);
        assert!(!wake.send(key("web")) && !wake.send(key("web")), "nobody takes it");
    }
}
