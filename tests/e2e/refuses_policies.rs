//! Policies that make no sense are refused when they are applied, by the API server and by `backstay policy lint` alike.

use std::io::Write;
use std::process::{Command, Stdio};

use backstay::api::IncidentPolicy;
use kube::Api;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::app::policy;
use crate::support::case::client;

#[rstest]
#[case::no_selector(json!({"selector": null}), "selector")]
#[case::empty_selector(json!({"selector": {"matchLabels": null}}), "an empty selector would match everything")]
#[case::unknown_operator(selects(json!({"operator": "Contains", "values": ["x"]})), "Contains")]
#[case::in_nothing(selects(json!({"operator": "In"})), "need values")]
#[case::exists_with_values(selects(json!({"operator": "Exists", "values": ["x"]})), "take none")]
#[case::not_a_key(selects(json!({"key": "a b", "operator": "Exists"})), "key")]
#[case::not_a_value(json!({"selector": {"matchLabels": {"app": "two words"}}}), "app")]
#[case::unknown_mode(json!({"mode": "Enforced"}), "Enforced")]
#[case::no_time_to_be_stable(json!({"rollout": {"stableSeconds": 0}}), "stableSeconds")]
#[case::watched_before_it_began(json!({"rollout": {"watchSeconds": -1}}), "watchSeconds")]
#[case::watched_for_ever(json!({"rollout": {"watchSeconds": 86401}}), "watchSeconds")]
#[case::unknown_suspicion(json!({"rollout": {"onSuspicion": "Stop"}}), "Stop")]
#[case::unknown_failure(rule(json!({"match": {"failures": ["CrashLoopBackoff"]}})), "CrashLoopBackoff")]
#[case::unknown_cause(rule(json!({"match": {"causes": ["Oops"]}})), "Oops")]
#[case::nameless_container(rule(json!({"match": {"containers": [""]}})), "containers")]
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
#[case::tier_of_none(json!({"impact": {"tier": 0}}), "tier")]
#[case::a_word_for_a_number(json!({"rollout": {"stableSeconds": "30s"}}), "stableSeconds")]
#[case::a_field_misspelt(json!({"guards": {"coolDownSeconds": 5}}), "coolDownSeconds")]
#[tokio::test]
async fn t31_a_policy_that_makes_no_sense_is_refused_when_it_is_applied(#[case] terms: Value, #[case] named: &str) {
    let object = policy(terms);
    let (sound, said) = linted(&object);
    assert!(!sound && said.contains(named), "policy lint says {said:?} of {object}");
    let refusal = created(object).await.expect_err("refused by the API server");
    assert!(refusal.contains(named), "{refusal}");
}

/// What the table takes its samples from is itself accepted.
#[tokio::test]
async fn t31_a_policy_that_makes_sense_is_accepted() {
    for terms in [json!({}), selects(json!({"operator": "In", "values": ["a"]})), rule(json!({}))] {
        let object = policy(terms);
        assert!(linted(&object).0, "policy lint refuses {object}");
        created(object).await.expect("accepted");
    }
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

fn rule(part: Value) -> Value {
    let mut whole = json!({"name": "mine"});
    json_patch::merge(&mut whole, &part);
    json!({"rules": [whole]})
}

/// Asks the API server as `kubectl apply` does, with unknown fields refused; nothing is kept.
async fn created(mut object: Value) -> Result<(), String> {
    object["metadata"] = json!({"generateName": "nonsense-"});
    let client = client().await;
    let url = Api::<IncidentPolicy>::namespaced(client.clone(), "default").resource_url().to_owned();
    let body = serde_json::to_vec(&object).unwrap();
    let path = format!("{url}?dryRun=All&fieldValidation=Strict");
    let request = http::Request::post(path).header("Content-Type", "application/json").body(body).unwrap();
    client.request::<Value>(request).await.map(|_| ()).map_err(|e| e.to_string())
}
