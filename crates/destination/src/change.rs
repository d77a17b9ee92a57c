//! What is written to a slice of a table.

use arrow::array::RecordBatch;

/// A constant compared with or assigned to a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
}

/// Rows chosen by equality of some columns; NULL equals NULL. Empty: all rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowFilter(pub Vec<(String, Scalar)>);

/// One change. Changes of a slice are applied in the order in which they were written.
#[derive(Debug, Clone)]
pub enum Change {
    /// Rows to insert, or to update by key where any of our columns differ. The columns are those of
    /// [`LoadPlan::columns`](crate::LoadPlan::columns), in that order. Without a key every row is inserted
    /// (staged loads only). Within a batch the last row of a key wins.
    Upsert(RecordBatch),
    /// Rows that must be new, in the columns of an upsert: a key that is there already, or twice in the batch,
    /// is [`DUPLICATE_KEY`](crate::code::DUPLICATE_KEY) when they are committed, naming both rows.
    Insert(RecordBatch),
    /// Keys of rows that are no more: the key columns in the order of [`LoadPlan::key`](crate::LoadPlan::key).
    /// They are deleted, or [kept](crate::Retention) as rows that left. A key that is not there is no error.
    Delete(RecordBatch),
    /// The same by the values of some columns.
    DeleteWhere(RowFilter),
    /// Rows that are there still, but no longer belong to the table, in the columns of an upsert. They are deleted;
    /// or those that the table has are marked, with the values given; or their active version ends at the start of
    /// the one given, which is not kept. Within a batch the last row of a key wins.
    Leave(RecordBatch),
    /// Columns to set in the rows that match and differ: parent columns after a rename.
    Assign {
        /// The rows.
        rows: RowFilter,
        /// Columns and their new values.
        set: Vec<(String, Scalar)>,
    },
}

/// What a commit did to the table it writes to (to the staging, in a staged load). Each change counts by itself, in
/// its order: a row inserted by one and deleted by the next counts in both. Rows of a batch that a later row of
/// the same key replaces don't count, nor do those that an [`Assign`](Change::Assign) finds equal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Rows that were not there, versions each by itself.
    pub inserted: u64,
    /// Rows that were there and differed, or return.
    pub updated: u64,
    /// Rows that were there and equal; they are not written.
    pub unchanged: u64,
    /// Rows that left: removed, newly marked, or closed.
    pub deleted: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.deleted += other.deleted;
    }
}
