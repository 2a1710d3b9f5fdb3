//! Reading the log of a container from its kubelet, through the API server and within bounds.

use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, Client};
use thiserror::Error;

use crate::engine::facts::LogFacts;
use crate::engine::listen::{self, Wanted};
use crate::engine::logs;

/// Lines asked for, from the end.
const LINES: i64 = 1000;
/// Bytes at which the kubelet stops. It counts from the first of those lines and would leave out the last words, so
/// ordinary lines never come to so many.
const LIMIT: i64 = 4 << 20;
/// How much of what comes is kept, from the end.
const KEPT: usize = 256 << 10;
/// Runtimes keep a line in pieces, each of which the kubelet counts as a line and none of which shows in what it sends.
/// CRI-O ends a piece wherever what it has read at once ends, containerd only where a line is long. So many pieces a line
/// may have come in, as where a program writes it word by word, and one more for each so many bytes of it.
const PIECES: usize = 20;
const PIECE: usize = 512;
/// How long a log may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A log that could not be read. It says nothing about the container: what never ran has none, and a node may be gone.
#[derive(Debug, Error)]
pub enum Error {
    #[error("reading the log of {container} in pod {pod}")]
    Call { pod: String, container: String, source: Box<kube::Error> },
    #[error("reading the log of {container} in pod {pod}: the connection broke")]
    Broken { pod: String, container: String, source: std::io::Error },
    #[error("reading the log of {container} in pod {pod}: what it says was not found out")]
    Unread { pod: String, container: String, source: tokio::task::JoinError },
    #[error("reading the log of {container} in pod {pod}: not done within {} s", PATIENCE.as_secs())]
    Timeout { pod: String, container: String },
}

impl Error {
    /// The account may not read logs at all.
    pub fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }

    /// The same call may succeed a little later: neither the account nor the container is the reason, but the way to it.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Call { .. } => self.code().is_none_or(|code| code == 429 || code >= 500),
            Self::Broken { .. } | Self::Timeout { .. } => true,
            Self::Unread { .. } => false,
        }
    }

    /// What the API server answered, if it did.
    fn code(&self) -> Option<u16> {
        match self {
            Self::Call { source, .. } => match &**source {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Reads a log and what it says.
///
/// # Errors
/// What the API server or the kubelet answered, or that it took too long.
pub async fn read(client: &Client, namespace: &str, wanted: &Wanted) -> Result<LogFacts, Error> {
    let (pod, container) = (wanted.pod.to_string(), wanted.container.to_string());
    match tokio::time::timeout(PATIENCE, bytes(client, namespace, wanted)).await {
        Ok(bytes) => heard(wanted, bytes?).await,
        Err(_) => Err(Error::Timeout { pod, container }),
    }
}

/// What it says, found out beside the calls of others: people's patterns may be costly.
async fn heard(wanted: &Wanted, bytes: Vec<u8>) -> Result<LogFacts, Error> {
    let (pod, container, wanted) = (wanted.pod.to_string(), wanted.container.to_string(), wanted.clone());
    let reading = tokio::task::spawn_blocking(move || listen::heard(&wanted, &bytes));
    reading.await.map_err(|source| Error::Unread { pod, container, source })
}

async fn bytes(client: &Client, namespace: &str, wanted: &Wanted) -> Result<Vec<u8>, Error> {
    if !wanted.ended {
        return of_run(client, namespace, wanted, false).await;
    }
    // By the time of the call the container may run again. Then its last run is the previous one; until then it is the
    // present one, and there may be none before it, or one that is not meant.
    if let Some(log) = previous(client, namespace, wanted).await? {
        return Ok(log);
    }
    let present = of_run(client, namespace, wanted, false).await?;
    let is_later = wanted.run.is_some_and(|run| run.is_before(&present));
    if !is_later && !present.is_empty() {
        return Ok(present);
    }
    // It was started between the two calls, so the one that is meant is the previous one by now. A log without a line
    // does not tell whose it is; if there is no other, what is meant said nothing.
    Ok(previous(client, namespace, wanted).await?.unwrap_or_default())
}

/// The log of the run before the present one, if there was one and it is the one that is meant.
async fn previous(client: &Client, namespace: &str, wanted: &Wanted) -> Result<Option<Vec<u8>>, Error> {
    let log = match of_run(client, namespace, wanted, true).await {
        Err(Error::Call { source, .. }) if is_refused(&source) => return Ok(None),
        answer => answer?,
    };
    let is_earlier = wanted.run.is_some_and(|run| run.is_after(&log));
    Ok(Some(log).filter(|log| !logs::is_gone(log) && !is_earlier))
}

/// The kubelet knows of no such run (`validateContainerLogStatus` in pkg/kubelet/kubelet_pods.go).
fn is_refused(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 400)
}

async fn of_run(client: &Client, namespace: &str, wanted: &Wanted, previous: bool) -> Result<Vec<u8>, Error> {
    let (pod, container) = (wanted.pod.to_string(), wanted.container.to_string());
    let params = LogParams {
        container: Some(container.clone()),
        previous,
        tail_lines: Some(LINES),
        limit_bytes: Some(LIMIT),
        timestamps: true,
        ..LogParams::default()
    };
    let api = Api::<Pod>::namespaced(client.clone(), namespace);
    match api.log_stream(&pod, &params).await {
        Ok(stream) => end(stream).await.map_err(|source| Error::Broken { pod, container, source }),
        Err(source) => Err(Error::Call { pod, container, source: Box::new(source) }),
    }
}

/// The end of a stream.
async fn end(stream: impl AsyncRead) -> std::io::Result<Vec<u8>> {
    let mut stream = std::pin::pin!(stream);
    let mut kept = Vec::new();
    let mut come = 0;
    let mut chunk = vec![0; 32 << 10];
    loop {
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Ok(whole_lines(kept, come));
        }
        come += read;
        kept.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if kept.len() > 2 * KEPT {
            kept.drain(..kept.len() - KEPT);
        }
    }
}

/// What is kept of so many bytes without lines that were cut in two: what stands before a secret tells that it is one, and of
/// some what stands behind it.
fn whole_lines(mut kept: Vec<u8>, come: usize) -> Vec<u8> {
    if i64::try_from(come).is_ok_and(|come| come >= LIMIT) {
        let last = kept.iter().rposition(|byte| *byte == b'\n');
        kept.truncate(last.map_or(0, |last| last + 1));
    }
    let first = kept.iter().position(|byte| *byte == b'\n').map_or(kept.len(), |first| first + 1);
    let is_whole = || kept.get(..first).is_some_and(logs::is_whole);
    if come > kept.len() || (may_begin_within_a_line(&kept) && !is_whole()) {
        kept.drain(..first);
    }
    kept
}

/// There may be as many pieces of lines as were asked for, of which the first need not begin a line. Few lines that are
/// not long are all there is.
fn may_begin_within_a_line(log: &[u8]) -> bool {
    let pieces = log.split_inclusive(|byte| *byte == b'\n').map(|line| PIECES + line.len() / PIECE);
    i64::try_from(pieces.sum::<usize>()).is_ok_and(|pieces| pieces >= LINES)
}

#[cfg(test)]
#[path = "logs_tests.rs"]
mod tests;
