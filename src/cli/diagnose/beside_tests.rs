//! What is told of others beside a workload in trouble: routes and callers, autoscalers, and who was rolled out or fails
//! too.

use super::*;
use crate::engine::blast_radius::BlastRadius;

fn blast(answer: &Answer) -> &BlastRadius {
    &found(answer, "web").story.as_ref().unwrap().blast_radius
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
