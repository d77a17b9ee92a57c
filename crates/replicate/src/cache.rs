//! CACHE: the rows of a query are put into a table once.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bucketline_destination::{
    Change, Counts, Destination, Load, LoadPlan, Replacement, Retention, Target,
    code as destination_code,
};
use bucketline_engine::Session;
use bucketline_sql as sql;
use futures::StreamExt;
use sql::CacheMode;

use crate::columns::Layout;
use crate::compiled::Compiled;
use crate::events::Voice;
use crate::prepare::prepare;
use crate::record::Record;
use crate::report::counted;
use crate::run::{Run, list, owners};
use crate::standing::Standing;
use crate::statement::{Options, Statement, target};
use crate::{Error, Event, Events, Mode, Report, Result, ScriptRun, code};

/// The slice under which the rows are written.
const ROWS: &str = "rows";

/// Puts the rows of a query into a table: by key, or in the place of those that are there. Merged into a table that a
/// REPLICATE fills, they leave alone what it remembers; a table whose rows were replaced is loaded whole by the next
/// REPLICATE.
///
/// # Errors
/// Before anything is written: a table that is not ours or holds the rows of another workspace, columns that it lacks,
/// a key that is not selected. Later what the source or the destination fails with; without AUTOCOMMIT nothing was
/// changed then.
pub async fn cache(
    session: &Session,
    destination: &Arc<dyn Destination>,
    statement: &sql::Cache,
    script: &ScriptRun,
    events: &Arc<dyn Events>,
) -> Result<Report> {
    let run = Run::new(script, Voice::new(Arc::clone(events)));
    let mode = statement.mode;
    let read = Statement {
        table: target(&table_name(statement)?, &sql::Options::default()),
        text: sql::Statement::Cache(statement.clone()).masked(),
        declared: None,
        options: Options::default(),
    };
    let compiled = Compiled::of_query(session, &statement.query, &run.context).await?;
    let work = compiled.work();
    let prepared = prepare(work, &read)?;
    let layout = &prepared.layout;

    let load = destination.open(&read.table, &script.holder()).await?;
    let standing = Standing::read(&read, load.status())?;
    list(work, &run.context).await?;
    let owners = owners(work, &run.context).await?;
    if mode != Some(CacheMode::DropExisting) {
        standing.check_owner(&read.table, &owners)?;
    }
    let record = Record::new(
        owners,
        prepared.fingerprint.clone(),
        read.text.clone(),
        Mode::Replace,
    );
    let plan = plan(&*load, &read, mode, layout, &record)?;
    let written = if mode == Some(CacheMode::SchemaOnly) {
        if standing.record.is_none() {
            load.begin(plan).await?;
        }
        Written::default()
    } else {
        load.begin(plan).await?;
        let query = session.query(&statement.query, &run.context).await?;
        let mut written = write(&*load, query, mode, layout).await?;
        let replacement = match mode {
            Some(CacheMode::Truncate) => Some(Replacement::Rows),
            Some(CacheMode::DropExisting) => Some(Replacement::Table),
            _ => None,
        };
        if let Some(replacement) = replacement {
            written.counts = load.apply(replacement, record.to_json()).await?;
        }
        written
    };
    load.finish(None).await?;
    if written.skipped > 0 {
        let rows = counted(written.skipped, "row");
        run.voice.note(format!(
            "{}: {rows} did not fit and were skipped",
            read.table
        ));
    }
    let replaces = matches!(mode, Some(CacheMode::Truncate | CacheMode::DropExisting));
    let lost_values = run.voice.settle_losses();
    let report = Report {
        table: read.table.to_string(),
        mode: match replaces {
            true => Mode::Replace,
            false => Mode::Incremental,
        },
        why: "CACHE writes the rows of its query".to_owned(),
        slices: Vec::new(),
        read: written.read,
        lost_values,
        counts: written.counts,
        requests: run.context.requests(),
        elapsed: run.started.elapsed(),
        notes: run.voice.notes(),
    };
    run.voice.say(&Event::Ended { report: &report });
    Ok(report)
}

/// The table that is written: the one named, else the one that is read.
fn table_name(statement: &sql::Cache) -> Result<sql::Name> {
    if let Some(table) = &statement.table {
        return Ok(table.clone());
    }
    match statement.query.table_names().as_slice() {
        [table] => Ok(sql::Name {
            parts: vec![table.last().clone()],
        }),
        _ => Err(Error::new(
            code::COLUMNS,
            "CACHE without a table's name needs a query of one table",
        )
        .with_hint("CACHE name SELECT ...")
        .at(statement.query.span())),
    }
}

/// What is going to be written, if the table can take it.
fn plan(
    load: &dyn Load,
    statement: &Statement,
    mode: Option<CacheMode>,
    layout: &Layout,
    record: &Record,
) -> Result<LoadPlan> {
    let table = &statement.table;
    let target = match mode {
        Some(CacheMode::Truncate) => Target::Staging,
        Some(CacheMode::DropExisting) => Target::Recreate,
        _ => Target::Table,
    };
    let key = layout.key_names();
    if target == Target::Table && key.is_empty() {
        return Err(Error::new(
            code::COLUMNS,
            format!("CACHE merges rows into {table} by their key, which is not selected"),
        )
        .with_hint("select the key of the source, or write WITH TRUNCATE"));
    }
    let state = load.status().state.as_ref();
    let there = state
        .filter(|_| target != Target::Recreate)
        .map(|state| &state.columns);
    let selected = layout.schema();
    let lacks = |columns: &SchemaRef, name: &str| {
        let mut fields = columns.fields().iter();
        !fields.any(|field| field.name().eq_ignore_ascii_case(name))
    };
    let mut dropped = Vec::new();
    if let Some(there) = there {
        let present = there.fields().iter().map(|field| field.name());
        let mut wanted = selected.fields().iter().map(|field| field.name());
        if mode == Some(CacheMode::AlterSchema) {
            dropped.extend(present.filter(|name| lacks(selected, name)).cloned());
        } else if let Some(new) = wanted.find(|name| lacks(there, name)) {
            return Err(
                Error::new(code::SCHEMA_FIXED, format!("{table} has no column {new}"))
                    .with_hint("CACHE ... WITH ALTER SCHEMA adds it"),
            );
        }
    }
    // A merge leaves it to the REPLICATE that fills the table to know what it has loaded.
    let record = match state {
        Some(state) if target == Target::Table => state.record.clone(),
        _ => record.to_json(),
    };
    Ok(LoadPlan {
        columns: layout.columns.clone(),
        key,
        indexes: Vec::new(),
        retention: Retention::Nothing,
        target,
        forget_checkpoints: false,
        adopts: false,
        resumes: false,
        doc: None,
        dropped,
        record,
        batch_size: None,
    })
}

/// What was written.
#[derive(Default)]
struct Written {
    read: u64,
    counts: Counts,
    skipped: u64,
}

/// Writes the rows of a query in one transaction; with AUTOCOMMIT each in one of its own.
async fn write(
    load: &dyn Load,
    mut query: bucketline_engine::QueryRun,
    mode: Option<CacheMode>,
    layout: &Layout,
) -> Result<Written> {
    let mut written = Written::default();
    while let Some(batch) = query.rows.next().await {
        let batch = batch.map_err(|error| query.error(error))?;
        written.read += batch.num_rows() as u64;
        if mode != Some(CacheMode::Autocommit) {
            load.write(ROWS, Change::Upsert(layout.fit(&batch)?))
                .await?;
            continue;
        }
        for row in 0..batch.num_rows() {
            match write_row(load, layout, &batch.slice(row, 1)).await? {
                Some(counts) => written.counts += counts,
                None => written.skipped += 1,
            }
        }
    }
    written.counts += load.commit(ROWS, None).await?;
    Ok(written)
}

/// Writes a row in a transaction of its own; `None` if it does not fit.
async fn write_row(load: &dyn Load, layout: &Layout, row: &RecordBatch) -> Result<Option<Counts>> {
    let row = match layout.fit(row) {
        Err(error) if error.code() == code::BAD_VALUE => return Ok(None),
        row => row?,
    };
    let committed = match load.write(ROWS, Change::Upsert(row)).await {
        Ok(()) => load.commit(ROWS, None).await,
        Err(error) => Err(error),
    };
    match committed {
        Err(error) if error.code() == destination_code::BAD_VALUE => {
            load.discard(ROWS).await?;
            Ok(None)
        }
        counts => Ok(Some(counts?)),
    }
}
