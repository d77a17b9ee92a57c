//! How long the texts may be that functions make.

use crate::{Error, code, planner};

/// Bytes of one text.
pub(crate) const LONGEST: usize = 8 << 20;

/// Bytes of the texts that are made of one batch of rows.
pub(crate) const LONGEST_TOGETHER: usize = 4 * LONGEST;

/// Bytes of a text that the planner may compute. A longer one stays a call, since plans are copied.
const PLANNED: usize = 64 << 10;

/// The sizes of the texts that a function makes of a batch of rows.
#[derive(Debug)]
pub(super) struct Sizes<'f> {
    function: &'f str,
    rows: usize,
    together: usize,
}

impl<'f> Sizes<'f> {
    pub(super) fn of(function: &'f str) -> Self {
        Self {
            function,
            rows: 0,
            together: 0,
        }
    }

    /// Counts the text of another row.
    ///
    /// # Errors
    /// If it is too long, by itself or with those before it.
    pub(super) fn add(&mut self, bytes: usize) -> Result<(), Error> {
        self.rows += 1;
        self.together = self.together.saturating_add(bytes);
        let message = if bytes > LONGEST {
            "the result would be longer than 8 MiB".to_owned()
        } else if self.together > LONGEST_TOGETHER {
            format!("the results of {} rows take more than 32 MiB", self.rows)
        } else if bytes > PLANNED && planner::is_planning() {
            "it is computed when the query runs".to_owned()
        } else {
            return Ok(());
        };
        let function = self.function.to_uppercase();
        Err(Error::new(code::MEMORY, format!("{function}: {message}")))
    }
}
