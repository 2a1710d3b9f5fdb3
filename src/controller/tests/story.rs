//! A roll-back from the first look to the end of its incident, with a strike at each of its writes in turn.

use std::collections::BTreeMap;

use http::Method;
use rstest::rstest;
use serde_json::json;

use super::rig::{BASELINE, EVENTS, FAILING, OWN, Rig, WEB, actions, writes};
use super::server::{Server, Strike};
use crate::api::Incident;
use crate::controller::chores;
use crate::engine::decision::Outcome;
use crate::engine::words::ActionKind;
use crate::metrics::ErrorCategory;

/// The whole story; gives the errors on the way.
async fn tell(rig: &Rig) -> Vec<crate::cluster::apply::Error> {
    let mut errors = rig.settles().await;
    rig.rolls_out_baseline();
    rig.sees();
    errors.extend(rig.settles().await);
    rig.time_passes();
    errors.extend(rig.settles().await);
    rig.sees();
    errors
}

fn ended_well(incident: &Incident) {
    let status = incident.status.as_ref().expect("a status");
    assert_eq!(status.outcome, Some(Outcome::Recovered), "{status:?}");
    let kinds: Vec<ActionKind> = status.actions.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [ActionKind::RollBack], "the action is told, once: {status:?}");
    let told = |what: &str| status.timeline.iter().filter(|entry| entry.what == what).count();
    assert_eq!((told("RolledBack"), told("Recovered")), (1, 1), "{:?}", status.timeline);
}

#[tokio::test(start_paused = true)]
async fn a_roll_back_takes_few_writes() {
    let rig = Rig::new().await;
    assert!(tell(&rig).await.is_empty());
    ended_well(&rig.incident());
    let incident = format!("{OWN}/incidents/{}", rig.incident().metadata.name.unwrap());
    let calls = rig.calls();
    let [action] = actions(&calls)[..] else { panic!("{calls:?}") };
    assert_eq!(action.content_type, "application/json-patch+json");
    let template = json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [
            {"name": "web", "image": "web:1", "terminationMessagePath": "/dev/termination-log"},
        ]},
    });
    assert_eq!(
        action.body,
        json!([
            {"op": "test", "path": "/metadata/uid", "value": "d-1"},
            {"op": "test", "path": "/metadata/generation", "value": 2},
            {"op": "replace", "path": "/spec/template", "value": template},
            {"op": "add", "path": "/metadata/annotations/backstay.dev~1incident", "value": rig.incident().metadata.name},
            {"op": "add", "path": "/metadata/annotations/backstay.dev~1action", "value": "RollBack"},
        ])
    );
    assert_eq!(
        writes(&calls),
        [
            format!("POST {OWN}/incidents"),
            format!("PATCH {WEB}"),
            format!("PATCH {incident}/status"),
            format!("POST {EVENTS}"),
            format!("PATCH {incident}/status"),
            format!("POST {EVENTS}"),
        ]
    );
    assert_eq!(rig.events(), ["Recovered", "RolledBack"]);
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_counted_while_it_does() {
    // Nothing is done, so that it goes on failing.
    let policy = format!("{OWN}/incidentpolicies/web");
    let rig = Rig::changed(|server| server.edit(&policy, |policy| policy["spec"]["mode"] = json!("Observe"))).await;
    let counted = || {
        chores::gauges(&rig.ctx, &mut BTreeMap::new());
        let text = rig.ctx.metrics.encode().unwrap();
        let findings = text.lines().filter(|line| line.starts_with("backstay_findings{"));
        findings.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(counted(), [""; 0]);
    let labels = "backstay_findings{class=\"CrashLoopBackOff\",fault=\"Revision\"}";
    for look in 0..2 {
        rig.settles().await;
        assert_eq!(counted(), [format!("{labels} 1")], "look {look}");
    }
    rig.server().remove("/api/v1/namespaces/shop/pods/web-6d-a");
    rig.settles().await;
    assert_eq!(counted(), [format!("{labels} 0")]);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_finds_nothing_new_writes_nothing() {
    let rig = Rig::new().await;
    let quiet = async |when: &str| {
        rig.settles().await;
        let calls = rig.calls();
        assert_eq!(writes(&calls), [""; 0], "{when}");
    };
    rig.settles().await;
    rig.calls();
    quiet("acted, and the watch has told").await;
    rig.rolls_out_baseline();
    quiet("the baseline is coming back").await;
    rig.time_passes();
    rig.settles().await;
    rig.calls();
    quiet("it is over").await;
}

/// One of the writes of the story: its method, the end of its path, and the how manyth it is.
type Write = (Method, &'static str, usize);

const CREATE: Write = (Method::POST, "/incidents", 1);
const ACT: Write = (Method::PATCH, "/deployments/web", 1);
const RECORD: Write = (Method::PATCH, "-1/status", 1);
const CLOSE: Write = (Method::PATCH, "-1/status", 2);
const EVENT: Write = (Method::POST, "/events", 1);
const LAST_EVENT: Write = (Method::POST, "/events", 2);

#[rstest]
#[tokio::test(start_paused = true)]
async fn whatever_happens_to_a_write_there_is_one_action_and_a_full_record(
    #[values(CREATE, ACT, RECORD, CLOSE, EVENT, LAST_EVENT)] write: Write,
    #[values(
        (Strike::Refuse(403), ErrorCategory::Forbidden),
        (Strike::Refuse(409), ErrorCategory::Conflict),
        (Strike::Refuse(422), ErrorCategory::Invalid),
        (Strike::Busy(429, 7), ErrorCategory::Throttled),
        (Strike::Refuse(429), ErrorCategory::Throttled),
        (Strike::Busy(503, 3), ErrorCategory::Server),
        (Strike::Refuse(503), ErrorCategory::Server),
        (Strike::Refuse(500), ErrorCategory::Server),
        (Strike::Silence, ErrorCategory::Timeout),
        (Strike::LoseAnswer, ErrorCategory::Timeout),
        (Strike::Break, ErrorCategory::Transport)
    )]
    (strike, category): (Strike, ErrorCategory),
) {
    let rig = Rig::new().await;
    let (method, path, nth) = write.clone();
    rig.server().strike(method, path, nth, strike);
    let errors = tell(&rig).await;
    ended_well(&rig.incident());
    let calls = rig.calls();
    assert_eq!(actions(&calls).len(), 1, "one action: {:?}", writes(&calls));
    let all = ["Recovered", "RolledBack"];
    if path == "/events" {
        assert!(errors.is_empty(), "an Event keeps nothing from going on: {errors:?}");
        let landed = matches!(strike, Strike::LoseAnswer);
        let missing = if nth == 1 { "RolledBack" } else { "Recovered" };
        assert_eq!(rig.events(), all.into_iter().filter(|e| landed || *e != missing).collect::<Vec<_>>());
        return;
    }
    let denied = write == ACT && matches!(category, ErrorCategory::Forbidden | ErrorCategory::Invalid);
    let told: Vec<&str> = denied.then_some("ActionBlocked").into_iter().chain(all).collect();
    assert_eq!(rig.events(), told, "each step is told, once");
    // A name that is taken is read, and then there is nothing of that name.
    let taken = write == CREATE && category == ErrorCategory::Conflict;
    let told: Vec<_> =
        errors.iter().map(|error| (error.category(), error.retry_after().map(|d| d.as_secs()))).collect();
    let asked = if let Strike::Busy(_, seconds) = strike { Some(seconds) } else { None };
    assert_eq!(told, [(if taken { ErrorCategory::NotFound } else { category }, asked)], "it is told why: {errors:?}");
    let blocked = rig.incident().status.unwrap().timeline.iter().filter(|e| e.what == "ActionBlocked").count();
    assert_eq!(blocked, usize::from(write == ACT), "the incident says that its action was blocked");
}

/// The failing template is shipped again, and runs.
fn ships_it_again(server: &mut Server) {
    for pod in ["a", "b"] {
        let mut object = server.remove(&format!("/api/v1/namespaces/shop/pods/web-59-{pod}")).unwrap();
        object["metadata"]["name"] = json!(format!("web-6d-{pod}"));
        object["metadata"]["uid"] = json!(format!("web-6d-{pod}"));
        object["metadata"]["ownerReferences"][0]["name"] = json!("web-6d");
        object["metadata"]["ownerReferences"][0]["uid"] = json!("r-2");
        server.put(&format!("/api/v1/namespaces/shop/pods/web-6d-{pod}"), object);
    }
    for (set, revision, replicas) in [(BASELINE, "3", 0), (FAILING, "4", 2)] {
        server.edit(set, |set| {
            set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!(revision);
            set["spec"]["replicas"] = json!(replicas);
            set["status"] = json!({"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas});
        });
    }
    server.edit(WEB, |web| {
        web["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2");
        web["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("4");
    });
    server.edit(WEB, |web| web["status"]["observedGeneration"] = web["metadata"]["generation"].clone());
}

#[tokio::test(start_paused = true)]
async fn that_the_failing_template_works_after_all_is_not_told_as_a_new_one() {
    let rig = Rig::new().await;
    rig.settles().await;
    rig.rolls_out_baseline();
    rig.settles().await;
    ships_it_again(&mut rig.server());
    rig.settles().await;
    assert_eq!(rig.incident().status.unwrap().outcome, Some(Outcome::Superseded));
    assert_eq!(rig.note("Superseded"), "Over with web-6d as the newest revision: web-6d works by now");
}
