use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::engine::words::Cause;
use strum::IntoEnumIterator;

/// Real messages by their cause: `## CAUSE`, then a message a line.
const MESSAGES: [&str; 3] =
    [include_str!("testdata/database.txt"), include_str!("testdata/network.txt"), include_str!("testdata/program.txt")];

fn messages() -> Vec<(Cause, &'static str)> {
    let mut messages = Vec::new();
    for text in MESSAGES {
        let mut cause = Cause::Unknown;
        for line in text.lines() {
            match line.strip_prefix("## ") {
                Some(word) => cause = Cause::iter().find(|c| c.to_string() == word).unwrap(),
                None => messages.push((cause, line)),
            }
        }
    }
    messages
}

/// The same message as the loggers of the world write it.
fn written(message: &str, level: &str) -> Vec<String> {
    let quoted = serde_json::Value::from(message).to_string();
    vec![
        format!("2026-01-02 03:04:05.678 {} 1 --- [main] c.e.App : {message}", level.to_uppercase()),
        format!("{{\"level\":\"{level}\",\"ts\":1767323045.6,\"msg\":{quoted}}}"),
        format!(
            "{{\"time\":\"x\",\"severity\":\"{}\",\"message\":\"it failed\",\"error\":{quoted}}}",
            level.to_uppercase()
        ),
        format!("time=\"2026-01-02T03:04:05Z\" level={level} msg={quoted}"),
        format!("2026-01-02T03:04:05.678901234Z stderr F \u{1b}[31m{}\u{1b}[0m {message}\r", level.to_uppercase()),
    ]
}

fn causes(log: &str) -> Vec<Cause> {
    read(log.as_bytes()).seen.iter().map(|seen| seen.cause).collect()
}

#[test]
fn every_message_is_known_however_it_is_logged() {
    let mut wrong = Vec::new();
    for (cause, message) in messages() {
        for line in written(message, "error") {
            let reading = read(format!("starting\n{line}\n{line}\n").as_bytes());
            let lead = reading.lead(true).map(|lead| (lead.cause, lead.times));
            if lead != Some((cause, if is_last_word(message) { 1 } else { 2 })) {
                wrong.push(format!("{cause}: {line}\n    {:?}", reading.seen));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// It means something in the last words of a program alone.
fn is_last_word(message: &str) -> bool {
    let found = signatures::phrases().filter(|(_, _, phrase)| template::Template::new(phrase).find(message).is_some());
    found.map(|(_, how, _)| how.when).all(|when| when == When::Fatal)
}

/// What is close to a phrase and means something else.
#[test]
fn a_near_miss_is_nothing() {
    let mut wrong = Vec::new();
    for message in include_str!("testdata/nothing.txt").lines() {
        for line in written(message, "error") {
            let seen = causes(&format!("starting\n{line}\n{line}\n"));
            wrong.extend((!seen.is_empty()).then(|| format!("{line}: {seen:?}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A document that does not parse may be that of a client, and the program goes on.
#[test]
fn what_means_something_in_the_last_words_means_nothing_in_passing() {
    for (cause, message) in messages().into_iter().filter(|(_, message)| is_last_word(message)) {
        for line in written(message, "error") {
            let log = format!("starting\n{line}\n{line}\n{}", "INFO going on\n".repeat(30));
            assert_eq!(causes(&log), [], "{cause}: {line}");
        }
    }
}

#[test]
fn every_message_is_known_as_the_last_words_of_a_program() {
    for (cause, message) in messages() {
        let reading = read(format!("starting up\nloading\n{message}\n").as_bytes());
        let lead = reading.lead(true).unwrap_or_else(|| panic!("{cause}: {message}: {reading:?}"));
        assert_eq!((lead.cause, lead.last_words), (cause, true), "{message}");
        assert_eq!(lead.confidence, Confidence::Likely, "{message}");
    }
}

#[test]
fn below_the_level_of_a_warning_nothing_is_known() {
    for level in ["info", "debug"] {
        for (cause, message) in messages() {
            let quiet =
                message.contains("changelog lock") || message.contains("acquire lock") || message.contains("try lock");
            for line in written(message, level) {
                let seen = causes(&format!("{line}\n{line}\ngoing on\ngoing on\n"));
                assert!(seen.is_empty() || quiet, "{cause}: {line}: {seen:?}");
            }
        }
    }
}

#[test]
fn every_phrase_has_a_real_message() {
    let messages = messages();
    let without: Vec<_> = signatures::phrases()
        .filter(|(cause, _, phrase)| {
            let template = template::Template::new(phrase);
            !messages.iter().any(|(of, message)| of == cause && template.find(message).is_some())
        })
        .collect();
    assert!(without.is_empty(), "{without:#?}");
}

#[test]
fn every_phrase_is_searched_for_by_words_that_no_format_changes() {
    for (cause, _, phrase) in signatures::phrases() {
        assert!(template::Template::new(phrase).anchor().len() >= 5, "{cause}: {phrase}");
    }
}

#[test]
fn once_is_nothing_where_programs_try_again() {
    let line = "WARN dial tcp 10.0.0.5:5432: connect: connection refused, trying again";
    let quiet = "INFO still here\n".repeat(30);
    let once = read(format!("{line}\n{quiet}").as_bytes());
    assert_eq!((once.seen.len(), once.lead(true)), (1, None));
    let twice = read(format!("{line}\n{line}\n{quiet}").as_bytes());
    assert_eq!(twice.lead(true).map(|lead| (lead.cause, lead.times)), Some((Cause::DependencyUnreachable, 2)));
}

const REFUSED: &str = "WARN cache: dial tcp 10.0.0.9:6379: connect: connection refused\n";

/// What a program ended on leads, be it that it names nothing that is known; what was tried in vain before does not.
#[rstest]
#[case::go(
    "panic: runtime error: invalid memory address or nil pointer dereference\n\ngoroutine 1 [running]:\n",
    Some(Cause::Panic)
)]
#[case::go_runtime("fatal error: concurrent map writes\n\ngoroutine 18 [running]:\nmain.count()\n", Some(Cause::Panic))]
#[case::ruby(
    "/app/web.rb:3:in 'Plans#of': tenant 5 has no plan (RuntimeError)\n\tfrom /app/web.rb:9\n",
    Some(Cause::Panic)
)]
// It says no more than that an application of its own has ended.
#[case::erlang(
    "Kernel pid terminated (application_controller) (\"{application_terminated,shop,shutdown}\")\n",
    Some(Cause::DependencyUnreachable)
)]
#[case::python(
    "Traceback (most recent call last):\n  File \"m.py\", line 2, in <module>\nAttributeError: no 'id'\n",
    Some(Cause::Panic)
)]
#[case::node(
    "/app/m.js:1\n  a.b()\n  ^\n\nTypeError: a is undefined\n    at m.js:1:1\n\nNode.js v20.11.0\n",
    Some(Cause::Panic)
)]
#[case::dotnet(
    "Unhandled exception. System.InvalidOperationException: Unable to resolve service\n",
    Some(Cause::Panic)
)]
#[case::its_word_for_it("FATAL invalid feature flag \"x2\"\n", None)]
#[case::a_setting(
    "Traceback (most recent call last):\n  File \"os.py\", line 2\nKeyError: 'DATABASE_URL'\n",
    Some(Cause::ConfigError)
)]
#[case::gave_up("FATAL giving up\n", Some(Cause::DependencyUnreachable))]
#[case::did_not_start("FATAL main: failed to start\n", Some(Cause::DependencyUnreachable))]
#[case::did_not_get_it("panic: no database after 10 attempts\n", Some(Cause::DependencyUnreachable))]
#[case::did_not_get_it_done("RuntimeError: could not set up\n", Some(Cause::DependencyUnreachable))]
#[case::has_none(
    "Traceback (most recent call last):\n  File \"m.py\", line 2\nAttributeError: 'NoneType' object has no attribute 'redis'\n",
    Some(Cause::DependencyUnreachable)
)]
#[case::lost_it("panic: lost the leader\n", Some(Cause::DependencyUnreachable))]
#[case::did_not_happen("FATAL caches did not sync\n", Some(Cause::DependencyUnreachable))]
#[case::went_down("** (EXIT from #PID<0.90.0>) shutdown\n", Some(Cause::DependencyUnreachable))]
#[case::an_error("ERROR invalid feature flag\n", Some(Cause::DependencyUnreachable))]
#[case::a_reason(
    "Exception in thread \"main\" a.B: c\n\tat d\nCaused by: java.net.UnknownHostException: db\n",
    Some(Cause::DnsFailure)
)]
fn the_last_words_lead(#[case] end: &str, #[case] lead: Option<Cause>) {
    let reading = read(format!("{}{end}", REFUSED.repeat(3)).as_bytes());
    assert_eq!(reading.lead(true).map(|lead| lead.cause), lead);
    assert_eq!(reading.first(true).map(|first| first.cause), lead);
    // Who was killed, or goes on, did not end on them.
    if lead == Some(Cause::Panic) {
        assert_eq!(reading.lead(false).map(|lead| lead.cause), Some(Cause::DependencyUnreachable));
    }
}

/// Loggers write tracebacks below warnings too, and so does the runtime: at the end of a log it was the runtime.
#[test]
fn a_traceback_below_a_warning_is_an_end_where_nothing_follows() {
    let trace = "Traceback (most recent call last):\n  File \"m.py\", line 2, in <module>\nValueError: 3\n";
    let causes = |log: &str| read(log.as_bytes()).lead(true).map(|lead| lead.cause);
    assert_eq!(causes(&format!("WARN odd\n{trace}")), Some(Cause::Panic));
    assert_eq!(causes(&format!("WARN odd\n{trace}WARN even\n")), None);
    assert_eq!(causes(&format!("ERROR odd\n{trace}")), None);
}

#[test]
fn levels_of_one_width_are_levels() {
    let line =
        "2026-03-10T11:58:00.123Z  WARN 1 --- a.B : Connection is not available, request timed out after 30000ms";
    let seen = &read(format!("{line}\n{line}\n{line}\n").as_bytes()).seen[0];
    assert_eq!((seen.cause, seen.times), (Cause::PoolExhausted, 3));
}

#[test]
fn a_run_that_goes_on_did_not_end_on_its_last_words() {
    let reading = read(b"INFO up\nERROR dial tcp 10.0.0.5:5432: connect: connection refused\n");
    assert!(reading.lead(true).is_some() && reading.lead(false).is_none());
}

#[test]
fn what_a_later_success_takes_back_is_taken_back() {
    let refused = "WARN dial tcp 10.0.0.5:5432: connect: connection refused\n".repeat(3);
    assert_eq!(causes(&format!("{refused}INFO connected to postgres\n")), []);
    assert_eq!(causes(&format!("{refused}INFO connected to redis\n")), [Cause::DependencyUnreachable]);
    assert_eq!(causes(&format!("INFO connected to postgres\n{refused}")), [Cause::DependencyUnreachable]);
    let schema = "ERROR pq: relation \"orders\" does not exist\n";
    assert_eq!(causes(&format!("{schema}INFO connected to postgres\n")), [Cause::SchemaMismatch]);
}

/// Both are of one moment, one on standard output and the other on standard error.
#[test]
fn what_was_said_at_the_same_time_takes_nothing_back() {
    let log = |up: &str, exit: &str| {
        let exit = format!("{exit} app: exit 1: db is down: dial tcp 10.0.0.5:5432: connect: connection refused");
        format!("{exit}\n{up} app: listening on port 8080\n")
    };
    let cause = |log: String| read(log.as_bytes()).lead(true).map(|seen| seen.cause);
    let now = "2026-01-02T03:04:05.120000001Z";
    assert_eq!(cause(log("2026-01-02T03:04:05.131Z", now)), Some(Cause::DependencyUnreachable));
    assert_eq!(cause(log("2026-01-02T03:04:05.119Z", now)), Some(Cause::DependencyUnreachable));
    assert_eq!(cause(log("2026-01-02T03:04:05.320Z", now)), None);
    assert_eq!(cause(log("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z")), None);
}

#[test]
fn places_count_from_the_first_line_and_tell_when() {
    let log = "2026-01-02T03:04:05Z up\n2026-01-02T03:04:06Z ERROR deadlock detected\n2026-01-02T03:04:07.5Z ERROR deadlock detected\n";
    let seen = &read(log.as_bytes()).seen[0];
    assert_eq!((seen.first.line, seen.last.line, seen.times), (2, 3, 2));
    assert_eq!(seen.first.at, "2026-01-02T03:04:06Z".parse().ok());
    assert_eq!(seen.last.at, "2026-01-02T03:04:07.5Z".parse().ok());
}

#[test]
fn what_is_quoted_is_redacted_and_bounded() {
    let long = "x".repeat(5000);
    let log =
        format!("ERROR postgres://app:hunter2@db/shop: dial tcp 10.0.0.5:5432: connect: connection refused {long}\n");
    let reading = read(log.as_bytes());
    for text in [&reading.seen[0].text, &reading.fatal.unwrap().text, &reading.root.unwrap().text] {
        assert!(!text.contains("hunter2") && text.len() <= MAX_QUOTE + 16, "{text}");
    }
}

#[rstest]
#[case(b"")]
#[case(b"\n")]
#[case(b"\xff\xfe\x00\xff")]
#[case(b"\x1b[31m")]
#[case(b"{\"level\":\"error\"")]
fn a_log_may_say_nothing(#[case] log: &[u8]) {
    assert_eq!(read(log).seen, []);
}

#[test]
fn a_long_line_is_read_around_what_it_says() {
    let line = format!("{} ERROR: relation \"orders\" does not exist {}", "x".repeat(200_000), "y".repeat(200_000));
    assert_eq!(causes(&format!("{line}\n")), [Cause::SchemaMismatch]);
}

proptest! {
    #[test]
    fn any_bytes_can_be_read(log in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read(&log);
    }

    #[test]
    fn any_mixture_of_messages_can_be_read(picks in proptest::collection::vec((0_usize..400, 0_usize..5), 0..40), cut in 0_usize..4000) {
        let messages = messages();
        let mut log = String::new();
        for (pick, form) in picks {
            log.push_str(&written(messages[pick % messages.len()].1, "error")[form]);
            log.push('\n');
        }
        let bytes = log.as_bytes();
        let reading = read(&bytes[cut.min(bytes.len())..]);
        for seen in &reading.seen {
            prop_assert!(seen.times >= 1 && seen.first.line >= 1 && seen.first.line <= seen.last.line);
            prop_assert!(seen.last.line <= reading.lines);
        }
    }
}
