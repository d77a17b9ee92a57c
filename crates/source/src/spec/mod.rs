//! Tables as data.
//!
//! A table file holds the tables of one family as TOML. [`load`] reads it and reports every mistake
//! it finds, not only the first. From a loaded [`TableSpec`] come the Arrow schema, the system
//! tables, the pushdown, EXPLAIN and the table's documentation page.

mod entry;
mod feed;
mod group;
mod load;
mod parent;
#[cfg(test)]
mod tests;

use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

pub use feed::{Feed, Heads, Unfinished};
pub use load::load;
pub use parent::{ChildRows, ParentTable, Revisit};

use crate::Operator;

/// Key of the field metadata that marks a text column as JSON (value `json`).
pub const LOGICAL_TYPE: &str = "bucketline.type";

/// One table of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSpec {
    /// Its name, such as `PullRequests`.
    pub name: String,
    /// One line about it.
    pub doc: String,
    /// Path under the base URL, with `{workspace}` and `{repository}`.
    pub path: String,
    /// Where the rows are in an answer: a member's name (`values`), or empty if the answer is one row.
    pub rows: String,
    /// What it is fetched per.
    pub slice: SliceKind,
    /// Indices of the key columns.
    pub key: Vec<usize>,
    /// The change column, if changes can be found by it.
    pub cursor: Option<Cursor>,
    /// The table on whose rows this one's hang.
    pub parent: Option<ParentTable>,
    /// The order newest first, if changes can be found by it.
    pub feed: Option<Feed>,
    /// The branches whose heads tell what is new, if they do.
    pub heads: Option<Heads>,
    /// How a whole slice is walked.
    pub walk: Walk,
    /// The largest page the service gives.
    pub page_size: usize,
    /// All columns; parent columns come first.
    pub columns: Vec<ColumnSpec>,
    /// A parameter bound to a column, sent with every request.
    pub parameter: Option<BoundParameter>,
    /// Other parameters sent with every request, names and values.
    pub parameters: Vec<(String, String)>,
    /// The service answers with whole objects alone: `fields` is not sent.
    pub whole_objects: bool,
    /// Index of the column that tells of a row that it is deleted, where the service goes on listing such rows.
    pub deleted: Option<usize>,
    /// Answers that mean that a slice does not have the table.
    pub absent: Option<Absent>,
    /// The scopes a credential needs.
    pub scopes: Scopes,
    /// Set if the service removed the endpoint.
    pub removed: Option<Removal>,
    /// A repository whose listed proof did not move needs no request.
    pub unchanged_by_proof: bool,
    /// What a copy does not see, in words.
    pub blind_spots: Vec<String>,
    /// The named Rust hook that reads this table, where data cannot say how.
    pub reader: Option<String>,
}

/// What a table is fetched per.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SliceKind {
    /// Once for the account.
    Account,
    /// Once per workspace.
    Workspace,
    /// Once per repository.
    Repository,
}

/// The change column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Index of the column; sortable and range-filterable, and a timestamp where a service is asked.
    pub column: usize,
    /// Read again before the mark when a new walk starts.
    pub look_back: Duration,
    /// Rows may lack a value; they are walked by key on each run.
    pub nullable: bool,
    /// Index of the key column that orders rows of one cursor value; a whole number where a service is asked.
    pub tie: usize,
}

/// How a whole slice is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Walk {
    /// By an immutable, sortable, filterable column: `column > last`, or `>= last` with doubles dropped
    /// when it is not unique.
    Keyset {
        /// Index of the column.
        column: usize,
        /// No two rows of a slice share a value.
        unique: bool,
    },
    /// By following `next`, with this `sort`; the order may shift between pages.
    Pages {
        /// The sort field, if the service takes one.
        sort: Option<String>,
        /// Links lead through the list as it was: nothing shifts.
        stable: bool,
        /// `next` forgets parameters, so the following pages are asked for by number.
        numbered: bool,
    },
}

/// A query parameter whose values are those of a column, such as `state=OPEN&state=MERGED`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundParameter {
    /// The parameter's name; repeated once a value.
    pub name: String,
    /// Index of the column.
    pub column: usize,
    /// The column's values, in the order in which a split walk goes through them.
    pub values: Vec<String>,
    /// The service fails to sort across all values in large slices; a walk may be split by value.
    pub split: bool,
}

/// Answers that mean that a slice does not have a table: success, rows stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// The HTTP statuses.
    pub statuses: Vec<u16>,
    /// What the slice lacks, a clause after its name: `has Pipelines switched off`.
    pub why: String,
}

/// Scopes by style of credential.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scopes {
    /// New style, for API tokens: `read:repository:bitbucket`.
    pub token: String,
    /// Old style, for OAuth consumers and access tokens: `repository`.
    pub oauth: String,
}

/// A removal by the service.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// The day, `2026-08-20`.
    pub since: String,
    /// The announcement, `CHANGE-3071`.
    pub change: String,
    /// What remains possible, a sentence.
    pub instead: String,
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSpec {
    /// Its name, such as `ReporterDisplayName`.
    pub name: String,
    /// One line about it.
    pub doc: String,
    /// Its type.
    pub kind: ColumnKind,
    /// Where its value comes from.
    pub origin: Origin,
    /// Rows may lack the value. Answers may lack any, so that only a key and the change column always have theirs.
    pub nullable: bool,
    /// The source has a value in every row: a condition or an order on it there needs no thought of NULLs.
    pub required: bool,
    /// The value never changes in a row.
    pub immutable: bool,
    /// What the service can filter on it.
    pub filter: Filter,
    /// The service sorts by it as SQL does (nulls, ties and collation considered).
    pub sort: bool,
    /// List answers leave it out unless `fields=+...` asks for it.
    pub extra: bool,
    /// What stands in its place where a row lacks the value of a text that is required.
    pub otherwise: Option<String>,
    /// Other names that a query may call it by, such as those of the CData driver.
    pub aliases: Vec<String>,
    /// `*` leaves it out; it can be named.
    pub hidden: bool,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// A boolean.
    Bool,
    /// A 64-bit whole number.
    Int,
    /// A 64-bit floating-point number.
    Float,
    /// A text.
    Text,
    /// An instant with microseconds, UTC.
    Timestamp,
    /// Any JSON value as its text.
    Json,
    /// What no table file names, since no JSON has it, and a source of another form may.
    Plain(Plain),
}

/// The types of columns that JSON does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plain {
    /// Bytes.
    Binary,
    /// A day.
    Date,
    /// A time of day, with microseconds.
    Time,
    /// A date and a time in no particular zone, with microseconds.
    LocalTime,
    /// A span of time, with microseconds.
    Duration,
    /// An exact number.
    Decimal {
        /// Digits in all, at most 76.
        precision: u8,
        /// Digits after the point.
        scale: i8,
    },
}

/// Where a column's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The slice's parent.
    Parent(Parent),
    /// The row's JSON, member by member.
    Row(Vec<String>),
    /// The first of these places in the row's JSON that has a value.
    First(Vec<Vec<String>>),
    /// The name of the one of these members that the row has.
    Member(Vec<String>),
    /// The row of the parent table, by the index of its column.
    Up(usize),
}

impl Origin {
    /// The places in the row's JSON that it reads.
    pub fn paths(&self) -> Vec<&[String]> {
        match self {
            Self::Parent(_) | Self::Up(_) => Vec::new(),
            Self::Row(path) => vec![path],
            Self::First(paths) => paths.iter().map(Vec::as_slice).collect(),
            Self::Member(members) => members.iter().map(std::slice::from_ref).collect(),
        }
    }

    /// It is read from the table's own rows.
    pub fn is_own(&self) -> bool {
        !matches!(self, Self::Parent(_) | Self::Up(_))
    }
}

/// A value a slice gives to all its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parent {
    /// The workspace's slug.
    Workspace,
    /// The repository's slug.
    Repository,
    /// The repository's UUID in braces.
    RepositoryUuid,
}

/// What the service can filter on a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The name in `q`; the row's path unless the table file says otherwise.
    pub field: String,
    /// The name in `q` for the null tests, where the object rather than its member is tested
    /// (`assignee = null`); else the same as `field`.
    pub null_field: String,
    /// Operators for which the service returns exactly the matching rows.
    pub exact: Vec<Operator>,
    /// Operators for which it returns all matching rows and perhaps more.
    pub narrowing: Vec<Operator>,
    /// The values that it knows, if they are few; any other is refused.
    pub values: Vec<String>,
}

impl ColumnKind {
    /// The Arrow type of the column.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Text | Self::Json => DataType::Utf8,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
            Self::Plain(plain) => plain.data_type(),
        }
    }
}

impl Plain {
    fn data_type(self) -> DataType {
        match self {
            Self::Binary => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::LocalTime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Duration => DataType::Duration(TimeUnit::Microsecond),
            Self::Decimal { precision, scale } if precision <= 38 => {
                DataType::Decimal128(precision, scale)
            }
            Self::Decimal { precision, scale } => DataType::Decimal256(precision, scale),
        }
    }
}

impl ColumnSpec {
    /// The Arrow field; JSON columns carry [`LOGICAL_TYPE`].
    pub fn field(&self) -> Field {
        let field = Field::new(&self.name, self.kind.data_type(), self.nullable);
        match self.kind {
            ColumnKind::Json => {
                field.with_metadata([(LOGICAL_TYPE.to_owned(), "json".to_owned())].into())
            }
            _ => field,
        }
    }
}

impl TableSpec {
    /// The schema of all columns.
    pub fn schema(&self) -> Schema {
        Schema::new(
            self.columns
                .iter()
                .map(ColumnSpec::field)
                .collect::<Vec<_>>(),
        )
    }

    /// The index of a column, its name compared without regard to case.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Indices of the columns that come from the slice, in the order of [`crate::Slice::parents`].
    pub fn parents(&self) -> impl Iterator<Item = usize> + '_ {
        self.columns
            .iter()
            .enumerate()
            .filter(|(_, column)| matches!(column.origin, Origin::Parent(_)))
            .map(|(index, _)| index)
    }

    /// Other names of columns, each with the column's own.
    pub fn aliases(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.columns.iter().flat_map(|column| {
            let aliases = column.aliases.iter();
            aliases.map(|alias| (alias.clone(), column.name.clone()))
        })
    }

    /// How changes since an earlier reading are found.
    pub fn strategy(&self) -> Strategy<'_> {
        let parent = self
            .parent
            .as_ref()
            .filter(|parent| parent.table.is_incremental() && !parent.bounded);
        match (&self.cursor, parent, &self.feed, &self.heads) {
            (Some(cursor), ..) => Strategy::Cursor(cursor),
            (_, Some(parent), ..) => Strategy::Parent(parent),
            (_, _, Some(feed), _) => Strategy::Feed(feed),
            (.., Some(heads)) => Strategy::Heads(heads),
            _ => Strategy::Whole,
        }
    }

    /// Changes can be found without reading everything.
    pub fn is_incremental(&self) -> bool {
        self.strategy() != Strategy::Whole
    }

    /// An answer is one row without an envelope.
    pub fn is_single(&self) -> bool {
        self.rows.is_empty()
    }
}

/// How the changes of a table are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strategy<'t> {
    /// By its own change column.
    Cursor(&'t Cursor),
    /// By the changes of its parent table: all rows of a parent that changed are read again.
    Parent(&'t ParentTable),
    /// Newest first, up to what is known.
    Feed(&'t Feed),
    /// By what the heads of branches reach and those known before do not.
    Heads(&'t Heads),
    /// Not at all: the table is read whole.
    Whole,
}
