//! Amounts as Kubernetes writes them: `128Mi`, `0.5`, `250m`, `1e3`.
//!
//! The grammar is that of `apimachinery/pkg/api/resource/quantity.go`; like `Value()` and `MilliValue()` there, what
//! does not fit the unit is rounded up.

use crate::cluster::digest::Leaf;

/// Whole units, such as bytes. `None` for nonsense and for negative amounts.
pub fn units(amount: &Leaf) -> Option<u64> {
    scaled(amount, 1)
}

/// Thousandths of a unit, such as of a core. `None` for nonsense and for negative amounts.
pub fn thousandths(amount: &Leaf) -> Option<u64> {
    scaled(amount, 1000)
}

fn scaled(amount: &Leaf, scale: u64) -> Option<u64> {
    match (&amount.text, amount.integer) {
        (Some(text), _) => parse(text, scale),
        (None, Some(integer)) => Some(u64::try_from(integer).ok()?.saturating_mul(scale)),
        (None, None) => None,
    }
}

/// More digits than any amount needs; beyond them the text is nonsense.
const MAX_DIGITS: usize = 24;

fn parse(text: &str, scale: u64) -> Option<u64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let number_end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(number_end)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return None;
    }
    // A second point makes the digits unreadable.
    let mantissa = digits.parse::<u128>().ok()?;
    let (binary, decimal) = suffix_powers(suffix)?;
    let decimal = decimal.checked_sub(i32::try_from(fraction.len()).ok()?)?;

    let multiplied = mantissa.checked_mul(u128::from(scale)).and_then(|value| value.checked_mul(1 << binary));
    let Some(value) = multiplied else { return Some(u64::MAX) };
    let power = 10_u128.checked_pow(decimal.unsigned_abs());
    let value = match power {
        _ if value == 0 => 0,
        Some(power) if decimal >= 0 => value.saturating_mul(power),
        Some(power) => value.div_ceil(power),
        None if decimal >= 0 => u128::MAX,
        None => 1,
    };
    Some(u64::try_from(value).unwrap_or(u64::MAX))
}

/// The powers of two and of ten that a suffix stands for.
fn suffix_powers(suffix: &str) -> Option<(u32, i32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        _ => (0, suffix.strip_prefix(['e', 'E'])?.parse::<i32>().ok().filter(|power| power.abs() < 1000)?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0", 0)]
    #[case("1073741824", 1 << 30)]
    #[case("128Mi", 128 << 20)]
    #[case("1.5Gi", 3 << 29)]
    #[case("1Ki", 1024)]
    #[case("1Ti", 1 << 40)]
    #[case("1Pi", 1 << 50)]
    #[case("1Ei", 1 << 60)]
    #[case("1k", 1000)]
    #[case("2M", 2_000_000)]
    #[case("1G", 1_000_000_000)]
    #[case("1T", 1_000_000_000_000)]
    #[case("1P", 1_000_000_000_000_000)]
    #[case("1E", 1_000_000_000_000_000_000)]
    #[case("1e3", 1000)]
    #[case("1E3", 1000)]
    #[case("12e-1", 2)]
    #[case("+5", 5)]
    #[case(".5k", 500)]
    #[case("5.", 5)]
    #[case("100m", 1)]
    #[case("1500m", 2)]
    #[case("128974848000m", 128_974_848)]
    #[case("99Ei", u64::MAX)]
    fn every_suffix_counts_as_the_api_server_counts_it(#[case] text: &str, #[case] value: u64) {
        assert_eq!(parse(text, 1), Some(value));
    }

    #[rstest]
    #[case("1", 1000)]
    #[case("0.1", 100)]
    #[case("250m", 250)]
    #[case("100u", 1)]
    #[case("1n", 1)]
    #[case("2k", 2_000_000)]
    fn cores_count_in_thousandths(#[case] text: &str, #[case] value: u64) {
        assert_eq!(parse(text, 1000), Some(value));
    }

    #[rstest]
    #[case("")]
    #[case(".")]
    #[case("-1")]
    #[case("1.2.3")]
    #[case("Mi")]
    #[case("1mi")]
    #[case("1 Mi")]
    #[case("1e")]
    #[case("1e99999")]
    #[case("１")]
    #[case("9999999999999999999999999")]
    fn nonsense_is_no_amount(#[case] text: &str) {
        assert_eq!(parse(text, 1), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,12}|[0-9.]{0,30}[a-zA-Z]{0,3}[+-]?[0-9]{0,6}") {
            let _ = parse(&text, 1000);
        }
    }
}
