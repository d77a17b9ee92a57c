//! One column under construction.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};

use super::CellSpec;
use crate::spec::ColumnKind;

/// The builder of a column.
#[derive(Debug)]
pub(super) enum Cell {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Json(StringBuilder),
}

/// Rows to make room for: a page.
const ROWS: usize = 100;
/// Bytes of text to make room for.
const TEXT: usize = 4096;

impl Cell {
    pub(super) fn new(spec: &CellSpec) -> Self {
        match spec.kind {
            ColumnKind::Bool => Self::Bool(BooleanBuilder::with_capacity(ROWS)),
            ColumnKind::Int => Self::Int(Int64Builder::with_capacity(ROWS)),
            ColumnKind::Float => Self::Float(Float64Builder::with_capacity(ROWS)),
            // No table file names another type.
            ColumnKind::Text | ColumnKind::Plain(_) => {
                Self::Text(StringBuilder::with_capacity(ROWS, TEXT))
            }
            ColumnKind::Json => Self::Json(StringBuilder::with_capacity(ROWS, TEXT)),
            ColumnKind::Timestamp => Self::Timestamp(
                TimestampMicrosecondBuilder::with_capacity(ROWS)
                    .with_data_type(spec.kind.data_type()),
            ),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bool(builder) => builder.len(),
            Self::Int(builder) => builder.len(),
            Self::Float(builder) => builder.len(),
            Self::Text(builder) | Self::Json(builder) => builder.len(),
            Self::Timestamp(builder) => builder.len(),
        }
    }

    pub(super) fn append_null(&mut self) {
        match self {
            Self::Bool(builder) => builder.append_null(),
            Self::Int(builder) => builder.append_null(),
            Self::Float(builder) => builder.append_null(),
            Self::Text(builder) | Self::Json(builder) => builder.append_null(),
            Self::Timestamp(builder) => builder.append_null(),
        }
    }

    /// The value of the row being read, for a message, if it came and is short.
    pub(super) fn shown(&self, row: usize) -> Option<String> {
        const LONGEST: usize = 64;
        if self.len() <= row {
            return None;
        }
        match self {
            Self::Int(builder) => Some(builder.values_slice().get(row)?.to_string()),
            Self::Text(builder) => {
                let offsets = builder.offsets_slice().get(row..)?;
                let start = usize::try_from(*offsets.first()?).ok()?;
                let end = offsets.get(1).and_then(|end| usize::try_from(*end).ok());
                let text = builder
                    .values_slice()
                    .get(start..end.unwrap_or(builder.values_slice().len()))?;
                let text = std::str::from_utf8(text).ok()?;
                let is_fit = text.len() <= LONGEST && !text.contains(char::is_control);
                is_fit.then(|| text.to_owned())
            }
            _ => None,
        }
    }

    /// What the column takes, in words.
    pub(super) fn expected(&self) -> &'static str {
        match self {
            Self::Bool(_) => "true or false",
            Self::Int(_) => "a whole number of 64 bits",
            Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::Timestamp(_) => "a timestamp",
            Self::Json(_) => "JSON",
        }
    }

    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Self::Bool(mut builder) => Arc::new(builder.finish()),
            Self::Int(mut builder) => Arc::new(builder.finish()),
            Self::Float(mut builder) => Arc::new(builder.finish()),
            Self::Text(mut builder) | Self::Json(mut builder) => Arc::new(builder.finish()),
            Self::Timestamp(mut builder) => Arc::new(builder.finish()),
        }
    }
}
