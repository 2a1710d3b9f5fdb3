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
    if !is_start_reason(reason) {
        return None;
    }
    let by_time = reason != "RunContainerError";
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

pub(super) fn is_start_reason(reason: &str) -> bool {
    matches!(reason, "CreateContainerError" | "RunContainerError" | "PreCreateHookError" | "PreStartHookError")
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
    message.says(&TEXTS, of_text).unwrap_or(said(Cause::RuntimeError))
}

/// What the text of a runtime says, by its phrases or by what it says of the container's own command.
pub(super) fn of_text(texts: &Table, text: &str) -> Option<Reading> {
    texts.read_part(text).or_else(|| of_command(text).map(said))
}

/// What a runtime says of the container's own command, after the words of runc, crun and gVisor that name it. Programs of
/// the node that are missing, and files that they cannot open, are said to be so in the same words.
pub(super) fn of_command(text: &str) -> Option<Cause> {
    let text = text.replace('\\', "").to_ascii_lowercase();
    let named = NAMES_COMMAND.iter().filter_map(|name| after_command(&text, name));
    let told = named.max_by_key(|rest| rest.len())?;
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| told.contains(phrase));
    if says(&["executable file not found", "no such file or directory", "` not found"]) {
        Some(Cause::CommandNotFound)
    } else {
        says(&["permission denied", "is a directory"]).then_some(Cause::NotExecutable)
    }
}

/// In lower case and without backslashes.
pub(super) const NAMES_COMMAND: &[&str] = &[
    "exec: \"",
    "exec /",
    "exec ./",
    "exec user process caused",
    "exec container process",
    "executable file `",
    "executable file not found in `",
    "executable file not found in $path",
    "open executable: ",
    "error finding executable ",
];
/// What comes before the name of the command where runc or a program of the node may be speaking.
pub(super) const STARTS_IT: &[&str] = &["container process", "oci runtime", "container create failed", "command error"];

/// The text from where it names the command of the container.
fn after_command<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.match_indices(name).find_map(|(at, _)| {
        let (before, told) = text.split_at_checked(at)?;
        // `fork/exec /usr/bin/runc` is of the node.
        let is_word = !before.ends_with(|c: char| c == '/' || c.is_ascii_alphanumeric());
        let is_own = before.is_empty() || STARTS_IT.iter().any(|words| before.contains(words));
        (is_word && is_own).then_some(told)
    })
}

const fn said(cause: Cause) -> Reading {
    reading(Class::ContainerStart, cause, Sureness::Repeated)
}

/// What fails on the node before the container's own command or mounts are looked at.
const OF_NODE: &[&str] = &[
    "unable to retrieve oci runtime error",
    "failed to start shim",
    "apparmor_parser",
    "failed to create containerd container",
    "failed to mount rootfs component",
    // A directory of the node that a hostPath asks for and that is not there.
    "failed to mkdir",
    "cgroup configuration",
    "cgroup.procs",
    "running hook",
    "running prestart hook",
    "hook #",
    "executing hook",
];

/// Memory, the node and mounts come first: their texts also end with "no such file or directory" or "permission denied".
pub(super) static TEXTS: LazyLock<Table> = LazyLock::new(|| {
    let passing = reading(Class::ContainerStart, Cause::RuntimeError, Sureness::Timed);
    let no_memory = |cause| reading(Class::OOMKilled, cause, Sureness::Repeated);
    Table::new(
        Speaker::Runtime,
        &[
            (&["container init was oom-killed"], no_memory(Cause::LimitTooLowToStart)),
            (&["possibly oom-killed"], no_memory(Cause::Suspected)),
            (&["failed to reserve container name", "context deadline exceeded"], passing),
            (&["no space left on device"], said(Cause::NodeDiskFull)),
            (OF_NODE, said(Cause::RuntimeError)),
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
            (&["no command specified"], said(Cause::CommandNotFound)),
        ],
    )
});
