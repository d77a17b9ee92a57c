//! A destination in memory, for tests and for embedding programs that want no file.

mod load;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::{StreamExt, stream};
use serde_json::Value;

use self::load::MemoryLoad;
use self::table::Table;
use crate::{
    BatchStream, Capabilities, Checkpoints, Destination, Error, Holder, Load, Physical, Query,
    Result, Staged, TableInfo, TableName, TableState, TableStatus, code, fault,
};

/// Tables in memory. Clones share them, as connections to one database would.
#[derive(Clone, Default)]
pub struct MemoryDestination {
    tables: Arc<Mutex<BTreeMap<String, Entry>>>,
}

/// All there is under one name.
#[derive(Debug, Default)]
struct Entry {
    table: Option<Table>,
    state: Option<State>,
    holder: Option<Holder>,
    /// Grows with every lease: a load whose epoch is not this one has lost it.
    epoch: u64,
}

/// The state of a table of ours.
#[derive(Debug)]
struct State {
    /// The table is to be taken over, which is not done yet: it is not ours.
    adopting: bool,
    record: Value,
    layout: crate::Layout,
    rows: u64,
    checkpoints: Checkpoints,
    staging: Option<Staging>,
}

#[derive(Debug)]
struct Staging {
    record: Value,
    checkpoints: Checkpoints,
    table: Table,
}

impl Entry {
    fn status(&self) -> TableStatus {
        let physical = self
            .table
            .as_ref()
            .map_or(Physical::Absent, |table| Physical::Table {
                columns: table.layout().schema(),
                key: table.layout().key_names(),
                empty: table.len() == 0,
            });
        let state = self.state.as_ref().filter(|state| !state.adopting);
        let state = state.map(|state| TableState {
            record: state.record.clone(),
            columns: state.layout.schema(),
            key: state.layout.key_names(),
            rows: state.rows,
            checkpoints: state.checkpoints.clone(),
            staged: state.staging.as_ref().map(|staging| Staged {
                record: staging.record.clone(),
                checkpoints: staging.checkpoints.clone(),
            }),
        });
        TableStatus { state, physical }
    }

    fn info(&self) -> Option<TableInfo> {
        let table = self.table.as_ref()?;
        Some(TableInfo {
            name: table.name().clone(),
            schema: table.layout().schema(),
            key: table.layout().key_names(),
            ours: self.status().is_ours(),
            view: false,
        })
    }
}

impl MemoryDestination {
    /// A destination without tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a table with this key there that no load of ours made, in place of one of that name.
    ///
    /// # Errors
    /// As for the columns of a load.
    pub fn put(&self, name: &TableName, rows: &RecordBatch, key: &[&str]) -> Result<()> {
        let key: Vec<String> = key.iter().map(|name| (*name).to_owned()).collect();
        let table = Table::of(name.clone(), rows, &key)?;
        let mut tables = self.lock();
        let entry = tables.entry(fold(name)).or_default();
        entry.table = Some(table);
        entry.state = None;
        Ok(())
    }

    /// Drops a table behind the back of our state, as a user would in a database; `false` if it is not there.
    pub fn drop_table(&self, name: &TableName) -> bool {
        self.lock()
            .get_mut(&fold(name))
            .is_some_and(|entry| entry.table.take().is_some())
    }

    /// Deletes all rows behind the back of our state; `false` if the table is not there.
    pub fn empty_table(&self, name: &TableName) -> bool {
        let mut tables = self.lock();
        let table = tables
            .get_mut(&fold(name))
            .and_then(|entry| entry.table.as_mut());
        table.map(Table::clear).is_some()
    }

    /// Takes the lease from the load that has it, as if another process had: its next commit is
    /// [`FENCED`](code::FENCED).
    pub fn revoke(&self, name: &TableName) {
        if let Some(entry) = self.lock().get_mut(&fold(name)) {
            entry.holder = None;
            entry.epoch += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDestination").finish_non_exhaustive()
    }
}

fn fold(table: &TableName) -> String {
    table.to_string().to_ascii_lowercase()
}

#[async_trait]
impl Destination for MemoryDestination {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            schemas: false,
            longest_name: None,
            batches: false,
        }
    }

    fn label(&self) -> String {
        String::from("memory")
    }

    fn fold(&self, table: &TableName) -> String {
        fold(table)
    }

    async fn inspect(&self, table: &TableName) -> Result<TableStatus> {
        let absent = TableStatus {
            state: None,
            physical: Physical::Absent,
        };
        Ok(self.lock().get(&fold(table)).map_or(absent, Entry::status))
    }

    async fn open(&self, table: &TableName, holder: &Holder) -> Result<Box<dyn Load>> {
        crate::check_name("table", &table.name)?;
        let mut tables = self.lock();
        let entry = tables.entry(fold(table)).or_default();
        if let Some(other) = &entry.holder {
            return Err(fault::held(table, Some(other)));
        }
        entry.holder = Some(holder.clone());
        entry.epoch += 1;
        let (epoch, status) = (entry.epoch, entry.status());
        drop(tables);
        Ok(Box::new(MemoryLoad::new(
            self.clone(),
            table.clone(),
            epoch,
            status,
        )))
    }

    async fn tables(&self) -> Result<Vec<TableInfo>> {
        Ok(self.lock().values().filter_map(Entry::info).collect())
    }

    async fn table(&self, table: &TableName) -> Result<Option<TableInfo>> {
        Ok(self.lock().get(&fold(table)).and_then(Entry::info))
    }

    async fn append(&self, table: &TableName, rows: &[RecordBatch]) -> Result<u64> {
        let mut tables = self.lock();
        let entry = tables.get_mut(&fold(table));
        let entry = entry.ok_or_else(|| fault::absent(table))?;
        if entry.status().is_ours() {
            return Err(fault::ours(table));
        }
        let there = entry.table.as_mut();
        there.ok_or_else(|| fault::absent(table))?.append(rows)
    }

    async fn read(&self, query: &Query) -> Result<BatchStream> {
        let tables = self.lock();
        let table = tables
            .get(&fold(&query.table))
            .and_then(|entry| entry.table.as_ref());
        let table = table.ok_or_else(|| {
            Error::new(
                code::NOT_FOUND,
                format!("there is no table {}", query.table),
            )
        })?;
        let batch = table.read(query)?;
        Ok(stream::iter([Ok(batch)]).boxed())
    }
}
