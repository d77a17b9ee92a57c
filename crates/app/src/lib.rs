//! The rules of the application: which jobs there are, when they run, and what becomes of a run.
//!
//! There is no SQL and no HTTP here, and neither the interpreter nor DataFusion is linked, so that the rules are
//! tested in seconds, on a simulated clock.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod clock;
pub mod columns;
mod connection;
mod event;
pub mod files;
mod id;
mod job;
pub mod name;
pub mod people;
mod problem;
mod run;
pub mod runner;
pub mod schedule;
pub mod scheduler;
mod slot;
pub mod store;
mod task;
#[cfg(test)]
mod tests;
pub mod vault;
mod word;

pub use bucketline_core::{Error, Kind, Result};
pub use clock::Clock;
pub use connection::{Connection, ConnectionEntry, ConnectionTest, property_key};
pub use event::{Event, Level, NewEvent};
pub use id::{AccountId, ConnectionId, JobId, NodeId, RunId, TaskId, TaskRunId, TokenId};
pub use job::{
    FollowStep, FollowUp, FollowWhen, Job, JobEntry, JobKind, JobLimits, JobSchedule, Keep,
    Overlap, Pause, Retry,
};
pub use problem::{Problem, Problems};
pub use run::{
    Failure, NewRun, NewTaskRun, Origin, OriginKind, Run, RunState, SliceResult, Step, TaskEnding,
    TaskRun, Totals,
};
pub use slot::{DueSlots, Slot, SlotPlan, TakenSlots};
pub use store::{Revision, Store, Stored};
pub use task::Task;
pub use vault::Vault;
pub use word::UnknownWord;
