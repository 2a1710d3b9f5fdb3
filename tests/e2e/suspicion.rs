//! `onSuspicion: Pause`: the rollout stops at the first sure sign, and old pods live while evidence gathers.

use backstay::api::{Incident, keys};
use backstay::engine::decision::Outcome;
use backstay::engine::words::ActionKind;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use serde_json::json;

use crate::support::audit::lines;
use crate::support::case::complete;
use crate::support::expect::recovered;
use crate::support::{App, Case, case};

#[tokio::test]
async fn t16_a_big_rollout_stops_at_the_first_sure_sign_and_most_old_pods_never_leave() {
    case::run("pause-twenty", async |t| {
        // Two at a time, and each is ready for some seconds: without the pause, the rollout would go on meanwhile.
        let slowly = json!({"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}});
        let app = || App::new().replicas(20).spec(slowly.clone());
        // A pod is ready for some seconds between two exits; it is well only after many more.
        let patient = json!({"rollout": {"onSuspicion": "Pause", "stableSeconds": 15}});
        let baseline = t.healthy(patient, &app()).await;
        let old = t.pods_of(&baseline).await;
        assert_eq!(old.len(), 20);
        t.ship(&app().env("APP_EXIT_AFTER_READY_SECONDS", 2)).await;
        let incident = t.incident("an incident that recovered", recovered).await;
        t.is_back(&baseline).await;
        let stayed = t.pods_of(&baseline).await.intersection(&old).count();
        assert!(stayed > 10, "{stayed} of 20 old pods never left");
        let status = incident.status.as_ref().unwrap();
        let kinds: Vec<ActionKind> = status.actions.iter().map(|a| a.kind).collect();
        assert_eq!(kinds, [ActionKind::Pause, ActionKind::RollBack], "{status:?}");
        for reason in ["Paused", "RolledBack", "Recovered"] {
            t.event(reason, &incident).await;
        }
        let patches: Vec<_> = t.operator_writes().await.into_iter().filter(|w| w.resource == "deployments").collect();
        assert!(!t.audit.is_there() || patches.len() == 2, "a pause and a roll-back, but saw:{}", lines(&patches));
        let [pause, back] = &*patches else { return };
        let failing = &*incident.spec.opened.failing.name;
        let sizes = sizes(&t, failing).await;
        let sign = first_exit(&t, failing).await;
        let at = |end: Timestamp| sizes.iter().filter(|(time, _)| *time <= end).map(|(_, size)| *size).max();
        // The Deployment controller may be in the middle of a step that it began before the pause.
        let (before, after) = (at(pause.answered).unwrap_or(0), at(back.received).unwrap_or(0));
        assert!(after <= before + 2, "the rollout stops with the pause, but grew from {before} to {after}: {sizes:?}");
        let first = at(sign).unwrap_or(0);
        assert!(
            before <= first + 2,
            "paused at the first exit, but it grew from {first} to {before} before: {sizes:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn t16_a_suspicion_that_clears_resumes_the_rollout_by_itself() {
    case::run("pause-clears", async |t| {
        // Attempts that fail never suffice here, so the pause lasts until the signs are gone.
        let patient = json!({
            "rollout": {"onSuspicion": "Pause"},
            "rules": [{"name": "patient", "match": {"failures": ["ContainerConfig"]}, "threshold": {"attempts": 100}}],
        });
        let app = || App::new().replicas(4);
        t.healthy(patient, &app()).await;
        let late = app().container(json!({"envFrom": [{"configMapRef": {"name": "late"}}]}));
        let shipped = t.ship(&late).await;
        let name = t
            .until::<Deployment, _>("web", "the pause", |d| {
                let paused = d.spec.paused == Some(true);
                d.annotations().get(keys::PAUSED_FOR).filter(|_| paused).cloned()
            })
            .await;
        t.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}, "data": {"A": "b"}}))
            .await;
        let done = t
            .until::<Deployment, _>("web", "the rollout to go on and complete", |d| {
                (d.spec.paused != Some(true) && complete(d, &shipped)).then(|| d.clone())
            })
            .await;
        assert!(!done.annotations().contains_key(keys::PAUSED_FOR), "no mark of the pause: {:?}", done.annotations());
        let over = |i: &Incident| i.status.as_ref()?.outcome;
        let outcome = t.until(&name, "the incident to be over", over).await;
        assert_eq!(outcome, Outcome::Cleared);
        let patches: Vec<_> = t.operator_writes().await.into_iter().filter(|w| w.resource == "deployments").collect();
        assert!(!t.audit.is_there() || patches.len() == 2, "a pause and a resume, but saw:{}", lines(&patches));
    })
    .await;
}

/// When the API server had the first status in which a pod of this ReplicaSet has exited.
async fn first_exit(t: &Case, name: &str) -> Timestamp {
    let writes = t.writes().await;
    let mut statuses = writes.iter().filter(|w| w.resource == "pods/status" && w.name.starts_with(name));
    let exited = statuses.find(|w| w.body["status"].to_string().contains("\"exitCode\""));
    exited.expect("a pod exited before the roll-back").answered
}

/// The sizes that anybody asked for this ReplicaSet, with their times.
async fn sizes(t: &Case, name: &str) -> Vec<(Timestamp, i64)> {
    let writes = t.writes().await;
    let of = writes.iter().filter(|w| w.resource.starts_with("replicasets") && w.name == name && w.accepted());
    of.filter_map(|w| Some((w.answered, w.body.pointer("/spec/replicas")?.as_i64()?))).collect()
}
