//! Texts as they come in. What is kept of a text is short, and what tells may stand in the middle of a long one: so a long
//! text is read as a whole, and what it says is kept in place of what is cut off. Secrets are hidden before anything is cut.

use super::text::{Reading, Table};
use super::{config, ending, image, scheduling, setup, start};
use crate::engine::facts::Termination;
use crate::engine::message::Message;
use crate::engine::text::{MAX_MESSAGE, clean, shown};

/// As much as a container can leave when it ends.
const MAX_READ: usize = 4096;
/// Bytes kept of a refusal to create pods. There are few of these, and their numbers are read when they are shown.
const MAX_REFUSAL: usize = 2048;
/// Bytes read of what a registry said. A certificate may list hundreds of names, and CRI-O tells of two attempts.
const MAX_PULL: usize = 32 << 10;

/// Why a container waits.
pub fn of_waiting(reason: &str, text: &str) -> Message {
    match reason {
        _ if image::is_pull_reason(reason) => of_pull(text),
        _ if start::is_start_reason(reason) => of_long(text, &start::TEXTS, start::of_text),
        "CreateContainerConfigError" => of_long(text, &config::TEXTS, Table::read_part),
        _ => shown(text, MAX_MESSAGE).into(),
    }
}

/// What an event says.
pub fn of_event(reason: &str, text: &str) -> Message {
    match reason {
        "FailedScheduling" => of_scheduler(text),
        "FailedCreate" | "ReplicaSetCreateError" => of_refusal(text),
        "Failed" | "BackOff" => of_pull(text),
        _ if setup::by_reason(reason).is_some() => of_long(text, &setup::TEXTS, setup::of_text),
        _ => shown(text, MAX_MESSAGE).into(),
    }
}

/// Why an image was not pulled. Registries speak of tokens and passwords, and what stands behind such a word is hidden, be it
/// that credentials are wrong: so this is read before anything is hidden, and no more of it is kept than what it says.
fn of_pull(text: &str) -> Message {
    let said = Message::of(&clean(text, MAX_PULL), &image::TEXTS, image::of_text);
    said.kept_as(shown(text, MAX_MESSAGE))
}

/// A text of which what is kept tells as much as the whole, unless it is too long.
fn of_long(text: &str, table: &Table, read: impl Fn(&Table, &str) -> Option<Reading>) -> Message {
    let whole = shown(text, MAX_READ);
    if whole.len() <= MAX_MESSAGE { whole.into() } else { Message::of(&whole, table, read) }
}

/// What was left of a run that ended so.
pub fn of_ending(ending: &Termination, text: &str) -> Message {
    if start::never_ran(ending) {
        return of_long(text, &start::TEXTS, start::of_text);
    }
    if !ending::tells(ending) {
        return shown(text, MAX_MESSAGE).into();
    }
    of_long(text, &ending::TEXTS, ending::of_text)
}

/// Why no node was found for a pod. The reasons that taints do not explain are kept first.
pub fn of_scheduler(text: &str) -> Message {
    let whole = shown(text, MAX_READ);
    if whole.len() <= MAX_MESSAGE {
        return whole.into();
    }
    let said = Message::of(&whole, &scheduling::REASONS, scheduling::read);
    match scheduling::shortened(&whole, MAX_MESSAGE) {
        Some(short) => said.kept_as(short.into()),
        None => said,
    }
}

/// Why the API server creates no pods.
pub fn of_refusal(text: &str) -> Message {
    shown(text, MAX_REFUSAL).into()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::refusal;
    use super::super::tests::build::ended;
    use super::*;
    use crate::engine::words::{Cause, Class};

    /// A program's last words of over a kilobyte, whose reason stands in the middle.
    fn trace() -> String {
        let frames = |n: usize| {
            (0..n).map(|n| format!("\tat com.example.Orders.book{n}(Orders.java:{n})\n")).collect::<String>()
        };
        format!(
            "Exception in thread \"main\" java.lang.IllegalStateException: cannot start\n{}Caused by: \
             org.postgresql.util.PSQLException: ERROR: relation \"orders\" does not exist\n{}",
            frames(12),
            frames(14)
        )
    }

    #[test]
    fn the_middle_of_long_last_words_is_read() {
        let (text, ending) = (trace(), ended(1, "Error"));
        assert!(text.len() > 2 * MAX_MESSAGE);
        let message = of_ending(&ending, &text);
        assert!(message.len() <= MAX_MESSAGE && !message.contains("relation"));
        let said = message.says(&ending::TEXTS, ending::of_text).unwrap();
        assert_eq!((said.class, said.cause), (Class::CrashLoopBackOff, Cause::SchemaMismatch));
        // What others ended did not write about it, and what is short is kept as it is.
        assert_eq!(of_ending(&ended(137, "Error"), &text), message);
        assert_eq!(&*of_ending(&ending, "all is well"), "all is well");
    }

    #[test]
    fn the_middle_of_a_long_text_of_the_runtime_is_read() {
        let text = format!("failed: {}exec format error{}", "a ".repeat(400), " b".repeat(400));
        let message = of_ending(&ended(128, "StartError"), &text);
        assert!(!message.contains("exec format"));
        let said = message.says(&start::TEXTS, start::of_text).unwrap();
        assert_eq!(said.cause, Cause::WrongArchitecture);
    }

    /// What registries say of tokens and passwords is hidden from people, as it could be one of these.
    #[rstest]
    #[case::crio_credentials(
        "unable to retrieve auth token: invalid username/password: unauthorized: authentication required",
        Cause::RegistryAuth
    )]
    #[case("Requesting bearer token: unauthorized: access to the requested resource", Cause::RegistryAuth)]
    #[case("Requesting bearer token: denied: access forbidden", Cause::RegistryAuth)]
    #[case("Requesting bearer token: toomanyrequests: retry later", Cause::RegistryRateLimited)]
    #[case("logging in: invalid credentials: unauthorized: no such account", Cause::RegistryAuth)]
    #[case::nothing_known("unable to retrieve auth token: the moon is full", Cause::Unknown)]
    fn what_a_registry_says_is_read_before_it_is_hidden(#[case] text: &str, #[case] cause: Cause) {
        let text = format!("initializing source docker://r.io/o/web:2: {text}, password=hunter2");
        let failed = format!("Failed to pull image \"r.io/o/web:2\": {text}");
        for message in [of_waiting("ErrImagePull", &text), of_event("Failed", &failed)] {
            assert!(message.contains("***") && !message.contains("hunter2"), "{message}");
            assert_eq!(pull(&message), cause, "{message}");
        }
    }

    fn pull(message: &Message) -> Cause {
        message.says(&image::TEXTS, image::of_text).map_or(Cause::Unknown, |said| said.cause)
    }

    /// A certificate lists its names, and CRI-O tells of two attempts.
    #[rstest]
    #[case::certificate(
        "tls: failed to verify certificate: x509: certificate is valid for ",
        "cdn-0123456789.example.net, ",
        "not r.io",
        Cause::RegistryTls
    )]
    #[case::crio(
        "pull image err: writing blob: storing blob to file: write /var/tmp/1: no space left on device); artifact err: ",
        "get manifest: build image source: ",
        "reading manifest 2 in r.io/o/web: EOF",
        Cause::NodeDiskFull
    )]
    #[case::nothing_known("the moon is full, ", "and so is the night, ", "x", Cause::Unknown)]
    fn the_middle_of_a_long_pull_error_is_read(
        #[case] first: &str,
        #[case] middle: &str,
        #[case] last: &str,
        #[case] cause: Cause,
    ) {
        let image = format!("r.io/{}/web:2", "team-with-a-name/".repeat(12));
        for times in [25, 400] {
            let text = format!(
                "failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {first}{}{last}",
                middle.repeat(times)
            );
            for message in [
                of_waiting("ErrImagePull", &text),
                of_waiting("ImagePullBackOff", &format!("Back-off pulling image \"{image}\": ErrImagePull: {text}")),
                of_event("Failed", &format!("Failed to pull image \"{image}\": {text}")),
                of_event("BackOff", &format!("Back-off pulling image \"{image}\": ErrImagePull: {text}")),
            ] {
                assert!(
                    message.len() <= MAX_MESSAGE && !message.contains("certificate is") && !message.contains("device")
                );
                assert_eq!(pull(&message), cause);
            }
        }
    }

    #[test]
    fn the_middle_of_other_long_texts_of_the_kubelet_is_read() {
        let around = |middle: &str| format!("failed: {}{middle}{}", "a ".repeat(400), " b".repeat(400));
        let start = of_waiting("RunContainerError", &around("exec format error"));
        let config = of_waiting("CreateContainerConfigError", &around("configmap \"web\" not found"));
        let setup = of_event("FailedMount", &around("secret \"web\" not found"));
        let causes = [
            start.says(&start::TEXTS, start::of_text),
            config.says(&config::TEXTS, Table::read_part),
            setup.says(&setup::TEXTS, setup::of_text),
        ];
        let causes = causes.map(|said| said.unwrap().cause);
        assert_eq!(causes, [Cause::WrongArchitecture, Cause::MissingConfigMap, Cause::MissingSecret]);
        for message in [start, config, setup] {
            assert!(message.len() <= MAX_MESSAGE && message.ends_with(" b b"), "{message}");
        }
        let other = of_waiting("ContainerCreating", &around("exec format error"));
        assert_eq!(other.says(&start::TEXTS, start::of_text), None);
    }

    #[test]
    fn many_taints_do_not_hide_that_nodes_are_full() {
        let taints: String =
            (0..20).map(|n| format!("1 node(s) had untolerated taint {{team-{n:02}: reserved}}, ")).collect();
        let text =
            format!("0/40 nodes are available: {taints}20 Insufficient cpu. preemption: 0/40 nodes are available");
        let message = of_scheduler(&text);
        assert!(message.len() <= MAX_MESSAGE, "{message}");
        assert!(
            message
                .starts_with("0/40 nodes are available: 20 Insufficient cpu, 1 node(s) had untolerated taint {team-00")
        );
        let said = message.says(&scheduling::REASONS, scheduling::read).unwrap();
        assert_eq!(said.cause, Cause::InsufficientResources);
        assert_eq!(scheduling::read(&scheduling::REASONS, &message), Some(said), "what is kept says the same");
        let nodes: u32 = scheduling::reasons(&message).map(|reason| reason.nodes).sum();
        assert_eq!(nodes, 40, "{message}");
    }

    #[test]
    fn a_reason_of_the_scheduler_that_is_too_long_is_shown_in_part() {
        let message =
            of_scheduler(&format!("0/3 nodes are available: 3 the moon is full{}", ", so they say".repeat(90)));
        assert!(message.len() <= MAX_MESSAGE && message.contains("3 the moon is full"), "{message}");
        // What is short enough is told as a whole.
        let long = "x".repeat(MAX_MESSAGE);
        let message = of_scheduler(&format!("0/3 nodes are available: 1 the moon {long}, 2 Insufficient cpu."));
        assert_eq!(&*message, "0/3 nodes are available: 2 Insufficient cpu.");
    }

    #[test]
    fn a_quota_of_many_resources_keeps_its_numbers() {
        let list = |amount: u32| {
            let of = |n: u32| format!("count/resources-of-team-{n}.example.org={amount}");
            (0..7).map(of).collect::<Vec<_>>().join(",")
        };
        let text = format!(
            "pods \"web-1\" is forbidden: exceeded quota: team, requested: {}, used: {}, limited: {}",
            list(2),
            list(9),
            list(10)
        );
        assert!(text.len() > MAX_MESSAGE);
        assert_eq!(refusal::quota(&of_refusal(&text)).unwrap().shortages.len(), 7);
    }
}
