//! What must be remembered of a workload, and what keeps it from being written.

use http::Method;
use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};

use super::rig::{BASELINE, FAILING, OWN, Rig, WEB, actions, writes};
use super::server::{Server, Strike};
use crate::api::WorkloadHealthStatus;
use crate::engine::decision::Progress;
use crate::engine::words::RefusalReason;

/// The first revision runs well, and nothing is remembered yet.
pub fn healthy(server: &mut Server) {
    server.remove(FAILING);
    server.remove("/api/v1/namespaces/shop/pods/web-6d-a");
    server.remove(&format!("{OWN}/workloadhealths/web"));
    let template = server.get(BASELINE).unwrap()["spec"]["template"].clone();
    server.edit(WEB, |web| {
        web["spec"]["template"] = template;
        web["spec"]["template"]["metadata"]["labels"].as_object_mut().unwrap().remove("pod-template-hash");
        web["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("1");
    });
    server.edit(WEB, |web| {
        web["metadata"]["generation"] = json!(1);
        web["status"]["observedGeneration"] = json!(1);
        web["status"]["replicas"] = json!(2);
        web["status"]["updatedReplicas"] = json!(2);
    });
}

#[rstest]
#[case::creating(Method::POST, "/workloadhealths")]
#[case::recording(Method::PATCH, "/workloadhealths/web/status")]
#[tokio::test(start_paused = true)]
async fn a_healthy_revision_is_remembered_in_the_end(#[case] method: Method, #[case] path: &str) {
    let strikes = [
        Strike::Refuse(403),
        Strike::Refuse(409),
        Strike::Refuse(422),
        Strike::Busy(429, 7),
        Strike::Refuse(503),
        Strike::Silence,
        Strike::LoseAnswer,
        Strike::Break,
    ];
    for strike in strikes {
        let rig = Rig::changed(healthy).await;
        rig.server().strike(method.clone(), path, 1, strike);
        assert_eq!(rig.settles().await.len(), 1, "{strike:?} is told");
        rig.settles().await;
        let health = rig.server().all("workloadhealths");
        let [health] = &health[..] else { panic!("{strike:?}: {health:?}") };
        assert_eq!(health["status"]["ledger"][0]["hash"], "59", "{strike:?}: {health}");
        assert!(health["status"]["ledger"][0]["healthySince"].is_string(), "{strike:?}: {health}");
        assert!(actions(&rig.calls()).is_empty(), "{strike:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_memory_that_somebody_deletes_is_written_anew() {
    let rig = Rig::changed(healthy).await;
    rig.settles().await;
    rig.sees();
    rig.server().remove(&format!("{OWN}/workloadhealths/web"));
    rig.sees();
    rig.settles().await;
    assert_eq!(rig.server().all("workloadhealths").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_memory_of_a_namesake_is_left_to_the_garbage_collector() {
    let rig = Rig::changed(|server| {
        healthy(server);
        let owner = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "another"});
        let metadata = json!({"name": "web", "namespace": "shop", "ownerReferences": [owner]});
        let health = json!({"metadata": metadata, "spec": {"workloadUid": "another"}});
        server.put(&format!("{OWN}/workloadhealths/web"), health);
    })
    .await;
    let again = rig.look().await.unwrap();
    assert!(again.is_some_and(|wait| wait.as_secs() <= 5), "it is looked at again: {again:?}");
    let calls = rig.calls();
    assert!(calls.iter().all(|call| call.method != Method::PATCH), "{:?}", writes(&calls));
}

/// `kubectl delete --cascade=orphan` leaves it without an owner, and no collector comes for it.
#[tokio::test(start_paused = true)]
async fn the_memory_that_a_namesake_has_orphaned_makes_room() {
    let rig = Rig::changed(|server| {
        healthy(server);
        let metadata = json!({"name": "web", "namespace": "shop", "uid": "old"});
        let health = json!({"metadata": metadata, "spec": {"workloadUid": "another"}, "status": {"state": "Held"}});
        server.put(&format!("{OWN}/workloadhealths/web"), health);
    })
    .await;
    rig.settles().await;
    rig.sees();
    rig.settles().await;
    let health = rig.server().all("workloadhealths");
    let [health] = &health[..] else { panic!("{health:?}") };
    assert_ne!(health["spec"]["workloadUid"], "another", "{health}");
    assert_eq!(health["status"]["ledger"][0]["hash"], "59", "{health}");
}

/// A watch may show the workload before what was remembered of it, as when a right comes back.
#[tokio::test(start_paused = true)]
async fn what_was_remembered_and_is_not_seen_yet_is_not_written_over() {
    let rig = Rig::changed(healthy).await;
    let path = format!("{OWN}/workloadhealths/web");
    rig.settles().await;
    let mut health = rig.server().get(&path).unwrap().clone();
    health["status"]["ledger"][0]["failedAt"] = json!("2026-02-01T00:00:00Z");
    rig.server().remove(&path);
    rig.sees();
    rig.calls();
    rig.server().put(&path, health);
    let again = rig.look().await.unwrap();
    assert!(again.is_some_and(|wait| wait.as_secs() <= 5), "it is looked at again: {again:?}");
    let calls = rig.calls();
    assert!(calls.iter().all(|call| call.method != Method::PATCH), "{:?}", writes(&calls));
    rig.settles().await;
    let health = rig.server().get(&path).unwrap().clone();
    assert_eq!(health["status"]["ledger"][0]["failedAt"], "2026-02-01T00:00:00Z", "{health}");
}

/// Since when the WorkloadHealth says that revision 59 is healthy, and by which policy.
fn remembered(rig: &Rig) -> (Timestamp, String) {
    let health = rig.server().all("workloadhealths").remove(0);
    let status: WorkloadHealthStatus = serde_json::from_value(health["status"].clone()).unwrap();
    let entry = status.ledger.iter().find(|e| &*e.hash == "59").unwrap();
    (entry.healthy_since.unwrap(), status.policy)
}

#[rstest]
#[case::in_this_process(false)]
#[case::after_a_restart(true)]
#[tokio::test(start_paused = true)]
async fn that_the_baseline_has_proven_itself_once_more_goes_along_with_the_next_write(#[case] restarts: bool) {
    let mut rig = Rig::new().await;
    let began = Timestamp::now();
    let known = remembered(&rig);
    rig.recovers().await;
    rig.settles().await;
    assert!(!rig.incident().is_open(), "it has recovered");
    assert_eq!(remembered(&rig), known, "that is no reason to write");
    if restarts {
        rig = rig.restarted().await;
    }
    rig.calls();
    rig.server().remove(&format!("{OWN}/incidentpolicies/web"));
    rig.settles().await;
    assert_eq!(writes(&rig.calls()), [format!("PATCH {OWN}/workloadhealths/web/status")]);
    let (since, policy) = remembered(&rig);
    assert_eq!(policy, "IncidentPolicy/old");
    assert!(since > known.0 && since < began, "the later proof: {since}");
}

/// Nobody asks for pods any more.
fn idles(server: &mut Server) {
    let gone = server.all("pods");
    for pod in gone {
        server.remove(&format!("/api/v1/namespaces/shop/pods/{}", pod["metadata"]["name"].as_str().unwrap()));
    }
    for set in server.all("replicasets") {
        server.edit(&BASELINE.replace("web-59", set["metadata"]["name"].as_str().unwrap()), |set| {
            set["spec"]["replicas"] = json!(0);
            set["status"] = json!({"replicas": 0});
        });
    }
    server.edit(WEB, |web| {
        web["spec"]["replicas"] = json!(0);
        let conditions = web["status"]["conditions"].clone();
        web["status"] = json!({"replicas": 0, "conditions": conditions});
    });
    server.edit(WEB, |web| web["status"]["observedGeneration"] = web["metadata"]["generation"].clone());
}

#[tokio::test(start_paused = true)]
async fn of_a_workload_that_is_scaled_to_zero_no_replica_is_said_to_be_available() {
    let rig = Rig::changed(|server| {
        healthy(server);
        idles(server);
    })
    .await;
    rig.settles().await;
    let health = rig.server().all("workloadhealths").remove(0)["status"].clone();
    assert_eq!((&health["state"], &health["why"]), (&json!("Healthy"), &json!("scaled to zero")), "{health}");
}

#[tokio::test(start_paused = true)]
async fn a_held_incident_outlives_that_its_workload_is_scaled_to_zero() {
    let observes = |policy: &mut Value| policy["spec"]["mode"] = json!("Observe");
    let rig = Rig::changed(|server| server.edit(&format!("{OWN}/incidentpolicies/web"), observes)).await;
    rig.settles().await;
    assert_eq!(rig.incident().status.unwrap().progress, Some(Progress::Held));
    idles(&mut rig.server());
    rig.settles().await;
    let because = "scaled to zero: nothing runs that could show whether the failure is mended";
    let incident = rig.incident();
    assert!(incident.is_open());
    let refusal = incident.status.unwrap().refusal.unwrap();
    assert_eq!((refusal.reason, &*refusal.because), (RefusalReason::ScaledToZero, because));
    let health = rig.server().all("workloadhealths").remove(0)["status"].clone();
    let said = (&health["state"], &health["why"], &health["incident"]);
    assert_eq!(said, (&json!("Held"), &json!(because), &json!(incident.metadata.name)), "{health}");
    rig.calls();
    rig.settles().await;
    assert_eq!(writes(&rig.calls()), [""; 0], "it is told once");
}
