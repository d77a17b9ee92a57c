//! Rows of a query as Arrow batches.

use std::error::Error as StdError;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Decimal128Array, Decimal256Array, PrimitiveBuilder,
    RecordBatch, RecordBatchOptions, StringBuilder,
};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, Float64Type, Int64Type,
    SchemaRef, Time64MicrosecondType, TimestampMicrosecondType, i256,
};
use bucketline_destination::{ColumnType, Error, Result, code};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use crate::encode::{EPOCH, EPOCH_DAYS};
use crate::numeric;

const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

/// The bytes of a value.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(
        _: &Type,
        raw: &'a [u8],
    ) -> std::result::Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Collects rows whose columns were cast to the types of a schema.
pub(crate) struct Decoder {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
}

impl Decoder {
    pub(crate) fn new(schema: SchemaRef) -> Self {
        let columns = schema.fields().iter();
        Self {
            columns: columns
                .map(|field| Column::new(ColumnType::of(field)))
                .collect(),
            schema,
            rows: 0,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn push(&mut self, row: &Row) -> Result<()> {
        for (index, column) in self.columns.iter_mut().enumerate() {
            let value: Option<Raw<'_>> = row.try_get(index).map_err(|error| {
                Error::new(code::DATABASE, error.to_string()).with_source(error)
            })?;
            let pushed = match value {
                Some(Raw(bytes)) => column.push(bytes),
                None => {
                    column.push_null();
                    Some(())
                }
            };
            pushed.ok_or_else(|| {
                let name = self.schema.field(index).name();
                let message = format!(
                    "column `{name}` has a value that cannot be read as {}",
                    ColumnType::of(self.schema.field(index))
                );
                Error::new(code::BAD_VALUE, message)
            })?;
        }
        self.rows += 1;
        Ok(())
    }

    /// The rows since the last batch.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch> {
        let internal = |error: arrow::error::ArrowError| {
            Error::new(code::DATABASE, error.to_string()).with_source(error)
        };
        let arrays = self.columns.iter_mut().map(Column::finish).collect();
        let options =
            RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(internal)
    }
}

enum Column {
    Boolean(BooleanBuilder),
    Int(PrimitiveBuilder<Int64Type>),
    Float(PrimitiveBuilder<Float64Type>),
    Decimal(PrimitiveBuilder<Decimal128Type>, u8, i8),
    WideDecimal(PrimitiveBuilder<Decimal256Type>, u8, i8),
    Text(StringBuilder),
    Binary(BinaryBuilder),
    Date(PrimitiveBuilder<Date32Type>),
    Time(PrimitiveBuilder<Time64MicrosecondType>),
    Moment(PrimitiveBuilder<TimestampMicrosecondType>),
    Duration(PrimitiveBuilder<DurationMicrosecondType>),
}

impl Column {
    fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::new()),
            ColumnType::Int => Self::Int(PrimitiveBuilder::new()),
            ColumnType::Float => Self::Float(PrimitiveBuilder::new()),
            ColumnType::Decimal { precision, scale } if precision <= 38 => {
                Self::Decimal(PrimitiveBuilder::new(), precision, scale)
            }
            ColumnType::Decimal { precision, scale } => {
                Self::WideDecimal(PrimitiveBuilder::new(), precision, scale)
            }
            ColumnType::Text | ColumnType::Json => Self::Text(StringBuilder::new()),
            ColumnType::Binary => Self::Binary(BinaryBuilder::new()),
            ColumnType::Date => Self::Date(PrimitiveBuilder::new()),
            ColumnType::Time => Self::Time(PrimitiveBuilder::new()),
            ColumnType::Instant | ColumnType::LocalTime => {
                let builder = PrimitiveBuilder::new();
                Self::Moment(builder.with_data_type(column_type.data_type()))
            }
            ColumnType::Duration => Self::Duration(PrimitiveBuilder::new()),
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Boolean(builder) => builder.append_null(),
            Self::Int(builder) => builder.append_null(),
            Self::Float(builder) => builder.append_null(),
            Self::Decimal(builder, ..) => builder.append_null(),
            Self::WideDecimal(builder, ..) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
            Self::Binary(builder) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::Time(builder) => builder.append_null(),
            Self::Moment(builder) => builder.append_null(),
            Self::Duration(builder) => builder.append_null(),
        }
    }

    /// Takes a value; `None` if the type has no place for it: an infinite day, say.
    fn push(&mut self, bytes: &[u8]) -> Option<()> {
        match self {
            Self::Boolean(builder) => builder.append_value(*bytes.first()? != 0),
            Self::Int(builder) => builder.append_value(long(bytes)?),
            Self::Float(builder) => {
                // SQL has one zero.
                builder.append_value(f64::from_be_bytes(bytes.try_into().ok()?) + 0.0);
            }
            Self::Decimal(builder, _, scale) => {
                builder.append_value(numeric::read(bytes, *scale)?.parse().ok()?);
            }
            Self::WideDecimal(builder, _, scale) => {
                builder.append_value(i256::from_string(&numeric::read(bytes, *scale)?)?);
            }
            Self::Text(builder) => builder.append_value(std::str::from_utf8(bytes).ok()?),
            Self::Binary(builder) => builder.append_value(bytes),
            Self::Date(builder) => {
                let days = i32::from_be_bytes(bytes.try_into().ok()?);
                let is_finite = days != i32::MAX && days != i32::MIN;
                builder.append_value(days.checked_add(EPOCH_DAYS).filter(|_| is_finite)?);
            }
            Self::Time(builder) => builder.append_value(long(bytes)?),
            Self::Moment(builder) => {
                let moment = long(bytes)?;
                let is_finite = moment != i64::MAX && moment != i64::MIN;
                builder.append_value(moment.checked_add(EPOCH).filter(|_| is_finite)?);
            }
            Self::Duration(builder) => {
                let (span, rest) = bytes.split_at_checked(8)?;
                let (days, months) = rest.split_at_checked(4)?;
                let days = i32::from_be_bytes(days.try_into().ok()?);
                if months != [0; 4] {
                    return None;
                }
                let days = i64::from(days).checked_mul(MICROSECONDS_A_DAY)?;
                builder.append_value(long(span)?.checked_add(days)?);
            }
        }
        Some(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Decimal(builder, precision, scale) => {
                let array: Decimal128Array = builder.finish();
                let (precision, scale) = (*precision, *scale);
                let typed = array.clone().with_precision_and_scale(precision, scale);
                Arc::new(typed.unwrap_or(array))
            }
            Self::WideDecimal(builder, precision, scale) => {
                let array: Decimal256Array = builder.finish();
                let (precision, scale) = (*precision, *scale);
                let typed = array.clone().with_precision_and_scale(precision, scale);
                Arc::new(typed.unwrap_or(array))
            }
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Binary(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
            Self::Moment(builder) => Arc::new(builder.finish()),
            Self::Duration(builder) => Arc::new(builder.finish()),
        }
    }
}

fn long(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?))
}
