//! `bucketline app`: the application's store from the command line.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use bucketline_app::files::{self, Application, Difference, Texts};
use bucketline_app::store::{Change, JobFilter, PageRequest, QueueAnswer, RunFilter};
use bucketline_app::{Origin, Run, RunState};
use chrono::{DateTime, SecondsFormat, Utc};

use crate::application::{Parts, migrate};
use crate::arguments::{AppArguments, AppCommand};
use crate::ending::Ending;
use crate::error::{Error, Result};
use crate::interrupt::Interrupts;
use crate::output::Output;
use crate::settings::Settings;

/// Who changes what is changed here, until there are accounts.
const BY: &str = "command line";

/// Jobs or runs of a page.
const PAGE: u32 = 200;

/// Carries a command out.
pub(crate) async fn app(
    arguments: &AppArguments,
    settings: &Settings,
    output: &mut Output,
    interrupts: &Interrupts,
) -> Result<Ending> {
    let AppArguments { command, store } = arguments;
    match command {
        AppCommand::Migrate => {
            let steps = migrate(store, settings).await?.into_iter();
            print(output, ["Step"], steps.map(|step| [Some(step)]).collect())?;
            Ok(Ending::Success)
        }
        AppCommand::RotateKey => {
            let parts = Parts::open(store, settings).await?;
            rotate_key(&parts, output).await
        }
        AppCommand::Jobs => {
            let parts = Parts::look(store, settings).await?;
            jobs(parts.as_ref(), output).await
        }
        AppCommand::History { job, limit } => {
            let parts = Parts::look(store, settings).await?;
            history(parts.as_ref(), job.as_deref(), *limit, output).await
        }
        AppCommand::Run { job } => {
            let parts = Parts::open(store, settings).await?;
            run(&parts, job, output, interrupts).await
        }
        AppCommand::Export { folder } => {
            let application = match Parts::look(store, settings).await? {
                Some(parts) => Application::of(&*parts.store).await?,
                None => Application::default(),
            };
            application.to_texts()?.write_to(folder)?;
            Ok(Ending::Success)
        }
        AppCommand::Apply {
            folder,
            plan,
            remove,
        } => {
            let to_read = match plan {
                true => Parts::look(store, settings).await?,
                false => None,
            };
            let parts = match to_read {
                Some(parts) => parts,
                None => Parts::open(store, settings).await?,
            };
            apply(&parts, folder, *plan, *remove, output).await
        }
    }
}

/// Brings the store to what files say, and prints what was done about each difference, or would be.
async fn apply(
    parts: &Parts,
    folder: &Path,
    only_plan: bool,
    removes: bool,
    output: &mut Output,
) -> Result<Ending> {
    let wanted = Texts::of_folder(folder)?.read()?;
    let store = &*parts.store;
    let done = match only_plan {
        true => files::plan(store, &wanted, removes).await?,
        false => {
            let change = Change::new(BY, parts.clock.now().await?);
            files::apply(store, &wanted, removes, &change).await?
        }
    };
    let row = |difference: &Difference| [Some(difference.to_string())];
    print(output, ["Difference"], done.iter().map(row).collect())?;
    Ok(Ending::Success)
}

/// Seals all secrets by a new key. Whenever it is killed, every secret has its key.
async fn rotate_key(parts: &Parts, output: &mut Output) -> Result<Ending> {
    // A file that is given has its new key on the first line.
    if parts.vault.is_ours() {
        parts.vault.renew()?;
    }
    let change = Change::new(BY, parts.clock.now().await?);
    let done = parts.store.reseal(&change).await?;
    parts.vault.forget_others(&done.used)?;
    let mut rows = vec![[Some(format!("{} sealed by the new key", done.sealed))]];
    let left = done.left.into_iter();
    rows.extend(left.map(|secret| {
        [Some(format!(
            "{secret}: no key here opens it; enter it again"
        ))]
    }));
    print(output, ["Secrets"], rows)?;
    Ok(Ending::Success)
}

async fn jobs(parts: Option<&Parts>, output: &mut Output) -> Result<Ending> {
    let mut rows = Vec::new();
    let mut next = Some(PageRequest::first(PAGE));
    while let (Some(parts), Some(page)) = (parts, next) {
        let now = parts.clock.now().await?;
        let listed = parts.store.jobs(&JobFilter::default(), &page).await?;
        for entry in listed.items {
            let job = entry.job.value;
            let schedule = job.schedule.as_ref();
            let read = schedule.and_then(|it| it.read(parts.zone).ok());
            let is_on = schedule.is_some_and(|it| it.enabled) && entry.paused.is_none();
            let due = read
                .as_ref()
                .filter(|_| is_on)
                .and_then(|it| it.next_after(now));
            let last = entry.last.as_ref();
            rows.push([
                Some(job.name),
                Some(job.source),
                Some(job.destination),
                read.map(|it| format!("{} ({})", it.describe(), it.zone())),
                due.map(|due| time(due.with_timezone(&Utc))),
                last.map(|run| run.state.to_string()),
                last.and_then(|run| run.ended_at).map(time),
            ]);
        }
        next = listed.next.map(|next| PageRequest::after(next, PAGE));
    }
    let columns = [
        "Job",
        "Source",
        "Destination",
        "Schedule",
        "NextDue",
        "LastRun",
        "LastEnded",
    ];
    print(output, columns, rows)?;
    Ok(Ending::Success)
}

async fn history(
    parts: Option<&Parts>,
    job: Option<&str>,
    limit: u32,
    output: &mut Output,
) -> Result<Ending> {
    let no_job = |name: &str| Error::NoJob {
        name: name.to_owned(),
    };
    let Some(Parts { store, .. }) = parts else {
        return match job {
            Some(name) => Err(no_job(name)),
            None => print_runs(output, &[]).map(|()| Ending::Success),
        };
    };
    let mut filter = RunFilter::default();
    if let Some(name) = job {
        let found = store.job_named(name).await?;
        let found = found.ok_or_else(|| no_job(name))?;
        filter.job = Some(found.job.id);
    }
    let runs = store.runs(&filter, &PageRequest::first(limit)).await?.items;
    print_runs(output, &runs)?;
    Ok(Ending::Success)
}

/// Runs a job as `serve` would, and waits for its end. What else is due meanwhile runs, too.
async fn run(
    parts: &Parts,
    job: &str,
    output: &mut Output,
    interrupts: &Interrupts,
) -> Result<Ending> {
    let found = parts.store.job_named(job).await?;
    let found = found.ok_or_else(|| Error::NoJob {
        name: job.to_owned(),
    })?;
    let scheduler = parts.scheduler();
    let handle = scheduler.handle();
    let origin = Origin::Person {
        name: BY.to_owned(),
    };
    let queued = match handle.run(found.job.id, origin, None, None).await? {
        QueueAnswer::Queued(run) | QueueAnswer::Active(run) | QueueAnswer::Repeated(run) => run,
    };
    let stopped = interrupts.stopped();
    let scheduling = tokio::spawn(scheduler.serve());
    let ended = async {
        loop {
            let now = parts.store.run(queued.id).await?;
            match now {
                Some(run) if !run.state.is_final() => {}
                now => return Ok::<_, Error>(now),
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let ended = tokio::select! {
        stop = stopped => Err(stop),
        ended = ended => Ok(ended?),
    };
    handle.shut_down();
    scheduling
        .await
        .map_err(std::io::Error::other)
        .map_err(Error::Output)??;
    let run = match ended {
        Err(stop) => return Ok(stop.into()),
        Ok(None) => return Ok(Ending::Failed),
        Ok(Some(run)) => run,
    };
    let ending = match run.state {
        RunState::Succeeded => Ending::Success,
        RunState::Partial => Ending::Partial,
        _ => Ending::Failed,
    };
    print_runs(output, &[run])?;
    Ok(ending)
}

fn print_runs(output: &mut Output, runs: &[Run]) -> Result<()> {
    let row = |run: &Run| {
        let took = run.started_at.zip(run.ended_at);
        let took = took.map(|(start, end)| {
            let millis = (end - start).num_milliseconds();
            format!("{}.{} s", millis / 1000, millis % 1000 / 100)
        });
        let figure = |number: u64| Some(number.to_string());
        let why = run
            .failure
            .as_ref()
            .map(|it| format!("{} [{}]", it.message, it.code));
        [
            Some(run.id.to_string()),
            Some(run.job_name.clone()),
            Some(run.state.to_string()),
            Some(time(run.queued_at)),
            took,
            figure(run.totals.read),
            figure(run.totals.inserted),
            figure(run.totals.updated),
            figure(run.totals.deleted),
            figure(run.totals.requests),
            why.or_else(|| run.reason.clone()),
        ]
    };
    let columns = [
        "Run", "Job", "State", "Queued", "Took", "Read", "Inserted", "Updated", "Deleted",
        "Requests", "Why",
    ];
    print(output, columns, runs.iter().map(row).collect())
}

fn time(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Prints a table of texts.
fn print<const N: usize>(
    output: &mut Output,
    columns: [&str; N],
    rows: Vec<[Option<String>; N]>,
) -> Result<()> {
    let column = |index: usize| -> ArrayRef {
        let cells: StringArray = rows.iter().map(|row| row[index].as_deref()).collect();
        Arc::new(cells)
    };
    let columns = columns.iter().enumerate();
    let batch = RecordBatch::try_from_iter(columns.map(|(index, name)| (*name, column(index))));
    let batch = batch.map_err(|error| Error::Output(std::io::Error::other(error)))?;
    output
        .begin(&batch.schema())
        .and_then(|()| output.rows(&batch))
        .and_then(|()| output.end(true))
        .map_err(Error::Output)
}
