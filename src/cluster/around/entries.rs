//! Which hosts and paths Ingresses and HTTPRoutes lead from, and to which Services.

use std::collections::BTreeMap;

use serde_json::Value;

use super::clean;
use super::parts::{items, name, text};
use crate::engine::blast_radius::{ANY_HOST, ANY_OTHER_HOST, Entry, Way};

/// Bytes of a path.
const MAX_PATH: usize = 64;
/// How an Ingress reads a path unless it says so.
const AS_THE_CONTROLLER_WILL: &str = "ImplementationSpecific";

/// An Ingress, host by host: each rule leads to backends of its own, and what no rule is for to the default backend.
pub fn ingress(object: &Value) -> Vec<Entry> {
    let services = |backend: Option<&Value>| {
        let name = backend.and_then(|backend| backend.pointer("/service/name"));
        name.and_then(Value::as_str).map(str::to_owned).into_iter().collect()
    };
    let mut hosts: BTreeMap<String, Vec<Way>> = BTreeMap::new();
    for rule in items(object, "/spec/rules") {
        let way = |path: &Value| {
            let how = path.get("pathType").and_then(Value::as_str).unwrap_or(AS_THE_CONTROLLER_WILL);
            Way::to(vec![shown(path.get("path"), how)], services(path.get("backend")))
        };
        hosts.entry(host(rule.get("host"))).or_default().extend(items(rule, "/http/paths").iter().map(way));
    }
    let others = if hosts.is_empty() { ANY_HOST } else { ANY_OTHER_HOST };
    let others = (!hosts.contains_key(ANY_HOST)).then(|| (others.to_owned(), Vec::new()));
    let mut hosts: Vec<(String, Vec<Way>)> = hosts.into_iter().collect();
    if let Some(default) = object.pointer("/spec/defaultBackend").filter(|default| default.is_object()) {
        hosts.extend(others);
        let catch_all = |ways: &[Way]| ways.iter().any(|way| way.paths.iter().any(String::is_empty));
        for (_, ways) in hosts.iter_mut().filter(|(_, ways)| !catch_all(ways)) {
            ways.push(Way::to(vec![String::new()], services(Some(default))));
        }
    }
    let name = format!("Ingress {}", name(object));
    hosts.into_iter().map(|(host, ways)| Entry { name: name.clone(), hosts: vec![host], ways }).collect()
}

/// An HTTPRoute, whose hosts are those of all its rules. It leads to Services of its own namespace, unless it names another.
pub fn route(object: &Value, namespace: &str) -> Entry {
    let own = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or(namespace);
    let leads_here = |backend: &&Value| {
        let is =
            |key: &str, default: &str, word: &str| backend.get(key).and_then(Value::as_str).unwrap_or(default) == word;
        is("kind", "Service", "Service")
            && is("group", "", "")
            && is("namespace", own, namespace)
            // It is named and gets nothing, as while a canary waits.
            && backend.get("weight").and_then(Value::as_i64) != Some(0)
    };
    let way = |rule: &Value| {
        let matches = items(rule, "/matches");
        let path = |of: &Value| {
            let how = of.pointer("/path/type").and_then(Value::as_str).unwrap_or("PathPrefix");
            shown(of.pointer("/path/value"), how)
        };
        // A rule that matches nothing in particular is for everything.
        let paths = if matches.is_empty() { vec![String::new()] } else { matches.iter().map(path).collect() };
        let backends = items(rule, "/backendRefs").iter().filter(leads_here);
        Way::to(paths, backends.filter_map(|backend| backend.get("name")?.as_str().map(str::to_owned)).collect())
    };
    let mut hosts: Vec<String> = items(object, "/spec/hostnames").iter().map(|of| host(Some(of))).collect();
    if hosts.is_empty() {
        hosts.push(ANY_HOST.to_owned());
    }
    hosts.sort();
    hosts.dedup();
    let place = if own == namespace { String::new() } else { format!("{own}/") };
    let name = clean(&format!("HTTPRoute {place}{}", name(object)), 320);
    Entry { name, hosts, ways: items(object, "/spec/rules").iter().map(way).collect() }
}

/// Without a name it is every host.
fn host(named: Option<&Value>) -> String {
    let host = text(named);
    if host.is_empty() { ANY_HOST.to_owned() } else { host }
}

/// A path as it is told: empty if every path begins with it.
fn shown(path: Option<&Value>, how: &str) -> String {
    let path = path.and_then(Value::as_str).unwrap_or_default();
    let begins_all = match path {
        "" => true,
        "/" => how != "Exact",
        // As a prefix it is a path whose first part is an asterisk.
        "/*" => how == AS_THE_CONTROLLER_WILL,
        _ => false,
    };
    if begins_all { String::new() } else { clean(path, MAX_PATH) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// What leads where, as `HOST PATH SERVICE`.
    fn told(entries: &[Entry]) -> Vec<String> {
        let of_entry = |entry: &Entry| {
            let (hosts, ways) = (entry.hosts.join(","), entry.ways.clone());
            ways.into_iter().map(move |way| format!("{hosts} {} {}", way.paths.join(","), way.services.join(",")))
        };
        entries.iter().flat_map(of_entry).collect()
    }

    fn path(path: &str, service: &str) -> Value {
        typed(path, "Prefix", service)
    }

    fn typed(path: &str, how: &str, service: &str) -> Value {
        json!({"path": path, "pathType": how, "backend": default(service)})
    }

    fn rule(host: &str, paths: &[Value]) -> Value {
        json!({"host": host, "http": {"paths": paths}})
    }

    fn default(service: &str) -> Value {
        json!({"service": {"name": service, "port": {"number": 80}}})
    }

    #[rstest]
    #[case::rules_of_their_own(
        json!({"rules": [rule("a", &[path("/", "web")]), rule("b", &[path("/", "other")])]}), &["a  web", "b  other"])]
    #[case::one_host_in_two_rules(
        json!({"rules": [rule("a", &[path("/", "web")]), rule("a", &[path("/x", "other")])]}), &["a  web", "a /x other"])]
    #[case::no_rule(json!({"defaultBackend": default("web")}), &["*  web"])]
    #[case::a_default_beside_rules(
        json!({"rules": [rule("a", &[path("/", "other")])], "defaultBackend": default("web")}),
        &["a  other", "any other host  web"])]
    #[case::a_default_behind_paths_of_every_host(
        json!({"rules": [rule("", &[path("/x", "other")])], "defaultBackend": default("web")}),
        &["* /x other", "*  web"])]
    #[case::a_default_behind_paths_of_one_host(
        json!({"rules": [rule("a", &[path("/x", "other")])], "defaultBackend": default("web")}),
        &["a /x other", "a  web", "any other host  web"])]
    #[case::a_default_behind_paths_of_one_host_and_of_every(
        json!({"rules": [rule("a", &[path("/x", "other")]), rule("", &[path("/", "other")])], "defaultBackend": default("web")}),
        &["*  other", "a /x other", "a  web"])]
    #[case::a_default_that_is_no_service(
        json!({"rules": [rule("a", &[path("/x", "web")])], "defaultBackend": {"resource": {"kind": "Bucket", "name": "b"}}}),
        &["a /x web", "a  ", "any other host  "])]
    #[case::a_default_that_gets_nothing(
        json!({"rules": [rule("", &[path("/", "other")])], "defaultBackend": default("web")}), &["*  other"])]
    #[case::a_host_that_is_left_to_the_default(
        json!({"rules": [{"host": "a"}, rule("b", &[path("/", "other")])], "defaultBackend": default("web")}),
        &["a  web", "b  other", "any other host  web"])]
    #[case::a_host_that_leads_nowhere(json!({"rules": [{"host": "a"}]}), &[])]
    #[case::what_is_no_service(
        json!({"rules": [rule("a", &[json!({"path": "/", "backend": {"resource": {"kind": "Bucket", "name": "web"}}})])]}),
        &["a  "])]
    #[case::the_root_alone(
        json!({"rules": [rule("a", &[typed("/", "Exact", "web")])]}),
        &["a / web"])]
    #[case::an_asterisk(json!({"rules": [rule("a", &[path("/*", "web")])]}), &["a /* web"])]
    #[case::all_in_another_spelling(
        json!({"rules": [rule("a", &[typed("/*", "ImplementationSpecific", "web")])]}), &["a  web"])]
    #[case::all_in_a_spelling_without_a_type(
        json!({"rules": [rule("a", &[json!({"path": "/*", "backend": default("web")})])]}), &["a  web"])]
    #[case::nonsense(json!({"rules": 1, "defaultBackend": []}), &[])]
    fn hosts_of_an_ingress_follow_their_own_backends(#[case] spec: Value, #[case] expected: &[&str]) {
        assert_eq!(told(&ingress(&json!({"metadata": {"name": "shop"}, "spec": spec}))), expected);
    }

    /// A host of which several ways lead to one Service is one host.
    #[test]
    fn no_host_of_an_ingress_is_told_twice() {
        let rules = [rule("", &[path("/x", "web")]), rule("a", &[path("/x", "web")]), rule("a", &[path("/y", "web")])];
        let spec = json!({"rules": rules, "defaultBackend": default("web")});
        let entries = ingress(&json!({"metadata": {"name": "shop"}, "spec": spec}));
        let hosts: Vec<&String> = entries.iter().flat_map(|entry| &entry.hosts).collect();
        assert_eq!(hosts, ["*", "a"]);
    }

    #[rstest]
    #[case::rules_of_their_own(
        json!({"hostnames": ["b", "a"], "rules": [
            {"matches": [{"path": {"type": "PathPrefix", "value": "/pay"}}, {"path": {"value": "/buy"}}],
             "backendRefs": [{"name": "pay"}]},
            {"backendRefs": [{"name": "web", "port": 80}, {"name": "new", "weight": 0}]}]}),
        &["a,b /pay,/buy pay", "a,b  web"])]
    #[case::every_host(json!({"rules": [{"backendRefs": [{"name": "web"}]}]}), &["*  web"])]
    #[case::an_asterisk(
        json!({"hostnames": ["a"], "rules": [
            {"matches": [{"path": {"value": "/*"}}], "backendRefs": [{"name": "web"}]}]}),
        &["a /* web"])]
    #[case::the_root_by_a_header(
        json!({"hostnames": ["a"], "rules": [
            {"matches": [{"path": {"value": "/"}, "headers": [{"name": "x", "value": "y"}]}],
             "backendRefs": [{"name": "web"}]}]}),
        &["a  web"])]
    #[case::what_is_no_service_of_here(
        json!({"hostnames": ["a"], "rules": [{"backendRefs": [
            {"name": "far", "namespace": "bank"}, {"kind": "Bucket", "name": "b"}, {"group": "x.io", "name": "c"}]}]}),
        &["a  "])]
    #[case::a_redirect(json!({"hostnames": ["a"], "rules": [{"filters": []}]}), &["a  "])]
    #[case::nonsense(json!({"hostnames": 1, "rules": [1]}), &["*  "])]
    fn hosts_of_a_route_are_those_of_all_its_rules(#[case] spec: Value, #[case] expected: &[&str]) {
        let object = json!({"metadata": {"name": "edge", "namespace": "shop"}, "spec": spec});
        assert_eq!(told(&[route(&object, "shop")]), expected);
    }
}
