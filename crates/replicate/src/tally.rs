//! What a run has done so far.

use bucketline_core::Reach;
use bucketline_destination::{Counts, TableName};

use crate::survey::Known;
use crate::{Error, Outcome, SliceReport, code};

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
        let mut reasons = self.slices.iter().filter_map(|slice| match &slice.outcome {
            Outcome::Failed(failure) => Some(failure),
            _ => None,
        });
        let first = reasons.clone().next();
        // If one slice can succeed later without anyone's help, so can the statement do more of its work.
        let kind = reasons
            .find_map(|failure| failure.kind.is_retryable().then_some(failure.kind))
            .or(first.map(|failure| failure.kind));
        let code = if failures < all {
            code::PARTIAL
        } else {
            code::ALL_FAILED
        };
        Error::new(
            code,
            format!(
                "{table}: {failures} of {all} slices failed ({}): {}",
                shown.join(", "),
                first.map_or("", |failure| failure.message.as_str())
            ),
        )
        .with_kind(kind.unwrap_or(code.kind()))
        .with_reach(Reach::Statement)
        .with_hint("their rows were left as they are; run the statement again")
    }
}
