//! The API server's audit log: who wrote what, in which order, to the microsecond.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use tokio::io::AsyncReadExt;

use super::wait::PATIENCE;

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

    /// The writes to a namespace, oldest first, once the log holds the request that `fence` names.
    pub async fn writes(&self, namespace: &str, fence: &str) -> Vec<Write> {
        let text = self.text(fence).await;
        let mark = format!("\"namespace\":\"{namespace}\"");
        let mut writes: Vec<Write> = text.lines().filter(|line| line.contains(&mark)).filter_map(parse).collect();
        writes.retain(|w| w.name != fence);
        writes.sort_by_key(|w| w.received);
        writes
    }

    /// Everything that this user asked for in the whole cluster, its reads only where the audit policy has them.
    pub async fn asked(&self, user: &str, fence: &str) -> Vec<Asked> {
        let text = self.text(fence).await;
        text.lines().filter(|line| line.contains(user)).filter_map(|line| Asked::parse(line, user)).collect()
    }

    /// Waits for the first write to a namespace that fits.
    pub async fn first(&self, namespace: &str, mut fits: impl FnMut(&Write) -> bool) -> Write {
        let path = self.0.as_ref().expect("there is an audit log");
        let mark = format!("\"namespace\":\"{namespace}\"");
        let begin = Instant::now();
        let (mut log, mut rest) = (tokio::fs::File::open(path).await.expect("the audit log can be read"), Vec::new());
        loop {
            log.read_to_end(&mut rest).await.expect("the audit log can be read");
            let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let lines: Vec<u8> = rest.drain(..whole).collect();
            let lines = String::from_utf8_lossy(&lines);
            let mut writes = lines.lines().filter(|line| line.contains(&mark)).filter_map(parse);
            if let Some(found) = writes.find(&mut fits) {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "the audit log does not show what is waited for in {namespace}");
            // A file cannot be watched as objects can.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The log, once it holds the request that `fence` names: the API server writes it in order, so everything
    /// answered before the fence was sent is in it. Empty where there is no log.
    async fn text(&self, fence: &str) -> String {
        let Some(path) = &self.0 else { return String::new() };
        let begin = Instant::now();
        loop {
            let text = tokio::fs::read_to_string(path).await.expect("the audit log can be read");
            if text.lines().any(|line| line.contains(fence) && parse(line).is_some()) {
                return text;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "the audit log does not show {fence}");
            // A file cannot be watched as objects can.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// One request to a resource, whatever became of it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub verb: String,
    /// With its subresource behind a slash and its group behind a dot, as kubectl writes it: `deployments/scale.apps`.
    pub resource: String,
    pub namespace: String,
    pub code: i64,
    /// What the API server said besides the code.
    pub said: String,
    pub at: Timestamp,
}

impl Asked {
    fn parse(line: &str, user: &str) -> Option<Self> {
        let event: Value = serde_json::from_str(line).ok()?;
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        // Who asks in the operator's name is somebody else.
        if text("/user/username") != user {
            return None;
        }
        let (resource, group) = (text("/objectRef/resource"), text("/objectRef/apiGroup"));
        let part = |mark: &str, text: String| if text.is_empty() { text } else { format!("{mark}{text}") };
        (!resource.is_empty()).then_some(())?;
        Some(Self {
            verb: text("/verb"),
            resource: format!("{resource}{}{}", part("/", text("/objectRef/subresource")), part(".", group)),
            namespace: text("/objectRef/namespace"),
            code: event.pointer("/responseStatus/code").and_then(Value::as_i64).unwrap_or_default(),
            said: text("/responseStatus/message"),
            at: text("/requestReceivedTimestamp").parse().ok()?,
        })
    }

    pub fn is_write(&self) -> bool {
        !matches!(&*self.verb, "get" | "list" | "watch")
    }

    /// For messages.
    pub fn line(&self) -> String {
        let Self { verb, resource, namespace, code, said, .. } = self;
        format!("{verb} {resource} in {namespace:?} → {code} {said}")
    }
}

/// A dry run changes nothing, though it is logged like a write.
fn is_dry(uri: &str) -> bool {
    uri.split(['?', '&']).any(|part| part == "dryRun=All")
}

fn parse(line: &str) -> Option<Write> {
    // The line that is being written may be cut short.
    let event: Value = serde_json::from_str(line).ok()?;
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let verb = text("/verb");
    let reads = matches!(&*verb, "get" | "list" | "watch");
    if event["stage"] != "ResponseComplete" || reads || is_dry(&text("/requestURI")) {
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
