//! The operator dies after each write of a freeze in turn. The rollout had completed, so that there are three to
//! workloads: the baseline's template, the pause, the scale. Whatever is left behind, the next process goes on from there.

use backstay::api::Incident;
use backstay::engine::decision::Progress;
use backstay::engine::words::ActionKind;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use serde_json::json;

use crate::support::audit::lines;
use crate::support::operator::{Operator, Setup};
use crate::support::place::{self, Place, deployment};
use crate::support::proxy::{Proxy, Strike};
use crate::support::wait::show;

/// The incident, the template, the pause, the scale, the status, the Event; others may come between.
const WRITES: usize = 6;

#[tokio::test]
async fn killed_after_each_write_of_a_freeze_in_turn() {
    for at in 1.. {
        assert!(at < 20, "a freeze has a bounded number of writes");
        let mut struck = false;
        place::run(&format!("freeze-killed-{at}"), async |place| struck = one_freeze(&place, at).await).await;
        if !struck {
            assert!(at > WRITES, "a freeze has {WRITES} writes or more, not {}", at - 1);
            return;
        }
    }
}

/// Gives whether the operator was killed.
async fn one_freeze(place: &Place, at: usize) -> bool {
    let proxy = Proxy::start(place.client.clone()).await;
    let setup = Setup::new(&place.namespace, "operator-0");
    let first = Operator::start(setup.clone().through(&proxy.kubeconfig().await));
    let freezes = json!([{"name": "freeze", "match": {"failures": ["CrashLoopBackOff"]}, "action": "Freeze"}]);
    place.govern_by(freezes).await;
    place.settle("web").await;
    // All come up together and are ready for a while, so that the rollout is over before the first of them exits.
    let mut failing = deployment("web", "ready-then-crash");
    failing["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": "100%"}});
    failing["spec"]["template"]["metadata"]["annotations"]["sim.backstay.dev/after"] = json!("3s");
    proxy.arm(first.pid(), at, Strike::KillAfter);
    place.ship_object(&failing).await;
    let over = tokio::select! {
        biased;
        _ = first.ended() => false,
        _ = frozen(place) => true,
    };
    // A container that is started again keeps its pod's name, and with it its standing in the lease.
    let last = if over { first } else { Operator::start(setup) };
    let incident = frozen(place).await;
    holds_once(place, &incident).await;
    eprintln!("faults: writes: {:#?}", proxy.writes());
    let struck = proxy.struck();
    // Where the last writes come after the freeze is in force, the strike hits the first process even now.
    drop(last);
    struck
}

/// A freeze that is in force, and told.
async fn frozen(place: &Place) -> Incident {
    place
        .incident("web", "a freeze in force", |i| {
            let status = i.status.as_ref()?;
            (status.progress == Some(Progress::Frozen) && status.actions.iter().any(|a| a.kind == ActionKind::Freeze))
                .then(|| i.clone())
        })
        .await
}

/// The baseline runs paused, alone and at full strength; no write was carried out twice.
async fn holds_once(place: &Place, incident: &Incident) {
    place
        .until::<Deployment, _>("web", "the baseline at full strength, paused", |d| {
            let status = d.status.as_ref()?;
            let runs = status.available_replicas >= Some(2) && status.replicas == Some(2);
            (d.spec.paused == Some(true) && runs).then_some(())
        })
        .await;
    let mut writes = place.operator_writes().await;
    writes.retain(|w| w.accepted() && (w.resource == "deployments" || w.resource == "replicasets/scale"));
    let told: Vec<&str> = writes
        .iter()
        .map(|w| match w.body.to_string() {
            body if body.contains("\"/spec/template\"") => "template",
            body if body.contains("/spec/paused") => "pause",
            _ => "scale",
        })
        .collect();
    // While nobody was there the Deployment controller may have taken the failing pods away itself.
    let all = ["template", "pause", "scale"];
    assert!(told == all || told == all[..2], "each once and in this order, but saw:{}", lines(&writes));
    let failing = &incident.spec.opened.failing.name;
    place
        .until::<ReplicaSet, _>(failing, "nothing left of the failing revision", |s| {
            (s.spec.replicas == Some(0) && s.status.as_ref()?.replicas == 0).then_some(())
        })
        .await;
    assert_eq!(place.incidents().await.len(), 1, "there is one incident");
    let kinds: Vec<ActionKind> = incident.status.as_ref().unwrap().actions.iter().map(|a| a.kind).collect();
    let both = [ActionKind::RollBack, ActionKind::Freeze];
    assert_eq!(kinds, both, "the incident tells of both halves, once: {}", show(incident));
    assert!(place.events("Frozen").await.len() <= 1, "one Event at most");
}
