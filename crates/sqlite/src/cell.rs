//! Values of Arrow arrays as SQLite stores them.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, Float64Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use bucketline_destination::{ColumnType, Error, ErrorKind, Result, iso8601};
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
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.stored()))
    }
}

/// The values of a column, whose array has the type of [`ColumnType::data_type`].
pub(crate) enum Cells<'a> {
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
        match column_type {
            ColumnType::Boolean => Self::Boolean(array.as_boolean()),
            ColumnType::Int => Self::Int(array.as_primitive::<Int64Type>()),
            ColumnType::Duration => Self::Duration(array.as_primitive::<DurationMicrosecondType>()),
            ColumnType::Float => Self::Float(array.as_primitive::<Float64Type>()),
            ColumnType::Decimal { precision, .. } if precision <= EXACT_DIGITS => {
                Self::Number(array.as_primitive::<Decimal128Type>())
            }
            ColumnType::Decimal { precision, .. } if precision <= 38 => {
                Self::Decimal128(array.as_primitive::<Decimal128Type>())
            }
            ColumnType::Decimal { .. } => Self::Decimal256(array.as_primitive::<Decimal256Type>()),
            ColumnType::Text | ColumnType::Json => Self::Text(array.as_string()),
            ColumnType::Binary => Self::Binary(array.as_binary()),
            ColumnType::Date => Self::Date(array.as_primitive::<Date32Type>()),
            ColumnType::Time => Self::Time(array.as_primitive::<Time64MicrosecondType>()),
            ColumnType::Instant => Self::Instant(array.as_primitive::<TimestampMicrosecondType>()),
            ColumnType::LocalTime => {
                Self::LocalTime(array.as_primitive::<TimestampMicrosecondType>())
            }
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

    fn array(&self) -> &dyn Array {
        match self {
            Self::Boolean(array) => array,
            Self::Int(array) => array,
            Self::Duration(array) => array,
            Self::Float(array) => array,
            Self::Number(array) | Self::Decimal128(array) => array,
            Self::Decimal256(array) => array,
            Self::Text(array) => array,
            Self::Binary(array) => array,
            Self::Date(array) => array,
            Self::Time(array) => array,
            Self::Instant(array) | Self::LocalTime(array) => array,
        }
    }

    /// The value of a row.
    ///
    /// # Errors
    /// [`BadValue`](ErrorKind::BadValue) for a date outside the years 0 to 9999.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Result<Cell<'a>> {
        let null = match self {
            Self::Text(array) => array.is_null(row),
            other => other.array().is_null(row),
        };
        if null {
            return Ok(Cell::Null);
        }
        Ok(match self {
            Self::Boolean(array) => Cell::Integer(i64::from(array.value(row))),
            Self::Int(array) => Cell::Integer(array.value(row)),
            Self::Duration(array) => Cell::Integer(array.value(row)),
            Self::Float(array) => Cell::Real(array.value(row)),
            Self::Number(array) => {
                let text = array.value_as_string(row);
                Cell::Real(text.parse().unwrap_or(f64::NAN))
            }
            Self::Decimal128(array) => Cell::Owned(array.value_as_string(row)),
            Self::Decimal256(array) => Cell::Owned(array.value_as_string(row)),
            Self::Text(array) => Cell::Text(array.value(row)),
            Self::Binary(array) => Cell::Blob(array.value(row)),
            Self::Date(array) => {
                let days = array.value(row);
                Cell::Date(iso8601::date(days).ok_or_else(|| far(i64::from(days)))?)
            }
            Self::Time(array) => {
                let time = array.value(row);
                Cell::Time(iso8601::time(time).ok_or_else(|| far(time))?)
            }
            Self::Instant(array) => {
                let moment = array.value(row);
                Cell::Instant(iso8601::instant(moment).ok_or_else(|| far(moment))?)
            }
            Self::LocalTime(array) => {
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
    Error::new(ErrorKind::BadValue, message).with_hint("correct it in the SELECT")
}
