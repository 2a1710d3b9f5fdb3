//! Reading values that the API server leaves out, sends as null or fills with a zero time.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::Deserializer;

/// Null is the default value, as in Go, where a missing list is written as null.
///
/// # Errors
/// Those of `T`.
pub fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A point in time that may be missing. The epoch and Go's zero time say that nobody knew it: containerd reports
/// them for containers that never started. Nonsense is no time either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment(pub Option<Timestamp>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let moment = text.and_then(|text| text.parse::<Timestamp>().ok());
        Ok(Self(moment.filter(|moment| *moment > Timestamp::UNIX_EPOCH)))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#""2026-01-02T03:04:05Z""#, Some(1_767_323_045))]
    #[case(r#""2026-01-02T03:04:05.678901Z""#, Some(1_767_323_045))]
    #[case(r#""1970-01-01T00:00:00Z""#, None)]
    #[case(r#""0001-01-01T00:00:00Z""#, None)]
    #[case(r#""yesterday""#, None)]
    #[case("null", None)]
    fn a_time_that_nobody_knew_is_no_time(#[case] text: &str, #[case] seconds: Option<i64>) {
        let moment: Moment = serde_json::from_str(text).unwrap();
        assert_eq!(moment.0.map(Timestamp::as_second), seconds);
    }
}
