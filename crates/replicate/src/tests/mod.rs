//! The rules of replication, against a source whose data change while it is read.

#![allow(clippy::unwrap_used)]

mod checking;
mod children;
mod explain;
mod fake;
mod histories;
mod incremental;
mod listing;
mod ownership;
mod reload;
mod report;
mod retention;
mod statement;
mod sweeps;
mod union;
mod whole;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bucketline_destination::memory::MemoryDestination;
use bucketline_destination::{ACTIVE, Destination, END, Query, START, TableName};
use chrono::DateTime;
use futures::TryStreamExt;

use crate::events::Voice;
use crate::run::{Run, run};
use crate::statement::{Options, Statement};
use crate::work::{RowWork, Work};
use crate::{Outcome, Report, Result, RunOptions, ScriptRun, Unfinished};
use fake::{Fake, Select, Selection, clock_of};

/// A fake service and a destination.
struct Bench {
    fake: Fake,
    memory: MemoryDestination,
    destination: Arc<dyn Destination>,
}

impl Bench {
    fn new() -> Self {
        let memory = MemoryDestination::new();
        let destination: Arc<dyn Destination> = Arc::new(memory.clone());
        Self {
            fake: Fake::new(),
            memory,
            destination,
        }
    }

    /// Two repositories, `{a}` with ten rows and `{b}` with two.
    fn filled() -> Self {
        let bench = Self::new();
        for id in 1..=10 {
            bench.put("{a}", id, "first", "open");
        }
        for id in 1..=2 {
            bench.put("{b}", id, "first", "open");
        }
        bench
    }

    fn put(&self, repository: &str, id: i64, title: &str, state: &'static str) {
        self.fake.world().put(repository, id, title, state);
    }

    async fn replicate(&self, selection: &Selection) -> Result<Report> {
        self.run(selection, &statement()).await
    }

    async fn run(&self, selection: &Selection, statement: &Statement) -> Result<Report> {
        self.run_in(&ScriptRun::new(RunOptions::default()), selection, statement)
            .await
    }

    /// A statement that fails after some of its work.
    async fn unfinished(&self, selection: &Selection) -> Unfinished {
        let script = ScriptRun::new(RunOptions::default());
        let run = self.try_run(&script, selection, &statement()).await;
        run.unwrap_err()
    }

    async fn run_in(
        &self,
        script: &ScriptRun,
        selection: &Selection,
        statement: &Statement,
    ) -> Result<Report> {
        Ok(self.try_run(script, selection, statement).await?)
    }

    async fn try_run(
        &self,
        script: &ScriptRun,
        selection: &Selection,
        statement: &Statement,
    ) -> Result<Report, Unfinished> {
        let works = select(&self.fake, selection);
        let voice = Voice::new(Arc::new(crate::Silent));
        let run_ = Run::new(script, voice);
        run(&run_, Work::Rows(&works), &self.destination, statement).await
    }

    /// The titles in the copy, by repository and id.
    async fn copy(&self) -> BTreeMap<(String, i64), String> {
        self.column("Title").await
    }

    async fn column(&self, column: &str) -> BTreeMap<(String, i64), String> {
        let query = Query {
            table: TableName::bare("Copy"),
            columns: vec![
                "RepositoryUUID".to_owned(),
                "Id".to_owned(),
                column.to_owned(),
            ],
            conditions: Vec::new(),
            limit: None,
        };
        let batches: Vec<_> = self
            .destination
            .read(&query)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        let mut rows = BTreeMap::new();
        for batch in batches {
            let uuids = batch.column(0).as_string::<i32>();
            let ids = batch.column(1).as_primitive::<Int64Type>();
            let texts = batch.column(2).as_string::<i32>();
            for row in 0..batch.num_rows() {
                let text = if texts.is_null(row) {
                    "NULL"
                } else {
                    texts.value(row)
                };
                let key = (uuids.value(row).to_owned(), ids.value(row));
                assert!(rows.insert(key, text.to_owned()).is_none(), "a doubled row");
            }
        }
        rows
    }

    /// Cells of the copy as texts, a line a row, sorted; nothing without a table.
    async fn rows(&self, columns: &[&str]) -> Vec<String> {
        let options = FormatOptions::default();
        let mut rows = Vec::new();
        for batch in self.batches(columns).await {
            let cells: Vec<_> = batch
                .columns()
                .iter()
                .map(|it| ArrayFormatter::try_new(it.as_ref(), &options).unwrap())
                .collect();
            rows.extend((0..batch.num_rows()).map(|row| {
                let texts: Vec<_> = cells.iter().map(|it| it.value(row).to_string()).collect();
                texts.join(" ")
            }));
        }
        rows.sort();
        rows
    }

    async fn batches(&self, columns: &[&str]) -> Vec<RecordBatch> {
        let query = Query {
            table: TableName::bare("Copy"),
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            conditions: Vec::new(),
            limit: None,
        };
        match self.destination.read(&query).await {
            Ok(batches) => batches.try_collect().await.unwrap(),
            Err(_) => Vec::new(),
        }
    }

    /// The versions in the copy, in the order of key and start.
    async fn versions(&self) -> Vec<Version> {
        let columns = ["RepositoryUUID", "Id", START, "Title", END, ACTIVE];
        let mut versions = Vec::new();
        for batch in self.batches(&columns).await {
            let uuids = batch.column(0).as_string::<i32>();
            let ids = batch.column(1).as_primitive::<Int64Type>();
            let titles = batch.column(3).as_string::<i32>();
            let moment = |column: usize, row: usize| {
                let moments = batch
                    .column(column)
                    .as_primitive::<TimestampMicrosecondType>();
                let micros = moments.is_valid(row).then(|| moments.value(row));
                micros.map(|it| clock_of(DateTime::from_timestamp_micros(it).unwrap()))
            };
            versions.extend((0..batch.num_rows()).map(|row| Version {
                uuid: uuids.value(row).to_owned(),
                id: ids.value(row),
                start: moment(2, row).unwrap(),
                title: titles.value(row).to_owned(),
                end: moment(4, row),
                active: batch.column(5).as_boolean().value(row),
            }));
        }
        versions.sort();
        versions
    }

    /// The titles at the source.
    fn truth(&self, state: Option<&str>) -> BTreeMap<(String, i64), String> {
        let world = self.fake.world();
        let rows = world.repositories.iter().flat_map(|(uuid, repository)| {
            repository
                .rows
                .iter()
                .filter(|(_, row)| state.is_none_or(|state| row.state == state))
                .map(|(id, row)| ((uuid.clone(), *id), row.title.clone()))
        });
        rows.collect()
    }

    fn row_requests(&self) -> usize {
        std::mem::take(&mut self.fake.world().row_requests)
    }
}

/// A version of a row; moments are those of the fake's clock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    uuid: String,
    id: i64,
    start: i64,
    title: String,
    end: Option<i64>,
    active: bool,
}

/// The only query of a statement.
fn select(fake: &Fake, selection: &Selection) -> [Box<dyn RowWork>; 1] {
    [Box::new(Select::new(fake, selection))]
}

fn statement() -> Statement {
    Statement {
        table: TableName::bare("Copy"),
        text: "REPLICATE Copy".to_owned(),
        declared: None,
        options: Options::default(),
    }
}

fn with(change: impl FnOnce(&mut Options)) -> Statement {
    let mut statement = statement();
    change(&mut statement.options);
    statement
}

fn outcome<'r>(report: &'r Report, slice: &str) -> &'r Outcome {
    let found = report.slices.iter().find(|report| report.slice == slice);
    &found
        .unwrap_or_else(|| panic!("{slice} in {report:?}"))
        .outcome
}

/// Polls a future at most `polls` times, then drops it; whether it ended before.
async fn killed_after<F: Future>(polls: usize, future: F) -> bool {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        if futures::poll!(future.as_mut()).is_ready() {
            return true;
        }
        // Lets the reading tasks go on.
        tokio::task::yield_now().await;
    }
    false
}
