//! Dates and times as texts of a fixed width, which sort as the moments they name.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

/// A text of a fixed width, made without an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed<const N: usize>([u8; N]);

impl<const N: usize> Fixed<N> {
    /// The text.
    pub fn as_str(&self) -> &str {
        // Only ASCII is ever put in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn digits<const WIDTH: usize>(&mut self, at: usize, mut value: u32) {
        for place in self.0[at..at + WIDTH].iter_mut().rev() {
            *place = b'0' + u8::try_from(value % 10).unwrap_or(0);
            value /= 10;
        }
    }

    fn put_date(&mut self, at: usize, date: NaiveDate) -> Option<()> {
        let year = u32::try_from(date.year())
            .ok()
            .filter(|year| *year <= 9999)?;
        self.digits::<4>(at, year);
        self.digits::<2>(at + 5, date.month());
        self.digits::<2>(at + 8, date.day());
        Some(())
    }

    fn put_time(&mut self, at: usize, time: NaiveTime) {
        self.digits::<2>(at, time.hour());
        self.digits::<2>(at + 3, time.minute());
        self.digits::<2>(at + 6, time.second());
        self.digits::<6>(at + 9, time.nanosecond() / 1000);
    }
}

/// `2026-10-07T18:39:55.551762Z` of microseconds since 1970; `None` outside the years 0 to 9999.
pub fn instant(microseconds: i64) -> Option<Fixed<27>> {
    let moment = DateTime::from_timestamp_micros(microseconds)?.naive_utc();
    let mut text = Fixed(*b"0000-00-00T00:00:00.000000Z");
    text.put_date(0, moment.date())?;
    text.put_time(11, moment.time());
    Some(text)
}

/// `2026-10-07T18:39:55.551762` of microseconds since 1970; `None` outside the years 0 to 9999.
pub fn local_time(microseconds: i64) -> Option<Fixed<26>> {
    let moment = DateTime::from_timestamp_micros(microseconds)?.naive_utc();
    let mut text = Fixed(*b"0000-00-00T00:00:00.000000");
    text.put_date(0, moment.date())?;
    text.put_time(11, moment.time());
    Some(text)
}

/// `2026-10-07` of days since 1970; `None` outside the years 0 to 9999.
pub fn date(days: i32) -> Option<Fixed<10>> {
    let mut text = Fixed(*b"0000-00-00");
    text.put_date(0, NaiveDate::from_epoch_days(days)?)?;
    Some(text)
}

/// `18:39:55.551762` of microseconds since midnight; `None` beyond a day.
pub fn time(microseconds: i64) -> Option<Fixed<15>> {
    let seconds = u32::try_from(microseconds.div_euclid(1_000_000)).ok()?;
    let rest = u32::try_from(microseconds.rem_euclid(1_000_000)).ok()?;
    let mut text = Fixed(*b"00:00:00.000000");
    text.put_time(
        0,
        NaiveTime::from_num_seconds_from_midnight_opt(seconds, rest * 1000)?,
    );
    Some(text)
}

/// Microseconds since 1970 of a text such as [`instant`] makes, or of another ISO 8601 spelling; one
/// without a zone is taken as UTC.
pub fn parse_instant(text: &str) -> Option<i64> {
    let moment = DateTime::parse_from_rfc3339(text).map(|moment| moment.timestamp_micros());
    moment
        .ok()
        .or_else(|| parse_local_time(text))
        .or_else(|| parse_zoned(text))
}

/// What RFC 3339 does not allow: no seconds, and offsets such as `+0200`, `+02` and ` +02:00`.
fn parse_zoned(text: &str) -> Option<i64> {
    let at = text.rfind(['Z', 'z', '+', '-'])?;
    let (local, zone) = text.split_at(at);
    let local = local.trim_end();
    if local.len() <= "2026-10-07".len() {
        return None;
    }
    let (sign, offset) = match zone.split_at(1) {
        ("+", offset) => (1, offset),
        ("-", offset) => (-1, offset),
        (_, "") => return parse_local_time(local),
        _ => return None,
    };
    let (hours, minutes) = match offset.len() {
        2 => (offset, "0"),
        4 => offset.split_at_checked(2)?,
        _ => offset.split_once(':').filter(|_| offset.len() == 5)?,
    };
    let part = |digits: &str, below: i64| {
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = is_plain.then(|| digits.parse().ok())??;
        (number < below).then_some(number)
    };
    let minutes = part(hours, 24)? * 60 + part(minutes, 60)?;
    parse_local_time(local)?.checked_sub(sign * minutes * 60_000_000)
}

/// Microseconds since 1970 of a text such as [`local_time`] makes; `T` may be a space, and a date alone
/// is its midnight.
pub fn parse_local_time(text: &str) -> Option<i64> {
    [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ]
    .iter()
    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    .or_else(|| text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0))
    .map(|moment| moment.and_utc().timestamp_micros())
}

/// Days since 1970 of a text such as [`date`] makes.
pub fn parse_date(text: &str) -> Option<i32> {
    text.parse::<NaiveDate>()
        .ok()
        .map(|date| date.to_epoch_days())
}

/// Microseconds since midnight of a text such as [`time`] makes.
pub fn parse_time(text: &str) -> Option<i64> {
    let time = text.parse::<NaiveTime>().ok()?;
    let seconds = i64::from(time.num_seconds_from_midnight());
    Some(seconds * 1_000_000 + i64::from(time.nanosecond() / 1000))
}

/// `P1Y2M3DT4H5M6.5S` of months, days and nanoseconds; `PT0S` of nothing.
pub fn span(months: i32, days: i32, nanoseconds: i64) -> String {
    let mut text = String::from("P");
    let mut part = |number: i64, unit: char| {
        if number != 0 {
            text.push_str(&number.to_string());
            text.push(unit);
        }
    };
    part(i64::from(months / 12), 'Y');
    part(i64::from(months % 12), 'M');
    part(i64::from(days), 'D');
    if nanoseconds != 0 {
        let seconds = nanoseconds / 1_000_000_000;
        let fraction = (nanoseconds % 1_000_000_000).unsigned_abs();
        let sign = if nanoseconds < 0 { "-" } else { "" };
        text.push('T');
        let mut part = |number: i64, unit: char| {
            if number != 0 {
                text.push_str(&number.to_string());
                text.push(unit);
            }
        };
        part(seconds / 3600, 'H');
        part(seconds / 60 % 60, 'M');
        let seconds = (seconds % 60).unsigned_abs();
        if fraction != 0 {
            let fraction = format!("{fraction:09}");
            text.push_str(&format!(
                "{sign}{seconds}.{}S",
                fraction.trim_end_matches('0')
            ));
        } else if seconds != 0 {
            text.push_str(&format!("{sign}{seconds}S"));
        }
    } else if text.len() == 1 {
        text.push_str("T0S");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_one_width_and_come_back() {
        for microseconds in [0, 1, -1, 1_791_398_395_551_762, -62_135_596_800_000_000] {
            let text = instant(microseconds).map(|text| text.as_str().to_owned());
            assert_eq!(
                text.as_deref().and_then(parse_instant),
                Some(microseconds),
                "{text:?}"
            );
            let local = local_time(microseconds).map(|text| text.as_str().to_owned());
            assert_eq!(
                local.as_deref().and_then(parse_local_time),
                Some(microseconds)
            );
        }
        assert_eq!(
            instant(1_791_398_395_551_762)
                .map(|text| text.as_str().to_owned())
                .as_deref(),
            Some("2026-10-07T18:39:55.551762Z")
        );
        assert_eq!(instant(i64::MAX), None);
        assert_eq!(
            date(20_000).map(|d| d.as_str().to_owned()).as_deref(),
            Some("2024-10-04")
        );
        assert_eq!(parse_date("2024-10-04"), Some(20_000));
        assert_eq!(
            time(86_399_999_999).map(|t| parse_time(t.as_str())),
            Some(Some(86_399_999_999))
        );
        assert_eq!(time(86_400_000_000), None);
    }

    #[test]
    fn other_spellings_are_understood() {
        let noon = Some(43_200_000_000);
        assert_eq!(parse_instant("1970-01-01T12:00:00+00:00"), noon);
        assert_eq!(parse_instant("1970-01-01T14:00:00+02:00"), noon);
        assert_eq!(parse_instant("1970-01-01 12:00:00"), noon);
        for text in [
            "1970-01-01T12:00Z",
            "1970-01-01 12:00:00 +00:00",
            "1970-01-01T14:00:00.000+0200",
            "1970-01-01 10:30:00-0130",
            "1970-01-01T14:00+02",
        ] {
            assert_eq!(parse_instant(text), noon, "{text}");
        }
        for text in [
            "1970-01-01+02:00",
            "1970-01-01T12:00:00+2:00",
            "1970-01-01T12:00:00+25:00",
            "1970-01-01T12:00:00 Zone",
            "1970-01-01T12:00:00+é0",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
        assert_eq!(parse_local_time("1970-01-02"), Some(86_400_000_000));
        assert_eq!(parse_instant("noon"), None);
    }

    #[test]
    fn spans() {
        assert_eq!(span(0, 0, 0), "PT0S");
        assert_eq!(span(14, 3, 14_706_500_000_000), "P1Y2M3DT4H5M6.5S");
        assert_eq!(span(-1, 0, -500_000_000), "P-1MT-0.5S");
        assert_eq!(span(0, 1, 0), "P1D");
    }
}
