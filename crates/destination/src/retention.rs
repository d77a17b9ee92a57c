//! What a table keeps of rows that change or leave.

use chrono::{DateTime, Utc};

use crate::ColumnType;

/// The column that says whether a row has left: true, else false.
pub const DELETED: &str = "_cdatasync_deleted";

/// The column that says whether a version is the one in force.
pub const ACTIVE: &str = "_cdatasync_active";

/// The column that says since when a version is in force; the last of the key.
pub const START: &str = "_cdatasync_start";

/// The column that says until when a version was in force; NULL in the active one.
pub const END: &str = "_cdatasync_end";

/// What a table keeps beside the rows that there are. What needs a column for it gets it from the destination: it is
/// not among those of the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Retention {
    /// Nothing: a row that leaves is deleted.
    #[default]
    Nothing,
    /// Rows that left, marked in [`DELETED`]. A row that returns is no longer marked.
    Deleted,
    /// All versions of a row, with [`ACTIVE`], [`START`] and [`END`]. [`Place::of`] says what becomes of those that are
    /// there when another one comes.
    Versions {
        /// The column of the plan whose value is a version's start: an instant, never NULL.
        change: String,
        /// The end of versions whose rows are deleted, unless they start later.
        now: DateTime<Utc>,
    },
}

impl Retention {
    /// The columns that it needs.
    pub(crate) fn columns(&self) -> &'static [(&'static str, ColumnType)] {
        match self {
            Self::Nothing => &[],
            Self::Deleted => &[(DELETED, ColumnType::Boolean)],
            Self::Versions { .. } => &[
                (ACTIVE, ColumnType::Boolean),
                (START, ColumnType::Instant),
                (END, ColumnType::Instant),
            ],
        }
    }
}

/// A stored version of a row; moments are microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Since when.
    pub start: i64,
    /// Until when.
    pub end: Option<i64>,
    /// It is the one in force.
    pub active: bool,
}

/// Where a version that comes stands among those of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A version with this start is there.
    Present {
        /// It was closed, and is in force again: no later one is there.
        reopened: bool,
    },
    /// It is new.
    New {
        /// The start of the version before it, which now ends where this one starts.
        closes: Option<i64>,
        /// Its end; `None`: it is in force.
        end: Option<i64>,
    },
}

impl Place {
    /// The place of a version among those of its row.
    pub fn of(start: i64, versions: &[Version]) -> Self {
        let next = versions.iter().filter(|version| version.start > start);
        let next = next.map(|version| version.start).min();
        if let Some(same) = versions.iter().find(|version| version.start == start) {
            return Self::Present {
                reopened: next.is_none() && !same.active,
            };
        }
        let before = versions.iter().filter(|version| version.start < start);
        let before = before.max_by_key(|version| version.start);
        let closes = before.filter(|version| version.end.is_none_or(|end| end > start));
        Self::New {
            closes: closes.map(|version| version.start),
            end: next,
        }
    }
}
