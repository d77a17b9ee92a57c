//! The `.slt` files: SQL and its results, EXPLAIN, and the requests that were made.
//!
//! Each file gets its own sandbox (two small workspaces, `acme` and `globex`, the clock standing still at
//! 2026-08-10) and its own destination ([`crate::store`]). Besides SQL a record may say
//!
//! - `headings SQL`: a query whose rows are the headings of the columns that the SQL gives;
//! - `requests`: a query whose rows are the requests since the last such record, in order;
//! - `count of requests`: only how many;
//! - `sandbox JSON`: a statement that changes the source (the sandbox's control API);
//! - `fault JSON`, `no faults`: statements that make answers fail (the same API);
//! - `destination SQL`: a query or statement of another program on what is replicated into;
//! - `shop SQL`: the same on a SQLite file `shop.db`;
//! - `new session`: a statement; what follows runs as a new process would;
//! - `new session with shop`: the same, with a connection `shop` to that file; more of its properties may follow.
//!
//! Files that statements name are in the folder of the SQLite file. `BASE` in a statement that names `BaseURL` is the sandbox's address.
//!
//! `UPDATE_SLT=1 cargo x test` writes the results that the records now have.

use std::path::Path;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bucketline::{Access, Error, Event, Session};
use bucketline_sandbox::{Change, Fault};
use futures::StreamExt;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

use crate::store::Row;
use crate::world::{World, small};

struct Database {
    world: World,
    session: Session,
    /// What the destination calls itself.
    label: String,
}

/// What a record failed with: the code is its SQL state.
#[derive(Debug)]
struct Failure {
    code: String,
    message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}] {}", self.code, self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let hint = error
            .hint()
            .map(|hint| format!(" ({hint})"))
            .unwrap_or_default();
        Self {
            code: error.code().to_string(),
            message: format!("{error}{hint}"),
        }
    }
}

type Output = DBOutput<DefaultColumnType>;

/// A new session, whose statements may name files in the folder of the world.
fn session(world: &World) -> Session {
    let access = Access::default().with_files_below(world.folder());
    world
        .builder(&["acme", "globex"])
        .access(access)
        .build()
        .unwrap()
}

impl Database {
    async fn start() -> Self {
        let world = World::start(small()).await;
        let session = session(&world);
        Self {
            label: session.destination_label(),
            world,
            session,
        }
    }

    async fn sql(&self, sql: &str) -> Result<Output, Failure> {
        let sql = match sql.contains("BaseURL") {
            true => sql.replace("BASE", &self.world.sandbox.base_url()),
            false => sql.to_owned(),
        };
        let mut events = self.session.run(&sql);
        let mut columns: Option<SchemaRef> = None;
        let mut rows = Vec::new();
        let mut failure = None;
        while let Some(event) = events.next().await {
            match event {
                Event::Columns(schema) => columns = Some(schema),
                Event::Rows(batch) => rows.extend(texts(&batch)),
                Event::Failed(error) => failure = Some(error),
                Event::Replicated(report) => {
                    let counts = report.counts;
                    columns = None;
                    rows.push(vec![format!(
                        "{}: {} read, {} inserted, {} updated, {} unchanged, {} deleted, {} requests",
                        report.mode, report.read, counts.inserted, counts.updated, counts.unchanged,
                        counts.deleted, report.requests
                    )]);
                }
                _ => {}
            }
        }
        // Folder and port are others in each run.
        let folder = self.world.folder().display().to_string();
        let base = self.world.sandbox.base_url();
        for cell in rows.iter_mut().flatten() {
            *cell = cell
                .replace(&self.label, "DESTINATION")
                .replace(&folder, "FOLDER")
                .replace(&base, "BASE");
            if sql.contains("ANALYZE") {
                *cell = without_times(cell);
            }
        }
        match (failure, columns) {
            (Some(error), _) => Err(error.into()),
            (None, Some(schema)) => Ok(DBOutput::Rows {
                types: types(&schema),
                rows,
            }),
            (None, None) if !rows.is_empty() => Ok(DBOutput::Rows {
                types: vec![DefaultColumnType::Text],
                rows,
            }),
            (None, None) => Ok(DBOutput::StatementComplete(0)),
        }
    }

    async fn headings(&self, sql: &str) -> Result<Output, Failure> {
        let mut events = self.session.run(sql);
        let mut headings = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Event::Columns(schema) => {
                    let names = schema.fields().iter().map(|it| vec![it.name().clone()]);
                    headings = names.collect();
                }
                Event::Rows(batch) => {
                    let schema = batch.schema();
                    let names = schema.fields().iter().map(|it| vec![it.name().clone()]);
                    assert!(names.eq(headings.iter().cloned()), "{sql}");
                }
                Event::Failed(error) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(DBOutput::Rows {
            types: vec![DefaultColumnType::Text],
            rows: headings,
        })
    }

    fn requests(&self) -> Vec<Vec<String>> {
        let requests = self.world.sandbox.requests();
        self.world.sandbox.reset_requests();
        requests
            .into_iter()
            .map(|logged| vec![logged.target])
            .collect()
    }

    fn another_program(&self, rows: Result<Vec<Row>, String>) -> Result<Output, Failure> {
        let failed = |message| Failure {
            code: "DESTINATION".into(),
            message,
        };
        let rows = rows.map_err(failed)?;
        let Some(width) = rows.first().map(Vec::len) else {
            return Ok(DBOutput::StatementComplete(0));
        };
        let cell = |cell: Option<String>| cell.map_or_else(|| "NULL".to_owned(), visible);
        let found = rows
            .into_iter()
            .map(|row| row.into_iter().map(cell).collect())
            .collect();
        Ok(DBOutput::Rows {
            types: vec![DefaultColumnType::Any; width],
            rows: found,
        })
    }
}

#[async_trait::async_trait]
impl AsyncDB for Database {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<Output, Failure> {
        if sql == "requests" {
            return Ok(DBOutput::Rows {
                types: vec![DefaultColumnType::Text],
                rows: self.requests(),
            });
        }
        if sql == "count of requests" {
            let count = self.requests().len().to_string();
            return Ok(DBOutput::Rows {
                types: vec![DefaultColumnType::Integer],
                rows: vec![vec![count]],
            });
        }
        if let Some(sql) = sql.strip_prefix("headings ") {
            return self.headings(sql).await;
        }
        if sql == "new session" {
            self.session = session(&self.world);
            return Ok(DBOutput::StatementComplete(0));
        }
        if let Some(change) = sql.strip_prefix("sandbox ") {
            let change: Change = serde_json::from_str(change).map_err(|error| Failure {
                code: "SANDBOX".into(),
                message: error.to_string(),
            })?;
            self.world.sandbox.apply(change).map_err(|error| Failure {
                code: "SANDBOX".into(),
                message: error.to_string(),
            })?;
            return Ok(DBOutput::StatementComplete(0));
        }
        if sql == "no faults" {
            self.world.sandbox.clear_faults();
            return Ok(DBOutput::StatementComplete(0));
        }
        if let Some(fault) = sql.strip_prefix("fault ") {
            let fault: Fault = serde_json::from_str(fault).map_err(|error| Failure {
                code: "SANDBOX".into(),
                message: error.to_string(),
            })?;
            self.world.sandbox.fault(fault);
            return Ok(DBOutput::StatementComplete(0));
        }
        if let Some(properties) = sql.strip_prefix("new session with shop") {
            self.session = self.world.session_with_shop(properties);
            return Ok(DBOutput::StatementComplete(0));
        }
        if let Some(sql) = sql.strip_prefix("shop ") {
            return self.another_program(self.world.shop_rows(sql));
        }
        match sql.strip_prefix("destination ") {
            Some(sql) => self.another_program(self.world.store.rows(sql)),
            None => self.sql(sql).await,
        }
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        self.world.store.kind()
    }

    async fn sleep(duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn error_sql_state(error: &Failure) -> Option<String> {
        Some(error.code.clone())
    }
}

fn texts(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default()
        .with_null("NULL")
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.6fZ"));
    let columns: Vec<ArrayFormatter<'_>> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
        .collect();
    (0..batch.num_rows())
        .map(|row| {
            columns
                .iter()
                .map(|column| visible(column.value(row).to_string()))
                .collect()
        })
        .collect()
}

/// `0.3 s` and `1.2 ms` as `TIME`.
fn without_times(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let is_unit = |word: &str| matches!(word.trim_end_matches(','), "s" | "ms");
    let is_time = |index: usize| {
        words[index].contains('.')
            && words[index].parse::<f64>().is_ok()
            && words.get(index + 1).is_some_and(|next| is_unit(next))
    };
    let mut kept = Vec::new();
    for (index, word) in words.iter().enumerate() {
        match index.checked_sub(1) {
            Some(before) if is_time(before) => kept.push(word.replace(is_alphabetic, "")),
            _ if is_time(index) => kept.push("TIME".to_owned()),
            _ => kept.push((*word).to_owned()),
        }
    }
    kept.join(" ")
        .replace("TIME ,", "TIME,")
        .trim_end()
        .to_owned()
}

fn is_alphabetic(letter: char) -> bool {
    letter.is_alphabetic()
}

fn visible(text: String) -> String {
    if text.is_empty() {
        "(empty)".to_owned()
    } else {
        text.replace('\n', "\\n").replace('\r', "\\r")
    }
}

fn types(schema: &SchemaRef) -> Vec<DefaultColumnType> {
    let of = |kind: &DataType| match kind {
        kind if kind.is_integer() => DefaultColumnType::Integer,
        kind if kind.is_floating() => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Text,
    };
    schema
        .fields()
        .iter()
        .map(|field| of(field.data_type()))
        .collect()
}

async fn run_file(path: &Path) {
    let mut runner = Runner::new(|| async { Ok(Database::start().await) });
    if std::env::var_os("UPDATE_SLT").is_some() {
        runner
            .update_test_file(
                path,
                " ",
                sqllogictest::default_validator,
                sqllogictest::default_normalizer,
                sqllogictest::default_column_validator,
            )
            .await
            .unwrap();
        return;
    }
    if let Err(error) = runner.run_file_async(path).await {
        panic!("{}", error.display(false));
    }
}

/// Declares a test per `.slt` file, so that each is named, counted and run on its own.
macro_rules! files {
    ($($name:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt").join(concat!(stringify!($name), ".slt"));
                run_file(&path).await;
            }
        )*

        #[test]
        fn every_file_is_run() {
            let known = [$(stringify!($name)),*];
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt");
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap();
                assert!(known.contains(&name), "{} is not declared in e2e/slt.rs", path.display());
            }
        }
    };
}

files!(
    select,
    outputs,
    messages,
    select_apply,
    select_clauses,
    joins,
    subqueries,
    functions_date,
    functions_document,
    functions_math,
    functions_relative,
    functions_replicate,
    functions_string,
    functions_window,
    pushdown,
    names,
    show,
    system_tables,
    explain,
    faults,
    incremental,
    listing,
    children,
    replace,
    repositories,
    pipelines_off,
    project_scopes,
    guards,
    declared,
    destination_tables,
    options,
    connections,
    destinations,
    analyze,
    system_facts,
    retention,
    adoption,
    sweeps,
    check_cache,
    union,
    cache,
    answers,
    sqlite_source,
    insert,
    own_tables,
    dialect_functions,
    dialect_statements,
    overflow,
    forms,
    floats,
    named_windows,
    bounds,
    dialect_sync
);
