//! Arrow values in PostgreSQL's binary form, as parameters and as the rows of a COPY.
//!
//! The form of each type is that of the server's `..._send` and `..._recv` functions
//! (<https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format").

use std::error::Error as StdError;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, PrimitiveArray, RecordBatch, StringArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType,
    Float64Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use bucketline_destination::{ColumnType, Error, Result, code};
use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::numeric;

/// Microseconds from 1970 to 2000, PostgreSQL's zero.
pub(crate) const EPOCH: i64 = 946_684_800_000_000;

/// Days from 1970 to 2000.
pub(crate) const EPOCH_DAYS: i32 = 10_957;

/// The first version of the form of `jsonb`.
const JSONB: u8 = 1;

/// The SQL type of a column.
pub(crate) fn sql_type(column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Boolean => "boolean",
        ColumnType::Int => "bigint",
        ColumnType::Float => "double precision",
        ColumnType::Decimal { precision, scale } => return format!("numeric({precision},{scale})"),
        ColumnType::Text => "text",
        ColumnType::Json => "jsonb",
        ColumnType::Binary => "bytea",
        ColumnType::Date => "date",
        ColumnType::Time => "time",
        ColumnType::Instant => "timestamp with time zone",
        ColumnType::LocalTime => "timestamp",
        ColumnType::Duration => "interval",
    }
    .to_owned()
}

/// The values of a column.
pub(crate) enum Cells<'a> {
    Boolean(&'a BooleanArray),
    Int(&'a PrimitiveArray<Int64Type>),
    Float(&'a PrimitiveArray<Float64Type>),
    Decimal(&'a PrimitiveArray<Decimal128Type>, i8),
    WideDecimal(&'a PrimitiveArray<Decimal256Type>, i8),
    Text(&'a StringArray),
    Json(&'a StringArray),
    Binary(&'a BinaryArray),
    Date(&'a PrimitiveArray<Date32Type>),
    Time(&'a PrimitiveArray<Time64MicrosecondType>),
    Moment(&'a PrimitiveArray<TimestampMicrosecondType>),
    Duration(&'a PrimitiveArray<DurationMicrosecondType>),
}

impl<'a> Cells<'a> {
    /// The values of an array that has the type of the column.
    pub(crate) fn new(array: &'a ArrayRef, column_type: ColumnType) -> Self {
        fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> &PrimitiveArray<T> {
            array.as_primitive()
        }
        match column_type {
            ColumnType::Boolean => Self::Boolean(array.as_boolean()),
            ColumnType::Int => Self::Int(primitive(array)),
            ColumnType::Float => Self::Float(primitive(array)),
            ColumnType::Decimal { precision, scale } if precision <= 38 => {
                Self::Decimal(primitive(array), scale)
            }
            ColumnType::Decimal { scale, .. } => Self::WideDecimal(primitive(array), scale),
            ColumnType::Text => Self::Text(array.as_string()),
            ColumnType::Json => Self::Json(array.as_string()),
            ColumnType::Binary => Self::Binary(array.as_binary()),
            ColumnType::Date => Self::Date(primitive(array)),
            ColumnType::Time => Self::Time(primitive(array)),
            ColumnType::Instant | ColumnType::LocalTime => Self::Moment(primitive(array)),
            ColumnType::Duration => Self::Duration(primitive(array)),
        }
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Boolean(array) => array.is_null(row),
            Self::Int(array) => array.is_null(row),
            Self::Float(array) => array.is_null(row),
            Self::Decimal(array, _) => array.is_null(row),
            Self::WideDecimal(array, _) => array.is_null(row),
            Self::Text(array) | Self::Json(array) => array.is_null(row),
            Self::Binary(array) => array.is_null(row),
            Self::Date(array) => array.is_null(row),
            Self::Time(array) => array.is_null(row),
            Self::Moment(array) => array.is_null(row),
            Self::Duration(array) => array.is_null(row),
        }
    }

    /// Writes a value that is not NULL.
    fn value(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        match self {
            Self::Boolean(array) => out.put_u8(array.value(row).into()),
            Self::Int(array) => out.put_i64(array.value(row)),
            Self::Float(array) => out.put_f64(array.value(row)),
            Self::Decimal(array, scale) => {
                numeric::put(out, &array.value(row).to_string(), *scale);
            }
            Self::WideDecimal(array, scale) => {
                numeric::put(out, &array.value(row).to_string(), *scale);
            }
            Self::Text(array) => out.put_slice(without_nul(array.value(row))?.as_bytes()),
            Self::Json(array) => {
                out.put_u8(JSONB);
                out.put_slice(without_escaped_nul(array.value(row))?.as_bytes());
            }
            Self::Binary(array) => out.put_slice(array.value(row)),
            Self::Date(array) => out.put_i32(days(array.value(row))?),
            Self::Time(array) => out.put_i64(array.value(row)),
            Self::Moment(array) => out.put_i64(moment(array.value(row))?),
            Self::Duration(array) => {
                out.put_i64(array.value(row));
                // Neither days nor months, whose lengths vary.
                out.put_i64(0);
            }
        }
        Ok(())
    }

    /// Writes a field of a COPY: its length, then the value; no length for NULL.
    fn field(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        if self.is_null(row) {
            out.put_i32(-1);
            return Ok(());
        }
        let at = out.len();
        out.put_i32(0);
        self.value(row, out)?;
        let length = i32::try_from(out.len() - at - 4)
            .map_err(|_| bad_value("a value is larger than PostgreSQL takes, a gigabyte"))?;
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

fn bad_value(message: impl Into<String>) -> Error {
    Error::new(code::BAD_VALUE, message)
}

/// PostgreSQL's texts have every character but this.
fn without_nul(text: &str) -> Result<&str> {
    if text.bytes().any(|byte| byte == 0) {
        return Err(bad_value(
            "a text has the character U+0000 in it, which PostgreSQL has no place for",
        )
        .with_hint("REPLACE(column, CHR(0), '') takes it out"));
    }
    Ok(text)
}

/// Neither has `jsonb`, whose texts are read as such.
fn without_escaped_nul(json: &str) -> Result<&str> {
    let escaped = |at: usize| {
        let before = json.as_bytes()[..at].iter().rev();
        before.take_while(|byte| **byte == b'\\').count() % 2 == 0
    };
    if json.match_indices("\\u0000").any(|(at, _)| escaped(at)) {
        return Err(bad_value(
            "a JSON value has the character U+0000 in a text, which PostgreSQL has no place for",
        )
        .with_hint("take the value apart with JSON functions, or leave the column out"));
    }
    Ok(json)
}

/// The largest and the smallest number of a type stand for infinity.
fn days(since_1970: i32) -> Result<i32> {
    let days = since_1970.checked_sub(EPOCH_DAYS);
    days.filter(|days| *days != i32::MIN)
        .ok_or_else(|| bad_value(format!("the day {since_1970} is before PostgreSQL's first")))
}

fn moment(since_1970: i64) -> Result<i64> {
    let moment = since_1970.checked_sub(EPOCH);
    moment.filter(|moment| *moment != i64::MIN).ok_or_else(|| {
        bad_value(format!(
            "the moment {since_1970} is before PostgreSQL's first"
        ))
    })
}

/// The head of the binary form of COPY: its signature, no flags, nothing more.
pub(crate) fn head(out: &mut BytesMut) {
    out.put_slice(b"PGCOPY\n\xff\r\n\0");
    out.put_i32(0);
    out.put_i32(0);
}

/// Its end.
pub(crate) fn tail(out: &mut BytesMut) {
    out.put_i16(-1);
}

/// Rows of a batch for a COPY, each with its number before its values.
pub(crate) struct Rows<'a> {
    cells: Vec<Cells<'a>>,
    names: Vec<String>,
}

impl<'a> Rows<'a> {
    /// The rows of a batch whose columns have these types.
    pub(crate) fn new(batch: &'a RecordBatch, types: &[ColumnType]) -> Self {
        let columns = batch.columns().iter().zip(types);
        let schema = batch.schema();
        Self {
            cells: columns
                .map(|(array, column_type)| Cells::new(array, *column_type))
                .collect(),
            names: schema.fields().iter().map(|it| it.name().clone()).collect(),
        }
    }

    /// Writes one.
    pub(crate) fn put(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_i16(i16::try_from(self.cells.len() + 1).unwrap_or(i16::MAX));
        out.put_i32(4);
        out.put_i32(i32::try_from(row).unwrap_or(i32::MAX));
        for (cells, name) in self.cells.iter().zip(&self.names) {
            cells.field(row, out).map_err(|error| {
                let message = format!("column `{name}`: {error}");
                let told = Error::new(error.code(), message);
                match error.hint() {
                    Some(hint) => told.with_hint(hint),
                    None => told,
                }
            })?;
        }
        Ok(())
    }
}

/// One value as a parameter.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) array: ArrayRef,
    pub(crate) column_type: ColumnType,
}

impl ToSql for Parameter {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let cells = Cells::new(&self.array, self.column_type);
        if cells.is_null(0) {
            return Ok(IsNull::Yes);
        }
        cells.value(0, out)?;
        Ok(IsNull::No)
    }

    /// Statements cast their parameters, so the type is the column's.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
