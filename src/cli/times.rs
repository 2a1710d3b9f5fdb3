//! Times for people: UTC, and how long ago.

use jiff::Timestamp;

use crate::engine::moment::seconds_between;

/// `2026-11-23 09:14:03 UTC`.
pub fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A duration as kubectl shows ages (`HumanDuration` in apimachinery's pkg/util/duration).
pub fn span(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let two = |n: i64, unit: &str, rest: i64, small: &str| match rest {
        0 => format!("{n}{unit}"),
        rest => format!("{n}{unit}{rest}{small}"),
    };
    match seconds {
        s if s < 0 => "0s".to_owned(),
        s if s < 2 * MINUTE => format!("{s}s"),
        s if s < 10 * MINUTE => two(s / MINUTE, "m", s % MINUTE, "s"),
        s if s < 3 * HOUR => format!("{}m", s / MINUTE),
        s if s < 8 * HOUR => two(s / HOUR, "h", s % HOUR / MINUTE, "m"),
        s if s < 2 * DAY => format!("{}h", s / HOUR),
        s if s < 8 * DAY => two(s / DAY, "d", s % DAY / HOUR, "h"),
        s if s < 730 * DAY => format!("{}d", s / DAY),
        s => format!("{}y", s / (365 * DAY)),
    }
}

/// `3m ago`, or `in 3m`.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let seconds = seconds_between(at, now);
    if seconds < 0 { format!("in {}", span(-seconds)) } else { format!("{} ago", span(seconds)) }
}

/// Both.
pub fn both(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", utc(at), relative(at, now))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(-3, "0s")]
    #[case(0, "0s")]
    #[case(119, "119s")]
    #[case(120, "2m")]
    #[case(125, "2m5s")]
    #[case(600, "10m")]
    #[case(3 * 3600, "3h")]
    #[case(3 * 3600 + 120, "3h2m")]
    #[case(9 * 3600, "9h")]
    #[case(3 * 86_400 + 7200, "3d2h")]
    #[case(30 * 86_400, "30d")]
    #[case(800 * 86_400, "2y")]
    fn ages_read_as_those_of_kubectl(#[case] seconds: i64, #[case] shown: &str) {
        assert_eq!(span(seconds), shown);
    }

    #[test]
    fn times_are_in_utc_and_relative() {
        let at = Timestamp::from_second(1_795_425_243).unwrap();
        let later = Timestamp::from_second(1_795_425_243 + 180).unwrap();
        assert_eq!(both(at, later), "2026-11-23 09:14:03 UTC (3m ago)");
        assert_eq!(relative(later, at), "in 3m");
    }
}
