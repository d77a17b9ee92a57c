//! A small table, and loads of it.
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field};
use bucketline_destination::{
    Change, Column, Destination, Holder, Load, LoadPlan, Result, Retention, TableName, Target,
};
use bucketline_sqlite::SqliteDestination;

/// The table's name.
pub(crate) const TABLE: &str = "Things";

pub(crate) fn table() -> TableName {
    TableName::bare(TABLE)
}

pub(crate) fn holder() -> Holder {
    Holder {
        who: "bucketline (pid 17) on host-17".into(),
        since: "2026-11-22T10:00:00Z".into(),
    }
}

/// `Id`, the key, and `Text`.
pub(crate) fn plan(target: Target) -> LoadPlan {
    let column = |name: &str, t| Column {
        field: Field::new(name, t, true),
        doc: None,
    };
    LoadPlan {
        columns: vec![
            column("Id", DataType::Int64),
            column("Text", DataType::Utf8),
        ],
        key: vec!["Id".into()],
        indexes: Vec::new(),
        retention: Retention::Nothing,
        target,
        forget_checkpoints: false,
        adopts: false,
        resumes: false,
        doc: None,
        dropped: Vec::new(),
        record: serde_json::json!("test"),
        batch_size: None,
    }
}

/// Rows of these ids; their texts are of different lengths.
pub(crate) fn batch(ids: Range<i64>) -> RecordBatch {
    let texts = ids.clone().map(|id| "text ".repeat((id % 50) as usize));
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(ids.clone()));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    RecordBatch::try_from_iter([("Id", ids), ("Text", texts)]).unwrap()
}

pub(crate) fn rows(ids: Range<i64>) -> Change {
    Change::Upsert(batch(ids))
}

pub(crate) async fn open(destination: &SqliteDestination) -> Result<Box<dyn Load>> {
    destination.open(&table(), &holder()).await
}

/// A load that has begun.
pub(crate) async fn begun(destination: &SqliteDestination) -> Box<dyn Load> {
    let load = open(destination).await.unwrap();
    load.begin(plan(Target::Table)).await.unwrap();
    load
}

/// The number of rows that another program finds in a file.
pub(crate) fn count(path: &Path) -> i64 {
    let connection = rusqlite::Connection::open(path).unwrap();
    let sql = format!("SELECT count(*) FROM {TABLE}");
    connection.query_row(&sql, [], |row| row.get(0)).unwrap()
}
