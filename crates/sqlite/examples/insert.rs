//! Measures a load: rows per second into a new table, and merged into it again.
//!
//! `cargo run --release -p bucketline-sqlite --example insert -- 200000`
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::sync::Arc;
use std::time::Instant;

use arrow::array::TimestampMicrosecondArray;
use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use bucketline_destination::{
    Change, Column, Destination, Holder, LoadPlan, Retention, TableName, Target,
};
use bucketline_sqlite::SqliteDestination;

const PAGE: usize = 100;

fn schema() -> Arc<Schema> {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    let mut fields = vec![
        Field::new("RepositoryUUID", DataType::Utf8, false),
        Field::new("Id", DataType::Int64, false),
    ];
    fields.extend((0..27).map(|i| Field::new(format!("Text{i}"), DataType::Utf8, true)));
    fields.extend((0..5).map(|i| Field::new(format!("Number{i}"), DataType::Int64, true)));
    fields.extend((0..3).map(|i| Field::new(format!("Flag{i}"), DataType::Boolean, true)));
    fields.extend((0..4).map(|i| Field::new(format!("On{i}"), instant.clone(), true)));
    Arc::new(Schema::new(fields))
}

fn page(schema: &Arc<Schema>, first: usize, version: usize) -> RecordBatch {
    let rows = first..first + PAGE;
    let columns = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(c, field)| -> ArrayRef {
            match (field.name().as_str(), field.data_type()) {
                ("RepositoryUUID", _) => {
                    Arc::new(StringArray::from_iter_values(rows.clone().map(|r| {
                        format!("{{{:08x}-0000-4000-8000-000000000000}}", r / 5000)
                    })))
                }
                ("Id", _) => Arc::new(Int64Array::from_iter_values(
                    rows.clone().map(|r| r as i64 % 5000),
                )),
                (_, DataType::Utf8) => {
                    Arc::new(StringArray::from_iter(rows.clone().map(|r| {
                        (c % 4 != 0).then(|| format!("text {c} of row {r}, {version}"))
                    })))
                }
                (_, DataType::Int64) => Arc::new(Int64Array::from_iter_values(
                    rows.clone().map(|r| (r * c) as i64),
                )),
                (_, DataType::Boolean) => Arc::new(BooleanArray::from_iter(
                    rows.clone().map(|r| Some(r % 2 == 0)),
                )),
                _ => Arc::new(
                    TimestampMicrosecondArray::from_iter_values(
                        rows.clone().map(|r| 1_790_000_000_000_000 + r as i64),
                    )
                    .with_timezone("+00:00"),
                ),
            }
        });
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).unwrap()
}

#[tokio::main]
async fn main() {
    let rows: usize = std::env::args()
        .nth(1)
        .map_or(100_000, |n| n.parse().unwrap());
    for pages in [1, 10] {
        measure(rows, pages).await;
    }
}

/// Loads into a new file, so many pages a commit.
async fn measure(rows: usize, pages: usize) {
    let folder = tempfile::tempdir().unwrap();
    let destination = SqliteDestination::open_file(folder.path().join("copy.db"));
    let holder = Holder {
        who: "the measurement".into(),
        since: "now".into(),
    };
    let schema = schema();
    for (what, version) in [("new rows", 0), ("equal rows", 0), ("other rows", 1)] {
        let content: Vec<RecordBatch> = (0..rows / PAGE)
            .map(|p| page(&schema, p * PAGE, version))
            .collect();
        let load = destination
            .open(&TableName::bare("Issues"), &holder)
            .await
            .unwrap();
        let columns = schema.fields().iter();
        let plan = LoadPlan {
            columns: columns
                .map(|f| Column {
                    field: f.as_ref().clone(),
                    doc: None,
                })
                .collect(),
            key: vec!["RepositoryUUID".into(), "Id".into()],
            indexes: Vec::new(),
            retention: Retention::Nothing,
            target: Target::Table,
            forget_checkpoints: false,
            adopts: false,
            resumes: false,
            doc: None,
            dropped: Vec::new(),
            record: serde_json::Value::Null,
            batch_size: None,
        };
        load.begin(plan).await.unwrap();
        let started = Instant::now();
        let mut counts = bucketline_destination::Counts::default();
        for (number, content) in content.chunks(pages).enumerate() {
            for page in content {
                let change = Change::Upsert(page.clone());
                load.write("slice", change).await.unwrap();
            }
            let checkpoint = serde_json::json!({ "page": number });
            counts += load.commit("slice", Some(checkpoint)).await.unwrap();
        }
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{what}: {:.0} rows/s in commits of {} rows, {counts:?}",
            rows as f64 / seconds,
            PAGE * pages
        );
        load.finish(None).await.unwrap();
    }
}
