//! Who else decides about a Deployment.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Interner, annotation, label};
use crate::cluster::slim::any_controller;
use crate::engine::facts::Name;
use crate::engine::words::GitOps;

/// The GitOps tool that would put the template back.
///
/// Argo CD marks what it tracks with an annotation, or with a label whose key each installation can choose; then only
/// its field manager shows. `app.kubernetes.io/instance` alone proves nothing, since most charts set it. Flux marks
/// with labels, and writes under the names of its controllers.
pub fn gitops(meta: &ObjectMeta) -> Option<GitOps> {
    let argo = annotation(meta, "argocd.argoproj.io/tracking-id").is_some()
        || label(meta, "argocd.argoproj.io/instance").is_some()
        || writes(meta, "argocd-controller");
    let flux = |mark: &str, manager: &str| label(meta, mark).is_some() || writes(meta, manager);
    if argo {
        Some(GitOps::ArgoCd)
    } else if flux("helm.toolkit.fluxcd.io/name", "helm-controller") {
        // A HelmRelease that a Kustomization applies bears only the former's mark on what it installs; were both
        // there, Helm would be the one that writes.
        Some(GitOps::FluxHelm)
    } else if flux("kustomize.toolkit.fluxcd.io/name", "kustomize-controller") {
        Some(GitOps::FluxKustomize)
    } else {
        None
    }
}

/// Controllers of rollouts, and how a Deployment that they drive can be told: by the prefix of a label or
/// annotation, or by the field manager under which they scale or pause it.
const DRIVERS: [(&str, Option<&str>, Option<&str>); 5] = [
    ("OpenKruise", Some("rollouts.kruise.io/"), None),
    ("Flagger", Some("flagger.app/"), Some("flagger")),
    ("Argo Rollouts", None, Some("rollouts-controller")),
    ("Knative", Some("serving.knative.dev/"), None),
    ("Operator Lifecycle Manager", Some("olm.owner"), None),
];

/// The controller that owns the rollout: `KIND/NAME` of a controller owner reference, else the name of a known
/// driver. Helm, which merely installs, is none.
pub fn owned_by(meta: &ObjectMeta, names: &mut Interner) -> Option<Name> {
    if let Some(owner) = any_controller(meta) {
        return Some(names.word(&format!("{}/{}", owner.kind, owner.name)));
    }
    let driver = DRIVERS.iter().find(|(_, mark, manager)| {
        mark.is_some_and(|mark| marked(meta, mark)) || manager.is_some_and(|manager| writes(meta, manager))
    });
    driver.map(|(name, _, _)| names.name(name))
}

fn marked(meta: &ObjectMeta, prefix: &str) -> bool {
    let keys = meta.labels.iter().chain(&meta.annotations).flat_map(|map| map.keys());
    keys.into_iter().any(|key| key.starts_with(prefix))
}

/// A field manager of that name has written to the object itself, not only to its status.
fn writes(meta: &ObjectMeta, manager: &str) -> bool {
    let mut entries = meta.managed_fields.iter().flatten();
    entries.any(|entry| entry.manager.as_deref() == Some(manager) && entry.subresource.as_deref() != Some("status"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::slim::SlimDeployment;

    fn meta(metadata: &Value) -> ObjectMeta {
        serde_json::from_value::<SlimDeployment>(json!({"metadata": metadata})).unwrap().metadata
    }

    #[rstest]
    #[case(json!({"annotations": {"argocd.argoproj.io/tracking-id": "web:apps/Deployment:shop/web"}}), Some(GitOps::ArgoCd))]
    #[case(
        json!({"labels": {"app.kubernetes.io/instance": "web"}, "managedFields": [{"manager": "argocd-controller"}]}),
        Some(GitOps::ArgoCd)
    )]
    #[case(json!({"labels": {"app.kubernetes.io/instance": "web"}, "managedFields": [{"manager": "helm"}]}), None)]
    #[case(json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}), Some(GitOps::FluxKustomize))]
    #[case(json!({"labels": {"helm.toolkit.fluxcd.io/name": "web"}}), Some(GitOps::FluxHelm))]
    #[case(json!({"managedFields": [{"manager": "kustomize-controller", "operation": "Apply"}]}), Some(GitOps::FluxKustomize))]
    #[case(json!({"managedFields": [{"manager": "helm-controller", "operation": "Update"}]}), Some(GitOps::FluxHelm))]
    #[case(json!({"managedFields": [{"manager": "helm-controller", "subresource": "status"}]}), None)]
    #[case(json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}}), None)]
    fn gitops_tools_are_told_by_their_marks(#[case] metadata: Value, #[case] expected: Option<GitOps>) {
        assert_eq!(gitops(&meta(&metadata)), expected);
    }

    #[rstest]
    #[case(json!({"ownerReferences": [{"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "web", "uid": "1", "controller": true}]}), Some("Canary/web"))]
    #[case(json!({"ownerReferences": [{"kind": "App", "name": "web", "uid": "1"}]}), None)]
    #[case(json!({"annotations": {"rollouts.kruise.io/in-progressing": "{}"}}), Some("OpenKruise"))]
    #[case(json!({"labels": {"serving.knative.dev/revision": "web-1"}}), Some("Knative"))]
    #[case(json!({"managedFields": [{"manager": "rollouts-controller"}]}), Some("Argo Rollouts"))]
    #[case(json!({"managedFields": [{"manager": "flagger"}]}), Some("Flagger"))]
    #[case(json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {"meta.helm.sh/release-name": "web"}, "managedFields": [{"manager": "helm"}]}), None)]
    fn other_owners_of_the_rollout_are_told(#[case] metadata: Value, #[case] expected: Option<&str>) {
        assert_eq!(owned_by(&meta(&metadata), &mut Interner::default()).as_deref(), expected);
    }
}
