//! Due times the slow way: every minute is looked at. Nothing here is shared with the implementation.

use chrono::{
    DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc, Weekday,
};
use chrono_tz::Tz;

/// A cron text as sets of numbers, whoever wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Plain {
    pub(crate) text: String,
    pub(crate) minutes: Vec<u32>,
    pub(crate) hours: Vec<u32>,
    pub(crate) days: Days,
    /// Whether single times are named, rather than an interval.
    pub(crate) named: bool,
    /// Minutes of which all due times and all changes of clocks are multiples.
    pub(crate) grain: i64,
}

#[derive(Debug, Clone)]
pub(crate) enum Days {
    All,
    OfMonth(Vec<u32>),
    OfWeek(Vec<Weekday>),
    Either(Vec<u32>, Vec<Weekday>),
    LastOfMonth,
}

impl Plain {
    fn has_day(&self, day: NaiveDate) -> bool {
        match &self.days {
            Days::All => true,
            Days::OfMonth(days) => days.contains(&day.day()),
            Days::OfWeek(days) => days.contains(&day.weekday()),
            Days::Either(days, weekdays) => {
                days.contains(&day.day()) || weekdays.contains(&day.weekday())
            }
            Days::LastOfMonth => day.succ_opt().unwrap().day() == 1,
        }
    }

    fn has(&self, wall: NaiveDateTime) -> bool {
        wall.second() == 0
            && self.minutes.contains(&wall.minute())
            && self.hours.contains(&wall.hour())
            && self.has_day(wall.date())
    }

    /// All due times after `from`, up to `to`.
    pub(crate) fn due(
        &self,
        zone: Tz,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Vec<DateTime<Utc>> {
        let mut due = if self.named {
            self.once_each(zone, from, to)
        } else {
            self.by_the_clock(zone, from, to)
        };
        due.sort_unstable();
        due.dedup();
        due
    }

    /// Each moment at which clocks show a wanted time.
    fn by_the_clock(&self, zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        self.moments(from, to)
            .filter(|moment| self.has(moment.with_timezone(&zone).naive_local()))
            .collect()
    }

    /// Each wanted time of each day once: when it is shown first, or would have been.
    fn once_each(&self, zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let day = TimeDelta::days(2);
        let mut shown = std::collections::BTreeMap::new();
        let mut ends_of_gaps = Vec::new();
        let mut before: Option<NaiveDateTime> = None;
        for moment in self.moments(from - day, to + day) {
            let wall = moment.with_timezone(&zone).naive_local();
            shown.entry(wall).or_insert(moment);
            if let Some(before) = before
                && wall > before + TimeDelta::minutes(self.grain)
            {
                ends_of_gaps.push((before, wall, moment));
            }
            before = Some(wall);
        }
        let mut due: Vec<_> = shown
            .iter()
            .filter(|(wall, _)| self.has(**wall))
            .map(|(_, moment)| *moment)
            .collect();
        for (before, after, moment) in ends_of_gaps {
            let left_out =
                (1..(after - before).num_minutes()).map(|n| before + TimeDelta::minutes(n));
            if left_out.into_iter().any(|wall| self.has(wall)) {
                due.push(moment);
            }
        }
        due.retain(|moment| *moment > from && *moment <= to);
        due
    }

    /// What is looked at after `from`, up to `to`.
    fn moments(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> impl Iterator<Item = DateTime<Utc>> + use<> {
        let length = self.grain * 60;
        let first = from.timestamp().div_euclid(length) + 1;
        (first..=to.timestamp().div_euclid(length))
            .map(move |at| Utc.timestamp_opt(at * length, 0).unwrap())
    }
}
