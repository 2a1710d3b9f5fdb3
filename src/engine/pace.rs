//! How often something must have been tried by now, where a status looks the same after every attempt.

/// Attempts by elapsed time: never more than were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Once at the beginning, and then at least once in so many seconds.
    Every(i64),
    /// A controller's queue tries again after 5 ms, 10 ms, 20 ms and so on, up to 1000 s
    /// (`DefaultTypedControllerRateLimiter` in k8s.io/client-go/util/workqueue).
    BackingOff,
}

/// More attempts than any rule may ask for.
const MAX_ATTEMPTS: u32 = 101;
const FIRST_PAUSE_MS: i64 = 5;
const LONGEST_PAUSE_MS: i64 = 1_000_000;
/// What an attempt and its turn in the queue are given, so that a slow API server is not taken for many attempts.
const ATTEMPT_MS: i64 = 2_000;

impl Pace {
    /// Attempts that have been made so many seconds after the first.
    pub fn attempts_after(self, seconds: i64) -> u32 {
        match self {
            Self::Every(pause) => {
                let retries = seconds.max(0).checked_div(pause).unwrap_or_default();
                u32::try_from(retries).unwrap_or(u32::MAX).saturating_add(1)
            }
            Self::BackingOff => {
                let retries = (0..MAX_ATTEMPTS - 1).map(pause).scan(0_i64, |sum, pause| {
                    *sum = sum.saturating_add(pause);
                    Some(*sum)
                });
                let made = retries.take_while(|sum| sum.saturating_add(999) / 1000 <= seconds).count();
                u32::try_from(made).unwrap_or(u32::MAX).saturating_add(1)
            }
        }
    }

    /// Seconds from the first attempt after which so many have been made.
    pub fn seconds_until(self, attempts: u32) -> i64 {
        let retries = attempts.saturating_sub(1);
        match self {
            Self::Every(pause) => pause.saturating_mul(i64::from(retries)),
            Self::BackingOff => {
                let pauses = (0..retries.min(MAX_ATTEMPTS)).map(pause).fold(0, i64::saturating_add);
                pauses.saturating_add(999) / 1000
            }
        }
    }
}

/// Milliseconds before this retry.
fn pause(retry: u32) -> i64 {
    FIRST_PAUSE_MS.saturating_mul(1 << retry.min(20)).clamp(ATTEMPT_MS, LONGEST_PAUSE_MS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Pace::Every(20), 2, 20)]
    #[case(Pace::Every(20), 3, 40)]
    #[case(Pace::BackingOff, 2, 2)]
    #[case(Pace::BackingOff, 3, 4)]
    #[case(Pace::BackingOff, 10, 18)]
    #[case::pauses_are_longer_than_attempts(Pace::BackingOff, 12, 26)]
    #[case(Pace::BackingOff, 19, 1327)]
    #[case::longest_pause(Pace::BackingOff, 20, 2327)]
    fn so_many_attempts_take_so_long(#[case] pace: Pace, #[case] attempts: u32, #[case] seconds: i64) {
        assert_eq!(pace.seconds_until(attempts), seconds);
        assert_eq!((pace.attempts_after(seconds - 1), pace.attempts_after(seconds)), (attempts - 1, attempts));
    }

    proptest! {
        #[test]
        fn time_and_attempts_agree(attempts in 1_u32..=100, every in 1_i64..100, back in any::<bool>()) {
            let pace = if back { Pace::BackingOff } else { Pace::Every(every) };
            prop_assert_eq!(pace.attempts_after(pace.seconds_until(attempts)), attempts);
        }

        #[test]
        fn any_time_will_do(seconds in any::<i64>(), pause in any::<i64>()) {
            prop_assert!(Pace::BackingOff.attempts_after(seconds) >= 1);
            prop_assert!(Pace::Every(pause).attempts_after(seconds) >= 1);
        }
    }
}
