//! Jobs and their history as tables for queries: `sys_jobs`, `sys_tasks`, `sys_runs`, `sys_run_slices`.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use bucketline::HostTable;
use bucketline_app::store::{Cursor, JobFilter, PageRequest, RunFilter};
use bucketline_app::{Failure, JobEntry, Result, Run, SliceResult, Store, TaskRun, Totals};
use bucketline_core::{Error, code};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

/// Jobs or runs that are read at a time.
const PAGE: u32 = 500;

/// Opens the store when a query first reads it; `None` if there is none.
pub type StoreOpener = dyn Fn() -> BoxFuture<'static, Result<Option<Arc<dyn Store>>>> + Send + Sync;

/// The tables over the store that `open` gives.
pub fn record_tables(open: Arc<StoreOpener>) -> Vec<Arc<dyn HostTable>> {
    let table = |kind| -> Arc<dyn HostTable> {
        Arc::new(Records {
            kind,
            open: Arc::clone(&open),
        })
    };
    [Kind::Jobs, Kind::Tasks, Kind::Runs, Kind::Slices]
        .map(table)
        .to_vec()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Jobs,
    Tasks,
    Runs,
    Slices,
}

#[derive(Clone)]
struct Records {
    kind: Kind,
    open: Arc<StoreOpener>,
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Records").field(&self.kind).finish()
    }
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Number,
    Flag,
    Time,
}

/// The value of a column.
#[derive(Debug, Clone)]
enum Cell {
    Text(Option<String>),
    Number(Option<i64>),
    Flag(bool),
    Time(Option<DateTime<Utc>>),
}

use Type::{Flag, Number, Text, Time};

/// What was done, at the end of several tables.
const TOTALS: [(&str, Type); 6] = [
    ("RowsRead", Number),
    ("RowsInserted", Number),
    ("RowsUpdated", Number),
    ("RowsDeleted", Number),
    ("Requests", Number),
    ("WaitedMs", Number),
];

/// Why something failed, behind that.
const FAILURE: [(&str, Type); 3] = [
    ("ErrorCode", Text),
    ("ErrorKind", Text),
    ("ErrorMessage", Text),
];

impl Kind {
    fn own_columns(self) -> &'static [(&'static str, Type)] {
        match self {
            Self::Jobs => &[
                ("JobId", Number),
                ("JobName", Text),
                ("Source", Text),
                ("Destination", Text),
                ("Labels", Text),
                ("Cron", Text),
                ("TimeZone", Text),
                ("IsScheduled", Flag),
                ("PausedAt", Time),
                ("PausedWhy", Text),
                ("FailuresInARow", Number),
                ("ActiveRunId", Number),
                ("LastRunId", Number),
                ("LastState", Text),
                ("LastEndedAt", Time),
                ("CreatedAt", Time),
                ("ChangedAt", Time),
                ("ChangedBy", Text),
            ],
            Self::Tasks => &[
                ("JobId", Number),
                ("JobName", Text),
                ("TaskId", Number),
                ("Position", Number),
                ("Statement", Text),
                ("TableName", Text),
                ("IsEnabled", Flag),
            ],
            Self::Runs => &[
                ("RunId", Number),
                ("JobId", Number),
                ("JobName", Text),
                ("Source", Text),
                ("Destination", Text),
                ("Origin", Text),
                ("State", Text),
                ("Reason", Text),
                ("DueAt", Time),
                ("Slots", Number),
                ("Attempt", Number),
                ("QueuedAt", Time),
                ("StartedAt", Time),
                ("EndedAt", Time),
                ("Node", Text),
            ],
            Self::Slices => &[
                ("RunId", Number),
                ("JobName", Text),
                ("TaskRunId", Number),
                ("Attempt", Number),
                ("TableName", Text),
                ("Slice", Text),
                ("Outcome", Text),
                ("ElapsedMs", Number),
            ],
        }
    }

    fn columns(self) -> impl Iterator<Item = (&'static str, Type)> {
        let more: &[(&str, Type)] = match self {
            Self::Jobs | Self::Tasks => &[],
            Self::Runs | Self::Slices => &TOTALS,
        };
        let failure: &[(&str, Type)] = match more {
            [] => &[],
            _ => &FAILURE,
        };
        self.own_columns()
            .iter()
            .chain(more)
            .chain(failure)
            .copied()
    }

    /// A page of rows, and where the next begins.
    async fn page(
        self,
        store: &dyn Store,
        page: &PageRequest,
    ) -> Result<(Vec<Vec<Cell>>, Option<Cursor>)> {
        let mut rows = Vec::new();
        let next = match self {
            Self::Jobs | Self::Tasks => {
                let listed = store.jobs(&JobFilter::default(), page).await?;
                for entry in listed.items {
                    match self {
                        Self::Jobs => rows.push(job(entry)),
                        _ => rows.extend(tasks(entry)),
                    }
                }
                listed.next
            }
            Self::Runs => {
                let listed = store.runs(&RunFilter::default(), page).await?;
                rows.extend(listed.items.into_iter().map(run));
                listed.next
            }
            Self::Slices => {
                let listed = store.runs(&RunFilter::default(), page).await?;
                for run in listed.items {
                    for task in store.task_runs(run.id).await? {
                        let slices = store.slices(task.id).await?;
                        rows.extend(slices.into_iter().map(|it| slice(&run, &task, it)));
                    }
                }
                listed.next
            }
        };
        Ok((rows, next))
    }
}

impl HostTable for Records {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Jobs => "sys_jobs",
            Kind::Tasks => "sys_tasks",
            Kind::Runs => "sys_runs",
            Kind::Slices => "sys_run_slices",
        }
    }

    fn description(&self) -> &str {
        match self.kind {
            Kind::Jobs => "The jobs of the application.",
            Kind::Tasks => "The tasks of the jobs, in their order.",
            Kind::Runs => "The runs of the jobs, the last first.",
            Kind::Slices => "What the runs did for each slice, such as a repository.",
        }
    }

    fn columns(&self) -> SchemaRef {
        let field = |(name, kind)| {
            let data_type = match kind {
                Text => DataType::Utf8,
                Number => DataType::Int64,
                Flag => DataType::Boolean,
                Time => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
            };
            Field::new(name, data_type, true)
        };
        Arc::new(Schema::new(
            self.kind.columns().map(field).collect::<Vec<_>>(),
        ))
    }

    fn rows(&self) -> BoxStream<'static, Result<RecordBatch>> {
        let (table, columns) = (self.clone(), self.columns());
        let opened = async move { (table.open)().await };
        stream::once(opened)
            .map_ok({
                let kind = self.kind;
                move |store| match store {
                    Some(store) => pages(kind, store, Arc::clone(&columns)),
                    None => stream::empty().boxed(),
                }
            })
            .try_flatten()
            .boxed()
    }
}

/// The rows of a table, a page at a time.
fn pages(
    kind: Kind,
    store: Arc<dyn Store>,
    columns: SchemaRef,
) -> BoxStream<'static, Result<RecordBatch>> {
    let first = Some(PageRequest::first(PAGE));
    stream::try_unfold(first, move |page| {
        let (store, columns) = (Arc::clone(&store), Arc::clone(&columns));
        async move {
            let Some(page) = page else { return Ok(None) };
            let (rows, next) = kind.page(&*store, &page).await?;
            let next = next.map(|next| PageRequest::after(next, PAGE));
            Ok(Some((batch(columns, rows)?, next)))
        }
    })
    .boxed()
}

fn batch(columns: SchemaRef, rows: Vec<Vec<Cell>>) -> Result<RecordBatch> {
    let mut by_column: Vec<Vec<Cell>> = columns.fields().iter().map(|_| Vec::new()).collect();
    for row in rows {
        for (column, cell) in by_column.iter_mut().zip(row) {
            column.push(cell);
        }
    }
    let arrays = by_column.into_iter().zip(columns.fields());
    let arrays = arrays.map(|(cells, field)| array(field.data_type(), cells));
    RecordBatch::try_new(Arc::clone(&columns), arrays.collect()).map_err(|error| {
        let message = "rows of the application do not fit their table";
        Error::new(code::store::DEFECT, message).with_source(error)
    })
}

fn array(data_type: &DataType, cells: Vec<Cell>) -> ArrayRef {
    let cells = cells.into_iter();
    match data_type {
        DataType::Int64 => Arc::new(Int64Array::from_iter(cells.map(|cell| match cell {
            Cell::Number(number) => number,
            _ => None,
        }))),
        DataType::Boolean => Arc::new(BooleanArray::from_iter(cells.map(|cell| match cell {
            Cell::Flag(flag) => Some(flag),
            _ => None,
        }))),
        DataType::Timestamp(..) => {
            let times = cells.map(|cell| match cell {
                Cell::Time(time) => time.map(|time| time.timestamp_micros()),
                _ => None,
            });
            Arc::new(TimestampMicrosecondArray::from_iter(times).with_timezone("+00:00"))
        }
        _ => Arc::new(StringArray::from_iter(cells.map(|cell| match cell {
            Cell::Text(text) => text,
            _ => None,
        }))),
    }
}

fn text(value: impl fmt::Display) -> Cell {
    Cell::Text(Some(value.to_string()))
}

fn number(value: impl TryInto<i64>) -> Cell {
    Cell::Number(value.try_into().ok())
}

fn job(entry: JobEntry) -> Vec<Cell> {
    let stored = entry.job;
    let job = stored.value;
    let schedule = job.schedule.as_ref();
    let last = entry.last.as_ref();
    vec![
        number(stored.id.0),
        text(job.name),
        text(job.source),
        text(job.destination),
        text(job.labels.join(", ")),
        Cell::Text(schedule.map(|it| it.cron.clone())),
        Cell::Text(schedule.and_then(|it| it.zone.clone())),
        Cell::Flag(schedule.is_some_and(|it| it.enabled) && entry.paused.is_none()),
        Cell::Time(entry.paused.as_ref().map(|it| it.at)),
        Cell::Text(entry.paused.map(|it| it.why)),
        number(entry.failures),
        Cell::Number(entry.active.map(|run| run.id.0)),
        Cell::Number(last.map(|run| run.id.0)),
        Cell::Text(last.map(|run| run.state.to_string())),
        Cell::Time(last.and_then(|run| run.ended_at)),
        Cell::Time(Some(stored.created_at)),
        Cell::Time(Some(stored.changed_at)),
        text(stored.changed_by),
    ]
}

fn tasks(entry: JobEntry) -> Vec<Vec<Cell>> {
    let (id, job) = (entry.job.id, entry.job.value);
    let name = job.name;
    let tasks = job.tasks.into_iter().enumerate();
    let row = |(position, task): (usize, bucketline_app::Task)| {
        vec![
            number(id.0),
            text(&name),
            Cell::Number(task.id.map(|id| id.0)),
            number(position + 1),
            text(&task.statement),
            Cell::Text(task.table()),
            Cell::Flag(task.enabled),
        ]
    };
    tasks.map(row).collect()
}

fn run(run: Run) -> Vec<Cell> {
    let mut row = vec![
        number(run.id.0),
        number(run.job.0),
        text(run.job_name),
        text(run.source),
        text(run.destination),
        text(run.origin.kind()),
        text(run.state),
        Cell::Text(run.reason),
        Cell::Time(run.due),
        number(run.slots),
        number(run.attempt),
        Cell::Time(Some(run.queued_at)),
        Cell::Time(run.started_at),
        Cell::Time(run.ended_at),
        Cell::Text(run.node),
    ];
    row.extend(totals(run.totals));
    row.extend(failure(run.failure));
    row
}

fn slice(run: &Run, task: &TaskRun, slice: SliceResult) -> Vec<Cell> {
    let mut row = vec![
        number(run.id.0),
        text(&run.job_name),
        number(task.id.0),
        number(task.attempt),
        Cell::Text(task.table.clone()),
        text(slice.slice),
        text(slice.outcome),
        number(slice.elapsed_ms),
    ];
    row.extend(totals(slice.totals));
    row.extend(failure(slice.failure));
    row
}

fn totals(totals: Totals) -> [Cell; 6] {
    let Totals {
        read,
        inserted,
        updated,
        deleted,
        requests,
        waited_ms,
    } = totals;
    [read, inserted, updated, deleted, requests, waited_ms].map(number)
}

fn failure(failure: Option<Failure>) -> [Cell; 3] {
    match failure {
        Some(failure) => [
            text(failure.code),
            text(failure.kind),
            text(failure.message),
        ],
        None => [Cell::Text(None), Cell::Text(None), Cell::Text(None)],
    }
}
