//! Dates written and read by patterns such as `yyyy-MM-dd HH:mm:ss.fff`.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

use super::call::{Complaint, quoted};

pub(super) const MONTHS: [&str; 12] = [
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
pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A piece of a pattern: a field as often as its letter stands there, or text.
enum Piece<'p> {
    Field(char, usize),
    Text(&'p str),
}

/// Cuts a pattern. What stands between quotes is text.
fn pieces(pattern: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = pattern;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        if matches!(first, '\'' | '"') {
            let inner = &rest[1..];
            let (text, behind) = inner.split_once(first).unwrap_or((inner, ""));
            rest = behind;
            return Some(Piece::Text(text));
        }
        if matches!(
            first,
            'y' | 'M' | 'd' | 'H' | 'h' | 'm' | 's' | 'f' | 'S' | 't' | 'a'
        ) {
            let count = rest.chars().take_while(|c| *c == first).count();
            rest = &rest[count..];
            return Some(Piece::Field(first, count));
        }
        let (text, behind) = rest.split_at(first.len_utf8());
        rest = behind;
        Some(Piece::Text(text))
    })
}

/// Writes a date and time.
pub(super) fn write(local: NaiveDateTime, pattern: &str) -> String {
    let padded = |value: u32, width: usize| format!("{value:0width$}");
    let month = MONTHS[local.month0() as usize];
    let weekday = WEEKDAYS[local.weekday().num_days_from_sunday() as usize];
    pieces(pattern)
        .map(|piece| match piece {
            Piece::Text(text) => text.to_owned(),
            Piece::Field('y', count @ 1..=2) => {
                padded(local.year().rem_euclid(100).unsigned_abs(), count)
            }
            Piece::Field('y', _) => format!("{:04}", local.year()),
            Piece::Field('M', count @ 1..=2) => padded(local.month(), count),
            Piece::Field('M', 3) => month[..3].to_owned(),
            Piece::Field('M', _) => month.to_owned(),
            Piece::Field('d', count @ 1..=2) => padded(local.day(), count),
            Piece::Field('d', 3) => weekday[..3].to_owned(),
            Piece::Field('d', _) => weekday.to_owned(),
            Piece::Field('H', count) => padded(local.hour(), count),
            Piece::Field('h', count) => padded(local.hour12().1, count),
            Piece::Field('m', count) => padded(local.minute(), count),
            Piece::Field('s', count) => padded(local.second(), count),
            Piece::Field('f' | 'S', count) => {
                let digits = format!("{:09}", local.nanosecond());
                digits[..count.min(digits.len())].to_owned()
            }
            Piece::Field(_, _) => if local.hour12().0 { "PM" } else { "AM" }.to_owned(),
        })
        .collect()
}

/// Reads a date and time. What the pattern does not name is midnight of the first of January 1970.
pub(super) fn parse(text: &str, pattern: &str) -> Result<NaiveDateTime, Complaint> {
    let failed = || {
        Complaint::new(format!(
            "{} is no date of the pattern {}",
            quoted(text),
            quoted(pattern)
        ))
        .with_hint("ISDATE(text, pattern) tells which are")
    };
    fields(text, pattern).ok_or_else(failed)
}

fn fields(text: &str, pattern: &str) -> Option<NaiveDateTime> {
    let mut rest = text.trim();
    let (mut year, mut month, mut day) = (1970, 1, 1);
    let (mut hour, mut minute, mut second, mut nanosecond) = (0, 0, 0, 0);
    let mut afternoon = None;
    for piece in pieces(pattern) {
        match piece {
            Piece::Text(text) => rest = rest.strip_prefix(text)?,
            Piece::Field('y', 1..=2) => {
                let short: i32 = digits(&mut rest, 2)?.parse().ok()?;
                year = short + if short < 70 { 2000 } else { 1900 };
            }
            Piece::Field('y', _) => year = digits(&mut rest, 4)?.parse().ok()?,
            Piece::Field('M', 1..=2) => month = digits(&mut rest, 2)?.parse().ok()?,
            Piece::Field('M', count) => {
                let names = MONTHS
                    .iter()
                    .map(|name| if count == 3 { &name[..3] } else { name });
                month = named(&mut rest, names)? + 1;
            }
            Piece::Field('d', 1..=2) => day = digits(&mut rest, 2)?.parse().ok()?,
            Piece::Field('d', count) => {
                let names = WEEKDAYS
                    .iter()
                    .map(|name| if count == 3 { &name[..3] } else { name });
                named(&mut rest, names)?;
            }
            Piece::Field('H' | 'h', _) => hour = digits(&mut rest, 2)?.parse().ok()?,
            Piece::Field('m', _) => minute = digits(&mut rest, 2)?.parse().ok()?,
            Piece::Field('s', _) => second = digits(&mut rest, 2)?.parse().ok()?,
            Piece::Field('f' | 'S', count) => {
                let digits = digits(&mut rest, count.min(9))?;
                nanosecond = format!("{digits:0<9}").parse().ok()?;
            }
            Piece::Field(_, _) => {
                afternoon = Some(named(&mut rest, ["AM", "PM"].into_iter())? == 1)
            }
        }
    }
    if !rest.is_empty() {
        return None;
    }
    let hour = match afternoon {
        Some(afternoon) => hour % 12 + if afternoon { 12 } else { 0 },
        None => hour,
    };
    NaiveDate::from_ymd_opt(year, month, day)?.and_hms_nano_opt(hour, minute, second, nanosecond)
}

/// Takes one to `most` digits off the text.
fn digits<'t>(rest: &mut &'t str, most: usize) -> Option<&'t str> {
    let count = rest
        .chars()
        .take(most)
        .take_while(char::is_ascii_digit)
        .count();
    let (digits, behind) = rest.split_at(count);
    *rest = behind;
    (count > 0).then_some(digits)
}

/// Takes one of the names off the text, case apart: its place among them.
fn named<'n>(rest: &mut &str, names: impl Iterator<Item = &'n str>) -> Option<u32> {
    for (place, name) in (0..).zip(names) {
        if let Some(start) = rest.get(..name.len())
            && start.eq_ignore_ascii_case(name)
        {
            *rest = &rest[name.len()..];
            return Some(place);
        }
    }
    None
}
