use futures::FutureExt;
use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};

use super::super::page::Screen;
use super::*;
use crate::engine::first_signal::SignalKind;
use crate::engine::words::{ActionKind, Cause, Class, ContainerKind, RefusalReason};

const CRASHING: &str = include_str!("../policy/testdata/crashing.yaml");
const ZOO: &str = include_str!("testdata/zoo.yaml");

fn answer(text: &str) -> Answer {
    let mut intake = Intake::default();
    let gaps = input::take_text("objects.yaml", text.to_owned(), &mut intake).unwrap();
    let now = intake.newest.unwrap();
    let shown = std::mem::take(&mut intake.shown);
    let reach = Reach { source: Source::Input(&shown), everywhere: true };
    let mut workloads = diagnose(intake, now);
    // What was given is read without waiting for anything.
    around::surround(reach.source, &mut workloads, now).now_or_never().unwrap();
    around::tell(reach, &mut workloads, now).now_or_never().unwrap();
    Answer { workloads, gaps, now }
}

fn shown(answer: &Answer, width: usize) -> String {
    screen::render(answer, Screen { width, colour: false }, "backstay")
}

fn state_of(answer: &Answer, name: &str) -> State {
    found(answer, name).diagnosis.state
}

fn found<'a>(answer: &'a Answer, name: &str) -> &'a Diagnosed {
    answer.workloads.iter().find(|found| *found.case.snapshot.workload.name == *name).unwrap()
}

fn first(answer: &Answer, name: &str) -> (Class, Cause, Option<ContainerKind>) {
    let finding = &found(answer, name).diagnosis.findings[0];
    (finding.class, finding.cause, finding.container_kind)
}

#[rstest]
#[case::one("one", CRASHING)]
#[case::several("several", ZOO)]
fn a_diagnosis_is_one_screen(#[case] name: &str, #[case] text: &str) {
    let screen = shown(&answer(text), 100);
    assert!(screen.lines().count() <= 50, "{screen}");
    insta::assert_snapshot!(format!("screen_{name}"), screen);
}

#[rstest]
#[case::one("one", CRASHING)]
#[case::several("several", ZOO)]
fn a_diagnosis_is_a_document(#[case] name: &str, #[case] text: &str) {
    insta::assert_snapshot!(format!("markdown_{name}"), markdown::render(&answer(text), "backstay"));
}

#[rstest]
#[case::one("one", CRASHING)]
#[case::several("several", ZOO)]
fn the_json_is_the_contract(#[case] name: &str, #[case] text: &str) {
    let report = serde_json::to_value(Report::of(&answer(text).workloads)).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../../docs/diagnosis.schema.json")).unwrap();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("diagnosis.json", schema).unwrap();
    let compiled = compiler.compile("diagnosis.json", &mut schemas).unwrap();
    schemas.validate(&report, compiled).unwrap_or_else(|error| panic!("{error:#}"));
    let mut wrong = report.clone();
    wrong["workloads"][0]["state"] = "Broken".into();
    assert!(schemas.validate(&wrong, compiled).is_err(), "the schema refuses what is no word of the API");
    wrong = report.clone();
    wrong["workloads"][0]["surprise"] = 1.into();
    assert!(schemas.validate(&wrong, compiled).is_err(), "the schema refuses what is not in the contract");
    insta::assert_snapshot!(format!("json_{name}"), serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn the_schema_is_the_programs() {
    assert_eq!(report::schema().unwrap(), include_str!("../../../docs/diagnosis.schema.json"), "run make generate");
}

#[test]
fn everything_that_makes_pods_is_diagnosed() {
    let answer = answer(ZOO);
    assert_eq!(first(&answer, "bare-oom"), (Class::OOMKilled, Cause::ContainerLimit, Some(ContainerKind::App)));
    assert_eq!(first(&answer, "report"), (Class::CrashLoopBackOff, Cause::Panic, Some(ContainerKind::App)));
    // Its Deployment and ReplicaSet were not among the objects; the name of the ReplicaSet tells.
    assert_eq!(first(&answer, "web"), (Class::ImagePullBackOff, Cause::ImageNotFound, Some(ContainerKind::App)));
    let kinds: Vec<&str> = answer.workloads.iter().map(|found| &*found.case.snapshot.workload.kind).collect();
    assert_eq!(kinds, ["DaemonSet", "Deployment", "Job", "Job", "Pod", "StatefulSet"]);
    assert_eq!(state_of(&answer, "bare-oom"), State::Failing);
    assert_eq!(state_of(&answer, "report"), State::Failing);
}

#[test]
fn what_was_mended_or_has_done_its_work_is_no_failure() {
    let answer = answer(ZOO);
    for name in ["migrate", "agent"] {
        assert_eq!(state_of(&answer, name), State::Healthy, "{name}");
        assert!(found(&answer, name).diagnosis.findings.is_empty(), "{name}");
    }
}

#[test]
fn a_pod_that_waits_for_a_volume_is_failing_once_it_has_waited_too_long() {
    let mut answer = answer(ZOO);
    assert_eq!(state_of(&answer, "db"), State::Progressing);
    let mut intake = Intake::default();
    input::take_text("objects.yaml", ZOO.to_owned(), &mut intake).unwrap();
    answer.workloads = diagnose(intake, "2026-03-01T10:05:00Z".parse().unwrap());
    assert_eq!(first(&answer, "db"), (Class::Pending, Cause::VolumeUnbound, None));
    assert_eq!(state_of(&answer, "db"), State::Failing);
}

#[test]
fn odd_objects_among_good_ones_are_named_and_left_out() {
    let gaps = answer(ZOO).gaps;
    assert_eq!(gaps.len(), 3, "{gaps:?}");
    assert_eq!(gaps[0], "objects.yaml: items[9] (Pod/shop) was left out: it has no metadata.name");
    assert!(gaps[1].starts_with("objects.yaml: items[10] (Pod/shop/odd) was left out: invalid "), "{gaps:?}");
    assert_eq!(gaps[2], "objects.yaml: items[11] was left out: it is no object");
}

#[test]
fn one_failing_pod_of_many_is_failing_though_backstay_waits_for_more() {
    let copies = CRASHING.replacen("replicas: 2", "replicas: 9", 1);
    let copies =
        copies.split("---\n").filter(|part| !part.contains("kind: IncidentPolicy")).collect::<Vec<_>>().join("---\n");
    let (head, pod) = copies.rsplit_once("---\n").unwrap();
    let healthy = |n: usize| {
        let start = copies.find("---\napiVersion: v1\nkind: Pod").unwrap();
        let pod = copies.get(start..).unwrap().split("---\n").nth(1).unwrap();
        pod.replace("web-59-a", &format!("web-6d-{n}")).replace("web-59", "web-6d").replace("r-1", "r-2")
    };
    let pods: Vec<String> = (0..8).map(healthy).chain([pod.to_owned()]).collect();
    let answer = answer(&format!("{head}---\n{}", pods.join("---\n")));
    let found = found(&answer, "web");
    assert_eq!(found.diagnosis.state, State::Failing);
    assert_eq!(found.diagnosis.follows.action, None, "{:?}", found.diagnosis.follows);
}

#[test]
fn nothing_from_the_input_reaches_the_terminal_as_it_is() {
    for said in [shown(&answer(ZOO), 80), markdown::render(&answer(ZOO), "backstay")] {
        assert!(!said.contains("hunter2") && !said.chars().any(|c| c.is_control() && c != '\n'), "{said}");
    }
    let hostile =
        ZOO.replace("OOMKilled", "\"OOM\\e[2JKilled\\a\"").replace("name: cache", "name: \"c\\e]0;x\\aache\"");
    let said = shown(&answer(&hostile), 80);
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
}

#[test]
fn a_healthy_input_says_so_in_one_line() {
    let healthy: Vec<&str> = CRASHING.split("---\n").filter(|part| !part.contains("CrashLoopBackOff")).collect();
    let said = shown(&answer(&healthy.join("---\n")), 100);
    assert!(said.starts_with("Nothing is failing: 1 is Progressing.\n"), "{said}");
}

#[rstest]
#[case("web", 1)]
#[case("deploy/web", 1)]
#[case("Deployments.apps/web", 1)]
#[case("pod/web-6d4cf56db6-x", 1)]
#[case("web-6d4cf56db6-x", 1)]
#[case("rs/web-6d4cf56db6", 1)]
#[case("sts/db", 1)]
#[case("deployment/db", 0)]
#[case("nothing", 0)]
fn a_workload_is_named_as_to_kubectl(#[case] text: &str, #[case] found: usize) {
    assert_eq!(Target::parse(text).unwrap().among(answer(ZOO).workloads).len(), found);
}

#[rstest]
#[case("service/web")]
#[case("deployment/")]
#[case("")]
#[case("deployment/a/b")]
fn what_makes_no_pods_cannot_be_diagnosed(#[case] text: &str) {
    Target::parse(text).unwrap_err();
}

#[test]
fn a_later_sight_of_a_pod_counts_whatever_the_order() {
    let zoo: Vec<Value> = serde_saphyr::from_multiple(ZOO).unwrap();
    let agent = zoo[0]["items"].as_array().unwrap().iter().find(|item| item["metadata"]["name"] == "agent-x").unwrap();
    let sight = |version: &str, ready: bool| {
        let mut agent = agent.clone();
        agent["metadata"]["resourceVersion"] = version.into();
        agent["status"]["containerStatuses"][0]["ready"] = ready.into();
        agent["status"]["containerStatuses"][0]["lastState"] = Value::Null;
        agent["status"]["conditions"][0]["status"] = if ready { "True" } else { "False" }.into();
        agent
    };
    for (first, second) in [(sight("9", true), sight("10", false)), (sight("10", false), sight("9", true))] {
        assert_eq!(state_of(&answer(&format!("{first}\n{second}")), "agent"), State::Progressing);
    }
}

#[test]
fn now_is_the_newest_time_in_the_input() {
    assert_eq!(answer(ZOO).now, "2026-03-01T10:01:03Z".parse::<Timestamp>().unwrap());
}

/// The crashing rollout with more objects beside it.
fn crashing_with(more: &[Value]) -> Answer {
    let more: Vec<String> = more.iter().map(|object| format!("---\n{object}\n")).collect();
    answer(&format!("{CRASHING}\n{}", more.join("")))
}

fn object(api: &str, kind: &str, name: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": api, "kind": kind,
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": "2026-02-01T11:00:00Z"}});
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    object
}

fn service(ready: bool) -> [Value; 2] {
    let endpoint = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "uid": "web-59-a"}});
    let mut slice = object("discovery.k8s.io/v1", "EndpointSlice", "web-x", json!({"endpoints": [endpoint]}));
    slice["metadata"]["labels"] = json!({"kubernetes.io/service-name": "web"});
    [object("v1", "Service", "web", json!({"spec": {"selector": {"app": "web"}}})), slice]
}

#[test]
fn what_changed_and_who_suffers_is_told_of_files() {
    let [service, slice] = service(false);
    let caller = json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [
        {"name": "report", "env": [{"name": "WEB_URL", "value": "http://web:80"}]}]}}}}}});
    let rule = json!({"host": "shop.example.com", "http": {"paths": [{"backend": {"service": {"name": "web"}}}]}});
    let answer = crashing_with(&[
        service,
        slice,
        object("batch/v1", "CronJob", "report", caller),
        object("networking.k8s.io/v1", "Ingress", "shop", json!({"spec": {"rules": [rule]}})),
        object(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "web",
            json!({
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 2},
            "status": {"desiredReplicas": 2}}),
        ),
        object(
            "policy/v1",
            "PodDisruptionBudget",
            "web",
            json!({
            "spec": {"selector": {"matchLabels": {"app": "web"}}},
            "status": {"disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 2}}),
        ),
    ]);
    let story = found(&answer, "web").story.as_ref().unwrap();
    let said: Vec<&str> = story.what_changed.changes.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(said, ["image web: 1 → 2"]);
    assert_eq!(story.what_changed.compared_with.as_deref(), Some("web-59"));
    assert_eq!(
        story.blast_radius.because,
        "Service web has no ready endpoint; 1 host leads to it; HorizontalPodAutoscaler web is at its maximum of 2"
    );
    let first = story.first_signal.as_ref().unwrap();
    assert_eq!(first.at, "2026-03-01T10:00:41Z".parse().unwrap());
    let screen = shown(&answer, 100);
    for said in [
        "container web: image web: 1 → 2",
        "hosts: shop.example.com (Ingress shop)",
        "CronJob report calls Service web (env WEB_URL of container report)",
        "HorizontalPodAutoscaler web wants 2 of 2 replicas, its maximum",
    ] {
        assert!(screen.contains(said), "{said} in {screen}");
    }
    assert!(screen.lines().count() <= 50, "{screen}");
    let markdown = markdown::render(&answer, "backstay");
    assert!(
        markdown.contains("**Blast radius:** Outage, Critical") && markdown.contains("image web: 1 → 2"),
        "{markdown}"
    );
    assert!(markdown.contains("PodDisruptionBudget web: 2 of 2 needed pods healthy, 0 may be evicted"), "{markdown}");
}

#[test]
fn what_was_not_given_is_no_outage_and_is_named() {
    let [service, _] = service(true);
    let answer = crashing_with(&[service]);
    let story = found(&answer, "web").story.as_ref().unwrap();
    assert_eq!(story.blast_radius.effect.to_string(), "Unharmed", "{:?}", story.blast_radius);
    assert!(shown(&answer, 100).contains("endpointslices"), "{}", shown(&answer, 100));
}

#[test]
fn a_migration_among_the_objects_keeps_from_rolling_back() {
    let mut job = object(
        "batch/v1",
        "Job",
        "web-migrate",
        json!({
        "spec": {"template": {"spec": {"containers": [{"name": "run", "image": "web:2"}]}}},
        "status": {"startTime": "2026-03-01T10:00:00Z", "succeeded": 1}}),
    );
    job["metadata"]["uid"] = json!("j-1");
    assert_eq!(found(&crashing_with(&[]), "web").diagnosis.follows.action, Some(ActionKind::RollBack));
    let answer = crashing_with(&[job]);
    let follows = &found(&answer, "web").diagnosis.follows;
    assert_eq!(follows.action, Some(ActionKind::Freeze), "{follows:?}");
    assert!(follows.why.contains("web-migrate"), "{follows:?}");
}

#[test]
fn a_baseline_that_lacks_what_it_needs_is_not_gone_back_to() {
    let needs = |name: &str| {
        format!(
            "- {{name: web, image: \"web:1\", envFrom: [{{configMapRef: {{name: {name}}}}}], terminationMessagePath: /dev/termination-log}}"
        )
    };
    let text = CRASHING
        .replace("- {name: web, image: \"web:1\", terminationMessagePath: /dev/termination-log}", &needs("settings"));
    assert_ne!(text, CRASHING);
    let root = object("v1", "ConfigMap", "kube-root-ca.crt", json!({"data": {"ca.crt": "hunter2"}}));
    let answer = answer(&format!("{text}\n---\n{root}\n"));
    let refusal = found(&answer, "web").diagnosis.follows.refusal.as_ref().map(|refusal| refusal.reason);
    assert_eq!(refusal, Some(RefusalReason::BaselineWouldNotRun));
    let gone = &found(&answer, "web").story.as_ref().unwrap().what_changed.changes[0];
    assert_eq!(gone.subject, "ConfigMap settings", "what is gone comes first");
}

#[test]
fn a_config_map_that_changed_under_a_revision_is_told() {
    let text = CRASHING.replace(
        ", terminationMessagePath: /dev/termination-log}",
        ", envFrom: [{configMapRef: {name: settings}}], terminationMessagePath: /dev/termination-log}",
    );
    let mut settings = object("v1", "ConfigMap", "settings", json!({"data": {"URL": "hunter2"}}));
    settings["metadata"]["managedFields"] = json!([{"manager": "shop-ci", "operation": "Update", "apiVersion": "v1",
        "time": "2026-03-01T09:59:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:URL": {}}}}]);
    let answer = answer(&format!("{text}\n---\n{settings}\n"));
    let screen = shown(&answer, 100);
    assert!(screen.contains("ConfigMap settings: changed (keys URL); both revisions name it"), "{screen}");
    assert!(screen.contains("by shop-ci") && !screen.contains("hunter2"), "{screen}");
}

#[test]
fn what_an_event_said_before_the_first_exit_is_the_first_sign() {
    let about = json!({"kind": "Pod", "namespace": "shop", "name": "web-6d-a", "uid": "web-6d-a"});
    let event = object(
        "v1",
        "Event",
        "web-6d-a.1",
        json!({"involvedObject": about, "reason": "Unhealthy", "count": 3,
        "message": "Readiness probe failed: token=hunter2 refused",
        "firstTimestamp": "2026-03-01T10:00:05Z", "lastTimestamp": "2026-03-01T10:00:35Z"}),
    );
    let answer = crashing_with(&[event]);
    let first = found(&answer, "web").story.as_ref().unwrap().first_signal.clone().unwrap();
    assert_eq!((first.kind, first.source.as_str()), (SignalKind::Event, "pod/web-6d-a events[Unhealthy]"));
    assert!(!first.text.contains("hunter2") && first.detected_after_seconds > 30, "{first:?}");
}

#[test]
fn a_node_that_ran_out_of_memory_is_known_by_its_event_alone() {
    let text = CRASHING.replace("exitCode: 1, reason: Error", "exitCode: 137, reason: Error");
    let (nodes, rest) = text.split_once("kind: Deployment").unwrap();
    assert!(nodes.contains("kind: Node"));
    let event = object(
        "v1",
        "Event",
        "n1.1",
        json!({"involvedObject": {"kind": "Node", "name": "n1", "uid": "n1"},
        "reason": "SystemOOM", "message": "System OOM encountered, victim process: web",
        "firstTimestamp": "2026-03-01T10:00:41Z", "lastTimestamp": "2026-03-01T10:00:41Z"}),
    );
    let answer = answer(&format!("apiVersion: apps/v1\nkind: Deployment{rest}\n---\n{event}\n"));
    assert_eq!(first(&answer, "web").1, Cause::NodeOutOfMemory);
}

#[test]
fn what_kubectl_shows_is_beside_it() {
    assert!(shown(&answer(CRASHING), 100).contains("kubectl get pods shows CrashLoopBackOff"));
}
