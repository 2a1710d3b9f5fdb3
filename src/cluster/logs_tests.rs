use http::{Request, Response};
use kube::client::Body;
use rstest::rstest;
use tower_test::mock;

use super::*;
use crate::engine::listen::Run;

fn wanted(ended: bool) -> Wanted {
    let name = |text: &str| text.into();
    let time = |text: &str| text.parse().unwrap();
    let run = Run { started: time("2026-01-02T03:04:04Z"), finished: time("2026-01-02T03:04:05Z") };
    Wanted {
        uid: name("uid-a"),
        pod: name("web-a"),
        container: name("web"),
        ended,
        run: Some(run),
        exits: 1,
        rules: None,
    }
}

fn answer(code: u16, body: impl Into<Body>) -> Response<Body> {
    Response::builder().status(code).body(body.into()).unwrap()
}

fn refusal() -> Response<Body> {
    let status = serde_json::json!({"kind": "Status", "code": 400, "reason": "BadRequest", "status": "Failure",
        "message": "previous terminated container \"web\" in pod \"web-a\" not found"});
    answer(400, serde_json::to_vec(&status).unwrap())
}

/// Reads a log from a server that answers in turn; also returns what it was asked.
async fn read_from(wanted: Wanted, answers: Vec<Response<Body>>) -> (Result<LogFacts, Error>, Vec<String>) {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let client = Client::new(service, "shop");
    let serve = async {
        let mut asked = Vec::new();
        for answer in answers {
            let (request, send) = server.next_request().await.unwrap();
            asked.push(request.uri().to_string());
            send.send_response(answer);
        }
        asked
    };
    tokio::join!(read(&client, "shop", &wanted), serve)
}

#[tokio::test]
async fn the_run_that_ended_is_the_previous_one_or_else_the_present_one() {
    let line = "2026-01-02T03:04:05Z ERROR pq: relation \"orders\" does not exist\n";
    let (log, asked) = read_from(wanted(true), vec![answer(200, line.as_bytes().to_vec())]).await;
    assert_eq!(log.unwrap().reading.seen.len(), 1);
    assert_eq!(asked.len(), 1);
    let query = "container=web&limitBytes=4194304&previous=true&tailLines=1000&timestamps=true";
    assert!(asked[0].starts_with("/api/v1/namespaces/shop/pods/web-a/log?") && asked[0].ends_with(query), "{asked:?}");

    let (log, asked) = read_from(wanted(true), vec![refusal(), answer(200, line.as_bytes().to_vec())]).await;
    assert_eq!(log.unwrap().reading.seen.len(), 1);
    assert!(asked[0].contains("previous=true") && !asked[1].contains("previous"), "{asked:?}");

    let gone = answer(200, b"unable to retrieve container logs for containerd://1c1a".to_vec());
    let (log, asked) = read_from(wanted(true), vec![gone, answer(200, line.as_bytes().to_vec())]).await;
    assert_eq!(log.unwrap().reading.seen.len(), 1);
    assert!(asked[0].contains("previous=true") && !asked[1].contains("previous"), "{asked:?}");
}

/// Answered where there was no run before the present one.
const NO_RUN: &str = "no such run";
const EARLIER: &str = "2026-01-02T03:04:03.9Z ERROR earlier\n";
const MEANT: &str = "2026-01-02T03:04:05.9Z ERROR meant\n";
const LATER: &str = "2026-01-02T03:04:06.1Z up\n";

/// Which logs the server has in turn, what was asked for, and the log that is taken; the run that is meant was from
/// 03:04:04 to 03:04:05.
#[rstest]
#[case::another_ended_before_and_it_was_not_started_again(&[EARLIER, MEANT], &["previous", "present"], "ERROR meant")]
#[case::it_was_started_again_between_two_calls(
    &[NO_RUN, LATER, MEANT], &["previous", "present", "previous"], "ERROR meant")]
#[case::it_was_started_again_and_has_said_nothing_yet(
    &[NO_RUN, "", MEANT], &["previous", "present", "previous"], "ERROR meant")]
#[case::it_said_nothing_and_another_ended_before(
    &[EARLIER, "", EARLIER], &["previous", "present", "previous"], "")]
#[case::it_said_nothing_and_none_was_before(&[NO_RUN, "", NO_RUN], &["previous", "present", "previous"], "")]
#[case::it_is_gone_and_another_was_started(
    &[NO_RUN, LATER, "unable to retrieve container logs for containerd://1c1a"], &["previous", "present", "previous"], "")]
#[case::the_stamp_is_of_the_same_second(&[MEANT], &["previous"], "ERROR meant")]
#[case::lines_bear_no_time(&["ERROR meant\n"], &["previous"], "ERROR meant")]
#[tokio::test]
async fn a_log_of_another_run_is_not_taken_for_that_of_the_one_that_ended(
    #[case] logs: &[&str],
    #[case] expected: &[&str],
    #[case] taken: &str,
) {
    let answers = logs.iter().map(|log| match *log {
        NO_RUN => refusal(),
        log => answer(200, log.as_bytes().to_vec()),
    });
    let (log, asked) = read_from(wanted(true), answers.collect()).await;
    let excerpt = log.unwrap().excerpt;
    assert!(excerpt.ends_with(taken) && excerpt.is_empty() == taken.is_empty(), "{excerpt}");
    let which = |uri: &String| if uri.contains("previous=true") { "previous" } else { "present" };
    assert_eq!(asked.iter().map(which).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn of_a_run_that_goes_on_the_present_log_is_read() {
    let (log, asked) = read_from(wanted(false), vec![answer(200, b"up\n\xff\n".to_vec())]).await;
    let log = log.unwrap();
    assert_eq!((log.ended, log.reading.lines, &*log.excerpt), (false, 2, "up"));
    assert!(!asked[0].contains("previous"), "{asked:?}");
}

#[rstest]
#[case(401, false, false)]
#[case(403, true, false)]
#[case(404, false, false)]
#[case(429, false, true)]
#[case(500, false, true)]
#[case(504, false, true)]
#[tokio::test]
async fn what_cannot_be_read_is_said(#[case] code: u16, #[case] forbidden: bool, #[case] may_pass: bool) {
    let (log, asked) = read_from(wanted(true), vec![answer(code, b"no".to_vec())]).await;
    let error = log.unwrap_err();
    assert_eq!((error.is_forbidden(), error.may_pass(), asked.len()), (forbidden, may_pass, 1), "{error}");
    assert_eq!(error.to_string(), "reading the log of web in pod web-a");
}

#[tokio::test(start_paused = true)]
async fn a_kubelet_that_does_not_answer_is_not_waited_for() {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let client = Client::new(service, "shop");
    let began = tokio::time::Instant::now();
    let call = tokio::spawn(async move { read(&client, "shop", &wanted(false)).await });
    let _unanswered = server.next_request().await.unwrap();
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "reading the log of web in pod web-a: not done within 3 s");
    assert_eq!(began.elapsed(), PATIENCE);
}

#[tokio::test]
async fn of_a_long_log_the_end_is_kept() {
    let long = format!("{}FATAL: out of tokens\n", "still here\n".repeat(200_000));
    let kept = end(long.as_bytes()).await.unwrap();
    assert!((KEPT..=2 * KEPT).contains(&kept.len()) && kept.ends_with(b"FATAL: out of tokens\n"));
}

/// A line without what tells that it holds a secret shows the secret.
#[rstest]
#[case::the_rest_of_a_line_is_all_there_is(&[LONG], "")]
#[case::lines_follow(&[LONG, "ERROR meant"], "ERROR meant")]
#[tokio::test]
async fn a_line_that_was_cut_in_two_is_not_read(#[case] lines: &[&str], #[case] said: &str) {
    let lines = lines.iter().map(|line| match *line {
        LONG => format!("2026-01-02T03:04:05.1Z ERROR password={}\n", "hunter2".repeat(5 * KEPT / 14)),
        line => format!("2026-01-02T03:04:05.9Z {line}\n"),
    });
    let log = lines.collect::<String>();
    assert!(log.len() > 2 * KEPT + (32 << 10), "a part of it is not kept");
    let (log, _) = read_from(wanted(false), vec![answer(200, log.into_bytes())]).await;
    let log = log.unwrap();
    assert_eq!(&*log.excerpt, said);
    assert_eq!(log.reading.fatal.map(|quote| quote.text.into_string()).unwrap_or_default(), said);
}

/// Stands for a line that is longer than what is kept.
const LONG: &str = "long";

#[tokio::test]
async fn wherever_it_is_cut_only_whole_lines_are_kept() {
    for length in 1..40 {
        let line = format!("token={}\n", "x".repeat(length));
        let kept = end(line.repeat((2 << 20) / line.len()).as_bytes()).await.unwrap();
        assert!(
            kept.len() > KEPT - 64 && kept.split_inclusive(|byte| *byte == b'\n').all(|kept| kept == line.as_bytes())
        );
    }
}

/// Lines, and how many of them are kept.
#[rstest]
#[case::a_few_dozen(vec![1; 49], 49)]
#[case::so_many_that_each_may_be_some_pieces(vec![1; 50], 49)]
#[case::short_ones_of_which_a_burst_was_split(vec![1; 950], 949)]
#[case::as_many_as_were_asked_for(vec![1; 1000], 999)]
#[case::a_long_one(vec![200 << 10], 1)]
#[case::a_few_dozen_of_which_some_are_long([vec![9 << 10; 20], vec![1; 11]].concat(), 31)]
#[case::a_few_more_of_which_some_are_long([vec![9 << 10; 20], vec![1; 12]].concat(), 31)]
#[tokio::test]
async fn what_may_be_the_rest_of_a_line_is_left_out(#[case] lines: Vec<usize>, #[case] kept: usize) {
    let log: String = lines.into_iter().map(|length| format!("{}\n", "x".repeat(length))).collect();
    let end = end(log.as_bytes()).await.unwrap();
    assert_eq!(end.iter().filter(|byte| **byte == b'\n').count(), kept);
}

/// What a runtime says of its end begins with what it says, however long it is.
#[tokio::test]
async fn a_first_line_that_is_plainly_whole_is_kept() {
    let stamp = "2026-01-02T03:04:05.123456789Z";
    let dump = format!("{stamp} panic: no ledger\n{}", format!("{stamp} goroutine 7 [running]:\n").repeat(200));
    assert_eq!(end(dump.as_bytes()).await.unwrap(), dump.as_bytes());
}

#[tokio::test]
async fn a_line_that_the_kubelet_has_cut_at_its_end_is_left_out() {
    let whole = "postgres://app:hunter2@db/shop\n".repeat(200_000);
    let limit = usize::try_from(LIMIT).unwrap();
    for cut in 0..31 {
        let kept = end(&whole.as_bytes()[..limit + cut]).await.unwrap();
        assert!(kept.ends_with(b"@db/shop\n"), "{cut}");
    }
}
