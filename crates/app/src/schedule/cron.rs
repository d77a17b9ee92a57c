//! A cron text of five fields.

use std::fmt;
use std::ops::Range;

use bucketline_core::{Error, code};
use croner::parser::{CronParser, Seconds, Year};

use super::field::{Item, UNITS, Unit};
use super::place;

/// Shorthands, and what they stand for.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A cron text of five fields: minute, hour, day of the month, month, weekday.
///
/// A field is `*`, `a`, `a-b`, `*/n`, `a-b/n`, `a/n` (from `a` to the field's end), or several of these with commas
/// between them. Months and weekdays also go by name (`JAN`, `MON`); 0 and 7 are Sunday. Days take `?` for `*`; days of
/// the month `L` (the last), `15W` (the workday nearest to the 15th) and `LW`; weekdays `5#2` (the second Friday) and
/// `5L` (the last). With both a day of the month and a weekday, days of either kind are due. `@hourly`, `@daily`,
/// `@weekly`, `@monthly` and `@yearly` stand for texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    fields: [Vec<Item>; 5],
    pattern: croner::Cron,
}

impl Cron {
    /// Reads a cron text.
    ///
    /// # Errors
    /// If it is none, or no day is ever due.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let trimmed = text.trim();
        let nickname = NICKNAMES
            .iter()
            .find(|(name, _)| trimmed.eq_ignore_ascii_case(name));
        let meant = nickname.map_or(text, |(_, meant)| meant);
        let words = words(meant);
        let Ok(words) = <[Range<usize>; 5]>::try_from(words) else {
            return Err(not_five(text));
        };
        let mut fields: [Vec<Item>; 5] = Default::default();
        for ((field, unit), word) in fields.iter_mut().zip(UNITS).zip(&words) {
            *field = unit.parse(meant, word.clone())?;
        }
        let cron = Self {
            text: trimmed.to_owned(),
            pattern: pattern(&fields)?,
            fields,
        };
        if !cron.has_a_day() {
            let [_, _, day, month, _] = words;
            let message = format!(
                "no month `{}` has a day `{}`",
                &text[month.clone()],
                &text[day.clone()]
            );
            return Err(Error::new(code::schedule::NEVER, message)
                .at(place(text, day.start..month.end))
                .with_hint("`L` is the last day of any month"));
        }
        Ok(cron)
    }

    /// The text, as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn field(&self, unit: Unit) -> &[Item] {
        &self.fields[unit as usize]
    }

    /// Whether the field is `*`.
    pub(super) fn is_any(&self, unit: Unit) -> bool {
        self.field(unit) == [Item::Every { step: 1 }]
    }

    /// The field's numbers, in order, each once.
    pub(super) fn numbers(&self, unit: Unit) -> Vec<u8> {
        let mut numbers: Vec<u8> = self
            .field(unit)
            .iter()
            .flat_map(|item| item.numbers(unit))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Whether it names times of the day one by one, rather than an interval. Those happen once on each of their days,
    /// whatever the clocks do; an interval follows the clocks.
    pub(super) fn names_times(&self) -> bool {
        [Unit::Minute, Unit::Hour]
            .iter()
            .flat_map(|unit| self.field(*unit))
            .all(|item| matches!(item, Item::One(_)))
    }

    /// Whether any day is ever due. The 29th of February is, every few years.
    fn has_a_day(&self) -> bool {
        let longest = |month: u8| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let longest = self.numbers(Unit::Month).into_iter().map(longest).max();
        let longest = longest.unwrap_or(0);
        let by_month = self.field(Unit::Day).iter().any(|item| match item {
            Item::NearestWorkday(day) => *day <= longest,
            Item::LastDay | Item::LastWorkday => true,
            other => other.numbers(Unit::Day).iter().any(|day| *day <= longest),
        });
        by_month || !self.is_any(Unit::Weekday)
    }

    /// What croner looks for.
    pub(super) fn pattern(&self) -> &croner::Cron {
        &self.pattern
    }
}

/// What croner looks for.
fn pattern(fields: &[Vec<Item>; 5]) -> Result<croner::Cron, Error> {
    let mut text = String::new();
    for field in fields {
        for (at, item) in field.iter().enumerate() {
            text.push_str(if at > 0 { "," } else { " " });
            item.write(&mut text);
        }
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    parser.parse(&text).map_err(|error| {
        Error::new(code::schedule::VALUE, "the cron text is not understood").with_source(error)
    })
}

/// As it was given.
impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where the words of a text are.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut is_inside = false;
    for (at, character) in text.char_indices() {
        let end = at + character.len_utf8();
        let is_word = !character.is_whitespace();
        match words.last_mut() {
            Some(word) if is_word && is_inside => word.end = end,
            _ if is_word => words.push(at..end),
            _ => {}
        }
        is_inside = is_word;
    }
    words
}

fn not_five(text: &str) -> Error {
    const FIVE: &str = "minute, hour, day of the month, month, weekday, such as `*/10 * * * *`";
    let error = |message: String| {
        let start = text.len() - text.trim_start().len();
        let whole = start..start + text.trim().len();
        Error::new(code::schedule::FIELDS, message).at(place(text, whole))
    };
    if text.trim().starts_with('@') {
        let names: Vec<&str> = NICKNAMES.iter().map(|(name, _)| *name).collect();
        return error(format!("`{}` is not a schedule's name", text.trim()))
            .with_hint(format!("there are {}", names.join(", ")));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        [] => error("the cron text is empty".to_owned()).with_hint(FIVE),
        [seconds, rest @ ..] if rest.len() == 5 => {
            let error = error("the cron text has 6 fields instead of 5".to_owned());
            // Quartz begins with seconds.
            if matches!(*seconds, "0" | "00") {
                error.with_hint(format!("there are no seconds: write `{}`", rest.join(" ")))
            } else {
                error.with_hint(format!(
                    "there are no seconds and no years; the fields are {FIVE}"
                ))
            }
        }
        [_] => error("the cron text has 1 field instead of 5".to_owned()).with_hint(FIVE),
        words => error(format!(
            "the cron text has {} fields instead of 5",
            words.len()
        ))
        .with_hint(FIVE),
    }
}
