//! What a destination is: it takes rows, deletes and positions of many slices, and applies what was
//! written for a slice together with that slice's checkpoint in one short transaction.
//!
//! The contract is [`Destination`] and [`Load`]; the suite in [`conformance`] is its text, and every
//! destination runs it. A destination knows nothing of SQL statements, of the engine or of sources.

mod append;
mod change;
mod column_type;
pub mod conformance;
mod convert;
mod destination;
mod exact;
pub mod fault;
pub mod iso8601;
mod layout;
mod load;
pub mod memory;
mod name;
mod own;
pub mod packed;
mod pending;
pub mod remembered;
mod retention;
mod state;

pub use append::{describe_value, fit, lost, whole_days};
pub use bucketline_core::code::destination as code;
pub use bucketline_core::{Error, Result};
pub use change::{Change, Counts, RowFilter, Scalar};
pub use column_type::ColumnType;
pub use convert::convert;
pub use destination::{BatchStream, Capabilities, Condition, Destination, Query, TableInfo};
pub use exact::by_digits;
pub use layout::{Evolution, Keeping, Layout, StoredColumn, Versions, check_name, describe_row};
pub use load::{Column, Holder, Load, LoadPlan, Replacement, Target};
pub use name::{Exact, TableName};
pub use own::{Definition, MARK, NewColumn, PLACE};
pub use pending::{Pending, Uncommitted};
pub use retention::{ACTIVE, DELETED, END, Place, Retention, START, Version};
pub use state::{Checkpoints, Physical, Staged, TableState, TableStatus};
