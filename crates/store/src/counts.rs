//! How many runs there are in each state, kept up to date with each change.

use bucketline_app::{JobId, OriginKind, Result, RunState};

use crate::database::{Transaction, values};

/// A run of the job came into this state.
pub(crate) async fn add(
    tx: &mut dyn Transaction,
    job: JobId,
    state: RunState,
    origin: OriginKind,
) -> Result<()> {
    let sql = "INSERT INTO run_counts (job_id, state, origin, runs) VALUES (?1, ?2, ?3, 1) \
               ON CONFLICT (job_id, state, origin) DO UPDATE SET runs = run_counts.runs + 1";
    tx.execute(sql, &values![job.0, state.word(), origin.word()])
        .await?;
    Ok(())
}

/// A run of the job left this state.
pub(crate) async fn remove(
    tx: &mut dyn Transaction,
    job: JobId,
    state: RunState,
    origin: OriginKind,
) -> Result<()> {
    let sql =
        "UPDATE run_counts SET runs = runs - 1 WHERE job_id = ?1 AND state = ?2 AND origin = ?3";
    tx.execute(sql, &values![job.0, state.word(), origin.word()])
        .await?;
    Ok(())
}
