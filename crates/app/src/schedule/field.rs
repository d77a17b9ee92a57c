//! One of the five fields of a cron text.

use std::fmt::Write as _;
use std::ops::Range;

use bucketline_core::{Code, Error, code};

use super::place;

/// Which field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

/// The fields in the order of the text.
pub(super) const UNITS: [Unit; 5] = [
    Unit::Minute,
    Unit::Hour,
    Unit::Day,
    Unit::Month,
    Unit::Weekday,
];

/// Names of months, from 1.
const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

/// Names of weekdays, from 0.
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A part of a field; a field has one or more, with commas between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// `*` and `?` (1), `*/n`.
    Every { step: u8 },
    /// `a`.
    One(u8),
    /// `a-b` (1), `a-b/n`, and `a/n`, which ends with the field.
    Span { from: u8, to: u8, step: u8 },
    /// `L`: the last day of the month.
    LastDay,
    /// `LW`: the last of the month's days from Monday to Friday.
    LastWorkday,
    /// `nW`: the day from Monday to Friday that is nearest to day n, in the same month.
    NearestWorkday(u8),
    /// `d#n`: the n-th weekday d of the month.
    Nth { weekday: u8, nth: u8 },
    /// `dL`: the month's last weekday d.
    Last { weekday: u8 },
}

impl Unit {
    /// What it is called in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of the month",
            Self::Month => "month",
            Self::Weekday => "weekday",
        }
    }

    /// The least and the greatest number; Sunday is 0 and 7.
    fn bounds(self) -> (u8, u8) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            Self::Weekday => (0, 7),
        }
    }

    /// The number with which `a/n` ends.
    fn last(self) -> u8 {
        match self {
            Self::Weekday => 6,
            other => other.bounds().1,
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::Weekday => &WEEKDAYS,
            _ => &[],
        }
    }

    /// What the field takes, for hints.
    fn takes(self) -> String {
        let (least, greatest) = self.bounds();
        let mut takes = format!("the {} takes {least} to {greatest}", self.name());
        match self {
            Self::Month => takes.push_str(", or JAN to DEC"),
            Self::Weekday => takes.push_str(" (0 and 7 are Sunday), or SUN to SAT"),
            Self::Day => takes.push_str(", `L` (last day), `15W` (nearest workday)"),
            _ => {}
        }
        takes
    }

    /// Reads the field at `range` of a cron text.
    pub(super) fn parse(self, cron: &str, range: Range<usize>) -> Result<Vec<Item>, Error> {
        let text = &cron[range.clone()];
        let mut items = Vec::new();
        let mut start = range.start;
        for part in text.split(',') {
            let end = start + part.len();
            items.push(Part::new(self, cron, start..end).parse(part)?);
            start = end + 1;
        }
        let whole = Part::new(self, cron, range);
        if items.len() > 1 && items.contains(&Item::Every { step: 1 }) {
            return Err(whole
                .error(
                    code::schedule::VALUE,
                    format!("`{text}` has every {} and others", self.name()),
                )
                .with_hint("write `*` alone"));
        }
        if items.contains(&Item::LastDay) && items.contains(&Item::LastWorkday) {
            return Err(whole
                .error(code::schedule::VALUE, "`L` and `LW` cannot stand together")
                .with_hint("write one of them, or make two jobs"));
        }
        Ok(items)
    }
}

/// Where a part of a field stands.
struct Part<'c> {
    unit: Unit,
    cron: &'c str,
    range: Range<usize>,
}

impl<'c> Part<'c> {
    fn new(unit: Unit, cron: &'c str, range: Range<usize>) -> Self {
        Self { unit, cron, range }
    }

    fn parse(&self, text: &str) -> Result<Item, Error> {
        let unit = self.unit;
        let days = matches!(unit, Unit::Day | Unit::Weekday);
        if text == "*" || (text == "?" && days) {
            return Ok(Item::Every { step: 1 });
        }
        if let Some((range, step)) = text.split_once('/') {
            return self.stepped(range, step);
        }
        let upper = text.to_ascii_uppercase();
        if unit == Unit::Day {
            match upper.as_str() {
                "L" => return Ok(Item::LastDay),
                "LW" | "WL" => return Ok(Item::LastWorkday),
                _ => {}
            }
            if let Some(day) = upper.strip_suffix('W') {
                return Ok(Item::NearestWorkday(self.number(day)?));
            }
        }
        if unit == Unit::Weekday {
            if let Some((weekday, nth)) = upper.split_once('#') {
                return self.nth(weekday, nth);
            }
            if upper == "L" {
                return Err(self
                    .error(code::schedule::VALUE, "`L` needs a weekday before it")
                    .with_hint("`5L` is the last Friday of the month"));
            }
            if let Some(weekday) = upper.strip_suffix('L') {
                return Ok(Item::Last {
                    weekday: self.number(weekday)? % 7,
                });
            }
        }
        if let Some((from, to)) = text.split_once('-') {
            let (from, to) = self.range(from, to)?;
            return Ok(Item::Span { from, to, step: 1 });
        }
        let number = self.number(text)?;
        Ok(Item::One(if unit == Unit::Weekday {
            number % 7
        } else {
            number
        }))
    }

    fn stepped(&self, range: &str, step: &str) -> Result<Item, Error> {
        let unit = self.unit;
        let (least, _) = unit.bounds();
        let longest = unit.last() - least;
        let Some(step) = digits(step) else {
            return Err(self
                .error(
                    code::schedule::STEP,
                    format!("`{step}` is not a step of the {}", unit.name()),
                )
                .with_hint(format!("a step is a number from 1 to {longest}")));
        };
        if !(1..=u16::from(longest)).contains(&step) {
            return Err(self
                .error(
                    code::schedule::STEP,
                    format!("the {} has no step of {step}", unit.name()),
                )
                .with_hint(format!(
                    "a step is a number from 1 to {longest}, and starts anew with each {}",
                    match unit {
                        Unit::Minute => "hour",
                        Unit::Hour => "day",
                        Unit::Day => "month",
                        Unit::Month => "year",
                        Unit::Weekday => "week",
                    }
                )));
        }
        let step = u8::try_from(step).unwrap_or(u8::MAX);
        if range == "*" || (range == "?" && matches!(unit, Unit::Day | Unit::Weekday)) {
            return Ok(Item::Every { step });
        }
        if range.is_empty() {
            return Err(self
                .error(code::schedule::VALUE, "there is nothing before `/`")
                .with_hint(format!("write `*/{step}`")));
        }
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => self.range(from, to)?,
            // CData's form: from `a` to the end of the field.
            None => match self.number(range)? {
                7 if unit == Unit::Weekday => (0, unit.last()),
                from => (from, unit.last()),
            },
        };
        Ok(Item::Span { from, to, step })
    }

    fn nth(&self, weekday: &str, nth: &str) -> Result<Item, Error> {
        let weekday = self.number(weekday)? % 7;
        match digits(nth) {
            Some(nth @ 1..=5) => Ok(Item::Nth {
                weekday,
                nth: u8::try_from(nth).unwrap_or(5),
            }),
            _ => Err(self
                .error(
                    code::schedule::OUT_OF_RANGE,
                    format!("no month has a weekday `#{nth}`"),
                )
                .with_hint(
                    "`5#2` is the second Friday; the number after `#` is 1 to 5, the last is `5L`",
                )),
        }
    }

    fn range(&self, from: &str, to: &str) -> Result<(u8, u8), Error> {
        let (first, last) = (self.number(from)?, self.number(to)?);
        // SAT-SUN: the Sunday that ends the week.
        let last = if self.unit == Unit::Weekday && last == 0 && first > 0 {
            7
        } else {
            last
        };
        if first <= last {
            return Ok((first, last));
        }
        let (least, greatest) = match self.unit {
            Unit::Weekday => ("SUN".to_owned(), "SAT".to_owned()),
            unit => (unit.bounds().0.to_string(), unit.bounds().1.to_string()),
        };
        Err(self
            .error(
                code::schedule::OUT_OF_RANGE,
                format!("`{from}-{to}` runs backwards"),
            )
            .with_hint(format!("write `{from}-{greatest},{least}-{to}`")))
    }

    fn number(&self, text: &str) -> Result<u8, Error> {
        let unit = self.unit;
        let (least, greatest) = unit.bounds();
        if let Some(number) = digits(text) {
            return match u8::try_from(number) {
                Ok(number) if (least..=greatest).contains(&number) => Ok(number),
                _ => Err(self
                    .error(
                        code::schedule::OUT_OF_RANGE,
                        format!("{text} is out of range for the {}", unit.name()),
                    )
                    .with_hint(unit.takes())),
            };
        }
        let names = unit.names();
        if let Some(at) = names
            .iter()
            .position(|name| text.eq_ignore_ascii_case(name))
        {
            let first = if unit == Unit::Month { 1 } else { 0 };
            return Ok(u8::try_from(at).unwrap_or_default() + first);
        }
        let message = if text.is_empty() {
            format!("a value of the {} is missing", unit.name())
        } else {
            format!("`{text}` means nothing as {}", unit.name())
        };
        Err(self
            .error(code::schedule::VALUE, message)
            .with_hint(unit.takes()))
    }

    fn error(&self, code: Code, message: impl Into<String>) -> Error {
        Error::new(code, message).at(place(self.cron, self.range.clone()))
    }
}

/// A number without a sign; more digits than a field has are still a number, out of range.
fn digits(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u16::MAX))
}

impl Item {
    /// The numbers that it stands for, whatever the month. Sunday is 0.
    pub(super) fn numbers(self, unit: Unit) -> Vec<u8> {
        let (from, to, step) = match self {
            Self::Every { step } => (unit.bounds().0, unit.last(), step),
            Self::One(number) => (number, number, 1),
            Self::Span { from, to, step } => (from, to, step),
            _ => return Vec::new(),
        };
        let numbers = (from..=to).step_by(usize::from(step));
        if unit == Unit::Weekday {
            numbers.map(|number| number % 7).collect()
        } else {
            numbers.collect()
        }
    }

    /// Writes it in the dialect of croner.
    pub(super) fn write(self, cron: &mut String) {
        // Writing to a string does not fail.
        let _ = match self {
            Self::Every { step: 1 } => write!(cron, "*"),
            Self::Every { step } => write!(cron, "*/{step}"),
            Self::One(number) => write!(cron, "{number}"),
            Self::Span { from, to, step: 1 } => write!(cron, "{from}-{to}"),
            Self::Span { from, to, step } => write!(cron, "{from}-{to}/{step}"),
            Self::LastDay => write!(cron, "L"),
            Self::LastWorkday => write!(cron, "LW"),
            Self::NearestWorkday(day) => write!(cron, "{day}W"),
            Self::Nth { weekday, nth } => write!(cron, "{weekday}#{nth}"),
            Self::Last { weekday } => write!(cron, "{weekday}L"),
        };
    }
}
