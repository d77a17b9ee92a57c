//! A store, a simulated clock, a runner that does as it is told, and a scheduler that can be started and killed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bucketline_app::clock::SimulatedClock;
use bucketline_app::runner::{Action, End, Fault, Outcome, Report, Runner, Stop, Work};
use bucketline_app::scheduler::{Handle, Scheduler, Settings};
use bucketline_app::store::{
    Change, NewNode, PageRequest, QueueAnswer, RunFilter, SlotFilter, Store,
};
use bucketline_app::{
    Clock, Job, JobEntry, JobId, JobSchedule, Kind, NewRun, Origin, Run, RunId, RunState, Slot,
    Task, Totals,
};
use bucketline_core::code;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinHandle;

use crate::store::{Death, Watched};

pub(crate) fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A job with one task for each statement, which runs by `cron` if that is given.
pub(crate) fn job(name: &str, cron: Option<&str>, statements: &[&str]) -> Job {
    let mut job = Job::new(name, "acme", format!("copy of {name}"));
    job.tasks = statements
        .iter()
        .map(|statement| Task::new(*statement))
        .collect();
    job.schedule = cron.map(schedule);
    job
}

pub(crate) fn schedule(cron: &str) -> JobSchedule {
    JobSchedule {
        cron: cron.to_owned(),
        zone: None,
        overlap: bucketline_app::Overlap::Skip,
        catch_up: None,
        jitter: Some(0),
        enabled: true,
    }
}

/// What the runner does with a step.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) takes: Duration,
    pub(crate) end: End,
    /// Whether it goes on although it was asked to stop.
    pub(crate) is_deaf: bool,
    pub(crate) tables: Vec<String>,
}

impl Script {
    pub(crate) fn succeeds_in(seconds: u64) -> Self {
        Self {
            takes: secs(seconds),
            end: End::Succeeded,
            is_deaf: false,
            tables: Vec::new(),
        }
    }

    pub(crate) fn fails_in(seconds: u64, kind: Kind) -> Self {
        Self {
            end: End::Failed(fault(kind)),
            ..Self::succeeds_in(seconds)
        }
    }
}

pub(crate) fn fault(kind: Kind) -> Fault {
    let code = match kind {
        Kind::Transient => code::http::SERVER,
        Kind::RateLimited => code::http::RATE_LIMITED,
        Kind::Conflict => code::destination::HELD,
        Kind::Credential => code::http::UNAUTHORIZED,
        Kind::Permission => code::http::FORBIDDEN,
        Kind::Configuration => code::http::TLS,
        Kind::Statement => code::engine::UNKNOWN_TABLE,
        Kind::NotFound => code::http::NOT_FOUND,
        _ => code::session::DEFECT,
    };
    Fault::from(&bucketline_core::Error::new(
        code,
        format!("a fault of the kind {kind}"),
    ))
}

/// One step that the runner carried out, or is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) job: String,
    pub(crate) source: String,
    pub(crate) destination: String,
    pub(crate) what: String,
    pub(crate) run: RunId,
    pub(crate) began: DateTime<Utc>,
}

/// Does as it is told: by the text of the step (statement, script, address or `discovery`), each script once, the last
/// again and again; 10 s and success where nothing is said.
#[derive(Debug)]
pub(crate) struct FakeRunner {
    clock: SimulatedClock,
    told: Mutex<HashMap<String, VecDeque<Script>>>,
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    carried: Vec<Carried>,
    running: BTreeMap<u64, Carried>,
    /// The most at once, by what was counted.
    most: BTreeMap<String, usize>,
    /// What must never be: two runs of one job at once.
    offences: Vec<String>,
    begun: u64,
}

impl FakeRunner {
    fn new(clock: SimulatedClock) -> Self {
        Self {
            clock,
            told: Mutex::default(),
            log: Mutex::default(),
        }
    }

    pub(crate) fn tell(&self, what: &str, scripts: impl IntoIterator<Item = Script>) {
        let scripts = scripts.into_iter().collect();
        self.told.lock().unwrap().insert(what.to_owned(), scripts);
    }

    /// The texts of the steps, in the order in which they began.
    pub(crate) fn carried(&self) -> Vec<String> {
        self.log
            .lock()
            .unwrap()
            .carried
            .iter()
            .map(|step| step.what.clone())
            .collect()
    }

    pub(crate) fn log(&self) -> Vec<Carried> {
        self.log.lock().unwrap().carried.clone()
    }

    /// The most that ran at once: `runs`, `source NAME`, `destination NAME`, `run NUMBER` (tasks).
    pub(crate) fn most(&self, of: &str) -> usize {
        self.log.lock().unwrap().most.get(of).copied().unwrap_or(0)
    }

    pub(crate) fn offences(&self) -> Vec<String> {
        self.log.lock().unwrap().offences.clone()
    }

    fn begin(&self, work: &Work, what: &str) -> Running<'_> {
        let log = &mut *self.log.lock().unwrap();
        log.begun += 1;
        let carried = Carried {
            job: work.job.name.clone(),
            source: work.job.source.clone(),
            destination: work.job.destination.clone(),
            what: what.to_owned(),
            run: work.run.id,
            began: self.clock.shown(),
        };
        log.carried.push(carried.clone());
        log.running.insert(log.begun, carried.clone());
        let mut runs: HashMap<RunId, Carried> = HashMap::new();
        let mut tasks = 0;
        for step in log.running.values() {
            runs.insert(step.run, step.clone());
            tasks += usize::from(step.run == carried.run);
            if step.job == carried.job && step.run != carried.run {
                log.offences.push(format!(
                    "runs {} and {} of {} at once",
                    step.run, carried.run, step.job
                ));
            }
        }
        let with = |same: fn(&Carried) -> &String| {
            runs.values()
                .filter(|run| same(run) == same(&carried))
                .count()
        };
        for (of, count) in [
            ("runs".to_owned(), runs.len()),
            (
                format!("source {}", carried.source),
                with(|run| &run.source),
            ),
            (
                format!("destination {}", carried.destination),
                with(|run| &run.destination),
            ),
            (format!("run {}", carried.run), tasks),
            (format!("tasks of {}", carried.job), tasks),
        ] {
            let most = log.most.entry(of).or_default();
            *most = (*most).max(count);
        }
        Running {
            runner: self,
            number: log.begun,
        }
    }
}

/// Also a step that is dropped is off the list.
struct Running<'r> {
    runner: &'r FakeRunner,
    number: u64,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.runner.log.lock().unwrap().running.remove(&self.number);
    }
}

#[async_trait]
impl Runner for FakeRunner {
    async fn carry_out(&self, work: &Work, _report: &Report, stop: &Stop) -> Outcome {
        let what = match &work.action {
            Action::Task { statement } => statement,
            Action::Sql { script } => script,
            Action::Webhook { address, .. } => address,
            Action::Discovery => "discovery",
        };
        let script = {
            let mut told = self.told.lock().unwrap();
            match told.get_mut(what) {
                Some(scripts) if scripts.len() > 1 => scripts.pop_front().unwrap(),
                Some(scripts) => scripts.front().cloned().unwrap(),
                None => Script::succeeds_in(10),
            }
        };
        let _running = self.begin(work, what);
        tokio::select! {
            biased;
            () = self.clock.sleep(script.takes) => {}
            _ = stop.wait(), if !script.is_deaf => return Outcome::ended(End::Stopped, Totals::default()),
        }
        Outcome {
            tables: script.tables,
            ..Outcome::ended(
                script.end,
                Totals {
                    read: 1,
                    ..Totals::default()
                },
            )
        }
    }
}

/// All of it.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SimulatedClock,
    pub(crate) runner: Arc<FakeRunner>,
    pub(crate) settings: Settings,
    process: Option<Process>,
}

struct Process {
    store: Arc<Watched>,
    handle: Handle,
    task: JoinHandle<bucketline_app::Result<()>>,
}

impl World {
    pub(crate) async fn new(now: &str) -> Self {
        let clock = SimulatedClock::new(time(now));
        let mut settings = Settings::new(NewNode {
            name: "node 1".to_owned(),
            version: "0.1.0".to_owned(),
        });
        // A beat in each simulated minute, and history for good.
        settings.beat = secs(60);
        settings.keep.days = 100_000;
        settings.keep.runs = u32::MAX;
        Self {
            store: empty_store().await,
            runner: Arc::new(FakeRunner::new(clock.clone())),
            clock,
            settings,
            process: None,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.shown()
    }

    pub(crate) fn change(&self) -> Change {
        Change::new("User 17", self.now())
    }

    pub(crate) async fn add(&self, job: &Job) -> JobEntry {
        let entry = self.store.create_job(job, &self.change()).await.unwrap();
        if let Some(process) = &self.process {
            process.handle.wake();
        }
        entry
    }

    /// Adds a [`job`].
    pub(crate) async fn job(&self, name: &str, cron: Option<&str>, statements: &[&str]) -> JobId {
        self.add(&job(name, cron, statements)).await.job.id
    }

    /// Starts the scheduler.
    pub(crate) fn start(&mut self) {
        self.start_to_die(None);
    }

    /// Starts the scheduler, which dies at the operation with that number.
    pub(crate) fn start_to_die(&mut self, death: Option<(u64, Death)>) {
        let store = Watched::new(Arc::clone(&self.store), death);
        let scheduler = Scheduler::new(
            Arc::clone(&store) as Arc<dyn Store>,
            Arc::clone(&self.runner) as Arc<dyn Runner>,
            Arc::new(self.clock.clone()),
            self.settings.clone(),
        );
        self.process = Some(Process {
            store,
            handle: scheduler.handle(),
            task: tokio::spawn(scheduler.serve()),
        });
    }

    /// Ends the scheduler as SIGKILL does.
    pub(crate) async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.task.abort();
            let _ = process.task.await;
            settle(None).await;
        }
    }

    /// Ends the scheduler as SIGTERM does, while time goes on.
    pub(crate) async fn shut_down(&mut self) {
        let process = self.process.take().unwrap();
        process.handle.shut_down();
        while !process.task.is_finished() {
            settle(Some(&process.store)).await;
            if !process.task.is_finished() {
                self.clock.advance(self.clock.until_next().unwrap());
            }
        }
        process.task.await.unwrap().unwrap();
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.process.as_ref().unwrap().handle
    }

    pub(crate) fn set_store_away(&self, is_away: bool) {
        self.process.as_ref().unwrap().store.set_away(is_away);
    }

    /// Makes the next operation on the store take so long.
    pub(crate) fn slow_down_store(&self, length: Duration) {
        let process = self.process.as_ref().unwrap();
        process.store.take_long(&self.clock, length);
    }

    /// Lets time go by until `end`, as fast as everybody is ready. Ends early when the process has died.
    pub(crate) async fn run_until(&mut self, end: DateTime<Utc>) {
        loop {
            settle(self.process.as_ref().map(|process| &process.store)).await;
            if let Some(process) = &self.process {
                if process.store.is_dead() {
                    return;
                }
                assert!(!process.task.is_finished(), "the scheduler ended by itself");
            }
            let left = (end - self.now()).to_std().unwrap_or_default();
            if left.is_zero() {
                return;
            }
            let next = self.clock.until_next().unwrap_or(left);
            self.clock.advance(next.min(left));
        }
    }

    pub(crate) async fn run_for(&mut self, length: TimeDelta) {
        self.run_until(self.now() + length).await;
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.process
            .as_ref()
            .is_some_and(|process| process.store.is_dead())
    }

    /// Queues a run as a person does.
    pub(crate) async fn queue(&self, job: JobId) -> QueueAnswer {
        let origin = Origin::Person {
            name: "User 17".to_owned(),
        };
        match &self.process {
            Some(process) => process.handle.run(job, origin, None, None).await.unwrap(),
            None => {
                let run = NewRun {
                    job,
                    origin,
                    tasks: None,
                    ready_at: self.now(),
                    key: None,
                };
                self.store.queue_run(&run, self.now()).await.unwrap()
            }
        }
    }

    pub(crate) async fn run(&self, id: RunId) -> Run {
        self.store.run(id).await.unwrap().unwrap()
    }

    /// All runs of a job, the first queued first.
    pub(crate) async fn runs(&self, job: JobId) -> Vec<Run> {
        let filter = RunFilter {
            job: Some(job),
            ..RunFilter::default()
        };
        let mut runs = Vec::new();
        let mut page = PageRequest::first(PageRequest::MOST);
        loop {
            let listed = self.store.runs(&filter, &page).await.unwrap();
            runs.extend(listed.items);
            let Some(next) = listed.next else { break };
            page = PageRequest::after(next, PageRequest::MOST);
        }
        runs.reverse();
        runs
    }

    pub(crate) async fn states(&self, job: JobId) -> Vec<RunState> {
        self.runs(job)
            .await
            .into_iter()
            .map(|run| run.state)
            .collect()
    }

    /// All slots of a job, the first due first.
    pub(crate) async fn slots(&self, job: JobId) -> Vec<Slot> {
        let filter = SlotFilter {
            job,
            from: None,
            until: None,
        };
        let mut slots = Vec::new();
        let mut page = PageRequest::first(PageRequest::MOST);
        loop {
            let listed = self.store.slots(&filter, &page).await.unwrap();
            slots.extend(listed.items);
            let Some(next) = listed.next else { break };
            page = PageRequest::after(next, PageRequest::MOST);
        }
        slots.reverse();
        slots
    }
}

/// Lets all tasks run until each of them waits for the clock.
async fn settle(store: Option<&Arc<Watched>>) {
    let mut quiet = 0;
    while quiet < 20 {
        tokio::task::yield_now().await;
        if store.is_some_and(|store| store.is_busy()) {
            quiet = 0;
            std::thread::yield_now();
        } else {
            quiet += 1;
        }
    }
}

async fn empty_store() -> Arc<dyn Store> {
    bucketline_store::open(&bucketline_store::Place::Memory)
        .await
        .unwrap()
}
