//! When a job is due: cron text in a time zone.

mod cron;
mod describe;
mod due;
mod field;
mod jitter;
mod preset;
mod zone;

use std::ops::Range;

use bucketline_core::{Error, Position, Span};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

pub use cron::Cron;
pub use jitter::{PRESET_JITTER, jitter};
pub use preset::{MonthDay, Preset};
pub use zone::zone;

/// A cron text in a time zone.
///
/// When clocks are set forward, a time that is named and left out (02:30) is due at the first moment after the gap;
/// when they are set back, a time that is named and comes twice is due the first time. Whatever repeats within the
/// hour or day (`*/30 * * * *`, `0 */2 * * *`, `0 1-5 * * *`) follows the clocks: nothing in the gap, all of it in both
/// passes of the repeated hour.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
}

impl Schedule {
    /// Reads a cron text; see [`Cron`] for what it may hold.
    ///
    /// # Errors
    /// If it is none, or no day is ever due.
    pub fn new(cron: &str, zone: Tz) -> Result<Self, Error> {
        Ok(Self::of(Cron::parse(cron)?, zone))
    }

    /// A cron text in `zone`.
    pub fn of(cron: Cron, zone: Tz) -> Self {
        Self { cron, zone }
    }

    /// The cron text.
    pub fn cron(&self) -> &Cron {
        &self.cron
    }

    /// The time zone.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The first due time after `instant`, on the zone's clock; `None` after the year 4999.
    pub fn next_after(&self, instant: DateTime<Utc>) -> Option<DateTime<Tz>> {
        if self.cron.names_times() {
            due::named(self.cron.pattern(), self.zone, instant)
        } else {
            due::repeated(self.cron.pattern(), self.zone, instant)
        }
    }

    /// The due times after `instant`, in order, on the zone's clock.
    pub fn after(&self, instant: DateTime<Utc>) -> impl Iterator<Item = DateTime<Tz>> + '_ {
        let mut last = instant;
        std::iter::from_fn(move || {
            let due = self.next_after(last)?;
            last = due.with_timezone(&Utc);
            Some(due)
        })
    }

    /// The schedule in words: `Monday to Friday at 02:30`, without the zone.
    pub fn describe(&self) -> String {
        describe::describe(&self.cron)
    }
}

/// The stretch of `text` at `range`.
fn place(text: &str, range: Range<usize>) -> Span {
    Span {
        start: Position::at(text, range.start),
        end: Position::at(text, range.end),
    }
}
