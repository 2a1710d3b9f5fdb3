//! `onSuspicion: Pause`: the rollout stops at the first sure sign, and old pods live while evidence gathers.

use std::collections::BTreeSet;

use backstay::api::{Incident, keys};
use backstay::engine::decision::Outcome;
use backstay::engine::words::ActionKind;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::json;

use crate::support::audit::lines;
use crate::support::case::{Baseline, complete};
use crate::support::expect::recovered;
use crate::support::{App, Case, case};

#[tokio::test]
async fn t16_a_big_rollout_stops_at_the_first_sure_sign_and_most_old_pods_never_leave() {
    case::run("pause-twenty", async |t| {
        let app = || App::new().replicas(20);
        let baseline = t.healthy(json!({"rollout": {"onSuspicion": "Pause"}}), &app()).await;
        let old = pods_of(&t, &baseline).await;
        assert_eq!(old.len(), 20);
        t.ship(&app().env("APP_EXIT_AT_START", 3)).await;
        let incident = t.incident("an incident that recovered", recovered).await;
        t.is_back(&baseline).await;
        let stayed = pods_of(&t, &baseline).await.intersection(&old).count();
        // The Deployment's own strategy may take a quarter away before the first pod of the new revision has run.
        assert!(stayed >= 15, "{stayed} of 20 old pods never left");
        let status = incident.status.as_ref().unwrap();
        let kinds: Vec<ActionKind> = status.actions.iter().map(|a| a.kind).collect();
        assert_eq!(kinds, [ActionKind::Pause, ActionKind::RollBack], "{status:?}");
        for reason in ["Paused", "RolledBack", "Recovered"] {
            t.event(reason, &incident).await;
        }
        let patches: Vec<_> = t.operator_writes().await.into_iter().filter(|w| w.resource == "deployments").collect();
        assert!(!t.audit.is_there() || patches.len() == 2, "a pause and a roll-back, but saw:{}", lines(&patches));
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

/// Names of the revision's pods that are not on their way out.
async fn pods_of(t: &Case, baseline: &Baseline) -> BTreeSet<String> {
    let params = ListParams::default().labels(&format!("pod-template-hash={}", baseline.hash));
    let pods = t.api::<Pod>().list(&params).await.expect("listing pods");
    pods.iter().filter(|p| p.metadata.deletion_timestamp.is_none()).map(ResourceExt::name_any).collect()
}
