//! The logs that findings need, from a folder or from the cluster, and the diagnosis that follows from them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use kube::Client;

use super::super::failure::Failed;
use super::{Diagnosed, of_case};
use crate::cluster::chain::chain;
use crate::cluster::logs;
use crate::engine::facts::{LogFacts, Name};
use crate::engine::listen::{self, Wanted};
use crate::engine::logs::{MAX_BYTES, is_gone};

/// First those of failing pods; what these say tells whether those of healthy pods matter.
const ROUNDS: usize = 2;
/// Logs that are read of a cluster for one answer.
const MAX_LOGS: usize = 60;
/// Of these at once.
const AT_ONCE: usize = 6;
/// How long all of them may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Logs named that could not be read.
const MAX_NAMED: usize = 3;

/// A log that a workload's findings need, with the place of the workload and its namespace.
type Need = (usize, Name, Wanted);

/// What is missing for a surer diagnosis of these workloads.
fn needed(workloads: &[Diagnosed], now: Timestamp) -> Vec<Need> {
    let of = |(at, found): (usize, &Diagnosed)| {
        let s = &found.case.snapshot;
        let wanted = listen::wanted(s, &found.diagnosis.findings, now);
        let namespace = s.workload.namespace.clone();
        wanted.into_iter().map(move |wanted| (at, namespace.clone(), wanted)).collect::<Vec<_>>()
    };
    workloads.iter().enumerate().flat_map(of).collect()
}

/// Diagnoses anew what logs were read of.
fn hear(workloads: &mut [Diagnosed], read: Vec<(usize, LogFacts)>, now: Timestamp) {
    let mut changed: Vec<usize> = read.iter().map(|(at, _)| *at).collect();
    for (at, log) in read {
        if let Some(found) = workloads.get_mut(at) {
            found.case.snapshot.logs.push(Arc::new(log));
        }
    }
    changed.sort_unstable();
    changed.dedup();
    for at in changed {
        if let Some(found) = workloads.get_mut(at) {
            found.diagnosis = of_case(&found.case, now);
        }
    }
}

/// Reads logs that somebody saved. Returns what is not there, for people.
///
/// # Errors
/// A folder or a log in it that cannot be read.
pub fn offline(folder: &Path, workloads: &mut [Diagnosed], now: Timestamp) -> Result<Vec<String>, Failed> {
    let failed = |path: &Path, error: &io::Error| Failed::new(format!("reading {}", path.display()), error.to_string());
    std::fs::read_dir(folder).map_err(|error| failed(folder, &error))?;
    let mut missing: Vec<String> = Vec::new();
    for _ in 0..ROUNDS {
        let mut read = Vec::new();
        for (at, _, wanted) in needed(workloads, now) {
            let names = names(&wanted);
            let mut saved = None;
            for path in names.iter().map(|name| folder.join(name)).filter(|path| path.is_file()) {
                let bytes = last_bytes(&path).map_err(|error| failed(&path, &error))?;
                saved = saved.or(Some(bytes).filter(|bytes| !is_gone(bytes)));
            }
            match saved {
                Some(bytes) => read.push((at, listen::heard(&wanted, &bytes))),
                None => missing.extend(names.into_iter().next_back().filter(|name| !missing.contains(name))),
            }
        }
        hear(workloads, read, now);
    }
    let gap =
        |missing: &[String]| format!("{} would tell more and is not there: {}", logs_of(missing.len()), few(missing));
    Ok((!missing.is_empty()).then(|| gap(&missing)).into_iter().collect())
}

/// Names of the file that a log may be in, the best first. Names come from the input, so they must not lead out of the
/// folder.
fn names(wanted: &Wanted) -> Vec<String> {
    let log = format!("{}_{}", wanted.pod, wanted.container);
    if log.contains(['/', '\\']) {
        return Vec::new();
    }
    let previous = wanted.ended.then(|| format!("{log}.previous.log"));
    previous.into_iter().chain([format!("{log}.log")]).collect()
}

fn last_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    // One byte more than is read of it shows that there was more.
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads logs from the cluster. Returns what could not be read, for people.
pub async fn live(client: &Client, workloads: &mut [Diagnosed], now: Timestamp) -> Vec<String> {
    let mut gaps = Vec::new();
    let mut tried = 0;
    let reading = async {
        for _ in 0..ROUNDS {
            let mut needs = needed(workloads, now);
            needs.truncate(MAX_LOGS.saturating_sub(tried));
            if needs.is_empty() {
                break;
            }
            tried = tried.saturating_add(needs.len());
            let calls = needs
                .into_iter()
                .map(|(at, namespace, wanted)| async move { (at, logs::read(client, &namespace, &wanted).await) });
            let answers: Vec<_> = futures::stream::iter(calls).buffer_unordered(AT_ONCE).collect().await;
            let mut read = Vec::new();
            for (at, answer) in answers {
                match answer {
                    Ok(log) => read.push((at, log)),
                    Err(error) => gaps.push(error),
                }
            }
            read.sort_by(|a, b| a.1.pod.cmp(&b.1.pod));
            hear(workloads, read, now);
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, reading).await.is_ok();
    let mut told = told(&gaps);
    if !in_time {
        told.push(format!("logs take longer than {} s, so some were not read", PATIENCE.as_secs()));
    }
    told
}

fn told(gaps: &[logs::Error]) -> Vec<String> {
    if let Some(error) = gaps.iter().find(|error| error.is_forbidden()) {
        return vec![format!("logs cannot be read, so causes are told from statuses alone: {}", chain(error))];
    }
    let mut told: Vec<String> = gaps.iter().map(|error| chain(error).into()).collect();
    told.sort();
    told.dedup();
    let more = told.len().saturating_sub(MAX_NAMED);
    told.truncate(MAX_NAMED);
    told.extend((more > 0).then(|| format!("{} could not be read either", logs_of(more))));
    told
}

fn logs_of(n: usize) -> String {
    if n == 1 { "1 more log".to_owned() } else { format!("{n} more logs") }
}

fn few(names: &[String]) -> String {
    let shown = names.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > MAX_NAMED { format!("{shown}, …") } else { shown }
}

#[cfg(test)]
#[path = "logs_tests.rs"]
mod tests;
