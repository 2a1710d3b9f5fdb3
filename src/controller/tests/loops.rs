//! The loop over workloads: each waits for itself after a failure, whatever wakes it, and none holds up another.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::rig::{OWN, Rig, WEB, second, web};
use super::server::{Call, Strike};
use crate::cluster::store::WorkloadKey;
use crate::cluster::wake;
use crate::controller::looks;
use crate::server::Health;

struct Loop {
    rig: Rig,
    end: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// The loop over two workloads that both crash.
async fn start() -> Loop {
    let mut rig = Rig::changed(second).await;
    let (end, ending) = watch::channel(false);
    let (_, nothing) = wake::channel();
    let woken = std::mem::replace(&mut rig.woken, nothing);
    let task = tokio::spawn(looks::work(rig.ctx.clone(), woken, 8, Health::default(), ending));
    Loop { rig, end, task }
}

impl Loop {
    /// Something happens to a workload all the time, for so long.
    async fn busy(&self, key: &WorkloadKey, time: Duration) {
        let until = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < until {
            assert!(self.rig.ctx.wake.send(key.clone()));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A person changes the Deployment.
    fn is_changed(&self) {
        self.rig.server().edit(WEB, |web| web["spec"]["minReadySeconds"] = json!(1));
        self.rig.server().edit(WEB, |web| web["status"]["observedGeneration"] = json!(3));
        self.rig.sees();
    }

    async fn ends(self) {
        self.end.send_replace(true);
        self.task.await.unwrap();
    }
}

fn tries(calls: &[Call], path: &str) -> Vec<u16> {
    calls.iter().filter(|c| c.method == Method::PATCH && c.path.ends_with(path)).map(|c| c.code).collect()
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_cannot_be_written_waits_for_itself_however_often_it_is_woken() {
    let l = start().await;
    l.rig.server().strike_all(Method::PATCH, "/deployments/web", Strike::Refuse(403));
    assert!(l.rig.ctx.wake.send(WorkloadKey::new("shop", "api")));
    l.busy(&web(), Duration::from_secs(60)).await;
    let calls = l.rig.calls();
    assert_eq!(tries(&calls, "/deployments/api"), [200], "the other is acted on at once, and once");
    let refused = tries(&calls, "/deployments/web").len();
    assert!((6..=10).contains(&refused), "0.2 s, then twice as long each time: {refused} tries in a minute");
    assert_eq!(l.rig.ctx.tracker.in_backoff(), 1);
    l.ends().await;
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_asks_for_time_gets_it() {
    let l = start().await;
    l.rig.server().strike(Method::PATCH, "/deployments/web", 1, Strike::Busy(429, 30));
    l.busy(&web(), Duration::from_secs(29)).await;
    assert_eq!(tries(&l.rig.calls(), "/deployments/web"), [429]);
    l.busy(&web(), Duration::from_secs(2)).await;
    assert_eq!(tries(&l.rig.calls(), "/deployments/web"), [200]);
    l.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_change_by_a_person_is_looked_at_at_once() {
    let l = start().await;
    l.rig.server().strike_all(Method::PATCH, "/deployments/web", Strike::Refuse(403));
    l.busy(&web(), Duration::from_secs(26)).await;
    l.rig.calls();
    l.rig.server().calm();
    l.busy(&web(), Duration::from_secs(1)).await;
    assert_eq!(tries(&l.rig.calls(), "/deployments/web"), [0_u16; 0], "the wait is not over");
    l.is_changed();
    l.busy(&web(), Duration::from_secs(1)).await;
    assert_eq!(tries(&l.rig.calls(), "/deployments/web"), [200]);
    l.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_change_while_a_look_is_failing_is_looked_at_at_once_too() {
    let l = start().await;
    l.rig.server().strike_all(Method::PATCH, "/deployments/web", Strike::Refuse(403));
    l.busy(&web(), Duration::from_secs(26)).await;
    l.rig.server().calm();
    l.rig.server().strike(Method::PATCH, "/deployments/web", 1, Strike::RefuseLate(403, 3));
    l.rig.calls();
    while tries(&l.rig.calls(), "/deployments/web").is_empty() {
        l.busy(&web(), Duration::from_secs(1)).await;
    }
    l.is_changed();
    l.busy(&web(), Duration::from_secs(4)).await;
    assert_eq!(tries(&l.rig.calls(), "/deployments/web"), [200]);
    l.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_no_longer_leads_asks_for_nothing() {
    let l = start().await;
    l.rig.server().strike_all(Method::PUT, "/leases/backstay", Strike::Refuse(500));
    tokio::time::sleep(Duration::from_secs(11)).await;
    l.busy(&web(), Duration::from_secs(10)).await;
    assert!(l.rig.calls().is_empty());
    l.ends().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_a_look_that_is_under_way() {
    let l = start().await;
    l.rig.server().strike(Method::POST, "/incidents", 1, Strike::Late(3));
    assert!(l.rig.ctx.wake.send(web()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    l.end.send_replace(true);
    l.task.await.unwrap();
    let calls = l.rig.calls();
    assert_eq!(tries(&calls, "/deployments/web"), [200]);
    let recorded =
        calls.iter().any(|c| c.path.starts_with(&format!("{OWN}/incidents/")) && c.path.ends_with("/status"));
    assert!(recorded, "what was done is recorded before the process ends");
}
