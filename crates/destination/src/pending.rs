//! What was written and is not committed yet.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Change;

/// The uncommitted changes of one slice.
#[derive(Debug, Default)]
pub struct Uncommitted {
    /// Changes, ready to be applied in this order.
    pub changes: Vec<Change>,
    /// The slice's checkpoint is to be removed.
    pub forget: bool,
}

impl Uncommitted {
    /// Memory that the changes take, in bytes.
    pub fn size(&self) -> usize {
        let size = |change: &Change| match change {
            Change::Upsert(batch)
            | Change::Insert(batch)
            | Change::Delete(batch)
            | Change::Leave(batch) => batch.get_array_memory_size(),
            Change::DeleteWhere(_) | Change::Assign { .. } => 0,
        };
        self.changes.iter().map(size).sum()
    }
}

/// The uncommitted changes of a load, by slice.
#[derive(Debug, Default)]
pub struct Pending(Mutex<HashMap<String, Uncommitted>>);

impl Pending {
    /// Adds a change.
    pub fn push(&self, slice: &str, change: Change) {
        self.slices()
            .entry(slice.to_owned())
            .or_default()
            .changes
            .push(change);
    }

    /// Marks the slice's checkpoint to be removed.
    pub fn forget(&self, slice: &str) {
        self.slices().entry(slice.to_owned()).or_default().forget = true;
    }

    /// Takes what a slice has.
    pub fn take(&self, slice: &str) -> Uncommitted {
        self.slices().remove(slice).unwrap_or_default()
    }

    /// Gives back what was taken and could not be committed, before what was written since.
    pub fn restore(&self, slice: &str, mut taken: Uncommitted) {
        let mut slices = self.slices();
        let since = slices.remove(slice).unwrap_or_default();
        taken.changes.extend(since.changes);
        taken.forget |= since.forget;
        slices.insert(slice.to_owned(), taken);
    }

    fn slices(&self) -> MutexGuard<'_, HashMap<String, Uncommitted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
