//! The screen of `policy explain`.

use jiff::Timestamp;
use kube::ResourceExt;

use super::super::incident;
use super::super::page::{Page, Screen, Tone, one_line};
use super::super::times;
use super::explain::Explained;
use super::terms::{precedence, rules, settings};
use crate::engine::broken::is_broken;
use crate::engine::decision::{Action, Decision};
use crate::engine::memory::{LedgerEntry, RevisionRef};
use crate::engine::words::State;

/// Everything that can be said of the workload, the verdict first.
pub fn render(e: &Explained<'_>, screen: Screen, program: &str) -> String {
    let mut page = Page::new(screen);
    let (w, d) = (&e.snapshot.workload, &e.decision);
    let state = page.toned(&d.state.to_string(), tone(d.state));
    page.heading(&one_line(&format!("deployment/{} in {}", w.name, w.namespace)));
    page.para(2, &format!("{state}: {}", one_line(&d.why)));
    would_it_act(&mut page, d, e.now);
    governed(&mut page, e);
    page.heading("SETTINGS");
    page.columns(2, &settings(&e.snapshot.policy));
    page.heading("RULES, THE FIRST THAT MATCHES GOVERNS");
    page.columns(2, &rules(&e.snapshot.policy));
    page.para(
        2,
        "Unless a rule says otherwise: 50% of the new revision's pods and at least one, 2 exits, 2 attempts, \
                  3 losses of readiness in five minutes; how long comes from the probes and the cause.",
    );
    baseline(&mut page, e);
    findings(&mut page, d, e.now);
    recorded(&mut page, e, program);
    if !e.sight.gaps.is_empty() {
        page.heading("NOT SEEN");
        for gap in &e.sight.gaps {
            page.item(2, &one_line(gap));
        }
    }
    page.finish()
}

fn would_it_act(page: &mut Page, d: &Decision, now: Timestamp) {
    page.heading("WOULD IT ACT NOW?");
    let target = |r: &RevisionRef| one_line(&r.name);
    let yes = match &d.action {
        Some(Action::RollBack(permit)) => Some(format!("roll back to {}", target(&permit.intent().target))),
        Some(Action::Freeze(permit)) => Some(format!("freeze on {}", target(&permit.intent().target))),
        Some(Action::Pause(permit)) => Some(format!("pause; the baseline is {}", target(&permit.intent().target))),
        Some(Action::Resume { because, .. }) => Some(format!("resume what it paused, since {}", one_line(because))),
        None => None,
    };
    match (yes, &d.refusal) {
        (Some(what), _) => page.para(2, &format!("Yes: it would {what}.")),
        (None, Some(refusal)) => {
            let reason = page.toned(&refusal.reason.to_string(), Tone::Warn);
            page.para(2, &format!("No. The guard {reason} refuses: {}.", one_line(&refusal.because)));
        }
        (None, None) => page.para(2, "No: there is nothing to act on."),
    }
    page.para(
        2,
        &match d.next_check {
            Some(at) => format!("It looks again at {} at the latest, and at every change.", times::both(at, now)),
            None => "It looks again when something changes.".to_owned(),
        },
    );
}

fn governed(page: &mut Page, e: &Explained<'_>) {
    page.heading("POLICY");
    let policy = &e.snapshot.policy;
    let mode = format!("{:?}", policy.mode);
    page.para(2, &one_line(&format!("{} governs it: generation {}, mode {mode}", policy.reference, policy.generation)));
    for loser in &e.choice.overridden {
        let because = precedence(&e.sight.own, &e.snapshot.workload.namespace, &policy.reference, loser);
        page.item(2, &one_line(&format!("{loser} selects it too and is overridden: {because}")));
    }
    let unreadable = e.sight.own.policies.unreadable().into_iter().chain(e.sight.own.cluster_policies.unreadable());
    for ((namespace, name), object) in unreadable {
        let kind = if namespace.is_empty() { "ClusterIncidentPolicy" } else { "IncidentPolicy" };
        page.item(2, &one_line(&format!("{kind}/{name} cannot be read and governs nothing: {}", object.because)));
    }
}

fn baseline(page: &mut Page, e: &Explained<'_>) {
    page.heading("REVISIONS");
    let d = &e.decision;
    let named = |r: &RevisionRef| one_line(&format!("{} (hash {})", r.name, r.hash));
    page.pair("newest", &d.newest.as_ref().map_or_else(|| "none yet".to_owned(), named));
    let entry = |r: &RevisionRef| d.ledger.iter().find(|entry| entry.uid == r.uid);
    match &d.baseline {
        Some(r) => page.pair("baseline", &format!("{}{}", named(r), proof(entry(r), e.now))),
        None => page.pair("baseline", "none: no other revision was ever seen healthy"),
    }
    // What this look itself would judge is said above.
    for bad in e.snapshot.memory.ledger.iter().filter(|entry| entry.failed_at.is_some()) {
        let incident = bad.incident.as_deref().map(|name| format!(" in incident {name}")).unwrap_or_default();
        page.item(2, &one_line(&format!("hash {} was judged to be at fault{incident}", bad.hash)));
    }
    for broken in e.snapshot.memory.ledger.iter().filter(|entry| is_broken(entry)) {
        page.item(2, &one_line(&format!("hash {} was failing when it was seen last", broken.hash)));
    }
}

fn proof(entry: Option<&LedgerEntry>, now: Timestamp) -> String {
    match entry.and_then(|entry| entry.healthy_since) {
        Some(since) => format!(", healthy since {}", times::both(since, now)),
        None => ", never seen healthy; the policy allows it all the same".to_owned(),
    }
}

fn findings(page: &mut Page, d: &Decision, now: Timestamp) {
    page.heading("FINDINGS NOW");
    if d.findings.is_empty() {
        page.para(2, "None.");
    }
    for found in &d.findings {
        incident::finding(page, found, now);
    }
    if let Some(verdict) = &d.verdict {
        page.para(2, &one_line(&format!("Fault {}, {}: {}", verdict.fault, verdict.confidence, verdict.because)));
        for rejected in &verdict.rejected {
            page.item(4, &one_line(&format!("not {}: {}", rejected.fault, rejected.because)));
        }
    }
}

/// What the operator itself wrote last; it has watched for longer than this one look.
fn recorded(page: &mut Page, e: &Explained<'_>, program: &str) {
    page.heading("WHAT THE OPERATOR RECORDED");
    let w = &e.snapshot.workload;
    let own = &e.sight.own;
    match crate::cluster::gather::health_of(own, w).and_then(|health| health.status.clone()) {
        Some(status) => {
            page.para(2, &one_line(&format!("{}: {}", status.state, status.why)));
            if let Some(refusal) = &status.refusal {
                page.para(2, &one_line(&format!("refusal {}: {}", refusal.reason, refusal.because)));
            }
        }
        None => page.para(2, "Nothing yet: there is no WorkloadHealth of this Deployment."),
    }
    for incident in own.incidents.group(&w.uid).iter().filter(|i| i.is_open()) {
        page.verbatim(2, &format!("{program} incident show {} -n {}", incident.name_any(), w.namespace));
    }
}

fn tone(state: State) -> Tone {
    match state {
        State::Healthy | State::Stabilised => Tone::Good,
        State::Failing | State::Held => Tone::Bad,
        State::Suspect | State::Stabilising => Tone::Warn,
        State::Progressing | State::Unknown => Tone::Plain,
    }
}
