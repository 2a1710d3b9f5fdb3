//! Arithmetic with times that come from objects and may be nonsense: it saturates and never panics.

use jiff::{SignedDuration, Timestamp};

/// The moment so many seconds after (or, when negative, before) another.
pub fn after(at: Timestamp, seconds: i64) -> Timestamp {
    // Most failures count at once, and this is asked of each pod several times.
    if seconds == 0 {
        return at;
    }
    let limit = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(limit)
}

/// Whole seconds from one moment to another; negative when it lies before.
pub fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second().saturating_sub(from.as_second())
}

/// The earlier of two moments, where there are any.
pub fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
