//! Containers that a runtime cannot create or start. The texts are those of runc and containerd; see also
//! pkg/kubelet/kuberuntime/kuberuntime_container.go for the reasons.

use std::sync::LazyLock;

use super::crash;
use super::look::{Look, SYNCS, waiting};
use super::text::{Reading, Table, reading};
use crate::engine::facts::{ContainerFacts, Termination};
use crate::engine::finding::{Detail, Symptom};
use crate::engine::message::{Message, Speaker};
use crate::engine::words::{Cause, Class, Sureness};

/// Trouble of the node that mends itself is over by then.
const NODE_GRACE_SECONDS: i64 = 120;

/// A container that waits because it could not be created or started.
pub(super) fn symptom<'a>(look: &Look<'_, 'a>, container: &'a ContainerFacts) -> Option<Symptom<'a>> {
    let (reason, message) = waiting(container)?;
    let by_time = match reason {
        "CreateContainerError" | "PreCreateHookError" | "PreStartHookError" => true,
        "RunContainerError" => false,
        _ => return None,
    };
    let said = read(message);
    let detail = Detail::Waiting { reason, message };
    let onset = if by_time { look.waiting_since(container) } else { look.failing_since(container) };
    let symptom = look.on_container(container, said, onset, detail);
    let attempts = match (by_time, look.spell(container)) {
        (true, _) => look.attempts_by_time(container),
        (false, spell) => spell.map_or(1, |spell| spell.attempts).max(crash::exits(look, container)),
    };
    let (grace_seconds, pace) = match (said.sureness, by_time) {
        (Sureness::Timed, _) => (NODE_GRACE_SECONDS, None),
        (_, true) => (0, Some(SYNCS)),
        (_, false) => (0, None),
    };
    Some(Symptom { occurrences: attempts, grace_seconds, pace, ..symptom })
}

/// What a runtime says of a process that never ran. containerd calls such an end `StartError` and gives it exit code
/// 128, and the epoch for its start. A program that ran may end with 128 too, as git does.
pub(super) fn ending(ending: &Termination) -> Option<Reading> {
    never_ran(ending).then(|| match read(&ending.message) {
        // The exits are counted anyway, so a node's passing trouble needs no clock here.
        Reading { class, cause, sureness: Sureness::Timed } => reading(class, cause, Sureness::Repeated),
        said => said,
    })
}

pub(super) fn never_ran(ending: &Termination) -> bool {
    let unbegun = ending.exit_code == 128 && ending.started.is_none();
    matches!(&*ending.reason, "StartError" | "ContainerCannotRun") || unbegun
}

fn read(message: &Message) -> Reading {
    TEXTS.read(message).unwrap_or(said(Cause::RuntimeError))
}

const fn said(cause: Cause) -> Reading {
    reading(Class::ContainerStart, cause, Sureness::Repeated)
}

/// Memory and mounts come first: their texts also end with "no such file or directory" or "permission denied".
pub(super) static TEXTS: LazyLock<Table> = LazyLock::new(|| {
    let passing = reading(Class::ContainerStart, Cause::RuntimeError, Sureness::Timed);
    let no_memory = |cause| reading(Class::OOMKilled, cause, Sureness::Repeated);
    Table::new(
        Speaker::Runtime,
        &[
            (&["container init was oom-killed"], no_memory(Cause::LimitTooLowToStart)),
            (&["possibly oom-killed"], no_memory(Cause::Suspected)),
            (&["failed to reserve container name", "context deadline exceeded"], passing),
            (&["chdir to cwd", "apparmor profile", "seccomp"], said(Cause::RuntimeError)),
            (
                &[
                    "error mounting",
                    "failed to mount",
                    "to rootfs at",
                    "is not a shared mount",
                    "not a shared or slave mount",
                    "read-only file system",
                ],
                said(Cause::MountError),
            ),
            (&["exec format error"], said(Cause::WrongArchitecture)),
            (
                &["executable file not found", "no such file or directory", "no command specified"],
                said(Cause::CommandNotFound),
            ),
            (&["permission denied", "is a directory"], said(Cause::NotExecutable)),
        ],
    )
});
