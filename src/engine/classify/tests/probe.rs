use jiff::Timestamp;
use proptest::prelude::*;
use rstest::rstest;

use super::build::*;
use crate::engine::classify::probe::{Answer, Asked, answer};
use crate::engine::classify::{classify, notes};
use crate::engine::facts::{ContainerTemplate, EventFacts, PodFacts, ProbeKind, Snapshot};
use crate::engine::words::{Cause, Class, Sureness};

const POD: &str = "uid-web-6d-x";

#[rstest]
#[case(
    "Readiness probe failed: HTTP probe failed with statuscode: 503",
    Asked::Readiness,
    false,
    "HTTP probe failed with statuscode: 503"
)]
#[case::silent("Liveness probe failed:", Asked::Liveness, false, "")]
#[case::cut("Startup probe failed: ", Asked::Startup, false, "")]
#[case::errored(
    "Readiness probe errored and resulted in unknown state: rpc error: gone",
    Asked::Readiness,
    true,
    "rpc error: gone"
)]
#[case::errored_before("Liveness probe errored: rpc error", Asked::Liveness, true, "rpc error")]
fn an_unhealthy_event_says_which_probe_failed_and_how(
    #[case] message: &str,
    #[case] asked: Asked,
    #[case] errored: bool,
    #[case] said: &str,
) {
    assert_eq!(answer(message), Some(Answer { asked, errored, said }));
}

#[rstest]
#[case("Probe warning: redirected")]
#[case("readiness probe failed: x")]
#[case("Readiness probe")]
#[case("")]
fn anything_else_is_no_answer(#[case] message: &str) {
    assert_eq!(answer(message), None);
}

#[rstest]
#[case(Some(ProbeKind::Http), "HTTP probe failed with statuscode: 500", Cause::ReadinessHttp)]
#[case(
    Some(ProbeKind::Http),
    "Get \"http://10.0.0.9:8081/ready\": dial tcp 10.0.0.9:8081: connect: connection refused",
    Cause::ReadinessRefused
)]
#[case(
    Some(ProbeKind::Http),
    "Get \"http://10.0.0.9:8080/ready\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
    Cause::ReadinessTimeout
)]
#[case(Some(ProbeKind::Http), "Get \"http://10.0.0.9:8080/ready\": EOF", Cause::ReadinessHttp)]
#[case(
    Some(ProbeKind::Http),
    "Get \"http://10.0.0.9:8080/\": read tcp 10.0.0.1:4->10.0.0.9:8080: read: connection reset by peer",
    Cause::ReadinessHttp
)]
#[case(Some(ProbeKind::Tcp), "dial tcp 10.0.0.9:5432: i/o timeout", Cause::ReadinessTimeout)]
#[case(Some(ProbeKind::Tcp), "dial tcp 10.0.0.9:5432: connect: connection refused", Cause::ReadinessRefused)]
#[case::no_route(None, "dial tcp 10.0.0.9:5432: connect: no route to host", Cause::ProbeErrored)]
#[case(
    Some(ProbeKind::Http),
    "Get \"http://web.invalid:8080/\": dial tcp: lookup web.invalid on 10.0.0.10:53: no such host",
    Cause::ReadinessRefused
)]
#[case(
    Some(ProbeKind::Http),
    "Get \"https://10.0.0.9:8443/\": tls: first record does not look like a TLS handshake",
    Cause::ReadinessHttp
)]
#[case(Some(ProbeKind::Http), "Get \"http://10.0.0.9:8080/\": stopped after 10 redirects", Cause::ReadinessHttp)]
#[case::a_program_may_print_anything(
    Some(ProbeKind::Exec),
    "HTTP probe failed with statuscode: 500",
    Cause::ReadinessExec
)]
#[case::or_nothing(Some(ProbeKind::Exec), "", Cause::ReadinessExec)]
#[case(Some(ProbeKind::Exec), "pg_isready: connection refused", Cause::ReadinessExec)]
#[case(Some(ProbeKind::Exec), "command timed out: \"pg_isready\" timed out after 1s", Cause::ReadinessTimeout)]
#[case(Some(ProbeKind::Grpc), "service unhealthy (responded with \"NOT_SERVING\")", Cause::ReadinessGrpc)]
#[case(
    Some(ProbeKind::Grpc),
    "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)",
    Cause::ReadinessGrpc
)]
#[case(
    Some(ProbeKind::Grpc),
    "timeout: failed to connect service \"10.0.0.9:9000\" within 1s: context deadline exceeded",
    Cause::ReadinessTimeout
)]
fn the_answer_and_the_kind_of_probe_say_why(#[case] kind: Option<ProbeKind>, #[case] said: &str, #[case] cause: Cause) {
    assert_eq!(Answer { asked: Asked::Readiness, errored: false, said }.cause(kind), cause);
}

#[rstest]
#[case("rpc error: code = Unavailable desc = connection error", Cause::ProbeErrored)]
#[case(
    "rpc error: code = NotFound desc = failed to exec in container: no running task found: task 1 not found",
    Cause::Unknown
)]
#[case::no_such_command(
    "rpc error: code = Unknown desc = failed to exec in container: failed to start exec \"1f7e\": OCI runtime exec failed: \
     exec failed: unable to start container process: exec: \"/bin/probe\": stat /bin/probe: no such file or directory",
    Cause::ReadinessExec
)]
#[case::command_of_crun(
    "command error: executable file `probe` not found in $PATH: No such file or directory",
    Cause::ReadinessExec
)]
#[case::of_the_node(
    "rpc error: code = Unknown desc = failed to exec in container: OCI runtime exec failed: exec failed: unable to start \
     container process: error adding pid 1 to cgroups: open /sys/fs/cgroup/a/cgroup.procs: no such file or directory",
    Cause::ProbeErrored
)]
fn an_error_of_the_probe_is_not_the_programs_unless_it_was_gone_or_the_command_is_not_there(
    #[case] said: &str,
    #[case] cause: Cause,
) {
    let answer = Answer { asked: Asked::Readiness, errored: true, said };
    assert_eq!(answer.cause(Some(ProbeKind::Exec)), cause);
}

#[rstest]
#[case("Get \"http://10.0.0.9:8081/ready\": dial tcp 10.0.0.9:8081: connect: connection refused", Some(8081))]
#[case("dial tcp [fd00::9]:5432: connect: connection refused", Some(5432))]
#[case("Get \"http://10.0.0.9:8081/ready?x=1:2\": EOF", Some(8081))]
#[case("Get \"https://web/ready\": EOF", None)]
#[case("HTTP probe failed with statuscode: 500", None)]
#[case("dial tcp 10.0.0.9:99999: x", None)]
fn the_port_that_was_asked_is_in_the_answer(#[case] said: &str, #[case] port: Option<u16>) {
    assert_eq!(Answer { asked: Asked::Readiness, errored: false, said }.port(), port);
}

const REFUSED: &str =
    "Readiness probe failed: Get \"http://10.0.0.9:8081/ready\": dial tcp 10.0.0.9:8081: connect: connection refused";
const ERROR_500: &str = "Readiness probe failed: HTTP probe failed with statuscode: 500";

fn unready(events: impl IntoIterator<Item = EventFacts>) -> Snapshot {
    let readiness = Some(probe(ProbeKind::Http));
    let web = ContainerTemplate { readiness, ports: Box::new([8080]), ..template("web") };
    hearing(with_template(only(pod([running(10)])), vec![web]), POD, events)
}

fn cause(s: &Snapshot, now: Timestamp) -> Cause {
    let symptom = single(s, now);
    assert_eq!((symptom.class, symptom.sureness, symptom.grace_seconds), (Class::Unready, Sureness::Timed, 60));
    symptom.cause
}

#[test]
fn the_newest_answer_of_this_run_counts() {
    assert_eq!(cause(&unready([]), at(70)), Cause::Unknown);
    assert_eq!(cause(&unready([event("Unhealthy", ERROR_500, 20)]), at(70)), Cause::ReadinessHttp);
    let both = [event("Unhealthy", REFUSED, 15), event("Unhealthy", ERROR_500, 20)];
    assert_eq!(cause(&unready(both), at(70)), Cause::ReadinessHttp);
}

#[test]
fn an_answer_of_an_earlier_run_another_probe_or_another_container_does_not() {
    assert_eq!(cause(&unready([event("Unhealthy", ERROR_500, 2)]), at(70)), Cause::Unknown);
    let liveness = ERROR_500.replace("Readiness", "Liveness");
    assert_eq!(cause(&unready([event("Unhealthy", &liveness, 20)]), at(70)), Cause::Unknown);
    let proxy = EventFacts { container: Some(name("proxy")), ..event("Unhealthy", ERROR_500, 20) };
    assert_eq!(cause(&unready([proxy]), at(70)), Cause::Unknown);
    let other = hearing(unready([]), "uid-of-another-pod", [event("Unhealthy", ERROR_500, 20)]);
    assert_eq!(cause(&other, at(70)), Cause::Unknown);
}

#[test]
fn an_event_alone_makes_no_pod_unready() {
    let s = hearing(only(ready_pod([running(4)])), POD, [event("Unhealthy", ERROR_500, 20)]);
    assert_eq!(classify(&s, at(1000)), []);
    let s = hearing(only(pod([running(10).ready()])), POD, [event("Unhealthy", ERROR_500, 20)]);
    assert_eq!(classify(&s, at(1000)), []);
}

#[test]
fn a_port_that_the_container_does_not_declare_is_told() {
    let s = unready([EventFacts { count: 4, ..event("Unhealthy", REFUSED, 40) }]);
    let shown = notes(&s, &single(&s, at(70)), at(70));
    assert_eq!(shown[0].source, "pod/web-6d-x events[Unhealthy]");
    assert!(shown[0].text.starts_with("4 times: Readiness probe failed: Get"), "{}", shown[0].text);
    assert_eq!(shown[1].source, "template containers[web].ports");
    assert_eq!(shown[1].text, "the probe asks port 8081; the container declares 8080");
    let own = REFUSED.replace("8081", "8080");
    let s = unready([event("Unhealthy", &own, 40)]);
    assert_eq!(notes(&s, &single(&s, at(70)), at(70)).len(), 1, "the right port, and nothing listens yet");
}

const LIVENESS: &str = "Container web failed liveness probe, will be restarted";

fn killed(code: i32, events: impl IntoIterator<Item = EventFacts>) -> Snapshot {
    hearing(only(pod([looping(2, ended(code, "Error"))])), POD, events)
}

#[rstest]
#[case(137, LIVENESS, Cause::LivenessKilled)]
#[case(143, LIVENESS, Cause::LivenessKilled)]
#[case::caught_and_left_well(0, LIVENESS, Cause::LivenessKilled)]
#[case::caught_and_left_badly(1, LIVENESS, Cause::LivenessKilled)]
#[case(137, "Container web failed startup probe, will be restarted", Cause::StartupProbeKilled)]
#[case::of_another_container(143, "Container proxy failed liveness probe, will be restarted", Cause::Unknown)]
#[case::not_for_a_probe(143, "Stopping container web", Cause::Unknown)]
fn who_was_killed_for_a_probe_did_not_crash(#[case] code: i32, #[case] message: &str, #[case] cause: Cause) {
    let s = killed(code, [event("Killing", message, 7)]);
    let symptom = single(&s, at(20));
    assert_eq!((symptom.class, symptom.cause, symptom.occurrences), (Class::CrashLoopBackOff, cause, 2));
}

#[test]
fn a_kill_whose_event_was_lost_is_told_by_the_probe_that_had_failed() {
    let failed = |second| event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", second);
    let liveness = Some(probe(ProbeKind::Http));
    let cause = |code, heard, liveness| {
        let web = ContainerTemplate { liveness, ..template("web") };
        single(&with_template(killed(code, [heard]), vec![web]), at(60)).cause
    };
    // The run lasted from second 5 to second 8.
    assert_eq!(cause(137, failed(7), liveness), Cause::LivenessKilled);
    assert_eq!(cause(143, failed(7), liveness), Cause::LivenessKilled);
    assert_eq!(cause(1, failed(7), liveness), Cause::ApplicationError, "it left by itself");
    assert_eq!(cause(137, failed(7), None), Cause::Unknown, "there is no such probe");
    assert_eq!(cause(137, failed(40), liveness), Cause::Unknown, "that was a later run");
    let errored = event("Unhealthy", "Liveness probe errored and resulted in unknown state: rpc error", 7);
    assert_eq!(cause(137, errored, liveness), Cause::Unknown, "the kubelet kills for no such answer");
}

#[test]
fn a_kill_counts_for_the_run_that_it_ended() {
    // The run lasted from second 5 to second 8.
    let at_second = |second| single(&killed(143, [event("Killing", LIVENESS, second)]), at(60)).cause;
    assert_eq!((at_second(7), at_second(30)), (Cause::LivenessKilled, Cause::Unknown));
    assert_eq!(single(&killed(143, [event("Killing", LIVENESS, -600)]), at(60)).cause, Cause::Unknown);
    let merged = EventFacts { first: at(-600), last: at(50), count: 9, ..event("Killing", LIVENESS, 0) };
    assert_eq!(single(&killed(143, [merged]), at(60)).cause, Cause::LivenessKilled);
}

#[test]
fn an_out_of_memory_kill_and_a_process_that_never_ran_are_no_probes_doing() {
    for (code, reason, class) in [(137, "OOMKilled", Class::OOMKilled), (128, "StartError", Class::ContainerStart)] {
        let s = hearing(only(pod([looping(2, ended(code, reason))])), POD, [event("Killing", LIVENESS, 7)]);
        assert_eq!(single(&s, at(20)).class, class);
    }
}

#[test]
fn what_the_probe_was_answered_is_shown_rather_than_the_kill() {
    let answered = event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", 6);
    let s = killed(143, [answered.clone(), event("Killing", LIVENESS, 7)]);
    assert_eq!(single(&s, at(20)).told.unwrap().event, &answered);
    let s = killed(143, [event("Killing", LIVENESS, 7)]);
    assert_eq!(&*single(&s, at(20)).told.unwrap().event.reason, "Killing");
}

/// Killed for a probe of this kind that was refused on port 8081, while the container declares 8080.
fn refused(probe_of: &str, kind: ProbeKind) -> Snapshot {
    let answer = REFUSED.replace("Readiness", probe_of);
    let kill = format!("Container web failed {} probe, will be restarted", probe_of.to_lowercase());
    let (liveness, startup) = if probe_of == "Startup" { (None, Some(kind)) } else { (Some(kind), None) };
    let web = ContainerTemplate {
        liveness: liveness.map(probe),
        startup: startup.map(probe),
        ports: Box::new([8080]),
        ..template("web")
    };
    with_template(killed(143, [event("Unhealthy", &answer, 6), event("Killing", &kill, 7)]), vec![web])
}

fn second_note(s: &Snapshot) -> Option<(String, String)> {
    notes(s, &single(s, at(20)), at(20)).into_iter().nth(1).map(|note| (note.source, note.text))
}

#[test]
fn a_kill_for_a_probe_of_another_port_tells_the_ports() {
    let (source, text) = second_note(&refused("Liveness", ProbeKind::Http)).unwrap();
    assert_eq!(source, "template containers[web].ports");
    assert_eq!(text, "the probe asks port 8081; the container declares 8080");
    assert_eq!(second_note(&refused("Liveness", ProbeKind::Exec)), None, "a program may print anything");
    let status = event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", 6);
    let s = hearing(refused("Liveness", ProbeKind::Http), POD, [status, event("Killing", LIVENESS, 7)]);
    assert_eq!(second_note(&s), None, "somebody answered");
}

const LATE: &str = "Readiness probe failed: Get \"http://10.0.0.9:8080/ready\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
const THROTTLED: &str =
    "perhaps throttled: the limit is cpu 200m, and the probe waits 1 s for an answer (timeoutSeconds)";

fn limited(cpu_limit: Option<u64>) -> ContainerTemplate {
    let http = Some(probe(ProbeKind::Http));
    ContainerTemplate { cpu_limit, readiness: http, liveness: http, ..template("web") }
}

#[test]
fn an_answer_that_comes_too_late_under_a_low_limit_may_be_throttled() {
    let note = |cpu_limit, answer: &str| {
        let s = with_template(unready([event("Unhealthy", answer, 40)]), vec![limited(cpu_limit)]);
        let symptom = single(&s, at(70));
        notes(&s, &symptom, at(70)).into_iter().nth(1).map(|note| (note.source, note.text))
    };
    let told = Some(("template containers[web].resources".to_owned(), THROTTLED.to_owned()));
    assert_eq!(note(Some(200), LATE), told);
    assert!(note(Some(999), LATE).is_some_and(|(_, text)| text.contains("cpu 999m,")));
    assert_eq!(note(Some(1000), LATE), None, "that is as much as one thread takes");
    assert_eq!(note(None, LATE), None);
    assert_eq!(note(Some(200), ERROR_500), None, "the answer came");
}

#[rstest]
#[case("Liveness", "template containers[web].resources", true)]
#[case("Startup", "template containers[web].startupProbe", true)]
#[case("Readiness", "", false)]
fn who_was_killed_for_a_late_answer_may_be_throttled_too(
    #[case] probe_of: &str,
    #[case] source: &str,
    #[case] told: bool,
) {
    let kill = format!("Container web failed {} probe, will be restarted", probe_of.to_lowercase());
    let heard = [event("Unhealthy", &LATE.replace("Readiness", probe_of), 6), event("Killing", &kill, 7)];
    let startup = Some(probe(ProbeKind::Http)).filter(|_| probe_of == "Startup");
    let web = ContainerTemplate { startup, ..limited(Some(200)) };
    let s = with_template(killed(143, heard), vec![web]);
    let note = second_note(&s);
    assert_eq!(note.as_ref().is_some_and(|(of, text)| of == source && text.ends_with(THROTTLED)), told, "{note:?}");
}

#[test]
fn a_kill_for_a_startup_probe_tells_how_long_a_start_may_take_and_takes() {
    let s = refused("Startup", ProbeKind::Exec);
    let (source, text) = second_note(&s).unwrap();
    assert_eq!(source, "template containers[web].startupProbe");
    let allowed =
        "it allows a start 35 s (initialDelaySeconds 5 + failureThreshold 3 × periodSeconds 10); this run lasted 3 s";
    assert_eq!(text, allowed);
    let known = format!("{allowed}; the healthy revision took 90 s to become ready");
    assert_eq!(second_note(&remembering_ready_seconds(s, 90)).unwrap().1, known);
    let port = format!("{allowed}; the probe asks port 8081; the container declares 8080");
    assert_eq!(second_note(&refused("Startup", ProbeKind::Http)).unwrap().1, port);
}

#[test]
fn pods_that_fail_alike_share_a_cause_that_only_some_events_tell() {
    let with_uid = |uid: &str| PodFacts { uid: name(uid), name: name(uid), ..pod([running(10)]) };
    let s = snapshot([with_uid("a"), with_uid("b"), with_uid("c")]);
    let told = |s, pod| hearing(s, pod, [event("Unhealthy", ERROR_500, 20)]);
    let causes = |s: &Snapshot| classify(s, at(70)).iter().map(|symptom| symptom.cause).collect::<Vec<_>>();
    let s = told(s, "b");
    assert_eq!(causes(&s), [Cause::ReadinessHttp; 3]);
    let s = hearing(s, "a", [event("Unhealthy", REFUSED, 20)]);
    assert_eq!(causes(&s), [Cause::ReadinessRefused, Cause::ReadinessHttp, Cause::Unknown]);
}

proptest! {
    #[test]
    fn any_text_is_an_answer_or_none(text in "(Readiness|Liveness|x)? ?(probe )?(failed|errored)?:?\\PC{0,60}(dial tcp |://)?\\PC{0,20}:[0-9]{0,6}") {
        if let Some(answer) = answer(&text) {
            let _ = (answer.cause(None), answer.port());
        }
    }
}
