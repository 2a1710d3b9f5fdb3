//! What is known of one workload's logs: which were read, and which may be asked for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::facts::{LogFacts, Name, PodFacts};
use crate::engine::listen::Wanted;

/// Logs kept of one workload, and of those that were asked for.
const MAX_LOGS: usize = 12;
const MAX_ASKED: usize = 48;
/// How often one log is tried, and how long after a failure.
const MAX_TRIES: u32 = 3;
pub const PAUSE: Duration = Duration::from_secs(2);

#[derive(Default)]
pub struct Book {
    pub logs: Vec<Arc<LogFacts>>,
    asked: Vec<Asked>,
    /// How many are being read.
    pub open: usize,
}

/// A log that was asked for.
struct Asked {
    wanted: Wanted,
    tries: u32,
    state: State,
}

#[derive(PartialEq)]
enum State {
    Open,
    /// It failed then, in a way that may pass.
    Failed(Instant),
    /// It was read, or there is nothing to be read.
    Done,
}

/// What became of reading a log.
pub enum Reading {
    Read(LogFacts),
    /// A kubelet that hiccups may answer the next time.
    MayPass,
    /// It is forbidden, or there is none.
    Never,
}

impl Book {
    /// A book that begins with logs which are known already.
    pub fn with(logs: Vec<Arc<LogFacts>>) -> Self {
        Self { logs, ..Self::default() }
    }

    /// Forgets the logs of all other pods.
    pub fn keep_only(&mut self, pods: &[Arc<PodFacts>]) {
        let is_there = |uid: &Name| pods.iter().any(|pod| pod.uid == *uid);
        self.logs.retain(|log| is_there(&log.uid));
        self.asked.retain(|asked| is_there(&asked.wanted.uid));
    }

    /// Nothing is left that is worth keeping it for.
    pub fn is_empty(&self) -> bool {
        self.open == 0 && self.logs.is_empty() && self.asked.is_empty()
    }

    /// The log was not asked for before, or it failed a while ago and may be had by now.
    pub fn may_ask(&self, wanted: &Wanted) -> bool {
        let Some(asked) = self.asked.iter().find(|asked| asked.wanted == *wanted) else { return true };
        matches!(asked.state, State::Failed(at) if asked.tries < MAX_TRIES && at.elapsed() >= PAUSE)
    }

    /// Remembers that these logs are being read.
    pub fn ask(&mut self, wanted: &[Wanted]) {
        for wanted in wanted {
            match self.asked.iter_mut().find(|asked| asked.wanted == *wanted) {
                Some(asked) => (asked.tries, asked.state) = (asked.tries.saturating_add(1), State::Open),
                None => self.asked.push(Asked { wanted: wanted.clone(), tries: 1, state: State::Open }),
            }
        }
        let old = self.asked.len().saturating_sub(MAX_ASKED);
        self.asked.drain(..old);
        self.open += wanted.len();
    }

    /// Takes in what became of reading them. Tells whether anything was read, and whether to ask once more.
    pub fn take(&mut self, answers: Vec<(Wanted, Reading)>) -> (bool, bool) {
        self.open = self.open.saturating_sub(answers.len());
        let (mut news, mut again) = (false, false);
        for (wanted, reading) in answers {
            let asked = self.asked.iter_mut().find(|asked| asked.wanted == wanted);
            if let Some(asked) = asked {
                let may_pass = matches!(reading, Reading::MayPass);
                asked.state = if may_pass { State::Failed(Instant::now()) } else { State::Done };
                again |= may_pass && asked.tries < MAX_TRIES;
            }
            if let Reading::Read(log) = reading {
                news = true;
                self.logs.retain(|known| known.uid != log.uid || known.container != log.container);
                self.logs.push(Arc::new(log));
            }
        }
        let old = self.logs.len().saturating_sub(MAX_LOGS);
        self.logs.drain(..old);
        (news, again)
    }

    /// No log of these pods was read, but may be soon: one is being read, or was not asked for. What has failed once is not
    /// waited for.
    pub fn may_hear(&self, is_asked_about: impl Fn(&Name) -> bool) -> bool {
        let was_asked = self.asked.iter().any(|asked| is_asked_about(&asked.wanted.uid));
        let was_read = self.logs.iter().any(|log| is_asked_about(&log.uid));
        let is_read_first = self.asked.iter().any(|asked| asked.state == State::Open && asked.tries == 1);
        !was_read && (is_read_first || !was_asked)
    }
}
