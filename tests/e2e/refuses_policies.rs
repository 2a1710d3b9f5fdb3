//! Policies that make no sense are refused when they are applied, by the API server and by `backstay policy lint` alike.

use std::io::Write;
use std::process::{Command, Stdio};

use backstay::api::{ClusterIncidentPolicy, Incident, IncidentPolicy, WorkloadHealth};
use jiff::Timestamp;
use kube::Resource;
use kube::api::{Patch, PatchParams, PostParams};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::app::{merge, policy};
use crate::support::case;
use crate::support::case::client;

#[rstest]
#[case::no_selector(json!({"selector": null}), "selector")]
#[case::empty_selector(json!({"selector": {"matchLabels": null}}), "an empty selector would match everything")]
#[case::unknown_operator(selects(json!({"operator": "Contains", "values": ["x"]})), "Contains")]
#[case::in_nothing(selects(json!({"operator": "In"})), "need values")]
#[case::exists_with_values(selects(json!({"operator": "Exists", "values": ["x"]})), "take none")]
#[case::not_a_key(selects(json!({"key": "a b", "operator": "Exists"})), "key")]
#[case::not_a_value(json!({"selector": {"matchLabels": {"app": "two words"}}}), "app")]
#[case::not_a_key_of_a_label(json!({"selector": {"matchLabels": {"a b": "x"}}}), "a key of matchLabels is not one that a label can have")]
#[case::too_many_labels(json!({"selector": {"matchLabels": many_labels()}}), "matchLabels")]
#[case::unknown_mode(json!({"mode": "Enforced"}), "Enforced")]
#[case::no_time_to_be_stable(json!({"rollout": {"stableSeconds": 0}}), "stableSeconds")]
#[case::watched_before_it_began(json!({"rollout": {"watchSeconds": -1}}), "watchSeconds")]
#[case::watched_for_ever(json!({"rollout": {"watchSeconds": 86401}}), "watchSeconds")]
#[case::unknown_suspicion(json!({"rollout": {"onSuspicion": "Stop"}}), "Stop")]
#[case::unknown_failure(rule(json!({"match": {"failures": ["CrashLoopBackoff"]}})), "CrashLoopBackoff")]
#[case::unknown_cause(rule(json!({"match": {"causes": ["Oops"]}})), "Oops")]
#[case::nameless_container(rule(json!({"match": {"containers": [""]}})), "containers")]
#[case::container_of_no_name(rule(json!({"match": {"containers": ["Web App!"]}})), "containers")]
#[case::container_twice(rule(json!({"match": {"containers": ["web", "web"]}})), "containers")]
#[case::containers_of_pods_that_wait_for_a_node(
    rule(json!({"match": {"failures": ["Pending", "PodSetup"], "containers": ["web"]}})),
    "none of them is that of a container"
)]
#[case::containers_of_a_cause_of_no_container(
    rule(json!({"match": {"causes": ["QuotaExceeded", "ReadinessGate"], "containers": ["web"]}})),
    "none of them is that of a container"
)]
#[case::failure_twice(rule(json!({"match": {"failures": ["OOMKilled", "OOMKilled"]}})), "failures")]
#[case::cause_twice(rule(json!({"match": {"causes": ["Taints", "Taints"]}})), "causes")]
#[case::pattern_twice(rule(json!({"match": {"logs": ["a", "a"]}})), "logs")]
#[case::foreign_cause(
    rule(json!({"match": {"failures": ["OOMKilled"], "causes": ["ContainerLimit", "Taints"]}})),
    "no cause of the failures|match.causes holds a cause that none of match.failures has"
)]
#[case::exits_of_images(counted("ImagePullBackOff", "exits"), "threshold.exits counts for none of the failures")]
#[case::attempts_of_crashes(
    counted("CrashLoopBackOff", "attempts"),
    "threshold.attempts counts for none of the failures"
)]
#[case::flaps_of_crashes(counted("CrashLoopBackOff", "flaps"), "threshold.flaps counts for none of the failures")]
#[case::flaps_of_another_cause(
    rule(json!({"match": {"failures": ["Unready"], "causes": ["ReadinessHttp"]}, "threshold": {"flaps": 3}})),
    "threshold.flaps counts for none of the failures"
)]
#[case::exits_of_a_cause_alone(
    rule(json!({"match": {"causes": ["Taints"]}, "threshold": {"exits": 3}})),
    "threshold.exits counts for none of the failures"
)]
#[case::blank_rule(rule(json!({"name": " "})), "name")]
#[case::rule_of_two_lines(rule(json!({"name": "a\nb"})), "name")]
#[case::no_pattern(rule(json!({"match": {"logs": ["("]}})), "match.logs")]
#[case::nameless_rule(rule(json!({"name": ""})), "name")]
#[case::built_in_name(rule(json!({"name": "builtin-crash"})), "builtin-")]
#[case::same_name(json!({"rules": [{"name": "a"}, {"name": "a"}]}), "name")]
#[case::no_pods(rule(json!({"threshold": {"pods": "0"}})), "pods")]
#[case::more_than_all_pods(rule(json!({"threshold": {"pods": "101%"}})), "pods")]
#[case::half_a_pod(rule(json!({"threshold": {"pods": "0.5"}})), "pods")]
#[case::no_exits(rule(json!({"threshold": {"exits": 0}})), "exits")]
#[case::no_attempts(rule(json!({"threshold": {"attempts": 0}})), "attempts")]
#[case::one_flap(rule(json!({"threshold": {"flaps": 1}})), "flaps")]
#[case::a_time_below_zero(rule(json!({"threshold": {"forSeconds": -1}})), "forSeconds")]
#[case::unknown_action(rule(json!({"action": "Rollback"})), "Rollback")]
#[case::no_rollbacks(json!({"guards": {"maxRollbacks": 0}}), "maxRollbacks")]
#[case::no_window(json!({"guards": {"windowSeconds": 0}}), "windowSeconds")]
#[case::cooldown_below_zero(json!({"guards": {"cooldownSeconds": -1}}), "cooldownSeconds")]
#[case::unknown_approval(json!({"guards": {"approval": "Sometimes"}}), "Sometimes")]
#[case::no_impact(json!({"impact": {}}), "impact")]
#[case::nameless_service(json!({"impact": {"businessService": ""}}), "businessService")]
#[case::blank_service(json!({"impact": {"businessService": " "}}), "businessService")]
#[case::tier_of_none(json!({"impact": {"tier": 0}}), "tier")]
#[case::a_word_for_a_number(json!({"rollout": {"stableSeconds": "30s"}}), "stableSeconds")]
#[case::a_field_misspelt(json!({"guards": {"coolDownSeconds": 5}}), "coolDownSeconds")]
#[tokio::test]
async fn t31_a_policy_that_makes_no_sense_is_refused_when_it_is_applied(#[case] terms: Value, #[case] named: &str) {
    // Where the two have words of their own, those of the API server come second.
    let (hint, message) = named.split_once('|').unwrap_or((named, named));
    let object = policy(terms);
    let (sound, said) = linted(&object);
    assert!(!sound && said.contains(hint), "policy lint says {said:?} of {object}");
    let refusal = created::<IncidentPolicy>(object).await.expect_err("refused by the API server");
    assert!(refusal.contains(message), "{refusal}");
}

#[rstest]
#[case::no_namespaces(json!({"namespaceSelector": null}), "namespaceSelector")]
#[case::empty_namespaces(json!({"namespaceSelector": {"matchExpressions": null}}), "an empty selector would match everything")]
#[case::namespaces_in_nothing(in_namespaces(json!({"operator": "In"})), "need values")]
#[case::empty_selector(json!({"selector": {"matchLabels": null}}), "an empty selector would match everything")]
#[case::same_name(json!({"rules": [{"name": "a"}, {"name": "a"}]}), "an earlier rule is called a|every rule needs a name of its own")]
#[case::built_in_name(rule(json!({"name": "builtin-crash"})), "builtin-")]
#[case::foreign_cause(
    rule(json!({"match": {"failures": ["OOMKilled"], "causes": ["Taints"]}})),
    "no cause of the failures|match.causes holds a cause that none of match.failures has"
)]
#[case::flaps_of_crashes(counted("CrashLoopBackOff", "flaps"), "threshold.flaps counts for none of the failures")]
#[case::not_a_key_of_a_label(
    json!({"namespaceSelector": {"matchLabels": {"a b": "x"}}}),
    "a key of matchLabels is not one that a label can have"
)]
#[tokio::test]
async fn t31_so_is_one_for_the_whole_cluster(#[case] terms: Value, #[case] named: &str) {
    // Where the two have words of their own, those of the API server come second.
    let (hint, message) = named.split_once('|').unwrap_or((named, named));
    let object = cluster_policy(terms);
    let (sound, said) = linted(&object);
    assert!(!sound && said.contains(hint), "policy lint says {said:?} of {object}");
    let refusal = created::<ClusterIncidentPolicy>(object).await.expect_err("refused by the API server");
    assert!(refusal.contains(message), "{refusal}");
}

/// What the tables take their samples from is itself accepted.
#[tokio::test]
async fn t31_a_policy_that_makes_sense_is_accepted() {
    let matched = json!({"failures": ["OOMKilled", "ContainerStart"], "causes": ["ContainerLimit", "CommandNotFound"]});
    for terms in [
        json!({}),
        selects(json!({"operator": "In", "values": ["a"]})),
        json!({"selector": {"matchLabels": {"app.kubernetes.io/name": "web", "app": ""}}}),
        rule(json!({})),
        rule(json!({"name": "ältere Pods", "match": {"containers": ["web-1"], "logs": ["a", "b"]}})),
        rule(json!({"match": matched, "threshold": {"exits": 3, "attempts": 2}})),
        rule(json!({"match": {"causes": ["Flapping", "Taints"]}, "threshold": {"flaps": 3, "forSeconds": 5}})),
        counted("ContainerStart", "exits"),
        counted("Unready", "flaps"),
        json!({"impact": {"tier": 1}}),
        // Odd, and not for the API server to say: `policy lint` warns.
        json!({"rollout": {"watchSeconds": 0}, "guards": {"cooldownSeconds": 3600}}),
    ] {
        let object = policy(terms.clone());
        assert!(linted(&object).0, "policy lint refuses {object}");
        created::<IncidentPolicy>(object).await.expect("accepted");
        let object = cluster_policy(terms);
        assert!(linted(&object).0, "policy lint refuses {object}");
        created::<ClusterIncidentPolicy>(object).await.expect("accepted");
    }
}

#[tokio::test]
async fn the_memory_of_one_workload_never_becomes_anothers() {
    case::run("health-immutable", async |t| {
        let api = t.api::<WorkloadHealth>();
        let health = |uid: &str| -> WorkloadHealth {
            let spec = json!({"workloadUid": uid});
            serde_json::from_value(json!({
                "apiVersion": "backstay.dev/v1alpha1", "kind": "WorkloadHealth", "metadata": {"name": "web"}, "spec": spec,
            }))
            .expect("a memory")
        };
        let refusal = api.create(&PostParams::default(), &health("")).await.expect_err("of nobody").to_string();
        assert!(refusal.contains("workloadUid"), "{refusal}");
        api.create(&PostParams::default(), &health("d-1")).await.expect("creating a memory");
        let other = Patch::Merge(json!({"spec": {"workloadUid": "d-2"}}));
        let refusal = api.patch("web", &PatchParams::default(), &other).await.expect_err("of another").to_string();
        assert!(refusal.contains("the memory of one workload never becomes another's"), "{refusal}");
    })
    .await;
}

#[tokio::test]
async fn what_was_seen_when_an_incident_was_opened_is_never_changed() {
    case::run("immutable", async |t| {
        let api = t.api::<Incident>();
        api.create(&PostParams::default(), &incident()).await.expect("creating an incident");
        let change = async |patch: Value| {
            let trial = PatchParams { dry_run: true, ..PatchParams::default() };
            api.patch("web-1", &trial, &Patch::Merge(patch)).await.map_err(|e| e.to_string())
        };
        let opened = "what was seen when the incident was opened never changes";
        for (patch, named) in [
            (json!({"opened": {"why": "something else"}}), opened),
            (json!({"opened": {"intent": null}}), opened),
            (json!({"opened": {"episode": 2}}), opened),
            (json!({"workload": {"name": "api"}}), "the workload of an incident never changes"),
            (json!({"workload": {"uid": "d-2"}}), "the workload of an incident never changes"),
        ] {
            let refusal = change(json!({"spec": patch})).await.expect_err("refused by the API server");
            assert!(refusal.contains(named), "{patch}: {refusal}");
        }
        let noted =
            change(json!({"spec": {"notes": ["a disk was full"]}})).await.expect("people may add what they know");
        assert_eq!(noted.spec.notes, ["a disk was full"]);
    })
    .await;
}

/// An incident as Backstay opens it, of a workload that no test has.
fn incident() -> Incident {
    let failing = json!({"name": "web-6d", "uid": "r-2", "hash": "6d"});
    let target = json!({"name": "web-59", "uid": "r-1", "hash": "59"});
    let now = Timestamp::now();
    serde_json::from_value(json!({
        "apiVersion": "backstay.dev/v1alpha1", "kind": "Incident", "metadata": {"name": "web-1"},
        "spec": {
            "workload": {"kind": "Deployment", "name": "web", "uid": "d-1"},
            "opened": {
                "at": now, "policy": "IncidentPolicy/web", "severity": "Critical", "failing": failing, "episode": 1,
                "why": "it crashes",
                "intent": {"kind": "RollBack", "target": target, "failing": failing, "generation": 2, "deadline": now},
            },
        },
    }))
    .expect("an incident")
}

/// The same terms for workloads in namespaces with a label.
fn cluster_policy(terms: Value) -> Value {
    let mut object =
        policy(json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}}));
    object["kind"] = json!("ClusterIncidentPolicy");
    merge(&mut object["spec"], terms);
    object
}

fn in_namespaces(expression: Value) -> Value {
    json!({"namespaceSelector": selects(expression)["selector"]})
}

/// Whether `backstay policy lint` has nothing against it, and what it says.
fn linted(object: &Value) -> (bool, String) {
    let mut lint = Command::new(env!("CARGO_BIN_EXE_backstay"));
    let lint = lint.args(["policy", "lint", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut lint = lint.spawn().expect("backstay runs");
    lint.stdin.take().unwrap().write_all(object.to_string().as_bytes()).unwrap();
    let output = lint.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

fn selects(expression: Value) -> Value {
    let mut whole = json!({"key": "app"});
    json_patch::merge(&mut whole, &expression);
    json!({"selector": {"matchExpressions": [whole]}})
}

/// A rule on a class of failures, with a threshold of this name.
fn counted(failure: &str, threshold: &str) -> Value {
    rule(json!({"match": {"failures": [failure]}, "threshold": {threshold: 3}}))
}

fn many_labels() -> Value {
    (0..33).map(|n| (format!("label-{n}"), json!("x"))).collect::<serde_json::Map<_, _>>().into()
}

fn rule(part: Value) -> Value {
    let mut whole = json!({"name": "mine"});
    json_patch::merge(&mut whole, &part);
    json!({"rules": [whole]})
}

/// Asks the API server as `kubectl apply` does, with unknown fields refused; nothing is kept.
async fn created<K: Resource<DynamicType = ()>>(mut object: Value) -> Result<(), String> {
    object["metadata"] = json!({"generateName": "nonsense-"});
    let client = client().await;
    let namespaced = object["kind"] == "IncidentPolicy";
    let url = K::url_path(&(), namespaced.then_some("default"));
    let body = serde_json::to_vec(&object).unwrap();
    let path = format!("{url}?dryRun=All&fieldValidation=Strict");
    let request = http::Request::post(path).header("Content-Type", "application/json").body(body).unwrap();
    client.request::<Value>(request).await.map(|_| ()).map_err(|e| e.to_string())
}
