use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, JSONSchemaPropsOrArray};
use rstest::rstest;

use super::*;
use crate::api::selector;

const SOUND: &str = "apiVersion: backstay.dev/v1alpha1
kind: IncidentPolicy
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
";

fn lint(text: &str) -> Report {
    let mut report = Report::default();
    report.take("p.yaml", text);
    report
}

fn with(lines: &str) -> String {
    lint(&format!("{SOUND}{lines}")).text
}

#[test]
fn the_examples_are_sound() {
    for text in [
        include_str!("../../../examples/policy-minimal.yaml"),
        include_str!("../../../examples/policy-full.yaml"),
        include_str!("../../../examples/policy-cluster.yaml"),
    ] {
        let report = lint(text);
        assert_eq!((report.text.as_str(), report.policies, report.unreadable), ("", 1, 0), "{text}");
    }
}

#[rstest]
#[case::typo(
    "  rollout: {stableSecond: 3}\n",
    "p.yaml:6:13: error: spec.rollout.stableSecond: there is no such field; did you mean stableSeconds?\n"
)]
#[case::word(
    "  mode: enforce\n",
    "p.yaml:6:9: error: spec.mode: enforce is not one of the words for it; did you mean Enforce?\n"
)]
#[case::range("  guards: {maxRollbacks: 99}\n", "p.yaml:6:26: error: spec.guards.maxRollbacks: 99 is more than 20\n")]
#[case::kind("  rules: {}\n", "p.yaml:6:10: error: spec.rules: must be a list, not an object\n")]
#[case::required("  rules:\n    - action: Hold\n", "p.yaml:7:7: error: spec.rules[0].name: is required\n")]
#[case::pattern(
    "  rules:\n    - name: a\n      threshold: {pods: 0%}\n",
    "p.yaml:8:25: error: spec.rules[0].threshold.pods: \"0%\" does not look like ^([1-9][0-9]{0,3}|[1-9][0-9]?%|100%)$\n"
)]
#[case::twice(
    "  rules:\n    - {name: a, match: {failures: [OOMKilled]}}\n    - {name: a}\n",
    "p.yaml:8:14: error: spec.rules[1].name: an earlier rule is called a too\n"
)]
#[case::reserved(
    "  rules:\n    - {name: builtin-x}\n",
    "p.yaml:7:14: error: spec.rules[0].name: names that begin with builtin- are those of the built-in table\n"
)]
#[case::no_regular_expression(
    "  rules:\n    - {name: a, match: {logs: [fine, '(']}}\n",
    "p.yaml:7:38: error: spec.rules[0].match.logs[1]: not a regular expression: unclosed group\n"
)]
#[case::stranger(
    "  rules:\n    - {name: a, match: {failures: [OOMKilled], causes: [ContainerLimit, Taints]}}\n",
    "p.yaml:7:56: error: spec.rules[0].match.causes: Taints is no cause of the failures that the rule names\n"
)]
#[case::flaps_of_crashes(
    "  rules:\n    - {name: a, match: {failures: [CrashLoopBackOff]}, threshold: {flaps: 3}}\n",
    "p.yaml:7:75: error: spec.rules[0].threshold.flaps: threshold.flaps counts for none of the failures that the rule matches\n"
)]
#[case::exits_of_a_cause(
    "  rules:\n    - {name: a, match: {causes: [Taints]}, threshold: {exits: 3}}\n",
    "p.yaml:7:63: error: spec.rules[0].threshold.exits: threshold.exits counts for none of the failures that the rule matches\n"
)]
#[case::attempts_of_a_crash(
    "  rules:\n    - {name: a, match: {failures: [CrashLoopBackOff]}, threshold: {attempts: 3}}\n",
    "p.yaml:7:78: error: spec.rules[0].threshold.attempts: threshold.attempts counts for none of the failures that the rule matches\n"
)]
#[case::containers_of_no_container(
    "  rules:\n    - {name: a, match: {failures: [Pending, PodSetup, Evicted], containers: [web]}}\n",
    "p.yaml:7:77: error: spec.rules[0].match.containers: match.containers fits none of the failures that the rule matches: none of them is that of a container\n"
)]
#[case::containers_of_a_cause_of_the_pod(
    "  rules:\n    - {name: a, match: {causes: [Taints, ReadinessGate], containers: [web]}}\n",
    "p.yaml:7:70: error: spec.rules[0].match.containers: match.containers fits none of the failures that the rule matches: none of them is that of a container\n"
)]
#[case::said_twice(
    "  rules:\n    - {name: a, match: {containers: [web, web]}}\n",
    "p.yaml:7:43: error: spec.rules[0].match.containers[1]: stands in the list already\n"
)]
#[case::no_impact("  impact: {}\n", "p.yaml:6:11: error: spec.impact: has 0 fields, at least 1 are needed\n")]
fn what_the_api_server_would_refuse_is_an_error(#[case] lines: &str, #[case] said: &str) {
    assert_eq!(with(lines), said);
}

#[rstest]
#[case::shadowed_by_one(
    "  rules:\n    - {name: all}\n    - {name: oom, match: {failures: [OOMKilled]}}\n",
    "p.yaml:8:7: warning: spec.rules[1]: rule oom never matches: rule all before it takes everything it could\n"
)]
#[case::shadowed_by_two(
    "  rules:\n    - {name: a, match: {failures: [OOMKilled]}}\n    - {name: b, match: {failures: [Pending]}}\n    \
     - {name: c, match: {failures: [Pending, OOMKilled], causes: [ContainerLimit]}}\n",
    "p.yaml:9:7: warning: spec.rules[2]: rule c never matches: what rules a, b match before it takes everything it could\n"
)]
#[case::not_shadowed("  rules:\n    - {name: a, match: {containers: [x]}}\n    - {name: b}\n", "")]
#[case::half_shadowed(
    "  rules:\n    - {name: a, match: {failures: [OOMKilled]}}\n    - {name: b, match: {failures: [OOMKilled, Pending]}}\n",
    ""
)]
#[case::lasting(
    "  rules:\n    - {name: a, threshold: {forSeconds: 901}}\n",
    "p.yaml:7:41: warning: spec.rules[0].threshold.forSeconds: the failure must last 901 s, longer than the 900 s a rollout is watched\n"
)]
#[case::silent(
    "  rules:\n    - {name: a, match: {failures: [Pending, ImagePullBackOff], logs: [x]}}\n",
    "p.yaml:7:70: warning: spec.rules[0].match.logs: no program ran in failures of these classes, so there is no log in which a line can match\n"
)]
#[case::not_silent("  rules:\n    - {name: a, match: {failures: [Pending, OOMKilled], logs: [x]}}\n", "")]
#[case::never_raised(
    "  rules:\n    - {name: a, match: {failures: [HealthCheck]}}\n",
    "p.yaml:7:24: warning: spec.rules[0].match: this version raises none of these failures, so the rule never matches\n"
)]
#[case::causes_that_are_never_raised(
    "  rules:\n    - {name: a, match: {causes: [HttpCheckFailing, MetricCheckFailing]}}\n",
    "p.yaml:7:24: warning: spec.rules[0].match: this version raises none of these failures, so the rule never matches\n"
)]
#[case::raised_beside("  rules:\n    - {name: a, match: {failures: [HealthCheck, Unready]}}\n", "")]
#[case::a_container_beside(
    "  rules:\n    - {name: a, match: {failures: [Pending, OOMKilled], containers: [web]}}\n",
    ""
)]
#[case::stable(
    "  rollout: {stableSeconds: 60, watchSeconds: 30}\n",
    "p.yaml:6:28: warning: spec.rollout.stableSeconds: a revision counts as healthy after 60 s, and failures count against its rollout for 30 s only\n"
)]
#[case::unreachable(
    "  guards: {cooldownSeconds: 3600}\n",
    "p.yaml:6:11: warning: spec.guards.maxRollbacks: 3 actions with 3600 s between them do not fit into 3600 s, so the limit is never reached\n"
)]
fn what_the_author_may_not_have_meant_is_a_warning(#[case] lines: &str, #[case] said: &str) {
    let text = with(lines);
    assert_eq!(text, said);
}

#[test]
fn a_key_that_no_label_can_have_is_refused_as_at_admission() {
    let report = lint(&SOUND.replace("{app: web}", "{a b: web}"));
    let said = "p.yaml:5:13: error: spec.selector: a key of matchLabels is not one that a label can have\n";
    assert_eq!(report.text, said);
}

#[test]
fn an_empty_selector_is_refused_as_at_admission() {
    let report = lint(&SOUND.replace("{matchLabels: {app: web}}", "{}"));
    assert_eq!(report.text, "p.yaml:5:13: error: spec.selector: an empty selector would match everything\n");
    let cluster = SOUND.replace("IncidentPolicy", "ClusterIncidentPolicy") + "  namespaceSelector: {matchLabels: {}}\n";
    assert_eq!(
        lint(&cluster).text,
        "p.yaml:6:22: error: spec.namespaceSelector: an empty selector would match everything\n"
    );
}

#[test]
fn lists_and_documents_are_searched_and_other_kinds_are_left_alone() {
    let text = format!(
        "kind: ConfigMap\ndata: {{}}\n---\n{SOUND}---\nkind: List\nitems:\n  - kind: IncidentPolicy\n    spec: {{}}\n"
    );
    let report = lint(&text);
    assert_eq!((report.policies, report.errors), (2, 3), "{}", report.text);
    assert!(report.text.contains("apiVersion: must be backstay.dev/v1alpha1"), "{}", report.text);
}

#[test]
fn what_is_not_yaml_is_unreadable_and_says_where() {
    let report = lint("kind: IncidentPolicy\nspec: [\n");
    assert_eq!((report.unreadable, report.policies), (1, 0));
    assert!(report.text.starts_with("p.yaml:") && report.text.contains("error: not YAML: "), "{}", report.text);
}

/// CEL is not evaluated here, so every rule of the definitions must be one that these checks stand for.
#[test]
fn every_rule_of_the_definitions_is_checked() {
    let mut found = Vec::new();
    for crd in [IncidentPolicy::crd(), ClusterIncidentPolicy::crd()] {
        let schema = crd.spec.versions[0].schema.clone().unwrap().open_api_v3_schema.unwrap();
        collect(&schema, &mut found);
    }
    let of_selectors = [selector::ANY_MESSAGE, selector::VALUES_MESSAGE, selector::KEYS_MESSAGE];
    found.retain(|message| !of_selectors.contains(&message.as_str()));
    found.sort();
    found.dedup();
    assert_eq!(found, advice::CHECKED_RULES);
}

fn collect(schema: &JSONSchemaProps, found: &mut Vec<String>) {
    let rules = schema.x_kubernetes_validations.iter().flatten();
    found.extend(rules.map(|rule| rule.message.clone().unwrap_or_else(|| rule.rule.clone())));
    for schema in schema.properties.iter().flat_map(|properties| properties.values()) {
        collect(schema, found);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
        collect(schema, found);
    }
}
