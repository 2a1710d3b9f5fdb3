//! Leader election on a `coordination.k8s.io/v1` Lease: of all replicas, one acts.
//!
//! A lease is advice. It makes two leaders unlikely, it cannot rule them out; what must never happen twice is
//! guarded by preconditions on the write itself. What this module promises: a replica that cannot renew stops being
//! leader before another may take over, whatever the clocks of the nodes say.

mod election;
#[cfg(test)]
mod tests;

use std::pin::pin;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1;
use kube::api::PostParams;
use kube::{Api, Client};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::Instant;

use super::chain::chain;
use election::{Election, Now, Step};

/// Enough for a leader whose lease was deleted and written by another: replace, create, read, replace, read.
const CALLS_PER_ROUND: usize = 5;

/// What went wrong in a round of the election. None of it ends the election.
#[derive(Debug, Error)]
pub enum Error {
    #[error("the client for lease {lease} cannot be made")]
    Client { lease: String, source: Box<kube::Error> },
    #[error("{doing} lease {lease} failed")]
    Call { doing: &'static str, lease: String, source: Box<kube::Error> },
    #[error("lease {lease}: no answer within {within:?}")]
    Timeout { lease: String, within: Duration },
    #[error("lease timing: {0}")]
    Timing(&'static str),
}

/// How fast leadership moves. The default is client-go's: 15 s, 10 s and 2 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    lease_duration: Duration,
    renew_deadline: Duration,
    retry_period: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

impl Timing {
    /// `lease_duration`: how long others wait after the last renewal that they saw, in whole seconds.
    /// `renew_deadline`: how long a leader goes on without a successful renewal.
    /// `retry_period`: the time between two tries.
    pub fn new(lease_duration: Duration, renew_deadline: Duration, retry_period: Duration) -> Result<Self, Error> {
        if lease_duration.subsec_nanos() != 0 || lease_duration.as_secs() > i32::MAX as u64 {
            return Err(Error::Timing("the lease duration is not in whole seconds"));
        }
        if lease_duration <= renew_deadline {
            return Err(Error::Timing("the lease duration must be longer than the renew deadline"));
        }
        if retry_period.is_zero() || renew_deadline <= retry_period {
            return Err(Error::Timing("the renew deadline must be longer than the retry period, which is not zero"));
        }
        Ok(Self { lease_duration, renew_deadline, retry_period })
    }

    /// One call to the API server may take half the renew deadline, so that a leader can try twice.
    fn call_timeout(&self) -> Duration {
        self.renew_deadline / 2
    }
}

/// Which lease, and who we are in it.
#[derive(Clone, Debug)]
pub struct Settings {
    pub namespace: String,
    pub name: String,
    /// Unique among the replicas that run at the same time; the pod's name is.
    pub identity: String,
    pub timing: Timing,
}

impl Settings {
    fn reference(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// Who leads, as far as this replica knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leadership {
    Leader { since: Timestamp },
    Follower { holder: Option<String> },
}

/// What the rest of the program sees of the election. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Standing {
    leadership: watch::Receiver<Leadership>,
    until: watch::Receiver<Option<Instant>>,
}

impl Standing {
    /// To wait for changes. For the question "may I act now?" use [`Standing::allows`].
    pub fn watch(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    pub fn is_leader(&self) -> bool {
        !self.remaining().is_zero()
    }

    /// How long we may go on as leader without another renewal; zero when we do not lead.
    ///
    /// It is computed at the call, so a process that was stopped and continued does not trust what it knew before.
    /// It counts to the renew deadline, not to the end of the lease: the rest of the lease is for requests that time
    /// out here and are carried out by the API server all the same.
    pub fn remaining(&self) -> Duration {
        let until = *self.until.borrow();
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Whether a mutating call that may take `call_timeout` may start now.
    pub fn allows(&self, call_timeout: Duration) -> bool {
        self.remaining() > call_timeout
    }
}

/// A client for the election alone: with its own connections, without silent retries, and with short timeouts, so
/// that neither slow reconciles nor a slow API server starve the renewals.
pub fn client(mut config: kube::Config, settings: &Settings) -> Result<Client, Error> {
    let timeout = settings.timing.call_timeout();
    config.default_retry = false;
    config.connect_timeout = Some(timeout);
    config.read_timeout = Some(timeout);
    config.write_timeout = Some(timeout);
    config.reset_reader_on_write = true;
    Client::try_from(config).map_err(|source| Error::Client { lease: settings.reference(), source: Box::new(source) })
}

/// A candidate. It takes part for as long as [`Lease::run`] runs.
#[derive(Debug)]
pub struct Lease {
    api: Api<v1::Lease>,
    settings: Settings,
    election: Election,
    leadership: watch::Sender<Leadership>,
    until: watch::Sender<Option<Instant>>,
    failing: bool,
}

impl Lease {
    /// `client` should come from [`client`].
    pub fn new(client: Client, settings: Settings) -> (Self, Standing) {
        let (leadership, leadership_seen) = watch::channel(Leadership::Follower { holder: None });
        let (until, until_seen) = watch::channel(None);
        let api = Api::namespaced(client, &settings.namespace);
        let election = Election::new(settings.clone());
        let lease = Self { api, settings, election, leadership, until, failing: false };
        (lease, Standing { leadership: leadership_seen, until: until_seen })
    }

    /// Takes part in the election until `shutdown` resolves, then gives the lease back if it is ours.
    ///
    /// Let `shutdown` resolve only once nothing acts any more: another replica leads a moment later.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        loop {
            // A round that is cut short leaves at most a write under way, and the release moves the resource version
            // from under it.
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                () = self.round() => {}
            }
            let pause = self.election.pause(Instant::now());
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                () = tokio::time::sleep(pause) => {}
            }
            self.election.lapse(Instant::now());
            self.publish();
        }
        self.release().await;
    }

    /// One try to get or keep the lease.
    async fn round(&mut self) {
        let mut within = self.settings.timing.call_timeout();
        if let Some(until) = self.election.leading_until() {
            within = within.min(until.saturating_duration_since(Instant::now()));
        }
        let outcome = match tokio::time::timeout(within, self.attempt()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Timeout { lease: self.settings.reference(), within }),
        };
        self.report(outcome);
        self.election.lapse(Instant::now());
        self.publish();
    }

    async fn attempt(&mut self) -> Result<(), Error> {
        let mut step = self.election.begin(now());
        for _ in 0..CALLS_PER_ROUND {
            let sent = Instant::now();
            let (doing, answer) = match step {
                Step::Rest(_) => return Ok(()),
                Step::Read => {
                    let found = self.api.get_opt(&self.settings.name).await.map_err(|e| self.failed("reading", e))?;
                    step = self.election.observe(found, now());
                    continue;
                }
                Step::Create(lease) => ("creating", self.api.create(&PostParams::default(), &lease).await),
                Step::Replace(lease) => {
                    ("renewing", self.api.replace(&self.settings.name, &PostParams::default(), &lease).await)
                }
            };
            step = match answer {
                Ok(lease) => {
                    self.election.written(lease, sent, now());
                    return Ok(());
                }
                Err(kube::Error::Api(status)) if status.is_not_found() && doing == "renewing" => {
                    self.election.observe(None, now())
                }
                // Someone else was faster, or an earlier write of ours landed without our seeing its answer.
                Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Step::Read,
                Err(error) => return Err(self.failed(doing, error)),
            };
        }
        Ok(())
    }

    async fn release(&mut self) {
        let known = self.election.release(None, now());
        // Said before it is done: nothing here may act on a lease that is being given away.
        self.publish();
        let Some(known) = known else { return };
        let within = self.settings.timing.call_timeout();
        let outcome = match tokio::time::timeout(within, self.give_back(known)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Timeout { lease: self.settings.reference(), within }),
        };
        match outcome {
            Ok(()) => tracing::info!(lease = self.settings.reference(), "released the lease"),
            Err(error) => tracing::warn!(error = %chain(&error), "the lease was not released"),
        }
    }

    async fn give_back(&mut self, known: v1::Lease) -> Result<(), Error> {
        let name = self.settings.name.clone();
        match self.api.replace(&name, &PostParams::default(), &known).await {
            Err(kube::Error::Api(status)) if status.is_conflict() => {}
            answer => return answer.map(drop).map_err(|error| self.failed("releasing", error)),
        }
        let found = self.api.get_opt(&name).await.map_err(|error| self.failed("reading", error))?;
        let Some(fresh) = found.and_then(|lease| self.election.release(Some(lease), now())) else { return Ok(()) };
        let answer = self.api.replace(&name, &PostParams::default(), &fresh).await;
        answer.map(drop).map_err(|error| self.failed("releasing", error))
    }

    fn publish(&self) {
        self.until.send_replace(self.election.leading_until());
        let leadership = self.election.leadership();
        let changed = self.leadership.send_if_modified(|published| {
            let changed = *published != leadership;
            published.clone_from(&leadership);
            changed
        });
        if changed {
            let identity = &self.settings.identity;
            match leadership {
                Leadership::Leader { .. } => tracing::info!(identity, "leading"),
                Leadership::Follower { holder } => tracing::info!(identity, holder, "following"),
            }
        }
    }

    /// One line when the calls begin to fail and one when they succeed again, not one per try.
    fn report(&mut self, outcome: Result<(), Error>) {
        match outcome {
            Ok(()) if self.failing => {
                tracing::info!(lease = self.settings.reference(), "the lease can be reached again");
            }
            Err(error) if !self.failing => {
                tracing::warn!(error = %chain(&error), "the lease cannot be kept up");
                self.failing = true;
                return;
            }
            Err(error) => {
                tracing::debug!(error = %chain(&error), "the lease still cannot be kept up");
                return;
            }
            Ok(()) => {}
        }
        self.failing = false;
    }

    fn failed(&self, doing: &'static str, source: kube::Error) -> Error {
        Error::Call { doing, lease: self.settings.reference(), source: Box::new(source) }
    }
}

fn now() -> Now {
    Now { mono: Instant::now(), wall: Timestamp::now() }
}
