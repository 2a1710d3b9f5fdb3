//! The rules of the election, without I/O: what was seen of the lease goes in, the next call comes out.
//!
//! The rules are those of client-go's `leaderelection` package. Expiry is measured on the local monotonic clock from
//! the moment a changed record was first seen here; the times written in a record are for people and are never
//! compared with a clock. So replicas may disagree about the time of day without both leading.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use tokio::time::Instant;

use super::{Leadership, Settings};

/// The two clocks: one to measure with, one to write into records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub mono: Instant,
    pub wall: Timestamp,
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Read,
    Create(Box<Lease>),
    /// The lease carries the `resourceVersion` that was read: the API server answers 409 if it has moved.
    Replace(Box<Lease>),
    Rest(Duration),
}

/// A record, and since when it has looked like this from here.
#[derive(Debug)]
struct Sighting {
    lease: Lease,
    since: Instant,
}

/// Our own hold on the lease.
#[derive(Debug)]
struct Term {
    since: Timestamp,
    /// When the last successful write was sent. Others see it later, so they wait longer than we count.
    renewed: Instant,
}

#[derive(Debug)]
pub(super) struct Election {
    settings: Settings,
    seen: Option<Sighting>,
    term: Option<Term>,
    rests: u64,
}

impl Election {
    pub fn new(settings: Settings) -> Self {
        Self { settings, seen: None, term: None, rests: 0 }
    }

    /// The first call of a round. A leader writes straight away; everyone else looks first.
    pub fn begin(&self, now: Now) -> Step {
        match (&self.term, &self.seen) {
            (Some(_), Some(_)) => Step::Replace(Box::new(self.claim(now))),
            _ => Step::Read,
        }
    }

    /// Takes in what a read found and says what follows from it. `None` means that there is no such lease.
    pub fn observe(&mut self, found: Option<Lease>, now: Now) -> Step {
        let Some(lease) = found else { return self.observe_missing(now) };
        let since = match &self.seen {
            Some(seen) if seen.lease.spec == lease.spec => seen.since,
            _ => now.mono,
        };
        self.seen = Some(Sighting { lease, since });
        match self.others_hold(now.mono) {
            Some(left) => {
                self.term = None;
                self.rest(Some(left))
            }
            None => Step::Replace(Box::new(self.claim(now))),
        }
    }

    /// A deleted lease says nothing about its holder, who still acts and will write it again: a follower that saw
    /// the holder waits until that sighting has expired.
    fn observe_missing(&mut self, now: Now) -> Step {
        if let Some(left) = self.others_hold(now.mono) {
            return self.rest(Some(left));
        }
        self.seen = None;
        Step::Create(Box::new(self.claim(now)))
    }

    /// Our write was accepted. `sent` is when it left, `lease` what the server answered.
    pub fn written(&mut self, lease: Lease, sent: Instant, now: Now) {
        self.seen = Some(Sighting { lease, since: now.mono });
        let since = self.term.as_ref().map_or(now.wall, |term| term.since);
        self.term = Some(Term { since, renewed: sent });
    }

    /// Ends our term when it was not renewed within the renew deadline, which is before anyone may take the lease.
    pub fn lapse(&mut self, now: Instant) {
        if self.leading_until().is_some_and(|until| until <= now) {
            self.term = None;
        }
    }

    /// Until when we may call ourselves leader without another successful write.
    pub fn leading_until(&self) -> Option<Instant> {
        self.term.as_ref().map(|term| term.renewed + self.settings.timing.renew_deadline)
    }

    pub fn leadership(&self) -> Leadership {
        match &self.term {
            Some(term) => Leadership::Leader { since: term.since },
            None => Leadership::Follower { holder: self.holder().map(str::to_owned) },
        }
    }

    /// How long to wait before the next round: the retry period for a leader, up to a fifth less for a follower, so
    /// that candidates do not move in step; never past the moment at which something expires.
    pub fn pause(&mut self, now: Instant) -> Duration {
        if let Some(until) = self.leading_until() {
            return self.settings.timing.retry_period.min(until.saturating_duration_since(now));
        }
        let left = self.others_hold(now);
        match self.rest(left) {
            Step::Rest(pause) => pause,
            _ => self.settings.timing.retry_period,
        }
    }

    /// Ends our term and gives the record that frees the lease, if it is ours to free. `lease` is what a fresh read
    /// found, or nothing to go by the last sighting.
    pub fn release(&mut self, lease: Option<Lease>, now: Now) -> Option<Lease> {
        self.term = None;
        let mut lease = lease.or_else(|| self.seen.take().map(|seen| seen.lease))?;
        let spec = lease.spec.as_mut()?;
        if spec.holder_identity.as_deref() != Some(self.settings.identity.as_str()) {
            return None;
        }
        // The API server wants a positive duration; client-go writes one second as well.
        spec.holder_identity = None;
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(MicroTime(now.wall));
        spec.acquire_time = Some(MicroTime(now.wall));
        Some(lease)
    }

    fn holder(&self) -> Option<&str> {
        let holder = self.seen.as_ref()?.lease.spec.as_ref()?.holder_identity.as_deref()?;
        (!holder.is_empty()).then_some(holder)
    }

    /// For how long the lease still belongs to someone else; `None` when it is ours, free or expired.
    fn others_hold(&self, now: Instant) -> Option<Duration> {
        let seen = self.seen.as_ref()?;
        if self.holder()? == self.settings.identity {
            return None;
        }
        let promised = seen.lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
        let duration = match promised.and_then(|seconds| u64::try_from(seconds).ok()) {
            Some(seconds) if seconds > 0 => Duration::from_secs(seconds),
            _ => self.settings.timing.lease_duration,
        };
        let left = (seen.since + duration).saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    fn rest(&mut self, left: Option<Duration>) -> Step {
        self.rests = self.rests.wrapping_add(1);
        let mut hasher = DefaultHasher::new();
        (&self.settings.identity, self.rests).hash(&mut hasher);
        let fifth = self.settings.timing.retry_period / 5;
        let less = fifth.mul_f64((hasher.finish() % 1000) as f64 / 1000.0);
        let pause = self.settings.timing.retry_period.saturating_sub(less);
        Step::Rest(left.map_or(pause, |left| pause.min(left)))
    }

    fn claim(&self, now: Now) -> Lease {
        let settings = &self.settings;
        let mut lease = match &self.seen {
            Some(seen) => seen.lease.clone(),
            None => Lease {
                metadata: ObjectMeta {
                    name: Some(settings.name.clone()),
                    namespace: Some(settings.namespace.clone()),
                    ..ObjectMeta::default()
                },
                spec: None,
            },
        };
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        if spec.holder_identity.as_ref() != Some(&settings.identity) {
            let before = spec.lease_transitions.filter(|_| self.seen.is_some());
            spec.lease_transitions = Some(before.map_or(0, |count| count.max(0).saturating_add(1)));
            spec.acquire_time = Some(MicroTime(now.wall));
        }
        spec.holder_identity = Some(settings.identity.clone());
        spec.lease_duration_seconds = Some(i32::try_from(settings.timing.lease_duration.as_secs()).unwrap_or(i32::MAX));
        spec.renew_time = Some(MicroTime(now.wall));
        lease
    }
}

#[cfg(test)]
#[path = "election_tests.rs"]
mod tests;
