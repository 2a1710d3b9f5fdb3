//! The objects besides the rights: pods, their protection, the admission policies and the resource definitions.

use serde_json::{Value, json};

use crate::render::{NAMESPACE, list, names, render, render_as, text};

/// The restricted profile of Pod Security, as far as the chart's pods come near its controls.
/// Source: kubernetes.io/docs/concepts/security/pod-security-standards
fn assert_restricted(pod: &Value) {
    let security = &pod["securityContext"];
    assert_eq!(security["runAsNonRoot"], true);
    assert_eq!(security["runAsUser"], 65532);
    assert_eq!(security["seccompProfile"], json!({"type": "RuntimeDefault"}));
    for field in ["hostNetwork", "hostPID", "hostIPC", "volumes", "initContainers"] {
        assert!(pod[field].is_null(), "{field}");
    }
    for container in pod["containers"].as_array().unwrap() {
        let security = &container["securityContext"];
        assert_eq!(security["allowPrivilegeEscalation"], false);
        assert_eq!(security["readOnlyRootFilesystem"], true);
        assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
        assert!(security["privileged"].is_null());
        assert!(container["ports"].as_array().into_iter().flatten().all(|port| port["hostPort"].is_null()));
        assert!(container["resources"]["limits"]["memory"].is_string());
        assert!(container["resources"]["requests"]["cpu"].is_string());
    }
}

fn has_labels(object: &Value, labels: &Value) -> bool {
    labels.as_object().unwrap().iter().all(|(key, value)| &object["metadata"]["labels"][key] == value)
}

#[test]
fn pods_fit_the_restricted_profile() {
    let rendered = render(&[]);
    assert_restricted(&rendered.only("Deployment")["spec"]["template"]["spec"]);
    assert_restricted(&rendered.only("Pod")["spec"]);
    assert_restricted(&rendered.only("Job")["spec"]["template"]["spec"]);
}

#[test]
fn the_deployment_survives_the_loss_of_a_pod() {
    let rendered = render(&[]);
    let deployment = rendered.only("Deployment");
    assert_eq!(deployment["spec"]["replicas"], 2);
    assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 1);
    let template = &deployment["spec"]["template"];
    let pod = &template["spec"];
    assert_eq!(pod["topologySpreadConstraints"][0]["labelSelector"], deployment["spec"]["selector"]);
    let container = &pod["containers"][0];
    assert_eq!(container["livenessProbe"]["httpGet"], json!({"path": "/livez", "port": "metrics"}));
    assert_eq!(container["readinessProbe"]["httpGet"], json!({"path": "/readyz", "port": "metrics"}));
    let budget = rendered.only("PodDisruptionBudget");
    assert_eq!(budget["spec"]["selector"], deployment["spec"]["selector"]);
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    for (selector, object) in [
        (&deployment["spec"]["selector"]["matchLabels"], "the Deployment"),
        (&rendered.only("Service")["spec"]["selector"], "the Service"),
    ] {
        assert!(has_labels(template, selector), "{object} must select the operator's pods");
        assert!(!has_labels(rendered.only("Pod"), selector), "{object} must not select the test's pod");
    }
}

/// Without Backstay nobody would say that a workload is frozen.
#[test]
fn an_uninstallation_first_asks_what_is_frozen() {
    let asks = |settings: &[&str]| {
        let rendered = render(settings);
        let job = rendered.only("Job");
        assert_eq!(job["metadata"]["annotations"]["helm.sh/hook"], "pre-delete");
        assert_eq!(job["spec"]["backoffLimit"], 0, "the first answer counts");
        let pod = &job["spec"]["template"];
        assert!(has_labels(pod, &rendered.only("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]));
        assert!(!has_labels(pod, &rendered.only("Service")["spec"]["selector"]));
        list(&pod["spec"]["containers"][0]["args"]).join(" ")
    };
    assert_eq!(asks(&[]), "frozen --all-namespaces");
    let asked = asks(&["rbac.scope=namespaced", "rbac.namespaces={shop,billing}"]);
    assert_eq!(asked, "frozen --namespace=shop --namespace=billing");
    assert!(render(&["uninstall.refuseWhileFrozen=false"]).of_kind("Job").is_empty());
}

#[test]
fn the_collectors_port_is_opened_and_the_lease_named() {
    for (endpoint, port) in
        [("http://traces.obs:4318", 4318), ("http://traces.obs", 80), ("https://traces.obs/v1", 443)]
    {
        let rendered = render(&[&format!("otlp.endpoint={endpoint}")]);
        let egress = &rendered.only("NetworkPolicy")["spec"]["egress"][2];
        assert_eq!(*egress, json!({"ports": [{"port": port, "protocol": "TCP"}]}), "{endpoint}");
    }
    let rendered = render(&["leaderElection.leaseName=other"]);
    let lease = rendered.of_kind("Role").into_iter().find(|role| role["metadata"]["name"] == "backstay-lease").unwrap();
    assert_eq!(lease["rules"][1]["resourceNames"], json!(["other"]));
}

#[test]
fn the_image_is_named_by_digest_before_tag() {
    let image = |settings: &[&str]| {
        let rendered = render(settings);
        let tested = text(&rendered.only("Pod")["spec"]["containers"][0]["image"]);
        let run = text(&rendered.only("Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]);
        assert_eq!(tested, run, "helm test runs the image that is installed");
        run
    };
    assert_eq!(image(&[]), format!("backstay/backstay:{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(image(&["image.repository=localhost:5000/backstay", "image.tag=test"]), "localhost:5000/backstay:test");
    let digest = format!("sha256:{}", "ab".repeat(32));
    let set = format!("image.digest={digest}");
    assert_eq!(image(&[&set, "image.tag=test"]), format!("backstay/backstay@{digest}"));
}

#[test]
fn the_network_policy_denies_all_but_what_is_listed() {
    let rendered = render(&[]);
    let spec = &rendered.only("NetworkPolicy")["spec"];
    assert_eq!(list(&spec["policyTypes"]), ["Ingress", "Egress"]);
    assert_eq!(spec["ingress"], json!([{"ports": [{"port": 8080, "protocol": "TCP"}]}]));
    let dns = json!({"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]});
    let api = json!({"ports": [{"port": 443, "protocol": "TCP"}, {"port": 6443, "protocol": "TCP"}]});
    assert_eq!(spec["egress"], json!([dns, api]));
    let selector = &spec["podSelector"]["matchLabels"];
    assert!(has_labels(&rendered.only("Deployment")["spec"]["template"], selector));
    assert!(has_labels(rendered.only("Pod"), selector), "helm test needs the API server");
    assert!(render(&["networkPolicy.enabled=false"]).of_kind("NetworkPolicy").is_empty());
}

#[test]
fn the_guard_is_about_the_account_that_the_pods_use() {
    let rendered = render(&["serviceAccount.name=stabiliser"]);
    let account = text(&rendered.only("Deployment")["spec"]["template"]["spec"]["serviceAccountName"]);
    assert_eq!(account, "stabiliser");
    let policies = rendered.of_kind("ValidatingAdmissionPolicy");
    assert_eq!(names(&policies), ["backstay-approvals", "backstay-guard-deployments", "backstay-guard-replicasets"]);
    for policy in &policies {
        assert_eq!(policy["spec"]["failurePolicy"], "Fail");
        let condition = &policy["spec"]["matchConditions"][0];
        if condition["name"] == "backstay" {
            let user = format!("request.userInfo.username == 'system:serviceaccount:{NAMESPACE}:stabiliser'");
            assert_eq!(text(&condition["expression"]), user);
        }
    }
    let bindings = rendered.of_kind("ValidatingAdmissionPolicyBinding");
    assert_eq!(names(&bindings), names(&policies));
    for binding in bindings {
        assert_eq!(binding["spec"]["policyName"], binding["metadata"]["name"]);
        assert_eq!(list(&binding["spec"]["validationActions"]), ["Deny", "Audit"]);
    }
}

#[test]
fn the_guard_follows_its_values() {
    let guards = |settings: &[&str]| {
        let policies = render(settings);
        names(&policies.of_kind("ValidatingAdmissionPolicy")).join(" ")
    };
    assert_eq!(guards(&["mode=observe"]), "backstay-approvals");
    assert_eq!(guards(&["admissionGuard.enabled=false"]), "backstay-approvals");
    assert!(!guards(&["approvals.enforce=false"]).contains("approvals"));
    let expression = |settings: &[&str], part: &str| {
        let rendered = render(settings);
        rendered.of_kind("ValidatingAdmissionPolicy").iter().any(|policy| policy.to_string().contains(part))
    };
    assert!(expression(&[], "!(request.namespace in ['kube-system'])"));
    assert!(!expression(&["admissionGuard.protectedNamespaces=null"], "request.namespace in"));
    assert!(!expression(&[], "serviceAccountName"));
    assert!(expression(&["admissionGuard.allowServiceAccountChange=false"], "serviceAccountName"));
}

#[test]
fn releases_of_one_name_in_two_namespaces_do_not_collide() {
    let cluster_wide = |namespace: &str| {
        let rendered = render_as(("backstay", namespace), &["rbac.scope=namespaced", "crds.enabled=false"]);
        let wide = rendered.objects.iter().filter(|object| object["metadata"]["namespace"].is_null());
        wide.map(|object| format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"])))
            .collect::<Vec<_>>()
    };
    let (first, second) = (cluster_wide("team-a"), cluster_wide("team-b"));
    assert!(!first.is_empty());
    assert!(first.iter().all(|name| !second.contains(name)), "{first:?} {second:?}");
}

#[test]
fn what_the_defaults_render() {
    let rendered = render(&["crds.enabled=false"]);
    insta::assert_snapshot!("defaults", rendered.text);
}
