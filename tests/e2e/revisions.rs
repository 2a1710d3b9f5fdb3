//! Which revision is gone back to, and what is a change at all.

use std::time::Duration;

use backstay::api::{Incident, WorkloadHealth};
use backstay::engine::words::{Cause, Class, RefusalReason};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::json;

use crate::support::audit::lines;
use crate::support::expect::recovered;
use crate::support::{App, Story, case};

#[tokio::test]
async fn t13_after_two_bad_revisions_in_a_row_the_last_healthy_one_comes_back() {
    case::run("two-bad", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        // The first bad revision is replaced by the second before anything could be done about it.
        t.ship(&App::new().env("APP_READY_AFTER_SECONDS", 3600)).await;
        let first = t.revision_with("APP_READY_AFTER_SECONDS").await;
        t.ship(&App::new().env("APP_EXIT_AT_START", 3)).await;
        let causes = &[Cause::ApplicationError, Cause::Unknown];
        let incident = t.rolled_back(&baseline, Story { class: Class::CrashLoopBackOff, causes }).await;
        let to = &incident.spec.opened.intent.as_ref().expect("an intent").target.name;
        assert_ne!(**to, first.name_any(), "the previous revision was never healthy");
    })
    .await;
}

#[tokio::test]
async fn t13_a_second_bad_revision_after_a_roll_back_goes_back_to_the_same_baseline() {
    case::run("bad-again", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        for code in [3, 4] {
            t.ship(&App::new().env("APP_EXIT_AT_START", code)).await;
            let set = t.revision_with(&format!("\"value\":\"{code}\"")).await;
            t.incident("the incident of this revision to recover", |i| {
                (*i.spec.opened.failing.uid == *set.uid()?).then(|| recovered(i))?
            })
            .await;
            t.is_back(&baseline).await;
        }
        let patches: Vec<_> = t.operator_writes().await.into_iter().filter(|w| w.resource == "deployments").collect();
        assert!(!t.audit.is_there() || patches.len() == 2, "one patch per bad revision, but saw:{}", lines(&patches));
    })
    .await;
}

#[tokio::test]
async fn t14_a_restart_of_a_good_template_is_not_judged_a_change() {
    case::run("restart", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        let (succeeded, said) = t.kubectl(&["rollout", "restart", "deployment/web"]).await;
        assert!(succeeded, "{said}");
        let (succeeded, said) = t.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]).await;
        assert!(succeeded, "{said}");
        let restarted = t.newest(&t.deployment().await).await;
        assert_ne!(restarted.name_any(), baseline.name(), "the restart made a revision");
        t.until::<WorkloadHealth, _>("web", "the restarted revision to be healthy", |h| {
            let ledger = &h.status.as_ref()?.ledger;
            let uid = restarted.uid()?;
            ledger.iter().any(|e| *e.uid == *uid && e.healthy_since.is_some()).then_some(())
        })
        .await;
        let before = t.deployment().await.metadata.generation;
        t.holds::<Deployment>("web", "nobody changes the Deployment", Duration::from_secs(5), |d| {
            if d.metadata.generation == before { Ok(()) } else { Err(format!("generation {before:?} was left")) }
        })
        .await;
        let incidents = t.api::<Incident>().list(&ListParams::default()).await.unwrap().items;
        assert!(incidents.is_empty(), "no incident, but saw {incidents:?}");
    })
    .await;
}

#[tokio::test]
async fn t14_a_restart_during_an_outage_is_not_rolled_back() {
    case::run("restart-outage", async |t| {
        // The same template, started again while what it needs is gone: going back would change nothing.
        t.apply(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"LEVEL": "info"},
        }))
        .await;
        let app = App::new().container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}));
        let baseline = t.healthy(json!({}), &app).await;
        t.kubectl(&["delete", "configmap", "settings"]).await;
        t.kubectl(&["rollout", "restart", "deployment/web"]).await;
        let incident =
            t.incident("an incident that is refused", |i| i.status.as_ref()?.refusal.as_ref().map(|_| i.clone())).await;
        let status = incident.status.as_ref().unwrap();
        assert!(status.actions.is_empty() && status.class.as_deref() == Some("ContainerConfig/MissingConfigMap"));
        let refusal = status.refusal.as_ref().unwrap();
        assert_eq!(refusal.reason, RefusalReason::FaultNotRevision, "{refusal:?}");
        assert!(refusal.because.contains("ConfigMap settings is gone"), "{refusal:?}");
        let patches: Vec<_> = t.operator_writes().await.into_iter().filter(|w| w.resource == "deployments").collect();
        assert!(patches.is_empty(), "no write to the Deployment, but saw:{}", lines(&patches));
        assert_eq!(baseline.replicas(), 2);
    })
    .await;
}

/// The way to change a selector without an outage. Nothing collects what the first Deployment owned.
#[tokio::test]
async fn a_deployment_made_anew_over_orphans_is_remembered_anew() {
    case::run("orphans", async |t| {
        t.healthy(json!({}), &App::new()).await;
        let before = t.deployment().await;
        let (succeeded, said) = t.kubectl(&["delete", "deployment", "web", "--cascade=orphan"]).await;
        assert!(succeeded, "{said}");
        let after = t.ship(&App::new()).await;
        assert_ne!(after.uid(), before.uid());
        t.until::<WorkloadHealth, _>("web", "the memory of the new Deployment", |h| {
            let is_new = Some(&*h.spec.workload_uid) == after.uid().as_deref();
            (is_new && h.status.as_ref()?.ledger.iter().any(|e| e.healthy_since.is_some())).then_some(())
        })
        .await;
    })
    .await;
}
