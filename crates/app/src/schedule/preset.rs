//! Schedules that are picked rather than written, with CData's names.

use bucketline_core::{Error, code};
use chrono::Weekday;
use serde::{Deserialize, Serialize};

use super::cron::Cron;
use super::field::{Item, Unit};

/// The lengths of [`Preset::Minute`], by CData's list. All divide the hour.
const MINUTES: [u8; 6] = [1, 5, 10, 15, 20, 30];

/// A schedule that is picked from a list. It writes cron text, and is read back from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "preset", rename_all = "snake_case", deny_unknown_fields)]
pub enum Preset {
    /// Every 1, 5, 10, 15, 20 or 30 minutes, beginning with the full hour.
    Minute {
        /// How many.
        every: u8,
    },
    /// Once an hour.
    Hourly {
        /// At this minute.
        #[serde(default)]
        minute: u8,
    },
    /// Once a day.
    Daily {
        /// At this hour, 0 to 23.
        #[serde(default)]
        hour: u8,
        /// And minute.
        #[serde(default)]
        minute: u8,
    },
    /// Once a week.
    Weekly {
        /// On this day.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "Mon"))]
        weekday: Weekday,
        /// At this hour, 0 to 23.
        #[serde(default)]
        hour: u8,
        /// And minute.
        #[serde(default)]
        minute: u8,
    },
    /// Once a month; with a day that a month does not have, not in that month.
    Monthly {
        /// On this day.
        #[serde(default)]
        day: MonthDay,
        /// At this hour, 0 to 23.
        #[serde(default)]
        hour: u8,
        /// And minute.
        #[serde(default)]
        minute: u8,
    },
    /// Any other cron text.
    Custom {
        /// The text.
        cron: String,
    },
}

/// A day of the month: a number, or `"last"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MonthDay {
    /// 1 to 31.
    Day(u8),
    /// The last.
    #[serde(with = "last")]
    Last,
}

impl Default for MonthDay {
    fn default() -> Self {
        Self::Day(1)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for MonthDay {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};

        let number = ObjectBuilder::new().schema_type(Type::Integer);
        let last = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["last"]));
        OneOfBuilder::new()
            .item(number.minimum(Some(1)).maximum(Some(31)))
            .item(last)
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for MonthDay {}

/// The text `last`.
mod last {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("last")
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        if String::deserialize(deserializer)? == "last" {
            Ok(())
        } else {
            Err(D::Error::custom(
                "a day of the month is a number, or \"last\"",
            ))
        }
    }
}

impl Preset {
    /// The cron text that it stands for.
    ///
    /// # Errors
    /// If a number is out of range, or the text of [`Preset::Custom`] is no cron text.
    pub fn cron(&self) -> Result<Cron, Error> {
        match self {
            Self::Minute { every } if !MINUTES.contains(every) => {
                return Err(Error::new(
                    code::schedule::PRESET,
                    format!("there is no preset for every {every} minutes"),
                )
                .with_hint("choose 1, 5, 10, 15, 20 or 30, or write a cron text"));
            }
            Self::Custom { cron } => return Cron::parse(cron),
            _ => {}
        }
        let cron = match self {
            Self::Minute { every: 1 } => "* * * * *".to_owned(),
            Self::Minute { every } => format!("*/{every} * * * *"),
            Self::Hourly { minute } => format!("{minute} * * * *"),
            Self::Daily { hour, minute } => format!("{minute} {hour} * * *"),
            Self::Weekly {
                weekday,
                hour,
                minute,
            } => format!("{minute} {hour} * * {}", weekday.num_days_from_sunday()),
            Self::Monthly { day, hour, minute } => match day {
                MonthDay::Day(day) => format!("{minute} {hour} {day} * *"),
                MonthDay::Last => format!("{minute} {hour} L * *"),
            },
            Self::Custom { cron } => cron.clone(),
        };
        Cron::parse(&cron).map_err(|error| {
            let preset = Error::new(code::schedule::PRESET, error.message());
            match error.hint() {
                Some(hint) => preset.with_hint(hint),
                None => preset,
            }
        })
    }

    /// The preset that writes `cron`; [`Preset::Custom`] if none does.
    pub fn of(cron: &Cron) -> Self {
        Self::named(cron).unwrap_or_else(|| Self::Custom {
            cron: cron.as_str().to_owned(),
        })
    }

    fn named(cron: &Cron) -> Option<Self> {
        if !cron.is_any(Unit::Month) {
            return None;
        }
        let one = |unit: Unit| match cron.field(unit) {
            [Item::One(number)] => Some(*number),
            _ => None,
        };
        let any = |unit: Unit| cron.is_any(unit);
        if any(Unit::Hour) && any(Unit::Day) && any(Unit::Weekday) {
            return match cron.field(Unit::Minute) {
                [Item::Every { step }] if MINUTES.contains(step) => {
                    Some(Self::Minute { every: *step })
                }
                [Item::One(minute)] => Some(Self::Hourly { minute: *minute }),
                _ => None,
            };
        }
        let (hour, minute) = (one(Unit::Hour)?, one(Unit::Minute)?);
        match (any(Unit::Day), any(Unit::Weekday)) {
            (true, true) => Some(Self::Daily { hour, minute }),
            (true, false) => Some(Self::Weekly {
                weekday: weekday(one(Unit::Weekday)?)?,
                hour,
                minute,
            }),
            (false, true) => Some(Self::Monthly {
                day: match cron.field(Unit::Day) {
                    [Item::LastDay] => MonthDay::Last,
                    _ => MonthDay::Day(one(Unit::Day)?),
                },
                hour,
                minute,
            }),
            (false, false) => None,
        }
    }
}

/// The weekday of that number, from Sunday.
pub(super) fn weekday(number: u8) -> Option<Weekday> {
    Weekday::try_from((number + 6) % 7).ok()
}
