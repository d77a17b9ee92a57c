//! Runs tasks through the library, in this process, and looks at connections and statements for people.
//!
//! [`LocalRunner`] is the application's [`Runner`](bucketline_app::runner::Runner) without other machines;
//! [`Workbench`] answers what somebody asks who makes a connection or a job. Both take connections from
//! [`Connections`]: those of the store, and beside them those of the configuration.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bounds;
mod budget;
mod connections;
mod forecast;
mod local;
mod narrator;
mod record;
mod records;
mod rows;
mod sign_in;
mod statement;
mod webhook;
mod workbench;

pub use bounds::Bounds;
pub use budget::{Budget, Hour, HourOf};
pub use connections::{Configured, Connections};
pub use local::LocalRunner;
pub use records::{StoreOpener, record_tables};
pub use workbench::{Check, Column, Completion, Forecast, Plan, Table, Workbench};
