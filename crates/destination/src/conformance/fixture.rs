//! What the rules share: a table of things, and rows as text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use serde_json::{Value, json};

use super::{Deed, Store};
use crate::{
    Change, Column, Condition, Counts, Destination, Error, Holder, Load, LoadPlan, Query, Result,
    Retention, Scalar, TableName, Target,
};

/// A store and a table in it, `Things`, with the columns `Kind`, `Id` (its key), `Title` and `Size`.
pub struct Bench {
    store: Arc<dyn Store>,
    pub(super) table: TableName,
}

impl Bench {
    pub(super) fn new(store: impl Store + 'static) -> Self {
        Self {
            store: Arc::new(store),
            table: TableName::bare("Things"),
        }
    }

    /// The same store and another table.
    pub(super) fn other(&self, table: TableName) -> Self {
        Self {
            store: Arc::clone(&self.store),
            table,
        }
    }

    pub(super) fn open(&self) -> Box<dyn Destination> {
        self.store.open()
    }

    pub(super) async fn lease(&self) -> Result<Box<dyn Load>> {
        self.open().open(&self.table, &holder()).await
    }

    /// A load that has begun.
    pub(super) async fn load(&self, plan: LoadPlan) -> Box<dyn Load> {
        let load = self.lease().await.unwrap();
        load.begin(plan).await.unwrap();
        load
    }

    /// Loads rows of one slice, with a checkpoint, and ends the load.
    pub(super) async fn put(&self, rows: &str) -> Counts {
        let load = self.load(plan()).await;
        load.write("s", upsert(rows)).await.unwrap();
        let counts = load.commit("s", Some(json!(1))).await.unwrap();
        load.finish(None).await.unwrap();
        counts
    }

    pub(super) async fn user(&self, deed: Deed) -> bool {
        self.store.user(deed, &self.table).await
    }

    pub(super) async fn survives(&self, deed: Deed) -> bool {
        self.store.survives(deed, &self.table).await
    }

    pub(super) async fn writes(&self) -> u64 {
        self.store.writes(&self.table).await
    }

    /// The rows as a new process reads them, in the columns of the table, sorted.
    pub(super) async fn rows(&self) -> Vec<String> {
        let info = self.open().table(&self.table).await.unwrap().unwrap();
        let names: Vec<&str> = info
            .schema
            .fields()
            .iter()
            .map(|f| f.name().as_str())
            .collect();
        self.read(&names, &[], None).await
    }

    pub(super) async fn read(
        &self,
        columns: &[&str],
        conditions: &[(&str, &'static str, Scalar)],
        limit: Option<usize>,
    ) -> Vec<String> {
        let mut rows: Vec<String> = self
            .batches(columns, conditions, limit)
            .await
            .unwrap()
            .iter()
            .flat_map(texts)
            .collect();
        rows.sort();
        rows
    }

    pub(super) async fn batches(
        &self,
        columns: &[&str],
        conditions: &[(&str, &'static str, Scalar)],
        limit: Option<usize>,
    ) -> Result<Vec<RecordBatch>> {
        let condition = |(column, operator, value): &(&str, &'static str, Scalar)| Condition {
            column: (*column).to_owned(),
            operator,
            value: value.clone(),
        };
        let query = Query {
            table: self.table.clone(),
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            conditions: conditions.iter().map(condition).collect(),
            limit,
        };
        self.open().read(&query).await?.try_collect().await
    }

    /// The checkpoints as a new process finds them.
    pub(super) async fn checkpoints(&self) -> Value {
        let status = self.open().inspect(&self.table).await.unwrap();
        status
            .state
            .map_or(Value::Null, |state| json!(state.checkpoints))
    }

    /// The number of rows that the state counts.
    pub(super) async fn counted(&self) -> u64 {
        self.open()
            .inspect(&self.table)
            .await
            .unwrap()
            .state
            .unwrap()
            .rows
    }
}

pub(super) fn holder() -> Holder {
    Holder {
        who: "test (pid 1) on here".into(),
        since: "2026-10-07T18:39:55Z".into(),
    }
}

pub(super) fn column(name: &str, data_type: DataType) -> Column {
    Column {
        field: Field::new(name, data_type, true),
        doc: None,
    }
}

/// Into the table of things itself.
pub(super) fn plan() -> LoadPlan {
    LoadPlan {
        columns: vec![
            column("Kind", DataType::Utf8),
            column("Id", DataType::Int64),
            column("Title", DataType::Utf8),
            column("Size", DataType::Int64),
        ],
        key: vec!["Kind".into(), "Id".into()],
        indexes: Vec::new(),
        retention: Retention::Nothing,
        target: Target::Table,
        forget_checkpoints: false,
        adopts: false,
        resumes: false,
        doc: None,
        dropped: Vec::new(),
        record: record(1),
        batch_size: None,
    }
}

pub(super) fn record(load: u64) -> Value {
    json!({ "load": load })
}

/// Into a staging of the table of things.
pub(super) fn staged(load: u64) -> LoadPlan {
    LoadPlan {
        target: Target::Staging,
        record: record(load),
        ..plan()
    }
}

/// Rows of `Kind Id Title Size`, separated by commas; `-` is NULL.
pub(super) fn rows(text: &str) -> RecordBatch {
    let rows: Vec<Vec<&str>> = text
        .split(',')
        .map(|row| row.split_whitespace().collect())
        .filter(|row: &Vec<&str>| !row.is_empty())
        .collect();
    let text = |index: usize| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| Some(row[index]).filter(|t| *t != "-"))
                .collect::<StringArray>(),
        )
    };
    let number = |index: usize| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| row[index].parse::<i64>().ok())
                .collect::<Int64Array>(),
        )
    };
    batch(vec![
        ("Kind", text(0)),
        ("Id", number(1)),
        ("Title", text(2)),
        ("Size", number(3)),
    ])
}

pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

pub(super) fn upsert(text: &str) -> Change {
    Change::Upsert(rows(text))
}

/// Deletes of `Kind Id`, separated by commas.
pub(super) fn delete(text: &str) -> Change {
    let keys: Vec<(&str, i64)> = text
        .split(',')
        .map(|key| key.trim().split_once(' ').unwrap())
        .map(|(kind, id)| (kind, id.parse().unwrap()))
        .collect();
    let kinds: StringArray = keys.iter().map(|(kind, _)| Some(*kind)).collect();
    let ids: Int64Array = keys.iter().map(|(_, id)| Some(*id)).collect();
    Change::Delete(batch(vec![
        ("Kind", Arc::new(kinds)),
        ("Id", Arc::new(ids)),
    ]))
}

/// Rows as texts, cells separated by a blank; NULL is `-`.
pub(super) fn texts(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("-");
    let columns: Vec<ArrayFormatter<'_>> = batch
        .columns()
        .iter()
        .map(|array| ArrayFormatter::try_new(array.as_ref(), &options).unwrap())
        .collect();
    let cells = |row| {
        columns
            .iter()
            .map(|c| c.value(row).to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    (0..batch.num_rows()).map(cells).collect()
}

pub(super) fn counts(inserted: u64, updated: u64, unchanged: u64, deleted: u64) -> Counts {
    Counts {
        inserted,
        updated,
        unchanged,
        deleted,
    }
}

/// The error of a result whose value has no `Debug`.
pub(super) fn error<T>(result: Result<T>) -> Error {
    match result {
        Ok(_) => panic!("an error was expected"),
        Err(error) => error,
    }
}

/// `Kind Id` of key batches, sorted.
pub(super) fn key_texts(batches: &[RecordBatch]) -> Vec<String> {
    let mut keys = Vec::new();
    for batch in batches {
        let (kinds, ids) = (batch.column(0).as_string::<i32>(), batch.column(1));
        let ids = ids.as_primitive::<Int64Type>();
        keys.extend(
            (0..batch.num_rows()).map(|row| format!("{} {}", kinds.value(row), ids.value(row))),
        );
    }
    keys.sort();
    keys
}
