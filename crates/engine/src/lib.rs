//! Names and SELECT: connections as catalogs, scopes as schemas, scans that push filters, order and limit to
//! their source, and EXPLAIN. DataFusion plans and executes; only this crate, and what stands on it, links it.

mod bounds;
mod catalog;
mod dialect;
mod error;
mod explain;
mod facts;
mod flatten;
mod function;
mod hidden;
mod host;
mod names;
mod narrowing;
mod outputs;
mod padding;
mod planner;
mod portions;
mod query;
mod rows;
mod scan;
mod session;
mod subquery;
mod synonym;
mod system;
mod types;
mod window;
mod wording;
mod yielding;

pub use bucketline_core::code::engine as code;
pub use bucketline_core::{Error, Result};
pub use catalog::{Catalog, CatalogEntry, CatalogTable, Connection};
pub use datafusion;
pub use error::from_arrow;
pub use facts::{Facts, ParameterFact, ProcedureFact, PropertyFact, Written};
pub use function::{Argument, Family, Function, Need, functions};
pub use host::HostTable;
pub use query::QueryRun;
pub use rows::{Applied, Output, RowPlan, WholePlan, Work, is_json};
pub use session::{Clock, DEFAULT_DESTINATION, Files, Session, Settings};
pub use system::system_tables;
pub use types::{ColumnType, column_type};
pub use wording::type_name;
