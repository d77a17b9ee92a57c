//! What a statement did.

use std::fmt;
use std::time::Duration;

use bucketline_core::{Code, Kind};
use bucketline_destination::Counts;
use bucketline_source::figures::Elapsed;
pub(crate) use bucketline_source::figures::{counted, grouped};
use serde::{Deserialize, Serialize};

use crate::Error;

/// How a table is kept up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What changed since the last run is read and merged.
    Incremental,
    /// Every row is read and merged; absent rows are deleted.
    Listing,
    /// The result as a whole takes the place of the one before.
    Replace,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Incremental => "incremental",
            Self::Listing => "listing",
            Self::Replace => "replace",
        })
    }
}

/// What a REPLICATE did.
#[derive(Debug, Clone)]
pub struct Report {
    /// The destination's table as the statement spelled it.
    pub table: String,
    /// How it was brought up to date.
    pub mode: Mode,
    /// Why so, a sentence.
    pub why: String,
    /// The slices, those that were only reported included.
    pub slices: Vec<SliceReport>,
    /// Rows read from the source.
    pub read: u64,
    /// Values that could not be kept as the source has them; the notes say which.
    pub lost_values: u64,
    /// What became of the table's rows.
    pub counts: Counts,
    /// Requests made, look-ups and listings included.
    pub requests: u64,
    /// From start to end.
    pub elapsed: Duration,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// What happened to one slice.
#[derive(Debug, Clone)]
pub struct SliceReport {
    /// What people call it, such as `acme/api`.
    pub slice: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Rows read.
    pub read: u64,
    /// What became of its rows; of the staged ones where the table is loaded anew and replaced.
    pub counts: Counts,
    /// Requests made for it.
    pub requests: u64,
    /// From its start to its end.
    pub elapsed: Duration,
}

impl SliceReport {
    /// A slice of which nothing was read.
    pub(crate) fn unread(slice: String, outcome: Outcome, counts: Counts) -> Self {
        Self {
            slice,
            outcome,
            read: 0,
            counts,
            requests: 0,
            elapsed: Duration::ZERO,
        }
    }

    /// One that failed before anything was read of it.
    pub(crate) fn failed(slice: String, error: &Error) -> Self {
        Self::unread(slice, Outcome::Failed(error.into()), Counts::default())
    }
}

/// How a slice ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was read to its end.
    Done,
    /// The listing proved that nothing changed: no request was made.
    Unchanged,
    /// The table does not exist there; its rows stay.
    NotApplicable(String),
    /// It could not be read; its rows stay.
    Failed(Failure),
    /// It is listed no more; its rows stay.
    Vanished,
    /// It is listed no more and its rows were removed, as `DropMissingRepositories` says.
    Dropped,
    /// It no longer fits the statement's scope or conditions; its rows were removed.
    Left,
}

/// Why a slice failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The error's stable code.
    pub code: Code,
    /// What can be done about it.
    pub kind: Kind,
    /// What happened.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
}

impl From<&crate::Error> for Failure {
    fn from(error: &crate::Error) -> Self {
        Self {
            code: error.code(),
            kind: error.kind(),
            message: error.to_string(),
            hint: error.hint().map(str::to_owned),
        }
    }
}

impl Report {
    /// The slices that failed.
    pub fn failed(&self) -> impl Iterator<Item = (&str, &Failure)> {
        self.slices.iter().filter_map(|slice| match &slice.outcome {
            Outcome::Failed(failure) => Some((slice.slice.as_str(), failure)),
            _ => None,
        })
    }
}

/// `Issues: 1,204 read, 37 inserted, 5 updated, 13 requests, 1.8 s`
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            inserted,
            updated,
            deleted,
            ..
        } = self.counts;
        write!(f, "{}: {} read", self.table, grouped(self.read))?;
        write!(
            f,
            ", {} inserted, {} updated",
            grouped(inserted),
            grouped(updated)
        )?;
        if deleted > 0 {
            write!(f, ", {} deleted", grouped(deleted))?;
        }
        if self.lost_values > 0 {
            write!(f, ", {} lost", counted(self.lost_values, "value"))?;
        }
        write!(f, ", {}", counted(self.requests, "request"))?;
        write!(f, ", {}", Elapsed(self.elapsed))
    }
}

/// `acme/api: 120 read, 37 inserted, 5 updated, 2 requests, 0.3 s`
impl fmt::Display for SliceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            inserted,
            updated,
            deleted,
            ..
        } = self.counts;
        write!(
            f,
            "{}: {} read, {} inserted, {} updated",
            self.slice,
            grouped(self.read),
            grouped(inserted),
            grouped(updated)
        )?;
        if deleted > 0 {
            write!(f, ", {} deleted", grouped(deleted))?;
        }
        write!(
            f,
            ", {}, {}",
            counted(self.requests, "request"),
            Elapsed(self.elapsed)
        )
    }
}
