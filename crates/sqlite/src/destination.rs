//! A database as a destination.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bucketline_destination::{
    BatchStream, Capabilities, Definition, Destination, Holder, Load, Physical, Query, Result,
    TableInfo, TableName, TableStatus, fault,
};
use rusqlite::Connection;
use tokio::sync::Mutex;

use crate::database::{self, Database, Location};
use crate::lease::Lease;
use crate::load::SqliteLoad;
use crate::{append, evolve, name, own, physical, read, state};

/// A SQLite database that rows go to, and that can be read.
///
/// A schema is part of the table's name: `PROD.Issues` is one table of that name.
#[derive(Debug)]
pub struct SqliteDestination {
    location: Location,
    /// Tells databases in memory apart.
    instance: usize,
    /// The database while a load has it open; a database in memory stays once it is there.
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    database: Weak<Database>,
    memory: Option<Arc<Database>>,
}

impl SqliteDestination {
    /// A database in a file, or in memory if the path is `:memory:`. The file is made when the first load opens
    /// a table; its folder must be there then.
    pub fn open_file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        if path.as_os_str() == ":memory:" {
            return Self::in_memory();
        }
        Self::at(Location::File(path))
    }

    /// A database in memory, which ends with this value and its loads.
    pub fn in_memory() -> Self {
        Self::at(Location::Memory)
    }

    fn at(location: Location) -> Self {
        static INSTANCES: AtomicUsize = AtomicUsize::new(0);
        let instance = INSTANCES.fetch_add(1, Ordering::Relaxed);
        Self {
            location,
            instance,
            open: Mutex::default(),
        }
    }

    /// The database for writing.
    async fn database(&self) -> Result<Arc<Database>> {
        let mut open = self.open.lock().await;
        if let Some(database) = open.database.upgrade() {
            return Ok(database);
        }
        let database = Database::open(self.location.clone()).await?;
        open.database = Arc::downgrade(&database);
        if self.location == Location::Memory {
            open.memory = Some(Arc::clone(&database));
        }
        Ok(database)
    }

    async fn find(&self, table: &TableName) -> Result<Option<physical::Found>> {
        let name = name::spelled(table);
        let found = self.look(move |connection| physical::find(connection, &name));
        Ok(found.await?.flatten())
    }

    /// Does work on the database, whose file is made if it is absent, and closes it.
    async fn write<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    {
        let database = self.database().await?;
        let done = database.call(work).await;
        database::close(database).await?;
        done
    }

    /// Looks into the database; `None` if there is none.
    async fn look<T, W>(&self, work: W) -> Result<Option<T>>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        match &self.location {
            Location::File(path) => {
                let path = path.clone();
                database::on_a_thread(move || {
                    database::open_for_reading(&path)?
                        .as_ref()
                        .map(work)
                        .transpose()
                })
                .await
            }
            Location::Memory => match self.memory().await {
                Some(database) => database.call(|connection| work(connection).map(Some)).await,
                None => Ok(None),
            },
        }
    }

    async fn memory(&self) -> Option<Arc<Database>> {
        self.open.lock().await.memory.clone()
    }
}

#[async_trait]
impl Destination for SqliteDestination {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            schemas: false,
            batches: false,
            longest_name: None,
        }
    }

    fn label(&self) -> String {
        self.location.label()
    }

    fn fold(&self, table: &TableName) -> String {
        name::folded(table)
    }

    async fn inspect(&self, table: &TableName) -> Result<TableStatus> {
        let (spelled, folded) = (name::spelled(table), name::folded(table));
        let look = move |connection: &Connection| physical::status(connection, &spelled, &folded);
        let absent = TableStatus {
            state: None,
            physical: Physical::Absent,
        };
        Ok(self.look(look).await?.unwrap_or(absent))
    }

    async fn open(&self, table: &TableName, holder: &Holder) -> Result<Box<dyn Load>> {
        name::check_table(table)?;
        let database = self.database().await?;
        let (file, instance) = (database.file.clone(), self.instance);
        let (name, holder) = (table.clone(), holder.clone());
        let (lease, lock, status) = database
            .call(move |connection| {
                // In a transaction, since only its commit tells that the disk is full.
                let (lease, lock) = evolve::in_transaction(connection, |connection| {
                    state::create(connection)?;
                    Lease::take(connection, file.as_deref(), instance, &name, &holder)
                })?;
                let status = physical::status(connection, &name::spelled(&name), &lease.folded)?;
                Ok((lease, lock, status))
            })
            .await?;
        Ok(Box::new(SqliteLoad::new(
            database,
            lease,
            lock,
            table.clone(),
            status,
        )))
    }

    async fn tables(&self) -> Result<Vec<TableInfo>> {
        Ok(self.look(read::tables).await?.unwrap_or_default())
    }

    async fn table(&self, table: &TableName) -> Result<Option<TableInfo>> {
        let name = name::spelled(table);
        Ok(self
            .look(move |connection| read::table(connection, &name))
            .await?
            .flatten())
    }

    async fn append(&self, table: &TableName, rows: &[RecordBatch]) -> Result<u64> {
        if self.find(table).await?.is_none() {
            // A database that is not there is not made for this.
            return Err(fault::absent(table));
        }
        let (table, rows) = (table.clone(), rows.to_vec());
        self.write(move |connection| append::append(connection, &table, &rows))
            .await
    }

    async fn define(&self, definition: &Definition) -> Result<bool> {
        if let Definition::Drop { name, view } = definition
            && self.find(name).await?.is_none()
        {
            // A database that is not there is not made for this.
            return Err(fault::nothing(name, if *view { "view" } else { "table" }));
        }
        let definition = definition.clone();
        self.write(move |connection| own::define(connection, &definition))
            .await
    }

    async fn own_rows(&self, table: &TableName) -> Result<Vec<RecordBatch>> {
        let name = table.clone();
        let rows = self.look(move |connection| own::rows(connection, &name));
        rows.await?.ok_or_else(|| fault::nothing(table, "table"))
    }

    async fn change_rows(
        &self,
        table: &TableName,
        rows: &RecordBatch,
        values: Option<&RecordBatch>,
    ) -> Result<u64> {
        let (table, rows, values) = (table.clone(), rows.clone(), values.cloned());
        self.write(move |connection| own::change(connection, &table, &rows, values.as_ref()))
            .await
    }

    async fn read(&self, query: &Query) -> Result<BatchStream> {
        Ok(read::stream(
            self.location.clone(),
            self.memory().await,
            query.clone(),
        ))
    }
}
