//! What Backstay holds: a freeze that was begun is brought into force, kept, and given up when another writer will not
//! have it; a pause whose incident is gone is told.

use jiff::Timestamp;

use super::baseline::{self, Health};
use super::decide::{ASKED, Draft, Look, lets_go, record, retaken, template_put_back};
use super::decision::{Action, IncidentStep, Progress, Refusal};
use super::facts::{RevisionFacts, Snapshot};
use super::freeze::{self, Step};
use super::guard;
use super::judge;
use super::memory::{Intent, OpenIncident};
use super::moment::{after, earliest};
use super::recovery::{self, given_up, patience, recovering, watching};
use super::tried;
use super::words::{Severity, State};

/// How long a freeze may take to come into force before a person is told instead. Seconds.
const FREEZE_SECONDS: i64 = 60;

/// A freeze that was begun is brought into force, or given up when another writer keeps undoing it.
pub fn freezing(look: &Look, incident: &OpenIncident, intent: &Intent) -> Draft {
    if let Some(told @ (Progress::Retaken | Progress::Ineffective)) = incident.progress {
        return left_alone(look, incident, intent, told);
    }
    let step = freeze::step(look.s, intent, false);
    let attempt = if step == Step::PutBack { freeze::next_attempt(look.s, intent) } else { intent.attempt };
    let limit = after(intent.made(), freeze_seconds(look.s));
    let draft = watching(incident, intent, limit);
    match step {
        Step::PutBack if attempt > freeze::MAX_ATTEMPTS => retaken(look, incident, tried::in_vain(intent)),
        // The baseline has pods, so nothing keeps the freeze from coming into force, however late it is. What is in the
        // template then stays there.
        Step::PauseAndScale | Step::Scale => {
            let draft = go_on(look, intent, attempt, Draft { template_returned: returned(look, intent), ..draft });
            not_completed(intent, draft)
        }
        Step::PutBack | Step::Wait | Step::Done if limit <= look.now => match guard::asks_again(look.s, look.now) {
            Some(again) => watching(incident, intent, again),
            None => given_up(incident, intent, &not_in_force(look.s, intent)),
        },
        Step::PutBack => go_on(look, &putting_back(intent), attempt, Draft { why: once_more(intent), ..draft }),
        Step::Wait | Step::Done => draft,
    }
}

/// What keeps a freeze from being completed is told, for as long as it does.
fn not_completed(intent: &Intent, draft: Draft) -> Draft {
    let Some(refusal) = &draft.refusal else { return draft };
    let why = format!("the freeze on {} is not completed: {}: {}", intent.target.name, refusal.reason, refusal.because);
    Draft { state: State::Held, why, next_check: refusal.next_look, ..draft }
}

/// From now on the baseline's template is what Backstay put there.
fn putting_back(intent: &Intent) -> Intent {
    Intent { puts_back: true, ..intent.clone() }
}

fn once_more(intent: &Intent) -> String {
    format!(
        "{} was shipped again before the freeze was in force; putting {} back",
        intent.failing.name, intent.target.name
    )
}

fn not_in_force(s: &Snapshot, intent: &Intent) -> String {
    format!("the freeze on {} is not in force after {} s", intent.target.name, freeze_seconds(s))
}

/// With `Recreate` the controller gives the baseline no replica before the last pod of all others has ended (`rolloutRecreate`
/// in pkg/controller/deployment/recreate.go), and a pod may take its time to end.
fn freeze_seconds(s: &Snapshot) -> i64 {
    if s.workload.recreate { patience(s) } else { FREEZE_SECONDS }
}

/// What was given up is not taken up again: a person was told, and may be at it.
fn left_alone(look: &Look, incident: &OpenIncident, intent: &Intent, told: Progress) -> Draft {
    let put_back = look.rollout.is_some_and(|r| r.newest.hash == intent.target.hash);
    let draft = match told {
        _ if put_back => recovering(look, incident, intent),
        Progress::Retaken => retaken(look, incident, tried::in_vain(intent)),
        _ => given_up(incident, intent, &not_in_force(look.s, intent)),
    };
    match draft.incident {
        IncidentStep::Record { .. } => Draft { incident: record(incident, Severity::Critical, told), ..draft },
        IncidentStep::Close { .. } | IncidentStep::None => draft,
    }
}

pub fn frozen(look: &Look, incident: &OpenIncident, intent: &Intent) -> Draft {
    let s = look.s;
    if s.workload.resume_asked.as_ref() == Some(&incident.name) {
        return judge::asked_to_resume(incident, true);
    }
    let step = freeze::step(s, intent, true);
    if step == Step::PutBack {
        return undone(look, incident, intent);
    }
    let draft = Draft {
        state: State::Held,
        why: format!(
            "frozen on {}: the template is left as it is and starts nothing until {}",
            intent.target.name,
            thawed_by(s)
        ),
        incident: record(incident, Severity::Critical, Progress::Frozen),
        template_returned: returned(look, intent),
        baseline: Some(intent.target.clone()),
        ..Draft::default()
    };
    let draft = strengthened(look, incident, intent, draft);
    if step == Step::Scale { go_on(look, intent, intent.attempt, draft) } else { draft }
}

fn thawed_by(s: &Snapshot) -> &'static str {
    match guard::forbids_resume(s) {
        None => "a new one arrives or a person resumes",
        Some(_) => "a person ends the pause (kubectl rollout resume), since Backstay must not",
    }
}

/// Our own pause, whose incident somebody deleted. To resume may start a bad rollout again, so a person is asked.
pub fn orphaned(look: &Look) -> Option<Draft> {
    let w = &look.s.workload;
    let name = w.paused_for.as_ref().filter(|name| w.paused && !look.s.memory.open.iter().any(|i| &i.name == *name))?;
    if w.resume_asked.as_ref() == Some(name) {
        let action = Some(Action::Resume { incident: name.clone(), because: ASKED.to_owned(), overrules: true });
        return Some(Draft { state: State::Progressing, why: ASKED.to_owned(), action, ..Draft::default() });
    }
    let ends = match guard::forbids_resume(look.s) {
        None => format!("backstay.dev/resume: {name} ends it"),
        Some(_) => "kubectl rollout resume ends it, since Backstay must not".to_owned(),
    };
    let why = format!("paused by Backstay for {name}, which is no longer open; {ends}");
    Some(Draft { state: State::Held, why, ..Draft::default() })
}

/// The owner's template is in the Deployment again, after that of the baseline had been put in.
fn returned(look: &Look, intent: &Intent) -> bool {
    intent.puts_back && look.rollout.is_some_and(|r| r.newest.hash == intent.failing.hash)
}

/// Whoever owns the template put the baseline's back, as by reverting a commit: there is nothing left to hold.
pub fn reverted(incident: &OpenIncident, intent: &Intent) -> Draft {
    let because = template_put_back(&intent.target.name);
    let action = Some(lets_go(incident, &because));
    Draft {
        state: State::Stabilising,
        why: because,
        action,
        incident: record(incident, Severity::Critical, Progress::Recovering),
        baseline: Some(intent.target.clone()),
        ..Draft::default()
    }
}

/// To end our own pause is a write to the workload. Where none is allowed the pause stands, its incident with it, and
/// both tell how it ends. On old data it stands until the watches are alive.
pub fn where_allowed(s: &Snapshot, draft: Draft, now: Timestamp) -> Draft {
    let Some(Action::Resume { incident, because, .. }) = &draft.action else { return draft };
    let Some((reason, forbidden)) = guard::forbids_resume(s) else {
        return match guard::too_old(s, now) {
            Some(refusal) => stays(s, draft, refusal),
            None => draft,
        };
    };
    let because = format!(
        "{because}, but {forbidden}; it stays paused for {incident} until a person ends that (kubectl rollout resume), or \
         Backstay may act again"
    );
    let open = s.memory.open.iter().find(|i| &i.name == incident);
    Draft {
        state: State::Held,
        why: format!("not acting: {reason}: {because}"),
        refusal: Some(guard::no(reason, &because)),
        incident: open.map_or(IncidentStep::None, |i| record(i, Severity::Warning, Progress::Held)),
        baseline: draft.baseline,
        ..Draft::default()
    }
}

/// Our own pause stands for now, and its incident as it is.
fn stays(s: &Snapshot, draft: Draft, refusal: Refusal) -> Draft {
    let Some(Action::Resume { incident, because, .. }) = &draft.action else { return draft };
    let open = s.memory.open.iter().find(|i| &i.name == incident);
    let as_it_is = |i: &OpenIncident| record(i, Severity::Warning, i.progress.unwrap_or(Progress::Held));
    Draft {
        state: State::Held,
        why: format!("{because}, but not resuming: {}: {}", refusal.reason, refusal.because),
        refusal: Some(refusal),
        incident: open.map_or(IncidentStep::None, as_it_is),
        baseline: draft.baseline,
        ..Draft::default()
    }
}

/// Under the freeze the controller runs the failing revision instead of the baseline. To begin anew is another attempt.
fn undone(look: &Look, incident: &OpenIncident, intent: &Intent) -> Draft {
    let because = format!(
        "the freeze on {} does not hold: the controller runs {} in its place",
        intent.target.name, intent.failing.name
    );
    let attempt = intent.attempt.saturating_add(1);
    if attempt > freeze::MAX_ATTEMPTS {
        return Draft { template_returned: returned(look, intent), ..given_up(incident, intent, &because) };
    }
    let draft = Draft {
        state: State::Stabilising,
        why: format!("{because}; putting the template of {} back", intent.target.name),
        incident: record(incident, Severity::Critical, Progress::Recovering),
        baseline: Some(intent.target.clone()),
        ..Draft::default()
    };
    go_on(look, &putting_back(intent), attempt, draft)
}

/// The same where the baseline is not at full strength: it is on its way there, or it does not get there.
fn strengthened(look: &Look, incident: &OpenIncident, intent: &Intent, draft: Draft) -> Draft {
    let s = look.s;
    let target = recovery::target(look, intent);
    let strong = |r: &&RevisionFacts| r.available >= s.workload.replicas;
    let health = target.filter(strong).map_or(Health::NotReady, |r| baseline::health(s, r, look.now));
    // Between its ends it runs, and a person was told.
    let doubt = recovery::doubt(look, incident, intent, intent.made()).filter(|until| *until > look.now);
    let is_well = !matches!(health, Health::NotReady) && doubt.is_none();
    if s.workload.replicas <= 0 || is_well {
        return draft;
    }
    let available = target.map_or(0, |r| r.available);
    let mut why = format!("{}; {available} of {} replicas are available", draft.why, s.workload.replicas);
    let limit = target.and_then(|r| short_since(look, r)).map(|since| after(since.max(intent.made()), patience(s)));
    let is_over = limit.is_some_and(|at| at <= look.now) && guard::asks_again(s, look.now).is_none();
    if doubt.is_some() || recovery::failing(look, intent).is_some() || is_over {
        if doubt.is_some() {
            why = format!("{why}, and of {} {}", intent.target.name, recovery::what_fails(look, intent));
        }
        let incident = record(incident, Severity::Critical, Progress::Ineffective);
        return Draft { why, incident, next_check: earliest(draft.next_check, doubt), ..draft };
    }
    let incident = record(incident, Severity::Critical, Progress::Recovering);
    Draft { state: State::Stabilising, why, incident, next_check: limit, ..draft }
}

/// Since when the revision has lacked a ready pod.
fn short_since(look: &Look, revision: &RevisionFacts) -> Option<Timestamp> {
    let pods = look.s.pods.iter().filter(|p| p.revision == revision.uid && !p.deleting && !p.finished && !p.ready);
    let unready = pods.map(|p| p.ready_since.unwrap_or(p.created));
    let refused = revision.replica_failure.as_ref().filter(|f| f.status).map(|f| f.since);
    unready.chain(refused).min()
}

fn go_on(look: &Look, intent: &Intent, attempt: u32, draft: Draft) -> Draft {
    match guard::check_continue(look.s, &Intent { attempt, ..intent.clone() }, look.now) {
        Ok(permit) => Draft { action: Some(Action::Freeze(permit)), ..draft },
        Err(refusal) => Draft { refusal: Some(refusal), ..draft },
    }
}
