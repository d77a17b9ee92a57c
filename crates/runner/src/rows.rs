//! Small results as texts.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use bucketline::{Event, Run};
use bucketline_app::Result;
use futures::StreamExt;

/// A row of a result; `None` stands for NULL.
pub(crate) type Row = Vec<Option<String>>;

/// The rows of a batch.
pub(crate) fn rows(batch: &RecordBatch) -> Vec<Row> {
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| cast(column, &DataType::Utf8).ok())
        .collect();
    let cell = |column: &Option<arrow::array::ArrayRef>, row| {
        let texts = column.as_ref()?.as_string::<i32>();
        (!texts.is_null(row)).then(|| texts.value(row).to_owned())
    };
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| cell(column, row)).collect())
        .collect()
}

/// All rows of a statement.
///
/// # Errors
/// What it fails with.
pub(crate) async fn all_rows(mut run: Run<'_>) -> Result<Vec<Row>> {
    let mut all = Vec::new();
    while let Some(event) = run.next().await {
        match event {
            Event::Rows(batch) => all.extend(rows(&batch)),
            Event::Failed(error) => return Err(error),
            _ => {}
        }
    }
    Ok(all)
}
