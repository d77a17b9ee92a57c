//! Values of Arrow arrays as SQLite stores them.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, Float64Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use bucketline_destination::{ColumnType, Error, Result, code, iso8601};
use rusqlite::Statement;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use crate::error::Doing;

/// Decimals of at most so many digits are exact as 64-bit floating-point numbers, and are stored as numbers
/// so that SQL compares and adds them; wider ones are texts.
const EXACT_DIGITS: u8 = 15;

/// The type by which a column is declared. The words decide the affinity, by which SQLite may change a value
/// on its way in: INTEGER, REAL and TEXT as they say; BOOLEAN, DATE, TIME, TIMESTAMP and DECIMAL give NUMERIC,
/// which turns a text into a number if it looks like one, and none of the texts below does. `JSON` alone would
/// do so to a JSON number, hence the second word.
pub(crate) fn declaration(column_type: ColumnType) -> String {
    String::from(match column_type {
        ColumnType::Boolean => "BOOLEAN",
        ColumnType::Int | ColumnType::Duration => "INTEGER",
        ColumnType::Float => "REAL",
        ColumnType::Decimal { precision, scale } if precision <= EXACT_DIGITS => {
            return format!("DECIMAL({precision},{scale})");
        }
        ColumnType::Decimal { .. } | ColumnType::Text => "TEXT",
        ColumnType::Json => "JSON TEXT",
        ColumnType::Binary => "BLOB",
        ColumnType::Date => "DATE",
        ColumnType::Time => "TIME",
        ColumnType::Instant | ColumnType::LocalTime => "TIMESTAMP",
    })
}

/// A value as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a str),
    Blob(&'a [u8]),
    Owned(String),
    Date(iso8601::Fixed<10>),
    Time(iso8601::Fixed<15>),
    Instant(iso8601::Fixed<27>),
    LocalTime(iso8601::Fixed<26>),
}

impl Cell<'_> {
    #[inline]
    fn stored(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            // SQLite has no NaN and would make it NULL in silence; so it is NULL when values are compared, too.
            Self::Real(value) if value.is_nan() => ValueRef::Null,
            Self::Real(value) => ValueRef::Real(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
            Self::Owned(text) => ValueRef::Text(text.as_bytes()),
            Self::Date(text) => ValueRef::Text(text.as_str().as_bytes()),
            Self::Time(text) => ValueRef::Text(text.as_str().as_bytes()),
            Self::Instant(text) => ValueRef::Text(text.as_str().as_bytes()),
            Self::LocalTime(text) => ValueRef::Text(text.as_str().as_bytes()),
        }
    }

    /// The value is the one that is stored.
    #[expect(clippy::float_cmp, reason = "equal means the very same number")]
    pub(crate) fn equals(&self, stored: ValueRef<'_>) -> bool {
        match (self.stored(), stored) {
            // NUMERIC affinity stores a whole number as an integer.
            #[expect(
                clippy::cast_precision_loss,
                reason = "whole numbers of decimals have 15 digits"
            )]
            (ValueRef::Real(a), ValueRef::Integer(b)) => a == b as f64,
            (ValueRef::Real(a), ValueRef::Real(b)) => a == b,
            (a, b) => a == b,
        }
    }
}

impl ToSql for Cell<'_> {
    #[inline]
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.stored()))
    }
}

/// The values of a column, whose array has the type of [`ColumnType::data_type`].
pub(crate) struct Cells<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

/// The values where there is one.
enum Values<'a> {
    Boolean(&'a arrow::array::BooleanArray),
    Int(&'a arrow::array::Int64Array),
    Duration(&'a arrow::array::DurationMicrosecondArray),
    Float(&'a arrow::array::Float64Array),
    Number(&'a arrow::array::Decimal128Array),
    Decimal128(&'a arrow::array::Decimal128Array),
    Decimal256(&'a arrow::array::Decimal256Array),
    Text(&'a arrow::array::StringArray),
    Binary(&'a arrow::array::BinaryArray),
    Date(&'a arrow::array::Date32Array),
    Time(&'a arrow::array::Time64MicrosecondArray),
    Instant(&'a arrow::array::TimestampMicrosecondArray),
    LocalTime(&'a arrow::array::TimestampMicrosecondArray),
}

impl<'a> Cells<'a> {
    pub(crate) fn new(array: &'a ArrayRef, column_type: ColumnType) -> Self {
        let values = match column_type {
            ColumnType::Boolean => Values::Boolean(array.as_boolean()),
            ColumnType::Int => Values::Int(array.as_primitive::<Int64Type>()),
            ColumnType::Duration => {
                Values::Duration(array.as_primitive::<DurationMicrosecondType>())
            }
            ColumnType::Float => Values::Float(array.as_primitive::<Float64Type>()),
            ColumnType::Decimal { precision, .. } if precision <= EXACT_DIGITS => {
                Values::Number(array.as_primitive::<Decimal128Type>())
            }
            ColumnType::Decimal { precision, .. } if precision <= 38 => {
                Values::Decimal128(array.as_primitive::<Decimal128Type>())
            }
            ColumnType::Decimal { .. } => {
                Values::Decimal256(array.as_primitive::<Decimal256Type>())
            }
            ColumnType::Text | ColumnType::Json => Values::Text(array.as_string()),
            ColumnType::Binary => Values::Binary(array.as_binary()),
            ColumnType::Date => Values::Date(array.as_primitive::<Date32Type>()),
            ColumnType::Time => Values::Time(array.as_primitive::<Time64MicrosecondType>()),
            ColumnType::Instant => {
                Values::Instant(array.as_primitive::<TimestampMicrosecondType>())
            }
            ColumnType::LocalTime => {
                Values::LocalTime(array.as_primitive::<TimestampMicrosecondType>())
            }
        };
        Self {
            nulls: array.nulls(),
            values,
        }
    }

    /// The cells of a batch whose columns have the types given.
    pub(crate) fn of(batch: &'a RecordBatch, types: &[ColumnType]) -> Vec<Self> {
        batch
            .columns()
            .iter()
            .zip(types)
            .map(|(array, t)| Self::new(array, *t))
            .collect()
    }

    /// The value of a row.
    ///
    /// # Errors
    /// [`BAD_VALUE`](code::BAD_VALUE) for a date outside the years 0 to 9999.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Result<Cell<'a>> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(Cell::Null);
        }
        Ok(match &self.values {
            Values::Boolean(array) => Cell::Integer(i64::from(array.value(row))),
            Values::Int(array) => Cell::Integer(array.value(row)),
            Values::Duration(array) => Cell::Integer(array.value(row)),
            Values::Float(array) => Cell::Real(array.value(row)),
            Values::Number(array) => {
                let text = array.value_as_string(row);
                Cell::Real(text.parse().unwrap_or(f64::NAN))
            }
            Values::Decimal128(array) => Cell::Owned(array.value_as_string(row)),
            Values::Decimal256(array) => Cell::Owned(array.value_as_string(row)),
            Values::Text(array) => Cell::Text(array.value(row)),
            Values::Binary(array) => Cell::Blob(array.value(row)),
            Values::Date(array) => {
                let days = array.value(row);
                Cell::Date(iso8601::date(days).ok_or_else(|| far(i64::from(days)))?)
            }
            Values::Time(array) => {
                let time = array.value(row);
                Cell::Time(iso8601::time(time).ok_or_else(|| far(time))?)
            }
            Values::Instant(array) => {
                let moment = array.value(row);
                Cell::Instant(iso8601::instant(moment).ok_or_else(|| far(moment))?)
            }
            Values::LocalTime(array) => {
                let moment = array.value(row);
                Cell::LocalTime(iso8601::local_time(moment).ok_or_else(|| far(moment))?)
            }
        })
    }
}

/// Binds the cells of a row to the parameters of a statement, from the first on.
pub(crate) fn bind<'a, 'c: 'a>(
    statement: &mut Statement<'_>,
    cells: impl IntoIterator<Item = &'a Cells<'c>>,
    row: usize,
) -> Result<()> {
    for (index, cells) in cells.into_iter().enumerate() {
        statement
            .raw_bind_parameter(index + 1, cells.get(row)?)
            .doing("binding a value")?;
    }
    Ok(())
}

fn far(number: i64) -> Error {
    let message = format!("the date or time {number} is outside the years 0 to 9999");
    Error::new(code::BAD_VALUE, message).with_hint("correct it in the SELECT")
}
