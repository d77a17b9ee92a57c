//! Due times of jobs: each exactly one row, whatever becomes of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{JobId, Overlap, Run, RunId};

/// A due time of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Slot {
    /// The job.
    pub job: JobId,
    /// When it was due.
    pub due: DateTime<Utc>,
    /// The run that it became, or that stands for it; the row in the states skipped and missed says why it did not
    /// run.
    pub run: RunId,
}

/// Slots of one job that get their rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueSlots {
    /// The job.
    pub job: JobId,
    /// In order. Those that have their rows already are passed over.
    pub due: Vec<DateTime<Utc>>,
    /// What becomes of them.
    pub then: SlotPlan,
    /// Slots up to here are no longer owed: the last of `due`, or later.
    pub owed_from: DateTime<Utc>,
    /// Now.
    pub at: DateTime<Utc>,
}

/// What becomes of slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotPlan {
    /// One run for all of them. If the job has an active run, `overlap` decides; a slot that is not run then becomes
    /// a run in the state skipped.
    Run {
        /// From when on it may start.
        ready_at: DateTime<Utc>,
        /// If another run is active.
        overlap: Overlap,
    },
    /// One run in the state missed for all of them.
    Missed {
        /// Why, a sentence.
        reason: String,
    },
    /// One run in the state skipped for all of them.
    Skipped {
        /// Why, a sentence.
        reason: String,
    },
}

/// What became of slots.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenSlots {
    /// Those that had no row yet.
    pub fresh: Vec<DateTime<Utc>>,
    /// The run that stands for them; absent if none was fresh.
    pub run: Option<Run>,
}
