//! Figures for people.

use std::fmt;
use std::time::Duration;

use bucketline::SliceReport;

/// What a statement did: `3 rows, 1 request, 0.2 s`.
pub(super) struct Summary {
    /// Rows of its result, if it has one.
    pub(super) rows: Option<u64>,
    /// Requests that were made for it.
    pub(super) requests: u64,
    /// How long it took.
    pub(super) elapsed: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rows,
            requests,
            elapsed,
        } = self;
        if let Some(rows) = rows {
            write!(f, "{}, ", counted(*rows, "row"))?;
        }
        write!(
            f,
            "{}, {}",
            counted(*requests, "request"),
            Elapsed(*elapsed)
        )
    }
}

/// What was done in one slice: `acme/api: 120 read, 37 inserted, 5 updated, 2 requests, 0.3 s`.
pub(super) struct SliceFigures<'a>(pub(super) &'a SliceReport);

impl SliceFigures<'_> {
    /// Whether a row of the table was changed.
    pub(super) fn any_change(&self) -> bool {
        let counts = &self.0.counts;
        counts.inserted + counts.updated + counts.deleted > 0
    }
}

impl fmt::Display for SliceFigures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(SliceReport {
            slice,
            read,
            counts,
            requests,
            elapsed,
            ..
        }) = self;
        write!(
            f,
            "{slice}: {} read, {} inserted, {} updated",
            grouped(*read),
            grouped(counts.inserted),
            grouped(counts.updated)
        )?;
        if counts.deleted > 0 {
            write!(f, ", {} deleted", grouped(counts.deleted))?;
        }
        write!(
            f,
            ", {}, {}",
            counted(*requests, "request"),
            Elapsed(*elapsed)
        )
    }
}

/// A duration for people: `1.8 s`, `2 min 5 s`.
pub(super) struct Elapsed(pub(super) Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..120 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            _ => write!(f, "{} min {} s", seconds / 60, seconds % 60),
        }
    }
}

/// `1,204 rows`, `1 row`.
pub(super) fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Elapsed, Summary, counted};

    #[test]
    fn figures_read_well() {
        assert_eq!(counted(0, "row"), "0 rows");
        assert_eq!(counted(1, "request"), "1 request");
        assert_eq!(counted(1_204_000, "row"), "1,204,000 rows");
        assert_eq!(Elapsed(Duration::from_millis(1_840)).to_string(), "1.8 s");
        assert_eq!(Elapsed(Duration::from_secs(125)).to_string(), "2 min 5 s");
        let summary = Summary {
            rows: Some(1204),
            requests: 1,
            elapsed: Duration::from_millis(50),
        };
        assert_eq!(summary.to_string(), "1,204 rows, 1 request, 0.1 s");
    }
}
