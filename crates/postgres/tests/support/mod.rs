//! A database of a private server, a small table, and loads of it.
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field};
use bucketline_destination::{
    Column, Destination, Holder, Load, LoadPlan, Result, Retention, TableName, Target,
};
use bucketline_postgres::{PostgresDestination, Settings};
use bucketline_private_postgres::Server;

pub(crate) struct Database {
    pub(crate) server: Server,
    pub(crate) url: String,
}

impl Database {
    /// An empty one; none where PostgreSQL is not installed.
    pub(crate) fn new() -> Option<Self> {
        let server = Server::for_test()?;
        let url = server.create_database().unwrap();
        Some(Self { server, url })
    }

    pub(crate) fn destination(&self) -> PostgresDestination {
        destination(&self.url)
    }

    /// What another program reads, or does.
    pub(crate) fn execute(&self, sql: &str) -> String {
        let (_, database) = self.url.rsplit_once('/').unwrap();
        let printed = self.server.execute(database, sql).unwrap();
        printed.trim_end().to_owned()
    }
}

pub(crate) fn destination(url: &str) -> PostgresDestination {
    let settings = Settings::parse(url, &|_| None).unwrap();
    PostgresDestination::new(settings)
}

/// A small table, `Id` (its key) and `Text`.
pub(crate) fn plan(target: Target) -> LoadPlan {
    let column = |name: &str, data_type| Column {
        field: Field::new(name, data_type, true),
        doc: Some(format!("What a thing's {name} is.")),
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
        doc: Some("Things of a test.".into()),
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

pub(crate) fn holder() -> Holder {
    Holder {
        who: format!("bucketline (pid {})", std::process::id()),
        since: "2026-11-22T10:00:00Z".into(),
    }
}

pub(crate) async fn open(destination: &PostgresDestination) -> Result<Box<dyn Load>> {
    destination
        .open(&TableName::bare("Things"), &holder())
        .await
}

/// A load, as soon as the lease of the one before has ended.
pub(crate) async fn opened(destination: &PostgresDestination) -> Box<dyn Load> {
    loop {
        match open(destination).await {
            Ok(load) => return load,
            Err(error) if error.code() == "BL6002" => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A load that has begun.
pub(crate) async fn begun(destination: &PostgresDestination) -> Box<dyn Load> {
    let load = opened(destination).await;
    load.begin(plan(Target::Table)).await.unwrap();
    load
}
