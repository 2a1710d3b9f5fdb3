//! What a diagnosis tells of StatefulSets, DaemonSets and Jobs beside their pods.

use serde_json::json;

use super::*;
use crate::engine::words::{Confidence, Fault};

const OLD: &str = "2026-03-09T10:00:00Z";
const NEW: &str = "2026-03-10T11:50:00Z";

fn maker(kind: &str, spec: Value, status: Value) -> Value {
    let group = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    json!({"apiVersion": group, "kind": kind, "spec": spec, "status": status,
        "metadata": {"name": "db", "namespace": "shop", "uid": "m-1", "creationTimestamp": OLD}})
}

/// A StatefulSet of so many pods, of which the newest revision is `db-7d4f6c8b9d`.
fn stateful_set(replicas: i32) -> Value {
    let status = json!({"replicas": replicas, "readyReplicas": 1, "updateRevision": "db-7d4f6c8b9d"});
    maker("StatefulSet", json!({"replicas": replicas}), status)
}

fn owner(kind: &str) -> Value {
    json!([{"apiVersion": "apps/v1", "kind": kind, "name": "db", "uid": "m-1", "controller": true}])
}

/// A pod with its revision's mark, on a node of its own; one that was made today crashes.
fn pod(kind: &str, name: &str, mark: &str, image: &str, created: &str) -> Value {
    let fails = created == NEW;
    let (state, ready) = match fails {
        true => (json!({"waiting": {"reason": "CrashLoopBackOff"}}), "False"),
        false => (json!({"running": {"startedAt": created}}), "True"),
    };
    let ended = json!({"terminated": {"exitCode": 1, "reason": "Error", "startedAt": "2026-03-10T11:58:57Z",
        "finishedAt": "2026-03-10T11:59:00Z"}});
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": created,
            "labels": {"controller-revision-hash": mark}, "ownerReferences": owner(kind)},
        "spec": {"nodeName": format!("node-{name}"), "containers": [{"name": "db", "image": image}]},
        "status": {"phase": "Running", "startTime": created,
            "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": created}],
            "containerStatuses": [{"name": "db", "ready": !fails, "started": !fails, "restartCount": if fails { 6 } else { 0 },
                "state": state, "lastState": if fails { ended } else { json!({}) }}]}})
}

/// What a StatefulSet keeps of a revision.
fn kept(name: &str, number: i64, image: &str) -> Value {
    let template = json!({"$patch": "replace", "spec": {"containers": [{"name": "db", "image": image}]}});
    json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": number,
        "metadata": {"name": name, "namespace": "shop", "ownerReferences": owner("StatefulSet")},
        "data": {"spec": {"template": template}}})
}

fn event(kind: &str, message: &str, last: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "db.1", "namespace": "shop"},
        "involvedObject": {"kind": kind, "namespace": "shop", "name": "db"}, "reason": "FailedCreate", "type": "Warning",
        "message": message, "count": 5, "firstTimestamp": "2026-03-10T11:20:00Z", "lastTimestamp": last})
}

fn judged(objects: &[Value]) -> Answer {
    let mut intake = Intake::default();
    for object in objects {
        intake.take(object.clone(), None).unwrap();
    }
    let now = "2026-03-10T12:00:00Z".parse().unwrap();
    Answer { workloads: diagnose(intake, now), gaps: Vec::new(), unread: 0, now }
}

fn blamed(answer: &Answer) -> (Fault, Confidence, &str) {
    let diagnosis = &found(answer, "db").diagnosis;
    let finding = &diagnosis.findings[0];
    (finding.fault, finding.confidence, &diagnosis.verdict.as_ref().unwrap().because)
}

fn rollout(images: [&str; 2]) -> Vec<Value> {
    let [old, new] = images;
    let crashing = pod("StatefulSet", "db-1", "db-7d4f6c8b9d", new, NEW);
    vec![stateful_set(2), pod("StatefulSet", "db-0", "db-5565595d9f", old, OLD), crashing]
}

#[test]
fn pods_of_an_older_revision_are_what_the_new_ones_are_compared_with() {
    let answer = judged(&rollout(["db:1", "db:2"]));
    let (fault, confidence, because) = blamed(&answer);
    assert_eq!((fault, confidence), (Fault::Revision, Confidence::Likely), "{because}");
    let seen =
        "1 of 1 pods of revision 7d4f6c8b9d show CrashLoopBackOff; 1 pods of the healthy revision 5565595d9f are";
    assert!(because.starts_with(seen) && because.ends_with("changed: Image"), "{because}");
    let s = &found(&answer, "db").case.snapshot;
    assert_eq!(s.revisions.iter().map(|set| &*set.name).collect::<Vec<_>>(), ["db-5565595d9f", "db-7d4f6c8b9d"]);
}

#[test]
fn nothing_is_said_to_be_the_same_that_pods_do_not_show() {
    let answer = judged(&rollout(["db:1", "db:1"]));
    let (fault, confidence, because) = blamed(&answer);
    assert_eq!((fault, confidence), (Fault::Revision, Confidence::Possible), "{because}");
    assert!(because.contains("1 pods of the older revision 5565595d9f are ready at the same time"), "{because}");
    assert!(because.ends_with("pods do not show how their templates differ"), "{because}");
}

#[test]
fn what_is_kept_of_revisions_tells_what_changed() {
    let mut objects = rollout(["db:1", "db:1"]);
    objects.extend([kept("db-5565595d9f", 1, "db:1"), kept("db-7d4f6c8b9d", 2, "db:3")]);
    let answer = judged(&objects);
    assert!(blamed(&answer).2.ends_with("changed: Image"), "{}", blamed(&answer).2);

    // Half of it tells nothing.
    objects.pop();
    assert!(blamed(&judged(&objects)).2.ends_with("pods do not show how their templates differ"));
}

#[test]
fn a_restart_is_no_other_template() {
    let mut objects = rollout(["db:1", "db:1"]);
    let mut restarted = kept("db-7d4f6c8b9d", 2, "db:1");
    restarted["data"]["spec"]["template"]["metadata"] =
        json!({"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-03-10T11:49:00Z"}});
    objects.extend([kept("db-5565595d9f", 1, "db:1"), restarted]);
    let answer = judged(&objects);
    assert_eq!(blamed(&answer).0, Fault::Unknown);
    assert!(blamed(&answer).2.starts_with("the template does not differ"), "{}", blamed(&answer).2);
}

/// Two pods serve and the youngest crashes.
fn daemons(marks: [&str; 3]) -> Vec<Value> {
    let [a, b, c] = marks;
    let status = json!({"desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberReady": 2});
    vec![
        maker("DaemonSet", json!({}), status),
        pod("DaemonSet", "a", a, "agent:1", OLD),
        pod("DaemonSet", "b", b, "agent:1", OLD),
        pod("DaemonSet", "c", c, "agent:2", NEW),
    ]
}

#[test]
fn the_youngest_pods_of_a_daemon_set_are_the_newest_unless_its_revisions_say_otherwise() {
    let mut objects = daemons(["67b9c5f4d8", "67b9c5f4d8", "5c8d7f6b9"]);
    let answer = judged(&objects);
    assert_eq!(blamed(&answer).0, Fault::Revision, "{}", blamed(&answer).2);
    let of = |name: &str, hash: &str, number: i64| {
        let mut kept = kept(name, number, "agent:1");
        kept["metadata"]["labels"] = json!({"controller-revision-hash": hash});
        kept["metadata"]["ownerReferences"] = owner("DaemonSet");
        kept["data"] = json!({});
        kept
    };
    objects.extend([of("db-67b9c5f4d8", "67b9c5f4d8", 3), of("db-5c8d7f6b9", "5c8d7f6b9", 2)]);
    let answer = judged(&objects);
    assert!(!found(&answer, "db").diagnosis.findings[0].newest, "it was rolled back, and that pod is the last to go");
}

#[test]
fn of_one_revision_pods_are_compared_node_by_node_as_ever() {
    let answer = judged(&daemons(["67b9c5f4d8"; 3]));
    let (fault, _, because) = blamed(&answer);
    assert_eq!(fault, Fault::Platform, "{because}");
    assert!(because.contains("2 pods of the revision are ready elsewhere"), "{because}");
    assert!(found(&answer, "db").diagnosis.findings[0].revision.is_empty());
}

fn ended(kind: &str, reason: &str, message: &str) -> Value {
    let condition = json!({"type": kind, "status": "True", "reason": reason, "message": message,
        "lastTransitionTime": "2026-03-10T11:59:10Z"});
    maker("Job", json!({"backoffLimit": 3}), json!({"conditions": [condition]}))
}

#[rstest]
#[case("BackoffLimitExceeded", (Class::CrashLoopBackOff, Cause::Unknown))]
#[case("PodFailurePolicy", (Class::CrashLoopBackOff, Cause::Unknown))]
#[case("DeadlineExceeded", (Class::RolloutStalled, Cause::DeadlineExceeded))]
fn a_job_that_gave_up_has_failed_also_without_its_pods(#[case] reason: &str, #[case] expected: (Class, Cause)) {
    let answer = judged(&[ended("Failed", reason, "Job has reached the specified backoff limit")]);
    assert_eq!(state_of(&answer, "db"), State::Failing);
    let finding = &found(&answer, "db").diagnosis.findings[0];
    assert_eq!((finding.class, finding.cause), expected);
    assert_eq!(finding.evidence[0].source, "job/db conditions[Failed]");
    assert_eq!(finding.evidence[0].text, format!("{reason}: Job has reached the specified backoff limit"));
    assert_eq!(finding.next_steps[0], "kubectl -n shop describe job db");
}

#[test]
fn a_source_is_bounded() {
    let mut job = ended("Failed", "BackoffLimitExceeded", "");
    job["metadata"]["name"] = "n".repeat(253).into();
    let answer = judged(&[job]);
    let source = &answer.workloads[0].diagnosis.findings[0].evidence[0].source;
    assert!(source.starts_with("job/nnn") && source.len() <= 256, "{source}");
}

#[test]
fn a_job_that_completed_is_healthy() {
    assert_eq!(state_of(&judged(&[ended("Complete", "CompletionsReached", "")]), "db"), State::Healthy);
    let mut taken_back = ended("Failed", "BackoffLimitExceeded", "");
    taken_back["status"]["conditions"][0]["status"] = json!("False");
    assert_eq!(state_of(&judged(&[taken_back]), "db"), State::Healthy);
}

#[test]
fn a_pod_that_shows_why_its_job_failed_has_the_word() {
    let job = ended("Failed", "BackoffLimitExceeded", "");
    let mut last = pod("Job", "db-x", "", "migrate:1", NEW);
    last["spec"]["restartPolicy"] = json!("Never");
    last["status"]["phase"] = json!("Failed");
    last["status"]["containerStatuses"][0]["state"] = last["status"]["containerStatuses"][0]["lastState"].take();
    let answer = judged(&[job, last]);
    let findings = &found(&answer, "db").diagnosis.findings;
    assert_eq!(findings.iter().map(|f| f.cause).collect::<Vec<_>>(), [Cause::ApplicationError]);
}

const QUOTA: &str = "create Pod db-1 in StatefulSet db failed error: pods \"db-1\" is forbidden: exceeded quota: team, \
                     requested: limits.memory=256Mi, used: limits.memory=4Gi, limited: limits.memory=4Gi";

/// One pod of two serves, and the other is refused.
fn short_of_one(last: &str) -> Vec<Value> {
    let mut set = stateful_set(2);
    set["status"]["replicas"] = json!(1);
    vec![set, pod("StatefulSet", "db-0", "db-5565595d9f", "db:1", OLD), event("StatefulSet", QUOTA, last)]
}

#[test]
fn refused_pods_of_a_stateful_set_are_told_by_its_events() {
    let answer = judged(&short_of_one("2026-03-10T11:59:55Z"));
    assert_eq!(state_of(&answer, "db"), State::Failing);
    let finding = &found(&answer, "db").diagnosis.findings[0];
    assert_eq!(
        (finding.class, finding.cause, finding.fault),
        (Class::CreateRefused, Cause::QuotaExceeded, Fault::Namespace)
    );
    let sources: Vec<&str> = finding.evidence.iter().map(|evidence| &*evidence.source).collect();
    assert_eq!(sources, ["statefulset/db events[FailedCreate]", "resourcequota/team"]);
    assert!(finding.next_steps[0].contains("involvedObject.kind=StatefulSet"), "{:?}", finding.next_steps);
}

#[rstest]
#[case("DaemonSet", json!({}), json!({"desiredNumberScheduled": 2, "currentNumberScheduled": 0}))]
#[case("Job", json!({"parallelism": 2, "completions": 1}), json!({}))]
fn refused_pods_of_others_too(#[case] kind: &str, #[case] spec: Value, #[case] status: Value) {
    let answer = judged(&[maker(kind, spec, status), event(kind, QUOTA, "2026-03-10T11:59:55Z")]);
    assert_eq!(first(&answer, "db"), (Class::CreateRefused, Cause::QuotaExceeded, None));
    assert_eq!(state_of(&answer, "db"), State::Failing);
}

#[test]
fn a_failure_to_create_pods_begins_with_its_own_cause() {
    let onset = |message: &str| {
        let mut objects = short_of_one("2026-03-10T11:59:55Z");
        objects.iter_mut().for_each(|object| object["metadata"]["creationTimestamp"] = json!("2026-03-10T11:00:00Z"));
        let mut earlier = event("StatefulSet", message, "2026-03-10T11:58:00Z");
        earlier["metadata"]["name"] = json!("db.0");
        earlier["firstTimestamp"] = json!("2026-03-10T11:10:00Z");
        objects.push(earlier);
        found(&judged(&objects), "db").diagnosis.findings[0].onset.to_string()
    };
    assert_eq!(onset(&QUOTA.replace("db-1", "db-2")), "2026-03-10T11:10:00Z");
    assert_eq!(onset("serviceaccount \"db\" not found"), "2026-03-10T11:20:00Z", "somebody made the account since");
}

#[test]
fn a_refusal_that_is_over_is_no_failure() {
    let old = short_of_one("2026-03-10T11:30:00Z");
    assert!(found(&judged(&old), "db").diagnosis.findings.is_empty(), "it would have been tried again since");

    let mut there = short_of_one("2026-03-10T11:59:55Z");
    there[0]["status"]["replicas"] = json!(2);
    assert!(found(&judged(&there), "db").diagnosis.findings.is_empty(), "no pod is missing");

    let mut since = short_of_one("2026-03-10T11:55:00Z");
    since[1]["metadata"]["creationTimestamp"] = json!("2026-03-10T11:56:00Z");
    assert!(found(&judged(&since), "db").diagnosis.findings.is_empty(), "a pod was created since");
}

#[test]
fn refusals_of_differently_named_pods_are_one_series() {
    let mut objects = short_of_one("2026-03-10T11:59:55Z");
    let mut later = event("StatefulSet", QUOTA, "2026-03-10T11:59:58Z");
    later["metadata"]["name"] = json!("db.2");
    later["firstTimestamp"] = json!("2026-03-10T11:59:58Z");
    objects.push(later);
    let answer = judged(&objects);
    let finding = &found(&answer, "db").diagnosis.findings[0];
    assert_eq!((finding.onset, finding.sufficient), ("2026-03-10T11:20:00Z".parse().unwrap(), true));
}

#[test]
fn of_refused_pods_the_newest_of_what_is_kept_is_the_template() {
    let status = json!({"desiredNumberScheduled": 2, "currentNumberScheduled": 0});
    let mut objects = vec![maker("DaemonSet", json!({}), status), event("DaemonSet", QUOTA, "2026-03-10T11:59:55Z")];
    for (name, number, created) in [("db-5565595d9f", 1, OLD), ("db-7d4f6c8b9d", 2, NEW)] {
        let mut kept = kept(name, number, name);
        kept["metadata"]["creationTimestamp"] = json!(created);
        kept["metadata"]["ownerReferences"] = owner("DaemonSet");
        objects.push(kept);
    }
    let answer = judged(&objects);
    assert_eq!(first(&answer, "db"), (Class::CreateRefused, Cause::QuotaExceeded, None));
    let s = &found(&answer, "db").case.snapshot;
    let newest = s.revisions.iter().max_by_key(|revision| revision.number).unwrap();
    assert_eq!((&*newest.name, newest.created), ("db-7d4f6c8b9d", NEW.parse().unwrap()));
    assert_eq!(s.revisions.len(), 2);
}

#[rstest]
#[case(json!({"suspend": true}), json!({}))]
#[case(json!({"parallelism": 2}), json!({"succeeded": 1}))]
#[case(json!({"parallelism": 2, "completions": 3}), json!({"succeeded": 2, "active": 1}))]
fn a_job_that_wants_no_more_pods_lacks_none(#[case] spec: Value, #[case] status: Value) {
    let answer = judged(&[maker("Job", spec, status), event("Job", QUOTA, "2026-03-10T11:59:55Z")]);
    assert!(found(&answer, "db").diagnosis.findings.is_empty());
}

#[path = "makers_story_tests.rs"]
mod story;
