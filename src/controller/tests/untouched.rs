//! A workload that Backstay holds and must not write to any more: it stays as it is, and that is said.

use std::sync::Arc;

use http::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::freeze::{owned, reverts, ships};
use super::rig::{OWN, Rig, WEB, actions, writes};
use super::server::{Server, Strike};
use crate::cluster::policies::Policies;
use crate::config::Mode;
use crate::engine::decision::{Outcome, Progress};
use crate::engine::words::RefusalReason;

/// What keeps Backstay from writing, and what allows it again.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ban {
    PolicyObserves,
    OptedOut,
    NoPolicy,
    ProcessObserves,
}

impl Ban {
    async fn set(self, rig: Rig) -> Rig {
        match self {
            Self::PolicyObserves => mode(&mut rig.server(), "Observe"),
            Self::OptedOut => ignore(&mut rig.server(), "true"),
            Self::NoPolicy => selects(&mut rig.server(), "another"),
            Self::ProcessObserves => {
                let mut rig = rig.restarted().await;
                let ctx = Arc::get_mut(&mut rig.ctx).expect("nobody else has it yet");
                ctx.policies = Policies::new(ctx.own.clone(), Mode::Observe);
                return rig;
            }
        }
        rig
    }

    async fn lift(self, rig: Rig) -> Rig {
        match self {
            Self::PolicyObserves => mode(&mut rig.server(), "Enforce"),
            Self::OptedOut => ignore(&mut rig.server(), "false"),
            Self::NoPolicy => selects(&mut rig.server(), "web"),
            Self::ProcessObserves => return rig.restarted().await,
        }
        rig
    }

    fn refusal(self) -> (RefusalReason, &'static str) {
        match self {
            Self::OptedOut => (RefusalReason::OptedOut, "carries backstay.dev/ignore"),
            Self::NoPolicy => (RefusalReason::ObserveOnly, "no policy governs the Deployment any more"),
            Self::PolicyObserves | Self::ProcessObserves => (RefusalReason::ObserveOnly, "the policy observes only"),
        }
    }
}

/// Changes the policy, as the API server does: its generation counts up.
fn change(server: &mut Server, change: impl FnOnce(&mut Value)) {
    server.edit(&format!("{OWN}/incidentpolicies/web"), |policy| {
        change(policy);
        policy["metadata"]["generation"] = json!(policy["metadata"]["generation"].as_i64().unwrap() + 1);
    });
}

fn mode(server: &mut Server, mode: &str) {
    change(server, |policy| policy["spec"]["mode"] = json!(mode));
}

fn selects(server: &mut Server, app: &str) {
    change(server, |policy| policy["spec"]["selector"]["matchLabels"]["app"] = json!(app));
}

fn ignore(server: &mut Server, value: &str) {
    server.edit(WEB, |web| web["metadata"]["annotations"]["backstay.dev/ignore"] = json!(value));
}

/// The policy `web` alone governs, and the workload is owned by a GitOps tool.
fn alone(server: &mut Server) {
    owned(server);
    server.remove(&format!("{OWN}/incidentpolicies/old"));
    server.remove("/apis/backstay.dev/v1alpha1/clusterincidentpolicies/all");
}

async fn frozen() -> Rig {
    let rig = Rig::changed(alone).await;
    rig.settles().await;
    rig.settles().await;
    assert_eq!(rig.incident().status.unwrap().progress, Some(Progress::Frozen));
    rig
}

fn health(rig: &Rig) -> Value {
    rig.server().get(&format!("{OWN}/workloadhealths/web")).unwrap()["status"].clone()
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_freeze_is_not_ended_where_nothing_may_be_written(
    #[values(Ban::PolicyObserves, Ban::OptedOut, Ban::NoPolicy, Ban::ProcessObserves)] ban: Ban,
    #[values(false, true)] reverted: bool,
) {
    let rig = ban.set(frozen().await).await;
    let arrives = if reverted { reverts } else { ships };
    arrives(&mut rig.server());
    rig.server().strike_all(Method::PATCH, "/deployments/web", Strike::Refuse(403));
    rig.calls();
    for _ in 0..3 {
        assert!(rig.settles().await.is_empty());
    }
    let calls = rig.calls();
    let tried = calls.iter().filter(|call| call.path.starts_with(WEB) && call.method != Method::GET);
    assert_eq!(tried.count(), 0, "nothing is attempted: {:?}", writes(&calls));
    let status = rig.incident().status.unwrap();
    let refusal = status.refusal.expect("it says no");
    let (reason, because) = ban.refusal();
    assert_eq!((status.progress, refusal.reason), (Some(Progress::Held), reason));
    for said in [because, "stays paused", "kubectl rollout resume"] {
        assert!(refusal.because.contains(said), "{said}: {}", refusal.because);
    }
    let condition = |kind: &str| status.conditions.iter().find(|c| c.type_ == kind).map(|c| &*c.status);
    assert_eq!(condition("Mitigated"), Some("True"), "the baseline runs all the same");
    let health = health(&rig);
    assert_eq!((&health["state"], &health["refusal"]["reason"]), (&json!("Held"), &json!(reason)), "{health}");
    assert_eq!(rig.events(), ["Frozen", "Held"]);

    rig.server().calm();
    let rig = ban.lift(rig).await;
    rig.calls();
    rig.settles().await;
    rig.settles().await;
    assert_eq!(actions(&rig.calls()).len(), 1, "it resumes as soon as it may");
    assert_eq!(rig.server().get(WEB).unwrap()["spec"]["paused"], json!(false));
    let outcome = rig.incident().status.unwrap().outcome;
    assert_eq!(outcome, (!reverted).then_some(Outcome::Superseded));
}

#[tokio::test(start_paused = true)]
async fn where_the_policy_is_gone_the_next_one_that_selects_the_workload_says() {
    let rig = Rig::changed(owned).await;
    rig.settles().await;
    rig.settles().await;
    rig.server().remove(&format!("{OWN}/incidentpolicies/web"));
    ships(&mut rig.server());
    rig.calls();
    rig.settles().await;
    assert_eq!(actions(&rig.calls()).len(), 1, "the policy `old` enforces");
}

#[tokio::test(start_paused = true)]
async fn where_no_policy_is_left_a_pause_that_a_person_ended_is_not_shouted_about_for_good() {
    let rig = Ban::NoPolicy.set(frozen().await).await;
    ships(&mut rig.server());
    rig.settles().await;
    let is_held = |rig: &Rig| {
        let conditions = health(rig)["conditions"].as_array().unwrap().clone();
        conditions.iter().find(|c| c["type"] == "Frozen").unwrap()["status"] == "True"
    };
    assert!(is_held(&rig));
    rig.server().edit(WEB, |web| web["spec"]["paused"] = json!(false));
    rig.settles().await;
    assert_eq!(rig.incident().status.unwrap().outcome, Some(Outcome::Superseded));
    assert!(!is_held(&rig), "nobody looks at it again");
}
