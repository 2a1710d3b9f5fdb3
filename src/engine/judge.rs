//! Judging the newest revision: is there enough evidence, whose fault is it, and may anything be done?

use jiff::Timestamp;

use super::attribute;
use super::baseline::{self, Settles};
use super::decide::{ASKED, Draft, Look, close, nothing_runs, resume};
use super::decision::{Action, IncidentStep, Outcome, Progress, Refusal, Verdict};
use super::finding::Finding;
use super::guard::{self, Case, Permit};
use super::hazard;
use super::hold;
use super::lead::lead;
use super::lifecycle;
use super::memory::{OpenIncident, RevisionRef};
use super::moment::seconds_between;
use super::naming;
use super::policy::{OnSuspicion, Rule, RuleAction};
use super::rollout::Rollout;
use super::unrolled;
use super::words::{ActionKind, RefusalReason, Severity, State, Sureness};

/// What is said of a healthy workload that nobody asks pods of.
pub const SCALED_TO_ZERO: &str = "scaled to zero";

/// Judges a workload on which nothing was done yet.
pub fn judge(look: &mut Look, incident: Option<&OpenIncident>) -> Draft {
    if let Some(draft) = unrolled::refused(look, incident) {
        return draft;
    }
    let Some(rollout) = look.rollout else {
        return Draft {
            state: State::Unknown,
            why: "the Deployment has no ReplicaSet yet".to_owned(),
            ..Draft::default()
        };
    };
    if let Some(draft) = hold::orphaned(look) {
        return draft;
    }
    if look.weighed.findings.iter().any(|f| f.is_evident()) {
        return accuse(look, &rollout, incident);
    }
    let suspicion = suspicion(&look.weighed.findings);
    match (suspicion, incident) {
        (Some(finding), None) if starts(finding, &rollout) => starting(look, &rollout, finding),
        (Some(finding), _) => suspect(look, &rollout, finding, incident),
        (None, Some(incident)) if rollout.complete => went_away(look, &rollout, incident),
        (None, Some(incident)) if look.s.workload.replicas <= 0 => nothing_runs(incident),
        (None, _) => nothing_wrong(look, &rollout),
    }
}

/// Nothing fails any more. What fails now and then is well in between, and is one incident all the same.
fn went_away(look: &Look, rollout: &Rollout, incident: &OpenIncident) -> Draft {
    let waits = |next_check: Option<Timestamp>| {
        let until = next_check.map_or_else(|| "its pods have been ready long enough".to_owned(), |at| at.to_string());
        Draft {
            state: State::Suspect,
            why: format!("nothing fails at present; incident {} is over if that is so until {until}", incident.name),
            incident: super::decide::record(incident, Severity::Warning, Progress::Held),
            next_check,
            ..Draft::default()
        }
    };
    match baseline::settles(look.s, rollout.newest) {
        Settles::NotReady => waits(None),
        Settles::At(until) if until > look.now => waits(Some(until)),
        Settles::At(_) | Settles::NoPods => match guard::asks_again(look.s, look.now) {
            Some(again) => waits(Some(again)),
            None => {
                close(incident, State::Healthy, Outcome::Cleared, "the failure went away without an action".to_owned())
            }
        },
    }
}

/// New pods take their time: that is what a rollout looks like, and no suspicion yet.
fn starts(finding: &Finding, rollout: &Rollout) -> bool {
    !rollout.complete && rollout.completed.is_none() && !sure_sign(finding)
}

fn starting(look: &Look, rollout: &Rollout, finding: &Finding) -> Draft {
    let progress = nothing_wrong(look, rollout);
    Draft { why: format!("{}; {}", progress.why, counts(finding, look.now)), ..progress }
}

/// Judges a workload whose rollout our own pause holds.
pub fn suspended(look: &mut Look, incident: &OpenIncident) -> Draft {
    let Some(rollout) = look.rollout else { return judge(look, Some(incident)) };
    let evident = look.weighed.findings.iter().any(|f| f.is_evident());
    if look.s.workload.resume_asked.as_ref() == Some(&incident.name) {
        return asked_to_resume(incident, evident);
    }
    if evident {
        return accuse(look, &rollout, Some(incident));
    }
    match suspicion(&look.weighed.findings) {
        Some(finding) => Draft {
            state: State::Suspect,
            why: format!("paused while evidence gathers: {}", counts(finding, look.now)),
            incident: super::decide::record(incident, Severity::Warning, Progress::Suspected),
            ..Draft::default()
        },
        None if look.s.workload.replicas <= 0 => nothing_runs(incident),
        None => resume(incident, "the suspicion cleared", Outcome::Cleared),
    }
}

/// A person's word goes before whatever the evidence calls for. Where there is enough, they overrule it, and this
/// template is left alone; where there is not yet, they merely do not want to wait.
pub fn asked_to_resume(incident: &OpenIncident, evident: bool) -> Draft {
    let draft = resume(incident, ASKED, if evident { Outcome::Superseded } else { Outcome::Cleared });
    let action = Action::Resume { incident: incident.name.clone(), because: ASKED.to_owned(), overrules: evident };
    Draft { action: Some(action), ..draft }
}

/// The evidence suffices: find out whose fault it is and ask the guards.
fn accuse(look: &mut Look, rollout: &Rollout, incident: Option<&OpenIncident>) -> Draft {
    let s = look.s;
    let now = look.now;
    let Some((at, verdict)) = lead(look, rollout) else { return Draft::default() };
    let Some(finding) = look.weighed.findings.get(at) else { return Draft::default() };
    let rule = s.policy.rules.iter().find(|r| r.name == finding.rule);
    let target = baseline::last_healthy(s, rollout, &look.ledger.entries);
    let case = Case {
        s,
        rollout,
        verdict: &verdict,
        findings: &look.weighed.findings,
        onset: finding.spread.onset,
        rule: &finding.rule,
        wanted: rule.map_or(RuleAction::Hold, |r| r.action),
        target,
        incident,
    };
    let answer = guard::check(&case, now);
    let severity = rule.map_or(Severity::Warning, |r: &Rule| r.severity);
    let mut counted = counts(finding, now);
    if case.wanted == RuleAction::RollBack && answer.as_ref().is_ok_and(|p| p.intent().kind == ActionKind::Freeze) {
        let hazard = hazard::matters(&case).map(|hazard| format!("; no roll-back, since {}", hazard.because));
        counted.push_str(&hazard.unwrap_or_default());
    }
    let draft = match answer {
        Ok(permit) => act(look, rollout, incident, severity, permit, &counted),
        Err(refusal) => refuse(look, guard::reference(rollout.newest), incident, severity, refusal, &counted),
    };
    condemn(look, rollout, &verdict, &draft);
    Draft { verdict: Some(verdict), ..draft }
}

fn act(
    look: &Look,
    rollout: &Rollout,
    incident: Option<&OpenIncident>,
    severity: Severity,
    permit: Permit,
    counted: &str,
) -> Draft {
    let intent = permit.intent().clone();
    let (verb, action) = match intent.kind {
        ActionKind::Freeze => ("freezing on", Action::Freeze(permit)),
        ActionKind::Pause => ("pausing the rollout; the baseline is", Action::Pause(permit)),
        ActionKind::RollBack | ActionKind::Resume => ("rolling back to", Action::RollBack(permit)),
    };
    Draft {
        state: State::Failing,
        why: format!("{counted}; {verb} {}", intent.target.name),
        action: Some(action),
        incident: open(look, guard::reference(rollout.newest), incident, severity, Progress::Acting),
        baseline: Some(intent.target),
        ..Draft::default()
    }
}

pub fn refuse(
    look: &Look,
    failing: RevisionRef,
    incident: Option<&OpenIncident>,
    severity: Severity,
    refusal: Refusal,
    counted: &str,
) -> Draft {
    let settled = settled(refusal.reason);
    let step = match (settled, incident) {
        (Settled::No, None) => IncidentStep::None,
        // A registry or a network that many share is one incident, not one for each that suffers.
        (Settled::Yes, None) if look.s.fleet.storm.is_some() => IncidentStep::None,
        _ => open(look, failing, incident, severity, Progress::Held),
    };
    let passes = refusal.next_look.is_some() || matches!(settled, Settled::No);
    Draft {
        state: if passes && refusal.reason != RefusalReason::OptedOut { State::Failing } else { State::Held },
        why: format!("{counted}; not acting: {}: {}", refusal.reason, refusal.because),
        refusal: Some(refusal),
        incident: step,
        ..Draft::default()
    }
}

/// Whether a refusal is worth an incident of its own.
#[derive(Clone, Copy)]
enum Settled {
    Yes,
    /// It says nothing about the workload yet, somebody asked to be left alone, or the storm's incident covers it.
    No,
}

fn settled(reason: RefusalReason) -> Settled {
    match reason {
        RefusalReason::Deleting
        | RefusalReason::ScaledToZero
        | RefusalReason::StaleStatus
        | RefusalReason::OptedOut
        | RefusalReason::DataTooOld
        | RefusalReason::Storm => Settled::No,
        _ => Settled::Yes,
    }
}

/// A revision found at fault with sufficient evidence is not gone back to, unless it is seen healthy again.
fn condemn(look: &mut Look, rollout: &Rollout, verdict: &Verdict, draft: &Draft) {
    let IncidentStep::Record { name, .. } = &draft.incident else { return };
    // A no that comes before the question of fault, and a storm, leave it open whether the revision is bad.
    let heard = draft.refusal.as_ref().is_none_or(|r| r.reason > RefusalReason::Storm);
    if !verdict.blames_the_revision() || !heard {
        return;
    }
    let now = look.now;
    baseline::amend(&mut look.ledger.entries, rollout.newest, |entry| {
        if entry.failed_at.is_none() || baseline::is_healthy(entry) {
            entry.failed_at = Some(now);
            entry.incident = Some(name.clone());
            entry.troubled = false;
        }
    });
}

/// There are signs, not yet enough of them. The policy may want the rollout to stop meanwhile.
fn suspect(look: &Look, rollout: &Rollout, finding: &Finding, incident: Option<&OpenIncident>) -> Draft {
    let waiting = Draft {
        state: State::Suspect,
        why: format!("not sufficient yet: {}", counts(finding, look.now)),
        incident: incident.map_or(IncidentStep::None, |i| super::decide::record(i, Severity::Warning, Progress::Held)),
        ..Draft::default()
    };
    let wants_pause = look.s.policy.rollout.on_suspicion == OnSuspicion::Pause && !rollout.complete;
    // Once per template: a second pause would fight with whoever resumed the first.
    let known = look
        .s
        .memory
        .actions
        .iter()
        .any(|a| a.kind == ActionKind::Pause && baseline::is_of_template(look.s, &a.from, rollout.newest));
    let already = known || incident.is_some_and(|i| lifecycle::acted(look.s, i));
    if !wants_pause || already || !sure_sign(finding) || look.s.workload.paused {
        return waiting;
    }
    // What was intended may have been done and undone without a trace, until it is void.
    let live = incident.and_then(|i| i.intent.as_ref()).filter(|i| !i.is_void(look.now));
    if let Some(intent) = live {
        return Draft { next_check: Some(intent.deadline), ..waiting };
    }
    let control = baseline::control(look.s, rollout, &look.ledger.entries);
    let findings = &look.weighed.findings;
    let verdict = attribute::attribute(look.s, rollout, (finding, findings), control);
    let rule = look.s.policy.rules.iter().find(|r| r.name == finding.rule);
    let case = Case {
        s: look.s,
        rollout,
        verdict: &verdict,
        findings: &look.weighed.findings,
        onset: finding.spread.onset,
        rule: &finding.rule,
        wanted: rule.map_or(RuleAction::Hold, |r| r.action),
        target: baseline::last_healthy(look.s, rollout, &look.ledger.entries),
        incident,
    };
    match guard::check_pause(&case, look.now) {
        Ok(permit) => {
            let draft = act(look, rollout, incident, Severity::Warning, permit, &counts(finding, look.now));
            let failing = guard::reference(rollout.newest);
            let incident = open(look, failing, incident, Severity::Warning, Progress::Suspected);
            Draft { state: State::Suspect, verdict: Some(verdict), incident, ..draft }
        }
        Err(refusal) => Draft { refusal: Some(refusal), verdict: Some(verdict), ..waiting },
    }
}

/// The finding of the newest revision that speaks loudest, if any counts at all.
fn suspicion(findings: &[Finding]) -> Option<&Finding> {
    let newest = || findings.iter().filter(|f| f.newest && f.sureness != Sureness::Excluded);
    newest().find(|f| sure_sign(f)).or_else(|| newest().next())
}

/// A sign that does not come from slowness alone.
fn sure_sign(finding: &Finding) -> bool {
    match finding.sureness {
        Sureness::Definitive | Sureness::Repeated | Sureness::Counted | Sureness::Flapping => true,
        Sureness::Timed | Sureness::Excluded => false,
    }
}

fn nothing_wrong(look: &Look, rollout: &Rollout) -> Draft {
    let w = &look.s.workload;
    let (state, why) = if w.replicas == 0 {
        (State::Healthy, SCALED_TO_ZERO.to_owned())
    } else if rollout.complete {
        (State::Healthy, format!("{} of {} replicas available", w.available_replicas, w.replicas))
    } else {
        (State::Progressing, format!("{} of {} replicas updated and available", available(look, rollout), w.replicas))
    };
    Draft { state, why, ..Draft::default() }
}

fn available(look: &Look, rollout: &Rollout) -> i32 {
    rollout.newest.available.min(look.s.workload.replicas)
}

/// The record to write: the open incident's, or a new episode of this template.
fn open(
    look: &Look,
    failing: RevisionRef,
    incident: Option<&OpenIncident>,
    severity: Severity,
    progress: Progress,
) -> IncidentStep {
    if let Some(incident) = incident {
        return super::decide::record(incident, severity, progress);
    }
    let w = &look.s.workload;
    let before = look.s.memory.episodes.iter().find(|(hash, _)| hash == &failing.hash);
    let episode = before.map_or(0, |(_, n)| *n).saturating_add(1);
    let name = naming::incident_name(&w.name, &w.uid, &failing.hash, episode);
    IncidentStep::Record { name, failing, episode, severity, progress }
}

/// The numbers behind a finding, for people.
pub fn counts(f: &Finding, now: Timestamp) -> String {
    let seen = match f.sureness {
        Sureness::Counted => format!("{} (needs {})", plural(f.occurrences, "exit"), f.needed),
        Sureness::Repeated => format!("{} (needs {})", plural(f.occurrences, "attempt"), f.needed),
        Sureness::Flapping => format!("readiness lost {} times (needs {})", f.occurrences, f.needed),
        Sureness::Timed => format!("for {} s", seconds_between(f.onset, now).max(0)),
        Sureness::Definitive | Sureness::Excluded => "proven at once".to_owned(),
    };
    if f.pods.is_empty() {
        return format!("{} ({}): {seen}", f.class, f.cause);
    }
    format!(
        "{} ({}) on {} of {}: {seen}, enough on {} (needs {})",
        f.class,
        f.cause,
        f.failing_pods,
        plural(f.total_pods, "pod"),
        f.counted_pods,
        f.needed_pods
    )
}

pub fn plural(n: u32, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}
