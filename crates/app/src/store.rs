//! What keeps connections, jobs, runs and their history.

mod claim;
mod page;
mod prune;
mod stored;

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use self::claim::{
    Beat, CancelAnswer, Claim, Claimed, Ending, Finished, Limits, NewNode, Node, QueueAnswer,
    Reclaimed, Retrying, Silence,
};
pub use self::page::{
    ConnectionFilter, Count, Cursor, EventFilter, JobFilter, Page, PageRequest, RunFilter,
    SlotFilter,
};
pub use self::prune::{PruneRequest, Pruned};
pub use self::stored::{Change, Revision, Stored};
use crate::vault::{Resealed, Revealed, SecretsState};
use crate::{
    Connection, ConnectionEntry, ConnectionId, ConnectionTest, DueSlots, Event, Job, JobEntry,
    JobId, NewEvent, NewRun, NewTaskRun, NodeId, Pause, Result, Run, RunId, SliceResult, Slot,
    TakenSlots, Task, TaskEnding, TaskRun, TaskRunId,
};

/// Changes the text that is kept of a budget: from the text, which is empty at first, and the time of the store's clock,
/// to the text to keep. `None` keeps it as it is.
pub type BudgetChange = Box<dyn FnOnce(&str, DateTime<Utc>) -> Option<String> + Send>;

/// The tokens of a sign-in, which nobody else uses meanwhile.
#[async_trait]
pub trait TokenGuard: Send + Sync + Debug {
    /// The text that is kept, if there is one.
    async fn read(&self) -> Result<Option<String>>;

    /// Keeps a text in the place of the one before it. Fails if the guard was lost meanwhile.
    async fn save(&mut self, sealed: &str) -> Result<()>;
}

/// What keeps the application: one SQLite file of one process, or a PostgreSQL database that several nodes share.
///
/// Each operation is one transaction: it happens as a whole or not at all, and an error says that it did not happen
/// (after a lost connection it may have; all operations can be repeated safely, since those that must not happen twice
/// carry a revision, a claim, a slot or a key). Operations are given the present time, so that rules run on a
/// simulated clock; [`Store::now`] is the clock of the store, which all nodes share.
///
/// Names of connections and jobs are compared without regard to the case of letters. Times are kept in microseconds.
///
/// # Errors
/// The codes are those of `bucketline_core::code::store`. Every operation can fail because the store cannot be used
/// (BL0310 and above). Operations on something by its number fail with `NOT_FOUND` if there is none, those with a
/// [`Revision`] with `CHANGED` if it is an old one, those with a [`Claim`] with `FENCED` if the run was given to another
/// node. What is saved is checked: a connection or a job with [`Problem`](crate::Problem)s is refused with BL0001.
#[async_trait]
pub trait Store: Send + Sync + Debug {
    /// The time of the store's clock.
    async fn now(&self) -> Result<DateTime<Utc>>;

    /// Whether nodes of other processes may use it at the same time.
    fn is_shared(&self) -> bool;

    /// Whether it answers and takes writes.
    async fn check(&self) -> Result<()>;

    /// A number that grows with every change of a connection or a job, made by any node.
    async fn generation(&self) -> Result<u64>;

    // Connections

    /// Connections by name.
    async fn connections(
        &self,
        filter: &ConnectionFilter,
        page: &PageRequest,
    ) -> Result<Page<ConnectionEntry>>;

    /// The connection of that name.
    async fn connection(&self, name: &str) -> Result<Option<ConnectionEntry>>;

    /// Adds a connection, and seals its secrets. Fails with `NAME_TAKEN` if there is one of that name, with `NO_KEY` if a
    /// secret cannot be sealed.
    async fn create_connection(
        &self,
        connection: &Connection,
        change: &Change,
    ) -> Result<ConnectionEntry>;

    /// Replaces a connection. If it gets another name, jobs name it so from then on. A secret that is `***` stays as it is
    /// stored, unless the connection's address changes.
    async fn replace_connection(
        &self,
        id: ConnectionId,
        connection: &Connection,
        revision: Revision,
        change: &Change,
    ) -> Result<ConnectionEntry>;

    /// Removes a connection. Fails with `IN_USE` if a job names it.
    async fn delete_connection(
        &self,
        id: ConnectionId,
        revision: Revision,
        change: &Change,
    ) -> Result<()>;

    /// Keeps how a test ended, unless the connection has another revision by now. Makes no new revision.
    async fn note_test(
        &self,
        id: ConnectionId,
        revision: Revision,
        test: &ConnectionTest,
    ) -> Result<()>;

    /// The connection of that name with its secrets, for whoever uses it.
    async fn reveal(&self, name: &str) -> Result<Option<Revealed>>;

    /// Which secrets can be opened.
    async fn secrets_state(&self) -> Result<SecretsState>;

    /// Seals all secrets by the current key, those that a key here opens.
    async fn reseal(&self, change: &Change) -> Result<Resealed>;

    // Jobs

    /// Jobs by name.
    async fn jobs(&self, filter: &JobFilter, page: &PageRequest) -> Result<Page<JobEntry>>;

    /// The job with that number.
    async fn job(&self, id: JobId) -> Result<Option<JobEntry>>;

    /// The job of that name.
    async fn job_named(&self, name: &str) -> Result<Option<JobEntry>>;

    /// Adds a job, which owes slots from now on. Its tasks get their numbers. Fails with `NAME_TAKEN` if there is one of
    /// that name.
    async fn create_job(&self, job: &Job, change: &Change) -> Result<JobEntry>;

    /// Replaces a job. Its tasks are those given, in their order: one with a number stays the same task, one without is
    /// new, one that is missing is gone. If the schedule differs, slots are owed from now on. If the job gets another
    /// name, jobs that it follows name it so.
    async fn replace_job(
        &self,
        id: JobId,
        job: &Job,
        revision: Revision,
        change: &Change,
    ) -> Result<JobEntry>;

    /// Appends tasks to whatever the job has now, passing over statements that it has already. What a run of a Sync
    /// All job does when it finds new tables. Returns the tasks that were added.
    async fn append_tasks(&self, id: JobId, tasks: &[Task], change: &Change) -> Result<Vec<Task>>;

    /// Removes a job; what is queued of it is cancelled, its history stays until it is pruned. Fails with `IN_USE` if a
    /// run of it is held by a node, or another job names it as what follows.
    async fn delete_job(&self, id: JobId, revision: Revision, change: &Change) -> Result<()>;

    /// Pauses a job's schedule, or lets it go on. What was due in a pause is not owed. Going on forgets the failures in
    /// a row. Makes no new revision.
    async fn pause_job(
        &self,
        id: JobId,
        pause: Option<&Pause>,
        change: &Change,
    ) -> Result<JobEntry>;

    // Slots

    /// Gives slots their rows and decides in the same transaction what becomes of them; see [`DueSlots`]. Slots that
    /// have a row, made by whichever node, stay as they are.
    async fn take_slots(&self, slots: &DueSlots) -> Result<TakenSlots>;

    /// Slots of a job, the latest due first.
    async fn slots(&self, filter: &SlotFilter, page: &PageRequest) -> Result<Page<Slot>>;

    // Runs

    /// Queues a run, unless the job has an active one or the key was used already.
    async fn queue_run(&self, run: &NewRun, at: DateTime<Utc>) -> Result<QueueAnswer>;

    /// Gives the node the next run that may start: ready, of a job that has no other run held, within the limits; the
    /// one that has been ready longest first. Runs that only a limit keeps back get the state waiting and the limit
    /// as their reason.
    async fn claim_run(
        &self,
        node: NodeId,
        limits: &Limits,
        at: DateTime<Utc>,
    ) -> Result<Option<Claimed>>;

    /// Says that a held run waits, and for what, or that it goes on.
    async fn set_waiting(&self, claim: &Claim, reason: Option<&str>) -> Result<()>;

    /// Begins a try of a task, or of something that follows.
    async fn begin_task(&self, claim: &Claim, task: &NewTaskRun) -> Result<TaskRunId>;

    /// Keeps what became of slices. A slice of the same name is replaced.
    async fn record_slices(
        &self,
        claim: &Claim,
        task: TaskRunId,
        slices: &[SliceResult],
    ) -> Result<()>;

    /// Ends a try and adds what it did to the run's totals.
    async fn end_task(&self, claim: &Claim, task: TaskRunId, ending: &TaskEnding) -> Result<()>;

    /// Ends a held run: its state, the job's failures in a row, a pause after too many, and the runs that follow, all at
    /// once. Tries of tasks that have not ended get the run's state. A run that succeeded resets the failures in a
    /// row, one that was cancelled leaves them, others add one.
    async fn finish_run(&self, claim: &Claim, ending: &Ending) -> Result<Finished>;

    /// Gives a held run back to be tried again later.
    async fn retry_run(&self, claim: &Claim, retrying: &Retrying) -> Result<Run>;

    /// Gives a held run back, to be claimed by any node at once: the node shuts down.
    async fn release_run(&self, claim: &Claim, at: DateTime<Utc>) -> Result<()>;

    /// Cancels a run: at once if no node holds it, else by asking the node ([`Store::beat`] tells it).
    async fn cancel_run(&self, id: RunId, change: &Change) -> Result<CancelAnswer>;

    /// The run with that number.
    async fn run(&self, id: RunId) -> Result<Option<Run>>;

    /// Runs, the last queued first.
    async fn runs(&self, filter: &RunFilter, page: &PageRequest) -> Result<Page<Run>>;

    /// The tries of a run's tasks, in their order.
    async fn task_runs(&self, run: RunId) -> Result<Vec<TaskRun>>;

    /// The last try of each task of a job, as far as history is kept.
    async fn last_task_runs(&self, job: JobId) -> Result<Vec<TaskRun>>;

    /// What became of the slices of a try, by name.
    async fn slices(&self, task: TaskRunId) -> Result<Vec<SliceResult>>;

    // Events

    /// Appends events of a run. If it has more than `cap` of them then, the oldest are removed and counted; errors never
    /// are. Returns the number of the last event.
    async fn append_events(&self, run: RunId, events: &[NewEvent], cap: u32) -> Result<u64>;

    /// Events of a run, in their order; see [`EventFilter`].
    async fn events(&self, run: RunId, filter: &EventFilter) -> Result<Vec<Event>>;

    // Nodes

    /// Makes this process a node.
    async fn join(&self, node: &NewNode, at: DateTime<Utc>) -> Result<NodeId>;

    /// Says that a node lives, and hears which of its runs are to be cancelled. Fails with `FENCED` if it was given up;
    /// it then joins anew.
    async fn beat(&self, node: NodeId, at: DateTime<Utc>) -> Result<Beat>;

    /// Ends a node. Runs that it still holds are queued again.
    async fn leave(&self, node: NodeId, at: DateTime<Utc>) -> Result<()>;

    /// The nodes that have not left or been given up, by number.
    async fn nodes(&self) -> Result<Vec<Node>>;

    /// Whether the node is the leader, of which there is at most one: the clock that takes slots. Called again and
    /// again: it stays the leader while it lives, and another takes over when it has gone.
    async fn lead(&self, node: NodeId) -> Result<bool>;

    /// Gives up nodes that have been silent, and queues their runs again; a run that has been interrupted too often
    /// fails.
    async fn reclaim(&self, silence: &Silence, at: DateTime<Utc>) -> Result<Vec<Reclaimed>>;

    // Budgets

    /// Changes what is kept of a request budget, one change at a time among all nodes.
    async fn change_budget(&self, holder: &str, change: BudgetChange) -> Result<()>;

    // Tokens

    /// Waits until no other node uses the tokens of a sign-in, and keeps others out until the answer is dropped or this
    /// process ends.
    async fn lock_tokens(&self, sign_in: &str) -> Result<Box<dyn TokenGuard>>;

    // Retention

    /// Removes a few rows of history that are no longer to be kept, without holding others up. Called again while
    /// there is more.
    async fn prune(&self, request: &PruneRequest, at: DateTime<Utc>) -> Result<Pruned>;
}
