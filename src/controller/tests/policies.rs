//! The status of policies: one that cannot be written or read keeps no other from being told.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::rig::{OWN, Rig, actions, writes};
use super::server::{Server, Strike};
use crate::api::{ClusterIncidentPolicy, IncidentPolicy};
use crate::cluster::watches::Watches;
use crate::controller::policy_status::{self, Told};
use crate::engine::words::RefusalReason;

fn ready(rig: &Rig, name: &str) -> Option<(String, String)> {
    let server = rig.server();
    let policy = server.get(&format!("{OWN}/incidentpolicies/{name}"))?;
    let ready = policy.pointer("/status/conditions/0")?;
    assert_eq!(ready["type"], "Ready");
    Some((ready["status"].as_str()?.to_owned(), ready["message"].as_str()?.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn a_status_that_cannot_be_written_keeps_no_other() {
    let strikes = [
        Strike::Refuse(403),
        Strike::Refuse(409),
        Strike::Refuse(422),
        Strike::Busy(429, 7),
        Strike::Refuse(503),
        Strike::Silence,
        Strike::Break,
    ];
    for strike in strikes {
        let rig = Rig::new().await;
        rig.server().strike(Method::PATCH, "/incidentpolicies/old/status", 1, strike);
        let mut told = Told::new();
        policy_status::write_all(&rig.ctx, &mut told).await.expect_err("it is told");
        assert!(ready(&rig, "web").is_some(), "{strike:?}: the other policy is written all the same");
        assert!(ready(&rig, "old").is_none(), "{strike:?}");
        rig.sees_own();
        rig.calls();
        policy_status::write_all(&rig.ctx, &mut told).await.unwrap();
        assert_eq!(writes(&rig.calls()), [format!("PATCH {OWN}/incidentpolicies/old/status")], "{strike:?}");
        assert_eq!(ready(&rig, "old").unwrap().0, "True");
    }
}

fn status(rig: &Rig, path: &str) -> Value {
    rig.server().get(path).expect("it is there")["status"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_governs_less_than_it_selects_says_what_governs_instead() {
    let [web, old] = ["web", "old"].map(|name| format!("{OWN}/incidentpolicies/{name}"));
    let all = "/apis/backstay.dev/v1alpha1/clusterincidentpolicies/all";
    let rig = Rig::new().await;
    policy_status::write_all(&rig.ctx, &mut Told::new()).await.unwrap();
    let said = |path: &str| {
        let status = status(&rig, path);
        (status["workloads"].clone(), status.get("overridden").cloned().unwrap_or_else(|| json!([])))
    };
    assert_eq!(said(&web), (json!(1), json!([])), "the higher priority wins");
    let lost = (json!(0), json!(["shop/web: IncidentPolicy/web"]));
    assert_eq!(said(&old), lost);
    assert_eq!(said(all), lost, "a policy of the cluster loses whatever its priority");
    // With the winner gone the next one governs, and only the last loses.
    rig.server().remove(&web);
    rig.sees_own();
    policy_status::write_all(&rig.ctx, &mut Told::new()).await.unwrap();
    assert_eq!(said(&old), (json!(1), json!([])));
    assert_eq!(said(all), (json!(0), json!(["shop/web: IncidentPolicy/old"])));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_deleted_meanwhile_is_no_error() {
    let rig = Rig::new().await;
    rig.server().remove(&format!("{OWN}/incidentpolicies/old"));
    policy_status::write_all(&rig.ctx, &mut Told::new()).await.unwrap();
}

fn odd(seconds: Value) -> impl FnOnce(&mut Value) {
    move |policy| policy["spec"]["rollout"] = json!({"stableSeconds": seconds})
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_policy_is_told_once_each_time_it_becomes_so() {
    let rig = Rig::new().await;
    let path = format!("{OWN}/incidentpolicies/web");
    let mut told = Told::new();
    // The chart grants no right to read a single policy.
    rig.server().strike_all(Method::GET, "/incidentpolicies/web", Strike::Refuse(403));
    for round in 1..=2 {
        rig.server().edit(&path, odd(json!("soon")));
        rig.sees_own();
        rig.server().strike(Method::PATCH, "/incidentpolicies/web/status", 1, Strike::Refuse(500));
        policy_status::write_all(&rig.ctx, &mut told).await.expect_err("what is not written is not taken for told");
        policy_status::write_all(&rig.ctx, &mut told).await.unwrap();
        let (status, message) = ready(&rig, "web").unwrap();
        assert_eq!(status, "False", "round {round}");
        assert!(message.contains("spec.rollout.stableSeconds: must be a whole number"), "{message}");
        rig.sees_own();
        rig.calls();
        policy_status::write_all(&rig.ctx, &mut told).await.unwrap();
        assert!(rig.calls().is_empty(), "nothing is asked again");
        policy_status::write_all(&rig.ctx, &mut Told::new()).await.unwrap();
        assert_eq!(writes(&rig.calls()), [""; 0], "nor is it written again after a restart");
        rig.server().edit(&path, odd(json!(60)));
        rig.sees_own();
        policy_status::write_all(&rig.ctx, &mut told).await.unwrap();
        assert_eq!(ready(&rig, "web").unwrap().0, "True", "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn beside_a_policy_that_cannot_be_read_one_of_the_cluster_only_observes_and_says_why() {
    let rig = Rig::changed(|server| {
        server.remove(&format!("{OWN}/incidentpolicies/old"));
        server.edit(&format!("{OWN}/incidentpolicies/web"), odd(json!("soon")));
    })
    .await;
    rig.settles().await;
    rig.settles().await;
    assert!(actions(&rig.calls()).is_empty());
    let incident = rig.incident();
    assert_eq!(incident.spec.opened.policy, "ClusterIncidentPolicy/all");
    let refusal = incident.status.unwrap().refusal.unwrap();
    assert_eq!(refusal.reason, RefusalReason::ObserveOnly);
    assert!(refusal.because.contains("IncidentPolicy of the namespace cannot be read"), "{}", refusal.because);
    rig.server().edit(&format!("{OWN}/incidentpolicies/web"), odd(json!(60)));
    rig.settles().await;
    assert_eq!(actions(&rig.calls()).len(), 1, "it acts as soon as the policy can be read");
}

fn governed_by_the_cluster(server: &mut Server) {
    for name in ["web", "old"] {
        server.remove(&format!("{OWN}/incidentpolicies/{name}"));
    }
}

/// It is deleted or only observes by now, and nobody hears of that.
#[rstest]
#[case::forbidden(true)]
#[case::broken(false)]
#[tokio::test(start_paused = true)]
async fn a_cluster_policy_that_is_not_heard_of_any_more_lets_nothing_be_done(#[case] denied: bool) {
    let mut rig = Rig::changed(governed_by_the_cluster).await;
    let mut watches = Watches::default();
    let [own, of_cluster] = [watches.add::<IncidentPolicy>(None), watches.add::<ClusterIncidentPolicy>(None)];
    Arc::get_mut(&mut rig.ctx).expect("nobody else has it yet").watches = Arc::new(watches);
    own.listed();
    of_cluster.listed();
    tokio::time::sleep(Duration::from_secs(61)).await;
    own.listed();
    of_cluster.failed(denied);
    rig.settles().await;
    assert!(actions(&rig.calls()).is_empty());
    let health = rig.server().all("workloadhealths").remove(0)["status"].clone();
    assert_eq!(health["policy"], "ClusterIncidentPolicy/all");
    let because = "no sign of life from the API server's watches for 61 s";
    let refusal = (&health["refusal"]["reason"], &health["refusal"]["because"]);
    assert_eq!(refusal, (&json!("DataTooOld"), &json!(because)), "{health}");
    of_cluster.listed();
    rig.settles().await;
    assert_eq!(actions(&rig.calls()).len(), 1, "it acts as soon as it hears again");
}

#[rstest]
#[case::was_listed(true)]
#[case::was_never_listed(false)]
#[tokio::test(start_paused = true)]
async fn what_a_policy_of_the_namespace_governs_needs_to_hear_of_no_other(#[case] listed: bool) {
    let mut rig = Rig::new().await;
    let mut watches = Watches::default();
    let [own, of_cluster] = [watches.add::<IncidentPolicy>(None), watches.add::<ClusterIncidentPolicy>(None)];
    Arc::get_mut(&mut rig.ctx).expect("nobody else has it yet").watches = Arc::new(watches);
    if listed {
        of_cluster.listed();
    }
    tokio::time::sleep(Duration::from_secs(61)).await;
    own.listed();
    of_cluster.failed(true);
    rig.settles().await;
    assert_eq!(actions(&rig.calls()).len(), 1);
    assert_eq!(rig.incident().spec.opened.policy, "IncidentPolicy/web");
}
