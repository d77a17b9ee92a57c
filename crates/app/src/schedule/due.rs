//! The next due time.

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// The first time after `instant` that an interval is due: at both passes of an hour that comes twice.
pub(super) fn repeated(
    pattern: &croner::Cron,
    zone: Tz,
    instant: DateTime<Utc>,
) -> Option<DateTime<Tz>> {
    pattern
        .find_next_occurrence(&instant.with_timezone(&zone), false)
        .ok()
}

/// The first time after `instant` that is due by its name. The search goes over wall clock times, each of which has
/// one moment. croner does this by itself for a single time of the day, but not for several.
pub(super) fn named(
    pattern: &croner::Cron,
    zone: Tz,
    instant: DateTime<Utc>,
) -> Option<DateTime<Tz>> {
    let mut wall = instant.with_timezone(&zone).naive_local();
    loop {
        wall = pattern.find_next_occurrence(&wall, false).ok()?;
        let due = moment(zone, wall)?;
        // A time that the clocks show a second time is behind, and one in a gap may be the gap's end again.
        if due > instant {
            return Some(due);
        }
    }
}

/// When clocks first show `wall`, or skip it.
fn moment(zone: Tz, wall: NaiveDateTime) -> Option<DateTime<Tz>> {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(moment) | LocalResult::Ambiguous(moment, _) => Some(moment),
        LocalResult::None => gap_end(zone, wall),
    }
}

/// The end of the gap that `wall` lies in. No clock is more than a day off, and no zone changes its clock twice in
/// three days.
fn gap_end(zone: Tz, wall: NaiveDateTime) -> Option<DateTime<Tz>> {
    let shown = |seconds: i64| {
        Some(zone.from_utc_datetime(&wall.checked_add_signed(TimeDelta::seconds(seconds))?))
    };
    let (mut before, mut after) = (-36 * 3600, 36 * 3600);
    while after - before > 1 {
        let middle = (before + after) / 2;
        if shown(middle)?.naive_local() < wall {
            before = middle;
        } else {
            after = middle;
        }
    }
    shown(after)
}
