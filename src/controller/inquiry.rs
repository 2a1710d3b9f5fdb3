//! Reading what lies around a workload before anyone needs it: once when a rollout begins, and again when something
//! fails. The guards then find it there, and no read stands between sufficient evidence and the action.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::cluster::around::{self, Question, Source};
use crate::cluster::store::WorkloadKey;
use crate::cluster::wake::Wake;
use crate::config::AroundArgs;
use crate::engine::baseline;
use crate::engine::decision::{Action, Decision};
use crate::engine::evidence::judged_pods;
use crate::engine::facts::{Name, Snapshot};
use crate::engine::finding::Finding;
use crate::engine::memory::RevisionRef;
use crate::engine::policy::Mode;
use crate::engine::surroundings::{self, Surroundings};
use crate::engine::words::{Class, State, Sureness};

/// Inquiries that go on at once: a rollout of everything must not flood the API server.
const AT_ONCE: usize = 8;
/// What is older than this is read anew while evidence gathers.
const FRESH: Duration = Duration::from_secs(15);
/// The same while pods are merely not ready, as every pod is at first.
const FRESH_WHILE_UNREADY: Duration = Duration::from_secs(60);
/// The same for a workload whose incident is open: a person may have mended what kept Backstay from acting.
const FRESH_WHILE_OPEN: Duration = Duration::from_secs(300);
/// How long a decision that could do harm waits for what was asked too late, as right after a start.
const PATIENCE: Duration = Duration::from_secs(2);

type Answer = Option<Arc<Surroundings>>;

/// What was asked about one workload last.
#[derive(Debug)]
struct Inquiry {
    newest: Name,
    baseline: Option<Name>,
    asked: Instant,
    answer: watch::Receiver<Answer>,
    /// The answer before this one, good until it comes.
    former: Answer,
}

/// All inquiries. Losing them costs a few reads.
pub struct Inquiries {
    client: Client,
    wake: Wake,
    reach: AroundArgs,
    /// The whole cluster is watched.
    everywhere: bool,
    slots: Arc<Semaphore>,
    asked: Mutex<HashMap<WorkloadKey, Inquiry>>,
}

impl Inquiries {
    pub fn new(client: Client, wake: Wake, (reach, everywhere): (AroundArgs, bool)) -> Self {
        Self { client, wake, reach, everywhere, slots: Arc::new(Semaphore::new(AT_ONCE)), asked: Mutex::default() }
    }

    /// More than the templates may be looked at.
    pub fn looks_around(&self) -> bool {
        self.reach.surroundings
    }

    /// What is known by now.
    pub fn known(&self, key: &WorkloadKey) -> Answer {
        self.with(|asked| asked.get(key).and_then(|i| i.answer.borrow().clone().or_else(|| i.former.clone())))
    }

    pub fn forget(&self, key: &WorkloadKey) {
        self.with(|asked| drop(asked.remove(key)));
    }

    /// Asks what the decision will need, if it is not known or no longer fresh; forgets what a healthy workload leaves
    /// behind.
    pub fn follow(&self, key: &WorkloadKey, s: &Snapshot, decision: &Decision, now: Timestamp) {
        if matches!(decision.state, State::Healthy | State::Stabilised) {
            self.forget(key);
        } else if let Some(fresh) = freshness(s, decision) {
            self.ask(key, s, decision, (fresh, now));
        }
    }

    /// What is known once the inquiry that was made is answered. `None` if that takes too long: what is around is no reason to
    /// let a failure go on.
    pub async fn wait(&self, key: &WorkloadKey) -> Answer {
        let mut answer = self.with(|asked| asked.get(key).map(|i| i.answer.clone()))?;
        let answered = tokio::time::timeout(PATIENCE, answer.wait_for(Option::is_some)).await;
        answered.ok()?.ok().and_then(|known| known.clone())
    }

    /// What is around two revisions, read now: for a record that tells of revisions which nobody decides about any more.
    pub async fn read(&self, key: &WorkloadKey, newest: RevisionRef, baseline: Option<RevisionRef>) -> Answer {
        let question = self.question(key, newest, baseline);
        let read = around::read(Source::Cluster(&self.client), &question);
        tokio::time::timeout(PATIENCE, read).await.ok().map(Arc::new)
    }

    /// Other namespaces may be looked at.
    pub fn looks_everywhere(&self) -> bool {
        self.everywhere
    }

    fn question(&self, key: &WorkloadKey, newest: RevisionRef, baseline: Option<RevisionRef>) -> Question {
        Question {
            kind: "Deployment".into(),
            namespace: key.namespace.clone(),
            workload: key.name.clone(),
            newest,
            baseline,
            objects: self.reach.surroundings,
            secrets: self.reach.secret_namespaces.iter().any(|namespace| **namespace == *key.namespace),
            outside: self.everywhere,
            // It takes the right to list the ConfigMaps and Secrets of all namespaces.
            elsewhere: false,
            try_baseline: false,
        }
    }

    /// Asks, unless an answer is on its way or still fresh.
    fn ask(&self, key: &WorkloadKey, s: &Snapshot, decision: &Decision, (fresh, now): (Duration, Timestamp)) {
        let Some((newest, baseline)) = surroundings::compared(s, decision, now) else { return };
        let (told, answer) = watch::channel(None);
        let due = self.with(|asked| {
            let pair = (&newest.uid, baseline.as_ref().map(|b| &b.uid));
            let known = asked.get(key).filter(|i| (&i.newest, i.baseline.as_ref()) == pair);
            if known.is_some_and(|i| i.asked.elapsed() < fresh || i.answer.borrow().is_none()) {
                return false;
            }
            let former = known.and_then(|i| i.answer.borrow().clone());
            let (newest, baseline) = (newest.uid.clone(), baseline.as_ref().map(|b| b.uid.clone()));
            asked.insert(key.clone(), Inquiry { newest, baseline, asked: Instant::now(), answer, former });
            true
        });
        if !due {
            return;
        }
        let question = Question {
            // Who only looks on asks for nothing that is logged as a write.
            try_baseline: self.reach.try_baseline && s.policy.mode == Mode::Enforce && !s.workload.opted_out,
            ..self.question(key, newest, baseline)
        };
        let (client, wake, slots, key) = (self.client.clone(), self.wake.clone(), self.slots.clone(), key.clone());
        tokio::spawn(async move {
            // The semaphore is never closed.
            let _slot = slots.acquire().await;
            let around = around::read(Source::Cluster(&client), &question).await;
            told.send_replace(Some(Arc::new(around)));
            wake.send(key);
        });
    }

    fn with<T>(&self, f: impl FnOnce(&mut HashMap<WorkloadKey, Inquiry>) -> T) -> T {
        f(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An action that could do harm, decided without knowing what lies around. Others are not put off: a pod that never ran
/// has migrated nothing, and where old pods serve, going back takes none of them away. A refusal to create pods may meet
/// those of the baseline too, which the API server can be asked about.
pub fn is_worth_waiting(s: &Snapshot, decision: &Decision) -> bool {
    let Some(Action::RollBack(permit) | Action::Freeze(permit)) = &decision.action else { return false };
    let (failing, target) = (&permit.intent().failing.uid, &permit.intent().target.uid);
    let known = s.surroundings.as_ref().is_some_and(|a| a.newest == *failing && a.baseline.as_ref() == Some(target));
    let ran = judged_pods(s, failing).any(|pod| pod.containers.iter().any(|c| c.has_run()));
    let serves = judged_pods(s, target).any(|pod| pod.ready);
    // What continues an action that was begun has no verdict of its own.
    let refused = decision.findings.iter().any(|f| f.newest && f.class == Class::CreateRefused);
    decision.verdict.is_some() && !known && (ran || !serves || refused)
}

/// How old an answer may be, if one is wanted at all: for a rollout to a revision that is not proven yet, or at a sure
/// sign that a proven one fails. The readiness of single pods comes and goes, and is none.
fn freshness(s: &Snapshot, decision: &Decision) -> Option<Duration> {
    let newest = decision.newest.as_ref().filter(|_| !s.workload.deleting && s.workload.replicas > 0)?;
    let proven = decision.ledger.iter().any(|e| e.uid == newest.uid && baseline::is_healthy(e));
    let counts = |f: &&Finding| f.newest && f.sureness != Sureness::Excluded;
    let mut findings = decision.findings.iter().filter(counts).peekable();
    // A rollout that goes well is not looked at twice, however long it takes.
    let begins = decision.state == State::Progressing && decision.baseline.is_some();
    let otherwise = match findings.peek() {
        Some(_) if !proven => Some(FRESH_WHILE_UNREADY),
        None if !proven && begins => Some(Duration::MAX),
        _ => None,
    };
    let sure = findings.any(|f| f.sufficient || f.sureness != Sureness::Timed);
    let fresh = if s.memory.open.is_empty() { FRESH } else { FRESH_WHILE_OPEN };
    if sure { Some(fresh) } else { otherwise }
}
