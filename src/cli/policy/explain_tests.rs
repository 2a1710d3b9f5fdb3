use serde::de::DeserializeOwned;
use serde_json::Value;

use super::*;
use crate::api::WorkloadHealth;
use crate::cluster::oneshot::shelve;
use crate::cluster::readable::Readable;
use crate::engine::decision::Action;
use crate::engine::surroundings::Surroundings;
use crate::engine::words::{Class, RefusalReason};

const CRASHING: &str = include_str!("testdata/crashing.yaml");

fn objects<K: DeserializeOwned>(documents: &[Value], kind: &str) -> Vec<K> {
    let of_kind = documents.iter().filter(|document| document["kind"] == kind);
    of_kind.map(|document| serde_json::from_value(document.clone()).unwrap()).collect()
}

fn guarded<K: DeserializeOwned>(documents: &[Value], kind: &str) -> Vec<Readable<K>> {
    objects(documents, kind).into_iter().map(|object| Readable(Ok(object))).collect()
}

fn sight(text: &str) -> Sight {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    let sight = Sight::empty("2026-03-01T10:01:00Z".parse().unwrap());
    sight.take(objects::<crate::cluster::slim::SlimNode>(&documents, "Node"));
    sight.take(objects::<crate::cluster::slim::SlimDeployment>(&documents, "Deployment"));
    sight.take(objects::<crate::cluster::slim::SlimReplicaSet>(&documents, "ReplicaSet"));
    sight.take(objects::<crate::cluster::slim::SlimPod>(&documents, "Pod"));
    shelve(&sight.own.namespaces, guarded(&documents, "Namespace"));
    shelve(&sight.own.policies, guarded(&documents, "IncidentPolicy"));
    shelve(&sight.own.cluster_policies, guarded(&documents, "ClusterIncidentPolicy"));
    shelve(&sight.own.health, guarded::<WorkloadHealth>(&documents, "WorkloadHealth"));
    sight
}

fn key() -> WorkloadKey {
    WorkloadKey::new("shop", "web")
}

fn shown(e: &Explained<'_>) -> String {
    screen::render(e, Screen { width: 100, colour: false }, "backstay")
}

#[test]
fn a_crashing_rollout_is_explained_as_the_operator_would_judge_it() {
    let sight = sight(CRASHING);
    let explained = explain(&sight, &key(), Mode::Enforce).unwrap();
    assert_eq!(&*explained.choice.policy.reference, "IncidentPolicy/web");
    assert_eq!(explained.decision.findings[0].class, Class::CrashLoopBackOff);
    let Some(Action::RollBack(permit)) = &explained.decision.action else { panic!("{:?}", explained.decision) };
    assert_eq!(&*permit.intent().target.name, "web-59");
    insta::assert_snapshot!("crashing", shown(&explained));
}

#[test]
fn an_operator_that_observes_would_not_act() {
    let sight = sight(CRASHING);
    let explained = explain(&sight, &key(), Mode::Observe).unwrap();
    assert_eq!(explained.decision.refusal.as_ref().unwrap().reason, RefusalReason::ObserveOnly);
    let screen = shown(&explained);
    assert!(screen.contains("No. The guard ObserveOnly refuses"), "{screen}");
}

#[test]
fn crashed_pods_of_the_baseline_that_are_gone_still_speak_for_a_dependency() {
    // Between the rollout and the look the healthy revision's pods have crashed and were removed.
    let pods =
        ["name: web-59-a", "name: web-59-b"].map(|name| CRASHING.split("---").find(|d| d.contains(name)).unwrap());
    let text = pods.iter().fold(CRASHING.to_owned(), |text, pod| text.replace(&format!("---{pod}"), ""));
    assert!(matches!(
        explain(&sight(&text), &key(), Mode::Enforce).unwrap().decision.action,
        Some(Action::RollBack(_))
    ));
    let remembered = text.replace("readySeconds: 5", "readySeconds: 5, crashedAt: 2026-03-01T10:00:30Z");
    let sight = sight(&remembered);
    let explained = explain(&sight, &key(), Mode::Enforce).unwrap();
    assert_eq!(explained.decision.refusal.as_ref().unwrap().reason, RefusalReason::FaultNotRevision);
    let screen = shown(&explained);
    assert!(screen.contains("pods of the healthy revision 59 crashed too"), "{screen}");
}

#[test]
fn what_could_not_be_read_is_said() {
    let mut sight = sight(CRASHING);
    sight.gaps.push("nodes cannot be read, so all are taken to be well: forbidden".to_owned());
    let explained = explain(&sight, &key(), Mode::Enforce).unwrap();
    assert!(shown(&explained).contains("NOT SEEN\n  - nodes cannot be read"));
}

#[test]
fn an_open_storm_anywhere_holds_everything() {
    let sight = sight(CRASHING);
    let storm: crate::api::Incident = serde_saphyr::from_str(include_str!("../incident/testdata/storm.yaml")).unwrap();
    shelve(&sight.own.incidents, [Readable(Ok(storm))]);
    let explained = explain(&sight, &key(), Mode::Enforce).unwrap();
    assert_eq!(explained.decision.refusal.as_ref().unwrap().reason, RefusalReason::Storm);
}

#[test]
fn an_overridden_storm_holds_nothing() {
    let sight = sight(CRASHING);
    let mut storm: crate::api::Incident =
        serde_saphyr::from_str(include_str!("../incident/testdata/storm.yaml")).unwrap();
    let approval = serde_json::json!({"verdict": "Approve", "by": "ada"});
    storm.spec.approval = Some(serde_json::from_value(approval).unwrap());
    shelve(&sight.own.incidents, [Readable(Ok(storm))]);
    assert!(explain(&sight, &key(), Mode::Enforce).unwrap().decision.action.is_some());
}

#[test]
fn without_a_policy_there_is_nothing_to_explain() {
    let sight = sight(
        &CRASHING.replace("labels: {app: web, team: shop}", "labels: {app: other}").replace("key: app", "key: absent"),
    );
    assert!(explain(&sight, &key(), Mode::Enforce).is_none());
}

#[test]
fn the_decision_can_be_printed_for_machines() {
    let sight = sight(CRASHING);
    let explained = explain(&sight, &key(), Mode::Enforce).unwrap();
    let value: Value = serde_json::from_str(&encode(&explained.decision, Output::Json).unwrap()).unwrap();
    assert_eq!(value["action"]["RollBack"]["intent"]["target"]["name"], "web-59");
    assert_eq!(value["state"], "Failing");
}

#[test]
fn workloads_are_named_as_for_kubectl() {
    assert_eq!(parse_workload("web"), Ok("web".to_owned()));
    assert_eq!(parse_workload("deploy/web"), Ok("web".to_owned()));
    assert!(parse_workload("statefulset/web").is_err());
    assert!(parse_workload("deployment/").is_err());
}

#[test]
fn what_lies_around_keeps_it_from_acting_as_it_keeps_the_operator() {
    let mut sight = sight(CRASHING);
    let asked = wanted(&explain(&sight, &key(), Mode::Enforce).unwrap()).expect("something is wrong, so it is looked");
    assert_eq!((&*asked.newest.name, asked.baseline.as_ref().map(|b| &*b.name)), ("web-6d", Some("web-59")));
    let around = Surroundings {
        newest: "r-2".into(),
        baseline: Some("r-1".into()),
        baseline_refused: Some("no such account".to_owned()),
        gaps: vec!["jobs (no right to read them)".to_owned()],
        ..Surroundings::default()
    };
    sight.look_around(key(), around);
    let explained = explain(&sight, &key(), Mode::Enforce).unwrap();
    assert_eq!(explained.decision.refusal.as_ref().unwrap().reason, RefusalReason::BaselineWouldNotRun);
    assert!(shown(&explained).contains("not looked at: jobs (no right to read them)"), "{}", shown(&explained));
}
