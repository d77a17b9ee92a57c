//! A load into memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use serde_json::Value;

use super::table::{Table, Undo};
use super::{Entry, MemoryDestination, Staging, State, fold};
use crate::{
    Change, Checkpoints, Counts, Evolution, Layout, Load, LoadPlan, Pending, Replacement, Result,
    RowFilter, TableName, TableStatus, Target, fault,
};

pub(super) struct MemoryLoad {
    destination: MemoryDestination,
    table: TableName,
    epoch: u64,
    status: TableStatus,
    pending: Pending,
    begun: Mutex<Option<Begun>>,
}

/// What [`Load::begin`] has settled.
#[derive(Clone)]
struct Begun {
    plan: LoadPlan,
    /// The table's columns as this load leaves them.
    layout: Layout,
    evolution: Evolution,
    /// The columns of the staging in a staged load that is not applied yet.
    staging: Option<Layout>,
}

impl Begun {
    fn staged(&self) -> bool {
        self.staging.is_some()
    }

    /// The columns of what is written to: the table or its staging.
    fn written(&self) -> &Layout {
        self.staging.as_ref().unwrap_or(&self.layout)
    }
}

impl MemoryLoad {
    pub(super) fn new(
        destination: MemoryDestination,
        table: TableName,
        epoch: u64,
        status: TableStatus,
    ) -> Self {
        let (pending, begun) = (Pending::default(), Mutex::new(None));
        Self {
            destination,
            table,
            epoch,
            status,
            pending,
            begun,
        }
    }

    fn begun(&self) -> Result<Begun> {
        self.plan().clone().ok_or_else(fault::not_begun)
    }

    fn plan(&self) -> MutexGuard<'_, Option<Begun>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on what is under the table's name, if the lease is still ours.
    fn with<T>(&self, work: impl FnOnce(&mut Entry) -> Result<T>) -> Result<T> {
        let mut tables = self.destination.lock();
        match tables.get_mut(&fold(&self.table)) {
            Some(entry) if entry.epoch == self.epoch => work(entry),
            _ => Err(fault::fenced(&self.table)),
        }
    }

    fn with_state<T>(&self, work: impl FnOnce(&mut Table, &mut State) -> Result<T>) -> Result<T> {
        self.with(|entry| match (&mut entry.table, &mut entry.state) {
            (Some(table), Some(state)) => work(table, state),
            _ => Err(fault::vanished(&self.table)),
        })
    }
}

/// Applies changes and a checkpoint to a table, all or nothing.
fn commit(
    table: &mut Table,
    checkpoints: &mut Checkpoints,
    slice: &str,
    changes: &[Change],
    forget: bool,
    checkpoint: Option<Value>,
) -> Result<Counts> {
    let mut undo = Undo::default();
    let mut counts = Counts::default();
    for change in changes {
        match table.change(change, &mut undo) {
            Ok(more) => counts += more,
            Err(error) => {
                table.undo(undo);
                return Err(error);
            }
        }
    }
    if forget {
        checkpoints.remove(slice);
    }
    if let Some(checkpoint) = checkpoint {
        checkpoints.insert(slice.to_owned(), checkpoint);
    }
    Ok(counts)
}

#[async_trait]
impl Load for MemoryLoad {
    fn status(&self) -> &TableStatus {
        &self.status
    }

    async fn begin(&self, plan: LoadPlan) -> Result<()> {
        let begun = self.with(|entry| {
            let status = entry.status();
            let (layout, evolution) = status.meet(&self.table, &plan)?;
            let staged = plan.target != Target::Table;
            let fresh = entry.table.is_none();
            let resumed = if staged && plan.resumes {
                let staging = entry.state.as_ref().and_then(|it| it.staging.as_ref());
                let there = staging.map(|staging| staging.table.layout());
                Some(Layout::resume(&self.table, there, &plan)?)
            } else {
                None
            };
            if fresh || !staged {
                entry.table = Some(match &entry.table {
                    Some(table) => table.evolve(layout.clone(), &evolution)?,
                    None => Table::new(self.table.clone(), layout.clone())?,
                });
                let old = entry.state.take();
                let (rows, checkpoints, staging) = old.map_or_else(Default::default, |old| {
                    let forget = status.is_void() || (plan.forget_checkpoints && !staged);
                    let checkpoints = if forget {
                        Checkpoints::new()
                    } else {
                        old.checkpoints
                    };
                    (
                        if status.is_void() { 0 } else { old.rows },
                        checkpoints,
                        old.staging,
                    )
                });
                let record = plan.record.clone();
                let layout = layout.clone();
                entry.state = Some(State {
                    adopting: false,
                    record,
                    layout,
                    rows,
                    checkpoints,
                    staging,
                });
            }
            let state = entry.state.get_or_insert_with(|| State {
                adopting: true,
                record: Value::Null,
                layout: layout.clone(),
                rows: 0,
                checkpoints: Checkpoints::new(),
                staging: None,
            });
            if status.is_void() {
                state.checkpoints.clear();
                state.rows = 0;
            }
            let record = plan.record.clone();
            state.staging = match (state.staging.take(), resumed) {
                (Some(staging), Some(layout)) => Some(Staging {
                    record,
                    table: staging.table.evolve(layout, &Evolution::default())?,
                    checkpoints: staging.checkpoints,
                }),
                _ if staged => Some(Staging {
                    record,
                    checkpoints: Checkpoints::new(),
                    table: Table::new(self.table.clone(), Layout::of(&plan)?)?,
                }),
                _ => None,
            };
            let staging = state.staging.as_ref();
            Ok(Begun {
                staging: staging.map(|staging| staging.table.layout().clone()),
                plan,
                layout,
                evolution,
            })
        })?;
        *self.plan() = Some(begun);
        Ok(())
    }

    async fn write(&self, slice: &str, change: Change) -> Result<()> {
        let change = self.begun()?.written().prepare(change)?;
        self.pending.push(slice, change);
        Ok(())
    }

    async fn commit(&self, slice: &str, checkpoint: Option<Value>) -> Result<Counts> {
        let begun = self.begun()?;
        let taken = self.pending.take(slice);
        let committed = self.with_state(|table, state| {
            if let Some(staging) = state.staging.as_mut().filter(|_| begun.staged()) {
                let (table, checkpoints) = (&mut staging.table, &mut staging.checkpoints);
                return commit(
                    table,
                    checkpoints,
                    slice,
                    &taken.changes,
                    taken.forget,
                    checkpoint,
                );
            }
            let checkpoints = &mut state.checkpoints;
            let counts = commit(
                table,
                checkpoints,
                slice,
                &taken.changes,
                taken.forget,
                checkpoint,
            )?;
            let (more, less) = begun.layout.keeping.rows(&counts);
            state.rows = (state.rows + more).saturating_sub(less);
            Ok(counts)
        });
        if committed.is_err() {
            self.pending.restore(slice, taken);
        }
        committed
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
        self.with_state(|table, state| {
            let staging = state.staging.as_ref().filter(|_| begun.staged());
            let batch = staging
                .map_or(&*table, |staging| &staging.table)
                .keys(rows)?;
            Ok(if batch.num_rows() == 0 {
                Vec::new()
            } else {
                vec![batch]
            })
        })
    }

    async fn apply(&self, replacement: Replacement, record: Value) -> Result<Counts> {
        let mut begun = self.begun()?;
        if !begun.staged() {
            return Err(fault::not_staged());
        }
        let counts = self.with_state(|table, state| {
            let staging = state.staging.as_ref().ok_or_else(fault::not_staged)?;
            let (mut replaced, before) = if replacement == Replacement::Table {
                let layout = Layout::of(&begun.plan)?;
                (Table::new(self.table.clone(), layout)?, table.len())
            } else {
                let layout = begun.layout.clone();
                let kept = if begun.evolution.rekeyed {
                    0
                } else {
                    table.len()
                };
                (table.evolve(layout, &begun.evolution)?, table.len() - kept)
            };
            let mut counts =
                replaced.replace_with(&staging.table, replacement != Replacement::Present)?;
            counts.deleted += before as u64;
            state.adopting = false;
            state.record = record;
            state.checkpoints = staging.checkpoints.clone();
            state.layout = replaced.layout().clone();
            state.rows = replaced.len() as u64;
            state.staging = None;
            *table = replaced;
            Ok(counts)
        })?;
        begun.staging = None;
        *self.plan() = Some(begun);
        Ok(counts)
    }

    async fn finish(self: Box<Self>, record: Option<Value>) -> Result<()> {
        if let Some(record) = record {
            self.with_state(|_, state| {
                state.record = record;
                Ok(())
            })?;
        }
        Ok(())
    }

    async fn columns(&self) -> Result<SchemaRef> {
        Ok(self.begun()?.layout.schema())
    }
}

impl Drop for MemoryLoad {
    fn drop(&mut self) {
        let mut tables = self.destination.lock();
        if let Some(entry) = tables.get_mut(&fold(&self.table))
            && entry.epoch == self.epoch
        {
            entry.holder = None;
        }
    }
}
