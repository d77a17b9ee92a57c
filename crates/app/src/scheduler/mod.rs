//! The scheduler: slots become runs, runs are carried out within limits, tried again, followed, and forgotten in time.
//!
//! What is decided in one place for all nodes (one row for each slot, one active run for each job, the limits) is
//! decided by the store, in one transaction each. The scheduler keeps nothing that a restart would lose.

mod again;
mod agenda;
mod attempt;
mod follow;
mod ledger;
mod patience;
mod serve;
mod step;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use tokio::sync::Notify;

pub use again::failed_tasks;
pub use follow::follow_problems;

use crate::runner::Runner;
use crate::store::{CancelAnswer, Change, Limits, NewNode, QueueAnswer, Store};
use crate::{Clock, JobId, Keep, NewRun, Origin, Result, RunId, TaskId};

/// What a scheduler goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The process.
    pub node: NewNode,
    /// The time zone of schedules that name none.
    pub zone: Tz,
    /// Runs at once. A destination of the type SQLite takes one at a time, unless it is named here.
    pub limits: Limits,
    /// How long history is kept, where a job says nothing else.
    pub keep: Keep,
    /// How often history is looked through for what is too old.
    pub prune_every: Duration,
    /// Runs that lose their history at once, before others have a turn.
    pub prune_step: u32,
    /// Events that are kept of one run, errors aside.
    pub event_cap: u32,
    /// How often a node says that it lives, and looks for what others left it.
    pub beat: Duration,
    /// After how long without a beat a node is given up. Longer than a few beats.
    pub silence: Duration,
    /// Interruptions in a row that a run survives; one more, and it fails.
    pub interruptions: u32,
    /// How long steps have to end after they were asked to.
    pub grace: Duration,
}

impl Settings {
    /// The usual settings.
    pub fn new(node: NewNode) -> Self {
        Self {
            node,
            zone: Tz::UTC,
            limits: Limits::default(),
            keep: Keep::default(),
            prune_every: Duration::from_secs(3600),
            prune_step: 100,
            event_cap: 10_000,
            beat: Duration::from_secs(4),
            silence: Duration::from_secs(12),
            interruptions: 5,
            grace: Duration::from_secs(30),
        }
    }
}

/// Takes the slots of jobs and carries out their runs, as one of the nodes of a store.
#[derive(Debug)]
pub struct Scheduler {
    shared: Arc<Shared>,
    signals: Arc<Signals>,
}

/// What the scheduler and the tries of its runs share.
#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    runner: Arc<dyn Runner>,
    clock: Arc<dyn Clock>,
    settings: Settings,
}

impl Shared {
    async fn now(&self) -> Result<DateTime<Utc>> {
        patience::patiently(&*self.clock, "reading the clock", || self.clock.now()).await
    }
}

/// What the scheduler hears from outside.
#[derive(Debug, Default)]
struct Signals {
    wake: Notify,
    shutdown: Notify,
}

/// Asks a scheduler for something, from whichever task.
#[derive(Debug, Clone)]
pub struct Handle {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    signals: Arc<Signals>,
}

impl Scheduler {
    /// A scheduler that has not begun yet.
    pub fn new(
        store: Arc<dyn Store>,
        runner: Arc<dyn Runner>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                runner,
                clock,
                settings,
            }),
            signals: Arc::default(),
        }
    }

    /// What others ask it by.
    pub fn handle(&self) -> Handle {
        Handle {
            store: Arc::clone(&self.shared.store),
            clock: Arc::clone(&self.shared.clock),
            signals: Arc::clone(&self.signals),
        }
    }
}

impl Handle {
    /// Looks at once for what there is to do: after a job, a connection or a run was changed.
    pub fn wake(&self) {
        self.signals.wake.notify_one();
    }

    /// Ends the scheduler: statements under way commit, the rest is marked to go on later.
    pub fn shut_down(&self) {
        self.signals.shutdown.notify_one();
    }

    /// Queues a run of a job, under the rules of all runs: it takes its turn within the limits, and a job that has an
    /// active run gets no second one. `tasks` are all that are enabled, if absent; the same `key` gives the same run.
    ///
    /// # Errors
    /// If there is no such job, or the store cannot be used.
    pub async fn run(
        &self,
        job: JobId,
        origin: Origin,
        tasks: Option<Vec<TaskId>>,
        key: Option<String>,
    ) -> Result<QueueAnswer> {
        let at = self.clock.now().await?;
        let run = NewRun {
            job,
            origin,
            tasks,
            ready_at: at,
            key,
        };
        let answer = self.store.queue_run(&run, at).await?;
        self.wake();
        Ok(answer)
    }

    /// Cancels a run.
    ///
    /// # Errors
    /// If there is no such run, or the store cannot be used.
    pub async fn cancel(&self, run: RunId, change: &Change) -> Result<CancelAnswer> {
        let answer = self.store.cancel_run(run, change).await?;
        self.wake();
        Ok(answer)
    }
}
