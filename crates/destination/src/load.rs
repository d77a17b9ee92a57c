//! A load: one table under a lease.

use arrow::datatypes::{Field, SchemaRef};
use async_trait::async_trait;
use serde_json::Value;

use crate::{Change, Counts, Result, Retention, RowFilter, TableStatus};

/// Who holds a lease, for the message that another process shows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    /// Program, process id and host, such as `bucketline (pid 4711) on build-3`.
    pub who: String,
    /// Since when, RFC 3339 UTC.
    pub since: String,
}

/// One column of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name, Arrow type, nullability; JSON text carries the metadata `bucketline.type = json`.
    pub field: Field,
    /// One line about it, for destinations that keep comments.
    pub doc: Option<String>,
}

/// Where the rows of a load go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Into the table itself, commit by commit. Needs a key.
    Table,
    /// Into a staging table with checkpoints of its own, which [`Load::apply`] then makes the content
    /// of the table in one transaction. Goes on with what is staged if the plan [resumes](LoadPlan::resumes) it,
    /// else starts anew.
    /// A table that is absent is made by [`Load::begin`] already, empty and with the plan's record.
    Staging,
    /// As `Staging`, for a load that ends in [`Replacement::Table`]: types and key of the present table
    /// don't matter, so [`Load::begin`] does not compare them.
    Recreate,
}

/// What takes the place of what, when a staged load is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// The table is dropped and made anew.
    Table,
    /// The staged rows are the table's: what is absent from them leaves it. Versions are replaced like rows.
    Rows,
    /// The staged rows replace those of their keys; absent ones stay. Needs a key.
    Present,
}

/// What a load is going to write.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// The columns, in the order of every [`Change::Upsert`] batch.
    pub columns: Vec<Column>,
    /// Names of the key columns, all among `columns`, all NOT NULL. Empty: no key.
    pub key: Vec<String>,
    /// Names of columns by which people look for rows: a server has an index on each. A destination that is one file
    /// may leave them out, since every index slows each load.
    pub indexes: Vec<String>,
    /// What is kept beside the rows that there are. Anything but [`Retention::Nothing`] needs a key.
    pub retention: Retention,
    /// Where the rows go.
    pub target: Target,
    /// The checkpoints that the status showed mean nothing: forget them before the first row.
    pub forget_checkpoints: bool,
    /// A table of that name that no load of ours has made is taken over, if its columns and its key fit: it becomes
    /// ours when what is staged is applied, and is as it was until then.
    pub adopts: bool,
    /// Go on with the staging that the status showed: it was begun with the same columns and key.
    pub resumes: bool,
    /// One line about the table, for destinations that keep comments.
    pub doc: Option<String>,
    /// Names of columns that the plan before had and this one has not: they become NULL in all rows.
    pub dropped: Vec<String>,
    /// The executor's record to keep with the table (or with the staging).
    pub record: Value,
    /// At most so many rows go to a database server in one statement; `None` leaves it to the destination. It
    /// never parts what a [`commit`](Load::commit) holds together, so a destination in this process, which has no
    /// such statements (SQLite binds each row to a prepared one), has nothing to divide.
    pub batch_size: Option<usize>,
}

/// A load in progress; it holds the table's lease until it is dropped or finished. Dropping it discards
/// only what is not committed.
///
/// Methods take `&self`: slices write and commit concurrently, and never commit each other's rows. No
/// transaction is open between calls.
#[async_trait]
pub trait Load: Send + Sync {
    /// State and fact of the table when the lease was taken.
    fn status(&self) -> &TableStatus;

    /// Creates what is missing (table, columns, staging, schema), widens types in place, and remembers the
    /// plan. A column of ours that is not in the plan stays, NULL from then on. Called once, before any write. The
    /// checkpoints of a [void](TableStatus::is_void) table are forgotten whatever the plan says.
    ///
    /// # Errors
    /// [`NOT_OURS`](crate::code::NOT_OURS) if a table of that name exists that no load of ours made, or
    /// [`MISFIT`](crate::code::MISFIT) if it cannot be taken over;
    /// [`INCOMPATIBLE`](crate::code::INCOMPATIBLE) if a type cannot be widened, if the table has versions and the
    /// plan has none or the other way round, or if the staging to be resumed has other columns or is not there.
    /// Nothing was changed then.
    async fn begin(&self, plan: LoadPlan) -> Result<()>;

    /// Takes a change of a slice. It may be buffered; waits when too much is (back-pressure).
    async fn write(&self, slice: &str, change: Change) -> Result<()>;

    /// Applies everything written for the slice since its last commit, together with its checkpoint, in one
    /// transaction, all or nothing. `None` keeps the checkpoint as it is; without a change and a checkpoint
    /// nothing is written.
    ///
    /// # Errors
    /// [`FENCED`](crate::code::FENCED) if the lease was lost: nothing was written. After an error the changes
    /// are still there, to be committed again or [discarded](Load::discard).
    async fn commit(&self, slice: &str, checkpoint: Option<Value>) -> Result<Counts>;

    /// Forgets what was written for the slice since its last commit.
    async fn discard(&self, slice: &str) -> Result<()>;

    /// Removes the checkpoint of a slice that is no more. Part of the next commit of that slice.
    async fn forget(&self, slice: &str) -> Result<()>;

    /// The keys of the committed rows that match and have not left, as batches of the plan's key columns (of the
    /// staging, in a staged load).
    async fn keys(&self, rows: &RowFilter) -> Result<Vec<arrow::array::RecordBatch>>;

    /// Makes the staged rows the content of the table, in one transaction: with a key, absent rows leave
    /// and differing ones are upserted, our columns only; without a key, DELETE and INSERT. Views, indexes,
    /// triggers, grants and the user's own columns survive, unless the table itself is replaced.
    /// Staged checkpoints become the table's, and `record` its record.
    ///
    /// # Errors
    /// [`DUPLICATE_KEY`](crate::code::DUPLICATE_KEY), naming both rows, if two rows given as
    /// [`Change::Insert`] have one key (reported by [`Load::commit`] already where the destination can).
    async fn apply(&self, replacement: Replacement, record: Value) -> Result<Counts>;

    /// Replaces the executor's record of the table, if one is given, and releases the lease. Without this the
    /// record of [`LoadPlan::record`], or that of [`Load::apply`], stands.
    async fn finish(self: Box<Self>, record: Option<Value>) -> Result<()>;

    /// Our columns after [`Load::begin`], those that only the table still has included.
    async fn columns(&self) -> Result<SchemaRef>;
}
