//! What the nodes that failing pods run on tell.

use std::collections::BTreeSet;

use super::{Case, is_about_running, judged_pods, shows, verdict};
use crate::engine::decision::Verdict;
use crate::engine::facts::{Name, NodeFacts, PodFacts};
use crate::engine::finding::Finding;
use crate::engine::words::{Cause, Class, Confidence, Fault, Rollback};

/// All failing pods sit on one node while the revision does well elsewhere, or their nodes are in trouble.
pub(super) fn explain_it(case: &Case) -> Option<Verdict> {
    only_one_is_bad(case).or_else(|| all_are_sick(case))
}

/// The pods of the newest revision, of which some show the finding.
fn pods<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a PodFacts> {
    judged_pods(case.s, &case.rollout.newest.uid)
}

fn failing<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a PodFacts> {
    let finding = case.finding;
    pods(case).filter(move |pod| shows(finding, pod))
}

/// The same, and those that keep a rollout from moving, which is not itself about pods.
fn holding_up<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a PodFacts> {
    let finding = case.finding;
    let stalled = finding.class == Class::RolloutStalled;
    pods(case).filter(move |pod| shows(finding, pod) || (stalled && !pod.ready))
}

fn only_one_is_bad(case: &Case) -> Option<Verdict> {
    let mut nodes = failing(case).filter_map(|pod| pod.node.as_ref());
    let node = nodes.next()?;
    // The same template does well elsewhere; but not every node may be of the kind that the image is for.
    if case.finding.cause == Cause::PlatformMismatch || nodes.any(|other| other != node) {
        return None;
    }
    let well = pods(case).filter(|pod| pod.ready && !shows(case.finding, pod));
    let elsewhere = well.filter(|pod| pod.node.as_ref().is_some_and(|other| other != node)).count();
    if elsewhere == 0 || is_fit(case, |other| other == node) {
        return None;
    }
    let because = format!("all failing pods are on node {node}; {elsewhere} pods of the revision are ready elsewhere");
    Some(verdict(Fault::Platform, Confidence::Likely, because))
}

/// Pods of the revision are ready on one of these nodes; where it matters whether a node is fit to run the program, also
/// those of the healthy revision tell.
fn is_fit(case: &Case, is_one: impl Fn(&Name) -> bool) -> bool {
    let control = case.control.filter(|_| is_about_running(case.finding));
    let control = control.into_iter().flat_map(|c| judged_pods(case.s, &c.uid));
    let good = pods(case).filter(|pod| !shows(case.finding, pod));
    good.chain(control).any(|pod| pod.ready && pod.node.as_ref().is_some_and(&is_one))
}

fn all_are_sick(case: &Case) -> Option<Verdict> {
    let own = &case.s.nodes.own;
    // Nearly always all of them are well, and nothing more need be asked.
    if is_told_by_the_template(case.finding) || own.iter().all(|node| node.ready && node.pressure.is_empty()) {
        return None;
    }
    let bad: BTreeSet<&Name> = holding_up(case).filter_map(|pod| pod.node.as_ref()).collect();
    // What serves beside them does not write as much.
    let full = case.finding.cause == Cause::StorageFull;
    let is_full = |n: &NodeFacts| full && n.pressure.iter().any(|pressure| &**pressure == "DiskPressure");
    let here = is_fit(case, |node| bad.contains(node));
    let is_sick = |n: &NodeFacts| if here { is_full(n) } else { !n.ready || !n.pressure.is_empty() };
    let sick = own.iter().filter(|n| bad.contains(&n.name) && is_sick(n));
    let mut sick: Vec<&str> = sick.map(|n| &*n.name).collect();
    sick.sort_unstable();
    (!bad.is_empty() && sick.len() == bad.len()).then(|| {
        let because = format!("every node with failing pods is not ready or under pressure: {}", sick.join(", "));
        verdict(Fault::Platform, Confidence::Likely, because)
    })
}

/// All failing pods run on one node, on which no pod of the workload is ready: it may be the node.
pub(super) fn on_one_of_their_own(case: &Case) -> bool {
    if !is_about_running(case.finding) {
        return false;
    }
    let mut bad = failing(case);
    let Some(node) = bad.next().and_then(|p| p.node.as_ref()) else { return false };
    bad.all(|p| p.node.as_ref() == Some(node)) && !case.s.pods.iter().any(|p| p.ready && p.node.as_ref() == Some(node))
}

/// What no node brings about: the name of an image, a command, or a pod that the API server does not accept.
fn is_told_by_the_template(finding: &Finding) -> bool {
    let class = matches!(finding.class, Class::ImagePullBackOff | Class::ContainerStart);
    finding.class == Class::CreateRefused || (class && finding.rollback == Rollback::Helps)
}
