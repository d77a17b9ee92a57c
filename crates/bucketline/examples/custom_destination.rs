//! A destination of one's own: tables in memory, of which only those that begin with `copy_` may be written.

#![allow(clippy::print_stdout, reason = "people watch it")]

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bucketline::destination::memory::MemoryDestination;
use bucketline::destination::{
    BatchStream, Capabilities, Destination, Error, Holder, Load, Query, Result, TableInfo,
    TableName, TableStatus, code,
};
use bucketline::{ConnectionProperties, Event, Session};
use bucketline_sandbox::{Config, Sandbox};
use futures::StreamExt;

/// Lets nobody write but to tables that are meant for it.
#[derive(Debug, Default)]
struct Guarded(MemoryDestination);

#[async_trait]
impl Destination for Guarded {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn label(&self) -> String {
        format!("{}, guarded", self.0.label())
    }

    fn fold(&self, table: &TableName) -> String {
        self.0.fold(table)
    }

    async fn inspect(&self, table: &TableName) -> Result<TableStatus> {
        self.0.inspect(table).await
    }

    async fn open(&self, table: &TableName, holder: &Holder) -> Result<Box<dyn Load>> {
        if !table.name.starts_with("copy_") {
            let message = format!("{table} does not begin with copy_");
            return Err(Error::new(code::NOT_OURS, message));
        }
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

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = Sandbox::start(Config::default()).await?;
    let account = format!(
        "BaseURL={};Workspace=acme;User=user1@acme.example;Token=sandbox-api-token-acme",
        sandbox.base_url()
    );
    let session = Session::builder()
        .connection("prod", ConnectionProperties::parse("example", &account)?)
        .destination(Arc::new(Guarded::default()))
        .build()?;
    for script in [
        "REPLICATE copy_Projects SELECT * FROM Projects",
        "REPLICATE Projects",
    ] {
        let mut events = session.run(script);
        while let Some(event) = events.next().await {
            match event {
                Event::Replicated(report) => println!("{report}"),
                Event::Failed(error) => println!("refused: {error}"),
                _ => {}
            }
        }
    }
    Ok(())
}
