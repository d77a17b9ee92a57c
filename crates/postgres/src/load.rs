//! A load into a table.

mod apply;
mod begin;
mod blame;
mod commit;

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bucketline_destination::{
    Change, Counts, Error, Evolution, Layout, Load, LoadPlan, Pending, Replacement, Result,
    RowFilter, TableName, TableStatus, fault,
};
use serde_json::Value;

use self::apply::Apply;
use self::begin::Begin;
use self::blame::blamed;
use self::commit::Commit;
use crate::merge::Merge;
use crate::name::Located;
use crate::session::{Connected, Session, Work, give_back};
use crate::state;

/// Rows in a statement, unless the plan says how many.
const BATCH_SIZE: usize = 50_000;

/// A load of one table, under its lease.
pub(crate) struct PostgresLoad {
    under: Arc<Under>,
    status: TableStatus,
    pending: Arc<Pending>,
    begun: Mutex<Option<Arc<Begun>>>,
}

/// The table, and the session that has its lease.
struct Under {
    table: TableName,
    located: Located,
    session: tokio::sync::Mutex<Session>,
}

/// What [`Load::begin`] has settled.
struct Begun {
    plan: LoadPlan,
    /// The table's id in the state.
    id: i64,
    /// The table's columns as this load leaves them, and their names in it.
    layout: Layout,
    names: Vec<String>,
    evolution: Evolution,
    /// The columns of the staging in a staged load that is not applied yet.
    staging: Option<Layout>,
    /// What is written to, and the names of the written columns there.
    target: Located,
    target_names: Vec<String>,
}

impl Begun {
    /// The columns of what is written to.
    fn written(&self) -> &Layout {
        self.staging.as_ref().unwrap_or(&self.layout)
    }

    fn merge<'a>(&'a self, at: &'a mut Connected, table: &'a TableName) -> Merge<'a> {
        Merge {
            at,
            table,
            target: &self.target,
            layout: self.written(),
            names: &self.target_names,
            batch_size: self.plan.batch_size.unwrap_or(BATCH_SIZE).max(1),
        }
    }
}

impl PostgresLoad {
    pub(crate) fn new(
        session: Session,
        table: TableName,
        located: Located,
        status: TableStatus,
    ) -> Self {
        Self {
            under: Arc::new(Under {
                table,
                located,
                session: tokio::sync::Mutex::new(session),
            }),
            status,
            pending: Arc::default(),
            begun: Mutex::default(),
        }
    }

    fn begun(&self) -> Result<Arc<Begun>> {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.clone().ok_or_else(fault::not_begun)
    }

    fn set_begun(&self, begun: Begun) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(begun));
    }

    /// Does work in a transaction of the session, to its end also if the caller goes away.
    async fn transact<W>(&self, work: W) -> Result<(W::Outcome, W)>
    where
        W: Work + 'static,
    {
        let under = Arc::clone(&self.under);
        let done = tokio::spawn(async move {
            let outcome = under.session.lock().await.transact(&work).await;
            outcome.map(|outcome| (outcome, work))
        });
        joined(done.await)
    }
}

/// What a task gave that nobody cancels.
fn joined<T>(done: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    done.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => {
            let kind = bucketline_destination::code::UNAVAILABLE;
            Err(Error::new(kind, "the program is ending").with_source(error))
        }
    })
}

/// Ends a load.
struct Finish {
    name: String,
    record: Option<Value>,
}

#[async_trait]
impl Work for Finish {
    type Outcome = ();

    async fn run(&self, at: &mut Connected) -> Result<()> {
        if let Some(record) = &self.record {
            state::save_record(&at.client, &self.name, record).await?;
        }
        give_back(&at.client, &self.name).await
    }
}

#[async_trait]
impl Load for PostgresLoad {
    fn status(&self) -> &TableStatus {
        &self.status
    }

    async fn begin(&self, plan: LoadPlan) -> Result<()> {
        let work = Begin {
            table: self.under.table.clone(),
            located: self.under.located.clone(),
            plan,
        };
        let (begun, _) = self.transact(work).await?;
        self.set_begun(begun);
        Ok(())
    }

    async fn write(&self, slice: &str, change: Change) -> Result<()> {
        let change = self.begun()?.written().prepare(change)?;
        self.pending.push(slice, change);
        Ok(())
    }

    async fn commit(&self, slice: &str, checkpoint: Option<Value>) -> Result<Counts> {
        let begun = self.begun()?;
        let (under, pending) = (Arc::clone(&self.under), Arc::clone(&self.pending));
        let slice = slice.to_owned();
        // A task of its own: what is taken is committed or given back, also if the caller goes away.
        let done = tokio::spawn(async move {
            let mut session = under.session.lock().await;
            let work = pending.take(&slice);
            if work.changes.is_empty() && !work.forget && checkpoint.is_none() {
                return Ok(Counts::default());
            }
            let commit = Commit {
                table: under.table.clone(),
                begun,
                slice,
                work,
                checkpoint,
            };
            match session.transact(&commit).await {
                Ok(counts) => Ok(counts),
                Err(error) => {
                    let Commit { table, begun, .. } = &commit;
                    let changes = &commit.work.changes;
                    let error = blamed(&mut session, table, begun, changes, error).await;
                    pending.restore(&commit.slice, commit.work);
                    Err(error)
                }
            }
        });
        joined(done.await)
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
        let begun = self.begun()?;
        let mut session = self.under.session.lock().await;
        let connected = session.connected().await?;
        begun.merge(connected, &self.under.table).keys(rows).await
    }

    async fn apply(&self, replacement: Replacement, record: Value) -> Result<Counts> {
        let begun = self.begun()?;
        if begun.staging.is_none() {
            return Err(fault::not_staged());
        }
        let work = Apply {
            table: self.under.table.clone(),
            located: self.under.located.clone(),
            begun,
            replacement,
            record,
        };
        let (applied, work) = self.transact(work).await?;
        self.set_begun(Begun {
            plan: work.begun.plan.clone(),
            id: work.begun.id,
            layout: applied.layout,
            target_names: applied.names.clone(),
            names: applied.names,
            evolution: Evolution::default(),
            staging: None,
            target: self.under.located.clone(),
        });
        Ok(applied.counts)
    }

    async fn finish(self: Box<Self>, record: Option<Value>) -> Result<()> {
        let name = self.under.located.sql();
        self.transact(Finish { name, record }).await?;
        self.under.session.lock().await.release().await;
        Ok(())
    }

    async fn columns(&self) -> Result<SchemaRef> {
        Ok(self.begun()?.layout.schema())
    }
}
