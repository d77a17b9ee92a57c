//! Runs: how they are read and listed.

use bucketline_app::store::{Count, Cursor, Page, PageRequest, RunFilter};
use bucketline_app::{
    Failure, JobId, Kind, OriginKind, Result, Run, RunId, RunState, Totals, name,
};
use chrono::DateTime;

use crate::database::{Row, Transaction, Value, values};
use crate::definitions::part_pattern;
use crate::pages;

/// What [`totals`] reads.
pub(crate) const TOTALS: &str =
    "rows_read, rows_inserted, rows_updated, rows_deleted, requests, waited_ms";

/// What [`failure`] reads.
pub(crate) const FAILURE: &str = "failure_code, failure_kind, failure_message, failure_hint";

/// Up to so many rows are counted one by one.
const MOST_COUNTED: u64 = 10_000;

/// Up to so many jobs are looked through one by one for the runs that a text finds by their names.
const FEW_JOBS: usize = 50;

pub(crate) fn totals(row: &mut Row) -> Result<Totals> {
    Ok(Totals {
        read: row.number()?,
        inserted: row.number()?,
        updated: row.number()?,
        deleted: row.number()?,
        requests: row.number()?,
        waited_ms: row.number()?,
    })
}

pub(crate) fn totals_values(totals: &Totals) -> [Value; 6] {
    values![
        totals.read,
        totals.inserted,
        totals.updated,
        totals.deleted,
        totals.requests,
        totals.waited_ms,
    ]
}

pub(crate) fn failure(row: &mut Row) -> Result<Option<Failure>> {
    let (code, kind) = (row.optional_text()?, row.optional_text()?);
    let (message, hint) = (row.optional_text()?, row.optional_text()?);
    let failure = code.map(|code| Failure {
        code,
        // A newer version of the program may know more kinds.
        kind: kind.and_then(|kind| kind.parse().ok()).unwrap_or(Kind::Bug),
        message: message.unwrap_or_default(),
        hint,
    });
    Ok(failure)
}

pub(crate) fn failure_values(failure: Option<&Failure>) -> [Value; 4] {
    values![
        failure.map(|failure| &failure.code),
        failure.map(|failure| failure.kind.as_str()),
        failure.map(|failure| &failure.message),
        failure.and_then(|failure| failure.hint.as_ref()),
    ]
}

/// The columns of a run, whose table is called `r`, with the name of its job, whose table is called `j`.
fn columns() -> String {
    let own = [
        "id, job_id",
        "source, destination, origin_detail, state, reason, due_at, slots, tasks, attempt, queued_at, \
         ready_at, started_at, ended_at, node_name, node_id, cancel_asked",
        TOTALS,
        FAILURE,
        "events_dropped",
    ];
    let own = own.join(", ");
    let own: Vec<_> = own
        .split(", ")
        .map(|column| format!("r.{column}"))
        .collect();
    format!("j.name, {}", own.join(", "))
}

fn run(mut row: Row) -> Result<Run> {
    let job_name = row.text()?;
    Ok(Run {
        id: RunId(row.integer()?),
        job: JobId(row.integer()?),
        job_name,
        source: row.text()?,
        destination: row.text()?,
        origin: row.json()?,
        state: row.word()?,
        reason: row.optional_text()?,
        due: row.optional_time()?,
        slots: row.number()?,
        tasks: row.optional_json()?,
        attempt: row.number()?,
        queued_at: row.time()?,
        ready_at: row.time()?,
        started_at: row.optional_time()?,
        ended_at: row.optional_time()?,
        node: row.optional_text()?,
        is_held: row.optional_integer()?.is_some(),
        cancel_asked: row.truth()?,
        totals: totals(&mut row)?,
        failure: failure(&mut row)?,
        events_dropped: row.number()?,
    })
}

/// Runs of `from`, which calls their table `r`.
async fn find(
    tx: &mut dyn Transaction,
    from: &str,
    rest: &str,
    values: &[Value],
) -> Result<Vec<Run>> {
    let columns = columns();
    let sql = format!("SELECT {columns} FROM {from} JOIN jobs j ON j.id = r.job_id {rest}");
    let rows = tx.rows(&sql, values).await?;
    rows.into_iter().map(run).collect()
}

/// The run with that number.
pub(crate) async fn one(tx: &mut dyn Transaction, id: RunId) -> Result<Option<Run>> {
    let found = find(tx, "runs r", "WHERE r.id = ?1", &values![id.0]).await?;
    Ok(found.into_iter().next())
}

/// The runs with these numbers.
pub(crate) async fn numbered(tx: &mut dyn Transaction, ids: &str) -> Result<Vec<Run>> {
    find(tx, "runs r", &format!("WHERE r.id IN ({ids})"), &[]).await
}

/// The runs of these jobs that have not ended.
pub(crate) async fn open_of(tx: &mut dyn Transaction, jobs: &str) -> Result<Vec<Run>> {
    let from = format!("runs r{}", (tx.dialect().indexed_by)("runs_open"));
    let rest = format!("WHERE r.ended_at IS NULL AND r.job_id IN ({jobs}) ORDER BY r.id");
    find(tx, &from, &rest, &[]).await
}

/// The run of a job that was queued with a key.
pub(crate) async fn with_key(
    tx: &mut dyn Transaction,
    job: JobId,
    key: &str,
) -> Result<Option<Run>> {
    let rest = "WHERE r.job_id = ?1 AND r.run_key = ?2";
    let found = find(tx, "runs r", rest, &values![job.0, key]).await?;
    Ok(found.into_iter().next())
}

pub(crate) async fn list(
    tx: &mut dyn Transaction,
    filter: &RunFilter,
    page: &PageRequest,
) -> Result<Page<Run>> {
    let behind = match &page.after {
        Some(cursor) => Some(place(cursor.keys("runs")?)?),
        None => None,
    };
    let most = page.size() + 1;
    let mut found = Vec::new();
    for way in ways(tx, filter, behind).await? {
        found.extend(way.last(tx, most).await?);
    }
    found.sort_by_key(|run| std::cmp::Reverse((run.queued_at, run.id)));
    let total = match page.after.is_none() && found.len() < most as usize {
        true => Count::Exactly(found.len() as u64),
        false => count(tx, filter).await?,
    };
    Ok(pages::page("runs", found, page, total, |run| {
        vec![
            run.queued_at.timestamp_micros().to_string(),
            run.id.to_string(),
        ]
    }))
}

/// The sort keys of a run: when it was queued, in microseconds, and its number.
type Place = (Value, i64);

fn place(keys: [&str; 2]) -> Result<Place> {
    let [micros, id] = keys.map(|key| key.parse::<i64>().ok());
    let micros = micros.and_then(DateTime::from_timestamp_micros);
    match (micros, id) {
        (Some(time), Some(id)) => Ok((time.into(), id)),
        _ => Err(Cursor::bad()),
    }
}

/// Some of the runs that fit a filter, in the order of an index: so that finding the last ones never means that many others
/// are read.
struct Way {
    index: &'static str,
    conditions: pages::Conditions,
}

impl Way {
    fn new(index: &'static str, conditions: &pages::Conditions) -> Self {
        Self {
            index,
            conditions: conditions.clone(),
        }
    }

    fn from(&self, tx: &dyn Transaction) -> String {
        format!("runs r{}", (tx.dialect().indexed_by)(self.index))
    }

    /// The last runs.
    async fn last(&self, tx: &mut dyn Transaction, most: u32) -> Result<Vec<Run>> {
        let Self { conditions, .. } = self;
        let rest = format!("{conditions} ORDER BY r.queued_at DESC, r.id DESC LIMIT {most}");
        let from = self.from(tx);
        find(tx, &from, &rest, conditions.values()).await
    }

    /// How many runs there are, at most `most`.
    async fn count(&self, tx: &mut dyn Transaction, most: u64) -> Result<u64> {
        let Self { conditions, .. } = self;
        let of_jobs = match conditions.to_string().contains("j.") {
            true => " JOIN jobs j ON j.id = r.job_id",
            false => "",
        };
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM {}{of_jobs} {conditions} LIMIT {most}) AS found",
            self.from(tx)
        );
        tx.number(&sql, conditions.values()).await
    }
}

/// The ways to all runs that fit; no run is on two of them.
async fn ways(
    tx: &mut dyn Transaction,
    filter: &RunFilter,
    behind: Option<Place>,
) -> Result<Vec<Way>> {
    let mut times = pages::Conditions::default();
    if let Some(from) = filter.from {
        times.add("r.queued_at >= ?", [from]);
    }
    if let Some(until) = filter.until {
        times.add("r.queued_at < ?", [until]);
    }
    if let Some((time, id)) = behind {
        times.add("(r.queued_at, r.id) < (?, ?)", [time, id.into()]);
    }
    let mut all = times.clone();
    all.add_one_of("r.state", &words(&filter.states, RunState::word));
    all.add_one_of("r.origin", &words(&filter.origins, OriginKind::word));
    if let Some(job) = filter.job {
        all.add("r.job_id = ?", [job.0]);
    }
    if let Some(text) = &filter.text {
        return ways_to_text(tx, filter, text, &all).await;
    }
    if filter.job.is_some() {
        return Ok(vec![Way::new("runs_job", &all)]);
    }
    if filter.states.is_empty() && filter.origins.is_empty() {
        return Ok(vec![Way::new("runs_queued", &all)]);
    }
    let mut ways = Vec::new();
    for (state, origin) in kinds(tx, filter).await? {
        let mut of_kind = times.clone();
        of_kind.add("r.state = ?", [state]);
        of_kind.add("r.origin = ?", [origin]);
        ways.push(Way::new("runs_kind", &of_kind));
    }
    Ok(ways)
}

fn words<T: Copy>(members: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
    members.iter().map(|member| word(*member)).collect()
}

/// The states and origins of a filter, as conditions on `run_counts`.
fn counted(filter: &RunFilter) -> pages::Conditions {
    let mut conditions = pages::Conditions::default();
    if let Some(job) = filter.job {
        conditions.add("job_id = ?", [job.0]);
    }
    conditions.add_one_of("state", &words(&filter.states, RunState::word));
    conditions.add_one_of("origin", &words(&filter.origins, OriginKind::word));
    conditions
}

/// The pairs of state and origin that there are among those of the filter.
async fn kinds(tx: &mut dyn Transaction, filter: &RunFilter) -> Result<Vec<(String, String)>> {
    let counted = counted(filter);
    let sql = format!(
        "SELECT state, origin FROM run_counts {counted} GROUP BY state, origin HAVING sum(runs) > 0"
    );
    let rows = tx.rows(&sql, counted.values()).await?;
    let kinds = rows
        .into_iter()
        .map(|mut row| Ok((row.text()?, row.text()?)));
    kinds.collect()
}

/// The runs whose job's name contains a text, and those of other jobs whose failure does.
async fn ways_to_text(
    tx: &mut dyn Transaction,
    filter: &RunFilter,
    text: &str,
    all: &pages::Conditions,
) -> Result<Vec<Way>> {
    let name = part_pattern(&name::key(text));
    let like = tx.dialect().like;
    let pattern = part_pattern(text);
    let mut failed = all.clone();
    let condition = format!(
        "r.failure_code IS NOT NULL AND (r.failure_code {like} ? ESCAPE '\\' \
         OR r.failure_message {like} ? ESCAPE '\\') AND NOT j.name_key LIKE ? ESCAPE '\\'"
    );
    failed.add(&condition, [&pattern, &pattern, &name]);
    let index = match filter.job {
        Some(_) => "runs_job",
        None => "runs_failure",
    };
    let mut ways = vec![Way::new(index, &failed)];
    let sql = format!(
        "SELECT id FROM jobs WHERE name_key LIKE ?1 ESCAPE '\\' ORDER BY id LIMIT {}",
        FEW_JOBS + 1
    );
    let jobs = tx.rows(&sql, &values![&name]).await?;
    if jobs.len() > FEW_JOBS {
        let mut of_jobs = all.clone();
        of_jobs.add("j.name_key LIKE ? ESCAPE '\\'", [name]);
        let index = match filter.job {
            Some(_) => "runs_job",
            None => "runs_queued",
        };
        ways.push(Way::new(index, &of_jobs));
        return Ok(ways);
    }
    for mut job in jobs {
        let job = job.integer()?;
        if filter.job.is_none_or(|wanted| wanted.0 == job) {
            let mut of_job = all.clone();
            of_job.add("r.job_id = ?", [job]);
            ways.push(Way::new("runs_job", &of_job));
        }
    }
    Ok(ways)
}

/// How many runs fit. Jobs, states and origins are counted as runs change; times and texts are counted here.
async fn count(tx: &mut dyn Transaction, filter: &RunFilter) -> Result<Count> {
    if filter.text.is_none() && filter.from.is_none() && filter.until.is_none() {
        let counted = counted(filter);
        let sql = format!("SELECT CAST(sum(runs) AS BIGINT) FROM run_counts {counted}");
        return Ok(Count::Exactly(tx.number(&sql, counted.values()).await?));
    }
    let mut found = 0;
    for way in ways(tx, filter, None).await? {
        found += way.count(tx, MOST_COUNTED + 1 - found).await?;
        if found > MOST_COUNTED {
            return Ok(Count::AtLeast(MOST_COUNTED));
        }
    }
    Ok(Count::Exactly(found))
}
