//! Containers that were killed for want of memory.

use super::hint;
use super::look::Look;
use super::text::{Reading, reading};
use crate::engine::facts::{ContainerFacts, ContainerState, Termination};
use crate::engine::finding::Told;
use crate::engine::words::{Cause, Class, Sureness};

/// The runtime says `OOMKilled`. It says so too when a child or an `exec` process was the victim and the container
/// lives on, whatever the exit code it shows.
pub(super) fn killed(look: &Look<'_, '_>, container: &ContainerFacts, ending: &Termination) -> Option<Reading> {
    if &*ending.reason != "OOMKilled" {
        return None;
    }
    let serves = container.ready && matches!(container.state, ContainerState::Running { .. });
    Some(if serves && ending.exit_code != 137 {
        reading(Class::OOMKilled, Cause::ChildProcess, Sureness::Excluded)
    } else if !has_limit(look, container) && on_node_without_memory(look, ending) {
        reading(Class::OOMKilled, Cause::NodeOutOfMemory, Sureness::Counted)
    } else {
        reading(Class::OOMKilled, Cause::ContainerLimit, Sureness::Counted)
    })
}

/// A kill that nobody owns up to may be an OOM kill whose notice got lost: of the node, which then says so, or at the
/// container's own limit, if it has one and no probe whose failure makes the kubelet kill. The latter stays a
/// suspicion.
pub(super) fn suspected(look: &Look<'_, '_>, container: &ContainerFacts, ending: &Termination) -> Option<Reading> {
    let killed = ending.exit_code == 137 && &*ending.reason == "Error";
    if killed && told(look, ending).is_some() {
        return Some(reading(Class::OOMKilled, Cause::NodeOutOfMemory, Sureness::Counted));
    }
    let template = look.template(container)?;
    let probe_may_kill = template.liveness.is_some() || template.startup.is_some();
    (killed && has_limit(look, container) && !probe_may_kill)
        .then(|| reading(Class::OOMKilled, Cause::Suspected, Sureness::Counted))
}

fn has_limit(look: &Look<'_, '_>, container: &ContainerFacts) -> bool {
    look.template(container).is_some_and(|template| template.memory_limit.is_some())
}

/// What the node says of a process that it killed for want of memory when this run ended (pkg/kubelet/oom).
pub(super) fn told<'a>(look: &Look<'_, 'a>, ending: &Termination) -> Option<Told<'a>> {
    let finished = ending.finished?;
    look.event_of_node("SystemOOM", |event| hint::at(event, finished))
}

fn on_node_without_memory(look: &Look<'_, '_>, ending: &Termination) -> bool {
    if told(look, ending).is_some() {
        return true;
    }
    let Some(name) = &look.pod.node else { return false };
    let node = look.scene.s.nodes.own.iter().find(|node| node.name == *name);
    node.is_some_and(|node| node.pressure.iter().any(|pressure| &**pressure == "MemoryPressure"))
}
