//! Before the first survey: which workloads there are depends on policies for the whole cluster too.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::rig::{Rig, candidate};
use super::server::Server;
use crate::api::{ClusterIncidentPolicy, IncidentPolicy};
use crate::cluster::slim::{SlimNode, SlimPod};
use crate::cluster::watches::{Watch, Watches};
use crate::controller::run::{stand, wait_for_stores};
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
    assert!(wait_for_stores(&rig.ctx, &gate, ending).await);
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

/// What lists fail for may be the rights of this replica alone, or its version: another is to lead.
#[tokio::test(start_paused = true)]
async fn a_replica_whose_stores_are_not_filled_does_not_stand_for_election() {
    let server = Arc::new(Mutex::new(Server::default()));
    let (lease, standing) = candidate(&server);
    let (fill, filled) = oneshot::channel();
    let (release, released) = watch::channel(false);
    let candidate = tokio::spawn(stand(lease, filled, released));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(server.lock().unwrap().all("leases").is_empty(), "it is left to others");
    fill.send(()).unwrap();
    let mut leadership = standing.watch();
    tokio::time::timeout(Duration::from_secs(1), leadership.changed()).await.expect("at once").unwrap();
    assert!(standing.is_leader());
    release.send_replace(true);
    candidate.await.unwrap();
    assert!(!standing.is_leader());
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_ends_before_its_stores_are_filled_is_not_ready() {
    let mut rig = Rig::new().await;
    let mut watches = Watches::default();
    let _pods = watches.add::<SlimPod>(None);
    Arc::get_mut(&mut rig.ctx).expect("nobody else has it yet").watches = Arc::new(watches);
    let (end, ending) = watch::channel(false);
    let health = Health::default();
    let gate = health.gate("stores", "nothing listed yet");
    let ends = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        end.send_replace(true);
    };
    let (filled, ()) = tokio::join!(wait_for_stores(&rig.ctx, &gate, ending), ends);
    assert!(!filled);
    assert_eq!(health.closed_gates(), ["stores: not listed yet: pods"]);
}
