//! Figures for people.

use std::fmt;
use std::time::Duration;

use bucketline::source::figures::{Elapsed, counted};

/// What a statement did: `3 rows, 1 request, 0.2 s`.
pub(super) struct Summary {
    /// Rows of its result, if it has one.
    pub(super) rows: Option<u64>,
    /// Values that could not be kept as the source has them.
    pub(super) lost_values: u64,
    /// Requests that were made for it.
    pub(super) requests: u64,
    /// How long it took.
    pub(super) elapsed: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rows,
            lost_values,
            requests,
            elapsed,
        } = self;
        if let Some(rows) = rows {
            write!(f, "{}, ", counted(*rows, "row"))?;
        }
        if *lost_values > 0 {
            write!(f, "{} lost, ", counted(*lost_values, "value"))?;
        }
        write!(
            f,
            "{}, {}",
            counted(*requests, "request"),
            Elapsed(*elapsed)
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Summary;

    #[test]
    fn a_summary_reads_well() {
        let summary = Summary {
            rows: Some(1204),
            lost_values: 2,
            requests: 1,
            elapsed: Duration::from_millis(50),
        };
        assert_eq!(
            summary.to_string(),
            "1,204 rows, 2 values lost, 1 request, 0.1 s"
        );
    }
}
