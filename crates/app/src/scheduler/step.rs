//! The steps of a try: each with a row from its beginning to its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bucketline_core::{Error, code};
use futures::{FutureExt, StreamExt, stream};

use super::Shared;
use super::attempt::Attempt;
use super::ledger::{Ledger, Tally};
use super::patience::patiently;
use crate::runner::{Action, End, Fault, Outcome, Report, Stop, StopReason, Stopper, Work};
use crate::{Job, NewTaskRun, Result, RunState, Step, Task, TaskEnding, TaskId, Totals};

impl Attempt {
    /// Carries out the tasks that have not succeeded yet. When they have taken too long, they are stopped and the run
    /// fails; what follows a failed run follows.
    pub(super) async fn tasks_within_limit(
        &self,
        job: &Arc<Job>,
        ledger: &Ledger<'_>,
        tally: &mut Tally,
    ) -> Result<()> {
        let clock = &self.shared.clock;
        let seconds = job.limits.timeout;
        let limit = async {
            match seconds {
                0 => std::future::pending().await,
                seconds => clock.sleep(Duration::from_secs(seconds.into())).await,
            }
        };
        let (stopper, stop) = Stopper::new();
        let mut is_late = false;
        {
            let mut tasks = std::pin::pin!(self.tasks(job, &stop, ledger, tally));
            let ended = tokio::select! {
                biased;
                ended = &mut tasks => Some(ended),
                reason = self.stop.wait() => {
                    stopper.stop(reason);
                    None
                }
                () = limit => {
                    stopper.stop(StopReason::Cancel);
                    is_late = true;
                    None
                }
            };
            match ended {
                Some(ended) => ended?,
                None => self.passing_on(&stopper, tasks).await?,
            }
        }
        if is_late && tally.has_stopped() && self.stop.asked().is_none() {
            let error = Error::new(
                code::scheduler::TIMEOUT,
                format!("the tasks took longer than the job's limit of {seconds} s"),
            )
            .with_hint("raise the limit or split the job; what was committed stays");
            tally.count(&End::Failed(Fault::from(&error)));
        }
        Ok(())
    }

    /// Waits for `tasks`, which were asked to stop, and passes on what they are asked by others.
    async fn passing_on<T>(&self, stopper: &Stopper, tasks: impl Future<Output = T>) -> T {
        let passing_on = async {
            stopper.stop(self.stop.wait().await);
            self.stop.cancelled().await;
            stopper.stop(StopReason::Cancel);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            ended = tasks => ended,
            () = passing_on => unreachable!("it never ends"),
        }
    }

    async fn tasks(
        &self,
        job: &Arc<Job>,
        stop: &Stop,
        ledger: &Ledger<'_>,
        tally: &mut Tally,
    ) -> Result<()> {
        let wanted = job.tasks.iter().filter_map(|task| {
            let id = task.id?;
            self.wants(id, task.enabled).then(|| (id, task.clone()))
        });
        let open: Vec<(TaskId, Task)> = wanted
            .filter(|(task, _)| ledger.is_open(&Step::Task { task: *task }, tally))
            .collect();
        let at_once = usize::try_from(job.limits.parallel_tasks.max(1)).unwrap_or(1);
        let mut ends = stream::iter(open)
            .map(|(id, task)| self.task(job, stop, id, task))
            .buffer_unordered(at_once);
        while let Some(end) = ends.next().await {
            tally.count(&end?);
        }
        Ok(())
    }

    fn wants(&self, task: TaskId, is_enabled: bool) -> bool {
        match &self.run().tasks {
            Some(chosen) => chosen.contains(&task),
            None => is_enabled,
        }
    }

    async fn task(&self, job: &Arc<Job>, stop: &Stop, id: TaskId, task: Task) -> Result<End> {
        if stop.asked().is_some() {
            return Ok(End::Stopped);
        }
        let action = Action::Task {
            statement: task.statement.clone(),
        };
        let step = Step::Task { task: id };
        let table = task.table();
        let outcome = self
            .step(job, stop, step, task.statement, table, action)
            .await?;
        Ok(outcome.end)
    }

    /// One try of a step, from its row's beginning to its row's end.
    pub(super) async fn step(
        &self,
        job: &Arc<Job>,
        stop: &Stop,
        step: Step,
        statement: String,
        table: Option<String>,
        action: Action,
    ) -> Result<Outcome> {
        let Shared { store, clock, .. } = &*self.shared;
        let claim = &self.claimed.claim;
        let new = NewTaskRun {
            step,
            statement,
            table,
            at: self.shared.now().await?,
        };
        let id = patiently(&**clock, "beginning a task", || {
            store.begin_task(claim, &new)
        })
        .await?;
        let work = Work {
            id,
            run: Arc::new(self.run().clone()),
            job: Arc::clone(job),
            action,
        };
        let outcome = self.carried_out(&work, stop).await;
        let (state, failure) = match &outcome.end {
            End::Succeeded => (RunState::Succeeded, None),
            End::Partial(fault) => (RunState::Partial, Some(fault.failure.clone())),
            End::Failed(fault) => (RunState::Failed, Some(fault.failure.clone())),
            End::Stopped => (RunState::Cancelled, None),
        };
        let ending = TaskEnding {
            state,
            totals: outcome.totals,
            failure,
            at: self.shared.now().await?,
        };
        patiently(&**clock, "ending a task", || {
            store.end_task(claim, id, &ending)
        })
        .await?;
        Ok(outcome)
    }

    /// What the runner makes of it, even if it panics or does not stop.
    async fn carried_out(&self, work: &Work, stop: &Stop) -> Outcome {
        let Shared {
            store,
            clock,
            runner,
            settings,
        } = &*self.shared;
        let report = Report::new(
            Arc::clone(store),
            self.claimed.claim,
            work.id,
            settings.event_cap,
        );
        let out_of_grace = async {
            stop.wait().await;
            clock.sleep(settings.grace).await;
        };
        let carried_out = AssertUnwindSafe(runner.carry_out(work, &report, stop)).catch_unwind();
        let outcome = tokio::select! {
            biased;
            outcome = carried_out => outcome.unwrap_or_else(|_| defect("it panicked")),
            () = out_of_grace => Outcome::ended(End::Stopped, Totals::default()),
        };
        if outcome.end == End::Stopped && stop.asked().is_none() {
            return defect("it stopped although nobody asked for it");
        }
        outcome
    }
}

fn defect(what: &str) -> Outcome {
    let error = Error::new(
        code::scheduler::PANIC,
        format!("a defect of the program ended the step: {what}"),
    )
    .with_hint("report it, with the program's log");
    Outcome::failed(&error, Totals::default())
}
