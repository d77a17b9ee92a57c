//! Timestamps as REST services write them.

/// Microseconds since 1970 (UTC) of an RFC 3339 timestamp: a fraction of any length is cut to six
/// digits, the offset may be `Z`, `+hh:mm` or `+hhmm`, and a space may stand for the `T`.
pub(super) fn micros(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (head, tail) = bytes.split_at_checked(19)?;
    if head[4] != b'-'
        || head[7] != b'-'
        || !matches!(head[10], b'T' | b't' | b' ')
        || head[13] != b':'
        || head[16] != b':'
    {
        return None;
    }
    let (year, month, day) = (
        number(&head[..4])?,
        number(&head[5..7])?,
        number(&head[8..10])?,
    );
    let (hour, minute, second) = (
        number(&head[11..13])?,
        number(&head[14..16])?,
        number(&head[17..19])?,
    );
    // A leap second counts as the one after it, as POSIX time has it.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days(year, month, day)?;
    let (micros, zone) = fraction(tail)?;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone)?;
    Some(seconds * 1_000_000 + micros)
}

/// The fraction in microseconds, and what follows it.
fn fraction(tail: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = tail.strip_prefix(b".") else {
        return Some((0, tail));
    };
    let length = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if length == 0 {
        return None;
    }
    let (digits, zone) = digits.split_at(length);
    let kept = &digits[..length.min(6)];
    let scale = 10_i64.pow(6 - u32::try_from(kept.len()).ok()?);
    Some((number(kept)? * scale, zone))
}

/// The offset from UTC in seconds.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, digits) = match zone {
        b"Z" | b"z" => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [a, b, b':', c, d] | [a, b, c, d] => (number(&[*a, *b])?, number(&[*c, *d])?),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + i64::from(byte - b'0'))
    })
}

/// Days since 1970 of a date of the Gregorian calendar, counted in years from March.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let from_march = (month + 9) % 12;
    let year = if month <= 2 { year - 1 } else { year };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leap_days + (from_march * 153 + 2) / 5 + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use super::micros;

    #[test]
    fn spellings() {
        let cases = [
            ("1970-01-01T00:00:00Z", Some(0)),
            (
                "2026-10-07T18:39:55.551762+00:00",
                Some(1_791_398_395_551_762),
            ),
            (
                "2026-10-07T20:39:55.551762+02:00",
                Some(1_791_398_395_551_762),
            ),
            (
                "2026-10-07T13:09:55.551762-0530",
                Some(1_791_398_395_551_762),
            ),
            (
                "2024-05-21T01:50:36.611482242Z",
                Some(1_716_256_236_611_482),
            ),
            ("2024-05-21 01:50:36.6Z", Some(1_716_256_236_600_000)),
            ("1969-12-31T23:59:59.999999Z", Some(-1)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800_000_000)),
            ("2023-02-29T00:00:00Z", None),
            ("2024-13-01T00:00:00Z", None),
            ("2024-01-01T24:00:00Z", None),
            ("2024-01-01T00:00:00", None),
            ("2024-01-01T00:00:00.Z", None),
            ("2024-01-01", None),
            ("2024-01-01T00:00:00é", None),
            ("+024-01-01T00:00:00Z", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(micros(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_chrono(seconds in -62_167_219_200_i64..253_402_300_799, micro in 0_u32..1_000_000, offset in -86_000_i32..86_000) {
            let zone = chrono::FixedOffset::east_opt(offset / 60 * 60).expect("within a day");
            let instant = chrono::DateTime::from_timestamp(seconds, micro * 1_000).expect("in range");
            let text = instant.with_timezone(&zone).to_rfc3339();
            if text.len() >= 20 && text.as_bytes()[4] == b'-' && text.as_bytes()[0].is_ascii_digit() {
                proptest::prop_assert_eq!(micros(&text), Some(instant.timestamp_micros()), "{}", text);
            }
        }
    }
}
