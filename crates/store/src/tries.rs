//! Tries of tasks, and what became of their slices.

use bucketline_app::store::Claim;
use bucketline_app::{
    JobId, NewTaskRun, Result, RunId, RunState, SliceResult, Step, TaskEnding, TaskRun, TaskRunId,
};
use chrono::{DateTime, Utc};

use crate::database::{Row, Transaction, Value, not_found, to_json, values};
use crate::queue;
use crate::runs::{FAILURE, TOTALS, failure, failure_values, totals, totals_values};

const COLUMNS: &str =
    "id, run_id, step, attempt, statement, table_name, state, started_at, ended_at";

fn task_run(mut row: Row) -> Result<TaskRun> {
    Ok(TaskRun {
        id: TaskRunId(row.integer()?),
        run: RunId(row.integer()?),
        step: row.json()?,
        attempt: row.number()?,
        statement: row.text()?,
        table: row.optional_text()?,
        state: row.word()?,
        started_at: row.time()?,
        ended_at: row.optional_time()?,
        totals: totals(&mut row)?,
        failure: failure(&mut row)?,
    })
}

async fn find(tx: &mut dyn Transaction, rest: &str, values: &[Value]) -> Result<Vec<TaskRun>> {
    let sql = format!("SELECT {COLUMNS}, {TOTALS}, {FAILURE} FROM task_runs {rest}");
    let rows = tx.rows(&sql, values).await?;
    rows.into_iter().map(task_run).collect()
}

pub(crate) async fn begin(
    tx: &mut dyn Transaction,
    claim: &Claim,
    task: &NewTaskRun,
) -> Result<TaskRunId> {
    queue::hold(tx, claim).await?;
    let id = match &task.step {
        Step::Task { task } => Some(task.0),
        Step::After { .. } | Step::Discovery => None,
    };
    let sql = "INSERT INTO task_runs \
               (run_id, task_id, step, attempt, statement, table_name, state, started_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'running', ?7) RETURNING id";
    let row = values![
        claim.run.0,
        id,
        to_json(&task.step)?,
        claim.attempt,
        &task.statement,
        task.table.as_ref(),
        task.at,
    ];
    let made = tx.row(sql, &row).await?;
    let mut made = made.ok_or_else(|| not_found("run", claim.run.0))?;
    Ok(TaskRunId(made.integer()?))
}

/// Fails unless the try belongs to the run.
async fn must_belong(tx: &mut dyn Transaction, run: RunId, task: TaskRunId) -> Result<()> {
    let sql = "SELECT id FROM task_runs WHERE id = ?1 AND run_id = ?2";
    match tx.row(sql, &values![task.0, run.0]).await? {
        Some(_) => Ok(()),
        None => Err(not_found("task run", task.0)),
    }
}

pub(crate) async fn record(
    tx: &mut dyn Transaction,
    claim: &Claim,
    task: TaskRunId,
    slices: &[SliceResult],
) -> Result<()> {
    queue::hold(tx, claim).await?;
    must_belong(tx, claim.run, task).await?;
    let sql = format!(
        "INSERT INTO slices (task_run_id, slice, outcome, elapsed_ms, {TOTALS}, {FAILURE}) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
         ON CONFLICT (task_run_id, slice) DO UPDATE SET outcome = excluded.outcome, \
         elapsed_ms = excluded.elapsed_ms, rows_read = excluded.rows_read, \
         rows_inserted = excluded.rows_inserted, rows_updated = excluded.rows_updated, \
         rows_deleted = excluded.rows_deleted, requests = excluded.requests, \
         waited_ms = excluded.waited_ms, failure_code = excluded.failure_code, \
         failure_kind = excluded.failure_kind, \
         failure_message = excluded.failure_message, failure_hint = excluded.failure_hint"
    );
    for slice in slices {
        let mut row = values![task.0, &slice.slice, &slice.outcome, slice.elapsed_ms].to_vec();
        row.extend(totals_values(&slice.totals));
        row.extend(failure_values(slice.failure.as_ref()));
        tx.execute(&sql, &row).await?;
    }
    Ok(())
}

pub(crate) async fn end(
    tx: &mut dyn Transaction,
    claim: &Claim,
    task: TaskRunId,
    ending: &TaskEnding,
) -> Result<()> {
    queue::hold(tx, claim).await?;
    must_belong(tx, claim.run, task).await?;
    let mut row = values![task.0, ending.state.word(), ending.at].to_vec();
    row.extend(totals_values(&ending.totals));
    row.extend(failure_values(ending.failure.as_ref()));
    let sql = "UPDATE task_runs SET state = ?2, ended_at = ?3, rows_read = ?4, rows_inserted = ?5, \
               rows_updated = ?6, rows_deleted = ?7, requests = ?8, waited_ms = ?9, \
               failure_code = ?10, failure_kind = ?11, failure_message = ?12, \
               failure_hint = ?13 \
               WHERE id = ?1 AND ended_at IS NULL";
    // Ending the same try again changes nothing.
    if tx.execute(sql, &row).await? == 1 {
        let mut row = values![claim.run.0].to_vec();
        row.extend(totals_values(&ending.totals));
        let sql = "UPDATE runs SET rows_read = rows_read + ?2, rows_inserted = rows_inserted + ?3, \
                   rows_updated = rows_updated + ?4, rows_deleted = rows_deleted + ?5, \
                   requests = requests + ?6, waited_ms = waited_ms + ?7 WHERE id = ?1";
        tx.execute(sql, &row).await?;
    }
    Ok(())
}

/// Ends the tries of a run that have not ended.
pub(crate) async fn end_open(
    tx: &mut dyn Transaction,
    run: RunId,
    state: RunState,
    at: DateTime<Utc>,
) -> Result<()> {
    let sql =
        "UPDATE task_runs SET state = ?2, ended_at = ?3 WHERE run_id = ?1 AND ended_at IS NULL";
    tx.execute(sql, &values![run.0, state.word(), at]).await?;
    Ok(())
}

pub(crate) async fn of_run(tx: &mut dyn Transaction, run: RunId) -> Result<Vec<TaskRun>> {
    find(tx, "WHERE run_id = ?1 ORDER BY id", &values![run.0]).await
}

pub(crate) async fn last_of_job(tx: &mut dyn Transaction, job: JobId) -> Result<Vec<TaskRun>> {
    let rest = "WHERE id IN (SELECT (SELECT max(l.id) FROM task_runs l WHERE l.task_id = t.id) \
                FROM tasks t WHERE t.job_id = ?1) ORDER BY id";
    find(tx, rest, &values![job.0]).await
}

pub(crate) async fn slices(tx: &mut dyn Transaction, task: TaskRunId) -> Result<Vec<SliceResult>> {
    let sql = format!(
        "SELECT slice, outcome, {TOTALS}, elapsed_ms, {FAILURE} FROM slices \
         WHERE task_run_id = ?1 ORDER BY slice"
    );
    let rows = tx.rows(&sql, &values![task.0]).await?;
    let slices = rows.into_iter().map(|mut row| {
        Ok(SliceResult {
            slice: row.text()?,
            outcome: row.text()?,
            totals: totals(&mut row)?,
            elapsed_ms: row.number()?,
            failure: failure(&mut row)?,
        })
    });
    slices.collect()
}
