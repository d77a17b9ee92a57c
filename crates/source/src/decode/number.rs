//! Numbers as JSON has them: one type, of any size, spelled in many ways.

/// Whether a JSON value is a number.
pub(super) fn is_number(json: &str) -> bool {
    json.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// The whole number of 64 bits that a number in JSON is, whatever its spelling: `100`, `100.0` or `1e2`. `None` if it is
/// no such number.
pub fn whole(number: &str) -> Option<i64> {
    let (sign, number) = match number.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, number),
    };
    let (digits, exponent) = match number.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent),
        None => (number, "0"),
    };
    let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = format!("{before}{after}");
    if before.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let after = i64::try_from(after.len()).ok()?;
    // An exponent that is no i64 leaves no number of 64 bits.
    let zeros = zeros
        .checked_sub(after)?
        .checked_add(exponent.parse().ok()?)?;
    let scale = 10_i128.checked_pow(u32::try_from(zeros).ok()?)?;
    let value = significant.parse::<i128>().ok()?.checked_mul(scale)?;
    i64::try_from(sign * value).ok()
}

/// A number's digits: as they are written, but a whole number of 64 bits the usual way.
pub(super) fn digits(number: &str) -> String {
    whole(number).map_or_else(|| number.to_owned(), |whole| whole.to_string())
}

/// The nearest floating-point number; `None` if it is out of their range. There is one zero.
pub(super) fn float(number: &str) -> Option<f64> {
    let value: f64 = number.parse().ok()?;
    value.is_finite().then_some(value + 0.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::{digits, float, whole};

    #[test]
    fn a_whole_number_is_one_however_it_is_spelled() {
        for (number, expected) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-0.00e-5", Some(0)),
            ("0e99999999999999999999", Some(0)),
            ("3.0", Some(3)),
            ("-3.000", Some(-3)),
            ("1e2", Some(100)),
            ("1E+2", Some(100)),
            ("12.5e1", Some(125)),
            ("1200e-2", Some(12)),
            ("0.0003e4", Some(3)),
            ("9223372036854775807.0", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("-9.223372036854775808e18", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("9007199254740993.0", Some(9_007_199_254_740_993)),
            ("3.5", None),
            ("1e-1", None),
            ("123e-2", None),
            ("1e400", None),
            ("1e99999999999999999999", None),
            ("1e-99999999999999999999", None),
            ("", None),
            ("-", None),
            ("1e", None),
            ("0x10", None),
            ("null", None),
        ] {
            assert_eq!(whole(number), expected, "{number}");
        }
    }

    #[test]
    fn digits_are_kept_as_they_are_written() {
        for (number, expected) in [
            ("5.0", "5"),
            ("1.50", "1.50"),
            ("1e400", "1e400"),
            ("12345678901234567890123", "12345678901234567890123"),
        ] {
            assert_eq!(digits(number), expected);
        }
        assert_eq!(float("1e400"), None);
        assert_eq!(float("-0.0").map(f64::to_bits), Some(0));
        assert_eq!(float("1e-400"), Some(0.0));
    }

    proptest! {
        #[test]
        fn moving_the_point_changes_nothing(number in any::<i64>(), places in 0_u32..30) {
            prop_assert_eq!(whole(&format!("{number}.{:01$}", 0, places as usize)), Some(number));
            let zeros = "0".repeat(places as usize);
            prop_assert_eq!(whole(&format!("{number}{zeros}e-{places}")), Some(number));
        }
    }
}
