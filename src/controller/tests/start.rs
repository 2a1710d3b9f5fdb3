//! Before the first survey: which workloads there are depends on policies for the whole cluster too.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::rig::Rig;
use crate::api::{ClusterIncidentPolicy, IncidentPolicy};
use crate::cluster::slim::{SlimNode, SlimPod};
use crate::cluster::watches::{Watch, Watches};
use crate::controller::run::wait_for_stores;
use crate::server::Health;

/// How long it takes until everything is taken for listed, when this becomes of the watch of cluster policies after a
/// second.
async fn waited(becomes: impl FnOnce(&Watch) + Send + 'static) -> Duration {
    let mut rig = Rig::new().await;
    let mut watches = Watches::default();
    let needed = watches.add::<IncidentPolicy>(None);
    let optional = watches.add::<ClusterIncidentPolicy>(None);
    Arc::get_mut(&mut rig.ctx).expect("nobody else has it yet").watches = Arc::new(watches);
    let (_end, ending) = watch::channel(false);
    let health = Health::default();
    let gate = health.gate("stores", "nothing listed yet");
    needed.listed();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        becomes(&optional);
        std::future::pending::<()>().await;
    });
    let began = tokio::time::Instant::now();
    wait_for_stores(&rig.ctx, &gate, ending).await;
    assert_eq!(health.closed_gates(), [""; 0]);
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_surveyed_before_cluster_policies_are_listed() {
    let waited = waited(Watch::listed).await;
    assert!((Duration::from_secs(1)..Duration::from_secs(2)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn cluster_policies_that_are_refused_are_not_waited_for() {
    let waited = waited(|watch| assert!(watch.failed(true))).await;
    assert!((Duration::from_secs(1)..Duration::from_secs(2)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn cluster_policies_that_cannot_be_reached_are_not_waited_for_for_ever() {
    let waited = waited(|watch| assert!(watch.failed(false))).await;
    assert!((Duration::from_secs(5)..Duration::from_secs(20)).contains(&waited), "{waited:?}");
}

/// Two namespaces are watched, and one of them is deleted: all rights in it are gone with it.
#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_gone_makes_no_other_wait_nor_its_data_old() {
    let mut rig = Rig::new().await;
    let mut watches = Watches::default();
    let [shop, gone] = ["shop", "gone"].map(|namespace| watches.add::<SlimPod>(Some(namespace)));
    let nodes = watches.add::<SlimNode>(None);
    Arc::get_mut(&mut rig.ctx).expect("nobody else has it yet").watches = Arc::new(watches);
    let ages = |rig: &Rig| ["shop", "gone"].map(|namespace| rig.ctx.data_age_seconds(namespace, false));
    nodes.listed();
    gone.failed(true);
    assert_eq!(rig.ctx.missing(), ["pods"], "the other is waited for");
    shop.listed();
    assert_eq!(rig.ctx.missing(), [""; 0]);
    assert_eq!(ages(&rig), [0, 61], "what was never listed is decided nothing about");
    gone.listed();
    assert_eq!(ages(&rig), [0, 0]);
    tokio::time::sleep(Duration::from_secs(100)).await;
    gone.failed(true);
    shop.listed();
    assert_eq!(ages(&rig), [100, 100], "nodes are everybody's");
    nodes.listed();
    assert_eq!(ages(&rig), [0, 100]);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_at_all_is_allowed_it_is_not_ready() {
    for namespace in [None, Some("shop")] {
        let mut rig = Rig::new().await;
        let mut watches = Watches::default();
        let pods = watches.add::<SlimPod>(namespace);
        Arc::get_mut(&mut rig.ctx).expect("nobody else has it yet").watches = Arc::new(watches);
        pods.failed(true);
        assert_eq!(rig.ctx.missing(), ["pods"]);
    }
}
