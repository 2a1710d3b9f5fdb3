//! Pods that have a node and no sandbox: volumes, network or devices are missing. Such failures never reach a
//! container's waiting reason; only the pod's events name them (pkg/kubelet/events, pkg/controller/volume/attachdetach).

use std::sync::LazyLock;

use super::hint;
use super::look::Look;
use super::text::{Reading, Table, reading};
use crate::engine::facts::{ContainerFacts, ContainerState, EventFacts};
use crate::engine::finding::{Detail, Symptom, Told};
use crate::engine::message::Speaker;
use crate::engine::words::{Cause, Class, Sureness};

/// Attaching a volume may take this long where all is well.
const GRACE_SECONDS: i64 = 120;
/// What is missing by name may still be made, by the same hand as the pod and a little later.
const MISSING_GRACE_SECONDS: i64 = 30;
/// Without a condition that says so, an event this old says nothing about the present: the kubelet sends one and the same
/// every 5 minutes at least (client-go, tools/record/events_cache.go).
const RECENT_SECONDS: i64 = 330;

pub(super) fn symptom<'a>(look: &Look<'_, 'a>) -> Option<Symptom<'a>> {
    let never_ran = look.pod.containers.iter().all(never_ran);
    if look.pod.node.is_none() || look.pod.sandbox_ready == Some(true) || !never_ran {
        return None;
    }
    let told = telling(look);
    let tells_now = |told: Told<'_>| is_recent(look, told.event) && !is_vague(&told.event.reason);
    if look.pod.sandbox_ready.is_none() && !told.is_some_and(|(_, told)| tells_now(told)) {
        return None;
    }
    let said = told.map_or(said(Cause::Unknown), |(said, _)| said);
    let often = told.is_some_and(|(_, told)| told.event.count > 1);
    let grace_seconds = match said.cause {
        Cause::MissingConfigMap | Cause::MissingSecret | Cause::MissingKey if often => MISSING_GRACE_SECONDS,
        // No kernel has more patience with a limit.
        Cause::LimitTooLowToStart => MISSING_GRACE_SECONDS,
        _ => GRACE_SECONDS,
    };
    let onset = look.since_node(look.pod_start()).min(look.scene.now);
    let detail = Detail::Plain("the pod has a node, and its volumes, sandbox or network are not there");
    let symptom = Symptom { grace_seconds, ..look.on_pod(said, onset, detail) };
    Some(hint::with(symptom, told.map(|(_, told)| told)))
}

fn never_ran(container: &ContainerFacts) -> bool {
    let waits = match &container.state {
        ContainerState::Waiting { reason, .. } => matches!(&**reason, "ContainerCreating" | "PodInitializing" | ""),
        ContainerState::Unknown => true,
        ContainerState::Running { .. } | ContainerState::Terminated(_) => false,
    };
    waits && container.restarts == 0 && container.last.is_none()
}

fn is_recent(look: &Look<'_, '_>, event: &EventFacts) -> bool {
    look.scene.elapsed(event.last) <= RECENT_SECONDS
}

/// Kubelets say this of pods that run as well.
fn is_vague(reason: &str) -> bool {
    matches!(reason, "FailedSync" | "SandboxChanged" | "FailedKillPod" | "VolumeResizeFailed")
}

/// The newest event that names a cause; else the newest of those that only repeat that something is missing.
fn telling<'a>(look: &Look<'_, 'a>) -> Option<(Reading, Told<'a>)> {
    let named = look.event(|event| read(event).is_some_and(|said| said.cause != Cause::Unknown));
    let told = named.or_else(|| look.event(|event| read(event).is_some()))?;
    Some((read(told.event)?, told))
}

/// What an event says about the setting up of its pod, if anything.
fn read(event: &EventFacts) -> Option<Reading> {
    let by_reason = by_reason(&event.reason)?;
    Some(event.message.says(&TEXTS, of_text).unwrap_or(said(by_reason)))
}

/// What the reason of an event says by itself; `None` for events that say nothing about the setting up of a pod.
pub(super) fn by_reason(reason: &str) -> Option<Cause> {
    Some(match reason {
        "FailedMount" | "FailedMapVolume" | "FailedMountOnFilesystemMismatch" => Cause::VolumeMount,
        "FailedAttachVolume" => Cause::VolumeAttach,
        "FailedCreatePodSandBox" => Cause::SandboxFailed,
        "NetworkNotReady" => Cause::NetworkNotReady,
        "FailedPrepareDynamicResources" => Cause::DeviceUnavailable,
        _ if is_vague(reason) => Cause::Unknown,
        _ => return None,
    })
}

/// What the text of an event says, by its phrases or by the object that it names and says is not found. Drivers of volumes
/// call what they read from elsewhere secrets too.
pub(super) fn of_text(texts: &Table, text: &str) -> Option<Reading> {
    let is_missing = |kind: &str| {
        let named = text.split(kind).skip(1);
        named.filter_map(|rest| rest.split_once('"')).any(|(_, rest)| rest.starts_with(" not found"))
    };
    let kinds = [("configmap \"", Cause::MissingConfigMap), ("secret \"", Cause::MissingSecret)];
    let missing = || kinds.into_iter().find(|(kind, _)| is_missing(kind)).map(|(_, cause)| said(cause));
    texts.read_part(text).or_else(missing)
}

/// A limit so low that not even the sandbox comes up within it is a matter of memory and not of the node.
const fn said(cause: Cause) -> Reading {
    let class = if matches!(cause, Cause::LimitTooLowToStart) { Class::OOMKilled } else { Class::PodSetup };
    reading(class, cause, Sureness::Timed)
}

/// What says more than the event's reason. A kubelet that has just started says "not registered" and "failed to sync" of
/// objects that exist, and the sum of what is not mounted yet names volumes and no reason.
pub(super) static TEXTS: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        Speaker::Volumes,
        &[
            (
                &[
                    "failed to sync secret cache",
                    "failed to sync configmap cache",
                    "\" not registered",
                    "unable to attach or mount volumes",
                ],
                said(Cause::Unknown),
            ),
            // The object is there, and its class is that of a container which misses a key.
            (
                &["references non-existent config key", "references non-existent secret key"],
                reading(Class::ContainerConfig, Cause::MissingKey, Sureness::Timed),
            ),
            (&["network is not ready", "cni plugin not initialized"], said(Cause::NetworkNotReady)),
            (&["container init was oom-killed"], said(Cause::LimitTooLowToStart)),
        ],
    )
});
