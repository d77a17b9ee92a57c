//! What a running script says.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bucketline_replicate::{Event as Progress, Mode, Report, SliceReport};
use bucketline_sql::Span;

use crate::Error;

/// One thing that happened. Events of a statement stand between its [`Event::Started`] and its
/// [`Event::Ended`] or [`Event::Failed`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A statement began.
    Started {
        /// Its number in the script, from 1.
        number: usize,
        /// How many statements the script has.
        total: usize,
        /// Its text, secrets masked.
        text: String,
        /// Where it stands in the script.
        span: Span,
    },
    /// The columns of the rows that follow; several may have one name.
    Columns(SchemaRef),
    /// Some rows of a result.
    Rows(RecordBatch),
    /// A statement without rows says what it did.
    Message(String),
    /// Something the user should know.
    Note(String),
    /// A wait began.
    Waiting {
        /// Why.
        reason: String,
        /// For how long at most.
        duration: Duration,
    },
    /// A REPLICATE knows what it will do.
    Replicating {
        /// The destination's table.
        table: String,
        /// How it is kept up to date.
        mode: Mode,
        /// Why in this way.
        why: String,
        /// How many slices there are.
        slices: usize,
    },
    /// A slice of a REPLICATE has read this many rows so far.
    SliceProgress {
        /// What people call the slice.
        slice: String,
        /// Rows read.
        read: u64,
    },
    /// A slice of a REPLICATE ended.
    SliceEnded(SliceReport),
    /// What a REPLICATE did; also sent before the [`Event::Failed`] of one that did it in part.
    Replicated(Report),
    /// A statement succeeded.
    Ended {
        /// Rows of its result.
        rows: u64,
        /// Values that could not be kept as the source has them; notes say which.
        lost_values: u64,
        /// Requests that were sent for it.
        requests: u64,
        /// How long it took.
        elapsed: Duration,
    },
    /// A statement failed.
    Failed(Error),
    /// A step of [`Session::check`](crate::Session::check) came to its end.
    Checked {
        /// What was looked at.
        what: String,
        /// What is well, or what is missing.
        outcome: Result<String, Error>,
    },
    /// The script stopped at a failure; so many of its statements were not run, which may be none.
    Stopped {
        /// How many.
        remaining: usize,
    },
}

impl Event {
    /// Writes it to the program's log, unless it belongs to a result.
    pub(crate) fn log(&self) {
        match self {
            Self::Started {
                number,
                total,
                text,
                ..
            } => tracing::info!(number, total, statement = text, "a statement begins"),
            Self::Message(text) => tracing::debug!("{text}"),
            Self::Note(text) => tracing::info!("{text}"),
            Self::Waiting { reason, duration } => {
                tracing::info!(reason, ?duration, "the statement waits");
            }
            Self::Replicating {
                table,
                mode,
                why,
                slices,
            } => tracing::info!(table, %mode, why, slices, "a table is replicated"),
            Self::SliceProgress { slice, read } => tracing::trace!(slice, read, "a slice goes on"),
            Self::SliceEnded(report) => tracing::debug!(
                slice = report.slice,
                outcome = ?report.outcome,
                read = report.read,
                requests = report.requests,
                elapsed = ?report.elapsed,
                "a slice ended"
            ),
            Self::Replicated(report) => tracing::info!(
                table = report.table,
                read = report.read,
                inserted = report.counts.inserted,
                updated = report.counts.updated,
                deleted = report.counts.deleted,
                requests = report.requests,
                elapsed = ?report.elapsed,
                "a table was replicated"
            ),
            Self::Ended {
                rows,
                requests,
                elapsed,
                ..
            } => tracing::info!(rows, requests, ?elapsed, "the statement succeeded"),
            Self::Failed(error) => {
                tracing::error!(code = %error.code(), kind = %error.kind(), "{error}");
            }
            Self::Checked { what, outcome } => match outcome {
                Ok(found) => tracing::info!(found, "{what}"),
                Err(error) => tracing::error!(code = %error.code(), %error, "{what}"),
            },
            Self::Stopped { remaining } => tracing::info!(remaining, "the script stopped"),
            Self::Columns(_) | Self::Rows(_) => {}
        }
    }

    pub(crate) fn from_progress(progress: &Progress<'_>) -> Option<Self> {
        Some(match progress {
            Progress::Started {
                table,
                mode,
                why,
                slices,
            } => Self::Replicating {
                table: (*table).to_owned(),
                mode: *mode,
                why: (*why).to_owned(),
                slices: *slices,
            },
            Progress::SliceProgress { slice, read } => Self::SliceProgress {
                slice: (*slice).to_owned(),
                read: *read,
            },
            Progress::SliceEnded { slice } => Self::SliceEnded((*slice).clone()),
            Progress::Note { text } => Self::Note((*text).to_owned()),
            Progress::Waiting { reason, duration } => Self::Waiting {
                reason: (*reason).to_owned(),
                duration: *duration,
            },
            Progress::Ended { report } => Self::Replicated((*report).clone()),
            _ => return None,
        })
    }
}
