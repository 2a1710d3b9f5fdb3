//! What containers log, and what the operator has read of it: a look is followed by the reads that its findings need.

use std::collections::BTreeMap;
use std::sync::Arc;

use backstay::engine::facts::{LogFacts, Snapshot};
use backstay::engine::finding::Finding;
use backstay::engine::listen;
use jiff::Timestamp;

#[derive(Default)]
pub struct Logs {
    /// What the pods of a revision log.
    texts: BTreeMap<String, String>,
    read: Vec<Arc<LogFacts>>,
}

impl Logs {
    pub fn say(&mut self, texts: &BTreeMap<String, String>) {
        self.texts.extend(texts.clone());
    }

    pub fn read(&self) -> Vec<Arc<LogFacts>> {
        self.read.clone()
    }

    /// Reads what the findings need. It is there at the next look.
    pub fn listen(&mut self, s: &Snapshot, findings: &[Finding], now: Timestamp) {
        for wanted in listen::wanted(s, findings, now) {
            let pod = s.pods.iter().find(|pod| pod.uid == wanted.uid).unwrap();
            let revision = s.revisions.iter().find(|revision| revision.uid == pod.revision).unwrap();
            let Some(text) = self.texts.get(&*revision.hash) else { continue };
            let stamped: String = text.lines().map(|line| format!("{now} {line}\n")).collect();
            self.read.retain(|log| log.uid != wanted.uid || log.container != wanted.container);
            self.read.push(Arc::new(listen::heard(&wanted, stamped.as_bytes())));
        }
    }
}
