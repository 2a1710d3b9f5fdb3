//! Who is woken by what is seen of Backstay's own kinds and of namespaces, and by what our own writes bring back.

use kube::Resource;
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::rig::{OWN, Rig, second};
use super::server::Server;
use crate::api::keys;
use crate::cluster::readable::Readable;
use crate::controller::own_streams::Governing;
use crate::controller::write;

const POLICY: &str = "/apis/backstay.dev/v1alpha1/namespaces/shop/incidentpolicies/web";
const OF_CLUSTER: &str = "/apis/backstay.dev/v1alpha1/clusterincidentpolicies/all";
const SHOP: &str = "/api/v1/namespaces/shop";

/// Two workloads in `shop` and one in `bank`, and nobody is awake.
async fn asleep() -> Rig {
    let mut rig = Rig::changed(|server| {
        second(server);
        for namespace in ["shop", "bank"] {
            server.put(&format!("/api/v1/namespaces/{namespace}"), json!({"metadata": {"name": namespace}}));
        }
        let mut web = server.get(super::rig::WEB).unwrap().clone();
        web["metadata"]["namespace"] = json!("bank");
        web["metadata"]["uid"] = json!("d-3");
        server.put(&super::rig::WEB.replace("shop", "bank"), web);
    })
    .await;
    rig.woken.drain();
    rig
}

fn woken(rig: &mut Rig) -> Vec<String> {
    let mut woken = rig.woken.drain();
    woken.sort();
    woken
}

/// The object as the API server has it now.
fn now<K>(rig: &Rig, path: &str) -> Readable<K>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    serde_json::from_value(rig.server().get(path).unwrap().clone()).unwrap()
}

/// Somebody changes it.
fn edit(rig: &Rig, path: &str, change: impl FnOnce(&mut Value)) {
    rig.server().edit(path, change);
}

#[tokio::test(start_paused = true)]
async fn a_listing_wakes_each_workload_once_when_it_is_complete() {
    let mut rig = asleep().await;
    let mut namespaces = Governing::namespaces(&rig.ctx);
    edit(&rig, SHOP, |shop| shop["metadata"]["labels"] = json!({"team": "shop"}));
    edit(&rig, &SHOP.replace("shop", "bank"), |bank| bank["metadata"]["labels"] = json!({"team": "bank"}));
    namespaces.take(Event::Init);
    namespaces.take(Event::InitApply(now(&rig, SHOP)));
    // The listing breaks off, and the next one shows nothing new of what was taken in before.
    namespaces.take(Event::Init);
    namespaces.take(Event::InitApply(now(&rig, SHOP)));
    namespaces.take(Event::InitApply(now(&rig, &SHOP.replace("shop", "bank"))));
    assert_eq!(woken(&mut rig), [""; 0], "there is more to come");
    namespaces.take(Event::InitDone);
    assert_eq!(woken(&mut rig), ["bank/web", "shop/api", "shop/web"]);
    namespaces.take(Event::Init);
    namespaces.take(Event::InitApply(now(&rig, SHOP)));
    namespaces.take(Event::InitDone);
    assert_eq!(woken(&mut rig), ["bank/web"], "its namespace is gone, and of the other there is nothing new");
}

#[tokio::test(start_paused = true)]
async fn of_a_namespace_only_its_labels_matter_and_only_to_what_is_in_it() {
    let mut rig = asleep().await;
    let mut namespaces = Governing::namespaces(&rig.ctx);
    edit(&rig, SHOP, |shop| shop["metadata"]["annotations"] = json!({"seen": "today"}));
    namespaces.take(Event::Apply(now(&rig, SHOP)));
    assert_eq!(woken(&mut rig), [""; 0]);
    edit(&rig, SHOP, |shop| shop["metadata"]["labels"] = json!({"team": "shop"}));
    namespaces.take(Event::Apply(now(&rig, SHOP)));
    assert_eq!(woken(&mut rig), ["shop/api", "shop/web"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_written_into_the_status_of_a_policy_wakes_nobody() {
    let mut rig = asleep().await;
    let mut policies = Governing::policies(&rig.ctx, String::new());
    let mut of_cluster = Governing::cluster_policies(&rig.ctx);
    for path in [POLICY, OF_CLUSTER] {
        edit(&rig, path, |policy| policy["status"] = json!({"workloads": 7}));
    }
    policies.take(Event::Apply(now(&rig, POLICY)));
    of_cluster.take(Event::Apply(now(&rig, OF_CLUSTER)));
    assert_eq!(woken(&mut rig), [""; 0]);
    for path in [POLICY, OF_CLUSTER] {
        edit(&rig, path, |policy| policy["spec"]["mode"] = json!("Observe"));
    }
    policies.take(Event::Apply(now(&rig, POLICY)));
    assert_eq!(woken(&mut rig), ["shop/api", "shop/web"], "it governs in its namespace");
    of_cluster.take(Event::Apply(now(&rig, OF_CLUSTER)));
    assert_eq!(woken(&mut rig), ["bank/web", "shop/api", "shop/web"]);
    // It is replaced by a namesake of the same generation, cannot be read any more, and is deleted.
    edit(&rig, POLICY, |policy| policy["metadata"]["uid"] = json!("another"));
    policies.take(Event::Apply(now(&rig, POLICY)));
    assert_eq!(woken(&mut rig), ["shop/api", "shop/web"]);
    edit(&rig, POLICY, |policy| policy["spec"]["rollout"] = json!({"stableSeconds": "soon"}));
    policies.take(Event::Apply(now(&rig, POLICY)));
    assert_eq!(woken(&mut rig), ["shop/api", "shop/web"]);
    policies.take(Event::Delete(now(&rig, POLICY)));
    assert_eq!(woken(&mut rig), ["shop/api", "shop/web"]);
}

fn approve(server: &mut Server, name: &str) {
    server.edit(&format!("{OWN}/incidents/{name}"), |incident| {
        incident["spec"]["approval"] = json!({"verdict": "Approve", "by": "somebody"});
    });
}

/// The watch brings what was approved only after our own write, and with it nothing newer.
#[tokio::test(start_paused = true)]
async fn a_word_that_comes_in_with_our_own_write_wakes_its_workload() {
    let mut rig = asleep().await;
    rig.settles().await;
    let incident = rig.incident();
    let (name, status) = (incident.metadata.name.clone().unwrap(), incident.status.clone().unwrap());
    write::incident_status(&rig.ctx, &incident, &status).await.unwrap();
    rig.woken.drain();
    write::incident_status(&rig.ctx, &incident, &status).await.unwrap();
    assert_eq!(woken(&mut rig), [""; 0], "nobody said anything");
    approve(&mut rig.server(), &name);
    let approved = now(&rig, &format!("{OWN}/incidents/{name}"));
    write::incident_status(&rig.ctx, &incident, &status).await.unwrap();
    assert_eq!(woken(&mut rig), ["shop/web"]);
    assert!(rig.ctx.own.incidents.apply("", Event::Apply(approved)).is_empty(), "the watch has nothing to tell");
}

/// So does one that is in an incident of ours which was not seen yet, as right after a start.
#[tokio::test(start_paused = true)]
async fn nor_is_a_word_lost_in_an_incident_that_is_found_where_it_was_to_be_created() {
    let mut rig = asleep().await;
    rig.settles().await;
    let incident = rig.incident();
    let name = incident.metadata.name.clone().unwrap();
    rig.woken.drain();
    for (says, expected) in [(false, &[][..]), (true, &["shop/web"])] {
        rig.ctx.own.incidents.forget("shop", &name);
        if says {
            approve(&mut rig.server(), &name);
        }
        write::create_incident(&rig.ctx, &incident).await.unwrap();
        assert_eq!(woken(&mut rig), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_word_on_a_storm_wakes_what_fails_in_it() {
    let mut rig = asleep().await;
    rig.settles().await;
    rig.others_fail();
    let mut incident = rig.incident();
    let name = incident.metadata.name.clone().unwrap();
    rig.server().edit(&format!("{OWN}/incidents/{name}"), |incident| {
        incident["metadata"]["labels"] = json!({keys::STORM: "true"});
    });
    rig.sees_own();
    incident = rig.incident();
    rig.woken.drain();
    approve(&mut rig.server(), &name);
    write::incident_status(&rig.ctx, &incident, incident.status.as_ref().unwrap()).await.unwrap();
    assert!(woken(&mut rig).contains(&"shop/other-3".to_owned()));
}
