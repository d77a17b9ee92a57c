//! What a run says about itself, as rows.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::word::words;
use crate::{RunId, TaskRunId};

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// The run.
    pub run: RunId,
    /// Its place among the run's events, counted from 1. A place is never given to another event.
    pub number: u64,
    /// What it says.
    #[serde(flatten)]
    pub content: NewEvent,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewEvent {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// How much it matters.
    pub level: Level,
    /// What kind of thing happened, such as `slice_ended`.
    pub kind: String,
    /// The try of a task that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_run: Option<TaskRunId>,
    /// The slice, such as `acme/api`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// The stable code of an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence, secrets masked.
    pub text: String,
}

words! {
    /// How much an event matters.
    Level {
        /// For those who look closely.
        Debug = "debug",
        /// It goes as it should.
        Info = "info",
        /// The user should know.
        Warning = "warning",
        /// Something failed. The cap on a run's events never removes it.
        Error = "error",
    }
}
