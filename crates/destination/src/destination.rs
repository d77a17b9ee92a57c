//! The contract of a destination.

use std::fmt;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::{Definition, Holder, Load, Result, Scalar, TableName, TableStatus, fault};

/// What a destination can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// It has schemas; otherwise a schema becomes part of the table's name.
    pub schemas: bool,
    /// It takes rows in statements of several, so that [`LoadPlan::batch_size`](crate::LoadPlan::batch_size)
    /// means something.
    pub batches: bool,
    /// Bytes of a name; a longer one is shortened, in one and the same way. `None` if names may have any length.
    pub longest_name: Option<usize>,
}

/// A table that can be read.
#[derive(Debug, Clone, PartialEq)]
pub struct TableInfo {
    /// Its name.
    pub name: TableName,
    /// Its columns.
    pub schema: SchemaRef,
    /// Its key columns.
    pub key: Vec<String>,
    /// A load of ours made it.
    pub ours: bool,
    /// It is a view.
    pub view: bool,
}

/// A condition that a destination evaluates when it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The column.
    pub column: String,
    /// `=`, `<>`, `<`, `<=`, `>`, `>=`.
    pub operator: &'static str,
    /// The value.
    pub value: Scalar,
}

/// A reading of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The table.
    pub table: TableName,
    /// Names of the columns wanted; empty: only the number of rows.
    pub columns: Vec<String>,
    /// Conditions joined by AND. A destination may ignore any; the reader evaluates them again.
    pub conditions: Vec<Condition>,
    /// At most this many rows.
    pub limit: Option<usize>,
}

/// Batches of a reading.
pub type BatchStream = BoxStream<'static, Result<RecordBatch>>;

/// A place that rows go to, and that can be read.
#[async_trait]
pub trait Destination: Send + Sync + fmt::Debug + 'static {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// What it is, for people: `SQLite /data/copy.db`.
    fn label(&self) -> String;

    /// The one spelling under which a table's state is kept, as the destination compares names. Two statements
    /// with equal folded names write to one table.
    fn fold(&self, table: &TableName) -> String;

    /// State and fact of a table, without taking its lease and without writing anything, also when the
    /// database does not exist yet.
    async fn inspect(&self, table: &TableName) -> Result<TableStatus>;

    /// Takes the table's lease and reads its status under it. The lease ends with the load, or with the process.
    ///
    /// # Errors
    /// [`HELD`](crate::code::HELD), naming the holder, if another load has it.
    async fn open(&self, table: &TableName, holder: &Holder) -> Result<Box<dyn Load>>;

    /// The tables and views that can be read, our own state tables left out.
    async fn tables(&self) -> Result<Vec<TableInfo>>;

    /// One table or view by name, or `None`.
    async fn table(&self, table: &TableName) -> Result<Option<TableInfo>>;

    /// Appends rows to a table that no load of ours has made, in one transaction: after an error it has none of them.
    /// Columns are found by their names, as the destination compares them; what a row lacks becomes the column's default,
    /// or NULL. Values are converted as [`fit`](crate::fit) does. Returns how many rows were appended.
    ///
    /// # Errors
    /// [`NOT_FOUND`](crate::code::NOT_FOUND) if there is no such table or column, [`OURS`](crate::code::OURS) if a
    /// load of ours made the table, [`UNSUPPORTED`](crate::code::UNSUPPORTED) if it is a view,
    /// [`BAD_VALUE`](crate::code::BAD_VALUE), naming column and row, for a value that does not fit,
    /// [`BAD_VALUE`](crate::code::BAD_VALUE) or [`DUPLICATE_KEY`](crate::code::DUPLICATE_KEY) for a row that a key
    /// or a constraint refuses.
    async fn append(&self, table: &TableName, rows: &[RecordBatch]) -> Result<u64>;

    /// Makes or drops a table or view of the user's own, in one transaction. `false` if there was nothing to do.
    ///
    /// # Errors
    /// [`NOT_FOUND`](crate::code::NOT_FOUND) if what is dropped is not there, [`OURS`](crate::code::OURS) if a load
    /// of ours made it, [`FOREIGN`](crate::code::FOREIGN) if another program has, or something of that name is there
    /// already; [`UNSUPPORTED`](crate::code::UNSUPPORTED) if this destination makes none. For the rows of a new table
    /// as [`Destination::append`]. Nothing was made then.
    async fn define(&self, definition: &Definition) -> Result<bool> {
        let _ = definition;
        Err(fault::own_unsupported(&self.label()))
    }

    /// All rows of a table of the user's own, each behind its place: a text in the column
    /// [`PLACE`](crate::PLACE), which means something to [`Destination::change_rows`] alone.
    ///
    /// # Errors
    /// As [`Destination::define`].
    async fn own_rows(&self, table: &TableName) -> Result<Vec<RecordBatch>> {
        let _ = table;
        Err(fault::own_unsupported(&self.label()))
    }

    /// Deletes rows of a table of the user's own, or gives them new values in some columns, in one transaction: after an
    /// error nothing has changed. `rows` are those to change as [`Destination::own_rows`] gave them, `values` their new
    /// values, row by row; without any they are deleted. Returns how many were changed.
    ///
    /// # Errors
    /// As [`Destination::define`]; [`FENCED`](crate::code::FENCED) if a row has changed since it was read;
    /// [`BAD_VALUE`](crate::code::BAD_VALUE) or [`DUPLICATE_KEY`](crate::code::DUPLICATE_KEY) for a value that does
    /// not fit.
    async fn change_rows(
        &self,
        table: &TableName,
        rows: &RecordBatch,
        values: Option<&RecordBatch>,
    ) -> Result<u64> {
        let _ = (table, rows, values);
        Err(fault::own_unsupported(&self.label()))
    }

    /// The name of a column in the destination's own SQL, without quotes.
    fn column_name(&self, name: &str) -> String {
        name.to_owned()
    }

    /// Reads rows. Nothing is read before the stream is polled; dropping it stops.
    async fn read(&self, query: &Query) -> Result<BatchStream>;
}
