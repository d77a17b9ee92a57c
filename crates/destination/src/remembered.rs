//! How columns and key of a table are written in a destination's state.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use serde_json::{Value, json};

use crate::{ColumnType, Error, Layout, Result, StoredColumn};

/// The columns as JSON: `[["Id","int"],["Title","text"]]`.
pub fn encode_columns(layout: &Layout) -> String {
    let pair = |column: &StoredColumn| json!([column.name, column.column_type.to_string()]);
    Value::Array(layout.columns.iter().map(pair).collect()).to_string()
}

/// The columns that were written so.
///
/// # Errors
/// What `damaged` makes of JSON that is not such; that of an unknown type.
pub fn decode_columns(
    text: &str,
    damaged: impl FnOnce(&dyn std::fmt::Display) -> Error,
) -> Result<SchemaRef> {
    let pairs: Vec<(String, String)> =
        serde_json::from_str(text).map_err(|error| damaged(&error))?;
    let fields = pairs
        .into_iter()
        .map(|(name, column_type)| Ok(column_type.parse::<ColumnType>()?.field(&name, true)))
        .collect::<Result<Vec<Field>>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

/// The names of the key columns as JSON, to be read as a list of texts.
pub fn encode_key(layout: &Layout) -> String {
    json!(layout.key_names()).to_string()
}
