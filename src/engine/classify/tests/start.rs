use rstest::rstest;

use super::build::*;
use crate::engine::facts::Termination;
use crate::engine::words::{Cause, Class, Sureness};

const RUNC: &str = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ";

fn never_ran(message: &str) -> Termination {
    Termination { started: None, ..saying(ended(128, "StartError"), message) }
}

#[rstest]
#[case("exec: \"serve\": executable file not found in $PATH", Class::ContainerStart, Cause::CommandNotFound)]
#[case("exec: \"/serve\": stat /serve: no such file or directory", Class::ContainerStart, Cause::CommandNotFound)]
#[case("exec: \"/serve\": permission denied", Class::ContainerStart, Cause::NotExecutable)]
#[case("exec /serve: exec format error", Class::ContainerStart, Cause::WrongArchitecture)]
#[case("error mounting \"/a\" to rootfs at \"/b\": mount: not a directory", Class::ContainerStart, Cause::MountError)]
#[case(
    "error mounting \"/a\" to rootfs at \"/b\": no such file or directory",
    Class::ContainerStart,
    Cause::MountError
)]
#[case("mkdir /b: read-only file system", Class::ContainerStart, Cause::MountError)]
#[case(
    "chdir to cwd (\"/b\") set in config.json failed: no such file or directory",
    Class::ContainerStart,
    Cause::RuntimeError
)]
#[case("unable to apply apparmor profile: permission denied", Class::ContainerStart, Cause::RuntimeError)]
#[case("container init was OOM-killed (memory limit too low?)", Class::OOMKilled, Cause::LimitTooLowToStart)]
#[case("write /proc: no such file or directory (possibly OOM-killed)", Class::OOMKilled, Cause::Suspected)]
#[case("something new", Class::ContainerStart, Cause::RuntimeError)]
fn a_process_that_never_ran_has_one_cause_however_it_shows(
    #[case] text: &str,
    #[case] class: Class,
    #[case] cause: Cause,
) {
    let message = format!("{RUNC}{text}");
    let expected = [(class, cause, Sureness::Repeated)];
    assert_eq!(seen(&only(pod([waiting("RunContainerError", &message)])), at(20)), expected);
    assert_eq!(seen(&only(pod([looping(1, never_ran(&message))])), at(20)), expected);
    assert_eq!(seen(&only(pod([terminated(never_ran(&message))])), at(20)), expected);
}

#[rstest]
#[case(
    "failed to generate container \"1\" spec: failed to generate spec: no command specified",
    Cause::CommandNotFound,
    Sureness::Repeated
)]
#[case("path \"/x\" is mounted on \"/\" but it is not a shared mount", Cause::MountError, Sureness::Repeated)]
#[case("failed to reserve container name \"web\": name is reserved", Cause::RuntimeError, Sureness::Timed)]
#[case("context deadline exceeded", Cause::RuntimeError, Sureness::Timed)]
fn what_mends_itself_is_given_time(#[case] message: &str, #[case] cause: Cause, #[case] sureness: Sureness) {
    let s = only(pod([waiting("CreateContainerError", message)]));
    assert_eq!(seen(&s, at(10)), [(Class::ContainerStart, cause, sureness)]);
    let symptom = single(&s, at(10));
    assert!(symptom.grace_seconds > 0 || symptom.pace.is_some());
}

#[rstest]
#[case(126, Cause::NotExecutable)]
#[case(127, Cause::CommandNotFound)]
fn a_shell_that_finds_no_command_ran_itself_and_is_counted(#[case] code: i32, #[case] cause: Cause) {
    let s = only(pod([looping(2, ended(code, "Error"))]));
    assert_eq!(seen(&s, at(20)), [(Class::ContainerStart, cause, Sureness::Counted)]);
    assert_eq!(single(&s, at(20)).occurrences, 2);
}

#[test]
fn exit_128_without_a_telling_text_is_a_runtime_error_unless_it_ran() {
    let s = only(pod([looping(2, Termination { started: None, ..ended(128, "Error") })]));
    assert_eq!(seen(&s, at(20)), [(Class::ContainerStart, Cause::RuntimeError, Sureness::Repeated)]);
    let s = only(pod([looping(2, ended(128, "Error"))]));
    assert_eq!(seen(&s, at(20)), [(Class::CrashLoopBackOff, Cause::ApplicationError, Sureness::Counted)]);
}

#[test]
fn failed_starts_are_counted_as_exits_and_have_no_length() {
    let s = only(pod([waiting("RunContainerError", "exec: \"a\": permission denied").after(1, never_ran(""))]));
    assert_eq!(single(&s, at(20)).occurrences, 2);
    let s = only(pod([looping(3, never_ran("exec: \"a\": permission denied"))]));
    assert_eq!(single(&s, at(20)).occurrences, 3);
}
