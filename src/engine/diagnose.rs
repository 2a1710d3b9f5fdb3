//! The diagnosis of one workload by one look: what fails, whose fault it is, and what Backstay would do about it.
//!
//! The decision is the operator's, by the policy that governs the workload. The findings are for a person: before the
//! operator acts, half of a revision's pods must fail; to a person one pod that fails is a failure.

use std::sync::Arc;

use jiff::Timestamp;

use super::attribute;
use super::baseline;
use super::classify;
use super::decide::decide;
use super::decision::{Action, Decision, Refusal, Verdict};
use super::evidence;
use super::facts::{Name, RevisionFacts, Snapshot};
use super::finding::Finding;
use super::knowledge;
use super::makers;
use super::memory::Memory;
use super::rollout::{self, Rollout};
use super::surroundings;
use super::words::{ActionKind, Cause, Class, Confidence, Fault, Rollback, State, Sureness};

/// Everything that one look at a workload yields.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    pub state: State,
    /// The newest revision's first, and of these what is proven first.
    pub findings: Vec<Finding>,
    /// On the first finding, in words.
    pub verdict: Option<Verdict>,
    pub follows: Follows,
}

/// What Backstay would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Follows {
    pub action: Option<ActionKind>,
    /// Name of the ReplicaSet to go back to.
    pub baseline: Option<Name>,
    pub refusal: Option<Refusal>,
    pub why: String,
}

/// The diagnosis of a Deployment.
pub fn of_deployment(s: &Snapshot, now: Timestamp) -> Diagnosis {
    let decision = decide(s, now);
    let strict = to_the_last_pod(s);
    let rollout = rollout::current(&strict, now);
    let symptoms = classify::classify(&strict, now);
    let mut findings = evidence::weigh(&strict, &symptoms, rollout.as_ref(), now).findings;
    let ledger = baseline::update(&strict, rollout.as_ref(), &findings, now);
    let control = rollout.as_ref().and_then(|r| baseline::control(&strict, r, &ledger.entries));
    let verdicts = verdicts(&findings, |finding| match &rollout {
        Some(rollout) if finding.newest => attribute::attribute(&strict, rollout, (finding, &findings), control),
        _ => by_cause(finding, "only the newest revision can be compared with a healthy one"),
    });
    accuse(&mut findings, &verdicts);
    let state = state(&decision, s, &findings);
    let (findings, verdict) = worth_showing(state, findings, verdicts);
    Diagnosis { state, findings, verdict, follows: follows(decision) }
}

/// The diagnosis of pods whose Deployment is not there, or that none makes. There is nothing to decide about.
pub fn of_others(s: &Snapshot, now: Timestamp) -> Diagnosis {
    let strict = to_the_last_pod(s);
    let rollout = rollout::of_others(&strict, now);
    let mut symptoms = classify::classify(&strict, now);
    symptoms.extend(makers::gave_up(&strict, &symptoms, now));
    let mut findings = evidence::weigh(&strict, &symptoms, rollout.as_ref(), now).findings;
    let ledger = baseline::update(&strict, rollout.as_ref(), &findings, now).entries;
    let control = rollout.as_ref().and_then(|r| baseline::control(&strict, r, &ledger));
    let control = control.filter(|control| control.template.digest != 0);
    let known = Snapshot {
        surroundings: strict.surroundings.as_ref().map(|around| surroundings::believed(around, control)),
        memory: Memory { ledger, ..strict.memory.clone() },
        ..strict.clone()
    };
    let verdicts = verdicts_on_others(&known, (rollout.as_ref(), control), &findings);
    accuse(&mut findings, &verdicts);
    let state = state_of_others(s, &findings);
    let (findings, verdict) = worth_showing(state, findings, verdicts);
    let why = match &*s.workload.kind {
        "Deployment" => "the Deployment itself was not seen, so nothing can be decided",
        _ => "Backstay acts on Deployments only",
    };
    Diagnosis { state, findings, verdict, follows: Follows { why: why.to_owned(), ..Follows::default() } }
}

fn verdicts_on_others(
    s: &Snapshot,
    (rollout, control): (Option<&Rollout>, Option<&RevisionFacts>),
    findings: &[Finding],
) -> Vec<Verdict> {
    // What was changed is known only where both templates are.
    let compared = control.filter(|control| control.template.material != 0);
    // When a rollout was complete is a guess, which tells of what went from under it since and of nothing else.
    let attributed = |rollout: &Rollout, finding: &Finding| {
        let of = |rollout: &Rollout| attribute::attribute(s, rollout, (finding, findings), compared);
        let changed = rollout.completed.map(|_| of(rollout)).filter(|verdict| verdict.fault == Fault::Configuration);
        changed.unwrap_or_else(|| of(&Rollout { completed: None, ..*rollout }))
    };
    verdicts(findings, |finding| match rollout.filter(|_| finding.newest).map(|rollout| attributed(rollout, finding)) {
        Some(verdict) if compared.is_some() => verdict,
        Some(verdict) if !matches!(verdict.fault, Fault::Revision | Fault::Unknown) => verdict,
        _ => by_cause(finding, &not_compared(s, control.filter(|_| finding.newest))),
    })
}

/// The same workload under a policy by which one pod suffices.
fn to_the_last_pod(s: &Snapshot) -> Snapshot {
    let mut policy = (*s.policy).clone();
    for rule in &mut policy.rules {
        rule.threshold.pods = Some("1".to_owned());
    }
    Snapshot { policy: Arc::new(policy), ..s.clone() }
}

fn verdicts(findings: &[Finding], of: impl Fn(&Finding) -> Verdict) -> Vec<Verdict> {
    let doubted = |finding: &Finding| {
        let verdict = of(finding);
        // Where even the failure is not proven, nobody's fault can be.
        let confidence = if finding.sufficient { verdict.confidence } else { Confidence::Possible };
        Verdict { confidence, ..verdict }
    };
    findings.iter().map(doubted).collect()
}

/// What the cause alone says of the fault.
fn by_cause(finding: &Finding, because: &str) -> Verdict {
    let about = knowledge::about(finding.class, finding.cause);
    // What no template brings about, and what nothing but a template does.
    let plain = matches!(about.fault, Fault::Platform | Fault::Namespace | Fault::Dependency);
    let confidence = if plain || about.rollback == Rollback::Helps { Confidence::Likely } else { Confidence::Possible };
    Verdict {
        fault: about.fault,
        confidence,
        because: format!("{}; {because}", lower(about.meaning)),
        rejected: Vec::new(),
    }
}

/// Why nothing can be said of what was changed, and whether pods of an older revision do well.
fn not_compared(s: &Snapshot, control: Option<&RevisionFacts>) -> String {
    let Some(control) = control else { return "there is no healthy revision to compare with".to_owned() };
    let ready = evidence::judged_pods(s, &control.uid).filter(|pod| pod.ready).count();
    format!(
        "{ready} pods of the older revision {} are ready at the same time, and pods do not show how their templates differ",
        control.hash
    )
}

/// A sentence as the beginning of a longer one.
fn lower(sentence: &str) -> String {
    let mut chars = sentence.trim_end_matches('.').chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

fn accuse(findings: &mut [Finding], verdicts: &[Verdict]) {
    for (finding, verdict) in findings.iter_mut().zip(verdicts) {
        finding.fault = verdict.fault;
        finding.confidence = verdict.confidence;
        finding.rejected.clone_from(&verdict.rejected);
    }
}

/// The state as the operator sees it, where it is at work; else failing is failing, also where nothing could be done.
fn state(decision: &Decision, s: &Snapshot, findings: &[Finding]) -> State {
    let at_work = !s.memory.open.is_empty() || s.workload.paused_for.is_some();
    let lacks_pods = s.workload.available_replicas < s.workload.replicas;
    // What was taken away says nothing against a revision, but whoever lacks the pod lacks it.
    let taken = findings.iter().any(|f| f.sureness == Sureness::Excluded) && lacks_pods;
    let fails = findings.iter().any(|f| f.sufficient) || taken;
    match decision.state {
        state @ (State::Stabilising | State::Stabilised) => state,
        State::Held if at_work => State::Held,
        _ if fails => State::Failing,
        State::Held | State::Failing => State::Failing,
        // Without its ReplicaSets the Deployment speaks for itself.
        State::Unknown if !lacks_pods && findings.is_empty() => State::Healthy,
        state => state,
    }
}

fn state_of_others(s: &Snapshot, findings: &[Finding]) -> State {
    let running = || s.pods.iter().filter(|pod| !pod.deleting && !pod.finished);
    let surely = |f: &Finding| !matches!(f.sureness, Sureness::Timed | Sureness::Excluded);
    if findings.iter().any(|f| f.sufficient) {
        State::Failing
    } else if findings.iter().any(surely) {
        State::Suspect
    } else if running().any(|pod| !pod.ready) || s.workload.ready_replicas < s.workload.replicas {
        State::Progressing
    } else {
        State::Healthy
    }
}

/// Leaves out what is no failure: a child process that died while its container serves, and pods that may still take
/// their time, also those that are known to fail by something surer.
fn worth_showing(state: State, findings: Vec<Finding>, verdicts: Vec<Verdict>) -> (Vec<Finding>, Option<Verdict>) {
    let calm = matches!(state, State::Healthy | State::Progressing);
    let proven: Vec<Vec<Name>> = findings.iter().filter(|f| f.sufficient).map(|f| f.pods.clone()).collect();
    let known_to_fail =
        |f: &Finding| !f.pods.is_empty() && f.pods.iter().all(|pod| proven.iter().any(|p| p.contains(pod)));
    let shown = findings.into_iter().zip(verdicts).filter(|(f, _)| {
        let serves = (f.class, f.cause) == (Class::OOMKilled, Cause::ChildProcess);
        let takes_its_time = f.sureness == Sureness::Timed && !f.sufficient && (calm || known_to_fail(f));
        !serves && !takes_its_time
    });
    let (findings, verdicts): (Vec<_>, Vec<_>) = shown.unzip();
    (findings, verdicts.into_iter().next())
}

fn follows(decision: Decision) -> Follows {
    let action = decision.action.as_ref().map(|action| match action {
        Action::RollBack(_) => ActionKind::RollBack,
        Action::Freeze(_) => ActionKind::Freeze,
        Action::Pause(_) => ActionKind::Pause,
        Action::Resume { .. } => ActionKind::Resume,
    });
    let baseline = decision.baseline.map(|baseline| baseline.name);
    Follows { action, baseline, refusal: decision.refusal, why: decision.why }
}
