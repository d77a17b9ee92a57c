//! Functions of dates and times, as clocks in the session's time zone show them.

use chrono::{
    DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc,
    Weekday,
};

use super::call::{Call, Complaint, Compute, quoted};
use super::clock::{Reading, clock};
use super::date_pattern::{self, MONTHS, WEEKDAYS};
use super::declaration::{Function, any, computed, int, moment, text};

/// A part of a date, as a number.
macro_rules! part {
    ($name:literal, $part:expr, $description:literal) => {
        computed(
            $name,
            &[moment("date")],
            Compute::Int(|call| Ok(Some($part.of(call.local(0)?)))),
            $description,
        )
    };
}

/// A day near a date.
macro_rules! day {
    ($name:literal, $day:expr, $description:literal) => {
        computed(
            $name,
            &[moment("date")],
            Compute::Date(|call| Ok($day(call.local(0)?.date()))),
            $description,
        )
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    clock("current_date", Reading::Date, "Today in the session's time zone.").or(&["today"]),
    clock("current_timestamp", Reading::NOW, "The time at which the query began.")
        .or(&["getdate", "sysdatetime", "getutcdate", "sysutcdatetime", "now"])
        .noting("A moment, which the local and the UTC functions do not tell differently: results show it in UTC."),
    clock("last_week", Reading::from_now(-1, Part::Week), "A week ago."),
    clock("last_month", Reading::from_now(-1, Part::Month), "A month ago."),
    clock("last_year", Reading::from_now(-1, Part::Year), "A year ago."),
    computed(
        "dateadd",
        &[text("part"), int("count"), moment("date")],
        Compute::Moment(|call| {
            let later = Part::read(call.text(0))?.add(call.local(2)?, call.int(1));
            Ok(Some(call.moment(later.ok_or_else(out_of_range)?)))
        }),
        "The date so many parts later. Parts: yy, qq, mm, dy, dd, wk, dw, hh, mi, ss, ms and their longer names, as texts.",
    )
    .noting("Always a date and time."),
    computed(
        "datediff",
        &[text("part"), moment("from"), moment("to")],
        Compute::Int(|call| Ok(Some(Part::read(call.text(0))?.between(call.local(1)?, call.local(2)?)))),
        "How many boundaries of the part lie between two dates.",
    )
    .noting("Counts boundaries crossed, as SQL Server does: a year from 31 December to 1 January."),
    computed(
        "datefromparts",
        &[int("year"), int("month"), int("day")],
        Compute::Date(|call| date_of(call).map(Some)),
        "The date of its parts.",
    ),
    computed(
        "datename",
        &[text("part"), moment("date")],
        Compute::Text(|call| Ok(Some(Part::read(call.text(0))?.name(call.local(1)?)))),
        "A part of a date as text; months and weekdays by their English names.",
    ),
    computed(
        "datepart",
        &[text("part"), moment("date")],
        Compute::Int(|call| Ok(Some(Part::read(call.text(0))?.of(call.local(1)?)))),
        "A part of a date as a number.",
    )
    .noting("Sunday is weekday 1, and the week of 1 January is week 1, as SQL Server counts in the United States."),
    computed(
        "datetimefromparts",
        &[int("year"), int("month"), int("day"), int("hour"), int("minute"), int("second"), int("millisecond")],
        Compute::Moment(|call| {
            let time = time_of(call, 3, Some((call.int(6), 3)))?;
            Ok(Some(call.moment(date_of(call)?.and_time(time))))
        }),
        "The date and time of their parts.",
    ),
    computed(
        "datetime2fromparts",
        &[
            int("year"), int("month"), int("day"), int("hour"), int("minute"), int("second"),
            int("fraction"), int("precision"),
        ],
        Compute::Moment(|call| {
            let time = time_of(call, 3, Some((call.int(6), call.int(7))))?;
            Ok(Some(call.moment(date_of(call)?.and_time(time))))
        }),
        "The date and time of their parts, the fraction of so many digits.",
    )
    .noting("Microseconds at most."),
    computed(
        "smalldatetimefromparts",
        &[int("year"), int("month"), int("day"), int("hour"), int("minute")],
        Compute::Moment(|call| Ok(Some(call.moment(date_of(call)?.and_time(time_of(call, 3, None)?))))),
        "The date and time of their parts, without seconds.",
    ),
    computed(
        "timefromparts",
        &[int("hour"), int("minute"), int("second"), int("fraction"), int("precision")],
        Compute::Time(|call| time_of(call, 0, Some((call.int(3), call.int(4)))).map(Some)),
        "The time of day of its parts, the fraction of so many digits.",
    ),
    computed(
        "date_trunc",
        &[any("date"), any("part")],
        Compute::Moment(|call| {
            // The planner's own function has its arguments the other way round.
            let (part, date) = match call.text_if_given(0).and_then(Part::find) {
                Some(part) => (part, 1),
                None => (Part::read(call.text(1))?, 0),
            };
            Ok(Some(call.moment(part.begin(call.local(date)?, Weekday::Sun))))
        }),
        "The date with everything below the part at its beginning; weeks begin on Sunday.",
    )
    .noting("The arguments may stand the other way round, too, as in PostgreSQL."),
    computed(
        "date_trunc2",
        &[text("part"), moment("date"), text("weekday").optional()],
        Compute::Moment(|call| {
            let first = call.text_if_given(2).map_or(Ok(Weekday::Sun), weekday)?;
            let begin = Part::read(call.text(0))?.begin(call.local(1)?, first);
            Ok(Some(call.moment(begin)))
        }),
        "As DATE_TRUNC, with the day on which weeks begin.",
    ),
    part!("day", Part::Day, "The day of the month.").or(&["dayofmonth"]),
    part!("dayofweek", Part::Weekday, "The day of the week; Sunday is 1."),
    part!("dayofyear", Part::DayOfYear, "The day of the year."),
    computed(
        "eomonth",
        &[moment("date"), int("months").optional()],
        Compute::Date(|call| {
            let date = Part::Month.add(call.local(0)?, call.int(1)).ok_or_else(out_of_range)?;
            Ok(last_of(Part::Month, date.date()))
        }),
        "The last day of the month, or of the one so many months later.",
    )
    .or(&["last_day"]),
    day!("fdmonth", |date| Some(first_of(Part::Month, date)), "The first day of the month."),
    day!("fdquarter", |date| Some(first_of(Part::Quarter, date)), "The first day of the quarter."),
    day!("fdweek", |date| Some(first_of(Part::Week, date)), "The first day of the week, a Sunday."),
    day!("ldmonth", |date| last_of(Part::Month, date), "The last day of the month."),
    day!("ldquarter", |date| last_of(Part::Quarter, date), "The last day of the quarter."),
    day!("ldweek", |date| last_of(Part::Week, date), "The last day of the week, a Saturday."),
    computed(
        "from_days",
        &[int("days")],
        Compute::Date(|call| {
            let days = call.int(0).checked_sub(DAYS_BEFORE_OUR_ERA);
            let days = days.and_then(|days| i32::try_from(days).ok());
            let date = days.and_then(NaiveDate::from_num_days_from_ce_opt);
            date.map(Some).ok_or_else(out_of_range)
        }),
        "The date so many days after the year 0.",
    ),
    computed(
        "from_unixtime",
        &[int("time"), int("issecond").optional()],
        Compute::Moment(|call| {
            let time = call.int(0);
            let moment = match call.int_if_given(1) {
                Some(0) => DateTime::from_timestamp_millis(time),
                _ => DateTime::from_timestamp(time, 0),
            };
            moment.map(Some).ok_or_else(out_of_range)
        }),
        "The date and time so many seconds after the beginning of 1970, or milliseconds if `issecond` is 0.",
    ),
    part!("hour", Part::Hour, "The hour."),
    computed(
        "isdate",
        &[any("text"), text("pattern").optional()],
        Compute::Int(|call| {
            let readable = match (call.text_if_given(0), call.text_if_given(1)) {
                (Some(text), Some(pattern)) => date_pattern::parse(text, pattern).is_ok(),
                _ => call.local(0).is_ok(),
            };
            Ok(Some(i64::from(readable)))
        }),
        "1 if the text is a date, of the pattern if one is given, else 0; also a condition by itself.",
    ),
    computed(
        "makedate",
        &[int("year"), int("day")],
        Compute::Date(|call| {
            let year = i32::try_from(call.int(0)).ok();
            let day = u32::try_from(call.int(1)).ok();
            let date = year.zip(day).and_then(|(year, day)| NaiveDate::from_yo_opt(year, day));
            date.map(Some).ok_or_else(out_of_range)
        }),
        "The date of a day of the year.",
    ),
    part!("minute", Part::Minute, "The minute."),
    part!("month", Part::Month, "The month."),
    part!("quarter", Part::Quarter, "The quarter of the year."),
    part!("second", Part::Second, "The second."),
    computed(
        "strtodate",
        &[text("text"), text("pattern")],
        Compute::Moment(|call| Ok(Some(call.moment(date_pattern::parse(call.text(0), call.text(1))?)))),
        "The date that a text says by a pattern.",
    ),
    computed(
        "to_days",
        &[moment("date")],
        Compute::Int(|call| {
            let days = i64::from(call.local(0)?.date().num_days_from_ce());
            Ok(Some(days + DAYS_BEFORE_OUR_ERA))
        }),
        "How many days the date is after the year 0.",
    ),
    part!("week", Part::Week, "The week of the year; the one of 1 January is the first."),
    part!("year", Part::Year, "The year."),
];

/// From the year 0 to the day before 1 January of the year 1.
const DAYS_BEFORE_OUR_ERA: i64 = 365;

fn out_of_range() -> Complaint {
    Complaint::new("there is no such date")
}

/// A date and time, and whether its text says where on earth.
#[derive(Debug, Clone, Copy)]
pub(super) enum Zoned {
    Instant(DateTime<Utc>),
    Local(NaiveDateTime),
}

/// Reads a date, with or without a time and a zone.
pub(super) fn read(text: &str) -> Result<Zoned, Complaint> {
    const DATES: [&str; 5] = ["%Y-%m-%d", "%Y/%m/%d", "%m-%d-%Y", "%m/%d/%Y", "%Y%m%d"];
    const TIMES: [&str; 2] = ["%H:%M:%S%.f", "%H:%M"];
    let trimmed = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(trimmed) {
        return Ok(Zoned::Instant(moment.with_timezone(&Utc)));
    }
    let (date, time) = match trimmed.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time.trim())),
        None => (trimmed, None),
    };
    let date = DATES
        .iter()
        .find_map(|pattern| NaiveDate::parse_from_str(date, pattern).ok());
    let time = match time {
        Some(time) => TIMES
            .iter()
            .find_map(|pattern| NaiveTime::parse_from_str(time, pattern).ok()),
        None => Some(NaiveTime::MIN),
    };
    let local = date
        .zip(time)
        .map(|(date, time)| Zoned::Local(date.and_time(time)));
    local.ok_or_else(|| {
        Complaint::new(format!("{} is no date", quoted(text))).with_hint(
            "write it as 2026-08-10 or 2026-08-10 12:30:00, or read another pattern with STRTODATE",
        )
    })
}

/// The date of the first three arguments.
fn date_of(call: &Call<'_>) -> Result<NaiveDate, Complaint> {
    let year = i32::try_from(call.int(0)).ok();
    let [month, day] = [1, 2].map(|index| u32::try_from(call.int(index)).ok());
    let date = year.zip(month).zip(day);
    date.and_then(|((year, month), day)| NaiveDate::from_ymd_opt(year, month, day))
        .ok_or_else(out_of_range)
}

/// The time of the arguments from `first` on, with a fraction of a second of so many digits.
fn time_of(
    call: &Call<'_>,
    first: usize,
    fraction: Option<(i64, i64)>,
) -> Result<NaiveTime, Complaint> {
    let [hour, minute, second] = [0, 1, 2].map(|index| u32::try_from(call.int(first + index)).ok());
    let nanosecond = match fraction {
        None => Some(0),
        Some((fraction, digits @ 0..=9)) => u32::try_from(digits).ok().and_then(|digits| {
            u32::try_from(fraction)
                .ok()?
                .checked_mul(10u32.pow(9 - digits))
        }),
        Some(_) => None,
    };
    let parts = hour.zip(minute).zip(second.zip(nanosecond));
    let time = parts.and_then(|((hour, minute), (second, nanosecond))| {
        NaiveTime::from_hms_nano_opt(hour, minute, second, nanosecond)
    });
    time.ok_or_else(|| Complaint::new("there is no such time"))
}

fn weekday(name: &str) -> Result<Weekday, Complaint> {
    name.parse()
        .map_err(|_| Complaint::new(format!("{} is no weekday", quoted(name))))
}

/// A part of a date and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    Quarter,
    Month,
    DayOfYear,
    Day,
    Week,
    Weekday,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl Part {
    pub(super) fn find(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "yy" | "yyyy" | "year" => Self::Year,
            "qq" | "q" | "quarter" => Self::Quarter,
            "mm" | "m" | "month" => Self::Month,
            "dy" | "y" | "dayofyear" => Self::DayOfYear,
            "dd" | "d" | "day" => Self::Day,
            "wk" | "ww" | "week" => Self::Week,
            "dw" | "w" | "weekday" => Self::Weekday,
            "hh" | "hour" => Self::Hour,
            "mi" | "n" | "minute" => Self::Minute,
            "ss" | "s" | "second" => Self::Second,
            "ms" | "millisecond" => Self::Millisecond,
            _ => return None,
        })
    }

    fn read(name: &str) -> Result<Self, Complaint> {
        Self::find(name).ok_or_else(|| {
            Complaint::new(format!("{} is no part of a date", quoted(name))).with_hint(
                "the parts are yy, qq, mm, dy, dd, wk, dw, hh, mi, ss and ms, each between quotes",
            )
        })
    }

    /// The part as a number.
    fn of(self, local: NaiveDateTime) -> i64 {
        match self {
            Self::Year => local.year().into(),
            Self::Quarter => local.quarter().into(),
            Self::Month => local.month().into(),
            Self::DayOfYear => local.ordinal().into(),
            Self::Day => local.day().into(),
            Self::Week => {
                let sunday_first = i64::from(local.weekday().num_days_from_sunday());
                (i64::from(local.ordinal0()) - sunday_first + 6).div_euclid(7) + 1
            }
            Self::Weekday => local.weekday().number_from_sunday().into(),
            Self::Hour => local.hour().into(),
            Self::Minute => local.minute().into(),
            Self::Second => local.second().into(),
            Self::Millisecond => (local.nanosecond() / 1_000_000).into(),
        }
    }

    fn name(self, local: NaiveDateTime) -> String {
        match self {
            Self::Month => MONTHS[local.month0() as usize].to_owned(),
            Self::Weekday => WEEKDAYS[local.weekday().num_days_from_sunday() as usize].to_owned(),
            _ => self.of(local).to_string(),
        }
    }

    /// So many of the part later. A day that the month does not have is its last.
    pub(super) fn add(self, local: NaiveDateTime, count: i64) -> Option<NaiveDateTime> {
        let months = |each: i64| {
            let months = count.checked_mul(each)?;
            let size = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
            if months < 0 {
                local.checked_sub_months(size)
            } else {
                local.checked_add_months(size)
            }
        };
        let later = |each: Duration| {
            let milliseconds = each.num_milliseconds().checked_mul(count)?;
            let step = Duration::try_milliseconds(milliseconds)?;
            local.checked_add_signed(step)
        };
        match self {
            Self::Year => months(12),
            Self::Quarter => months(3),
            Self::Month => months(1),
            Self::DayOfYear | Self::Day | Self::Weekday => later(Duration::days(1)),
            Self::Week => later(Duration::weeks(1)),
            Self::Hour => later(Duration::hours(1)),
            Self::Minute => later(Duration::minutes(1)),
            Self::Second => later(Duration::seconds(1)),
            Self::Millisecond => later(Duration::milliseconds(1)),
        }
    }

    /// How many boundaries of the part lie between.
    fn between(self, from: NaiveDateTime, to: NaiveDateTime) -> i64 {
        let months =
            |local: NaiveDateTime| i64::from(local.year()) * 12 + i64::from(local.month0());
        let days = |local: NaiveDateTime| i64::from(local.date().num_days_from_ce());
        let seconds = |local: NaiveDateTime, each| local.and_utc().timestamp().div_euclid(each);
        let count = |of: &dyn Fn(NaiveDateTime) -> i64| of(to) - of(from);
        match self {
            Self::Year => count(&|local| local.year().into()),
            Self::Quarter => count(&|local| months(local).div_euclid(3)),
            Self::Month => count(&months),
            Self::DayOfYear | Self::Day | Self::Weekday => count(&days),
            // Day 0 of this count is a Sunday.
            Self::Week => count(&|local| days(local).div_euclid(7)),
            Self::Hour => count(&|local| seconds(local, 3_600)),
            Self::Minute => count(&|local| seconds(local, 60)),
            Self::Second => count(&|local| seconds(local, 1)),
            Self::Millisecond => count(&|local| local.and_utc().timestamp_millis()),
        }
    }

    /// Where the part that the time is in begins.
    fn begin(self, local: NaiveDateTime, first: Weekday) -> NaiveDateTime {
        let date = local.date();
        let midnight = |date: Option<NaiveDate>| NaiveDateTime::from(date.unwrap_or(local.date()));
        let cut = |minute, second, nanosecond| {
            let time = NaiveTime::from_hms_nano_opt(local.hour(), minute, second, nanosecond);
            date.and_time(time.unwrap_or(local.time()))
        };
        let (minute, second) = (local.minute(), local.second());
        match self {
            Self::Year => midnight(date.with_ordinal(1)),
            Self::Quarter => {
                let month = date.month0() / 3 * 3 + 1;
                midnight(NaiveDate::from_ymd_opt(date.year(), month, 1))
            }
            Self::Month => midnight(date.with_day(1)),
            Self::Week => midnight(date.week(first).checked_first_day()),
            Self::DayOfYear | Self::Day | Self::Weekday => midnight(Some(date)),
            Self::Hour => cut(0, 0, 0),
            Self::Minute => cut(minute, 0, 0),
            Self::Second => cut(minute, second, 0),
            Self::Millisecond => cut(minute, second, local.nanosecond() / 1_000_000 * 1_000_000),
        }
    }
}

/// The first day of the part that a date is in.
pub(super) fn first_of(part: Part, date: NaiveDate) -> NaiveDate {
    part.begin(date.into(), Weekday::Sun).date()
}

/// The last day of the part that a date is in.
fn last_of(part: Part, date: NaiveDate) -> Option<NaiveDate> {
    let next = part.add(first_of(part, date).into(), 1)?;
    next.date().checked_sub_days(Days::new(1))
}
