//! What is told of others beside a workload in trouble: routes and callers, autoscalers, and who was rolled out or fails
//! too.

use super::*;
use crate::engine::blast_radius::BlastRadius;

fn blast(answer: &Answer) -> &BlastRadius {
    &found(answer, "web").story.as_ref().unwrap().blast_radius
}

fn changes(answer: &Answer) -> Vec<String> {
    let changes = &found(answer, "web").story.as_ref().unwrap().what_changed.changes;
    changes.iter().map(|change| format!("{}: {}", change.subject, change.text)).collect()
}

#[test]
fn hosts_of_routes_that_lead_to_it_are_told() {
    let route = |place: &str, name: &str, backend: Value, hosts: Value| {
        let spec = json!({"hostnames": hosts, "rules": [{"backendRefs": [backend]}]});
        let mut route = object("gateway.networking.k8s.io/v1", "HTTPRoute", name, json!({"spec": spec}));
        route["metadata"]["namespace"] = json!(place);
        route
    };
    let [service, slice] = service(true);
    let answer = crashing_with(&[
        service,
        slice,
        route("shop", "edge", json!({"name": "web", "port": 80}), json!(["www.example.com", "shop.example.com"])),
        route("shop", "open", json!({"kind": "Service", "name": "web"}), Value::Null),
        route("shop", "bucket", json!({"kind": "Bucket", "name": "web"}), json!(["bucket.example.com"])),
        route("shop", "other", json!({"name": "other"}), json!(["other.example.com"])),
        route("bank", "far", json!({"name": "web", "namespace": "shop"}), json!(["bank.example.com"])),
        route("bank", "own", json!({"name": "web"}), json!(["own.example.com"])),
    ]);
    let expected = [
        "bank.example.com (HTTPRoute bank/far)",
        "shop.example.com (HTTPRoute edge)",
        "www.example.com (HTTPRoute edge)",
        "* (HTTPRoute open)",
    ];
    assert_eq!(blast(&answer).hosts, expected);
}

#[rstest]
#[case::rules("web", &["any/x (Ingress any)", "web.example.com (Ingress shop)"])]
#[case::a_default("old", &["any other host (Ingress shop)"])]
#[case::a_default_alone("all", &["* (Ingress all)"])]
#[case::a_default_behind_paths("rest", &["* (Ingress rest)", "pay.example.com (Ingress rest)"])]
fn hosts_that_lead_elsewhere_are_not_told(#[case] dead: &str, #[case] hosts: &[&str]) {
    let backend = |service: &str| json!({"service": {"name": service}});
    let rule = |host: &str, paths: &[(&str, &str)]| {
        let paths: Vec<Value> =
            paths.iter().map(|(path, service)| json!({"path": path, "backend": backend(service)})).collect();
        json!({"host": host, "http": {"paths": paths}})
    };
    let ingress = |name: &str, spec: Value| object("networking.k8s.io/v1", "Ingress", name, json!({"spec": spec}));
    let rules = [rule("web.example.com", &[("/", "web")]), rule("pay.example.com", &[("/", "pay")])];
    let [mut service, mut slice] = service(false);
    service["metadata"]["name"] = json!(dead);
    slice["metadata"]["labels"]["kubernetes.io/service-name"] = json!(dead);
    let answer = crashing_with(&[
        service,
        slice,
        ingress("shop", json!({"rules": rules, "defaultBackend": backend("old")})),
        ingress("all", json!({"defaultBackend": backend("all")})),
        ingress("any", json!({"rules": [rule("any", &[("/", "pay"), ("/x", "web")])]})),
        ingress(
            "rest",
            json!({"rules": [rule("", &[("/x", "rest")]), rule("pay.example.com", &[("/x", "pay")])],
            "defaultBackend": backend("rest")}),
        ),
    ]);
    let blast = blast(&answer);
    assert_eq!(blast.hosts, hosts);
    let count = if hosts.len() == 1 { "1 host leads".to_owned() } else { format!("{} hosts lead", hosts.len()) };
    assert_eq!(blast.because, format!("Service {dead} has no ready endpoint; {count} to it"));
}

#[test]
fn hosts_of_a_service_that_serves_do_not_suffer_with_another() {
    let ([web, slice], [mut admin, mut dead]) = (service(true), service(false));
    admin["metadata"]["name"] = json!("admin");
    dead["metadata"]["name"] = json!("admin-x");
    dead["metadata"]["labels"]["kubernetes.io/service-name"] = json!("admin");
    let rule = |host: &str, service: &str| json!({"host": host, "http": {"paths": [{"backend": {"service": {"name": service}}}]}});
    let rules = json!([rule("a.example.com", "web"), rule("b.example.com", "web"), rule("c.example.com", "admin")]);
    let ingress = object("networking.k8s.io/v1", "Ingress", "shop", json!({"spec": {"rules": rules}}));
    let answer = crashing_with(&[web, slice, admin, dead, ingress]);
    assert_eq!(blast(&answer).hosts.len(), 3, "all that lead to the workload");
    assert_eq!(blast(&answer).because, "Service admin has no ready endpoint; 1 host leads to it");
}

/// What names the Service of the workload, as a container of it.
fn calling(url: &str) -> Value {
    json!({"containers": [{"name": "c", "env": [{"name": "WEB_URL", "value": url}]}]})
}

fn maker(kind: &str, name: &str, status: Value) -> Value {
    let group = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    object(group, kind, name, json!({"spec": {"template": {"spec": calling("http://web:80")}}, "status": status}))
}

#[test]
fn whatever_calls_a_dead_service_is_told_while_it_runs() {
    let [service, slice] = service(false);
    let pod = |name: &str, phase: &str| {
        object("v1", "Pod", name, json!({"spec": calling("http://web:80"), "status": {"phase": phase}}))
    };
    let mut far = maker("DaemonSet", "far", json!({}));
    far["metadata"]["namespace"] = json!("bank");
    far["spec"]["template"]["spec"] = calling("http://web.shop:80");
    let mut scheduled = maker("Job", "report-1", json!({}));
    scheduled["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "batch/v1", "kind": "CronJob", "name": "report", "uid": "c-1", "controller": true}]);
    let answer = crashing_with(&[
        service,
        slice,
        maker("StatefulSet", "cart", json!({})),
        maker("DaemonSet", "watch", json!({})),
        far,
        object("batch/v1", "CronJob", "report", json!({"spec": {"jobTemplate": maker("Job", "", json!({}))}})),
        scheduled,
        maker("Job", "seed", json!({"conditions": [{"type": "Complete", "status": "False"}]})),
        maker("Job", "done", json!({"conditions": [{"type": "Complete", "status": "True"}]})),
        pod("probe", "Running"),
        pod("ended", "Succeeded"),
    ]);
    let dependents = &blast(&answer).dependents;
    let told: Vec<&str> = dependents.iter().map(|dependent| &*dependent.workload).collect();
    assert_eq!(
        told,
        ["StatefulSet cart", "DaemonSet bank/far", "DaemonSet watch", "CronJob report", "Job seed", "Pod probe"]
    );
    assert!(dependents.iter().all(|of| of.service == "web" && of.through == "env WEB_URL of container c"));
}

#[test]
fn where_callers_could_not_be_looked_for_is_named() {
    let [dead, alive] = [false, true].map(|ready| crashing_with(&service(ready)));
    let unseen = &blast(&dead).not_looked_at;
    for kind in ["statefulsets", "daemonsets", "cronjobs", "jobs"] {
        assert!(unseen.contains(&format!("{kind} (not in the input)")), "{kind}: {unseen:?}");
    }
    assert!(!unseen.iter().any(|gap| gap.starts_with("pods")), "pods were given: {unseen:?}");
    let alive = &blast(&alive).not_looked_at;
    assert!(!alive.iter().any(|gap| gap.starts_with("daemonsets")), "nobody calls in vain: {alive:?}");
}

#[rstest]
#[case::of_it("web", "2026-03-01T09:30:00Z", true)]
#[case::of_another("pay", "2026-03-01T09:30:00Z", false)]
#[case::long_ago("web", "2026-03-01T08:30:00Z", false)]
fn an_autoscaler_that_changed_lately_is_told(#[case] target: &str, #[case] at: &str, #[case] told: bool) {
    let spec = json!({"scaleTargetRef": {"kind": "Deployment", "name": target}, "minReplicas": 2, "maxReplicas": 4});
    let mut scaler = object("autoscaling/v2", "HorizontalPodAutoscaler", "web", json!({"spec": spec}));
    scaler["metadata"]["managedFields"] = json!([{"manager": "kubectl-edit", "operation": "Update",
        "apiVersion": "autoscaling/v2", "time": at, "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:minReplicas": {}}}}]);
    let answer = crashing_with(&[scaler]);
    let said = "HorizontalPodAutoscaler web: changed; it now asks for 2 to 4 replicas".to_owned();
    assert_eq!(changes(&answer).contains(&said), told, "{:?}", changes(&answer));
    let screen = shown(&answer, 100);
    assert_eq!(screen.contains("by kubectl-edit"), told, "{screen}");
}

#[rstest]
#[case::lately("2026-03-01T09:30:00Z", Some("Deployment pay: rolled out revision 2 (77)"))]
#[case::long_ago("2026-03-01T08:30:00Z", None)]
fn a_deployment_that_was_rolled_out_lately_is_told(#[case] at: &str, #[case] told: Option<&str>) {
    let template = |image: &str| json!({"spec": {"containers": [{"name": "pay", "image": image}]}});
    let revision = |number: &str, hash: &str, created: &str| {
        let rest = json!({"spec": {"replicas": 0, "template": template(number)}, "status": {"replicas": 0}});
        let mut set = object("apps/v1", "ReplicaSet", &format!("pay-{hash}"), rest);
        let owner =
            json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "pay", "uid": "d-2", "controller": true}]);
        let more = json!({"uid": format!("pay-{hash}"), "creationTimestamp": created, "ownerReferences": owner,
            "labels": {"pod-template-hash": hash}, "annotations": {"deployment.kubernetes.io/revision": number}});
        set["metadata"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        set
    };
    let mut pay = object("apps/v1", "Deployment", "pay", json!({"spec": {"replicas": 0, "template": template("2")}}));
    pay["metadata"]["uid"] = json!("d-2");
    // Of one that was not given there are pods alone, and those tell of no rollout.
    let mut pod = object("v1", "Pod", "cart-6d4cf56db6-x", json!({"spec": {"containers": [{"name": "cart"}]}}));
    pod["metadata"]["creationTimestamp"] = json!("2026-03-01T09:30:00Z");
    pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-6d4cf56db6", "uid": "r-9", "controller": true}]);
    let answer = crashing_with(&[pay, revision("1", "66", "2026-02-01T11:00:00Z"), revision("2", "77", at), pod]);
    let kinds: Vec<&str> = answer.workloads.iter().map(|found| &*found.case.snapshot.workload.kind).collect();
    assert_eq!(kinds, ["Deployment"; 3]);
    let changes = changes(&answer);
    let rollouts: Vec<&str> = changes.iter().filter(|c| c.contains("rolled out")).map(String::as_str).collect();
    assert_eq!(rollouts, told.into_iter().collect::<Vec<_>>());
}

/// The crashing rollout, all of whose templates name a ConfigMap, a Secret and a ServiceAccount.
fn needy() -> String {
    let sources = "envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: db}}]";
    let text = CRASHING.replace("terminationMessagePath:", &format!("{sources}, terminationMessagePath:"));
    let text =
        text.replace("    spec:\n      containers:", "    spec:\n      serviceAccountName: shop\n      containers:");
    assert!(text.matches(sources).count() == 3 && text.matches("serviceAccountName").count() == 3);
    text
}

#[rstest]
#[case::near("shop", &["ConfigMap settings", "Secret db", "ServiceAccount shop"])]
#[case::objects_of_one_name_in_two_namespaces_are_two("bank", &[])]
fn others_that_fail_and_name_the_same_objects_are_told(#[case] namespace: &str, #[case] shares: &[&str]) {
    let parts: Vec<String> = needy().split("---\n").map(str::to_owned).collect();
    let is_part = |part: &&String| {
        ["Deployment", "ReplicaSet", "Pod"].iter().any(|kind| part.contains(&format!("kind: {kind}\n")))
    };
    // Its twin is of other images, on another node.
    let twin = |part: &String| {
        let part = part.replace("web", "pay").replace("namespace: shop", &format!("namespace: {namespace}"));
        part.replace("uid: d-", "uid: pay-d-").replace("uid: r-", "uid: pay-r-").replace("nodeName: n1", "nodeName: n2")
    };
    let twins: Vec<String> = parts.iter().filter(is_part).map(twin).collect();
    assert_eq!(twins.len(), 6);
    // Of whatever namespace, templates of others are read once a Service is dead.
    let [service, slice] = service(false);
    let (parts, twins) = (parts.join("---\n"), twins.join("---\n"));
    let answer = answer(&format!("{parts}---\n{twins}\n---\n{service}\n---\n{slice}\n"));
    assert_eq!(state_of(&answer, "pay"), State::Failing);
    let told: Vec<(&str, Vec<&str>)> = (blast(&answer).also_failing.iter())
        .map(|kin| (&*kin.workload, kin.shares.iter().map(String::as_str).collect()))
        .collect();
    let expected = [("shop/pay", shares.to_vec())];
    assert_eq!(told, if shares.is_empty() { &[][..] } else { &expected });
}

#[rstest]
#[case::a_stateful_set("StatefulSet", true, &["Secret db"])]
#[case::a_daemon_set("DaemonSet", true, &["Secret db"])]
#[case::a_job("Job", true, &["Secret db"])]
#[case::a_pod_that_nobody_made("Pod", true, &["Secret db"])]
#[case::whose_template_was_not_given("StatefulSet", false, &[])]
fn whatever_else_fails_and_names_the_same_objects_is_told(
    #[case] kind: &str,
    #[case] given: bool,
    #[case] shares: &[&str],
) {
    let spec = json!({"nodeName": "n9", "containers": [{"name": "c", "image": "c:1", "envFrom": [{"secretRef": {"name": "db"}}]}]});
    let end = json!({"exitCode": 1, "reason": "Error", "startedAt": "2026-03-01T10:00:40Z", "finishedAt": "2026-03-01T10:00:41Z"});
    let crashing = json!({"phase": "Running", "containerStatuses": [{"name": "c", "ready": false, "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": end}}]});
    let alone = kind == "Pod";
    let mut pod =
        object("v1", "Pod", if alone { "other" } else { "other-0" }, json!({"spec": spec, "status": crashing}));
    if !alone {
        pod["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "apps/v1", "kind": kind, "name": "other", "uid": "s-1", "controller": true}]);
    }
    let group = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    let mut maker = object(group, kind, "other", json!({"spec": {"template": {"spec": spec}}}));
    maker["metadata"]["uid"] = json!("s-1");
    let more = [Some(pod), Some(maker).filter(|_| given && !alone)];
    let more: Vec<String> = more.iter().flatten().map(|object| format!("---\n{object}\n")).collect();
    let answer = answer(&format!("{}\n{}", needy(), more.join("")));
    assert_eq!(state_of(&answer, "other"), State::Failing);
    let told: Vec<_> =
        blast(&answer).also_failing.iter().map(|kin| (kin.workload.clone(), kin.shares.clone())).collect();
    let shares: Vec<String> = shares.iter().map(|name| (*name).to_owned()).collect();
    let expected = (!shares.is_empty()).then(|| (format!("{kind} shop/other"), shares));
    assert_eq!(told, expected.into_iter().collect::<Vec<_>>());
    let named = blast(&answer).not_looked_at.contains(&format!("{kind} other (not in the input)"));
    assert_eq!(named, !given, "{:?}", blast(&answer).not_looked_at);
}

#[rstest]
#[case::a_config_map("ConfigMap", "settings")]
#[case::a_secret("Secret", "db")]
fn what_is_missing_and_elsewhere_is_told_without_what_it_holds(#[case] kind: &str, #[case] name: &str) {
    let said = format!("{} \\\"{name}\\\" not found", kind.to_lowercase());
    let waiting = format!("{{reason: CreateContainerConfigError, message: \"{said}\"}}");
    let text =
        needy().replace("{reason: CrashLoopBackOff, message: back-off 20s restarting failed container}", &waiting);
    let other = |namespace: &str, kind: &str, name: &str| {
        let mut other = object("v1", kind, name, json!({"data": {"KEY": "aHVudGVyMg=="}}));
        other["metadata"]["namespace"] = json!(namespace);
        format!("---\n{other}\n")
    };
    let evidence = |more: &str| {
        let answer = answer(&format!("{text}\n{more}"));
        assert!(!shown(&answer, 200).contains("aHVudGVyMg"));
        let told = found(&answer, "web").diagnosis.findings[0].evidence.clone();
        let told = told.into_iter().filter(|evidence| evidence.source == format!("{}/{name}", kind.to_lowercase()));
        told.map(|evidence| evidence.text).collect::<Vec<_>>()
    };
    let elsewhere = [other("pay", kind, name), other("bank", kind, name), other("bank", kind, "other")].concat();
    assert_eq!(evidence(&elsewhere), ["not in namespace shop, but one of that name is in bank, pay"]);
    let unlike = [other("bank", "ServiceAccount", name), other("bank", kind, "another")].concat();
    assert!(evidence(&unlike).is_empty());
    assert!(evidence(&format!("{elsewhere}{}", other("shop", kind, name))).is_empty(), "it is there by now");
}

#[rstest]
#[case::into_neither(&[], None)]
#[case::into_both(&["web-59-", "web-6d-"], None)]
#[case::into_the_new(&["web-6d-"], Some("injected into the failing revision's pods, not the baseline's"))]
#[case::into_the_old(&["web-59-"], Some("injected into the baseline's pods, not the failing revision's"))]
fn what_a_webhook_put_into_pods_of_one_revision_is_told(#[case] into: &[&str], #[case] text: Option<&str>) {
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(CRASHING).unwrap();
    let is_hit = |object: &&mut Value| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        object["kind"] == "Pod" && into.iter().any(|start| name.starts_with(start))
    };
    for pod in objects.iter_mut().filter(is_hit) {
        pod["spec"]["containers"].as_array_mut().unwrap().push(json!({"name": "mesh"}));
        let running = json!({"name": "mesh", "ready": true, "started": true, "restartCount": 0,
            "state": {"running": {"startedAt": "2026-03-01T10:00:03Z"}}});
        pod["status"]["containerStatuses"].as_array_mut().unwrap().push(running);
    }
    let text = text.map(|text| format!("app container mesh: {text}"));
    let objects: Vec<String> = objects.iter().map(ToString::to_string).collect();
    let changes = changes(&answer(&objects.join("\n")));
    let injected: Vec<&String> = changes.iter().filter(|change| change.contains("injected")).collect();
    assert_eq!(injected, text.iter().collect::<Vec<_>>());
}
