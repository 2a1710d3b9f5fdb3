//! Every text by which a failure is known has a message that was really written like that, and that would be read
//! otherwise without this text.

use super::build::*;
use crate::engine::classify::text::{Reading, Table, contains};
use crate::engine::classify::{config, create_refused, ending, image, removed, scheduling, setup, stalled, start};
use crate::engine::facts::PodFacts;
use crate::engine::words::{Cause, Class, Sureness};

/// A table, how it is read, and messages by their cause: `## CAUSE`, then a message a line.
struct Spoken {
    table: &'static Table,
    read: fn(&Table, &str) -> Option<Reading>,
    messages: &'static str,
}

fn spoken() -> [Spoken; 7] {
    let of = |table, messages| Spoken { table, read: Table::read_part, messages };
    let of_scheduler = include_str!("../testdata/scheduler.txt");
    [
        of(&image::TEXTS, include_str!("../testdata/registry.txt")),
        of(&config::TEXTS, include_str!("../testdata/kubelet.txt")),
        of(&setup::TEXTS, include_str!("../testdata/volumes.txt")),
        of(&start::TEXTS, include_str!("../testdata/runtime.txt")),
        of(&ending::TEXTS, include_str!("../testdata/program.txt")),
        of(&create_refused::TEXTS, include_str!("../testdata/admission.txt")),
        Spoken { table: &scheduling::REASONS, read: scheduling::read, messages: of_scheduler },
    ]
}

/// Each message with the word for its cause.
fn messages(text: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut cause = "";
    let mut messages = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("## ") {
            Some(word) => cause = word,
            None => messages.push((cause, line)),
        }
    }
    messages
}

#[test]
fn every_message_is_known() {
    for Spoken { table, read, messages: text } in spoken() {
        for (cause, message) in messages(text) {
            let said = read(table, message).map(|said| said.cause.to_string());
            assert_eq!(said.as_deref(), Some(cause), "{message}");
        }
    }
}

#[test]
fn every_phrase_has_a_message_that_is_not_known_without_it() {
    let mut idle = Vec::new();
    for Spoken { table, read, messages: text } in spoken() {
        let messages = messages(text);
        for (phrase, reading, without) in table.each_missing() {
            let cause = reading.cause.to_string();
            let is_needed = |message: &str| {
                contains(message, phrase)
                    && read(table, message) == Some(reading)
                    && read(&without, message) != Some(reading)
            };
            if !messages.iter().any(|(of, message)| *of == cause && is_needed(message)) {
                idle.push(format!("{:?} {cause}: {phrase}", table.speaker()));
            }
        }
    }
    assert!(idle.is_empty(), "{}", idle.join("\n"));
}

/// The phrases that no message holds without another of them.
fn idle<'p>(phrases: &[&'p str], messages: &[&str]) -> Vec<&'p str> {
    let alone = |message: &str, phrase: &str| phrases.iter().filter(|p| contains(message, p)).eq([&phrase]);
    phrases.iter().filter(|phrase| !messages.iter().any(|message| alone(message, phrase))).copied().collect()
}

#[test]
fn every_way_to_say_that_a_volume_is_in_use_was_said_and_makes_a_deadlock() {
    let messages = [
        "Multi-Attach error for volume \"pvc-1\" Volume is already used by 2 pod(s) in different namespaces",
        "AttachVolume.Attach failed for volume \"pvc-1\" : volume is already in use by another pod",
        "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = Internal desc = RESOURCE_IN_USE_BY_ANOTHER_RESOURCE: The disk resource 'disks/d' is already being used by 'instances/i'",
        "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = Internal desc = Could not attach volume \"vol-1\" to node \"i-1\": VolumeInUse: vol-1 is already attached to an instance",
        "AttachVolume.Attach failed for volume \"pvc-1\" : disk 1 path /dev/vdb is attached to a different instance (2)",
    ];
    assert_eq!(idle(stalled::IN_USE, &messages), [""; 0]);
    for message in messages {
        let waits = PodFacts { sandbox_ready: Some(false), ..pod([waiting("ContainerCreating", "")]) };
        let holds = PodFacts { revision: name(OLD), name: name("web-59-a"), ..ready_pod([running(-100)]) };
        let mut s = snapshot([waits, holds]);
        s.workload.max_unavailable = 0;
        let s = hearing(s, "uid-web-6d-x", [event("FailedAttachVolume", message, 20)]);
        assert_eq!(seen(&s, at(60)).last().unwrap().1, Cause::StrategyDeadlock, "{message}");
    }
}

#[test]
fn every_way_to_say_that_somebody_did_not_answer_was_said_of_a_policy() {
    let denials = [
        "failed to verify signatures: Get \"https://log/\": context deadline exceeded",
        "Unable to reach host \"notary.invalid\"",
        "lookup log on 10.0.0.10: i/o timeout",
        "Get \"https://log/\": net/http: TLS handshake timeout",
        "fetching signatures: dial tcp 10.0.0.9:443: connect: no route to host",
        "lookup log: dial udp 10.0.0.10:53: connect: network is unreachable",
        "Get \"https://log/\": lookup log: no such host",
        "Get \"https://log/\": connection refused",
        "Get \"https://log/\": read: connection reset by peer",
        "lookup log on 10.0.0.10: server misbehaving",
        "scanner: 500 Internal Server Error",
        "scanner: 502 Bad Gateway",
        "scanner: 503 Service Unavailable",
        "scanner: 504 Gateway Time-out",
        "GET https://reg.invalid/v2/: 429 Too Many Requests",
        "TOOMANYREQUESTS: You have reached your pull rate limit",
        "[checks] System error calling external data provider: no answer",
        "failed to send external data request to provider checks: no answer",
    ];
    assert_eq!(idle(create_refused::CANNOT_LOOK, &denials), [""; 0]);
    for denial in denials {
        let said = format!("admission webhook \"policy.invalid\" denied the request: {denial}");
        assert_eq!(create_refused::cause_of_refusal(&said.as_str().into()), Some(Cause::WebhookUnavailable), "{said}");
    }
}

#[test]
fn every_reason_of_a_rejection_for_the_pods_own_spec_was_given_for_one() {
    let rejections: Vec<(&str, &str, &str)> = messages(include_str!("../testdata/rejections.txt"))
        .into_iter()
        .map(|(cause, line)| line.split_once(": ").map(|(reason, message)| (cause, reason, message)).unwrap())
        .collect();
    let without: Vec<&str> = removed::OWN_SPEC
        .iter()
        .map(|(reason, ..)| *reason)
        .filter(|reason| !rejections.iter().any(|(_, given, _)| given == reason))
        .collect();
    assert_eq!(without, [""; 0]);
    for (cause, reason, message) in rejections {
        let mut rejected = pod([terminated(ended(137, "Error"))]);
        (rejected.finished, rejected.reason, rejected.message) = (true, Some(name(reason)), message.into());
        let (class, said, sureness): (Class, Cause, Sureness) = seen(&only(rejected), at(50))[0];
        assert_eq!((said.to_string().as_str(), sureness), (cause, Sureness::Repeated), "{class}: {reason}");
    }
}

#[test]
fn every_way_to_name_the_command_of_a_container_was_used_by_a_runtime() {
    let named = [
        "exec: \"/serve\": stat /serve: no such file or directory",
        "OCI runtime create failed: runc create failed: unable to start container process: exec /run.sh: no such file or directory",
        "OCI runtime create failed: runc create failed: unable to start container process: exec ./run.sh: permission denied",
        "OCI runtime create failed: container_linux.go:380: starting container process caused \"exec user process caused \\\"no such file or directory\\\"\"",
        "exec container process (missing dynamic library?) `/serve`: No such file or directory",
        "container create failed: executable file `serve` not found in $PATH: No such file or directory",
        "container create failed: executable file not found in `$PATH`: No such file or directory",
        "container create failed: executable file not found in $PATH: No such file or directory",
        "container create failed: open executable: Permission denied",
        "OCI runtime create failed: creating container: error finding executable \"serve\" in PATH [/bin]: no such file or directory",
    ];
    let begun = [
        "unable to start container process: exec: \"serve\": executable file not found in $PATH",
        "OCI runtime exec failed: exec failed: exec: \"serve\": executable file not found in $PATH",
        "container create failed: exec: \"serve\": executable file not found in $PATH",
        "command error: exec: \"serve\": executable file not found in $PATH",
    ];
    assert_eq!((idle(start::NAMES_COMMAND, &named), idle(start::STARTS_IT, &begun)), (vec![], vec![]));
    for text in named.into_iter().chain(begun) {
        assert!(start::of_command(text).is_some(), "{text}");
    }
}
