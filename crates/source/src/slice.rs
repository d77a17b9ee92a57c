//! Slices: the unit of fetching, checkpoint, retry and progress.

use std::collections::BTreeMap;
use std::fmt;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Literal;

/// The stable name of a slice: the UUID of its repository, workspace or account, never a slug.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SliceId(pub String);

impl fmt::Display for SliceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One part of a table that is fetched, committed and retried on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Its stable identity.
    pub id: SliceId,
    /// What people call it, such as `acme/api`.
    pub label: String,
    /// The values of the table's parent columns in this slice, in the order of
    /// [`TableSpec::parents`](crate::TableSpec::parents). NULL is `None`.
    pub parents: Vec<Option<String>>,
    /// What the listing said of the slice's last change; equal proofs mean that tables with
    /// [`TableSpec::unchanged_by_proof`](crate::TableSpec::unchanged_by_proof) need no request.
    pub proof: Option<String>,
}

/// What is remembered of a slice between runs of an incremental table. Stored as JSON with the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Where the last finished walk ended; `None` until the first load has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<DateTime<Utc>>,
    /// Where an unfinished walk stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walk: Option<Position>,
    /// The walk goes through the values of the table's split parameter one by one, because the
    /// service cannot sort across them in this slice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub split: bool,
    /// Where the last walk of each value ended, by its index, in a walk that is split; values beyond
    /// are walked from `mark`. `None`: no row of it was seen yet, so that it is walked from its beginning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Option<DateTime<Utc>>>,
    /// What was done beyond `walk` in a table that hangs on another one; the rest is that table's.
    #[serde(default, skip_serializing_if = "Visits::is_empty")]
    pub visits: Visits,
    /// Where an unfinished walk of a feed stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedPosition>,
    /// Where the walks of a table stand whose change column may be of any type, instead of `mark` and `walk`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Box<ValuePosition>>,
    /// The heads of the branches whose commits were read, by branch.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub heads: BTreeMap<String, String>,
}

impl Checkpoint {
    /// The first load has ended.
    pub fn is_loaded(&self) -> bool {
        self.mark.is_some() || self.values.as_ref().is_some_and(|values| values.is_loaded)
    }

    /// A walk is unfinished.
    pub fn is_walking(&self) -> bool {
        let values = self.values.as_ref();
        self.walk.is_some() || values.is_some_and(|values| values.until.is_some())
    }
}

/// How far the parents of a page have been visited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Visits {
    /// Those of the page after the walk's position whose rows are committed, each with what would show that
    /// it changed since.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<String>,
    /// The walk has ended, and those visited on each run are being visited: all up to this one are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again: Option<i64>,
    /// The same of the parent table, if that hangs on another one as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<Box<Visits>>,
}

impl Visits {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a walk by a change column of any type stands. Values are written as the source writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ValuePosition {
    /// The first load has ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_loaded: bool,
    /// The column's highest value when the last finished walk began; what has it is read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<Value>,
    /// The column's highest value when the unfinished walk began; the walk ends there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Value>,
    /// The column's value in the last row read by the unfinished walk, and what tells rows of one value apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Value>,
}

/// The position of an unfinished walk of a feed, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedPosition {
    /// The newest row's moment when the walk began.
    pub newest: DateTime<Utc>,
    /// The moment of the oldest row that is committed.
    pub reached: DateTime<Utc>,
    /// The moment of the oldest unfinished row met so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<DateTime<Utc>>,
}

/// One row of a parent table, by the child's columns that name it.
#[derive(Debug, Clone, PartialEq)]
pub struct Owner(pub Vec<(usize, Literal)>);

/// The position of an unfinished walk in cursor order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// No later than the walk's beginning, if one of the server's clock and ours is right (S).
    pub started: DateTime<Utc>,
    /// When the walk first met a row later than `started`, at the latest. Also set where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<DateTime<Utc>>,
    /// The highest cursor value read so far in this part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highest: Option<DateTime<Utc>>,
    /// A row was read, in whichever part, with a cursor value or without. A walk that found nothing leaves
    /// the mark alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found: bool,
    /// Which value of the split parameter is being walked, by index; 0 in a walk that is not split.
    #[serde(default)]
    pub part: usize,
    /// The last cursor value read in this part. `None`: nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DateTime<Utc>>,
    /// Keys of the rows read at exactly `after`, so that a row read twice is dropped; while a run of
    /// rows with one cursor value is drained, the highest key read at it. Empty while `after` is
    /// set and nothing is drained: all rows at `after` were read, and the walk goes on above it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<i64>,
    /// The walk is draining the rows whose cursor is exactly `after`, by key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub draining: bool,
    /// The walk is reading the rows without a cursor value, by key, up to the last of `seen`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nulls: bool,
}

/// How a slice is to be read.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one is made for a slice, and a box would be in everybody's way"
)]
pub enum Reading {
    /// Every row once, in the plan's order, up to the plan's limit.
    Scan,
    /// The rows changed since the checkpoint, in ascending cursor order (design, section 5).
    Changes(Checkpoint),
    /// The whole slice by its immutable key, to find out what is gone.
    Listing,
}

/// One page of a slice, with the position that it leads to.
#[derive(Debug)]
pub struct Page {
    /// The rows, in the plan's schema ([`ScanPlan::schema`](crate::ScanPlan::schema)).
    pub rows: RecordBatch,
    /// The checkpoint to commit together with these rows; only for [`Reading::Changes`].
    pub checkpoint: Option<Checkpoint>,
    /// Parents all of whose rows are on this page; what a copy has of them beside is gone. Each is on one page.
    pub owners: Vec<Owner>,
    /// Parents whose rows could not be read: those of a copy stay. One without columns is the slice itself, of which
    /// something could not be read.
    pub unread: Vec<Owner>,
    /// Set on the last page of the slice, and on that alone. A stream that ends without it has not
    /// ended: it failed.
    pub end: Option<End>,
}

impl Page {
    /// A page of rows that are nobody's, with what follows from it.
    pub fn new(rows: RecordBatch, checkpoint: Option<Checkpoint>, end: Option<End>) -> Self {
        Self {
            rows,
            checkpoint,
            owners: Vec::new(),
            unread: Vec::new(),
            end,
        }
    }
}

/// How a slice ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Everything was read. `pages` counts the page-numbered pages of a list whose order is not
    /// stable; a list of several is to be read a second time before anything absent is deleted.
    Complete {
        /// Pages of an unstable list; 0 or 1 is as good as a walk by key.
        unstable_pages: usize,
    },
    /// The table does not exist in this slice (tracker switched off): success, rows stay.
    NotApplicable {
        /// Why, in words for a person.
        why: String,
    },
}
