//! What the nodes that failing pods run on tell.

use std::collections::BTreeSet;

use super::{Case, is_about_running, judged_pods, shows, verdict};
use crate::engine::decision::Verdict;
use crate::engine::facts::{Name, NodeFacts, PodFacts};
use crate::engine::finding::Finding;
use crate::engine::words::{Cause, Class, Confidence, Fault, Rollback};

/// All failing pods sit on one node while the revision does well elsewhere, or their nodes are in trouble.
pub(super) fn explain_it(case: &Case) -> Option<Verdict> {
    let (bad, good): (Vec<&PodFacts>, Vec<&PodFacts>) =
        judged_pods(case.s, &case.rollout.newest.uid).partition(|p| shows(case.finding, p));
    let bad_nodes: BTreeSet<&Name> = bad.iter().filter_map(|p| p.node.as_ref()).collect();
    let on_bad_node = |p: &PodFacts| p.node.as_ref().is_some_and(|n| bad_nodes.contains(n));
    let elsewhere = good.iter().filter(|p| p.ready && p.node.is_some() && !on_bad_node(p)).count();
    // A node on which pods of the healthy revision serve is fit to run the program.
    let control = case.control.filter(|_| is_about_running(case.finding));
    let control = control.into_iter().flat_map(|c| judged_pods(case.s, &c.uid));
    let here = good.iter().copied().chain(control).filter(|p| p.ready && on_bad_node(p)).count();
    // The same template does well elsewhere; but not every node may be of the kind that the image is for.
    let differs = case.finding.cause == Cause::PlatformMismatch;
    if bad_nodes.len() == 1 && elsewhere > 0 && here == 0 && !differs {
        let node = bad_nodes.first()?;
        let because =
            format!("all failing pods are on node {node}; {elsewhere} pods of the revision are ready elsewhere");
        return Some(verdict(Fault::Platform, Confidence::Likely, because));
    }
    if is_told_by_the_template(case.finding) {
        return None;
    }
    // What serves beside them does not write as much.
    let full = case.finding.cause == Cause::StorageFull;
    let is_full = |n: &NodeFacts| full && n.pressure.iter().any(|pressure| &**pressure == "DiskPressure");
    let is_sick = |n: &NodeFacts| if here > 0 { is_full(n) } else { !n.ready || !n.pressure.is_empty() };
    let sick = case.s.nodes.own.iter().filter(|n| bad_nodes.contains(&n.name));
    let mut sick: Vec<&str> = sick.filter(|n| is_sick(n)).map(|n| &*n.name).collect();
    sick.sort_unstable();
    if !bad_nodes.is_empty() && sick.len() == bad_nodes.len() {
        let because = format!("every node with failing pods is not ready or under pressure: {}", sick.join(", "));
        return Some(verdict(Fault::Platform, Confidence::Likely, because));
    }
    None
}

/// All failing pods run on one node, on which no pod of the workload is ready: it may be the node.
pub(super) fn on_one_of_their_own(case: &Case) -> bool {
    if !is_about_running(case.finding) {
        return false;
    }
    let mut bad = judged_pods(case.s, &case.rollout.newest.uid).filter(|p| shows(case.finding, p));
    let Some(node) = bad.next().and_then(|p| p.node.as_ref()) else { return false };
    bad.all(|p| p.node.as_ref() == Some(node)) && !case.s.pods.iter().any(|p| p.ready && p.node.as_ref() == Some(node))
}

/// What no node brings about: the name of an image, a command, or a pod that the API server does not accept.
fn is_told_by_the_template(finding: &Finding) -> bool {
    let class = matches!(finding.class, Class::ImagePullBackOff | Class::ContainerStart | Class::CreateRefused);
    class && finding.rollback == Rollback::Helps
}
