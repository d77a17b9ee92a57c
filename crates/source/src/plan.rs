//! From what is asked to what will be requested. Pure: no I/O here.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::{Predicate, Scope, TableSpec};

/// What the engine asks of a table.
#[derive(Debug, Clone)]
pub struct ScanRequest {
    /// The table.
    pub table: Arc<TableSpec>,
    /// The scope (schema) it is read in.
    pub scope: Scope,
    /// Indices into [`TableSpec::columns`], in output order, without doubles. Empty: only the number
    /// of rows is wanted.
    pub columns: Vec<usize>,
    /// Conditions, joined by AND. The caller evaluates all of them again.
    pub predicates: Vec<Predicate>,
    /// The wanted order.
    pub order: Option<Order>,
    /// At most this many rows are wanted, counted after `predicates`. Set only by a caller for whom
    /// `predicates` holds every condition.
    pub limit: Option<usize>,
    /// Rows a page, when a user asked for fewer than the table's maximum.
    pub page_size: Option<usize>,
}

/// An order of one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Index into [`TableSpec::columns`].
    pub column: usize,
    /// Highest first.
    pub descending: bool,
    /// Rows without a value come before the others.
    pub nulls_first: bool,
}

/// What becomes of a predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushdown {
    /// The service returns exactly the matching rows.
    Exact,
    /// The service returns all matching rows and perhaps more.
    Narrowing,
    /// Evaluated here.
    Kept,
}

/// A predicate with its fate.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedPredicate {
    /// The condition.
    pub predicate: Predicate,
    /// What the service does with it.
    pub pushdown: Pushdown,
    /// It chooses slices (a condition on a parent column) rather than rows.
    pub chooses_slices: bool,
    /// Its column never changes in a row, so it may be pushed down after the first load, too.
    pub immutable: bool,
}

/// Which slices a plan reads.
#[derive(Debug, Clone, PartialEq)]
pub enum SliceChoice {
    /// One slice that needs no listing: the account or the workspace itself.
    One,
    /// These repositories, by slug or UUID, each looked up with one request.
    Named(Vec<String>),
    /// All repositories of the scope that pass the plan's slice-choosing predicates; found by the
    /// listing of repositories.
    Listed,
}

/// A query parameter of a request, not yet percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The request of one page, as EXPLAIN shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestShape {
    /// `GET`.
    pub method: &'static str,
    /// The path under the base URL, `{workspace}` and `{repository}` filled in where known.
    pub path: String,
    /// The parameters of the first page.
    pub parameters: Vec<Parameter>,
    /// What this request is for: `listing of repositories`, `rows`, `look-up of repository`.
    pub purpose: String,
    /// How the following pages are addressed, in words (`updated_on >= last seen`, `next link`).
    pub paging: String,
}

/// How many requests a plan takes, where it can be known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimate {
    /// Exactly this many.
    Exactly(u64),
    /// At least this many; the rest depends on data that has not been read.
    AtLeast(u64),
    /// The listing of repositories, and at least this many for each that it shows.
    EachSlice(u64),
}

/// How many requests are made, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestCount {
    /// This many.
    Exactly(u64),
    /// This many or more.
    AtLeast(u64),
}

impl std::ops::Add for RequestCount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        match (self, other) {
            (Self::Exactly(one), Self::Exactly(other)) => Self::Exactly(one + other),
            (Self::Exactly(one) | Self::AtLeast(one), Self::AtLeast(other))
            | (Self::AtLeast(one), Self::Exactly(other)) => Self::AtLeast(one + other),
        }
    }
}

/// `12`, `at least 12`
impl fmt::Display for RequestCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(count) => write!(f, "{count}"),
            Self::AtLeast(count) => write!(f, "at least {count}"),
        }
    }
}

/// What will be requested for a [`ScanRequest`].
#[derive(Debug, Clone)]
pub struct ScanPlan {
    /// What was asked.
    pub request: ScanRequest,
    /// The schema of the pages: the asked-for columns in their order.
    pub schema: SchemaRef,
    /// Every predicate and its fate, in the order asked.
    pub predicates: Vec<PlannedPredicate>,
    /// Which slices are read.
    pub slices: SliceChoice,
    /// Index of the table's column whose rows of the value true are left out: those that are deleted.
    pub hidden: Option<usize>,
    /// How the rows of the parent table are found that the table's rows hang on.
    pub parent: Option<Box<ScanPlan>>,
    /// The order the rows of one slice come in is the one asked for.
    pub ordered: bool,
    /// The limit is enforced by the source in each slice.
    pub limited: bool,
    /// Rows a page.
    pub page_size: usize,
    /// Who answers the conditions that are pushed down, for people: `the API`.
    pub answers: &'static str,
    /// The requests, for people: look-ups and listing first, then the rows' first page.
    pub requests: Vec<RequestShape>,
    /// Requests when the number of slices is `slices`.
    pub estimate: Estimate,
    /// What a reader should know (a blind spot that matters here, a limit that cannot be pushed).
    pub notes: Vec<String>,
}

impl ScanPlan {
    /// Whether a slice with these parent values ([`Slice::parents`](crate::Slice::parents)) passes all conditions
    /// that choose slices.
    pub fn admits(&self, parents: &[Option<String>]) -> bool {
        let table = &self.request.table;
        let chosen = self.predicates.iter().filter(|it| it.chooses_slices);
        chosen.map(|planned| &planned.predicate).all(|predicate| {
            let index = table.parents().position(|it| it == predicate.column);
            predicate.holds(index.and_then(|index| parents[index].as_deref()))
        })
    }
}
