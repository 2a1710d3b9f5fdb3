//! What containers may log, and what was read of it.

use std::sync::Arc;

use backstay::engine::facts::Snapshot;
use backstay::engine::listen::{self, Wanted};
use jiff::Timestamp;
use proptest::prelude::*;

/// What containers may log, each alone an error.
const LINES: [&str; 10] = [
    "FATAL pq: column \"discount\" does not exist",
    "ERROR dial tcp 10.0.0.5:5432: connect: connection refused",
    "FATAL:  the database system is starting up",
    "java.lang.OutOfMemoryError: Java heap space",
    "panic: runtime error: index out of range",
    "ERROR no space left on device",
    "exec /app/web: exec format error",
    "exec /run.sh: no such file or directory",
    "/app/web: error while loading shared libraries: libssl.so.3: cannot open shared object file",
    "Waiting for changelog lock....",
];

/// Which pods log what: any pod, one of the lines, how often, and whether the run that did is over.
pub fn said() -> impl Strategy<Value = Vec<(usize, usize, usize, bool)>> {
    proptest::collection::vec((0..8_usize, 0..LINES.len(), 1..4_usize, any::<bool>()), 0..6)
}

/// The same snapshot with the logs of some pods read, each pod's at most once.
pub fn logging(mut s: Snapshot, said: &[(usize, usize, usize, bool)], now: Timestamp) -> Snapshot {
    for (pod, line, times, ended) in said {
        let Some(pod) = s.pods.get(pod % s.pods.len().max(1)) else { continue };
        let Some(container) = pod.containers.first() else { continue };
        if s.logs.iter().any(|log| log.uid == pod.uid) {
            continue;
        }
        let wanted = Wanted {
            uid: pod.uid.clone(),
            pod: pod.name.clone(),
            container: container.name.clone(),
            ended: *ended,
            run: None,
            exits: 1,
            rules: None,
        };
        let text = format!("{now} {}\n", LINES[*line]).repeat(*times);
        s.logs.push(Arc::new(listen::heard(&wanted, text.as_bytes())));
    }
    s
}
