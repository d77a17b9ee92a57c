//! What a scan has done, for EXPLAIN ANALYZE.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bucketline_source::ReadContext;
use bucketline_source::figures::{Elapsed, counted, grouped};

/// What the partitions of one scan have done.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Counts the requests of the scan, and of its statement.
    pub(super) context: ReadContext,
    sums: Mutex<Sums>,
}

#[derive(Debug, Default)]
struct Sums {
    /// Rows of pages.
    read: u64,
    /// Rows that passed the filters.
    given: u64,
    /// When the first page was asked for, and when the last one was there.
    span: Option<(Instant, Instant)>,
}

impl Measured {
    pub(super) fn new(statement: &ReadContext) -> Self {
        Self {
            context: statement.part(),
            sums: Mutex::default(),
        }
    }

    /// Counts a page that was asked for at `since`.
    pub(super) fn page(&self, since: Instant, read: usize, given: usize) {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.read += read as u64;
        sums.given += given as u64;
        let now = Instant::now();
        let first = sums.span.map_or(since, |(first, _)| first.min(since));
        sums.span = Some((first, now));
    }
}

/// `3 requests, 50 rows read, 12 given, 0.3 s`
impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = sums
            .span
            .map_or(Duration::ZERO, |(first, last)| last - first);
        write!(
            f,
            "{}, {} read, {} given, {}",
            counted(self.context.requests(), "request"),
            counted(sums.read, "row"),
            grouped(sums.given),
            Elapsed(elapsed)
        )
    }
}
