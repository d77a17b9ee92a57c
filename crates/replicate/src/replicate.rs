//! What can be done with a statement: run it, explain it, look ahead to it.

use std::sync::Arc;

use bucketline_destination::Destination;
use bucketline_engine::Session;
use bucketline_sql as sql;

use crate::compiled::Compiled;
use crate::events::{Silent, Voice};
use crate::run::{self, Run};
use crate::statement::Statement;
use crate::{Events, Forecast, Report, Result, ScriptRun, explain as lines, forecast as forecasts};

/// Runs a REPLICATE statement.
///
/// Dropping the future cancels the run: what was committed stays, nothing is half applied, and the
/// next run goes on from there.
///
/// # Errors
/// Before anything is requested or written: an option that cannot be carried out, a table that is
/// not ours, another workspace's or being loaded by someone else, a target that another statement of
/// the script fills otherwise, a name that means another object than before. Later:
/// [`Partial`](crate::ErrorKind::Partial) if some slices failed, and what ended the run otherwise;
/// such an error has a [report](crate::Error::report).
pub async fn replicate(
    session: &Session,
    destination: &Arc<dyn Destination>,
    statement: &sql::Replicate,
    script: &ScriptRun,
    events: &Arc<dyn Events>,
) -> Result<Report> {
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
) -> Result<Vec<String>> {
    let read = Statement::read(statement)?;
    let script = ScriptRun::default();
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
) -> Result<Forecast> {
    let read = Statement::read(statement)?;
    let script = ScriptRun::default();
    let run = Run::new(&script, Voice::new(Arc::new(Silent)));
    let compiled = Compiled::new(session, statement, &run.context).await?;
    forecasts::forecast(compiled.work(), destination, &read, &run.context).await
}
