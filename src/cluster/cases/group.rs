use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::parts::Part;
use super::refused::{missing, refused};
use super::{ByObject, Key, is_hash};
use crate::cluster::digest::Walked;
use crate::cluster::facts::{Interner, shown_condition, template_facts};
use crate::cluster::intake::{Maker, Marked};
use crate::cluster::slim::Template;
use crate::cluster::store::Labels;
use crate::engine::facts::{ConditionFacts, PodFacts, RevisionFacts, TemplateFacts, WorkloadFacts};
use crate::engine::glance::glance;

/// What belongs to one workload.
#[derive(Debug, Default)]
pub struct Group {
    pub deployment: Option<(WorkloadFacts, Labels)>,
    pub maker: Option<Maker>,
    pub revisions: Vec<RevisionFacts>,
    pub pods: Vec<PodFacts>,
    /// What made the pods, by UID; those that are among the revisions too.
    pub makers: BTreeMap<String, MadeUp>,
}

/// A revision of which only the pods are known.
#[derive(Debug)]
pub struct MadeUp {
    pub name: String,
    /// Its pods have their owner in common with those of other revisions.
    pub part: Option<Part>,
}

impl MadeUp {
    pub fn by(name: &str) -> Self {
        Self { name: name.to_owned(), part: None }
    }

    fn hash(&self) -> &str {
        if let Some(part) = &self.part {
            return &part.hash;
        }
        self.name.rsplit_once('-').map(|(_, hash)| hash).filter(|hash| is_hash(hash)).unwrap_or_default()
    }
}

/// A workload as the engine takes it.
#[derive(Debug)]
pub struct Family {
    pub workload: WorkloadFacts,
    pub revisions: Vec<Arc<RevisionFacts>>,
    pub pods: Vec<Arc<PodFacts>>,
    /// Of the Deployment, if there is one.
    pub labels: Option<Labels>,
}

/// Templates of pods by the UID of their owner.
pub type Templates = BTreeMap<String, Walked<Template>>;

/// What else is known when a group is finished.
pub struct Known<'a> {
    pub templates: &'a mut Templates,
    pub marked: &'a Marked,
    pub events: &'a ByObject,
    pub now: Timestamp,
}

impl Group {
    /// `None` where there is nothing to look at: an old ReplicaSet without pods and without its Deployment.
    pub fn finish(mut self, key: &Key, known: Known<'_>, names: &mut Interner) -> Option<Family> {
        let alone = self.deployment.is_none() && self.maker.is_none();
        if alone && self.pods.is_empty() && self.revisions.iter().all(|revision| revision.desired == 0) {
            return None;
        }
        self.forget_retries();
        if self.revisions.is_empty() && self.makers.is_empty() {
            // What has no pods is about to make some of its template.
            let of_maker =
                |maker: &Maker| Some((maker.metadata.uid.clone()?, MadeUp::by(maker.metadata.name.as_deref()?)));
            self.makers.extend(self.maker.as_ref().and_then(of_maker));
        }
        let refused = self.refusal(known.events, known.now);
        self.tell_apart(&key.0, known.marked, refused.is_some(), names);
        self.make_up_revisions(known.templates, names);
        let (workload, labels) = match self.deployment.take() {
            Some((workload, labels)) => (workload, Some(labels)),
            None => (self.with_its_word(self.make_up_workload(key, names), refused, names), None),
        };
        let pods = self.pods.iter().map(|pod| Arc::new(glance(pod, known.now))).collect();
        Some(Family { workload, revisions: self.revisions.into_iter().map(Arc::new).collect(), pods, labels })
    }

    /// What the owner's events say of pods that it cannot create.
    fn refusal(&self, events: &ByObject, now: Timestamp) -> Option<ConditionFacts> {
        let maker = self.maker.as_ref()?;
        refused(maker, &self.pods, events.get(maker.metadata.uid.as_deref()?)?, now)
    }

    /// The workload with what its owner says beside its pods. Of pods that are refused the newest revision is short.
    fn with_its_word(
        &mut self,
        workload: WorkloadFacts,
        refused: Option<ConditionFacts>,
        names: &mut Interner,
    ) -> WorkloadFacts {
        let Some(maker) = &self.maker else { return workload };
        let gave_up = maker.gave_up().map(|condition| shown_condition(condition, workload.created, names));
        let mut replicas = workload.replicas;
        if refused.is_some() {
            replicas = replicas.max(maker.due());
            let short = missing(maker, &self.pods);
            if let Some(newest) = self.revisions.iter_mut().max_by(|a, b| a.order().cmp(&b.order())) {
                newest.desired = newest.desired.saturating_add(short);
            }
        }
        let max_unavailable = maker.max_unavailable();
        WorkloadFacts { replicas, max_unavailable, replica_failure: refused, gave_up, ..workload }
    }

    /// Pods of a Job that failed and were tried again are its way of working. What counts is how the last one did,
    /// unless the Job itself has the last word.
    fn forget_retries(&mut self) {
        if self.maker.as_ref().is_some_and(|maker| maker.gave_up().is_some()) {
            return;
        }
        let complete = self.maker.as_ref().is_some_and(Maker::is_complete);
        let failed = |pod: &PodFacts| pod.finished && pod.may_end && has_failed(pod);
        let last = self.pods.iter().filter(|pod| pod.may_end).max_by_key(|pod| pod.created);
        if complete || last.is_some_and(|pod| !failed(pod)) {
            self.pods.retain(|pod| !failed(pod));
        }
    }

    /// Gives every pod a revision. Of those that are made up, the one whose pods came last is the newest.
    fn make_up_revisions(&mut self, templates: &mut Templates, names: &mut Interner) {
        let known = |uid: &str| self.revisions.iter().any(|revision| &*revision.uid == uid);
        let missing = self.makers.iter().filter(|(uid, _)| !known(uid));
        let mut made: Vec<_> = missing
            .map(|(uid, made)| {
                let revision = self.revision(uid, made, templates, names);
                (made.part.as_ref().map_or((false, 0, revision.created), |part| part.rank), revision)
            })
            .collect();
        made.sort_by_key(|(rank, _)| *rank);
        let newest = self.deployment.as_ref().and_then(|(workload, _)| workload.revision).unwrap_or_default();
        for (age, (_, revision)) in (0_i64..).zip(made.iter_mut().rev()) {
            revision.number = newest.saturating_sub(age);
        }
        self.revisions.extend(made.into_iter().map(|(_, revision)| revision));
    }

    fn revision(&self, uid: &str, made: &MadeUp, templates: &mut Templates, names: &mut Interner) -> RevisionFacts {
        let pods = || self.pods.iter().filter(|pod| &*pod.revision == uid);
        let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let running = number(pods().filter(|pod| !pod.finished).count());
        let ready = number(pods().filter(|pod| pod.ready).count());
        // A pod is its template and what admission added, so it says what the containers are but cannot be compared.
        let shown = templates.remove(uid).map(|template| template_facts(&template, names).containers);
        let template = match &made.part {
            Some(part) => part.template.clone(),
            None => TemplateFacts { containers: shown.unwrap_or_default(), ..TemplateFacts::default() },
        };
        RevisionFacts {
            uid: names.name(uid),
            name: names.named(&made.name),
            hash: names.label(made.hash()),
            number: 0,
            created: self.since(made, pods().map(|pod| pod.created).min()),
            deleting: false,
            desired: running,
            replicas: running,
            ready,
            available: ready,
            replica_failure: None,
            template,
        }
    }

    /// When a revision was first seen: what keeps it is as old as it is, and it is as old as its first pod at least.
    fn since(&self, made: &MadeUp, first_pod: Option<Timestamp>) -> Timestamp {
        let kept = made.part.as_ref().and_then(|part| part.created);
        let known = kept.into_iter().chain(first_pod).min();
        let maker = || self.maker.as_ref()?.metadata.creation_timestamp.as_ref().map(|created| created.0);
        known.or_else(maker).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn make_up_workload(&self, (namespace, kind, name): &Key, names: &mut Interner) -> WorkloadFacts {
        let maker = self.maker.as_ref();
        let sum = |of: fn(&RevisionFacts) -> i32| self.revisions.iter().map(of).fold(0, i32::saturating_add);
        let (wanted, ready) = match maker.and_then(|maker| Some((maker.wanted()?, maker.ready()))) {
            Some(told) => told,
            None => (sum(|revision| revision.desired), sum(|revision| revision.available)),
        };
        let newest = self.revisions.iter().max_by_key(|revision| revision.order());
        let uid = maker.and_then(|maker| maker.metadata.uid.as_deref()).unwrap_or_default();
        WorkloadFacts {
            kind: names.word(kind),
            namespace: names.named(namespace),
            name: names.named(name),
            uid: names.name(uid),
            created: self.revisions.iter().map(|revision| revision.created).min().unwrap_or(Timestamp::UNIX_EPOCH),
            deleting: false,
            generation: 0,
            observed_generation: 0,
            paused: false,
            replicas: wanted.max(0),
            updated_replicas: newest.map_or(0, |revision| revision.replicas),
            ready_replicas: ready.max(0),
            available_replicas: ready.max(0),
            total_replicas: sum(|revision| revision.replicas),
            progress_deadline_seconds: None,
            revision_history_limit: 0,
            max_unavailable: 0,
            max_surge: 0,
            recreate: false,
            revision: newest.map(|revision| revision.number),
            template_digest: newest.map_or(0, |revision| revision.template.digest),
            template_material: newest.map_or(0, |revision| revision.template.material),
            progressing: None,
            completed: None,
            available: None,
            replica_failure: None,
            gave_up: None,
            gitops: None,
            owned_by: None,
            opted_out: false,
            incident_mark: None,
            action_mark: None,
            paused_for: None,
            resume_asked: None,
        }
    }
}

/// A container ended with an error, or the pod was refused or put out.
fn has_failed(pod: &PodFacts) -> bool {
    use crate::engine::facts::ContainerState::Terminated;
    let ended_badly = |state: &_| matches!(state, Terminated(ending) if ending.exit_code != 0);
    pod.reason.is_some() || pod.containers.iter().any(|container| ended_badly(&container.state))
}
