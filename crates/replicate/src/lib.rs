//! The executor of REPLICATE, and of CHECKCACHE, CACHE and GETDELETED beside it.
//!
//! A run cuts a statement's work into slices (a repository, or the workspace), reads each from where
//! its checkpoint stands, and merges what it reads into the destination's table, page by page, each
//! page together with the position that it leads to. What it does, and what it never does, is
//! section 5 of the design.

mod arms;
mod cache;
mod catalog;
mod check;
mod columns;
mod compiled;
mod declared;
mod deleted;
mod error;
mod events;
mod explain;
mod fingerprint;
mod forecast;
mod insert;
mod job;
mod keep;
mod keys;
mod lazy;
mod own;
mod owners;
mod pages;
mod prepare;
mod probe;
mod record;
mod renaming;
mod replicate;
mod report;
mod run;
mod scan;
mod script;
mod standing;
mod statement;
mod survey;
mod tally;
mod walk;
mod walks;
mod work;

#[cfg(test)]
mod tests;

pub use bucketline_core::code::replicate as code;
pub use bucketline_core::{Error, Result};
pub use cache::cache;
pub use catalog::DestinationCatalog;
pub use check::{Comparison, Difference};
pub use deleted::deleted_rows;
pub use error::Unfinished;
pub use events::{Event, Events, Silent};
pub use forecast::{Forecast, Read};
pub use insert::Insertion;
pub use own::{Changing, Written, create_table, create_view, drop_own};
pub use replicate::{check_cache, explain, explain_check, forecast, replicate};
pub use report::{Failure, Mode, Outcome, Report, SliceReport};
pub use script::{RunOptions, ScriptRun};
