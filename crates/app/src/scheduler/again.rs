//! What a run left undone.

use std::collections::BTreeMap;

use bucketline_core::{Error, code};

use crate::{Job, Result, Run, RunState, Step, Store, TaskId};

/// The tasks of a run that did not succeed in it, as far as the job still has them, for another run. `None` are all: the
/// run did not come as far as its tasks.
///
/// # Errors
/// If the run has not ended, or nothing of it failed.
pub async fn failed_tasks(store: &dyn Store, run: &Run, job: &Job) -> Result<Option<Vec<TaskId>>> {
    if !run.state.is_final() || run.state == RunState::Succeeded {
        let message = format!("run {} is {}: there is nothing to retry", run.id, run.state);
        return Err(Error::new(code::store::WRONG_STATE, message));
    }
    // Of several tries the last counts; they come in order.
    let mut last: BTreeMap<TaskId, RunState> = BTreeMap::new();
    for tried in store.task_runs(run.id).await? {
        if let Step::Task { task } = tried.step {
            last.insert(task, tried.state);
        }
    }
    if last.is_empty() {
        return Ok(run.tasks.clone());
    }
    let wanted = job.tasks.iter().filter(|task| match (&run.tasks, task.id) {
        (Some(chosen), Some(id)) => chosen.contains(&id),
        (None, Some(_)) => task.enabled,
        (_, None) => false,
    });
    let open: Vec<TaskId> = wanted
        .filter_map(|task| task.id)
        .filter(|id| last.get(id) != Some(&RunState::Succeeded))
        .collect();
    if open.is_empty() {
        let message = format!("all tasks of run {} succeeded, or are gone", run.id);
        let error = Error::new(code::store::WRONG_STATE, message);
        return Err(error.with_hint("start the job to repeat what follows it"));
    }
    Ok(Some(open))
}
