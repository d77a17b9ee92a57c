//! What can be done with a statement: run it, explain it, look ahead to it, and check what it has filled.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use bucketline_destination::{Destination, TableStatus};
use bucketline_engine::Session;
use bucketline_source::{ReadContext, Scan};
use bucketline_sql as sql;
use chrono::{DateTime, Utc};
use futures::StreamExt;

use crate::check::{self, Check};
use crate::compiled::Compiled;
use crate::events::{Silent, Voice};
use crate::record::Record;
use crate::run::{self, Run};
use crate::statement::{Statement, target};
use crate::{
    Comparison, Error, Events, Forecast, Report, Result, ScriptRun, Unfinished, code,
    explain as lines, forecast as forecasts,
};

/// Runs a REPLICATE statement.
///
/// Dropping the future cancels the run: what was committed stays, nothing is half applied, and the
/// next run goes on from there.
///
/// # Errors
/// Before anything is requested or written: an option that cannot be carried out, a table that is
/// not ours, another workspace's or being loaded by someone else, a target that another statement of
/// the script fills otherwise, a name that means another object than before. Later:
/// [`PARTIAL`](crate::code::PARTIAL) if some slices failed, and what ended the run otherwise;
/// such an error has a [report](Unfinished::report).
pub async fn replicate(
    session: &Session,
    destination: &Arc<dyn Destination>,
    statement: &sql::Replicate,
    script: &ScriptRun,
    events: &Arc<dyn Events>,
) -> Result<Report, Unfinished> {
    let read = Statement::read(statement)?;
    let run = Run::new(script, Voice::new(Arc::clone(events)));
    let compiled = Compiled::new(session, statement, &run.context).await?;
    Box::pin(run::run(&run, compiled.work(), destination, &read)).await
}

/// Explains a REPLICATE statement in lines: mode, key, marks, slices, requests, filters, load and
/// merge. Makes no request but look-ups of names, and writes nothing.
///
/// # Errors
/// What keeps the statement from being planned. What a run would refuse because of the table that is
/// there is a line, not an error.
pub async fn explain(
    session: &Session,
    destination: &Arc<dyn Destination>,
    statement: &sql::Replicate,
    scan: &Scan,
) -> Result<Vec<String>> {
    let read = Statement::read(statement)?;
    let script = ScriptRun::within(scan);
    let run = Run::new(&script, Voice::new(Arc::new(Silent)));
    let compiled = Compiled::new(session, statement, &run.context).await?;
    lines::explain(compiled.work(), destination, &read, &run.context).await
}

/// Looks at what a REPLICATE statement would do, in figures. Makes no request but look-ups of names, and writes
/// nothing.
///
/// # Errors
/// What keeps the statement from being planned.
pub async fn forecast(
    session: &Session,
    destination: &Arc<dyn Destination>,
    statement: &sql::Replicate,
    scan: &Scan,
) -> Result<Forecast> {
    let read = Statement::read(statement)?;
    let script = ScriptRun::within(scan);
    let run = Run::new(&script, Voice::new(Arc::new(Silent)));
    let compiled = Compiled::new(session, statement, &run.context).await?;
    forecasts::forecast(compiled.work(), destination, &read, &run.context).await
}

/// Compares a table with what filled it, or with what CHECKCACHE names, and mends it if that is said.
///
/// # Errors
/// If there is nothing to compare with, or it cannot be told apart row by row; and what the source or the destination
/// fails with. Nothing was changed then.
pub async fn check_cache(
    session: &Session,
    destination: &Arc<dyn Destination>,
    statement: &sql::CheckCache,
    script: &ScriptRun,
    events: &Arc<dyn Events>,
) -> Result<Comparison> {
    let run = Run::new(script, Voice::new(Arc::clone(events)));
    let table = target(&statement.table, &sql::Options::default());
    let check = read_check(session, statement, &run.context).await?;
    let (load, status) = if check.repair {
        let load = destination.open(&table, &script.holder()).await?;
        let status = load.status().clone();
        (Some(load), status)
    } else {
        (None, destination.inspect(&table).await?)
    };
    let held = held_against(statement, &status)?;
    let read = Statement {
        table,
        ..Statement::read(&held)?
    };
    let compiled = Compiled::new(session, &held, &run.context).await?;
    let work = compiled.work();
    Box::pin(check::compare(
        &run,
        work,
        destination,
        &status,
        load,
        &read,
        &check,
    ))
    .await
}

/// Explains a CHECKCACHE in lines. Makes no request but look-ups of names.
///
/// # Errors
/// What keeps the table from being compared.
pub async fn explain_check(
    session: &Session,
    destination: &Arc<dyn Destination>,
    statement: &sql::CheckCache,
    scan: &Scan,
) -> Result<Vec<String>> {
    let script = ScriptRun::within(scan);
    let run = Run::new(&script, Voice::new(Arc::new(Silent)));
    let table = target(&statement.table, &sql::Options::default());
    let check = read_check(session, statement, &run.context).await?;
    let status = destination.inspect(&table).await?;
    let held = held_against(statement, &status)?;
    let read = Statement {
        table,
        ..Statement::read(&held)?
    };
    let compiled = Compiled::new(session, &held, &run.context).await?;
    check::explain(&run, compiled.work(), &status, &read, &check)
}

/// The REPLICATE that a table is held against: the one that filled it, if need be with another source.
fn held_against(statement: &sql::CheckCache, status: &TableStatus) -> Result<sql::Replicate> {
    let unfilled = || {
        let message = format!("no REPLICATE has filled {}", statement.table);
        Error::new(code::CHECK, message).with_hint("its rows are only known if it has")
    };
    let state = status.state.as_ref().ok_or_else(unfilled)?;
    let record = Record::read(&state.record)?;
    let parsed = sql::parse_statement(&record.statement).map(|located| located.statement);
    let Ok(sql::Statement::Replicate(mut filled)) = parsed else {
        return Err(unfilled());
    };
    // The record has the names of parameters and never their values, and a mask for each secret.
    let is_bound = sql::parse_script_with(&record.statement, &sql::Parameters::new())
        .iter()
        .all(Result::is_ok);
    let is_masked = sql::Statement::Replicate(filled.clone()).has_mask();
    if (!is_bound || is_masked) && statement.against.is_none() {
        let unkept = match is_masked {
            true => "has a secret in it, which is not kept",
            false => "takes parameters, whose values are not kept",
        };
        let message = format!("the statement that filled {} {unkept}", statement.table);
        return Err(Error::new(code::CHECK, message)
            .with_hint("say with AGAINST (SELECT ...) what it is held against"));
    }
    match &statement.against {
        Some(sql::Against::Table(name)) => filled.source = sql::Source::Table(name.clone()),
        Some(sql::Against::Query(query)) => filled.source = sql::Source::Query(query.clone()),
        None => {}
    }
    Ok(filled)
}

async fn read_check(
    session: &Session,
    statement: &sql::CheckCache,
    context: &ReadContext,
) -> Result<Check> {
    let mut bounds = [None, None];
    for (bound, expression) in bounds.iter_mut().zip([&statement.start, &statement.end]) {
        if let Some(expression) = expression {
            *bound = Some(moment(session, expression, context).await?);
        }
    }
    let [start, end] = bounds;
    Ok(Check {
        against: statement.against.is_some(),
        repair: statement.repair,
        skip_modified: statement.skip == Some(sql::SkipCheck::Modified),
        skip_deleted: statement.skip == Some(sql::SkipCheck::Deleted),
        start,
        end,
    })
}

/// The moment that a literal or a function gives, in GMT where it has no zone.
async fn moment(
    session: &Session,
    expression: &sql::Expression,
    context: &ReadContext,
) -> Result<DateTime<Utc>> {
    let no_moment = || {
        Error::new(code::CHECK, format!("{expression} is no date and time"))
            .with_hint("write 'yyyy-mm-dd hh:mm:ss'")
            .at(expression.span())
    };
    let text = format!("SELECT CAST({expression} AS TIMESTAMP)");
    let parsed = sql::parse_statement(&text).map(|located| located.statement);
    let Ok(sql::Statement::Query(query)) = parsed else {
        return Err(no_moment());
    };
    let mut rows = session.query(&query, context).await?.rows;
    let row = rows
        .next()
        .await
        .and_then(|row| row.ok())
        .ok_or_else(no_moment)?;
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let moment = cast(row.column(0), &micros).map_err(|_| no_moment())?;
    let moment = moment.as_primitive::<TimestampMicrosecondType>();
    let is_there = !moment.is_empty() && moment.is_valid(0);
    let moment = is_there.then(|| moment.value(0));
    moment
        .and_then(DateTime::from_timestamp_micros)
        .ok_or_else(no_moment)
}
