//! The terms of a policy, for people: every setting with where it comes from, every rule in order.

use kube::ResourceExt;
use serde_json::Value;

use crate::cluster::own::Own;
use crate::engine::builtin;
use crate::engine::policy::{Guards, Policy, Rollout, Rule, Threshold};

/// Rows of name, value and origin. The API server writes defaults into policies, so a value that equals its default
/// counts as one.
pub fn settings(policy: &Policy) -> Vec<Vec<String>> {
    let mut rows = vec![["SETTING", "VALUE", "FROM"].map(str::to_owned).to_vec()];
    let mode = policy.mode == crate::engine::policy::Mode::default();
    rows.push(vec!["mode".to_owned(), format!("{:?}", policy.mode), origin(mode)]);
    let logs = policy.logs == crate::engine::policy::LogAccess::default();
    rows.push(vec!["logs".to_owned(), format!("{:?}", policy.logs), origin(logs)]);
    let as_value = |value: serde_json::Result<Value>| value.unwrap_or_default();
    let groups = [
        (
            "rollout",
            as_value(serde_json::to_value(&policy.rollout)),
            as_value(serde_json::to_value(Rollout::default())),
        ),
        ("guards", as_value(serde_json::to_value(&policy.guards)), as_value(serde_json::to_value(Guards::default()))),
    ];
    for (group, values, defaults) in &groups {
        for (name, value) in values.as_object().into_iter().flatten() {
            let default = defaults.get(name) == Some(value);
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            rows.push(vec![format!("{group}.{name}"), shown, origin(default)]);
        }
    }
    rows
}

fn origin(default: bool) -> String {
    if default { "default" } else { "policy" }.to_owned()
}

/// Rows of number, name, origin, action, severity, and what the rule matches and asks for.
pub fn rules(policy: &Policy) -> Vec<Vec<String>> {
    let header = ["#", "RULE", "FROM", "ACTION", "SEVERITY", "MATCHES"].map(str::to_owned).to_vec();
    let builtin = builtin::rules();
    let own = policy.rules.len().saturating_sub(builtin.len());
    let rows = policy.rules.iter().enumerate().map(|(at, rule)| {
        vec![
            (at + 1).to_string(),
            rule.name.clone(),
            if at < own { "policy" } else { "built-in" }.to_owned(),
            format!("{:?}", rule.action),
            rule.severity.to_string(),
            matches(rule),
        ]
    });
    std::iter::once(header).chain(rows).collect()
}

fn matches(rule: &Rule) -> String {
    let m = &rule.matches;
    let list = |words: Vec<String>| words.join(", ");
    let mut parts = Vec::new();
    if !m.failures.is_empty() {
        parts.push(list(m.failures.iter().map(ToString::to_string).collect()));
    }
    if !m.causes.is_empty() {
        parts.push(format!("causes {}", list(m.causes.iter().map(ToString::to_string).collect())));
    }
    if !m.containers.is_empty() {
        parts.push(format!("containers {}", list(m.containers.clone())));
    }
    if !m.logs.is_empty() {
        parts.push(format!("logs {}", list(m.logs.texts().to_vec())));
    }
    if parts.is_empty() {
        parts.push("every failure".to_owned());
    }
    parts.extend(asks(&rule.threshold));
    parts.join("; ")
}

/// The thresholds that the rule sets itself.
fn asks(t: &Threshold) -> Option<String> {
    let set = [
        t.pods.as_ref().map(|pods| format!("pods {pods}")),
        t.exits.map(|n| format!("exits {n}")),
        t.attempts.map(|n| format!("attempts {n}")),
        t.flaps.map(|n| format!("flaps {n}")),
        t.for_seconds.map(|n| format!("forSeconds {n}")),
    ];
    let set: Vec<String> = set.into_iter().flatten().collect();
    (!set.is_empty()).then(|| format!("needs {}", set.join(", ")))
}

/// What decides between two policies that select the same workload.
struct Standing {
    cluster: bool,
    priority: i32,
    created: Option<jiff::Timestamp>,
}

/// Why `winner` governs and `loser` does not; both are `KIND/NAME`.
pub fn precedence(own: &Own, namespace: &str, winner: &str, loser: &str) -> String {
    let (Some(winner), Some(loser)) = (standing(own, namespace, winner), standing(own, namespace, loser)) else {
        return "it comes later in the order of precedence".to_owned();
    };
    if winner.cluster != loser.cluster {
        "a policy of the namespace wins over one of the cluster".to_owned()
    } else if winner.priority != loser.priority {
        format!("its priority {} is lower than {}", loser.priority, winner.priority)
    } else if winner.created != loser.created {
        "the priorities are equal, and it is younger".to_owned()
    } else {
        "the priorities and ages are equal, and its name comes later".to_owned()
    }
}

fn standing(own: &Own, namespace: &str, reference: &str) -> Option<Standing> {
    match reference.split_once('/')? {
        ("IncidentPolicy", name) => own.policies.get(namespace, name).map(|p| Standing {
            cluster: false,
            priority: p.spec.terms.priority,
            created: p.creation_timestamp().map(|t| t.0),
        }),
        (_, name) => own.cluster_policies.get("", name).map(|p| Standing {
            cluster: true,
            priority: p.spec.terms.priority,
            created: p.creation_timestamp().map(|t| t.0),
        }),
    }
}
