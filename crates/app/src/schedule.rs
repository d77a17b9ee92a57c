//! When a job is due.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;

/// A cron text in a time zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
}

impl Schedule {
    /// Reads a cron text of five fields: minute, hour, day of the month, month, weekday.
    pub fn parse(cron: &str, zone: Tz) -> Option<Self> {
        let cron = Cron::from_str(cron).ok()?;
        Some(Self { cron, zone })
    }

    /// The due times after `instant`, in order.
    pub fn after(&self, instant: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        self.cron
            .clone()
            .iter_after(instant.with_timezone(&self.zone))
            .map(|due| due.with_timezone(&Utc))
    }
}
