//! Time as the imitation sees it.

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

/// An instant, in microseconds since 1970-01-01T00:00:00Z: the service's resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Timestamp(pub(crate) i64);

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const DAY: i64 = 86_400 * SECOND;

impl Timestamp {
    /// Writes `2026-10-07T18:39:55.551762+00:00`.
    pub(crate) fn write(self, out: &mut String) {
        self.write_seconds(out);
        out.push('.');
        digits(out, self.0.rem_euclid(SECOND), 6);
        out.push_str("+00:00");
    }

    /// Writes `2026-10-07T18:39:55`, without fraction and offset.
    pub(crate) fn write_seconds(self, out: &mut String) {
        let seconds = self.0.div_euclid(SECOND);
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        let rest = seconds.rem_euclid(86_400);
        digits(out, year, 4);
        out.push('-');
        digits(out, month, 2);
        out.push('-');
        digits(out, day, 2);
        out.push('T');
        digits(out, rest / 3600, 2);
        out.push(':');
        digits(out, rest / 60 % 60, 2);
        out.push(':');
        digits(out, rest % 60, 2);
    }

    /// Reads an ISO 8601 date with optional time and offset; UTC where no offset is given.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Some(at.to_utc().into());
        }
        for format in ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%z"] {
            if let Ok(at) = DateTime::parse_from_str(text, format) {
                return Some(at.to_utc().into());
            }
        }
        for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"] {
            if let Ok(at) = NaiveDateTime::parse_from_str(text, format) {
                return Some(at.and_utc().into());
            }
        }
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(date.and_time(NaiveTime::MIN).and_utc().into())
    }

    /// The same as a chrono value.
    pub(crate) fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }

    /// As HTTP writes dates: `Sun, 22 Nov 2026 10:00:00 GMT`.
    pub(crate) fn http_date(self) -> String {
        self.to_utc()
            .format("%a, %d %b %Y %H:%M:%S GMT")
            .to_string()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_micros())
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::with_capacity(32);
        self.write(&mut text);
        f.write_str(&text)
    }
}

fn digits(out: &mut String, value: i64, width: u32) {
    let mut unit = 10_i64.pow(width - 1);
    while unit > 0 {
        out.push((b'0' + (value / unit % 10) as u8) as char);
        unit /= 10;
    }
}

/// Year, month and day of a day count since 1970 in the proleptic Gregorian calendar: counted in
/// eras of 400 years that start in March, so that the leap day comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// How the server's clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// Starts at an instant that suits the day played (2026-08-10 or 2026-11-20, 09:00 UTC) and
    /// runs on from there.
    #[default]
    Seeded,
    /// Starts at the given instant and runs on from there.
    From(DateTime<Utc>),
    /// Stands still at the given instant until it is advanced.
    Frozen(DateTime<Utc>),
    /// The machine's own time.
    Real,
}

/// A running [`Clock`].
#[derive(Debug)]
pub(crate) struct Timepiece {
    start: Timestamp,
    since: Option<Instant>,
    advanced: i64,
}

impl Timepiece {
    pub(crate) fn new(clock: Clock, seeded: Timestamp) -> Self {
        let (start, runs) = match clock {
            Clock::Seeded => (seeded, true),
            Clock::From(at) => (at.into(), true),
            Clock::Frozen(at) => (at.into(), false),
            Clock::Real => (Utc::now().into(), true),
        };
        Self {
            start,
            since: runs.then(Instant::now),
            advanced: 0,
        }
    }

    /// Where the clock started: the instant that generated data leads up to.
    pub(crate) fn start(&self) -> Timestamp {
        self.start
    }

    pub(crate) fn now(&self) -> Timestamp {
        let run = self
            .since
            .map_or(0, |since| since.elapsed().as_micros() as i64);
        Timestamp(self.start.0 + self.advanced + run)
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.advanced += by.as_micros() as i64;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_documented_forms() {
        let utc = |text: &str| Timestamp::parse(text).map(|at| at.to_string());
        for (text, expected) in [
            ("2015-03-04", Some("2015-03-04T00:00:00.000000+00:00")),
            (
                "2015-03-04T14:08:59",
                Some("2015-03-04T14:08:59.000000+00:00"),
            ),
            (
                "2015-03-04T14:08:59.123+02:00",
                Some("2015-03-04T12:08:59.123000+00:00"),
            ),
            (
                "2015-03-04T14:08:59.123456Z",
                Some("2015-03-04T14:08:59.123456+00:00"),
            ),
            (
                "2015-03-04T14:08:59.1-0700",
                Some("2015-03-04T21:08:59.100000+00:00"),
            ),
            ("2015-03-04T14:08:59 02:00", None),
            ("2015-13-04", None),
            ("yesterday", None),
        ] {
            assert_eq!(utc(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn written_times_read_back(micros in -60_000_000_000_000_000_i64..250_000_000_000_000_000) {
            let at = Timestamp(micros);
            prop_assert_eq!(Timestamp::parse(&at.to_string()).unwrap(), at);
        }
    }
}
