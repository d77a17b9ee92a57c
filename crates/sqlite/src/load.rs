//! A load into a table.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bucketline_destination::{
    Change, Counts, DELETED, Error, Evolution, Keeping, Layout, Load, LoadPlan, Pending,
    Replacement, Result, RowFilter, TableName, TableStatus, Target, Uncommitted, code, fault,
};
use rusqlite::Connection;
use serde_json::Value;
use tokio::sync::Notify;

use crate::database::{self, Database};
use crate::error::Doing;
use crate::evolve::{self, in_transaction, with_tables_unlinked};
use crate::lease::{Lease, Lock};
use crate::merge::Merge;
use crate::name::{self, quote, quote_all};
use crate::physical;
use crate::state::{self, Remembered};

/// Bytes on their way to the database from which on [`Load::write`] waits.
const IN_FLIGHT: usize = 32 * 1024 * 1024;

/// A load of one table, under its lease.
pub(crate) struct SqliteLoad {
    /// The first to go: what is queued is done before the lease ends, unless another load keeps the database.
    database: Arc<Database>,
    under: Arc<Under>,
    status: TableStatus,
    pending: Arc<Pending>,
    in_flight: Arc<InFlight>,
    begun: Mutex<Option<Arc<Begun>>>,
    /// Not part of what is queued: the lease ends with this value, not when the thread gets round to it.
    lock: Lock,
}

/// The table and the lease under which it is written.
struct Under {
    table: TableName,
    lease: Lease,
}

/// What [`Load::begin`] has settled.
struct Begun {
    plan: LoadPlan,
    /// The table's id in the state.
    id: i64,
    /// The table's columns as this load leaves them.
    layout: Layout,
    evolution: Evolution,
    /// The columns of the staging in a staged load that is not applied yet.
    staging: Option<Layout>,
    /// The name in the file of what is written to.
    target: String,
}

impl Begun {
    /// The columns of what is written to.
    fn written(&self) -> &Layout {
        self.staging.as_ref().unwrap_or(&self.layout)
    }
}

/// How much is on its way to the database.
#[derive(Default)]
struct InFlight {
    bytes: AtomicUsize,
    less: Notify,
}

impl InFlight {
    /// Waits until there is room.
    async fn room(&self) {
        loop {
            let mut less = std::pin::pin!(self.less.notified());
            less.as_mut().enable();
            if self.bytes.load(Ordering::Acquire) < IN_FLIGHT {
                return;
            }
            less.await;
        }
    }

    fn add(self: &Arc<Self>, bytes: usize) -> Flight {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        Flight {
            bytes,
            of: Arc::clone(self),
        }
    }
}

/// A commit on its way.
struct Flight {
    bytes: usize,
    of: Arc<InFlight>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.of.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        self.of.less.notify_waiters();
    }
}

impl SqliteLoad {
    pub(crate) fn new(
        database: Arc<Database>,
        lease: Lease,
        lock: Lock,
        table: TableName,
        status: TableStatus,
    ) -> Self {
        Self {
            database,
            under: Arc::new(Under { table, lease }),
            status,
            pending: Arc::default(),
            in_flight: Arc::default(),
            begun: Mutex::default(),
            lock,
        }
    }

    fn begun(&self) -> Result<Arc<Begun>> {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.clone().ok_or_else(fault::not_begun)
    }

    fn set_begun(&self, begun: Begun) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(begun));
    }
}

impl Under {
    fn begin(&self, connection: &Connection, plan: LoadPlan) -> Result<Begun> {
        let (table, folded) = (&self.table, &self.lease.folded);
        self.lease.check(connection, table)?;
        let spelled = name::spelled(table);
        let status = physical::status(connection, &spelled, folded)?;
        let (layout, evolution) = status.meet(table, &plan)?;
        let staged = plan.target != Target::Table;
        let found = physical::find(connection, &spelled)?;
        if let (Some(found), false) = (&found, staged) {
            evolve::evolve(connection, found, folded, &layout, &evolution)?;
        }
        let fresh = found.is_none();
        if fresh {
            evolve::create(connection, &spelled, &layout)?;
        }
        let remembered = state::read(connection, folded)?;
        let id = match &remembered {
            Some(remembered) if staged && !fresh => remembered.id,
            // Until what is staged is applied, a table that is taken over is not ours.
            None if staged && !fresh => state::save(connection, folded, &state::ADOPTING, &layout)?,
            _ => state::save(connection, folded, &plan.record, &layout)?,
        };
        if fresh || status.is_void() {
            state::set_rows(connection, id, 0)?;
            state::forget_all(connection, id, false)?;
        } else if plan.forget_checkpoints && !staged {
            state::forget_all(connection, id, false)?;
        }
        let staging = self.begin_staging(connection, id, &plan, remembered)?;
        if let (Some(found), Target::Staging) = (&found, plan.target) {
            evolve::check_added(connection, found, &layout, &evolution)?;
        }
        let target = if staged {
            name::staging(folded)
        } else {
            found.map_or(spelled, |f| f.name)
        };
        Ok(Begun {
            plan,
            id,
            layout,
            evolution,
            staging,
            target,
        })
    }

    /// Goes on with the staging, or removes it and makes another, as the plan wants.
    fn begin_staging(
        &self,
        connection: &Connection,
        id: i64,
        plan: &LoadPlan,
        remembered: Option<Remembered>,
    ) -> Result<Option<Layout>> {
        let name = name::staging(&self.lease.folded);
        let staged = plan.target != Target::Table;
        if staged && plan.resumes {
            let layout = remembered.and_then(|remembered| remembered.staging);
            let layout =
                layout.filter(|_| matches!(physical::find(connection, &name), Ok(Some(_))));
            let layout = Layout::resume(&self.table, layout.as_ref(), plan)?;
            state::save_staged_record(connection, id, &plan.record)?;
            return Ok(Some(layout));
        }
        evolve::drop_table(connection, &name)?;
        if staged {
            let wanted = Layout::of(plan)?;
            evolve::create(connection, &name, &wanted)?;
            state::save_staging(connection, id, Some((&plan.record, &wanted)))?;
            return Ok(Some(wanted));
        }
        state::save_staging(connection, id, None)?;
        Ok(None)
    }

    fn commit(
        &self,
        connection: &Connection,
        begun: &Begun,
        slice: &str,
        work: &Uncommitted,
        checkpoint: Option<&Value>,
    ) -> Result<Counts> {
        self.lease.check(connection, &self.table)?;
        let merge = self.merge(connection, begun);
        let mut counts = Counts::default();
        for change in &work.changes {
            counts += merge.change(change)?;
        }
        let staged = begun.staging.is_some();
        let (more, less) = begun.layout.keeping.rows(&counts);
        if more != less && !staged {
            let more = i64::try_from(more).unwrap_or(i64::MAX);
            let less = i64::try_from(less).unwrap_or(i64::MAX);
            state::add_rows(connection, begun.id, more - less)?;
        }
        if work.forget {
            state::forget(connection, begun.id, staged, slice)?;
        }
        if let Some(checkpoint) = checkpoint {
            state::save_checkpoint(connection, begun.id, staged, slice, checkpoint)?;
        }
        Ok(counts)
    }

    fn merge<'a>(&'a self, connection: &'a Connection, begun: &'a Begun) -> Merge<'a> {
        let (table, target) = (&self.table, begun.target.as_str());
        Merge {
            connection,
            table,
            target,
            layout: begun.written(),
        }
    }

    /// Makes the staged rows the content of the table.
    fn apply(
        &self,
        connection: &Connection,
        begun: &Begun,
        replacement: Replacement,
        record: &Value,
    ) -> Result<Counts> {
        let (table, folded) = (&self.table, &self.lease.folded);
        self.lease.check(connection, table)?;
        let spelled = name::spelled(table);
        let staged = begun.staging.as_ref().ok_or_else(fault::not_staged)?;
        let staging = quote(&name::staging(folded));
        let count = |what: &str| -> Result<u64> {
            let sql = format!("SELECT count(*) FROM {what}");
            let rows: i64 = connection
                .query_row(&sql, [], |row| row.get(0))
                .doing("counting rows")?;
            Ok(rows.unsigned_abs())
        };
        let found = physical::find(connection, &spelled)?.ok_or_else(|| fault::vanished(table))?;
        if found.kind != "table" {
            return Err(fault::vanished(table));
        }
        let target = quote(&found.name);
        let mut counts = Counts::default();
        let layout = if replacement == Replacement::Table {
            counts.deleted = count(&target)?;
            evolve::drop_table(connection, &found.name)?;
            evolve::create(connection, &spelled, staged)?;
            staged
        } else {
            if begun.evolution.rekeyed {
                counts.deleted = count(&target)?;
            }
            evolve::evolve(connection, &found, folded, &begun.layout, &begun.evolution)?;
            &begun.layout
        };
        let absent = replacement != Replacement::Present;
        counts += self.replace(connection, layout, &found.name, &staging, absent)?;
        counts.unchanged = count(&staging)? - counts.inserted - counts.updated;
        state::save(connection, folded, record, layout)?;
        state::set_rows(connection, begun.id, count(&target)?)?;
        state::promote_checkpoints(connection, begun.id)?;
        state::save_staging(connection, begun.id, None)?;
        evolve::drop_table(connection, &name::staging(folded))?;
        Ok(counts)
    }

    /// `absent` says whether rows that the staging lacks leave.
    fn replace(
        &self,
        connection: &Connection,
        layout: &Layout,
        table: &str,
        staging: &str,
        absent: bool,
    ) -> Result<Counts> {
        let table = quote(table);
        let name = |place: &usize| layout.columns[*place].name.as_str();
        let names = || layout.written.iter().map(name);
        let columns = quote_all(names());
        let execute = |sql: &str| -> Result<u64> {
            let changed = connection.execute(sql, []).doing("replacing the rows")?;
            Ok(changed as u64)
        };
        // In the staging and in the table a column may have different types, the table's being the wider one;
        // what is converted is so in both places by the table's affinity or by the function.
        let converted = self.converted(connection, layout, staging)?;
        let matches: Vec<String> = layout
            .key
            .iter()
            .map(|place| format!("{table}.{0} = staged.{0}", quote(name(place))))
            .collect();
        let matches = matches.join(" AND ");
        if layout.key.is_empty() {
            let deleted = execute(&format!("DELETE FROM {table}"))?;
            let sql = format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM {converted}");
            return Ok(Counts {
                inserted: execute(&sql)?,
                deleted,
                ..Counts::default()
            });
        }
        let lacks = format!("NOT EXISTS (SELECT 1 FROM {converted} AS staged WHERE {matches})");
        let deleted = match layout.keeping {
            _ if !absent => 0,
            Keeping::Deleted(deleted) => {
                let deleted = quote(name(&deleted));
                execute(&format!(
                    "UPDATE {table} SET {deleted} = TRUE WHERE NOT {deleted} AND {lacks}"
                ))?
            }
            Keeping::Nothing | Keeping::Versions(_) => {
                execute(&format!("DELETE FROM {table} WHERE {lacks}"))?
            }
        };
        let values: Vec<&usize> = layout
            .written
            .iter()
            .filter(|place| !layout.key.contains(place))
            .collect();
        let each = |form: fn(&str, &str) -> String| -> Vec<String> {
            values
                .iter()
                .map(|place| form(&table, &quote(name(place))))
                .collect()
        };
        let updated = if values.is_empty() {
            0
        } else {
            let set = each(|_, name| format!("{name} = staged.{name}")).join(", ");
            let differs = each(|table, name| format!("{table}.{name} IS NOT staged.{name}"));
            execute(&format!(
                "UPDATE {table} SET {set} FROM {converted} AS staged WHERE {matches} AND ({})",
                differs.join(" OR ")
            ))?
        };
        let inserted = execute(&format!(
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM {converted} AS staged
             WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {matches})"
        ))?;
        Ok(Counts {
            inserted,
            updated,
            unchanged: 0,
            deleted,
        })
    }

    /// The staging in the types of the table, as SQL that can stand after FROM.
    fn converted(&self, connection: &Connection, layout: &Layout, staging: &str) -> Result<String> {
        let remembered = state::read(connection, &self.lease.folded)?;
        let staged = remembered.and_then(|remembered| remembered.staging);
        let staged = staged.ok_or_else(fault::not_staged)?;
        let mut same = true;
        let mut columns = Vec::with_capacity(layout.written.len());
        for place in &layout.written {
            let column = &layout.columns[*place];
            let name = quote(&column.name);
            let from = staged
                .columns
                .iter()
                .find(|c| c.name.eq_ignore_ascii_case(&column.name));
            match from {
                Some(from) if from.column_type != column.column_type => {
                    same = false;
                    let (from, to) = (from.column_type, column.column_type);
                    columns.push(format!(
                        "{}({name}, '{from}', '{to}') AS {name}",
                        evolve::CONVERT
                    ));
                }
                Some(_) => columns.push(name),
                // Staged by a load that keeps no rows that left.
                None if column.name.eq_ignore_ascii_case(DELETED) => {
                    same = false;
                    columns.push(format!("FALSE AS {name}"));
                }
                None => {
                    let message = format!("the staging lacks the column {name}");
                    return Err(Error::new(code::DATABASE, message));
                }
            }
        }
        if same {
            return Ok(staging.to_owned());
        }
        Ok(format!("(SELECT {} FROM {staging})", columns.join(", ")))
    }
}

#[async_trait]
impl Load for SqliteLoad {
    fn status(&self) -> &TableStatus {
        &self.status
    }

    async fn begin(&self, plan: LoadPlan) -> Result<()> {
        let under = Arc::clone(&self.under);
        let begun = self
            .database
            .call(move |connection| {
                with_tables_unlinked(connection, true, |connection| under.begin(connection, plan))
            })
            .await?;
        self.set_begun(begun);
        Ok(())
    }

    async fn write(&self, slice: &str, change: Change) -> Result<()> {
        let change = self.begun()?.written().prepare(change)?;
        self.in_flight.room().await;
        self.pending.push(slice, change);
        Ok(())
    }

    async fn commit(&self, slice: &str, checkpoint: Option<Value>) -> Result<Counts> {
        let begun = self.begun()?;
        let turn = self.database.reserve().await?;
        // From here to the queue nothing is awaited: what is taken is committed or given back, also if the
        // caller goes away.
        let work = self.pending.take(slice);
        if work.changes.is_empty() && !work.forget && checkpoint.is_none() {
            return Ok(Counts::default());
        }
        let flight = self.in_flight.add(work.size());
        let (under, pending) = (Arc::clone(&self.under), Arc::clone(&self.pending));
        let slice = slice.to_owned();
        let done = turn.call(move |connection| {
            let _flight = flight;
            let result = in_transaction(connection, |connection| {
                under.commit(connection, &begun, &slice, &work, checkpoint.as_ref())
            });
            if result.is_err() {
                pending.restore(&slice, work);
            }
            result
        });
        done.await
    }

    async fn discard(&self, slice: &str) -> Result<()> {
        self.pending.take(slice);
        Ok(())
    }

    async fn forget(&self, slice: &str) -> Result<()> {
        self.pending.forget(slice);
        Ok(())
    }

    async fn keys(&self, rows: &RowFilter) -> Result<Vec<RecordBatch>> {
        let (begun, under, rows) = (self.begun()?, Arc::clone(&self.under), rows.clone());
        self.database
            .call(move |connection| under.merge(connection, &begun).keys(&rows))
            .await
    }

    async fn apply(&self, replacement: Replacement, record: Value) -> Result<Counts> {
        let begun = self.begun()?;
        if begun.staging.is_none() {
            return Err(fault::not_staged());
        }
        let (under, work) = (Arc::clone(&self.under), Arc::clone(&begun));
        let counts = self
            .database
            .call(move |connection| {
                let rebuilt = replacement == Replacement::Table
                    || work.evolution.rekeyed
                    || !work.evolution.widened.is_empty();
                with_tables_unlinked(connection, rebuilt, |connection| {
                    under.apply(connection, &work, replacement, &record)
                })
            })
            .await?;
        let layout = match &begun.staging {
            Some(staged) if replacement == Replacement::Table => staged.clone(),
            _ => begun.layout.clone(),
        };
        self.set_begun(Begun {
            plan: begun.plan.clone(),
            id: begun.id,
            layout,
            evolution: Evolution::default(),
            staging: None,
            target: name::spelled(&self.under.table),
        });
        Ok(counts)
    }

    async fn finish(self: Box<Self>, record: Option<Value>) -> Result<()> {
        let Self {
            database,
            under,
            lock,
            ..
        } = *self;
        let finished = database
            .call(move |connection| {
                in_transaction(connection, |connection| {
                    under.lease.check(connection, &under.table)?;
                    if let Some(record) = record {
                        state::save_record(connection, &under.lease.folded, &record)?;
                    }
                    under.lease.give_back(connection)
                })?;
                database::empty_log(connection);
                Ok(())
            })
            .await;
        drop(lock);
        finished.and(database::close(database).await)
    }

    async fn columns(&self) -> Result<SchemaRef> {
        Ok(self.begun()?.layout.schema())
    }
}
