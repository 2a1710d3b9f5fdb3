//! Pods that hang while they are set up: whether those of other workloads hang on the same nodes in the same way. Then
//! it is the node's doing, whatever else the change touches.

use std::collections::BTreeSet;

use super::{Case, began_with, judged_pods, shows, touches, verdict};
use crate::engine::decision::Verdict;
use crate::engine::facts::{Name, SetupFacts};
use crate::engine::words::{Cause, Class, Confidence, Fault};

/// Names of nodes in a sentence.
const NAMED: usize = 3;

/// Others hang on at least half of the nodes on which pods of the revision do.
pub(super) fn others_hang_too(case: &Case) -> Option<Verdict> {
    let own = nodes(case).filter(|_| !its_own_doing(case))?;
    let shared: BTreeSet<&Name> = alike(case, &own).map(|at| &at.node).collect();
    (!shared.is_empty() && shared.len().saturating_mul(2) >= own.len()).then(|| {
        let others = alike(case, &own).count();
        let hang = if others == 1 { "pods of another workload hang" } else { "pods of other workloads hang" };
        let because = format!("{hang} on {} in the same way ({})", names(&shared), case.finding.cause);
        verdict(Fault::Platform, Confidence::Likely, because)
    })
}

/// That the others were looked at and do not hang there.
pub(super) fn others_do_not(case: &Case) -> Option<String> {
    let own = nodes(case)?;
    let others = case.s.fleet.watched.saturating_sub(1);
    let workloads = if others == 1 { "workload" } else { "workloads" };
    let alone = others > 0 && alike(case, &own).next().is_none();
    alone.then(|| format!("no pod of {others} other {workloads} hangs on {} like that", names(&own)))
}

/// The nodes on which pods of the revision hang; `None` where no node can be what makes them.
fn nodes<'a>(case: &Case<'a>) -> Option<BTreeSet<&'a Name>> {
    let of_a_node = matches!(
        case.finding.cause,
        Cause::VolumeMount
            | Cause::VolumeAttach
            | Cause::SandboxFailed
            | Cause::NetworkNotReady
            | Cause::DeviceUnavailable
            | Cause::Unknown
    );
    if case.finding.class != Class::PodSetup || !of_a_node {
        return None;
    }
    let hanging = judged_pods(case.s, &case.rollout.newest.uid).filter(|pod| shows(case.finding, pod));
    let nodes: BTreeSet<&Name> = hanging.filter_map(|pod| pod.node.as_ref()).collect();
    (!nodes.is_empty()).then_some(nodes)
}

/// A sandbox is refused for what only this template asks for.
fn its_own_doing(case: &Case) -> bool {
    case.finding.cause == Cause::SandboxFailed && case.control.is_some() && touches::any(case, &[])
}

/// Others that hang on these nodes for the same cause. Each volume may have its own trouble, so these must have begun at
/// about the same time.
fn alike<'a>(case: &'a Case, own: &'a BTreeSet<&Name>) -> impl Iterator<Item = &'a SetupFacts> {
    let of_a_volume = matches!(case.finding.cause, Cause::VolumeMount | Cause::VolumeAttach);
    let alike = case.s.fleet.setups.iter().filter(|at| at.cause == case.finding.cause && own.contains(&at.node));
    alike.filter(move |at| !of_a_volume || began_with(case.finding, at.since))
}

fn names(nodes: &BTreeSet<&Name>) -> String {
    let shown: Vec<&str> = nodes.iter().take(NAMED).map(|name| &***name).collect();
    let word = if nodes.len() == 1 { "node" } else { "nodes" };
    match nodes.len().saturating_sub(shown.len()) {
        0 => format!("{word} {}", shown.join(", ")),
        more => format!("{word} {} and {more} more", shown.join(", ")),
    }
}
