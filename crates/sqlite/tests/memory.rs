//! A database in memory keeps the contract, too.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bucketline_destination::conformance::{Deed, Store};
use bucketline_destination::{
    BatchStream, Capabilities, Destination, Holder, Load, Query, Result, TableInfo, TableName,
    TableStatus, conformance,
};
use bucketline_sqlite::SqliteDestination;

/// A database that is shared by all who open it, since nothing else can find it.
#[derive(Debug, Clone)]
struct Memory(Arc<SqliteDestination>);

#[async_trait]
impl Destination for Memory {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn label(&self) -> String {
        self.0.label()
    }

    fn fold(&self, table: &TableName) -> String {
        self.0.fold(table)
    }

    async fn inspect(&self, table: &TableName) -> Result<TableStatus> {
        self.0.inspect(table).await
    }

    async fn open(&self, table: &TableName, holder: &Holder) -> Result<Box<dyn Load>> {
        self.0.open(table, holder).await
    }

    async fn tables(&self) -> Result<Vec<TableInfo>> {
        self.0.tables().await
    }

    async fn table(&self, table: &TableName) -> Result<Option<TableInfo>> {
        self.0.table(table).await
    }

    async fn append(&self, table: &TableName, rows: &[RecordBatch]) -> Result<u64> {
        self.0.append(table, rows).await
    }

    async fn read(&self, query: &Query) -> Result<BatchStream> {
        self.0.read(query).await
    }
}

#[async_trait]
impl Store for Memory {
    fn open(&self) -> Box<dyn Destination> {
        Box::new(self.clone())
    }

    /// No other program reaches it.
    async fn user(&self, _: Deed, _: &TableName) -> bool {
        false
    }

    async fn survives(&self, _: Deed, _: &TableName) -> bool {
        true
    }

    async fn writes(&self, _: &TableName) -> u64 {
        0
    }
}

conformance!(Some(Memory(Arc::new(SqliteDestination::open_file(
    ":memory:"
)))));
