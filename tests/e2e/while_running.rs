//! Revisions that start, and fail only then.

use backstay::api::Incident;
use backstay::engine::words::{Cause, Class};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;

use crate::support::{App, Case, Story, case, wait};

/// `progressDeadlineSeconds` of the flapping workload.
const DEADLINE: i64 = 30;

#[tokio::test]
async fn t03_a_revision_that_fails_after_the_rollout_had_succeeded_is_rolled_back() {
    case::run("late-exit", async |t| {
        // All new pods come up together, so that the rollout is over before the first of them exits.
        let app = || App::new().spec(json!({"strategy": {"rollingUpdate": {"maxSurge": "100%"}}}));
        let baseline = t.healthy(json!({}), &app()).await;
        // Ready for some seconds, then it exits: Kubernetes has long been content by then.
        t.ship(&app().env("APP_EXIT_AFTER_READY_SECONDS", 8)).await;
        let (succeeded, said) = t.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]).await;
        assert!(succeeded, "kubectl rollout status said success: {said}");
        t.until::<ReplicaSet, _>(&baseline.name(), "the old pods to be gone", |s| {
            (s.status.as_ref()?.replicas == 0).then_some(())
        })
        .await;
        let deployment = t
            .until::<Deployment, _>("web", "Kubernetes to be content", |d| {
                let conditions = d.status.as_ref()?.conditions.as_ref()?;
                conditions.iter().find(|c| c.reason.as_deref() == Some("NewReplicaSetAvailable")).map(|_| d.clone())
            })
            .await;
        let revision = t.newest(&deployment).await;
        let causes = &[Cause::ApplicationError, Cause::Unknown];
        let incident = t.rolled_back(&baseline, Story { class: Class::CrashLoopBackOff, causes }).await;
        let failing = &incident.spec.opened.failing;
        assert_eq!(revision.metadata.name.as_deref(), Some(&*failing.name), "the revision that had succeeded");
        kubectl_tells(&t, &incident).await;
    })
    .await;
}

/// People read the story with kubectl, and scripts wait with it.
async fn kubectl_tells(t: &Case, incident: &Incident) {
    let said = async |arguments: &[&str]| {
        let (succeeded, said) = t.kubectl(arguments).await;
        assert!(succeeded, "kubectl {arguments:?}: {said}");
        said
    };
    let name = incident.name_any();
    let story = said(&["describe", "deployment", "web"]).await;
    let (_, events) = story.split_once("\nEvents:").expect("describe shows Events");
    let at = |reason: &str| {
        let told = |line: &&str| line.split_whitespace().nth(1) == Some(reason) && line.contains("backstay");
        let lines: Vec<&str> = events.lines().filter(told).collect();
        assert_eq!(lines.len(), 1, "{reason} is told once: {story}");
    };
    at("RolledBack");
    at("Recovered");
    let waited = said(&["wait", "--for=condition=Recovered", &format!("incident/{name}"), "--timeout=60s"]).await;
    assert!(waited.contains("condition met"), "{waited}");
    for (asked, columns, row) in [
        (
            "inc",
            &["NAME", "WORKLOAD", "SEVERITY", "FAILURE", "FAULT", "PROGRESS", "OUTCOME", "REFUSAL", "AGE"][..],
            &[&*name, "web", "Revision", "Recovered"][..],
        ),
        ("wlh", &["NAME", "STATE", "BASELINE", "INCIDENT", "REFUSAL", "POLICY", "AGE"], &["web", "IncidentPolicy/web"]),
        ("incpol", &["NAME", "MODE", "READY", "REASON", "WORKLOADS", "AGE"], &["web", "Enforce", "True", "1"]),
    ] {
        let table = said(&["get", asked]).await;
        let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(lines.next().as_deref(), Some(columns), "{table}");
        let cells = lines.next().expect("a row");
        assert!(row.iter().all(|cell| cells.contains(cell)), "{row:?} in {table}");
    }
    let all = said(&["get", "backstay", "-o", "name"]).await;
    for kind in ["incidentpolicy", "workloadhealth", "incident"] {
        assert!(all.contains(&format!("{kind}.backstay.dev/")), "{kind} is in the category: {all}");
    }
    let explained = said(&["explain", "incidentpolicy.spec.guards"]).await;
    let words = explained.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in [
        "What must agree before anything is done.",
        "cooldownSeconds <integer>",
        "No second action on the same workload within this time. Seconds.",
        "Which actions need a person's approval.",
        "enum: Never, ForRollBack, Always",
    ] {
        assert!(words.contains(sentence), "{sentence:?} in {explained}");
    }
    assert!(!explained.contains("<no description>") && !explained.contains("[`"), "{explained}");
}

#[tokio::test]
async fn t05_readiness_that_answers_500_is_rolled_back() {
    case::run("readiness-500", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        t.ship(&App::new().env("APP_READY_STATUS", 500)).await;
        t.rolled_back(&baseline, Story { class: Class::Unready, causes: &[Cause::ReadinessHttp] }).await;
    })
    .await;
}

#[tokio::test]
async fn t06_flapping_readiness_is_rolled_back_although_no_deadline_ever_fires() {
    case::run("flapping", async |t| {
        // Every loss of readiness is followed by progress, so the deadline starts anew each time.
        let app = || App::new().spec(json!({"progressDeadlineSeconds": DEADLINE}));
        let baseline = t.healthy(json!({}), &app()).await;
        let began = Timestamp::now();
        t.ship(&app().env("APP_READY_FLAP_SECONDS", 8)).await;
        let patience = t.rolled_back(&baseline, Story { class: Class::Unready, causes: &[Cause::Flapping] });
        let never = t.holds::<Deployment>("web", "no progress deadline fires", wait::PATIENCE, |d| {
            let conditions = d.status.as_ref().and_then(|s| s.conditions.as_ref()).into_iter().flatten();
            let reasons: Vec<&str> = conditions.filter_map(|c| c.reason.as_deref()).collect();
            if reasons.contains(&"ProgressDeadlineExceeded") { Err(format!("{reasons:?}")) } else { Ok(()) }
        });
        let incident = tokio::select! {
            incident = patience => incident,
            () = never => panic!("the roll-back did not end while the deadline was watched"),
        };
        let took = incident.spec.opened.at.duration_since(began).as_secs();
        assert!(took > DEADLINE, "the deadline had its time: {took} s");
    })
    .await;
}

#[tokio::test]
async fn t11_requests_beyond_any_node_are_rolled_back() {
    case::run("too-large", async |t| {
        let app = |cpu: &str| App::new().container(json!({"resources": {"requests": {"cpu": cpu}}}));
        let baseline = t.healthy(json!({}), &app("10m")).await;
        t.ship(&app("500")).await;
        let causes = &[Cause::InsufficientResources];
        t.rolled_back(&baseline, Story { class: Class::Pending, causes }).await;
    })
    .await;
}

#[tokio::test]
async fn t12_a_quota_that_refuses_the_grown_pods_brings_the_old_ones_back() {
    case::run("quota", async |t| {
        let app = |cpu: &str| App::new().container(json!({"resources": {"requests": {"cpu": cpu}}}));
        t.apply(json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "cpu"},
            "spec": {"hard": {"requests.cpu": "50m"}},
        }))
        .await;
        let baseline = t.healthy(json!({}), &app("10m")).await;
        let story = async {
            t.ship(&app("100m")).await;
            t.rolled_back(&baseline, Story { class: Class::CreateRefused, causes: &[Cause::QuotaExceeded] }).await;
        };
        let of_the_baseline = |pod: &Pod| {
            let hash = pod.labels().get("pod-template-hash");
            if hash == Some(&baseline.hash) { Ok(()) } else { Err(format!("its hash is {hash:?}")) }
        };
        let what = "no pod of the refused revision is ever there";
        wait::meanwhile(&t.api::<Pod>(), what, story, of_the_baseline).await;
    })
    .await;
}
