//! Due times.

use bucketline_app::store::{Cursor, Page, PageRequest, SlotFilter};
use bucketline_app::{
    DueSlots, JobId, Origin, Overlap, Result, RunId, RunState, Slot, SlotPlan, TakenSlots,
};
use chrono::{DateTime, Utc};

use crate::database::{Transaction, values};
use crate::queue::Row;
use crate::{jobs, pages, queue};

pub(crate) async fn take(tx: &mut dyn Transaction, slots: &DueSlots) -> Result<TakenSlots> {
    jobs::lock_existing(tx, slots.job).await?;
    let fresh = fresh(tx, slots).await?;
    let run = match fresh.last() {
        Some(last) => Some(stand_for(tx, slots, &fresh, *last).await?),
        None => None,
    };
    let sql = "UPDATE jobs SET owed_from = ?2 WHERE id = ?1 AND owed_from < ?2";
    tx.execute(sql, &values![slots.job.0, slots.owed_from])
        .await?;
    let run = match run {
        Some(id) => Some(queue::existing(tx, id).await?),
        None => None,
    };
    Ok(TakenSlots { fresh, run })
}

/// Those that have no row yet.
async fn fresh(tx: &mut dyn Transaction, slots: &DueSlots) -> Result<Vec<DateTime<Utc>>> {
    let (Some(first), Some(last)) = (slots.due.first(), slots.due.last()) else {
        return Ok(Vec::new());
    };
    let sql = "SELECT due_at FROM slots WHERE job_id = ?1 AND due_at >= ?2 AND due_at <= ?3";
    let rows = tx.rows(sql, &values![slots.job.0, *first, *last]).await?;
    let taken: Result<Vec<_>> = rows.into_iter().map(|mut row| row.time()).collect();
    let mut fresh = slots.due.clone();
    let taken = taken?;
    fresh.retain(|due| !taken.contains(due));
    Ok(fresh)
}

/// Adds the run that stands for slots, and their rows.
async fn stand_for(
    tx: &mut dyn Transaction,
    slots: &DueSlots,
    fresh: &[DateTime<Utc>],
    last: DateTime<Utc>,
) -> Result<RunId> {
    let (state, reason) = match &slots.then {
        SlotPlan::Run { overlap, .. } => decide(tx, slots.job, *overlap).await?,
        SlotPlan::Missed { reason } => (RunState::Missed, Some(reason.clone())),
        SlotPlan::Skipped { reason } => (RunState::Skipped, Some(reason.clone())),
    };
    let row = Row {
        job: slots.job,
        origin: &Origin::Schedule,
        state,
        reason: reason.as_deref(),
        due: Some(last),
        slots: u32::try_from(fresh.len()).unwrap_or(u32::MAX),
        tasks: None,
        key: None,
        ready_at: match &slots.then {
            SlotPlan::Run { ready_at, .. } => *ready_at,
            SlotPlan::Missed { .. } | SlotPlan::Skipped { .. } => slots.at,
        },
        at: slots.at,
    };
    let run = queue::add(tx, &row).await?;
    for due in fresh {
        let sql = "INSERT INTO slots (job_id, due_at, run_id) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (job_id, due_at) DO NOTHING";
        tx.execute(sql, &values![slots.job.0, *due, run.0]).await?;
    }
    Ok(run)
}

/// Whether a run is queued although others may be active.
async fn decide(
    tx: &mut dyn Transaction,
    job: JobId,
    overlap: Overlap,
) -> Result<(RunState, Option<String>)> {
    let open = queue::open(tx, job).await?;
    let in_the_way = match overlap {
        Overlap::Skip => open.first(),
        Overlap::QueueOne => open.iter().find(|(_, is_held)| !is_held),
    };
    Ok(match in_the_way {
        None => (RunState::Queued, None),
        Some((run, true)) => (
            RunState::Skipped,
            Some(format!("run {run} was still active")),
        ),
        Some((run, false)) => (
            RunState::Skipped,
            Some(format!("run {run} was still queued")),
        ),
    })
}

pub(crate) async fn list(
    tx: &mut dyn Transaction,
    filter: &SlotFilter,
    page: &PageRequest,
) -> Result<Page<Slot>> {
    let mut conditions = pages::Conditions::default();
    conditions.add("job_id = ?", [filter.job.0]);
    if let Some(from) = filter.from {
        conditions.add("due_at >= ?", [from]);
    }
    if let Some(until) = filter.until {
        conditions.add("due_at < ?", [until]);
    }
    let total = conditions.count(tx, "slots").await?;
    if let Some(cursor) = &page.after {
        let [micros] = cursor.keys("slots")?;
        let micros = micros
            .parse()
            .ok()
            .and_then(DateTime::from_timestamp_micros);
        conditions.add("due_at < ?", [micros.ok_or_else(Cursor::bad)?]);
    }
    let sql = format!(
        "SELECT job_id, due_at, run_id FROM slots {conditions} ORDER BY due_at DESC LIMIT {}",
        page.size() + 1
    );
    let rows = tx.rows(&sql, conditions.values()).await?;
    let found = rows.into_iter().map(|mut row| {
        Ok(Slot {
            job: JobId(row.integer()?),
            due: row.time()?,
            run: RunId(row.integer()?),
        })
    });
    let found = found.collect::<Result<Vec<_>>>()?;
    Ok(pages::page("slots", found, page, total, |slot| {
        vec![slot.due.timestamp_micros().to_string()]
    }))
}
