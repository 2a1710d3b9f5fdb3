//! What successive sights of one pod add up to.

use jiff::Timestamp;

use super::Name;
use crate::engine::message::Message;

/// What successive sights of one pod add to its present status. Kept in memory only: after a restart it starts
/// anew, which delays a verdict and never hastens one.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct History {
    /// When this process first saw the pod.
    pub first_seen: Option<Timestamp>,
    /// Exits of all containers when the pod was first seen, without those that were made up; they happened before anyone
    /// watched.
    pub exits_at_first_sight: u32,
    /// When a container was last seen to turn `started`; `None` if that never happened before our eyes.
    pub last_started: Option<Timestamp>,
    /// Times at which readiness was lost, each no more than `classify::FLAPPING_SECONDS` after the one before: the first, and
    /// the newest after that, oldest first, at most `observe::MAX_LOSSES`.
    pub losses: Vec<Timestamp>,
    /// The waiting container, its reason, when that spell began and how many attempts were seen.
    pub waiting: Option<Box<WaitingSpell>>,
    /// The containers whose runs have ended, and when that began; see `observe::series_since`.
    pub series: Box<[ExitSeries]>,
}

/// What the ends of one container's runs add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExitSeries {
    pub container: Name,
    /// When the first came of those that belong together; `None` where all that were seen were made up.
    pub since: Option<Timestamp>,
    /// How many exits were looked at for what follows.
    pub counted: u32,
    /// Ends among them that nobody saw a program come to: the kubelet or the runtime had lost the container.
    pub made_up: u32,
    /// Ends among them that no status showed while somebody looked.
    pub unseen: u32,
}

/// A spell of failed attempts to start one container.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitingSpell {
    pub container: Name,
    pub reason: Name,
    pub since: Timestamp,
    /// How often an attempt was seen to fail.
    pub attempts: u32,
    /// The last message that said more than "back-off": kubelets before 1.36 lose it while they wait.
    pub message: Message,
}
