//! Timestamps as REST services write them.

/// Microseconds since 1970 (UTC) of a date and time of ISO 8601, as RFC 3339 has them or more loosely: a space may
/// stand for the `T`, the time, its seconds and the zone may be missing, a fraction of any length is cut to six digits.
/// What names no zone is UTC, as Bitbucket documents.
pub(super) fn micros(text: &str) -> Option<i64> {
    let (date, rest) = text.as_bytes().split_at_checked(10)?;
    let [y @ .., b'-', m0, m1, b'-', d0, d1] = date else {
        return None;
    };
    let days = days(number(y)?, number(&[*m0, *m1])?, number(&[*d0, *d1])?)?;
    let (micros, zone) = match rest {
        [] => (0, rest),
        [b'T' | b't' | b' ', rest @ ..] => time_of_day(rest)?,
        _ => return None,
    };
    Some((days * 86_400 - offset(zone)?) * 1_000_000 + micros)
}

/// The time of day in microseconds, and what follows it.
fn time_of_day(text: &[u8]) -> Option<(i64, &[u8])> {
    let [h0, h1, b':', m0, m1, rest @ ..] = text else {
        return None;
    };
    let (hour, minute) = (number(&[*h0, *h1])?, number(&[*m0, *m1])?);
    let (second, rest) = match rest {
        [b':', s0, s1, rest @ ..] => (number(&[*s0, *s1])?, rest),
        rest => (0, rest),
    };
    // A leap second counts as the one after it, as POSIX time has it.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (micros, zone) = fraction(rest)?;
    let seconds = hour * 3_600 + minute * 60 + second;
    Some((seconds * 1_000_000 + micros, zone))
}

/// The fraction in microseconds, and what follows it.
fn fraction(tail: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.' | b',', digits @ ..] = tail else {
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
    let (sign, digits) = match zone.strip_prefix(b" ").unwrap_or(zone) {
        b"" | b"Z" | b"z" | b"UTC" | b"GMT" => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes, seconds) = match digits {
        [a, b] => ([a, b], None, None),
        [a, b, b':', c, d] | [a, b, c, d] => ([a, b], Some([c, d]), None),
        [a, b, b':', c, d, b':', e, f] | [a, b, c, d, e, f] => ([a, b], Some([c, d]), Some([e, f])),
        _ => return None,
    };
    let two = |digits: Option<[&u8; 2]>| number(&digits.unwrap_or([&b'0'; 2]).map(|it| *it));
    let (hours, minutes, seconds) = (two(Some(hours))?, two(minutes)?, two(seconds)?);
    let fits = hours <= 23 && minutes <= 59 && seconds <= 59;
    fits.then_some(sign * (hours * 3_600 + minutes * 60 + seconds))
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
            // Without a zone, as old deploy keys and exports have it.
            ("2021-04-02T14:20:48.179", Some(1_617_373_248_179_000)),
            ("2021-04-02 14:20:48", Some(1_617_373_248_000_000)),
            ("2021-04-02T14:20", Some(1_617_373_200_000_000)),
            ("2021-04-02", Some(1_617_321_600_000_000)),
            ("2021-04-02T14:20:48,179+00:00", Some(1_617_373_248_179_000)),
            // Offsets of another length.
            ("2021-04-02T14:20:48+00:00:00", Some(1_617_373_248_000_000)),
            ("2021-04-02T15:14:16+00:53:28", Some(1_617_373_248_000_000)),
            ("2021-04-02T13:27:20-005328", Some(1_617_373_248_000_000)),
            ("2021-04-02T16:20:48+02", Some(1_617_373_248_000_000)),
            ("2021-04-02 16:20:48 +0200", Some(1_617_373_248_000_000)),
            ("2021-04-02 14:20:48 UTC", Some(1_617_373_248_000_000)),
            ("2021-04-02T14:20:48+00:00:60", None),
            ("2021-04-02T14:20:48+0", None),
            ("2021-04-02T14:20:48 CET", None),
            ("2021-04-02T", None),
            ("2021-04-02Z", None),
            ("20210402T142048Z", None),
            ("2024-01-01T00:00:00.Z", None),
            ("2024-01-01T00:00:00é", None),
            ("2024-01-0é", None),
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
