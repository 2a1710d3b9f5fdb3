//! The parts of the program that run side by side, all of which are needed. A part that panics must not be missed in
//! silence: the first that ends is told, and the process is started anew.

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

/// A part ended that was to go on.
#[derive(Debug, thiserror::Error)]
#[error("{part} ended while it was needed")]
pub struct Ended {
    part: &'static str,
    /// How, if it did not simply return.
    source: Option<JoinError>,
}

impl Ended {
    pub fn new(part: &'static str, source: Option<JoinError>) -> Self {
        Self { part, source }
    }
}

/// Running parts; they are aborted when this is dropped.
#[derive(Debug, Default)]
pub struct Parts(JoinSet<Ended>);

impl Parts {
    /// Runs a part.
    pub fn run(&mut self, part: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = JoinSet::new();
        tasks.spawn(work);
        self.add(part, tasks);
    }

    /// Takes over a part of several tasks, of which every one is needed.
    pub fn add(&mut self, part: &'static str, mut tasks: JoinSet<()>) {
        self.0.spawn(async move {
            let source = match tasks.join_next().await {
                Some(ended) => ended.err(),
                // A part that has nothing to do, such as nodes where none may be seen, is never missed.
                None => std::future::pending().await,
            };
            Ended { part, source }
        });
    }

    /// The first part that ends.
    pub async fn first_to_end(&mut self) -> Ended {
        match self.0.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(source)) => Ended { part: "supervision", source: Some(source) },
            None => std::future::pending().await,
        }
    }

    /// Waits until every part has ended by itself.
    pub async fn end(mut self) {
        while self.0.join_next().await.is_some() {}
    }

    /// Ends all parts where they stand.
    pub async fn abort(mut self) {
        self.0.shutdown().await;
    }
}

/// Resolves when the process is to end.
pub async fn ended(mut shutdown: watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|end| *end).await;
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_part_that_panics_is_named_with_what_it_said() {
        let mut parts = Parts::default();
        parts.run("lease", std::future::pending());
        let mut watches = JoinSet::new();
        watches.spawn(std::future::pending());
        watches.spawn(async { panic!("no such index") });
        parts.add("watches", watches);
        let ended = parts.first_to_end().await;
        assert_eq!(ended.to_string(), "watches ended while it was needed");
        assert!(ended.source().unwrap().to_string().contains("no such index"));
    }

    #[tokio::test]
    async fn a_part_that_returns_is_missed_too() {
        let mut parts = Parts::default();
        parts.add("nothing", JoinSet::new());
        parts.run("chores", async {});
        assert_eq!(parts.first_to_end().await.to_string(), "chores ended while it was needed");
    }

    #[tokio::test]
    async fn what_is_aborted_is_dropped() {
        let (alive, dropped) = oneshot::channel::<()>();
        let mut parts = Parts::default();
        parts.run("watches", async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        });
        tokio::task::yield_now().await;
        parts.abort().await;
        assert!(dropped.await.is_err(), "the part is gone");
    }
}
