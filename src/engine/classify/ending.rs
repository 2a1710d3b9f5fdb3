//! How a container's last run ended, in one class and cause, as far as its status tells.

use std::sync::LazyLock;

use super::crash;
use super::look::Look;
use super::probe;
use super::text::{Reading, Table, reading};
use super::{oom, start};
use crate::engine::facts::{ContainerFacts, Termination};
use crate::engine::listen;
use crate::engine::logs;
use crate::engine::message::Speaker;
use crate::engine::observe;
use crate::engine::words::{Cause, Class, Sureness};

/// What one ending says. An exit code says how a run ended, not who ended it: 137 and 143 are what the kubelet's own
/// kills leave behind too. `None` where the pod's own restart rules took the container away.
pub(super) fn read<'a>(look: &Look<'_, 'a>, container: &'a ContainerFacts, ending: &'a Termination) -> Option<Reading> {
    if &*ending.reason == "RestartingAllContainers" {
        return None;
    }
    let lost = observe::is_made_up(ending).then(|| said(Cause::NodeRestart, Sureness::Excluded));
    lost.or_else(|| oom::killed(look, container, ending))
        .or_else(|| start::ending(ending))
        .or_else(|| probe::killed(look, container, ending).map(|cause| said(cause, Sureness::Counted)))
        .or_else(|| crash::hook_killed(look, container, ending).map(|_| said(Cause::PostStartHook, Sureness::Counted)))
        .or_else(|| by_message(ending))
        .or_else(|| oom::suspected(look, container, ending))
        .or_else(|| Some(by_exit_code(ending)))
}

fn by_exit_code(ending: &Termination) -> Reading {
    match ending.exit_code {
        0 => said(Cause::CommandExits, Sureness::Counted),
        126 => reading(Class::ContainerStart, Cause::NotExecutable, Sureness::Counted),
        127 => reading(Class::ContainerStart, Cause::CommandNotFound, Sureness::Counted),
        132 | 134 | 135 | 136 | 139 | 159 => said(Cause::NativeCrash, Sureness::Counted),
        137 | 143 => said(Cause::Unknown, Sureness::Counted),
        _ if matches!(ending.signal, 4 | 6 | 7 | 8 | 11 | 31) => said(Cause::NativeCrash, Sureness::Counted),
        _ => said(Cause::ApplicationError, Sureness::Counted),
    }
}

/// The message is what the program left in its termination log, or the tail of its log. It outlives the log and is
/// the best evidence there is; but a program that was killed from outside did not write about its end.
fn by_message(ending: &Termination) -> Option<Reading> {
    if ending.message.is_empty() || !tells(ending) {
        return None;
    }
    // A shell that may not execute a command says that permission is denied.
    let said = ending.message.says(&TEXTS, of_text);
    said.filter(|said| (ending.exit_code, said.cause) != (126, Cause::PermissionDenied))
}

/// The program ended by itself.
pub(super) fn tells(ending: &Termination) -> bool {
    !matches!(ending.exit_code, 0 | 137 | 143)
}

/// What the message of a program says.
pub(super) fn of_text(texts: &Table, message: &str) -> Option<Reading> {
    texts.read_part(message).or_else(|| by_log(message))
}

/// The message is read as the log that it is the end of.
fn by_log(message: &str) -> Option<Reading> {
    let cause = logs::read(message.as_bytes()).lead(true)?.cause;
    Some(reading(listen::class_of(cause), cause, Sureness::Counted))
}

const fn said(cause: Cause, sureness: Sureness) -> Reading {
    reading(Class::CrashLoopBackOff, cause, sureness)
}

/// A runtime that is out of memory panics or aborts afterwards, so this comes before what is read as a log. A panic is
/// read there, since its words may name a dependency.
pub(super) static TEXTS: LazyLock<Table> = LazyLock::new(|| {
    let counted = |cause| said(cause, Sureness::Counted);
    Table::new(
        Speaker::Program,
        &[
            (
                &[
                    "java.lang.outofmemoryerror",
                    "javascript heap out of memory",
                    "runtime: out of memory",
                    "runtime: cannot allocate memory",
                    "memory allocation of ",
                    "std::bad_alloc",
                    "system.outofmemoryexception",
                ],
                counted(Cause::RuntimeOutOfMemory),
            ),
            (&["exec format error"], reading(Class::ContainerStart, Cause::WrongArchitecture, Sureness::Counted)),
            (
                &[
                    "error while loading shared libraries",
                    "cannot find module '",
                    "modulenotfounderror: ",
                    "could not find or load main class",
                    "cannot load such file -- ",
                ],
                counted(Cause::MissingCode),
            ),
            (&["eaddrinuse", "address already in use"], counted(Cause::PortInUse)),
        ],
    )
});
