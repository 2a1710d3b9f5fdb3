//! Whether what changed can have brought a failure about. A part of a template holds many things; where the failure's own
//! words say which of them it is about, only a change of that one counts.

use super::{Case, admission};
use crate::engine::change::{self, Change, Demand};
use crate::engine::classify;
use crate::engine::facts::RevisionFacts;
use crate::engine::finding::Finding;
use crate::engine::surroundings;
use crate::engine::words::{Aspect, Cause, Class};

/// The words of a runtime, and which part of a template they are about.
const RUNTIME: &[(&[&str], &[Aspect])] = &[
    (&["chdir to cwd"], &[Aspect::Image, Aspect::Command, Aspect::Volumes]),
    (
        &[
            "unable to find user",
            "unable to find group",
            "no matching entries in passwd",
            "no matching entries in group",
        ],
        &[Aspect::Image, Aspect::Security],
    ),
    (&["apparmor", "seccomp", "selinux", "capabilit"], &[Aspect::Security]),
    (&["no runtime for"], &[Aspect::Scheduling]),
    // The directory that a hostPath asks for.
    (&["failed to mkdir"], &[Aspect::Volumes]),
];
/// The words of a sandbox that cannot be made for what its pod asks for.
const SANDBOX: &[(&[&str], &[Aspect])] = &[
    (&["no runtime for", "runtimeclass"], &[Aspect::Scheduling]),
    (&["seccomp", "sysctl", "apparmor", "selinux", "user namespace", "supplementalgroups"], &[Aspect::Security]),
];
/// The pod itself, as a program calls it.
pub(super) const LOCAL: &[&str] = &["localhost", "127.0.0.1", "[::1]"];
/// The network of a node fails, whatever else the change touches.
const NETWORK: [&str; 4] = ["setup network for sandbox", "set up network for sandbox", "plugin type=", "cni plugin"];

/// What changed that a container which both revisions have can feel: what its neighbours run does not keep it from being
/// pulled, started or kept alive, unless it meets them on a port that they share. Whether it is ready or alive may hang on
/// them, and so may anything where one came or went.
pub(super) fn felt_by(
    finding: &Finding,
    newest: &RevisionFacts,
    control: Option<&RevisionFacts>,
) -> Option<Vec<Aspect>> {
    let own = match finding.class {
        Class::ImagePullBackOff
        | Class::ContainerStart
        | Class::ContainerConfig
        | Class::OOMKilled
        | Class::InitStuck => true,
        Class::CrashLoopBackOff => !meets_neighbours(finding),
        _ => false,
    };
    let name = finding.container.as_deref().filter(|_| own)?;
    let has = |revision: &RevisionFacts, name: &str| revision.template.containers.iter().any(|c| *c.name == *name);
    let has_all = |a: &RevisionFacts, b: &RevisionFacts| b.template.containers.iter().all(|c| has(a, &c.name));
    let control = control.filter(|c| has(newest, name) && has_all(c, newest) && has_all(newest, c))?;
    Some(change::felt_by(control, newest, name))
}

/// It failed on what the containers of a pod share: its ports.
fn meets_neighbours(finding: &Finding) -> bool {
    let by_probe = matches!(finding.cause, Cause::PortInUse | Cause::LivenessKilled | Cause::StartupProbeKilled);
    let local = |text: &str| LOCAL.iter().any(|host| text.contains(host));
    by_probe || finding.evidence.iter().any(|evidence| local(&evidence.text))
}

/// The change touches something that can cause the failure. Without a healthy revision everything is a change.
pub(super) fn any(case: &Case, aspects: &[Aspect]) -> bool {
    let Some(control) = case.control else { return true };
    let newest = case.rollout.newest;
    let brings_in = |part| {
        let container = case.finding.container.as_deref();
        container.is_some_and(|name| change::brings_in(control, newest, name, part))
    };
    match case.finding.cause {
        // A new tag alone says nothing about a registry that refuses,
        Cause::RegistryAuth | Cause::ImageMissingOrPrivate => {
            changed(case, &[Aspect::PullSecrets, Aspect::ServiceAccount]) || brings_in(change::repository)
        }
        // nor another name about one that cannot be reached.
        cause if is_about_the_registry(cause) => brings_in(change::registry),
        // A short name means what the node makes of it, and the tag is no part of that.
        Cause::InvalidImageName if case.says(&["short name", "short-name"]) => brings_in(change::repository),
        Cause::InsufficientResources | Cause::QuotaExceeded => {
            let other = |a: &&Aspect| !matches!(a, Aspect::Resources | Aspect::Scheduling);
            let elsewhere = aspects.iter().filter(other).any(|a| case.felt.contains(a)) || confines(case);
            let devices = || lacks_what_is_not_known(case) && changed(case, &[Aspect::Resources]);
            elsewhere || change::asks_for_more(control, newest, &lacking(case)) || devices()
        }
        Cause::Taints => confines(case) && !stand_for_conditions(case),
        // Of all labels only those that the rules select by place a pod.
        Cause::PodAffinity | Cause::TopologySpread => {
            changed(case, &[Aspect::Scheduling]) || control.template.placing != newest.template.placing
        }
        Cause::VolumeMount | Cause::VolumeAttach | Cause::VolumeUnbound | Cause::VolumeTopology => {
            changed(case, aspects) && !only_scratch(case)
        }
        // Of all variables only those that are filled from an object.
        Cause::MissingConfigMap | Cause::MissingSecret | Cause::MissingKey => places(case, aspects),
        // An annotation asks for it.
        Cause::SandboxFailed if case.says(&["network-attachment-definition"]) => changed(case, &[Aspect::Metadata]),
        Cause::SandboxFailed => !case.says(&NETWORK) && named(case, SANDBOX).unwrap_or(false),
        Cause::RuntimeError => named(case, RUNTIME).unwrap_or(false),
        Cause::OwnLimit if case.says(&["deadlineexceeded"]) => changed(case, &[Aspect::Lifecycle]),
        Cause::DeviceUnavailable => brings_devices(case, control).unwrap_or_else(|| changed(case, aspects)),
        Cause::PodSecurity => changed(case, aspects) && !admission::violates_as_before(case),
        Cause::PodInvalid if case.says(&["runtimeclass"]) => changed(case, &[Aspect::Scheduling]),
        _ => changed(case, aspects),
    }
}

/// Where the kubelet counts the devices that it has left: the healthy revision would do with them.
fn brings_devices(case: &Case, control: &RevisionFacts) -> Option<bool> {
    let few = case.finding.evidence.iter().find_map(|evidence| classify::too_few_devices(&evidence.text))?;
    Some(change::devices(control, few.resource) <= few.available)
}

/// The same of what leads to a service: a variable counts only where it may say where that is.
pub(super) fn places(case: &Case, aspects: &[Aspect]) -> bool {
    let Some(control) = case.control else { return true };
    let alone = case.finding.container.as_deref().filter(|_| case.felt != case.changed);
    let variables = || change::leads_elsewhere(control, case.rollout.newest, alone);
    let mut touched = aspects.iter().filter(|aspect| case.felt.contains(aspect));
    touched.any(|aspect| *aspect != Aspect::Environment || variables())
}

/// The change keeps pods off nodes, or takes them to others. Where the templates were read, what prefers a place or a turn
/// in the queue is known to do neither.
fn confines(case: &Case) -> bool {
    let hard = |change: &Change| {
        let place =
            ["nodeSelector", "affinity", "tolerations", "nodeName", "schedulerName", "runtimeClassName", "overhead"];
        let text = &*change.text;
        place.iter().any(|field| text.starts_with(field)) || text.contains("DoNotSchedule")
    };
    changed(case, &[Aspect::Scheduling])
        && differences(case, Aspect::Scheduling).is_none_or(|all| all.into_iter().any(hard))
}

/// All that changed about volumes is room that a node gives by itself and that nobody complains of, or where it is mounted.
fn only_scratch(case: &Case) -> bool {
    let is_named = |volume: &str| case.says(&[&format!("volume \"{volume}\""), &format!("volumes=[{volume}")]);
    let scratch = |change: &Change| match change.subject.strip_prefix("volume ") {
        Some(volume) => change.text.contains("(emptyDir)") && !is_named(volume),
        None => true,
    };
    changed(case, &[Aspect::Volumes])
        && !changed(case, &[Aspect::Scheduling])
        && differences(case, Aspect::Volumes).is_some_and(|all| all.into_iter().all(scratch))
}

/// What differs in one part of the templates, where both were read.
fn differences<'a>(case: &Case<'a>, aspect: Aspect) -> Option<Vec<&'a Change>> {
    let around = surroundings::of_newest(case.s, case.rollout.newest)?;
    let compared = case.control.is_some_and(|control| around.baseline.as_ref() == Some(&control.uid));
    let of_it: Vec<_> = around.difference.changes.iter().filter(|change| change.aspect == Some(aspect)).collect();
    // Some may have found no room, and what is not found says nothing.
    (compared && around.difference.omitted == 0 && !of_it.is_empty()).then_some(of_it)
}

pub(super) fn changed(case: &Case, aspects: &[Aspect]) -> bool {
    aspects.iter().any(|aspect| case.felt.contains(aspect))
}

/// What there is not enough of is neither processor nor memory, of which the facts tell how much is asked for, but something
/// else that containers ask for, such as `example.com/gpu` or `ephemeral-storage`, or a quota's limit of processors.
fn lacks_what_is_not_known(case: &Case) -> bool {
    lacked(case).any(|name| demanded(name).is_none() && !matches!(name, "" | "pods") && !name.starts_with("count/"))
}

/// What there is too little of and is known by itself; all of it where the texts do not say.
fn lacking(case: &Case) -> Vec<Demand> {
    if lacked(case).next().is_none() {
        return vec![Demand::Cpu, Demand::Memory, Demand::MemoryLimit];
    }
    lacked(case).filter_map(demanded).collect()
}

/// Names of resources of which the nodes or a quota have too little.
fn lacked<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a str> {
    let of_nodes = |text: &'a str| {
        let names = text.split("Insufficient ").skip(1).filter_map(|rest| rest.split([',', ' ']).next());
        names.map(|name| name.trim_end_matches('.'))
    };
    let texts = case.finding.evidence.iter().map(|evidence| &*evidence.text);
    texts.flat_map(move |text| of_nodes(text).chain(classify::quota_resources(text)))
}

/// A quota of `cpu` is one of its requests.
fn demanded(resource: &str) -> Option<Demand> {
    Some(match resource {
        "cpu" | "requests.cpu" => Demand::Cpu,
        "memory" | "requests.memory" => Demand::Memory,
        "limits.memory" => Demand::MemoryLimit,
        _ => return None,
    })
}

/// The registry cannot be reached by this name. It is a platform's trouble, unless the change named another one; and
/// even then all registries may be out of reach.
pub(super) fn is_about_the_registry(cause: Cause) -> bool {
    matches!(cause, Cause::RegistryUnreachable | Cause::RegistryDns | Cause::RegistryTls)
}

/// Whether the change touches what the words are about; `None` where they name nothing of a template.
fn named(case: &Case, words: &[(&[&str], &[Aspect])]) -> Option<bool> {
    let about = words.iter().find(|(phrases, _)| case.says(phrases));
    about.map(|(_, aspects)| changed(case, aspects))
}

/// What the runtime says is about a part of a template, whether or not that part changed.
pub(super) fn runtime_names_the_template(case: &Case) -> bool {
    named(case, RUNTIME).is_some()
}

/// The taints are such as no pod is meant to tolerate. Where the scheduler does not name them, nodes that are not ready or
/// cordoned are taken to have those.
fn stand_for_conditions(case: &Case) -> bool {
    let nodes = &case.s.nodes;
    let out_of_use = nodes.not_ready.saturating_add(nodes.unschedulable);
    let mut told = case.finding.evidence.iter().filter_map(|evidence| classify::taints(&evidence.text));
    told.next().is_some_and(|taints| match taints {
        classify::Taints::Named { all_of_conditions } => all_of_conditions,
        classify::Taints::Unnamed { nodes } => out_of_use > 0 && out_of_use >= nodes,
    })
}
