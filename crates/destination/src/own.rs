//! Tables and views of the user's own: made, changed and dropped by statements, never by a load.
//!
//! They carry a mark in the database itself, by which they are known again: what has none was made by another program,
//! and is neither changed nor dropped.

use arrow::array::RecordBatch;
use arrow::datatypes::Field;

use crate::TableName;

/// The mark, within what the database keeps as the text or the comment of a table or view.
pub const MARK: &str = "made by CREATE in bucketline";

/// The column before those of a table that says where a row is.
pub const PLACE: &str = "_bucketline_place";

/// What is to be made or dropped.
#[derive(Debug, Clone)]
pub enum Definition {
    /// A table.
    Table {
        /// Its name.
        name: TableName,
        /// Its columns.
        columns: Vec<NewColumn>,
        /// Names of the key columns; empty: no key.
        key: Vec<String>,
        /// Nothing happens if there is a table of that name.
        if_absent: bool,
        /// The rows that it is made with.
        rows: Vec<RecordBatch>,
    },
    /// A view.
    View {
        /// Its name.
        name: TableName,
        /// A SELECT in the destination's own SQL.
        query: String,
        /// One of that name is replaced.
        replaces: bool,
    },
    /// A table or view that is dropped.
    Drop {
        /// Its name.
        name: TableName,
        /// It is a view.
        view: bool,
    },
}

/// A column of a new table.
#[derive(Debug, Clone)]
pub struct NewColumn {
    /// Name, type, nullability.
    pub field: Field,
    /// The most characters of a text.
    pub length: Option<u64>,
    /// The least and the most of a whole number.
    pub range: Option<(i64, i64)>,
}
