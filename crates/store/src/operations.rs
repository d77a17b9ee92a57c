//! The operations of the trait, each a transaction of either database.

use async_trait::async_trait;
use bucketline_app::store::{
    Beat, CancelAnswer, Change, Claim, Claimed, ConnectionFilter, Ending, EventFilter, Finished,
    JobFilter, Limits, NewNode, Node, Page, PageRequest, PruneRequest, Pruned, QueueAnswer,
    Reclaimed, Retrying, RunFilter, Silence, SlotFilter,
};
use bucketline_app::{
    Connection, ConnectionEntry, ConnectionId, ConnectionTest, DueSlots, Event, Job, JobEntry,
    JobId, NewEvent, NewRun, NewTaskRun, NodeId, Pause, Result, Revision, Run, RunId, SliceResult,
    Slot, Store, TakenSlots, Task, TaskEnding, TaskRun, TaskRunId,
};
use chrono::{DateTime, Utc};

use crate::database::{Database, Mode};
use crate::{connections, definitions, events, jobs, nodes, prune, queue, runs, slots, tries};

/// One transaction: in `mode`, with copies of the arguments in brackets.
macro_rules! transaction {
    ($database:expr, $mode:ident, [$($argument:ident),*], |$tx:ident| $work:expr) => {{
        $(let $argument = $argument.clone();)*
        $database
            .transact(Mode::$mode, Box::new(move |$tx| Box::pin(async move { $work.await })))
            .await
    }};
}

/// One transaction that changes connections or jobs.
macro_rules! definition {
    ($database:expr, [$($argument:ident),*], |$tx:ident| $work:expr) => {
        transaction!($database, Write, [$($argument),*], |$tx| async move {
            let done = $work.await?;
            definitions::changed($tx).await?;
            Ok(done)
        })
    };
}

/// What keeps the application in a database.
#[derive(Debug)]
pub(crate) struct Operations<D>(pub(crate) D);

#[async_trait]
impl<D: Database> Store for Operations<D> {
    async fn now(&self) -> Result<DateTime<Utc>> {
        self.0.now().await
    }

    fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    async fn check(&self) -> Result<()> {
        transaction!(self.0, Write, [], |tx| definitions::touch_nothing(tx))
    }

    async fn generation(&self) -> Result<u64> {
        transaction!(self.0, Read, [], |tx| definitions::generation(tx))
    }

    async fn connections(
        &self,
        filter: &ConnectionFilter,
        page: &PageRequest,
    ) -> Result<Page<ConnectionEntry>> {
        transaction!(self.0, Read, [filter, page], |tx| connections::list(
            tx, &filter, &page
        ))
    }

    async fn connection(&self, name: &str) -> Result<Option<ConnectionEntry>> {
        let name = name.to_owned();
        transaction!(self.0, Read, [], |tx| connections::named(tx, &name))
    }

    async fn create_connection(
        &self,
        connection: &Connection,
        change: &Change,
    ) -> Result<ConnectionEntry> {
        definition!(self.0, [connection, change], |tx| connections::create(
            tx,
            &connection,
            &change
        ))
    }

    async fn replace_connection(
        &self,
        id: ConnectionId,
        connection: &Connection,
        revision: Revision,
        change: &Change,
    ) -> Result<ConnectionEntry> {
        definition!(self.0, [connection, change], |tx| connections::replace(
            tx,
            id,
            &connection,
            revision,
            &change
        ))
    }

    async fn delete_connection(
        &self,
        id: ConnectionId,
        revision: Revision,
        _change: &Change,
    ) -> Result<()> {
        definition!(self.0, [], |tx| connections::delete(tx, id, revision))
    }

    async fn note_test(
        &self,
        id: ConnectionId,
        revision: Revision,
        test: &ConnectionTest,
    ) -> Result<()> {
        transaction!(self.0, Write, [test], |tx| connections::note_test(
            tx, id, revision, &test
        ))
    }

    async fn jobs(&self, filter: &JobFilter, page: &PageRequest) -> Result<Page<JobEntry>> {
        transaction!(self.0, Read, [filter, page], |tx| jobs::list(
            tx, &filter, &page
        ))
    }

    async fn job(&self, id: JobId) -> Result<Option<JobEntry>> {
        transaction!(self.0, Read, [], |tx| jobs::numbered(tx, id))
    }

    async fn job_named(&self, name: &str) -> Result<Option<JobEntry>> {
        let name = name.to_owned();
        transaction!(self.0, Read, [], |tx| jobs::named(tx, &name))
    }

    async fn create_job(&self, job: &Job, change: &Change) -> Result<JobEntry> {
        definition!(self.0, [job, change], |tx| jobs::create(tx, &job, &change))
    }

    async fn replace_job(
        &self,
        id: JobId,
        job: &Job,
        revision: Revision,
        change: &Change,
    ) -> Result<JobEntry> {
        definition!(self.0, [job, change], |tx| jobs::replace(
            tx, id, &job, revision, &change
        ))
    }

    async fn append_tasks(&self, id: JobId, tasks: &[Task], change: &Change) -> Result<Vec<Task>> {
        let tasks = tasks.to_vec();
        definition!(self.0, [change], |tx| jobs::append_tasks(
            tx, id, &tasks, &change
        ))
    }

    async fn delete_job(&self, id: JobId, revision: Revision, change: &Change) -> Result<()> {
        definition!(self.0, [change], |tx| jobs::delete(
            tx, id, revision, &change
        ))
    }

    async fn pause_job(
        &self,
        id: JobId,
        pause: Option<&Pause>,
        change: &Change,
    ) -> Result<JobEntry> {
        let pause = pause.cloned();
        definition!(self.0, [change], |tx| jobs::pause(
            tx,
            id,
            pause.as_ref(),
            &change
        ))
    }

    async fn take_slots(&self, slots: &DueSlots) -> Result<TakenSlots> {
        transaction!(self.0, Write, [slots], |tx| slots::take(tx, &slots))
    }

    async fn slots(&self, filter: &SlotFilter, page: &PageRequest) -> Result<Page<Slot>> {
        transaction!(self.0, Read, [filter, page], |tx| slots::list(
            tx, &filter, &page
        ))
    }

    async fn queue_run(&self, run: &NewRun, at: DateTime<Utc>) -> Result<QueueAnswer> {
        transaction!(self.0, Write, [run], |tx| queue::queue(tx, &run, at))
    }

    async fn claim_run(
        &self,
        node: NodeId,
        limits: &Limits,
        at: DateTime<Utc>,
    ) -> Result<Option<Claimed>> {
        transaction!(self.0, Write, [limits], |tx| queue::claim(
            tx, node, &limits, at
        ))
    }

    async fn set_waiting(&self, claim: &Claim, reason: Option<&str>) -> Result<()> {
        let reason = reason.map(str::to_owned);
        transaction!(self.0, Write, [claim], |tx| queue::set_waiting(
            tx,
            &claim,
            reason.as_deref()
        ))
    }

    async fn begin_task(&self, claim: &Claim, task: &NewTaskRun) -> Result<TaskRunId> {
        transaction!(self.0, Write, [claim, task], |tx| tries::begin(
            tx, &claim, &task
        ))
    }

    async fn record_slices(
        &self,
        claim: &Claim,
        task: TaskRunId,
        slices: &[SliceResult],
    ) -> Result<()> {
        let slices = slices.to_vec();
        transaction!(self.0, Write, [claim], |tx| tries::record(
            tx, &claim, task, &slices
        ))
    }

    async fn end_task(&self, claim: &Claim, task: TaskRunId, ending: &TaskEnding) -> Result<()> {
        transaction!(self.0, Write, [claim, ending], |tx| tries::end(
            tx, &claim, task, &ending
        ))
    }

    async fn finish_run(&self, claim: &Claim, ending: &Ending) -> Result<Finished> {
        transaction!(self.0, Write, [claim, ending], |tx| queue::finish(
            tx, &claim, &ending
        ))
    }

    async fn retry_run(&self, claim: &Claim, retrying: &Retrying) -> Result<Run> {
        transaction!(self.0, Write, [claim, retrying], |tx| queue::retry(
            tx, &claim, &retrying
        ))
    }

    async fn release_run(&self, claim: &Claim, at: DateTime<Utc>) -> Result<()> {
        transaction!(self.0, Write, [claim], |tx| queue::release(tx, &claim, at))
    }

    async fn cancel_run(&self, id: RunId, change: &Change) -> Result<CancelAnswer> {
        transaction!(self.0, Write, [change], |tx| queue::cancel(tx, id, &change))
    }

    async fn run(&self, id: RunId) -> Result<Option<Run>> {
        transaction!(self.0, Read, [], |tx| runs::one(tx, id))
    }

    async fn runs(&self, filter: &RunFilter, page: &PageRequest) -> Result<Page<Run>> {
        transaction!(self.0, Read, [filter, page], |tx| runs::list(
            tx, &filter, &page
        ))
    }

    async fn task_runs(&self, run: RunId) -> Result<Vec<TaskRun>> {
        transaction!(self.0, Read, [], |tx| tries::of_run(tx, run))
    }

    async fn last_task_runs(&self, job: JobId) -> Result<Vec<TaskRun>> {
        transaction!(self.0, Read, [], |tx| tries::last_of_job(tx, job))
    }

    async fn slices(&self, task: TaskRunId) -> Result<Vec<SliceResult>> {
        transaction!(self.0, Read, [], |tx| tries::slices(tx, task))
    }

    async fn append_events(&self, run: RunId, events: &[NewEvent], cap: u32) -> Result<u64> {
        let events = events.to_vec();
        transaction!(self.0, Write, [], |tx| events::append(
            tx, run, &events, cap
        ))
    }

    async fn events(&self, run: RunId, filter: &EventFilter) -> Result<Vec<Event>> {
        transaction!(self.0, Read, [filter], |tx| events::list(tx, run, &filter))
    }

    async fn join(&self, node: &NewNode, at: DateTime<Utc>) -> Result<NodeId> {
        transaction!(self.0, Write, [node], |tx| nodes::join(tx, &node, at))
    }

    async fn beat(&self, node: NodeId, at: DateTime<Utc>) -> Result<Beat> {
        transaction!(self.0, Write, [], |tx| nodes::beat(tx, node, at))
    }

    async fn leave(&self, node: NodeId, at: DateTime<Utc>) -> Result<()> {
        self.0.stop_leading(node).await;
        transaction!(self.0, Write, [], |tx| nodes::leave(tx, node, at))
    }

    async fn nodes(&self) -> Result<Vec<Node>> {
        transaction!(self.0, Read, [], |tx| nodes::list(tx))
    }

    async fn lead(&self, node: NodeId) -> Result<bool> {
        self.0.lead(node).await
    }

    async fn reclaim(&self, silence: &Silence, at: DateTime<Utc>) -> Result<Vec<Reclaimed>> {
        let is_shared = self.0.is_shared();
        let but = silence.but;
        let reclaimed = transaction!(self.0, Write, [silence], |tx| nodes::reclaim(
            tx, is_shared, &silence, at
        ))?;
        if !is_shared {
            self.0.lead_alone(but).await;
        }
        Ok(reclaimed)
    }

    async fn prune(&self, request: &PruneRequest, at: DateTime<Utc>) -> Result<Pruned> {
        transaction!(self.0, Write, [request], |tx| prune::prune(
            tx, &request, at
        ))
    }
}
