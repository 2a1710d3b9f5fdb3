//! What becomes of incidents that are over, and of those whose workload is gone.

use std::sync::Arc;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::freeze::{is_frozen, owned};
use super::rig::{OWN, Rig, WEB, writes};
use super::server::Strike;
use crate::api::{Incident, WorkloadHealth};
use crate::cluster::apply::Error;
use crate::cluster::slim::SlimDeployment;
use crate::cluster::watches::Watches;
use crate::config::IncidentArgs;
use crate::controller::chores;
use crate::engine::decision::Outcome;

const KEPT: IncidentArgs = IncidentArgs { incident_retention_days: 30, incidents_per_workload: 20 };
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn path(name: &str) -> String {
    format!("{OWN}/incidents/{name}")
}

/// A rig whose workload has the open incident of its failing revision; gives that one's name too.
async fn rig() -> (Rig, String) {
    let rig = Rig::new().await;
    rig.settles().await;
    let open = rig.incident().metadata.name.unwrap();
    (rig, open)
}

/// Another incident beside the open one: of the workload with this UID, ended so long ago, or open.
fn put(rig: &Rig, open: &str, name: &str, uid: &str, ended: Option<SignedDuration>) {
    let mut server = rig.server();
    let mut incident: Value = server.get(&path(open)).unwrap().clone();
    incident["metadata"] = json!({"name": name, "namespace": "shop"});
    incident["spec"]["workload"]["uid"] = json!(uid);
    if let Some(ago) = ended {
        incident["status"]["outcome"] = json!("Recovered");
        incident["status"]["closedAt"] = json!((Timestamp::now() - ago).to_string());
    }
    server.put(&path(name), incident);
}

/// One round of the chore, after the watches have told everything; the calls of before are forgotten.
async fn clear(rig: &Rig) -> Result<(), Error> {
    rig.sees();
    rig.calls();
    chores::clear_away(&rig.ctx, &KEPT, Timestamp::now()).await
}

fn names(rig: &Rig) -> Vec<String> {
    rig.incidents().into_iter().map(|incident| incident.metadata.name.unwrap()).collect()
}

fn deleted(rig: &Rig) -> Vec<String> {
    writes(&rig.calls()).into_iter().filter(|write| write.starts_with("DELETE")).collect()
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_ended_longer_ago_than_the_retention_goes() {
    let (rig, open) = rig().await;
    put(&rig, &open, "old", "d-1", Some(DAY * 31));
    put(&rig, &open, "recent", "d-1", Some(DAY * 29));
    clear(&rig).await.unwrap();
    assert_eq!(writes(&rig.calls()), [format!("DELETE {}", path("old"))], "nothing else is written");
    clear(&rig).await.unwrap();
    assert_eq!(writes(&rig.calls()), [""; 0], "the next round finds nothing to do");
    assert_eq!(names(&rig), ["recent".to_owned(), open]);
}

#[tokio::test(start_paused = true)]
async fn of_too_many_incidents_of_a_workload_the_oldest_go() {
    let (rig, open) = rig().await;
    // The names are in another order than the times.
    for n in 0..22 {
        put(&rig, &open, &format!("ended-{:02}", n * 7 % 22), "d-1", Some(DAY + SignedDuration::from_mins(n)));
    }
    // Those of another workload, or of an earlier one of this name, do not count.
    put(&rig, &open, "of-another", "d-0", Some(DAY * 2));
    clear(&rig).await.unwrap();
    let oldest = [20, 21].map(|n| format!("DELETE {}", path(&format!("ended-{:02}", n * 7 % 22))));
    let mut gone = deleted(&rig);
    gone.reverse();
    assert_eq!(gone, oldest);
    assert_eq!(names(&rig).len(), 22, "twenty, the other's, and the open one");
}

#[tokio::test(start_paused = true)]
async fn an_open_incident_is_abandoned_when_its_workload_is_gone_and_only_then() {
    let (rig, open) = rig().await;
    put(&rig, &open, "of-the-one-before", "d-0", None);
    clear(&rig).await.unwrap();
    assert_eq!(writes(&rig.calls()), [format!("PATCH {}/status", path("of-the-one-before"))]);
    let find = |name: &str| -> Incident {
        serde_json::from_value(rig.server().get(&path(name)).unwrap().clone()).expect("an incident")
    };
    let status = find("of-the-one-before").status.unwrap();
    assert_eq!(status.outcome, Some(Outcome::Abandoned));
    assert!(status.closed_at.is_some_and(|at| at <= Timestamp::now()), "{status:?}");
    assert_eq!(status.why.as_deref(), Some("the workload is gone"));
    assert_eq!(status.timeline.last().unwrap().what, "Abandoned");
    assert!(find(&open).is_open(), "that of the workload that is there stays open");
    rig.server().remove(WEB);
    clear(&rig).await.unwrap();
    assert_eq!(find(&open).status.unwrap().outcome, Some(Outcome::Abandoned));
    clear(&rig).await.unwrap();
    assert_eq!(writes(&rig.calls()), [""; 0], "it is told once");
    let metrics = rig.ctx.metrics.encode().unwrap();
    let abandoned = metrics.lines().filter(|line| line.contains("outcome=\"Abandoned\"") && !line.ends_with(" 0"));
    let counted: Vec<&str> = abandoned.collect();
    assert_eq!(
        counted,
        ["backstay_incidents_total{class=\"CrashLoopBackOff\",action=\"RollBack\",outcome=\"Abandoned\"} 2"],
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_deleted_keeps_no_other_and_is_tried_again() {
    let (rig, open) = rig().await;
    for name in ["a", "b", "c"] {
        put(&rig, &open, name, "d-1", Some(DAY * 31));
    }
    put(&rig, &open, "of-the-one-before", "d-0", None);
    for n in 0..21 {
        put(&rig, &open, &format!("ended-{n:02}"), "d-1", Some(DAY + SignedDuration::from_mins(n)));
    }
    rig.server().strike(Method::DELETE, "/incidents/a", 1, Strike::Refuse(500));
    rig.server().strike(Method::DELETE, "/incidents/ended-20", 1, Strike::Refuse(403));
    let error = clear(&rig).await.expect_err("the first error is given");
    assert!(error.to_string().contains("deleting Incident a"), "{error}");
    let mut gone = deleted(&rig);
    gone.sort();
    assert_eq!(gone, ["a", "b", "c", "ended-20"].map(|name| format!("DELETE {}", path(name))), "all are asked for");
    let left = names(&rig);
    assert!(left.contains(&"a".to_owned()) && left.contains(&"ended-20".to_owned()), "{left:?}");
    assert_eq!(left.len(), 24, "twenty and the two refused, the abandoned, the open: {left:?}");
    clear(&rig).await.unwrap();
    assert_eq!(names(&rig).len(), 22);
}

#[tokio::test(start_paused = true)]
async fn one_that_somebody_else_deleted_is_no_failure() {
    let (rig, open) = rig().await;
    put(&rig, &open, "old", "d-1", Some(DAY * 31));
    rig.sees();
    rig.server().remove(&path("old"));
    chores::clear_away(&rig.ctx, &KEPT, Timestamp::now()).await.unwrap();
    rig.calls();
    chores::clear_away(&rig.ctx, &KEPT, Timestamp::now()).await.unwrap();
    assert_eq!(writes(&rig.calls()), [""; 0], "it is not asked for again before the watch has told");
}

/// As `kubectl delete --cascade=orphan` does it: the garbage collector takes the owner out of what it owned.
#[tokio::test(start_paused = true)]
async fn the_memory_that_a_frozen_workload_left_behind_goes_and_with_it_that_it_is_frozen() {
    let rig = Rig::changed(owned).await;
    rig.settles().await;
    rig.settles().await;
    is_frozen(&rig);
    let memory = format!("{OWN}/workloadhealths/web");
    let frozen = |rig: &Rig| {
        chores::gauges(&rig.ctx, &mut std::collections::BTreeMap::new());
        rig.counted("backstay_frozen_workloads")
    };
    let health: WorkloadHealth = serde_json::from_value(rig.server().get(&memory).unwrap().clone()).unwrap();
    assert!(!health.metadata.owner_references.unwrap_or_default().is_empty());
    rig.sees();
    assert_eq!(frozen(&rig), 1);
    rig.server().edit(&memory, |health| health["metadata"]["ownerReferences"] = json!([]));
    clear(&rig).await.unwrap();
    assert_eq!(deleted(&rig), [""; 0], "its workload is there");
    rig.server().remove(WEB);
    clear(&rig).await.unwrap();
    assert_eq!(deleted(&rig), [format!("DELETE {memory}")]);
    assert_eq!(frozen(&rig), 0);
}

/// The garbage collector takes what has an owner.
#[tokio::test(start_paused = true)]
async fn the_memory_of_a_workload_that_went_with_what_it_owned_is_left_to_others() {
    let (rig, _) = rig().await;
    rig.server().remove(WEB);
    clear(&rig).await.unwrap();
    assert_eq!(deleted(&rig), [""; 0]);
}

/// Of several namespaces one may be without the right to Deployments, and with that to incidents.
#[tokio::test(start_paused = true)]
async fn no_workload_is_taken_for_gone_where_none_was_ever_listed() {
    let (mut rig, open) = rig().await;
    let mut watches = Watches::default();
    let deployments = watches.add::<SlimDeployment>(Some("shop"));
    Arc::get_mut(&mut rig.ctx).expect("nobody else has it yet").watches = Arc::new(watches);
    let memory = format!("{OWN}/workloadhealths/web");
    rig.server().edit(&memory, |health| health["metadata"]["ownerReferences"] = json!([]));
    rig.server().remove(WEB);
    deployments.failed(true);
    clear(&rig).await.unwrap();
    assert_eq!(writes(&rig.calls()), [""; 0]);
    deployments.listed();
    clear(&rig).await.unwrap();
    assert_eq!(writes(&rig.calls()), [format!("PATCH {}/status", path(&open)), format!("DELETE {memory}")]);
}
