//! What carries out the steps of a run.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::store::Claim;
use crate::{Failure, Job, NewEvent, Result, Run, SliceResult, Store, TaskRunId, Totals};

/// Carries out steps of runs: through the library in this process, or on other machines.
#[async_trait]
pub trait Runner: Send + Sync + Debug {
    /// Carries out one try of a step, to its end. What becomes of it goes to `report` meanwhile. When `stop` asks for
    /// it, the try ends early; see [`StopReason`]. A try that is dropped ends as one that is cancelled.
    async fn carry_out(&self, work: &Work, report: &Report, stop: &Stop) -> Outcome;
}

/// One try of one step of a run.
#[derive(Debug, Clone)]
pub struct Work {
    /// The try. No other try, in whichever run, has this number.
    pub id: TaskRunId,
    /// The run, as it was when this try of it began.
    pub run: Arc<Run>,
    /// The job, with the connections and the options that count.
    pub job: Arc<Job>,
    /// What is to be done.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Carries out the statement of a task, between the job's connections and with its options.
    Task {
        /// REPLICATE, CHECKCACHE or CACHE.
        statement: String,
    },
    /// Lists the tables of the job's source that are neither excluded nor have a task: [`Outcome::tables`].
    Discovery,
    /// Carries out statements in the job's destination, one after the other, up to the first that fails.
    Sql {
        /// The statements.
        script: String,
    },
    /// Tells an address how the run went, by a POST request.
    Webhook {
        /// The address.
        address: String,
        /// How it went.
        news: News,
    },
}

/// How a run went, for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Succeeded, partial or failed.
    pub state: crate::RunState,
    /// The first error.
    pub failure: Option<Failure>,
    /// The sums of its tasks.
    pub totals: Totals,
}

/// How a try of a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How.
    pub end: End,
    /// What it did.
    pub totals: Totals,
    /// The tables that [`Action::Discovery`] found, as a statement names them.
    pub tables: Vec<String>,
}

/// How a try of a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// All went well.
    Succeeded,
    /// A part of it was done.
    Partial(Fault),
    /// Nothing was done.
    Failed(Fault),
    /// It was stopped before its end.
    Stopped,
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The error.
    pub failure: Failure,
    /// Before when another try is of no use.
    pub retry_at: Option<DateTime<Utc>>,
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            retry_at: None,
        }
    }
}

impl From<&bucketline_core::Error> for Fault {
    fn from(error: &bucketline_core::Error) -> Self {
        Self {
            failure: Failure::from(error),
            retry_at: error.retry_at().map(DateTime::from),
        }
    }
}

impl Outcome {
    /// All went well.
    pub fn succeeded(totals: Totals) -> Self {
        Self::ended(End::Succeeded, totals)
    }

    /// It failed, after it had done `totals`.
    pub fn failed(fault: impl Into<Fault>, totals: Totals) -> Self {
        Self::ended(End::Failed(fault.into()), totals)
    }

    /// It ended so, after it had done `totals`.
    pub fn ended(end: End, totals: Totals) -> Self {
        Self {
            end,
            totals,
            tables: Vec::new(),
        }
    }
}

/// Takes down what becomes of a try while it is carried out. An error means that the store is gone or the run is
/// another node's now; the try goes on, since its rows are safe in the destination.
#[derive(Debug, Clone)]
pub struct Report {
    store: Arc<dyn Store>,
    claim: Claim,
    task: TaskRunId,
    event_cap: u32,
}

impl Report {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        claim: Claim,
        task: TaskRunId,
        event_cap: u32,
    ) -> Self {
        Self {
            store,
            claim,
            task,
            event_cap,
        }
    }

    /// What became of slices; one of the same name is replaced.
    ///
    /// # Errors
    /// See [`Report`].
    pub async fn slices(&self, slices: &[SliceResult]) -> Result<()> {
        self.store
            .record_slices(&self.claim, self.task, slices)
            .await
    }

    /// What happened. Events get the number of the try.
    ///
    /// # Errors
    /// See [`Report`].
    pub async fn events(&self, events: &[NewEvent]) -> Result<()> {
        let mut events = events.to_vec();
        for event in &mut events {
            event.task_run = Some(self.task);
        }
        let run = self.claim.run;
        self.store
            .append_events(run, &events, self.event_cap)
            .await?;
        Ok(())
    }

    /// That it waits, and for what; or that it goes on.
    ///
    /// # Errors
    /// See [`Report`].
    pub async fn waits(&self, reason: Option<&str>) -> Result<()> {
        self.store.set_waiting(&self.claim, reason).await
    }
}

/// Why a try is to end early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody cancelled the run, or it took too long: end at once. What was committed stays.
    Cancel,
    /// The program ends: commit what is under way, begin nothing more. The run goes on when the program is back.
    Shutdown,
}

/// Whether a try is to end early. Clones hear the same.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Option<StopReason>>);

impl Stop {
    /// The reason, if it is to end.
    pub fn asked(&self) -> Option<StopReason> {
        *self.0.borrow()
    }

    /// Waits until it is to end.
    pub async fn wait(&self) -> StopReason {
        match self.wait_for(Option::is_some).await {
            Some(reason) => reason,
            // Whoever could ask is gone.
            None => std::future::pending().await,
        }
    }

    /// Waits until it is to end at once.
    pub(crate) async fn cancelled(&self) {
        let cancelled = |asked: &Option<StopReason>| *asked == Some(StopReason::Cancel);
        if self.wait_for(cancelled).await.is_none() {
            std::future::pending().await
        }
    }

    async fn wait_for(
        &self,
        is_wanted: impl FnMut(&Option<StopReason>) -> bool,
    ) -> Option<StopReason> {
        let mut asked = self.0.clone();
        asked
            .wait_for(is_wanted)
            .await
            .ok()
            .and_then(|asked| *asked)
    }
}

/// The other end of [`Stop`].
#[derive(Debug)]
pub struct Stopper(watch::Sender<Option<StopReason>>);

impl Stopper {
    /// Nobody is to stop yet.
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), Stop(receiver))
    }

    /// Asks. Cancelling comes before a shutdown.
    pub fn stop(&self, reason: StopReason) {
        self.0.send_if_modified(|asked| {
            let is_news = match asked {
                None => true,
                Some(StopReason::Shutdown) => reason == StopReason::Cancel,
                Some(StopReason::Cancel) => false,
            };
            if is_news {
                *asked = Some(reason);
            }
            is_news
        });
    }
}
