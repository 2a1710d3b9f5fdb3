//! What is told of what lies around StatefulSets, DaemonSets, Jobs and pods of nobody.

use super::*;
use crate::cli::diagnose::around::Story;
use crate::engine::blast_radius::Effect;
use crate::engine::first_signal::SignalKind;

fn told(objects: &[Value]) -> Answer {
    told_with(objects, &[])
}

fn told_with(objects: &[Value], alerts: &[Alert]) -> Answer {
    let text: Vec<String> = objects.iter().map(ToString::to_string).collect();
    alerted(&text.join("\n"), alerts)
}

fn story<'a>(answer: &'a Answer, name: &str) -> &'a Story {
    found(answer, name).story.as_ref().unwrap()
}

fn changes(story: &Story) -> Vec<String> {
    story.what_changed.changes.iter().map(|change| format!("{}: {}", change.subject, change.text)).collect()
}

fn in_shop(api: &str, kind: &str, name: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": api, "kind": kind,
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": "2026-02-01T11:00:00Z"}});
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    object
}

/// A Service of the pods that are labelled so, and its endpoints.
fn service(ready: &[bool]) -> [Value; 2] {
    let endpoint =
        |(at, ready): (usize, &bool)| json!({"addresses": [format!("10.0.0.{at}")], "conditions": {"ready": ready}});
    let endpoints: Vec<Value> = ready.iter().enumerate().map(endpoint).collect();
    let mut slice = in_shop("discovery.k8s.io/v1", "EndpointSlice", "db-x", json!({"endpoints": endpoints}));
    slice["metadata"]["labels"] = json!({"kubernetes.io/service-name": "db"});
    [in_shop("v1", "Service", "db", json!({"spec": {"selector": {"app": "db"}}})), slice]
}

/// What is kept of a revision that labels its pods and names a ConfigMap.
fn kept_with(name: &str, number: i64, (image, settings): (&str, &str)) -> Value {
    let mut kept = kept(name, number, image);
    kept["data"]["spec"]["template"]["metadata"] = json!({"labels": {"app": "db"}});
    kept["data"]["spec"]["template"]["spec"]["containers"][0]["envFrom"] =
        json!([{"configMapRef": {"name": settings}}]);
    kept
}

fn both_kept(settings: &str) -> [Value; 2] {
    [kept_with("db-5565595d9f", 1, ("db:1", settings)), kept_with("db-7d4f6c8b9d", 2, ("db:2", settings))]
}

#[test]
fn a_bad_rollout_of_a_stateful_set_is_told_as_that_of_a_deployment() {
    let mut objects = rollout(["db:1", "db:2"]);
    objects.extend(both_kept("settings"));
    objects.extend(service(&[true, false]));
    let answer = told(&objects);
    let story = story(&answer, "db");
    assert_eq!(changes(story), ["container db: image db: 1 → 2"]);
    assert_eq!(story.what_changed.compared_with.as_deref(), Some("db-5565595d9f"));
    assert_eq!(story.blast_radius.effect, Effect::Degraded);
    assert_eq!((story.blast_radius.services[0].ready, story.blast_radius.services[0].expected), (Some(1), 2));
    let first = story.first_signal.as_ref().unwrap();
    assert_eq!((first.kind, &*first.source), (SignalKind::Status, "pod/db-1 containerStatuses[db].lastState"));
    let follows = &found(&answer, "db").diagnosis.follows;
    assert_eq!((follows.action, &*follows.why), (None, "Backstay acts on Deployments only"));
}

#[test]
fn where_no_pod_of_it_is_left_the_revision_before_is_what_was_changed() {
    let mut objects = vec![
        maker("DaemonSet", json!({}), json!({"desiredNumberScheduled": 1, "currentNumberScheduled": 1})),
        pod("DaemonSet", "a", "7d4f6c8b9d", "db:2", NEW),
    ];
    for mut kept in both_kept("settings") {
        let hash = kept["metadata"]["name"].as_str().unwrap().replace("db-", "");
        kept["metadata"]["labels"] = json!({"controller-revision-hash": hash});
        kept["metadata"]["ownerReferences"] = owner("DaemonSet");
        objects.push(kept);
    }
    let answer = told(&objects);
    assert_eq!(changes(story(&answer, "db")), ["container db: image db: 1 → 2"]);
    assert_eq!(story(&answer, "db").what_changed.compared_with.as_deref(), Some("db-5565595d9f"));
    assert_eq!(story(&answer, "db").blast_radius.effect, Effect::Outage);
    let (_, confidence, because) = blamed(&answer);
    assert_eq!(confidence, Confidence::Possible, "nobody saw that one do well");
    assert!(because.ends_with("there is no healthy revision to compare with"), "{because}");
    assert_eq!(&*found(&answer, "db").diagnosis.findings[0].revision, "7d4f6c8b9d");
}

#[rstest]
#[case::of_two_revisions(rollout(["db:1", "db:2"]), "ControllerRevision db-5565595d9f (not in the input)")]
#[case::of_one(daemons(["67b9c5f4d8"; 3]), "controllerrevisions (not in the input)")]
fn what_is_not_given_is_named(#[case] objects: Vec<Value>, #[case] gap: &str) {
    let answer = told(&objects);
    let unseen = &story(&answer, "db").what_changed.not_looked_at;
    assert!(unseen.iter().any(|unseen| unseen == gap), "{unseen:?}");
    assert_eq!(story(&answer, "db").what_changed.compared_with, None);
}

/// One pod of three was started again today and crashes; they are all on one node and of one revision.
fn one_of_three() -> Vec<Value> {
    let mark = "db-7d4f6c8b9d";
    let mut objects = vec![stateful_set(3)];
    objects.extend([("db-0", OLD), ("db-1", OLD), ("db-2", NEW)].map(|(name, created)| {
        let mut pod = pod("StatefulSet", name, mark, "db:2", created);
        pod["spec"]["nodeName"] = json!("n1");
        pod
    }));
    objects.push(kept_with(mark, 1, ("db:2", "settings")));
    objects
}

fn settings(changed: &str) -> Value {
    let mut settings = in_shop("v1", "ConfigMap", "settings", json!({"data": {"URL": "hunter2"}}));
    settings["metadata"]["managedFields"] = json!([{"manager": "shop-ci", "operation": "Update", "apiVersion": "v1",
        "time": changed, "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:URL": {}}}}]);
    settings
}

#[test]
fn a_config_map_that_changed_under_running_pods_is_at_fault() {
    let mut objects = one_of_three();
    objects.push(settings("2026-03-10T11:40:00Z"));
    let answer = told(&objects);
    let (fault, confidence, because) = blamed(&answer);
    assert_eq!((fault, confidence), (Fault::Configuration, Confidence::Likely), "{because}");
    assert!(because.contains("ConfigMap settings changed") && because.contains("under a revision that had run well"));
    assert!(changes(story(&answer, "db"))[0].starts_with("ConfigMap settings: changed (keys URL)"));

    // What they were all started with explains nothing.
    let mut before = one_of_three();
    before.push(settings("2026-03-01T11:40:00Z"));
    assert_ne!(blamed(&told(&before)).0, Fault::Configuration);
}

#[test]
fn a_revision_that_nobody_saw_well_does_not_prove_what_it_needs() {
    let mut objects = vec![stateful_set(1)];
    let mut lacking = pod("StatefulSet", "db-0", "db-7d4f6c8b9d", "db:2", NEW);
    lacking["status"]["containerStatuses"][0] = json!({"name": "db", "ready": false, "restartCount": 0, "state": {
        "waiting": {"reason": "CreateContainerConfigError", "message": "configmap \"settings\" not found"}}});
    objects.push(lacking);
    objects.extend(both_kept("settings"));
    objects.push(in_shop("v1", "ConfigMap", "kube-root-ca.crt", json!({})));
    let answer = told(&objects);
    assert_eq!(first(&answer, "db").1, Cause::MissingConfigMap);
    let (_, confidence, because) = blamed(&answer);
    assert_ne!(confidence, Confidence::Certain, "{because}");
    assert!(!because.contains("the healthy revision needs"), "{because}");
    assert!(changes(story(&answer, "db"))[0].starts_with("ConfigMap settings: does not exist"));
}

#[test]
fn a_job_is_no_outage_and_has_no_past() {
    let mut objects = vec![maker("Job", json!({"template": {"metadata": {"labels": {"app": "db"}}}}), json!({}))];
    objects.push(event("Job", QUOTA, "2026-03-10T11:59:55Z"));
    let answer = told(&objects);
    let blast = &story(&answer, "db").blast_radius;
    let because = "its work is not done; nothing that serves is known to be lost";
    assert_eq!((blast.effect, &*blast.because), (Effect::Unharmed, because));
    let unseen = &story(&answer, "db").what_changed.not_looked_at;
    assert!(unseen.contains(&"what the template was before (a Job does not keep it)".to_owned()), "{unseen:?}");
    let first = story(&answer, "db").first_signal.as_ref().unwrap();
    assert!(first.source.starts_with("job/db events[FailedCreate]"), "{first:?}");

    objects.extend(service(&[]));
    assert_eq!(story(&told(&objects), "db").blast_radius.effect, Effect::Outage, "somebody calls it");
}

#[test]
fn a_pod_of_nobody_is_told_by_its_own_labels() {
    let mut alone = pod("", "db", "", "db:1", NEW);
    alone["metadata"]["ownerReferences"] = json!([]);
    alone["metadata"]["labels"] = json!({"app": "db"});
    let mut objects = vec![alone];
    objects.extend(service(&[false]));
    let answer = told(&objects);
    assert_eq!(story(&answer, "db").blast_radius.because, "Service db has no ready endpoint");
    objects[0]["metadata"]["labels"] = json!({"app": "other"});
    let answer = told(&objects);
    assert_eq!(story(&answer, "db").blast_radius.because, "no replica is ready, of 1");
}

#[test]
fn a_service_of_a_single_pod_is_named_as_not_counted() {
    let of = |pod: &str| json!({"spec": {"selector": {"app": "db", "statefulset.kubernetes.io/pod-name": pod}}});
    let mut objects = rollout(["db:1", "db:2"]);
    objects.extend(both_kept("settings"));
    objects.extend([in_shop("v1", "Service", "own", of("db-1")), in_shop("v1", "Service", "foreign", of("db-x-1"))]);
    let answer = told(&objects);
    let blast = &story(&answer, "db").blast_radius;
    let unseen = "Services own (each leads to a single pod, and endpoints of those are not counted)";
    assert!(blast.services.is_empty() && blast.not_looked_at.iter().any(|gap| gap == unseen), "{blast:?}");
}

#[rstest]
#[case("apps/v1", "ReplicaSet")]
#[case("v1", "ReplicationController")]
fn what_stands_for_itself_is_told_without_a_past(#[case] group: &str, #[case] kind: &str) {
    let template = json!({"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [
        {"name": "db", "image": "db:1", "envFrom": [{"configMapRef": {"name": "settings"}}]}]}});
    let spec = json!({"replicas": 2, "template": template});
    let mut objects = vec![maker(kind, spec, json!({"replicas": 1})), pod(kind, "db-x", "", "db:1", NEW)];
    objects[0]["apiVersion"] = json!(group);
    objects.extend(service(&[false]));
    objects.push(settings("2026-03-10T11:40:00Z"));
    let answer = told(&objects);
    let story = story(&answer, "db");
    assert_eq!((story.blast_radius.effect, story.blast_radius.replicas.desired), (Effect::Outage, 2));
    assert!(changes(story)[0].starts_with("ConfigMap settings: changed (keys URL); the failing pods name it"));
    let unseen = format!("what the template was before (a {kind} does not keep it)");
    assert!(story.what_changed.not_looked_at.contains(&unseen), "{:?}", story.what_changed.not_looked_at);
    assert_eq!(&*found(&answer, "db").case.snapshot.workload.kind, kind);
}

#[test]
fn pods_of_what_was_not_seen_do_not_tell_how_many_there_should_be() {
    let objects = rollout(["db:1", "db:2"]);
    let answer = told(&objects[1..]);
    let unseen = &story(&answer, "db").blast_radius.not_looked_at;
    assert_eq!(unseen[0], "how many replicas are asked for (StatefulSet db was not seen)");
    let told = "Services and budgets that select the pods (the labels of the pods are not known)";
    assert!(unseen.iter().any(|unseen| unseen == told), "{unseen:?}");
}

#[test]
fn an_autoscaler_is_of_one_kind() {
    let scaler = |kind: &str| {
        let target = json!({"kind": kind, "name": "db"});
        let rest = json!({"spec": {"scaleTargetRef": target, "maxReplicas": 2}, "status": {"desiredReplicas": 2}});
        in_shop("autoscaling/v2", "HorizontalPodAutoscaler", "db", rest)
    };
    for (kind, expected) in [("StatefulSet", true), ("Deployment", false)] {
        let mut objects = rollout(["db:1", "db:2"]);
        objects.push(scaler(kind));
        assert_eq!(story(&told(&objects), "db").blast_radius.autoscaler.is_some(), expected, "{kind}");
    }
}

#[rstest]
#[case("statefulset", "db", true)]
#[case("deployment", "db", false)]
#[case("statefulset", "other", false)]
fn an_alert_may_name_any_kind(#[case] label: &str, #[case] name: &str, #[case] expected: bool) {
    let alert = json!([{"labels": {"alertname": "Down", "namespace": "shop", label: name}, "annotations": {},
        "startsAt": "2026-03-10T11:51:00Z", "status": {"state": "active"}}]);
    let now = "2026-03-10T12:00:00Z".parse().unwrap();
    let alerts = crate::cli::diagnose::alerts::take("alerts.json", alert.to_string().as_bytes(), now).unwrap().0;
    let answer = told_with(&rollout(["db:1", "db:2"]), &alerts);
    let first = story(&answer, "db").first_signal.as_ref().unwrap();
    assert_eq!(first.kind == SignalKind::Alert, expected, "{first:?}");
}

#[test]
fn others_that_fail_and_were_rolled_out_are_named_by_their_kind() {
    let mut objects = rollout(["db:1", "db:2"]);
    let mut alone = pod("", "debug", "", "db:2", NEW);
    alone["metadata"]["ownerReferences"] = json!([]);
    objects.push(alone);
    let answer = told(&objects);
    let kin = &story(&answer, "debug").blast_radius.also_failing;
    assert_eq!((&*kin[0].workload, &*kin[0].shares[0]), ("StatefulSet shop/db", "image db:2"));
    assert_eq!(changes(story(&answer, "debug")), ["StatefulSet db: rolled out revision 7d4f6c8b9d"]);
    assert!(changes(story(&answer, "db")).iter().all(|change| !change.contains("rolled out")), "a pod is no rollout");
}
