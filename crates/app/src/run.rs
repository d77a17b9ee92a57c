//! Runs of jobs: how they come about, and how they end.

use bucketline_core::Kind;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::word::words;
use crate::{JobId, RunId, TaskId, TaskRunId};

/// One run of a job, or a row that says why there was none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// The job.
    pub job: JobId,
    /// The job's name now, also if the job has been deleted.
    pub job_name: String,
    /// The connection that it reads.
    pub source: String,
    /// The connection that it writes.
    pub destination: String,
    /// How it came about.
    pub origin: Origin,
    /// Where it stands.
    pub state: RunState,
    /// Why it waits, was skipped, missed or cancelled.
    pub reason: Option<String>,
    /// When it was due, if it belongs to a slot: the last one, if it stands for several.
    pub due: Option<DateTime<Utc>>,
    /// How many slots it stands for.
    pub slots: u32,
    /// The tasks that it is limited to, whether enabled or not; all enabled ones, if absent.
    pub tasks: Option<Vec<TaskId>>,
    /// Which try it is in, counted from 1; also a run that was interrupted and went on elsewhere counts one more.
    pub attempt: u32,
    /// When it was queued.
    pub queued_at: DateTime<Utc>,
    /// From when on it may start.
    pub ready_at: DateTime<Utc>,
    /// When it started first.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// The process that carries it out, or did last.
    pub node: Option<String>,
    /// Whether a process holds it: it runs, or waits within its run.
    pub is_held: bool,
    /// Whether somebody asked for it to be cancelled.
    pub cancel_asked: bool,
    /// The sums of its tasks.
    pub totals: Totals,
    /// The first error of its last try.
    pub failure: Option<Failure>,
    /// Events that the cap has removed.
    pub events_dropped: u64,
}

words! {
    /// Where a run stands.
    RunState {
        /// It may start as soon as a node takes it.
        Queued = "queued",
        /// It waits: for a limit or a retry before it starts, or for the budget or a lease while it runs.
        Waiting = "waiting",
        /// It runs.
        Running = "running",
        /// All went well.
        Succeeded = "succeeded",
        /// Some tasks or slices failed.
        Partial = "partial",
        /// It failed.
        Failed = "failed",
        /// Somebody ended it.
        Cancelled = "cancelled",
        /// It was due while another run was active.
        Skipped = "skipped",
        /// It was due while nobody could start it.
        Missed = "missed",
    }
}

impl RunState {
    /// Whether nothing more becomes of the run.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Waiting | Self::Running)
    }
}

/// How a run came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Origin {
    /// A slot of its schedule.
    Schedule,
    /// A person at the page or the command line.
    Person {
        /// Who.
        name: String,
    },
    /// A call of the REST API.
    Api {
        /// By which token.
        token: String,
    },
    /// A webhook of the source.
    Webhook {
        /// What woke it, such as `repo:push acme/api`.
        event: String,
    },
    /// A run of another job, which it follows.
    Job {
        /// That run.
        run: RunId,
    },
}

words! {
    /// The kinds of [`Origin`].
    OriginKind {
        /// [`Origin::Schedule`]
        Schedule = "schedule",
        /// [`Origin::Person`]
        Person = "person",
        /// [`Origin::Api`]
        Api = "api",
        /// [`Origin::Webhook`]
        Webhook = "webhook",
        /// [`Origin::Job`]
        Job = "job",
    }
}

impl Origin {
    /// Its kind.
    pub fn kind(&self) -> OriginKind {
        match self {
            Self::Schedule => OriginKind::Schedule,
            Self::Person { .. } => OriginKind::Person,
            Self::Api { .. } => OriginKind::Api,
            Self::Webhook { .. } => OriginKind::Webhook,
            Self::Job { .. } => OriginKind::Job,
        }
    }
}

/// What was read and written, and what it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Totals {
    /// Rows read from the source.
    pub read: u64,
    /// Rows that were not there before.
    pub inserted: u64,
    /// Rows that were there and differed.
    pub updated: u64,
    /// Rows that left.
    pub deleted: u64,
    /// Requests made.
    pub requests: u64,
    /// Milliseconds that it waited for the budget, a lease or a limit.
    pub waited_ms: u64,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
        self.requests += other.requests;
        self.waited_ms += other.waited_ms;
    }
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Failure {
    /// The stable code.
    pub code: String,
    /// What can be done about it: kinds that a person must see to are not tried again.
    #[serde(with = "kind_word")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "transient"))]
    pub kind: Kind,
    /// What happened, secrets masked.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<&bucketline_core::Error> for Failure {
    fn from(error: &bucketline_core::Error) -> Self {
        Self {
            code: error.code().to_string(),
            kind: error.kind(),
            message: error.message().to_owned(),
            hint: error.hint().map(str::to_owned),
        }
    }
}

/// A kind of error by its name.
mod kind_word {
    use bucketline_core::Kind;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(kind: &Kind, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(kind.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Kind, D::Error> {
        let name = String::deserialize(from)?;
        name.parse().map_err(D::Error::custom)
    }
}

/// A run that is to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// The job.
    pub job: JobId,
    /// How it comes about.
    pub origin: Origin,
    /// The tasks that it is limited to; all enabled ones, if absent.
    pub tasks: Option<Vec<TaskId>>,
    /// From when on it may start.
    pub ready_at: DateTime<Utc>,
    /// The same key gives the same run, for as long as history is kept.
    pub key: Option<String>,
}

/// What carries a task run out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Step {
    /// A task of the job.
    Task {
        /// Which one. The job may have lost it since.
        task: TaskId,
    },
    /// One of the things that follow a run, by its place in [`Job::after`](crate::Job::after).
    After {
        /// Counted from 0.
        place: u32,
    },
    /// The look for new tables of a Sync All job.
    Discovery,
}

/// One try of one task, or of something that follows, in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskRun {
    /// Its number.
    pub id: TaskRunId,
    /// The run.
    pub run: RunId,
    /// What it carries out.
    pub step: Step,
    /// Which try of the run it belongs to.
    pub attempt: u32,
    /// The statement as it was.
    pub statement: String,
    /// The destination's table, if it writes one.
    pub table: Option<String>,
    /// Where it stands: running, succeeded, partial, failed or cancelled.
    pub state: RunState,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What it did.
    pub totals: Totals,
    /// Why it failed.
    pub failure: Option<Failure>,
}

/// A try that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTaskRun {
    /// What it carries out.
    pub step: Step,
    /// The statement.
    pub statement: String,
    /// The destination's table, if it writes one.
    pub table: Option<String>,
    /// Now.
    pub at: DateTime<Utc>,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEnding {
    /// Succeeded, partial, failed or cancelled.
    pub state: RunState,
    /// What it did.
    pub totals: Totals,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Now.
    pub at: DateTime<Utc>,
}

/// What became of one slice of a task, such as a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SliceResult {
    /// What people call it, such as `acme/api`.
    pub slice: String,
    /// How it ended, in the library's words: `done`, `unchanged`, `failed`, ...
    pub outcome: String,
    /// What was done for it.
    pub totals: Totals,
    /// From its start to its end.
    pub elapsed_ms: u64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}
