//! Rows that are appended to a table which no load of ours has made.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};

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
    let values = convert(array, column_type).map_err(|error| {
        let fits = |row: &usize| convert(&array.slice(*row, 1), column_type).is_ok();
        let row = (0..array.len()).find(|row| !fits(row)).unwrap_or_default();
        Error::new(error.code(), format!("{}: {error}", place(row))).with_source(error)
    })?;
    if !field.is_nullable()
        && let Some(row) = (0..values.len()).find(|row| values.is_null(*row))
    {
        let message = format!("{}: NULL where there must be a value", place(row));
        return Err(Error::new(code::BAD_VALUE, message));
    }
    Ok(values)
}
