//! Makes captures: brings a workload on a test cluster to where a case says, and writes down what kubectl prints of it.
//!
//! `tests/captures/record` starts the cluster and runs this inside of it; `tests/captures/README.md` has the words.

#![allow(clippy::unwrap_used, clippy::panic)]

mod case;
#[path = "../../support/database.rs"]
mod database;
mod kubectl;
#[path = "../../support/registry_faults.rs"]
mod registry_faults;
mod write;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use case::{Case, Play};
use futures::StreamExt;

/// Cases that are played side by side, if `JOBS` says nothing else. Most of their time is waiting.
const AT_ONCE: usize = 10;

#[tokio::main]
async fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let mut cases = cases(&all, &wanted);
    cases.retain(|(_, case)| !case.steps.is_empty());
    let at_once = std::env::var("JOBS").ok().and_then(|jobs| jobs.parse().ok()).unwrap_or(AT_ONCE);
    let turns: BTreeSet<u32> = cases.iter().map(|(_, case)| case.turn).collect();
    let mut failed = Vec::new();
    for turn in turns {
        let of_turn = cases.iter().filter(|(_, case)| case.turn == turn);
        let outcomes = futures::stream::iter(of_turn.map(|(folder, case)| record(&all, folder, case)));
        let side_by_side = if turn == 0 { at_once } else { 1 };
        let outcomes: Vec<_> = outcomes.buffer_unordered(side_by_side).collect().await;
        failed.extend(outcomes.into_iter().filter_map(Result::err));
    }
    println!("{} captures made, {} failed", cases.len() - failed.len(), failed.len());
    for why in &failed {
        println!("  {why}");
    }
    if failed.is_empty() && !cases.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The cases whose names contain one of the words, or all.
fn cases(all: &Path, wanted: &[String]) -> Vec<(PathBuf, Case)> {
    let entries = std::fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.join("case.yaml").is_file()).collect();
    folders.sort();
    let named = |folder: &PathBuf| wanted.is_empty() || wanted.iter().any(|word| name(folder).contains(word.as_str()));
    folders.into_iter().filter(named).map(|folder| (folder.clone(), Case::read(&folder.join("case.yaml")))).collect()
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_string_lossy().into_owned()
}

/// Plays a case in a namespace of its name and writes its capture. The namespace of one that failed is left to look at.
async fn record(all: &Path, folder: &Path, case: &Case) -> Result<(), String> {
    let (name, begin) = (name(folder), Instant::now());
    let mut play = Play::new(&name, &all.join("deployment.yaml"));
    let outcome = async {
        play.kubectl.create_namespace().await?;
        play.steps(&case.steps).await?;
        write::capture(&play.kubectl, &case.also, folder).await
    }
    .await;
    let undone = play.steps(&case.undo).await;
    let outcome = outcome.and(undone).map_err(|why| format!("{name}: {why}"));
    match &outcome {
        Ok(()) => {
            println!("{name}: {} s", begin.elapsed().as_secs());
            play.kubectl.delete_namespace().await.map_err(|why| format!("{name}: {why}"))?;
        }
        Err(why) => println!("{why}"),
    }
    outcome
}
