//! The rights that the operator needs, and those that it must not have, as the chart's roles give them.

use std::fmt;

use crate::config::Mode;

/// Some verbs on one resource in one place, and whether they are expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    pub expected: bool,
    pub verbs: Vec<&'static str>,
    pub group: &'static str,
    pub resource: &'static str,
    pub subresource: &'static str,
    /// `None` for all namespaces, and for resources that have none.
    pub namespace: Option<String>,
    pub name: Option<String>,
}

/// `may get, list pods in all namespaces`.
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let may = if self.expected { "may" } else { "may not" };
        write!(f, "{may} {} {}", self.verbs.join(", "), self.resource)?;
        if !self.subresource.is_empty() {
            write!(f, "/{}", self.subresource)?;
        }
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None if CLUSTER_SCOPED.contains(&self.resource) => Ok(()),
            None => f.write_str(" in all namespaces"),
        }
    }
}

const CLUSTER_SCOPED: [&str; 3] = ["nodes", "namespaces", "clusterincidentpolicies"];
const OURS: &str = "backstay.dev";
const WATCH: &[&str] = &["list", "watch"];
const READ: &[&str] = &["get", "list", "watch"];
const STATUS: &[&str] = &["patch"];

/// Group, resource, subresource and verbs.
type Entry = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// What has no namespace. An installation for single namespaces watches none of it.
const OUTSIDE: [Entry; 3] =
    [("", "nodes", "", WATCH), ("", "namespaces", "", WATCH), (OURS, "clusterincidentpolicies", "", WATCH)];
const OUTSIDE_STATUS: Entry = (OURS, "clusterincidentpolicies", "status", STATUS);
const INSIDE: [Entry; 10] = [
    ("apps", "deployments", "", READ),
    ("apps", "replicasets", "", READ),
    ("", "pods", "", WATCH),
    (OURS, "incidentpolicies", "", WATCH),
    (OURS, "incidentpolicies", "status", STATUS),
    (OURS, "workloadhealths", "", &["get", "list", "watch", "create"]),
    (OURS, "workloadhealths", "status", STATUS),
    (OURS, "incidents", "", &["get", "list", "watch", "create", "delete"]),
    (OURS, "incidents", "status", STATUS),
    ("events.k8s.io", "events", "", &["create"]),
];
/// What changes workloads: needed to act, and absent where Backstay only observes.
const ACT: [Entry; 2] = [("apps", "deployments", "", &["patch"]), ("apps", "replicasets", "scale", &["patch"])];
/// What Backstay never needs.
const NEVER: [Entry; 4] = [
    ("", "secrets", "", &["get", "list", "watch"]),
    ("", "pods", "", &["create", "delete"]),
    ("", "pods", "exec", &["create"]),
    ("apps", "deployments", "", &["create", "update", "delete"]),
];

/// Every right to ask for. `namespaces` are the watched ones; none is the whole cluster.
pub fn wanted(mode: Mode, namespaces: &[String], lease_namespace: &str, lease: &str) -> Vec<Right> {
    let places: Vec<Option<&str>> = match namespaces {
        [] => vec![None],
        some => some.iter().map(|namespace| Some(namespace.as_str())).collect(),
    };
    let everywhere = namespaces.is_empty();
    let mut all = Vec::new();
    if everywhere {
        all.extend(OUTSIDE.iter().chain([&OUTSIDE_STATUS]).map(|entry| right(true, entry, None)));
    }
    for place in &places {
        all.extend(INSIDE.iter().map(|entry| right(true, entry, *place)));
    }
    let place = Some(lease_namespace);
    all.push(right(true, &("coordination.k8s.io", "leases", "", &["create"]), place));
    let named = right(true, &("coordination.k8s.io", "leases", "", &["get", "update"]), place);
    all.push(Right { name: Some(lease.to_owned()), ..named });
    for place in &places {
        all.extend(ACT.iter().map(|entry| right(mode == Mode::Enforce, entry, *place)));
    }
    if !everywhere {
        // Rights for single namespaces are not rights for all. What everybody may read in this cluster is not our matter.
        all.extend(ACT.iter().chain([&OUTSIDE_STATUS]).map(|entry| right(false, entry, None)));
    }
    all.extend(NEVER.iter().map(|entry| right(false, entry, None)));
    all.push(right(false, &("", "secrets", "", READ), place));
    all
}

fn right(expected: bool, entry: &Entry, namespace: Option<&str>) -> Right {
    let (group, resource, subresource, verbs) = *entry;
    let namespace = namespace.map(str::to_owned);
    Right { expected, verbs: verbs.to_vec(), group, resource, subresource, namespace, name: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(mode: Mode, namespaces: &[&str]) -> Vec<String> {
        let namespaces: Vec<String> = namespaces.iter().map(|n| (*n).to_owned()).collect();
        wanted(mode, &namespaces, "backstay", "backstay").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn enforcing_needs_the_right_to_patch_and_observing_must_lack_it() {
        let patch = "may patch deployments.apps in all namespaces".to_owned();
        assert!(said(Mode::Enforce, &[]).contains(&patch));
        let observe = said(Mode::Observe, &[]);
        assert!(!observe.contains(&patch) && observe.contains(&patch.replace("may", "may not")));
    }

    #[test]
    fn secrets_are_never_to_be_read() {
        for mode in [Mode::Enforce, Mode::Observe] {
            assert!(said(mode, &["shop"]).contains(&"may not get, list, watch secrets in all namespaces".to_owned()));
        }
    }

    #[test]
    fn watched_namespaces_are_asked_about_one_by_one() {
        insta::assert_snapshot!(said(Mode::Enforce, &["shop", "pay"]).join("\n"));
    }
}
