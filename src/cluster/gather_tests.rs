use super::*;
use crate::cluster::facts::{Interner, workload_facts};
use crate::cluster::oneshot::shelve;
use crate::cluster::readable::Readable;

const HEALTH: &str = "
metadata: {name: web, namespace: shop, uid: h-1, resourceVersion: '1'}
spec: {workloadUid: d-1}
status:
  ledger:
    - {uid: r-1, hash: '59', healthySince: 2026-03-01T09:00:00Z, crashedAt: 2026-03-01T10:00:00Z}
    - {uid: r-0, hash: '44', healthySince: 2026-02-01T09:00:00Z}
";

/// An incident on the newest revision, in which three of four pods of revision 59 crashed as well.
fn incident(fault: &str) -> String {
    let finding = |revision: &str, newest: bool, failing: u32| {
        serde_json::json!({
            "class": "CrashLoopBackOff", "cause": "ApplicationError", "revision": revision, "newest": newest,
            "pods": [], "failingPods": failing, "totalPods": 4, "sureness": "Counted", "occurrences": 2, "needed": 2,
            "countedPods": failing, "neededPods": 2, "sufficient": true, "rule": "builtin-crash",
            "onset": "2026-03-01T10:02:00Z", "fault": fault, "confidence": "Likely", "rollback": "Depends", "evidence": [],
        })
    };
    serde_json::json!({
        "metadata": {"name": "web-6d-1", "namespace": "shop", "uid": "i-1", "resourceVersion": "1"},
        "spec": {
            "workload": {"kind": "Deployment", "name": "web", "uid": "d-1"},
            "opened": {
                "at": "2026-03-01T10:02:10Z", "policy": "IncidentPolicy/web", "severity": "Critical", "episode": 1, "why": "",
                "failing": {"name": "web-6d", "uid": "r-2", "hash": "6d"},
                "verdict": {"fault": fault, "confidence": "Likely", "because": ""},
                "findings": [finding("6d", true, 2), finding("59", false, 3), finding("44", false, 1)],
            },
        },
    })
    .to_string()
}

fn own(objects: &[String]) -> Arc<Own> {
    let own = Own::new();
    shelve(&own.health, [Readable(Ok(serde_saphyr::from_str::<WorkloadHealth>(HEALTH).unwrap()))]);
    let incidents = objects.iter().map(|text| serde_json::from_str::<Incident>(text).unwrap());
    shelve(&own.incidents, incidents.map(|incident| Readable(Ok(incident))));
    own
}

fn ledger_of(own: &Own, seen: &Seen) -> Vec<LedgerEntry> {
    let deployment = serde_json::json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "d-1", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"template": {}},
    });
    let workload = workload_facts(&serde_json::from_value(deployment).unwrap(), &mut Interner::default()).unwrap();
    memory(own, &workload, seen).ledger
}

/// When revisions 44 and 59 were seen to crash, as minutes and seconds.
fn crashes(own: &Own, seen: &Seen) -> Vec<Option<String>> {
    let ledger = ledger_of(own, seen);
    let of = |uid: &str| ledger.iter().find(|e| &*e.uid == uid).and_then(|e| e.crashed_at);
    ["r-0", "r-1"].map(|uid| of(uid).map(|at| at.strftime("%M:%S").to_string())).to_vec()
}

fn at(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_crash_that_was_written_down_is_remembered() {
    assert_eq!(crashes(&own(&[]), &Seen::default()), [None, at("00:00")]);
}

#[test]
fn what_this_process_saw_since_counts_where_it_is_later() {
    let seen = |second: &str| Seen {
        crashed: vec![("r-1".into(), format!("2026-03-01T10:{second}Z").parse().unwrap())],
        ..Seen::default()
    };
    assert_eq!(crashes(&own(&[]), &seen("01:30")), [None, at("01:30")]);
    let earlier = Seen { crashed: vec![("r-1".into(), "2026-03-01T09:59:00Z".parse().unwrap())], ..Seen::default() };
    assert_eq!(crashes(&own(&[]), &earlier), [None, at("00:00")]);
    assert_eq!(crashes(&own(&[incident("Dependency")]), &seen("01:30")), [None, at("02:10")]);
}

#[test]
fn the_evidence_of_an_incident_tells_of_a_crash_unless_one_of_few_or_the_revision_is_blamed() {
    assert_eq!(crashes(&own(&[incident("Dependency")]), &Seen::default()), [None, at("02:10")]);
    assert_eq!(crashes(&own(&[incident("Revision")]), &Seen::default()), [None, at("00:00")]);
}

#[test]
fn a_proof_that_this_process_saw_counts_where_it_is_later() {
    let healthy = |hours: &[(&str, &str)]| {
        let seen =
            hours.iter().map(|(uid, hour)| ((*uid).into(), format!("2026-03-01T{hour}:00:00Z").parse().unwrap()));
        let ledger = ledger_of(&own(&[]), &Seen { healthy: seen.collect(), ..Seen::default() });
        ledger.iter().map(|e| e.healthy_since.unwrap().strftime("%d %H").to_string()).collect::<Vec<_>>()
    };
    assert_eq!(healthy(&[]), ["01 09", "01 09"]);
    assert_eq!(healthy(&[("r-1", "11")]), ["01 09", "01 11"]);
    assert_eq!(healthy(&[("r-1", "08")]), ["01 09", "01 09"]);
    assert_eq!(healthy(&[("r-9", "11")]), ["01 09", "01 09"], "one that is not remembered stays so");
}

#[test]
fn what_was_proven_after_a_first_judgement_and_fails_again_is_at_fault_since_the_second() {
    let again = incident("Revision").replace("web-6d-1", "web-6d-2").replace("i-1", "i-2").replace("T10:02", "T12:02");
    let proven = HEALTH.replace("resourceVersion: '1'", "resourceVersion: '2'")
        + "    - {uid: r-2, hash: '6d', healthySince: 2026-03-01T11:00:00Z}\n";
    for incidents in [vec![incident("Revision"), again.clone()], vec![again]] {
        let own = own(&incidents);
        shelve(&own.health, [Readable(Ok(serde_saphyr::from_str::<WorkloadHealth>(&proven).unwrap()))]);
        let ledger = ledger_of(&own, &Seen::default());
        let entry = ledger.iter().find(|e| &*e.uid == "r-2").unwrap();
        assert_eq!(entry.failed_at, Some("2026-03-01T12:02:10Z".parse().unwrap()));
        assert_eq!(entry.incident.as_deref(), Some("web-6d-2"));
        assert!(!crate::engine::baseline::is_healthy(entry));
    }
}

/// What is written holds until this process has decided something; then what it noted or took back does.
#[test]
fn what_this_process_noted_goes_before_what_is_written() {
    let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let own = Own::new();
    let mut health = serde_saphyr::from_str::<WorkloadHealth>(HEALTH).unwrap();
    for entry in health.status.iter_mut().flat_map(|status| &mut status.ledger) {
        entry.broken_at = Some(noon);
        entry.migration = Some(Migration { at: noon, by: "Job web-migrate".into() });
    }
    shelve(&own.health, [Readable(Ok(health))]);
    let noted = |seen: &Seen| {
        let notes = ledger_of(&own, seen);
        notes.iter().map(|e| (e.broken_at.is_some(), e.migration.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(noted(&Seen::default()), [(true, true), (true, true)]);
    let note = Note { uid: "r-1".into(), broken_at: Some(noon), migration: None };
    let seen = Seen { noted: Some(vec![note]), ..Seen::default() };
    assert_eq!(noted(&seen), [(false, true), (true, true)], "a migration is not taken back");
}

/// A migration that is written, and trouble that came after it; and what is not written at all.
#[test]
fn what_is_known_of_a_revision_that_was_neither_judged_nor_seen_healthy_is_kept() {
    let migration = Some(Migration { at: "2026-03-01T12:00:00Z".parse().unwrap(), by: "Job web-migrate".into() });
    let migrated = LedgerEntry { migration: migration.clone(), ..LedgerEntry::new("r-2".into(), "6d".into()) };
    let troubled = LedgerEntry { troubled: true, ..migrated.clone() };
    let written = HEALTH.to_owned()
        + "    - {uid: r-2, hash: '6d', migration: {at: 2026-03-01T12:00:00Z, by: Job web-migrate}}\n";
    let of = |health: &str, undated: &[LedgerEntry]| {
        let own = Own::new();
        shelve(&own.health, [Readable(Ok(serde_saphyr::from_str::<WorkloadHealth>(health).unwrap()))]);
        let ledger = ledger_of(&own, &Seen { undated: undated.to_vec(), ..Seen::default() });
        ledger.into_iter().find(|e| &*e.uid == "r-2")
    };
    assert_eq!(of(HEALTH, &[]), None);
    assert_eq!(of(&written, &[]), Some(migrated.clone()));
    for health in [HEALTH, &written] {
        assert_eq!(of(health, std::slice::from_ref(&migrated)), Some(migrated.clone()));
        assert_eq!(of(health, std::slice::from_ref(&troubled)), Some(troubled.clone()));
    }
}
