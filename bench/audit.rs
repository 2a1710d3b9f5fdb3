//! The API server's audit log: the microsecond clock of every figure, and the proof of what was written.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::Context;
use jiff::Timestamp;
use serde::Deserialize;

/// The operator's user agent begins so.
pub const OPERATOR: &str = "backstay/";

/// One answered request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub stage: String,
    pub verb: String,
    #[serde(default)]
    pub user_agent: String,
    #[serde(default)]
    pub object_ref: Object,
    #[serde(default)]
    pub response_status: Status,
    /// When the API server had the request.
    pub request_received_timestamp: Timestamp,
    /// When it had answered.
    pub stage_timestamp: Timestamp,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Object {
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Status {
    #[serde(default)]
    pub code: u16,
}

impl Entry {
    pub fn accepted(&self) -> bool {
        self.stage == "ResponseComplete" && (200..300).contains(&self.response_status.code)
    }

    pub fn by(&self, agent: &str) -> bool {
        self.user_agent.starts_with(agent)
    }

    pub fn writes(&self) -> bool {
        self.stage == "ResponseComplete"
            && matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }

    /// `VERB RESOURCE/SUBRESOURCE`.
    pub fn what(&self) -> String {
        let object = &self.object_ref;
        let slash = if object.subresource.is_empty() { "" } else { "/" };
        format!("{} {}{slash}{}", self.verb, object.resource, object.subresource)
    }
}

/// The log of one cluster.
pub struct Log(PathBuf);

/// A moment, and a place in the log before which nothing later stands. The API server writes its log in batches, so
/// what it answered before the moment may still follow the place.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    place: u64,
    at: Timestamp,
}

impl Log {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The present moment. The API server runs on this machine, by the same clock.
    pub fn mark(&self) -> anyhow::Result<Mark> {
        let place = std::fs::metadata(&self.0).with_context(|| format!("reading {}", self.0.display()))?.len();
        Ok(Mark { place, at: Timestamp::now() })
    }

    /// What callers whose user agent begins with one of `agents` asked since `mark`, in the log's order. The log
    /// grows by hundreds of megabytes, so the lines of others are passed over unparsed.
    pub fn since(&self, mark: Mark, agents: &[&str]) -> anyhow::Result<Vec<Entry>> {
        let place = || format!("reading {}", self.0.display());
        let mut file = File::open(&self.0).with_context(place)?;
        file.seek(SeekFrom::Start(mark.place)).with_context(place)?;
        let marks: Vec<String> = agents.iter().map(|agent| format!("\"userAgent\":\"{agent}")).collect();
        let mut entries = Vec::new();
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let mut line = Vec::new();
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line).with_context(place)? == 0 {
                return Ok(entries);
            }
            let text = String::from_utf8_lossy(&line);
            // The last line may be half written.
            if text.ends_with('\n') && marks.iter().any(|mark| text.contains(mark)) {
                let entry: Entry = serde_json::from_str(&text).with_context(place)?;
                if entry.request_received_timestamp >= mark.at {
                    entries.push(entry);
                }
            }
        }
    }
}
