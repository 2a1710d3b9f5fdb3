//! Containers that were killed for want of memory.

use super::hint;
use super::look::Look;
use super::text::{Reading, contains, reading};
use crate::engine::facts::{ContainerFacts, ContainerState, EventFacts, Termination};
use crate::engine::finding::Told;
use crate::engine::words::{Aspect, Cause, Class, Sureness};

/// The runtime says `OOMKilled`, be it the container that was out of memory or its node, which then says so. It says so too
/// when a child or an `exec` process was the victim and the container lives on, whatever the exit code it shows.
pub(super) fn killed(look: &Look<'_, '_>, container: &ContainerFacts, ending: &Termination) -> Option<Reading> {
    if &*ending.reason != "OOMKilled" {
        return None;
    }
    let serves = container.ready && matches!(container.state, ContainerState::Running { .. });
    Some(if serves && ending.exit_code != 137 {
        reading(Class::OOMKilled, Cause::ChildProcess, Sureness::Excluded)
    } else if told(look, ending).is_some() || (!has_limit(look, container) && is_of_the_node(look, container)) {
        reading(Class::OOMKilled, Cause::NodeOutOfMemory, Sureness::Counted)
    } else {
        reading(Class::OOMKilled, Cause::ContainerLimit, Sureness::Counted)
    })
}

/// A kill that nobody owns up to may be an OOM kill whose notice got lost: of the node, which then says so, or at the
/// container's own limit, if it has one and no probe whose failure makes the kubelet kill. The latter stays a
/// suspicion.
pub(super) fn suspected(look: &Look<'_, '_>, container: &ContainerFacts, ending: &Termination) -> Option<Reading> {
    if ending.exit_code != 137 || &*ending.reason != "Error" {
        return None;
    }
    if told(look, ending).is_some() {
        return Some(reading(Class::OOMKilled, Cause::NodeOutOfMemory, Sureness::Counted));
    }
    let template = look.template(container)?;
    let probe_may_kill = template.liveness.is_some() || template.startup.is_some();
    (has_limit(look, container) && !probe_may_kill)
        .then(|| reading(Class::OOMKilled, Cause::Suspected, Sureness::Counted))
}

fn has_limit(look: &Look<'_, '_>, container: &ContainerFacts) -> bool {
    look.memory_limit(container).is_some()
}

/// What the node says of a process that it killed for want of memory when this run ended: the kubelet (pkg/kubelet/oom),
/// or node-problem-detector, which also tells of kills at the limit of a container.
pub(super) fn told<'a>(look: &Look<'_, 'a>, ending: &Termination) -> Option<Told<'a>> {
    let finished = ending.finished?;
    let of_the_node =
        |event: &EventFacts| hint::at(event, finished) && !contains(&event.message, "cgroup out of memory");
    look.event_of_node("SystemOOM", of_the_node).or_else(|| look.event_of_node("OOMKilling", of_the_node))
}

/// Where the template sets no limit, of the container or of the pod as a whole, nothing but the node's memory can have run
/// out.
fn is_of_the_node(look: &Look<'_, '_>, container: &ContainerFacts) -> bool {
    let of_pod = look.revision.is_some_and(|r| r.template.aspects.iter().any(|(a, _)| *a == Aspect::Resources));
    (look.template(container).is_some() && !of_pod) || on_node_without_memory(look)
}

fn on_node_without_memory(look: &Look<'_, '_>) -> bool {
    let Some(name) = &look.pod.node else { return false };
    let node = look.scene.s.nodes.own.iter().find(|node| node.name == *name);
    node.is_some_and(|node| node.pressure.iter().any(|pressure| &**pressure == "MemoryPressure"))
}
