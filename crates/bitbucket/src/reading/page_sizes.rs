//! How long the service lets pages be.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The page sizes that the service turned out to accept, where they are below the table's own. They
/// hold while the connection lives.
#[derive(Debug, Default)]
pub(crate) struct PageSizes(Mutex<HashMap<String, usize>>);

impl PageSizes {
    /// The longest page of a table, if a longer one was refused.
    pub(crate) fn of(&self, table: &str) -> Option<usize> {
        let sizes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sizes.get(table).copied()
    }

    /// No page of a table is to be longer than this.
    pub(super) fn bound(&self, table: &str, size: usize) {
        let mut sizes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sizes.entry(table.to_owned()).or_insert(size);
        *known = size.min(*known);
    }
}
