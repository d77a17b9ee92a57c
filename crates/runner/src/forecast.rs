//! How many requests a statement is going to make.

use bucketline::{Event, Session};
use bucketline_app::runner::Work;
use bucketline_app::{Result, RunState, Store};
use futures::StreamExt;

use crate::workbench::Forecast;

/// A run that made no more than this is taken for what the next one does. After a longer one, such as the first load, the
/// next is another.
const USUAL: u64 = 100;

/// What the last run of this task took, if it succeeded and took little.
pub(crate) async fn by_history(
    store: &dyn Store,
    work: &Work,
    statement: &str,
) -> Result<Option<u64>> {
    let entry = store.job(work.run.job).await?;
    let last = entry.and_then(|entry| entry.last);
    let Some(last) = last.filter(|last| last.state == RunState::Succeeded) else {
        return Ok(None);
    };
    let tries = store.task_runs(last.id).await?;
    let mut same = tries.iter().rev().filter(|it| it.statement == statement);
    let requests = same.next().map(|it| it.totals.requests);
    Ok(requests.filter(|requests| *requests <= USUAL))
}

/// What the plan of a statement says, in numbers and in words. Makes requests to look up names.
pub(crate) async fn by_plan(session: &Session, statement: &str) -> (Option<u64>, Vec<String>) {
    let (mut requests, mut words) = (None, Vec::new());
    let mut planned = session.plan(statement);
    while let Some(event) = planned.next().await {
        match event {
            Event::Rows(batch) => {
                let rows = crate::rows::rows(&batch);
                requests = rows
                    .into_iter()
                    .filter_map(|row| Forecast::of(None, row).requests)
                    .reduce(|sum, more| sum.saturating_add(more));
            }
            Event::Message(sum) => words.push(sum),
            _ => {}
        }
    }
    (requests, words)
}
