//! In which order a change column's values stand.
//!
//! SQLite compares texts by their bytes, so that `2024-06-01 12:00:00` comes before `2024-06-01T10:00:00Z`. A walk by
//! such a column would leave out every row that is written in the lower spelling. So all values are looked at before
//! a walk, and compared as what they mean, or refused.

use bucketline_destination::iso8601;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension};

use super::fault::Fault;
use crate::decode::shown;
use crate::name::quote;

/// The SQL function that gives the number by which a value is compared.
const MEANING: &str = "_bucketline_meaning";

/// Numbers below this are seconds since 1970 (up to the year 5138), those from it on milliseconds (from 1973 on).
const FIRST_MILLISECOND: f64 = 1e11;

const HINT: &str =
    "make its values of one kind, or leave the table out of Cursor, so that it is read whole";

/// How the values of a change column are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeOrder {
    /// As SQLite does: all are numbers, or all are bytes.
    Stored,
    /// As texts, code point by code point.
    Text,
    /// As the moments or numbers that the texts name.
    Meaning,
}

impl ChangeOrder {
    /// Looks at all values of a column, and at those that a checkpoint keeps.
    ///
    /// # Errors
    /// [`Fault::Cursor`] if they cannot be put in one order.
    pub(super) fn find(
        connection: &Connection,
        table: &str,
        column: &str,
        kept: &[Value],
    ) -> Result<Self, Fault> {
        let (sql, from) = (quote(column), quote(table));
        let end = |direction: &str| -> Result<Option<Value>, Fault> {
            let query = format!(
                "SELECT {sql} FROM {from} WHERE {sql} IS NOT NULL ORDER BY {sql} COLLATE BINARY {direction} LIMIT 1"
            );
            let value = connection.query_row(&query, [], |row| {
                // A text that is not UTF-8 has no place in a checkpoint, and is reported where its row is read.
                Ok(match row.get_ref(0)? {
                    ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                    other => other.try_into()?,
                })
            });
            Ok(value.optional()?)
        };
        // Numbers stand before texts, and texts before bytes, so the ends show of which kinds the values are.
        let mut ends: Vec<Value> = [end("ASC")?, end("DESC")?].into_iter().flatten().collect();
        ends.extend(kept.iter().filter(|value| **value != Value::Null).cloned());
        let Some(first) = ends.first() else {
            return Ok(Self::Stored);
        };
        if let Some(other) = ends.iter().find(|other| class(other) != class(first)) {
            return Err(mixed(table, column, first, other));
        }
        if !matches!(first, Value::Text(_)) {
            return match units(connection, table, column, &ends)? {
                Some((seconds, milliseconds)) => Err(mixed(table, column, seconds, milliseconds)),
                None => Ok(Self::Stored),
            };
        }
        let mut texts = Texts::default();
        for value in kept {
            if let Value::Text(text) = value {
                texts.see(text);
            }
        }
        let query = format!("SELECT {sql} FROM {from} WHERE {sql} IS NOT NULL");
        let mut query = connection.prepare(&query)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            if let ValueRef::Text(text) = row.get_ref(0)? {
                texts.see(&String::from_utf8_lossy(text));
            }
        }
        let is_date = declares_date(connection, table, column)?;
        texts.order(is_date).map_err(|(one, other)| match other {
            Some(other) => mixed(table, column, &Value::Text(one), &Value::Text(other)),
            None => Fault::Cursor(
                format!(
                    "`{column}` of `{table}` holds '{one}', and texts that are written so do not sort as the \
                     moments that they name"
                ),
                "write moments as 2024-06-01T10:00:00Z, or leave the table out of Cursor, so that it is read whole",
            ),
        })
    }

    /// The column, quoted already, as SQL to compare by.
    pub(super) fn sql(self, column: &str) -> String {
        match self {
            Self::Stored => column.to_owned(),
            Self::Text => format!("{column} COLLATE BINARY"),
            Self::Meaning => format!("{MEANING}({column})"),
        }
    }

    /// A value of the column as it is compared.
    pub(super) fn value(self, value: Value) -> Value {
        match (self, &value) {
            (Self::Meaning, Value::Text(text)) => meaning(text).unwrap_or(value),
            _ => value,
        }
    }
}

/// Adds the function that [`ChangeOrder::sql`] uses.
pub(super) fn add_function(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(MEANING, 1, flags, |context: &Context<'_>| {
        let value = context.get_raw(0);
        let meant = match value {
            ValueRef::Null => Some(Value::Null),
            ValueRef::Text(text) => std::str::from_utf8(text).ok().and_then(meaning),
            _ => None,
        };
        meant.ok_or_else(|| {
            let message = format!(
                "a value of the cursor was changed to {}, which cannot be compared with the others",
                shown(value)
            );
            rusqlite::Error::UserFunctionError(message.into())
        })
    })
}

/// The moment that a text names, in microseconds, or its number.
fn meaning(text: &str) -> Option<Value> {
    match iso8601::parse_instant(text) {
        Some(moment) => Some(Value::Integer(moment)),
        None => number(text),
    }
}

fn number(text: &str) -> Option<Value> {
    let is_plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-');
    if let Ok(whole) = text.parse() {
        return Some(Value::Integer(whole));
    }
    let number = text.bytes().all(is_plain).then(|| text.parse().ok());
    number.flatten().map(Value::Real)
}

/// Values of one class are compared with each other; between classes SQLite's order says nothing.
fn class(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    }
}

/// Of a column of dates, a number of seconds and one of milliseconds, if it has both.
fn units<'v>(
    connection: &Connection,
    table: &str,
    column: &str,
    ends: &'v [Value],
) -> Result<Option<(&'v Value, &'v Value)>, Fault> {
    if !declares_date(connection, table, column)? {
        return Ok(None);
    }
    let number = |value: &Value| match value {
        #[expect(clippy::cast_precision_loss, reason = "only its magnitude counts")]
        Value::Integer(number) => *number as f64,
        Value::Real(number) => *number,
        _ => 0.0,
    };
    let seconds = ends
        .iter()
        .find(|it| (1.0..FIRST_MILLISECOND).contains(&number(it)));
    let milliseconds = ends.iter().find(|it| number(it) >= FIRST_MILLISECOND);
    Ok(seconds.zip(milliseconds))
}

/// The column is declared to hold dates or times.
fn declares_date(connection: &Connection, table: &str, column: &str) -> Result<bool, Fault> {
    let columns = crate::physical::columns(connection, table)?;
    let found = columns
        .iter()
        .find(|it| it.name.eq_ignore_ascii_case(column));
    Ok(found.is_some_and(|it| it.declared.contains("DATE") || it.declared.contains("TIME")))
}

fn mixed(table: &str, column: &str, one: &Value, other: &Value) -> Fault {
    let message = format!(
        "`{column}` of `{table}` holds both {} and {}, which have no common order",
        shown(one.into()),
        shown(other.into())
    );
    Fault::Cursor(message, HINT)
}

/// What was seen of the texts of a column: an example of each kind.
#[derive(Debug, Default)]
struct Texts {
    shape: Option<Vec<u8>>,
    is_varied: bool,
    moment: Option<String>,
    number: Option<String>,
    other: Option<String>,
    /// A date in a spelling that does not sort.
    backwards: Option<String>,
}

impl Texts {
    fn see(&mut self, text: &str) {
        let shape = shape(text);
        match &self.shape {
            Some(seen) if *seen == shape => {
                // Of one shape, texts are of one kind but for dates that do not exist.
                if self.other.is_some() || iso8601::parse_instant(text).is_some() {
                    return;
                }
            }
            Some(_) => self.is_varied = true,
            None => self.shape = Some(shape),
        }
        let kind = if iso8601::parse_instant(text).is_some() {
            &mut self.moment
        } else if number(text).is_some() {
            &mut self.number
        } else {
            if is_backwards(text) {
                self.backwards.get_or_insert_with(|| text.to_owned());
            }
            &mut self.other
        };
        kind.get_or_insert_with(|| text.to_owned());
    }

    /// How they are compared, or examples of what forbids it.
    fn order(self, is_date: bool) -> Result<ChangeOrder, (String, Option<String>)> {
        let Self {
            is_varied,
            moment,
            number,
            other,
            backwards,
            ..
        } = self;
        match (moment, number, other) {
            (Some(moment), Some(other), _) | (Some(moment), None, Some(other)) => {
                Err((moment, Some(other)))
            }
            (None, _, Some(other)) if is_date => Err((backwards.unwrap_or(other), None)),
            (None, _, Some(_)) if backwards.is_some() => Err((backwards.unwrap_or_default(), None)),
            (None, _, Some(_)) => Ok(ChangeOrder::Text),
            (_, _, None) if is_varied => Ok(ChangeOrder::Meaning),
            (_, _, None) => Ok(ChangeOrder::Text),
        }
    }
}

/// A text with its digits made equal, but for those of a zone's offset: moments of one shape sort as texts do.
fn shape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let zone = bytes.iter().rposition(|byte| matches!(byte, b'+' | b'-'));
    let zone = zone.filter(|at| *at > "2024-06-01".len());
    let end = zone.unwrap_or(bytes.len());
    let mut shape = bytes.to_vec();
    for byte in shape[..end].iter_mut().filter(|byte| byte.is_ascii_digit()) {
        *byte = b'0';
    }
    shape
}

/// A date that begins with its day or month, or has the month's name: `01.06.2024`, `6/1/2024`, `1 Jun 2024`.
fn is_backwards(text: &str) -> bool {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let parts: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect();
    let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_month = |part: &&str| {
        let start = part.get(..3).map(str::to_ascii_lowercase);
        start.is_some_and(|start| MONTHS.contains(&start.as_str()))
    };
    let is_year = |part: &&str| part.len() == 4 && is_number(part);
    let has_three_numbers = parts.len() >= 3 && parts[..3].iter().all(is_number);
    let starts_short = parts.first().is_some_and(|part| part.len() <= 2);
    has_three_numbers && starts_short && text.contains(['/', '.', '-'])
        || parts.iter().any(is_month) && parts.iter().any(is_year)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(texts: &[&str], is_date: bool) -> Result<ChangeOrder, (String, Option<String>)> {
        let mut seen = Texts::default();
        texts.iter().for_each(|text| seen.see(text));
        seen.order(is_date)
    }

    #[test]
    fn texts_are_compared_as_what_they_name_or_refused() {
        use ChangeOrder::{Meaning, Text};
        for (texts, expected) in [
            (
                &["2024-06-01T10:00:00Z", "2024-06-02T09:00:00Z"][..],
                Some(Text),
            ),
            (&["2024-06-01 10:00:00", "2023-01-01 09:00:00"], Some(Text)),
            (
                &["2024-06-01T10:00:00Z", "2024-06-01 12:00:00"],
                Some(Meaning),
            ),
            (
                &["2024-06-01T10:00:00Z", "2024-06-01T10:00:00.5Z"],
                Some(Meaning),
            ),
            (
                &["2024-06-01T10:00:00+02:00", "2024-06-01T10:00:00+03:00"],
                Some(Meaning),
            ),
            (
                &["2024-06-01T10:00:00+02:00", "2024-06-02T10:00:00+02:00"],
                Some(Text),
            ),
            (&["2024-06-01", "2024-06-01 10:00"], Some(Meaning)),
            (&["9", "10"], Some(Meaning)),
            (&["09", "10"], Some(Text)),
            (&["1.5", "10"], Some(Meaning)),
            (&["01HZX", "01HZY"], Some(Text)),
            (&["a", "bb"], Some(Text)),
            (&["2024-06-01T10:00:00Z", "soon"], None),
            (&["2024-06-01T10:00:00Z", "1717236000"], None),
            (&["2024-06-01", "2024-06-99"], None),
            (&["01.06.2024", "02.06.2024"], None),
            (&["6/1/2024", "12/1/2024"], None),
            (&["Sat, 01 Jun 2024 10:00:00 GMT"], None),
        ] {
            assert_eq!(order(texts, false).ok(), expected, "{texts:?}");
        }
        // A column of dates holds dates.
        assert_eq!(order(&["20240601T100000Z"], false).ok(), Some(Text));
        assert!(order(&["20240601T100000Z"], true).is_err());
    }
}
