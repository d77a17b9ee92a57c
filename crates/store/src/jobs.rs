//! Jobs and their tasks.

use std::collections::HashMap;

use bucketline_app::store::{Change, JobFilter, Page, PageRequest};
use bucketline_app::{
    Error, FollowStep, Job, JobEntry, JobId, Pause, Problem, Problems, Result, Revision, Stored,
    Task, TaskId, name,
};
use bucketline_core::code;

use crate::database::{Row, Transaction, Value, not_found, of_json, to_json, values};
use crate::definitions::{
    self, STORED, label_keys, label_pattern, must_be, name_taken, part_pattern, stored, touch,
    with_value,
};
use crate::{audit, pages, queue, runs};

/// A row of `jobs`, without its tasks.
struct Found {
    entry: JobEntry,
    last_run: Option<i64>,
}

const COLUMNS: &str = "name, source, destination, definition, paused_at, paused_why, failures, \
                       owed_from, last_run";

fn found(mut row: Row) -> Result<Found> {
    let stored = stored(&mut row, JobId)?;
    let (name, source, destination) = (row.text()?, row.text()?, row.text()?);
    let definition: Job = of_json(&row.text()?)?;
    let job = Job {
        name,
        source,
        destination,
        ..definition
    };
    let (paused_at, paused_why) = (row.optional_time()?, row.optional_text()?);
    Ok(Found {
        entry: JobEntry {
            job: with_value(stored, job),
            paused: paused_at.zip(paused_why).map(|(at, why)| Pause { at, why }),
            failures: row.number()?,
            owed_from: row.time()?,
            active: None,
            last: None,
        },
        last_run: row.optional_integer()?,
    })
}

/// Jobs with their tasks and runs.
async fn find(tx: &mut dyn Transaction, rest: &str, values: &[Value]) -> Result<Vec<JobEntry>> {
    let sql = format!("SELECT {STORED}, {COLUMNS} FROM jobs {rest}");
    let rows = tx.rows(&sql, values).await?;
    let mut jobs: Vec<Found> = rows.into_iter().map(found).collect::<Result<_>>()?;
    let ids = pages::listed(jobs.iter().map(|job| job.entry.job.id.0));
    let mut tasks = tasks(tx, &ids).await?;
    let mut active = HashMap::new();
    for run in runs::open_of(tx, &ids).await? {
        let known = active.entry(run.job).or_insert_with(|| run.clone());
        // The one that is held comes first.
        if !known.is_held && run.is_held {
            *known = run;
        }
    }
    let last = jobs.iter().filter_map(|job| job.last_run);
    let last = runs::numbered(tx, &pages::listed(last)).await?;
    let mut last: HashMap<_, _> = last.into_iter().map(|run| (run.job, run)).collect();
    for job in &mut jobs {
        let entry = &mut job.entry;
        entry.job.value.tasks = tasks.remove(&entry.job.id).unwrap_or_default();
        entry.active = active.remove(&entry.job.id);
        entry.last = last.remove(&entry.job.id);
    }
    Ok(jobs.into_iter().map(|job| job.entry).collect())
}

/// The tasks of jobs, in their order.
async fn tasks(tx: &mut dyn Transaction, jobs: &str) -> Result<HashMap<JobId, Vec<Task>>> {
    let sql = format!(
        "SELECT job_id, id, statement, enabled FROM tasks WHERE job_id IN ({jobs}) \
         ORDER BY job_id, position, id"
    );
    let mut found: HashMap<JobId, Vec<Task>> = HashMap::new();
    for mut row in tx.rows(&sql, &[]).await? {
        let job = JobId(row.integer()?);
        found.entry(job).or_default().push(Task {
            id: Some(TaskId(row.integer()?)),
            statement: row.text()?,
            enabled: row.truth()?,
        });
    }
    Ok(found)
}

pub(crate) async fn list(
    tx: &mut dyn Transaction,
    filter: &JobFilter,
    page: &PageRequest,
) -> Result<Page<JobEntry>> {
    let mut conditions = pages::Conditions::default();
    conditions.add("deleted_at IS NULL", [] as [Value; 0]);
    if let Some(text) = &filter.text {
        conditions.add(
            "name_key LIKE ? ESCAPE '\\'",
            [part_pattern(&name::key(text))],
        );
    }
    if let Some(label) = &filter.label {
        conditions.add("label_keys LIKE ? ESCAPE '\\'", [label_pattern(label)]);
    }
    if let Some(connection) = &filter.connection {
        let key = name::key(connection);
        conditions.add(
            "(source_key = ? OR destination_key = ?)",
            [key.clone(), key],
        );
    }
    match filter.scheduled {
        Some(true) => conditions.add("(scheduled AND paused_at IS NULL)", [] as [Value; 0]),
        Some(false) => conditions.add("NOT (scheduled AND paused_at IS NULL)", [] as [Value; 0]),
        None => {}
    }
    let states: Vec<_> = filter.last.iter().map(|state| state.word()).collect();
    conditions.add_one_of("last_state", &states);
    let total = conditions.count(tx, "jobs").await?;
    if let Some(cursor) = &page.after {
        let [after] = cursor.keys("jobs")?;
        conditions.add("name_key > ?", [after]);
    }
    let rest = format!("{conditions} ORDER BY name_key LIMIT {}", page.size() + 1);
    let found = find(tx, &rest, conditions.values()).await?;
    Ok(pages::page("jobs", found, page, total, |entry| {
        vec![name::key(&entry.job.value.name)]
    }))
}

pub(crate) async fn numbered(tx: &mut dyn Transaction, id: JobId) -> Result<Option<JobEntry>> {
    let found = find(tx, "WHERE id = ?1 AND deleted_at IS NULL", &values![id.0]).await?;
    Ok(found.into_iter().next())
}

pub(crate) async fn named(tx: &mut dyn Transaction, name: &str) -> Result<Option<JobEntry>> {
    let rest = "WHERE name_key = ?1 AND deleted_at IS NULL";
    let found = find(tx, rest, &values![name::key(name)]).await?;
    Ok(found.into_iter().next())
}

async fn existing(tx: &mut dyn Transaction, id: JobId) -> Result<JobEntry> {
    let found = numbered(tx, id).await?;
    found.ok_or_else(|| not_found("job", id.0))
}

/// The job as a claim hands it out.
pub(crate) async fn stored_job(tx: &mut dyn Transaction, id: JobId) -> Result<Stored<JobId, Job>> {
    Ok(existing(tx, id).await?.job)
}

/// Keeps others from changing what becomes of the job's runs until the transaction ends. Returns whether the job is
/// still there.
pub(crate) async fn lock(tx: &mut dyn Transaction, id: JobId) -> Result<bool> {
    let sql = format!(
        "SELECT deleted_at FROM jobs WHERE id = ?1{}",
        tx.dialect().for_update
    );
    match tx.row(&sql, &values![id.0]).await? {
        Some(mut row) => Ok(row.optional_time()?.is_none()),
        None => Ok(false),
    }
}

/// The same, which fails if the job is not there.
pub(crate) async fn lock_existing(tx: &mut dyn Transaction, id: JobId) -> Result<()> {
    match lock(tx, id).await? {
        true => Ok(()),
        false => Err(not_found("job", id.0)),
    }
}

fn check(job: &Job) -> Result<()> {
    Problems::check(&format!("job {}", job.name), job.problems())
}

/// What stands in `definition`: the job without what has columns of its own.
fn definition(job: &Job) -> Result<String> {
    to_json(&Job {
        name: String::new(),
        source: String::new(),
        destination: String::new(),
        tasks: Vec::new(),
        ..job.clone()
    })
}

fn is_scheduled(job: &Job) -> bool {
    job.schedule
        .as_ref()
        .is_some_and(|schedule| schedule.enabled)
}

/// The values of the columns that a definition has: parameters 2 to 14.
fn columns(id: i64, job: &Job) -> Result<Vec<Value>> {
    let keep = job.keep.as_ref();
    Ok(values![
        id,
        &job.name,
        name::key(&job.name),
        &job.source,
        name::key(&job.source),
        &job.destination,
        name::key(&job.destination),
        definition(job)?,
        label_keys(&job.labels),
        is_scheduled(job),
        job.pause_after,
        keep.map(|keep| keep.days),
        keep.map(|keep| keep.runs),
        keep.map(|keep| keep.event_days),
    ]
    .to_vec())
}

pub(crate) async fn create(
    tx: &mut dyn Transaction,
    job: &Job,
    change: &Change,
) -> Result<JobEntry> {
    check(job)?;
    definitions::begin(tx).await?;
    if named(tx, &job.name).await?.is_some() {
        return Err(name_taken("job", &job.name));
    }
    let sql = "INSERT INTO jobs (name, name_key, source, source_key, destination, destination_key, \
               definition, label_keys, scheduled, pause_after, keep_days, keep_runs, \
               keep_event_days, revision, created_at, changed_at, changed_by, owed_from) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 1, ?14, ?14, ?15, ?14) \
               RETURNING id";
    let mut row = columns(0, job)?.split_off(1);
    row.extend(values![change.at, &change.by]);
    let made = tx.row(sql, &row).await?;
    let id = match made {
        Some(mut row) => JobId(row.integer()?),
        None => return Err(name_taken("job", &job.name)),
    };
    set_tasks(tx, id, &[], &job.tasks).await?;
    audit::note(tx, change, "job.create", &job.name, [None, Some(job)]).await?;
    existing(tx, id).await
}

pub(crate) async fn replace(
    tx: &mut dyn Transaction,
    id: JobId,
    job: &Job,
    revision: Revision,
    change: &Change,
) -> Result<JobEntry> {
    check(job)?;
    definitions::begin(tx).await?;
    lock_existing(tx, id).await?;
    let before = existing(tx, id).await?.job;
    must_be("job", &before.value.name, before.revision, revision)?;
    let other = named(tx, &job.name).await?;
    if other.is_some_and(|other| other.job.id != id) {
        return Err(name_taken("job", &job.name));
    }
    let sql = "UPDATE jobs SET name = ?2, name_key = ?3, source = ?4, source_key = ?5, \
               destination = ?6, destination_key = ?7, definition = ?8, label_keys = ?9, \
               scheduled = ?10, pause_after = ?11, keep_days = ?12, keep_runs = ?13, \
               keep_event_days = ?14 WHERE id = ?1";
    tx.execute(sql, &columns(id.0, job)?).await?;
    if before.value.schedule != job.schedule {
        owe_from(tx, id, change).await?;
    }
    set_tasks(tx, id, &before.value.tasks, &job.tasks).await?;
    touch(tx, "jobs", id.0, change).await?;
    if before.value.name != job.name {
        rename_followed(tx, &before.value.name, &job.name, change).await?;
    }
    audit::note(
        tx,
        change,
        "job.replace",
        &job.name,
        [Some(&before.value), Some(job)],
    )
    .await?;
    existing(tx, id).await
}

async fn owe_from(tx: &mut dyn Transaction, id: JobId, change: &Change) -> Result<()> {
    let sql = "UPDATE jobs SET owed_from = ?2 WHERE id = ?1";
    tx.execute(sql, &values![id.0, change.at]).await?;
    Ok(())
}

/// Gives a job these tasks: those with a number are among those that it has.
async fn set_tasks(
    tx: &mut dyn Transaction,
    job: JobId,
    before: &[Task],
    tasks: &[Task],
) -> Result<()> {
    let is_known = |task: &Task| before.iter().any(|known| known.id == task.id);
    let foreign = |(_, task): &(usize, &Task)| task.id.is_some() && !is_known(task);
    if let Some((index, _)) = tasks.iter().enumerate().find(foreign) {
        let place = format!("tasks[{index}].id");
        let problem = Problem::new(place, code::store::NOT_FOUND, "the job has no such task")
            .with_hint("leave the number out to add a new task");
        return Problems::check(&format!("job {job}"), vec![problem]);
    }
    let kept = tasks.iter().filter_map(|task| task.id).map(|id| id.0);
    // No task has the number 0.
    let kept = pages::listed(kept.chain([0]));
    let sql = format!("DELETE FROM tasks WHERE job_id = ?1 AND id NOT IN ({kept})");
    tx.execute(&sql, &values![job.0]).await?;
    for (position, task) in (0_u32..).zip(tasks) {
        match task.id {
            Some(id) => {
                let sql =
                    "UPDATE tasks SET position = ?2, statement = ?3, enabled = ?4 WHERE id = ?1";
                let row = values![id.0, position, &task.statement, task.enabled];
                tx.execute(sql, &row).await?;
            }
            None => add_task(tx, job, position, task).await?,
        }
    }
    Ok(())
}

async fn add_task(tx: &mut dyn Transaction, job: JobId, position: u32, task: &Task) -> Result<()> {
    let sql = "INSERT INTO tasks (job_id, position, statement, enabled) VALUES (?1, ?2, ?3, ?4)";
    let row = values![job.0, position, &task.statement, task.enabled];
    tx.execute(sql, &row).await?;
    Ok(())
}

pub(crate) async fn append_tasks(
    tx: &mut dyn Transaction,
    id: JobId,
    tasks: &[Task],
    change: &Change,
) -> Result<Vec<Task>> {
    definitions::begin(tx).await?;
    lock_existing(tx, id).await?;
    let mut job = existing(tx, id).await?.job.value;
    let first = job.tasks.len();
    for task in tasks {
        let text = task.statement.trim();
        if !job.tasks.iter().any(|known| known.statement.trim() == text) {
            job.tasks.push(Task {
                id: None,
                ..task.clone()
            });
        }
    }
    if job.tasks.len() == first {
        return Ok(Vec::new());
    }
    check(&job)?;
    for (position, task) in (0_u32..).zip(&job.tasks).skip(first) {
        add_task(tx, id, position, task).await?;
    }
    touch(tx, "jobs", id.0, change).await?;
    let mut changed = existing(tx, id).await?.job.value;
    let added = changed.tasks.split_off(first);
    audit::note(
        tx,
        change,
        "job.add_tasks",
        &changed.name,
        [None, Some(&added)],
    )
    .await?;
    Ok(added)
}

pub(crate) async fn delete(
    tx: &mut dyn Transaction,
    id: JobId,
    revision: Revision,
    change: &Change,
) -> Result<()> {
    definitions::begin(tx).await?;
    lock_existing(tx, id).await?;
    let found = existing(tx, id).await?;
    let name = &found.job.value.name;
    must_be("job", name, found.job.revision, revision)?;
    if let Some(run) = found.active.as_ref().filter(|run| run.is_held) {
        let message = format!("run {} of the job `{name}` is {}", run.id, run.state);
        return Err(Error::new(code::store::IN_USE, message)
            .with_hint("cancel it, and delete the job when it has ended"));
    }
    let key = name::key(name);
    let followed = |job: &&Job| {
        name::key(&job.name) != key && follows(job).any(|other| name::key(other) == key)
    };
    let all = definitions_of_all(tx).await?;
    if let Some(other) = all.iter().map(|(_, job)| job).find(followed) {
        let message = format!("the job `{name}` runs after the job `{}`", other.name);
        return Err(Error::new(code::store::IN_USE, message).with_hint("remove it there first"));
    }
    queue::cancel_queued(tx, id, "the job was deleted", change).await?;
    tx.execute("DELETE FROM tasks WHERE job_id = ?1", &values![id.0])
        .await?;
    let sql = "UPDATE jobs SET deleted_at = ?2 WHERE id = ?1";
    tx.execute(sql, &values![id.0, change.at]).await?;
    touch(tx, "jobs", id.0, change).await?;
    let before = &found.job.value;
    audit::note(tx, change, "job.delete", name, [Some(before), None]).await
}

pub(crate) async fn pause(
    tx: &mut dyn Transaction,
    id: JobId,
    pause: Option<&Pause>,
    change: &Change,
) -> Result<JobEntry> {
    definitions::begin(tx).await?;
    lock_existing(tx, id).await?;
    let before = existing(tx, id).await?;
    let sql = "UPDATE jobs SET paused_at = ?2, paused_why = ?3 WHERE id = ?1";
    let row = values![
        id.0,
        pause.map(|pause| pause.at),
        pause.map(|pause| &pause.why)
    ];
    tx.execute(sql, &row).await?;
    if pause.is_none() && before.paused.is_some() {
        owe_from(tx, id, change).await?;
        tx.execute("UPDATE jobs SET failures = 0 WHERE id = ?1", &values![id.0])
            .await?;
    }
    let action = match pause {
        Some(_) => "job.pause",
        None => "job.resume",
    };
    let object = &before.job.value.name;
    audit::note(tx, change, action, object, [None, pause]).await?;
    existing(tx, id).await
}

/// The names of jobs that read or write a connection.
pub(crate) async fn that_use(tx: &mut dyn Transaction, connection: &str) -> Result<Vec<String>> {
    let sql = "SELECT name FROM jobs WHERE deleted_at IS NULL \
               AND (source_key = ?1 OR destination_key = ?1) ORDER BY name_key";
    let rows = tx.rows(sql, &values![name::key(connection)]).await?;
    rows.into_iter().map(|mut row| row.text()).collect()
}

/// Lets jobs follow the new name of a connection.
pub(crate) async fn rename_connection(
    tx: &mut dyn Transaction,
    before: &str,
    after: &str,
    change: &Change,
) -> Result<()> {
    for (column, key) in [("source", "source_key"), ("destination", "destination_key")] {
        let sql = format!(
            "UPDATE jobs SET {column} = ?2, {key} = ?3, revision = revision + 1, changed_at = ?4, \
             changed_by = ?5 WHERE {key} = ?1 AND deleted_at IS NULL"
        );
        let row = values![
            name::key(before),
            after,
            name::key(after),
            change.at,
            &change.by
        ];
        tx.execute(&sql, &row).await?;
    }
    Ok(())
}

/// The names of the jobs that follow one.
fn follows(job: &Job) -> impl Iterator<Item = &str> {
    job.after.iter().filter_map(|follow| match &follow.step {
        FollowStep::Job(name) => Some(name.as_str()),
        FollowStep::Sql(_) | FollowStep::Webhook(_) => None,
    })
}

/// All jobs without their tasks and runs.
async fn definitions_of_all(tx: &mut dyn Transaction) -> Result<Vec<(JobId, Job)>> {
    let sql = format!("SELECT {STORED}, {COLUMNS} FROM jobs WHERE deleted_at IS NULL ORDER BY id");
    let rows = tx.rows(&sql, &[]).await?;
    let jobs = rows.into_iter().map(|row| {
        let job = found(row)?.entry.job;
        Ok((job.id, job.value))
    });
    jobs.collect()
}

/// Lets jobs that name another as what follows name it anew.
async fn rename_followed(
    tx: &mut dyn Transaction,
    before: &str,
    after: &str,
    change: &Change,
) -> Result<()> {
    let key = name::key(before);
    for (id, mut job) in definitions_of_all(tx).await? {
        if !follows(&job).any(|name| name::key(name) == key) {
            continue;
        }
        for follow in &mut job.after {
            if let FollowStep::Job(name) = &mut follow.step
                && name::key(name) == key
            {
                after.clone_into(name);
            }
        }
        let sql = "UPDATE jobs SET definition = ?2 WHERE id = ?1";
        tx.execute(sql, &values![id.0, definition(&job)?]).await?;
        touch(tx, "jobs", id.0, change).await?;
    }
    Ok(())
}
