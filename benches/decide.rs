//! How long one decision takes, by what the workload's pods do. Prints one line of JSON: microseconds per `decide()`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, dead_code)]

#[path = "../tests/scenarios/apply.rs"]
mod apply;
#[path = "../tests/properties/facts.rs"]
mod facts;
#[path = "../tests/scenarios/fleet.rs"]
mod fleet;
#[path = "../tests/scenarios/objects.rs"]
mod objects;
#[path = "../tests/scenarios/pods.rs"]
mod pods;
#[path = "../tests/scenarios/report.rs"]
mod report;
#[path = "../tests/scenarios/script.rs"]
mod script;
#[path = "../tests/scenarios/world.rs"]
mod world;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backstay::engine::decide::decide;
use backstay::engine::facts::Snapshot;
use jiff::SignedDuration;

const PODS: usize = 100;
/// Each figure is the best of so many rounds: others may use the machine too.
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(150);

fn main() {
    let healthy = workload(|_| false);
    let failing = workload(|n| n >= PODS / 2);
    let all_failing = workload(|_| true);
    let figures = [("healthy_100", &healthy), ("half_failing_100", &failing), ("failing_100", &all_failing)];
    let figures: Vec<String> = figures.iter().map(|(name, s)| format!("\"{name}\":{:.2}", micros(s))).collect();
    println!("{{\"decide_us\":{{{}}}}}", figures.join(","));
}

/// A rollout with 100 pods, of which some are of the newest revision and crash.
fn workload(fails: impl Fn(usize) -> bool) -> Snapshot {
    let mut s = facts::bad_rollout();
    s.workload.replicas = PODS as i32;
    s.pods = (0..PODS).map(|n| Arc::new(facts::pod(n, if fails(n) { 3 } else { 1 }, fails(n)))).collect();
    s
}

/// Microseconds per decision.
fn micros(s: &Snapshot) -> f64 {
    let now = world::start() + SignedDuration::from_secs(10);
    let round = || {
        let (start, mut decisions) = (Instant::now(), 0_u32);
        while start.elapsed() < ROUND {
            for _ in 0..64 {
                black_box(decide(black_box(s), now));
            }
            decisions += 64;
        }
        start.elapsed().as_secs_f64() * 1e6 / f64::from(decisions)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}
