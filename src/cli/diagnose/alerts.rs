//! Alerts that somebody saved, as Alertmanager's `/api/v2/alerts` or Prometheus' `/api/v1/alerts` answers: a sign of a
//! failure from outside of Kubernetes. Nothing is decided by them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::super::failure::Failed;
use crate::engine::facts::Snapshot;
use crate::engine::first_signal::{Signal, SignalKind};
use crate::engine::text::{self, MAX_MESSAGE, MAX_WORD};

/// Bytes of a file. What answers with more has other trouble.
const MAX_FILE: u64 = 32 << 20;
const ANSWERS: &str = "Alertmanager's /api/v2/alerts or Prometheus' /api/v1/alerts";
/// Where an alert says in words what is wrong, the shortest first.
const WORDS: [&str; 3] = ["summary", "message", "description"];

/// The labels that name a workload, as kube-state-metrics has them. `job` is what Prometheus itself calls what it scrapes.
const LABELS: [(&str, &str); 5] = [
    ("Deployment", "deployment"),
    ("StatefulSet", "statefulset"),
    ("DaemonSet", "daemonset"),
    ("Job", "job_name"),
    ("ReplicaSet", "replicaset"),
];

/// An alert that fires, about a workload or one of its pods.
#[derive(Debug)]
pub struct Alert {
    namespace: String,
    /// Kinds and names.
    workloads: Vec<(&'static str, String)>,
    pod: Option<String>,
    at: Timestamp,
    name: Box<str>,
    text: Box<str>,
}

/// An alert as both programs write it. Alertmanager has `startsAt`, `endsAt` and `status.state`, Prometheus `activeAt` and
/// `state`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(alias = "activeAt")]
    starts_at: Timestamp,
    ends_at: Option<Timestamp>,
    state: Option<String>,
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Status {
    state: Option<String>,
}

/// Reads a file of alerts. Returns those that fire and name a workload, and what was left out, for people.
///
/// # Errors
/// A file that cannot be read, or that is not what one of the two answers.
pub fn read(path: &Path, now: Timestamp) -> Result<(Vec<Alert>, Vec<String>), Failed> {
    let name = path.display().to_string();
    let bytes = bytes(path).map_err(|error| Failed::new(format!("reading {name}"), error.to_string()))?;
    take(&name, &bytes, now)
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE.saturating_add(1)).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= MAX_FILE => Ok(bytes),
        _ => Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {} MiB", MAX_FILE >> 20))),
    }
}

/// The same for what was read; `name` is what it is called.
///
/// # Errors
/// What is not what one of the two answers.
pub fn take(name: &str, bytes: &[u8], now: Timestamp) -> Result<(Vec<Alert>, Vec<String>), Failed> {
    let document: Value = serde_json::from_slice(bytes).map_err(|error| {
        let place = format!("{name}:{}:{}", error.line(), error.column());
        Failed::new(place, format!("no JSON, such as {ANSWERS} answers"))
    })?;
    let list = match document {
        Value::Object(mut answer) => answer.get_mut("data").and_then(|data| data.get_mut("alerts")).map(Value::take),
        other => Some(other),
    };
    let Some(Value::Array(list)) = list else {
        return Err(Failed::new(format!("reading {name}"), format!("no list of alerts, such as {ANSWERS} answers")));
    };
    let all = list.len();
    let written: Vec<Written> = list.into_iter().filter_map(|alert| serde_json::from_value(alert).ok()).collect();
    let odd = all.saturating_sub(written.len());
    let gap =
        format!("{odd} of {all} alerts in {name} were left out: they have no labels, or no time since when they fire");
    let alerts = written.into_iter().filter(|alert| alert.fires(now)).filter_map(Written::about_a_workload).collect();
    Ok((alerts, (odd > 0).then_some(gap).into_iter().collect()))
}

impl Written {
    /// A silence keeps people from hearing of it, and does not end it. A file may be older than what it is read with.
    fn fires(&self, now: Timestamp) -> bool {
        let state = self.state.as_deref().or(self.status.as_ref().and_then(|status| status.state.as_deref()));
        let ended = self.ends_at.is_some_and(|ends| self.starts_at < ends && ends <= now);
        matches!(state, None | Some("firing" | "active" | "suppressed")) && !ended
    }

    fn about_a_workload(self) -> Option<Alert> {
        let named = |(kind, label): (&'static str, &str)| Some((kind, self.label(label)?));
        let workloads: Vec<(&'static str, String)> = LABELS.into_iter().filter_map(named).collect();
        let pod = self.label("pod");
        let name = self.labels.get("alertname").map_or("", String::as_str);
        let words = WORDS.iter().find_map(|key| self.annotations.get(*key)).map_or(name, String::as_str);
        (!workloads.is_empty() || pod.is_some()).then_some(())?;
        Some(Alert {
            namespace: self.label("namespace")?,
            at: self.starts_at,
            name: text::shown(name, MAX_WORD),
            text: text::shown(words, MAX_MESSAGE),
            workloads,
            pod,
        })
    }

    /// What Prometheus scraped under a label that it sets itself it calls `exported_…`.
    fn label(&self, name: &str) -> Option<String> {
        let label = self.labels.get(&format!("exported_{name}")).or_else(|| self.labels.get(name))?;
        Some(label.clone()).filter(|label| !label.is_empty())
    }
}

/// The alerts about a workload or one of its pods that began since then.
pub fn of<'a>(alerts: &'a [Alert], s: &'a Snapshot, since: Timestamp) -> impl Iterator<Item = Signal> + 'a {
    let is_about = |alert: &&Alert| {
        let is_it = |(kind, name): &(&str, String)| *kind == &*s.workload.kind && **name == *s.workload.name;
        let named = alert.workloads.iter().any(is_it);
        let pod = |name: &str| s.pods.iter().any(|pod| *pod.name == *name);
        *alert.namespace == *s.workload.namespace && (named || alert.pod.as_deref().is_some_and(pod))
    };
    alerts.iter().filter(is_about).filter(move |alert| alert.at >= since).map(|alert| Signal {
        kind: SignalKind::Alert,
        at: alert.at,
        source: format!("alert {}", alert.name),
        text: alert.text.to_string(),
    })
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;
