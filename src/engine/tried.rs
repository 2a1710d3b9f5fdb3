//! What was tried on a template already, or a person has the last word on, is not tried again.

use jiff::Timestamp;

use super::baseline::is_of_template;
use super::decision::Refusal;
use super::facts::Name;
use super::freeze;
use super::guard::{Case, kind, no};
use super::memory::{ActionRecord, Intent, OpenIncident};
use super::moment::after;
use super::naming;
use super::words::{ActionKind, RefusalReason};

/// A replica that takes over may first see the rollout that an action began so much later than the action. Seconds.
const TAKEOVER_SECONDS: i64 = 60;

/// At most one action on one template of one workload, whoever shipped it again.
pub fn refuses(case: &Case, _: Timestamp) -> Option<Refusal> {
    let m = &case.s.memory;
    let same = |hash: &Name| is_of_template(case.s, hash, case.rollout.newest);
    let closed = m.actions.iter().find(|a| same(&a.from) && changes_template(a.kind)).map(|a| &a.incident);
    let acted = |i: &&OpenIncident| {
        same(&i.failing.hash) && i.acted.is_some() && i.intent.as_ref().is_some_and(|t| changes_template(t.kind))
    };
    let refused = put_back_in_vain(case).or_else(|| overruled(case)).or_else(|| went_back_to_it(case));
    if refused.is_some() {
        return refused;
    }
    let incident = closed.or_else(|| m.open.iter().find(acted).map(|i| &i.name))?;
    let because = format!("Backstay already acted on this template in incident {incident}, and it was shipped again");
    Some(no(RefusalReason::AlreadyTried, &because))
}

/// A person resumed this very template although there was enough evidence against it, and their word still stands on the
/// Deployment. The incident that it names may be closed by now.
fn overruled(case: &Case) -> Option<Refusal> {
    let (w, newest) = (&case.s.workload, case.rollout.newest);
    let same = || case.s.revisions.iter().filter(|r| is_of_template(case.s, &r.hash, newest));
    let asked = w.resume_asked.as_ref().filter(|name| same().any(|r| naming::is_about(name, w, &r.hash)))?;
    let because = format!("a person resumed this template in incident {asked} (backstay.dev/resume)");
    Some(no(RefusalReason::AlreadyTried, &because))
}

/// This very rollout is our own return to a baseline, however long it has served since. The next older revision would be as far
/// from what its owner wants as from what fails now.
fn went_back_to_it(case: &Case) -> Option<Refusal> {
    let since = after(case.rollout.since, -TAKEOVER_SECONDS);
    let is_ours = |a: &&ActionRecord| a.at >= since && is_of_template(case.s, &a.to, case.rollout.newest);
    let ours = case.s.memory.actions.iter().find(|a| changes_template(a.kind) && is_ours(a))?;
    let because =
        format!("Backstay itself went back to it in incident {}, and never goes on to older revisions", ours.incident);
    Some(no(RefusalReason::AlreadyTried, &because))
}

/// A freeze that was begun, and of which the Deployment bears no mark: it was not carried out, or another writer
/// replaced the whole object.
pub fn begun_before<'a>(case: &Case<'a>) -> Option<&'a Intent> {
    case.incident.and_then(|i| i.intent.as_ref()).filter(|i| i.kind == ActionKind::Freeze)
}

fn put_back_in_vain(case: &Case) -> Option<Refusal> {
    let before = begun_before(case).filter(|i| freeze::next_attempt(case.s, i) > freeze::MAX_ATTEMPTS)?;
    (kind(case) == ActionKind::Freeze).then(|| no(RefusalReason::AlreadyTried, &in_vain(before)))
}

/// Why a freeze is given up on.
pub fn in_vain(intent: &Intent) -> String {
    format!(
        "the template of {} was to be put back {} times, and other writers were quicker each time",
        intent.target.name, intent.attempt
    )
}

/// What counts as an action on a template; pauses and what ends them do not.
pub fn changes_template(kind: ActionKind) -> bool {
    matches!(kind, ActionKind::RollBack | ActionKind::Freeze)
}
