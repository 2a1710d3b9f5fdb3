//! What is installed, looked at when all the other tests have run: `tests/e2e/run` comes here after them, and alone.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use crate::support::audit::Asked;
use crate::support::case::{self, OPERATOR};
use crate::support::helm::{self, NAMESPACE};

/// Resource with its group, and the verb.
type Right = (String, String);

/// Rights that the end-to-end tests may leave unused, and what they are for.
const UNUSED: [(&str, &str, &str); 3] = [
    (
        "incidents.backstay.dev",
        "get",
        "an incident that another replica, or this one before it was killed, has created",
    ),
    ("incidents.backstay.dev", "delete", "incidents that ended are deleted after days, or when there are too many"),
    ("workloadhealths.backstay.dev", "get", "the same for health"),
];

#[tokio::test]
#[ignore = "tests/e2e/run comes here after the other tests"]
async fn every_right_of_the_operator_was_used_and_nothing_was_refused_to_it() {
    case::run("rights-used", async |t| {
        if !t.audit.is_there() {
            eprintln!("e2e: no audit log, so rights are not looked at");
            return;
        }
        let asked = t.operator_asked().await;
        let refused: BTreeSet<String> = asked.iter().filter(|a| is_refusal(a)).map(Asked::line).collect();
        assert!(refused.is_empty(), "refused to the operator: {refused:#?}");
        let used: BTreeSet<Right> = asked.iter().map(|a| (a.resource.clone(), a.verb.clone())).collect();
        let granted = granted(&t.client).await;
        assert!(granted.len() > 20, "the operator's roles are found: {granted:?}");
        let mut idle = Vec::new();
        for right in granted.difference(&used) {
            match UNUSED.iter().find(|(resource, verb, _)| *resource == right.0 && *verb == right.1) {
                Some((_, _, why)) => eprintln!("e2e: {} {} was not used: {why}", right.1, right.0),
                None => idle.push(right),
            }
        }
        assert!(idle.is_empty(), "rights that the operator has and never used: {idle:?}");
    })
    .await;
}

/// A right that is missing. A namespace that is being deleted takes no new objects, whoever comes; and a dry run asks for
/// a no.
fn is_refusal(asked: &Asked) -> bool {
    let tried = asked.resource == "pods" && asked.verb == "create" && !asked.said.contains("cannot create resource");
    asked.code == 403 && !tried && !asked.said.contains("because it is being terminated")
}

/// Every right that bindings in the cluster give to the operator's account.
async fn granted(client: &Client) -> BTreeSet<Right> {
    let all = ListParams::default();
    let mut rules: Vec<PolicyRule> = Vec::new();
    let roles: BTreeMap<String, ClusterRole> = Api::<ClusterRole>::all(client.clone())
        .list(&all)
        .await
        .expect("listing ClusterRoles")
        .into_iter()
        .map(|role| (role.name_any(), role))
        .collect();
    for binding in Api::<ClusterRoleBinding>::all(client.clone()).list(&all).await.expect("listing bindings") {
        if to_operator(binding.subjects.as_deref()) {
            rules.extend(roles[&binding.role_ref.name].rules.clone().unwrap_or_default());
        }
    }
    for binding in Api::<RoleBinding>::all(client.clone()).list(&all).await.expect("listing bindings") {
        if to_operator(binding.subjects.as_deref()) {
            let namespace = binding.namespace().unwrap();
            let role = Api::<Role>::namespaced(client.clone(), &namespace).get(&binding.role_ref.name).await;
            rules.extend(role.expect("the role of a binding").rules.unwrap_or_default());
        }
    }
    rules.iter().flat_map(rights).collect()
}

fn to_operator(subjects: Option<&[Subject]>) -> bool {
    let name = |s: &Subject| format!("system:serviceaccount:{}:{}", s.namespace.as_deref().unwrap_or_default(), s.name);
    subjects.unwrap_or_default().iter().any(|s| s.kind == "ServiceAccount" && name(s) == OPERATOR)
}

fn rights(rule: &PolicyRule) -> Vec<Right> {
    let mut all = Vec::new();
    for group in rule.api_groups.as_deref().unwrap_or_default() {
        for resource in rule.resources.as_deref().unwrap_or_default() {
            let resource = if group.is_empty() { resource.clone() } else { format!("{resource}.{group}") };
            all.extend(rule.verbs.iter().map(|verb| (resource.clone(), verb.clone())));
        }
    }
    all
}

#[tokio::test]
#[ignore = "tests/e2e/run comes here after the other tests"]
async fn helm_test_passes_under_the_restricted_profile_and_the_notes_say_the_next_step() {
    let (succeeded, said) = helm::run(&["test", "backstay", "--logs", "--timeout", "2m"]).await;
    assert!(succeeded, "helm test: {said}");
    assert!(said.contains(" passed, 0 failed"), "the self-test says so: {said}");
    let (_, level) = helm::kubectl(&["get", "namespace", NAMESPACE, "-o", "yaml"]).await;
    assert!(level.contains("pod-security.kubernetes.io/enforce: restricted"), "{level}");
    let (_, notes) = helm::run(&["get", "notes", "backstay"]).await;
    assert!(notes.contains(&format!("helm test backstay -n {NAMESPACE}")), "{notes}");
    let manifest = notes.split_once("<<EOF\n").and_then(|(_, rest)| rest.split_once("EOF")).map(|(yaml, _)| yaml);
    let policy: serde_json::Value = serde_saphyr::from_str(manifest.expect("the notes have a policy")).expect("YAML");
    assert_eq!(policy["kind"], "IncidentPolicy", "the next step is a policy: {notes}");
}
