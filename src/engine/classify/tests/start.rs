use rstest::rstest;

use super::build::*;
use crate::engine::classify::start;
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
#[case("mkdir /sys/fs/cgroup/a: no space left on device", Class::ContainerStart, Cause::NodeDiskFull)]
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
#[case::cri_o_with_crun(
    "container create failed: executable file `serve` not found in $PATH: No such file or directory"
)]
#[case::crun_without_a_name("container create failed: executable file not found in `$PATH`: No such file or directory")]
#[case::cri_o_with_runc(
    "container create failed: time=\"2026-03-10T12:00:00Z\" level=error msg=\"runc create failed: unable to start container process: exec: \\\"serve\\\": executable file not found in $PATH\""
)]
#[case::no_interpreter(
    "OCI runtime create failed: unable to start container process: exec /run.sh: no such file or directory"
)]
#[case::older_runc(
    "OCI runtime create failed: container_linux.go:380: starting container process caused \"exec user process caused \\\"no such file or directory\\\"\""
)]
#[case::gvisor(
    "OCI runtime create failed: creating container: error finding executable \"serve\" in PATH [/bin]: no such file or directory"
)]
#[case::alone("exec: \"serve\": stat serve: no such file or directory")]
fn runtimes_name_the_command_that_is_not_there(#[case] text: &str) {
    assert_eq!(start::of_command(text), Some(Cause::CommandNotFound), "{text}");
}

#[rstest]
#[case("container create failed: open executable: Permission denied")]
#[case("OCI runtime create failed: unable to start container process: exec: \"/srv\": is a directory")]
#[case("OCI runtime create failed: unable to start container process: exec /run.sh: permission denied")]
fn runtimes_name_the_command_that_may_not_be_executed(#[case] text: &str) {
    assert_eq!(start::of_command(text), Some(Cause::NotExecutable), "{text}");
}

/// Each says that something is not there or not allowed, and none of it is what the container should run.
#[rstest]
#[case::profiles(
    "failed to create containerd container: get apparmor_parser version: exec: \"apparmor_parser\": executable file not found in $PATH"
)]
#[case::lost_layer(
    "failed to create containerd container: failed to stat parent: stat /var/lib/c/snapshots/1/fs: no such file or directory"
)]
#[case::layers(
    "failed to create containerd container: failed to create prepare snapshot dir: failed to create temp dir: stat /var/lib/c/snapshots: no such file or directory"
)]
#[case::driver_library(
    "OCI runtime create failed: runc create failed: unable to start container process: error during container init: error running prestart hook #0: exit status 1, stderr: nvidia-container-cli: load library failed: libnvidia-ml.so.1: cannot open shared object file: no such file or directory"
)]
#[case::hook(
    "OCI runtime create failed: unable to start container process: error during container init: error running createContainer hook #0: fork/exec /usr/bin/hook: no such file or directory"
)]
#[case::hook_by_name(
    "OCI runtime create failed: unable to start container process: error running hook #1: exec: \"hook\": executable file not found in $PATH"
)]
#[case::runtime(
    "OCI runtime create failed: unable to retrieve OCI runtime error (open /run/c/log.json: no such file or directory): exec: \"runc\": executable file not found in $PATH"
)]
#[case::other_runtime(
    "OCI runtime create failed: unable to retrieve OCI runtime error (open /run/c/log.json: no such file or directory): fork/exec /usr/bin/nvidia-container-runtime: no such file or directory"
)]
#[case::shim(
    "failed to create containerd task: failed to start shim: start failed: fork/exec /usr/bin/containerd-shim-runc-v2: no such file or directory"
)]
#[case::cgroup(
    "OCI runtime create failed: unable to start container process: unable to apply cgroup configuration: failed to write 1: open /sys/fs/cgroup/a/cgroup.procs: no such file or directory"
)]
#[case::read_only_cgroup(
    "OCI runtime create failed: unable to start container process: unable to apply cgroup configuration: mkdir /sys/fs/cgroup/a: read-only file system"
)]
#[case::cgroup_of_crun(
    "container create failed: creating cgroup directory `/sys/fs/cgroup/a`: No such file or directory"
)]
#[case::labels(
    "OCI runtime create failed: unable to start container process: error during container init: write /proc/self/attr/keycreate: permission denied"
)]
#[case::sysctl(
    "OCI runtime create failed: unable to start container process: error during container init: open sysctl net.a file: reopen fd 8: permission denied"
)]
#[case::device(
    "Error response from daemon: error gathering device information while adding custom device \"/dev/fuse\": no such file or directory"
)]
#[case::volume(
    "failed to generate container \"1\" spec: failed to generate spec: failed to stat \"/var/lib/kubelet/a/mount\": stat /var/lib/kubelet/a/mount: no such file or directory"
)]
#[case::read_only_node(
    "failed to generate container \"1\" spec: failed to generate spec: failed to mkdir \"/data\": mkdir /data: read-only file system"
)]
#[case::root_of_the_container(
    "failed to create containerd task: failed to create shim task: failed to mount rootfs component &{overlay overlay []}: no such file or directory"
)]
#[case::of_another_program("failed to prepare: exec: \"fuse-overlayfs\": executable file not found in $PATH")]
fn what_the_node_lacks_is_not_the_containers_command(#[case] text: &str) {
    assert_eq!(start::of_text(&start::TEXTS, text).map_or(Cause::RuntimeError, |said| said.cause), Cause::RuntimeError);
    let s = only(pod([waiting("CreateContainerError", text)]));
    assert_eq!(seen(&s, at(20)), [(Class::ContainerStart, Cause::RuntimeError, Sureness::Repeated)]);
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
