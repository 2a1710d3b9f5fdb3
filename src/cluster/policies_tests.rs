use rstest::rstest;
use serde::de::DeserializeOwned;

use super::*;
use crate::cluster::oneshot::shelve;
use crate::cluster::readable::Readable;
use crate::engine::policy::{self, RuleAction};

const NAMESPACES: &str = "
metadata: {name: shop, uid: n-1, labels: {team: shop}}
---
metadata: {name: bank, uid: n-2, labels: {team: bank}}
";

/// A policy of namespace `shop` that selects `app: web`, with what the line adds.
fn of_shop(name: &str, more: &str) -> String {
    format!("metadata: {{name: {name}, namespace: shop, uid: u-{name}, generation: 1, {more}}}")
}

/// The same for every namespace of a team.
fn of_team(name: &str, more: &str) -> String {
    format!("metadata: {{name: {name}, uid: u-{name}, generation: 1, {more}}}")
}

fn spec(selector: &str, more: &str) -> String {
    format!("\nspec: {{selector: {selector}, {more}}}\n")
}

fn objects<K: DeserializeOwned>(documents: &[String]) -> Vec<Readable<K>> {
    documents.iter().map(|text| Readable(Ok(serde_saphyr::from_str(text).unwrap()))).collect()
}

/// The policies of namespaces and of the cluster, as the operator knows them.
fn policies(own: &[String], cluster: &[String], limit: Mode) -> Policies {
    let shelves = Own::new();
    shelve(&shelves.policies, objects::<IncidentPolicy>(own));
    shelve(&shelves.cluster_policies, objects::<ClusterIncidentPolicy>(cluster));
    shelve(&shelves.namespaces, objects(&NAMESPACES.split("---").map(str::to_owned).collect::<Vec<_>>()));
    let policies = Policies::new(shelves, limit);
    policies.refresh();
    policies
}

/// Who governs a workload with the label `app: web` in a namespace, and who would.
fn governs(policies: &Policies, namespace: &str) -> Vec<String> {
    let labels = Labels::from([("app".to_owned(), "web".to_owned())]);
    let Some(choice) = policies.choose(namespace, &labels) else { return Vec::new() };
    std::iter::once(&choice.policy.reference).chain(&choice.overridden).map(ToString::to_string).collect()
}

const WEB: &str = "{matchLabels: {app: web}}";
const EARLY: &str = "creationTimestamp: 2026-01-01T10:00:00Z";
const LATE: &str = "creationTimestamp: 2026-02-01T10:00:00Z";

#[rstest]
#[case::higher_priority((LATE, "priority: 10"), (EARLY, "priority: 9"), ["a", "b"])]
#[case::below_zero((EARLY, "priority: -1"), (LATE, ""), ["b", "a"])]
#[case::older((LATE, "priority: 5"), (EARLY, "priority: 5"), ["b", "a"])]
#[case::of_one_second_by_name((EARLY, ""), (EARLY, ""), ["a", "b"])]
fn inside_a_kind_priority_counts_then_age_then_name(
    #[case] a: (&str, &str),
    #[case] b: (&str, &str),
    #[case] expected: [&str; 2],
) {
    let own = [("b", b), ("a", a)].map(|(name, (created, terms))| of_shop(name, created) + &spec(WEB, terms));
    let named = |kind: &str| expected.map(|name| format!("{kind}/{name}")).to_vec();
    assert_eq!(governs(&policies(&own, &[], Mode::Enforce), "shop"), named("IncidentPolicy"));
    let team = |terms: &str| format!("namespaceSelector: {{matchLabels: {{team: shop}}}}, {terms}");
    let cluster = [("b", b), ("a", a)].map(|(name, (created, t))| of_team(name, created) + &spec(WEB, &team(t)));
    assert_eq!(governs(&policies(&[], &cluster, Mode::Enforce), "shop"), named("ClusterIncidentPolicy"));
}

#[test]
fn a_policy_of_the_namespace_wins_over_one_of_the_cluster_whatever_its_priority() {
    let own = [of_shop("mine", LATE) + &spec(WEB, "priority: -1000")];
    let everywhere = "namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}, priority: 1000";
    let cluster = [of_team("all", EARLY) + &spec(WEB, everywhere)];
    let policies = policies(&own, &cluster, Mode::Enforce);
    assert_eq!(governs(&policies, "shop"), ["IncidentPolicy/mine", "ClusterIncidentPolicy/all"]);
    assert_eq!(governs(&policies, "bank"), ["ClusterIncidentPolicy/all"]);
    assert!(governs(&policies, "nowhere").is_empty(), "a namespace that is not known matches nothing");
}

#[test]
fn only_what_selects_the_workload_is_asked() {
    let own = [
        of_shop("others", EARLY) + &spec("{matchLabels: {app: api}}", "priority: 9"),
        of_shop("mine", LATE) + &spec(WEB, ""),
    ];
    let other_team = "namespaceSelector: {matchLabels: {team: bank}}";
    let cluster = [of_team("theirs", EARLY) + &spec(WEB, other_team)];
    assert_eq!(governs(&policies(&own, &cluster, Mode::Enforce), "shop"), ["IncidentPolicy/mine"]);
}

/// Such a policy is refused at admission. Should one be there all the same, it must not select everything.
#[rstest]
#[case::empty("{}")]
#[case::unknown_operator("{matchExpressions: [{key: app, operator: Like, values: [w]}]}")]
fn a_policy_whose_selector_cannot_be_used_governs_nothing(#[case] selector: &str) {
    let own = [of_shop("odd", EARLY) + &spec(selector, "priority: 9"), of_shop("mine", LATE) + &spec(WEB, "")];
    assert_eq!(governs(&policies(&own, &[], Mode::Enforce), "shop"), ["IncidentPolicy/mine"]);
}

#[test]
fn what_a_policy_leaves_open_has_a_default_and_the_table_follows_its_rules() {
    let rules = "rules: [{name: first, action: Hold}]";
    let policies = policies(&[of_shop("mine", EARLY) + &spec(WEB, rules)], &[], Mode::Enforce);
    let labels = Labels::from([("app".to_owned(), "web".to_owned())]);
    let policy = policies.choose("shop", &labels).unwrap().policy;
    assert_eq!((&*policy.rules[0].name, policy.rules[0].action), ("first", RuleAction::Hold));
    assert_eq!(policy.rules[1..], builtin::rules());
    assert_eq!((policy.mode, &policy.guards), (policy::Mode::Enforce, &policy::Guards::default()));
}

/// An incident would not take it, and would not be written.
#[rstest]
#[case("impact: {}", None)]
#[case("impact: {businessService: ''}", None)]
#[case("impact: {businessService: ' '}", None)]
#[case("impact: {tier: 1, businessService: ' checkout'}", Some((Some(1), None)))]
#[case("impact: {businessService: checkout}", Some((None, Some("checkout"))))]
fn an_impact_that_says_nothing_is_left_out(#[case] terms: &str, #[case] said: Option<(Option<u8>, Option<&str>)>) {
    let policies = policies(&[of_shop("mine", EARLY) + &spec(WEB, terms)], &[], Mode::Enforce);
    let labels = Labels::from([("app".to_owned(), "web".to_owned())]);
    let impact = policies.choose("shop", &labels).unwrap().policy.impact.clone();
    assert_eq!(impact.as_ref().map(|i| (i.tier, i.business_service.as_deref())), said);
}

#[rstest]
#[case(Mode::Enforce, "Enforce", policy::Mode::Enforce)]
#[case(Mode::Enforce, "Observe", policy::Mode::Observe)]
#[case(Mode::Observe, "Enforce", policy::Mode::Observe)]
fn an_operator_that_observes_limits_every_policy(
    #[case] limit: Mode,
    #[case] mode: &str,
    #[case] expected: policy::Mode,
) {
    let policies = policies(&[of_shop("mine", EARLY) + &spec(WEB, &format!("mode: {mode}"))], &[], limit);
    let labels = Labels::from([("app".to_owned(), "web".to_owned())]);
    assert_eq!(policies.choose("shop", &labels).unwrap().policy.mode, expected);
}

/// The generation tells whether a policy has to be read anew; the UID tells it from one that was made anew.
#[test]
fn a_changed_policy_governs_by_what_it_says_now() {
    let own = Own::new();
    let policies = Policies::new(own.clone(), Mode::Enforce);
    let labels = Labels::from([("app".to_owned(), "web".to_owned())]);
    let says = |version: i64, generation: i64, uid: &str, terms: &str| {
        let metadata = format!(
            "metadata: {{name: mine, namespace: shop, uid: {uid}, generation: {generation}, resourceVersion: '{version}'}}"
        );
        shelve(&own.policies, objects::<IncidentPolicy>(&[metadata + &spec(WEB, terms)]));
        policies.refresh();
        policies.choose("shop", &labels).unwrap().policy.rollout.stable_seconds
    };
    assert_eq!(says(7, 1, "u-1", "rollout: {stableSeconds: 10}"), 10);
    assert_eq!(says(8, 2, "u-1", "rollout: {stableSeconds: 20}"), 20);
    assert_eq!(says(9, 2, "u-2", "rollout: {stableSeconds: 30}"), 30);
}

/// What a team's policy says that cannot be read may be that nothing is to be done.
#[rstest]
#[case::unreadable("rollout: {stableSeconds: soon}")]
#[case::invalid("rules: [{name: odd, match: {logs: ['(']}}]")]
fn beside_a_policy_of_the_namespace_that_cannot_be_read_those_of_the_cluster_observe(#[case] odd: &str) {
    let everywhere = "namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}";
    let cluster = [of_team("all", EARLY) + &spec(WEB, everywhere)];
    let other = of_shop("other", EARLY) + &spec("{matchLabels: {app: other}}", "");
    let policies = policies(&[other], &cluster, Mode::Enforce);
    let mode = |namespace: &str, app: &str| {
        let policy = policies.choose(namespace, &Labels::from([("app".to_owned(), app.to_owned())])).unwrap().policy;
        (policy.mode, policy.stands_in_for)
    };
    let enforces = (policy::Mode::Enforce, None);
    assert_eq!(mode("shop", "web"), enforces);
    let odd = of_shop("odd", "resourceVersion: '7'") + &spec(WEB, odd);
    let odd = || serde_saphyr::from_str::<Readable<IncidentPolicy>>(&odd).unwrap();
    shelve(&policies.own.policies, [odd()]);
    policies.refresh();
    assert_eq!(mode("shop", "web"), (policy::Mode::Observe, Some(Unread::OfNamespace)));
    assert_eq!(mode("shop", "other"), enforces, "a policy of the namespace that can be read is in force");
    assert_eq!(mode("bank", "web"), enforces, "another namespace has nothing to do with it");
    assert_eq!(policies.own.policies.apply("", kube::runtime::watcher::Event::Delete(odd())).len(), 1);
    policies.refresh();
    assert_eq!(mode("shop", "web"), enforces);
}

/// The same for one of the cluster, which is whom a strict policy for what is dear to all may be.
#[rstest]
#[case::unreadable("rollout: {stableSeconds: soon}")]
#[case::invalid("rules: [{name: odd, match: {logs: ['(']}}]")]
fn beside_a_policy_of_the_cluster_that_cannot_be_read_those_after_it_observe(#[case] odd: &str) {
    let everywhere = "namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}";
    let cluster = [of_team("all", EARLY) + &spec(WEB, &format!("{everywhere}, priority: 5"))];
    let own = of_shop("own", EARLY) + &spec("{matchLabels: {app: own}}", "");
    let policies = policies(&[own], &cluster, Mode::Enforce);
    let modes = |selector: &str, reach: &str| {
        let odd = of_team("odd", EARLY) + &spec(selector, &format!("{reach}, {odd}"));
        shelve(&policies.own.cluster_policies, objects_or_not::<ClusterIncidentPolicy>(&odd));
        policies.refresh();
        let modes = [("shop", "web"), ("bank", "web"), ("shop", "own")].map(|(namespace, app)| {
            let labels = Labels::from([("app".to_owned(), app.to_owned())]);
            let policy = policies.choose(namespace, &labels).unwrap().policy;
            let stands_in = policy.stands_in_for == Some(Unread::OfCluster);
            assert_eq!(stands_in, policy.mode == policy::Mode::Observe, "{selector} {reach}");
            policy.mode == policy::Mode::Enforce
        });
        for gone in objects_or_not(&odd) {
            policies.own.cluster_policies.apply("", kube::runtime::watcher::Event::Delete(gone));
        }
        modes
    };
    let shop = "namespaceSelector: {matchLabels: {team: shop}}";
    assert_eq!(modes(WEB, &format!("{everywhere}, priority: 100")), [false, false, true], "its own is in force");
    assert_eq!(modes(WEB, &format!("{shop}, priority: 100")), [false, true, true], "elsewhere it governs nothing");
    assert_eq!(modes("{matchLabels: {app: api}}", &format!("{shop}, priority: 100")), [true; 3]);
    assert_eq!(modes(WEB, &format!("{everywhere}, priority: 4")), [true; 3], "it would not have been asked");
    assert_eq!(modes(WEB, "namespaceSelector: {}, priority: 100"), [false, false, true], "nobody knows whom");
    policies.refresh();
    let labels = Labels::from([("app".to_owned(), "web".to_owned())]);
    assert_eq!(policies.choose("shop", &labels).unwrap().policy.mode, policy::Mode::Enforce);
}

/// What cannot be read at all of it may be anything.
#[rstest]
#[case::selector("selector: {matchLabels: 7}, namespaceSelector: {matchLabels: {team: shop}}, priority: 9")]
#[case::namespaces("selector: {matchLabels: {app: web}}, priority: 9")]
#[case::priority("selector: {matchLabels: {app: web}}, namespaceSelector: {matchLabels: {team: shop}}, priority: high")]
fn whom_an_unreadable_policy_of_the_cluster_would_govern_is_not_guessed(#[case] odd: &str) {
    let everywhere = "namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}";
    let cluster = [of_team("all", EARLY) + &spec(WEB, everywhere)];
    let policies = policies(&[], &cluster, Mode::Enforce);
    let odd = of_team("odd", LATE) + &format!("\nspec: {{{odd}, mode: Perhaps}}\n");
    shelve(&policies.own.cluster_policies, objects_or_not::<ClusterIncidentPolicy>(&odd));
    policies.refresh();
    let labels = Labels::from([("app".to_owned(), "web".to_owned())]);
    assert_eq!(policies.choose("shop", &labels).unwrap().policy.stands_in_for, Some(Unread::OfCluster));
}

/// The object as the watch delivers it, whether or not it can be read.
fn objects_or_not<K>(text: &str) -> Vec<Readable<K>>
where
    K: kube::Resource<DynamicType = ()> + DeserializeOwned,
{
    vec![serde_saphyr::from_str(text).unwrap()]
}
