//! Which hosts and paths Ingresses and HTTPRoutes lead from, and to which Services.

use std::collections::BTreeMap;

use serde_json::Value;

use super::clean;
use super::parts::{items, name, text};
use crate::engine::blast_radius::{ANY_HOST, ANY_OTHER_HOST, Entry, Way};

/// Bytes of a path.
const MAX_PATH: usize = 64;

/// An Ingress, host by host: each rule leads to backends of its own.
pub fn ingress(object: &Value) -> Vec<Entry> {
    let backend = |of: &Value, at: &str| of.pointer(at).and_then(Value::as_str).map(str::to_owned);
    let default = backend(object, "/spec/defaultBackend/service/name");
    let all_to_default = || default.iter().map(|service| Way::to(vec![String::new()], vec![service.clone()]));
    let mut hosts: BTreeMap<String, Vec<Way>> = BTreeMap::new();
    for rule in items(object, "/spec/rules") {
        let ways = hosts.entry(host(rule.get("host"))).or_default();
        let paths = items(rule, "/http/paths");
        ways.extend(paths.iter().map(|path| {
            let services = backend(path, "/backend/service/name").into_iter().collect();
            Way::to(vec![shown(path.get("path"), path.get("pathType"))], services)
        }));
        // A rule that says of a host no more than its name leaves it to the default backend.
        ways.extend(all_to_default().filter(|_| paths.is_empty()));
    }
    let catches_all = |ways: &Vec<Way>| ways.iter().any(|way| way.paths.iter().any(String::is_empty));
    let others = match hosts.get(ANY_HOST) {
        Some(ways) if catches_all(ways) => None,
        None if !hosts.is_empty() => Some(ANY_OTHER_HOST),
        _ => Some(ANY_HOST),
    };
    let name = format!("Ingress {}", name(object));
    let mut entries: Vec<Entry> =
        hosts.into_iter().map(|(host, ways)| Entry { name: name.clone(), hosts: vec![host], ways }).collect();
    // What no rule is for. A rule for every host may leave some of the paths to it.
    let left = others.map(|host| Entry { name, hosts: vec![host.to_owned()], ways: all_to_default().collect() });
    entries.extend(left.filter(|entry| !entry.ways.is_empty()));
    entries
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
        let path = |of: &Value| shown(of.pointer("/path/value"), of.pointer("/path/type"));
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
fn shown(path: Option<&Value>, how: Option<&Value>) -> String {
    let path = path.and_then(Value::as_str).unwrap_or_default();
    let begins_all = matches!(path, "" | "/" | "/*") && how.and_then(Value::as_str) != Some("Exact");
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
        json!({"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}})
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
        json!({"rules": [rule("a", &[json!({"path": "/", "pathType": "Exact", "backend": default("web")})])]}),
        &["a / web"])]
    #[case::all_in_another_spelling(json!({"rules": [rule("a", &[path("/*", "web")])]}), &["a  web"])]
    #[case::nonsense(json!({"rules": 1, "defaultBackend": []}), &[])]
    fn hosts_of_an_ingress_follow_their_own_backends(#[case] spec: Value, #[case] expected: &[&str]) {
        assert_eq!(told(&ingress(&json!({"metadata": {"name": "shop"}, "spec": spec}))), expected);
    }

    #[rstest]
    #[case::rules_of_their_own(
        json!({"hostnames": ["b", "a"], "rules": [
            {"matches": [{"path": {"type": "PathPrefix", "value": "/pay"}}, {"path": {"value": "/buy"}}],
             "backendRefs": [{"name": "pay"}]},
            {"backendRefs": [{"name": "web", "port": 80}, {"name": "new", "weight": 0}]}]}),
        &["a,b /pay,/buy pay", "a,b  web"])]
    #[case::every_host(json!({"rules": [{"backendRefs": [{"name": "web"}]}]}), &["*  web"])]
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
