//! Amounts as quotas, limit ranges and requests write them: `2`, `250m`, `1.5Gi`, `1e3`
//! (apimachinery/pkg/api/resource/quantity.go).

use std::fmt;

/// More digits than any amount needs.
const MAX_DIGITS: usize = 18;

/// An amount in thousandths of its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Amount(i128);

/// A suffix and what it stands for, in thousandths.
const SUFFIXES: [(&str, i128); 13] = [
    ("m", 1),
    ("", 1_000),
    ("k", 1_000_000),
    ("M", 1_000_000_000),
    ("G", 1_000_000_000_000),
    ("T", 1_000_000_000_000_000),
    ("P", 1_000_000_000_000_000_000),
    ("Ki", 1_000 << 10),
    ("Mi", 1_000 << 20),
    ("Gi", 1_000 << 30),
    ("Ti", 1_000 << 40),
    ("Pi", 1_000 << 50),
    ("Ei", 1_000 << 60),
];
/// The units in which an amount is shown, the largest first.
const SHOWN: [(&str, i128); 4] = [("Ti", 1_000 << 40), ("Gi", 1_000 << 30), ("Mi", 1_000 << 20), ("Ki", 1_000 << 10)];

impl Amount {
    pub(super) fn of_units(units: u64) -> Self {
        Self(i128::from(units).saturating_mul(1000))
    }

    pub(super) fn of_thousandths(thousandths: u64) -> Self {
        Self(i128::from(thousandths))
    }

    /// Reads an amount; `None` for anything else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at_checked(end)?;
        let scale = SUFFIXES.iter().find(|(known, _)| *known == suffix)?.1;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = [whole, fraction].concat();
        if digits.len() > MAX_DIGITS || whole.is_empty() {
            return None;
        }
        let places = u32::try_from(fraction.len()).ok()?;
        let scaled = digits.parse::<i128>().ok()?.checked_mul(scale)?;
        Some(Self(scaled.checked_div(10_i128.checked_pow(places)?)?))
    }

    /// What is left of it after `used`; nothing where more is used.
    pub(super) fn less(self, used: Self) -> Self {
        Self(self.0.saturating_sub(used.0).max(0))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub(super) fn times(self, count: usize) -> Self {
        Self(self.0.saturating_mul(i128::try_from(count).unwrap_or(i128::MAX)))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let divides = |unit: &i128| self.0 >= *unit && self.0.checked_rem(*unit) == Some(0);
        match SHOWN.iter().find(|(_, unit)| divides(unit)) {
            Some((name, unit)) => write!(f, "{}{name}", self.0.checked_div(*unit).unwrap_or_default()),
            None if self.0 % 1000 == 0 => write!(f, "{}", self.0 / 1000),
            None => write!(f, "{}m", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2", "2")]
    #[case("250m", "250m")]
    #[case("1500m", "1500m")]
    #[case("2000m", "2")]
    #[case("0.5", "500m")]
    #[case("1.5Gi", "1536Mi")]
    #[case("1Gi", "1Gi")]
    #[case("1536Mi", "1536Mi")]
    #[case("1073741824", "1Gi")]
    #[case("10k", "10000")]
    #[case("0", "0")]
    fn an_amount_reads_as_it_is_written(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(Amount::read(text).unwrap().to_string(), shown);
    }

    #[rstest]
    #[case("")]
    #[case("Gi")]
    #[case(".")]
    #[case("-1")]
    #[case("1.2.3")]
    #[case("1 Gi")]
    #[case("1gi")]
    #[case("…")]
    #[case("9999999999999999999999")]
    fn nonsense_is_no_amount(#[case] text: &str) {
        assert_eq!(Amount::read(text), None);
    }

    #[test]
    fn no_less_than_nothing_is_left() {
        let amount = |text| Amount::read(text).unwrap();
        assert_eq!(amount("4Gi").less(amount("1Gi")), amount("3Gi"));
        assert_eq!(amount("1").less(amount("2")), amount("0"));
    }

    #[test]
    fn amounts_add_up() {
        let amount = |text| Amount::read(text).unwrap();
        assert_eq!(amount("500m").times(3).plus(amount("1")), amount("2500m"));
        assert_eq!(amount("999999P").times(usize::MAX).plus(amount("1")), Amount(i128::MAX));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,12}|[0-9.]{0,30}[a-zA-Z]{0,3}") {
            if let Some(amount) = Amount::read(&text) {
                prop_assert!(!amount.to_string().is_empty());
            }
        }
    }
}
