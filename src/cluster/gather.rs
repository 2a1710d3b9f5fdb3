//! Putting together what one decision is made from: facts of the watched objects, the policy, and the memory that
//! Backstay's own objects hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

use super::own::Own;
use super::shelf::Key;
use crate::api::{Incident, WorkloadHealth};
use crate::engine::attribute;
use crate::engine::baseline;
use crate::engine::decision::{Decision, Outcome, Verdict};
use crate::engine::facts::{LogFacts, Name, WorkloadFacts};
use crate::engine::listen::{self, Wanted};
use crate::engine::memory::{ActionRecord, CurrentRevision, LedgerEntry, Memory, Migration, OpenIncident};

/// What this process has seen of a workload and may not have written down yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub current: Option<CurrentRevision>,
    /// Which healthy revisions were seen to crash, by UID, and when last.
    pub crashed: Vec<(Name, Timestamp)>,
    /// Which revisions are healthy, by UID, and since when: later than is written, where one proved itself once more.
    pub healthy: Vec<(Name, Timestamp)>,
    /// What is known of revisions that were neither judged nor seen healthy: that they failed while they were the newest, or
    /// migrated a schema.
    pub undated: Vec<LedgerEntry>,
    /// What was noted of revisions; `None` before anything was decided, when what is written holds.
    pub noted: Option<Vec<Note>>,
}

/// What keeps a revision, or those before it, from being gone back to.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    pub uid: Name,
    /// When it was seen to fail.
    pub broken_at: Option<Timestamp>,
    /// What migrated a schema with it.
    pub migration: Option<Migration>,
}

impl Seen {
    /// What a decision adds to what is known.
    pub fn of(decision: &Decision) -> Self {
        let crashed = decision.ledger.iter().filter_map(|e| Some((e.uid.clone(), e.crashed_at?)));
        let healthy = decision.ledger.iter().filter_map(|e| Some((e.uid.clone(), e.healthy_since?)));
        let undated = decision.ledger.iter().filter(|e| baseline::is_undated(e)).cloned().collect();
        let (crashed, healthy) = (crashed.collect(), healthy.collect());
        let noted = decision.ledger.iter().filter(|e| e.broken_at.is_some() || e.migration.is_some());
        let note =
            |e: &LedgerEntry| Note { uid: e.uid.clone(), broken_at: e.broken_at, migration: e.migration.clone() };
        let noted = Some(noted.map(note).collect());
        Self { current: decision.current.clone(), crashed, healthy, undated, noted }
    }
}

/// What Backstay remembers of a workload: what its own objects say, and what it has seen since.
pub fn memory(own: &Own, workload: &WorkloadFacts, seen: &Seen) -> Memory {
    let health = own.health.get(&workload.namespace, &workload.name);
    let health = health.filter(|h| *h.spec.workload_uid == *workload.uid);
    let status = health.as_ref().and_then(|h| h.status.as_ref());
    let incidents = own.incidents.group(&workload.uid);
    let mut actions: Vec<ActionRecord> = status.map(|s| s.actions.clone()).unwrap_or_default();
    for action in incidents.iter().filter_map(|i| i.status.as_ref()).flat_map(|s| &s.actions) {
        if !actions.iter().any(|a| a.kind == action.kind && a.incident == action.incident) {
            actions.push(action.clone());
        }
    }
    actions.sort_by_key(|a| a.at);
    let mut open: Vec<OpenIncident> = incidents.iter().filter(|i| i.is_open()).map(|i| open_incident(i)).collect();
    open.sort_by(|a, b| (a.opened, &a.name).cmp(&(b.opened, &b.name)));
    let mut ledger = ledger(status.map(|s| s.ledger.clone()).unwrap_or_default(), &incidents);
    undated(&mut ledger, &seen.undated);
    proofs(&mut ledger, &seen.healthy);
    crashes(&mut ledger, &incidents, &seen.crashed);
    notes(&mut ledger, seen);
    Memory {
        current: seen.current.clone().or_else(|| status.and_then(|s| s.current.clone())),
        ledger,
        actions,
        open,
        episodes: episodes(&incidents),
    }
}

/// The logs that the workload's open incidents keep, as far as they tell: what was read before a restart.
pub fn logs(own: &Own, workload: &WorkloadFacts) -> Vec<Arc<LogFacts>> {
    let incidents = own.incidents.group(&workload.uid);
    let kept = incidents.iter().filter(|incident| incident.is_open()).flat_map(|incident| incident.logs());
    kept.map(|excerpt| {
        let wanted = Wanted {
            uid: Name::from(&*excerpt.uid),
            pod: Name::from(&*excerpt.pod),
            container: Name::from(&*excerpt.container),
            ended: excerpt.ended,
            run: None,
            exits: excerpt.exits,
            rules: None,
        };
        Arc::new(listen::heard(&wanted, excerpt.text.as_bytes()))
    })
    .collect()
}

/// What the incidents say of revisions that were at fault is added to what is remembered: an incident is written at
/// once, the memory only when something lasts.
fn ledger(mut ledger: Vec<LedgerEntry>, incidents: &[Arc<Incident>]) -> Vec<LedgerEntry> {
    for incident in incidents {
        let opened = &incident.spec.opened;
        let cleared = incident.status.as_ref().is_some_and(|s| s.outcome == Some(Outcome::Cleared));
        if !blames_the_revision(incident) || cleared {
            continue;
        }
        let failing = &opened.failing;
        let at = ledger.iter().position(|e| e.uid == failing.uid);
        let mut entry = match at {
            Some(at) => ledger.remove(at),
            None => LedgerEntry::new(failing.uid.clone(), failing.hash.clone()),
        };
        // What was proven in between and failed once more is at fault since the last time.
        if entry.failed_at < Some(opened.at) {
            entry.failed_at = Some(opened.at);
            entry.incident = None;
        }
        entry.incident.get_or_insert_with(|| Name::from(incident.name_any()));
        ledger.push(entry);
    }
    ledger.sort_by(|a, b| a.uid.cmp(&b.uid));
    ledger
}

fn blames_the_revision(incident: &Incident) -> bool {
    let status = incident.status.as_ref();
    let verdict = status.and_then(|s| s.verdict.as_ref()).or(incident.spec.opened.verdict.as_ref());
    verdict.is_some_and(Verdict::blames_the_revision)
}

/// What is known of revisions that were neither judged nor seen healthy is not worth a write of its own.
fn undated(ledger: &mut Vec<LedgerEntry>, seen: &[LedgerEntry]) {
    for entry in seen {
        match ledger.iter_mut().find(|e| e.uid == entry.uid) {
            Some(known) => known.troubled |= entry.troubled,
            None => ledger.push(entry.clone()),
        }
    }
    ledger.sort_by(|a, b| a.uid.cmp(&b.uid));
}

/// Proofs that are not worth a write of their own, since the revisions are known to be healthy.
fn proofs(ledger: &mut [LedgerEntry], seen: &[(Name, Timestamp)]) {
    for entry in ledger.iter_mut().filter(|e| e.healthy_since.is_some()) {
        let seen = seen.iter().find(|(uid, _)| uid == &entry.uid).map(|(_, at)| *at);
        entry.healthy_since = entry.healthy_since.max(seen);
    }
}

/// Crashes of healthy revisions. The evidence of an incident that blames something else tells of them too, and it is
/// there before anything is written into the ledger.
fn crashes(ledger: &mut [LedgerEntry], incidents: &[Arc<Incident>], seen: &[(Name, Timestamp)]) {
    for entry in ledger.iter_mut().filter(|e| e.healthy_since.is_some()) {
        for opened in incidents.iter().filter(|i| !blames_the_revision(i)).map(|i| &i.spec.opened) {
            if opened.findings.iter().any(|f| f.revision == entry.hash && attribute::is_crash(f)) {
                entry.crashed(opened.at);
            }
        }
        if let Some((_, at)) = seen.iter().find(|(uid, _)| uid == &entry.uid) {
            entry.crashed(*at);
        }
    }
}

/// What was noted since the memory was written, or taken back.
fn notes(ledger: &mut [LedgerEntry], seen: &Seen) {
    let Some(noted) = &seen.noted else { return };
    for entry in ledger {
        let note = noted.iter().find(|note| note.uid == entry.uid);
        entry.broken_at = note.and_then(|note| note.broken_at);
        // That a migration ran is not taken back.
        if let Some(migration) = note.and_then(|note| note.migration.as_ref()) {
            entry.migration = Some(migration.clone());
        }
    }
}

/// The WorkloadHealth of this very workload, not of a namesake before it.
pub fn health_of(own: &Own, workload: &WorkloadFacts) -> Option<Arc<WorkloadHealth>> {
    own.health.get(&workload.namespace, &workload.name).filter(|h| *h.spec.workload_uid == *workload.uid)
}

/// The workload an own object is about.
pub fn workload_of(incident: &Incident) -> Key {
    (incident.namespace().unwrap_or_default(), incident.spec.workload.name.clone())
}

fn open_incident(incident: &Incident) -> OpenIncident {
    let status = incident.status.as_ref();
    let name = Name::from(incident.name_any());
    let intent = incident.intent().cloned();
    // A pause that was carried out does not make a later roll-back one that was.
    let acted = status.and_then(|s| {
        let kind = intent.as_ref().map(|i| i.kind);
        s.actions.iter().rev().find(|a| Some(a.kind) == kind).map(|a| a.at)
    });
    OpenIncident {
        name,
        failing: incident.spec.opened.failing.clone(),
        episode: incident.spec.opened.episode,
        opened: incident.spec.opened.at,
        intent,
        acted,
        returned: status.is_some_and(|s| s.template_returned_at.is_some()),
        approval: incident.spec.approval.clone(),
        progress: status.and_then(|s| s.progress),
    }
}

fn episodes(incidents: &[Arc<Incident>]) -> Vec<(Name, u32)> {
    let mut highest: BTreeMap<Name, u32> = BTreeMap::new();
    for opened in incidents.iter().map(|i| &i.spec.opened) {
        let episode = highest.entry(opened.failing.hash.clone()).or_default();
        *episode = (*episode).max(opened.episode);
    }
    highest.into_iter().collect()
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
