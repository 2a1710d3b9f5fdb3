//! The end of an installation: it observes, and then it goes. `tests/e2e/run` comes here last, and alone.

use backstay::api::{Incident, WorkloadHealth, keys};
use backstay::engine::decision::Progress;
use backstay::engine::words::{Cause, Class, RefusalReason, State};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use serde_json::json;

use crate::refuses_environment::hash;
use crate::support::audit::Asked;
use crate::support::helm::{self, NAMESPACE};
use crate::support::{App, Case, Story, case};

#[tokio::test]
#[ignore = "tests/e2e/run comes here last, since it takes the operator away"]
async fn nothing_stays_frozen_unseen_when_backstay_only_observes_or_goes() {
    case::run("farewell", async |t| {
        let incident = frozen(&t).await;
        observes(&t).await;
        still_seen(&t, &incident).await;
        refused_while_frozen(&t).await;
        uninstalled(&t, &incident).await;
        installed_for_one_namespace().await;
        definitions_can_go_too().await;
    })
    .await;
}

/// A workload that Argo CD owns, whose rollout is frozen.
async fn frozen(t: &Case) -> Incident {
    t.healthy(json!({}), &owned()).await;
    t.ship(&broken(owned())).await;
    t.incident("a freeze in force", |i| (i.status.as_ref()?.progress == Some(Progress::Frozen)).then(|| i.clone()))
        .await
}

/// Fails in a moment in every cluster, also one without a registry.
fn broken(app: App) -> App {
    app.container(json!({"command": ["/not-in-the-image"]}))
}

fn owned() -> App {
    App::new().metadata(json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}}))
}

/// From here on the release observes: the right to write is gone, and nothing is written but own objects, Events
/// and the lease, in the whole cluster.
async fn observes(t: &Case) {
    let (succeeded, said) =
        helm::run(&["upgrade", "backstay", &helm::chart(), "--reuse-values", "--set", "mode=observe", "--wait"]).await;
    assert!(succeeded, "helm upgrade to mode observe: {said}");
    let begin = Timestamp::now();
    case::run("observed", async |other| {
        let baseline = other.healthy(json!({"mode": "Enforce"}), &App::new()).await;
        other.ship(&App::new().env("APP_EXIT_AT_START", 3)).await;
        let set = other.revision_with("APP_EXIT_AT_START").await;
        let incident = other.refused(&hash(&set), RefusalReason::ObserveOnly).await;
        let because = &incident.status.as_ref().unwrap().refusal.as_ref().unwrap().because;
        assert!(because.contains("rolled back to") && because.contains(&baseline.name()), "{because}");
    })
    .await;
    let (succeeded, said) = helm::run(&["test", "backstay", "--logs", "--timeout", "2m"]).await;
    assert!(succeeded && said.contains("may not patch deployments.apps"), "the self-test agrees: {said}");
    let asked = t.operator_asked().await;
    let written = asked.iter().filter(|a| a.at >= begin && a.is_write());
    let others: Vec<String> = written.filter(|a| !is_own(a)).map(Asked::line).collect();
    assert!(others.is_empty(), "observing, the operator wrote {others:#?}");
}

/// Its own kinds, Events, its lease; and questions about its own rights, which are posted and not kept.
fn is_own(asked: &Asked) -> bool {
    let resource = asked.resource.as_str();
    resource.ends_with(".backstay.dev")
        || ["events.events.k8s.io", "leases.coordination.k8s.io"].contains(&resource)
        || is_question(asked)
}

fn is_question(asked: &Asked) -> bool {
    asked.resource == "selfsubjectaccessreviews.authorization.k8s.io"
}

/// The freeze that an observing operator may not end is told in the workload's health and by `backstay frozen`.
async fn still_seen(t: &Case, incident: &Incident) {
    let name = incident.name_any();
    t.until::<WorkloadHealth, _>("web", "the freeze to be told", |h| {
        let status = h.status.as_ref()?;
        (status.state == State::Held && status.incident.as_deref() == Some(&*name)).then_some(())
    })
    .await;
    let deployment = t.deployment().await;
    assert_eq!((deployment.spec.paused, deployment.annotations().get(keys::PAUSED_FOR)), (Some(true), Some(&name)));
}

async fn refused_while_frozen(t: &Case) {
    let (succeeded, said) = helm::run(&["uninstall", "backstay", "--timeout", "2m"]).await;
    assert!(!succeeded, "helm uninstall is refused while a workload is frozen: {said}");
    let (_, listed) = helm::kubectl(&["logs", "job/backstay-uninstall"]).await;
    for text in [&said, &listed] {
        assert!(text.contains(&t.namespace), "the frozen workload is named: {text}");
        assert!(text.contains(&format!("kubectl rollout resume -n {} deployment/web", t.namespace)), "{text}");
    }
    let (_, running) = helm::kubectl(&["get", "deployment", "backstay", "-o", "name"]).await;
    assert!(running.contains("deployment.apps/backstay"), "the operator is still there: {running}");
}

/// A person ships a good template and resumes; then nothing keeps the release, and what people need stays.
async fn uninstalled(t: &Case, incident: &Incident) {
    let good = t.ship(&owned().image("localhost:5000/testapp:v2")).await;
    let (succeeded, said) = t.kubectl(&["rollout", "resume", "deployment/web"]).await;
    assert!(succeeded, "{said}");
    t.until::<Deployment, _>("web", "the good template to be rolled out", |d| case::complete(d, &good).then_some(()))
        .await;
    let (succeeded, said) = helm::run(&["uninstall", "backstay", "--wait", "--timeout", "2m"]).await;
    assert!(succeeded, "helm uninstall: {said}");
    // Helm waits for what it created; the Deployment's pods are the garbage collector's.
    let pods = "app.kubernetes.io/instance=backstay,app.kubernetes.io/component=operator";
    let (gone, said) = helm::kubectl(&["wait", "--for=delete", "pod", "-l", pods, "--timeout", "2m"]).await;
    assert!(gone, "the operator's pods go: {said}");
    let kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings";
    for (place, kinds) in
        [("cluster", kinds), (NAMESPACE, "all,roles,rolebindings,serviceaccounts,networkpolicies,pdb")]
    {
        let selector = "app.kubernetes.io/instance=backstay";
        let (_, left) = helm::kubectl(&["get", kinds, "-l", selector, "-o", "name"]).await;
        // Helm leaves the pods of its hooks to whoever wants to read them.
        let left: Vec<&str> = left.lines().filter(|l| l.contains('/') && *l != "pod/backstay-selftest").collect();
        assert!(left.is_empty(), "left in {place} by the uninstallation: {left:?}");
    }
    let kept = t.api::<Incident>().get(&incident.name_any()).await;
    assert!(kept.is_ok(), "definitions and incidents are kept: {kept:?}");
}

/// With rights in one namespace and none outside, Backstay does its work there, and asks for nothing else.
async fn installed_for_one_namespace() {
    case::run("one-namespace", async |t| {
        let begin = Timestamp::now();
        let image = std::env::var("BACKSTAY_TEST_IMAGE").expect("tests/e2e/run names the image");
        let (repository, tag) = image.rsplit_once(':').expect("a tag");
        let (repository, tag) = (format!("image.repository={repository}"), format!("image.tag={tag}"));
        let place = format!("rbac.namespaces={{{}}}", t.namespace);
        let arguments = ["install", "backstay", &helm::chart(), "--set", &repository, "--set-string", &tag];
        // Events about nodes are in the namespace `default`, and are the one thing asked for there.
        let nodes = "rbac.nodeEvents=true";
        let scope = ["--set", "rbac.scope=namespaced", "--set", &place, "--set", nodes, "--set", "crds.keep=false"];
        let wait = ["--wait", "--timeout", "3m"];
        let (succeeded, said) = helm::run(&[&arguments[..], &scope[..], &wait[..]].concat()).await;
        assert!(succeeded, "installing for one namespace, over kept definitions: {said}");
        let baseline = t.healthy(json!({}), &App::new()).await;
        t.ship(&broken(App::new())).await;
        t.rolled_back(&baseline, Story { class: Class::ContainerStart, causes: &[Cause::CommandNotFound] }).await;
        let (succeeded, said) = helm::run(&["test", "backstay", "--logs", "--timeout", "2m"]).await;
        assert!(succeeded, "helm test: {said}");
        for right in [
            format!("may patch deployments.apps in namespace {}", t.namespace),
            "may not patch deployments.apps in all namespaces".to_owned(),
            "may not patch clusterincidentpolicies/status.backstay.dev".to_owned(),
        ] {
            assert!(said.contains(&format!("ok      {right}\n")), "{right}: {said}");
        }
        let asked = t.operator_asked().await;
        let asked = asked.iter().filter(|a| a.at >= begin);
        let of_nodes = |a: &Asked| a.namespace == "default" && a.resource == "events";
        let elsewhere =
            |a: &&Asked| a.namespace != t.namespace && a.namespace != NAMESPACE && !is_question(a) && !of_nodes(a);
        let wrong: Vec<String> = asked.filter(|a| a.code == 403 || elsewhere(a)).map(Asked::line).collect();
        assert!(wrong.is_empty(), "refused, or asked outside of the namespace: {wrong:#?}");
    })
    .await;
}

/// `crds.keep: false` is for those who want nothing to stay.
async fn definitions_can_go_too() {
    let (_, notes) = helm::run(&["get", "notes", "backstay"]).await;
    assert!(notes.contains("uninstalling deletes every policy and incident"), "the notes warn: {notes}");
    let (succeeded, said) = helm::run(&["uninstall", "backstay", "--wait", "--timeout", "2m"]).await;
    assert!(succeeded, "helm uninstall: {said}");
    let (_, left) = helm::kubectl(&["get", "crds", "-o", "name"]).await;
    assert!(!left.contains("backstay.dev"), "definitions are gone: {left}");
}
