//! What lies around a workload is read ahead of need, and neither its absence nor its slowness keeps anything from being
//! done.

use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};

use super::memory::healthy;
use super::rig::{EVENTS, FAILING, OWN, Rig, WEB, actions, writes};
use super::server::{Call, Server, Strike};
use crate::engine::words::ActionKind;

const POD: &str = "/api/v1/namespaces/shop/pods/web-6d-a";
const JOBS: &str = "/apis/batch/v1/namespaces/shop/jobs";
const SETTINGS: &str = "/api/v1/namespaces/shop/configmaps/settings";
const SERVICES: &str = "/api/v1/namespaces/shop/services";

/// The failing revision reads a ConfigMap, which is there.
fn with_settings(server: &mut Server) {
    server.edit(FAILING, |set| {
        set["spec"]["template"]["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    });
    server.put(SETTINGS, json!({"metadata": {"name": "settings", "creationTimestamp": "2026-01-01T00:00:00Z"}}));
}

/// The container of the new pod, and a policy of defaults.
fn shows(server: &mut Server, restarts: u32, state: &Value, last: &Value) {
    server.edit(&format!("{OWN}/incidentpolicies/web"), |policy| drop(policy["spec"]["rules"].take()));
    server.edit(POD, |pod| {
        pod["metadata"]["creationTimestamp"] = json!(now());
        pod["status"]["containerStatuses"] = json!([{
            "name": "web", "ready": false, "started": false, "restartCount": restarts, "state": state, "lastState": last,
        }]);
    });
}

fn without_image(server: &mut Server) {
    with_settings(server);
    let message = "failed to resolve reference \"docker.io/library/web:2\": docker.io/library/web:2: not found";
    shows(server, 0, &json!({"waiting": {"reason": "ErrImagePull", "message": message}}), &json!({}));
}

fn now() -> String {
    Timestamp::now().to_string()
}

/// When something was asked, counted in calls.
fn when(calls: &[Call], method: &Method, path: &str) -> Option<usize> {
    calls.iter().position(|call| call.method == *method && call.path == path)
}

fn reads(calls: &[Call]) -> Vec<&str> {
    calls.iter().filter(|call| call.method == Method::GET).map(|call| call.path.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_never_ran_is_rolled_back_before_anything_around_is_known() {
    let rig = Rig::changed(without_image).await;
    rig.server().strike(Method::GET, JOBS, 1, Strike::Late(1));
    assert!(rig.settles().await.is_empty());
    let calls = rig.calls();
    let (acted, known) = (when(&calls, &Method::PATCH, WEB), when(&calls, &Method::GET, SETTINGS));
    assert!(acted.is_some() && known.is_some() && acted < known, "{acted:?} {known:?} {calls:?}");
    let status = rig.incident().status.unwrap();
    let what = status.what_changed.expect("told all the same, once it is known");
    assert!(what.changes.iter().any(|change| change.text.contains("image web: 1 → 2")), "{what:?}");
}

#[tokio::test(start_paused = true)]
async fn what_ran_may_have_done_what_nobody_can_undo_so_that_is_looked_at_first() {
    let rig = Rig::changed(with_settings).await;
    rig.server().strike(Method::GET, JOBS, 1, Strike::Late(1));
    assert!(rig.settles().await.is_empty());
    let calls = rig.calls();
    let (acted, known) = (when(&calls, &Method::PATCH, WEB), when(&calls, &Method::GET, SETTINGS));
    assert!(known.is_some() && known < acted, "{acted:?} {known:?} {calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_migration_turns_a_roll_back_into_a_freeze() {
    let rig = Rig::changed(|server| {
        let now = now();
        let job = json!({
            "metadata": {"name": "web-migrate", "namespace": "shop", "creationTimestamp": now},
            "spec": {"template": {"spec": {"containers": [{"name": "run", "image": "web:2"}]}}},
            "status": {"startTime": now, "succeeded": 1},
        });
        server.put(JOBS, json!({"kind": "JobList", "apiVersion": "batch/v1", "metadata": {}, "items": [job]}));
    })
    .await;
    rig.settles().await;
    let calls = rig.calls();
    let [action] = actions(&calls)[..] else { panic!("{:?}", writes(&calls)) };
    let paused = action.body.as_array().unwrap().iter().any(|op| op["path"] == "/spec/paused" && op["value"] == true);
    assert!(paused, "{}", action.body);
    assert!(rig.incident().spec.opened.why.contains("web-migrate"), "{}", rig.incident().spec.opened.why);
}

#[rstest]
#[case::forbidden(Strike::Refuse(403), &["jobs (no right", "services (no right"])]
#[case::failing(Strike::Refuse(500), &["jobs", "services"])]
#[case::busy(Strike::Busy(429, 60), &["jobs", "services"])]
#[case::silent(Strike::Silence, &["the templates", "Services"])]
#[case::broken(Strike::Break, &["jobs", "services"])]
#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_the_reads_the_action_comes_and_the_record_says_what_was_not_seen(
    #[case] strike: Strike,
    #[case] unseen: &[&str],
) {
    let rig = Rig::changed(with_settings).await;
    for path in [JOBS, SETTINGS, SERVICES, "/ingresses", "/resourcequotas", "/networkpolicies", "/endpointslices"] {
        rig.server().strike_all(Method::GET, path, strike);
    }
    assert!(rig.settles().await.is_empty(), "no read that fails is an error of the look");
    let calls = rig.calls();
    let incident = format!("{OWN}/incidents/{}", rig.incident().metadata.name.unwrap());
    assert_eq!(
        writes(&calls),
        [
            format!("POST {OWN}/incidents"),
            format!("PATCH {WEB}"),
            format!("PATCH {incident}/status"),
            format!("POST {EVENTS}"),
        ]
    );
    let status = rig.incident().status.unwrap();
    assert_eq!(status.actions.iter().map(|a| a.kind).collect::<Vec<_>>(), [ActionKind::RollBack]);
    let gaps = [status.what_changed.unwrap().not_looked_at, status.blast_radius.unwrap().not_looked_at].concat();
    for kind in unseen {
        assert!(gaps.iter().any(|gap| gap.starts_with(kind)), "{kind} among {gaps:?}");
    }
    // Told once, however much is missing.
    rig.settles().await;
    assert_eq!(reads(&rig.calls()), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn while_nothing_is_wrong_nothing_is_asked() {
    let rig = Rig::changed(healthy).await;
    rig.settles().await;
    rig.calls();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(600)).await;
        rig.settles().await;
        assert_eq!(reads(&rig.calls()), [""; 0]);
    }
}

#[rstest]
#[case::not_ready_yet(0, json!({}), 1)]
#[case::crashed_once(1, json!({"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": now()}}), 3)]
#[tokio::test(start_paused = true)]
async fn a_rollout_is_asked_about_once_and_again_only_while_evidence_gathers(
    #[case] restarts: u32,
    #[case] last: Value,
    #[case] asked: usize,
) {
    let rig = Rig::changed(|server| shows(server, restarts, &json!({"running": {"startedAt": now()}}), &last)).await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        assert!(rig.settles().await.is_empty());
        // Meanwhile what was asked is answered.
        tokio::time::sleep(Duration::from_secs(20)).await;
        calls.extend(rig.calls());
    }
    assert!(actions(&calls).is_empty(), "{:?}", writes(&calls));
    assert_eq!(reads(&calls).iter().filter(|path| **path == JOBS).count(), asked, "{:?}", reads(&calls));
}
