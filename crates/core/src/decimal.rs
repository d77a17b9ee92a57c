//! Decimals by their digits.

/// What a text says as a decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// The number in units of `10^-scale`.
    Units(i128),
    /// A number of more digits than there is room for.
    TooLong,
    /// The text is not one of a number.
    Nothing,
}

/// Reads a number with or without an exponent, as SQL writes it, as a decimal of `precision` digits, `scale` of which stand
/// behind the point. Further digits are rounded, halves away from 0.
pub fn read(text: &str, precision: u8, scale: i8) -> Read {
    match read_units(text, scale) {
        Some(Read::Units(units))
            if power(precision.into()).is_some_and(|most| units.abs() >= most) =>
        {
            Read::TooLong
        }
        Some(read) => read,
        None => Read::Nothing,
    }
}

/// Reads the digits that a float is written with; `None` if the decimal has no room for them.
pub fn of_float(number: f64, precision: u8, scale: i8) -> Option<i128> {
    match read(&format!("{number:e}"), precision, scale) {
        Read::Units(units) => Some(units),
        Read::TooLong | Read::Nothing => None,
    }
}

/// `10^digits`, if there is room for it.
pub fn power(digits: u64) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(digits).ok()?)
}

fn read_units(text: &str, scale: i8) -> Option<Read> {
    let text = text.trim();
    let (is_negative, text) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    let leading = i64::try_from(digits.len() - significant.len()).ok()?;
    // How many of the significant digits stand before the unit's end; beyond their number, zeros do.
    let kept = i64::try_from(whole.len()).ok()? - leading + exponent + i64::from(scale);
    if significant.is_empty() || kept < 0 {
        return Some(Read::Units(0));
    }
    let Some(kept) = usize::try_from(kept).ok().filter(|kept| *kept <= 39) else {
        return Some(Read::TooLong);
    };
    let (taken, rest) = significant.split_at(kept.min(significant.len()));
    let zeros = power(u64::try_from(kept - taken.len()).ok()?)?;
    let taken = match taken {
        "" => Some(0),
        taken => taken.parse::<i128>().ok(),
    };
    let rounded = taken
        .and_then(|taken| taken.checked_mul(zeros))
        .and_then(|taken| taken.checked_add(i128::from(rest.bytes().next() >= Some(b'5'))));
    Some(match rounded {
        Some(units) => Read::Units(if is_negative { -units } else { units }),
        None => Read::TooLong,
    })
}

/// An exponent; one that is out of every range is the longest.
fn exponent_of(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let most = 1_000_000;
    let size = digits.parse::<i64>().unwrap_or(most).min(most);
    Some(if text.starts_with('-') { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::{Read, of_float, read};

    #[test]
    fn a_number_is_read_by_its_digits() {
        for (text, scale, expected) in [
            ("0.3", 30, 300_000_000_000_000_000_000_000_000_000),
            ("1.25", 1, 13),
            ("-1.25", 1, -13),
            ("1.2499999999999999999999", 1, 12),
            ("1e3", 2, 100_000),
            ("1.5e-7", 10, 1500),
            ("1.5E-7", 6, 0),
            ("0.05", 1, 1),
            ("0.04", 1, 0),
            ("0.005", 1, 0),
            (" +.5 ", 0, 1),
            ("5.", 0, 5),
            ("1234", -2, 12),
            ("1250", -2, 13),
            ("000.000", 5, 0),
            ("0e999999999999999999999", 5, 0),
            ("1e-999999999999999999999", 5, 0),
        ] {
            assert_eq!(read(text, 38, scale), Read::Units(expected), "{text}");
        }
        for text in [
            "", "-", ".", "e5", "1e", "1e+", "1 2", "0x1", "--1", "1.2.3", "inf", "NaN", "١",
        ] {
            assert_eq!(read(text, 38, 2), Read::Nothing, "{text}");
        }
        for text in ["1e39", "1e999999999999999999999", &"9".repeat(40)] {
            assert_eq!(read(text, 38, 0), Read::TooLong, "{text}");
        }
    }

    #[test]
    fn a_decimal_has_room_for_so_many_digits() {
        assert_eq!(read("999.994", 5, 2), Read::Units(99_999));
        assert_eq!(read("999.995", 5, 2), Read::TooLong);
        assert_eq!(
            of_float(0.3, 38, 30),
            Some(300_000_000_000_000_000_000_000_000_000)
        );
        assert_eq!(of_float(1e30, 38, 2), Some(10_i128.pow(32)));
        assert_eq!(of_float(f64::NAN, 38, 2), None);
        assert_eq!(of_float(f64::INFINITY, 38, 2), None);
    }
}
