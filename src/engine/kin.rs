//! What two workloads have in common, and whether one calls the other.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::facts::{Name, PodFacts, RevisionFacts, Snapshot, WorkloadFacts};
use super::finding::Finding;
use super::text;

/// What a workload uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Belongings {
    pub images: BTreeSet<String>,
    /// Nodes on which its failing pods are.
    pub nodes: BTreeSet<String>,
    /// Objects that its template names, as `ConfigMap settings`.
    pub objects: BTreeSet<String>,
}

/// Other workloads that fail and are compared.
pub const COMPARED: usize = 20;

/// Another workload that fails.
#[derive(Clone, Debug)]
pub struct Fellow {
    pub kind: Name,
    pub namespace: Name,
    pub name: Name,
    pub uses: Belongings,
}

impl Fellow {
    /// What is known of a workload; nothing where it is not known which revision is its newest.
    pub fn of(workload: &WorkloadFacts, revisions: &[Arc<RevisionFacts>], pods: &[Arc<PodFacts>]) -> Option<Self> {
        let WorkloadFacts { kind, namespace, name, .. } = workload;
        let uses = belongings(workload, revisions, pods)?;
        Some(Self { kind: kind.clone(), namespace: namespace.clone(), name: name.clone(), uses })
    }

    pub fn is_deployment(&self) -> bool {
        &*self.kind == "Deployment"
    }
}

/// `shop/web`, and the kind before it if it is no Deployment.
impl fmt::Display for Fellow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_deployment() {
            write!(f, "{} ", self.kind)?;
        }
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Things named of one pair; the bound of `Kin::shares`.
const NAMED: usize = 8;
/// Bytes of what is named.
const MAX_SAID: usize = 200;
/// Words in the name of a variable that make a bare name in its value the name of a host.
const HOST_WORDS: [&str; 9] = ["HOST", "URL", "URI", "ADDR", "ENDPOINT", "SERVICE", "SERVER", "UPSTREAM", "DSN"];

/// What both use, at most as many as a `Kin` holds.
pub fn shares(ours: &Belongings, theirs: &Belongings) -> Vec<String> {
    let common = |word: &str, a: &BTreeSet<String>, b: &BTreeSet<String>| -> Vec<String> {
        a.intersection(b).map(|name| cut(&format!("{word}{name}"))).collect()
    };
    let mut all = common("image ", &ours.images, &theirs.images);
    all.extend(common("", &ours.objects, &theirs.objects));
    all.extend(common("node ", &ours.nodes, &theirs.nodes));
    all.truncate(NAMED);
    all
}

/// What a failing revision uses, as far as it is known.
pub fn ours(s: &Snapshot, failing: &RevisionFacts, findings: &[Finding]) -> Belongings {
    let fails = |pod: &PodFacts| findings.iter().any(|f| f.pods.contains(&pod.name));
    let nodes = s.pods.iter().filter(|pod| fails(pod)).filter_map(|pod| pod.node.as_ref());
    let objects = s.surroundings.iter().flat_map(|around| &around.references).filter(|r| r.newest.is_some());
    Belongings {
        images: images(failing),
        nodes: nodes.map(ToString::to_string).collect(),
        objects: objects.map(|r| r.reference.to_string()).collect(),
    }
}

/// What the newest revision of a workload uses; none where it is not known which that is.
fn belongings(
    workload: &WorkloadFacts,
    revisions: &[Arc<RevisionFacts>],
    pods: &[Arc<PodFacts>],
) -> Option<Belongings> {
    let newest = revisions.iter().find(|r| r.template.digest == workload.template_digest)?;
    let broken = pods.iter().filter(|p| p.revision == newest.uid && !p.ready);
    Some(Belongings {
        images: images(newest),
        nodes: broken.filter_map(|p| p.node.as_ref()).map(ToString::to_string).collect(),
        objects: BTreeSet::new(),
    })
}

/// The images of a revision.
fn images(revision: &RevisionFacts) -> BTreeSet<String> {
    revision.template.containers.iter().map(|c| c.image.to_string()).collect()
}

/// The Service of a namespace, and who may call it.
#[derive(Clone, Copy, Debug)]
pub struct Callee<'a> {
    pub service: &'a str,
    pub namespace: &'a str,
    /// Namespace of the caller; only within one is the bare name enough.
    pub from: &'a str,
}

/// Where a template names the Service: a variable, never its value, or an argument.
pub fn calls(template: &Value, callee: Callee<'_>) -> Option<String> {
    let spec = template.get("spec")?;
    let containers = ["containers", "initContainers"].into_iter().flat_map(|list| items(spec.get(list)));
    for container in containers {
        let name = word(container, "name");
        for variable in items(container.get("env")) {
            let key = word(variable, "name");
            let is_address = HOST_WORDS.iter().any(|word| key.to_ascii_uppercase().contains(word));
            if names(word(variable, "value"), callee, is_address) {
                return Some(cut(&format!("env {key} of container {name}")));
            }
        }
        for argument in ["command", "args"].into_iter().flat_map(|list| items(container.get(list))) {
            if names(argument.as_str().unwrap_or_default(), callee, false) {
                return Some(cut(&format!("arguments of container {name}")));
            }
        }
    }
    None
}

/// The text names the Service as a host. A bare name is one only where an address is expected: after `://` or `@`, before
/// a port, or in a variable that is called so.
fn names(text: &str, callee: Callee<'_>, is_address: bool) -> bool {
    let Callee { service, namespace, from: caller } = callee;
    let local = format!("{service}.{namespace}");
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(service)).map(|at| at + from) {
        let before = text.get(..at).unwrap_or_default();
        from = at + service.len().max(1);
        let path = before.ends_with('/') && !before.ends_with("://");
        // Only where a host begins is it looked at, so that none is read more than once.
        if path || before.chars().next_back().is_some_and(is_part) {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let (host, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let host = host.trim_end_matches('.');
        let full =
            host == local || host.strip_prefix(&local).is_some_and(|rest| rest == ".svc" || rest.starts_with(".svc."));
        let port = after.strip_prefix(':').is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit()));
        let address = is_address || port || before.ends_with("://") || before.ends_with('@');
        if full || (host == service && address && caller == namespace) {
            return true;
        }
    }
    false
}

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Names of variables and images are what others wrote.
fn cut(said: &str) -> String {
    text::clean(said, MAX_SAID).into()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn callee(from: &str) -> Callee<'_> {
        Callee { service: "pay", namespace: "shop", from }
    }

    #[rstest]
    #[case("API_URL", "http://pay:8080/v1", true)]
    #[case("API_URL", "http://pay.shop.svc.cluster.local/v1", true)]
    #[case("API", "pay.shop.svc:80", true)]
    #[case("API", "pay.shop", true)]
    #[case("PAY_HOST", "pay", true)]
    #[case("DATABASE", "postgres://app:x@pay/db", true)]
    #[case("API", "pay:8080", true)]
    #[case::another_namespace("API_URL", "http://pay.bank.svc/v1", false)]
    #[case::a_longer_name("API_URL", "http://pay-two:8080", false)]
    #[case::a_longer_name_before("API_URL", "http://re-pay:8080", false)]
    #[case::a_mere_word("MODE", "pay", false)]
    #[case::a_path_of_another("API_URL", "http://other/pay", false)]
    #[case::another_host("API_URL", "http://pay.example.com", false)]
    fn a_service_is_named_as_a_host(#[case] name: &str, #[case] value: &str, #[case] expected: bool) {
        let template = json!({"spec": {"containers": [{"name": "web", "env": [{"name": name, "value": value}]}]}});
        let through = calls(&template, callee("shop"));
        assert_eq!(through.is_some(), expected, "{through:?}");
        assert!(!through.unwrap_or_default().contains(value) || value == "pay");
    }

    #[test]
    fn arguments_name_services_too() {
        let template = json!({"spec": {"initContainers": [{"name": "wait", "args": ["--for", "tcp://pay:80"]}]}});
        assert_eq!(calls(&template, callee("shop")).as_deref(), Some("arguments of container wait"));
        assert_eq!(calls(&json!({"spec": {"containers": 1}}), callee("shop")), None);
    }

    #[test]
    fn from_another_namespace_only_the_full_name_leads_there() {
        let template =
            |url: &str| json!({"spec": {"containers": [{"name": "web", "env": [{"name": "URL", "value": url}]}]}});
        assert!(calls(&template("http://pay.shop.svc:80"), callee("bank")).is_some());
        assert_eq!(calls(&template("http://pay:80"), callee("bank")), None);
    }

    #[test]
    fn what_others_wrote_is_bounded_and_no_terminal_obeys_it() {
        let env = json!([{"name": format!("URL\u{1b}[2J{}", "X".repeat(999)), "value": "http://pay:80"}]);
        let through = calls(&json!({"spec": {"containers": [{"name": "web", "env": env}]}}), callee("shop")).unwrap();
        assert!(through.starts_with("env URLXX") && through.len() <= MAX_SAID, "{through:?}");
    }

    #[test]
    fn what_is_shared_is_named() {
        let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        let ours = Belongings { images: set(&["a", "b"]), nodes: set(&["n1"]), objects: set(&["Secret db"]) };
        let theirs =
            Belongings { images: set(&["b"]), nodes: set(&["n2"]), objects: set(&["Secret db", "ConfigMap x"]) };
        assert_eq!(shares(&ours, &theirs), ["image b", "Secret db"]);
    }
}
