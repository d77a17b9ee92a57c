//! What a source is: tables as data, scan requests, scan plans, pages of Arrow batches.
//!
//! A source publishes [`TableSpec`]s, which are data (see [`spec`]), turns a [`ScanRequest`] into a
//! [`ScanPlan`] without any I/O, and reads a plan slice by slice as a stream of [`Page`]s. It knows
//! nothing of SQL, of the engine or of any destination.

pub mod decode;
mod explain;
pub mod figures;
mod loss;
mod plan;
mod predicate;
mod scan;
mod slice;
mod source;
pub mod spec;

pub use bucketline_core::code::source as code;
pub use bucketline_core::{Error, Result};
pub use loss::{Loss, Losses, Lost};
pub use plan::{
    Estimate, Order, Parameter, PlannedPredicate, Pushdown, RequestCount, RequestShape, ScanPlan,
    ScanRequest, SliceChoice,
};
pub use predicate::{Literal, Operator, Predicate};
pub use scan::Scan;
pub use slice::{
    Checkpoint, End, FeedPosition, Owner, Page, Position, Reading, Slice, SliceId, ValuePosition,
    Visits,
};
pub use source::{Identity, Observer, PageStream, ReadContext, Scope, ScopeKind, Source};
pub use spec::{ColumnSpec, TableSpec};
