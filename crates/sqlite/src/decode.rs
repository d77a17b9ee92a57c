//! Stored values as Arrow arrays.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, DurationMicrosecondBuilder,
    Float64Builder, Int64Builder, RecordBatch, RecordBatchOptions, StringBuilder,
    Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, SchemaRef};
use bucketline_destination::{ColumnType, Error, Result, code, iso8601};
use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::error::Doing;

/// Makes a batch of rows.
pub(crate) struct Decoder {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
}

enum Column {
    Boolean(BooleanBuilder),
    Int(Int64Builder),
    Duration(DurationMicrosecondBuilder),
    Float(Float64Builder),
    Decimal(StringBuilder, DataType),
    Text(StringBuilder),
    Binary(BinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Instant(TimestampMicrosecondBuilder),
    LocalTime(TimestampMicrosecondBuilder),
}

impl Decoder {
    /// A decoder of rows whose columns are those of the schema, each of a stored type.
    pub(crate) fn new(schema: SchemaRef) -> Self {
        let columns = schema
            .fields()
            .iter()
            .map(|field| Column::new(ColumnType::of(field)));
        Self {
            columns: columns.collect(),
            rows: 0,
            schema,
        }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`BAD_VALUE`](code::BAD_VALUE), naming the column, if a value is not of its type.
    pub(crate) fn push(&mut self, row: &Row<'_>) -> Result<()> {
        for (index, column) in self.columns.iter_mut().enumerate() {
            let value = row.get_ref(index).doing("reading a row")?;
            if column.push(value).is_none() {
                let field = self.schema.field(index);
                let message = match value {
                    ValueRef::Text(text) if std::str::from_utf8(text).is_err() => {
                        format!("column `{}` holds {}", field.name(), shown(value))
                    }
                    _ => format!(
                        "column `{}` holds {}, which is not of type {}",
                        field.name(),
                        shown(value),
                        ColumnType::of(field)
                    ),
                };
                return Err(Error::new(code::BAD_VALUE, message).with_hint(
                    "another program wrote that value; correct it, or leave the column out",
                ));
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// The rows so far; the decoder is empty then.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch> {
        let internal = |error: arrow::error::ArrowError| {
            Error::new(code::BAD_VALUE, error.to_string()).with_source(error)
        };
        let arrays: Vec<ArrayRef> = self
            .columns
            .iter_mut()
            .zip(self.schema.fields())
            .map(|(column, field)| column.finish(field.data_type()))
            .collect::<Result<_, _>>()
            .map_err(internal)?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(internal)
    }
}

impl Column {
    fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::new()),
            ColumnType::Int => Self::Int(Int64Builder::new()),
            ColumnType::Duration => Self::Duration(DurationMicrosecondBuilder::new()),
            ColumnType::Float => Self::Float(Float64Builder::new()),
            ColumnType::Decimal { .. } => {
                Self::Decimal(StringBuilder::new(), column_type.data_type())
            }
            ColumnType::Text | ColumnType::Json => Self::Text(StringBuilder::new()),
            ColumnType::Binary => Self::Binary(BinaryBuilder::new()),
            ColumnType::Date => Self::Date(Date32Builder::new()),
            ColumnType::Time => Self::Time(Time64MicrosecondBuilder::new()),
            ColumnType::Instant => Self::Instant(TimestampMicrosecondBuilder::new()),
            ColumnType::LocalTime => Self::LocalTime(TimestampMicrosecondBuilder::new()),
        }
    }

    /// Adds a value; `None` if it is not of this type.
    fn push(&mut self, value: ValueRef<'_>) -> Option<()> {
        if matches!(value, ValueRef::Null) {
            self.push_null();
            return Some(());
        }
        match (self, value) {
            (Self::Boolean(column), ValueRef::Integer(value @ (0 | 1))) => {
                column.append_value(value == 1);
            }
            (Self::Int(column), ValueRef::Integer(value)) => column.append_value(value),
            (Self::Duration(column), ValueRef::Integer(value)) => column.append_value(value),
            // SQL has one zero.
            (Self::Float(column), ValueRef::Real(value)) => column.append_value(value + 0.0),
            #[expect(
                clippy::cast_precision_loss,
                reason = "the column's type is floating-point"
            )]
            (Self::Float(column), ValueRef::Integer(value)) => column.append_value(value as f64),
            (Self::Decimal(column, _), ValueRef::Integer(value)) => {
                column.append_value(value.to_string());
            }
            (Self::Decimal(column, _), ValueRef::Real(value)) => {
                column.append_value(format!("{value}"));
            }
            (Self::Decimal(column, _), ValueRef::Text(text)) => {
                column.append_value(std::str::from_utf8(text).ok()?);
            }
            (Self::Text(column), ValueRef::Text(text)) => {
                column.append_value(std::str::from_utf8(text).ok()?);
            }
            (Self::Text(column), other) => column.append_value(text_of(other)),
            (Self::Binary(column), ValueRef::Blob(bytes) | ValueRef::Text(bytes)) => {
                column.append_value(bytes);
            }
            (Self::Date(column), ValueRef::Text(text)) => {
                column.append_value(iso8601::parse_date(std::str::from_utf8(text).ok()?)?);
            }
            (Self::Time(column), ValueRef::Text(text)) => {
                column.append_value(iso8601::parse_time(std::str::from_utf8(text).ok()?)?);
            }
            (Self::Instant(column), ValueRef::Text(text)) => {
                column.append_value(iso8601::parse_instant(std::str::from_utf8(text).ok()?)?);
            }
            (Self::LocalTime(column), ValueRef::Text(text)) => {
                column.append_value(iso8601::parse_local_time(std::str::from_utf8(text).ok()?)?);
            }
            _ => return None,
        }
        Some(())
    }

    fn push_null(&mut self) {
        match self {
            Self::Boolean(column) => column.append_null(),
            Self::Int(column) => column.append_null(),
            Self::Duration(column) => column.append_null(),
            Self::Float(column) => column.append_null(),
            Self::Decimal(column, _) | Self::Text(column) => column.append_null(),
            Self::Binary(column) => column.append_null(),
            Self::Date(column) => column.append_null(),
            Self::Time(column) => column.append_null(),
            Self::Instant(column) | Self::LocalTime(column) => column.append_null(),
        }
    }

    fn finish(&mut self, data_type: &DataType) -> Result<ArrayRef, arrow::error::ArrowError> {
        Ok(match self {
            Self::Boolean(column) => Arc::new(column.finish()),
            Self::Int(column) => Arc::new(column.finish()),
            Self::Duration(column) => Arc::new(column.finish()),
            Self::Float(column) => Arc::new(column.finish()),
            Self::Decimal(column, decimal) => {
                let options = CastOptions {
                    safe: false,
                    ..CastOptions::default()
                };
                cast_with_options(&column.finish(), decimal, &options)?
            }
            Self::Text(column) => Arc::new(column.finish()),
            Self::Binary(column) => Arc::new(column.finish()),
            Self::Date(column) => Arc::new(column.finish()),
            Self::Time(column) => Arc::new(column.finish()),
            Self::Instant(column) | Self::LocalTime(column) => {
                Arc::new(column.finish().with_data_type(data_type.clone()))
            }
        })
    }
}

/// One value of a stored type as an array of one element; `None` if it is not of that type.
pub(crate) fn one(value: ValueRef<'_>, column_type: ColumnType) -> Option<ArrayRef> {
    let mut column = Column::new(column_type);
    column.push(value)?;
    column.finish(&column_type.data_type()).ok()
}

/// A value as text: numbers as SQL writes them, bytes as hexadecimal digits.
pub(crate) fn text_of(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::from("NULL"),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => format!("{value:?}"),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// A value for an error: `the text 'abc'`, cut where it is long.
pub(crate) fn shown(value: ValueRef<'_>) -> String {
    /// Characters of a value that are shown.
    const SHOWN: usize = 60;
    let (kind, text) = match value {
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(_) => ("the text '", text_of(value)),
            Err(_) => (
                "a text that is not UTF-8, x'",
                text_of(ValueRef::Blob(text)),
            ),
        },
        ValueRef::Blob(_) => ("the bytes x'", text_of(value)),
        _ => ("", text_of(value)),
    };
    let text = match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    };
    let quote = if kind.is_empty() { "" } else { "'" };
    format!("{kind}{text}{quote}")
}
