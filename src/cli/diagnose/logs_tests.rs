use http::{Request, Response};
use kube::client::Body;
use rstest::rstest;
use tower_test::mock;

use super::super::{Intake, diagnose, input};
use super::*;
use crate::engine::words::{Cause, Fault};

fn crashing() -> (Vec<Diagnosed>, Timestamp) {
    let mut intake = Intake::default();
    input::take_text("objects.yaml", include_str!("../policy/testdata/crashing.yaml").to_owned(), &mut intake).unwrap();
    let now = intake.newest.unwrap();
    (diagnose(intake, now), now)
}

/// Diagnoses a rollout that crashes, with a cluster that answers for a pod's log as it is told to. Also returns of
/// whose logs it was asked.
async fn live_with(log: impl Fn(&str) -> (u16, String)) -> (Diagnosed, Vec<String>, Vec<String>) {
    let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
    let client = Client::new(service, "shop");
    let (mut workloads, now) = crashing();
    let mut asked = Vec::new();
    let gaps = {
        let mut reading = std::pin::pin!(live(&client, &mut workloads, now));
        loop {
            tokio::select! {
                gaps = &mut reading => break gaps,
                Some((request, send)) = server.next_request() => {
                    let pod = request.uri().path().split('/').nth_back(1).unwrap().to_owned();
                    let (code, text) = log(&pod);
                    send.send_response(Response::builder().status(code).body(Body::from(text.into_bytes())).unwrap());
                    asked.push(pod);
                }
            }
        }
    };
    asked.sort();
    (workloads.remove(0), gaps, asked)
}

const REFUSED: &str = "2026-03-01T10:00:41Z ERROR dial tcp 10.0.0.5:5432: connect: connection refused\n";

#[tokio::test]
async fn a_line_that_healthy_pods_log_too_speaks_for_a_dependency() {
    let (found, gaps, asked) = live_with(|_| (200, REFUSED.to_owned())).await;
    let finding = &found.diagnosis.findings[0];
    assert_eq!((finding.cause, finding.fault), (Cause::DependencyUnreachable, Fault::Dependency));
    assert_eq!((gaps, asked), (Vec::new(), ["web-59-a", "web-59-b", "web-6d-a"].map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn a_line_of_the_new_pods_alone_is_the_revisions() {
    let (found, ..) = live_with(|pod| (200, if pod == "web-6d-a" { REFUSED } else { "" }.to_owned())).await;
    let finding = &found.diagnosis.findings[0];
    assert_eq!((finding.cause, finding.fault), (Cause::DependencyUnreachable, Fault::Revision));
    assert_eq!(finding.evidence.last().unwrap().source, "pod/web-6d-a log[web] line 1");
    assert!(finding.rejected.iter().any(|r| r.because.ends_with("and their logs do not report it")), "{finding:?}");
}

#[rstest]
#[case(403, "logs cannot be read, so causes are told from statuses alone: ")]
#[case(500, "reading the log of web in pod web-6d-a: ")]
#[tokio::test]
async fn without_logs_the_statuses_have_the_word(#[case] code: u16, #[case] gap: &str) {
    let (found, gaps, _) = live_with(|_| (code, String::new())).await;
    assert_eq!(found.diagnosis.findings[0].cause, Cause::ApplicationError);
    assert!(gaps.len() == 1 && gaps[0].starts_with(gap), "{gaps:?}");
}

#[test]
fn missing_logs_are_counted_and_a_few_are_named() {
    let folder = std::env::temp_dir();
    let (mut workloads, now) = crashing();
    assert_eq!(
        offline(&folder, &mut workloads, now).unwrap(),
        ["1 more log would tell more and is not there: web-6d-a_web.log"]
    );
    let names: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    assert_eq!(few(&names), "a, b, c, …");
    assert_eq!(few(&names[..2]), "a, b");
}

#[test]
fn what_kubectl_prints_for_a_log_that_is_gone_is_none() {
    let folder = std::env::temp_dir().join(format!("backstay-logs-gone-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let gone = "unable to retrieve container logs for containerd://1c1a091b6d32";
    std::fs::write(folder.join("web-6d-a_web.previous.log"), gone).unwrap();
    let (mut workloads, now) = crashing();
    let gaps = offline(&folder, &mut workloads, now).unwrap();
    assert_eq!(gaps, ["1 more log would tell more and is not there: web-6d-a_web.log"]);

    std::fs::write(folder.join("web-6d-a_web.log"), REFUSED).unwrap();
    let (mut workloads, now) = crashing();
    let gaps = offline(&folder, &mut workloads, now).unwrap();
    assert!(gaps.iter().all(|gap| !gap.contains("web-6d-a")), "{gaps:?}");
    assert_eq!(workloads[0].diagnosis.findings[0].cause, Cause::DependencyUnreachable);
    std::fs::remove_dir_all(&folder).unwrap();
}
