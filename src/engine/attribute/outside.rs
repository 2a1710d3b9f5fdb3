//! What did it, where that can be told from the failure itself: something that rewrites pods, the node, or nobody knows.

use super::{Case, began_with, judged_pods, shows, touches, verdict};
use crate::engine::change;
use crate::engine::change::references::{Need, ReferenceFacts, Sight};
use crate::engine::decision::Verdict;
use crate::engine::facts::{ContainerFacts, ContainerState, PodFacts, RevisionFacts};
use crate::engine::knowledge;
use crate::engine::surroundings;
use crate::engine::words::{Cause, Class, Confidence, Fault};

/// What no template asks for.
const LACKED_BY_THE_NODE: &[&str] = &[
    "unable to retrieve oci runtime error",
    "failed to start shim",
    "apparmor_parser",
    "failed to create containerd container",
    "failed to mount rootfs component",
    "cgroup.procs",
];

/// The container is not in the template: a mesh or a webhook put it into the pods.
pub(super) fn injected(case: &Case) -> Option<Verdict> {
    let containers = &case.rollout.newest.template.containers;
    let name = case.finding.container.as_ref()?;
    let own = containers.is_empty() || containers.iter().any(|container| container.name == *name);
    (!own).then(|| {
        let because = format!(
            "container {name} is not in the template of revision {}: something else puts it into the pods, such as a mesh \
             or a webhook",
            case.rollout.newest.hash
        );
        verdict(Fault::Platform, Confidence::Likely, because)
    })
}

/// The pods have less memory than their template says, and pods of the healthy revision that run have more.
pub(super) fn limit_rewritten(case: &Case) -> Option<Verdict> {
    let finding = case.finding;
    let name = finding.container.as_ref().filter(|_| finding.cause == Cause::ContainerLimit)?;
    let newest = case.rollout.newest;
    let template = newest.template.containers.iter().find(|container| container.name == *name)?.memory_limit;
    let given = |pod: &PodFacts| {
        let of_name = |container: &&ContainerFacts| container.name == *name;
        pod.containers.iter().find(of_name).and_then(|container| container.memory_limit).map(u64::from)
    };
    let failing = judged_pods(case.s, &newest.uid).filter(|pod| shows(finding, pod)).filter_map(given).max()?;
    let control = case.control.into_iter().flat_map(|control| judged_pods(case.s, &control.uid));
    let mut beside = control.filter(|pod| pod.ready).map(given).peekable();
    // A limit that no template has may be the namespace's default, with which the healthy revision lives. Where the newest
    // one dropped its own, that is its doing.
    let limits = |revision: &RevisionFacts| {
        revision.template.containers.iter().any(|c| c.name == *name && c.memory_limit.is_some())
    };
    let dropped = template.is_none() && case.control.is_some_and(limits);
    let less = template.map_or(!dropped && beside.peek().is_some(), |template| failing < template);
    let lives_with_it = beside.any(|limit| limit.is_some_and(|limit| limit <= failing));
    (less && !lives_with_it).then(|| {
        let said = template.map_or_else(|| "none".to_owned(), mebibytes);
        let because = format!(
            "the limit of container {name} is {} in the pods and {said} in the template: something rewrites it, such as a \
             webhook or an autoscaler of resources",
            mebibytes(failing)
        );
        verdict(Fault::Platform, Confidence::Likely, because)
    })
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// What a kubelet says of itself or of its runtime.
pub(super) fn the_nodes_own_words(case: &Case) -> Option<Verdict> {
    let because = match (case.finding.class, case.finding.cause) {
        (Class::ImagePullBackOff, Cause::Unknown) if case.says(&["imageinspecterror"]) => {
            "the runtime of the node cannot look at an image that it has"
        }
        (Class::ImagePullBackOff, Cause::Unknown) if case.says(&["parent snapshot", "extraction snapshot"]) => {
            "the runtime of the node has lost layers of the image"
        }
        (Class::ContainerStart, Cause::RuntimeError) if case.says(LACKED_BY_THE_NODE) => {
            "the runtime of the node lacks what it needs to make a container"
        }
        (Class::ContainerStart, Cause::RuntimeError) if case.says(&["precreatehook", "prestarthook"]) => {
            "a manager of the kubelet fails before the container is made"
        }
        (Class::ContainerStart, Cause::RuntimeError)
            if case.says(&["context deadline exceeded", "failed to reserve container name"]) =>
        {
            "the runtime of the node does not answer in time"
        }
        _ => return None,
    };
    Some(verdict(Fault::Platform, Confidence::Likely, because.to_owned()))
}

/// Other workloads fail to pull from the same registry in the same way since about the same time. An image that is not
/// there is the revision's own all the same.
pub(super) fn others_cannot_pull_either(case: &Case) -> Option<Verdict> {
    let finding = case.finding;
    let of_a_registry = matches!(
        finding.cause,
        Cause::RegistryAuth
            | Cause::ImageMissingOrPrivate
            | Cause::RegistryUnreachable
            | Cause::RegistryDns
            | Cause::RegistryTls
            | Cause::RegistryError
            | Cause::Unknown
    );
    if finding.class != Class::ImagePullBackOff || !of_a_registry {
        return None;
    }
    let registry = change::registry_of(case.rollout.newest, finding.container.as_deref()?)?;
    let alike = case.s.fleet.pulls.iter().filter(|pull| *pull.registry == *registry && pull.cause == finding.cause);
    let others = alike.filter(|pull| began_with(finding, pull.since)).count();
    let workloads = if others == 1 { "workload fails" } else { "workloads fail" };
    (others > 0).then(|| {
        let because =
            format!("{others} other {workloads} to pull from {registry} since the same time ({})", finding.cause);
        verdict(Fault::Platform, Confidence::Likely, because)
    })
}

/// The new pod waits for what an old one holds, whoever took the rest.
pub(super) fn strategy_blocks_itself(case: &Case) -> bool {
    let waits = matches!(case.finding.class, Class::Pending | Class::PodSetup | Class::CreateRefused);
    waits && case.findings.iter().any(|other| other.sufficient && other.cause == Cause::StrategyDeadlock)
}

/// The program never ran and nothing says why, so that nothing can be compared but that it is so.
pub(super) fn nobody_says_why(case: &Case) -> Option<Verdict> {
    let finding = case.finding;
    let unknown = match finding.class {
        Class::ImagePullBackOff | Class::Pending | Class::ContainerConfig | Class::PodSetup | Class::CreateRefused => {
            finding.cause == Cause::Unknown
        }
        Class::RolloutStalled => finding.cause == Cause::DeadlineExceeded && is_still_set_up(case),
        Class::ContainerStart => finding.cause == Cause::RuntimeError && !touches::runtime_names_the_template(case),
        _ => false,
    };
    if !unknown || lacks_what_it_brought_in(case) {
        return None;
    }
    let about = knowledge::about(finding.class, finding.cause);
    let next = finding.next_steps.first().map(|step| format!("; look at: {step}")).unwrap_or_default();
    let because = format!("{} Nothing tells whose fault that is{next}", about.meaning);
    Some(verdict(Fault::Unknown, Confidence::Possible, because))
}

/// A new pod has its sandbox or waits for it, and nothing says why no container runs yet: an image may come slowly.
fn is_still_set_up(case: &Case) -> bool {
    let waits = |c: &ContainerFacts| matches!(&c.state, ContainerState::Waiting { reason, .. } if &**reason == "ContainerCreating");
    let is_set_up = |pod: &PodFacts| pod.node.is_some() && !pod.containers.iter().any(|c| c.has_run());
    judged_pods(case.s, &case.rollout.newest.uid).any(|pod| is_set_up(pod) && pod.containers.iter().any(waits))
}

/// An object that only the newest revision cannot start without was looked for and is not there.
fn lacks_what_it_brought_in(case: &Case) -> bool {
    let needs_objects = matches!(case.finding.class, Class::PodSetup | Class::ContainerConfig);
    let around = surroundings::of_newest(case.s, case.rollout.newest).filter(|_| needs_objects);
    around.is_some_and(|around| {
        let brought_in = |r: &ReferenceFacts| r.newest == Some(Need::Required) && r.baseline != r.newest;
        around.references.iter().any(|r| brought_in(r) && r.sight == Sight::Missing)
    })
}
