use rstest::rstest;
use serde_json::{Value, json};

use super::author::author;
use super::template::between;
use crate::engine::words::Aspect;

fn template(container: Value) -> Value {
    let mut web = json!({
        "name": "web", "image": "registry:5000/shop/web:1.0",
        "command": ["serve"], "args": ["--port", "8080"],
        "env": [{"name": "LEVEL", "value": "info"}, {"name": "DATABASE_PASSWORD", "value": "hunter2"}],
        "envFrom": [{"configMapRef": {"name": "settings"}}],
        "resources": {"limits": {"memory": "128Mi"}, "requests": {"cpu": "100m"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5},
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "securityContext": {"runAsUser": 1000, "capabilities": {"drop": ["ALL"]}},
        "terminationMessagePath": "/dev/termination-log",
    });
    json_patch::merge(&mut web, &container);
    json!({
        "metadata": {"labels": {"app": "web", "pod-template-hash": "59"}},
        "spec": {
            "containers": [web],
            "volumes": [{"name": "data", "emptyDir": {}}],
            "serviceAccountName": "web", "serviceAccount": "web",
            "restartPolicy": "Always",
        },
    })
}

fn said(old: &Value, new: &Value) -> Vec<String> {
    let all = between(old, new).changes;
    all.iter().map(|c| format!("{}: {}: {}", c.aspect.unwrap(), c.subject, c.text)).collect()
}

#[rstest]
#[case(json!({"image": "registry:5000/shop/web:2.0"}), "Image: container web: image registry:5000/shop/web: 1.0 → 2.0")]
#[case(json!({"image": "registry:5000/shop/web"}), "Image: container web: image registry:5000/shop/web: 1.0 → no tag")]
#[case(json!({"image": "other/web:1.0"}), "Image: container web: image registry:5000/shop/web:1.0 → other/web:1.0")]
#[case(json!({"imagePullPolicy": "Always"}), "Image: container web: imagePullPolicy added")]
#[case(json!({"args": ["--port", "9090"]}), "Command: container web: args --port 8080 → --port 9090")]
#[case(
    json!({"env": [{"name": "LEVEL", "value": "debug"}, {"name": "DATABASE_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]}),
    "Environment: container web: env changed: DATABASE_PASSWORD (a value → Secret db key password), LEVEL"
)]
#[case(json!({"env": [{"name": "LEVEL", "value": "info"}, {"name": "NEW", "value": "s3cr3t"}]}),
    "Environment: container web: env added: NEW, env removed: DATABASE_PASSWORD")]
#[case(json!({"env": [{"name": "DATABASE_PASSWORD", "value": "hunter2"}, {"name": "LEVEL", "value": "info"}]}),
    "Environment: container web: env in another order")]
#[case(json!({"envFrom": [{"configMapRef": {"name": "settings-2"}}]}),
    "Environment: container web: env source added: ConfigMap settings-2, env source removed: ConfigMap settings")]
#[case(json!({"resources": {"limits": {"memory": "64Mi"}}}), "Resources: container web: limits.memory 128Mi → 64Mi")]
#[case(json!({"resources": {"limits": {"memory": null, "cpu": "1"}}}),
    "Resources: container web: limits.cpu unset → 1, limits.memory 128Mi → unset")]
#[case(json!({"resources": null}), "Resources: container web: limits.memory 128Mi → unset, requests.cpu 100m → unset")]
#[case(json!({"resources": {"limits": null, "requests": {"memory": "1Gi"}}}),
    "Resources: container web: limits.memory 128Mi → unset, requests.memory unset → 1Gi")]
#[case(json!({"readinessProbe": {"httpGet": {"port": 8081}, "periodSeconds": 1}}),
    "Probes: container web: readinessProbe httpGet.port 8080 → 8081, periodSeconds 5 → 1")]
#[case(json!({"readinessProbe": {"httpGet": {"path": "/healthz"}}}),
    "Probes: container web: readinessProbe httpGet.path /ready → /healthz")]
#[case(json!({"readinessProbe": null}), "Probes: container web: readinessProbe removed")]
#[case(json!({"livenessProbe": {"tcpSocket": {"port": 1}}}), "Probes: container web: livenessProbe added")]
#[case(json!({"ports": [{"containerPort": 8080, "protocol": "TCP", "hostPort": 80}]}),
    "Ports: container web: port added: 8080/TCP on host port 80, port removed: 8080/TCP")]
#[case(json!({"volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": true}]}),
    "Volumes: container web: mount added: /data of volume data read-only, mount removed: /data of volume data")]
#[case(json!({"securityContext": {"runAsUser": 0, "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}}),
    "Security: container web: securityContext capabilities.add unset → NET_ADMIN, runAsUser 1000 → 0")]
fn a_container_differs_in_words(#[case] patch: Value, #[case] expected: &str) {
    assert_eq!(said(&template(json!({})), &template(patch)), [expected]);
}

#[test]
fn values_of_variables_and_headers_are_never_told() {
    let probe = |value: &str| {
        json!({"readinessProbe": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": value}]}},
               "env": [{"name": "DATABASE_PASSWORD", "value": value}]})
    };
    let said = said(&template(probe("hunter2")), &template(probe("tr0ub4dor"))).join("\n");
    assert!(said.contains("DATABASE_PASSWORD") && said.contains("httpHeaders.Authorization.value changed"), "{said}");
    assert!(!said.contains("hunter2") && !said.contains("tr0ub4dor"), "{said}");
}

#[test]
fn a_value_is_not_told_wherever_it_stands() {
    let mut moved = template(json!({}));
    moved["spec"]["value"] = json!("hunter2");
    assert_eq!(said(&template(json!({})), &moved), ["Other: pod: value changed"]);
}

#[rstest]
#[case(json!(["serve", "--password", "hunter2", "--port", "80"]), "serve --password *** --port 80")]
#[case(json!(["--db-password=hunter2", "--level=info"]), "--db-password=*** --level=info")]
#[case(json!(["sh", "-c", "export TOKEN=hunter2hunter2\nserve"]), "sh -c export TOKEN=*** serve")]
#[case(json!([format!("postgres://app:{}hunter2@db/shop", "x".repeat(80))]), "postgres://***@db/shop")]
#[case(json!(["--token", "--verbose"]), "--token --verbose")]
#[case(json!(["redis-server", "--requirepass", "a b", "--port", "1"]), "redis-server --requirepass *** --port 1")]
#[case(json!(["--requirepass=hunter2", "-Dpass=hunter2"]), "--requirepass=*** -Dpass=***")]
#[case(json!(["redis-cli", "-h", "db", "-a", "a\"b c", "ping"]), "redis-cli -h db -a *** ping")]
#[case(json!(["curl", "-s", "-u", "app:a b", "https://x"]), "curl -s -u *** https://x")]
#[case(json!(["sh", "-c", "redis-cli -a x ping && curl -u a:x y"]), "sh -c redis-cli -a *** ping && curl -u *** y")]
#[case(json!(["psql", "-p", "5432", "-a", "-u", "1000:1000"]), "psql -p 5432 -a -u 1000:1000")]
fn secrets_in_arguments_are_hidden(#[case] args: Value, #[case] expected: &str) {
    let said = said(&template(json!({"args": null})), &template(json!({"args": args})));
    assert_eq!(said, [format!("Command: container web: args unset → {expected}")]);
}

#[test]
fn a_digest_under_the_same_tag_is_told() {
    let image = |digest: &str| template(json!({"image": format!("web:1.0@sha256:{}", digest.repeat(64))}));
    let expected = "Image: container web: image web: another digest, 1.0@sha256:aaaaaaaaaaaa → 1.0@sha256:bbbbbbbbbbbb";
    assert_eq!(said(&image("a"), &image("b")), [expected]);
}

#[test]
fn the_pod_differs_in_words() {
    let old = template(json!({}));
    let mut new = old.clone();
    json_patch::merge(
        &mut new,
        &json!({
            "metadata": {"labels": {"tier": "front", "pod-template-hash": "6d"}, "annotations": {"checksum/config": "ab12"}},
            "spec": {
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "web"}}, {"name": "tmp", "emptyDir": {}}],
                "serviceAccountName": "other", "serviceAccount": "other",
                "nodeSelector": {"disk": "ssd"},
                "tolerations": [{"key": "gpu", "operator": "Exists"}],
                "initContainers": [{"name": "migrate", "image": "web:2.0"}],
                "hostNetwork": true,
            },
        }),
    );
    assert_eq!(
        said(&old, &new),
        [
            "InitContainers: init container migrate: added, image web:2.0",
            "Security: pod: hostNetwork unset → true",
            "Scheduling: pod: nodeSelector unset → disk=ssd",
            "ServiceAccount: pod: serviceAccountName web → other",
            "Scheduling: pod: tolerations unset → key=gpu,operator=Exists",
            "Volumes: volume data: persistentVolumeClaim unset → claimName=web",
            "Volumes: volume tmp: added (emptyDir)",
            "Metadata: pod: label tier unset → front",
            "Metadata: pod: annotation checksum/config added",
        ]
    );
}

#[test]
fn containers_that_come_go_or_move_are_told() {
    let container = |name: &str| json!({"name": name, "image": "a:1"});
    let of = |names: &[&str]| json!({"spec": {"containers": names.iter().map(|n| container(n)).collect::<Vec<_>>()}});
    assert_eq!(
        said(&of(&["web", "log"]), &of(&["web", "proxy"])),
        ["Containers: container proxy: added, image a:1", "Containers: container log: removed, image a:1"]
    );
    let moved = said(&of(&["web", "log"]), &of(&["log", "web"]));
    assert_eq!(moved, ["Containers: containers: in another order: web, log → log, web"]);
}

#[test]
fn a_restart_is_told_apart_from_a_change() {
    let old = template(json!({}));
    let mut new = old.clone();
    new["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/restartedAt": "2026-03-02T03:00:00Z"});
    let difference = between(&old, &new);
    assert!(difference.restart_only);
    assert_eq!(difference.changes[0].at, "2026-03-02T03:00:00Z".parse().ok());
    new["spec"]["hostNetwork"] = json!(true);
    assert!(!between(&old, &new).restart_only);
    assert!(!between(&old, &old).restart_only);
}

#[test]
fn what_the_api_server_takes_for_equal_is_no_difference() {
    let old = template(json!({"env": [], "lifecycle": null}));
    let mut new = template(json!({"env": null, "securityContext": {"capabilities": {"add": []}}}));
    new["metadata"]["annotations"] = json!({});
    new["spec"]["tolerations"] = json!([]);
    assert_eq!(said(&old, &new), Vec::<String>::new());
}

#[test]
fn the_words_are_bounded() {
    let many: Vec<Value> = (0..500).map(|n| json!({"name": format!("V{n}{}", "ü".repeat(90)), "value": "x"})).collect();
    let containers: Vec<Value> =
        (0..100).map(|n| json!({"name": format!("c{n}"), "image": "x".repeat(5000)})).collect();
    let mut new = template(json!({"env": many, "args": ["a".repeat(9000)]}));
    new["spec"]["containers"].as_array_mut().unwrap().extend(containers);
    let difference = between(&template(json!({})), &new);
    assert_eq!(difference.changes.len(), super::MAX_TEMPLATE_CHANGES);
    assert!(difference.omitted > 70);
    assert!(difference.changes.iter().all(|c| c.text.len() <= super::MAX_TEXT));
}

#[test]
fn nonsense_is_compared_without_a_panic() {
    for (old, new) in [
        (json!(null), json!(1)),
        (json!({"spec": [1]}), json!({"spec": {"containers": {"a": 1}, "volumes": "x"}})),
        (json!({"spec": {"containers": [1, null]}}), json!({"spec": {"containers": [{"env": 3, "image": []}]}})),
        (json!({"metadata": {"labels": 1, "annotations": []}}), json!({"metadata": "x"})),
    ] {
        let _ = (between(&old, &new), between(&new, &old), author(&old, "backstay"));
    }
}

#[test]
fn the_author_is_who_last_wrote_the_template() {
    let entry = |manager: &str, at: &str, fields: Value| json!({"manager": manager, "operation": "Update", "time": at, "fieldsV1": fields});
    let template = json!({"f:spec": {"f:template": {}}});
    let metadata = json!({
        "annotations": {
            "kubernetes.io/change-cause": "kubectl set env deployment/web DB_PASSWORD=hunter2",
            "meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop",
            "argocd.argoproj.io/tracking-id": "shop-web:apps/Deployment:shop/web",
        },
        "labels": {"helm.sh/chart": "web-1.2.3", "kustomize.toolkit.fluxcd.io/name": "apps",
                   "kustomize.toolkit.fluxcd.io/namespace": "flux-system"},
        "managedFields": [
            entry("helm", "2026-03-01T00:00:00Z", template.clone()),
            entry("kubectl-set", "2026-03-02T00:00:00Z", template.clone()),
            entry("kube-controller-manager", "2026-03-03T00:00:00Z", json!({"f:status": {}})),
            entry("hpa", "2026-03-03T00:00:00Z", json!({"f:spec": {"f:replicas": {}}})),
            entry("backstay", "2026-03-04T00:00:00Z", template),
        ],
    });
    let author = author(&metadata, "backstay");
    assert_eq!(author.manager.as_deref(), Some("kubectl-set"));
    assert_eq!(author.at, "2026-03-02T00:00:00Z".parse().ok());
    assert_eq!(author.cause.as_deref(), Some("kubectl set env deployment/web DB_PASSWORD=***"));
    let through = [
        "Helm release web of shop, chart web-1.2.3",
        "Argo CD application shop-web",
        "Flux Kustomization flux-system/apps",
    ];
    assert_eq!(author.through, through);
}

#[test]
fn every_template_change_names_its_aspect() {
    let changes = between(&template(json!({})), &template(json!({"image": "a:2", "tty": true}))).changes;
    let aspects: Vec<Option<Aspect>> = changes.iter().map(|c| c.aspect).collect();
    assert_eq!(aspects, [Some(Aspect::Image), Some(Aspect::Command)]);
}

/// A template of one container.
fn runs(name: &str, image: &str, line: &str) -> Value {
    let args: Vec<&str> = line.split(' ').collect();
    json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": name, "image": image, "args": args}]}})
}

fn job(name: &str, image: &str, line: &str) -> Value {
    let pod = runs("job", image, line);
    json!({"metadata": {"name": name}, "spec": {"template": {"spec": pod["spec"]}},
           "status": {"startTime": "2026-03-02T03:00:00Z", "succeeded": 1}})
}

#[rstest]
#[case("python manage.py migrate", true)]
#[case("python manage.py migrate --check", false)]
#[case("python manage.py runserver", false)]
#[case("sh -c rails db:migrate && rails server", true)]
#[case("bundle exec rake db:migrate:status", false)]
#[case("alembic upgrade head", true)]
#[case("alembic current", false)]
#[case("/usr/local/bin/migrate -path /m -database postgres://x up", true)]
#[case("npx prisma migrate deploy", true)]
#[case("npx prisma migrate status", false)]
#[case("flyway -url=x migrate", true)]
#[case("flyway info", false)]
#[case("flyway info migrate", true)]
#[case("flyway validate migrate", true)]
#[case("liquibase --log-level info update", true)]
#[case("./wait db:5432 -- bin/rails db:prepare", true)]
#[case("manage.py migrate --check", false)]
#[case("dotnet ef database update", true)]
#[case("apt-get update", false)]
#[case("serve --up", false)]
fn a_migration_is_told_by_its_command(#[case] line: &str, #[case] expected: bool) {
    let found = super::migration::of_job(&job("task", "web:1", line), "web", &runs("web", "web:2", "serve"));
    assert_eq!(found.is_some(), expected, "{found:?}");
    // A container of the workload itself is told alike.
    let migrators = super::migration::of_templates(&runs("web", "web:1", line), &runs("web", "web:2", line));
    assert_eq!(!migrators.is_empty(), expected, "{migrators:?}");
}

#[rstest]
#[case("web-migrate", "web:1", true)]
#[case("web-migrations-7", "other", true)]
#[case("web-db-check-migrations", "web:1", false)]
#[case("web-emigrated", "web:1", false)]
#[case("web-task", "flyway/flyway:10", true)]
#[case("web-task", "web-migrator@sha256:aa", true)]
#[case("web-cleanup", "web:1", false)]
#[case::of_another_application("billing-migrate", "billing:1", false)]
#[case::with_a_name_that_only_begins_alike("website-migrate", "site:1", false)]
#[case::with_the_same_image("upgrade-migrate", "web:1", true)]
fn a_migration_is_told_by_its_names_and_belongs_to_a_workload(
    #[case] name: &str,
    #[case] image: &str,
    #[case] expected: bool,
) {
    let found = super::migration::of_job(&job(name, image, "run"), "web", &runs("web", "web:2", "serve"));
    assert_eq!(found.is_some(), expected, "{found:?}");
}

#[rstest]
#[case("info migrate", true)]
#[case("-connectRetries=60 migrate", true)]
#[case("validate", false)]
fn arguments_are_those_of_the_program_that_the_image_is_named_after(#[case] line: &str, #[case] expected: bool) {
    let found =
        super::migration::of_job(&job("web-task", "flyway/flyway:10", line), "web", &runs("web", "web:2", "serve"));
    assert_eq!(found.is_some(), expected, "{found:?}");
}

#[test]
fn a_job_that_has_not_run_migrated_nothing() {
    let mut suspended = job("web-migrate", "web:1", "run");
    suspended["status"] = json!({});
    assert_eq!(super::migration::of_job(&suspended, "web", &runs("web", "web:2", "serve")), None);
}

#[test]
fn what_a_template_names_is_found_wherever_it_stands() {
    use super::references::{Need, of_template};
    let template = json!({"spec": {
        "serviceAccountName": "web", "priorityClassName": "high",
        "imagePullSecrets": [{"name": "hub"}],
        "containers": [{
            "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "k", "optional": true}}},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "b", "key": "k"}}}],
            "envFrom": [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "c", "optional": true}}],
        }],
        "initContainers": [{"envFrom": [{"configMapRef": {"name": "i"}}]}],
        "volumes": [
            {"name": "1", "configMap": {"name": "d", "optional": true}}, {"name": "2", "secret": {"secretName": "e"}},
            {"name": "3", "persistentVolumeClaim": {"claimName": "f"}},
            {"name": "4", "projected": {"sources": [{"configMap": {"name": "g"}}, {"secret": {"name": "h"}}]}},
            {"name": "5", "configMap": {"name": "../escape"}},
        ],
    }});
    let found: Vec<String> = of_template(&template)
        .into_iter()
        .map(|(reference, need)| format!("{reference}{}", if need == Need::Optional { "?" } else { "" }))
        .collect();
    assert_eq!(
        found,
        [
            "ConfigMap a",
            "ConfigMap d?",
            "ConfigMap g",
            "ConfigMap i",
            "Secret b",
            "Secret c?",
            "Secret e",
            "Secret h",
            "Secret hub?",
            "ServiceAccount web",
            "PersistentVolumeClaim f",
            "PriorityClass high"
        ]
    );
    let plain = json!({"spec": {"serviceAccountName": "default", "priorityClassName": "system-node-critical"}});
    assert!(of_template(&plain).is_empty());
}
