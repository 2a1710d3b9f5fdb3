//! What all classifiers look at, and how they put down what they see.

use jiff::{SignedDuration, Timestamp};

use crate::engine::facts::{
    ContainerFacts, ContainerState, ContainerTemplate, EventFacts, PodFacts, RevisionFacts, Snapshot, WaitingSpell,
};
use crate::engine::finding::{Detail, Subject, Symptom};
use crate::engine::message::Message;
use crate::engine::observe;
use crate::engine::pace::Pace;
use crate::engine::rollout;

use super::text::Reading;

/// What is the same for all pods of one decision.
pub(super) struct Scene<'a> {
    pub s: &'a Snapshot,
    pub now: Timestamp,
    /// The revision that the Deployment's template belongs to.
    pub newest: Option<&'a RevisionFacts>,
    /// The rollout to it has not been complete yet.
    pub rolling: bool,
    /// When the rollout to the newest revision began.
    pub rollout_start: Timestamp,
    /// What has been well since then is well.
    pub stable_since: Timestamp,
    /// A node that the workload runs on is not ready.
    pub node_lost: bool,
    /// When a node that the workload runs on last came or went.
    nodes_since: Timestamp,
}

impl<'a> Scene<'a> {
    pub(super) fn new(s: &'a Snapshot, now: Timestamp) -> Self {
        let rollout = rollout::current(s, now);
        let rollout_start = rollout.map_or(s.workload.created, |rollout| rollout.since);
        let newest = rollout.map(|rollout| rollout.newest);
        let rolling = rollout.is_some_and(|rollout| rollout.completed.is_none());
        let node_lost = s.nodes.own.iter().any(|node| !node.ready);
        let stable = SignedDuration::from_secs(s.policy.rollout.stable_seconds);
        let stable_since = now.checked_sub(stable).unwrap_or(Timestamp::MIN);
        let nodes_since = s.nodes.own.iter().filter_map(|node| node.ready_since).max().unwrap_or(Timestamp::MIN);
        Self { s, now, newest, rolling, rollout_start, stable_since, node_lost, nodes_since }
    }

    pub(super) fn look<'p>(&'p self, pod: &'a PodFacts) -> Look<'p, 'a> {
        let revision = self.s.revisions.iter().map(AsRef::as_ref).find(|revision| revision.uid == pod.revision);
        Look { scene: self, pod, revision, events: self.s.events.about(&pod.uid) }
    }

    /// How long the healthy revision that was seen last took to become ready, in seconds.
    pub(super) fn known_ready_seconds(&self) -> Option<i64> {
        let healthy = self.s.memory.ledger.iter().filter(|entry| entry.healthy_since.is_some());
        healthy.filter(|entry| entry.ready_seconds.is_some()).max_by_key(|entry| entry.healthy_since)?.ready_seconds
    }

    /// Seconds from `since` until now, never negative.
    pub(super) fn elapsed(&self, since: Timestamp) -> i64 {
        self.now.duration_since(since).as_secs().max(0)
    }
}

/// One pod that needs a second look.
#[derive(Clone, Copy)]
pub(super) struct Look<'p, 'a> {
    pub scene: &'p Scene<'a>,
    pub pod: &'a PodFacts,
    pub revision: Option<&'a RevisionFacts>,
    /// About the pod, the newest last.
    pub events: &'a [EventFacts],
}

impl<'a> Look<'_, 'a> {
    /// What the template says of a container; `None` for one that was injected.
    pub(super) fn template(&self, container: &ContainerFacts) -> Option<&'a ContainerTemplate> {
        self.revision?.template.containers.iter().find(|template| template.name == container.name)
    }

    /// Something else than the template put the container into the pod.
    pub(super) fn is_injected(&self, container: &ContainerFacts) -> bool {
        let known = self.revision.is_some_and(|revision| !revision.template.containers.is_empty());
        known && self.template(container).is_none()
    }

    /// Bytes of memory that the container may use: what its pod says, else its template.
    pub(super) fn memory_limit(&self, container: &ContainerFacts) -> Option<u64> {
        let given = container.memory_limit.map(u64::from);
        given.or_else(|| self.template(container)?.memory_limit)
    }

    /// When the pod began to exist for the kubelet, or else for the API server.
    pub(super) fn pod_start(&self) -> Timestamp {
        self.pod.started.unwrap_or(self.pod.created)
    }

    /// The time, or the moment at which the pod's node was ready again, whichever is later. Nobody tells what became of a
    /// pod while its node was gone, and the node lifecycle controller takes its readiness away meanwhile; for a moment
    /// after the node's own return its pods still look as they were left.
    pub(super) fn since_node(&self, at: Timestamp) -> Timestamp {
        if self.scene.nodes_since <= at {
            return at;
        }
        let own = self.scene.s.nodes.own.iter().filter(|node| self.pod.node.as_ref() == Some(&node.name));
        own.filter_map(|node| node.ready_since).fold(at, Timestamp::max)
    }

    /// The spell of failed attempts that this container is in.
    pub(super) fn spell(&self, container: &ContainerFacts) -> Option<&'a WaitingSpell> {
        self.pod.history.waiting.as_deref().filter(|spell| spell.container == container.name)
    }

    /// Attempts that the kubelet has made since it was first seen to fail, where the status stays the same from one
    /// to the next.
    pub(super) fn attempts_by_time(&self, container: &ContainerFacts) -> u32 {
        let Some(spell) = self.spell(container) else { return 1 };
        spell.attempts.max(SYNCS.attempts_after(self.scene.elapsed(spell.since)))
    }

    /// The earliest moment at which this container is known to have waited in vain.
    pub(super) fn waiting_since(&self, container: &ContainerFacts) -> Timestamp {
        self.spell(container).map_or(self.scene.now, |spell| spell.since).min(self.scene.now)
    }

    /// When the series of exits began that this container is in. Of a pod that is older than the rollout the exits from
    /// before do not count, so the series does not begin with them.
    pub(super) fn exits_since(&self, container: &ContainerFacts) -> Option<Timestamp> {
        let counts = |at: &Timestamp| self.pod.created.max(*at) >= self.scene.rollout_start;
        let series = self.pod.history.series.iter().find(|series| series.container == container.name);
        observe::series_since(series.and_then(|series| series.since).filter(counts), container)
    }

    /// The earliest moment at which this container is known to have failed to start, or to have ended.
    pub(super) fn failing_since(&self, container: &ContainerFacts) -> Timestamp {
        let waiting = self.waiting_since(container);
        self.exits_since(container).map_or(waiting, |exited| exited.min(waiting))
    }

    pub(super) fn on_pod(&self, said: Reading, onset: Timestamp, detail: Detail<'a>) -> Symptom<'a> {
        Symptom::new((said.class, said.cause, said.sureness), Subject::Pod(self.pod), onset, detail)
    }

    pub(super) fn on_container(
        &self,
        container: &'a ContainerFacts,
        said: Reading,
        onset: Timestamp,
        detail: Detail<'a>,
    ) -> Symptom<'a> {
        Symptom { container: Some(container), ..self.on_pod(said, onset, detail) }
    }
}

/// What the kubelet tries at every sync of a pod. A sync that failed is tried again after 10 s and up to half as much
/// (`backOffPeriod` with jitter in pkg/kubelet), so every 20 s hold at least one.
pub(super) const SYNCS: Pace = Pace::Every(20);

/// Why a container waits, if it does: reason and message.
pub(super) fn waiting(container: &ContainerFacts) -> Option<(&str, &Message)> {
    match &container.state {
        ContainerState::Waiting { reason, message } => Some((reason, message)),
        _ => None,
    }
}
