//! A store that is watched, and that can hang at any operation, as for a process that is killed there.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bucketline_app::clock::SimulatedClock;
use bucketline_app::store::*;
use bucketline_app::vault::{Resealed, Revealed, SecretsState};
use bucketline_app::*;
use chrono::{DateTime, Utc};

/// Where the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// Before the operation happens.
    Before,
    /// After it happened, before its answer is heard.
    After,
}

/// A store of one process, which may die.
#[derive(Debug)]
pub(crate) struct Watched {
    store: Arc<dyn Store>,
    calls: AtomicU64,
    under_way: AtomicUsize,
    death: Option<(u64, Death)>,
    is_dead: AtomicBool,
    /// Whether all operations fail, as they do when the server is away.
    is_away: AtomicBool,
    /// How long the next operation takes, once.
    takes: Mutex<Option<(SimulatedClock, Duration)>>,
}

impl Watched {
    pub(crate) fn new(store: Arc<dyn Store>, death: Option<(u64, Death)>) -> Arc<Self> {
        Arc::new(Self {
            store,
            calls: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
            death,
            is_dead: AtomicBool::new(false),
            is_away: AtomicBool::new(false),
            takes: Mutex::default(),
        })
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::SeqCst)
    }

    pub(crate) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    /// Makes the next operation take so long.
    pub(crate) fn take_long(&self, clock: &SimulatedClock, length: Duration) {
        *self.takes.lock().unwrap() = Some((clock.clone(), length));
    }

    async fn call<T>(&self, operation: impl Future<Output = Result<T>>) -> Result<T> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Error::new(
                bucketline_core::code::store::UNAVAILABLE,
                "the server is away",
            ));
        }
        if let Some((clock, length)) = self.takes.lock().unwrap().take() {
            clock.advance(length);
        }
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let death = self
            .death
            .filter(|(at, _)| *at <= call)
            .map(|(at, how)| if at == call { how } else { Death::Before });
        if death == Some(Death::Before) {
            self.die().await;
        }
        self.under_way.fetch_add(1, Ordering::SeqCst);
        let under_way = UnderWay(self);
        let answer = operation.await;
        drop(under_way);
        if death == Some(Death::After) {
            self.die().await;
        }
        answer
    }

    async fn die(&self) {
        self.is_dead.store(true, Ordering::SeqCst);
        std::future::pending::<()>().await;
    }
}

struct UnderWay<'w>(&'w Watched);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

macro_rules! watched {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for Watched {
            fn is_shared(&self) -> bool {
                self.store.is_shared()
            }

            $(async fn $name(&self $(, $argument: $type)*) -> Result<$answer> {
                self.call(self.store.$name($($argument),*)).await
            })*
        }
    };
}

watched! {
    fn now() -> DateTime<Utc>;
    fn check() -> ();
    fn generation() -> u64;
    fn connections(filter: &ConnectionFilter, page: &PageRequest) -> Page<ConnectionEntry>;
    fn connection(name: &str) -> Option<ConnectionEntry>;
    fn create_connection(connection: &Connection, change: &Change) -> ConnectionEntry;
    fn replace_connection(id: ConnectionId, connection: &Connection, revision: Revision, change: &Change) -> ConnectionEntry;
    fn delete_connection(id: ConnectionId, revision: Revision, change: &Change) -> ();
    fn note_test(id: ConnectionId, revision: Revision, test: &ConnectionTest) -> ();
    fn reveal(name: &str) -> Option<Revealed>;
    fn secrets_state() -> SecretsState;
    fn reseal(change: &Change) -> Resealed;
    fn jobs(filter: &JobFilter, page: &PageRequest) -> Page<JobEntry>;
    fn job(id: JobId) -> Option<JobEntry>;
    fn job_named(name: &str) -> Option<JobEntry>;
    fn create_job(job: &Job, change: &Change) -> JobEntry;
    fn replace_job(id: JobId, job: &Job, revision: Revision, change: &Change) -> JobEntry;
    fn append_tasks(id: JobId, tasks: &[Task], change: &Change) -> Vec<Task>;
    fn delete_job(id: JobId, revision: Revision, change: &Change) -> ();
    fn pause_job(id: JobId, pause: Option<&Pause>, change: &Change) -> JobEntry;
    fn take_slots(slots: &DueSlots) -> TakenSlots;
    fn slots(filter: &SlotFilter, page: &PageRequest) -> Page<Slot>;
    fn queue_run(run: &NewRun, at: DateTime<Utc>) -> QueueAnswer;
    fn claim_run(node: NodeId, limits: &Limits, at: DateTime<Utc>) -> Option<Claimed>;
    fn set_waiting(claim: &Claim, reason: Option<&str>) -> ();
    fn begin_task(claim: &Claim, task: &NewTaskRun) -> TaskRunId;
    fn record_slices(claim: &Claim, task: TaskRunId, slices: &[SliceResult]) -> ();
    fn end_task(claim: &Claim, task: TaskRunId, ending: &TaskEnding) -> ();
    fn finish_run(claim: &Claim, ending: &Ending) -> Finished;
    fn retry_run(claim: &Claim, retrying: &Retrying) -> Run;
    fn release_run(claim: &Claim, at: DateTime<Utc>) -> ();
    fn cancel_run(id: RunId, change: &Change) -> CancelAnswer;
    fn run(id: RunId) -> Option<Run>;
    fn runs(filter: &RunFilter, page: &PageRequest) -> Page<Run>;
    fn task_runs(run: RunId) -> Vec<TaskRun>;
    fn last_task_runs(job: JobId) -> Vec<TaskRun>;
    fn slices(task: TaskRunId) -> Vec<SliceResult>;
    fn append_events(run: RunId, events: &[NewEvent], cap: u32) -> u64;
    fn events(run: RunId, filter: &EventFilter) -> Vec<Event>;
    fn join(node: &NewNode, at: DateTime<Utc>) -> NodeId;
    fn beat(node: NodeId, at: DateTime<Utc>) -> Beat;
    fn leave(node: NodeId, at: DateTime<Utc>) -> ();
    fn nodes() -> Vec<Node>;
    fn lead(node: NodeId) -> bool;
    fn reclaim(silence: &Silence, at: DateTime<Utc>) -> Vec<Reclaimed>;
    fn change_budget(holder: &str, change: BudgetChange) -> ();
    fn lock_tokens(sign_in: &str) -> Box<dyn TokenGuard>;
    fn prune(request: &PruneRequest, at: DateTime<Utc>) -> Pruned;
}
