//! Who carries out which run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Failure, Job, JobId, NewRun, NodeId, Run, RunId, RunState, Stored};

/// What came of queueing a run.
#[derive(Debug, Clone, PartialEq)]
pub enum QueueAnswer {
    /// It was queued.
    Queued(Run),
    /// The job has this active run; nothing was queued.
    Active(Run),
    /// A run with the same key was queued before: this one.
    Repeated(Run),
}

/// What came of cancelling a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelAnswer {
    /// It had not started, and has ended.
    Cancelled,
    /// The node that holds it was asked.
    Asked,
    /// It had ended, in this state.
    Over(RunState),
}

/// A run that a node holds. What the node does to the run names it, so that a node that was given up cannot change
/// what another goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The run.
    pub run: RunId,
    /// The node.
    pub node: NodeId,
    /// The try.
    pub attempt: u32,
}

/// A run that a node may start, and what it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The right to it.
    pub claim: Claim,
    /// The run.
    pub run: Run,
    /// The job as it is now.
    pub job: Stored<JobId, Job>,
}

/// How many runs may be held at once. What is absent has no limit. Names are compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Of all nodes together.
    pub application: Option<u32>,
    /// Of one node.
    pub node: Option<u32>,
    /// Of those that read a connection, by its name.
    pub sources: BTreeMap<String, u32>,
    /// Of those that write a connection, by its name: 1 for SQLite.
    pub destinations: BTreeMap<String, u32>,
}

/// How a run ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Succeeded, partial, failed or cancelled.
    pub state: RunState,
    /// The first error.
    pub failure: Option<Failure>,
    /// Why, if it was cancelled.
    pub reason: Option<String>,
    /// Runs that follow. One whose job has an active run already is left out.
    pub queue: Vec<NewRun>,
    /// Now.
    pub at: DateTime<Utc>,
}

/// What the end of a run changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// The run.
    pub run: Run,
    /// The job's failures in a row now.
    pub failures: u32,
    /// Whether this end paused the job's schedule.
    pub paused: bool,
    /// The runs that were queued, in the order given.
    pub queued: Vec<RunId>,
}

/// A further try of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retrying {
    /// Why this try failed.
    pub failure: Option<Failure>,
    /// Why it waits, a sentence.
    pub reason: String,
    /// From when on it may start.
    pub ready_at: DateTime<Utc>,
    /// Now.
    pub at: DateTime<Utc>,
}

/// A process that becomes a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNode {
    /// What people know it by: the machine's name and the process's number.
    pub name: String,
    /// The program's version.
    pub version: String,
}

/// A process that serves the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its number.
    pub id: NodeId,
    /// What people know it by.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// When it joined.
    pub joined_at: DateTime<Utc>,
    /// When it was heard last.
    pub seen_at: DateTime<Utc>,
}

/// What a node hears when it says that it lives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beat {
    /// Runs of this node that somebody wants cancelled.
    pub cancel: Vec<RunId>,
}

/// Which nodes are given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// The node that asks, which is not among them.
    pub but: NodeId,
    /// Those last heard before this instant. In a store that is not shared all others are, whenever heard last.
    pub since: DateTime<Utc>,
    /// Interruptions in a row that a run survives; one more, and it fails.
    pub most: u32,
    /// What a run fails with that was interrupted too often.
    pub failure: Failure,
}

/// A run of a node that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reclaimed {
    /// The run.
    pub run: RunId,
    /// Its job.
    pub job: JobId,
    /// The node that held it.
    pub node: NodeId,
    /// Queued again, failed, or cancelled if that had been asked for.
    pub state: RunState,
}
