//! A database as a destination.

use async_trait::async_trait;
use bucketline_destination::{
    BatchStream, Capabilities, Destination, Holder, Load, Query, Result, TableInfo, TableName,
    TableStatus,
};

use crate::connection::{Pool, Settings};
use crate::load::PostgresLoad;
use crate::name::{self, Located};
use crate::session::Session;
use crate::{physical, read};

/// Where tables are whose statement names no schema.
const SCHEMA: &str = "public";

/// A PostgreSQL database that rows go to, and that can be read.
///
/// Names are folded to small letters, as the server does with names that are not quoted: `REPLICATE PROD.Issues` makes
/// the table `issues` in the schema `prod`.
#[derive(Debug)]
pub struct PostgresDestination {
    pool: Pool,
    label: String,
}

impl PostgresDestination {
    /// The database of these settings. Nothing is connected before it is needed.
    pub fn new(settings: &Settings) -> Self {
        Self {
            pool: Pool::new(settings),
            label: settings.label(),
        }
    }

    fn located(&self, table: &TableName) -> Located {
        Located::of(table, SCHEMA)
    }
}

#[async_trait]
impl Destination for PostgresDestination {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            schemas: true,
            batches: true,
        }
    }

    fn label(&self) -> String {
        self.label.clone()
    }

    fn fold(&self, table: &TableName) -> String {
        self.located(table).sql()
    }

    async fn inspect(&self, table: &TableName) -> Result<TableStatus> {
        let client = self.pool.get().await?;
        physical::status(&client, &self.located(table)).await
    }

    async fn open(&self, table: &TableName, holder: &Holder) -> Result<Box<dyn Load>> {
        name::check_table(table)?;
        let located = self.located(table);
        let mut session = Session::take(&self.pool, table, &located, holder).await?;
        let status = physical::status(session.client().await?, &located).await?;
        Ok(Box::new(PostgresLoad::new(
            session,
            table.clone(),
            located,
            status,
        )))
    }

    async fn tables(&self) -> Result<Vec<TableInfo>> {
        read::tables(&*self.pool.get().await?).await
    }

    async fn table(&self, table: &TableName) -> Result<Option<TableInfo>> {
        read::table(&*self.pool.get().await?, &self.located(table)).await
    }

    async fn read(&self, query: &Query) -> Result<BatchStream> {
        let located = self.located(&query.table);
        Ok(read::stream(self.pool.clone(), located, query.clone()))
    }
}
