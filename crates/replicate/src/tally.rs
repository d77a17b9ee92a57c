//! What a run has done so far.

use bucketline_destination::{Counts, TableName};

use crate::survey::Known;
use crate::{Error, ErrorKind, Outcome, SliceReport};

/// What a run has done so far.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) slices: Vec<SliceReport>,
    pub(crate) read: u64,
    pub(crate) counts: Counts,
    /// What slices write goes to a staging; it counts once it is applied.
    pub(crate) staged: bool,
}

impl Tally {
    pub(crate) fn add(&mut self, slice: SliceReport) {
        self.read += slice.read;
        if !self.staged {
            self.counts += slice.counts;
        }
        self.slices.push(slice);
    }

    pub(crate) fn add_outcome(&mut self, known: &Known, outcome: Outcome, counts: Counts) {
        self.add(SliceReport::unread(known.label(), outcome, counts));
    }

    /// The failure of a statement of which slices failed.
    pub(crate) fn partial(&self, table: &TableName, failures: usize, all: usize) -> Error {
        const SHOWN: usize = 3;
        let failed = self.slices.iter().filter_map(|slice| match &slice.outcome {
            Outcome::Failed(_) => Some(slice.slice.clone()),
            _ => None,
        });
        let mut shown: Vec<_> = failed.take(SHOWN).collect();
        if failures > SHOWN {
            shown.push(format!("{} more", failures - SHOWN));
        }
        let first = self.slices.iter().find_map(|slice| match &slice.outcome {
            Outcome::Failed(failure) => Some(failure.message.as_str()),
            _ => None,
        });
        let kind = if failures < all {
            ErrorKind::Partial
        } else {
            ErrorKind::AllFailed
        };
        Error::new(
            kind,
            format!(
                "{table}: {failures} of {all} slices failed ({}): {}",
                shown.join(", "),
                first.unwrap_or_default()
            ),
        )
        .with_hint("their rows were left as they are; run the statement again")
    }
}
