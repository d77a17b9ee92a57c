//! The `q` and `sort` parameters: a small filter language, bound to what each resource lets one
//! filter by, and evaluated on the JSON of a row.

mod bind;
mod bounds;
mod parse;
mod schema;

pub(crate) use bind::{Filter, Sort};
pub(crate) use bounds::Bounds;
pub(crate) use schema::{Field, Kind, Schema};

/// Why a `q` or `sort` is refused; the text is the answer's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) String);
