//! What a REPLICATE can fail with, and what it did before.

use bucketline_core::{Area, Error, Reach};

use crate::Report;

/// A statement that failed, perhaps after some of its work.
#[derive(Debug)]
pub struct Unfinished {
    /// Why.
    pub error: Error,
    /// What the statement did before, if it came to reading slices.
    pub report: Option<Box<Report>>,
}

impl From<Error> for Unfinished {
    fn from(error: Error) -> Self {
        Self {
            error,
            report: None,
        }
    }
}

impl From<Unfinished> for Error {
    fn from(unfinished: Unfinished) -> Self {
        unfinished.error
    }
}

/// Whether every slice would meet it, so that the statement ends at once.
pub(crate) fn ends_statement(error: &Error) -> bool {
    error.reach() != Reach::Slice
}

/// Whether a source failed, and neither the statement nor the destination. A connection that turns out to be wrong when it
/// is first used is one of those.
pub(crate) fn is_of_source(error: &Error) -> bool {
    error.code().area().is_of_source() || error.code().area() == Area::Session
}
