//! What no status tells: configuration that changed under a revision, objects that are gone, migrations, and who
//! suffers.

use backstay::api::Incident;
use backstay::engine::blast_radius::{BlastRadius, Effect};
use backstay::engine::change::ChangeKind;
use backstay::engine::words::{ActionKind, Cause, Class, Fault, RefusalReason};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::refuses_environment::hash;
use crate::support::case::{OPERATOR, complete};
use crate::support::expect::recovered;
use crate::support::wait::show;
use crate::support::{App, Story, case};

fn config_map(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn reads(kind: &str, name: &str) -> App {
    App::new().container(json!({"envFrom": [{kind: {"name": name}}]}))
}

#[tokio::test]
async fn t21_a_config_map_that_changed_under_a_running_revision_is_at_fault_itself() {
    case::run("configmap-changed", async |t| {
        t.apply(config_map("settings", &json!({"LEVEL": "info"}))).await;
        t.healthy(json!({}), &reads("configMapRef", "settings")).await;
        t.settle(&reads("configMapRef", "settings").env("VERSION", 2)).await;
        t.apply(config_map("settings", &json!({"LEVEL": "info", "APP_EXIT_AT_START": "3"}))).await;
        let (deleted, said) = t.kubectl(&["delete", "pods", "-l", "app=web", "--wait=false"]).await;
        assert!(deleted, "{said}");
        let incident = t.refused(&hash(&t.revision_with("VERSION").await), RefusalReason::FaultNotRevision).await;
        let verdict = incident.status.as_ref().unwrap().verdict.clone().unwrap();
        assert_eq!(verdict.fault, Fault::Configuration, "{verdict:?}");
        let what = incident.status.as_ref().unwrap().what_changed.clone().expect("what changed");
        let change = what.changes.iter().find(|c| c.kind == ChangeKind::ConfigMap);
        let change = change.unwrap_or_else(|| panic!("the ConfigMap among the changes: {}", show(&incident)));
        assert!(change.relevant && change.text.contains("APP_EXIT_AT_START"), "{change:?}");
        assert_eq!((&*change.subject, change.by.as_deref()), ("ConfigMap settings", Some("kubectl")));
        diagnosed_alike(&t.diagnosed().await);
        t.untouched().await;
    })
    .await;
}

/// A person who asks gets the same from the cluster, without the operator.
fn diagnosed_alike(web: &Value) {
    assert_eq!(web["findings"][0]["class"], "CrashLoopBackOff", "{web:#}");
    assert_eq!(web["findings"][0]["fault"], "Configuration", "{web:#}");
    let changes = web["whatChanged"]["changes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let told = |change: &&Value| change["subject"] == "ConfigMap settings" && change["relevant"] == true;
    assert!(changes.iter().any(|change| told(&change)), "{web:#}");
}

#[tokio::test]
async fn t21_a_deleted_secret_is_not_the_fault_of_a_revision_that_needs_it_as_before() {
    case::run("secret-deleted", async |t| {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"PASSWORD": "hunter2"},
        });
        t.apply(secret).await;
        t.healthy(json!({}), &reads("secretRef", "db")).await;
        let (deleted, said) = t.kubectl(&["delete", "secret", "db"]).await;
        assert!(deleted, "{said}");
        t.ship(&reads("secretRef", "db").env("VERSION", 2)).await;
        let incident = t.refused(&hash(&t.revision_with("VERSION").await), RefusalReason::FaultNotRevision).await;
        let verdict = incident.status.as_ref().unwrap().verdict.clone().unwrap();
        assert_eq!(verdict.fault, Fault::Configuration, "{verdict:?}");
        assert!(verdict.because.contains("Secret db is gone"), "{verdict:?}");
        let what = incident.status.as_ref().unwrap().what_changed.clone().expect("what changed");
        assert!(what.not_looked_at.iter().any(|gap| gap.contains("Secret (not to be looked at")), "{what:?}");
        t.untouched().await;
    })
    .await;
}

#[tokio::test]
async fn t21_a_baseline_that_needs_what_is_gone_is_not_gone_back_to() {
    case::run("baseline-needs", async |t| {
        t.apply(config_map("settings-a", &json!({"LEVEL": "info"}))).await;
        t.apply(config_map("settings-b", &json!({"LEVEL": "info"}))).await;
        t.healthy(json!({}), &reads("configMapRef", "settings-a")).await;
        let (deleted, said) = t.kubectl(&["delete", "configmap", "settings-a"]).await;
        assert!(deleted, "{said}");
        t.ship(&reads("configMapRef", "settings-b").env("APP_EXIT_AT_START", 3)).await;
        let set = t.revision_with("settings-b").await;
        let incident = t.refused(&hash(&set), RefusalReason::BaselineWouldNotRun).await;
        let refusal = incident.status.as_ref().unwrap().refusal.clone().unwrap();
        assert!(refusal.because.contains("ConfigMap settings-a"), "{refusal:?}");
        t.untouched().await;
    })
    .await;
}

#[tokio::test]
async fn t21_a_baseline_that_the_api_server_would_refuse_is_not_gone_back_to() {
    case::run("baseline-refused", async |t| {
        t.healthy(json!({}), &App::new()).await;
        let label = "pod-security.kubernetes.io/enforce=restricted";
        let (labelled, said) = t.kubectl(&["label", "namespace", &t.namespace, label]).await;
        assert!(labelled, "{said}");
        let restricted = App::new().env("APP_EXIT_AT_START", 3).pod(json!({
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        }));
        let restricted = restricted.container(json!({
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        }));
        t.ship(&restricted).await;
        let set = t.revision_with("APP_EXIT_AT_START").await;
        let incident = t.refused(&hash(&set), RefusalReason::BaselineWouldNotRun).await;
        let refusal = incident.status.as_ref().unwrap().refusal.clone().unwrap();
        assert!(refusal.because.contains("PodSecurity"), "{refusal:?}");
        t.untouched().await;
    })
    .await;
}

#[tokio::test]
async fn t21_what_a_new_template_names_and_nobody_made_is_told() {
    case::run("named-and-missing", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        let volume = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data"}});
        let app = App::new().pod(json!({
            "serviceAccountName": "nobody", "priorityClassName": "nothing", "volumes": [volume],
        }));
        t.ship(&app).await;
        let incident = t.incident("an incident that recovered", recovered).await;
        t.is_back(&baseline).await;
        let what = incident.status.as_ref().unwrap().what_changed.clone().expect("what changed");
        let said: Vec<&str> =
            what.changes.iter().filter(|c| c.kind == ChangeKind::Object).map(|c| &*c.subject).collect();
        for object in ["ServiceAccount nobody", "PersistentVolumeClaim data", "PriorityClass nothing"] {
            assert!(said.contains(&object), "{object} among {said:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn t21_the_operator_may_create_pods_in_dry_runs_only() {
    case::run("dry-runs-only", async |t| {
        let as_operator = format!("--as={OPERATOR}");
        let run = ["run", "probe", "--image=localhost:5000/testapp:v1", "--restart=Never", &as_operator];
        let (created, said) = t.kubectl(&run).await;
        assert!(!created && said.contains("dry runs only"), "{said}");
        let (accepted, said) = t.kubectl(&[&run[..], &["--dry-run=server"]].concat()).await;
        assert!(accepted, "{said}");
    })
    .await;
}

#[tokio::test]
async fn t21_after_a_migration_old_pods_that_serve_are_kept_and_nothing_is_put_back() {
    case::run("migration", async |t| {
        let baseline = t.healthy(json!({}), &App::new()).await;
        let migrate = json!({
            "name": "migrate", "image": "localhost:5000/testapp:v1",
            "env": [{"name": "APP_EXIT_AT_START", "value": "0"}],
        });
        let app = App::new().env("APP_EXIT_AT_START", 3).pod(json!({"initContainers": [migrate]}));
        let shipped = t.ship(&app).await;
        let incident = t
            .incident("a freeze in place of a roll-back", |i| {
                let acted = i.status.as_ref()?.actions.first()?;
                (acted.kind == ActionKind::Freeze).then(|| i.clone())
            })
            .await;
        assert!(incident.spec.opened.why.contains("migrates a schema"), "{}", incident.spec.opened.why);
        t.until::<Deployment, _>("web", "a pause with the template as it was shipped", |d| {
            let kept = d.spec.template == shipped.spec.template && d.spec.paused == Some(true);
            let full = d.status.as_ref()?.ready_replicas == Some(baseline.replicas());
            (kept && full).then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn t21_an_outage_is_told_with_its_service_its_host_and_who_calls_it() {
    case::run("outage", async |t| {
        t.apply(service()).await;
        t.apply(ingress()).await;
        let mut front = App::new().replicas(1).env("API_URL", "http://web:8080/").0;
        front["metadata"] = json!({"name": "front", "labels": {"app": "front"}});
        front["spec"]["selector"]["matchLabels"]["app"] = json!("front");
        front["spec"]["template"]["metadata"]["labels"]["app"] = json!("front");
        let shipped = t.apply(front).await;
        let shipped: Deployment = serde_json::from_value(serde_json::to_value(shipped).unwrap()).unwrap();
        t.until::<Deployment, _>("front", "the caller", |d| complete(d, &shipped).then_some(())).await;

        let recreate = || App::new().spec(json!({"strategy": {"type": "Recreate"}}));
        let baseline = t.healthy(json!({"impact": {"tier": 1, "businessService": "shop"}}), &recreate()).await;
        t.ship(&recreate().env("APP_EXIT_AT_START", 3)).await;
        let causes = &[Cause::ApplicationError, Cause::Unknown];
        let incident = t.rolled_back(&baseline, Story { class: Class::CrashLoopBackOff, causes }).await;
        let blast = blast_radius(&incident);
        assert_eq!(blast.effect, Effect::Outage, "{blast:?}");
        assert_eq!(
            (&*blast.services[0].name, blast.services[0].ready, blast.services[0].expected),
            ("web", Some(0), 2)
        );
        assert_eq!(blast.hosts, ["shop.example.com (Ingress shop)"]);
        assert_eq!(blast.dependents[0].workload, "front", "{blast:?}");
        assert_eq!(blast.dependents[0].through, "env API_URL of container web");
        let status = incident.status.as_ref().unwrap();
        let what = status.what_changed.as_ref().expect("what changed");
        assert_eq!(what.author.manager.as_deref(), Some("kubectl"), "{what:?}");
        assert!(what.changes[0].text.contains("APP_EXIT_AT_START") && what.changes[0].relevant, "{what:?}");
        assert!(!show(&incident).contains("\"value\""), "no value of a variable: {}", show(&incident));
        let first = status.first_signal.as_ref().expect("a first signal");
        assert!(first.at <= incident.spec.opened.at && first.source.starts_with("pod/"), "{first:?}");
    })
    .await;
}

#[tokio::test]
async fn t21_a_rollout_that_costs_nothing_that_serves_is_told_so() {
    case::run("unharmed", async |t| {
        t.apply(service()).await;
        let baseline = t.healthy(json!({}), &App::new()).await;
        t.ship(&App::new().env("APP_EXIT_AT_START", 3)).await;
        let causes = &[Cause::ApplicationError, Cause::Unknown];
        let incident = t.rolled_back(&baseline, Story { class: Class::CrashLoopBackOff, causes }).await;
        let blast = blast_radius(&incident);
        assert_eq!((blast.effect, blast.services[0].ready), (Effect::Unharmed, Some(2)), "{blast:?}");
        assert!(blast.dependents.is_empty() && blast.hosts.is_empty(), "{blast:?}");
        let writes: Vec<_> =
            t.operator_writes().await.into_iter().filter(|w| w.resource.starts_with("incidents")).collect();
        let seen = crate::support::audit::lines(&writes);
        assert!(!t.audit.is_there() || writes.len() == 3, "create and two statuses of {}: {seen}", incident.name_any());
    })
    .await;
}

fn blast_radius(incident: &Incident) -> BlastRadius {
    let blast = incident.status.as_ref().and_then(|s| s.blast_radius.clone());
    blast.unwrap_or_else(|| panic!("a blast radius: {}", show(incident)))
}

fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 8080}]},
    })
}

fn ingress() -> Value {
    let backend = json!({"service": {"name": "web", "port": {"number": 8080}}});
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "shop"},
        "spec": {"rules": [{
            "host": "shop.example.com",
            "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
        }]},
    })
}
