//! What logs add to what statuses show, and which of them are read.

use std::sync::Arc;

use rstest::rstest;

use super::build::*;
use crate::engine::builtin;
use crate::engine::classify::classify;
use crate::engine::evidence;
use crate::engine::facts::{ContainerFacts, LogFacts, PodFacts, Snapshot};
use crate::engine::finding::Finding;
use crate::engine::listen::{self, Wanted};
use crate::engine::policy::{LogAccess, Policy, Rule};
use crate::engine::rollout;
use crate::engine::words::{Cause, Class, Sureness};

const SCHEMA: &str = "FATAL pq: relation \"orders\" does not exist\n";
const REFUSED: &str =
    "WARN dial tcp 10.0.0.5:5432: connect: connection refused, trying again\nINFO a\nINFO b\nINFO c\nINFO d\n";

/// A pod of the new revision called so.
fn pod_of(of: &str, container: ContainerFacts) -> PodFacts {
    PodFacts { uid: name(&format!("uid-{of}")), name: name(of), ..pod([container]) }
}

fn log(of: &str, ended: bool, exits: u32, text: &str) -> Arc<LogFacts> {
    let wanted = Wanted {
        uid: name(&format!("uid-{of}")),
        pod: name(of),
        container: name("web"),
        ended,
        run: None,
        exits,
        rules: None,
    };
    Arc::new(listen::heard(&wanted, text.as_bytes()))
}

fn with_logs(pods: impl IntoIterator<Item = PodFacts>, logs: Vec<Arc<LogFacts>>) -> Snapshot {
    Snapshot { logs, ..snapshot(pods) }
}

fn crashed(exits: u32) -> ContainerFacts {
    looping(exits, ended(1, "Error"))
}

fn findings(s: &Snapshot) -> Vec<Finding> {
    evidence::weigh(s, &classify(s, at(20)), rollout::current(s, at(20)).as_ref(), at(20)).findings
}

/// Pod, whether the run is over, and exits, of the logs that are to be read.
fn wanted(s: &Snapshot) -> Vec<(String, bool, u32)> {
    let wanted = listen::wanted(s, &findings(s), at(20));
    assert!(wanted.iter().all(|log| log.run.is_some() == log.ended), "which run is meant: {wanted:?}");
    wanted.into_iter().map(|log| (log.pod.to_string(), log.ended, log.exits)).collect()
}

#[rstest]
#[case::by_itself(1, SCHEMA, Cause::SchemaMismatch)]
#[case::on_its_last_words(
    1,
    "ERROR dial tcp 10.0.0.5:5432: connect: connection refused\n",
    Cause::DependencyUnreachable
)]
#[case::a_signal(139, "panic: runtime error: index out of range\n", Cause::Panic)]
#[case::without_an_error(0, SCHEMA, Cause::SchemaMismatch)]
#[case::of_a_killed_one(143, SCHEMA, Cause::SchemaMismatch)]
#[case::killed_while_it_tried(143, "ERROR dial tcp 10.0.0.5:5432: connect: connection refused\n", Cause::Unknown)]
#[case::silence(1, "up\n", Cause::ApplicationError)]
fn a_log_names_the_cause_that_a_status_leaves_open(#[case] code: i32, #[case] text: &str, #[case] cause: Cause) {
    let container = looping(2, ended(code, "Error"));
    let s = with_logs([pod_of("a", container)], vec![log("a", true, 2, text)]);
    assert_eq!(seen(&s, at(20)), [(Class::CrashLoopBackOff, cause, Sureness::Counted)]);
}

const LIBRARY: &str = "/app/web: error while loading shared libraries: libssl.so.3: cannot open shared object file\n";

#[rstest]
#[case::a_library(127, LIBRARY, Class::CrashLoopBackOff, Cause::MissingCode)]
#[case::the_command(127, "/bin/sh: 1: serve: not found\n", Class::ContainerStart, Cause::CommandNotFound)]
#[case::silence(127, "up\n", Class::ContainerStart, Cause::CommandNotFound)]
#[case::may_not(126, "/run.sh: 1: /app/web: Permission denied\n", Class::ContainerStart, Cause::NotExecutable)]
#[case::git(128, "fatal: Could not resolve host: git.example.org\n", Class::CrashLoopBackOff, Cause::DnsFailure)]
#[case::processor(1, "exec /app/web: exec format error\n", Class::ContainerStart, Cause::WrongArchitecture)]
#[case::at_the_end_of_a_byte(
    255,
    "exec /app/web: exec format error\n",
    Class::ContainerStart,
    Cause::WrongArchitecture
)]
#[case::interpreter(1, "exec /run.sh: no such file or directory\n", Class::ContainerStart, Cause::CommandNotFound)]
fn a_log_tells_whether_the_program_came_to_run(
    #[case] code: i32,
    #[case] text: &str,
    #[case] class: Class,
    #[case] cause: Cause,
) {
    let s = with_logs([pod_of("a", looping(2, ended(code, "Error")))], vec![log("a", true, 2, text)]);
    assert_eq!(seen(&s, at(20)), [(class, cause, Sureness::Counted)]);
    assert_eq!(wanted(&Snapshot { logs: Vec::new(), ..s }), [("a".to_owned(), true, 2)]);
    // A message is read as the log that it ends.
    let said = only(pod([looping(2, saying(ended(code, "Error"), text))]));
    assert_eq!(seen(&said, at(20))[0].1, cause);
}

fn governed(rules: serde_json::Value) -> Arc<Policy> {
    let rules: Vec<Rule> = serde_json::from_value(rules).unwrap();
    Arc::new(Policy { rules: rules.into_iter().chain(builtin::rules()).collect(), ..builtin::policy() })
}

/// With the log read as the policy wants it.
fn read_by_rule(of: &str, policy: &Arc<Policy>, text: &str) -> Arc<LogFacts> {
    let rules = Some(policy.clone());
    let wanted = Wanted {
        uid: name(&format!("uid-{of}")),
        pod: name(of),
        container: name("web"),
        ended: true,
        run: None,
        exits: 2,
        rules,
    };
    Arc::new(listen::heard(&wanted, text.as_bytes()))
}

#[rstest]
#[case::memory(looping(2, ended(137, "OOMKilled")))]
#[case::start(looping(2, ended(127, "Error")))]
#[case::crash(crashed(2))]
fn a_rule_finds_its_line_anywhere_in_the_log(#[case] container: ContainerFacts) {
    let policy =
        governed(serde_json::json!([{"name": "ledger", "match": {"logs": ["checksum drift"]}, "action": "Hold"}]));
    let s = Snapshot { policy: policy.clone(), ..snapshot([pod_of("a", container)]) };
    assert_eq!(wanted(&s), [("a".to_owned(), true, 2)]);
    assert_ne!(findings(&s)[0].rule, "ledger");
    let text = format!("ledger checksum drift\n{}", "line\n".repeat(41));
    let s = Snapshot { logs: vec![read_by_rule("a", &policy, &text)], ..s };
    assert_eq!(findings(&s)[0].rule, "ledger");
}

#[rstest]
#[case::of_another_failure(serde_json::json!({"logs": ["x"], "failures": ["Pending"]}))]
#[case::of_another_container(serde_json::json!({"logs": ["x"], "containers": ["db"]}))]
#[case::without_patterns(serde_json::json!({"failures": ["OOMKilled"]}))]
fn a_log_that_no_rule_asks_for_is_not_read(#[case] matches: serde_json::Value) {
    let policy = governed(serde_json::json!([{"name": "r", "match": matches}]));
    assert_eq!(wanted(&Snapshot { policy, ..snapshot([pod_of("a", looping(2, ended(137, "OOMKilled")))]) }), []);
}

#[test]
fn a_rule_behind_one_that_takes_the_failure_asks_for_nothing() {
    let policy = governed(serde_json::json!([
        {"name": "memory", "match": {"failures": ["OOMKilled"]}}, {"name": "ledger", "match": {"logs": ["x"]}},
    ]));
    assert_eq!(wanted(&Snapshot { policy, ..snapshot([pod_of("a", looping(2, ended(137, "OOMKilled")))]) }), []);
}

#[test]
fn a_cause_that_the_status_names_stays() {
    let text = "Error: Cannot find module 'express'";
    let container = looping(2, saying(ended(1, "Error"), text));
    let s = with_logs([pod_of("a", container)], vec![log("a", true, 2, SCHEMA)]);
    assert_eq!(seen(&s, at(20))[0].1, Cause::MissingCode);
    let limited = looping(2, ended(137, "OOMKilled"));
    let s = with_logs([pod_of("a", limited)], vec![log("a", true, 2, SCHEMA)]);
    assert_eq!(seen(&s, at(20))[0].0, Class::OOMKilled);
}

#[test]
fn the_message_of_a_termination_is_read_as_the_log_that_it_ends() {
    let said = |text: &str| seen(&only(pod([looping(2, saying(ended(1, "Error"), text))])), at(20))[0].1;
    assert_eq!(said("starting\npq: relation \"orders\" does not exist"), Cause::SchemaMismatch);
    assert_eq!(said("starting\nall is well"), Cause::ApplicationError);
}

#[test]
fn a_log_alone_makes_no_failure() {
    let s = with_logs([ready_pod([running(3).ready()])], vec![log("web-6d-x", false, 0, SCHEMA)]);
    assert_eq!(seen(&s, at(60)), []);
}

#[test]
fn a_few_logs_speak_for_all_pods_of_the_revision() {
    let pods = ["a", "b", "c", "d"].map(|of| pod_of(of, crashed(2)));
    let refused = "ERROR dial tcp 10.0.0.5:5432: connect: connection refused\n";
    let logs = vec![log("c", true, 2, refused), log("a", true, 2, SCHEMA), log("b", true, 2, SCHEMA)];
    let s = with_logs(pods.clone(), logs);
    let [finding] = &findings(&s)[..] else { panic!("one finding") };
    assert_eq!((finding.cause, finding.failing_pods), (Cause::SchemaMismatch, 4));
    assert_eq!(finding.evidence.len(), 3);
    assert_eq!(finding.evidence[2].source, "pod/a log[web] line 1");
    // What is tried again counts when it repeats, be it in another pod.
    let s = with_logs(pods.clone(), vec![log("a", true, 2, REFUSED)]);
    assert_eq!(findings(&s)[0].cause, Cause::ApplicationError);
    let s = with_logs(pods, vec![log("a", true, 2, REFUSED), log("b", true, 2, REFUSED)]);
    assert_eq!(findings(&s)[0].cause, Cause::DependencyUnreachable);
}

#[test]
fn the_last_error_is_evidence_also_of_an_unknown_kind() {
    let s = with_logs([pod_of("a", crashed(2))], vec![log("a", true, 2, "ERROR out of tokens\n")]);
    let finding = &findings(&s)[0];
    assert_eq!(finding.cause, Cause::ApplicationError);
    assert_eq!(finding.evidence.last().unwrap().text, "ERROR out of tokens");
}

#[test]
fn what_a_log_names_is_evidence_also_of_a_class_that_has_other_causes() {
    let pool = "WARN QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00\n";
    let s = with_logs([pod_of("a", running(3))], vec![log("a", false, 0, &pool.repeat(2))]);
    let finding = &findings(&s)[0];
    assert_eq!((finding.class, finding.cause), (Class::Unready, Cause::Unknown));
    let told = finding.evidence.iter().find(|e| e.source.starts_with("pod/a log[web]")).unwrap();
    assert!(told.text.starts_with("2 times, at last: WARN QueuePool limit of size 5"), "{told:?}");
}

#[rstest]
#[case::none(&[], LogAccess::Read, "its log, which was not read (that takes the right to get pods/log and a node that answers)")]
#[case::not_to_be_read(&[], LogAccess::Ignore, "its log, which the policy keeps from being read")]
#[case::one_of_a_pod_like_it(&[("b", "up\nwell\n")], LogAccess::Read, "a line of its log that tells, among the 2 that were read")]
#[case::without_a_word(&[("a", "")], LogAccess::Read, "a line in its log, which is empty")]
fn where_the_cause_is_unknown_it_is_said_what_was_read(
    #[case] read: &[(&str, &str)],
    #[case] access: LogAccess,
    #[case] missing: &str,
) {
    let pods = ["a", "b"].map(|of| pod_of(of, looping(2, ended(143, "Error"))));
    let mut s = with_logs(pods, read.iter().map(|(of, text)| log(of, true, 2, text)).collect());
    s.policy = Arc::new(Policy { logs: access, ..(*s.policy).clone() });
    let findings = findings(&s);
    let note = findings[0].evidence.iter().find(|e| e.source == "cause unknown").unwrap();
    assert!(note.text.contains(&format!("; {missing}; next: ")), "{note:?}");
}

#[test]
fn logs_of_runs_that_ended_are_read_of_a_few_pods() {
    let s = snapshot(["a", "b", "c", "d", "e"].map(|of| pod_of(of, crashed(2))));
    assert_eq!(wanted(&s), ["a", "b", "c"].map(|of| (of.to_owned(), true, 2)));
    let known = ["b", "c", "e"].map(|of| log(of, true, 2, "up\n"));
    assert_eq!(wanted(&Snapshot { logs: known.into(), ..s }), []);
}

#[rstest]
#[case::never_started(looping(2, { let mut e = ended(128, "StartError"); e.started = None; e }))]
#[case::lost(terminated(ended(137, "ContainerStatusUnknown")))]
#[case::takes_its_time(running(3))]
#[case::no_image(waiting("ImagePullBackOff", "Back-off pulling image"))]
fn what_left_no_log_or_needs_none_is_not_asked_for_one(#[case] container: ContainerFacts) {
    assert_eq!(wanted(&only(pod([container]))), []);
}

#[rstest]
#[case::it_told(SCHEMA, 1, 2, false)]
#[case::it_said_nothing("up\n", 1, 2, true)]
#[case::it_never_says_anything("up\n", 3, 4, false)]
#[case::the_same_run("up\n", 2, 2, false)]
#[case::much_later(SCHEMA, 1, 4, true)]
#[case::not_much_later(SCHEMA, 2, 7, false)]
fn a_later_run_is_read_where_it_may_tell_more(
    #[case] text: &str,
    #[case] read: u32,
    #[case] exits: u32,
    #[case] again: bool,
) {
    let s = with_logs([pod_of("a", crashed(exits))], vec![log("a", true, read, text)]);
    assert_eq!(wanted(&s).len(), usize::from(again));
}

#[test]
fn the_log_of_what_takes_its_time_is_there_when_that_was_too_long() {
    let mut s = only(pod([running(3)]));
    s.policy = Arc::new(Policy { rules: builtin::rules(), ..(*s.policy).clone() });
    let due = 3 + single(&s, at(20)).grace_seconds;
    let waits = |s: &Snapshot, now: i64| {
        let found = evidence::weigh(s, &classify(s, at(now)), rollout::current(s, at(now)).as_ref(), at(now));
        let ahead = listen::look_ahead(s, &found.findings, found.next_look, at(now));
        (found.findings[0].sufficient, ahead, listen::wanted(s, &found.findings, at(now)).len())
    };
    assert_eq!(waits(&s, 20), (false, Some(at(due - 5)), 0));
    assert_eq!(waits(&s, due - 5), (false, None, 1));
    assert_eq!(waits(&s, due), (true, None, 1));
    let s = Snapshot { logs: vec![log("web-6d-x", false, 0, "up\n")], ..s };
    assert_eq!(waits(&s, due).2, 0);
    let policy = Arc::new(Policy { logs: LogAccess::Ignore, ..(*s.policy).clone() });
    assert_eq!(waits(&Snapshot { policy, ..s }, 20).1, None);
}

#[test]
fn the_last_words_of_a_run_that_was_read_before_it_ended_are_read_as_well() {
    let s = with_logs([pod_of("a", crashed(1))], vec![log("a", false, 0, "up\n")]);
    assert_eq!(wanted(&s), [("a".to_owned(), true, 1)]);
}

#[test]
fn where_the_policy_ignores_logs_none_is_read() {
    let s = snapshot([pod_of("a", crashed(2))]);
    let policy = Arc::new(Policy { logs: LogAccess::Ignore, ..(*s.policy).clone() });
    assert_eq!(wanted(&Snapshot { policy, ..s }), []);
}
