//! The API server's audit log: who wrote what, in which order, to the microsecond.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

/// The log of the cluster under test. A cluster that was not started by `tests/cluster` has none; then the tests see
/// objects only, and `tests/e2e/run` says so.
#[derive(Clone, Debug)]
pub struct Audit(Option<PathBuf>);

/// One request that may have changed something.
#[derive(Clone, Debug)]
pub struct Write {
    pub verb: String,
    /// The user's name, such as `system:serviceaccount:shop:robot`.
    pub user: String,
    /// `userAgent` of the client.
    pub agent: String,
    /// Resource, with its subresource behind a slash: `deployments`, `pods/status`.
    pub resource: String,
    pub name: String,
    pub code: i64,
    pub received: Timestamp,
    pub answered: Timestamp,
    pub body: Value,
}

impl Audit {
    pub fn from_env() -> Self {
        Self(std::env::var_os("BACKSTAY_TEST_AUDIT_LOG").map(PathBuf::from))
    }

    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// The writes to a namespace, oldest first, once the log holds the request that `fence` names: the API server
    /// writes the log in order, so everything answered before the fence was sent is in it.
    pub async fn writes(&self, namespace: &str, fence: &str) -> Vec<Write> {
        let Some(path) = &self.0 else { return Vec::new() };
        let begin = Instant::now();
        loop {
            let text = tokio::fs::read_to_string(path).await.expect("the audit log can be read");
            let mark = format!("\"namespace\":\"{namespace}\"");
            let mut writes: Vec<Write> = text.lines().filter(|line| line.contains(&mark)).filter_map(parse).collect();
            if writes.iter().any(|w| w.name == fence) {
                writes.retain(|w| w.name != fence);
                writes.sort_by_key(|w| w.received);
                return writes;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "the audit log does not show {fence} in {namespace}");
            // A file cannot be watched as objects can.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn parse(line: &str) -> Option<Write> {
    // The line that is being written may be cut short.
    let event: Value = serde_json::from_str(line).ok()?;
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let verb = text("/verb");
    if event["stage"] != "ResponseComplete" || matches!(&*verb, "get" | "list" | "watch") {
        return None;
    }
    let subresource = text("/objectRef/subresource");
    let resource = text("/objectRef/resource");
    let mut name = text("/objectRef/name");
    if name.is_empty() {
        // A create names its object in the body only.
        name = text("/requestObject/metadata/name");
    }
    Some(Write {
        verb,
        user: text("/user/username"),
        agent: text("/userAgent"),
        resource: if subresource.is_empty() { resource } else { format!("{resource}/{subresource}") },
        name,
        code: event.pointer("/responseStatus/code").and_then(Value::as_i64).unwrap_or_default(),
        received: text("/requestReceivedTimestamp").parse().ok()?,
        answered: text("/stageTimestamp").parse().ok()?,
        body: event["requestObject"].clone(),
    })
}

impl Write {
    /// The request was carried out.
    pub fn accepted(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// For messages: when, who, what.
    pub fn line(&self) -> String {
        let Self { received, user, agent, verb, resource, name, code, .. } = self;
        format!("{received} {user} ({agent}) {verb} {resource}/{name} → {code}")
    }
}

/// Several writes, a line each.
pub fn lines<'a>(writes: impl IntoIterator<Item = &'a Write>) -> String {
    writes.into_iter().map(|w| format!("\n  {}", w.line())).collect()
}
