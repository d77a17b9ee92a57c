//! A database as a destination.

use std::fmt;
use std::sync::OnceLock;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bucketline_destination::{
    BatchStream, Capabilities, Definition, Destination, Holder, Load, Query, Result, TableInfo,
    TableName, TableStatus,
};

use crate::connection::{Pool, Settings};
use crate::load::PostgresLoad;
use crate::name::{self, Located};
use crate::session::Session;
use crate::{append, own, physical, read};

/// Where tables are whose statement names no schema.
const SCHEMA: &str = "public";

/// A PostgreSQL database that rows go to, and that can be read.
///
/// Names are folded to small letters, as the server does with names that are not quoted: `REPLICATE PROD.Issues` makes
/// the table `issues` in the schema `prod`.
pub struct PostgresDestination {
    label: String,
    settings: Box<dyn Fn() -> Result<Settings> + Send + Sync>,
    /// Made when it is first needed.
    pool: OnceLock<Pool>,
}

impl fmt::Debug for PostgresDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresDestination")
            .field(&self.label)
            .finish()
    }
}

impl PostgresDestination {
    /// The database of these settings. Nothing is connected before it is needed.
    pub fn new(settings: Settings) -> Self {
        let label = settings.label();
        Self::with(label, move || Ok(settings.clone()))
    }

    /// The same, the settings being looked for when they are first needed. `label` is
    /// [theirs](Settings::label).
    pub fn with(
        label: impl Into<String>,
        settings: impl Fn() -> Result<Settings> + Send + Sync + 'static,
    ) -> Self {
        Self {
            label: label.into(),
            settings: Box::new(settings),
            pool: OnceLock::new(),
        }
    }

    fn pool(&self) -> Result<&Pool> {
        if let Some(pool) = self.pool.get() {
            return Ok(pool);
        }
        let pool = Pool::new(&(self.settings)()?);
        Ok(self.pool.get_or_init(|| pool))
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
            longest_name: Some(name::LONGEST),
        }
    }

    fn label(&self) -> String {
        self.label.clone()
    }

    fn fold(&self, table: &TableName) -> String {
        self.located(table).sql()
    }

    async fn inspect(&self, table: &TableName) -> Result<TableStatus> {
        let client = self.pool()?.get().await?;
        physical::status(&client, &self.located(table)).await
    }

    async fn open(&self, table: &TableName, holder: &Holder) -> Result<Box<dyn Load>> {
        name::check_table(table)?;
        let located = self.located(table);
        let mut session = Session::take(self.pool()?, table, &located, holder).await?;
        let status = physical::status(session.client().await?, &located).await?;
        Ok(Box::new(PostgresLoad::new(
            session,
            table.clone(),
            located,
            status,
        )))
    }

    async fn tables(&self) -> Result<Vec<TableInfo>> {
        read::tables(&*self.pool()?.get().await?).await
    }

    async fn table(&self, table: &TableName) -> Result<Option<TableInfo>> {
        read::table(
            &*self.pool()?.get().await?,
            &Located::candidates(table, SCHEMA),
        )
        .await
    }

    async fn append(&self, table: &TableName, rows: &[RecordBatch]) -> Result<u64> {
        append::append(
            self.pool()?,
            table,
            &Located::candidates(table, SCHEMA),
            rows,
        )
        .await
    }

    async fn define(&self, definition: &Definition) -> Result<bool> {
        let (Definition::Table { name, .. }
        | Definition::View { name, .. }
        | Definition::Drop { name, .. }) = definition;
        let candidates = Located::candidates(name, SCHEMA);
        own::define(self.pool()?, definition, &self.located(name), &candidates).await
    }

    async fn own_rows(&self, table: &TableName) -> Result<Vec<RecordBatch>> {
        own::rows(self.pool()?, table, &Located::candidates(table, SCHEMA)).await
    }

    async fn change_rows(
        &self,
        table: &TableName,
        rows: &RecordBatch,
        values: Option<&RecordBatch>,
    ) -> Result<u64> {
        let candidates = Located::candidates(table, SCHEMA);
        own::change(self.pool()?, table, &candidates, rows, values).await
    }

    fn column_name(&self, name: &str) -> String {
        name::fold(name)
    }

    async fn read(&self, query: &Query) -> Result<BatchStream> {
        let candidates = Located::candidates(&query.table, SCHEMA);
        Ok(read::stream(
            self.pool()?.clone(),
            candidates,
            query.clone(),
        ))
    }
}
