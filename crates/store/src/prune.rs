//! Retention: history is removed in small steps.

use bucketline_app::store::{PruneRequest, Pruned};
use bucketline_app::{JobId, OriginKind, Result, RunId, RunState};
use chrono::{DateTime, TimeDelta, Utc};

use crate::database::{Row, Transaction, values};
use crate::{audit, counts, jobs, pages};

/// A job with history that may be too old.
struct Candidate {
    job: JobId,
    runs_before: DateTime<Utc>,
    most_runs: u64,
    events_before: DateTime<Utc>,
    kept: [i64; 2],
    runs: u64,
    oldest: Option<DateTime<Utc>>,
    oldest_events: Option<DateTime<Utc>>,
    is_deleted: bool,
}

impl Candidate {
    fn read(mut row: Row, request: &PruneRequest, at: DateTime<Utc>) -> Result<Self> {
        let keep = &request.keep;
        let before = |days: u32| at - TimeDelta::days(days.into());
        let job = JobId(row.integer()?);
        let days = row.optional_number()?.unwrap_or(keep.days);
        let most_runs = row.optional_number()?.unwrap_or(keep.runs);
        let event_days = row.optional_number()?.unwrap_or(keep.event_days);
        Ok(Self {
            job,
            runs_before: before(days),
            most_runs: most_runs.into(),
            events_before: before(event_days),
            kept: [
                row.optional_integer()?.unwrap_or(0),
                row.optional_integer()?.unwrap_or(0),
            ],
            runs: row.optional_number()?.unwrap_or(0),
            oldest: row.optional_time()?,
            oldest_events: row.optional_time()?,
            is_deleted: row.truth()?,
        })
    }
}

pub(crate) async fn prune(
    tx: &mut dyn Transaction,
    request: &PruneRequest,
    at: DateTime<Utc>,
) -> Result<Pruned> {
    let sql = "SELECT j.id, j.keep_days, j.keep_runs, j.keep_event_days, j.last_run, j.last_success, \
               (SELECT CAST(sum(c.runs) AS BIGINT) FROM run_counts c WHERE c.job_id = j.id), \
               (SELECT min(r.queued_at) FROM runs r WHERE r.job_id = j.id \
                AND (j.deleted_at IS NOT NULL OR r.id <> coalesce(j.last_run, 0) \
                AND r.id <> coalesce(j.last_success, 0))), \
               (SELECT min(r.queued_at) FROM runs r WHERE r.job_id = j.id AND r.events > 0), \
               j.deleted_at IS NOT NULL FROM jobs j ORDER BY j.id";
    let rows = tx.rows(sql, &[]).await?;
    let mut pruned = Pruned {
        more: audit::prune(tx, at).await?,
        ..Pruned::default()
    };
    for row in rows {
        let job = Candidate::read(row, request, at)?;
        if job.is_deleted && job.runs == 0 {
            tx.execute(
                "DELETE FROM run_counts WHERE job_id = ?1",
                &values![job.job.0],
            )
            .await?;
            tx.execute("DELETE FROM jobs WHERE id = ?1", &values![job.job.0])
                .await?;
            continue;
        }
        let left = request.most - u32::try_from(pruned.runs.len()).unwrap_or(request.most);
        let has_old = job.oldest.is_some_and(|oldest| oldest < job.runs_before);
        if has_old || job.runs > job.most_runs {
            if left == 0 {
                pruned.more = true;
                break;
            }
            pruned.runs.extend(remove_runs(tx, &job, left).await?);
        }
        let has_events = job
            .oldest_events
            .is_some_and(|oldest| oldest < job.events_before);
        if has_events {
            let left = u64::from(request.most).saturating_sub(pruned.events_of);
            if left == 0 {
                pruned.more = true;
                break;
            }
            pruned.events_of += remove_events(tx, &job, left).await?;
        }
    }
    let is_full = pruned.runs.len() as u64 >= u64::from(request.most)
        || pruned.events_of >= u64::from(request.most);
    pruned.more |= is_full;
    Ok(pruned)
}

/// Removes the oldest runs of a job that are too old or too many, with what belongs to them.
async fn remove_runs(tx: &mut dyn Transaction, job: &Candidate, most: u32) -> Result<Vec<RunId>> {
    jobs::lock(tx, job.job).await?;
    let kept = match job.is_deleted {
        true => pages::listed([0]),
        false => pages::listed(job.kept),
    };
    let too_many = job.runs.saturating_sub(job.most_runs);
    let sql = format!(
        "SELECT id, state, origin, queued_at FROM runs WHERE job_id = ?1 AND ended_at IS NOT NULL \
         AND id NOT IN ({kept}) ORDER BY queued_at, id LIMIT {most}"
    );
    let mut removed = Vec::new();
    for (index, mut row) in (0_u64..).zip(tx.rows(&sql, &values![job.job.0]).await?) {
        let id = RunId(row.integer()?);
        let (state, origin): (RunState, OriginKind) = (row.word()?, row.word()?);
        if row.time()? < job.runs_before || index < too_many {
            counts::remove(tx, job.job, state, origin).await?;
            removed.push(id);
        }
    }
    let ids = pages::listed(removed.iter().map(|id| id.0));
    // What belongs to them goes with them.
    tx.execute(&format!("DELETE FROM runs WHERE id IN ({ids})"), &[])
        .await?;
    Ok(removed)
}

/// Removes the events of the oldest runs of a job that have some.
async fn remove_events(tx: &mut dyn Transaction, job: &Candidate, most: u64) -> Result<u64> {
    let sql = format!(
        "SELECT id FROM runs WHERE job_id = ?1 AND events > 0 AND ended_at IS NOT NULL \
         AND queued_at < ?2 ORDER BY queued_at LIMIT {most}"
    );
    let rows = tx
        .rows(&sql, &values![job.job.0, job.events_before])
        .await?;
    let ids = rows.into_iter().map(|mut row| row.integer());
    let ids = ids.collect::<Result<Vec<_>>>()?;
    let listed = pages::listed(ids.iter().copied());
    tx.execute(
        &format!("DELETE FROM events WHERE run_id IN ({listed})"),
        &[],
    )
    .await?;
    let sql = format!("UPDATE runs SET events = 0 WHERE id IN ({listed})");
    tx.execute(&sql, &[]).await?;
    Ok(ids.len() as u64)
}
