//! How history is kept short.

use crate::{Keep, RunId};

/// What is to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneRequest {
    /// What is kept where a job says nothing else.
    pub keep: Keep,
    /// Runs that are removed at most, with what belongs to them, and likewise runs that lose their events.
    pub most: u32,
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Runs, with their slots, tries, slices and events. A job's last run, and its last that succeeded, stay.
    pub runs: Vec<RunId>,
    /// Runs that lost their events only.
    pub events_of: u64,
    /// Whether there is more to remove.
    pub more: bool,
}
