//! REPLICATE.

use std::collections::HashSet;

use sqlparser::tokenizer::Token;

use super::Cursor;
use crate::error::{duplicate, refuse_twice, refused};
use crate::{
    Column, ColumnList, Error, Ident, OptionSpec, OptionValue, Options, REPLICATE_OPTIONS,
    Replicate, ReplicateOption, Source, Span, Statement, Value, ValueKind, code, nearest,
};

impl Cursor<'_> {
    pub(super) fn replicate(&mut self) -> Result<Statement, Error> {
        self.expect_word("REPLICATE")?;
        let destination = self.name("the destination table's name", 2)?;
        let columns = if self.at(&Token::LParen) && !self.at_query() {
            Some(self.column_list()?)
        } else {
            None
        };
        let mut options = Options::default();
        self.options(&mut options)?;
        let source = if self.at_query() {
            Source::Query(Box::new(self.query()?))
        } else if self.peek().is_some() && !self.at_word("WITH") {
            self.refuse_missing_comma(&options)?;
            let from = self.at_word("FROM");
            Source::Table(
                self.name("a query, a table or WITH", 3)
                    .map_err(|error| match from {
                        true => error.with_hint("the source table follows without FROM"),
                        false => error,
                    })?,
            )
        } else {
            Source::SameName
        };
        self.options(&mut options)?;
        Ok(Statement::Replicate(Replicate {
            destination,
            columns,
            options,
            source,
        }))
    }

    /// `WITH DropTable SkipDeleted` would replicate a table called SkipDeleted.
    fn refuse_missing_comma(&self, options: &Options) -> Result<(), Error> {
        let word = self.peek().and_then(|lexeme| lexeme.bare_word());
        match word.and_then(OptionSpec::find) {
            Some(spec) if !options.is_empty() => {
                let hint = format!(
                    "options are separated by commas; a table of that name is written `[{}]`",
                    spec.text
                );
                Err(self.unexpected("`,`, a query or a table").with_hint(hint))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn column_list(&mut self) -> Result<ColumnList, Error> {
        let first = self.index();
        self.expect(&Token::LParen)?;
        let mut columns: Vec<Column> = Vec::new();
        let mut primary_key = Vec::new();
        loop {
            if !columns.is_empty() && self.at_words(&["PRIMARY", "KEY"]) {
                let at = self.index();
                let key = self.primary_key(&columns)?;
                if !primary_key.is_empty() {
                    return Err(second_key(self.span_from(at)));
                }
                primary_key = key;
                break;
            }
            let name = self.ident("a column name")?;
            let mut column = Column {
                name,
                data_type: self.data_type()?,
                not_null: false,
            };
            if self.constraints(&mut column)? {
                if !primary_key.is_empty() {
                    return Err(second_key(column.name.span));
                }
                primary_key.push(column.name.clone());
            }
            columns.push(column);
            if !self.eat(&Token::Comma) {
                break;
            }
        }
        refuse_twice("column", columns.iter().map(|column| &column.name))?;
        if !self.at(&Token::RParen) {
            return Err(self.unexpected("`,` or `)`"));
        }
        self.advance();
        Ok(ColumnList {
            columns,
            primary_key,
            span: self.span_from(first),
        })
    }

    /// Reads NOT NULL, NULL and PRIMARY KEY behind a column; says whether it is the key.
    fn constraints(&mut self, column: &mut Column) -> Result<bool, Error> {
        let (mut is_key, mut nullable) = (false, None);
        loop {
            let clause = self.peek();
            let again = if self.at_words(&["NOT", "NULL"]) {
                self.advance();
                self.advance();
                nullable.replace(false).is_some()
            } else if self.eat_word("NULL") {
                nullable.replace(true).is_some()
            } else if self.at_words(&["PRIMARY", "KEY"]) {
                self.advance();
                self.advance();
                std::mem::replace(&mut is_key, true)
            } else {
                column.not_null = nullable == Some(false);
                return Ok(is_key);
            };
            if let Some(clause) = clause.filter(|_| again) {
                let message = format!("{} is given twice for `{}`", clause.describe(), column.name);
                return Err(refused(code::DUPLICATE, message, clause.span));
            }
        }
    }

    fn primary_key(&mut self, columns: &[Column]) -> Result<Vec<Ident>, Error> {
        self.expect_word("PRIMARY")?;
        self.expect_word("KEY")?;
        self.expect(&Token::LParen)?;
        let key = self.comma_separated(|cursor| cursor.ident("a column name"))?;
        refuse_twice("key column", &key)?;
        let names: HashSet<&Ident> = columns.iter().map(|column| &column.name).collect();
        for name in &key {
            if !names.contains(name) {
                let message = format!("the key column `{name}` is not in the column list");
                let error = refused(code::INVALID_NAME, message, name.span);
                let known = columns.iter().map(|column| column.name.text.as_str());
                return Err(match nearest(&name.text, known) {
                    Some(meant) => error.with_hint(format!("did you mean `{meant}`?")),
                    None => error,
                });
            }
        }
        self.expect(&Token::RParen)?;
        Ok(key)
    }

    /// Reads `WITH option, ...` if it follows; a CTE's WITH is left alone.
    fn options(&mut self, options: &mut Options) -> Result<(), Error> {
        if !self.at_word("WITH") || self.at_query() {
            return Ok(());
        }
        self.advance();
        for option in self.comma_separated(Self::option)? {
            if options.get(option.name).is_some() {
                return Err(duplicate("option", &option.written));
            }
            options.0.push(option);
        }
        Ok(())
    }

    fn option(&mut self) -> Result<ReplicateOption, Error> {
        let written = self.ident("an option")?;
        let spec = ReplicateOption::spec(&written)?;
        let (value, value_span) = if self.eat(&Token::Eq) {
            self.value("a value")?
        } else {
            (Value::Bool(true), written.span)
        };
        ReplicateOption::of(spec, written, &value, value_span)
    }
}

impl ReplicateOption {
    /// The option called `written` with a value that was written at `value_span`.
    ///
    /// # Errors
    /// If there is no such option, or the value is none for it.
    pub fn read(written: Ident, value: &Value, value_span: Span) -> Result<Self, Error> {
        let spec = Self::spec(&written)?;
        Self::of(spec, written, value, value_span)
    }

    /// Which option a name means.
    ///
    /// # Errors
    /// If there is no such option.
    pub fn spec(written: &Ident) -> Result<&'static OptionSpec, Error> {
        OptionSpec::find(&written.text).ok_or_else(|| {
            let message = format!("there is no option `{written}`");
            let error = refused(code::UNKNOWN_OPTION, message, written.span);
            let known = REPLICATE_OPTIONS.iter().map(|spec| spec.text);
            match nearest(&written.text, known) {
                Some(meant) => error.with_hint(format!("did you mean `{meant}`?")),
                None => error.with_hint("`SHOW OPTIONS` lists the options"),
            }
        })
    }

    fn of(
        spec: &OptionSpec,
        written: Ident,
        value: &Value,
        value_span: Span,
    ) -> Result<Self, Error> {
        match check(spec.kind, value) {
            Some(value) => Ok(Self {
                name: spec.name,
                written,
                value,
                value_span,
            }),
            None => Err(bad_value(spec, value_span)),
        }
    }
}

fn second_key(span: Span) -> Error {
    refused(code::DUPLICATE, "PRIMARY KEY is given twice", span)
        .with_hint("a key of several columns stands at the end: PRIMARY KEY (a, b)")
}

fn bad_value(spec: &OptionSpec, span: Span) -> Error {
    let message = format!("not a value for {}", spec.text);
    refused(code::BAD_OPTION_VALUE, message, span)
        .with_hint(format!("{} takes {}", spec.text, spec.kind))
}

/// The value as `kind` has it, or `None` if it is of another kind.
fn check(kind: ValueKind, value: &Value) -> Option<OptionValue> {
    let text = value.to_text();
    let is_text = matches!(value, Value::Text(_) | Value::Word(_));
    let whole = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
    match kind {
        ValueKind::Bool => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(OptionValue::Bool(true)),
            "false" | "0" => Some(OptionValue::Bool(false)),
            _ => None,
        },
        ValueKind::Int => whole(&text).map(OptionValue::Int),
        ValueKind::Text => is_text.then_some(OptionValue::Text(text)),
        ValueKind::Start => whole(&text)
            .map(OptionValue::Int)
            .or_else(|| date_time(&text).map(OptionValue::DateTime)),
        ValueKind::Choice(words) => words
            .iter()
            .find(|word| is_text && word.eq_ignore_ascii_case(&text))
            .map(|word| OptionValue::Choice(word)),
        ValueKind::List => {
            let entries: Vec<String> = text
                .split(',')
                .map(|entry| entry.trim().to_owned())
                .filter(|entry| !entry.is_empty())
                .collect();
            (is_text && !entries.is_empty()).then_some(OptionValue::List(entries))
        }
    }
}

/// `yyyy-mm-dd[( |T)hh:mm[:ss[.fff]]]` in the form `yyyy-mm-ddThh:mm:ss[.fff]`, if it exists in
/// the calendar.
fn date_time(text: &str) -> Option<String> {
    let (date, time) = match text.split_once([' ', 'T', 't']) {
        Some((date, time)) => (date, time),
        None => (text, "00:00:00"),
    };
    let digits = |text: &str, length: usize| -> Option<u32> {
        let plain = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten()
    };
    let [year, month, day] = date.split('-').collect::<Vec<_>>()[..] else {
        return None;
    };
    let (year, month, day) = (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let (time, fraction) = match time.split_once('.') {
        Some((time, fraction)) => (time, Some(fraction)),
        None => (time, None),
    };
    let parts: Vec<&str> = time.split(':').collect();
    let (hour, minute, second) = match (&parts[..], fraction) {
        ([hour, minute], None) => (digits(hour, 2)?, digits(minute, 2)?, 0),
        ([hour, minute, second], _) => (digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?),
        _ => return None,
    };
    if let Some(fraction) = fraction {
        digits(fraction, fraction.len().clamp(1, 9))?;
    }
    let exists = (1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60;
    let fraction = fraction
        .map(|digits| format!(".{digits}"))
        .unwrap_or_default();
    exists.then(|| {
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}")
    })
}

#[cfg(test)]
mod tests {
    use super::date_time;

    #[test]
    fn dates_exist_in_the_calendar() {
        for (text, expected) in [
            ("2024-01-31", Some("2024-01-31T00:00:00")),
            ("2024-02-29 23:59", Some("2024-02-29T23:59:00")),
            ("2000-02-29T01:02:03.045", Some("2000-02-29T01:02:03.045")),
            ("2023-02-29", None),
            ("1900-02-29", None),
            ("2024-04-31", None),
            ("2024-13-01", None),
            ("2024-00-01", None),
            ("2024-01-00", None),
            ("2024-01-01 24:00:00", None),
            ("2024-01-01 10:60", None),
            ("2024-01-01 10:00:00.", None),
            ("2024-1-1", None),
            ("+024-01-01", None),
            ("01.02.2024", None),
            ("2024-01-01 ", None),
            ("", None),
        ] {
            assert_eq!(date_time(text).as_deref(), expected, "{text}");
        }
    }
}
