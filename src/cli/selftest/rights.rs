//! The rights that the operator needs, and those that it must not have, as the chart's roles give them.

use std::fmt;

use crate::config::{AroundArgs, Mode};

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

const CLUSTER_SCOPED: [&str; 4] = ["nodes", "namespaces", "clusterincidentpolicies", "priorityclasses"];
const OURS: &str = "backstay.dev";
const WATCH: &[&str] = &["list", "watch"];
const READ: &[&str] = &["get", "list", "watch"];
const STATUS: &[&str] = &["patch"];
const GET: &[&str] = &["get"];
const LIST: &[&str] = &["list"];

/// Group, resource, subresource and verbs.
type Entry = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// What has no namespace. An installation for single namespaces watches none of it.
const OUTSIDE: [Entry; 3] =
    [("", "nodes", "", WATCH), ("", "namespaces", "", WATCH), (OURS, "clusterincidentpolicies", "", WATCH)];
const OUTSIDE_STATUS: Entry = (OURS, "clusterincidentpolicies", "status", STATUS);
const INSIDE: [Entry; 11] = [
    ("apps", "deployments", "", READ),
    ("apps", "replicasets", "", READ),
    ("", "pods", "", WATCH),
    ("", "events", "", &["watch"]),
    (OURS, "incidentpolicies", "", WATCH),
    (OURS, "incidentpolicies", "status", STATUS),
    (OURS, "workloadhealths", "", &["get", "list", "watch", "create", "delete"]),
    (OURS, "workloadhealths", "status", STATUS),
    (OURS, "incidents", "", &["get", "list", "watch", "create", "delete"]),
    (OURS, "incidents", "status", STATUS),
    ("events.k8s.io", "events", "", &["create"]),
];
/// What lies around a failing workload.
const AROUND: [Entry; 14] = [
    ("", "services", "", LIST),
    ("", "resourcequotas", "", LIST),
    ("", "configmaps", "", GET),
    ("", "serviceaccounts", "", GET),
    ("", "persistentvolumeclaims", "", GET),
    ("discovery.k8s.io", "endpointslices", "", LIST),
    ("networking.k8s.io", "ingresses", "", LIST),
    ("networking.k8s.io", "networkpolicies", "", LIST),
    ("gateway.networking.k8s.io", "httproutes", "", LIST),
    ("autoscaling", "horizontalpodautoscalers", "", LIST),
    ("policy", "poddisruptionbudgets", "", LIST),
    ("apps", "statefulsets", "", LIST),
    ("batch", "jobs", "", LIST),
    ("batch", "cronjobs", "", LIST),
];
const PRIORITY_CLASSES: Entry = ("scheduling.k8s.io", "priorityclasses", "", GET);
const SECRETS: Entry = ("", "secrets", "", GET);
/// What changes workloads: needed to act, and absent where Backstay only observes.
const ACT: [Entry; 2] = [("apps", "deployments", "", &["patch"]), ("apps", "replicasets", "scale", &["patch"])];
/// What dry runs of a pod need, and nothing else.
const CREATE_PODS: Entry = ("", "pods", "", &["create"]);
/// Absent where no logs are to be read.
const LOGS: Entry = ("", "pods", "log", &["get"]);
/// What Backstay never needs.
const NEVER: [Entry; 4] = [
    ("", "secrets", "", &["get", "list", "watch"]),
    ("", "pods", "", &["delete"]),
    ("", "pods", "exec", &["create"]),
    ("apps", "deployments", "", &["create", "update", "delete"]),
];

/// How the operator was installed.
#[derive(Clone, Copy, Debug)]
pub struct Installed<'a> {
    pub mode: Mode,
    pub around: &'a AroundArgs,
    pub read_logs: bool,
}

/// Every right to ask for. `namespaces` are the watched ones; none is the whole cluster.
pub fn wanted(installed: Installed<'_>, namespaces: &[String], (lease_namespace, lease): (&str, &str)) -> Vec<Right> {
    let around = installed.around;
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
        all.push(right(installed.read_logs, &LOGS, *place));
    }
    let place = Some(lease_namespace);
    all.push(right(true, &("coordination.k8s.io", "leases", "", &["create"]), place));
    let named = right(true, &("coordination.k8s.io", "leases", "", &["get", "update"]), place);
    all.push(Right { name: Some(lease.to_owned()), ..named });
    if around.surroundings {
        all.extend(Some(right(true, &PRIORITY_CLASSES, None)).filter(|_| everywhere));
        all.extend(places.iter().flat_map(|place| AROUND.iter().map(|entry| right(true, entry, *place))));
    }
    all.extend(around.secret_namespaces.iter().map(|namespace| right(true, &SECRETS, Some(namespace))));
    for place in &places {
        all.extend(ACT.iter().map(|entry| right(installed.mode == Mode::Enforce, entry, *place)));
    }
    if !everywhere {
        // Rights for single namespaces are not rights for all. What everybody may read in this cluster is not our matter.
        let all_over = ACT.iter().chain([&CREATE_PODS, &OUTSIDE_STATUS]);
        all.extend(all_over.map(|entry| right(false, entry, None)));
    }
    let dry_runs = around.try_baseline && installed.mode == Mode::Enforce;
    all.extend(NEVER.iter().map(|entry| right(false, entry, None)));
    all.extend(places.iter().map(|place| right(dry_runs, &CREATE_PODS, *place)));
    if !around.secret_namespaces.iter().any(|namespace| namespace == lease_namespace) {
        all.push(right(false, &("", "secrets", "", READ), place));
    }
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
        let around = around();
        let installed = Installed { mode, around: &around, read_logs: true };
        wanted(installed, &namespaces, ("backstay", "backstay")).iter().map(ToString::to_string).collect()
    }

    fn around() -> AroundArgs {
        AroundArgs { surroundings: true, secret_namespaces: Vec::new(), try_baseline: false }
    }

    #[test]
    fn enforcing_needs_the_right_to_patch_and_observing_must_lack_it() {
        let patch = "may patch deployments.apps in all namespaces".to_owned();
        assert!(said(Mode::Enforce, &[]).contains(&patch));
        let observe = said(Mode::Observe, &[]);
        assert!(!observe.contains(&patch) && observe.contains(&patch.replace("may", "may not")));
    }

    #[test]
    fn pods_may_be_created_where_dry_runs_are_asked_for_and_nowhere_else() {
        let said = |mode, try_baseline| {
            let around = AroundArgs { try_baseline, ..around() };
            wanted(Installed { mode, around: &around, read_logs: true }, &[], ("backstay", "backstay"))
        };
        let may = |rights: &[Right]| rights.iter().any(|r| r.to_string() == "may create pods in all namespaces");
        assert!(may(&said(Mode::Enforce, true)));
        assert!(!may(&said(Mode::Enforce, false)) && !may(&said(Mode::Observe, true)));
    }

    #[test]
    fn logs_are_to_be_read_only_where_they_are_wanted() {
        let asked = |read_logs| {
            let around = around();
            let installed = Installed { mode: Mode::Enforce, around: &around, read_logs };
            let rights = wanted(installed, &[], ("backstay", "backstay"));
            rights.iter().map(ToString::to_string).find(|right| right.contains("pods/log"))
        };
        assert_eq!(asked(true).as_deref(), Some("may get pods/log in all namespaces"));
        assert_eq!(asked(false).as_deref(), Some("may not get pods/log in all namespaces"));
    }

    #[test]
    fn secrets_are_never_to_be_read() {
        for mode in [Mode::Enforce, Mode::Observe] {
            assert!(said(mode, &["shop"]).contains(&"may not get, list, watch secrets in all namespaces".to_owned()));
        }
    }

    #[test]
    fn secrets_are_to_be_looked_at_where_that_is_asked_for_and_nowhere_else() {
        let around = AroundArgs { surroundings: false, secret_namespaces: vec!["backstay".to_owned()], ..around() };
        let installed = Installed { mode: Mode::Enforce, around: &around, read_logs: true };
        let said: Vec<String> =
            wanted(installed, &[], ("backstay", "backstay")).iter().map(ToString::to_string).collect();
        assert!(said.contains(&"may get secrets in namespace backstay".to_owned()), "{said:?}");
        assert!(said.contains(&"may not get, list, watch secrets in all namespaces".to_owned()), "{said:?}");
        assert!(!said.iter().any(|right| right.contains("configmaps") || right.contains("watch secrets in namespace")));
    }

    #[test]
    fn watched_namespaces_are_asked_about_one_by_one() {
        insta::assert_snapshot!(said(Mode::Enforce, &["shop", "pay"]).join("\n"));
    }
}
