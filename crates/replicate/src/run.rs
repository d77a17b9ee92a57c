//! One run of a statement, from the lease to the report.

use std::sync::Arc;
use std::time::Instant;

use bucketline_destination::{Destination, TableName};
use bucketline_source::{ReadContext, SliceChoice, Source};
use serde_json::Value;

use crate::events::Voice;
use crate::job::Job;
use crate::prepare::{Prepared, prepare};
use crate::record::{Kept, Owner, Record};
use crate::standing::{Approach, Standing};
use crate::statement::{Deletes, Statement};
use crate::survey::is_lost;
use crate::tally::Tally;
use crate::work::Work;
use crate::{Event, Report, Result, ScriptRun, Unfinished};

/// Where a run speaks and counts.
pub(crate) struct Run<'a> {
    pub(crate) script: &'a ScriptRun,
    pub(crate) voice: Arc<Voice>,
    /// Counts the requests of the statement, its slices' included.
    pub(crate) context: ReadContext,
    pub(crate) started: Instant,
}

impl<'a> Run<'a> {
    pub(crate) fn new(script: &'a ScriptRun, voice: Arc<Voice>) -> Self {
        let context = ReadContext::new(Arc::clone(&voice) as _).within(script.scan());
        Self {
            script,
            voice,
            context,
            started: Instant::now(),
        }
    }
}

/// Whose data a statement reads: of queries that are read row by row, each in its place.
pub(crate) async fn owners(work: Work<'_>, context: &ReadContext) -> Result<Vec<Owner>> {
    owners_or(work, &[], context).await
}

/// The same, where those of `known` stand for queries of a UNION ALL whose source does not answer: nothing is going
/// to be read of it.
async fn owners_or(work: Work<'_>, known: &[Owner], context: &ReadContext) -> Result<Vec<Owner>> {
    let sources: Vec<Arc<dyn Source>> = match work {
        Work::Rows(works) => works.iter().map(|it| Arc::clone(it.source())).collect(),
        Work::Whole(work) => work.sources(),
    };
    let mut owners = Vec::with_capacity(sources.len());
    for (number, source) in sources.iter().enumerate() {
        let known = known.get(number).filter(|_| is_union(work));
        owners.push(match (source.identity(context).await, known) {
            (Ok(identity), _) => Owner::from(identity),
            (Err(_), Some(known)) => known.clone(),
            (Err(error), None) => return Err(error),
        });
    }
    if let Work::Whole(_) = work {
        owners.sort();
        owners.dedup();
    }
    Ok(owners)
}

fn is_union(work: Work<'_>) -> bool {
    matches!(work, Work::Rows(works) if works.len() > 1)
}

/// Lists or looks up the repositories, which is done anyway: it says whose they are, and without it the
/// identity would cost a look-up of its own.
pub(crate) async fn list(work: Work<'_>, context: &ReadContext) -> Result<()> {
    let lists = match work {
        Work::Rows(works) => works
            .iter()
            .map(|work| (Arc::clone(work.source()), Arc::clone(work.scan())))
            .collect(),
        Work::Whole(work) => work.lists().await?,
    };
    for (source, plan) in lists {
        if plan.slices == SliceChoice::One {
            continue;
        }
        match source.slices(&plan, context).await {
            // What the lost name meant before, the survey knows, and whether other queries go on without this one.
            Err(error) if !is_lost(&error) && !is_union(work) => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// Says which names the destination shortens.
fn note_long_names(
    run: &Run<'_>,
    destination: &dyn Destination,
    table: &TableName,
    prepared: &Prepared,
) {
    let Some(longest) = destination.capabilities().longest_name else {
        return;
    };
    let columns = prepared.layout.columns.iter();
    let columns = columns.map(|column| column.field.name());
    let names = table.schema.iter().chain([&table.name]).chain(columns);
    for name in names.filter(|name| name.len() > longest) {
        run.voice.note(format!(
            "{name} has more than {longest} bytes: {} has a shorter name for it",
            destination.label()
        ));
    }
}

/// Runs a statement.
///
/// # Errors
/// Before the table is touched: what [`crate::replicate()`] refuses. Later: what ended the run, or
/// [`PARTIAL`](crate::code::PARTIAL); such an error carries a report. What was committed stays.
pub(crate) async fn run(
    run: &Run<'_>,
    work: Work<'_>,
    destination: &Arc<dyn Destination>,
    statement: &Statement,
) -> Result<Report, Unfinished> {
    let prepared = prepare(work, statement)?;
    prepared.notes.iter().for_each(|note| run.voice.note(note));
    let table = &statement.table;
    let target = (destination.label(), destination.fold(table));
    run.script
        .claim(target, &prepared.fingerprint.digest(), table)?;

    note_long_names(run, destination.as_ref(), table, &prepared);
    if statement.options.batch_size.is_some() && !destination.capabilities().batches {
        run.voice.note(format!(
            "BatchSize has no effect: {} takes the rows of a page one by one and commits them together",
            destination.label()
        ));
    }

    let load = destination.open(table, &run.script.holder()).await?;
    let standing = Standing::read(statement, load.status())?;
    list(work, &run.context).await?;
    let known = match &standing.record {
        Some(record) if standing.exists && record.fingerprint == prepared.fingerprint => {
            record.owners.as_slice()
        }
        _ => &[],
    };
    let owners = owners_or(work, known, &run.context).await?;
    standing.check_owner(table, &owners)?;
    standing.check_history(&prepared, statement)?;
    let approach = standing.approach(&prepared, statement);
    standing.check_schema(&prepared, statement, load.status())?;

    let job = Job {
        run,
        destination,
        statement,
        prepared: &prepared,
        standing,
        approach,
    };
    if job.standing.adopts {
        load.status().meet(table, &job.plan(Value::Null, false))?;
    }
    let mut record = Record::new(
        owners,
        prepared.fingerprint.clone(),
        statement.text.clone(),
        prepared.mode,
    );
    record.kept = match (&prepared.history, statement.options.deletes) {
        (Some(_), _) => Kept::Versions,
        (None, Deletes::Mark) => Kept::Marked,
        (None, Deletes::Remove | Deletes::Skip) => Kept::Nothing,
    };
    let staged = job.approach != Approach::Merge;
    let mut tally = Tally {
        staged,
        ..Tally::default()
    };
    let ended = match work {
        Work::Rows(works) => {
            let arms = prepared.arms(works);
            job.rows(&arms, &mut record, load, &mut tally).await
        }
        Work::Whole(work) => job.whole(work, &mut record, load, &mut tally).await,
    };
    let report = job.report(tally);
    run.voice.say(&Event::Ended { report: &report });
    match ended {
        Ok(()) => Ok(report),
        Err(error) => Err(Unfinished {
            error,
            report: Some(Box::new(report)),
        }),
    }
}
