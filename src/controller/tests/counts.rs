//! Each action and each outcome counts once, whatever becomes of the answers.

use http::Method;
use jiff::Timestamp;
use serde_json::json;

use super::freeze::{STRIKES, completed, owned, ships, starts_baseline};
use super::rig::{Rig, WEB};
use super::server::Strike;
use crate::config::IncidentArgs;
use crate::controller::chores;

const MEASURED: &str = "backstay_action_duration_seconds_count";

fn accepted(rig: &Rig, action: &str) -> u32 {
    rig.counted(&format!("backstay_actions_total{{action=\"{action}\",result=\"Accepted\"}}"))
}

fn came_to(rig: &Rig, action: &str, outcome: &str) -> u32 {
    let labels = format!("class=\"CrashLoopBackOff\",action=\"{action}\",outcome=\"{outcome}\"");
    rig.counted(&format!("backstay_incidents_total{{{labels}}}"))
}

/// From the first look to the end of the incident.
async fn rolls_back_and_recovers(rig: &Rig) {
    rig.settles().await;
    rig.recovers().await;
    rig.settles().await;
}

#[tokio::test(start_paused = true)]
async fn a_roll_back_and_how_it_ended_count_once() {
    for strike in STRIKES {
        for (path, nth) in [("/deployments/web", 1), ("-1/status", 1), ("-1/status", 2)] {
            let rig = Rig::new().await;
            rig.server().strike(Method::PATCH, path, nth, strike);
            rolls_back_and_recovers(&rig).await;
            let counted = (accepted(&rig, "RollBack"), came_to(&rig, "RollBack", "Recovered"));
            assert_eq!(counted, (1, 1), "{strike:?} at {path}, {nth}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_freeze_counts_once_however_many_writes_it_takes() {
    for strike in STRIKES {
        for (path, nth) in [("/deployments/web", 1), ("/replicasets/web-6d/scale", 1), ("-1/status", 1)] {
            let rig = Rig::changed(owned).await;
            rig.server().strike(Method::PATCH, path, nth, strike);
            for _ in 0..4 {
                rig.settles().await;
            }
            assert_eq!(accepted(&rig, "Freeze"), 1, "{strike:?} at {path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_freeze_of_a_completed_rollout_is_one_action_and_its_end_is_no_other() {
    let rig = Rig::changed(completed).await;
    rig.settles().await;
    rig.settles().await;
    assert_eq!((accepted(&rig, "RollBack"), accepted(&rig, "Freeze")), (0, 0), "half of it");
    assert_eq!(rig.counted(MEASURED), 1, "which was decided on then");
    starts_baseline(&mut rig.server());
    for _ in 0..3 {
        rig.settles().await;
    }
    assert_eq!((accepted(&rig, "RollBack"), accepted(&rig, "Freeze")), (0, 1));
    ships(&mut rig.server());
    rig.settles().await;
    rig.settles().await;
    assert_eq!((accepted(&rig, "Resume"), accepted(&rig, "Freeze")), (1, 1));
    assert_eq!(rig.counted(MEASURED), 1);
    assert_eq!(came_to(&rig, "Freeze", "Superseded"), 1);
}

/// The failing template is put back.
fn puts_back(rig: &Rig) {
    rig.server().edit(WEB, |web| web["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2"));
    rig.server().edit(WEB, |web| web["status"]["observedGeneration"] = web["metadata"]["generation"].clone());
}

/// That the failing template was put back is told when it is seen.
#[tokio::test(start_paused = true)]
async fn an_action_that_did_not_hold_counts_once_too() {
    for strike in STRIKES {
        let rig = Rig::new().await;
        rig.settles().await;
        rig.settles().await;
        puts_back(&rig);
        rig.server().strike(Method::PATCH, "-1/status", 1, strike);
        for _ in 0..3 {
            rig.settles().await;
        }
        assert_eq!((accepted(&rig, "RollBack"), came_to(&rig, "RollBack", "Retaken")), (1, 1), "{strike:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_action_that_was_undone_before_it_was_told_is_told_with_that() {
    let rig = Rig::new().await;
    rig.server().strike(Method::PATCH, "-1/status", 1, Strike::Refuse(503));
    rig.look().await.expect_err("the record is refused");
    assert_eq!(rig.events(), [""; 0]);
    puts_back(&rig);
    for _ in 0..3 {
        rig.settles().await;
    }
    assert_eq!(rig.events(), ["Retaken", "RolledBack"]);
    assert_eq!((accepted(&rig, "RollBack"), came_to(&rig, "RollBack", "Retaken")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_incident_whose_workload_is_gone_counts_once() {
    let kept = IncidentArgs { incident_retention_days: 30, incidents_per_workload: 20 };
    for strike in [Strike::LoseAnswer, Strike::Silence, Strike::Refuse(503)] {
        let rig = Rig::new().await;
        rig.settles().await;
        rig.server().remove(WEB);
        rig.server().strike(Method::PATCH, "-1/status", 1, strike);
        for _ in 0..3 {
            rig.sees();
            let _ = chores::clear_away(&rig.ctx, &kept, Timestamp::now()).await;
        }
        assert_eq!(came_to(&rig, "RollBack", "Abandoned"), 1, "{strike:?}");
        chores::gauges(&rig.ctx, &mut std::collections::BTreeMap::new());
    }
}
