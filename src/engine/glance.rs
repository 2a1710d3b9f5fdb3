//! What one look at a pod tells of its past.
//!
//! The operator watches and counts what it saw happen. Who looks once has only the status, which says how often
//! containers ended, and that a container waits, but not since when. A back-off has a known shape, so the time since
//! the container can have begun to wait says how often it was tried.

use jiff::Timestamp;

use super::facts::{ContainerFacts, History, PodFacts, WaitingSpell};
use super::moment::seconds_between;
use super::observe;

/// The first back-off of an image pull and half as much again for the pull itself; every further one is twice as long
/// (`imageBackOff` in pkg/kubelet/kubelet.go).
const PULL_SECONDS: i64 = 15;

/// The pod with the history that its status implies. Every exit counts: whether it is old news is for the
/// classifiers to see in how the container does now.
pub fn glance(pod: &PodFacts, now: Timestamp) -> PodFacts {
    let seen = observe::observe(None, pod.clone(), now);
    let waiting = seen.history.waiting.map(|spell| Box::new(since_it_began(*spell, pod, now)));
    PodFacts { history: History { exits_at_first_sight: 0, waiting, ..seen.history }, ..seen }
}

fn since_it_began(spell: WaitingSpell, pod: &PodFacts, now: Timestamp) -> WaitingSpell {
    let since = began_to_wait(pod, &spell.container).min(now);
    let attempts = match &*spell.reason {
        "ErrImagePull" | "ImagePullBackOff" => pulls(seconds_between(since, now)),
        _ => spell.attempts,
    };
    WaitingSpell { since, attempts, ..spell }
}

/// The last thing that had to happen before the container could be tried: the pod came to its node, the containers
/// before it in start order did their work, its own run ended.
fn began_to_wait(pod: &PodFacts, container: &str) -> Timestamp {
    let before = pod.containers.iter().take_while(|c| &*c.name != container).filter_map(ended);
    let own = pod.containers.iter().find(|c| &*c.name == container).and_then(ended);
    before.chain(own).fold(pod.started.unwrap_or(pod.created), Timestamp::max)
}

fn ended(container: &ContainerFacts) -> Option<Timestamp> {
    container.ending().and_then(|ending| ending.finished)
}

/// How many pulls fit into so many seconds of failing.
fn pulls(seconds: i64) -> u32 {
    let backoffs = (seconds.max(0) / PULL_SECONDS).saturating_add(1).checked_ilog2().unwrap_or_default();
    backoffs.saturating_add(1)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(-5, 1)]
    #[case(0, 1)]
    #[case(14, 1)]
    #[case(15, 2)]
    #[case(45, 3)]
    #[case(105, 4)]
    #[case(i64::MAX, 60)]
    fn pulls_are_counted_by_doubling_back_offs(#[case] seconds: i64, #[case] attempts: u32) {
        assert_eq!(pulls(seconds), attempts);
    }
}
