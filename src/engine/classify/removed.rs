//! Pods that something outside took away or turned away. They say nothing about their revision, save those that used
//! more than they themselves asked for, and those that ask for what no kubelet gives.

use super::hint;
use super::look::Look;
use super::text::{Reading, contains, reading};
use crate::engine::change;
use crate::engine::facts::{EventFacts, PodFacts, Snapshot};
use crate::engine::finding::{Detail, Symptom, Told};
use crate::engine::words::{Cause, Class, Sureness};

/// Pods that failed alike and are counted.
const FEW: usize = 9;

pub(super) fn symptom<'a>(look: &Look<'_, 'a>) -> Option<Symptom<'a>> {
    let pod = look.pod;
    let evicted = evicted_in_silence(look);
    if exceeded_its_limit(pod, evicted) {
        let said = reading(Class::Evicted, Cause::OwnLimit, Sureness::Repeated);
        let alike = |other: &PodFacts| exceeded_its_limit(other, evicted_in_silence(&look.scene.look(other)));
        return Some(hint::with(by_itself(look, said, alike), evicted));
    }
    if let Some(said) = pod.reason.as_deref().filter(|_| pod.finished).and_then(by_own_spec) {
        return Some(by_itself(look, said, |other| other.finished && other.reason == pod.reason));
    }
    if wants_more_devices(look) {
        let said = reading(Class::PodSetup, Cause::DeviceUnavailable, Sureness::Repeated);
        return Some(by_itself(look, said, |other| another_would_do(look.scene.s, other)));
    }
    let taken = pod.reason.as_deref().and_then(|reason| by_reason(reason, pod));
    let taken = taken.or_else(|| evicted.map(|_| (Class::Evicted, Cause::NodePressure)));
    let taken = taken.or_else(|| pod.disruption.as_deref().and_then(by_disruption));
    let taken = taken.or_else(|| on_lost_node(look).then_some((Class::NodeLost, Cause::NodeNotReady)));
    let unseen = on_lost_node_unseen(look).filter(|_| taken.is_none());
    let taken = taken.or_else(|| unseen.is_some().then_some((Class::NodeLost, Cause::NodeNotReady)));
    let (class, cause) = taken?;
    let symptom = with_reason(look, reading(class, cause, Sureness::Excluded));
    // The event of an eviction says what the status says, as long as the status says it.
    let more = |told: &Told<'_>| pod.message.is_empty() || *told.event.message != *pod.message;
    Some(hint::with(symptom, unseen.or_else(|| told(look, cause).filter(more))))
}

/// The pod failed for what its own spec says, and the ReplicaSet makes one like it after the other. Once the revision has
/// all its pods, those that failed are left over.
fn by_itself<'a>(look: &Look<'_, 'a>, said: Reading, alike: impl Fn(&PodFacts) -> bool) -> Symptom<'a> {
    let short = look.revision.is_none_or(|revision| revision.ready < revision.desired);
    if !short {
        return with_reason(look, Reading { sureness: Sureness::Excluded, ..said });
    }
    // There may be hundreds; more than a few are not counted.
    let others = look.scene.s.pods.iter().filter(|other| other.revision == look.pod.revision && alike(other));
    let occurrences = u32::try_from(others.take(FEW).count()).unwrap_or(u32::MAX);
    Symptom { occurrences, ..with_reason(look, said) }
}

/// What a kubelet does not take for what the pod asks for (pkg/kubelet/lifecycle, pkg/kubelet/cm), and pods that were
/// active for longer than they may be (pkg/kubelet/active_deadline.go).
pub(super) const OWN_SPEC: &[(&str, Class, Cause)] = &[
    ("DeadlineExceeded", Class::Evicted, Cause::OwnLimit),
    ("SysctlForbidden", Class::PodSetup, Cause::SandboxFailed),
    ("AppArmor", Class::PodSetup, Cause::SandboxFailed),
    ("SupplementalGroupsPolicyNotSupported", Class::PodSetup, Cause::SandboxFailed),
    ("NodeAffinity", Class::Pending, Cause::NodeSelector),
    ("NodeName", Class::Pending, Cause::NodeSelector),
    ("PodOSSelectorNodeLabelDoesNotMatch", Class::Pending, Cause::NodeSelector),
    ("PodOSNotSupported", Class::Pending, Cause::NodeSelector),
    ("NodePorts", Class::Pending, Cause::HostPort),
    ("TopologyAffinityError", Class::PodSetup, Cause::DeviceUnavailable),
    ("SMTAlignmentError", Class::PodSetup, Cause::DeviceUnavailable),
    ("EmptyPodSharedPoolError", Class::PodSetup, Cause::DeviceUnavailable),
    ("PodLevelResourcesNotSupported", Class::PodSetup, Cause::DeviceUnavailable),
];

fn by_own_spec(reason: &str) -> Option<Reading> {
    let (_, class, cause) = OWN_SPEC.iter().find(|(known, ..)| *known == reason)?;
    Some(reading(*class, *cause, Sureness::Repeated))
}

/// The scheduler leaves a pod pending that asks for more devices than are left, so one kubelet that turns it away has mostly
/// lost a device, or has not given one back yet. Only where another one has too few as well may it be the revision's doing.
fn wants_more_devices(look: &Look<'_, '_>) -> bool {
    let (s, pod) = (look.scene.s, look.pod);
    let elsewhere = |other: &PodFacts| other.node != pod.node && other.revision == pod.revision;
    another_would_do(s, pod) && s.pods.iter().any(|other| elsewhere(other) && another_would_do(s, other))
}

/// The kubelet has fewer devices left than the pod asks for, and enough for another revision.
fn another_would_do(s: &Snapshot, pod: &PodFacts) -> bool {
    let rejected = pod.finished && pod.reason.as_deref() == Some("UnexpectedAdmissionError");
    if !rejected || pod.node.is_none() {
        return false;
    }
    let Some(few) = too_few_devices(&pod.message) else { return false };
    let mut others = s.revisions.iter().filter(|other| other.uid != pod.revision);
    others.any(|other| change::devices(other, few.resource) <= few.available)
}

/// What a kubelet says of devices that it has too few of (pkg/kubelet/cm/devicemanager).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct TooFew<'t> {
    pub resource: &'t str,
    pub available: u64,
}

/// Reads `requested number of devices unavailable for example.com/gpu. Requested: 2, Available: 1`. Of devices that are broken
/// or whose plugin is gone other words are used.
pub(in crate::engine) fn too_few_devices(message: &str) -> Option<TooFew<'_>> {
    let (_, rest) = message.split_once("requested number of devices unavailable for ")?;
    let (resource, rest) = rest.split_once(". Requested: ")?;
    let (_, available) = rest.split_once(", Available: ")?;
    let available = available.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Some(TooFew { resource, available })
}

/// Who took the pod away, and for what.
fn told<'a>(look: &Look<'_, 'a>, cause: Cause) -> Option<Told<'a>> {
    let taken = |event: &EventFacts| matches!(&*event.reason, "Evicted" | "Preempted" | "TaintManagerEviction");
    let short = || look.event_of_node("EvictionThresholdMet", |event| hint::since(event, look.pod_start()));
    let of_pod = look.event(taken);
    let lost = || look.event_of_node("NodeNotReady", |event| look.scene.elapsed(event.last) <= LOST_SECONDS);
    match cause {
        Cause::NodePressure => short().or(of_pod),
        Cause::NodeNotReady => of_pod.or_else(lost),
        _ => of_pod,
    }
}

fn with_reason<'a>(look: &Look<'_, 'a>, said: Reading) -> Symptom<'a> {
    let pod = look.pod;
    let reason = pod.reason.as_deref().or(pod.disruption.as_deref()).unwrap_or("NodeNotReady");
    let onset = pod.ready_since.unwrap_or_else(|| look.pod_start()).min(look.scene.now);
    look.on_pod(said, onset, Detail::PodReason { reason, message: &pod.message })
}

/// The eviction manager put the pod out, which ended in good order within its grace: then it has neither reason nor message
/// and may even be called `Succeeded`, and only the event tells (seen of Kubernetes 1.36).
fn evicted_in_silence<'a>(look: &Look<'_, 'a>) -> Option<Told<'a>> {
    if !look.pod.finished || look.pod.reason.is_some() {
        return None;
    }
    look.event(|event| hint::is(event, "Evicted"))
}

fn exceeded_its_limit(pod: &PodFacts, evicted: Option<Told<'_>>) -> bool {
    let told = pod.finished && pod.reason.as_deref() == Some("Evicted") && is_own_limit(&pod.message);
    told || evicted.is_some_and(|told| is_own_limit(&told.event.message))
}

/// The eviction manager's words for a pod that exceeded a limit of its own (pkg/kubelet/eviction).
fn is_own_limit(message: &str) -> bool {
    let limits = [
        "pod ephemeral local storage usage exceeds",
        "exceeded its local ephemeral storage limit",
        "usage of emptydir volume",
    ];
    limits.iter().any(|phrase| contains(message, phrase))
}

/// `status.reason` of pods that were evicted, or that a kubelet refused (pkg/kubelet/lifecycle); the ReplicaSet makes
/// another pod at once.
fn by_reason(reason: &str, pod: &PodFacts) -> Option<(Class, Cause)> {
    Some(match reason {
        "NodeLost" => (Class::NodeLost, Cause::NodeNotReady),
        "Evicted" => (Class::Evicted, Cause::NodePressure),
        "Preempting" => (Class::Evicted, Cause::Preempted),
        "NodeShutdown" | "Shutdown" => (Class::Evicted, Cause::NodeShutdown),
        "Terminated" if contains(&pod.message, "node shutdown") => (Class::Evicted, Cause::NodeShutdown),
        "OutOfpods" => (Class::Pending, Cause::TooManyPods),
        "VolumeAttachmentLimitExceeded" => (Class::PodSetup, Cause::VolumeAttach),
        "UnexpectedAdmissionError" => (Class::PodSetup, Cause::DeviceUnavailable),
        _ if reason.starts_with("OutOf") => (Class::Pending, Cause::InsufficientResources),
        _ if pod.finished => (Class::PodSetup, Cause::Unknown),
        _ => return None,
    })
}

/// Reasons of the `DisruptionTarget` condition.
fn by_disruption(reason: &str) -> Option<(Class, Cause)> {
    Some(match reason {
        "PreemptionByScheduler" => (Class::Evicted, Cause::Preempted),
        "DeletionByTaintManager" | "DeletionByPodGC" => (Class::NodeLost, Cause::NodeNotReady),
        "EvictionByEvictionAPI" => (Class::Evicted, Cause::NodeShutdown),
        _ => (Class::Evicted, Cause::NodePressure),
    })
}

fn on_lost_node(look: &Look<'_, '_>) -> bool {
    let Some(name) = look.pod.node.as_ref().filter(|_| look.scene.node_lost) else { return false };
    look.scene.s.nodes.own.iter().any(|node| !node.ready && node.name == *name)
}

/// The pods of a lost node are taken away after five minutes, by the tolerations that every pod has.
const LOST_SECONDS: i64 = 600;

/// Where nodes may not be seen, the node controller's word to the pod stands in for their conditions, unless the pod has
/// become ready since or stays for longer than pods of lost nodes do.
fn on_lost_node_unseen<'a>(look: &Look<'_, 'a>) -> Option<Told<'a>> {
    let unready_since = look.pod.ready_since.filter(|_| !look.pod.ready && look.scene.s.nodes.total == 0)?;
    let is_recent = |event: &EventFacts| look.scene.elapsed(event.last) <= LOST_SECONDS;
    look.event(|event| hint::is(event, "NodeNotReady") && hint::since(event, unready_since) && is_recent(event))
}
