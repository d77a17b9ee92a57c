//! Rows that are appended to a table which no load of ours has made.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::{ColumnType, Error, Result, TableName, code, convert};

/// Rows in the names and types of the table's own columns. `column` finds the table's column for one that is given.
///
/// # Errors
/// [`NOT_FOUND`](code::NOT_FOUND) for a column that the table has not; [`BAD_VALUE`](code::BAD_VALUE) for one that
/// is given twice, for a value that does not fit and for a NULL where none may be, naming column and row, counted from 1.
pub fn fit(
    table: &TableName,
    rows: &[RecordBatch],
    column: impl Fn(&Field) -> Option<Field>,
) -> Result<Vec<RecordBatch>> {
    let mut before = 0;
    let mut fitted = Vec::with_capacity(rows.len());
    for batch in rows {
        let mut fields: Vec<Field> = Vec::with_capacity(batch.num_columns());
        let mut arrays = Vec::with_capacity(batch.num_columns());
        for (given, array) in batch.schema().fields().iter().zip(batch.columns()) {
            let field = column(given).ok_or_else(|| {
                let message = format!("{table} has no column `{}`", given.name());
                Error::new(code::NOT_FOUND, message)
                    .with_hint(format!("DESCRIBE {table} lists its columns"))
            })?;
            if fields.iter().any(|other| other.name() == field.name()) {
                let message = format!("the column `{}` is given twice", field.name());
                return Err(Error::new(code::BAD_VALUE, message));
            }
            arrays.push(fit_column(array, &field, before)?);
            fields.push(field);
        }
        let made = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
        fitted.push(
            made.map_err(|error| Error::new(code::DATABASE, error.to_string()).with_source(error))?,
        );
        before += batch.num_rows();
    }
    Ok(fitted)
}

/// The values of a column, of which so many rows went before.
fn fit_column(array: &ArrayRef, field: &Field, before: usize) -> Result<ArrayRef> {
    let column_type = ColumnType::of(field);
    let place = |row: usize| format!("row {}, column `{}`", before + row + 1, field.name());
    let refused =
        |row: usize, why: String| Error::new(code::BAD_VALUE, format!("{}: {why}", place(row)));
    let given = match whole_days(array, column_type) {
        Ok(days) => days,
        Err(row) => {
            let why = format!(
                "{} has a time, and a date has none",
                describe_value(array, row)
            );
            return Err(refused(row, why).with_hint("CAST it AS DATE"));
        }
    };
    let values = convert(&given, column_type).map_err(|error| {
        let fits = |row: &usize| convert(&given.slice(*row, 1), column_type).is_ok();
        let row = (0..given.len()).find(|row| !fits(row)).unwrap_or_default();
        if error.code() != code::BAD_VALUE {
            return Error::new(error.code(), format!("{}: {error}", place(row))).with_source(error);
        }
        let value = describe_value(array, row);
        refused(
            row,
            format!("{value} does not fit the column's type, {column_type}"),
        )
    })?;
    match lost(&given, &values) {
        Ok(None) => {}
        Ok(Some(row)) => {
            let (value, kept) = (describe_value(array, row), describe_value(&values, row));
            let why = format!("{value} would become {kept} by the column's type, {column_type}");
            return Err(refused(row, why).with_hint("CAST or ROUND it to what is to be stored"));
        }
        Err(error) => return Err(Error::new(code::DATABASE, error.to_string())),
    }
    if !field.is_nullable()
        && let Some(row) = (0..values.len()).find(|row| values.is_null(*row))
    {
        let message = format!("{}: NULL where there must be a value", place(row));
        return Err(Error::new(code::BAD_VALUE, message));
    }
    Ok(values)
}

/// Moments as dates where the column is one of dates, if they are days.
///
/// # Errors
/// The first row whose moment is within a day.
pub fn whole_days(array: &ArrayRef, column_type: ColumnType) -> Result<ArrayRef, usize> {
    let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
    let may_have_time = match array.data_type() {
        DataType::Timestamp(..) => true,
        DataType::Utf8 => column_type == ColumnType::Date,
        _ => false,
    };
    if column_type != ColumnType::Date || !may_have_time {
        return Ok(Arc::clone(array));
    }
    let options = CastOptions::default();
    let Ok(moments) = cast_with_options(array, &moment, &options) else {
        return Ok(Arc::clone(array));
    };
    let days = moments.as_primitive::<TimestampMicrosecondType>();
    let has_time = |row: &usize| days.is_valid(*row) && days.value(*row) % 86_400_000_000 != 0;
    if let Some(row) = (0..days.len()).find(has_time) {
        return Err(row);
    }
    match array.data_type() {
        DataType::Timestamp(..) => {
            cast_with_options(&moments, &DataType::Date32, &options).map_err(|_| 0)
        }
        _ => Ok(Arc::clone(array)),
    }
}

/// The first row whose value is another one than it was. Digits beyond those of a decimal are rounded, as SQL has it.
///
/// # Errors
/// If the types cannot be compared.
pub fn lost(given: &ArrayRef, values: &ArrayRef) -> Result<Option<usize>, ArrowError> {
    let (from, to) = (given.data_type(), values.data_type());
    if from.is_numeric() && to.is_temporal() {
        return Ok((0..given.len()).find(|row| given.is_valid(*row)));
    }
    if from.is_decimal() && to == &DataType::Float64 {
        return lost_digits(given, values);
    }
    let may_lose = match to {
        DataType::Int64 | DataType::Boolean => from.is_numeric(),
        DataType::Float64 => from.is_integer(),
        _ => false,
    };
    if !may_lose {
        return Ok(None);
    }
    let back = cast_with_options(values, from, &CastOptions::default())?;
    let differs = distinct(&back, given)?;
    Ok((0..given.len()).find(|row| differs.value(*row)))
}

/// The first decimal whose digits a float does not keep.
fn lost_digits(decimals: &ArrayRef, floats: &ArrayRef) -> Result<Option<usize>, ArrowError> {
    let written = ArrayFormatter::try_new(decimals, &FormatOptions::default())?;
    let floats = floats.as_primitive::<Float64Type>();
    Ok((0..decimals.len()).find(|row| {
        decimals.is_valid(*row)
            && significant(&written.value(*row).to_string())
                != significant(&format!("{:e}", floats.value(*row)))
    }))
}

/// The digits of a number, without zeros at either end, and how many of them stand before the point.
fn significant(number: &str) -> (String, i64) {
    let number = number.trim_start_matches('-');
    let (mantissa, exponent) = number.split_once('e').unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let leading = digits.len() - significant.len();
    let kept = significant.trim_end_matches('0');
    if kept.is_empty() {
        return (String::new(), 0);
    }
    let place = i64::try_from(whole.len()).unwrap_or(i64::MAX)
        - i64::try_from(leading).unwrap_or(i64::MAX)
        + exponent.parse::<i64>().unwrap_or_default();
    (kept.to_owned(), place)
}

/// Characters of a value that an error shows.
const SHOWN: usize = 40;

/// A value for an error: texts in quotes, long ones cut.
pub fn describe_value(array: &ArrayRef, row: usize) -> String {
    let text = ArrayFormatter::try_new(array, &FormatOptions::default())
        .map(|values| values.value(row).to_string())
        .unwrap_or_default();
    let text = match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    };
    match array.data_type() {
        DataType::Utf8 => format!("'{text}'"),
        _ => text,
    }
}
