//! What the operator's own account, and people, may do: asked of the API server in their name, against the chart's
//! roles and admission policies.

use backstay::api::{Incident, keys};
use backstay::engine::words::{ActionKind, RefusalReason};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::refuses_environment::hash;
use crate::support::case::{OPERATOR, client_as};
use crate::support::expect::recovered;
use crate::support::{App, Case, case};

/// Asked for and not kept: what the API server admits is what matters here.
fn trial() -> PatchParams {
    PatchParams { dry_run: true, ..PatchParams::default() }
}

/// Panics unless the API server said no, for a reason in which this text stands.
fn refused<T: std::fmt::Debug>(answer: Result<T, kube::Error>, what: &str, because: &str) {
    match answer {
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 422) => {
            let said = &status.message;
            assert!(said.contains(because), "{what} is refused because {because:?}, but the API server said: {said}");
        }
        other => panic!("{what} is refused because {because:?}, but saw {other:?}"),
    }
}

/// A merge patch of the Deployment that changes the pod template, with the mark that such a change needs.
fn template(pod: Value) -> Value {
    json!({"metadata": {"annotations": {keys::INCIDENT: "web-1"}}, "spec": {"template": {"spec": pod}}})
}

fn container(fields: Value) -> Value {
    let mut container = json!({"name": "web", "image": "localhost:5000/testapp:v1"});
    json_patch::merge(&mut container, &fields);
    template(json!({"containers": [container]}))
}

#[tokio::test]
async fn the_operators_account_may_change_template_pause_and_own_annotations_only() {
    case::run("guard", async |t| {
        t.ship(&App::new()).await;
        let api: Api<Deployment> = Api::namespaced(client_as(OPERATOR).await, &t.namespace);
        let spec = "Backstay may change spec.template and spec.paused only";
        let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "1"}]);
        for (what, patch, because) in [
            ("more replicas", json!({"spec": {"replicas": 5}}), spec),
            ("another strategy", json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 3}}}}), spec),
            ("another minReadySeconds", json!({"spec": {"minReadySeconds": 9}}), spec),
            ("another history", json!({"spec": {"revisionHistoryLimit": 1}}), spec),
            ("another deadline", json!({"spec": {"progressDeadlineSeconds": 9}}), spec),
            ("a label", json!({"metadata": {"labels": {"team": "x"}}}), "labels, finalizers or owners"),
            ("a finalizer", json!({"metadata": {"finalizers": ["example.com/x"]}}), "labels, finalizers or owners"),
            ("an owner", json!({"metadata": {"ownerReferences": owner}}), "labels, finalizers or owners"),
            ("a new annotation", json!({"metadata": {"annotations": {"example.com/x": "y"}}}), "its own annotations"),
            ("a changed one", json!({"metadata": {"annotations": {"example.com/owner": "x"}}}), "its own annotations"),
            ("a removed one", json!({"metadata": {"annotations": {"example.com/owner": null}}}), "its own annotations"),
            (
                "a template of no incident",
                json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 9}}}}),
                "must name its incident",
            ),
            ("the node's network", template(json!({"hostNetwork": true})), "hostNetwork, hostPID or hostIPC"),
            ("the node's processes", template(json!({"hostPID": true})), "hostNetwork, hostPID or hostIPC"),
            ("a privileged container", container(json!({"securityContext": {"privileged": true}})), "privileged"),
            (
                "a capability",
                container(json!({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}})),
                "capabilities",
            ),
            (
                "a path of the node",
                template(json!({"volumes": [{"name": "x", "hostPath": {"path": "/"}}]})),
                "hostPath",
            ),
        ] {
            refused(api.patch("web", &trial(), &Patch::Merge(patch)).await, what, because);
        }
        for (what, patch) in [
            ("the pause", json!({"metadata": {"annotations": {keys::PAUSED_FOR: "web-1"}}, "spec": {"paused": true}})),
            ("the change cause", json!({"metadata": {"annotations": {"kubernetes.io/change-cause": "x"}}})),
            ("a template of an incident", container(json!({"image": "localhost:5000/testapp:v2"}))),
        ] {
            let answer = api.patch("web", &trial(), &Patch::Merge(patch)).await;
            assert!(answer.is_ok(), "{what} is accepted, but saw {answer:?}");
        }
        // The guard is about that account and nobody else.
        let patch = Patch::Merge(template(json!({"hostNetwork": true})));
        t.api::<Deployment>().patch("web", &trial(), &patch).await.expect("an administrator may do that");
    })
    .await;
}

#[tokio::test]
async fn the_operators_account_scales_replica_sets_to_zero_only_and_leaves_protected_namespaces_alone() {
    case::run("guard-scale", async |t| {
        let shipped = t.ship(&App::new()).await;
        t.until::<Deployment, _>("web", "a rollout", |d| case::complete(d, &shipped).then_some(())).await;
        let operator = client_as(OPERATOR).await;
        let name = t.newest(&t.deployment().await).await.name_any();
        let sets: Api<ReplicaSet> = Api::namespaced(operator.clone(), &t.namespace);
        let scale = |replicas: i32| Patch::Merge(json!({"spec": {"replicas": replicas}}));
        refused(sets.patch_scale(&name, &trial(), &scale(5)).await, "more replicas", "scale a ReplicaSet to 0 only");
        sets.patch_scale(&name, &trial(), &scale(0)).await.expect("none are accepted");

        let system: Api<Deployment> = Api::namespaced(t.client.clone(), "kube-system");
        let mut object = App::new().replicas(0).0;
        object["metadata"] = json!({"name": t.namespace});
        system.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.expect("a Deployment");
        let as_operator: Api<Deployment> = Api::namespaced(operator, "kube-system");
        let answer = as_operator.patch(&t.namespace, &trial(), &Patch::Merge(json!({"spec": {"paused": true}}))).await;
        system.delete(&t.namespace, &DeleteParams::background()).await.expect("deleting it");
        refused(answer, "a change in kube-system", "This namespace is protected");
    })
    .await;
}

#[tokio::test]
async fn the_operators_account_has_no_right_to_create_delete_or_read_secrets() {
    case::run("no-right", async |t| {
        t.ship(&App::new()).await;
        let operator = client_as(OPERATOR).await;
        let deployments: Api<Deployment> = Api::namespaced(operator.clone(), &t.namespace);
        let pods: Api<Pod> = Api::namespaced(operator.clone(), &t.namespace);
        let secrets: Api<Secret> = Api::namespaced(operator, &t.namespace);
        let new = serde_json::from_value(App::new().metadata(json!({"name": "new"})).0).unwrap();
        let (forbidden, post) = ("cannot", PostParams { dry_run: true, ..PostParams::default() });
        let delete = DeleteParams { dry_run: true, ..DeleteParams::default() };
        refused(deployments.create(&post, &new).await, "a new Deployment", forbidden);
        refused(deployments.delete("web", &delete).await, "deleting a Deployment", forbidden);
        refused(deployments.replace("web", &post, &t.deployment().await).await, "a PUT", forbidden);
        let scale = Patch::Merge(json!({"spec": {"replicas": 0}}));
        refused(deployments.patch_scale("web", &trial(), &scale).await, "scaling a Deployment", forbidden);
        refused(pods.delete("web", &delete).await, "deleting a pod", forbidden);
        refused(secrets.list(&ListParams::default()).await, "reading Secrets", forbidden);
    })
    .await;
}

/// A person with the ClusterRole in the test's namespace, by the name that the client is known by.
async fn person(t: &Case, name: &str, role: &str) -> Client {
    t.apply(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
    }))
    .await;
    client_as(name).await
}

#[tokio::test]
async fn an_approval_needs_the_verb_and_the_own_name_and_then_the_roll_back_follows() {
    case::run("approval", async |t| {
        let baseline = t.healthy(json!({"guards": {"approval": "Always"}}), &App::new()).await;
        t.ship(&App::new().env("APP_EXIT_AT_START", 3)).await;
        let set = t.revision_with("APP_EXIT_AT_START").await;
        let incident = t.refused(&hash(&set), RefusalReason::AwaitingApproval).await;
        let name = incident.name_any();
        let editor: Api<Incident> = Api::namespaced(person(&t, "eve", "backstay-edit").await, &t.namespace);
        let approver: Api<Incident> = Api::namespaced(person(&t, "ada", "backstay-approver").await, &t.namespace);
        let verdict = |by: &str| Patch::Merge(json!({"spec": {"approval": {"verdict": "Approve", "by": by}}}));
        let seen = Patch::Merge(json!({"spec": {"acknowledged": {"by": "eve"}}}));
        editor.patch(&name, &PatchParams::default(), &seen).await.expect("an editor may acknowledge");
        refused(editor.patch(&name, &trial(), &verdict("eve")).await, "an editor's approval", "the verb \"approve\"");
        refused(
            approver.patch(&name, &trial(), &verdict("eve")).await,
            "a forged name",
            "must be the name of the person",
        );
        approver.patch(&name, &PatchParams::default(), &verdict("ada")).await.expect("an approver approves");
        let incident = t.incident("an incident that recovered", recovered).await;
        t.is_back(&baseline).await;
        let status = incident.status.unwrap();
        let kinds: Vec<ActionKind> = status.actions.iter().map(|a| a.kind).collect();
        assert_eq!(kinds, [ActionKind::RollBack], "{status:?}");
        // The word is not to be changed or taken back by those who could not give it.
        let gone = Patch::Merge(json!({"spec": {"approval": null}}));
        refused(editor.patch(&name, &trial(), &gone).await, "taking it back", "the verb \"approve\"");
    })
    .await;
}
