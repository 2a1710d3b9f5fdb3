//! Whose fault it is, by control group: the failing revision against the pods of the baseline, the template change
//! against what can cause such a failure, and the nodes and neighbours against both.
//!
//! The checks are asked in order and the first that explains the failure decides. What they reject is part of the
//! answer. `outside` has those that go by what did it, and `touches` whether the change can have.

mod admission;
mod control_group;
mod its_log;
mod nodes;
mod outside;
mod same_node;
mod shared;
mod touches;

use std::cell::OnceCell;

use jiff::Timestamp;

use super::change;
use super::configuration;
use super::decision::Verdict;
use super::evidence::judged_pods;
use super::facts::{PodFacts, RevisionFacts, Snapshot};
use super::finding::{Evidence, Finding, Rejected};
use super::knowledge;
use super::listen;
use super::memory::LedgerEntry;
use super::moment::seconds_between;
use super::rollout::{self, Rollout};
use super::text;
use super::words::{Aspect, Cause, Class, Confidence, Fault, Rollback, Sureness};

/// One of so many pods of the control group must fail for it to speak.
const CONTROL_SHARE: u32 = 3;
/// Bytes of what speaks against a hypothesis.
const MAX_BECAUSE: usize = 256;
/// Workloads that began to fail within this time of each other may share a cause.
const NEIGHBOUR_SECONDS: i64 = 120;

/// What attribution looks at.
struct Case<'a> {
    s: &'a Snapshot,
    rollout: &'a Rollout<'a>,
    finding: &'a Finding,
    findings: &'a [Finding],
    /// The revision that is known to be good, if there is one.
    control: Option<&'a RevisionFacts>,
    changed: Vec<Aspect>,
    /// Of what changed, what the failing container can feel by itself; all of it where the pod fails as a whole.
    felt: Vec<Aspect>,
    /// What the evidence says, in lower case, made when somebody asks first.
    said: OnceCell<Vec<String>>,
    /// How many pods of the healthy revision are ready, counted when somebody asks first.
    ready: OnceCell<usize>,
}

impl Case<'_> {
    /// The statuses, events and logs behind the finding hold one of these phrases, which are in lower case.
    fn says(&self, phrases: &[&str]) -> bool {
        self.says_of(|_| true, phrases)
    }

    /// Only what was read in these places counts.
    fn says_of(&self, place: impl Fn(&Evidence) -> bool, phrases: &[&str]) -> bool {
        let lowered = || self.finding.evidence.iter().map(|evidence| evidence.text.to_ascii_lowercase()).collect();
        let said = self.finding.evidence.iter().zip(self.said.get_or_init(lowered));
        said.filter(|(evidence, _)| place(evidence)).any(|(_, text)| phrases.iter().any(|phrase| text.contains(phrase)))
    }
}

/// The verdict on one finding of the newest revision, given all findings.
pub fn attribute(
    s: &Snapshot,
    rollout: &Rollout,
    (finding, findings): (&Finding, &[Finding]),
    control: Option<&RevisionFacts>,
) -> Verdict {
    let changed = control.map(|c| change::changed_aspects(c, rollout.newest)).unwrap_or_default();
    let felt = touches::felt_by(finding, rollout.newest, control).unwrap_or_else(|| changed.clone());
    let (said, ready) = (OnceCell::new(), OnceCell::new());
    let case = Case { s, rollout, finding, findings, control, changed, felt, said, ready };
    let explained = explained(&case).or_else(|| explained_by_status(&case));
    let mut verdict = explained.unwrap_or_else(|| revision_at_fault(&case));
    if verdict.fault != Fault::Revision && outside::strategy_blocks_itself(&case) {
        let because = verdict.because.trim_end_matches('.');
        let blocked = "with maxUnavailable 0 no old pod may make room, which a person has to change";
        verdict.because = format!("{because}; {blocked}");
    }
    let alone = same_node::others_do_not(&case);
    if let Some(alone) = alone.as_ref().filter(|_| verdict.fault == Fault::Platform) {
        verdict.because = format!("{}; {alone}", verdict.because.trim_end_matches('.'));
    }
    verdict.rejected = rejected(&case, verdict.fault, alone);
    verdict
}

/// What explains the failure other than the revision.
fn explained(case: &Case) -> Option<Verdict> {
    outside::injected(case)
        .or_else(|| outside::limit_rewritten(case))
        .or_else(|| outside::the_nodes_own_words(case))
        .or_else(|| outside::others_cannot_pull_either(case))
        .or_else(|| same_node::others_hang_too(case))
        .or_else(|| control_group::reports_the_same(case))
        .or_else(|| not_the_revisions_doing(case))
        .or_else(|| nodes::explain_it(case))
        .or_else(|| configuration_explains_it(case))
        .or_else(|| control_group::fails_too(case))
        .or_else(|| control_group::failed_before(case))
        .or_else(|| control_group::was_not_ready(case))
        .or_else(|| control_group::unproven_fails_too(case))
        .or_else(|| its_log::explains_it(case))
        .or_else(|| same_template(case))
        .or_else(|| outside::nobody_says_why(case))
        .or_else(|| nothing_changed(case))
        .or_else(|| neighbours_fail_too(case))
        .or_else(|| began_elsewhen(case))
        .or_else(|| admission::unproven(case))
        .or_else(|| shared::unproven(case))
}

/// A log only ever speaks for the revision: what explains the failure without its log still does.
fn explained_by_status(case: &Case) -> Option<Verdict> {
    let (class, cause) = case.finding.by_status?;
    let rollback = knowledge::about(class, cause).rollback;
    // What is plainly the program's own is still told.
    let named = case.finding.named.or(Some(case.finding.cause).filter(|cause| is_its_own(*cause)));
    let finding = &Finding { class, cause, rollback, named, by_status: None, ..case.finding.clone() };
    let Case { s, rollout, findings, control, ref changed, ref felt, ref said, ref ready, .. } = *case;
    let (changed, felt, said, ready) = (changed.clone(), felt.clone(), said.clone(), ready.clone());
    explained(&Case { s, rollout, finding, findings, control, changed, felt, said, ready })
}

fn verdict(fault: Fault, confidence: Confidence, because: String) -> Verdict {
    Verdict { fault, confidence, because, rejected: Vec::new() }
}

/// The cause is one that a template does not bring about, or this template's change does not touch it.
fn not_the_revisions_doing(case: &Case) -> Option<Verdict> {
    let about = knowledge::about(case.finding.class, case.finding.cause);
    if about.fault == Fault::Revision || about.fault == Fault::Unknown {
        return None;
    }
    if about.rollback == Rollback::Depends && touches::any(case, about.aspects) && !had_its_place(case) {
        return None;
    }
    let confidence = if about.rollback == Rollback::CannotHelp { Confidence::Certain } else { Confidence::Likely };
    Some(verdict(about.fault, confidence, about.meaning.to_owned()))
}

/// All pods of the revision had been created and found a node before, so what it asks for was there and has been taken since.
fn had_its_place(case: &Case) -> bool {
    // Both are cut to seconds, and while a pod has no place or is refused no rollout is complete.
    let complete = case.rollout.completed.is_some_and(|completed| completed <= case.finding.onset);
    complete && matches!(case.finding.class, Class::Pending | Class::CreateRefused)
}

/// The program was started and fails, as opposed to a pod that cannot be set up. What the kernel would not execute shows
/// as a run that ended, until its log is read.
fn is_about_running(finding: &Finding) -> bool {
    let class = matches!(finding.class, Class::CrashLoopBackOff | Class::OOMKilled | Class::InitStuck | Class::Unready);
    class || finding.cause == Cause::WrongArchitecture
}

/// The pod is one of the finding's. A finding names few of many pods; of more, those that are not ready are taken. One that
/// is not about pods, such as a refusal to create them, names none.
fn shows(finding: &Finding, pod: &PodFacts) -> bool {
    let all_named =
        finding.pods.is_empty() || usize::try_from(finding.failing_pods).is_ok_and(|n| n <= finding.pods.len());
    (!all_named && !pod.ready) || finding.pods.contains(&pod.name)
}

fn configuration_explains_it(case: &Case) -> Option<Verdict> {
    let Case { s, rollout, finding, findings, control, changed, .. } = case;
    configuration::explains(&configuration::Case { s, rollout, finding, findings, control: *control, changed })
}

/// Notes in the ledger which healthy revisions crash now.
pub fn remember_crashes(mut ledger: Vec<LedgerEntry>, findings: &[Finding], now: Timestamp) -> Vec<LedgerEntry> {
    for entry in ledger.iter_mut().filter(|e| e.healthy_since.is_some()) {
        if findings.iter().any(|f| f.revision == entry.hash && is_crash(f)) {
            entry.crashed(now);
        }
    }
    ledger
}

/// So many pods of a revision crash that they speak for the rest.
pub fn is_crash(finding: &Finding) -> bool {
    finding.sureness == Sureness::Counted && is_good_part(finding)
}

fn is_good_part(finding: &Finding) -> bool {
    is_good_part_of(finding.failing_pods, finding)
}

fn is_good_part_of(pods: u32, finding: &Finding) -> bool {
    pods > 0 && pods.saturating_mul(CONTROL_SHARE) >= finding.total_pods
}

/// The template is materially that of the healthy revision.
fn same_template(case: &Case) -> Option<Verdict> {
    let control = case.control?;
    (control.template.material == case.rollout.newest.template.material).then(|| {
        let because = format!("the template does not differ from that of the healthy revision {}", control.hash);
        verdict(Fault::Unknown, Confidence::Likely, because)
    })
}

/// The template differs only where it cannot cause this.
fn nothing_changed(case: &Case) -> Option<Verdict> {
    case.control?;
    let about = knowledge::about(case.finding.class, case.finding.cause);
    if about.aspects.is_empty() || touches::any(case, about.aspects) {
        return None;
    }
    let fault = match (about.fault, case.finding.cause) {
        // What a pod must be like there is the namespace's to say, and it says so of all pods alike.
        (_, Cause::QuotaNeedsLimits | Cause::LimitRange | Cause::PodSecurity) => Fault::Namespace,
        (Fault::Revision, _) => Fault::Unknown,
        (fault, _) => fault,
    };
    let of_others = case.finding.container.as_ref().filter(|_| case.felt != case.changed);
    let of_others = of_others.map(|name| format!("is not of container {name} and ")).unwrap_or_default();
    let because = format!(
        "the change ({}) {of_others}touches nothing that can cause {}",
        words(&case.changed),
        case.finding.cause
    );
    Some(verdict(fault, Confidence::Likely, because))
}

/// Without pods of the baseline to compare with, other workloads that fail at the same time speak for a dependency.
fn neighbours_fail_too(case: &Case) -> Option<Verdict> {
    let neighbours = case.s.fleet.neighbours.iter().filter(|at| began_with(case.finding, **at)).count();
    if neighbours == 0 || control_is_ready(case) > 0 || !may_be_shared(case.finding) {
        return None;
    }
    let because = format!(
        "no pod of a healthy revision runs to compare with, and {neighbours} other workloads of the namespace began to \
         fail at the same time"
    );
    // What a log says is a hypothesis, and one that takes no doubt away.
    Some(match case.finding.named.filter(|named| is_its_own(*named)) {
        Some(own) => {
            let because = format!("{because}, though the log tells of {own}, which may be its own alone");
            verdict(Fault::Unknown, Confidence::Possible, because)
        }
        None => verdict(Fault::Dependency, Confidence::Possible, because),
    })
}

/// What began at this moment did so at about the same time as the finding, on the first of its pods or on enough of them.
fn began_with(finding: &Finding, at: Timestamp) -> bool {
    let moments = [finding.onset, finding.began, finding.spread.onset, finding.spread.began];
    moments.into_iter().any(|moment| seconds_between(at, moment).saturating_abs() <= NEIGHBOUR_SECONDS)
}

/// A service that others use too may bring it about.
fn may_be_shared(finding: &Finding) -> bool {
    is_about_running(finding) && !is_its_own(finding.cause)
}

/// No service that others use brings it about.
fn is_its_own(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Panic | Cause::NativeCrash | Cause::MissingCode | Cause::ConfigError | Cause::WrongArchitecture
    )
}

/// A revision that ran well for longer than a rollout is watched did not bring the failure about by itself.
fn began_elsewhen(case: &Case) -> Option<Verdict> {
    let onset = case.finding.spread.onset;
    let watched = rollout::covers(case.rollout, case.s, onset);
    (!watched).then(|| {
        let because = format!("the failure began at {onset}, when no rollout was being watched");
        verdict(Fault::Unknown, Confidence::Possible, because)
    })
}

fn revision_at_fault(case: &Case) -> Verdict {
    let ready = control_is_ready(case);
    let f = case.finding;
    let newest = &case.rollout.newest.hash;
    let seen = match f.pods.len() {
        0 => format!("revision {newest} shows {}", f.class),
        _ => format!("{} of {} pods of revision {newest} show {}", f.failing_pods, f.total_pods, f.class),
    };
    match case.control {
        Some(control) if ready > 0 => {
            // Exit code 137 alone tells that something killed the program, and not what. A node that has fewer devices than
            // the scheduler counted may have lost some.
            let lacks_devices = || case.says(&["number of devices unavailable"]);
            let guessed = f.cause == Cause::Suspected || (f.cause == Cause::DeviceUnavailable && lacks_devices());
            let shared = touches::is_about_the_registry(f.cause) || shared::is(case) || admission::is(case) || guessed;
            let confidence =
                if shared || nodes::on_one_of_their_own(case) { Confidence::Likely } else { Confidence::Certain };
            let because = format!(
                "{seen}; {ready} pods of the healthy revision {} are ready at the same time; changed: {}",
                control.hash,
                words(&case.changed)
            );
            verdict(Fault::Revision, confidence, because)
        }
        Some(control) => {
            let because = format!(
                "{seen}; no pod of the healthy revision {} runs to compare with; changed: {}",
                control.hash,
                words(&case.changed)
            );
            verdict(Fault::Revision, Confidence::Likely, because)
        }
        None => verdict(
            Fault::Revision,
            Confidence::Likely,
            format!("{seen}; there is no healthy revision to compare with"),
        ),
    }
}

/// So many pods of the healthy revision are ready, and were when the failing one last ended: what became ready since then may
/// have met the same.
fn control_is_ready(case: &Case) -> usize {
    let ended = OnceCell::new();
    let was_by = |since| ended.get_or_init(|| control_group::last_end(case)).is_none_or(|at| since <= at);
    // It ended last when the failure began or later, which spares most of them the search for when.
    let before = |since: Timestamp| since <= case.finding.began || was_by(since);
    let stood = |pod: &&PodFacts| pod.ready && pod.ready_since.is_none_or(before);
    let count = |control: &RevisionFacts| judged_pods(case.s, &control.uid).filter(stood).count();
    *case.ready.get_or_init(|| case.control.map_or(0, count))
}

/// The hypotheses that the evidence speaks against, with what speaks.
fn rejected(case: &Case, chosen: Fault, alone: Option<String>) -> Vec<Rejected> {
    let mut out = Vec::new();
    let mut reject = |fault: Fault, because: String| {
        if fault != chosen {
            out.push(Rejected { fault, because: text::head(&because, MAX_BECAUSE).to_owned() });
        }
    };
    let ready = control_is_ready(case);
    if ready > 0 {
        let heard = case.control.and_then(|c| listen::control(case.s, c, &case.rollout.newest.uid, case.finding));
        let unheard = heard.filter(|heard| heard.same == 0).map_or("", |_| ", and their logs do not report it");
        reject(Fault::Dependency, format!("{ready} pods of the baseline are ready at the same time{unheard}"));
    }
    let sick = case.s.nodes.own.iter().filter(|n| !n.ready || !n.pressure.is_empty()).count();
    let nodes = match case.s.nodes.own.len() {
        _ if sick > 0 => None,
        0 => None,
        1 => Some("the one node with pods of the workload is ready".to_owned()),
        several => Some(format!("all {several} nodes with pods of the workload are ready")),
    };
    let nodes: Vec<String> = nodes.into_iter().chain(alone).collect();
    if !nodes.is_empty() {
        reject(Fault::Platform, nodes.join("; "));
    }
    if case.finding.class != Class::CreateRefused {
        reject(Fault::Namespace, "the API server creates the revision's pods".to_owned());
    }
    if chosen != Fault::Revision && !case.changed.is_empty() {
        reject(Fault::Revision, format!("what changed ({}) does not explain it alone", words(&case.changed)));
    }
    out
}

fn words(aspects: &[Aspect]) -> String {
    if aspects.is_empty() {
        return "nothing".to_owned();
    }
    let word = |aspect: &Aspect| match aspect {
        Aspect::Other => "other fields of the template",
        named => named.into(),
    };
    aspects.iter().map(word).collect::<Vec<&str>>().join(", ")
}
