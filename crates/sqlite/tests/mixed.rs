//! Tables of other people's, in whose columns anything may stand.
#![allow(clippy::unwrap_used)]

use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bucketline_destination::{Destination, Query, TableName};
use bucketline_sqlite::SqliteDestination;
use futures::TryStreamExt;
use rusqlite::Connection;

/// A column: how it is declared, what stands in it, and how it is read.
type Case = (&'static str, &'static str, DataType, [&'static str; 3]);

const CASES: [Case; 18] = [
    ("", "1, 2, 3", DataType::Int64, ["1", "2", "3"]),
    ("", "1, 2.5, NULL", DataType::Float64, ["1.0", "2.5", "-"]),
    ("", "1, 'two', 3.5", DataType::Utf8, ["1", "two", "3.5"]),
    ("", "'a', x'00ff', NULL", DataType::Utf8, ["a", "00ff", "-"]),
    (
        "",
        "x'00ff', x'', NULL",
        DataType::Binary,
        ["00ff", "", "-"],
    ),
    ("", "1, x'01', NULL", DataType::Utf8, ["1", "01", "-"]),
    ("", "NULL, NULL, NULL", DataType::Utf8, ["-", "-", "-"]),
    (
        "INTEGER",
        "1, 'two', NULL",
        DataType::Utf8,
        ["1", "two", "-"],
    ),
    (
        "INTEGER",
        "NULL, NULL, NULL",
        DataType::Int64,
        ["-", "-", "-"],
    ),
    (
        "INTEGER",
        "1, 2.5, NULL",
        DataType::Float64,
        ["1.0", "2.5", "-"],
    ),
    (
        "BOOLEAN",
        "1, 0, NULL",
        DataType::Boolean,
        ["true", "false", "-"],
    ),
    ("BOOLEAN", "1, 2, NULL", DataType::Int64, ["1", "2", "-"]),
    ("BOOLEAN", "1, 'no', NULL", DataType::Utf8, ["1", "no", "-"]),
    (
        "REAL",
        "1, 2.5, NULL",
        DataType::Float64,
        ["1.0", "2.5", "-"],
    ),
    ("TEXT", "1, 2.5, NULL", DataType::Utf8, ["1", "2.5", "-"]),
    ("BLOB", "x'61', 'b', 1", DataType::Utf8, ["61", "b", "1"]),
    (
        "DATETIME",
        "'2026-11-22', 'soon', 1790000000",
        DataType::Utf8,
        ["2026-11-22", "soon", "1790000000"],
    ),
    (
        "",
        "9223372036854775807, -9223372036854775808, 0",
        DataType::Int64,
        ["9223372036854775807", "-9223372036854775808", "0"],
    ),
];

#[tokio::test]
async fn a_column_is_read_as_what_stands_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.db");
    let other = Connection::open(&path).unwrap();
    let destination = SqliteDestination::open_file(&path);
    for (number, (declared, values, data_type, expected)) in CASES.into_iter().enumerate() {
        let name = format!("t{number}");
        let rows = values.replace(", ", "), (");
        let sql = format!("CREATE TABLE {name} (c {declared}); INSERT INTO {name} VALUES ({rows})");
        other.execute_batch(&sql).unwrap();
        let table = TableName::bare(&name);
        let info = destination.table(&table).await.unwrap().unwrap();
        assert!(!info.ours);
        let what = format!("{declared} of {values}");
        assert_eq!(*info.schema.field(0).data_type(), data_type, "{what}");
        let query = Query {
            table,
            columns: vec!["c".into()],
            conditions: Vec::new(),
            limit: None,
        };
        let batches: Vec<_> = destination
            .read(&query)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        let options = FormatOptions::new().with_null("-");
        let mut found = Vec::new();
        for batch in &batches {
            let column = ArrayFormatter::try_new(batch.column(0), &options).unwrap();
            found.extend((0..batch.num_rows()).map(|row| column.value(row).to_string()));
        }
        assert_eq!(found, expected, "{what}");
    }
}

/// Rows beyond those that a listing looks at may be of another kind; a reading sees them all.
#[tokio::test]
async fn a_late_value_of_another_kind_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.db");
    let sql = "CREATE TABLE t (c);
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
        INSERT INTO t SELECT iif(i = 8999, 'late', i) FROM n";
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let destination = SqliteDestination::open_file(&path);
    assert_eq!(destination.tables().await.unwrap().len(), 1);
    let query = Query {
        table: TableName::bare("t"),
        columns: vec!["c".into()],
        conditions: Vec::new(),
        limit: None,
    };
    let reading = destination.read(&query).await.unwrap();
    let batches: Vec<_> = reading.try_collect().await.unwrap();
    let rows: usize = batches
        .iter()
        .map(|batch: &arrow::array::RecordBatch| batch.num_rows())
        .sum();
    assert_eq!(rows, 9000);
    assert!(
        batches
            .iter()
            .all(|batch| *batch.schema().field(0).data_type() == DataType::Utf8)
    );
}
