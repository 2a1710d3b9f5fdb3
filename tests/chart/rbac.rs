//! What Backstay's own account may do: exactly this, in every mode and scope.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::render::{NAMESPACE, Rendered, list, names, refusal, render, text};

/// A right: API group, resource, verb, and the name it is limited to.
type Right = (String, String, String, Option<String>);

const RECORDS: &[(&str, &str, &[&str])] = &[
    ("backstay.dev", "incidentpolicies", &["list", "watch"]),
    ("backstay.dev", "incidentpolicies/status", &["patch"]),
    ("backstay.dev", "workloadhealths", &["get", "list", "watch", "create", "delete"]),
    ("backstay.dev", "workloadhealths/status", &["patch"]),
    ("backstay.dev", "incidents", &["get", "list", "watch", "create", "delete"]),
    ("backstay.dev", "incidents/status", &["patch"]),
    ("events.k8s.io", "events", &["create"]),
];
const READ: &[(&str, &str, &[&str])] = &[
    ("apps", "deployments", &["get", "list", "watch"]),
    ("apps", "replicasets", &["get", "list", "watch"]),
    ("", "pods", &["list", "watch"]),
    ("", "events", &["watch"]),
];
const LOGS: &[(&str, &str, &[&str])] = &[("", "pods/log", &["get"])];
const AROUND: &[(&str, &str, &[&str])] = &[
    ("", "services", &["list"]),
    ("", "resourcequotas", &["list"]),
    ("", "configmaps", &["get"]),
    ("", "serviceaccounts", &["get"]),
    ("", "persistentvolumeclaims", &["get"]),
    ("discovery.k8s.io", "endpointslices", &["list"]),
    ("networking.k8s.io", "ingresses", &["list"]),
    ("networking.k8s.io", "networkpolicies", &["list"]),
    ("gateway.networking.k8s.io", "httproutes", &["list"]),
    ("autoscaling", "horizontalpodautoscalers", &["list"]),
    ("policy", "poddisruptionbudgets", &["list"]),
    ("apps", "statefulsets", &["list"]),
    ("batch", "jobs", &["list"]),
    ("batch", "cronjobs", &["list"]),
];
/// The part of it that has no namespace.
const CLUSTER_AROUND: &[(&str, &str, &[&str])] = &[("scheduling.k8s.io", "priorityclasses", &["get"])];
const CLUSTER_READ: &[(&str, &str, &[&str])] = &[
    ("", "nodes", &["list", "watch"]),
    ("", "namespaces", &["list", "watch"]),
    ("backstay.dev", "clusterincidentpolicies", &["list", "watch"]),
    ("backstay.dev", "clusterincidentpolicies/status", &["patch"]),
];
const ACT: &[(&str, &str, &[&str])] = &[("apps", "deployments", &["patch"]), ("apps", "replicasets/scale", &["patch"])];

fn rights(tables: &[&[(&str, &str, &[&str])]]) -> BTreeSet<Right> {
    let rows = tables.iter().flat_map(|table| table.iter());
    rows.flat_map(|(group, resource, verbs)| {
        verbs.iter().map(|verb| ((*group).to_owned(), (*resource).to_owned(), (*verb).to_owned(), None))
    })
    .collect()
}

fn lease_rights() -> BTreeSet<Right> {
    let right = |verb: &str, name: Option<&str>| {
        ("coordination.k8s.io".to_owned(), "leases".to_owned(), verb.to_owned(), name.map(str::to_owned))
    };
    [right("create", None)].into_iter().chain(["get", "update"].map(|verb| right(verb, Some("backstay")))).collect()
}

/// The rights that bindings of a kind give to Backstay's account, in one namespace for `RoleBinding`s.
fn granted(rendered: &Rendered, binding_kind: &str, namespace: Option<&str>) -> BTreeSet<Right> {
    let mut granted = BTreeSet::new();
    for binding in rendered.of_kind(binding_kind) {
        let place = binding["metadata"]["namespace"].as_str();
        if place != namespace {
            continue;
        }
        assert_eq!(
            binding["subjects"],
            serde_json::json!([{"kind": "ServiceAccount", "name": "backstay", "namespace": NAMESPACE}])
        );
        let kind = text(&binding["roleRef"]["kind"]);
        let role = rendered
            .of_kind(&kind)
            .into_iter()
            .find(|role| {
                role["metadata"]["name"] == binding["roleRef"]["name"]
                    && role["metadata"]["namespace"].as_str() == place
            })
            .unwrap_or_else(|| panic!("no {kind} for {binding}"));
        granted.extend(role["rules"].as_array().unwrap().iter().flat_map(rule_rights));
    }
    granted
}

fn rule_rights(rule: &Value) -> Vec<Right> {
    let known = ["apiGroups", "resources", "verbs", "resourceNames"];
    assert!(rule.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{rule}");
    let limits = match &rule["resourceNames"] {
        Value::Null => vec![None],
        names => list(names).into_iter().map(Some).collect(),
    };
    let mut all = Vec::new();
    for group in list(&rule["apiGroups"]) {
        for resource in list(&rule["resources"]) {
            for verb in list(&rule["verbs"]) {
                all.extend(limits.iter().map(|name| (group.clone(), resource.clone(), verb.clone(), name.clone())));
            }
        }
    }
    all
}

fn arguments(rendered: &Rendered) -> Vec<String> {
    list(&rendered.only("Deployment")["spec"]["template"]["spec"]["containers"][0]["args"])
}

/// The rights on anything but Backstay's own kinds and events that change it.
fn writes_to_others(rights: &BTreeSet<Right>) -> Vec<&Right> {
    let reads = ["get", "list", "watch"];
    let own = ["backstay.dev", "events.k8s.io", "coordination.k8s.io"];
    rights
        .iter()
        .filter(|(group, _, verb, _)| !own.contains(&group.as_str()) && !reads.contains(&verb.as_str()))
        .collect()
}

#[test]
fn cluster_scope_grants_exactly_the_allow_list() {
    let rendered = render(&[]);
    assert_eq!(
        granted(&rendered, "ClusterRoleBinding", None),
        rights(&[RECORDS, READ, LOGS, CLUSTER_READ, ACT, AROUND, CLUSTER_AROUND])
    );
    assert_eq!(granted(&rendered, "RoleBinding", Some(NAMESPACE)), lease_rights());
    assert_eq!(rendered.of_kind("RoleBinding").len(), 1);
}

#[test]
fn observe_mode_grants_no_write_to_workloads() {
    for scope in ["cluster", "namespaced"] {
        let rendered = render(&["mode=observe", &format!("rbac.scope={scope}")]);
        let mut all = granted(&rendered, "ClusterRoleBinding", None);
        all.extend(granted(&rendered, "RoleBinding", Some(NAMESPACE)));
        let mut expected = rights(&[RECORDS, READ, LOGS, AROUND]);
        if scope == "cluster" {
            expected.extend(rights(&[CLUSTER_READ, CLUSTER_AROUND]));
        }
        expected.extend(lease_rights());
        assert_eq!(all, expected, "scope {scope}");
        assert_eq!(writes_to_others(&all), Vec::<&Right>::new(), "scope {scope}");
    }
}

#[test]
fn events_of_nodes_are_one_more_right_in_the_namespace_where_they_are() {
    let events = rights(&[&[("", "events", &["watch"])]]);
    let scope = "rbac.scope=namespaced";
    let rendered = render(&[scope, "rbac.nodeEvents=true"]);
    assert_eq!(granted(&rendered, "RoleBinding", Some("default")), events);
    assert_eq!(granted(&render(&[scope]), "RoleBinding", Some("default")), BTreeSet::new());
    let covered = render(&[scope, "rbac.namespaces={default}", "rbac.nodeEvents=true"]);
    assert!(covered.of_kind("Role").iter().all(|role| role["metadata"]["name"] != "backstay-node-events"));
    assert!(refusal(&["rbac.nodeEvents=true"]).contains("rbac.nodeEvents has no meaning with rbac.scope cluster"));
}

#[test]
fn without_logs_there_is_no_right_to_read_them() {
    let rendered = render(&["logs.read=false"]);
    assert_eq!(
        granted(&rendered, "ClusterRoleBinding", None),
        rights(&[RECORDS, READ, CLUSTER_READ, ACT, AROUND, CLUSTER_AROUND])
    );
    let rendered = render(&["logs.read=false", "rbac.scope=namespaced", "rbac.namespaces={shop}"]);
    assert_eq!(granted(&rendered, "RoleBinding", Some("shop")), rights(&[RECORDS, READ, ACT, AROUND]));
}

#[test]
fn the_right_to_act_stands_in_a_role_of_its_own() {
    let rendered = render(&[]);
    let acting: Vec<_> = rendered
        .of_kind("ClusterRole")
        .into_iter()
        .filter(|role| {
            let all = role["rules"].as_array().unwrap().iter().flat_map(rule_rights).collect();
            !writes_to_others(&all).is_empty()
        })
        .collect();
    assert_eq!(names(&acting), ["backstay-act"]);
    let rules: BTreeSet<_> = acting[0]["rules"].as_array().unwrap().iter().flat_map(rule_rights).collect();
    assert_eq!(rules, rights(&[ACT]));
}

#[test]
fn namespaced_scope_grants_nothing_outside_the_namespaces() {
    let rendered = render(&["rbac.scope=namespaced", "rbac.namespaces={shop,billing}"]);
    assert_eq!(names(&rendered.of_kind("ClusterRole")), Vec::<String>::new());
    assert_eq!(names(&rendered.of_kind("ClusterRoleBinding")), Vec::<String>::new());
    for namespace in ["shop", "billing"] {
        assert_eq!(
            granted(&rendered, "RoleBinding", Some(namespace)),
            rights(&[RECORDS, READ, LOGS, ACT, AROUND]),
            "{namespace}"
        );
    }
    assert_eq!(granted(&rendered, "RoleBinding", Some(NAMESPACE)), lease_rights());
    let places: BTreeSet<_> =
        rendered.of_kind("Role").iter().map(|role| text(&role["metadata"]["namespace"])).collect();
    assert_eq!(places, BTreeSet::from(["shop", "billing", NAMESPACE].map(str::to_owned)));
}

#[test]
fn namespaced_scope_falls_back_to_the_release_namespace() {
    let rendered = render(&["rbac.scope=namespaced"]);
    let mut expected = rights(&[RECORDS, READ, LOGS, ACT, AROUND]);
    expected.extend(lease_rights());
    assert_eq!(granted(&rendered, "RoleBinding", Some(NAMESPACE)), expected);
    let arguments = arguments(&rendered);
    assert!(arguments.contains(&format!("--watch-namespace={NAMESPACE}")), "{arguments:?}");
}

#[test]
fn what_lies_around_is_read_only_where_that_is_wanted() {
    let rendered = render(&["rbac.surroundings=false"]);
    assert_eq!(granted(&rendered, "ClusterRoleBinding", None), rights(&[RECORDS, READ, LOGS, CLUSTER_READ, ACT]));
    assert!(arguments(&rendered).contains(&"--surroundings=false".to_owned()));
    assert!(!arguments(&render(&[])).iter().any(|argument| argument.starts_with("--surroundings")));
}

#[test]
fn secrets_are_looked_at_in_named_namespaces_only() {
    let rendered = render(&["rbac.secretNamespaces={shop}"]);
    let secrets = rights(&[&[("", "secrets", &["get"])]]);
    assert_eq!(granted(&rendered, "RoleBinding", Some("shop")), secrets);
    assert!(!granted(&rendered, "ClusterRoleBinding", None).iter().any(|(_, resource, _, _)| resource == "secrets"));
    assert!(arguments(&rendered).contains(&"--secret-namespace=shop".to_owned()));
}

#[test]
fn pods_are_created_in_dry_runs_only_and_only_where_that_is_wanted() {
    let rendered = render(&["rbac.tryBaseline=true"]);
    let create: Right = (String::new(), "pods".to_owned(), "create".to_owned(), None);
    assert!(granted(&rendered, "ClusterRoleBinding", None).contains(&create));
    let policies = rendered.of_kind("ValidatingAdmissionPolicy");
    let policy = policies.iter().find(|p| p["metadata"]["name"] == "backstay-guard-pods").unwrap();
    assert_eq!(policy["spec"]["validations"][0]["expression"], "request.?dryRun.orValue(false)");
    assert!(arguments(&rendered).contains(&"--try-baseline".to_owned()));

    let observing = render(&["rbac.tryBaseline=true", "mode=observe"]);
    assert!(!granted(&observing, "ClusterRoleBinding", None).contains(&create));
    let refused = refusal(&["rbac.tryBaseline=true", "admissionGuard.enabled=false"]);
    assert!(refused.contains("admissionGuard"), "{refused}");
}

#[test]
fn the_approver_role_is_bound_to_nobody() {
    let rendered = render(&[]);
    let may_approve = |role: &&Value| role["rules"].to_string().contains("\"approve\"");
    let approvers: Vec<_> = rendered.of_kind("ClusterRole").into_iter().filter(may_approve).collect();
    assert_eq!(names(&approvers), ["backstay-approver"]);
    let bound: Vec<_> =
        rendered.of_kind("ClusterRoleBinding").iter().map(|binding| text(&binding["roleRef"]["name"])).collect();
    assert!(!bound.contains(&"backstay-approver".to_owned()));
    assert!(approvers[0]["metadata"]["labels"].as_object().unwrap().keys().all(|label| !label.contains("aggregate")));
}
