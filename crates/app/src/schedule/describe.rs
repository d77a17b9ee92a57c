//! A cron text in words.

use super::cron::Cron;
use super::field::{Item, Unit};

/// Times of the day that are listed one by one; more are described by their fields.
const MOST_TIMES: usize = 6;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

const NTH: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

pub(super) fn describe(cron: &Cron) -> String {
    let mut parts = Vec::new();
    let days = days(cron);
    match times_of_day(cron) {
        Some(times) => {
            parts.push(format!("at {times}"));
            parts.push(days.unwrap_or_else(|| "every day".to_owned()));
        }
        None => {
            parts.push(minutes(cron));
            parts.extend(hours(cron));
            parts.extend(days);
        }
    }
    if !cron.is_any(Unit::Month) {
        parts.push(format!("in {}", months(cron)));
    }
    parts.join(" ")
}

/// `02:30 and 14:30`, if the times are named.
fn times_of_day(cron: &Cron) -> Option<String> {
    if !cron.names_times() {
        return None;
    }
    let (hours, minutes) = (cron.numbers(Unit::Hour), cron.numbers(Unit::Minute));
    if hours.len() * minutes.len() > MOST_TIMES {
        return None;
    }
    let times = hours.iter().flat_map(|hour| {
        minutes
            .iter()
            .map(move |minute| format!("{hour:02}:{minute:02}"))
    });
    Some(list(times.collect()))
}

fn minutes(cron: &Cron) -> String {
    match cron.field(Unit::Minute) {
        [Item::Every { step: 1 }] => "every minute".to_owned(),
        [Item::Every { step }] if 60 % step == 0 => format!("every {step} minutes"),
        [Item::Every { step }] => format!("every {step} minutes from each full hour"),
        [Item::Span { from, to: 59, step }] if *step > 1 => {
            format!("every {step} minutes from minute {from}")
        }
        [Item::One(0)] if cron.is_any(Unit::Hour) => "every hour".to_owned(),
        [Item::One(0)] => "on the hour".to_owned(),
        items => format!("at {}", numbered("minute", items)),
    }
}

/// `None` for every hour.
fn hours(cron: &Cron) -> Option<String> {
    let minutes = cron.field(Unit::Minute);
    match cron.field(Unit::Hour) {
        [Item::Every { step: 1 }] => match minutes {
            [Item::Every { .. } | Item::One(0)] => None,
            [Item::Span { to: 59, step, .. }] if *step > 1 => Some("of every hour".to_owned()),
            _ => Some("of every hour".to_owned()),
        },
        [Item::Every { step }] => Some(format!("of every {} hour from 00:00", ordinal(*step))),
        [Item::Span { from, to, step: 1 }] => {
            let last = if minutes == [Item::One(0)] { 0 } else { 59 };
            Some(format!("from {from:02}:00 to {to:02}:{last:02}"))
        }
        items => Some(format!("of {}", numbered("hour", items))),
    }
}

/// `None` for every day.
fn days(cron: &Cron) -> Option<String> {
    let by_month = (!cron.is_any(Unit::Day)).then(|| days_of_month(cron.field(Unit::Day)));
    let by_week = (!cron.is_any(Unit::Weekday)).then(|| weekdays(cron.field(Unit::Weekday)));
    match (by_month, by_week) {
        (Some(by_month), Some(by_week)) => Some(format!("{by_month} of the month, and {by_week}")),
        (Some(by_month), None) => Some(format!("{by_month} of the month")),
        (None, by_week) => by_week,
    }
}

fn days_of_month(items: &[Item]) -> String {
    let (numbers, others): (Vec<Item>, Vec<Item>) = items
        .iter()
        .partition(|item| matches!(item, Item::One(_) | Item::Span { .. } | Item::Every { .. }));
    let mut parts = Vec::new();
    if !numbers.is_empty() {
        parts.push(format!("on {}", numbered("day", &numbers)));
    }
    parts.extend(others.into_iter().map(|item| match item {
        Item::LastDay => "on the last day".to_owned(),
        Item::LastWorkday => "on the last workday".to_owned(),
        Item::NearestWorkday(day) => format!("on the workday nearest to day {day}"),
        other => numbered("day", &[other]),
    }));
    list(parts)
}

fn weekdays(items: &[Item]) -> String {
    let name = |number: u8| WEEKDAYS[usize::from(number % 7)];
    list(
        items
            .iter()
            .map(|item| match *item {
                Item::Span { from, to, step: 1 } => format!("{} to {}", name(from), name(to)),
                Item::Nth { weekday, nth } => format!(
                    "on the {} {} of the month",
                    NTH[usize::from(nth.clamp(1, 5) - 1)],
                    name(weekday)
                ),
                Item::Last { weekday } => format!("on the last {} of the month", name(weekday)),
                other => list(
                    other
                        .numbers(Unit::Weekday)
                        .into_iter()
                        .map(|number| format!("on {}", name(number)))
                        .collect(),
                ),
            })
            .collect(),
    )
}

fn months(cron: &Cron) -> String {
    let name = |number: u8| MONTHS[usize::from(number.clamp(1, 12) - 1)].to_owned();
    match cron.field(Unit::Month) {
        [Item::Span { from, to, step: 1 }] => format!("{} to {}", name(*from), name(*to)),
        _ => list(cron.numbers(Unit::Month).into_iter().map(name).collect()),
    }
}

/// `minute 5`, `minutes 5, 10 and 20 to 30`.
fn numbered(unit: &str, items: &[Item]) -> String {
    let unit_of = |item: &Item| match unit {
        "minute" => item.numbers(Unit::Minute),
        "hour" => item.numbers(Unit::Hour),
        _ => item.numbers(Unit::Day),
    };
    let mut shown = Vec::new();
    for item in items {
        match *item {
            Item::Span { from, to, step: 1 } if from < to => shown.push(format!("{from} to {to}")),
            _ => shown.extend(unit_of(item).into_iter().map(|number| number.to_string())),
        }
    }
    let is_one = matches!(shown.as_slice(), [only] if !only.contains(' '));
    format!("{unit}{} {}", if is_one { "" } else { "s" }, list(shown))
}

/// `second`, `12th`.
fn ordinal(number: u8) -> String {
    match number {
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        21 => "21st".to_owned(),
        22 => "22nd".to_owned(),
        23 => "23rd".to_owned(),
        other => format!("{other}th"),
    }
}

/// `a, b and c`.
fn list(mut parts: Vec<String>) -> String {
    match parts.pop() {
        None => String::new(),
        Some(last) if parts.is_empty() => last,
        Some(last) => format!("{} and {last}", parts.join(", ")),
    }
}
